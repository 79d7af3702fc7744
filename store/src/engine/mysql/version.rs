//! What a server is, by the version it names.

use super::sinks::{Values, first};
use super::wire::{Connection, WireError};
use crate::engine::server::driver::Value;
use crate::sql::{Dialect, MARIADB, MYSQL, MYSQL_WITH_LATERAL};

/// What the server calls itself, as `10.11.6-MariaDB-log`.
pub(super) async fn version(connection: &mut Connection) -> Result<String, WireError> {
    let mut values = Values::default();
    connection.query(b"SELECT VERSION()", &mut values).await?;
    match first(&values.rows) {
        Some(Value::Bytes(version)) => Ok(String::from_utf8_lossy(version).into_owned()),
        Some(Value::Null | Value::Int(_)) | None => Err(WireError::Malformed("version")),
    }
}

pub(super) fn is_maria(version: &str) -> bool {
    version.to_ascii_lowercase().contains("mariadb")
}

/// How a server of this version spells things. MariaDB has tables of values since 10.3, MySQL since 8.0.19.
pub(super) fn dialect_of(version: &str) -> &'static Dialect {
    match is_maria(version) {
        true if numbers(version) >= [10, 3, 0] => &MARIADB,
        false if numbers(version) >= [8, 0, 19] => &MYSQL_WITH_LATERAL,
        true | false => &MYSQL,
    }
}

/// The first three numbers of a version.
pub(super) fn numbers(version: &str) -> [u32; 3] {
    // What stands before MariaDB's own version for old replicas to read.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{dialect_of, numbers};
    use crate::sql::Lists;

    #[test]
    fn what_a_server_can_read_follows_from_its_version() {
        for (version, lists) in [
            ("10.11.6-MariaDB-0+deb12u1", Lists::MariaDb),
            ("5.5.5-10.3.39-MariaDB", Lists::MariaDb),
            ("10.2.44-MariaDB", Lists::Plain),
            ("8.0.36", Lists::Lateral),
            ("9.7.4-2", Lists::Lateral),
            ("8.0.18", Lists::Plain),
            ("8.0.mysql_aurora.3.05.2", Lists::Plain),
            ("5.7.44-log", Lists::Plain),
        ] {
            assert_eq!(dialect_of(version).lists, lists, "{version}");
        }
    }

    #[test]
    fn a_version_is_read_with_or_without_what_stands_before_it() {
        assert_eq!(numbers("10.11.6-MariaDB-0+deb12u1"), [10, 11, 6]);
        assert_eq!(numbers("5.5.5-10.4.1-MariaDB"), [10, 4, 1]);
        assert_eq!(numbers("8.0.36"), [8, 0, 36]);
        assert_eq!(numbers("none"), [0, 0, 0]);
    }
}
