//! Transactions: BEGIN, COMMIT, ROLLBACK, savepoints, autocommit.
//!
//! A transaction is a buffer of cells. COMMIT hands it to the executor, which writes it as one transaction in each
//! cluster; over several clusters it is not atomic yet, and says so when it matters.

use std::collections::BTreeSet;
use std::time::Instant;

use cellgate_metrics::Stage;
use cellgate_schemaless::{NewCell, TableId, Version};
use cellgate_sql::{Privilege, TableName, Transaction};
use cellgate_store::StoreError;
use cellgate_store::executor::{CellFate, PutItem, RunError};

use super::buffer::Buffered;
use super::error::StatementError;
use super::locking::EnteredCommit;
use super::warnings::Level;
use super::write::{by_clusters, name_within};
use super::{Answer, Characteristics, Done, Open, Session, Start};
use crate::errors::notes;

/// Most savepoints of one transaction. Frameworks nest a few; a loop must not fill the proxy's memory.
const SAVEPOINTS: usize = 1000;

impl Session {
    /// Transaction control.
    pub(super) async fn control(&mut self, control: Transaction) -> Result<Answer, StatementError> {
        match control {
            Transaction::Begin { read_only, consistent_snapshot } => {
                self.end_locked().await?;
                self.begin(read_only, if consistent_snapshot { Start::Snapshot } else { Start::Explicit });
            }
            Transaction::Commit { chain, release: _ } => {
                let read_only = self.transaction.as_ref().map(|t| t.read_only);
                self.commit_open().await?;
                if chain {
                    self.begin(read_only, Start::Explicit);
                }
                self.use_up_characteristics();
            }
            Transaction::Rollback { chain, release: _ } => {
                self.warn_if_erased();
                let read_only = self.transaction.take().map(|t| t.read_only);
                if chain {
                    self.begin(read_only, Start::Explicit);
                }
                self.use_up_characteristics();
            }
            Transaction::Savepoint(name) => {
                // Without a transaction a savepoint is gone as soon as it is set, as in MySQL.
                self.open_implicitly();
                if let Some(open) = &mut self.transaction {
                    open.savepoints.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
                    if open.savepoints.len() >= SAVEPOINTS {
                        let limit = SAVEPOINTS as u64;
                        return Err(StatementError::TransactionTooLarge { limit, name: "savepoints" });
                    }
                    open.savepoints.push((name, open.buffer.len()));
                }
            }
            Transaction::RollbackTo(name) => {
                let (open, index) = self.savepoint(&name)?;
                let len = open.savepoints[index].1;
                open.savepoints.truncate(index + 1);
                open.buffer.truncate(len);
                self.warn_if_erased();
            }
            Transaction::Release(name) => {
                let (open, index) = self.savepoint(&name)?;
                open.savepoints.truncate(index);
            }
        }
        Ok(Answer::Done(Done::default()))
    }

    /// Says, where something is rolled back, that what the open transaction has erased is not.
    fn warn_if_erased(&mut self) {
        if self.transaction.as_ref().is_some_and(|open| open.erased) {
            self.warn_of_erasures();
        }
    }

    fn warn_of_erasures(&mut self) {
        let warning = "Some non-transactional changed tables couldn't be rolled back";
        self.warn(Level::Warning, notes::NOT_ROLLED_BACK, warning);
    }

