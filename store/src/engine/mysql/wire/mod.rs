//! The client's side of MySQL's protocol, as far as this engine needs it.
//!
//! A statement is one write, and its answer is parsed where it was received: whole packets are taken out of one buffer,
//! and a row is a borrowed slice of it until a [`Sink`] keeps what it wants. Nothing is allocated per packet or per row.
//!
//! ```text
//! link      TCP or TLS, as one stream
//! frames    bytes <-> packets
//! channel   a link with its two buffers
//! login     greeting, encryption, password -> a channel that takes commands
//! answer    packets -> rows and results, for a Sink
//! connection   commands: text, prepare, execute, quit
//! ```
//!
//! What is absent: compression, LOCAL INFILE (a server that asks for a file is refused), cursors, types that no
//! statement of ours asks for, and any waiting or repeating: whoever calls bounds the time, and a connection whose future
//! was dropped half-way must not be used again.

mod answer;
mod channel;
mod connection;
mod error;
mod fields;
mod frames;
#[cfg(test)]
mod fuzz;
mod greeting;
mod link;
mod login;
mod rsa;
mod scramble;
#[cfg(test)]
pub(super) mod tests;

pub(super) use answer::{Done, Flow, Sink};
pub(super) use connection::{Argument, Arguments, Command, Connection, Ended, Failed, Prepared};
pub(super) use error::{LoginError, ServerError, WireError};
pub(super) use fields::{Field, Row};
pub(super) use login::{Encryption, Target};
