//! Inserting cells: the log head, the rows and the commit in one write (C1, C4 of docs/ARCHITECTURE.md).
//!
//! The usual shared write, cells of one table of which existing ones are kept, is a [`Batch`]: head, a prepared INSERT and
//! commit are three commands that the server finds one behind the other. Reading a row from text costs it a quarter of
//! what storing it does, so that only what a batch cannot be (several tables, rows that must not exist, megabytes) is a
//! [`Plan`]: packets of text.

use std::io::Write as _;

use cellgate_schemaless::limits::ID_STRIDE;
use cellgate_schemaless::{AddedId, Epoch, Micros, TableId, TableRef};

use super::read_only::ZERO_IF_WRITABLE;
use super::wire::{Argument, Arguments, Done, Field, Flow, Row, Sink, WireError};
use crate::engine::server::driver::{Existing, Failure, NewRow, Place};
use crate::error::StoreError;
use crate::sql::{Dialect, FIRST_HEAD, MYSQL};

/// The server's clock in microseconds UTC; sessions have the time zone +00:00, so that no hour comes twice.
pub(super) const CLOCK: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";

/// Longest packet, in bytes, unless a single row is longer.
const PACKET_BYTES: usize = 1024 * 1024;

/// Shorter than this are commands that are sent together ([`Connection::pipeline`](super::wire::Connection::pipeline)).
const FRAME_BYTES: usize = 0xff_ffff;

/// Room for what stands behind the last row of a packet.
const TAIL_BYTES: usize = 256;

/// What an INSERT that keeps existing rows answers of every row, the existing ones too.
const RETURNING: &str = " RETURNING added_id, row_key, column_key, ref_key, token, created_at";

/// Most rows of a [`Batch`].
const BATCH_ROWS: usize = 128;

/// Values of a row that are parameters.
const ROW_PARAMS: usize = 7;

/// How many rows the text of a batch has room for: few texts exist, and few rows are repeated to fill one.
fn room(rows: usize) -> usize {
    let step = match rows {
        0..=16 => 1,
        17..=32 => 2,
        33..=64 => 4,
        _ => 8,
    };
    rows.next_multiple_of(step)
}

/// One transaction of three commands: the head, one prepared INSERT, the commit.
///
/// The server runs each of them whatever became of the one before, so that it must not matter:
/// - `@c` is the first id, and set only behind the head's update in the same command, which took it into `@b`. Both are
///   NULL before: [`COMMIT`] and [`ROLLBACK`] make them so, and a session in which neither was done is not used again.
///   No row can be inserted without an id.
/// - There is one INSERT: all of it is there, or nothing. Rolled back alone or with its transaction, there is nothing left
///   that the commit could make visible but ids nobody has.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    rows: &'a [NewRow<'a>],
    table: &'a TableRef,
}

/// The last command of a [`Batch`], and the last statements of a [`Plan`].
pub(super) const COMMIT: &[u8] = b"COMMIT; SET @b = NULL, @c = NULL";

/// How many statements they are.
pub(super) const COMMIT_STATEMENTS: usize = 2;

/// What a failed insert is followed by.
pub(super) const ROLLBACK: &[u8] = b"ROLLBACK; SET @b = NULL, @c = NULL";

impl<'a> Batch<'a> {
    /// The batch of these rows, if they can be one that is no longer than `longest` bytes. One row is a batch also if
    /// it is long, where it is too long for a text.
    pub(super) fn new(rows: &'a [NewRow<'a>], existing: Existing, longest: usize) -> Option<Self> {
        let table = rows.first()?.table;
        let bytes: usize = rows.iter().map(row_size).sum();
        // Rows that are repeated are never longer than the last one.
        let last = rows.last().map_or(0, row_size) * (room(rows.len()) - rows.len());
        let shares = rows.len() <= BATCH_ROWS && bytes + last + PREFIX_BYTES < PACKET_BYTES.min(longest);
        // In a text each quote takes two bytes, and a parameter goes as it is.
        let alone = rows.len() == 1
            && bytes + TAIL_BYTES + PREFIX_BYTES > longest
            && bytes - quotes(rows[0].body.as_bytes()) + PREFIX_BYTES < longest.min(FRAME_BYTES);
        let fits = shares || alone;
        let alike = rows.iter().all(|row| row.table.id == table.id);
        (fits && alike && existing == Existing::Keep).then_some(Self { rows, table })
    }

    /// The command that takes ids and a time.
    pub(super) fn head(&self, epoch: Epoch) -> Vec<u8> {
        let mut text = start(epoch, self.rows.len()).text;
        text.extend_from_slice(b"; SET @c = @b");
        text
    }

    /// Table and rows: what the text of the INSERT follows from.
    pub(super) fn shape(&self) -> (TableId, usize) {
        (self.table.id, room(self.rows.len()))
    }

    /// The text of the INSERT.
    pub(super) fn text(&self, returning: bool) -> String {
        let mut packet = Packet { text: Vec::new(), statements: 0 };
        open(&mut packet, self.table);
        let mut text = String::from_utf8_lossy(&packet.text).into_owned();
        for row in 0..room(self.rows.len()) {
            text.push_str(if row > 0 { ", " } else { "" });
            // Whatever the variables were when the statement was prepared, they are whole numbers.
            let id = format!("CAST(@c AS SIGNED) + {}", row as i64 * ID_STRIDE);
            text.push_str(&format!("({id}, ?, 0, ?, ?, CAST(@t AS SIGNED), ?, ?, ?, ?)"));
        }
        text.push_str(KEEP);
        if returning {
            text.push_str(RETURNING);
        }
        text
    }
}

