//! PostgreSQL's protocol, version 3: trust login, one statement prepared, Bind, Execute and Sync.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::{Fields, Format, Outcome, Param, RowView, Step, malformed};

const VERSION: u32 = 3 << 16;

/// Logs in where no password is asked for.
///
/// # Errors
/// A refusal, or bytes that are not the protocol.
pub fn login(stream: &mut TcpStream, user: &str, database: &str) -> io::Result<()> {
    let mut startup = vec![0; 4];
    startup.extend_from_slice(&VERSION.to_be_bytes());
    for text in ["user", user, "database", database] {
        startup.extend_from_slice(text.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    let length = startup.len() as u32;
    startup[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&startup)?;
    until_ready(stream)
}

/// Prepares a statement under the empty name's neighbour `s`.
///
/// # Errors
/// A refusal, or bytes that are not the protocol.
pub fn prepare(stream: &mut TcpStream, statement: &str) -> io::Result<()> {
    let mut out = Vec::new();
    message(&mut out, b'P', |out| {
        out.extend_from_slice(b"s\0");
        out.extend_from_slice(statement.as_bytes());
        // Types are the server's choice.
        out.extend_from_slice(&[0, 0, 0]);
    });
    message(&mut out, b'S', |_| {});
    stream.write_all(&out)?;
    until_ready(stream)
}

/// Reads to ReadyForQuery.
fn until_ready(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut header = [0; 5];
        stream.read_exact(&mut header)?;
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let mut body = vec![0; length.checked_sub(4).ok_or_else(|| malformed("message"))?];
        stream.read_exact(&mut body)?;
        match header[0] {
            b'Z' => return Ok(()),
            b'E' => return Err(io::Error::other(error_text(&body))),
            b'R' if body[..4] != [0; 4] => return Err(io::Error::other("the server asks for a password")),
            _ => {}
        }
    }
}

/// Appends an execution of the prepared statement; answers come in binary.
pub fn write_execute(out: &mut Vec<u8>, params: &[Param]) {
    message(out, b'B', |out| {
        out.extend_from_slice(b"\0s\0");
        out.extend_from_slice(&[0, 1, 0, 1]);
        out.extend_from_slice(&(params.len() as u16).to_be_bytes());
        for param in params {
            match param {
                Param::Bytes(bytes) => {
                    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                    out.extend_from_slice(bytes);
                }
                Param::Int(number) => {
                    out.extend_from_slice(&8_u32.to_be_bytes());
                    out.extend_from_slice(&number.to_be_bytes());
                }
            }
        }
        out.extend_from_slice(&[0, 1, 0, 1]);
    });
    message(out, b'E', |out| out.extend_from_slice(&[0; 5]));
    message(out, b'S', |_| {});
}

/// Appends a statement as text.
pub fn write_query(out: &mut Vec<u8>, statement: &[u8]) {
    message(out, b'Q', |out| {
        out.extend_from_slice(statement);
        out.push(0);
    });
}

/// How far a reply has been read whose bytes come one after the other. It ends with ReadyForQuery.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    rows: usize,
    affected: Option<u64>,
    failure: Option<String>,
}

impl Reading {
    /// Goes on with `buffer`, which begins behind what was taken so far; `each` gets the rows, or what is wrong with one.
    pub fn read<'a>(
        &mut self,
        buffer: &'a [u8],
        format: Format,
        mut each: impl FnMut(io::Result<RowView<'a>>),
    ) -> Step {
        let mut rest = Fields(buffer);
        loop {
            let taken = buffer.len() - rest.0.len();
            let Some((kind, body)) = next_message(&mut rest) else { return Step::Incomplete { taken } };
            match kind {
                b'D' => {
                    each(row(body, format).ok_or_else(|| malformed("row")));
                    self.rows += 1;
                }
                b'C' if body.starts_with(b"INSERT") => self.affected = Some(last_number(body)),
                b'E' => self.failure = Some(error_text(body)),
                b'Z' => break,
                _ => {}
            }
        }
        let outcome = match (self.failure.take(), self.affected) {
            (Some(message), _) => Outcome::Failed { message },
            (None, Some(affected)) => Outcome::Done { affected },
            (None, None) => Outcome::Rows { rows: self.rows },
        };
        Step::Whole { length: buffer.len() - rest.0.len(), outcome }
    }
}

