//! What stands behind the wire: the session, as the wire calls it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cellgate_sql::{ColumnMeta, Parameters, Row};
use mysql_common::constants::CapabilityFlags;
use tokio::sync::Semaphore;

use super::changes::SessionChange;
use super::command::CommandKind;
use super::compress::Algorithm;
use super::error::{ErrorReply, WireError};
use super::execute::Attributes;
use super::reply::{OkReply, Replied, Reply};
use super::status::Status;
use super::stream::TlsSession;
use crate::auth::Verifier;
use crate::auth::login_key::LoginKey;

/// A session. One connection calls one handler, and waits for each answer before the next call.
#[async_trait]
pub trait Handler: Send {
    /// What [`Handler::prepare`] makes of a statement; kept by the wire until the statement is closed.
    type Plan: Send + Sync;
    /// The rows of a statement that are fetched in parts; kept by the wire until they end, or the statement is executed
    /// again, reset or closed.
    type Cursor: Send;

    /// The verifier of a user's password; `None` if there is no such user, or none that may log in like this: `secure`
    /// is whether the connection is encrypted (the client is not told which it was).
    fn verifier(&self, user: &str, secure: bool) -> Option<Verifier>;

    /// Whether a user without a verifier is asked for a proof by the older plugin, as one of whom only its hash is known
    /// would be: such accounts must not be found by it.
    fn asks_for_native(&self, user: &str) -> bool {
        let _ = user;
        false
    }

    /// How long this user has to wait for the judgement of a login, because others failed before it.
    fn delay(&self, user: &str) -> Duration;

    /// What those that have to wait take turns by; `None` if they need not.
    fn turns(&self, user: &str) -> Option<Arc<Semaphore>> {
        let _ = user;
        None
    }

    /// The key that passwords are encrypted with by a client without TLS; without one such a client cannot send any.
    fn login_key(&self) -> Option<Arc<LoginKey>> {
        None
    }

    /// A proof did not pass: whether anything is known of users that was not when [`Handler::verifier`] was asked, so
    /// that the proof is to be judged once more.
    async fn look_again(&mut self) -> bool {
        false
    }

    /// The password was right: why this user may not log in all the same. It is a failed login like any other.
    fn barred(&self, user: &str) -> Option<ErrorReply> {
        let _ = user;
        None
    }

    /// The password was right: begins the session. Called again after each CHANGE_USER, behind [`Handler::reset`].
    ///
    /// # Errors
    /// E.g. an unknown database (1049). The client is told, and the connection closed.
    async fn login(&mut self, login: &Login) -> Result<Status, ErrorReply>;

    /// An answer did not pass: the next login of this user waits, whatever becomes of this one.
    fn failed(&self, user: &str) {
        let _ = user;
    }

    /// The refusal (1045) of a wrong password or unknown user; `secure` as in [`Handler::verifier`].
    fn denied(&self, user: &str, using_password: bool, secure: bool) -> ErrorReply;

    /// INIT_DB.
    ///
    /// # Errors
    /// E.g. an unknown database (1049).
    async fn init_db(&mut self, database: &str) -> Result<Status, ErrorReply>;

    /// FIELD_LIST: the columns of a table in the current database, which the mariadb prompt completes names from.
    ///
    /// # Errors
    /// E.g. no such table (1146).
    async fn field_list(&mut self, table: &str) -> Result<Vec<ColumnMeta>, ErrorReply>;

    /// REFRESH: flushes what the bits say, as `mariadb-admin refresh` sends them.
    ///
    /// # Errors
    /// What cannot be flushed (1235), or not by this user (1227).
    async fn refresh(&mut self, what: u8) -> Result<Status, ErrorReply>;

    /// PROCESS_KILL: ends another connection (or this one).
    ///
    /// # Errors
    /// No such connection (1094), or not this user's to end (1095).
    async fn kill(&mut self, connection: u32) -> Result<Status, ErrorReply>;

