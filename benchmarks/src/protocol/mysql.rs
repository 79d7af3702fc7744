//! MySQL's protocol.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::{Fields, Format, Outcome, Param, RowView, Step, malformed};

const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const DEPRECATE_EOF: u32 = 1 << 24;

/// utf8mb4_general_ci.
const CHARSET: u8 = 45;
const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const TYPE_LONGLONG: u8 = 0x08;
const TYPE_VAR_STRING: u8 = 0xfd;
/// Longest packet that is not followed by a continuation. Nothing here is that long.
const LONGEST: usize = 0xff_ffff;

/// What login agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    deprecate_eof: bool,
}

/// Logs in without a password.
///
/// # Errors
/// A refusal, or bytes that are not the protocol.
pub fn login(stream: &mut TcpStream, user: &str, database: &str) -> io::Result<Login> {
    let (_, greeting) = read_packet(stream)?;
    if greeting.first() == Some(&0xff) {
        return Err(refused(&greeting));
    }
    let offered = offered(&greeting).ok_or_else(|| malformed("greeting"))?;
    let wanted = CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | DEPRECATE_EOF;
    let capabilities = wanted & offered;
    let mut login = capabilities.to_le_bytes().to_vec();
    login.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
    login.push(CHARSET);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(user.as_bytes());
    // An empty answer to the challenge: no password.
    login.extend_from_slice(&[0, 0]);
    login.extend_from_slice(database.as_bytes());
    login.push(0);
    login.extend_from_slice(b"mysql_native_password\0");
    write_packet(stream, 1, &login)?;
    loop {
        let (sequence, reply) = read_packet(stream)?;
        match reply.first() {
            Some(0x00) => return Ok(Login { deprecate_eof: capabilities & DEPRECATE_EOF != 0 }),
            Some(0xfe) => write_packet(stream, sequence.wrapping_add(1), &[])?,
            // Another step of a plugin: for an empty password it is followed by OK.
            Some(0x01) => {}
            Some(0xff) => return Err(refused(&reply)),
            Some(_) | None => return Err(malformed("answer to the login")),
        }
    }
}

/// The capabilities in a greeting.
fn offered(greeting: &[u8]) -> Option<u32> {
    let mut fields = Fields(greeting);
    fields.u8()?;
    fields.nul_terminated()?;
    // Thread id, salt, filler.
    fields.bytes(4 + 8 + 1)?;
    let low = u16::from_le_bytes(fields.array()?);
    fields.bytes(1 + 2)?;
    let high = u16::from_le_bytes(fields.array()?);
    Some(u32::from(low) | u32::from(high) << 16)
}

/// Prepares a statement and answers its number.
///
/// # Errors
/// A refusal, or bytes that are not the protocol.
pub fn prepare(stream: &mut TcpStream, login: Login, statement: &str) -> io::Result<u32> {
    let mut packet = vec![PREPARE];
    packet.extend_from_slice(statement.as_bytes());
    write_packet(stream, 0, &packet)?;
    let (_, reply) = read_packet(stream)?;
    if reply.first() == Some(&0xff) {
        return Err(refused(&reply));
    }
    let (id, columns, params) = prepared(&reply).ok_or_else(|| malformed("answer to PREPARE"))?;
    for definitions in [params, columns].into_iter().filter(|count| *count > 0) {
        let end = usize::from(!login.deprecate_eof);
        for _ in 0..usize::from(definitions) + end {
            read_packet(stream)?;
        }
    }
    Ok(id)
}

fn prepared(reply: &[u8]) -> Option<(u32, u16, u16)> {
    let mut fields = Fields(reply);
    (fields.u8()? == 0).then_some(())?;
    let id = u32::from_le_bytes(fields.array()?);
    Some((id, u16::from_le_bytes(fields.array()?), u16::from_le_bytes(fields.array()?)))
}

/// Runs a statement and answers what came of it; the rows are dropped.
///
/// # Errors
/// A refusal, or bytes that are not the protocol.
pub fn query(stream: &mut TcpStream, login: Login, statement: &[u8]) -> io::Result<Outcome> {
    let mut request = Vec::with_capacity(statement.len() + 5);
    write_query(&mut request, statement);
    stream.write_all(&request)?;
    let mut buffer = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let taken = stream.read(&mut chunk)?;
        if taken == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend_from_slice(&chunk[..taken]);
        if let Step::Whole { outcome, .. } = reply(&buffer, login)? {
            return match outcome {
                Outcome::Failed { message } => Err(io::Error::other(message)),
                Outcome::Done { .. } | Outcome::Rows { .. } => Ok(outcome),
            };
        }
    }
}

