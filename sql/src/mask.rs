//! Statement text without its data, for logs: bodies and keys are personal data.

use crate::environment::SqlMode;
use crate::parse::{lexer::Lexer, tokens::Kind};

/// The text with every literal replaced by `?`. Works on text that is no statement too: from where it stops being
/// tokens on, everything is one `?`. Comments stay (tools put their tags there).
pub fn mask(text: &str) -> String {
    mask_in(text, SqlMode::default())
}

/// [`mask`] for a session's way to read text.
pub(crate) fn mask_in(text: &str, mode: SqlMode) -> String {
    let mut lexer = Lexer::new(text, mode);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    loop {
        let before = lexer.position();
        match lexer.next() {
            Ok(Some(token)) => {
                let (start, end) = (token.start as usize, token.end as usize);
                let literal = match token.kind {
                    Kind::String | Kind::Number | Kind::Hex | Kind::Bits => true,
                    Kind::Word
                    | Kind::Quoted
                    | Kind::UserVariable
                    | Kind::SystemVariable
                    | Kind::Parameter(_)
                    | Kind::Symbol(_) => false,
                };
                if literal {
                    out.push_str(text.get(copied..start).unwrap_or(""));
                    out.push('?');
                    copied = end;
                }
            }
            Ok(None) => {
                out.push_str(text.get(copied..).unwrap_or(""));
                return out;
            }
            Err(_) => {
                // `before` is the end of the last token: blanks and comments behind it go with the rest.
                out.push_str(text.get(copied..before.max(copied)).unwrap_or(""));
                out.push_str(if out.ends_with(' ') { "?" } else { " ?" });
                return out;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_masked_and_names_are_not() {
        assert_eq!(
            mask("INSERT INTO t (row_key, body) VALUES ('secret', X'4142', -1.5, b'1') /* app:x */"),
            "INSERT INTO t (row_key, body) VALUES (?, ?, -?, ?) /* app:x */"
        );
        assert_eq!(
            mask("SELECT `a 1`, @@x, @u, ? FROM t1 WHERE c = \"x\""),
            "SELECT `a 1`, @@x, @u, ? FROM t1 WHERE c = ?"
        );
    }

    #[test]
    fn text_that_is_no_statement_is_masked_from_there_on() {
        assert_eq!(mask("SELECT 1, 'never closed secret"), "SELECT ?, ?");
        assert!(!mask("x /* never closed secret").contains("secret"));
        assert!(!mask("x 'secret").contains("secret"));
        assert!(!mask("'é secret").contains("secret"));
    }
}