impl Arguments for Batch<'_> {
    fn count(&self) -> usize {
        room(self.rows.len()) * ROW_PARAMS
    }

    fn each(&self, take: &mut dyn FnMut(Argument<'_>)) {
        // The last row is repeated: met again, it is one that exists, by its own token.
        let padding = self.rows.last().into_iter().cycle();
        for row in self.rows.iter().chain(padding).take(room(self.rows.len())) {
            take(Argument::Int(i64::from(row.shard.0)));
            take(Argument::Int(i64::from(row.table.def)));
            take(Argument::Int(row.triple.ref_key.0));
            take(Argument::Int(row.token.0));
            take(Argument::Bytes(row.triple.row.as_bytes()));
            take(Argument::Bytes(row.triple.column.as_bytes()));
            take(Argument::Bytes(row.body.as_bytes()));
        }
    }
}

/// Leaves rows as they are that exist.
const KEEP: &str = " ON DUPLICATE KEY UPDATE token = token";

/// A text of several statements.
pub(super) struct Packet {
    /// The statements.
    pub(super) text: Vec<u8>,
    /// How many.
    pub(super) statements: usize,
}

/// One transaction: `BEGIN; UPDATE cg_head; INSERT ..; COMMIT; SET`, in one packet unless the rows are too many bytes.
/// The UPDATE takes the ids into `@b` and the time into `@t`; under another epoch `@b` stays NULL, and no row can be
/// inserted without an id.
pub(super) struct Plan {
    /// To be sent in order; the last statements of the last are [`COMMIT`].
    pub(super) packets: Vec<Packet>,
}

