//! A relay in front of a server that can lose, hold back or refuse connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to the packet with [`MARKER`] in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before it gets to the server.
    CutBefore,
    /// The server gets it and answers; the connection is cut before the answer gets to the client.
    CutAfter,
    /// The server gets it; its answer, and everything else, is held back for ever.
    Freeze,
    /// Neither it nor anything else gets through any more, and nobody is told.
    Stall,
    /// The connection is cut behind so many bytes of what came with it, and of it.
    CutAsked(usize),
    /// The server gets it; the connection is cut behind so many bytes of what it says from then on.
    CutAnswered(usize),
}

/// Bytes in a statement that make the relay fail it: stands in a body, which both protocols send as it is.
pub const MARKER: &str = "lose-this";

/// How long a server that has answered is silent before the answer counts as whole.
const SILENCE: Duration = Duration::from_millis(150);

pub struct Relay {
    pub port: u16,
    /// The fault the next marked packet meets; it is taken by the first.
    next: Arc<Mutex<Option<Fault>>>,
    /// Whether connections are let through.
    up: watch::Sender<bool>,
    /// Connections that were made.
    made: Arc<AtomicUsize>,
    /// Connections that were cut by a fault.
    cut: Arc<AtomicUsize>,
}

impl Relay {
    pub async fn start(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let next = Arc::new(Mutex::new(None));
        let (up, watching) = watch::channel(true);
        let faults = Arc::clone(&next);
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let cut = Arc::new(AtomicUsize::new(0));
        let cuts = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (server, mut watching) = (server.clone(), watching.clone());
                let (faults, cuts) = (Arc::clone(&faults), Arc::clone(&cuts));
                tokio::spawn(async move {
                    if !*watching.borrow_and_update() {
                        return;
                    }
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        // Any change: it may be up again by the time this is asked.
                        biased;
                        _ = watching.changed() => {}
                        () = pass(client, server, &faults, &cuts) => {}
                    }
                });
            }
        });
        Self { port, next, up, made, cut }
    }

    pub fn fail_next(&self, fault: Fault) {
        *self.next.lock().expect("no panic") = Some(fault);
    }

    /// How many connections were made.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// How many connections were cut by a fault.
    pub fn cut(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }

    /// Whether the fault was met.
    pub fn met(&self) -> bool {
        self.next.lock().expect("no panic").is_none()
    }

    /// Cuts all connections, and lets in no others.
    pub fn down(&self) {
        self.up.send_replace(false);
    }

    pub fn up(&self) {
        self.up.send_replace(true);
    }
}

/// Passes on what either side says until one of them ends or is cut by a fault, which is counted.
async fn pass(mut client: TcpStream, mut server: TcpStream, faults: &Mutex<Option<Fault>>, cuts: &AtomicUsize) {
    // Before anybody can notice.
    let cut = || {
        cuts.fetch_add(1, Ordering::SeqCst);
    };
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    // Of the answers, as long as the fault is one of those.
    let mut left = None;
    loop {
        tokio::select! {
            n = client.read(&mut asked) => {
                let Ok(n @ 1..) = n else { return };
                let marked = asked[..n].windows(MARKER.len()).any(|w| w == MARKER.as_bytes());
                let fault = if marked { faults.lock().expect("no panic").take() } else { None };
                match fault {
                    Some(Fault::CutBefore) => return cut(),
                    Some(Fault::CutAfter) => {
                        if server.write_all(&asked[..n]).await.is_err() {
                            return cut();
                        }
                        // The first bytes of the answer, and the rest of it.
                        let mut got = server.read(&mut answered).await;
                        while let Ok(1..) = got {
                            let Ok(more) = tokio::time::timeout(SILENCE, server.read(&mut answered)).await else {
                                return cut();
                            };
                            got = more;
                        }
                        return cut();
                    }
                    Some(Fault::Freeze) => {
                        drop(server.write_all(&asked[..n]).await);
                        std::future::pending::<()>().await;
                    }
                    Some(Fault::Stall) => std::future::pending::<()>().await,
                    Some(Fault::CutAsked(bytes)) if bytes < n => {
                        drop(server.write_all(&asked[..bytes]).await);
                        return cut();
                    }
                    Some(Fault::CutAnswered(bytes)) => {
                        left = Some(bytes);
                        if server.write_all(&asked[..n]).await.is_err() {
                            return;
                        }
                    }
                    Some(Fault::CutAsked(_)) | None => {
                        if server.write_all(&asked[..n]).await.is_err() {
                            return;
                        }
                    }
                }
            }
            n = server.read(&mut answered) => {
                let Ok(n @ 1..) = n else { return };
                let passed = left.map_or(n, |left: usize| left.min(n));
                if client.write_all(&answered[..passed]).await.is_err() {
                    return;
                }
                if passed < n {
                    return cut();
                }
                left = left.map(|left| left - passed);
            }
        }
    }
}
