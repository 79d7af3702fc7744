//! Replies: OK, ERR and result sets.
//!
//! A handler gets one [`Reply`] a command and has to give a [`Replied`] back, which only the finishers make: a command
//! without a reply, or with two, does not compile.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes};
use cellgate_sql::{CellValue, ColumnMeta, ColumnType, Value};
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::BufMutExt as _;

use super::changes::{SessionChange, write_changes};
use super::column::{write_column, write_param};
use super::compress::Algorithm;
use super::error::{ErrorReply, Violation, WireError};
use super::packet::Channel;
use super::row::{write_cell_values, write_values};
use super::status::{Following, Status};
use super::value_text::DATE;

/// What one client is written to by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// What both sides can do.
    pub(super) capabilities: CapabilityFlags,
    /// The collation of text columns.
    pub(super) text: u16,
}

impl Client {
    fn ends_with_ok(self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    }

    /// How what follows the login is compressed, if it is.
    pub(super) fn compression(self) -> Option<Algorithm> {
        Algorithm::of(self.capabilities)
    }

    fn is_told_changes(self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK)
    }
}

/// How the rows of a result are written: as text for QUERY, binary for STMT_EXECUTE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowFormat {
    Text,
    Binary,
}

/// An OK packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OkReply {
    /// Rows written.
    pub affected_rows: u64,
    /// The first generated id; 0 is none.
    pub last_insert_id: u64,
    /// How many warnings SHOW WARNINGS has.
    pub warnings: u16,
    /// The session's state.
    pub status: Status,
    /// For humans, e.g. `Records: 2  Duplicates: 0  Warnings: 0`; drivers read it.
    pub info: String,
    /// What changed of the session; told to clients that asked for it (SESSION_TRACK).
    pub changes: Vec<SessionChange>,
}

/// The number of a reply's first packet.
const FIRST_OF_REPLY: u8 = 1;

/// The first packets of a result set, as they are sent: how many columns there are, and each of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Preamble {
    frames: Bytes,
    columns: Arc<[ColumnType]>,
    /// The number of the packet behind them.
    next: u8,
    collation: u16,
}

impl Preamble {
    /// The preamble of a result that is a reply's first, for a client whose text has this collation.
    pub fn new(columns: &[ColumnMeta], collation: u16) -> Self {
        let mut frames = Vec::new();
        let mut next = FIRST_OF_REPLY;
        let mut packet = |write: &dyn Fn(&mut Vec<u8>)| {
            let start = frames.len();
            frames.extend_from_slice(&[0, 0, 0, next]);
            write(&mut frames);
            // A definition is its names and a few numbers: far from the longest frame.
            let [a, b, c, ..] = ((frames.len() - start - 4) as u32).to_le_bytes();
            frames[start..start + 3].copy_from_slice(&[a, b, c]);
            next = next.wrapping_add(1);
        };
        packet(&|out| out.put_lenenc_int(columns.len() as u64));
        for column in columns {
            packet(&|out| write_column(out, column, collation));
        }
        Self { frames: frames.into(), columns: columns.iter().map(|column| column.ty).collect(), next, collation }
    }

    /// The collation it was made for.
    pub fn collation(&self) -> u16 {
        self.collation
    }
}

/// Columns that were written before.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// As they are sent.
    pub preamble: &'a Preamble,
    /// What they are.
    pub columns: &'a [ColumnMeta],
}

/// The reply to one command, yet to be given.
#[must_use = "a command without a reply hangs its client"]
pub struct Reply<'a> {
    channel: &'a mut Channel,
    client: Client,
    format: RowFormat,
    started: Instant,
}

/// A reply was given.
#[must_use = "hand it back to the wire"]
#[derive(Debug)]
pub struct Replied {
    following: Following,
}

impl Replied {
    /// Whether a part was given and the last one is still due.
    pub(super) fn is_finished(&self) -> bool {
        self.following == Following::Last
    }
}

impl<'a> Reply<'a> {
    pub(super) fn new(channel: &'a mut Channel, client: Client, format: RowFormat, started: Instant) -> Self {
        Self { channel, client, format, started }
    }

