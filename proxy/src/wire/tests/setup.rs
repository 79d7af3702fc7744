//! A connection that is served, and a client at its other end.

use super::*;

/// A connection to be served.
pub(super) struct Setup {
    pub(super) limits: WireLimits,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) login_key: Option<Arc<LoginKey>>,
    /// Users that were refused.
    pub(super) denials: Arc<Mutex<Vec<String>>>,
    /// What logins of `guessed` take turns by.
    pub(super) turns: Arc<Semaphore>,
    /// How many answers were wrong; as often `guessed` waits for [`SOON`].
    pub(super) failures: Arc<AtomicUsize>,
    /// Bytes the pipe holds before a writer has to wait.
    pub(super) pipe: usize,
    /// What is left of the time for the login; without it, all of it.
    pub(super) login: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: WireLimits::default(),
            tls: None,
            login_key: None,
            denials: Arc::default(),
            turns: Arc::new(Semaphore::new(1)),
            failures: Arc::default(),
            pipe: 1 << 20,
            login: None,
        }
    }
}

impl Setup {
    /// Serves a client that has not read its greeting.
    pub(super) fn connect(self) -> Client {
        let (near, far) = tokio::io::duplex(self.pipe);
        let calls = Arc::default();
        let events = Arc::default();
        let permits = Arc::new(Semaphore::new(0));
        let script = Script {
            calls: Arc::clone(&calls),
            events: Arc::clone(&events),
            permits: Arc::clone(&permits),
            status: Status::default(),
            login_key: self.login_key,
            denials: self.denials,
            turns: self.turns,
            failures: self.failures,
        };
        let (stop, shutdown) = watch::channel(false);
        let kill = KillSwitch::default();
        let login_by = tokio::time::Instant::now() + self.login.unwrap_or(self.limits.handshake_timeout);
        let lifetime = Lifetime { shutdown, kill: kill.clone(), login_by };
        let greeting = Greeting { server_version: "8.0.36-cellgate-test".to_owned(), connection_id: 9, tls: self.tls };
        let served = tokio::spawn(serve(Box::new(far), greeting, self.limits, script, lifetime));
        Client { stream: near, sequence: 0, capabilities: offered(), served, stop, kill, calls, events, permits }
    }

    /// Serves a client that is logged in as root, with these capabilities.
    pub(super) async fn enter_with(self, capabilities: CapabilityFlags) -> Client {
        let mut client = self.connect();
        client.capabilities = capabilities;
        client.greeting().await;
        let login = Login41 { user: b"root", plugin: b"mysql_native_password", ..Login41::default() };
        client.send(&login.payload(capabilities)).await;
        if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            assert!(client.packet().await.unwrap().starts_with(b"\xfemysql_native_password\0"));
            client.send(b"").await;
        }
        client.ok().await;
        client
    }

    pub(super) async fn enter(self) -> Client {
        self.enter_with(offered()).await
    }
}

pub(super) async fn enter() -> Client {
    Setup::default().enter().await
}

/// What most tests use of what is offered: no compression, no attributes, no changes told.
pub(super) fn offered() -> CapabilityFlags {
    crate::wire::greeting::capabilities(false)
        - CapabilityFlags::CLIENT_COMPRESS
        - CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM
        - CapabilityFlags::CLIENT_QUERY_ATTRIBUTES
        - CapabilityFlags::CLIENT_SESSION_TRACK
}

pub(super) fn old_eof() -> CapabilityFlags {
    offered() - CapabilityFlags::CLIENT_DEPRECATE_EOF
}
