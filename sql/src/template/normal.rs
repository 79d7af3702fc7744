//! Statement text with its literals taken out: what texts that differ only in their values have in common.
//!
//! One pass over the bytes, without tokens. It understands just enough of the lexical rules to be right about what is
//! a literal; at anything else that could matter (variables, executable comments, hints, odd literals, several
//! statements) it gives up, and the text goes the long way. A wrong guess cannot change an answer: the normal form is
//! parsed like any text, and only a [`Template`](super::Template) made of it is ever used.

use bytes::Bytes;

use crate::environment::SqlMode;
use crate::parse::lexer::{block_comment, is_name_byte};
use crate::parse::literal::unescape;
use crate::value::Value;

/// Longest normal form, in bytes: the shapes there are templates for are far shorter.
pub const NORMAL_BYTES: usize = 1024;

/// Most literals in a text.
const LITERALS: usize = 16;

/// A text in its normal form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normal {
    /// The text, each literal replaced by `?`, runs of blanks by one, comments left out.
    pub key: Vec<u8>,
    /// The literals, in order.
    pub values: Vec<Value>,
}

impl Normal {
    /// Takes the literals out of a text in UTF-8; `false` if it has to go the long way. What was in `self` is gone.
    pub fn read(&mut self, text: &Bytes, mode: SqlMode) -> bool {
        self.key.clear();
        self.values.clear();
        self.scan(text, mode).is_some()
    }

    fn scan(&mut self, text: &Bytes, mode: SqlMode) -> Option<()> {
        let bytes: &[u8] = text;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.key.len() >= NORMAL_BYTES {
                return None;
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.blank();
                    at += 1;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => {
                    let end = at + bytes[at..].iter().take_while(|b| is_name_byte(**b)).count();
                    // `x'4d'`, `n'..'`, `_utf8'..'`
                    if matches!(bytes.get(end), Some(b'\'' | b'"')) {
                        return None;
                    }
                    self.name(&bytes[at..end])?;
                    at = end;
                }
                b'0'..=b'9' => at = self.number(bytes, at)?,
                b'\'' => at = self.string(text, at, mode)?,
                b'"' if !mode.ansi_quotes => at = self.string(text, at, mode)?,
                b'`' | b'"' => {
                    let end = at + 2 + bytes[at + 1..].iter().position(|b| *b == byte)?;
                    self.name(&bytes[at..end])?;
                    at = end;
                }
                b'/' if bytes.get(at + 1) == Some(&b'*') => {
                    // Executable comments, hints, and what is said to us.
                    let length = block_comment(&bytes[at..])?;
                    let comment = &bytes[at + 2..at + length - 2];
                    if matches!(comment.first(), Some(b'!' | b'+' | b'M')) || contains(comment, b"cellgate") {
                        return None;
                    }
                    self.blank();
                    at += length;
                }
                b';' => {
                    let rest = &bytes[at + 1..];
                    return rest.iter().all(|b| b.is_ascii_whitespace()).then_some(());
                }
                // `--` begins a comment, `-5` is a sign and a number: both are for the parser.
                b'-' | b'#' | b'@' | b'?' | b'\\' | 0..=0x1f | 0x7f => return None,
                _ => {
                    self.key.push(byte);
                    at += 1;
                }
            }
        }
        Some(())
    }

    /// A word or a quoted name. One for which there is no room is not copied: the room for it would stay.
    fn name(&mut self, name: &[u8]) -> Option<()> {
        if self.key.len() + name.len() > NORMAL_BYTES {
            return None;
        }
        self.key.extend_from_slice(name);
        Some(())
    }

    fn blank(&mut self) {
        if !matches!(self.key.last(), None | Some(b' ')) {
            self.key.push(b' ');
        }
    }

    fn literal(&mut self, value: Value) -> Option<()> {
        if self.values.len() == LITERALS {
            return None;
        }
        self.values.push(value);
        self.key.push(b'?');
        Some(())
    }

    /// A whole number that is not part of a name or of anything longer.
    fn number(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let end = at + digits;
        let behind = bytes.get(end).copied().unwrap_or(b' ');
        if behind == b'.' || is_name_byte(behind) || self.key.last() == Some(&b'.') {
            return None;
        }
        let number = std::str::from_utf8(&bytes[at..end]).ok()?.parse().ok()?;
        self.literal(Value::Int(number))?;
        Some(end)
    }

    /// A string, without a copy if nothing in it is escaped.
    fn string(&mut self, text: &Bytes, at: usize, mode: SqlMode) -> Option<usize> {
        let quote = text[at];
        let mut end = at + 1;
        let mut escaped = false;
        loop {
            match *text.get(end)? {
                byte if byte == quote => {
                    if text.get(end + 1) != Some(&quote) {
                        break;
                    }
                    escaped = true;
                    end += 2;
                }
                b'\\' if !mode.no_backslash_escapes => {
                    escaped = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        let value = if escaped {
            let written = std::str::from_utf8(text.get(at..=end)?).ok()?;
            Bytes::from(unescape(written, mode).into_owned())
        } else {
            text.slice(at + 1..end)
        };
        self.literal(Value::Text(value))?;
        Some(end + 1)
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}
