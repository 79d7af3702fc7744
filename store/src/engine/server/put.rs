//! How a put is written and settled, whatever the server (C1, C3, C4 of docs/ARCHITECTURE.md).
//!
//! Groups of one cell are coalesced: a batch of them is one transaction that leaves existing rows alone, and the rows
//! that were not inserted are looked up and judged one by one. A group of several cells is a transaction of its own
//! that refuses existing rows; when it met one, the existing rows are judged: the same cells are left out and the
//! rest is tried again, and anything else is the outcome of the whole group. Every row carries the token of its
//! write, so that an attempt whose answer was lost is settled by looking for it.

use std::time::Duration;

use cellgate_metrics::Operation;
use cellgate_schemaless::{Cell, Epoch, TableRef, Triple};

use crate::backend::{BATCH_BYTES, PlacedCell, PutGroup, PutOutcome, Timeouts};
use crate::engine::server::attempts::{Attempts, bounded, unsettled};
use crate::engine::server::driver::{Driver, Existing, Failure, Holds, NewRow, Place, Session, Value};
use crate::engine::server::pool::{Lease, Sessions};
use crate::engine::settle::{Verdict, settle};
use crate::error::StoreError;
use crate::sql::{BATCH_BODY, Dialect, left_out, match_gets};

/// Most rows in one coalesced transaction, for the same reason as [`BATCH_BYTES`].
const BATCH_ROWS: usize = 1024;

/// Most rows looked up by one statement.
const LOOK_ROWS: usize = 256;

/// Most times a row is found to exist and then found not to. Existing rows vanish only when a chain is removed.
const VANISHED: u32 = 5;

/// Writes groups: the body of [`Backend::put`](crate::backend::Backend::put).
pub(crate) async fn put<D: Driver>(
    sessions: &Sessions<D>,
    timeouts: &Timeouts,
    epoch: Epoch,
    groups: &[PutGroup],
) -> Result<Vec<PutOutcome>, StoreError> {
    let put = Put { sessions, timeouts, epoch };
    let numbers: Vec<usize> = (0..groups.len()).collect();
    let single = |&g: &usize| groups[g].cells.len() == 1;
    // In order, so that of two groups with one name the first is stored.
    let parts = numbers.chunk_by(|a, b| single(a) && single(b)).flat_map(|run| match run {
        [group] if !single(group) => vec![vec![*group]],
        run => batches(groups, run.to_vec()),
    });
    let parts: Vec<Vec<usize>> = parts.collect();
    if let [part] = parts.as_slice() {
        // All of it or nothing: who shares it may go on alone.
        return Ok(in_order(part, put.part(groups, part).await?));
    }
    let mut outcomes: Vec<Option<PutOutcome>> = vec![None; groups.len()];
    let mut over = None;
    for part in parts {
        let settled = match &over {
            Some(error) => failed(&part, error),
            None => match put.part(groups, &part).await {
                Ok(settled) => settled,
                Err(error) if error.may_be_of_one() && part.len() > 1 => put.one_by_one(groups, &part).await,
                Err(error) => {
                    let settled = failed(&part, &error);
                    over = (!error.may_be_of_one()).then(|| error.not_begun());
                    settled
                }
            },
        };
        for (group, outcome) in part.into_iter().zip(settled) {
            outcomes[group] = Some(outcome);
        }
    }
    match over {
        // Nothing was written: whoever planned it may plan again.
        Some(error) if outcomes.iter().all(|outcome| *outcome == Some(PutOutcome::Failed(error.clone()))) => Err(error),
        Some(_) | None => all_of(outcomes),
    }
}

/// The outcomes of a part in the order of its groups.
fn in_order(part: &[usize], settled: Vec<PutOutcome>) -> Vec<PutOutcome> {
    let mut placed: Vec<(usize, PutOutcome)> = part.iter().copied().zip(settled).collect();
    placed.sort_by_key(|(group, _)| *group);
    placed.into_iter().map(|(_, outcome)| outcome).collect()
}

fn failed(part: &[usize], error: &StoreError) -> Vec<PutOutcome> {
    part.iter().map(|_| PutOutcome::Failed(error.clone())).collect()
}

fn all_of(outcomes: Vec<Option<PutOutcome>>) -> Result<Vec<PutOutcome>, StoreError> {
    let missing = || StoreError::Failed { detail: "a group without an outcome".to_owned() };
    outcomes.into_iter().map(|outcome| outcome.ok_or_else(missing)).collect()
}

