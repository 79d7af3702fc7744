//! What becomes of a session, and of a write in it, when the server says no or goes away: a server that is a script.

use cellgate_schemaless::{
    AddedId, Body, ColumnKey, Epoch, Micros, RefKey, RowKey, ShardId, TableId, TableRef, Token, Triple,
};
use deadpool::managed::{Manager, Metrics};

use super::wire::tests::{Kind, OK, Server, column, connected, end, error, text};
use super::*;
use crate::engine::server::driver::{Existing, Failure, Mark, NewRow, Place};
use crate::error::Reason;
use crate::sql::Query;

mod transactions;

/// Of a statement behind which the answer of another one follows.
const OK_AND_MORE: &[u8] = &[0, 0, 0, 10, 0, 0, 0];

const KIND: Kind = Kind::NoEof;

/// An answer: its packets.
type Said = Vec<Vec<u8>>;

/// Logs in and sets a session up; `lock` is what GET_LOCK answers.
async fn started(lock: &[u8]) -> (Result<MysqlSession, StoreError>, Server) {
    let (connection, mut server) = connected(KIND).await;
    let timeouts = Timeouts::default();
    let answers = async {
        assert_eq!(server.command().await, b"\x03SELECT VERSION()");
        server.send(&[&[1], &column(0xfd), &text(&["10.11.6-MariaDB"]), &end(KIND, 2)]).await;
        assert!(server.command().await.starts_with(b"\x03SET NAMES"));
        server.send(&[OK]).await;
        assert!(server.command().await.starts_with(b"\x03SELECT @@max_allowed_packet"));
        let (set, ids) = (text(&["16777216", "1", "0", "1"]), ["1795991915", "7", "45675", "1795990000", "41"]);
        let facts = [set, lock.to_vec(), text(&ids)].concat();
        let (number, end) = (column(8), end(KIND, 2));
        let columns = [number.as_slice(); 10];
        server.send(&[&[[10].as_slice()], columns.as_slice(), &[facts.as_slice(), &end]].concat()).await;
    };
    let connecting = |e| error::of_connecting(&e, "cells");
    let start = MysqlSession::start(connection, &timeouts, Returning::IfKnown, connecting);
    let (session, ()) = tokio::join!(start, answers);
    (session, server)
}

async fn session() -> (MysqlSession, Server) {
    let (session, server) = started(&text(&["1"])).await;
    let session = session.unwrap();
    assert_eq!(session.mark().number, 41, "the server's, not that of the greeting");
    (session, server)
}

/// Whether the pool would give the session to somebody else.
async fn is_of_use(session: &mut MysqlSession) -> bool {
    let options = ServerOptions::new("a", "mysql://a@localhost/b".parse().unwrap());
    let driver = MysqlDriver::new(&options, Returning::IfKnown).unwrap();
    driver.recycle(session, &Metrics::default()).await.is_ok()
}

/// Two rows of one write.
struct Rows {
    table: TableRef,
    triples: [Triple; 2],
    body: Body,
}

impl Rows {
    fn new(body: usize) -> Self {
        let triple = |row: &str| Triple {
            row: RowKey::from_store(row.as_bytes().to_vec()),
            column: ColumnKey::from_store(b"c".to_vec()),
            ref_key: RefKey(1),
        };
        let body = Body::from_store(vec![b'1'; body]);
        Self { table: TableRef::new("t", TableId(1), 1), triples: ["a", "b"].map(triple), body }
    }

    async fn insert(&self, session: &mut MysqlSession, existing: Existing) -> Result<Vec<Option<Place>>, Failure> {
        let row = |triple| NewRow { table: &self.table, shard: ShardId(0), triple, body: &self.body, token: TOKEN };
        let rows: Vec<NewRow<'_>> = self.triples.iter().map(row).collect();
        session.insert(Epoch(4), &rows, existing).await
    }
}

const TOKEN: Token = Token(9);

fn place(added_id: i64) -> Option<Place> {
    Some(Place { added_id: AddedId(added_id), created_at: Micros(7) })
}

fn ok(statements: usize) -> Said {
    let mut said = vec![OK_AND_MORE.to_vec(); statements - 1];
    said.push(OK.to_vec());
    said
}

