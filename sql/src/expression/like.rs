//! LIKE, without backtracking beyond the last `%`: linear in pattern times text, no recursion.

/// Whether the text matches the pattern: `%` is any run of characters, `_` one character, `escape` takes the next
/// character as itself.
pub(crate) fn matches(text: &str, pattern: &str, escape: Option<char>, fold_case: bool) -> bool {
    let text: Vec<char> = folded(text, fold_case);
    let pattern = compile(pattern, escape, fold_case);
    let (mut t, mut p) = (0, 0);
    // Where to go on when the characters behind the last `%` do not fit: (pattern place, text place).
    let mut resume: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some(Piece::Any), _) => {
                resume = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(Piece::One), Some(_)) => {
                (t, p) = (t + 1, p + 1);
                continue;
            }
            (Some(Piece::Literal(l)), Some(c)) if l == c => {
                (t, p) = (t + 1, p + 1);
                continue;
            }
            (None, None) => return true,
            (Some(Piece::One | Piece::Literal(_)) | None, _) => {}
        }
        match resume {
            Some((again, from)) if from < text.len() => {
                resume = Some((again, from + 1));
                (p, t) = (again, from + 1);
            }
            Some(_) | None => return false,
        }
    }
}

enum Piece {
    Any,
    One,
    Literal(char),
}

fn compile(pattern: &str, escape: Option<char>, fold_case: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            // An escape at the end stands for itself.
            let literal = chars.next().unwrap_or(c);
            pieces.extend(folded(literal.encode_utf8(&mut [0; 4]), fold_case).into_iter().map(Piece::Literal));
        } else if c == '%' {
            if !matches!(pieces.last(), Some(Piece::Any)) {
                pieces.push(Piece::Any);
            }
        } else if c == '_' {
            pieces.push(Piece::One);
        } else {
            pieces.extend(folded(c.encode_utf8(&mut [0; 4]), fold_case).into_iter().map(Piece::Literal));
        }
    }
    pieces
}

fn folded(text: &str, fold_case: bool) -> Vec<char> {
    if fold_case { text.to_lowercase().chars().collect() } else { text.chars().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_matches_as_mysql_does() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "ABC", false),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "_b_", true),
            ("abc", "_b", false),
            ("", "%", true),
            ("", "_", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("aXbXc", "a%X%c", true),
            ("ä€", "__", true),
            ("a\\", "a\\", true),
            ("mississippi", "%iss%ip%", true),
            ("mississippi", "%iss%ix%", false),
        ] {
            assert_eq!(matches(text, pattern, Some('\\'), false), expected, "{text} LIKE {pattern}");
        }
        assert!(matches("Wait_Timeout", "wait\\_time%", Some('\\'), true));
        assert!(matches("a|b", "a||b", Some('|'), false));
        assert!(matches("a\\b", "a\\b", None, false));
    }

    #[test]
    fn a_hostile_pattern_is_not_slow() {
        let text = "a".repeat(5_000);
        assert!(!matches(&text, &format!("{}b", "a%".repeat(500)), Some('\\'), false));
    }
}