    fn savepoint(&mut self, name: &str) -> Result<(&mut Open, usize), StatementError> {
        let missing = || StatementError::NoSavepoint(name.to_owned());
        let open = self.transaction.as_mut().ok_or_else(missing)?;
        let index =
            open.savepoints.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)).ok_or_else(missing)?;
        Ok((open, index))
    }

    /// Opens a transaction; its characteristics are those of the statement, of SET TRANSACTION, or the session's.
    fn begin(&mut self, read_only: Option<bool>, start: Start) {
        let mut asked = std::mem::take(&mut self.next);
        asked.read_only = read_only.or(asked.read_only);
        let read_only = asked.read_only.unwrap_or_else(|| self.variables.derived().read_only);
        self.transaction = Some(Open { read_only, start, asked, ..Open::default() });
    }

    /// With autocommit off, the first statement that reads a table or writes opens a transaction.
    pub(super) fn open_implicitly(&mut self) {
        if self.transaction.is_none() && !self.variables.derived().autocommit {
            self.begin(None, Start::Implicit);
        }
    }

    /// A write in a READ ONLY transaction or session is refused.
    pub(super) fn refuse_read_only(&self) -> Result<(), StatementError> {
        let read_only = match &self.transaction {
            Some(open) => open.read_only,
            // What was said of the next transaction: with autocommit that is this statement.
            None => self.next.read_only.unwrap_or_else(|| self.variables.derived().read_only),
        };
        if read_only { Err(StatementError::ReadOnlyTransaction) } else { Ok(()) }
    }

    /// SET TRANSACTION was about a statement over a table that was a transaction by itself, or about the transaction that
    /// a statement has ended, whether or not one was open.
    pub(super) fn use_up_characteristics(&mut self) {
        if self.transaction.is_none() && self.next != Characteristics::default() {
            self.next = Characteristics::default();
        }
    }

    /// Whether the account may still write to these tables, by the names they have now. Those that are gone are not asked
    /// about.
    fn check_commit(&mut self, tables: &[TableName]) -> Result<(), StatementError> {
        self.renew_access();
        tables.iter().try_for_each(|name| self.need_named(Privilege::Insert, name))
    }

    /// Waits until a COMMIT may write to these tables.
    ///
    /// # Errors
    /// It may not: by the locks of others, by the rights of its account, or by a catalog that is too old. Nothing is
    /// written.
    async fn let_in(&mut self, written: &BTreeSet<TableId>) -> Result<EnteredCommit, StatementError> {
        let entered = self.enter_commit(written).await?;
        self.renew_access();
        let version = self.access().version();
        let mut allowed = self.check_commit(&entered.tables);
        if allowed.as_ref().is_err_and(StatementError::suspects_access) && self.has_newer_access(version).await {
            allowed = self.check_commit(&entered.tables);
        }
        allowed?;
        // What ended the wait may have taken its own locks as well. Behind the rights: a loss is told once.
        self.check_losses()?;
        // As for every write: by a catalog that is too old, it could go to a table that is dropped.
        self.refuse_stale(Instant::now())?;
        Ok(entered)
    }

    /// Writes what the open transaction holds, and ends it. Without one: nothing to do, never an error.
    ///
    /// After an error it is over as well, as in MySQL: clients take it for over, and pools give the connection to the next
    /// one, whose writes must not end up in it.
    ///
    /// Not bounded by the statement's deadline: what is being written is either done or reported (the stores' own
    /// timeouts bound it). KILL ends the waiting before it.
    pub(super) async fn commit_open(&mut self) -> Result<(), StatementError> {
        let erased = self.transaction.as_ref().is_some_and(|open| open.erased);
        let committed = self.commit_or_roll_back().await;
        if erased && committed.is_err() {
            self.warn_of_erasures();
        }
        committed
    }

    async fn commit_or_roll_back(&mut self) -> Result<(), StatementError> {
        if self.transaction.as_ref().is_some_and(|open| !open.buffer.is_empty()) {
            self.check_losses()?;
        }
        let Some(open) = self.transaction.take().filter(|open| !open.buffer.is_empty()) else { return Ok(()) };
        // What writes is not cut off by KILL.
        let kill = self.process.kill_switch().clone();
        let shield = kill.shield();
        let written = open.buffer.tables();
        let let_in = kill.interruptible_within(&shield, self.let_in(&written)).await;
        let EnteredCommit { entered, tables } =
            let_in.unwrap_or(Err(StatementError::Interrupted)).map_err(rolled_back)?;
        // One cluster could have what another refuses: looked at before anything is written.
        if tables.len() < written.len() {
            return Err(StatementError::TableGone);
        }
        let cells = open.buffer.into_cells();
        let timed = self.timed(Stage::Store);
        let topology = self.server.deployment().executor().topology();
        let items = cells.iter().map(item).collect();
        let judged = move |fates| {
            let cluster_of = |cell: &Buffered| {
                let entry = topology.cluster_of(cell.shard).and_then(|number| topology.cluster(number));
                entry.map_or_else(|| "unlisted".to_owned(), |entry| entry.name.clone())
            };
            judge(&cells, fates, cluster_of)
        };
        let written = self.write(items, entered, judged).await;
        drop(timed);
        written
    }

    /// Ends the transaction and LOCK TABLES before a statement that does so. The tables are let go of whatever became of the
    /// transaction, as in MySQL. That is answered, and logged if it was done in part, also if KILL ends the waiting for
    /// the meta store behind it.
    pub(super) async fn end_locked(&mut self) -> Result<(), StatementError> {
        let kill = self.process.kill_switch().clone();
        let shield = kill.shield();
        let committed = self.commit_open().await;
        let let_go = kill.interruptible_within(&shield, self.unlock_tables()).await;
        committed?;
        self.behind_commit(let_go)
    }
}