/// The first `done` of several statements are, and the next one fails.
fn fails(done: usize, code: u16) -> Said {
    let mut said = vec![OK_AND_MORE.to_vec(); done];
    said.push(error(code, "for the test"));
    said
}

/// What the INSERT of a batch answers: each row with its name, and the token of the write that made it.
fn returned(rows: &[(&str, i64)]) -> Said {
    let mut said = vec![vec![6]];
    said.extend([8, 0xfc, 0xfc, 8, 8, 8].map(column));
    for ((name, token), id) in rows.iter().zip(1i64..) {
        let mut row = vec![0, 0];
        row.extend_from_slice(&(id * 1024).to_le_bytes());
        row.extend_from_slice(&[1, name.as_bytes()[0], 1, b'c']);
        for number in [1, *token, 7] {
            row.extend_from_slice(&number.to_le_bytes());
        }
        said.push(row);
    }
    said.push(end(KIND, 2));
    said
}

/// What a batch is answered that is stored.
fn stored() -> [Said; 3] {
    [ok(3), returned(&[("a", 9), ("b", 9)]), ok(2)]
}

/// A session and its server, until both are done.
async fn both<A, B>(session: impl Future<Output = A>, server: impl Future<Output = B>) -> (A, B) {
    let both = tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(session, server) }).await;
    both.expect("one of them waits for what the other does not say")
}

async fn say(server: &mut Server, said: &Said) {
    server.answer(&said.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
}

/// The INSERT of a batch is prepared: seven parameters a row, six columns.
async fn prepares(server: &mut Server) {
    assert!(server.command().await.starts_with(b"\x16INSERT INTO `t_1`"));
    let mut said = vec![vec![0, 5, 0, 0, 0, 6, 0, 14, 0, 0, 0, 0]];
    said.extend(std::iter::repeat_n(column(8), 14 + 6));
    say(server, &said).await;
}

/// The three commands of a batch, which come together, and are answered so.
async fn batch(server: &mut Server, said: &[Said]) {
    let head = server.command().await;
    assert!(head.starts_with(b"\x03BEGIN; UPDATE cg_head") && head.ends_with(b"; SET @c = @b"));
    assert!(server.command().await.starts_with(&[0x17, 5, 0, 0, 0]));
    assert_eq!(server.command().await, b"\x03COMMIT; SET @b = NULL, @c = NULL");
    for said in said {
        say(server, said).await;
    }
}

/// The session says goodbye, and nothing before that.
async fn ends(session: MysqlSession, server: &mut Server) {
    drop(session);
    assert_eq!(server.command().await, b"\x01");
}

fn is_lost<T>(done: &Result<T, Failure>) -> bool {
    matches!(done, Err(Failure::Lost { .. }))
}

#[tokio::test]
async fn a_commit_that_fails_leaves_the_outcome_of_a_batch_open_whatever_the_server_says() {
    let rows = Rows::new(1);
    for code in [1213, 1205, 1062, 1048, 1290, 1146, 1969, 1021, 1030, 1180] {
        // The COMMIT, and what the session is made ready with behind it.
        for done in [0, 1] {
            let (mut session, mut server) = session().await;
            let said = [ok(3), returned(&[("a", 9), ("b", 9)]), fails(done, code)];
            let answers = async {
                prepares(&mut server).await;
                batch(&mut server, &said).await;
            };
            let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), answers).await;
            assert!(is_lost(&inserted), "{code}: {inserted:?}");
            ends(session, &mut server).await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_last_answer_leaves_the_outcome_of_a_batch_open() {
    let rows = Rows::new(1);
    let commit_alone: Said = vec![OK_AND_MORE.to_vec()];
    let [head, inserted, _] = stored();
    for said in [vec![], vec![head.clone()], vec![head.clone(), inserted.clone()], vec![head, inserted, commit_alone]] {
        let (mut session, mut server) = session().await;
        let answers = async {
            prepares(&mut server).await;
            batch(&mut server, &said).await;
            drop(server);
        };
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), answers).await;
        assert!(is_lost(&inserted), "behind {} answers: {inserted:?}", said.len());
        assert!(!is_of_use(&mut session).await);
    }
}

