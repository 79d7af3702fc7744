//! The tables of the file that are nothing but settings.

use std::time::Duration;

use super::networks::Networks;
use super::section::{Applies, Key, Rendered, Section, quoted, section};
use super::setting::{Address, Literals, LogFormat, LogLevel, Setting, Size};
use super::tls::{TlsCertificate, TlsKey};

section! {
    /// Where MySQL clients connect.
    pub struct Listen in "listen" {
        /// The address. One that other machines can reach needs at least one user with a password.
        address: Address = "127.0.0.1:3307", Restart;
        /// Who puts a PROXY protocol header (version 1 or 2) in front of each connection, to say whose it is: addresses
        /// and networks, with commas between. Connections from there must begin with one; from elsewhere it is an
        /// error of the client's.
        proxy_protocol_from: Networks = "none", Reload;
        /// The certificate, with its chain, that clients which ask for TLS are shown. "self-signed": one is made at the
        /// first start and kept in `data.dir`. A file that changes is taken over within seconds.
        tls_certificate: TlsCertificate = "self-signed", Restart;
        /// The key of `tls_certificate`.
        tls_key: TlsKey = "with-certificate", Restart;
    }
}

section! {
    /// Where `/metrics`, `/healthz` and `/readyz` are answered.
    pub struct Http in "http" {
        /// The address. Nothing behind it shows keys, bodies or secrets, and nothing behind it asks for a password.
        address: Address = "127.0.0.1:9307", Restart;
        /// Most connections at once; a further one takes the place of the one that has asked for nothing for the longest
        /// time. A few scrapers and probes need a handful.
        max_connections: u32 = "64" in "1" to "4096", Restart;
    }
}

section! {
    /// Where the embedded engine keeps its files.
    pub struct Data in "data" {
        /// The directory; created if it is not there. Besides SQLite files it holds what the proxy makes for itself,
        /// also where all stores are on servers: `tls.pem` and `login-key.pem`. While the program runs, each SQLite file
        /// is locked (`<file>.lock`), not the directory.
        dir: String = "./cellgate-data", Restart;
    }
}

section! {
    /// Bounds on what clients may use.
    pub struct Limits in "limits" {
        /// Most client connections at once, and one more of an account with ADMIN; further ones get error 1040. The default
        /// fits with four SQLite files into the 1024 open files that a process usually may have.
        max_connections: u32 = "700" in "1" to "100000", Restart;
        /// Threads that serve clients; "0" is half of the processors this process may use, at least one, because what
        /// keeps one thread busy keeps a store busier; or all of them if a cluster is a SQLite file, whose work is done
        /// here. A thread more than needed costs the others: they wake each other.
        threads: usize = "0" in "0" to "1024", Restart;
        /// Longest statement or parameter set, as MySQL's variable of this name. The default holds the longest body
        /// (a little below 16 MiB) written in hex, its longest form.
        max_allowed_packet: Size = "64MiB" in "1MiB" to "1GiB", Restart;
        /// Most rows one statement may hold at a time to sort, group or shape them; beyond is error 1104.
        collect_rows: usize = "100000" in "1" to "100000000", Reload;
        /// Most bytes of rows one statement may hold at a time to sort, group or shape them.
        collect_bytes: Size = "64MiB" in "1MiB" to "64GiB", Reload;
        /// Most prepared statements of one connection, and as many again that are prepared by name (PREPARE); further ones
        /// get error 1461.
        prepared_statements: usize = "16382" in "1" to "1000000", Reload;
        /// Most bytes of the texts of one connection's prepared statements, by name or not, all together; further ones get
        /// error 1461. A statement takes a few times its text. The default lets everything be prepared that fits into the
        /// default of `max_allowed_packet`.
        prepared_bytes: Size = "64MiB" in "64KiB" to "64GiB", Reload;
        /// Most results one connection may leave on the server to fetch them in parts (cursors); further ones are sent
        /// at once, and so are those beside others that hold `collect_bytes` together. Each holds a page of rows, or all
        /// of them if they had to be sorted or grouped.
        cursors: usize = "16" in "0" to "1000", Reload;
        /// Longest wait before a login is judged, after others of the same user from the same host failed: nothing for
        /// the first three, then 250 ms, doubled with each; at most half of `timeouts.handshake`. "0s" is no delay.
        login_delay: Duration = "5s" in "0s" to "1m", Reload;
        /// About how much memory the plans of statements take that were seen before; they are shared by all connections.
        /// With less than 1MiB the longest lists of values are not kept.
        plan_cache: Size = "16MiB" in "64KiB" to "4GiB", Restart;
        /// Most bytes one connection may hold that were sent with COM_STMT_SEND_LONG_DATA.
        long_data: Size = "64MiB" in "0" to "1GiB", Reload;
        /// Most bytes of one session's user variables (`@x`), their names and 128 bytes for each included; further ones get
        /// error 1104.
        user_variables: Size = "16MiB" in "64KiB" to "1GiB", Reload;
        /// Most cells a transaction may write.
        transaction_cells: usize = "10000" in "1" to "1000000", Reload;
        /// Most bytes of cells a transaction may write; they are held in memory until COMMIT.
        transaction_bytes: Size = "64MiB" in "1MiB" to "4GiB", Reload;
    }
}

section! {
    /// Cells kept in memory. A cell that was read by its exact name never changes; what is erased is in no proxy's cache
    /// any more when DELETE is answered.
    pub struct Cache in "cache" {
        /// How much memory; "0" keeps none. Cells above 64 KiB are not kept.
        size: Size = "64MiB" in "0" to "1024GiB", Restart;
    }
}

