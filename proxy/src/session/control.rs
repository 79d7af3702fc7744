//! Transactions: BEGIN, COMMIT, ROLLBACK, savepoints, autocommit.
//!
//! A transaction is a buffer of cells. COMMIT hands it to the executor, which writes it as one transaction in each
//! cluster; over several clusters it is not atomic yet, and says so when it matters.

use std::collections::BTreeSet;
use std::time::Instant;

use cellgate_schemaless::{NewCell, Version};
use cellgate_sql::{Privilege, TableName, Transaction};
use cellgate_store::StoreError;
use cellgate_store::executor::{CellFate, PutItem, RunError};

use super::buffer::Buffered;
use super::error::{StatementError, Stored};
use super::write::name_of;
use super::{Answer, Characteristics, Done, Open, Session, Start};
use crate::locks::Key;

/// Most savepoints of one transaction. Frameworks nest a few; a loop must not fill the proxy's memory.
const SAVEPOINTS: usize = 1000;

impl Session {
    /// Transaction control.
    pub(super) async fn control(&mut self, control: Transaction) -> Result<Answer, StatementError> {
        match control {
            Transaction::Begin { read_only, consistent_snapshot } => {
                self.commit_open().await?;
                self.unlock_tables().await?;
                self.begin(read_only, if consistent_snapshot { Start::Snapshot } else { Start::Explicit });
            }
            Transaction::Commit { chain, release: _ } => {
                let read_only = self.transaction.as_ref().map(|t| t.read_only);
                self.commit_open().await?;
                if chain {
                    self.begin(read_only, Start::Explicit);
                }
            }
            Transaction::Rollback { chain, release: _ } => {
                let read_only = self.transaction.take().map(|t| t.read_only);
                if chain {
                    self.begin(read_only, Start::Explicit);
                }
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
            }
            Transaction::Release(name) => {
                let (open, index) = self.savepoint(&name)?;
                open.savepoints.truncate(index);
            }
        }
        Ok(Answer::Done(Done::default()))
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

    /// With autocommit off, the first statement that reads or writes opens a transaction.
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

    /// A statement over a table that was a transaction by itself: SET TRANSACTION was about it.
    pub(super) fn use_up_characteristics(&mut self) {
        if self.transaction.is_none() && self.next != Characteristics::default() {
            self.next = Characteristics::default();
        }
    }

    /// Whether the account may still write to the tables of the open transaction. If not, the transaction stays open: a
    /// right that is given back in time counts.
    fn check_commit(&mut self) -> Result<(), StatementError> {
        self.renew_access();
        let Some(open) = self.transaction.as_ref().filter(|open| !open.buffer.is_empty()) else { return Ok(()) };
        for key in &open.tables {
            if let Key::Table(database, table) = key {
                let name = TableName { database: database.clone(), table: table.clone() };
                self.need_named(Privilege::Insert, &name)?;
            }
        }
        Ok(())
    }

    /// Writes what the open transaction holds, and ends it. Without one: nothing to do, never an error.
    ///
    /// Not bounded by the statement's deadline: what is being written is either done or reported (the stores' own
    /// timeouts bound it).
    pub(super) async fn commit_open(&mut self) -> Result<(), StatementError> {
        let entered = self.enter_commit().await?;
        self.check_commit()?;
        // What writes is not cut off by KILL.
        let kill = self.process.kill_switch().clone();
        let _shield = kill.shield();
        let Some(open) = self.transaction.take() else { return Ok(()) };
        if open.buffer.is_empty() {
            return Ok(());
        }
        // As for every write: by a catalog that is too old, it could go to a table that is dropped.
        if let Err(stale) = self.refuse_stale(Instant::now()) {
            self.transaction = Some(open);
            return Err(stale);
        }
        let cells = open.buffer.into_cells();
        // One cluster could have what another refuses: looked at before anything is written.
        let catalog = self.server.catalog().snapshot();
        let known: BTreeSet<u32> = catalog.all_tables().map(|table| table.id).collect();
        if cells.iter().any(|cell| !known.contains(&cell.table.id.0)) {
            return Err(StatementError::TableGone);
        }
        let fates = self.write(cells.iter().map(item).collect(), entered).await;
        judge(&cells, fates)
    }
}

fn item(cell: &Buffered) -> PutItem {
    let new = NewCell {
        row: cell.triple.row.clone(),
        column: cell.triple.column.clone(),
        version: Version::Exact(cell.triple.ref_key),
        body: cell.body.clone(),
    };
    PutItem { table: cell.table.clone(), cell: new, must_be_new: cell.must_be_new }
}

/// What a COMMIT answers.
fn judge(cells: &[Buffered], fates: Vec<CellFate>) -> Result<(), StatementError> {
    let entry = |cell: &Buffered| name_of(&cell.triple.row, &cell.triple.column, Some(cell.triple.ref_key));
    let written = fates.iter().filter(|fate| matches!(fate, CellFate::Written(_))).count();
    let failure = cells.iter().zip(&fates).find_map(|(cell, fate)| match fate {
        CellFate::Conflict(_) => Some(StatementError::LostRace { entry: entry(cell) }),
        // Not the error of a statement that may be bound once more: the transaction is over.
        CellFate::Failed(error) => Some(match error.as_ref() {
            RunError::Cluster { error: StoreError::NoTable { .. }, .. } => StatementError::TableGone,
            error => StatementError::Write { error: error.clone(), stored: Stored::default() },
        }),
        CellFate::Written(_) | CellFate::Withheld => None,
    });
    match failure {
        None => Ok(()),
        Some(failure) if written == 0 => Err(failure),
        Some(failure) => {
            let missing: Vec<String> = cells
                .iter()
                .zip(&fates)
                .filter(|(_, fate)| !matches!(fate, CellFate::Written(_)))
                .take(10)
                .map(|(cell, _)| entry(cell))
                .collect();
            let detail = format!(
                "{written} of {} cells are stored, the others are not (the first of them: {})",
                cells.len(),
                missing.join(", ")
            );
            Err(StatementError::PartlyCommitted { detail, cause: Box::new(failure) })
        }
    }
}
