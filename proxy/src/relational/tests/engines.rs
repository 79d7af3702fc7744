//! Engines: what they keep, how many they are, and what ends them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_sql::{Row, SqlError, Value};

use super::super::{ENGINES, Engine, Filling, Key, RelationalFailure, Source, State};
use super::{Session, until};
use crate::catalog::{CatalogDocument, Snapshot};

#[test]
fn an_engine_is_used_again_for_the_same_catalog_and_filled_anew_for_another() {
    let mut session = Session::new();
    let count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'";
    assert_eq!(session.rows(count), ["2"]);
    assert_eq!(session.rows(count), ["2"]);
    assert_eq!(session.engine.idle.lock().unwrap().len(), 1);
    let document = CatalogDocument { databases: vec!["shop".into()], ..CatalogDocument::default() };
    session.catalog = Arc::new(Snapshot::new(2, &document));
    assert_eq!(session.rows(count), ["0"]);
    let idle = session.engine.idle.lock().unwrap();
    assert!(idle.iter().any(|e| e.key() == Some(&Key { catalog: 2, sight: String::new() })));
}

#[test]
fn filling_a_table_ends_when_nobody_waits_for_it() {
    let session = Session::new();
    let program = Arc::new(session.program("SELECT COUNT(*) FROM information_schema.tables", &[]).unwrap());
    let (until, waiting) = until(Duration::from_secs(20));
    drop(waiting);
    let ended = session.engine.run_now(&program, &session.catalog, &State::default(), &until);
    assert!(matches!(ended, Err(RelationalFailure::Timeout)), "{ended:?}");
    // What was filled in part is nothing to go on with.
    assert!(session.engine.idle.lock().unwrap().is_empty());
    assert_eq!(session.rows("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'"), ["2"]);
}

#[test]
fn rows_are_made_one_after_the_other_for_as_long_as_somebody_waits() {
    let session = Session::new();
    let program = Arc::new(session.program("SELECT 1 FROM information_schema.engines", &[]).unwrap());
    let endless = || Box::new(std::iter::repeat_with(|| vec![Value::Int(1); 6])) as Box<dyn Iterator<Item = Row>>;
    let (until, _waiting) = until(Duration::from_millis(50));
    let filling = Filling { relation: program.relations()[0], rows: Source::Kept(Box::new(endless)) };
    let mut engine = Engine::new().unwrap();
    let ended = engine.run(&program, 1, vec![filling], &until);
    assert!(matches!(ended, Err(RelationalFailure::Timeout)), "{ended:?}");
    assert!(engine.is_half_filled());
}

#[test]
fn engines_at_work_and_idle_ones_are_no_more_than_their_bound_together() {
    let mut session = Session::new();
    for version in 1..=5 {
        session.catalog = Arc::new(Snapshot::new(version, &CatalogDocument::default()));
        session.rows("SELECT COUNT(*) FROM information_schema.tables");
    }
    let idle = || session.engine.idle.lock().unwrap().len();
    assert_eq!(idle(), 5);
    let key = |catalog| Key { catalog, sight: "others".to_owned() };
    // Three at work beside this one: there is room for one more.
    let _at_work = session.engine.room.at_work(3);
    drop(session.engine.take(&key(10)).unwrap());
    assert_eq!(idle(), 5);
    let _more = session.engine.room.at_work(4);
    drop(session.engine.take(&key(11)).unwrap());
    assert_eq!(idle(), 4, "the one unused for longest has its place");
}

#[test]
fn an_engine_that_failed_is_not_used_again() {
    let session = Session::new();
    let variables = "SELECT COUNT(*) FROM performance_schema.session_variables";
    let run = |bytes: usize| {
        let program = Arc::new(session.program(variables, &[]).unwrap());
        let variable = ("x".to_owned(), Value::Text("x".repeat(bytes).into()));
        let state = State { session_variables: vec![variable], ..State::default() };
        let (until, _waiting) = until(Duration::from_secs(20));
        session.engine.run_now(&program, &session.catalog, &state, &until)
    };
    // Longer than any value SQLite is to hold.
    let failed = run(65 << 20);
    let is_named = matches!(failed, Err(RelationalFailure::Sql(SqlError::Limit { name: "row_bytes", .. })));
    assert!(is_named, "{failed:?}");
    assert!(session.engine.idle.lock().unwrap().is_empty());
    assert_eq!(run(1).unwrap().rows, [[Value::Int(1)]]);
    assert_eq!(session.rows("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'"), ["2"]);
}

#[test]
fn an_engine_nobody_waits_for_has_its_room_until_its_thread_is_free() {
    let session = Session::new();
    let program = session.program("SELECT COUNT(*) FROM information_schema.tables", &[]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let busy = tokio::task::spawn_blocking(move || held.recv());
        let deadline = Instant::now() + Duration::from_secs(20);
        let engine = Arc::clone(&session.engine);
        let mut run = Box::pin(engine.run("app", program, Arc::clone(&session.catalog), State::default(), deadline));
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(run.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        drop(run);
        assert_eq!(session.engine.room.free(), ENGINES - 1);
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
    });
    // Waits for the work that was begun.
    drop(runtime);
    assert_eq!(session.engine.room.free(), ENGINES);
}