fn rows_of(group: &PutGroup) -> impl Iterator<Item = NewRow<'_>> {
    group.cells.iter().map(|cell| NewRow {
        table: &cell.table,
        shard: cell.shard,
        triple: &cell.triple,
        body: &cell.body,
        token: group.token,
    })
}

/// Splits groups of one cell into batches, each sorted by table and triple, bounded, and with no triple twice: of
/// groups with one name, the first comes in an earlier batch.
fn batches(groups: &[PutGroup], mut singles: Vec<usize>) -> Vec<Vec<usize>> {
    let cell = |g: usize| &groups[g].cells[0];
    let name = |g: usize| (&cell(g).table, &cell(g).triple);
    singles.sort_by(|&a, &b| name(a).cmp(&name(b)));
    let mut batches = Vec::new();
    while !singles.is_empty() {
        let (mut batch, mut bytes, mut later) = (Vec::new(), 0, Vec::new());
        for group in singles {
            if batch.last().is_some_and(|&last| name(last) == name(group)) {
                later.push(group);
                continue;
            }
            let size = groups[group].bytes();
            if !batch.is_empty() && (bytes + size > BATCH_BYTES || batch.len() >= BATCH_ROWS) {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(group);
        }
        batches.push(batch);
        singles = later;
    }
    batches
}

fn placed(place: Place) -> PlacedCell {
    PlacedCell { added_id: place.added_id, created_at: place.created_at, new: true }
}

/// Gives the session back if the server answered: after that it is idle, whatever the answer was. If the server is
/// read-only, the session and all others that are idle are closed: it may be one that was demoted, which must not be read
/// from either, and the next session may reach the server that took over. A right that is missing is no sign of that. If a
/// table is missing that every store has, another store may soon be loaded in its place, which sessions are to be opened to.
pub(crate) fn give_back_answered<D: Driver>(sessions: &Sessions<D>, lease: Lease<D>, failure: &Failure) {
    match failure {
        Failure::Lost { .. } => drop(lease),
        Failure::ReadOnly { .. } => {
            drop(lease);
            sessions.forget_idle();
        }
        Failure::Store(StoreError::NoTable { table }) if table.starts_with("cg_") || table.ends_with(".*") => {
            drop(lease);
            sessions.forget_idle();
        }
        Failure::Again { .. } | Failure::Store(_) | Failure::Duplicate | Failure::Stale => lease.give_back(),
    }
}

struct Put<'a, D: Driver> {
    sessions: &'a Sessions<D>,
    timeouts: &'a Timeouts,
    epoch: Epoch,
}

