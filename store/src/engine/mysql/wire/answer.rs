//! Answers: packets in, rows and results out.
//!
//! The parser is a plain function over packets and waits for nothing, which is how it is tested and fuzzed.

use super::error::{ERROR, ServerError, WireError};
use super::fields::{Fields, Kind, Protocol, Row};

/// Most columns of an answer, as MySQL has it for a table.
const COLUMNS: u64 = 4096;

/// First byte of the packet behind the last row.
const END: u8 = 0xfe;

/// Longer packets are rows, though they begin like an [`END`].
const END_BYTES: usize = 0xff_ffff;

/// Status: the answer of another statement follows.
const MORE: u16 = 0x0008;

/// What takes the answers of statements.
pub(in crate::engine::mysql) trait Sink {
    /// A row.
    fn row(&mut self, row: Row<'_>) -> Result<Flow, WireError>;

    /// A statement is done; its rows, if it has any, came before.
    fn done(&mut self, done: Done);
}

/// What a sink says to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Flow {
    /// Go on.
    More,
    /// The rest of the answer is not wanted: the connection is of no use any more.
    Enough,
}

/// What a statement did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::mysql) struct Done {
    /// Rows that are different now.
    pub(in crate::engine::mysql) affected: u64,
}

/// What was agreed on at the login and changes how answers look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// No packet stands between columns and rows, and the one behind the rows is of another form.
    pub(super) no_eof: bool,
    /// The server may leave out descriptions of columns that it has given before. Only with `no_eof`.
    pub(super) known_columns: bool,
}

/// What the next packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Result,
    Columns { left: u64 },
    BeforeRows,
    Rows,
}

/// Where an answer stands after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More packets follow.
    More,
    /// That was the last.
    Last,
    /// The sink wants no more of it.
    Enough,
}

/// The answer to a text or a prepared statement, being read.
pub(super) struct Answer<'c> {
    shape: Shape,
    protocol: Protocol,
    expected: Expected,
    /// The columns of the rows; when a prepared statement is asked again, those it had before.
    columns: &'c mut Vec<Kind>,
}

impl<'c> Answer<'c> {
    pub(super) fn new(shape: Shape, protocol: Protocol, columns: &'c mut Vec<Kind>) -> Self {
        Self { shape, protocol, expected: Expected::Result, columns }
    }

    /// Reads the next packet.
    ///
    /// # Errors
    /// [`WireError::Server`] if the statement failed; that was the last packet then.
    pub(super) fn packet(&mut self, packet: &[u8], sink: &mut dyn Sink) -> Result<Step, WireError> {
        match (self.expected, packet) {
            // Rows of text may begin with any byte but this one, which would promise no sensible length.
            (_, [ERROR, ..]) => Err(ServerError::read(packet)?.into()),
            (Expected::Rows, [END, ..]) if packet.len() < END_BYTES => self.end(packet, sink),
            (Expected::Rows, _) => match sink.row(Row::new(packet, self.columns, self.protocol)?)? {
                Flow::More => Ok(Step::More),
                Flow::Enough => Ok(Step::Enough),
            },
            (Expected::Result, [0, ..]) => self.end(packet, sink),
            // A file of ours is asked for.
            (Expected::Result, [0xfb, ..]) => Err(WireError::Malformed("result: we send no files")),
            (Expected::Result, _) => self.header(packet),
            (Expected::Columns { left }, _) => {
                self.columns.push(Kind::read(packet)?);
                self.expected = match (left - 1, self.shape.no_eof) {
                    (0, true) => Expected::Rows,
                    (0, false) => Expected::BeforeRows,
                    (left, _) => Expected::Columns { left },
                };
                Ok(Step::More)
            }
            (Expected::BeforeRows, [END, ..]) if packet.len() < 9 => {
                self.expected = Expected::Rows;
                Ok(Step::More)
            }
            (Expected::BeforeRows, _) => Err(WireError::Malformed("end of the columns")),
        }
    }

    /// How many columns there are, and whether they are described.
    fn header(&mut self, packet: &[u8]) -> Result<Step, WireError> {
        let mut fields = Fields::new(packet, "result");
        let count = fields.number()?;
        if count == 0 || count > COLUMNS {
            return Err(fields.wrong());
        }
        let described = !(self.shape.known_columns && fields.rest() == [0]);
        if described {
            self.columns.clear();
            self.expected = Expected::Columns { left: count };
        } else if self.columns.len() as u64 == count {
            self.expected = Expected::Rows;
        } else {
            return Err(fields.wrong());
        }
        Ok(Step::More)
    }

    /// The end of a statement's answer.
    fn end(&mut self, packet: &[u8], sink: &mut dyn Sink) -> Result<Step, WireError> {
        let mut fields = Fields::new(packet, "end of a result");
        fields.skip(1)?;
        let old_end = self.expected == Expected::Rows && !self.shape.no_eof;
        let (affected, status) = if old_end {
            // Warnings come first here.
            fields.skip(2)?;
            (0, fields.u16()?)
        } else {
            let affected = fields.number()?;
            fields.number()?;
            (affected, fields.u16()?)
        };
        sink.done(Done { affected });
        self.expected = Expected::Result;
        Ok(if status & MORE != 0 { Step::More } else { Step::Last })
    }
}

/// The answer to a statement being prepared: its number, how many parameters it has, and its columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preparing {
    pub(super) number: u32,
    pub(super) params: u16,
    pub(super) columns: Vec<Kind>,
    /// Packets that follow: descriptions of parameters, of columns, and what stands behind each list.
    left: Left,
}

#[derive(Debug, PartialEq, Eq)]
struct Left {
    params: u16,
    columns: u16,
    after_params: bool,
    after_columns: bool,
}

impl Preparing {
    /// Reads the first packet.
    pub(super) fn new(packet: &[u8], shape: Shape) -> Result<Self, WireError> {
        if packet.first() == Some(&ERROR) {
            return Err(ServerError::read(packet)?.into());
        }
        let mut fields = Fields::new(packet, "prepared statement");
        if fields.u8()? != 0 {
            return Err(fields.wrong());
        }
        let number = fields.u32()?;
        let (columns, params) = (fields.u16()?, fields.u16()?);
        if u64::from(columns) > COLUMNS {
            return Err(fields.wrong());
        }
        let left = Left {
            params,
            columns,
            after_params: params > 0 && !shape.no_eof,
            after_columns: columns > 0 && !shape.no_eof,
        };
        Ok(Self { number, params, columns: Vec::new(), left })
    }

    /// Whether all of it was read.
    pub(super) fn is_whole(&self) -> bool {
        self.left == Left { params: 0, columns: 0, after_params: false, after_columns: false }
    }

    /// Reads a packet behind the first.
    pub(super) fn packet(&mut self, packet: &[u8]) -> Result<(), WireError> {
        let left = &mut self.left;
        if left.params > 0 {
            left.params -= 1;
        } else if left.after_params {
            left.after_params = false;
        } else if left.columns > 0 {
            left.columns -= 1;
            self.columns.push(Kind::read(packet)?);
        } else {
            left.after_columns = false;
        }
        Ok(())
    }
}