    /// When the whole command was read.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Does what may have to wait for other clients; while it does, the replies before this one are sent.
    /// The work stays where it is: handed over, it would be copied for every command.
    pub fn meanwhile<'b, F: Future>(
        &'b mut self,
        work: Pin<&'b mut F>,
    ) -> impl Future<Output = F::Output> + use<'a, 'b, F> {
        self.channel.meanwhile(work)
    }

    /// Answers OK. It is sent when the command is over.
    pub fn ok(self, ok: &OkReply) -> Replied {
        write_ok(self.channel, self.client, ok, Following::Last);
        Replied { following: Following::Last }
    }

    /// Answers ERR. It is sent when the command is over.
    pub fn error(self, error: &ErrorReply) -> Replied {
        write_error(self.channel, error);
        Replied { following: Following::Last }
    }

    /// Begins a result set; `status` is the session's state before the rows.
    ///
    /// # Errors
    /// The connection is lost, or there are no columns.
    pub async fn rows(self, columns: &[ColumnMeta], status: Status) -> Result<RowsReply<'a>, WireError> {
        RowsReply::begin(self, columns, status, Following::Last).await
    }

    /// The collation of the client's text, for [`Preamble::new`].
    pub fn collation(&self) -> u16 {
        self.client.text
    }

    /// Answers with at most one row, under columns that were written before. A reply that does not begin with this
    /// result (or to a command of several frames) counts its packets from elsewhere, and has them written anew. Nothing
    /// is sent yet, however long the row is.
    ///
    /// # Errors
    /// As those of [`RowsReply::row`].
    pub fn one_row(
        self,
        Known { preamble, columns }: Known<'_>,
        row: Option<&[CellValue]>,
        warnings: u16,
        status: Status,
    ) -> Result<Replied, WireError> {
        let Reply { channel, client, format, .. } = self;
        if channel.next_packet() == FIRST_OF_REPLY && !preamble.columns.is_empty() {
            channel.append_frames(&preamble.frames, preamble.next);
        } else {
            write_columns(channel, client, columns)?;
        }
        if !client.ends_with_ok() {
            write_eof(channel, 0, status, Following::Last);
        }
        if let Some(row) = row {
            write_cell_values(channel, format, &preamble.columns, row)?;
        }
        write_end(channel, client, warnings, status, Following::Last);
        Ok(Replied { following: Following::Last })
    }

    /// Answers OK to one of several statements; the last one's answer is still due.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn ok_part(&mut self, ok: OkReply) -> Result<(), WireError> {
        write_ok(self.channel, self.client, &ok, Following::More);
        self.channel.relieve().await
    }

    /// Begins the result set of one of several statements; after it the last one's answer is still due, and the
    /// [`Replied`] of this one's [`RowsReply::finish`] is refused as the command's. [`RowsReply::fail`] ends them all.
    ///
    /// # Errors
    /// The connection is lost, or there are no columns.
    pub async fn rows_part(&mut self, columns: &[ColumnMeta], status: Status) -> Result<RowsReply<'_>, WireError> {
        let part =
            Reply { channel: &mut *self.channel, client: self.client, format: self.format, started: self.started };
        RowsReply::begin(part, columns, status, Following::More).await
    }
}

/// A result set under way.
#[must_use = "a result set without an end hangs its client"]
pub struct RowsReply<'a> {
    channel: &'a mut Channel,
    client: Client,
    format: RowFormat,
    columns: Arc<[ColumnType]>,
    /// The digits of each column's fraction, if there are times with fewer than six.
    digits: Option<Box<[u8]>>,
    following: Following,
}

impl<'a> RowsReply<'a> {
    async fn begin(
        reply: Reply<'a>,
        columns: &[ColumnMeta],
        status: Status,
        following: Following,
    ) -> Result<Self, WireError> {
        let Reply { channel, client, format, .. } = reply;
        write_columns(channel, client, columns)?;
        if !client.ends_with_ok() {
            write_eof(channel, 0, status, following);
        }
        channel.relieve().await?;
        let is_short = |column: &ColumnMeta| match column.ty {
            ColumnType::DateTime => column.decimals < 6,
            ty => ty == ColumnType::Date,
        };
        let digits = |column: &ColumnMeta| if column.ty == ColumnType::Date { DATE } else { column.decimals };
        let digits = columns.iter().any(is_short).then(|| columns.iter().map(digits).collect());
        let columns = columns.iter().map(|column| column.ty).collect();
        Ok(Self { channel, client, format, columns, digits, following })
    }