impl Plan {
    /// Plans the insertion of these rows, of which none may be larger than `longest` bytes as a statement.
    pub(super) fn new(
        epoch: Epoch,
        rows: &[NewRow<'_>],
        existing: Existing,
        returning: bool,
        longest: usize,
    ) -> Result<Self, Failure> {
        let mut packets = Vec::new();
        let mut packet = start(epoch, rows.len());
        let mut table: Option<&TableRef> = None;
        let close = |packet: &mut Packet| {
            let text: &[u8] = match (existing, returning) {
                (Existing::Refuse, _) => b"",
                (Existing::Keep, _) => KEEP.as_bytes(),
            };
            packet.text.extend_from_slice(text);
            if returning && existing == Existing::Keep {
                packet.text.extend_from_slice(RETURNING.as_bytes());
            }
        };
        for (i, row) in rows.iter().enumerate() {
            let size = row_size(row);
            if size + TAIL_BYTES + PREFIX_BYTES > longest {
                return Err(Failure::Store(StoreError::TooLarge { bytes: size, max: longest }));
            }
            if table.is_some() && packet.text.len() + size + TAIL_BYTES > PACKET_BYTES.min(longest) {
                close(&mut packet);
                packets.push(std::mem::replace(&mut packet, Packet { text: Vec::new(), statements: 0 }));
                table = None;
            }
            if table == Some(row.table) {
                packet.text.extend_from_slice(b", ");
            } else {
                if table.is_some() {
                    close(&mut packet);
                }
                open(&mut packet, row.table);
                table = Some(row.table);
            }
            push_row(&mut packet.text, i, row);
        }
        close(&mut packet);
        if existing == Existing::Refuse {
            packet.text.extend_from_slice(b"; SELECT @b, @t");
            packet.statements += 1;
        }
        packet.text.extend_from_slice(b"; ");
        packet.text.extend_from_slice(COMMIT);
        packet.statements += COMMIT_STATEMENTS;
        packets.push(packet);
        Ok(Self { packets })
    }
}

/// Room for what stands before the first row of a packet.
const PREFIX_BYTES: usize = 1024;

fn start(epoch: Epoch, rows: usize) -> Packet {
    let text = format!(
        "BEGIN; UPDATE cg_head SET next = (@b := next) + {rows} * {ID_STRIDE} + {ZERO_IF_WRITABLE}, \
         at = (@t := GREATEST(at + 1, {CLOCK})) WHERE head = {FIRST_HEAD} AND epoch = {epoch}"
    );
    Packet { text: text.into_bytes(), statements: 2 }
}

/// Opens the INSERT of a table.
fn open(packet: &mut Packet, table: &TableRef) {
    let mut text = if packet.statements > 0 { "; INSERT INTO ".to_owned() } else { "INSERT INTO ".to_owned() };
    MYSQL.quote(&mut text, table.physical());
    text.push_str(" (");
    text.push_str(&Dialect::INSERT_COLUMNS.join(", "));
    text.push_str(") VALUES ");
    packet.text.extend_from_slice(text.as_bytes());
    packet.statements += 1;
}

/// How many quotes there are.
fn quotes(body: &[u8]) -> usize {
    // Searched at once, counted only if there is something to count: most JSON has none.
    if body.contains(&b'\'') { body.iter().filter(|b| **b == b'\'').count() } else { 0 }
}

/// At least as many bytes as the row takes.
fn row_size(row: &NewRow<'_>) -> usize {
    let body = row.body.as_bytes();
    let quotes = quotes(body);
    let keys = row.triple.row.as_bytes().len() + row.triple.column.as_bytes().len();
    body.len() + quotes + 2 * keys + 160
}

fn push_row(text: &mut Vec<u8>, number: usize, row: &NewRow<'_>) {
    let offset = i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(ID_STRIDE);
    let (shard, def, ref_key, token) = (row.shard, row.table.def, row.triple.ref_key, row.token);
    // Columns in the order of INSERT_COLUMNS.
    // Writing to a vector does not fail.
    let _ = write!(text, "(@b + {offset}, {shard}, 0, {def}, {ref_key}, @t, {token}, ");
    MYSQL.blob(text, row.triple.row.as_bytes());
    text.extend_from_slice(b", ");
    MYSQL.blob(text, row.triple.column.as_bytes());
    // A body as hexadecimal digits would be twice as long; sessions have no backslash escapes, so that the quote is
    // the one character to look after.
    text.extend_from_slice(b", _binary'");
    let body = row.body.as_bytes();
    if body.contains(&b'\'') {
        for (i, part) in body.split(|b| *b == b'\'').enumerate() {
            if i > 0 {
                text.extend_from_slice(b"''");
            }
            text.extend_from_slice(part);
        }
    } else {
        text.extend_from_slice(body);
    }
    text.extend_from_slice(b"')");
}

/// Reads the answers of a [`Plan`]: where each row is that was inserted, as far as they say so.
pub(super) struct Placing<'a> {
    rows: &'a [NewRow<'a>],
    existing: Existing,
    places: Vec<Option<Place>>,
    /// The row the next answer is probably of: they come in the order of VALUES.
    next: usize,
    /// Statements of this packet that are done.
    statements: usize,
    /// Whether an answer was one that is of no row.
    wrong: bool,
}

