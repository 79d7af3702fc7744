//! MySQL clients: accepting them, the life of one connection, and what is left of it when it ends.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cellgate_metrics::{LoginFailure, Refusal};
use cellgate_store::background::told;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Server;
use crate::descriptors::{self, Room};
use crate::errors;
use crate::locks::Locks;
use crate::places::Place;
use crate::processes::{Process, Processes};
use crate::session::Session;
use crate::version;
use crate::wire::{self, BoxStream, Greeting, Lifetime, Wait, WireError, WireLimits};

/// How long a connection may be silent before the kernel asks whether the client is still there. A client whose machine
/// is gone without a word may hold locks.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long a health check may hold a connection that it only opens.
const MOMENT: Duration = Duration::from_secs(1);

/// How long clients that are cut off may take to be told.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Server {
    /// Accepts MySQL clients until `shutdown` and for as long behind it as configured; then waits for what is under way, at
    /// most as long as configured. Each further time that the end is `asked` for ends one of the two.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        mut shutdown: watch::Receiver<bool>,
        mut asked: watch::Receiver<u32>,
    ) {
        let mut connections = JoinSet::new();
        // Told to the connections when no more are taken.
        let (end, ended) = watch::channel(false);
        let mut drained = pin!(self.drained(&mut shutdown, &mut asked));
        let asked = loop {
            let accepted = tokio::select! {
                asked = &mut drained => break asked,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: the ones that end make room.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            match descriptors::room(&stream) {
                Room::Free => {}
                Room::Scarce => {
                    self.refuse_connection(Refusal::Descriptors);
                    connections.spawn(turn_away(stream, ended.clone()));
                    continue;
                }
                Room::None => {
                    self.refuse_connection(Refusal::Descriptors);
                    continue;
                }
            }
            let Ok(place) = self.places.arrive() else {
                self.refuse_connection(Refusal::TooMany);
                connections.spawn(turn_away(stream, ended.clone()));
                continue;
            };
            let server = Arc::clone(self);
            let shutdown = ended.clone();
            connections.spawn(async move {
                server.connection(stream, peer.ip(), place, shutdown).await;
            });
        };
        tracing::info!("stopping: no new connections; finishing what is running");
        end.send_replace(true);
        drop(listener);
        let patience = self.config().timeouts.shutdown;
        let mut all_done = pin!(async { while connections.join_next().await.is_some() {} });
        let impatient = tokio::select! {
            () = &mut all_done => return,
            () = asked_again(asked) => "of another signal",
            () = tokio::time::sleep(patience) => "timeouts.shutdown is over",
        };
        tracing::warn!(because = impatient, "connections that are still busy are cut off");
        // Who runs nothing that must not be cut off is told.
        self.processes.end_all();
        let _ = tokio::time::timeout(LAST_WORD, all_done).await;
    }

    /// Waits for `shutdown`; from then on the program is not ready. Then as long as clients may still come, unless that is
    /// `asked` for again. Answers what tells of further times.
    async fn drained<'a>(
        &self,
        shutdown: &mut watch::Receiver<bool>,
        asked: &'a mut watch::Receiver<u32>,
    ) -> &'a mut watch::Receiver<u32> {
        told(shutdown).await;
        self.stopping.store(true, Ordering::Relaxed);
        // The wish that ends the waiting is not another one.
        asked.mark_unchanged();
        let drain = self.config().timeouts.drain;
        if !drain.is_zero() {
            tracing::info!(
                drain_s = drain.as_secs_f64(),
                "not ready from now on; clients are served for timeouts.drain"
            );
            tokio::select! {
                () = asked_again(asked) => {}
                () = tokio::time::sleep(drain) => {}
            }
        }
        asked
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        place: Place,
        mut shutdown: watch::Receiver<bool>,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE)) {
            tracing::debug!(%error, "cannot set SO_KEEPALIVE");
        }
        let open = self.metrics.connection_accepted();
        let came = tokio::time::Instant::now();
        let login_by = came + self.config().timeouts.handshake;
        let unwrapped = tokio::select! {
            unwrapped = self.unwrapped(stream, peer, login_by) => unwrapped,
            // Nobody has been greeted who could miss anything.
            () = told(&mut shutdown) => return,
        };
        let (stream, peer) = match unwrapped {
            Ok(unwrapped) => unwrapped,
            // A health check that only connects.
            Err(WireError::Closed) if came.elapsed() < MOMENT => return,
            // A client gives up as soon as the proxy, or sooner.
            Err(WireError::Closed) => return self.miss_header(peer),
            Err(error) => {
                match error {
                    WireError::Timeout(_) => {
                        self.metrics.login_failed(LoginFailure::Timeout);
                        return self.miss_header(peer);
                    }
                    WireError::Protocol(_) => self.metrics.login_failed(LoginFailure::Protocol),
                    WireError::Io(_) | WireError::TooLarge { .. } | WireError::Killed | WireError::Closed => {}
                }
                tracing::info!(%peer, %error, "a connection without the PROXY header that was expected");
                return;
            }
        };
        let host = host_name(peer);
        let process = self.processes.enter(&host);
        let id = process.id();
        let tls = self.tls.as_ref().map(|tls| Arc::clone(tls.server_config()));
        let greeting = Greeting { server_version: version::server_version(), connection_id: id, tls };
        let present = Present { processes: &self.processes, locks: &self.locks, process: &process };
        let session = Session::new(Arc::clone(&self), Arc::clone(&process), host, place);
        let lifetime = Lifetime { shutdown, kill: process.kill_switch().clone(), login_by };
        let ended = wire::serve(stream, greeting, self.wire_limits(), session, lifetime).await;
        let entered = !process.is_of("");
        drop(present);
        drop(open);
        match ended {
            Ok(()) | Err(WireError::Closed | WireError::Killed) => {}
            Err(WireError::Timeout(Wait::Handshake)) => self.metrics.login_failed(LoginFailure::Timeout),
            // A client that ends without a word; over TLS there is a word to miss.
            Err(WireError::Io(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                tracing::debug!(connection = id, %peer, %error, "a client has gone");
            }
            Err(error) => {
                if !entered && matches!(error, WireError::Protocol(_) | WireError::TooLarge { .. }) {
                    self.metrics.login_failed(LoginFailure::Protocol);
                }
                tracing::info!(connection = id, %peer, %error, "a connection broke");
            }
        }
    }

    /// The connection behind a PROXY header, if it comes from who sends one.
    async fn unwrapped(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        login_by: tokio::time::Instant,
    ) -> Result<(BoxStream, IpAddr), WireError> {
        if !self.config().listen.proxy_protocol_from.contains(peer) {
            return Ok((Box::new(stream), peer));
        }
        let (stream, client) = wire::proxied(Box::new(stream), login_by).await?;
        Ok((stream, client.map_or(peer, |client| behind(peer, client.ip()))))
    }

    fn wire_limits(&self) -> WireLimits {
        let config = self.config();
        WireLimits {
            max_allowed_packet: config.limits.max_allowed_packet.bytes(),
            handshake_timeout: config.timeouts.handshake,
            idle_timeout: config.timeouts.idle,
            read_timeout: config.timeouts.read,
            write_timeout: config.timeouts.write,
            prepared_statements: config.limits.prepared_statements,
            cursors: config.limits.cursors,
            long_data: config.limits.long_data.bytes(),
            ..WireLimits::default()
        }
    }
}

