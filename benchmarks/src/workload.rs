//! What clients ask, as statements, and what they check in the answers.

use std::io;

use cellgate_integration_tests::random::Random;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cells::{self, Care, Name};
use crate::protocol::{Outcome, Param, RowView, malformed};

/// Keys of one `IN` list.
pub const IN_KEYS: u64 = 100;
/// Cells that are needed for as many different ones in one list.
pub const LEAST_CELLS: u64 = IN_KEYS * cells::VERSIONS;
/// Seeds below this put different cells.
pub const SEEDS: u64 = 1 << 28;
/// Rows of one scan.
pub const SCAN_ROWS: u64 = 20_000;
/// Of so many answers one is compared byte for byte; of the others the length and the name in the body.
const EVERY_BYTE_OF: u64 = 16;
/// Puts of a load that are read again.
pub const READ_BACK: u64 = 1000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// One cell by its whole name.
    Get,
    /// The latest version of a row's column.
    Latest,
    /// A new cell.
    Put,
    /// 100 cells by name in one statement.
    In100,
    /// 20 000 cells, wherever they are.
    Scan,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Prepared once per connection.
    #[default]
    Prepared,
    /// As text with literals.
    Text,
}

/// How a statement marks its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// `?`.
    Question,
    /// `$1`, `$2`, ..
    Numbered,
}

/// One request: what it is about.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The cells that are asked for or written.
    pub names: Vec<Name>,
}

/// The cells of an answer, to see whether one came twice. Kept for its memory.
#[derive(Debug, Default)]
pub struct Seen(Vec<Name>);

/// The requests of one load.
#[derive(Clone, Debug)]
pub struct Workload {
    operation: Operation,
    /// The first of the rows that are asked for, and their number.
    first_row: u64,
    rows: u64,
    versions: u64,
    random: Random,
    first_put: u64,
    put: u64,
    answers: u64,
    every_byte_of: u64,
}

impl Workload {
    /// Uniform over `cells` loaded cells, at least [`LEAST_CELLS`]. Loads with different seeds below [`SEEDS`] put different
    /// cells.
    pub fn new(operation: Operation, cells: u64, seed: u64) -> Self {
        Self {
            operation,
            first_row: 0,
            rows: (cells / cells::VERSIONS).max(1),
            versions: cells::VERSIONS,
            random: Random::new(seed),
            // No load puts 2^35 cells, so no two seeds put the same one.
            first_put: cells::FIRST_PUT + (seed << 35),
            put: 0,
            answers: 0,
            every_byte_of: EVERY_BYTE_OF,
        }
    }

    /// Gets of what this one has put, of which every byte is compared; none if it has put nothing.
    pub fn read_back(&self) -> Option<Self> {
        let read = Self {
            operation: Operation::Get,
            first_row: self.first_put,
            rows: self.put,
            versions: 1,
            answers: 0,
            every_byte_of: 1,
            ..self.clone()
        };
        (self.put > 0).then_some(read)
    }

    /// What is asked.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Draws the next request.
    pub fn draw(&mut self, request: &mut Request) {
        request.names.clear();
        match self.operation {
            Operation::Get | Operation::Latest => {
                let version = 1 + self.random.below(self.versions) as i64;
                request.names.push(Name::of_row(self.first_row + self.random.below(self.rows), version));
            }
            Operation::Put => {
                request.names.push(Name::of_row(self.first_put + self.put, 1));
                self.put += 1;
            }
            Operation::In100 => {
                // Neighbours by number are strangers by key, and never twice the same.
                let first = self.random.below(self.rows);
                let version = 1 + self.random.below(cells::VERSIONS) as i64;
                request.names.extend((0..IN_KEYS).map(|n| Name::of_row((first + n) % self.rows, version)));
            }
            Operation::Scan => {}
        }
    }

    /// The statement, with marks for its parameters.
    pub fn statement(&self, marks: Marks) -> String {
        let mut number = 0;
        let mut mark = || {
            number += 1;
            match marks {
                Marks::Question => "?".to_owned(),
                Marks::Numbered => format!("${number}"),
            }
        };
        spell(self.operation, &mut mark)
    }