impl<'a> Placing<'a> {
    pub(super) fn new(rows: &'a [NewRow<'a>], existing: Existing) -> Self {
        Self { rows, existing, places: vec![None; rows.len()], next: 0, statements: 0, wrong: false }
    }

    /// Another packet is sent.
    pub(super) fn begin(&mut self) {
        self.statements = 0;
    }

    /// How many statements of the packet were done.
    pub(super) fn statements(&self) -> usize {
        self.statements
    }

    /// Where the rows are.
    pub(super) fn places(self) -> Result<Vec<Option<Place>>, Failure> {
        let missing = self.existing == Existing::Refuse && self.places.iter().any(Option::is_none);
        if self.wrong || missing {
            let detail = "an insert answered what no row is".to_owned();
            return Err(Failure::Store(StoreError::MaybeWritten { detail }));
        }
        Ok(self.places)
    }

    /// The row of `@b, @t`: all rows were inserted, from the first id on.
    fn base(&mut self, mut row: Row<'_>) -> Result<bool, WireError> {
        let (Field::Int(base), Field::Int(at)) = (row.field()?, row.field()?) else { return Ok(false) };
        for (place, offset) in self.places.iter_mut().zip(0i64..) {
            let added_id = AddedId(base.saturating_add(offset * ID_STRIDE));
            *place = Some(Place { added_id, created_at: Micros(at) });
        }
        Ok(true)
    }

    /// A row of `RETURNING`; it is only believed by its name.
    fn returned(&mut self, mut row: Row<'_>) -> Result<bool, WireError> {
        let (added_id, row_key, column_key) = (row.field()?, row.field()?, row.field()?);
        let (ref_key, token, created_at) = (row.field()?, row.field()?, row.field()?);
        let (Field::Int(added_id), Field::Bytes(row_key), Field::Bytes(column_key)) = (added_id, row_key, column_key)
        else {
            return Ok(false);
        };
        let (Field::Int(ref_key), Field::Int(token), Field::Int(created_at)) = (ref_key, token, created_at) else {
            return Ok(false);
        };
        let named = |asked: &NewRow<'_>| {
            asked.triple.ref_key.0 == ref_key
                && asked.triple.row.as_bytes() == row_key
                && asked.triple.column.as_bytes() == column_key
        };
        let expected = self.rows.get(self.next).is_some_and(named).then_some(self.next);
        // Another row that has the id: what was to get it was not inserted, and has no place.
        let Some(at) = expected.or_else(|| self.rows.iter().position(named)) else { return Ok(true) };
        self.next = at + 1;
        if self.rows[at].token.0 == token {
            self.places[at] = Some(Place { added_id: AddedId(added_id), created_at: Micros(created_at) });
        }
        Ok(true)
    }
}

