//! How a transaction ends that is not committed.

use super::*;
use crate::engine::server::driver::Guard;
use crate::sql::MYSQL;

const ROLLBACK: &[u8] = b"\x03ROLLBACK; SET @b = NULL, @c = NULL";

#[tokio::test]
async fn a_session_that_could_not_roll_back_is_not_used_again() {
    let rows = Rows::new(1);
    // The ROLLBACK fails, or what is behind it, or the server is gone.
    for rolled_back in [Some(fails(0, 1180)), Some(fails(1, 1205)), None] {
        let (mut session, mut server) = session().await;
        let said = [ok(3), fails(0, 1114), ok(2)];
        let answers = async move {
            prepares(&mut server).await;
            batch(&mut server, &said).await;
            assert_eq!(server.command().await, ROLLBACK);
            match &rolled_back {
                Some(said) => say(&mut server, said).await,
                None => return None,
            }
            Some(server)
        };
        let (inserted, _server) = both(rows.insert(&mut session, Existing::Keep), answers).await;
        let failure = inserted.unwrap_err();
        // Nothing was written, so that it may be tried again elsewhere.
        assert!(matches!(failure, Failure::Again { reason: Reason::Statement, .. }), "{failure:?}");
        assert!(!is_of_use(&mut session).await, "the first id of the next batch may be set");
    }
}

#[tokio::test]
async fn a_node_that_cannot_be_used_now_is_told_so_though_it_refuses_the_rollback_as_well() {
    let rows = Rows::new(1);
    let away = || fails(0, 1047);
    for said in [[away(), away(), away()], [fails(1, 1213), away(), away()]] {
        let (mut session, mut server) = session().await;
        let answers = async {
            prepares(&mut server).await;
            batch(&mut server, &said).await;
            assert_eq!(server.command().await, ROLLBACK);
            say(&mut server, &away()).await;
        };
        let (inserted, ()) = both(rows.insert(&mut session, Existing::Keep), answers).await;
        let failure = inserted.unwrap_err();
        assert!(matches!(failure, Failure::Store(StoreError::Unavailable { .. })), "{failure:?}");
        assert!(!is_of_use(&mut session).await);
    }
}

#[tokio::test]
async fn a_transaction_asks_right_before_its_commit_whether_the_server_was_demoted() {
    const BEGIN: &[u8] = b"\x03SET @w = (NOT (~0 + (INSTR('0OFF', @@read_only) = 0))); BEGIN";
    const ASKED: &[u8] = b"\x03SET @w = (NOT (~0 + (INSTR('0OFF', @@read_only) = 0)))";
    let change = Query { text: "UPDATE t SET a = 1".to_owned(), params: Vec::new() };
    let demoted = vec![error(1690, "BIGINT UNSIGNED value is out of range in '~0 + (locate(@@read_only,'0OFF') = 0)'")];
    for (answer, end) in [(ok(1), b"\x03COMMIT".as_slice()), (demoted, b"\x03ROLLBACK")] {
        let is_demoted = end == b"\x03ROLLBACK";
        let (mut session, mut server) = session().await;
        let answers = async {
            assert_eq!(server.command().await, BEGIN);
            say(&mut server, &ok(2)).await;
            assert_eq!(server.command().await, b"\x16UPDATE t SET a = 1");
            say(&mut server, &vec![vec![0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).await;
            assert!(server.command().await.starts_with(&[0x17, 6, 0, 0, 0]));
            say(&mut server, &ok(1)).await;
            assert_eq!(server.command().await, ASKED);
            say(&mut server, &answer).await;
            assert_eq!(server.command().await, end);
            say(&mut server, &ok(1)).await;
        };
        let changes = std::slice::from_ref(&change);
        let (changed, ()) = both(session.transaction(&MYSQL, Guard::Free, changes), answers).await;
        match changed {
            Ok(_) => assert!(!is_demoted),
            Err(failure) => assert!(is_demoted && matches!(failure, Failure::ReadOnly { .. }), "{failure:?}"),
        }
        assert!(is_of_use(&mut session).await);
    }
}