#[tokio::test]
async fn a_batch_that_fails_before_its_commit_is_rolled_back_and_the_session_goes_on() {
    let rows = Rows::new(1);
    let lock = |failure: &Failure| matches!(failure, Failure::Again { reason: Reason::Lock, .. });
    let deadlock = |failure: &Failure| matches!(failure, Failure::Again { reason: Reason::Statement, .. });
    let stale = |failure: &Failure| matches!(failure, Failure::Stale);
    let full = |failure: &Failure| matches!(failure, Failure::Store(StoreError::DiskFull { .. }));
    // Behind a head that failed there is no id, and the INSERT fails of that.
    let of_head = |code| [fails(1, code), fails(0, 1048), ok(2)];
    let of_insert = |code| [ok(3), fails(0, code), ok(2)];
    type Case<'a> = ([Said; 3], &'a dyn Fn(&Failure) -> bool);
    let cases: [Case<'_>; 6] = [
        (of_head(1205), &lock),
        (of_head(1213), &deadlock),
        (of_insert(1213), &deadlock),
        (of_insert(1048), &stale),
        (of_insert(1114), &full),
        // Also if the COMMIT of nothing fails.
        ([ok(3), fails(0, 1213), fails(0, 1180)], &deadlock),
    ];
    for (said, expected) in cases {
        let (mut session, mut server) = session().await;
        let answers = async {
            prepares(&mut server).await;
            batch(&mut server, &said).await;
            assert_eq!(server.command().await, b"\x03ROLLBACK; SET @b = NULL, @c = NULL");
            say(&mut server, &ok(2)).await;
        };
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), answers).await;
        let failure = inserted.unwrap_err();
        assert!(expected(&failure), "{failure:?}");
        assert!(is_of_use(&mut session).await);
        let said = stored();
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), batch(&mut server, &said)).await;
        assert_eq!(inserted.unwrap(), [place(1024), place(2048)]);
    }
}

#[tokio::test]
async fn what_an_insert_answers_of_a_row_of_another_write_or_of_another_name_is_not_its_place() {
    let rows = Rows::new(1);
    let (mut session, mut server) = session().await;
    let said = [ok(3), returned(&[("a", 8), ("b", 9)]), ok(2)];
    let answers = async {
        prepares(&mut server).await;
        batch(&mut server, &said).await;
    };
    let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), answers).await;
    assert_eq!(inserted.unwrap(), [None, place(2048)]);
    // The id that the head gave out is taken.
    let said = [ok(3), returned(&[("a", 9), ("z", 9)]), ok(2)];
    let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), batch(&mut server, &said)).await;
    assert_eq!(inserted.unwrap(), [place(1024), None], "it is looked up, as any that exists");
}

