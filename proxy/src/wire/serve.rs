//! A connection from its greeting to its end.
//!
//! The phases are values that consume one another: a channel is greeted and logged in, which makes a `Ready`
//! connection, which runs until it ends. Nothing is read before the reply to the command before it has been written.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::authenticate::{Plugin, Proof, Verdict, patience, write_fast_auth};
use super::column::{text_collation, write_field};
use super::command::{Command, CommandKind, MultiStatements};
use super::error::{ErrorReply, Violation, Wait, WireError};
use super::execute::params;
use super::greeting::{Greeting, Salt, capabilities};
use super::handler::{ClientFlags, Handler, Login, Prepared, WireEvent};
use super::kill::KillSwitch;
use super::limits::WireLimits;
use super::login::{FirstPacket, Identity, LoginPacket};
use super::packet::Channel;
use super::reader::{Malformed, Reader};
use super::reply::{Client, PreparedReply, Reply, RowFormat};
use super::reply::{write_end, write_error, write_refusal, write_status};
use super::statements::Statements;
use super::status::Following;
use super::stream::{BoxStream, Prefixed};

/// What can end a connection from outside.
#[derive(Clone, Debug)]
pub struct Lifetime {
    /// Becomes true when the server stops: then the running command is finished, and the next one, or the idle client,
    /// is told 1053.
    pub shutdown: watch::Receiver<bool>,
    /// This connection's.
    pub kill: KillSwitch,
}

/// Serves one client until it quits, is refused or killed, or breaks the connection, or until the server stops.
///
/// # Errors
/// Why the connection could not go on. A client that was refused or that quit is none.
pub async fn serve<H: Handler>(
    stream: BoxStream,
    greeting: Greeting,
    limits: WireLimits,
    mut handler: H,
    mut lifetime: Lifetime,
) -> Result<(), WireError> {
    let mut channel = Channel::new(stream, limits.write_timeout);
    let kill = lifetime.kill.clone();
    let killed = async {
        kill.connection_killed().await;
        tokio::time::sleep(limits.kill_grace).await;
    };
    let outcome = tokio::select! {
        biased;
        outcome = converse(&mut channel, &greeting, &limits, &mut handler, &mut lifetime) => outcome,
        () = killed => Err(WireError::Killed),
    };
    match &outcome {
        Ok(()) => channel.shut_down().await?,
        Err(error) => {
            if let Some(farewell) = error.farewell() {
                if let WireError::Timeout(Wait::Idle) = error {
                    channel.restart_sequence();
                }
                write_error(&mut channel, &farewell);
                // The reason for the end is `error`, not that the client no longer listens.
                let _told = channel.shut_down_lingering().await;
            }
        }
    }
    outcome
}

/// All that is said, but for the farewell of what breaks.
async fn converse<H: Handler>(
    channel: &mut Channel,
    greeting: &Greeting,
    limits: &WireLimits,
    handler: &mut H,
    lifetime: &mut Lifetime,
) -> Result<(), WireError> {
    let entered = tokio::select! {
        biased;
        () = stopped(&mut lifetime.shutdown) => {
            write_error(channel, &ErrorReply::shutting_down());
            return Ok(());
        }
        entered = enter(channel, greeting, limits, handler) => entered?,
    };
    let Some(Entered { client, charset }) = entered else { return Ok(()) };
    let statements = Statements::new(limits.prepared_statements, limits.long_data);
    let mut ready = Ready { statements, channel, handler, limits, client, charset, traffic: (0, 0) };
    ready.run(lifetime).await
}

/// Sends an ERR in place of a greeting, e.g. 1040, and closes.
///
/// # Errors
/// The client is gone or takes nothing.
pub async fn refuse(stream: BoxStream, error: &ErrorReply) -> Result<(), WireError> {
    let mut channel = Channel::new(stream, WireLimits::default().handshake_timeout);
    write_refusal(&mut channel, error);
    channel.shut_down().await
}

