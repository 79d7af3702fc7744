//! Transactions and their savepoints.

use crate::command::{Command, Transaction};
use crate::error::SqlError;
use crate::testing::bound;

#[test]
fn transactions_are_understood_in_every_form() {
    let begin = |read_only, consistent_snapshot| Transaction::Begin { read_only, consistent_snapshot };
    for (text, expected) in [
        ("BEGIN", begin(None, false)),
        ("begin;", begin(None, false)),
        ("BEGIN WORK", begin(None, false)),
        ("START TRANSACTION", begin(None, false)),
        ("start transaction read only", begin(Some(true), false)),
        ("START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */", begin(None, true)),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE", begin(Some(false), true)),
        ("COMMIT", Transaction::Commit { chain: false, release: false }),
        ("COMMIT WORK AND CHAIN NO RELEASE", Transaction::Commit { chain: true, release: false }),
        ("ROLLBACK AND NO CHAIN RELEASE", Transaction::Rollback { chain: false, release: true }),
        ("rollback", Transaction::Rollback { chain: false, release: false }),
        ("SAVEPOINT sa_savepoint_1", Transaction::Savepoint("sa_savepoint_1".into())),
        ("SAVEPOINT `s139802204703616_x1`", Transaction::Savepoint("s139802204703616_x1".into())),
        ("ROLLBACK TO SAVEPOINT `x`", Transaction::RollbackTo("x".into())),
        ("ROLLBACK WORK TO sp", Transaction::RollbackTo("sp".into())),
        ("RELEASE SAVEPOINT trx1", Transaction::Release("trx1".into())),
    ] {
        match bound(text) {
            Ok(Command::Transaction(transaction)) => assert_eq!(transaction, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn names_of_savepoints_and_prepared_statements_have_64_characters_at_most() {
    let long = "ü".repeat(64);
    for start in ["SAVEPOINT", "ROLLBACK TO", "RELEASE SAVEPOINT", "DEALLOCATE PREPARE", "EXECUTE"] {
        assert!(bound(&format!("{start} `{long}`")).is_ok(), "{start}");
        let refused = bound(&format!("{start} `{long}x`"));
        assert!(matches!(refused, Err(SqlError::IdentifierTooLong(_))), "{start}: {refused:?}");
    }
    let refused = bound(&format!("PREPARE `{long}x` FROM 'SELECT 1'"));
    assert!(matches!(refused, Err(SqlError::IdentifierTooLong(_))), "{refused:?}");
}
