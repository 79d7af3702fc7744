//! Commits that the server itself refuses.

use cellgate_schemaless::Erasure;
use cellgate_store::{EraseStep, PutMode, PutOutcome, StoreError};

use crate::fixture::{EPOCH, Holder, SHORT, Store, all_new, triple};

/// Has the next `times` commits of this store's table fail with this SQLSTATE.
async fn refuse(store: &Store, state: &str, times: u32) {
    let statement = format!(
        "CREATE SEQUENCE IF NOT EXISTS commits; ALTER SEQUENCE commits RESTART; \
         CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('commits') <= {times} THEN RAISE EXCEPTION 'for the test' USING ERRCODE = '{state}'; END IF; \
         RETURN NULL; END $$; \
         DROP TRIGGER IF EXISTS refuse ON {table}; CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON {table} \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
        table = store.table.physical()
    );
    Holder::run(store, &statement).await.commit().await;
}

pub async fn a_commit_that_the_server_refuses_is_never_said_to_be_stored(store: Store) {
    let proxy = store.proxy(None, SHORT);
    let write = |version, cells: usize| {
        let rows = ["a", "b", "c"].map(|row| (row, version, "1"));
        store.group(PutMode::Append, &rows[..cells])
    };
    let mut there = 0;
    for (version, cells) in [(1, 1), (2, 3)] {
        let group = write(version, cells);
        // By a rule of the table: it is rolled back, and the caller is told.
        refuse(&store, "23514", 1000).await;
        let outcome = match proxy.put(EPOCH, std::slice::from_ref(&group)).await {
            Ok(mut outcomes) => outcomes.remove(0),
            Err(error) => PutOutcome::Failed(error),
        };
        assert!(matches!(outcome, PutOutcome::Failed(StoreError::Failed { .. })), "{outcome:?}");
        assert_eq!(store.log().await.len(), there);
        // For what is tried again: a conflict of transactions, and a session that the server ends.
        for (state, version) in [("40001", 10 * version), ("57P01", 10 * version + 1)] {
            refuse(&store, state, 1).await;
            let outcomes = proxy.put(EPOCH, &[write(version, cells)]).await.unwrap();
            assert!(all_new(&outcomes[0]), "{state}: {outcomes:?}");
            there += cells;
            assert_eq!(store.log().await.len(), there, "{state}");
        }
    }
    // What several statements have changed is not known behind a COMMIT that fails, and done again.
    refuse(&store, "23514", 1).await;
    let (name, step) = (triple("a", 10), EraseStep { after: None, up_to: None, slots: 1 });
    let erased = proxy.erase(EPOCH, &store.table, &Erasure::Cell(name.clone()), &step).await.unwrap();
    assert_eq!(erased.cells, 1);
    assert_eq!(proxy.get(&store.table, &[name]).await.unwrap()[0].as_ref().and_then(|cell| cell.body.clone()), None);
    refuse(&store, "23514", 1000).await;
    let error = proxy.erase(EPOCH, &store.table, &Erasure::Cell(triple("a", 11)), &step).await.unwrap_err();
    assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
    let kept = proxy.get(&store.table, &[triple("a", 11)]).await.unwrap();
    assert!(kept[0].as_ref().is_some_and(|cell| cell.body.is_some()), "{kept:?}");
}
