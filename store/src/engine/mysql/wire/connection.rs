//! Commands of a connection that is logged in.

use super::answer::{Answer, Preparing, Shape, Sink, Step};
use super::channel::Channel;
use super::error::WireError;
use super::fields::{Kind, Protocol, put_string};

/// Codes of commands.
mod code {
    pub(super) const QUIT: u8 = 0x01;
    pub(super) const QUERY: u8 = 0x03;
    pub(super) const PREPARE: u8 = 0x16;
    pub(super) const EXECUTE: u8 = 0x17;
    pub(super) const CLOSE: u8 = 0x19;
}

/// Reads of an answer after which others are let run between two: the pages of a scan are long, and come faster than they are
/// read. The answer of a shared read is one or two.
const UNINTERRUPTED: usize = 2;

/// Types of parameters, each with a byte of flags behind it.
mod bound {
    pub(super) const INT: [u8; 2] = [0x08, 0];
    pub(super) const BLOB: [u8; 2] = [0xfc, 0];
    pub(super) const TEXT: [u8; 2] = [0xfd, 0];
}

/// A connection that is logged in.
///
/// Between two commands nothing of an answer is unread, unless [`is_idle`](Connection::is_idle) says so.
pub(in crate::engine::mysql) struct Connection {
    channel: Channel,
    shape: Shape,
    /// The server's number of it.
    id: u32,
    /// Whether a command is under way, or its answer was not read to the end.
    busy: bool,
    /// The columns of the last answer to a text.
    columns: Vec<Kind>,
}

/// A prepared statement of one connection.
#[derive(Debug)]
pub(in crate::engine::mysql) struct Prepared {
    number: u32,
    params: u16,
    columns: Vec<Kind>,
    /// The types of the parameters as they were sent last.
    types: Vec<u8>,
}

