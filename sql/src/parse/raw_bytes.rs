//! Bytes that a client put between quotes as they are, with or without the introducer `_binary`: the one place of a statement
//! that need not be UTF-8. mysqlclient, mysql-connector-python, asyncmy, mariadb (Node.js) and Connector/J write byte
//! parameters so, and MySQL takes a string that is no text for its bytes.

use super::lexer::{block_comment, line_comment, opens_executable};
use crate::environment::SqlMode;

/// The statement with every string that is not UTF-8 spelled `X'..'`; `None` if other bytes are not UTF-8 either. Only for a
/// text that is not UTF-8: the usual way does not copy it.
pub fn spell_bytes(text: &[u8], mode: SqlMode) -> Option<String> {
    let mut out = Vec::with_capacity(text.len() * 2);
    let mut at = 0;
    let mut in_executable = false;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match byte {
            b'\'' | b'"' => quoted(rest, byte, !mode.no_backslash_escapes)?,
            b'`' => quoted(rest, byte, false)?,
            b'#' | b'-' => line_comment(rest).unwrap_or(1),
            b'/' if rest.starts_with(b"/*") => match opens_executable(rest).filter(|_| !in_executable) {
                // What is in it is a statement.
                Some(length) => {
                    in_executable = true;
                    length
                }
                None => block_comment(rest)?,
            },
            b'*' if in_executable && rest.starts_with(b"*/") => {
                in_executable = false;
                2
            }
            _ => 1,
        };
        let (written, _) = rest.split_at_checked(length)?;
        let is_string = byte == b'\'' || (byte == b'"' && !mode.ansi_quotes);
        if is_string && std::str::from_utf8(written).is_err() {
            spell(&mut out, written, mode);
        } else {
            out.extend_from_slice(written);
        }
        at += length;
    }
    String::from_utf8(out).ok()
}

/// How long a quoted part is, with its quotes.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 1;
    loop {
        let (this, next) = (*text.get(at)?, text.get(at + 1));
        if (this == b'\\' && escapes) || (this == quote && next == Some(&quote)) {
            at += 2;
        } else if this == quote {
            return Some(at + 1);
        } else {
            at += 1;
        }
    }
}

/// Writes what a string stands for as hexadecimal digits.
fn spell(out: &mut Vec<u8>, written: &[u8], mode: SqlMode) {
    let quote = written.first().copied().unwrap_or(b'\'');
    let mut inner = written.get(1..written.len().saturating_sub(1)).unwrap_or_default().iter().copied();
    // The space parts it from an introducer.
    out.extend_from_slice(b" X'");
    while let Some(byte) = inner.next() {
        let stands_for = if byte == quote {
            // The other half of a doubled quote.
            inner.next().unwrap_or(byte)
        } else if byte == b'\\' && !mode.no_backslash_escapes {
            match inner.next() {
                Some(b'0') => 0,
                Some(b'b') => 8,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'Z') => 0x1a,
                Some(wildcard @ (b'%' | b'_')) => {
                    digits(out, b'\\');
                    wildcard
                }
                Some(other) => other,
                None => break,
            }
        } else {
            byte
        };
        digits(out, stands_for);
    }
    out.push(b'\'');
}

fn digits(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend([byte >> 4, byte & 15].iter().filter_map(|nibble| DIGITS.get(usize::from(*nibble))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &[u8]) -> Option<String> {
        spell_bytes(text, SqlMode::default())
    }

    #[test]
    fn strings_that_are_no_text_become_digits() {
        assert_eq!(spelled(b"SELECT _binary'\\0\xffA\\'\\\\\n' = 1").unwrap(), "SELECT _binary X'00ff41275c0a' = 1");
        assert_eq!(spelled(b"SELECT _BINARY  '\xff''x', 'a'").unwrap(), "SELECT _BINARY   X'ff2778', 'a'");
        assert_eq!(spelled(b"SELECT '\xff', 'a'").unwrap(), "SELECT  X'ff', 'a'");
        assert_eq!(spelled(b"SELECT _binary \"\xfe\"").unwrap(), "SELECT _binary  X'fe'");
    }

    #[test]
    fn other_bytes_anywhere_else_are_no_statement() {
        for text in [&b"SELECT `\xff`, _binary '\xff'"[..], b"SELECT _binary '\xff", b"SELECT \xff"] {
            assert_eq!(spelled(text), None, "{text:?}");
        }
    }

    #[test]
    fn quotes_in_names_and_comments_open_no_string() {
        let text = b"/* it's */ SELECT `a'b`, _binary '\xff' -- don't\n, 1 # can't";
        assert_eq!(spelled(text).unwrap(), "/* it's */ SELECT `a'b`, _binary  X'ff' -- don't\n, 1 # can't");
        assert_eq!(spelled(b"/*!50000 SELECT _binary '\xff' */").unwrap(), "/*!50000 SELECT _binary  X'ff' */");
    }

    #[test]
    fn comments_are_those_of_the_parser() {
        assert_eq!(spelled(b"SELECT 5--1, _binary '\xff'").unwrap(), "SELECT 5--1, _binary  X'ff'");
        assert_eq!(spelled(b"SELECT '\xff' --").unwrap(), "SELECT  X'ff' --");
        assert_eq!(spelled(b"/*!999999 it's */ SELECT '\xff'").unwrap(), "/*!999999 it's */ SELECT  X'ff'");
        assert_eq!(spelled(b"/*!50000 SELECT /*! it's */ '\xff' */").unwrap(), "/*!50000 SELECT /*! it's */  X'ff' */");
    }

    #[test]
    fn without_backslash_escapes_a_backslash_is_itself() {
        let mode = SqlMode { no_backslash_escapes: true, ..SqlMode::default() };
        assert_eq!(spell_bytes(b"SELECT _binary '\\\xff'", mode).unwrap(), "SELECT _binary  X'5cff'");
    }
}