/// Completes when the server stops; never if nobody can stop it any more.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A client that is logged in.
struct Entered {
    client: Client,
    charset: u16,
}

/// Greets a client and logs it in; `None` if it was refused, or left before it said anything (a port check).
async fn enter<H: Handler>(
    channel: &mut Channel,
    greeting: &Greeting,
    limits: &WireLimits,
    handler: &mut H,
) -> Result<Option<Entered>, WireError> {
    let until = tokio::time::Instant::now() + limits.handshake_timeout;
    let limit = limits.login_packet;
    let bad = |Malformed| WireError::Protocol(Violation::BadHandshake);
    let salt = Salt::fresh()?;
    channel.packet(|out| greeting.write(out, &salt, handler.status()));

    let offered = capabilities(greeting.tls.is_some());
    let Some(packet) = channel.receive(limit, patience(until), Wait::Handshake).await? else { return Ok(None) };
    let login = match (FirstPacket::read(packet, offered).map_err(bad)?, &greeting.tls) {
        (FirstPacket::Login(login), _) => login,
        (FirstPacket::SslRequest, None) => return Err(bad(Malformed)),
        (FirstPacket::SslRequest, Some(config)) => {
            let acceptor = TlsAcceptor::from(config.clone());
            let encrypted = channel.wrap(async |ahead, plain| {
                let stream = acceptor.accept(Prefixed::new(ahead, plain)).await?;
                Ok(Box::new(stream) as BoxStream)
            });
            let encrypted = tokio::time::timeout_at(until, encrypted).await;
            encrypted.map_err(|_| WireError::Timeout(Wait::Handshake))??;
            let packet = channel.receive(limit, patience(until), Wait::Handshake).await?.ok_or(WireError::Closed)?;
            match FirstPacket::read(packet, offered).map_err(bad)? {
                FirstPacket::Login(login) => login,
                FirstPacket::SslRequest => return Err(bad(Malformed)),
            }
        }
    };

    let LoginPacket { capabilities, identity, answer } = login;
    let proof = match Plugin::named(identity.plugin.as_deref()) {
        Some(plugin) => Proof { plugin, salt, answer },
        None => Proof::request(channel, Plugin::Native, limit, until).await?,
    };
    let charset = identity.charset.unwrap_or_default();
    let client = Client { capabilities, text: text_collation(charset) };
    let admitted = admit(channel, handler, client, charset, identity, proof, Entrance::First).await;
    Ok(admitted.then_some(Entered { client, charset }))
}

/// Whether a login is a connection's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entrance {
    First,
    /// A CHANGE_USER: the session before it has to be forgotten.
    Again,
}

/// Judges a proof, begins the session and answers; false if the client was refused.
async fn admit<H: Handler>(
    channel: &mut Channel,
    handler: &mut H,
    client: Client,
    charset: u16,
    identity: Identity,
    proof: Proof,
    entrance: Entrance,
) -> bool {
    let mut verdict = proof.judge(handler.verifier(&identity.user));
    if matches!(verdict, Verdict::Denied { .. }) && handler.look_again().await {
        verdict = proof.judge(handler.verifier(&identity.user));
    }
    let fast_auth = match verdict {
        Verdict::Granted { fast_auth } => fast_auth,
        Verdict::Denied { using_password } => {
            write_error(channel, &handler.denied(&identity.user, using_password));
            return false;
        }
    };
    if fast_auth {
        write_fast_auth(channel);
    }
    let login = Login {
        user: identity.user,
        database: identity.database,
        charset,
        capabilities: ClientFlags::of(client.capabilities),
        attributes: identity.attributes,
        peer: channel.stream().peer(),
        tls: channel.stream().tls(),
    };
    if entrance == Entrance::Again {
        handler.reset().await;
    }
    match handler.login(&login).await {
        Ok(status) => {
            write_status(channel, status);
            true
        }
        Err(error) => {
            write_error(channel, &error);
            false
        }
    }
}

