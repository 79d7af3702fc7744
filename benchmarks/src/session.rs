//! One connection of a load.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::protocol::{Format, Outcome, RowView, Step, mysql, postgres};
use crate::workload::{Marks, Mode, Request, Seen, Workload};

/// How long logging in and preparing may take.
const LOGIN_PATIENCE: Duration = Duration::from_secs(30);
/// First size of the buffer for answers. It grows while answers fill it, up to so much for one read, and for a packet that is
/// longer.
const BUFFER: usize = 8 << 10;
const READ: usize = 64 << 10;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// MySQL's.
    Mysql,
    /// PostgreSQL's.
    Postgres,
    /// None: so many bytes there, so many back.
    Echo,
}

/// Where a load goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: SocketAddr,
    /// Who logs in, without a password.
    pub user: String,
    /// The database of the table.
    pub database: String,
    /// Bytes of a request and of an answer of an echo.
    pub echo: (usize, usize),
}

/// What is particular about the protocol, and prepared.
#[derive(Clone, Copy, Debug)]
enum Wire {
    Mysql { login: mysql::Login, statement: u32 },
    Postgres,
    Echo { request: usize, answer: usize },
}

/// What has come of an answer and been looked at.
#[derive(Debug)]
struct Reading {
    mysql: mysql::Reading,
    postgres: postgres::Reading,
    bytes: usize,
    checked: io::Result<()>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { mysql: mysql::Reading::default(), postgres: postgres::Reading::default(), bytes: 0, checked: Ok(()) }
    }
}

/// A connection, with at most one request under way.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    wire: Wire,
    mode: Mode,
    out: Vec<u8>,
    scratch: Vec<u8>,
    inbox: Vec<u8>,
    filled: usize,
    answer: Reading,
    seen: Seen,
    request: Request,
    started: Instant,
}

/// What reading brought.
#[derive(Debug)]
pub enum Answer {
    /// The answer is not whole yet.
    Wait,
    /// It is whole.
    Whole {
        /// Bytes of it.
        bytes: usize,
        /// Whether it was what it should be.
        checked: io::Result<()>,
    },
}

impl Session {
    /// Connects, logs in and prepares the workload's statement.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn open(target: &Target, workload: &Workload, mode: Mode) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&target.address, LOGIN_PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOGIN_PATIENCE))?;
        let wire = match target.protocol {
            Protocol::Mysql => {
                let login = mysql::login(&mut stream, &target.user, &target.database)?;
                let statement = match mode {
                    Mode::Prepared => mysql::prepare(&mut stream, login, &workload.statement(Marks::Question))?,
                    Mode::Text => 0,
                };
                Wire::Mysql { login, statement }
            }
            Protocol::Postgres => {
                postgres::login(&mut stream, &target.user, &target.database)?;
                if mode == Mode::Prepared {
                    postgres::prepare(&mut stream, &workload.statement(Marks::Numbered))?;
                }
                Wire::Postgres
            }
            Protocol::Echo => Wire::Echo { request: target.echo.0, answer: target.echo.1 },
        };
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            wire,
            mode,
            out: Vec::new(),
            scratch: Vec::new(),
            inbox: vec![0; BUFFER],
            filled: 0,
            answer: Reading::default(),
            seen: Seen::default(),
            request: Request::default(),
            started: Instant::now(),
        })
    }

    /// The socket, to wait for.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// When the request under way was started, or should have been.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Sends the workload's next request; answers its length.
    ///
    /// # Errors
    /// What the network says.
    pub fn ask(&mut self, workload: &mut Workload, started: Instant) -> io::Result<usize> {
        self.started = started;
        self.out.clear();
        workload.draw(&mut self.request);
        let Self { out, scratch, request, .. } = self;
        match (self.wire, self.mode) {
            (Wire::Mysql { statement, .. }, Mode::Prepared) => {
                workload.with_params(request, scratch, |params| mysql::write_execute(out, statement, params));
            }
            (Wire::Mysql { .. }, Mode::Text) => mysql::write_query(out, workload.text(request).as_bytes()),
            (Wire::Postgres, Mode::Prepared) => {
                workload.with_params(request, scratch, |params| postgres::write_execute(out, params));
            }
            (Wire::Postgres, Mode::Text) => postgres::write_query(out, workload.text(request).as_bytes()),
            (Wire::Echo { request, .. }, Mode::Prepared | Mode::Text) => out.resize(request, b'x'),
        }
        let mut sent = 0;
        while sent < self.out.len() {
            match self.stream.write(&self.out[sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => sent += written,
                // Requests are short beside a socket's buffer, so this is rare and brief.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Reads once, and checks what has come of the answer.
    ///
    /// # Errors
    /// What the network says, or bytes that are not the protocol.
    pub fn hear(&mut self, workload: &mut Workload) -> io::Result<Answer> {
        match self.stream.read(&mut self.inbox[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Answer::Wait),
            Err(error) => return Err(error),
        }
        let Self { inbox, filled, answer, seen, request, .. } = self;
        let format = match self.mode {
            Mode::Prepared => Format::Binary,
            Mode::Text => Format::Text,
        };
        let buffer = &inbox[..*filled];
        let Reading { mysql, postgres, bytes, checked } = answer;
        let each = |row: io::Result<RowView>| {
            if checked.is_ok() && workload.has_rows() {
                *checked = row.and_then(|row| workload.check_row(request, row, seen));
            }
        };
        let step = match self.wire {
            Wire::Mysql { login, .. } => mysql.read(buffer, login, format, each)?,
            Wire::Postgres => postgres.read(buffer, format, each),
            Wire::Echo { answer, .. } if *filled < answer => Step::Incomplete { taken: 0 },
            Wire::Echo { answer, .. } => Step::Whole { length: answer, outcome: Outcome::Rows { rows: 0 } },
        };
        match step {
            Step::Incomplete { taken } => {
                if *filled == inbox.len() && (taken == 0 || *filled < READ) {
                    inbox.resize(*filled * 4, 0);
                }
                inbox.copy_within(taken..*filled, 0);
                *filled -= taken;
                *bytes += taken;
                Ok(Answer::Wait)
            }
            // One request under way: what follows an answer was not asked for.
            Step::Whole { length, .. } if length != *filled => {
                Err(io::Error::other(format!("{} bytes behind the answer", *filled - length)))
            }
            Step::Whole { length, outcome } => {
                *filled = 0;
                let Reading { bytes, checked, .. } = std::mem::take(answer);
                let counted = match self.wire {
                    Wire::Mysql { .. } | Wire::Postgres => workload.check_outcome(&outcome),
                    Wire::Echo { .. } => Ok(()),
                };
                let distinct = seen.check_distinct();
                Ok(Answer::Whole { bytes: bytes + length, checked: counted.and(checked).and(distinct) })
            }
        }
    }
}
