//! Statements by their plan: the short way from a text or a prepared statement to its answer.
//!
//! Most of what a busy client sends is a statement of a known shape ([`Template`]), in autocommit, in a session with
//! nothing unusual about it. Such a statement is answered here, from its parameters to its packet, without parsing,
//! binding or shaping. Everything else goes the long way, which gives the same answers.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cellgate_metrics::{Command as CommandLabel, Outcome, Shape as ShapeLabel, Stage};
use cellgate_schemaless::{Body, Cell, Triple};
use cellgate_sql::{Filled, Privilege, Statement, StatementKind, Template, Value};
use cellgate_store::executor::{CellFate, RunError};

use super::ending::{Ending, Shown};
use super::environment::AT_A_TIME;
use super::error::StatementError;
use super::to_the_end::carried_or;
use super::warnings::Warnings;
use super::write::name_of;
use super::{Characteristics, Done, Session};
use crate::locks::{Locks, QuickWrite};
use crate::plans::{Compiled, Plan};
use crate::wire::{Attributes, Known, Replied, Reply, WireError};

/// Longest text that is remembered to the letter, in bytes: what drivers send at every connection, checkout and commit.
const KNOWN_TEXT: usize = 1024;

/// A row with a body of fewer bytes is no longer than any `max_allowed_packet` allows.
const SURELY_FITS: usize = 64 * 1024;

/// A statement that can be answered by its template.
pub(super) struct Ready {
    /// Keeps whoever locks tables waiting until it is over; a read has none.
    write: Option<QuickWrite>,
    compiled: Arc<Compiled>,
    filled: Filled,
}

/// What became of a statement that was ready.
pub(super) enum Answered<'a> {
    /// It was answered.
    Replied(Replied),
    /// Nothing was done, because the catalog may be out of date or the row is too long; the long way reads it again.
    LongWay(Reply<'a>),
}

/// What a template answers.
enum Quick {
    Row(Option<Cell>),
    Done(Done),
}

impl Session {
    /// The plan of a text with its literals taken out, if it may be of a known shape, and the literals.
    pub(super) fn normal_plan(&mut self, text: &Bytes) -> Option<(Arc<Plan>, Vec<Value>)> {
        let mode = self.variables.sql_mode();
        let is_normal = self.normal.read(text, mode);
        // Not kept by the session, whatever comes of it: they may hold all of the packet.
        let values = std::mem::take(&mut self.normal.values);
        if !is_normal {
            return None;
        }
        let key = &self.normal.key;
        let plans = self.server.plans();
        let plan = plans.get(key, mode).or_else(|| {
            let statement = single(cellgate_sql::parse(std::str::from_utf8(key).ok()?, mode).ok()?)?;
            let plan = Arc::new(Plan::new(statement));
            plans.insert(key, mode, &plan);
            Some(plan)
        })?;
        plan.is_shaped().then_some((plan, values))
    }

    /// The statement of a text that was seen before to the letter.
    pub(super) fn known_statement(&self, text: &[u8]) -> Option<Statement> {
        if text.len() > KNOWN_TEXT {
            return None;
        }
        self.server.plans().get(text, self.variables.sql_mode()).map(|plan| plan.statement().clone())
    }

    /// Remembers the statement of a text. What carries data is not worth it: it will not come again.
    pub(super) fn remember(&self, text: &[u8], statement: &Statement) {
        let comes_again = match statement.kind() {
            StatementKind::Select
            | StatementKind::Set
            | StatementKind::Show
            | StatementKind::Use
            | StatementKind::Transaction
            | StatementKind::Other => true,
            StatementKind::Insert
            | StatementKind::Update
            | StatementKind::Delete
            | StatementKind::Replace
            | StatementKind::Ddl
            | StatementKind::Explain => false,
        };
        if comes_again && text.len() <= KNOWN_TEXT {
            let plan = Arc::new(Plan::new(statement.clone()));
            self.server.plans().insert(text, self.variables.sql_mode(), &plan);
        }
    }

    /// The template of a plan in this database, filled in, if this session may answer by it now.
    pub(super) fn ready(&self, plan: &Plan, params: &[Value], database: Option<&str>) -> Option<Ready> {
        if !plan.is_shaped() || !self.is_plain() {
            return None;
        }
        let catalog = self.server.catalog();
        let compiled = plan.compiled(catalog.version(), database).unwrap_or_else(|| {
            let catalog = catalog.current();
            let template =
                Template::of(plan.statement(), &self.environment(database, &catalog, AT_A_TIME).for_everybody());
            plan.compile(catalog.version(), database, template)
        });
        let template = compiled.template()?;
        if template.shows_time() && !self.variables.derived().utc {
            return None;
        }
        let filled = template.fill(params)?;
        let needed = match filled {
            Filled::Get(_) | Filled::Latest(_) => Privilege::Select,
            Filled::Put(..) => Privilege::Insert,
        };
        // The long way says why not.
        let table = template.table();
        if !self.access().may(needed, &table.database, Some(&table.name)) {
            return None;
        }
        // Whether tables are locked is asked behind the announcement of the write, so that one of the two sees the other.
        let write = match filled {
            Filled::Get(_) | Filled::Latest(_) => None,
            Filled::Put(..) => Some(Locks::quick_write(self.server.locks())),
        };
        if !self.is_unlocked() || !self.server.locks().is_open() {
            return None;
        }
        Some(Ready { write, compiled, filled })
    }