impl<D: Driver> Put<'_, D> {
    /// One transaction: a group of several cells, or several of one.
    async fn part(&self, groups: &[PutGroup], part: &[usize]) -> Result<Vec<PutOutcome>, StoreError> {
        let members: Vec<&PutGroup> = part.iter().map(|&g| &groups[g]).collect();
        match members.as_slice() {
            [group] if group.cells.len() != 1 => Ok(vec![self.group(group).await?]),
            members => self.singles(members).await,
        }
    }

    /// The groups of a part each by itself, behind an error that one of them may be the cause of.
    async fn one_by_one(&self, groups: &[PutGroup], part: &[usize]) -> Vec<PutOutcome> {
        let mut outcomes = Vec::with_capacity(part.len());
        for group in part {
            let outcome = PutOutcome::of_one(self.part(groups, std::slice::from_ref(group)).await);
            outcomes.push(outcome.unwrap_or_else(PutOutcome::Failed));
        }
        outcomes
    }

    /// Groups of one cell each, sorted by table and triple, no name twice.
    async fn singles(&self, groups: &[&PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        let mut outcomes: Vec<Option<PutOutcome>> = vec![None; groups.len()];
        match self.settle_singles(groups, &mut outcomes).await {
            Ok(()) => all_of(outcomes),
            Err(error) if outcomes.iter().all(Option::is_none) => Err(error),
            // Of the others the error says what is known.
            Err(error) => {
                let failed = || PutOutcome::Failed(error.clone());
                Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(failed)).collect())
            }
        }
    }

    async fn settle_singles(
        &self,
        groups: &[&PutGroup],
        outcomes: &mut [Option<PutOutcome>],
    ) -> Result<(), StoreError> {
        let rows: Vec<NewRow<'_>> = groups.iter().flat_map(|group| rows_of(group)).collect();
        let mut open: Vec<usize> = (0..groups.len()).collect();
        let mut attempts = Attempts::new(self.sessions, self.timeouts, Operation::Put);
        let mut vanished = 0;
        while !open.is_empty() {
            let mut lease = attempts.session().await?;
            let session = lease.session()?;
            let mark = session.mark();
            let after_loss = attempts.lost_one();
            if attempts.in_doubt().is_none() {
                let asked: Vec<NewRow<'_>> = open.iter().map(|&i| rows[i]).collect();
                let insert = self.insert(session, &asked, Existing::Keep);
                match attempts.bounded_sending(&mark, bytes_of(&asked), insert).await {
                    Ok(places) => {
                        for (&i, place) in open.iter().zip(places) {
                            outcomes[i] = place.map(|place| PutOutcome::Stored(vec![placed(place)]));
                        }
                        open.retain(|&i| outcomes[i].is_none());
                        if !open.is_empty() && !session.tells_places() {
                            attempts.succeeded_untold();
                        }
                    }
                    Err(Failure::Stale) => return Err(self.stale(session).await),
                    Err(failure) => {
                        give_back_answered(self.sessions, lease, &failure);
                        attempts.after(failure, mark)?;
                        continue;
                    }
                }
            }
            let asked: Vec<NewRow<'_>> = open.iter().map(|&i| rows[i]).collect();
            let look = async {
                let found = look(session, self.dialect(), &asked).await?;
                let settled = open.iter().zip(&found).map(|(&i, row)| settle(groups[i], std::slice::from_ref(row)));
                let settled: Vec<Verdict> = settled.collect();
                // Behind an insert that went through, its commit is behind all it met.
                if after_loss && settled.iter().any(is_stored) {
                    session.confirm(Holds::Cells).await?;
                }
                Ok((found, settled))
            };
            match attempts.bounded(&mark, look).await {
                Ok((found, settled)) => {
                    lease.give_back();
                    attempts.looked(open.iter().zip(&found).map(|(&i, row)| made(groups[i], row)));
                    for (&i, verdict) in open.iter().zip(settled) {
                        outcomes[i] = match verdict {
                            Verdict::Done(outcome) => Some(outcome),
                            Verdict::Insert(_) => None,
                        };
                    }
                    open.retain(|&i| outcomes[i].is_none());
                    vanished += u32::from(!after_loss);
                    if !open.is_empty() && vanished >= VANISHED {
                        return Err(ids_taken());
                    }
                }
                Err(failure) => {
                    give_back_answered(self.sessions, lease, &failure);
                    attempts.after_look(failure).await?;
                }
            }
        }
        Ok(())
    }

    /// A group of several cells.
    async fn group(&self, group: &PutGroup) -> Result<PutOutcome, StoreError> {
        let rows: Vec<NewRow<'_>> = rows_of(group).collect();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| (rows[a].table, rows[a].triple).cmp(&(rows[b].table, rows[b].triple)));
        let mut places: Vec<Option<PlacedCell>> = vec![None; rows.len()];
        let mut attempts = Attempts::new(self.sessions, self.timeouts, Operation::Put);
        let mut vanished = 0;
        loop {
            let mut lease = attempts.session().await?;
            let session = lease.session()?;
            let mark = session.mark();
            let after_loss = attempts.lost_one();
            if !after_loss {
                let open: Vec<usize> = order.iter().copied().filter(|&i| places[i].is_none()).collect();
                let asked: Vec<NewRow<'_>> = open.iter().map(|&i| rows[i]).collect();
                let insert = self.insert(session, &asked, Existing::Refuse);
                match attempts.bounded_sending(&mark, bytes_of(&asked), insert).await {
                    Ok(inserted) => {
                        lease.give_back();
                        for (i, place) in open.into_iter().zip(inserted) {
                            places[i] = place.map(placed);
                        }
                        let all: Option<Vec<PlacedCell>> = places.into_iter().collect();
                        let torn = || StoreError::Corrupt { detail: "a group was inserted in part".to_owned() };
                        return all.map(PutOutcome::Stored).ok_or_else(torn);
                    }
                    Err(Failure::Duplicate) => {}
                    Err(Failure::Stale) => return Err(self.stale(session).await),
                    Err(failure) => {
                        give_back_answered(self.sessions, lease, &failure);
                        attempts.after(failure, mark)?;
                        continue;
                    }
                }
            }
            // All of them, not only those still open: what is judged together is read together.
            let asked: Vec<NewRow<'_>> = order.iter().map(|&i| rows[i]).collect();
            let look = async {
                let mut existing: Vec<Option<Cell>> = vec![None; rows.len()];
                for (&i, found) in order.iter().zip(look(session, self.dialect(), &asked).await?) {
                    existing[i] = found;
                }
                let verdict = settle(group, &existing);
                // All of it is there, and this write has committed nothing.
                if is_stored(&verdict) {
                    session.confirm(Holds::Cells).await?;
                }
                Ok((existing.iter().any(|row| made(group, row)), verdict))
            };
            match attempts.bounded(&mark, look).await {
                Ok((own, verdict)) => {
                    lease.give_back();
                    attempts.looked(std::iter::once(own));
                    places = match verdict {
                        Verdict::Done(outcome) => return Ok(outcome),
                        Verdict::Insert(places) => places,
                    };
                    vanished += u32::from(!after_loss);
                    if vanished >= VANISHED {
                        return Err(ids_taken());
                    }
                }
                Err(failure) => {
                    give_back_answered(self.sessions, lease, &failure);
                    attempts.after_look(failure).await?;
                }
            }
        }
    }

    /// Inserts rows. Before the first ones behind a start of the server, the head passes over what that may have taken back.
    async fn insert(
        &self,
        session: &mut D::Session,
        rows: &[NewRow<'_>],
        existing: Existing,
    ) -> Result<Vec<Option<Place>>, Failure> {
        if let Some(start) = session.start().filter(|start| !self.sessions.starts().has_passed(*start)) {
            session.pass_over().await?;
            self.sessions.starts().passed(start);
        }
        session.insert(self.epoch, rows, existing).await
    }

    fn dialect(&self) -> &'static Dialect {
        self.sessions.manager().dialect()
    }

    /// Why the head let nothing in.
    async fn stale(&self, session: &mut D::Session) -> StoreError {
        stale(session, self.dialect(), self.epoch, self.timeouts.statement).await
    }
}