    /// Goes on with the rows of a cursor, whose columns have been told.
    pub(super) fn resume(channel: &'a mut Channel, client: Client, columns: Arc<[ColumnType]>) -> Self {
        Self { channel, client, format: RowFormat::Binary, columns, digits: None, following: Following::Cursor }
    }

    /// As [`Reply::meanwhile`], e.g. for the next row: what is written of the result so far is sent as well.
    pub fn meanwhile<'b, F: Future>(
        &'b mut self,
        work: Pin<&'b mut F>,
    ) -> impl Future<Output = F::Output> + use<'a, 'b, F> {
        self.channel.meanwhile(work)
    }

    /// Ends a part of a cursor's rows.
    pub(super) async fn pause(self, status: Status, following: Following) -> Result<(), WireError> {
        write_end(self.channel, self.client, 0, status, following);
        self.channel.relieve().await
    }

    /// Appends a row. Waits while the client does not take what was sent before.
    ///
    /// # Errors
    /// The connection is lost; or, with nothing of the row sent, it has another width than the columns, or a value
    /// that its column's type cannot carry ([`RowsReply::fail`] can still end the result).
    pub async fn row(&mut self, values: &[Value]) -> Result<(), WireError> {
        write_values(self.channel, self.format, &self.columns, self.digits.as_deref(), values)?;
        self.channel.relieve().await
    }

    /// Ends the result set.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn finish(self, warnings: u16, status: Status) -> Result<Replied, WireError> {
        write_end(self.channel, self.client, warnings, status, self.following);
        self.channel.relieve().await?;
        Ok(Replied { following: self.following })
    }

    /// Whether the end of the rows can tell what changed of the session, and is to.
    pub fn tells_changes(&self) -> bool {
        self.client.ends_with_ok() && self.client.is_told_changes()
    }

    /// As [`RowsReply::finish`], and tells what changed of the session if it can.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn finish_with(
        self,
        warnings: u16,
        status: Status,
        changes: Vec<SessionChange>,
    ) -> Result<Replied, WireError> {
        if !self.tells_changes() || changes.is_empty() {
            return self.finish(warnings, status).await;
        }
        let ok = OkReply { warnings, status, changes, ..OkReply::default() };
        write_ok_as(END_OF_ROWS, self.channel, self.client, &ok, self.following);
        self.channel.relieve().await?;
        Ok(Replied { following: self.following })
    }

    /// Ends the result set, and all that was to follow it, with an error.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn fail(self, error: &ErrorReply) -> Result<Replied, WireError> {
        write_error(self.channel, error);
        self.channel.relieve().await?;
        Ok(Replied { following: Following::Last })
    }
}

/// What a result set begins with.
fn write_columns(channel: &mut Channel, client: Client, columns: &[ColumnMeta]) -> Result<(), WireError> {
    if columns.is_empty() {
        // Zero columns would read as an OK packet cut short.
        return Err(WireError::Protocol(Violation::Width { expected: 0, found: 0 }));
    }
    channel.packet(|out| out.put_lenenc_int(columns.len() as u64));
    for column in columns {
        channel.packet(|out| write_column(out, column, client.text));
    }
    Ok(())
}

/// The columns of a cursor that was opened. They end in one packet for every client: who asks for cursors reads it.
pub(super) fn write_cursor(
    channel: &mut Channel,
    client: Client,
    columns: &[ColumnMeta],
    status: Status,
) -> Result<(), WireError> {
    write_columns(channel, client, columns)?;
    write_end(channel, client, 0, status, Following::Cursor);
    Ok(())
}

/// An OK packet.
pub(super) fn write_ok(channel: &mut Channel, client: Client, ok: &OkReply, following: Following) {
    write_ok_as(OK, channel, client, ok, following);
}

/// The first byte of an OK packet, and of one that ends rows.
const OK: u8 = 0x00;
const END_OF_ROWS: u8 = 0xfe;

