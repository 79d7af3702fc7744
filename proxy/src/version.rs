//! The version as clients and operators see it.

/// The MySQL version whose dialect Cellgate speaks: drivers choose by it what they send.
pub const MYSQL_VERSION: &str = "8.0.36";

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the greeting, `VERSION()` and `@@version` all say.
pub fn server_version() -> String {
    format!("{MYSQL_VERSION}-cellgate-{VERSION}")
}
