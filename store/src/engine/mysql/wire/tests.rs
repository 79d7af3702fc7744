//! Conversations with a server that is a script: what we send, and what we make of its answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::answer::{Done, Flow, Sink};
use super::connection::{Argument, Arguments, Command, Connection, Ended};
use super::error::{LoginError, WireError};
use super::fields::{Row, put_number, put_string};
use super::frames::{self, FRAME, Received};
use super::link::Link;
use super::login::{Encryption, Target};
use crate::engine::mysql::sinks::Values;
use crate::engine::server::driver::Value;

/// The other end of a connection.
pub(in crate::engine::mysql) struct Server {
    pipe: DuplexStream,
    received: Received,
    number: u8,
}

/// What a server says it can do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Kind {
    /// Every packet there ever was.
    Old,
    /// No packet between columns and rows.
    NoEof,
    /// And columns are described once.
    KnownColumns,
}

impl Server {
    async fn next(&mut self) -> Vec<u8> {
        loop {
            if let Some(packet) = self.received.packet(&mut self.number).unwrap() {
                return packet.to_vec();
            }
            let read = self.pipe.read_buf(self.received.room(1024)).await.unwrap();
            assert!(read > 0, "the client has gone");
        }
    }

    /// The next command, whose frames count from 0.
    pub(in crate::engine::mysql) async fn command(&mut self) -> Vec<u8> {
        self.number = 0;
        self.next().await
    }

    /// Begins the answer to one of several commands that were read before.
    pub(in crate::engine::mysql) async fn answer(&mut self, packets: &[&[u8]]) {
        self.number = 1;
        self.send(packets).await;
    }

    pub(in crate::engine::mysql) async fn send(&mut self, packets: &[&[u8]]) {
        let mut out = Vec::new();
        for packet in packets {
            let begun = frames::begin(&mut out);
            out.extend_from_slice(packet);
            self.number = frames::end(&mut out, begun, self.number);
        }
        self.pipe.write_all(&out).await.unwrap();
    }
}

pub(super) fn greeting(kind: Kind, plugin: &str) -> Vec<u8> {
    // All but TLS, compression and files.
    let mut can: u32 = 0x009f_f7df & !(1 << 11) & !(1 << 5) & !(1 << 7);
    if kind != Kind::Old {
        can |= 1 << 24;
    }
    if kind == Kind::KnownColumns {
        can &= !1;
    }
    let mut out = b"\x0a10.11.6-MariaDB\0\x2a\0\0\0".to_vec();
    out.extend_from_slice(&NONCE[..8]);
    out.push(0);
    out.extend_from_slice(&can.to_le_bytes()[..2]);
    out.extend_from_slice(&[45, 2, 0]);
    out.extend_from_slice(&can.to_le_bytes()[2..]);
    out.extend_from_slice(&[21, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&(if kind == Kind::KnownColumns { 1u32 << 4 } else { 0 }).to_le_bytes());
    out.extend_from_slice(&NONCE[8..]);
    out.push(0);
    out.extend_from_slice(plugin.as_bytes());
    out.push(0);
    out
}

/// The random bytes in it.
const NONCE: &[u8] = b"0123456789abcdefghij";

pub(in crate::engine::mysql) const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

pub(in crate::engine::mysql) fn error(code: u16, message: &str) -> Vec<u8> {
    let mut out = vec![0xff];
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(b"#HY000");
    out.extend_from_slice(message.as_bytes());
    out
}

/// The description of a column of a type; numbers are signed.
pub(in crate::engine::mysql) fn column(kind: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for name in ["def", "d", "t", "t", "c", "c"] {
        put_string(&mut out, name.as_bytes());
    }
    put_string(&mut out, &[63, 0, 20, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
    out
}

/// A row of text.
pub(in crate::engine::mysql) fn text(values: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| put_string(&mut out, value.as_bytes()));
    out
}

/// The end of rows, with these bits of status.
pub(in crate::engine::mysql) fn end(kind: Kind, status: u8) -> Vec<u8> {
    match kind {
        Kind::Old => vec![0xfe, 0, 0, status, 0],
        Kind::NoEof | Kind::KnownColumns => vec![0xfe, 0, 0, status, 0, 0, 0],
    }
}

fn target() -> Target<'static> {
    Target {
        host: "db",
        port: 3306,
        user: "cells",
        password: "secret",
        database: Some("d"),
        encryption: &Encryption::None,
        connect: std::time::Duration::ZERO,
    }
}

fn pipe() -> (Link, Server) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024 * 1024);
    (Link::Pipe(ours), Server { pipe: theirs, received: Received::default(), number: 0 })
}