/// Tells a client that there is no place for it, unless it does not read that before the end.
async fn turn_away(stream: TcpStream, mut ended: watch::Receiver<bool>) {
    let refusal = errors::too_many_connections();
    tokio::select! {
        // The client may be gone already.
        _ = wire::refuse(Box::new(stream), &refusal) => {}
        () = told(&mut ended) => {}
    }
}

/// Waits until the end is asked for once more. Nobody who could ask is left: for ever.
async fn asked_again(asked: &mut watch::Receiver<u32>) {
    if asked.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A connection that is listed. However it ends, it is off the list then, and holds no locks; if a write of it goes
/// on, it does so until that is over, and is listed as ended.
struct Present<'a> {
    processes: &'a Processes,
    locks: &'a Locks,
    process: &'a Arc<Process>,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.processes.leave(self.process);
        if self.locks.ended(self.process.id()) {
            self.processes.outlive(self.process, || self.locks.outlived());
        }
    }
}

/// Where a client comes from that `sender` says is `client`. The loopback of another machine is that machine.
fn behind(sender: IpAddr, client: IpAddr) -> IpAddr {
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    if is_loopback(client) && !is_loopback(sender) { sender } else { client }
}

/// How MySQL shows where a client comes from.
fn host_name(peer: IpAddr) -> String {
    if peer.to_canonical().is_loopback() { "localhost".to_owned() } else { peer.to_canonical().to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::locks::{Key, Mode};

    #[test]
    fn only_this_machine_can_say_that_a_client_is_of_this_machine() {
        let host = |sender: &str, client: &str| {
            host_name(behind(sender.parse().expect("an address"), client.parse().expect("an address")))
        };
        for client in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(host("192.0.2.2", client), "192.0.2.2", "{client}");
            assert_eq!(host("::ffff:192.0.2.2", client), "192.0.2.2", "{client}");
            assert_eq!(host("127.0.0.1", client), "localhost", "{client}");
            assert_eq!(host("::1", client), "localhost", "{client}");
        }
        assert_eq!(host("192.0.2.2", "192.0.2.9"), "192.0.2.9");
        assert_eq!(host("127.0.0.1", "192.0.2.9"), "192.0.2.9");
    }

    #[tokio::test]
    async fn a_session_that_panics_is_off_the_list_and_holds_no_locks() {
        let (processes, locks) = (Arc::new(Processes::default()), Locks::alone());
        let wanted = [(Key::Tables, Mode::Read)];
        let broken = tokio::spawn({
            let (processes, locks, wanted) = (Arc::clone(&processes), Arc::clone(&locks), wanted.clone());
            async move {
                let process = processes.enter("localhost");
                let _present = Present { processes: &processes, locks: &locks, process: &process };
                assert!(locks.acquire(process.id(), &wanted, Instant::now()).await.unwrap().is_some());
                panic!("a defect");
            }
        });
        assert!(broken.await.is_err_and(|error| error.is_panic()));
        assert_eq!(processes.count(), (0, 0));
        assert!(locks.acquire(2, &wanted, Instant::now()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_connection_that_has_ended_is_listed_as_such_while_a_write_of_it_goes_on() {
        let (processes, locks) = (Processes::default(), Locks::alone());
        let process = processes.enter("localhost");
        let present = Present { processes: &processes, locks: &locks, process: &process };
        let table = Key::Table("d".to_owned(), "t".to_owned());
        let (entered, _) = locks.enter(process.id(), &[(table, Mode::Write)], &[], Instant::now()).await.unwrap();
        let listed = || processes.outlived(|| locks.outlived()).iter().map(|info| info.id).collect::<Vec<_>>();
        assert_eq!(listed(), [0; 0]);
        drop(present);
        assert_eq!((processes.count(), listed()), ((0, 0), vec![process.id()]));
        drop(entered);
        assert_eq!(listed(), [0; 0]);
    }
}