    /// Whether nothing about the session changes what a plain read or write does.
    fn is_plain(&self) -> bool {
        let derived = self.variables.derived();
        // SET TRANSACTION is about the statement then.
        let as_usual = self.next == Characteristics::default() && !derived.read_only;
        self.transaction.is_none() && derived.autocommit && as_usual && !derived.limited
    }

    /// What a statement that asks for a cell is answered, if that is known without waiting.
    pub(super) fn at_once(&mut self, ready: &Ready, now: Instant) -> Option<Option<Cell>> {
        // The long way says why not.
        self.refuse_stale(now).ok()?;
        let table = ready.compiled.template()?.table_ref();
        let executor = &self.executor;
        let found = match &ready.filled {
            Filled::Get(triple) => executor.cell_at_once(table, triple, now),
            Filled::Latest(key) => executor.latest_at_once(table, key),
            Filled::Put(..) => None,
        }?;
        self.fits(ready.compiled.template()?, found.as_ref()).then_some(found)
    }

    /// Whether a template's row is no longer than one may be. If it is, the long way says so.
    fn fits(&self, template: &Template, cell: Option<&Cell>) -> bool {
        // A row of ours is a few columns more than its body; `max_allowed_packet` is 1 MiB at least.
        let is_short = |cell: &Cell| cell.body.as_ref().is_none_or(|body| body.as_bytes().len() < SURELY_FITS);
        if cell.is_none_or(is_short) {
            return true;
        }
        let longest = self.server.config().limits.max_allowed_packet.bytes();
        cell.is_none_or(|cell| template.content_bytes(cell) <= longest)
    }

    /// Answers a statement with what was known without waiting: nobody can have seen it run.
    pub(super) fn answer_now(
        &mut self,
        command: CommandLabel,
        shown: Shown<'_>,
        ready: &Ready,
        cell: Option<&Cell>,
        reply: Reply<'_>,
    ) -> Result<Replied, WireError> {
        let started = reply.started();
        self.last.warnings = Warnings::default();
        let replied = self.give_cell(&ready.compiled, cell, reply)?;
        let ended = Instant::now();
        self.server.processes().passed(&self.process, ended);
        let ending = Ending { outcome: Outcome::Ok, rows: u64::from(cell.is_some()) };
        self.count(command, shown, shape_of(&ready.filled), ended.saturating_duration_since(started), &ending);
        if !self.attributes.is_empty() {
            self.attributes = Attributes::new();
        }
        Ok(replied)
    }

    /// The answer of a template to a read.
    fn give_cell(&mut self, compiled: &Compiled, cell: Option<&Cell>, reply: Reply<'_>) -> Result<Replied, WireError> {
        let rows = u64::from(cell.is_some());
        self.sent(rows, rows);
        let preamble = compiled.preamble(reply.collation());
        let (columns, row) = match compiled.template() {
            Some(template) => (template.columns(), cell.map(|cell| template.row(cell))),
            None => (&[][..], None),
        };
        let row = row.as_ref().map(|row| &row[..columns.len()]);
        reply.one_row(Known { preamble: &preamble, columns }, row, self.last.warnings.told(), self.status())
    }