/// A connection that takes commands.
struct Ready<'a, H: Handler> {
    channel: &'a mut Channel,
    handler: &'a mut H,
    limits: &'a WireLimits,
    client: Client,
    charset: u16,
    statements: Statements<H::Plan>,
    /// Bytes received and sent that have been observed.
    traffic: (u64, u64),
}

/// What is to happen after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Command,
    End,
}

impl<H: Handler> Ready<'_, H> {
    async fn run(&mut self, lifetime: &mut Lifetime) -> Result<(), WireError> {
        let Lifetime { shutdown, kill } = lifetime;
        loop {
            self.channel.restart_sequence();
            let limit = self.limits.max_allowed_packet;
            let packet = match self.channel.take(limit)? {
                Some(packet) => Some(packet),
                None => tokio::select! {
                    biased;
                    () = stopped(shutdown) => {
                        write_error(self.channel, &ErrorReply::shutting_down());
                        return Ok(());
                    }
                    () = kill.connection_killed() => return Ok(()),
                    packet = self.channel.receive(limit, self.limits.idle_timeout, Wait::Idle) => packet?,
                },
            };
            let Some(packet) = packet else { return Ok(()) };
            if *shutdown.borrow() {
                write_error(self.channel, &ErrorReply::shutting_down());
                return Ok(());
            }
            let started = Instant::now();
            let reading = self.channel.began().map_or(Duration::ZERO, |began| started - began);
            let kind = Command::kind(&packet);
            let next = match Command::read(packet) {
                Ok(command) => self.obey(command).await?,
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
        self.handler.observe(WireEvent::Command { kind, reading, latency: started.elapsed() });
        let (received, sent) = self.channel.traffic();
        let event = WireEvent::Traffic { received: received - self.traffic.0, sent: sent - self.traffic.1 };
        self.traffic = (received, sent);
        self.handler.observe(event);
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
            | CommandKind::Statistics
            | CommandKind::Ping
            | CommandKind::ChangeUser
            | CommandKind::Prepare
            | CommandKind::Execute
            | CommandKind::ResetStatement
            | CommandKind::SetOption
            | CommandKind::Fetch
            | CommandKind::ResetConnection
            | CommandKind::Unknown => write_error(self.channel, &ErrorReply::malformed()),
        }
    }

    async fn obey(&mut self, command: Command) -> Result<Next, WireError> {
        match command {
            Command::Quit => return Ok(Next::End),
            Command::InitDb(name) => {
                let answer = self.handler.init_db(&String::from_utf8_lossy(&name)).await;
                match answer {
                    Ok(status) => write_status(self.channel, status),
                    Err(error) => write_error(self.channel, &error),
                }
            }
            Command::Query(text) => {
                let reply = Reply::new(self.channel, self.client, RowFormat::Text);
                let replied = self.handler.query(text, reply).await?;
                if !replied.is_finished() {
                    return Err(WireError::Protocol(Violation::Unfinished));
                }
            }
            Command::FieldList { table, pattern } => self.field_list(&table, &pattern).await?,
            Command::ProcessKill { connection } => match self.handler.kill(connection).await {
                Ok(status) => write_status(self.channel, status),
                Err(error) => write_error(self.channel, &error),
            },
            Command::Statistics => {
                let statistics = self.handler.statistics().await;
                self.channel.packet(|out| out.extend_from_slice(statistics.as_bytes()));
            }
            Command::Ping => write_status(self.channel, self.handler.status()),
            Command::ChangeUser(fields) => return self.change_user(fields).await,
            Command::Prepare(text) => self.prepare(text).await?,
            Command::Execute { statement, rest } => self.execute(statement, rest).await?,
            Command::SendLongData { statement, param, data } => {
                self.statements.append_long_data(statement, param, &data);
            }
            Command::Close { statement } => self.statements.close(statement),
            Command::ResetStatement { statement } => {
                if self.statements.reset(statement) {
                    write_status(self.channel, self.handler.status());
                } else {
                    write_error(self.channel, &ErrorReply::unknown_statement(statement, "mysqld_stmt_reset"));
                }
            }
            Command::SetOption(multi_statements) => {
                let status = self.handler.set_multi_statements(multi_statements == MultiStatements::On).await;
                write_end(self.channel, self.client, 0, status, Following::Last);
            }
            Command::Fetch { statement } => {
                let error = if self.statements.is_open(statement) {
                    ErrorReply::no_cursor(statement)
                } else {
                    ErrorReply::unknown_statement(statement, "mysqld_stmt_fetch")
                };
                write_error(self.channel, &error);
            }
            Command::ResetConnection => {
                self.statements.clear();
                let status = self.handler.reset().await;
                write_status(self.channel, status);
            }
            Command::Unknown => write_error(self.channel, &ErrorReply::unknown_command()),
        }
        Ok(Next::Command)
    }

    /// Asks for a proof over a fresh salt, as MySQL does: the one in the packet was made with a salt that was used.
    async fn change_user(&mut self, fields: Reader) -> Result<Next, WireError> {
        let identity = Identity::read_change_user(fields, self.client.capabilities)
            .map_err(|Malformed| WireError::Protocol(Violation::BadChangeUser))?;
        self.charset = identity.charset.unwrap_or(self.charset);
        self.client.text = text_collation(self.charset);
        let plugin = Plugin::named(identity.plugin.as_deref()).unwrap_or(Plugin::Native);
        let until = tokio::time::Instant::now() + self.limits.handshake_timeout;
        let proof = Proof::request(self.channel, plugin, self.limits.login_packet, until).await?;
        self.statements.clear();
        let (client, charset) = (self.client, self.charset);
        let admitted = admit(self.channel, self.handler, client, charset, identity, proof, Entrance::Again).await;
        Ok(if admitted { Next::Command } else { Next::End })
    }

    /// The columns whose names fit, one packet each, without the count that a result set begins with.
    async fn field_list(&mut self, table: &[u8], pattern: &[u8]) -> Result<(), WireError> {
        let columns = match self.handler.field_list(&String::from_utf8_lossy(table)).await {
            Ok(columns) => columns,
            Err(error) => {
                write_error(self.channel, &error);
                return Ok(());
            }
        };
        let (client, pattern) = (self.client, String::from_utf8_lossy(pattern).to_lowercase());
        for column in columns.iter().filter(|column| pattern.is_empty() || fits(&pattern, &column.name.to_lowercase()))
        {
            self.channel.packet(|out| write_field(out, column, client.text));
            self.channel.relieve().await?;
        }
        write_end(self.channel, client, 0, self.handler.status(), Following::Last);
        Ok(())
    }

    async fn prepare(&mut self, text: bytes::Bytes) -> Result<(), WireError> {
        if !self.statements.has_room() {
            write_error(self.channel, &ErrorReply::too_many_statements(self.limits.prepared_statements));
            return Ok(());
        }
        match self.handler.prepare(text).await {
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

    async fn execute(&mut self, id: u32, rest: Reader) -> Result<(), WireError> {
        let bound = self.statements.execute(id).and_then(|(statement, long_data)| {
            let values = params(rest, statement.params, &mut statement.types, long_data)?;
            Ok((&statement.plan, values))
        });
        let (plan, values) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                write_error(self.channel, &error);
                return Ok(());
            }
        };
        let reply = Reply::new(self.channel, self.client, RowFormat::Binary);
        let replied = self.handler.execute(plan, values, reply).await?;
        if !replied.is_finished() {
            return Err(WireError::Protocol(Violation::Unfinished));
        }
        Ok(())
    }
}

/// Whether a name is like a pattern of `%` (any characters) and `_` (one).
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last `%` does not fit: one character further.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('%') => {
                retry = Some((p + 1, n + 1));
                p += 1;
                continue;
            }
            Some(one) if *one == '_' || *one == name[n] => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            Some(_) | None => {}
        }
        let Some((after, next)) = retry else { return false };
        (p, n) = (after, next);
        retry = Some((after, next + 1));
    }
    pattern[p..].iter().all(|rest| *rest == '%')
}
