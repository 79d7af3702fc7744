//! The client's side of two protocols, as little of it as a load needs.
//!
//! Logging in and preparing wait for the socket; requests are bytes to send, and replies are read as they come, each byte
//! once: a long one would otherwise keep the processor from what is measured, just before its end. No passwords, no TLS: what
//! is measured listens on loopback and was started for it.

pub mod mysql;
pub mod postgres;

use std::io;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// Text or bytes.
    Bytes(&'a [u8]),
    /// A BIGINT.
    Int(i64),
}

/// How values are written in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Of a prepared statement.
    Binary,
    /// Of a statement sent as text.
    Text,
}

/// The cell in a row that starts with `row_key, column_key, ref_key, body`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowView<'a> {
    /// The row key.
    pub row_key: &'a [u8],
    /// The version.
    pub version: i64,
    /// The body.
    pub body: &'a [u8],
}

/// What is in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Not the end of a reply yet.
    Incomplete {
        /// Bytes that have been read and need not come again.
        taken: usize,
    },
    /// The end of a reply.
    Whole {
        /// Bytes up to it.
        length: usize,
        /// What it says.
        outcome: Outcome,
    },
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; so many rows were written.
    Done {
        /// Rows written.
        affected: u64,
    },
    /// So many rows came.
    Rows {
        /// Their number.
        rows: usize,
    },
    /// It failed.
    Failed {
        /// The server's message, with its code.
        message: String,
    },
}

/// Bytes that are not the protocol.
pub(crate) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}

/// Takes fields off the front of a reply; `None` is a field that is not all there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// Up to a zero byte, which is taken too.
    pub(crate) fn nul_terminated(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }
}
