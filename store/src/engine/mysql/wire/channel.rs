//! A link with its two buffers: what is sent goes out in one write, what is received is parsed where it lies.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::WireError;
use super::frames::{self, Received};
use super::link::Link;

/// Room for one read: what 64 cells of usual size and their keys need.
const READ: usize = 32 * 1024;

/// Most memory each buffer keeps between two commands.
const KEEP: usize = 128 * 1024;

/// A stream of packets, both ways.
pub(super) struct Channel {
    link: Link,
    received: Received,
    /// To be sent with the next command or by itself.
    out: Vec<u8>,
    /// The number of the next frame, whichever side sends it.
    number: u8,
    /// Whether the link has ended or failed.
    ended: bool,
}

impl Channel {
    pub(super) fn new(link: Link) -> Self {
        Self { link, received: Received::default(), out: Vec::new(), number: 0, ended: false }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// The link, to put another over it; `None` if something was received that belongs to nothing yet asked.
    pub(super) fn into_link(self) -> Option<(Link, u8)> {
        self.received.is_empty().then_some((self.link, self.number))
    }

    /// Whether the link has ended or failed.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Goes on with the numbers of the frames before.
    pub(super) fn numbered(self, number: u8) -> Self {
        Self { number, ..self }
    }

    /// Appends a command, whose payload `write` appends: nothing is sent yet.
    pub(super) fn command(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.number = 0;
        self.packet(write);
    }

    /// Appends a packet that answers one of the server's.
    pub(super) fn packet(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begun = frames::begin(&mut self.out);
        write(&mut self.out);
        self.number = frames::end(&mut self.out, begun, self.number);
    }

    /// The next packet is the first of the answer to a command of one frame.
    pub(super) fn begin_answer(&mut self) {
        self.number = 1;
    }

    /// Sends what was appended.
    pub(super) async fn send(&mut self) -> Result<(), WireError> {
        let written = self.link.write_all(&self.out).await;
        let written = if written.is_ok() && self.link.is_encrypted() { self.link.flush().await } else { written };
        self.ended |= written.is_err();
        written?;
        self.out.clear();
        self.out.shrink_to(KEEP);
        Ok(())
    }

    /// The next packet, if all of it was received already.
    pub(super) fn received(&mut self) -> Result<Option<&[u8]>, WireError> {
        self.received.packet(&mut self.number)
    }

    /// Receives more.
    pub(super) async fn receive(&mut self) -> Result<(), WireError> {
        let read = self.link.read_buf(self.received.room(READ)).await;
        self.ended |= !matches!(read, Ok(1..));
        match read? {
            0 => Err(WireError::Closed),
            _ => Ok(()),
        }
    }

    /// The next packet, as a copy: for the few of a login.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            if let Some(packet) = self.received()? {
                return Ok(packet.to_vec());
            }
            self.receive().await?;
        }
    }

    /// An answer has been read to its end: nothing must be left, and large buffers are given back.
    pub(super) fn rest(&mut self) -> Result<(), WireError> {
        if !self.received.is_empty() {
            return Err(WireError::Malformed("answer: something is behind it"));
        }
        self.received.shrink(KEEP);
        Ok(())
    }

    /// Sends what was appended as far as that goes without waiting.
    pub(super) fn send_now(&mut self) {
        use futures_util::FutureExt as _;
        // Whether it arrives or not makes no difference.
        drop(self.send().now_or_never());
    }
}