    /// QUERY. The text is whatever the client sent, in UTF-8 or not.
    ///
    /// # Errors
    /// Those of [`Reply`]: the connection is closed.
    fn query<'a>(&'a mut self, text: Bytes, reply: Reply<'a>) -> Answering<'a>;

    /// Attributes of the statement that comes next, if it has any; they are for whoever looks at what runs.
    fn attributes(&mut self, attributes: Attributes);

    /// STMT_PREPARE. The text is whatever the client sent, in UTF-8 or not.
    ///
    /// # Errors
    /// What the client is told.
    async fn prepare(&mut self, text: Bytes) -> Result<Prepared<Self::Plan>, ErrorReply>;

    /// STMT_EXECUTE: as many parameters as the plan was said to have. Text parameters that are UTF-8 come as
    /// [`cellgate_sql::Value::Text`], all other strings as [`cellgate_sql::Value::Bytes`].
    ///
    /// # Errors
    /// Those of [`Reply`]: the connection is closed.
    fn execute<'a>(&'a mut self, plan: &'a Self::Plan, params: Parameters, reply: Reply<'a>) -> Answering<'a>;

    /// Whether the rows of one more cursor may be kept; if not, they are sent at once.
    fn has_cursor_room(&self) -> bool {
        true
    }

    /// STMT_EXECUTE of a client that wants to fetch the rows in parts.
    ///
    /// # Errors
    /// What the client is told.
    async fn open(&mut self, plan: &Self::Plan, params: Parameters) -> Result<Opened<Self::Cursor>, ErrorReply>;

    /// STMT_FETCH: some rows of a cursor are fetched next, one by one.
    fn fetching(&mut self, cursor: &Self::Cursor, started: Instant) {
        let _ = (cursor, started);
    }

    /// They were fetched, or it ended with an error that the client is told.
    fn fetched(&mut self, cursor: &Self::Cursor, started: Instant, failed: bool) {
        let _ = (cursor, started, failed);
    }

    /// The next row of a cursor.
    ///
    /// # Errors
    /// What the client is told; the cursor is closed then.
    async fn fetch(&mut self, cursor: &mut Self::Cursor) -> Result<Option<Row>, ErrorReply>;

    /// What changed of the session since it was asked last, for clients that want to be told.
    fn changes(&mut self) -> Vec<SessionChange>;

    /// RESET_CONNECTION, and before the login of a CHANGE_USER: rolls back and forgets the session's state. The wire
    /// closes the prepared statements.
    async fn reset(&mut self) -> Status;

    /// STATISTICS: one line for humans, as `mysqladmin status` prints it.
    async fn statistics(&self) -> String;

    /// SET_OPTION: whether statements may be joined with `;`.
    async fn set_multi_statements(&mut self, on: bool) -> Status;

    /// The session's state now.
    fn status(&self) -> Status;

    /// How long the client may now be idle; `None` for [`super::WireLimits::idle_timeout`].
    fn idle_timeout(&self) -> Option<Duration> {
        None
    }

    /// For metrics.
    fn observe(&self, event: WireEvent);
}

/// Most bytes of the state of a statement that waits for its answer, without what is in boxes of its own.
const ANSWER_ROOM: usize = 8 * 1024;

/// The same of what most statements are. It is below 1 KiB, which an allocator has at hand, by the compiler this was written
/// with; others may lay futures out otherwise, and are to build it too.
const SHORT_ROOM: usize = 2 * 1024;

/// A statement that is being answered. One whose answer is at hand needs neither a future nor memory for it.
#[must_use = "a command without a reply hangs its client"]
pub enum Answering<'a> {
    /// It was answered.
    Now(Result<Replied, WireError>),
    /// It waits for something.
    Later(Pin<Box<dyn Future<Output = Result<Replied, WireError>> + Send + 'a>>),
}

