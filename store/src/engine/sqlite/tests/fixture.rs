//! A file with a table, and what tests do with it again and again.

use super::*;

pub(super) fn table() -> TableRef {
    TableRef::new("trips", TableId(1), 1)
}

pub(super) fn triple(row: &str, ref_key: i64) -> Triple {
    Triple {
        row: RowKey::new(row.to_owned()).unwrap(),
        column: ColumnKey::new("base").unwrap(),
        ref_key: RefKey(ref_key),
    }
}

pub(super) fn group(number: i64, bytes: usize) -> PutGroup {
    let cell = GroupCell {
        table: table(),
        shard: ShardId(1),
        triple: triple("row", number),
        body: Body::json(format!("\"{}\"", "x".repeat(bytes))).unwrap(),
        mode: PutMode::Explicit,
    };
    PutGroup { token: Token(number), cells: vec![cell] }
}

/// The first step of an erasure, of so many slots.
pub(super) fn step(slots: u32) -> EraseStep {
    EraseStep { after: None, up_to: None, slots }
}

pub(super) async fn open(directory: &Path, options: SqliteOptions) -> (SqliteBackend, Epoch) {
    let backend = SqliteBackend::open(&directory.join("cells.db"), options).unwrap();
    let identity = Identity {
        deployment: "d".repeat(32),
        cluster: ClusterNo::new(1).unwrap(),
        incarnation: 1,
        virtual_shards: 16,
        hash: "xxh3".to_owned(),
        seed: 0,
        format: FORMAT,
    };
    backend.claim(&identity, &[]).await.unwrap();
    backend.create_table(&table()).await.unwrap();
    let (epoch, _) = backend.shards().await.unwrap();
    (backend, epoch)
}

/// The same made with the usual options, and opened again with these: on a busy machine making it takes longer than a test's
/// short bounds.
pub(super) async fn reopen(directory: &Path, options: SqliteOptions) -> (SqliteBackend, Epoch) {
    let (backend, epoch) = open(directory, SqliteOptions::default()).await;
    backend.close().await;
    drop(backend);
    (SqliteBackend::open(&directory.join("cells.db"), options).unwrap(), epoch)
}

/// Keeps the writer until told to go on; answers when it has it.
pub(super) async fn block(backend: &Arc<SqliteBackend>) -> (Sender<()>, JoinHandle<()>) {
    let (release, released) = channel();
    let (begin, begun) = oneshot::channel();
    let wait = move |_: &mut writer::WriteSide| {
        begin.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    };
    let backend = backend.clone();
    let blocker = tokio::spawn(async move { backend.live().unwrap().writer.side(wait).await.unwrap() });
    begun.await.unwrap();
    (release, blocker)
}

/// Every transaction has a time of its own, so that times count transactions.
pub(super) fn transactions<'a>(outcomes: impl IntoIterator<Item = &'a PutOutcome>) -> usize {
    let times: BTreeSet<i64> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            PutOutcome::Stored(places) => places[0].created_at.0,
            other => panic!("not stored: {other:?}"),
        })
        .collect();
    times.len()
}

/// Holds a lock on a thread of its own until what is answered is dropped.
pub(super) fn hold(lock: Arc<Mutex<()>>) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (holds, held) = channel();
    std::thread::spawn(move || {
        let _held = sync::lock(&lock);
        holds.send(()).unwrap();
        let _ = released.recv();
    });
    held.recv().unwrap();
    release
}

/// Puts that share a transaction, each a call of its own: what each is told.
pub(super) async fn together<const N: usize>(
    backend: &Arc<SqliteBackend>,
    epoch: Epoch,
    groups: [PutGroup; N],
    before: impl FnOnce(),
) -> Vec<Result<Vec<PutOutcome>, StoreError>> {
    let (release, blocker) = block(backend).await;
    let mut calls = groups.map(|group| {
        let (backend, groups) = (backend.clone(), [group]);
        Box::pin(async move { backend.put(epoch, &groups).await })
    });
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending(), "queued, and waiting for its answer");
    }
    before();
    release.send(()).unwrap();
    blocker.await.unwrap();
    futures_util::future::join_all(calls).await
}

/// Which of these rows are there.
pub(super) async fn there(backend: &SqliteBackend, numbers: impl IntoIterator<Item = i64>) -> Vec<bool> {
    let names: Vec<Triple> = numbers.into_iter().map(|number| triple("row", number)).collect();
    backend.get(&table(), &names).await.unwrap().iter().map(Option::is_some).collect()
}
