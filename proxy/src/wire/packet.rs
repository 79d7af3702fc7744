//! Packets on a byte stream: frames, sequence numbers, and the two buffers.
//!
//! A packet travels in frames of at most 0xFFFFFF bytes; a frame shorter than that (perhaps empty) ends it. Replies
//! are collected and written together: a client that waits for each reply costs one read and one write a command, and
//! one that sends many commands at once costs few more.
//!
//! Nothing here knows what a packet means.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Sleep, sleep, timeout};

use super::error::{Violation, Wait, WireError};
use super::kill::KillSwitch;
use super::patience::Patience;
use super::stream::{BoxStream, Stream};

/// Longest frame. A frame of exactly this length is followed by another one.
const FRAME: usize = 0xff_ffff;
/// A frame's header: three bytes of length, one of sequence.
const HEADER: usize = 4;
/// Room for the first read of a command. Most statements are shorter; allocating no more than this is quicker.
const FIRST_READ: usize = 1024;
/// Room for it behind one that was filled: the client sends long statements, or many at once.
const LONG_READ: usize = 4 * 1024;
/// Room for further reads of one packet: doubled with what has come, so that a header which promises 16 MiB costs
/// nothing until they are sent.
const NEXT_READ: usize = 16 * 1024;
/// Replies are written at the latest when so many bytes of them wait; and a client has the write timeout for each so
/// many bytes, so that it cannot hold a result by taking it byte by byte. The same of a command that it sends. These times
/// are documented with this size.
const FLUSH_AT: usize = 32 * 1024;
/// An output buffer larger than this is given back when the connection falls idle.
const IDLE_OUTPUT: usize = 1024;
/// Room that the first packet of a reply makes for those behind it: most replies fit.
const FIRST_REPLY: usize = IDLE_OUTPUT;
/// How often it is looked whether a client is still there that waits for an answer. A shorter statement is not cut off.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a connection that is closed with an error goes on taking what the client still sends, so that the error is
/// read before the reset.
const LINGER: Duration = Duration::from_secs(2);

/// A stream of packets, both ways.
pub(super) struct Channel {
    stream: BoxStream,
    /// Read, not yet taken. Starts with a frame's header.
    input: BytesMut,
    /// Room for the first read of the next command.
    first_read: usize,
    /// Payloads of the frames so far of a packet of several frames.
    partial: BytesMut,
    /// Written by [`Channel::open`] and [`Channel::close`]; the first `written` bytes are sent.
    output: Vec<u8>,
    written: usize,
    /// The number of the next packet, whichever side sends it.
    sequence: u8,
    /// Whether the client has to keep to the numbers.
    ordered: bool,
    write_timeout: Duration,
    patience: Patience,
    /// For the rest of a packet that has begun; for each so many bytes as [`FLUSH_AT`] of it.
    read_timeout: Duration,
    /// When the first and the last bytes of the packet that is being received came.
    came: Option<Came>,
    received: u64,
    sent: u64,
    /// What is told that the client is gone.
    kill: KillSwitch,
}

/// When a packet came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// Its first bytes.
    pub(super) began: Instant,
    /// The last of them.
    pub(super) whole: Instant,
}

/// Where a packet that is being written begins.
#[must_use]
pub(super) struct Open(usize);