/// A connection that is logged in, and its server.
pub(in crate::engine::mysql) async fn connected(kind: Kind) -> (Connection, Server) {
    let (link, mut server) = pipe();
    server.send(&[&greeting(kind, "mysql_native_password")]).await;
    let login = async {
        let login = server.next().await;
        server.send(&[OK]).await;
        (login, server)
    };
    let target = target();
    let (connection, (login, server)) = tokio::join!(Connection::over(link, &target), login);
    let mut said = b"cells\0".to_vec();
    put_string(&mut said, &super::scramble::native(NONCE, b"secret"));
    said.extend_from_slice(b"d\0mysql_native_password\0");
    assert!(login.ends_with(&said), "{login:?}");
    (connection.unwrap(), server)
}

/// Runs a text whose answer is these packets.
async fn ask(
    connection: &mut Connection,
    server: &mut Server,
    packets: &[&[u8]],
) -> (Result<Ended, WireError>, Values) {
    let mut values = Values::default();
    let answer = async {
        assert_eq!(server.command().await, b"\x03SELECT");
        server.send(packets).await;
    };
    let (ended, ()) = tokio::join!(connection.query(b"SELECT", &mut values), answer);
    (ended, values)
}

#[tokio::test]
async fn an_answer_is_read_in_every_shape_servers_give_it() {
    for kind in [Kind::Old, Kind::NoEof, Kind::KnownColumns] {
        let (mut connection, mut server) = connected(kind).await;
        assert!(format!("{connection:?}").contains("id: 42"), "{connection:?}");
        let header: &[u8] = if kind == Kind::KnownColumns { &[2, 1] } else { &[2] };
        let (number, name) = (column(8), column(0xfd));
        let (first, last) = (end(kind, 2 | 8), end(kind, 2));
        let rows = [text(&["-7", "a"]), {
            let mut row = text(&["8"]);
            row.push(0xfb);
            row
        }];
        let mut packets: Vec<&[u8]> = vec![header, &number, &name];
        let behind_columns = end(kind, 2);
        if kind == Kind::Old {
            packets.push(&behind_columns);
        }
        packets.extend([rows[0].as_slice(), &rows[1], &first]);
        // Of another statement.
        packets.extend([&[0, 3, 0, 10, 0, 0, 0][..], header, &number, &name]);
        if kind == Kind::Old {
            packets.push(&behind_columns);
        }
        packets.push(&last);
        let (ended, values) = ask(&mut connection, &mut server, &packets).await;
        assert_eq!(ended.unwrap(), Ended::Whole);
        let expected = [vec![Value::Int(-7), Value::Bytes("a".into())], vec![Value::Int(8), Value::Null]];
        assert_eq!(values.rows, expected);
        assert!(connection.is_idle());
    }
}