/// Why a COMMIT of which nothing is written was not done: its transaction is over.
fn rolled_back(error: StatementError) -> StatementError {
    StatementError::RolledBack(Box::new(error))
}

fn item(cell: &Buffered) -> PutItem {
    let new = NewCell {
        row: cell.triple.row.clone(),
        column: cell.triple.column.clone(),
        version: Version::Exact(cell.triple.ref_key),
        body: cell.body.clone(),
    };
    PutItem { table: cell.table.clone(), cell: new, must_be_new: !cell.stored }
}

/// How many cells of a kind are named.
const NAMED: usize = 10;

/// How many bytes the keys of all cells that are named have together: the rest of the message is to be there, too.
const NAMES_BYTES: usize = 1000;

/// The same of one cell that is named alone.
const NAME_BYTES: usize = 256;

/// What a COMMIT answers. Where it is not known of a part whether it is stored, no error says that the transaction may be
/// repeated, whatever became of the others. `cluster_of` names the cluster that has, or would have, a cell.
fn judge(
    cells: &[Buffered],
    fates: Vec<CellFate>,
    cluster_of: impl Fn(&Buffered) -> String,
) -> Result<(), StatementError> {
    let is_written = |fate: &CellFate| matches!(fate, CellFate::Written(_));
    // A cell that was there at its INSERT, and still is, is no part of the transaction.
    let is_old = |fate: &CellFate| matches!(fate, CellFate::Written(written) if !written.new);
    let all = || cells.iter().zip(&fates).filter(|(cell, fate)| !(cell.stored && is_old(fate)));
    let count = |of: &dyn Fn(&CellFate) -> bool| all().filter(|(_, fate)| of(fate)).count();
    let (cells, written, unknown) = (count(&|_| true), count(&is_written), count(&CellFate::is_unknown));
    // What was there before the transaction is no part of it that was done.
    let is_done = |fate: &CellFate| matches!(fate, CellFate::Written(written) if written.new);
    let in_part = count(&is_done) > 0 || (unknown > 0 && unknown < cells);
    let failure = |(cell, fate): (&Buffered, &CellFate)| match fate {
        CellFate::Conflict(_) => Some(StatementError::LostRace { entry: entry(cell, NAME_BYTES) }),
        CellFate::Failed(error) => Some(match error.as_ref() {
            // Not the error of a statement that may be bound once more: the transaction is over.
            RunError::Cluster { error: StoreError::NoTable { .. }, .. } if !in_part => StatementError::TableGone,
            error => StatementError::Write { error: error.clone(), stored: Box::default() },
        }),
        CellFate::Written(_) | CellFate::Withheld => None,
    };
    let cause = all().filter(|(_, fate)| fate.is_unknown()).chain(all()).find_map(failure);
    match cause {
        None => Ok(()),
        Some(cause @ StatementError::Write { .. }) if !in_part && unknown == 0 => Err(rolled_back(cause)),
        Some(cause) if !in_part => Err(cause),
        Some(cause) => {
            let rest = cells - written - unknown;
            let most = NAMES_BYTES / (unknown.min(NAMED) + rest.min(NAMED)).max(1);
            let named = |of: &dyn Fn(&CellFate) -> bool| {
                let of_kind = all().filter(|(_, fate)| of(fate)).take(NAMED);
                let names: Vec<String> = of_kind.map(|(cell, _)| entry(cell, most)).collect();
                names.join(", ")
            };
            let done = if written > 0 { "was" } else { "may be" };
            let mut detail = format!("COMMIT {done} done in part: {written} of {cells} cells are stored");
            if unknown > 0 {
                let names = named(&CellFate::is_unknown);
                detail.push_str(&format!(", {unknown} may be stored (the first of them: {names})"));
            }
            if rest > 0 {
                let names = named(&|fate| !is_written(fate) && !fate.is_unknown());
                // What another has written may be the same: that such a cell is not stored would not be true.
                let are_not = match count(&|fate| matches!(fate, CellFate::Conflict(_))) {
                    0 => "are not",
                    _ => "were not written by it, but some by another",
                };
                detail.push_str(&format!(", the others {are_not} (the first of them: {names})"));
            }
            let clusters = |of: &dyn Fn(&CellFate) -> bool| -> BTreeSet<String> {
                all().filter(|(_, fate)| of(fate)).map(|(cell, _)| cluster_of(cell)).collect()
            };
            let rest = clusters(&|fate| !is_written(fate) && !fate.is_unknown());
            let clusters = by_clusters("COMMIT", clusters(&is_written), clusters(&CellFate::is_unknown), rest);
            Err(StatementError::PartlyCommitted { detail, clusters, cause: Box::new(cause) })
        }
    }
}

