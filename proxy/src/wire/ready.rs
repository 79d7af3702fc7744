//! A connection that takes commands.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mysql_common::constants::CapabilityFlags;
use tokio::sync::watch;

use super::authenticate::{Plugin, Proof};
use super::column::{text_collation, write_field};
use super::command::{Command, CommandKind, ExecuteFlags, MultiStatements};
use super::cursors::{Cursor, Cursors};
use super::enter::{Entered, Entrance, admit};
use super::error::{ErrorReply, Violation, WireError};
use super::execute::{Bound, Naming, params};
use super::handler::{Handler, Opened, Prepared, WireEvent};
use super::limits::WireLimits;
use super::login::Identity;
use super::packet::Channel;
use super::reader::{Malformed, Reader};
use super::reply::{Client, PreparedReply, Reply, RowFormat, RowsReply};
use super::reply::{write_cursor, write_end, write_error, write_ok, write_status};
use super::serve::{Lifetime, stopped};
use super::statements::Statements;
use super::status::{Following, Status};
use crate::pattern;

/// A connection that takes commands.
pub(super) struct Ready<'a, H: Handler> {
    channel: &'a mut Channel,
    handler: &'a mut H,
    limits: &'a WireLimits,
    client: Client,
    charset: u16,
    /// What the client logged in by, and can again.
    plugin: Plugin,
    statements: Statements<H::Plan>,
    cursors: Cursors<H::Cursor>,
    /// Bytes received and sent that have been observed.
    traffic: (u64, u64),
    /// The number of the error that the command was answered with, other than by the handler of a statement.
    refused: Option<u16>,
}

/// What is to happen after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Command,
    End,
}

/// Whether the server may have been told to stop: what is looked at for every command, without a lock.
fn is_news(shutdown: &watch::Receiver<bool>) -> bool {
    !matches!(shutdown.has_changed(), Ok(false))
}

impl<'a, H: Handler> Ready<'a, H> {
    pub(super) fn new(
        channel: &'a mut Channel,
        handler: &'a mut H,
        limits: &'a WireLimits,
        Entered { client, charset, plugin }: Entered,
    ) -> Self {
        let statements = Statements::new(limits.prepared_statements, limits.long_data);
        let cursors = Cursors::new(limits.cursors);
        Self { channel, handler, limits, client, charset, plugin, statements, cursors, traffic: (0, 0), refused: None }
    }

    /// Runs until the client quits, is killed, or breaks the connection, or the server stops.
    pub(super) async fn run(&mut self, lifetime: &mut Lifetime) -> Result<(), WireError> {
        let Lifetime { shutdown, kill, login_by: _ } = lifetime;
        let mut stop = shutdown.clone();
        // One for all waits of the connection: it stays where it is entered while commands come and go.
        let mut stopping = pin!(stopped(&mut stop));
        let mut asked = false;
        loop {
            self.channel.restart_sequence();
            let limit = self.limits.max_allowed_packet;
            let patience = self.handler.idle_timeout().unwrap_or(self.limits.idle_timeout);
            let packet = match self.channel.take(limit)? {
                Some(packet) => Some(packet),
                // A command that is there already is not lost to a stop at the same time: it is looked at below.
                None => {
                    // A transaction is let finish.
                    let open = self.handler.status().in_transaction;
                    let came = {
                        let mut receiving = pin!(self.channel.receive_command(limit, patience));
                        poll_fn(|cx| match receiving.as_mut().poll(cx) {
                            Poll::Ready(packet) => Poll::Ready(packet.map(Some)),
                            Poll::Pending if kill.poll_connection_killed(cx).is_ready() => Poll::Ready(Ok(None)),
                            // Asked once, it wakes this task when there is news.
                            Poll::Pending if asked && !is_news(shutdown) => Poll::Pending,
                            Poll::Pending => {
                                asked = true;
                                let stops = *shutdown.borrow();
                                let stops = stops || stopping.as_mut().poll(cx).is_ready();
                                if stops && !open { Poll::Ready(Ok(None)) } else { Poll::Pending }
                            }
                        })
                        .await?
                    };
                    // Killed, or stopped: without a word, which the client would take for the answer to its next command.
                    let Some(packet) = came else { return Ok(()) };
                    packet
                }
            };
            let Some(packet) = packet else { return Ok(()) };
            if is_news(shutdown) && *shutdown.borrow() && !self.handler.status().in_transaction {
                write_error(self.channel, &ErrorReply::shutting_down());
                return Ok(());
            }
            let (started, reading) = match self.channel.came() {
                Some(came) => (came.whole, came.whole - came.began),
                None => (Instant::now(), Duration::ZERO),
            };
            let kind = Command::kind(&packet);
            let next = match Command::read(packet, self.client.capabilities) {
                Ok(command) => self.obey(command, started).await?,
                Err(Malformed) => {
                    self.reject(kind);
                    Next::Command
                }
            };
            self.channel.relieve().await?;
            self.observe(kind, reading, started);
            if next == Next::End || kill.is_connection_killed() {
                return Ok(());
            }
        }
    }