#[tokio::test]
async fn a_session_closes_its_statements_if_the_server_takes_no_more_and_asks_once_more() {
    let rows = Rows::new(1);
    let change = Query { text: "UPDATE t SET a = 1".to_owned(), params: Vec::new() };
    let full = || vec![error(1461, "Can't create more than max_prepared_stmt_count statements")];
    let (mut session, mut server) = session().await;
    let refused = async {
        assert_eq!(server.command().await, b"\x16UPDATE t SET a = 1");
        say(&mut server, &full()).await;
    };
    let (changed, ()) = both(session.execute(&change), refused).await;
    assert!(matches!(changed, Err(Failure::Store(StoreError::Failed { .. }))), "it has none to close: {changed:?}");
    let said = stored();
    let answers = async {
        prepares(&mut server).await;
        batch(&mut server, &said).await;
        assert_eq!(server.command().await, b"\x16UPDATE t SET a = 1");
        say(&mut server, &full()).await;
        assert_eq!(server.command().await, [0x19, 5, 0, 0, 0]);
        assert_eq!(server.command().await, b"\x16UPDATE t SET a = 1");
        say(&mut server, &vec![vec![0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).await;
        assert!(server.command().await.starts_with(&[0x17, 6, 0, 0, 0]));
        say(&mut server, &ok(1)).await;
        prepares(&mut server).await;
        batch(&mut server, &said).await;
    };
    let asked = async {
        rows.insert(&mut session, Existing::Keep).await.unwrap();
        session.execute(&change).await.unwrap();
        rows.insert(&mut session, Existing::Keep).await.unwrap();
    };
    both(asked, answers).await;
}

/// The statements of a plan of one packet.
const STATEMENTS: usize = 6;

/// Those of them before the COMMIT.
const BEFORE_COMMIT: usize = 4;

/// The answer to the first `done` of them; the fourth is for the first id and the time.
fn of_plan(done: usize) -> Said {
    let mut said = Vec::new();
    for statement in 0..done {
        match statement {
            3 => said.extend([vec![2], column(8), column(8), text(&["1024", "7"]), end(KIND, 2 | 8)]),
            5 => said.push(OK.to_vec()),
            _ => said.push(OK_AND_MORE.to_vec()),
        }
    }
    said
}

async fn plan(server: &mut Server, said: &Said) {
    let packet = server.command().await;
    assert!(packet.starts_with(b"\x03BEGIN; UPDATE"));
    assert!(packet.ends_with(b"; SELECT @b, @t; COMMIT; SET @b = NULL, @c = NULL"));
    say(server, said).await;
}

#[tokio::test]
async fn of_a_plan_the_outcome_is_open_if_its_commit_fails_and_of_no_other_statement() {
    let rows = Rows::new(1);
    for done in 0..STATEMENTS {
        let (mut session, mut server) = session().await;
        let mut said = of_plan(done);
        said.push(error(1213, "Deadlock found"));
        let at_commit = done >= BEFORE_COMMIT;
        let answers = async {
            plan(&mut server, &said).await;
            if !at_commit {
                assert_eq!(server.command().await, b"\x03ROLLBACK; SET @b = NULL, @c = NULL");
                say(&mut server, &ok(2)).await;
            }
        };
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Refuse), answers).await;
        if at_commit {
            assert!(is_lost(&inserted), "{inserted:?}");
            ends(session, &mut server).await;
            continue;
        }
        let again = matches!(inserted, Err(Failure::Again { reason: Reason::Statement, .. }));
        assert!(again, "behind {done} statements: {inserted:?}");
        let said = of_plan(STATEMENTS);
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Refuse), plan(&mut server, &said)).await;
        assert_eq!(inserted.unwrap(), [place(1024), place(2048)]);
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_last_answer_leaves_the_outcome_of_a_plan_open() {
    let rows = Rows::new(1);
    for done in 0..STATEMENTS {
        let (mut session, mut server) = session().await;
        let said = of_plan(done);
        let answers = async {
            plan(&mut server, &said).await;
            drop(server);
        };
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Refuse), answers).await;
        assert!(is_lost(&inserted), "behind {done} statements: {inserted:?}");
        assert!(!is_of_use(&mut session).await);
    }
}

#[tokio::test]
async fn of_a_plan_of_several_packets_the_last_one_alone_commits() {
    // Each row is a packet of its own.
    let rows = Rows::new(900 * 1024);
    let (first, last) = (ok(3), vec![OK_AND_MORE.to_vec()]);
    for (failing, done) in [(0, 2), (1, 0), (1, 2), (1, 3)] {
        let (mut session, mut server) = session().await;
        let answers = async {
            assert!(server.command().await.starts_with(b"\x03BEGIN; UPDATE"));
            if failing == 0 {
                say(&mut server, &fails(done, 1213)).await;
            } else {
                say(&mut server, &first).await;
                assert!(server.command().await.ends_with(b"; SELECT @b, @t; COMMIT; SET @b = NULL, @c = NULL"));
                let mut said: Said = last.iter().take(done).cloned().collect();
                if done > 1 {
                    said.extend(of_plan(BEFORE_COMMIT).split_off(BEFORE_COMMIT - 1));
                }
                said.extend((2..done).map(|_| OK_AND_MORE.to_vec()));
                said.push(error(1213, "Deadlock found"));
                say(&mut server, &said).await;
            }
            if done < 2 || failing == 0 {
                assert_eq!(server.command().await, b"\x03ROLLBACK; SET @b = NULL, @c = NULL");
                say(&mut server, &ok(2)).await;
            }
        };
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Refuse), answers).await;
        let at_commit = failing == 1 && done >= 2;
        assert_eq!(is_lost(&inserted), at_commit, "statement {done} of packet {failing}: {inserted:?}");
        assert!(at_commit || matches!(inserted, Err(Failure::Again { .. })), "{inserted:?}");
    }
}

