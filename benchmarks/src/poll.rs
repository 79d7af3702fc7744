//! Waiting for many sockets, and for a moment that is not a multiple of a millisecond.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

/// Events taken at once.
const AT_ONCE: usize = 256;
/// The token of the timer; callers have their own below it.
const TIMER: u64 = u64::MAX;

/// An epoll instance with a precise timer.
pub struct Poll {
    epoll: OwnedFd,
    timer: OwnedFd,
    events: Vec<epoll::Event>,
    ready: Vec<u64>,
}

impl Poll {
    /// One without sockets.
    ///
    /// # Errors
    /// If the system has no room for it.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        // Edge triggered: it need not be read to be armed again.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), flags)?;
        Ok(Self { epoll, timer, events: Vec::with_capacity(AT_ONCE), ready: Vec::with_capacity(AT_ONCE) })
    }

    /// Reports when there is something to read, as long as there is.
    ///
    /// # Errors
    /// If the system has no room for it.
    pub fn add(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    /// Ends that.
    ///
    /// # Errors
    /// If it was not added.
    pub fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Waits for sockets, at most so many milliseconds: cheap, and coarse.
    ///
    /// # Errors
    /// If the system fails.
    pub fn wait(&mut self, most: Duration) -> io::Result<&[u64]> {
        self.take(Some(most))
    }

    /// Waits for sockets until `moment`, to some microseconds.
    ///
    /// # Errors
    /// If the system fails.
    pub fn wait_until(&mut self, moment: Instant) -> io::Result<&[u64]> {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return self.take(Some(Duration::ZERO));
        }
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timer = Itimerspec { it_interval: never, it_value: timespec(left) };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer)?;
        self.take(None)
    }

    fn take(&mut self, timeout: Option<Duration>) -> io::Result<&[u64]> {
        self.events.clear();
        self.ready.clear();
        let timeout = timeout.map(timespec);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(&[]),
            Err(error) => return Err(error.into()),
        }
        let tokens = self.events.iter().map(|event| event.data.u64());
        self.ready.extend(tokens.filter(|token| *token != TIMER));
        Ok(&self.ready)
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_socket_with_something_to_read_is_reported_until_it_is_removed() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.add(&there, 7).unwrap();
        assert!(poll.wait(Duration::ZERO).unwrap().is_empty());
        here.write_all(b"x").unwrap();
        assert_eq!(poll.wait(Duration::from_secs(5)).unwrap(), [7]);
        assert_eq!(poll.wait_until(Instant::now() + Duration::from_secs(5)).unwrap(), [7]);
        poll.remove(&there).unwrap();
        assert!(poll.wait(Duration::ZERO).unwrap().is_empty());
    }

    #[test]
    fn it_does_not_return_before_the_moment() {
        let mut poll = Poll::new().unwrap();
        for micros in [50, 300, 1500] {
            let moment = Instant::now() + Duration::from_micros(micros);
            assert!(poll.wait_until(moment).unwrap().is_empty());
            assert!(Instant::now() >= moment);
        }
    }
}