/// The error of a write the head let nothing in of, found out within this time.
pub(crate) async fn stale<S: Session>(
    session: &mut S,
    dialect: &Dialect,
    planned: Epoch,
    limit: Duration,
) -> StoreError {
    match bounded(limit, session.fetch(&dialect.select_epoch())).await {
        Ok(rows) => match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(current)) if *current != planned.0 => {
                StoreError::StaleEpoch { planned: planned.0, current: *current }
            }
            // It changed there and back, which only an operator can do.
            Some(Value::Int(_)) => StoreError::Failed { detail: "the epoch changed while it was read".to_owned() },
            Some(Value::Null | Value::Bytes(_)) | None => unsettled(Failure::Stale),
        },
        Err(failure) => unsettled(failure),
    }
}

/// Whether a write is told that all of it is there.
fn is_stored(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Done(PutOutcome::Stored(_)))
}

/// Whether this very write made the row that exists.
fn made(group: &PutGroup, row: &Option<Cell>) -> bool {
    row.as_ref().is_some_and(|row| row.token == group.token)
}

/// About how many bytes the rows are sent in.
fn bytes_of(rows: &[NewRow<'_>]) -> usize {
    rows.iter().map(|row| row.body.as_bytes().len() + row.triple.row.as_bytes().len()).sum()
}

/// The rows of these names: one answer per row.
async fn look<S: Session>(
    session: &mut S,
    dialect: &'static Dialect,
    rows: &[NewRow<'_>],
) -> Result<Vec<Option<Cell>>, Failure> {
    let mut found = Vec::with_capacity(rows.len());
    for same_table in rows.chunk_by(|a, b| a.table == b.table) {
        for chunk in same_table.chunks(LOOK_ROWS) {
            let Some(table): Option<&TableRef> = chunk.first().map(|row| row.table) else { continue };
            let names: Vec<Triple> = chunk.iter().map(|row| row.triple.clone()).collect();
            let cells = match session.cells(&dialect.get(table, &names), usize::MAX).await {
                Ok(found) => found.cells,
                // Of several tables one may be gone: its rows are, and the others may be there.
                Err(Failure::Store(StoreError::NoTable { .. })) if same_table.len() < rows.len() => Vec::new(),
                Err(failure) => return Err(failure),
            };
            let answers = match_gets(&names, cells);
            for (row, mut answer) in chunk.iter().zip(answers) {
                // A long body can only be that of a row as long: the others are told apart without it.
                if let Some(cell) = answer.as_mut().filter(|cell| left_out(cell))
                    && row.body.as_bytes().len() > BATCH_BODY
                {
                    let alone = dialect.get(table, std::slice::from_ref(row.triple));
                    let body = session.cells(&alone, usize::MAX).await?.cells.pop().and_then(|cell| cell.body);
                    cell.body = body.filter(|body| body == row.body);
                }
                found.push(answer);
            }
        }
    }
    Ok(found)
}

/// The server says again and again that a row exists, and it is not there: it must be an id that exists.
fn ids_taken() -> StoreError {
    StoreError::Corrupt {
        detail: "the log head gives out ids that are taken; was it restored from a backup older than the table?"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::{Body, ColumnKey, RefKey, RowKey, ShardId, TableId, Token};

    use super::*;
    use crate::backend::{GroupCell, PutMode};
    use crate::engine::server::ServerOptions;
    use crate::engine::server::fake::FakeDriver;

    fn single(table: u32, row: &str, bytes: usize) -> PutGroup {
        let triple = Triple {
            row: RowKey::from_store(row.as_bytes().to_vec()),
            column: ColumnKey::from_store(b"c".to_vec()),
            ref_key: RefKey(1),
        };
        let body = Body::from_store(vec![b'1'; bytes]);
        let table = TableRef::new("t", TableId(table), 1);
        let cell = GroupCell { table, shard: ShardId(0), triple, body, mode: PutMode::Explicit };
        PutGroup { token: Token(1), cells: vec![cell] }
    }

    fn batches_of(groups: &[PutGroup]) -> Vec<Vec<usize>> {
        batches(groups, (0..groups.len()).collect())
    }

    #[test]
    fn a_batch_is_sorted_by_table_and_name() {
        let groups = [single(2, "a", 1), single(1, "b", 1), single(1, "a", 1)];
        assert_eq!(batches_of(&groups), [[2, 1, 0]]);
    }

    #[test]
    fn of_equal_names_the_first_comes_in_an_earlier_batch() {
        let groups = [single(1, "b", 1), single(1, "a", 1), single(1, "a", 2), single(1, "a", 3)];
        assert_eq!(batches_of(&groups), [vec![1, 0], vec![2], vec![3]]);
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_rows() {
        let large: Vec<PutGroup> = ["a", "b", "c"].map(|row| single(1, row, 600 * 1024)).into();
        assert_eq!(batches_of(&large), [[0], [1], [2]]);
        let many: Vec<PutGroup> = (0..BATCH_ROWS + 1).map(|n| single(1, &format!("{n:05}"), 1)).collect();
        let sizes: Vec<usize> = batches_of(&many).iter().map(Vec::len).collect();
        assert_eq!(sizes, [BATCH_ROWS, 1]);
    }

    #[tokio::test]
    async fn behind_a_write_to_a_read_only_server_no_session_to_it_is_used() {
        let dsn = "postgres://a@localhost/b".parse().unwrap();
        let sessions = Sessions::new(FakeDriver::default(), &ServerOptions::new("a", dsn), Holds::Cells).unwrap();
        let two = async || {
            let (one, other) = (sessions.lease().await.unwrap(), sessions.lease().await.unwrap());
            other.give_back();
            one
        };
        give_back_answered(&sessions, two().await, &Failure::Duplicate);
        assert_eq!(sessions.state().size, 2);
        let refused = StoreError::Refused { detail: "INSERT command denied to user 'cell'@'%'".to_owned() };
        give_back_answered(&sessions, two().await, &Failure::Store(refused));
        assert_eq!(sessions.state().size, 2, "a missing right says nothing of the server");
        let no_table = |table: &str| Failure::Store(StoreError::NoTable { table: table.to_owned() });
        give_back_answered(&sessions, two().await, &no_table("trips_1"));
        assert_eq!(sessions.state().size, 2, "a dropped table says nothing of the others");
        let detail = "the server is running with --read-only".to_owned();
        for failure in [Failure::ReadOnly { detail }, no_table("cg_head"), no_table("cells.*")] {
            give_back_answered(&sessions, two().await, &failure);
            assert_eq!(sessions.state().size, 0, "{failure:?}");
        }
    }
}
