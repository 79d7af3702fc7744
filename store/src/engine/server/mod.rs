//! What the engines that talk to a database server share: options, the pool, and everything of [`Backend`] and
//! [`MetaStore`](crate::meta::MetaStore) that is SQL.
//!
//! A `Driver` is a protocol: it opens sessions, runs statements, and knows how to insert in one
//! transaction that takes its ids from the log head. The rest, and above all how a put is settled (`put`), is one
//! piece of code for all of them.
//!
//! [`Backend`]: crate::backend::Backend

pub(crate) mod attempts;
mod backend;
pub(crate) mod core;
pub(crate) mod driver;
mod erase;
#[cfg(test)]
mod fake;
pub(crate) mod head;
mod identity;
mod monitor;
pub(crate) mod pool;
pub(crate) mod put;
#[cfg(test)]
mod tests;

pub use backend::Server;
pub(crate) use backend::finished;

use std::sync::Arc;

use cellgate_metrics::ClusterMetrics;

use crate::backend::Timeouts;
use crate::engine::dsn::Dsn;

/// How to reach a store on a database server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The cluster's name, for the log.
    pub name: String,
    /// Where the server is.
    pub dsn: Dsn,
    /// Most connections open at once.
    pub pool_size: usize,
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// Where retries and settled writes are counted, if anywhere.
    pub metrics: Option<Arc<ClusterMetrics>>,
}

impl ServerOptions {
    /// Connections of a store that is not told otherwise: the lanes in front of a store use few, and a server's
    /// memory is per connection.
    pub const POOL_SIZE: usize = 8;

    /// Options with the defaults.
    pub fn new(name: impl Into<String>, dsn: Dsn) -> Self {
        Self { name: name.into(), dsn, pool_size: Self::POOL_SIZE, timeouts: Timeouts::default(), metrics: None }
    }
}