section! {
    /// How requests of many clients share statements on MySQL and PostgreSQL servers. While a statement is under way,
    /// requests wait, and the next one takes all of them. Nothing waits for a timer.
    pub struct Coalesce in "coalesce" {
        /// Whether they do.
        enabled: bool = "true", Restart;
        /// Most cells of one shared read.
        batch_reads: usize = "64" in "1" to "512", Restart;
        /// Most cells of one shared write, which is one durable commit.
        batch_writes: usize = "128" in "1" to "1024", Restart;
        /// Most keys of one statement of a client that shares; a statement about more keys runs by itself, so that it
        /// does not fill everybody's batch.
        per_request: usize = "16" in "1" to "512", Restart;
        /// Most shared reads of one kind (exact, latest) under way at once in a cluster; at most a quarter of `pool_size`.
        /// So many are if batches are full, statements slow, the server far away, or no more cells asked for than that. Writes
        /// have one, or two if the server is far away or a PostgreSQL.
        lanes: usize = "4" in "1" to "64", Restart;
        /// How many of them there are as a rule: fewer lanes make larger batches, which cost the server less; with two, the server
        /// works on one while the clients of the other ask again.
        busy_lanes: usize = "2" in "1" to "64", Restart;
        /// From how much time on a statement is slow: nobody waits behind it, as long as there are lanes.
        slow: Duration = "2ms" in "100us" to "1m", Restart;
        /// From how much time on that a server takes for a ping it is far away: the time of a statement goes by on the
        /// way, and there are `lanes` of them at once (of writes two). The shortest of eight counts; there is one every two seconds.
        far: Duration = "400us" in "100us" to "1m", Restart;
        /// Most cells that may wait in front of a cluster, per kind of request; beyond is error 3168, at once.
        queue_cells: usize = "8192" in "1" to "1000000", Restart;
        /// Most bytes of keys and bodies of single cells that may wait to be written in front of a cluster, of small ones and of
        /// those from 128 KiB on each; beyond is error 3168, at once. A write that was taken in waits, and takes memory, though its
        /// client is gone. In front of a SQLite file (up to 4 GiB): of all cells; who finds it full waits for `timeouts.queue`.
        queue_bytes: Size = "256MiB" in "1MiB" to "64GiB", Restart;
    }
}

section! {
    /// Bounds on waiting.
    pub struct Timeouts in "timeouts" {
        /// Opening a connection to a store, login included.
        connect: Duration = "5s" in "10ms" to "10m", Restart;
        /// One statement: a write, the first rows of a SELECT, and the next ones whenever more are needed. What a client
        /// takes to read them is not in it. `max_execution_time` of a session is for a whole SELECT.
        statement: Duration = "30s" in "10ms" to "24h", Restart;
        /// A row lock in a store, each time; a write to a server waits three times before error 1205. On MySQL and
        /// MariaDB whole seconds, rounded up, at most 5. MariaDB and PostgreSQL also end a transaction that is idle for
        /// as long, so that a proxy that was stopped in it holds no lock.
        lock: Duration = "5s" in "10ms" to "10m", Restart;
        /// A free connection of a pool, or a place in a shared statement.
        queue: Duration = "5s" in "10ms" to "10m", Restart;
        /// From a client's connection to the end of its login, a PROXY header included.
        handshake: Duration = "10s" in "100ms" to "10m", Reload;
        /// A client's next command (MySQL's `wait_timeout`).
        idle: Duration = "8h" in "1s" to "8760h", Reload;
        /// A client that does not send the rest of a command it has begun, for each 32 KiB (MySQL's `net_read_timeout`).
        read: Duration = "1m" in "100ms" to "24h", Reload;
        /// A client that does not take its result, for each 32 KiB (MySQL's `net_write_timeout`).
        write: Duration = "1m" in "100ms" to "24h", Reload;
        /// How long the program goes on taking and serving clients when it is told to stop, while `/readyz` is 503: behind a load
        /// balancer above the time it takes to notice that, so that no client is sent to a proxy that is gone.
        drain: Duration = "0s" in "0s" to "1h", Reload;
        /// Statements and transactions that are under way when no further clients are taken, behind `drain`.
        shutdown: Duration = "10s" in "0s" to "1h", Reload;
    }
}

section! {
    /// What is logged. Log lines go to stderr, one line per event; bodies and passwords are in none of them. Keys are in
    /// those about the row of a cell that cannot be read (1815).
    pub struct Log in "log" {
        /// Text for people or JSON for machines.
        format: LogFormat = "text", Restart;
        /// The least grave level that is logged. Whatever it is, these are: statements about accounts, slow queries,
        /// and the lines whose ids clients are told.
        level: LogLevel = "info", Reload;
        /// Statements that take longer are logged and counted; "off" logs none, "0s" all.
        slow_query: Option<Duration> = "1s", Reload;
        /// Whether the slow-query log shows the literals of a statement. They hold keys and bodies, which are
        /// personal data. Those of a text that is no statement are never shown: one of them could be a password.
        literals: Literals = "masked", Reload;
    }
}

section! {
    /// How this proxy follows the meta store.
    pub struct Meta in "meta" {
        /// How long reads and writes go on with the catalog and shard map that are known when the meta store does not
        /// answer. At least twice `poll`. A longer one counts once the meta store has been told: raise it before the meta
        /// store is away.
        max_stale: Duration = "1m" in "1s" to "24h", Reload;
        /// Time between two looks for changes.
        poll: Duration = "1s" in "10ms" to "1m", Restart;
    }
}

impl Meta {
    /// Whether a meta store that answers is looked at often enough with this `poll` that what is known of it is never older
    /// than `max_stale`: a look may take as long as the time between two.
    pub(super) fn follows_at(&self, poll: Duration) -> bool {
        self.max_stale >= poll.saturating_mul(2)
    }
}
