//! Names with `%` and `_`: databases of a GRANT, hosts of accounts, columns of FIELD_LIST.

/// Whether the name matches: `%` stands for anything, `_` for one character, and a backslash takes the meaning from
/// what follows it. Allocates nothing.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `%` stands, and how far the name was when it was met.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some(b'%'), _) => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            (Some(b'_'), Some(&byte)) => {
                p += 1;
                n += character(byte);
                continue;
            }
            (Some(b'\\'), Some(byte)) if pattern.get(p + 1).is_some() => {
                if pattern.get(p + 1) == Some(byte) {
                    p += 2;
                    n += 1;
                    continue;
                }
            }
            (Some(expected), Some(byte)) if expected == byte => {
                p += 1;
                n += 1;
                continue;
            }
            (None, None) => return true,
            (None | Some(_), None | Some(_)) => {}
        }
        // Let the last `%` stand for one character more.
        match star {
            Some((at, met)) if met < name.len() => {
                n = met + name.get(met).map_or(1, |&byte| character(byte));
                star = Some((at, n));
                p = at + 1;
            }
            Some(_) | None => return false,
        }
    }
}

/// The one name that the pattern stands for; `None` if it may stand for several.
pub(crate) fn literal(pattern: &str) -> Option<String> {
    let mut name = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' | '_' => return None,
            '\\' => name.push(characters.next().unwrap_or('\\')),
            other => name.push(other),
        }
    }
    Some(name)
}

/// The length of the UTF-8 character that starts with this byte.
fn character(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_mysql_says_it_does() {
        for (pattern, matched, others) in [
            ("shop", &["shop"][..], &["shops", "sho", "", "Shop"][..]),
            ("%", &["", "shop"], &[]),
            ("app%", &["app", "app_1"], &["ap", "xapp"]),
            ("%app", &["app", "aapp", "appapp"], &["apps"]),
            ("a%b%c", &["abc", "aXbXc", "abbc"], &["ab", "acb"]),
            ("app_1", &["app_1", "appx1", "appé1"], &["app1", "app__1"]),
            ("app\\_1", &["app_1"], &["appx1"]),
            ("a\\%", &["a%"], &["ab"]),
            ("%__b", &["xyb", "€€b", "x€yb"], &["b", "€b", "éb", "😀b"]),
            ("%_", &["€", "x€"], &[""]),
            ("%€_", &["€€x", "€€"], &["€", "x€"]),
        ] {
            for name in matched {
                assert!(matches(pattern, name), "{pattern} {name}");
            }
            for name in others {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_one_name() {
        assert_eq!(literal("shop").as_deref(), Some("shop"));
        assert_eq!(literal("a\\_b\\%").as_deref(), Some("a_b%"));
        assert_eq!(literal("a_b"), None);
        assert_eq!(literal("a%"), None);
    }
}