impl Channel {
    pub(super) fn new(stream: BoxStream, write_timeout: Duration) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            first_read: FIRST_READ,
            partial: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            sequence: 0,
            ordered: true,
            write_timeout,
            patience: Patience::default(),
            read_timeout: Duration::MAX,
            came: None,
            received: 0,
            sent: 0,
            kill: KillSwitch::default(),
        }
    }

    /// Bounds the time that a client may take for the rest of a packet, once it has begun to send it.
    pub(super) fn with_read_timeout(self, read_timeout: Duration) -> Self {
        Self { read_timeout, ..self }
    }

    /// Ends what is done for the client by this when it is gone.
    pub(super) fn with_kill(self, kill: KillSwitch) -> Self {
        Self { kill, ..self }
    }

    pub(super) fn stream(&self) -> &BoxStream {
        &self.stream
    }

    /// Puts another stream (TLS) over this one; `wrap` gets what was read of it beyond the last packet.
    pub(super) async fn wrap<F>(&mut self, wrap: impl FnOnce(Bytes, BoxStream) -> F) -> Result<(), WireError>
    where
        F: Future<Output = io::Result<BoxStream>>,
    {
        let ahead = std::mem::take(&mut self.input).freeze();
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = wrap(ahead, plain).await?;
        Ok(())
    }

    /// Bytes received and sent so far.
    pub(super) fn traffic(&self) -> (u64, u64) {
        (self.received, self.sent + self.output.len() as u64)
    }

    /// When the packet just received came; `None` if it came together with the one before it.
    pub(super) fn came(&mut self) -> Option<Came> {
        self.came.take()
    }

    /// Bytes of memory held by the buffers.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.input.capacity() + self.partial.capacity() + self.output.capacity()
    }

    /// The next packet begins a command or is sent unasked: numbers start again.
    pub(super) fn restart_sequence(&mut self) {
        self.sequence = 0;
    }

    /// From here on the packets are within numbered frames of the compressed protocol. Their own numbers are not looked
    /// at, as in MySQL: there are clients (MariaDB Connector/J 2.7) that do not start them again with each command.
    pub(super) fn ignore_order(&mut self) {
        self.ordered = false;
    }

    /// Takes the next packet if all of it was read.
    pub(super) fn take(&mut self, limit: usize) -> Result<Option<Bytes>, WireError> {
        loop {
            let Some([a, b, c, sequence]) = self.input.first_chunk::<HEADER>().copied() else { return Ok(None) };
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            let sequence = if self.ordered { sequence } else { self.sequence };
            if sequence != self.sequence {
                let violation = Violation::OutOfOrder { expected: self.sequence, found: sequence };
                return Err(WireError::Protocol(violation));
            }
            if self.partial.len() + length > limit {
                self.sequence = sequence.wrapping_add(1);
                return Err(WireError::TooLarge { limit });
            }
            if self.input.len() < HEADER + length {
                return Ok(None);
            }
            self.sequence = sequence.wrapping_add(1);
            self.input.advance(HEADER);
            let payload = self.input.split_to(length);
            if self.partial.is_empty() && length < FRAME {
                return Ok(Some(payload.freeze()));
            }
            if self.partial.is_empty() {
                self.partial = payload;
            } else {
                self.partial.extend_from_slice(&payload);
            }
            if length < FRAME {
                return Ok(Some(std::mem::take(&mut self.partial).freeze()));
            }
        }
    }

    /// The next packet of the login; `time` is for all of it, however many reads it takes. Otherwise as
    /// [`Channel::receive_command`].
    pub(super) async fn receive(&mut self, limit: usize, time: Duration) -> Result<Option<Bytes>, WireError> {
        let packet = {
            let packet = pin!(self.receive_command(limit, Duration::MAX));
            timeout(time, packet).await.unwrap_or(Err(WireError::Timeout(Wait::Handshake)))
        };
        // The first command behind the login begins anew.
        self.came = None;
        packet
    }

    /// The next packet; before waiting for it everything written so far is sent. `idle` is for its first bytes: once they
    /// are there, the read timeout counts. `None` if the client closed between two packets. Dropped while it waits, it
    /// loses nothing.
    pub(super) async fn receive_command(&mut self, limit: usize, idle: Duration) -> Result<Option<Bytes>, WireError> {
        if let Some(packet) = self.take(limit)? {
            return Ok(Some(packet));
        }
        self.flush().await?;
        if self.input.is_empty() && self.partial.is_empty() {
            // Dropped with the wait, it is only made anew.
            let mut patience = std::mem::take(&mut self.patience);
            let read = patience.wait(idle, pin!(self.fill(|stream| stream.is_midway()))).await;
            self.patience = patience;
            let read = read.unwrap_or(Err(WireError::Timeout(Wait::Idle)));
            if read? == Some(0) {
                return Ok(None);
            }
            if let Some(packet) = self.take(limit)? {
                return Ok(Some(packet));
            }
        }
        // Seldom, and then it takes longer than making a box.
        Box::pin(self.receive_rest(limit)).await.map(Some)
    }

    /// The rest of a packet that has begun.
    async fn receive_rest(&mut self, limit: usize) -> Result<Bytes, WireError> {
        // When the time for a further part of it began, by the clock that its end is waited for, and how much had come by then.
        let clock = tokio::time::Instant::now;
        let (mut begun, mut before, mut moved) = (clock(), self.received, self.stream.moved());
        loop {
            let left = self.read_timeout.saturating_sub(begun.elapsed());
            let filling = self.fill(|stream| stream.moved() - moved >= FLUSH_AT as u64);
            if timeout(left, filling).await.unwrap_or(Err(WireError::Timeout(Wait::Read)))? == Some(0) {
                return Err(WireError::Closed);
            }
            if let Some(packet) = self.take(limit)? {
                return Ok(packet);
            }
            if self.received - before >= FLUSH_AT as u64 || self.stream.moved() - moved >= FLUSH_AT as u64 {
                (begun, before, moved) = (clock(), self.received, self.stream.moved());
            }
        }
    }

    /// Reads once: how many bytes came, 0 at the end. `None` if there are none yet, but enough is going on under the stream.
    async fn fill(&mut self, enough: impl Fn(&dyn Stream) -> bool) -> Result<Option<usize>, WireError> {
        if self.input.is_empty() && self.partial.is_empty() {
            // Gives back what the last command took: an idle connection holds no buffers. For a busy one it is one
            // allocation, which is nothing beside the read that follows.
            self.input = BytesMut::new();
            if self.output.capacity() > IDLE_OUTPUT {
                self.output = Vec::new();
            }
            let stream = &mut self.stream;
            poll_fn(move |cx| stream.poll_readable(cx)).await?;
            self.input.reserve(self.first_read);
        } else {
            let packet = match self.input.first_chunk::<3>() {
                Some([a, b, c]) => HEADER + u32::from_le_bytes([*a, *b, *c, 0]) as usize,
                None => HEADER,
            };
            let missing = packet.saturating_sub(self.input.len());
            self.input.reserve(missing.clamp(HEADER, self.input.len().max(NEXT_READ)));
        }
        let (stream, input) = (&mut self.stream, &mut self.input);
        let read = poll_fn(|cx| match pin!(stream.read_buf(input)).poll(cx) {
            Poll::Ready(read) => Poll::Ready(read.map(Some)),
            Poll::Pending if enough(&**stream) => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Pending,
        });
        let Some(read) = read.await? else { return Ok(None) };
        self.first_read = if self.input.len() == self.input.capacity() { LONG_READ } else { FIRST_READ };
        self.received += read as u64;
        if read > 0 {
            let now = Instant::now();
            self.came.get_or_insert(Came { began: now, whole: now }).whole = now;
        }
        Ok(Some(read))
    }

    /// Begins a packet: append the payload to [`Channel::payload`], then [`Channel::close`] it.
    pub(super) fn open(&mut self) -> Open {
        self.make_room();
        let start = self.output.len();
        self.output.extend_from_slice(&[0; HEADER]);
        Open(start)
    }

    pub(super) fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Ends the packet: fills in its header, or cuts it into frames.
    pub(super) fn close(&mut self, Open(start): Open) {
        let length = self.output.len() - start - HEADER;
        if length < FRAME {
            let header = self.header(length);
            self.output[start..start + HEADER].copy_from_slice(&header);
            return;
        }
        let packet = self.output.split_off(start);
        self.output.reserve(packet.len() + HEADER * (length / FRAME));
        for frame in packet[HEADER..].chunks(FRAME) {
            let header = self.header(frame.len());
            self.output.extend_from_slice(&header);
            self.output.extend_from_slice(frame);
        }
        if length.is_multiple_of(FRAME) {
            let header = self.header(0);
            self.output.extend_from_slice(&header);
        }
    }

    /// The number of the next packet.
    pub(super) fn next_packet(&self) -> u8 {
        self.sequence
    }

    /// Whole packets with their headers; `next` is the number of the packet behind them.
    pub(super) fn append_frames(&mut self, frames: &[u8], next: u8) {
        self.make_room();
        self.output.extend_from_slice(frames);
        self.sequence = next;
    }

    /// One allocation for a whole reply, instead of one whenever it has grown out of the last.
    fn make_room(&mut self) {
        if self.output.capacity() == 0 {
            self.output.reserve(FIRST_REPLY);
        }
    }

    /// Takes back a packet that was opened.
    pub(super) fn abandon(&mut self, Open(start): Open) {
        self.output.truncate(start);
    }

    /// A whole packet.
    pub(super) fn packet(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let open = self.open();
        write(&mut self.output);
        self.close(open);
    }

    fn header(&mut self, length: usize) -> [u8; HEADER] {
        let [a, b, c, ..] = (length as u32).to_le_bytes();
        let header = [a, b, c, self.sequence];
        self.sequence = self.sequence.wrapping_add(1);
        header
    }

    /// Sends what was written if it is much. This is where a result set waits for a client that reads slowly, and lets others
    /// run if the client does not.
    pub(super) async fn relieve(&mut self) -> Result<(), WireError> {
        if self.output.len() >= FLUSH_AT {
            self.flush().await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Sends what was written. Dropped while it waits, it can be called again.
    pub(super) async fn flush(&mut self) -> Result<(), WireError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let taken = poll_fn(|cx| Poll::Ready(self.poll_send(cx))).await?;
        if !taken {
            Box::pin(self.send_patiently()).await?;
        }
        self.sent_all();
        Ok(())
    }

    /// All that was written has left.
    fn sent_all(&mut self) {
        self.sent += self.output.len() as u64;
        self.output.clear();
        self.output.shrink_to(2 * FLUSH_AT);
        self.written = 0;
    }

    /// Whether all was taken without waiting, as most replies are.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<bool, WireError> {
        while self.written < self.output.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..])? {
                Poll::Ready(0) => return Err(WireError::Io(io::ErrorKind::WriteZero.into())),
                Poll::Ready(sent) => self.written += sent,
                Poll::Pending => return Ok(false),
            }
        }
        // TLS keeps records back until it is told.
        Ok(Pin::new(&mut self.stream).poll_flush(cx)?.is_ready())
    }

    /// Does what may have to wait for other clients. While it waits, what was written before is sent: a client that sent
    /// several commands at once may let go of what this one waits for only when the others are answered. What is done
    /// without waiting sends nothing. For a client that is gone the connection is killed: what may be cut off of the work is.
    pub(super) fn meanwhile<'a, F: Future>(
        &'a mut self,
        mut work: Pin<&'a mut F>,
    ) -> impl Future<Output = F::Output> + use<'a, F> {
        let mut gone = false;
        let mut look = None;
        poll_fn(move |cx| {
            let polled = work.as_mut().poll(cx);
            if polled.is_pending() && !gone {
                gone = self.poll_gone(&mut look, cx);
                if gone {
                    // Whoever does the work hears of it, in this task.
                    self.kill.kill_connection();
                }
            }
            polled
        })
    }

    /// Sends what was written, and looks from time to time whether the client is there: whether it is known to be gone.
    fn poll_gone(&mut self, look: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
        if !self.output.is_empty() {
            match self.poll_send(cx) {
                Ok(true) => self.sent_all(),
                Ok(false) => {}
                Err(_) => return true,
            }
        }
        loop {
            let next = look.get_or_insert_with(|| Box::pin(sleep(LOOK_EVERY)));
            if next.as_mut().poll(cx).is_pending() {
                return false;
            }
            if self.stream.is_closed() {
                return true;
            }
            *look = None;
        }
    }

    /// Sends what was written as the client takes it.
    async fn send_patiently(&mut self) -> Result<(), WireError> {
        let mut patience = std::mem::take(&mut self.patience);
        let limit = self.write_timeout;
        let mut all = false;
        while !all {
            let (written, moved) = (self.written, self.stream.moved());
            let part = pin!(poll_fn(|cx| match self.poll_send(cx) {
                Ok(false) => {
                    let left = (self.written - written) as u64 + (self.stream.moved() - moved);
                    if left >= FLUSH_AT as u64 { Poll::Ready(Ok(false)) } else { Poll::Pending }
                }
                done => Poll::Ready(done),
            }));
            all = patience.wait(limit, part).await.unwrap_or(Err(WireError::Timeout(Wait::Write)))?;
        }
        self.patience = patience;
        Ok(())
    }

    /// Sends what was written and closes.
    pub(super) async fn shut_down(&mut self) -> Result<(), WireError> {
        self.flush().await?;
        // The reply is out: whether the other side still hears us closing is its own matter.
        let _closed = timeout(self.write_timeout, self.stream.shutdown()).await;
        Ok(())
    }

    /// As [`Channel::shut_down`], but the client may be in the midst of sending: closing at once would reset the
    /// connection, and with it the error that was just sent.
    pub(super) async fn shut_down_lingering(&mut self) -> Result<(), WireError> {
        self.shut_down().await?;
        let _drained = timeout(LINGER, async {
            let mut rest = [0; 4096];
            while let Ok(1..) = self.stream.read(&mut rest).await {}
        })
        .await;
        Ok(())
    }
}
