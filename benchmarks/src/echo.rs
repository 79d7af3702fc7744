//! A server that does nothing but take requests of a size and send answers of a size: what a hop over TCP costs at least.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::poll::Poll;

/// The token of the listener; connections count up from there.
const LISTENER: u64 = 0;
/// Between two looks at nothing.
const IDLE: Duration = Duration::from_secs(1);

/// Serves for ever, on one thread.
///
/// # Errors
/// If the system fails; a connection that fails is closed.
pub fn serve(listener: &TcpListener, request: usize, answer: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut poll = Poll::new()?;
    poll.add(listener, LISTENER)?;
    let answer = vec![b'y'; answer];
    let mut connections: HashMap<u64, (TcpStream, usize)> = HashMap::new();
    let mut next = LISTENER + 1;
    let mut buffer = vec![0; 16 << 10];
    loop {
        let ready = poll.wait(IDLE)?.to_vec();
        for token in ready {
            if token == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    poll.add(&stream, next)?;
                    connections.insert(next, (stream, 0));
                    next += 1;
                }
                continue;
            }
            let Some((stream, pending)) = connections.get_mut(&token) else { continue };
            if serve_once(stream, pending, request, &answer, &mut buffer).is_err() {
                connections.remove(&token);
            }
        }
    }
}

fn serve_once(
    stream: &mut TcpStream,
    pending: &mut usize,
    request: usize,
    answer: &[u8],
    buffer: &mut [u8],
) -> io::Result<()> {
    match stream.read(buffer) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(read) => *pending += read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    }
    while *pending >= request {
        *pending -= request;
        stream.write_all(answer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_comes_when_the_request_is_whole() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(&listener, 10, 3));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[0; 25]).unwrap();
        let mut answers = [0; 6];
        stream.read_exact(&mut answers).unwrap();
        stream.write_all(&[0; 5]).unwrap();
        stream.read_exact(&mut answers[..3]).unwrap();
        assert_eq!(&answers, b"yyyyyy");
    }
}
