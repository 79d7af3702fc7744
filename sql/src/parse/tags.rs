//! Comments that are tags: `key='value',key='value'` (sqlcommenter) or `key:value,key:value` (marginalia).

/// Whether a comment's content is nothing but tags.
pub(super) fn are_tags(comment: &str) -> bool {
    let mut rest = comment;
    loop {
        let Some(behind) = tag(rest.trim_start()) else { return false };
        match behind.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None => return behind.trim().is_empty(),
        }
    }
}

/// What stands behind the tag at the beginning.
fn tag(text: &str) -> Option<&str> {
    let name_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'%');
    let end = text.bytes().position(|b| !name_byte(b))?;
    if end == 0 {
        return None;
    }
    let value = text.get(end..)?.trim_start().strip_prefix(['=', ':'])?.trim_start();
    if let Some(quoted) = value.strip_prefix('\'') {
        let mut escaped = false;
        let close = quoted.bytes().position(|b| {
            let closes = b == b'\'' && !escaped;
            escaped = b == b'\\' && !escaped;
            closes
        })?;
        return quoted.get(close + 1..);
    }
    // A bare value is a word: no blanks, so that prose is none.
    let end = value.bytes().position(|b| b == b',' || b.is_ascii_whitespace()).unwrap_or(value.len());
    (end > 0).then(|| value.get(end..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::are_tags;

    #[test]
    fn tags_of_frameworks_are_told_from_prose() {
        for tags in [
            "traceparent='00-5bd6-01',app='shop'",
            "app:shop",
            "application:Shop,controller:trips,action:show",
            " cellgate: read=replica ",
            "key='it\\'s'",
            "db_driver='mysql', route='%2Ftrips%3Fa'",
        ] {
            assert!(are_tags(tags), "{tags}");
        }
        for other in
            ["", "a comment", "see: the manual", "SELECT 'secret'", "a='x' b", "a='unclosed", "=x", "a=", "a,b"]
        {
            assert!(!are_tags(other), "{other}");
        }
    }
}