    fn observe(&mut self, kind: CommandKind, reading: Duration, started: Instant) {
        let refused = self.refused.take();
        self.handler.observe(WireEvent::Command { kind, reading, started, refused });
        let (received, sent) = self.channel.traffic();
        let event = WireEvent::Traffic { received: received - self.traffic.0, sent: sent - self.traffic.1 };
        self.traffic = (received, sent);
        self.handler.observe(event);
    }

    /// Answers a command with an error.
    fn refuse(&mut self, error: &ErrorReply) {
        self.refused = Some(error.code);
        write_error(self.channel, error);
    }

    /// Answers a command whose fields cannot be read, unless it is one that has no answer.
    fn reject(&mut self, kind: CommandKind) {
        match kind {
            CommandKind::Close | CommandKind::SendLongData => {}
            CommandKind::Quit
            | CommandKind::InitDb
            | CommandKind::Query
            | CommandKind::FieldList
            | CommandKind::ProcessKill
            | CommandKind::Refresh
            | CommandKind::Statistics
            | CommandKind::Ping
            | CommandKind::ChangeUser
            | CommandKind::Prepare
            | CommandKind::Execute
            | CommandKind::ResetStatement
            | CommandKind::SetOption
            | CommandKind::Fetch
            | CommandKind::ResetConnection
            | CommandKind::Unknown => self.refuse(&ErrorReply::malformed()),
        }
    }

    /// Answers a command. The room of this future is filled and emptied with every command: what is seldom needed, or takes
    /// longer than making a box, is in one.
    async fn obey(&mut self, command: Command, started: Instant) -> Result<Next, WireError> {
        match command {
            Command::Quit => return Ok(Next::End),
            Command::InitDb(name) => {
                let answer = self.handler.init_db(&String::from_utf8_lossy(&name)).await;
                match answer {
                    Ok(status) => self.tell(status),
                    Err(error) => self.refuse(&error),
                }
            }
            Command::Query { text, attributes } => {
                if !attributes.is_empty() {
                    self.handler.attributes(attributes);
                }
                let reply = Reply::new(self.channel, self.client, RowFormat::Text, started);
                let replied = self.handler.query(text, reply).replied().await?;
                if !replied.is_finished() {
                    return Err(WireError::Protocol(Violation::Unfinished));
                }
            }
            Command::FieldList { table, pattern } => Box::pin(self.field_list(&table, &pattern)).await?,
            Command::ProcessKill { connection } => match self.handler.kill(connection).await {
                Ok(status) => self.tell(status),
                Err(error) => self.refuse(&error),
            },
            Command::Refresh { what } => {
                let answer = self.channel.meanwhile(pin!(self.handler.refresh(what))).await;
                match answer {
                    Ok(status) => self.tell(status),
                    Err(error) => self.refuse(&error),
                }
            }
            Command::Statistics => {
                let statistics = self.handler.statistics().await;
                self.channel.packet(|out| out.extend_from_slice(statistics.as_bytes()));
            }
            Command::Ping => write_status(self.channel, self.client, self.handler.status(), Vec::new()),
            Command::ChangeUser(fields) => return Box::pin(self.change_user(fields)).await,
            Command::Prepare(text) => Box::pin(self.prepare(text)).await?,
            Command::Execute { statement, flags, rest } => self.execute(statement, flags, rest, started).await?,
            Command::SendLongData { statement, param, data } => {
                self.statements.append_long_data(statement, param, &data);
            }
            Command::Close { statement } => {
                self.cursors.close(statement);
                self.statements.close(statement);
            }
            Command::ResetStatement { statement } => {
                self.cursors.close(statement);
                if self.statements.reset(statement) {
                    write_status(self.channel, self.client, self.handler.status(), Vec::new());
                } else {
                    self.refuse(&ErrorReply::unknown_statement(statement, "mysqld_stmt_reset"));
                }
            }
            Command::SetOption(multi_statements) => {
                let status = self.handler.set_multi_statements(multi_statements == MultiStatements::On).await;
                write_end(self.channel, self.client, 0, status, Following::Last);
            }
            Command::Fetch { statement, rows } => Box::pin(self.fetch(statement, rows, started)).await?,
            Command::ResetConnection => {
                self.forget();
                let status = self.handler.reset().await;
                self.tell(status);
            }
            Command::Unknown => self.refuse(&ErrorReply::unknown_command()),
        }
        Ok(Next::Command)
    }