fn write_ok_as(head: u8, channel: &mut Channel, client: Client, ok: &OkReply, following: Following) {
    let told = client.is_told_changes();
    let changed = told && !ok.changes.is_empty();
    channel.packet(|out| {
        out.put_u8(head);
        out.put_lenenc_int(ok.affected_rows);
        out.put_lenenc_int(ok.last_insert_id);
        out.put_u16_le(ok.status.bits(following) | if changed { STATE_CHANGED } else { 0 });
        out.put_u16_le(ok.warnings);
        if !ok.info.is_empty() || changed {
            // The manual has it without a length for who is not told changes, every server writes one and every client
            // reads it.
            out.put_lenenc_str(ok.info.as_bytes());
        }
        if changed {
            write_changes(out, &ok.changes);
        }
    });
}

/// The status bit of an OK packet that tells of changes.
const STATE_CHANGED: u16 = StatusFlags::SERVER_SESSION_STATE_CHANGED.bits();

/// An OK packet that only tells the session's state and what changed of it.
pub(super) fn write_status(channel: &mut Channel, client: Client, status: Status, changes: Vec<SessionChange>) {
    write_ok(channel, client, &OkReply { status, changes, ..OkReply::default() }, Following::Last);
}

/// An ERR packet.
pub(super) fn write_error(channel: &mut Channel, error: &ErrorReply) {
    channel.packet(|out| {
        out.put_u8(0xff);
        out.put_u16_le(error.code);
        out.put_u8(b'#');
        // Five bytes whatever it is: the text begins behind them.
        out.put_slice(if error.state.len() == 5 { error.state.as_bytes() } else { b"HY000" });
        out.put_slice(error.message.as_bytes());
    });
}

/// An ERR packet in place of a greeting: what the client can read is not known, and the oldest form has no SQLSTATE.
pub(super) fn write_refusal(channel: &mut Channel, error: &ErrorReply) {
    channel.packet(|out| {
        out.put_u8(0xff);
        out.put_u16_le(error.code);
        out.put_slice(error.message.as_bytes());
    });
}

/// The end of rows, and the answer to SET_OPTION: an EOF packet, or an OK packet with its header.
pub(super) fn write_end(channel: &mut Channel, client: Client, warnings: u16, status: Status, following: Following) {
    if client.ends_with_ok() {
        let ([s0, s1], [w0, w1]) = (status.bits(following).to_le_bytes(), warnings.to_le_bytes());
        // No rows changed, no id.
        channel.packet(|out| out.extend_from_slice(&[END_OF_ROWS, 0, 0, s0, s1, w0, w1]));
    } else {
        write_eof(channel, warnings, status, following);
    }
}

fn write_eof(channel: &mut Channel, warnings: u16, status: Status, following: Following) {
    channel.packet(|out| {
        out.put_u8(0xfe);
        out.put_u16_le(warnings);
        out.put_u16_le(status.bits(following));
    });
}

/// The answer to STMT_PREPARE.
pub(super) struct PreparedReply<'a> {
    pub(super) statement: u32,
    pub(super) params: u16,
    pub(super) columns: &'a [ColumnMeta],
    pub(super) warnings: u16,
    pub(super) status: Status,
}

impl PreparedReply<'_> {
    pub(super) async fn write(self, channel: &mut Channel, client: Client) -> Result<(), WireError> {
        channel.packet(|out| {
            out.put_u8(0x00);
            out.put_u32_le(self.statement);
            out.put_u16_le(self.columns.len() as u16);
            out.put_u16_le(self.params);
            out.put_u8(0);
            out.put_u16_le(self.warnings);
        });
        for _ in 0..self.params {
            channel.packet(write_param);
            channel.relieve().await?;
        }
        if self.params > 0 && !client.ends_with_ok() {
            write_eof(channel, 0, self.status, Following::Last);
        }
        for column in self.columns {
            channel.packet(|out| write_column(out, column, client.text));
            channel.relieve().await?;
        }
        if !self.columns.is_empty() && !client.ends_with_ok() {
            write_eof(channel, 0, self.status, Following::Last);
        }
        channel.relieve().await
    }
}
