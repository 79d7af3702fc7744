//! A relay that holds every byte back for a while: a network between two processes of one machine.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::poll::Poll;

/// The token of the listener. A connection has two: an even one for its client's side, and the next for its server's.
const LISTENER: u64 = 0;
const IDLE: Duration = Duration::from_secs(1);

/// Bytes under way to the other side of the token they came from; no bytes: that side has closed.
struct Held {
    due: Instant,
    from: u64,
    bytes: Vec<u8>,
}

/// Relays for ever, on one thread: each byte takes `delay` in each direction.
///
/// # Errors
/// If the system fails; a connection that fails is closed.
pub fn serve(listener: &TcpListener, to: SocketAddr, delay: Duration) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut poll = Poll::new()?;
    poll.add(listener, LISTENER)?;
    let mut sides: HashMap<u64, TcpStream> = HashMap::new();
    // One delay for all: what came first is due first.
    let mut held: VecDeque<Held> = VecDeque::new();
    let mut next = 2;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let until = held.front().map_or_else(|| Instant::now() + IDLE, |held| held.due);
        let ready = poll.wait_until(until)?.to_vec();
        let now = Instant::now();
        for token in ready {
            if token == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    let Ok(server) = TcpStream::connect(to) else { continue };
                    for (side, stream) in [(next, client), (next + 1, server)] {
                        stream.set_nodelay(true)?;
                        stream.set_nonblocking(true)?;
                        poll.add(&stream, side)?;
                        sides.insert(side, stream);
                    }
                    next += 2;
                }
                continue;
            }
            let Some(stream) = sides.get_mut(&token) else { continue };
            let read = match stream.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => 0,
            };
            if read == 0 {
                poll.remove(&*stream)?;
            }
            held.push_back(Held { due: now + delay, from: token, bytes: buffer[..read].to_vec() });
        }
        let now = Instant::now();
        while let Some(due) = held.pop_front_if(|held| held.due <= now) {
            let other = due.from ^ 1;
            let passed = !due.bytes.is_empty() && sides.get_mut(&other).is_some_and(|to| pass(to, &due.bytes).is_ok());
            if !passed {
                sides.remove(&due.from);
                sides.remove(&other);
            }
        }
    }
}

fn pass(to: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            // A side that does not read holds up the others. Those that are measured do read.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_round_trip_takes_the_delay_twice_and_loses_nothing() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = echo.local_addr().unwrap();
        std::thread::spawn(move || crate::echo::serve(&echo, 4, 4));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let delay = Duration::from_millis(5);
        std::thread::spawn(move || serve(&listener, to, delay));
        let mut stream = TcpStream::connect(address).unwrap();
        for _ in 0..3 {
            let start = Instant::now();
            stream.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"yyyy");
            assert!(start.elapsed() >= 2 * delay);
        }
    }
}