    /// Asks for a proof over a fresh salt, as MySQL does: the one in the packet was made with a salt that was used. By
    /// the newer plugin if the client has shown that it has it, whatever it names here: MariaDB's C library always names
    /// `mysql_native_password`, and then answers to the salt before, as only a MariaDB lets it. Asks once, by what the
    /// user can be checked by: MySQL's C library takes no second request.
    async fn change_user(&mut self, fields: Reader) -> Result<Next, WireError> {
        let identity = Identity::read_change_user(fields, self.client.capabilities)
            .map_err(|Malformed| WireError::Protocol(Violation::BadChangeUser))?;
        self.charset = identity.charset.unwrap_or(self.charset);
        self.client.text = text_collation(self.charset);
        let until = tokio::time::Instant::now() + self.limits.handshake_timeout;
        let limit = self.limits.login_packet;
        let plugin = match (self.plugin, Plugin::named(identity.plugin.as_deref()).unwrap_or(Plugin::Native)) {
            (Plugin::CachingSha2, _) | (_, Plugin::CachingSha2) => Plugin::CachingSha2,
            (Plugin::Native, Plugin::Native) => Plugin::Native,
        };
        let secure = self.channel.stream().tls().is_some();
        let plugin = plugin.checkable(self.handler, &identity.user, secure);
        let proof = Proof::request(self.channel, plugin, limit, until).await?;
        self.forget();
        let (client, charset, entrance) = (self.client, self.charset, Entrance::Again { until, limit });
        let admitted = admit(self.channel, self.handler, client, charset, identity, proof, entrance).await?;
        self.refused = (!admitted).then_some(ErrorReply::ACCESS_DENIED);
        Ok(if admitted { Next::Command } else { Next::End })
    }

    /// The columns whose names fit, one packet each, without the count that a result set begins with.
    async fn field_list(&mut self, table: &[u8], pattern: &[u8]) -> Result<(), WireError> {
        let columns = match self.handler.field_list(&String::from_utf8_lossy(table)).await {
            Ok(columns) => columns,
            Err(error) => {
                self.refuse(&error);
                return Ok(());
            }
        };
        let (client, like) = (self.client, String::from_utf8_lossy(pattern).to_lowercase());
        for column in
            columns.iter().filter(|column| like.is_empty() || pattern::matches(&like, &column.name.to_lowercase()))
        {
            self.channel.packet(|out| write_field(out, column, client.text));
            self.channel.relieve().await?;
        }
        write_end(self.channel, client, 0, self.handler.status(), Following::Last);
        Ok(())
    }

    async fn prepare(&mut self, text: bytes::Bytes) -> Result<(), WireError> {
        if !self.statements.has_room() {
            self.refuse(&ErrorReply::too_many_statements(self.limits.prepared_statements));
            return Ok(());
        }
        match self.channel.meanwhile(pin!(self.handler.prepare(text))).await {
            Ok(prepared) if prepared.columns.len() > usize::from(u16::MAX) => {
                write_error(self.channel, &ErrorReply::too_many_columns());
            }
            Ok(Prepared { plan, params, columns, warnings, status }) => {
                let statement = self.statements.insert(plan, params);
                let reply = PreparedReply { statement, params, columns: &columns, warnings, status };
                reply.write(self.channel, self.client).await?;
            }
            Err(error) => write_error(self.channel, &error),
        }
        Ok(())
    }

