//! Lines on their way to stderr.
//!
//! Whoever reads the log may stop reading, and a write to a full pipe waits until somebody reads on. So a thread of its
//! own writes, and nobody else waits for it: what does not fit into the queue is lost, counted, and said when writing
//! works again. A write that fails (a full disk, a closed pipe) loses its line as well. Of that line a part may have been
//! written; the next one begins on a line of its own.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::sync::lock;

/// Most bytes that wait: minutes of a usual log, a second of the busiest.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Lines that wait for the thread that writes them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    state: Mutex<State>,
    /// Something was queued.
    queued: Condvar,
    /// Everything was written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Bytes of `waiting`.
    bytes: usize,
    /// Whether a line is being written.
    writing: bool,
    /// Lines that were lost, ever.
    lost: u64,
    /// Those of them that the log has told.
    told: u64,
}

impl Lines {
    /// Starts the thread that writes to `out`, for as long as the process lives.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn written_to(mut out: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self::default());
        let own = Arc::clone(&lines);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut torn = false;
            loop {
                torn = own.write_next(&mut out, torn);
            }
        })?;
        Ok(lines)
    }

    /// Queues a line, if there is room.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = lock(&self.state);
        if state.bytes + line.len() > QUEUE_BYTES {
            state.lost += 1;
            return;
        }
        state.bytes += line.len();
        state.waiting.push_back(line.to_vec());
        self.queued.notify_one();
    }

    /// Lines that were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        lock(&self.state).lost
    }

    /// Waits until everything that is queued is written, at most so long.
    pub(super) fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = lock(&self.state);
        while state.writing || !state.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.written.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a line and writes it, behind the end of the line before if that is `torn`; whether it is torn itself.
    fn write_next(&self, out: &mut impl Write, torn: bool) -> bool {
        let mut line = {
            let mut state = lock(&self.state);
            loop {
                if let Some(line) = state.waiting.pop_front() {
                    state.bytes -= line.len();
                    state.writing = true;
                    break line;
                }
                state = self.queued.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        };
        if torn {
            line.insert(0, b'\n');
        }
        let mut left = line.as_slice();
        let done = write_on(out, &mut left);
        let torn = done.is_err() && (torn || left.len() < line.len());
        let untold = {
            let mut state = lock(&self.state);
            state.writing = false;
            match done {
                Err(_) => {
                    state.lost += 1;
                    0
                }
                // Not while others wait: then there may be no room for this one either.
                Ok(()) if state.waiting.is_empty() => {
                    let lost = state.lost;
                    lost - std::mem::replace(&mut state.told, lost)
                }
                Ok(()) => 0,
            }
        };
        if untold > 0 {
            tracing::warn!(count = untold, "lines of the log were lost: they could not be written, or not as fast");
        }
        let state = lock(&self.state);
        if state.waiting.is_empty() {
            self.written.notify_all();
        }
        torn
    }
}

/// Writes what is `left`, which afterwards is what could not be written.
fn write_on(out: &mut impl Write, left: &mut &[u8]) -> io::Result<()> {
    while !left.is_empty() {
        match out.write(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => *left = &left[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

/// Hands what is written to the queue: each call of `write` is a line.
#[derive(Debug)]
pub(super) struct Queue(pub(super) Arc<Lines>);

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Writes into a channel, each time one is told to; fails where told so.
    struct Reader {
        go_on: Receiver<bool>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            match self.go_on.recv() {
                Ok(true) => {}
                Ok(false) | Err(_) => return Err(io::Error::from(io::ErrorKind::StorageFull)),
            }
            self.read.send(line.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_has_stopped_and_what_is_lost_is_counted() {
        let ((go_on, told), (read, lines_read)) = (channel(), channel());
        let lines = Lines::written_to(Reader { go_on: told, read }).unwrap();
        let line = vec![b'x'; QUEUE_BYTES / 4];
        for _ in 0..8 {
            lines.push(&line);
        }
        // One may be with the writer, four wait.
        let lost = lines.lost();
        assert!((3..=4).contains(&lost), "{lost}");
        lines.flush(Duration::from_millis(1));
        for _ in lost..8 {
            go_on.send(true).unwrap();
            assert_eq!(lines_read.recv().unwrap().len(), line.len());
        }
        lines.flush(Duration::from_secs(60));
        lines.push(b"next\n");
        go_on.send(true).unwrap();
        assert_eq!(lines_read.recv().unwrap(), b"next\n");
        assert_eq!(lines.lost(), lost);
    }

    #[test]
    fn a_write_that_fails_loses_its_line_and_nothing_else() {
        let ((go_on, told), (read, lines_read)) = (channel(), channel());
        let lines = Lines::written_to(Reader { go_on: told, read }).unwrap();
        lines.push(b"first\n");
        go_on.send(false).unwrap();
        lines.flush(Duration::from_secs(60));
        assert_eq!(lines.lost(), 1);
        lines.push(b"second\n");
        go_on.send(true).unwrap();
        assert_eq!(lines_read.recv().unwrap(), b"second\n");
    }

    #[test]
    fn what_follows_a_line_that_was_written_in_part_begins_on_a_line_of_its_own() {
        /// Takes so many bytes before its disk is full, then that line's rest never and the next again.
        struct Full {
            room: usize,
            was_full: bool,
            read: Sender<Vec<u8>>,
        }
        impl Write for Full {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                if self.room == 0 && !self.was_full {
                    self.was_full = true;
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                let taken = if self.was_full { line.len() } else { line.len().min(self.room) };
                self.room = self.room.saturating_sub(taken);
                self.read.send(line[..taken].to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
                Ok(taken)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (read, lines_read) = channel();
        let lines = Lines::written_to(Full { room: 9, was_full: false, read }).unwrap();
        for line in [&b"first\n"[..], b"second\n", b"third\n", b"fourth\n"] {
            lines.push(line);
        }
        let written: Vec<u8> = (0..4).flat_map(|_| lines_read.recv().unwrap()).collect();
        assert_eq!(String::from_utf8(written).unwrap(), "first\nsec\nthird\nfourth\n");
        assert_eq!(lines.lost(), 1);
    }
}