    /// The statement of a request with literals, which need no escapes.
    pub fn text(&self, request: &Request) -> String {
        let mut body = Vec::new();
        let mut literals = Vec::new();
        with_params(self.operation, request, &mut body, |params| {
            literals.extend(params.iter().map(|param| match param {
                Param::Bytes(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
                Param::Int(number) => number.to_string(),
            }));
        });
        let mut literals = literals.into_iter();
        spell(self.operation, &mut || literals.next().unwrap_or_default())
    }

    /// The parameters of a request, in the statement's order. `scratch` holds the body.
    pub fn with_params(&self, request: &Request, scratch: &mut Vec<u8>, then: impl FnOnce(&[Param])) {
        with_params(self.operation, request, scratch, then);
    }

    /// Whether the rows of an answer are looked at one by one.
    pub fn has_rows(&self) -> bool {
        self.operation != Operation::Put
    }

    /// Checks the number of rows that came or were written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_outcome(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.answers += 1;
        let expected = match self.operation {
            Operation::Get | Operation::Latest => Outcome::Rows { rows: 1 },
            Operation::Put => Outcome::Done { affected: 1 },
            Operation::In100 => Outcome::Rows { rows: IN_KEYS as usize },
            Operation::Scan => Outcome::Rows { rows: SCAN_ROWS.min(self.rows * cells::VERSIONS) as usize },
        };
        match outcome {
            Outcome::Failed { message } => Err(io::Error::other(message.clone())),
            come if *come == expected => Ok(()),
            come => Err(io::Error::other(format!("{come:?} instead of {expected:?}"))),
        }
    }

    /// Checks a row of an answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_row(&self, request: &Request, row: RowView, seen: &mut Seen) -> io::Result<()> {
        let name = Name::of_key(row.row_key, row.version).ok_or_else(|| malformed("row key"))?;
        let wanted = match self.operation {
            Operation::Get => request.names.first() == Some(&name),
            Operation::Latest => {
                request.names.first().is_some_and(|asked| asked.key == name.key)
                    && name.version as u64 == cells::VERSIONS
            }
            // The answer may come in any order; whether one came twice is seen at its end.
            Operation::In100 => request.names.contains(&name),
            Operation::Put | Operation::Scan => true,
        };
        if !wanted {
            return Err(io::Error::other(format!("asked for {:?}, got {name:?}", request.names.first())));
        }
        let care = if self.answers.is_multiple_of(self.every_byte_of) { Care::EveryByte } else { Care::Name };
        if care == Care::EveryByte {
            seen.0.push(name);
        }
        if name.has_body(row.body, care) {
            return Ok(());
        }
        Err(io::Error::other(format!("{name:?} has the wrong body {}", String::from_utf8_lossy(row.body))))
    }
}

impl Seen {
    /// The answer is at its end: whether a cell came twice. Ready for the next one.
    ///
    /// # Errors
    /// One that did.
    pub fn check_distinct(&mut self) -> io::Result<()> {
        self.0.sort_unstable_by_key(|name| (name.key, name.version));
        let twice = self.0.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        self.0.clear();
        twice.map_or(Ok(()), |name| Err(io::Error::other(format!("{name:?} came twice"))))
    }
}

/// The statement of an operation; `param` writes each parameter in turn.
fn spell(operation: Operation, param: &mut dyn FnMut() -> String) -> String {
    let table = cells::TABLE;
    let columns = "row_key, column_key, ref_key, body, added_id, created_at";
    match operation {
        Operation::Get => format!(
            "SELECT {columns} FROM {table} WHERE row_key = {} AND column_key = {} AND ref_key = {}",
            param(),
            param(),
            param()
        ),
        Operation::Latest => format!(
            "SELECT {columns} FROM {table} WHERE row_key = {} AND column_key = {} ORDER BY ref_key DESC LIMIT 1",
            param(),
            param()
        ),
        Operation::Put => format!(
            "INSERT INTO {table} (row_key, column_key, ref_key, body) VALUES ({}, {}, {}, {})",
            param(),
            param(),
            param(),
            param()
        ),
        Operation::In100 => {
            let keys: Vec<String> = (0..IN_KEYS).map(|_| param()).collect();
            format!(
                "SELECT {columns} FROM {table} WHERE row_key IN ({}) AND column_key = {} AND ref_key = {}",
                keys.join(", "),
                param(),
                param()
            )
        }
        Operation::Scan => format!("SELECT {columns} FROM {table} LIMIT {SCAN_ROWS}"),
    }
}