fn next_message<'a>(rest: &mut Fields<'a>) -> Option<(u8, &'a [u8])> {
    let mut fields = *rest;
    let kind = fields.u8()?;
    let length = u32::from_be_bytes(fields.array()?) as usize;
    let body = fields.bytes(length.checked_sub(4)?)?;
    *rest = fields;
    Some((kind, body))
}

fn row(body: &[u8], format: Format) -> Option<RowView<'_>> {
    let mut fields = Fields(body);
    fields.bytes(2)?;
    let row_key = fields.value()?;
    fields.value()?;
    let version = fields.value()?;
    let version = match format {
        Format::Binary => i64::from_be_bytes(version.try_into().ok()?),
        Format::Text => std::str::from_utf8(version).ok()?.parse().ok()?,
    };
    Some(RowView { row_key, version, body: fields.value()? })
}

impl<'a> Fields<'a> {
    /// A value with its length; `None` for NULL too.
    fn value(&mut self) -> Option<&'a [u8]> {
        let length = i32::from_be_bytes(self.array()?);
        self.bytes(usize::try_from(length).ok()?)
    }
}

/// The number at the end of `INSERT 0 1`.
fn last_number(body: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(body);
    text.trim_end_matches('\0').rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Code and text of an ErrorResponse.
fn error_text(body: &[u8]) -> String {
    let mut fields = Fields(body);
    let (mut code, mut text) = (String::new(), String::new());
    while let Some(kind) = fields.u8().filter(|kind| *kind != 0) {
        let Some(value) = fields.nul_terminated() else { break };
        let value = String::from_utf8_lossy(value).into_owned();
        match kind {
            b'C' => code = value,
            b'M' => text = value,
            _ => {}
        }
    }
    format!("error {code}: {text}")
}

fn message(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(buffer: &[u8]) -> Step {
        Reading::default().read(buffer, Format::Binary, |_| {})
    }

    fn answer() -> Vec<u8> {
        let mut out = Vec::new();
        message(&mut out, b'2', |_| {});
        message(&mut out, b'D', |out| {
            out.extend_from_slice(&[0, 4]);
            for value in [&b"key"[..], b"BASE", &2_i64.to_be_bytes(), b"{}"] {
                out.extend_from_slice(&(value.len() as u32).to_be_bytes());
                out.extend_from_slice(value);
            }
        });
        message(&mut out, b'C', |out| out.extend_from_slice(b"SELECT 1\0"));
        message(&mut out, b'Z', |out| out.push(b'I'));
        out
    }

    #[test]
    fn a_reply_is_whole_when_it_is_ready_for_the_next_query() {
        let all = answer();
        for part in 1..=all.len() {
            let (mut reading, mut seen, mut from, mut to) = (Reading::default(), Vec::new(), 0, 0);
            let outcome = loop {
                to = all.len().min(to + part);
                match reading.read(&all[from..to], Format::Binary, |row| seen.push(row.unwrap())) {
                    Step::Incomplete { taken } => from += taken,
                    Step::Whole { length, outcome } => break (from + length, outcome),
                }
                assert!(to < all.len(), "not whole at its end");
            };
            assert_eq!(outcome, (all.len(), Outcome::Rows { rows: 1 }), "in parts of {part}");
            assert_eq!(seen, [RowView { row_key: b"key", version: 2, body: b"{}" }]);
        }
    }

    #[test]
    fn an_insert_says_how_many_and_an_error_why() {
        let mut out = Vec::new();
        message(&mut out, b'C', |out| out.extend_from_slice(b"INSERT 0 1\0"));
        message(&mut out, b'Z', |out| out.push(b'I'));
        let outcome = Outcome::Done { affected: 1 };
        assert_eq!(reply(&out), Step::Whole { length: out.len(), outcome });
        let mut out = Vec::new();
        message(&mut out, b'E', |out| out.extend_from_slice(b"SERROR\0C23505\0Mtwice\0\0"));
        message(&mut out, b'Z', |out| out.push(b'I'));
        let outcome = Outcome::Failed { message: "error 23505: twice".to_owned() };
        assert_eq!(reply(&out), Step::Whole { length: out.len(), outcome });
    }
}