#[tokio::test]
async fn a_session_without_its_user_lock_is_refused() {
    for lock in [text(&["0"]), vec![0xfb]] {
        let (session, _server) = started(&lock).await;
        assert!(matches!(session, Err(StoreError::Refused { .. })), "{session:?}");
    }
}

/// The answer to a question for one number; `None` is NULL.
fn number(number: Option<&str>) -> Said {
    let row = number.map_or_else(|| vec![0xfb], |number| text(&[number]));
    vec![vec![1], column(8), row, end(KIND, 2)]
}

#[tokio::test]
async fn a_lost_session_is_over_when_its_user_lock_is_had() {
    const USED: &[u8] = b"\x03SELECT IS_USED_LOCK('cg_1')";
    const KILL: &[u8] = b"\x03KILL 7";
    const GET: &[u8] = b"\x03SELECT GET_LOCK('cg_1', 1.500)";
    const RELEASE: &[u8] = b"\x03DO RELEASE_LOCK('cg_1')";
    let no_such_thread = || vec![error(1094, "Unknown thread id: 7")];
    /// What is asked and answered, and whether the session is over then.
    type Case = (Vec<(&'static [u8], Said)>, bool);
    let cases: Vec<Case> = vec![
        (vec![(USED, number(None))], true),
        (vec![(USED, number(Some("7"))), (KILL, ok(1)), (GET, number(Some("1"))), (RELEASE, ok(1))], true),
        // It ended in between.
        (vec![(USED, number(Some("7"))), (KILL, no_such_thread()), (GET, number(Some("1"))), (RELEASE, ok(1))], true),
        // Killed, and it goes on for longer than may be waited.
        (vec![(USED, number(Some("7"))), (KILL, ok(1)), (GET, number(Some("0")))], false),
        (vec![(USED, number(Some("7"))), (KILL, ok(1)), (GET, number(None))], false),
        // Somebody else who looks has it: nobody who is not meant is killed.
        (vec![(USED, number(Some("8"))), (GET, number(Some("0")))], false),
        (vec![(USED, number(Some("8"))), (GET, number(Some("1"))), (RELEASE, ok(1))], true),
    ];
    for (script, over) in cases {
        let (mut session, mut server) = session().await;
        let lost = Mark { number: 7, nonce: "cg_1".into() };
        let answers = async {
            for (asked, said) in &script {
                assert_eq!(&server.command().await, asked);
                say(&mut server, said).await;
            }
        };
        let (ended, ()) = both(session.end(&lost, Duration::from_millis(1500)), answers).await;
        assert_eq!(ended.unwrap(), over, "{script:?}");
        ends(session, &mut server).await;
    }
}

#[tokio::test]
async fn a_lost_session_is_not_over_if_whoever_looks_is_lost_too() {
    for answered in 0..3 {
        let (mut session, mut server) = session().await;
        let lost = Mark { number: 7, nonce: "cg_1".into() };
        let said = [number(Some("7")), ok(1)];
        let answers = async {
            for said in &said[..answered] {
                server.command().await;
                say(&mut server, said).await;
            }
            server.command().await;
            drop(server);
        };
        let (ended, ()) = both(session.end(&lost, Duration::from_millis(1500)), answers).await;
        assert!(is_lost(&ended), "behind {answered} answers: {ended:?}");
    }
    // The server says that it goes down: nothing more is asked.
    let (mut session, mut server) = session().await;
    let lost = Mark { number: 7, nonce: "cg_1".into() };
    let answers = async {
        for said in [number(Some("7")), vec![error(1053, "Server shutdown in progress")]] {
            server.command().await;
            say(&mut server, &said).await;
        }
    };
    let (ended, ()) = both(session.end(&lost, Duration::from_millis(1500)), answers).await;
    assert!(is_lost(&ended), "{ended:?}");
    ends(session, &mut server).await;
}