fn with_params(operation: Operation, request: &Request, scratch: &mut Vec<u8>, then: impl FnOnce(&[Param])) {
    let column = Param::Bytes(cells::COLUMN.as_bytes());
    let (key, version) = request.names.first().map_or(([0; 16], 0), |name| (name.row_key(), name.version));
    match operation {
        Operation::Get => then(&[Param::Bytes(&key), column, Param::Int(version)]),
        Operation::Latest => then(&[Param::Bytes(&key), column]),
        Operation::Put => {
            scratch.clear();
            request.names.iter().take(1).for_each(|name| name.write_body(scratch));
            then(&[Param::Bytes(&key), column, Param::Int(version), Param::Bytes(scratch)]);
        }
        Operation::In100 => {
            let keys: Vec<[u8; 16]> = request.names.iter().map(|name| name.row_key()).collect();
            let mut params: Vec<Param> = keys.iter().map(|key| Param::Bytes(key)).collect();
            params.extend([column, Param::Int(version)]);
            then(&params);
        }
        Operation::Scan => then(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_prepared_spell_the_same_statement() {
        for operation in [Operation::Get, Operation::Latest, Operation::Put, Operation::In100, Operation::Scan] {
            let mut workload = Workload::new(operation, 1000, 1);
            let mut request = Request::default();
            workload.draw(&mut request);
            let (statement, text) = (workload.statement(Marks::Question), workload.text(&request));
            let mut count = 0;
            workload.with_params(&request, &mut Vec::new(), |params| count = params.len());
            assert_eq!(statement.matches('?').count(), count, "{statement}");
            assert!(!text.contains('?'), "{text}");
            assert_eq!(text.split('(').count(), statement.split('(').count());
        }
        let numbered = Workload::new(Operation::Get, 10, 1).statement(Marks::Numbered);
        assert!(numbered.ends_with("row_key = $1 AND column_key = $2 AND ref_key = $3"));
    }

    #[test]
    fn two_seeds_never_put_the_same_cell() {
        let first = |seed| {
            let mut request = Request::default();
            Workload::new(Operation::Put, 10, seed).draw(&mut request);
            request.names[0]
        };
        assert_ne!(first(1), first(2));
        assert_ne!(first(1), first(1000));
    }

    #[test]
    fn what_was_put_is_read_back_and_nothing_else_with_every_byte_of_it() {
        let mut workload = Workload::new(Operation::Put, 1000, 7);
        assert!(workload.read_back().is_none(), "nothing was put");
        let mut request = Request::default();
        let put: Vec<Name> = (0..50)
            .map(|_| {
                workload.draw(&mut request);
                request.names[0]
            })
            .collect();
        let mut back = workload.read_back().unwrap();
        for _ in 0..200 {
            back.draw(&mut request);
            assert!(put.contains(&request.names[0]), "{request:?}");
            assert!(back.check_outcome(&Outcome::Rows { rows: 1 }).is_ok());
            let name = request.names[0];
            let mut body = Vec::new();
            name.write_body(&mut body);
            let last = body.len() - 3;
            body[last] ^= 1;
            let row = RowView { row_key: &name.row_key(), version: name.version, body: &body };
            assert!(back.check_row(&request, row, &mut Seen::default()).is_err(), "one bit of a body");
        }
    }

    #[test]
    fn an_answer_about_another_cell_is_an_error() {
        let mut workload = Workload::new(Operation::Get, 1000, 1);
        let mut request = Request::default();
        workload.draw(&mut request);
        let check = |name: Name| {
            let mut body = Vec::new();
            name.write_body(&mut body);
            let row = RowView { row_key: &name.row_key(), version: name.version, body: &body };
            workload.check_row(&request, row, &mut Seen::default())
        };
        assert!(check(request.names[0]).is_ok());
        assert!(check(Name::of_row(500_000, 1)).is_err());
        assert!(workload.check_outcome(&Outcome::Rows { rows: 0 }).is_err());
        assert!(workload.check_outcome(&Outcome::Rows { rows: 1 }).is_ok());
    }

    #[test]
    fn a_cell_that_comes_twice_in_an_answer_is_an_error() {
        for operation in [Operation::In100, Operation::Scan] {
            let mut workload = Workload::new(operation, 1000, 1);
            let (mut request, mut seen) = (Request::default(), Seen::default());
            workload.draw(&mut request);
            let names: Vec<Name> =
                (0..100).map(|n| *request.names.get(n).unwrap_or(&Name::of_row(n as u64, 1))).collect();
            let mut answer = |names: &[Name]| {
                for name in names {
                    let mut body = Vec::new();
                    name.write_body(&mut body);
                    let row = RowView { row_key: &name.row_key(), version: name.version, body: &body };
                    workload.check_row(&request, row, &mut seen).unwrap();
                }
                seen.check_distinct()
            };
            assert!(answer(&names).is_ok());
            let twice: Vec<Name> = names[..99].iter().chain([&names[5]]).copied().collect();
            assert!(answer(&twice).is_err(), "{operation:?}");
            assert!(answer(&names).is_ok(), "each answer is for itself");
        }
    }
}
