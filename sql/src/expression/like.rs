//! LIKE, without backtracking beyond the last `%`: no recursion, and bounded in its steps.

use std::borrow::Cow;

use super::{folded, folded_text};
use crate::error::SqlError;

/// Most steps of one match, each a character compared: about a second. A text of `max_allowed_packet` takes them all
/// only with a pattern that was made for it.
pub(crate) const STEPS: u64 = 1 << 29;
/// Steps between two times that patience is asked for.
const STEPS_BETWEEN: u64 = 1 << 16;

/// Whether the text matches the pattern: `%` is any run of characters, `_` one character, `escape` takes the next
/// character as itself. `None` after [`STEPS`] steps.
///
/// # Errors
/// That of `patience`, which is asked every now and then.
pub(crate) fn matches(
    text: &str,
    pattern: &str,
    escape: Option<char>,
    fold_case: bool,
    patience: &dyn Fn() -> Result<(), SqlError>,
) -> Result<Option<bool>, SqlError> {
    matches_within(STEPS, text, pattern, escape, fold_case, patience)
}

fn matches_within(
    steps: u64,
    text: &str,
    pattern: &str,
    escape: Option<char>,
    fold_case: bool,
    patience: &dyn Fn() -> Result<(), SqlError>,
) -> Result<Option<bool>, SqlError> {
    let text: Cow<'_, str> = if fold_case { folded_text(text).into() } else { text.into() };
    let pattern = compile(pattern, escape, fold_case);
    let at = |place: usize| text.get(place..).and_then(|rest| rest.chars().next());
    let (mut t, mut p) = (0, 0);
    // Where to go on when the characters behind the last `%` do not fit: (pattern place, text place).
    let mut resume: Option<(usize, usize)> = None;
    for step in 1..=steps {
        if step.is_multiple_of(STEPS_BETWEEN) {
            patience()?;
        }
        match (pattern.get(p), at(t)) {
            (Some(Piece::Any), _) => {
                // Nothing behind it has to fit.
                if p + 1 == pattern.len() {
                    return Ok(Some(true));
                }
                resume = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(Piece::One), Some(c)) => {
                (t, p) = (t + c.len_utf8(), p + 1);
                continue;
            }
            (Some(Piece::Literal(l)), Some(c)) if *l == c => {
                (t, p) = (t + c.len_utf8(), p + 1);
                continue;
            }
            (None, None) => return Ok(Some(true)),
            (Some(Piece::One | Piece::Literal(_)) | None, _) => {}
        }
        let Some((again, from)) = resume else { return Ok(Some(false)) };
        let Some(skipped) = at(from) else { return Ok(Some(false)) };
        resume = Some((again, from + skipped.len_utf8()));
        (p, t) = (again, from + skipped.len_utf8());
    }
    Ok(None)
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
            pieces.push(Piece::Literal(if fold_case { folded(literal) } else { literal }));
        } else if c == '%' {
            if !matches!(pieces.last(), Some(Piece::Any)) {
                pieces.push(Piece::Any);
            }
        } else if c == '_' {
            pieces.push(Piece::One);
        } else {
            pieces.push(Piece::Literal(if fold_case { folded(c) } else { c }));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    fn matches(text: &str, pattern: &str, escape: Option<char>, fold_case: bool) -> Option<bool> {
        super::matches(text, pattern, escape, fold_case, &|| Ok(())).unwrap()
    }

    fn matches_within(steps: u64, text: &str, pattern: &str) -> Option<bool> {
        super::matches_within(steps, text, pattern, None, false, &|| Ok(())).unwrap()
    }

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
            assert_eq!(matches(text, pattern, Some('\\'), false), Some(expected), "{text} LIKE {pattern}");
        }
        assert_eq!(matches("Wait_Timeout", "wait\\_time%", Some('\\'), true), Some(true));
        for capitals in ["ΟΔΟΣ", "%Σ", "ΟΔΟ_"] {
            assert_eq!(matches("ΟΔΟΣ", capitals, None, true), Some(true), "{capitals}");
        }
        assert_eq!(matches("İ", "_", None, true), Some(true));
        assert_eq!(matches("a|b", "a||b", Some('|'), false), Some(true));
        assert_eq!(matches("a\\b", "a\\b", None, false), Some(true));
    }

    #[test]
    fn a_hostile_pattern_is_not_slow() {
        let text = "a".repeat(5_000);
        assert_eq!(matches(&text, &format!("{}b", "a%".repeat(500)), Some('\\'), false), Some(false));
    }

    #[test]
    fn a_match_ends_after_its_steps() {
        let (text, pattern) = ("a".repeat(1_000), format!("%{}b", "a".repeat(100)));
        assert_eq!(matches_within(10_000, &text, &pattern), None);
        assert_eq!(matches_within(200_000, &text, &pattern), Some(false));
    }
}