impl Sink for Placing<'_> {
    fn row(&mut self, row: Row<'_>) -> Result<Flow, WireError> {
        let right = match self.existing {
            Existing::Refuse => self.base(row)?,
            Existing::Keep => self.returned(row)?,
        };
        self.wrong |= !right;
        Ok(Flow::More)
    }

    fn done(&mut self, _: Done) {
        self.statements += 1;
    }
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::limits::BODY_BYTES;
    use cellgate_schemaless::{Body, ColumnKey, RefKey, RowKey, ShardId, TableId, Token, Triple};

    use super::*;

    const LONGEST: usize = 16 * 1024 * 1024;

    fn named(row: &str) -> Triple {
        Triple {
            row: RowKey::from_store(row.as_bytes().to_vec()),
            column: ColumnKey::from_store(b"c".to_vec()),
            ref_key: RefKey(-5),
        }
    }

    fn new<'a>(table: &'a TableRef, triple: &'a Triple, body: &'a Body) -> NewRow<'a> {
        NewRow { table, shard: ShardId(3), triple, body, token: Token(9) }
    }

    #[test]
    fn a_coalesced_insert_is_one_packet() {
        let (first, second) = (TableRef::new("a", TableId(1), 2), TableRef::new("b", TableId(2), 1));
        let (triple, body) = (named("k"), Body::from_store(&br#"{"it's": "\\'"}"#[..]));
        let rows = [new(&first, &triple, &body), new(&second, &triple, &body)];
        let Ok(plan) = Plan::new(Epoch(4), &rows, Existing::Keep, true, LONGEST) else { panic!("no plan") };
        let [packet] = plan.packets.as_slice() else { panic!("{} packets", plan.packets.len()) };
        assert_eq!(packet.statements, 6);
        let insert = |table: &str, offset: i64, def: u32| {
            format!(
                "INSERT INTO `{table}` (added_id, shard, kind, def, ref_key, created_at, token, row_key, column_key, \
                 body) VALUES (@b + {offset}, 3, 0, {def}, -5, @t, 9, x'6b', x'63', _binary'{{\"it''s\": \"\\\\''\"}}') ON \
                 DUPLICATE KEY UPDATE token = token RETURNING added_id, row_key, column_key, ref_key, token, created_at"
            )
        };
        let text = format!(
            "BEGIN; UPDATE cg_head SET next = (@b := next) + 2 * 1024 + (NOT (~0 + (INSTR('0OFF', @@read_only) = 0))), \
             at = (@t := GREATEST(at + 1, {CLOCK})) WHERE head = 0 AND epoch = 4; {}; {}; COMMIT; \
             SET @b = NULL, @c = NULL",
            insert("a_1", 0, 2),
            insert("b_2", 1024, 1)
        );
        assert_eq!(std::str::from_utf8(&packet.text), Ok(text.as_str()));
    }

    #[test]
    fn a_shared_write_is_one_prepared_insert() {
        let table = TableRef::new("a", TableId(1), 2);
        let (triple, body) = (named("k"), Body::from_store(&b"{}"[..]));
        let rows = vec![new(&table, &triple, &body); 18];
        let batch = Batch::new(&rows[..2], Existing::Keep, LONGEST).unwrap();
        assert_eq!(
            batch.text(true),
            "INSERT INTO `a_1` (added_id, shard, kind, def, ref_key, created_at, token, row_key, column_key, body) VALUES \
             (CAST(@c AS SIGNED) + 0, ?, 0, ?, ?, CAST(@t AS SIGNED), ?, ?, ?, ?), \
             (CAST(@c AS SIGNED) + 1024, ?, 0, ?, ?, CAST(@t AS SIGNED), ?, ?, ?, ?) ON DUPLICATE KEY UPDATE token = \
             token RETURNING added_id, row_key, column_key, ref_key, token, created_at"
        );
        for rows in [&rows[..1], &rows[..17], &rows] {
            let batch = Batch::new(rows, Existing::Keep, LONGEST).unwrap();
            let mut told = 0;
            batch.each(&mut |_| told += 1);
            assert_eq!((told, batch.text(false).matches('?').count()), (batch.count(), batch.count()));
        }
    }

    #[test]
    fn what_must_be_told_apart_by_statements_is_no_batch() {
        let (first, second) = (TableRef::new("a", TableId(1), 2), TableRef::new("b", TableId(2), 1));
        let (triple, body) = (named("k"), Body::from_store(vec![b'1'; 600 * 1024]));
        let one = new(&first, &triple, &body);
        assert!(Batch::new(&[one], Existing::Keep, LONGEST).is_some());
        assert!(Batch::new(&[one], Existing::Refuse, LONGEST).is_none());
        assert!(Batch::new(&[one, one], Existing::Keep, LONGEST).is_none(), "more than a packet");
        assert!(Batch::new(&[one], Existing::Keep, 500 * 1024).is_none(), "more than the server takes");
        let small = Body::from_store(&b"{}"[..]);
        let rows = [new(&first, &triple, &small), new(&second, &triple, &small)];
        assert!(Batch::new(&rows, Existing::Keep, LONGEST).is_none());
    }

    #[test]
    fn a_row_that_is_too_long_for_a_text_goes_alone_and_as_it_is() {
        let (table, triple) = (TableRef::new("a", TableId(1), 1), named("k"));
        let quoted = Body::from_store(vec![b'\''; BODY_BYTES]);
        let row = new(&table, &triple, &quoted);
        let mariadb = 16 * 1024 * 1024;
        assert!(Batch::new(&[row], Existing::Keep, mariadb).is_some());
        assert!(Batch::new(&[row, row], Existing::Keep, mariadb).is_none());
        assert!(Batch::new(&[row], Existing::Refuse, mariadb).is_none());
        assert!(Batch::new(&[row], Existing::Keep, BODY_BYTES).is_none(), "the server does not take it");
        assert!(Batch::new(&[row], Existing::Keep, 64 * 1024 * 1024).is_none(), "a text will do");
        let plain = Body::from_store(vec![b'1'; BODY_BYTES]);
        assert!(Batch::new(&[new(&table, &triple, &plain)], Existing::Keep, mariadb).is_none(), "a text will do");
    }

    #[test]
    fn packets_are_bounded_and_the_last_one_commits() {
        let table = TableRef::new("a", TableId(1), 1);
        let body = Body::from_store(vec![b'1'; 600 * 1024]);
        let triples = ["a", "b", "c"].map(named);
        let rows: Vec<NewRow<'_>> = triples.iter().map(|triple| new(&table, triple, &body)).collect();
        let Ok(plan) = Plan::new(Epoch(1), &rows, Existing::Refuse, true, LONGEST) else { panic!("no plan") };
        assert_eq!(plan.packets.iter().map(|packet| packet.statements).collect::<Vec<_>>(), [3, 1, 4]);
        assert!(plan.packets.iter().all(|packet| packet.text.len() <= PACKET_BYTES));
        assert!(plan.packets[2].text.ends_with(b"; SELECT @b, @t; COMMIT; SET @b = NULL, @c = NULL"));
    }

    #[test]
    fn what_no_packet_can_hold_is_too_large() {
        let (table, triple) = (TableRef::new("a", TableId(1), 1), named("a"));
        let body = Body::from_store(vec![b'\''; LONGEST / 2]);
        let failure = Plan::new(Epoch(1), &[new(&table, &triple, &body)], Existing::Keep, true, LONGEST).err();
        assert!(matches!(failure, Some(Failure::Store(StoreError::TooLarge { .. }))), "{failure:?}");
    }
}
