//! What one connection may use.

use std::time::Duration;

/// What one connection may use: bytes, statements and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLimits {
    /// Longest command, in bytes. A longer one is answered 1153, and the connection is closed. 64 MiB is MySQL 8's own
    /// default.
    pub max_allowed_packet: usize,
    /// Longest packet before the login is through, in bytes: nobody unknown makes us hold more.
    pub login_packet: usize,
    /// From CHANGE_USER to the end of the new login; the first one has [`super::Lifetime::login_by`].
    pub handshake_timeout: Duration,
    /// From one command to the next (`wait_timeout`).
    pub idle_timeout: Duration,
    /// Longest time a client may take to send each 32 KiB of a command that it has begun; as they travel, if it compresses.
    pub read_timeout: Duration,
    /// Longest time a client may take for each 32 KiB of a reply; as they travel, if it compresses.
    pub write_timeout: Duration,
    /// How long a killed connection has to end by itself: to answer what it runs with an error.
    pub kill_grace: Duration,
    /// Most prepared statements open at once. MySQL's `max_prepared_stmt_count` is 16382 for the whole server.
    pub prepared_statements: usize,
    /// Most cursors open at once; beyond them a result is sent at once. What they hold is the handler's to bound.
    pub cursors: usize,
    /// Most bytes of SEND_LONG_DATA held at once, over all statements.
    pub long_data: usize,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            max_allowed_packet: 64 * 1024 * 1024,
            login_packet: 64 * 1024,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(8 * 60 * 60),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            kill_grace: Duration::from_secs(1),
            prepared_statements: 16_382,
            cursors: 16,
            long_data: 64 * 1024 * 1024,
        }
    }
}