/// Appends the execution of a prepared statement. Types go with every execution, as most drivers send them.
pub fn write_execute(out: &mut Vec<u8>, statement: u32, params: &[Param]) {
    let start = open(out);
    out.push(EXECUTE);
    out.extend_from_slice(&statement.to_le_bytes());
    out.push(0);
    out.extend_from_slice(&1_u32.to_le_bytes());
    if !params.is_empty() {
        out.resize(out.len() + params.len().div_ceil(8), 0);
        out.push(1);
        for param in params {
            let code = match param {
                Param::Bytes(_) => TYPE_VAR_STRING,
                Param::Int(_) => TYPE_LONGLONG,
            };
            out.extend_from_slice(&[code, 0]);
        }
        for param in params {
            match param {
                Param::Bytes(bytes) => {
                    write_length(out, bytes.len());
                    out.extend_from_slice(bytes);
                }
                Param::Int(number) => out.extend_from_slice(&number.to_le_bytes()),
            }
        }
    }
    close(out, start);
}

/// Appends a statement as text.
pub fn write_query(out: &mut Vec<u8>, statement: &[u8]) {
    let start = open(out);
    out.push(QUERY);
    out.extend_from_slice(statement);
    close(out, start);
}

/// Looks for a whole reply at the start of `buffer`.
///
/// # Errors
/// Bytes that are not the protocol.
pub fn reply(buffer: &[u8], login: Login) -> io::Result<Step> {
    Reading::default().read(buffer, login, Format::Binary, |_| {})
}

/// How far a reply has been read whose bytes come one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Columns, once it is known that rows come.
    columns: Option<usize>,
    /// Packets before the first row.
    before: usize,
    rows: usize,
}

impl Reading {
    /// Goes on with `buffer`, which begins behind what was taken so far; `each` gets the rows, or what is wrong with one.
    ///
    /// # Errors
    /// Bytes that are not the protocol.
    pub fn read<'a>(
        &mut self,
        buffer: &'a [u8],
        login: Login,
        format: Format,
        mut each: impl FnMut(io::Result<RowView<'a>>),
    ) -> io::Result<Step> {
        let mut at = 0;
        let whole = |length, outcome| Ok(Step::Whole { length, outcome });
        loop {
            let taken = at;
            let Some(packet) = next_packet(buffer, &mut at) else { return Ok(Step::Incomplete { taken }) };
            match (self.columns, packet.first()) {
                (None, Some(0x00)) => {
                    let affected = Fields(&packet[1..]).length().unwrap_or(0);
                    return whole(at, Outcome::Done { affected });
                }
                (None, Some(count @ 1..=0xfa)) => {
                    let columns = usize::from(*count);
                    self.columns = Some(columns);
                    self.before = columns + usize::from(!login.deprecate_eof);
                }
                (Some(_), Some(_)) if self.before > 0 => self.before -= 1,
                (_, Some(0xff)) => return whole(at, Outcome::Failed { message: refused(packet).to_string() }),
                // No row is that long and starts like this.
                (Some(_), Some(0xfe)) if packet.len() < LONGEST => return whole(at, Outcome::Rows { rows: self.rows }),
                (Some(columns), Some(_)) => {
                    let row = match format {
                        Format::Binary => binary_row(packet, columns),
                        Format::Text => text_row(packet),
                    };
                    each(row.ok_or_else(|| malformed("row")));
                    self.rows += 1;
                }
                (None | Some(_), Some(_) | None) => return Err(malformed("reply")),
            }
        }
    }
}

fn next_packet<'a>(buffer: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let header = buffer.get(*at..*at + 4)?;
    let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    let packet = buffer.get(*at + 4..*at + 4 + length)?;
    *at += 4 + length;
    Some(packet)
}

fn binary_row(row: &[u8], columns: usize) -> Option<RowView<'_>> {
    let mut fields = Fields(row);
    fields.bytes(1 + (columns + 2).div_ceil(8))?;
    let row_key = fields.string()?;
    fields.string()?;
    let version = i64::from_le_bytes(fields.array()?);
    Some(RowView { row_key, version, body: fields.string()? })
}

fn text_row(row: &[u8]) -> Option<RowView<'_>> {
    let mut fields = Fields(row);
    let row_key = fields.string()?;
    fields.string()?;
    let version = std::str::from_utf8(fields.string()?).ok()?.parse().ok()?;
    Some(RowView { row_key, version, body: fields.string()? })
}

