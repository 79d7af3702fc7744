//! MySQL's client/server protocol, from the greeting to QUIT: the server's side of it.
//!
//! [`serve()`] runs one connection over any [`Stream`] and calls a [`Handler`] for what the commands mean. In here are
//! framing, login, the commands that need no session, prepared statement ids and parameters, and the encoding of
//! replies. Statement text is bytes to this module: it does not look into it.
//!
//! What it assumes: a handler answers every command once (the types see to it). What it refuses: packets over a limit,
//! packets out of order, logins and parameters that cannot be read; each with MySQL's own error, none with a panic.
//! What it never does: it holds no more than one command, one reply buffer of bounded size, and the statements of a
//! connection.
//!
//! The constants and the field writers are mysql_common's. Its parsers are used by the tests only, as a second
//! opinion: they are a client's, and some of them panic on what a hostile client may send.

mod authenticate;
pub mod bench;
mod changes;
mod column;
mod command;
mod compress;
mod cursors;
mod enter;
mod error;
mod execute;
pub mod fuzz;
mod greeting;
mod handler;
mod kill;
mod limits;
mod login;
mod packet;
mod patience;
mod proxied;
mod reader;
mod ready;
mod reply;
mod row;
mod serve;
mod statements;
mod status;
mod stream;
mod value_binary;
mod value_text;

#[cfg(test)]
mod tests;

pub use changes::SessionChange;
pub use command::CommandKind;
pub use compress::Algorithm;
pub use error::{ErrorReply, Violation, Wait, WireError};
pub use execute::Attributes;
pub use greeting::Greeting;
pub use handler::{Answering, ClientFlags, Handler, Login, Opened, Prepared, WireEvent};
pub use kill::{KillSwitch, Shield};
pub use limits::WireLimits;
pub use patience::Patience;
pub use proxied::proxied;
pub use reply::{Known, OkReply, Preamble, Replied, Reply, RowsReply};
pub use serve::{Lifetime, refuse, serve};
pub use status::Status;
pub use stream::{BoxStream, Stream, TlsSession};