    /// Answers a statement by its template.
    pub(super) async fn answer<'r>(
        &mut self,
        command: CommandLabel,
        shown: Shown<'_>,
        ready: &mut Ready,
        reply: Reply<'r>,
    ) -> Result<Answered<'r>, WireError> {
        let Ready { write, compiled, filled } = ready;
        let Some(template) = compiled.template() else { return Ok(Answered::LongWay(reply)) };
        let started = reply.started();
        self.begin_warnings();
        let stored = Instant::now();
        let answer = self.quick(template, filled, write.take(), started).await;
        self.server.metrics().stage(Stage::Store, stored.elapsed());
        let (replied, outcome, rows) = match answer {
            Err(error) if error.suspects_catalog() => return Ok(Answered::LongWay(reply)),
            Ok(Quick::Row(cell)) if !self.fits(template, cell.as_ref()) => return Ok(Answered::LongWay(reply)),
            Ok(Quick::Row(cell)) => {
                let rows = u64::from(cell.is_some());
                (self.give_cell(compiled, cell.as_ref(), reply)?, Outcome::Ok, rows)
            }
            Ok(Quick::Done(done)) => {
                let ok = self.ok_reply(done);
                (reply.ok(&ok), Outcome::Ok, 0)
            }
            Err(error) => {
                let answer = self.note_error(&error);
                (reply.error(&answer), Outcome::Error(error.kind()), 0)
            }
        };
        self.finish(command, shown, shape_of(filled), started, &Ending { outcome, rows });
        Ok(Answered::Replied(replied))
    }

    async fn quick(
        &mut self,
        template: &Template,
        filled: &Filled,
        write: Option<QuickWrite>,
        started: Instant,
    ) -> Result<Quick, StatementError> {
        self.refuse_stale(started)?;
        let (limit, is_own) = self.limit(filled);
        let deadline = (started + limit).into();
        let executor = &self.executor;
        let kill = self.process.kill_switch();
        kill.statement_begins();
        let found = match filled {
            Filled::Get(triple) => {
                let read = pin!(executor.cell(template.table_ref(), triple));
                kill.interruptible(self.patience.wait_until(deadline, read)).await
            }
            Filled::Latest(key) => {
                let read = pin!(executor.latest_cell(template.table_ref(), key));
                kill.interruptible(self.patience.wait_until(deadline, read)).await
            }
            // What writes is not cut off.
            Filled::Put(triple, body) => {
                let _shield = kill.shield();
                return self.quick_put(template, triple, body.clone(), write, deadline).await.map(Quick::Done);
            }
        };
        let found = found.ok_or(StatementError::Interrupted)?;
        let late = || if is_own { StatementError::OwnTimeout } else { StatementError::Timeout { detail: "" } };
        Ok(Quick::Row(found.ok_or_else(late)??))
    }

    async fn quick_put(
        &mut self,
        template: &Template,
        triple: &Triple,
        body: Body,
        announced: Option<QuickWrite>,
        deadline: tokio::time::Instant,
    ) -> Result<Done, StatementError> {
        let (executor, server) = (Arc::clone(&self.executor), Arc::clone(&self.server));
        let (table, name) = (template.table_ref().clone(), triple.clone());
        // In a box: a durable write takes longer than making one, and a read does not move its room.
        let write = async move {
            let fate = executor.put_cell(&table, &name, body).await;
            drop(announced);
            fate
        };
        let mut write = carried_or(write, move |fate| {
            if let CellFate::Failed(error) = fate {
                server.unheard(not_written(&error));
            }
        });
        let fate = self.patience.wait_until(deadline, Pin::new(&mut write)).await;
        let fate = fate.ok_or_else(StatementError::put_timeout)?;
        self.server.metrics().rows_received(1);
        let entry = || name_of(&triple.row, &triple.column, Some(triple.ref_key));
        match fate {
            CellFate::Written(written) if written.new => Ok(Done { affected: 1, ..Done::default() }),
            CellFate::Written(_) => {
                self.note_same(&entry());
                Ok(Done::default())
            }
            CellFate::Conflict(_) => Err(StatementError::Duplicate { entry: entry(), stored: Box::default() }),
            CellFate::Failed(error) => Err(not_written(&error)),
            // One cell alone is not withheld for another.
            CellFate::Withheld => Err(cellgate_sql::SqlError::Internal("a put without an outcome".into()).into()),
        }
    }

    /// How long a statement may take: the shorter of the session's limit, which is about reads, and the server's; and
    /// whether it is the session's.
    fn limit(&self, filled: &Filled) -> (Duration, bool) {
        let server = self.server.config().timeouts.statement;
        let own = match filled {
            Filled::Get(_) | Filled::Latest(_) => self.variables.derived().max_execution_time,
            Filled::Put(..) => None,
        };
        own.filter(|own| *own < server).map_or((server, false), |own| (own, true))
    }
}

/// What a put of one cell ends with if its store fails.
fn not_written(error: &RunError) -> StatementError {
    StatementError::Write { error: error.clone(), stored: Box::default() }
}

/// What a filled template is in the metrics.
fn shape_of(filled: &Filled) -> ShapeLabel {
    match filled {
        Filled::Get(_) => ShapeLabel::Get,
        Filled::Latest(_) => ShapeLabel::Latest,
        Filled::Put(..) => ShapeLabel::Insert,
    }
}

/// The statement of a text that has exactly one.
pub(super) fn single(statements: Vec<Statement>) -> Option<Statement> {
    <[Statement; 1]>::try_from(statements).ok().map(|[statement]| statement)
}