#[tokio::test]
async fn an_error_ends_the_answer_and_not_the_connection() {
    let (mut connection, mut server) = connected(Kind::NoEof).await;
    let failed = error(1213, "Deadlock found");
    // The first of two statements was done.
    let (ended, _) = ask(&mut connection, &mut server, &[&[0, 0, 0, 10, 0, 0, 0], &failed]).await;
    assert!(matches!(ended, Err(WireError::Server(e)) if e.code == 1213 && e.message == "Deadlock found"));
    assert!(connection.is_idle());
    let (ended, _) = ask(&mut connection, &mut server, &[OK]).await;
    assert_eq!(ended.unwrap(), Ended::Whole);
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_the_same() {
    let (mut connection, server) = connected(Kind::NoEof).await;
    let Server { mut pipe, .. } = server;
    let mut bytes = Vec::new();
    let mut number = 1;
    for packet in [vec![1], column(0xfd), text(&["a value"]), end(Kind::NoEof, 2)] {
        let begun = frames::begin(&mut bytes);
        bytes.extend_from_slice(&packet);
        number = frames::end(&mut bytes, begun, number);
    }
    let feed = async {
        for byte in bytes {
            pipe.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        pipe
    };
    let mut values = Values::default();
    let (ended, _pipe) = tokio::join!(connection.query(b"SELECT", &mut values), feed);
    assert_eq!(ended.unwrap(), Ended::Whole);
    assert_eq!(values.rows, [[Value::Bytes("a value".into())]]);
}

#[tokio::test]
async fn packets_beyond_16_mib_travel_both_ways() {
    let (mut connection, mut server) = connected(Kind::NoEof).await;
    for length in [FRAME - 1, FRAME, FRAME + 5] {
        let body: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
        let mut row = Vec::new();
        put_string(&mut row, &body);
        let mut values = Values::default();
        let answer = async {
            let command = server.command().await;
            assert_eq!(command.len(), body.len() + 1);
            server.send(&[&[1], &column(0xfc), &row, &end(Kind::NoEof, 2)]).await;
        };
        let (ended, ()) = tokio::join!(connection.query(&body, &mut values), answer);
        assert_eq!(ended.unwrap(), Ended::Whole);
        assert!(values.rows == [[Value::Bytes(body.into())]], "{length} bytes");
    }
}

/// Takes one row and no more.
struct One(usize);

impl Sink for One {
    fn row(&mut self, _: Row<'_>) -> Result<Flow, WireError> {
        self.0 += 1;
        Ok(Flow::Enough)
    }

    fn done(&mut self, _: Done) {}
}

#[tokio::test]
async fn a_connection_whose_answer_was_left_half_read_is_not_idle() {
    let (mut connection, mut server) = connected(Kind::NoEof).await;
    let mut one = One(0);
    let answer = async {
        server.command().await;
        server.send(&[&[1], &column(0xfd), &text(&["a"]), &text(&["b"]), &end(Kind::NoEof, 2)]).await;
    };
    let (ended, ()) = tokio::join!(connection.query(b"SELECT", &mut one), answer);
    assert_eq!((ended.unwrap(), one.0), (Ended::Cut, 1));
    assert!(!connection.is_idle());
}

struct Given<'a>(&'a [Argument<'a>]);

impl Arguments for Given<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn each(&self, take: &mut dyn FnMut(Argument<'_>)) {
        self.0.iter().copied().for_each(take);
    }
}

/// The answer of a server to a statement with one parameter and one column.
async fn prepared(server: &mut Server) {
    assert_eq!(server.command().await, b"\x16SELECT ?");
    server.send(&[&[0, 5, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], &column(0xfc), &column(8)]).await;
}

#[tokio::test]
async fn columns_and_types_that_are_known_are_not_sent_again() {
    let (mut connection, mut server) = connected(Kind::KnownColumns).await;
    let (statement, ()) = tokio::join!(connection.prepare("SELECT ?"), prepared(&mut server));
    let mut statement = statement.unwrap();
    let row = [&[0, 0][..], &(-9i64).to_le_bytes()].concat();
    let start = b"\x17\x05\0\0\0\0\x01\0\0\0";
    for (params, sent, described) in [
        ([Argument::Bytes(b"k")], &b"\0\x01\xfc\0\x01k"[..], true),
        ([Argument::Bytes(b"l")], b"\0\0\x01l", false),
        ([Argument::Int(1)], b"\0\x01\x08\0\x01\0\0\0\0\0\0\0", false),
        ([Argument::Null], b"\x01\0", false),
    ] {
        let mut values = Values::default();
        let answer = async {
            assert_eq!(server.command().await, [start, sent].concat());
            let column = column(8);
            let end = end(Kind::KnownColumns, 2);
            if described {
                server.send(&[&[1, 1], &column, &row, &end]).await;
            } else {
                server.send(&[&[1, 0], &row, &end]).await;
            }
        };
        let given = Given(&params);
        let (ended, ()) = tokio::join!(connection.execute(&mut statement, &given, &mut values), answer);
        assert_eq!(ended.unwrap(), Ended::Whole);
        assert_eq!(values.rows, [[Value::Int(-9)]]);
    }
    let refused = connection.execute(&mut statement, &Given(&[]), &mut Values::default()).await;
    assert!(matches!(refused, Err(WireError::Unsendable(_))));
    // Closing is told with the next command, and the goodbye at the end.
    connection.close(statement);
    let (mut values, answer) = (Values::default(), async {
        assert_eq!(server.command().await, b"\x19\x05\0\0\0");
        assert_eq!(server.command().await, b"\x03DO 0");
        server.send(&[OK]).await;
    });
    let (ended, ()) = tokio::join!(connection.query(b"DO 0", &mut values), answer);
    ended.unwrap();
    drop(connection);
    assert_eq!(server.command().await, b"\x01");
}

#[tokio::test]
async fn behind_an_execution_that_failed_types_are_sent_again() {
    let (mut connection, mut server) = connected(Kind::KnownColumns).await;
    let (statement, ()) = tokio::join!(connection.prepare("SELECT ?"), prepared(&mut server));
    let mut statement = statement.unwrap();
    let row = [&[0, 0][..], &7i64.to_le_bytes()].concat();
    for fails in [true, false] {
        let answer = async {
            assert!(server.command().await.ends_with(b"\0\x01\xfc\0\x01k"), "with their types");
            if fails {
                server.send(&[&error(1047, "WSREP has not yet prepared node for application use")]).await;
            } else {
                server.send(&[&[1, 1], &column(8), &row, &end(Kind::KnownColumns, 2)]).await;
            }
        };
        let (given, mut values) = (Given(&[Argument::Bytes(b"k")]), Values::default());
        let (ended, ()) = tokio::join!(connection.execute(&mut statement, &given, &mut values), answer);
        assert_eq!(ended.is_err(), fails, "{ended:?}");
    }
}

#[tokio::test]
async fn commands_that_are_sent_together_are_all_answered() {
    let (mut connection, mut server) = connected(Kind::NoEof).await;
    let (statement, ()) = tokio::join!(connection.prepare("SELECT ?"), prepared(&mut server));
    let mut statement = statement.unwrap();
    let row = [&[0, 0][..], &7i64.to_le_bytes()].concat();
    for fails in [None, Some(0), Some(1), Some(2)] {
        let mut values = Values::default();
        let given = Given(&[Argument::Int(1)]);
        let mut commands =
            [Command::Text(b"BEGIN"), Command::Prepared(&mut statement, &given), Command::Text(b"COMMIT")];
        let answers = async {
            // All three are there before the first is answered.
            let said = [server.command().await, server.command().await, server.command().await];
            assert_eq!((said[0].as_slice(), said[2].as_slice()), (&b"\x03BEGIN"[..], &b"\x03COMMIT"[..]));
            let failed = error(1213, "Deadlock found");
            for at in 0..3 {
                match (fails == Some(at), at) {
                    (true, _) => server.answer(&[&failed]).await,
                    (false, 1) => server.answer(&[&[1], &column(8), &row, &end(Kind::NoEof, 2)]).await,
                    (false, _) => server.answer(&[OK]).await,
                }
            }
        };
        let (done, ()) = tokio::join!(connection.pipeline(&mut commands, &mut values), answers);
        assert_eq!(done.err().map(|failed| failed.command), fails);
        assert_eq!(values.rows.len(), usize::from(fails != Some(1)));
        assert!(connection.is_idle());
    }
}

/// Logs in at a server that says these packets, each behind one of ours.
async fn login(greeting: &[u8], packets: &[&[u8]]) -> (Result<Connection, WireError>, Vec<Vec<u8>>) {
    let (link, mut server) = pipe();
    server.send(&[greeting]).await;
    // The server is gone when it has said all it has to say.
    let script = async move {
        let mut said = Vec::new();
        for packet in packets {
            said.push(server.next().await);
            server.send(&[packet]).await;
        }
        said
    };
    let target = target();
    tokio::join!(Connection::over(link, &target), script)
}

#[tokio::test]
async fn a_password_is_proved_in_the_way_the_server_asks_for() {
    let sha2 = greeting(Kind::NoEof, "caching_sha2_password");
    let (connection, said) = login(&sha2, &[&[1, 3]]).await;
    assert!(connection.is_err(), "right, but then the server is gone");
    let proof = super::scramble::sha2(NONCE, b"secret");
    assert!(said[0].windows(proof.len()).any(|at| at == proof) && said[0].ends_with(b"caching_sha2_password\0"));
    // Another plugin, with another nonce.
    let mut switch = b"\xfemysql_native_password\0".to_vec();
    switch.extend_from_slice(b"abcdefghij0123456789\0");
    let (connection, said) = login(&sha2, &[&switch, OK]).await;
    assert!(connection.unwrap().is_idle());
    assert_eq!(said[1], super::scramble::native(b"abcdefghij0123456789", b"secret"));
    // The server wants the password itself: it is shown to nobody but the holder of its key.
    let key = include_bytes!("testdata/key.pem");
    let question = [&[1][..], key].concat();
    let (connection, said) = login(&sha2, &[&[1, 4], &question, OK]).await;
    assert!(connection.unwrap().is_idle());
    assert_eq!(said[1], [2]);
    assert_eq!(said[2].len(), 128);
    let (connection, _) = login(&sha2, &[&[1, 4], &[1, b'x']]).await;
    assert!(matches!(connection, Err(WireError::Login(LoginError::Key))));
}

#[tokio::test]
async fn a_login_that_cannot_be_is_refused_for_its_reason() {
    let native = greeting(Kind::NoEof, "mysql_native_password");
    let (connection, _) = login(&native, &[&error(1045, "Access denied")]).await;
    assert!(matches!(connection, Err(WireError::Server(e)) if e.code == 1045));
    let (connection, _) = login(&native, &[b"\xfeauth_gssapi_client\0xyz"]).await;
    let Err(WireError::Login(refused)) = connection else { panic!("not refused") };
    assert_eq!(refused, LoginError::Plugin { name: "auth_gssapi_client".to_owned() });
    // Before a login, an error has no SQLSTATE.
    let (connection, _) = login(b"\xff\x10\x04Too many connections", &[]).await;
    assert!(matches!(connection, Err(WireError::Server(e)) if e.code == 1040 && e.message == "Too many connections"));
    let (connection, _) = login(b"\x09too old", &[]).await;
    assert!(matches!(connection, Err(WireError::Malformed(_))));
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let (link, mut server) = pipe();
    server.send(&[&native]).await;
    let encryption = Encryption::Tls(config.into());
    let refused = Connection::over(link, &Target { encryption: &encryption, ..target() }).await;
    assert!(matches!(refused, Err(WireError::Login(LoginError::NoTls))));
    // A server that never comes to an end.
    let on: &[u8] = &[1, 3];
    let sha2 = greeting(Kind::NoEof, "caching_sha2_password");
    let (link, mut server) = pipe();
    server.send(&[&sha2]).await;
    let target = target();
    let endless = async {
        server.next().await;
        server.send(&[on; 20]).await;
    };
    let (connection, ()) = tokio::join!(Connection::over(link, &target), endless);
    assert!(matches!(connection, Err(WireError::Malformed(_))));
}

#[test]
fn numbers_of_every_length_come_back() {
    for number in [0usize, 250, 251, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000] {
        let mut out = Vec::new();
        put_number(&mut out, number);
        assert_eq!(super::fields::Fields::new(&out, "number").number().unwrap(), number as u64);
    }
}