impl Prepared {
    /// Has the types of the parameters sent with the next execution: one that failed may have been refused unread.
    fn forget_types(&mut self) {
        self.types.clear();
    }
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Argument<'a> {
    /// NULL, of a number.
    Null,
    /// A number.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text in the session's charset.
    Text(&'a str),
}

/// The parameters of a statement, in order.
pub(in crate::engine::mysql) trait Arguments: Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// Tells `take` each of them.
    fn each(&self, take: &mut dyn FnMut(Argument<'_>));
}

/// One of several commands that are sent together.
pub(in crate::engine::mysql) enum Command<'a> {
    /// A text of one or several statements.
    Text(&'a [u8]),
    /// A prepared statement.
    Prepared(&'a mut Prepared, &'a dyn Arguments),
}

/// Which of several commands failed first.
#[derive(Debug)]
pub(in crate::engine::mysql) struct Failed {
    /// Its place among them.
    pub(in crate::engine::mysql) command: usize,
    /// What went wrong. After anything but an error of the server, nothing is known of the others.
    pub(in crate::engine::mysql) error: WireError,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Ended {
    /// All of it was read.
    Whole,
    /// The sink did not want the rest.
    Cut,
}

impl Connection {
    pub(super) fn new(channel: Channel, shape: Shape, id: u32) -> Self {
        Self { channel, shape, id, busy: false, columns: Vec::new() }
    }

    /// Whether it can take a command.
    pub(in crate::engine::mysql) fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Whether the stream has ended or failed.
    pub(in crate::engine::mysql) fn has_ended(&self) -> bool {
        self.channel.has_ended()
    }

    /// Ends the stream, whatever is under way.
    pub(in crate::engine::mysql) fn hang_up(&mut self) {
        self.busy = true;
        self.channel.link().shut_down();
    }

    /// Runs a text of one or several statements.
    ///
    /// # Errors
    /// [`WireError::Server`] if a statement failed; those behind it were not run.
    pub(in crate::engine::mysql) async fn query(
        &mut self,
        text: &[u8],
        sink: &mut (dyn Sink + Send),
    ) -> Result<Ended, WireError> {
        self.channel.command(|out| {
            out.push(code::QUERY);
            out.extend_from_slice(text);
        });
        let mut columns = std::mem::take(&mut self.columns);
        let ended = self.answer(Protocol::Text, &mut columns, sink).await;
        self.columns = columns;
        ended
    }

    /// Prepares a statement.
    pub(in crate::engine::mysql) async fn prepare(&mut self, text: &str) -> Result<Prepared, WireError> {
        self.channel.command(|out| {
            out.push(code::PREPARE);
            out.extend_from_slice(text.as_bytes());
        });
        self.busy = true;
        self.channel.send().await?;
        let mut preparing: Option<Preparing> = None;
        loop {
            match self.channel.received() {
                Ok(Some(packet)) => match &mut preparing {
                    Some(preparing) => preparing.packet(packet)?,
                    None => match Preparing::new(packet, self.shape) {
                        Ok(begun) => preparing = Some(begun),
                        Err(error) => return self.failed(error),
                    },
                },
                Ok(None) => {
                    self.channel.receive().await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            if let Some(whole) = preparing.take_if(|preparing| preparing.is_whole()) {
                self.idle()?;
                let Preparing { number, params, columns, .. } = whole;
                return Ok(Prepared { number, params, columns, types: Vec::new() });
            }
        }
    }

    /// Runs a prepared statement.
    ///
    /// # Errors
    /// As [`query`](Self::query); [`WireError::Unsendable`] for parameters that do not fit.
    pub(in crate::engine::mysql) async fn execute(
        &mut self,
        statement: &mut Prepared,
        arguments: &dyn Arguments,
        sink: &mut (dyn Sink + Send),
    ) -> Result<Ended, WireError> {
        if arguments.count() != usize::from(statement.params) {
            return Err(WireError::Unsendable("it has another number of parameters"));
        }
        self.channel.command(|out| write_execute(out, statement, arguments));
        let mut columns = std::mem::take(&mut statement.columns);
        let ended = self.answer(Protocol::Binary, &mut columns, sink).await;
        statement.columns = columns;
        if ended.is_err() {
            statement.forget_types();
        }
        ended
    }

    /// Sends commands in one write and reads all their answers. The server runs one after the other, each of them also if
    /// one before it failed. Each must be shorter than a frame, and no answer of theirs may be cut short by the sink.
    ///
    /// # Errors
    /// For the first that failed, when all answers were read.
    pub(in crate::engine::mysql) async fn pipeline(
        &mut self,
        commands: &mut [Command<'_>],
        sink: &mut (dyn Sink + Send),
    ) -> Result<(), Failed> {
        self.busy = true;
        for (command, failed) in commands.iter_mut().zip(0..) {
            match command {
                Command::Text(text) => self.channel.command(|out| {
                    out.push(code::QUERY);
                    out.extend_from_slice(text);
                }),
                Command::Prepared(statement, arguments) => {
                    if arguments.count() != usize::from(statement.params) {
                        let error = WireError::Unsendable("it has another number of parameters");
                        return Err(Failed { command: failed, error });
                    }
                    self.channel.command(|out| write_execute(out, statement, *arguments));
                }
            }
        }
        self.channel.send().await.map_err(|error| Failed { command: 0, error })?;
        let mut failed: Option<Failed> = None;
        let mut columns = std::mem::take(&mut self.columns);
        for (at, command) in commands.iter_mut().enumerate() {
            self.channel.begin_answer();
            let answered = match command {
                Command::Text(_) => self.read_answer(Protocol::Text, &mut columns, sink).await,
                Command::Prepared(statement, _) => {
                    let answered = self.read_answer(Protocol::Binary, &mut statement.columns, sink).await;
                    if answered.is_err() {
                        statement.forget_types();
                    }
                    answered
                }
            };
            match answered {
                Ok(_) => {}
                Err(error @ WireError::Server(_)) => {
                    failed.get_or_insert(Failed { command: at, error });
                }
                Err(error) => return Err(Failed { command: at, error }),
            }
        }
        self.columns = columns;
        let last = commands.len().saturating_sub(1);
        self.idle().map_err(|error| Failed { command: last, error })?;
        failed.map_or(Ok(()), Err)
    }

    /// Forgets a prepared statement; the server is told with the next command.
    pub(in crate::engine::mysql) fn close(&mut self, statement: Prepared) {
        self.channel.command(|out| {
            out.push(code::CLOSE);
            out.extend_from_slice(&statement.number.to_le_bytes());
        });
    }

    /// Sends what was appended, and reads the answer.
    async fn answer(
        &mut self,
        protocol: Protocol,
        columns: &mut Vec<Kind>,
        sink: &mut (dyn Sink + Send),
    ) -> Result<Ended, WireError> {
        self.busy = true;
        self.channel.send().await?;
        match self.read_answer(protocol, columns, sink).await {
            Ok(Ended::Whole) => {
                self.idle()?;
                Ok(Ended::Whole)
            }
            Ok(Ended::Cut) => Ok(Ended::Cut),
            Err(error) => self.failed(error),
        }
    }

    /// Reads the answer to one command.
    async fn read_answer(
        &mut self,
        protocol: Protocol,
        columns: &mut Vec<Kind>,
        sink: &mut (dyn Sink + Send),
    ) -> Result<Ended, WireError> {
        let mut answer = Answer::new(self.shape, protocol, columns);
        let mut reads = 0;
        loop {
            let Some(packet) = self.channel.received()? else {
                reads += 1;
                if reads > UNINTERRUPTED {
                    tokio::task::yield_now().await;
                }
                self.channel.receive().await?;
                continue;
            };
            match answer.packet(packet, sink)? {
                Step::More => {}
                Step::Last => return Ok(Ended::Whole),
                Step::Enough => return Ok(Ended::Cut),
            }
        }
    }

    /// An answer has come to its end.
    fn idle(&mut self) -> Result<(), WireError> {
        self.channel.rest()?;
        self.busy = false;
        Ok(())
    }

    /// A command failed: an error of the server is the end of its answer.
    fn failed<T>(&mut self, error: WireError) -> Result<T, WireError> {
        if matches!(error, WireError::Server(_)) {
            self.idle()?;
        }
        Err(error)
    }
}

impl Drop for Connection {
    /// Says goodbye, so that the server does not count the connection among those that were aborted.
    fn drop(&mut self) {
        if !self.busy {
            self.channel.command(|out| out.push(code::QUIT));
            self.channel.send_now();
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).field("busy", &self.busy).finish_non_exhaustive()
    }
}

/// Appends the command that runs a statement. The types of its parameters are sent when they are others than last time.
fn write_execute(out: &mut Vec<u8>, statement: &mut Prepared, arguments: &dyn Arguments) {
    out.push(code::EXECUTE);
    out.extend_from_slice(&statement.number.to_le_bytes());
    // No cursor; run once.
    out.extend_from_slice(&[0, 1, 0, 0, 0]);
    if statement.params == 0 {
        return;
    }
    let nulls = out.len();
    out.resize(nulls + usize::from(statement.params).div_ceil(8), 0);
    let mut types = statement.types.chunks_exact(2);
    let mut known = true;
    arguments.each(&mut |argument| known &= types.next() == Some(&argument.type_code()));
    out.push(u8::from(!known));
    if !known {
        statement.types.clear();
        arguments.each(&mut |argument| statement.types.extend_from_slice(&argument.type_code()));
        out.extend_from_slice(&statement.types);
    }
    let mut i = 0;
    arguments.each(&mut |argument| {
        match argument {
            Argument::Null => out[nulls + i / 8] |= 1 << (i % 8),
            Argument::Int(number) => out.extend_from_slice(&number.to_le_bytes()),
            Argument::Bytes(bytes) => put_string(out, bytes),
            Argument::Text(text) => put_string(out, text.as_bytes()),
        }
        i += 1;
    });
}

impl Argument<'_> {
    fn type_code(self) -> [u8; 2] {
        match self {
            Self::Null | Self::Int(_) => bound::INT,
            Self::Bytes(_) => bound::BLOB,
            Self::Text(_) => bound::TEXT,
        }
    }
}
