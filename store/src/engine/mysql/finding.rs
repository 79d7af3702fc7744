//! Reading cells by name: names straight into a statement's parameters, rows straight to the name they answer.
//!
//! This is the path of a shared read. No text is put together, no parameter and no key is copied but into the packet, and
//! of a row only its body is kept.

use std::collections::HashMap;

use cellgate_schemaless::{Cell, ColumnKey, LatestKey, RowKey, TableId};

use super::sinks::RawCell;
use super::wire::{Argument, Arguments, Done, Flow, Row, Sink, WireError};
use crate::engine::server::core::size;
use crate::engine::server::driver::{Failure, Names};
use crate::hash::FastHash;
use crate::sql::{Dialect, LatestBy, room};

/// Statements of equal shape have equal texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    table: TableId,
    about: About,
    /// How many names its text has room for.
    room: usize,
    /// Whether bodies are read.
    bodies: bool,
}

/// What the parameters of a name are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum About {
    /// Row, column, version: one very cell, in a list.
    Exact,
    /// The same, in a table of values.
    ExactByValues,
    /// The latest of each chain.
    Latest(LatestBy),
}

impl Shape {
    /// The shape of the statement about these names; `None` if its text depends on what they are.
    pub(super) fn new(dialect: &Dialect, table: TableId, names: Names<'_>) -> Option<Self> {
        let (about, count) = match names {
            Names::Exact(keys) if dialect.gets_by_values(keys.len()) => (About::ExactByValues, keys.len()),
            Names::Exact(keys) => (About::Exact, keys.len()),
            Names::Latest(keys) | Names::Versions(keys) => match dialect.latest_by(keys) {
                LatestBy::Mixed => return None,
                by => (About::Latest(by), keys.len()),
            },
        };
        Some(Self { table, about, room: room(count), bodies: !matches!(names, Names::Versions(_)) })
    }

    /// Whether the text has a table of values.
    fn has_values(self) -> bool {
        matches!(self.about, About::ExactByValues | About::Latest(LatestBy::Values | LatestBy::Lateral))
    }
}

/// The parameters of a statement about names. Where its text has room for more, the last name is repeated, which finds its
/// cell once; in a table of values it would be found again, so that a name is taken that nobody asked for.
pub(super) struct NameArguments<'a> {
    pub(super) names: Names<'a>,
    pub(super) shape: Shape,
}

impl Arguments for NameArguments<'_> {
    fn count(&self) -> usize {
        let each = match self.shape.about {
            About::Exact | About::ExactByValues | About::Latest(LatestBy::Order | LatestBy::Lateral) => 3,
            About::Latest(LatestBy::Join | LatestBy::Values | LatestBy::Mixed) => 2,
            About::Latest(LatestBy::Maxima) => 4,
        };
        self.shape.room * each
    }

    fn each(&self, take: &mut dyn FnMut(Argument<'_>)) {
        let room = if self.shape.has_values() { 0 } else { self.shape.room };
        let given = match self.names {
            Names::Exact(keys) => {
                for key in padded(keys, room.max(keys.len())) {
                    take(Argument::Bytes(key.row.as_bytes()));
                    take(Argument::Bytes(key.column.as_bytes()));
                    take(Argument::Int(key.ref_key.0));
                }
                keys.len()
            }
            Names::Latest(keys) | Names::Versions(keys) => {
                for LatestKey { row, column, at_most } in padded(keys, room.max(keys.len())) {
                    let mut chain = || {
                        take(Argument::Bytes(row.as_bytes()));
                        take(Argument::Bytes(column.as_bytes()));
                    };
                    chain();
                    match self.shape.about {
                        About::Latest(LatestBy::Maxima) => chain(),
                        About::Latest(LatestBy::Order | LatestBy::Lateral) => {
                            take(Argument::Int(at_most.map_or(i64::MAX, |most| most.0)));
                        }
                        About::Latest(LatestBy::Join | LatestBy::Values | LatestBy::Mixed)
                        | About::Exact
                        | About::ExactByValues => {}
                    }
                }
                keys.len()
            }
        };
        for _ in given.max(room)..self.shape.room {
            take(Argument::Bytes(b""));
            take(Argument::Bytes(b""));
            if matches!(self.shape.about, About::ExactByValues | About::Latest(LatestBy::Lateral)) {
                take(Argument::Int(i64::MIN));
            }
        }
    }
}

fn padded<T>(keys: &[T], room: usize) -> impl Iterator<Item = &T> {
    keys.iter().chain(keys.last().into_iter().cycle()).take(room)
}

/// Takes the rows of a statement about names.
pub(super) struct Finding<'a> {
    names: Names<'a>,
    /// By row key, the first name of it.
    first: HashMap<&'a [u8], usize, FastHash>,
    /// By name, the next of the same row key.
    next: Vec<Option<usize>>,
    answers: Vec<Option<Cell>>,
    wrong: Option<Failure>,
    bytes: usize,
    budget: usize,
}

impl<'a> Finding<'a> {
    pub(super) fn new(names: Names<'a>, budget: usize) -> Self {
        let count = names.len();
        let mut finding = Self {
            names,
            first: HashMap::with_capacity_and_hasher(count, FastHash::default()),
            next: vec![None; count],
            answers: vec![None; count],
            wrong: None,
            bytes: 0,
            budget,
        };
        for i in (0..count).rev() {
            finding.next[i] = finding.first.insert(key(names, i).0.as_bytes(), i);
        }
        finding
    }

    /// One answer per name.
    pub(super) fn answers(self) -> Result<Vec<Option<Cell>>, Failure> {
        match self.wrong {
            Some(wrong) => Err(wrong),
            None => Ok(self.answers),
        }
    }
}

/// Row and column of a name.
fn key(names: Names<'_>, i: usize) -> (&RowKey, &ColumnKey) {
    match names {
        Names::Exact(keys) => (&keys[i].row, &keys[i].column),
        Names::Latest(keys) | Names::Versions(keys) => (&keys[i].row, &keys[i].column),
    }
}

impl Sink for Finding<'_> {
    fn row(&mut self, row: Row<'_>) -> Result<Flow, WireError> {
        let raw = match RawCell::read(row)? {
            Ok(raw) => raw,
            Err(no_cell) => {
                self.wrong = Some(no_cell);
                return Ok(Flow::Enough);
            }
        };
        let mut found: Option<Cell> = None;
        let mut at = self.first.get(raw.row).copied();
        while let Some(i) = at {
            let (row, column) = key(self.names, i);
            let wanted = match self.names {
                Names::Exact(keys) => keys[i].ref_key.0 == raw.ref_key,
                // Of several chains under several bounds, rows of one may come for another.
                Names::Latest(keys) | Names::Versions(keys) => {
                    let higher = self.answers[i].as_ref().is_none_or(|cell| cell.triple.ref_key.0 < raw.ref_key);
                    higher && keys[i].at_most.is_none_or(|most| raw.ref_key <= most.0)
                }
            };
            if wanted && column.as_bytes() == raw.column {
                let cell = found.get_or_insert_with(|| raw.named(row.clone(), column.clone()));
                self.bytes = self.bytes.saturating_add(size(cell));
                self.answers[i] = Some(cell.clone());
            }
            at = self.next[i];
        }
        Ok(if self.bytes > self.budget { Flow::Enough } else { Flow::More })
    }

    fn done(&mut self, _: Done) {}
}
