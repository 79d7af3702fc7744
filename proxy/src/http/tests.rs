//! HTTP over real loopback sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::config::{Address, Setting};

/// Longest wait for anything in a test; nothing takes it.
const PATIENCE: Duration = Duration::from_secs(20);

struct State {
    ready: AtomicBool,
    has_begun: AtomicBool,
}

impl HttpState for State {
    fn metrics(&self) -> String {
        if self.has_begun.load(Ordering::SeqCst) { "cellgate_x 1\n".to_owned() } else { String::new() }
    }

    fn readiness(&self) -> Readiness {
        let ready = self.ready.load(Ordering::SeqCst);
        let reason = if ready { "" } else { "unavailable" };
        Readiness {
            ready,
            reason: if ready { String::new() } else { "no cluster answers".to_owned() },
            clusters: vec![ClusterReadiness { name: "a".to_owned(), ready, reason: reason.to_owned() }],
        }
    }
}

struct Server {
    address: SocketAddr,
    state: Arc<State>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(max_connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State { ready: AtomicBool::new(true), has_begun: AtomicBool::new(true) });
        let (shutdown, receiver) = watch::channel(false);
        let http_state: Arc<dyn HttpState> = Arc::<State>::clone(&state);
        let task = tokio::spawn(serve(listener, http_state, max_connections, receiver));
        Self { address, state, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("listening")
    }

    /// Sends one request on a connection of its own and reads to the end.
    async fn ask(&self, head: &str) -> String {
        self.try_ask(head).await.expect("answered")
    }

    /// [`Server::ask`] of a server that may turn the connection away.
    async fn try_ask(&self, head: &str) -> std::io::Result<String> {
        let mut stream = self.connect().await;
        let request = format!("{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time")?;
        Ok(String::from_utf8(answer).expect("UTF-8"))
    }

    async fn stop(self) {
        self.shutdown.send_replace(true);
        tokio::time::timeout(PATIENCE, self.task).await.expect("in time").expect("no panic");
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").expect("readable");
    String::from_utf8(answer).expect("UTF-8")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head").1
}

#[tokio::test]
async fn metrics_are_answered_as_text_exposition() {
    let server = Server::start(4).await;
    let answer = server.ask("GET /metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    assert_eq!(body(&answer), "cellgate_x 1\n");
    let answer = server.ask("HEAD /metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && body(&answer).is_empty(), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn while_there_are_no_metrics_they_are_503() {
    let server = Server::start(4).await;
    server.state.has_begun.store(false, Ordering::SeqCst);
    let answer = server.ask("GET /metrics").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn healthz_says_the_process_lives_whether_it_is_ready_or_not() {
    let server = Server::start(4).await;
    for ready in [true, false] {
        server.state.ready.store(ready, Ordering::SeqCst);
        assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    server.stop().await;
}

#[tokio::test]
async fn readyz_is_503_with_the_reason_per_cluster_while_not_ready() {
    let server = Server::start(4).await;
    let answer = server.ask("GET /readyz?verbose").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.state.ready.store(false, Ordering::SeqCst);
    let answer = server.ask("GET /readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let json: serde_json::Value = serde_json::from_str(body(&answer)).expect("JSON");
    assert_eq!(json["ready"], false);
    assert_eq!(json["reason"], "no cluster answers");
    assert_eq!(json["clusters"][0]["name"], "a");
    assert_eq!(json["clusters"][0]["reason"], "unavailable");
    server.stop().await;
}

#[tokio::test]
async fn other_paths_are_404_and_other_methods_405() {
    let server = Server::start(4).await;
    assert!(server.ask("GET /").await.starts_with("HTTP/1.1 404 "));
    assert!(server.ask("POST /nothing").await.starts_with("HTTP/1.1 404 "));
    let answer = server.ask("POST /metrics").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_are_not_http_end_their_connection_only() {
    let server = Server::start(4).await;
    let mut stream = server.connect().await;
    stream.write_all(b"\x00\xff\x16\x03 nonsense\r\n\r\n").await.expect("writable");
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let server = Server::start(4).await;
    let mut stream = server.connect().await;
    let head = format!("GET /metrics HTTP/1.1\r\nx: {}", "y".repeat(HEAD_BYTES * 4));
    // The server may close before it has taken everything.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("in time");
    assert!(read.is_err() || &answer == b"HTTP/1.1 431", "{}", answer.escape_ascii());
    server.stop().await;
}

#[tokio::test]
async fn connections_that_only_hold_places_keep_no_probe_out() {
    let server = Server::start(2).await;
    let mut holders = Vec::new();
    for _ in 0..8 {
        let mut holder = server.connect().await;
        // One that was sent off already may break.
        let _ = holder.write_all(b"GET /metrics HTTP/1.1\r\nx: ").await;
        holders.push(holder);
        assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    server.stop().await;
}

#[tokio::test]
async fn who_has_asked_for_nothing_for_the_longest_time_makes_room() {
    let server = Server::start(2).await;
    let mut scraper = server.connect().await;
    let mut silent = server.connect().await;
    let scrape = async |stream: &mut TcpStream| {
        stream.write_all(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("writable");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("in time").expect("answered");
            answer.push(byte);
        }
    };
    // The silent one came later, but the scraper has asked since.
    scrape(&mut scraper).await;
    assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(rest(&mut silent).await, "");
    scrape(&mut scraper).await;
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_closes_idle_connections_and_the_listener() {
    let server = Server::start(4).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("writable");
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.expect("answered");
    let address = server.address;
    server.stop().await;
    rest(&mut idle).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_probe_tells_ready_from_not_ready_from_nobody() {
    let server = Server::start(4).await;
    let address = Address::from_text(&server.address.to_string()).expect("an address");
    let probed = |address: Address| tokio::task::spawn_blocking(move || probe(&address));
    assert!(probed(address.clone()).await.expect("no panic").is_ok());
    server.state.ready.store(false, Ordering::SeqCst);
    let error = probed(address.clone()).await.expect("no panic").expect_err("not ready");
    assert!(error.to_string().contains("503") && error.to_string().contains("no cluster answers"), "{error}");
    server.stop().await;
    let error = probed(address).await.expect("no panic").expect_err("nobody there");
    assert!(matches!(error, ProbeError::Unreachable { .. }), "{error}");
}