impl<'a> Answering<'a> {
    /// What is answered soon, by the short way of most statements.
    pub fn soon<F: Future<Output = Result<Replied, WireError>> + Send + 'a>(answer: F) -> Self {
        const { assert!(size_of::<F>() <= SHORT_ROOM, "what is seldom needed belongs into a box of its own") }
        Self::Later(Box::pin(answer))
    }

    /// What is answered later. Such a future is made for every statement, and moved: how much room it takes is looked
    /// at when it is compiled.
    pub fn later<F: Future<Output = Result<Replied, WireError>> + Send + 'a>(answer: F) -> Self {
        const { assert!(size_of::<F>() <= ANSWER_ROOM, "what is seldom needed belongs into a box of its own") }
        Self::Later(Box::pin(answer))
    }

    /// Waits until it is answered.
    pub(super) async fn replied(self) -> Result<Replied, WireError> {
        match self {
            Self::Now(replied) => replied,
            Self::Later(answer) => answer.await,
        }
    }
}

/// Who logged in, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The database to start in.
    pub database: Option<String>,
    /// The client's collation by MySQL's number, e.g. 45 for utf8mb4_general_ci.
    pub charset: u16,
    /// What both sides can do.
    pub capabilities: ClientFlags,
    /// Connection attributes (`_client_name`, `program_name`, ...) in the order they came.
    pub attributes: Vec<(String, String)>,
    /// The client's address, if the stream has one.
    pub peer: Option<SocketAddr>,
    /// How the connection is encrypted, if it is; seen on the stream, not the client's word.
    pub tls: Option<TlsSession>,
    /// What the password was checked against.
    pub verifier: Verifier,
}

/// What both sides of a connection can do, as far as a session needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFlags {
    /// Statements may be joined with `;`.
    pub multi_statements: bool,
    /// A reply may have several results.
    pub multi_results: bool,
    /// Result sets end with an OK packet.
    pub deprecate_eof: bool,
    /// OK packets tell what changed of the session.
    pub session_track: bool,
    /// A person sits there: `interactive_timeout` instead of `wait_timeout`.
    pub interactive: bool,
    /// How packets are compressed, both ways.
    pub compression: Option<Algorithm>,
}

impl ClientFlags {
    pub(super) fn of(capabilities: CapabilityFlags) -> Self {
        Self {
            multi_statements: capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS),
            multi_results: capabilities.contains(CapabilityFlags::CLIENT_MULTI_RESULTS),
            deprecate_eof: capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF),
            session_track: capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK),
            interactive: capabilities.contains(CapabilityFlags::CLIENT_INTERACTIVE),
            compression: Algorithm::of(capabilities),
        }
    }
}

/// A statement that was prepared.
#[derive(Clone, Debug)]
pub struct Prepared<P> {
    /// What executing it needs.
    pub plan: P,
    /// How many `?` it has.
    pub params: u16,
    /// The columns of its result; empty if it has none.
    pub columns: Vec<ColumnMeta>,
    /// How many warnings preparing it gave.
    pub warnings: u16,
    /// The session's state.
    pub status: Status,
}

/// What an execution with a cursor answers.
pub enum Opened<C> {
    /// There are no rows to be fetched.
    Done(OkReply),
    /// Rows.
    Rows {
        /// Where they come from.
        cursor: C,
        /// Their columns.
        columns: Vec<ColumnMeta>,
        /// The session's state.
        status: Status,
    },
}

/// What happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireEvent {
    /// A command was answered (or, like STMT_CLOSE, done).
    Command {
        /// Which.
        kind: CommandKind,
        /// From its first bytes to the whole of it; nothing if it came together with the command before it.
        reading: Duration,
        /// When the whole of it was read. Its reply is written now, or ready to be.
        started: Instant,
        /// The number of the error it was answered with. Of statements it is said only if their handler never had them,
        /// for otherwise it answers them.
        refused: Option<u16>,
    },
    /// Bytes came and went since the last of these events.
    Traffic {
        /// From the client, headers included, without TLS.
        received: u64,
        /// To the client, headers included, without TLS.
        sent: u64,
    },
}
