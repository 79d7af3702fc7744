//! Documents of a meta store on a server: changes whose answers are lost, and versions that others made.

use super::*;

/// A meta store in which the answer to the first attempt of a change is lost, the second one changes nothing, and the
/// document is then this; and what it was asked.
fn meta_behind_a_loss(now: Option<(i64, &'static [u8])>) -> (ServerMeta<FakeDriver>, Arc<Script>) {
    let script = Arc::new(Script::default());
    script.executes.are([Ok(1), Ok(0)]);
    script.runs.are([Ok(()), Err(lost()), Ok(()), Ok(())]);
    let document = now.map(|(version, body)| vec![Value::Int(version), Value::Bytes(Bytes::from_static(body))]);
    script.fetches.are([Ok(document.into_iter().collect())]);
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    (ServerMeta::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap(), script)
}

#[tokio::test]
async fn a_change_of_a_document_whose_answer_is_lost_was_done_if_the_document_says_so() {
    for (now, done) in [
        (Some((3, &b"ours"[..])), Some(true)),
        (Some((3, b"theirs")), Some(false)),
        (Some((2, b"before")), Some(false)),
        // Whether ours was in between is hidden.
        (Some((4, b"later")), None),
        (None, None),
    ] {
        let (meta, script) = meta_behind_a_loss(now);
        match meta.compare_and_set("map", 2, b"ours").await {
            Err(StoreError::MaybeWritten { .. }) => assert_eq!(done, None, "{now:?}"),
            answer => assert_eq!(answer.ok(), done, "{now:?}"),
        }
        // The lost attempt's commit may be visible before the standbys it waited for have it.
        assert!(script.asked().contains(&Asked::Confirm(2)), "{now:?}: {:?}", script.asked());
    }
    assert!(meta_behind_a_loss(None).0.remove("map", 2).await.unwrap());
    assert!(!meta_behind_a_loss(Some((3, b"theirs"))).0.remove("map", 2).await.unwrap());
    let (meta, script) = meta_behind_a_loss(Some((3, b"ours")));
    script.confirms.are((0..1000).map(|_| Err(failed())));
    assert!(meta.compare_and_set("map", 2, b"ours").await.is_err(), "not known to be safe is not done");
}

#[tokio::test]
async fn nobody_goes_by_a_version_of_a_document_that_may_not_be_on_disk() {
    let script = Arc::new(Script::default());
    *lock(&script.start) = Some(Start(1));
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    let meta = ServerMeta::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap();
    let confirmed = || script.asked().iter().filter(|asked| matches!(asked, Asked::Confirm(_))).count();
    let load = async |version| {
        script.fetches.are([Ok(vec![vec![Value::Int(version), Value::Bytes(Bytes::from_static(b"1"))]])]);
        (meta.load("map").await.map(|document| document.unwrap().version), confirmed())
    };
    assert_eq!(load(1).await, (Ok(1), 0), "who only looks changes nothing");
    script.executes.are([Ok(1)]);
    script.runs.are([Ok(()), Ok(())]);
    assert!(meta.compare_and_set("map", 1, b"ours").await.unwrap());
    assert_eq!(load(2).await, (Ok(2), 0), "our own");
    for _ in 0..2 {
        assert_eq!(load(3).await, (Ok(3), 1), "another's, once");
    }
    script.confirms.are([Err(failed())]);
    assert_eq!(load(4).await.0, Err(StoreError::Failed { detail: "for the test".to_owned() }));
}