    async fn execute(&mut self, id: u32, flags: ExecuteFlags, rest: Reader, started: Instant) -> Result<(), WireError> {
        self.cursors.close(id);
        let naming = if self.client.capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES) {
            Naming::Named { counted: flags.counted() }
        } else {
            Naming::Bare
        };
        let bound = self.statements.execute(id).and_then(|(statement, long_data)| {
            params(rest, statement.params, &mut statement.declared, long_data, naming)
        });
        if naming != Naming::Bare {
            self.statements.count_attributes(id);
        }
        let bound = bound.and_then(|bound| Ok((self.statements.plan(id)?, bound)));
        let (plan, Bound { values, attributes }) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                self.refuse(&error);
                return Ok(());
            }
        };
        if !attributes.is_empty() {
            self.handler.attributes(attributes);
        }
        // Without room the rows come at once, with nothing between them and the columns: MySQL's C library takes an end there
        // that tells of no cursor for the end of a result without rows.
        if flags.cursor() && self.cursors.has_room() && self.handler.has_cursor_room() {
            match self.channel.meanwhile(pin!(self.handler.open(plan, values))).await {
                Ok(Opened::Done(ok)) => write_ok(self.channel, self.client, &ok, Following::Last),
                Ok(Opened::Rows { cursor: rows, columns, status }) => {
                    write_cursor(self.channel, self.client, &columns, status)?;
                    let columns = columns.iter().map(|column| column.ty).collect();
                    self.cursors.insert(id, Cursor { rows, columns });
                }
                Err(error) => write_error(self.channel, &error),
            }
            return Ok(());
        }
        let reply = Reply::new(self.channel, self.client, RowFormat::Binary, started);
        let replied = self.handler.execute(plan, values, reply).replied().await?;
        if !replied.is_finished() {
            return Err(WireError::Protocol(Violation::Unfinished));
        }
        Ok(())
    }

    /// Sends up to so many rows of a cursor.
    async fn fetch(&mut self, id: u32, most: u32, started: Instant) -> Result<(), WireError> {
        let Some(cursor) = self.cursors.get(id) else {
            let error = if self.statements.is_open(id) {
                ErrorReply::no_cursor(id)
            } else {
                ErrorReply::unknown_statement(id, "mysqld_stmt_fetch")
            };
            self.refuse(&error);
            return Ok(());
        };
        self.handler.fetching(&cursor.rows, started);
        let mut reply = RowsReply::resume(self.channel, self.client, Arc::clone(&cursor.columns));
        let mut end = Ok(Following::Cursor);
        for _ in 0..most {
            let next = reply.meanwhile(pin!(self.handler.fetch(&mut cursor.rows))).await;
            let row = match next {
                Ok(Some(row)) => row,
                Ok(None) => {
                    end = Ok(Following::CursorEnd);
                    break;
                }
                Err(error) => {
                    end = Err(error);
                    break;
                }
            };
            match reply.row(&row).await {
                Err(WireError::Protocol(Violation::Value { ty, .. })) => {
                    end = Err(ErrorReply::unfit(ty));
                    break;
                }
                sent => sent?,
            }
        }
        self.handler.fetched(&cursor.rows, started, end.is_err());
        if !matches!(end, Ok(Following::Cursor)) {
            self.cursors.close(id);
        }
        match end {
            Ok(following) => reply.pause(self.handler.status(), following).await,
            Err(error) => reply.fail(&error).await.map(|_failed| ()),
        }
    }

    /// Answers OK, with what changed of the session.
    fn tell(&mut self, status: Status) {
        let changes = self.handler.changes();
        write_status(self.channel, self.client, status, changes);
    }

    /// What the client sent is longer than a command may be. It has ended the connection, and is counted as any other
    /// command that was refused.
    pub(super) fn too_long(&mut self) {
        self.refused = Some(ErrorReply::packet_too_large().code);
        self.observe(CommandKind::Unknown, Duration::ZERO, Instant::now());
    }

    /// Closes statements and cursors.
    fn forget(&mut self) {
        self.cursors.clear();
        self.statements.clear();
    }
}
