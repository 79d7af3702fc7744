//! The HTTP side: `/metrics`, `/healthz` and `/readyz`, for scrapers and probes.
//!
//! It answers GET and HEAD of those three and nothing else, reads no bodies, and bounds connections, waiting and the
//! life of a connection. Nothing it answers holds keys, bodies or secrets. When all places are taken, the connection
//! that has asked for nothing for the longest time makes room: peers that only hold places keep no probe out. Nor do peers
//! that ask without end keep the clients of MySQL waiting, who are served by the same threads.

mod line;
mod probe;
mod rendering;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use cellgate_store::background::told;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use line::{InLine, Line};
pub use probe::{ProbeError, probe};
use rendering::Rendering;

/// Longest wait for the head of a further one: a scraper that comes every 15 seconds keeps its connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take to make room. It is only dropped, which takes no time.
const ROOM_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest life of a connection, after which it is closed between two requests: a peer that never reads its answer
/// must not hold its place for ever.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);
/// How long a connection that is being closed may take to finish its answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long accepting rests after it failed (no file descriptors left, mostly).
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Longest head of a request that is read, in bytes (hyper's smallest buffer).
const HEAD_BYTES: usize = 8192;

/// What the HTTP side asks the program.
pub trait HttpState: Send + Sync + 'static {
    /// The text exposition of all metrics; empty while there are none. It takes milliseconds, and is called on a thread that serves nobody.
    fn metrics(&self) -> String;

    /// Whether the program can serve clients now. Answers from what is known, without asking a store.
    fn readiness(&self) -> Readiness;
}

/// Whether the program can serve clients, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether clients should be sent here.
    pub ready: bool,
    /// Why not, for people; empty when ready.
    pub reason: String,
    /// Each cluster, by name.
    pub clusters: Vec<ClusterReadiness>,
}

/// Whether a cluster answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterReadiness {
    /// Its name.
    pub name: String,
    /// Whether it answered its last health check.
    pub ready: bool,
    /// The class of the error if not, e.g. `unavailable`; empty when ready. Never an engine's own text.
    pub reason: String,
}

/// Answers on `listener` until `shutdown` turns `true`, with at most `max_connections` connections at once; then
/// finishes the answers that are under way, for at most a few seconds.
pub async fn serve(
    listener: TcpListener,
    state: Arc<dyn HttpState>,
    max_connections: usize,
    mut shutdown: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let line = Arc::new(Line::default());
    let metrics = Arc::new(Rendering::of({
        let state = Arc::clone(&state);
        move || state.metrics()
    }));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut shutdown) => break,
        };
        match accepted {
            Ok((stream, _)) => match place(&places, &line).await {
                Some(place) => {
                    let asked = Asked { state: Arc::clone(&state), metrics: Arc::clone(&metrics) };
                    tokio::spawn(connection(stream, asked, place, line.enter(), shutdown.clone()));
                }
                None => turn_away(&stream),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    // Every connection gives its place back when it has ended, and ends within CLOSE_TIMEOUT from now.
    let all = u32::try_from(max_connections).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

/// A free place, if need be that of the connection that has asked for nothing for the longest time.
async fn place(places: &Arc<Semaphore>, line: &Line) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    line.send_off_first();
    tokio::time::timeout(ROOM_TIMEOUT, Arc::clone(places).acquire_owned()).await.ok()?.ok()
}

/// Says 503 without waiting: a fresh connection's send buffer has room for it.
fn turn_away(stream: &TcpStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = stream.try_write(answer);
}

/// What requests are answered from.
struct Asked {
    state: Arc<dyn HttpState>,
    metrics: Arc<Rendering>,
}

async fn connection(
    stream: TcpStream,
    asked: Asked,
    place: OwnedSemaphorePermit,
    in_line: InLine,
    mut shutdown: watch::Receiver<bool>,
) {
    let service = service_fn(async |request: Request<Incoming>| {
        in_line.asked();
        // Whoever sends many requests at once is answered in turn with all others.
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &asked).await)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks is the peer's business; there is nothing to tell anybody.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = in_line.has_to_leave() => {}
        () = async {
            tokio::select! {
                () = told(&mut shutdown) => {}
                () = tokio::time::sleep(CONNECTION_LIFE) => {}
            }
        } => {
            connection.as_mut().graceful_shutdown();
            // A peer that does not read its answer still makes room for others.
            tokio::select! {
                _ = tokio::time::timeout(CLOSE_TIMEOUT, connection) => {}
                () = in_line.has_to_leave() => {}
            }
        }
    }
    drop(place);
}

async fn answer(method: &Method, path: &str, asked: &Asked) -> Response<Full<Bytes>> {
    let is_read = method == Method::GET || method == Method::HEAD;
    match path {
        "/metrics" | "/healthz" | "/readyz" if !is_read => {
            let mut response = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        "/metrics" => match asked.metrics.text().await {
            Some(text) if text.is_empty() => {
                response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "there are no metrics yet\n")
            }
            Some(text) => response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
            None => response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "cannot render the metrics\n"),
        },
        "/healthz" => response(StatusCode::OK, "text/plain", "ok\n"),
        "/readyz" => {
            let readiness = asked.state.readiness();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            match serde_json::to_string(&readiness) {
                Ok(json) => response(status, "application/json", json + "\n"),
                Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "cannot write JSON\n"),
            }
        }
        _ => response(StatusCode::NOT_FOUND, "text/plain", "try /metrics, /healthz or /readyz\n"),
    }
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
