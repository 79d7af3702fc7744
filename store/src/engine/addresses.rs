//! The addresses of a server's name, of which any may be silent.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Least time for one of several addresses.
const LEAST: Duration = Duration::from_millis(500);

/// The addresses of a host, in the order of the system, and how long each may take to be connected to, so that all of
/// them are tried within `connect`.
///
/// # Errors
/// If it has none.
pub(crate) async fn addresses(host: &str, port: u16, connect: Duration) -> io::Result<(Vec<SocketAddr>, Duration)> {
    let found: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let each = match u32::try_from(found.len()) {
        Ok(0) | Err(_) => return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        Ok(1) => connect,
        Ok(several) => LEAST.max(connect / several),
    };
    Ok((found, each))
}

/// A connection to the first of these addresses that answers in time.
///
/// # Errors
/// That of the last one.
pub(crate) async fn connect_to_one(addresses: &[SocketAddr], each: Duration) -> io::Result<TcpStream> {
    let mut last = None;
    for address in addresses {
        last = Some(match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer within {each:?}")),
        });
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_is_silent_does_not_keep_from_the_next_one() {
        // Who listens and accepts nobody is silent once as many wait as may.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        silent.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        silent.listen(0).unwrap();
        let silent = (silent.local_addr().unwrap().as_socket().unwrap(), silent);
        let each = Duration::from_millis(200);
        let mut waiting = Vec::new();
        while let Ok(stream) = connect_to_one(&[silent.0], each).await {
            waiting.push(stream);
            assert!(waiting.len() < 10, "it is not silent");
        }
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        let stream = connect_to_one(&[silent.0, address], each).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn several_addresses_share_the_time_and_one_has_it_all() {
        let connect = Duration::from_secs(5);
        let (found, each) = addresses("127.0.0.1", 7, connect).await.unwrap();
        assert_eq!((found, each), (vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 7))], connect));
    }
}
