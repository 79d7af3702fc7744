//! How a put is written and settled, whatever the server (C1, C3, C4 of docs/ARCHITECTURE.md).
//!
//! Groups of one cell are coalesced: a batch of them is one transaction that leaves existing rows alone, and the rows
//! that were not inserted are looked up and judged one by one. A group of several cells is a transaction of its own
//! that refuses existing rows; when it met one, the existing rows are judged: the same cells are left out and the
//! rest is tried again, and anything else is the outcome of the whole group. Every row carries the token of its
//! write, so that an attempt whose answer was lost is settled by looking for it.

mod batches;
mod look;

use std::time::Duration;

use cellgate_metrics::Operation;
use cellgate_schemaless::{Cell, Epoch};

use crate::backend::{PlacedCell, PutGroup, PutOutcome, Timeouts};
use crate::engine::server::attempts::{Attempts, stale};
use crate::engine::server::driver::{Driver, Existing, Failure, Holds, NewRow, Place, Session};
use crate::engine::server::pool::Sessions;
use crate::engine::settle::{Verdict, settle};
use crate::error::StoreError;
use crate::sql::Dialect;

use batches::batches;
use look::look;

/// Most times a row is found to exist and then found not to. Existing rows vanish only when a chain is removed.
const VANISHED: u32 = 5;

/// How long a write waits for another of this process that has the log head pass over: well below the least patience of
/// the monitor. Passing over once more costs a span of ids.
const ALONE: Duration = Duration::from_millis(500);

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

fn placed(place: Place) -> PlacedCell {
    PlacedCell { added_id: place.added_id, created_at: place.created_at, new: true }
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
            attempts.are_about(open.len());
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
                        attempts.are_about(open.len());
                        if !open.is_empty() && !session.tells_places() {
                            attempts.succeeded_untold();
                        }
                    }
                    Err(Failure::Stale) => return Err(self.stale(session).await),
                    Err(failure) => {
                        self.sessions.give_back_answered(lease, &failure);
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
                    self.sessions.give_back_answered(lease, &failure);
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
                        self.sessions.give_back_answered(lease, &failure);
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
                    self.sessions.give_back_answered(lease, &failure);
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
        let starts = self.sessions.starts();
        if let Some(start) = session.start()
            && starts.to_pass(start).is_some()
        {
            // One at a time: who comes behind finds it done. Not waited for long: a session that asks nothing would be taken
            // for lost (`Monitor::answered`), and who waits in the server has its limits for locks.
            let _alone = tokio::time::timeout(ALONE, starts.passing()).await;
            if let Some((passing, since)) = starts.to_pass(start) {
                session.pass_over(passing).await?;
                starts.passed(start, since);
            }
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

/// The server says again and again that a row exists, and it is not there: it must be an id that exists.
fn ids_taken() -> StoreError {
    StoreError::Corrupt {
        detail: "the log head gives out ids that are taken; was it restored from a backup older than the table?"
            .to_owned(),
    }
}