impl<'a> Fields<'a> {
    /// A length-encoded number.
    fn length(&mut self) -> Option<u64> {
        Some(match self.u8()? {
            short @ 0..=0xfa => u64::from(short),
            0xfc => u64::from(u16::from_le_bytes(self.array()?)),
            0xfd => {
                let [a, b, c] = self.array()?;
                u64::from(u32::from_le_bytes([a, b, c, 0]))
            }
            0xfe => u64::from_le_bytes(self.array()?),
            0xfb | 0xff => return None,
        })
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

fn refused(packet: &[u8]) -> io::Error {
    let code = packet.get(1..3).map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let text = String::from_utf8_lossy(packet.get(3..).unwrap_or_default());
    io::Error::other(format!("error {code}: {text}"))
}

fn read_packet(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet)?;
    Ok((header[3], packet))
}

fn write_packet(stream: &mut TcpStream, sequence: u8, payload: &[u8]) -> io::Result<()> {
    let mut packet = Vec::with_capacity(payload.len() + 4);
    let start = open(&mut packet);
    packet.extend_from_slice(payload);
    close(&mut packet, start);
    packet[3] = sequence;
    stream.write_all(&packet)
}

fn open(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

fn close(out: &mut [u8], start: usize) {
    let length = out.len() - start;
    out[start - 4..start - 1].copy_from_slice(&(length as u32).to_le_bytes()[..3]);
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=0xfa => out.push(length as u8),
        0xfb..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&(length as u16).to_le_bytes());
        }
        _ => {
            out.push(0xfd);
            out.extend_from_slice(&(length as u32).to_le_bytes()[..3]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(out: &mut Vec<u8>, payload: &[u8]) {
        let start = open(out);
        out.extend_from_slice(payload);
        close(out, start);
    }

    /// An answer of one row with four columns.
    fn answer(login: Login) -> Vec<u8> {
        let mut out = Vec::new();
        packet(&mut out, &[4]);
        (0..4).for_each(|_| packet(&mut out, b"definition"));
        if !login.deprecate_eof {
            packet(&mut out, &[0xfe, 0, 0, 2, 0]);
        }
        let mut row = vec![0, 0];
        row.extend_from_slice(b"\x03key\x04BASE");
        row.extend_from_slice(&2_i64.to_le_bytes());
        row.extend_from_slice(b"\xfc\x02\x00{}");
        packet(&mut out, &row);
        packet(&mut out, &[0xfe, 0, 0, 2, 0, 0, 0]);
        out
    }

    #[test]
    fn a_reply_is_whole_when_its_last_byte_is_there_and_not_before() {
        for login in [Login { deprecate_eof: true }, Login { deprecate_eof: false }] {
            let all = answer(login);
            for length in 0..all.len() {
                assert!(matches!(reply(&all[..length], login).unwrap(), Step::Incomplete { .. }));
            }
            let whole = Step::Whole { length: all.len(), outcome: Outcome::Rows { rows: 1 } };
            assert_eq!(reply(&all, login).unwrap(), whole);
        }
    }

    #[test]
    fn a_reply_that_comes_in_parts_is_read_once() {
        for login in [Login { deprecate_eof: true }, Login { deprecate_eof: false }] {
            let all = answer(login);
            for part in 1..all.len() {
                let (mut reading, mut seen, mut from, mut to) = (Reading::default(), Vec::new(), 0, 0);
                let outcome = loop {
                    to = all.len().min(to + part);
                    match reading.read(&all[from..to], login, Format::Binary, |row| seen.push(row.unwrap())).unwrap() {
                        Step::Incomplete { taken } => from += taken,
                        Step::Whole { length, outcome } => break (from + length, outcome),
                    }
                    assert!(to < all.len(), "not whole at its end");
                };
                assert_eq!(outcome, (all.len(), Outcome::Rows { rows: 1 }), "in parts of {part}");
                assert_eq!(seen, [RowView { row_key: b"key", version: 2, body: b"{}" }]);
            }
        }
    }

    #[test]
    fn done_and_failed_are_told_apart() {
        let login = Login { deprecate_eof: true };
        let mut done = Vec::new();
        packet(&mut done, &[0, 1, 0, 2, 0, 0, 0]);
        let outcome = Outcome::Done { affected: 1 };
        assert_eq!(reply(&done, login).unwrap(), Step::Whole { length: 11, outcome });
        let mut failed = Vec::new();
        packet(&mut failed, b"\xff\x26\x04#23000no");
        match reply(&failed, login).unwrap() {
            Step::Whole { outcome: Outcome::Failed { message }, .. } => assert!(message.contains("1062")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_execution_carries_types_and_values() {
        let mut out = Vec::new();
        write_execute(&mut out, 9, &[Param::Bytes(b"ab"), Param::Int(1)]);
        let expected = b"\x1b\0\0\0\x17\x09\0\0\0\0\x01\0\0\0\0\x01\xfd\0\x08\0\x02ab\x01\0\0\0\0\0\0\0";
        assert_eq!(out, expected);
    }
}