/// What the client knows a cell by, with at most so many bytes of its keys.
fn entry(cell: &Buffered, most: usize) -> String {
    name_within(most, &cell.triple.row, &cell.triple.column, Some(cell.triple.ref_key))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cellgate_schemaless::{AddedId, Body, ColumnKey, Micros, RefKey, RowKey, ShardId, TableRef, Triple, Written};
    use cellgate_store::Reason;

    use super::*;
    use crate::errors;
    use crate::incidents::Incidents;

    fn buffered(row: &str) -> Buffered {
        let row = RowKey::from_store(row.as_bytes().to_vec());
        let column = ColumnKey::from_store(b"c".to_vec());
        Buffered {
            table: TableRef::new("t", TableId(1), 1),
            triple: Triple { row, column, ref_key: RefKey(1) },
            body: Body::from_store(b"1".to_vec()),
            stored: false,
            at: Micros(0),
            shard: ShardId(0),
        }
    }

    fn failed(error: StoreError) -> CellFate {
        CellFate::Failed(Arc::new(RunError::Cluster { cluster: "b".to_owned(), error }))
    }

    fn lost() -> CellFate {
        failed(StoreError::MaybeWritten { detail: "gone".to_owned() })
    }

    fn done() -> Written {
        let (added_id, created_at) = (AddedId(1), Micros(1));
        Written { ref_key: RefKey(1), added_id, shard: ShardId(0), created_at, new: true }
    }

    fn written() -> CellFate {
        CellFate::Written(done())
    }

    /// Number and text of the answer of a COMMIT of one cell in each of two clusters.
    fn answer(fates: [CellFate; 2]) -> (u16, String) {
        let cluster_of =
            |cell: &Buffered| if cell.triple.row.as_bytes().as_ref() == b"r1" { "a" } else { "b" }.to_owned();
        let error = judge(&[buffered("r1"), buffered("r2")], fates.to_vec(), cluster_of).unwrap_err();
        if let StatementError::PartlyCommitted { clusters, .. } = &error {
            assert!(clusters.contains("[a]") && clusters.contains("[b]") && !clusters.contains("r1"), "{clusters}");
        }
        assert!(!error.suspects_catalog(), "a COMMIT is not run once more: {error}");
        let reply = errors::reply(&error, &Incidents::default());
        (reply.code, reply.message)
    }

    #[test]
    fn a_commit_that_may_be_stored_in_one_cluster_says_so_whatever_another_answered() {
        let nothing_written = || {
            [
                CellFate::Conflict(RefKey(1)),
                failed(StoreError::NoTable { table: "t_1".to_owned() }),
                failed(StoreError::Timeout { reason: Reason::Lock, detail: String::new() }),
                failed(StoreError::Unavailable { reason: Reason::Connect, detail: String::new() }),
            ]
        };
        for other in nothing_written() {
            let are_not = match other {
                CellFate::Conflict(_) => "were not written by it, but some by another",
                _ => "are not",
            };
            let (code, text) = answer([other, lost()]);
            assert_eq!(code, 1180, "{text}");
            let known = format!(
                "COMMIT may be done in part: 0 of 2 cells are stored, 1 may be stored (the first of them: r2-c-1), the \
                 others {are_not} (the first of them: r1-c-1): "
            );
            assert!(text.starts_with(&known) && text.contains("'b' was lost during a write"), "{text}");
        }
    }

    #[test]
    fn however_long_the_keys_are_all_is_said_that_is_to_be_known() {
        let cell = |_| {
            let mut cell = buffered("r");
            cell.triple.row = RowKey::from_store(vec![0xff; 1020]);
            cell.triple.ref_key = RefKey(i64::MAX);
            cell
        };
        let cells: Vec<Buffered> = (0..24).map(cell).collect();
        let fates: Vec<CellFate> =
            (0..24).map(|place| if place < 12 { lost() } else { CellFate::Conflict(RefKey(1)) }).collect();
        let error = judge(&cells, fates.clone(), |_| "b".to_owned()).unwrap_err();
        let text = errors::reply(&error, &Incidents::default()).message;
        assert!(
            text.contains("24 cells are stored, 12 may be stored") && text.contains(", the others were not"),
            "{text}"
        );
        assert!(text.ends_with(')') && text.contains("log id"), "{} bytes: {text}", text.len());
        let error = judge(&cells[12..], fates[12..].to_vec(), |_| "b".to_owned()).unwrap_err();
        assert!(errors::reply(&error, &Incidents::default()).message.ends_with("was written by another)"), "{error}");
    }

    #[test]
    fn what_another_wrote_before_a_commit_that_is_done_in_part_is_not_said_to_be_missing() {
        let (code, text) = answer([written(), CellFate::Conflict(RefKey(1))]);
        let known = "COMMIT was done in part: 1 of 2 cells are stored, the others were not written by it, but some by \
                     another (the first of them: r2-c-1): Deadlock found";
        assert!(code == 1180 && text.starts_with(known), "{text}");
    }

    #[test]
    fn a_cell_that_was_there_before_is_no_part_that_was_done() {
        let there = Buffered { stored: true, ..buffered("r1") };
        let before = CellFate::Written(Written { new: false, ..done() });
        let error = judge(&[there, buffered("r2")], vec![before, lost()], |_| "b".to_owned()).unwrap_err();
        let reply = errors::reply(&error, &Incidents::default());
        assert_eq!(reply.code, 1429, "{}", reply.message);
    }

    #[test]
    fn a_commit_done_in_one_cluster_tells_what_is_missing_from_what_may_be_stored() {
        let (code, text) = answer([written(), lost()]);
        assert_eq!(code, 1180);
        let known = "COMMIT was done in part: 1 of 2 cells are stored, 1 may be stored (the first of them: r2-c-1): ";
        assert!(text.starts_with(known), "{text}");

        let (code, text) = answer([failed(StoreError::NoTable { table: "t_1".to_owned() }), written()]);
        assert_eq!(code, 1180);
        let known =
            "COMMIT was done in part: 1 of 2 cells are stored, the others are not (the first of them: r1-c-1): ";
        assert!(text.starts_with(known) && !text.contains("nothing"), "{text}");
    }

    #[test]
    fn a_commit_of_which_nothing_is_stored_or_all_may_be_has_the_number_of_its_cause() {
        assert_eq!(answer([CellFate::Conflict(RefKey(1)), CellFate::Withheld]).0, 1213);
        assert_eq!(answer([failed(StoreError::NoTable { table: "t_1".to_owned() }), CellFate::Withheld]).0, 1412);
        // Clients repeat the statement behind 1205, and a second COMMIT would succeed.
        let late = failed(StoreError::Timeout { reason: Reason::Lock, detail: String::new() });
        let (code, text) = answer([late, CellFate::Withheld]);
        assert!(code == 1213 && text.ends_with("; the transaction is rolled back"), "{text}");
        let (code, text) = answer([lost(), lost()]);
        assert!(code == 1429 && text.contains("may be stored"), "{text}");
    }
}
