//! Data source names of database servers: `mysql://user:password@host:port/database?option=value&..`, and
//! `postgres://..` likewise. This is the one place that reads such URLs, whether they stand in a configuration or a test.
//!
//! Every part is percent-decoded. A password never shows: [`Password`] prints as `***`, and so does the whole name.

use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

use crate::engine::tls::{TlsMode, TlsOptions};

/// Which protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerKind {
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

impl ServerKind {
    /// The scheme of its names.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }

    /// The port it listens on unless told otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Mysql => 3306,
            Self::Postgres => 5432,
        }
    }
}

/// A password: prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Keeps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// The password itself, for the login alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a database is, and as whom to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsn {
    /// The server's protocol.
    pub kind: ServerKind,
    /// The user.
    pub user: String,
    /// The password, if one is needed. A caller that keeps it in a file sets it after parsing.
    pub password: Option<Password>,
    /// Host name or address (an IPv6 address without its brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The database; never empty.
    pub database: String,
    /// The schema within the database (`?schema=`, PostgreSQL only; `public` unless given).
    pub schema: Option<String>,
    /// Encryption (`?sslmode=`, `?ca=`).
    pub tls: TlsOptions,
}

/// Why a text is not a data source name. Never contains the text: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DsnError {
    /// Neither `mysql://` nor `postgres://` (nor `mariadb://`, `postgresql://`, which are the same).
    #[error("it must start with mysql:// or postgres://")]
    Scheme,
    /// No host.
    #[error("it names no host")]
    Host,
    /// Brackets around a host that is no IPv6 address.
    #[error("its host in brackets is not an IPv6 address")]
    Ipv6,
    /// The port is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// No database, or more than one path element.
    #[error("it must name one database, as in {example}")]
    Database {
        /// A name of the right form.
        example: &'static str,
    },
    /// No user.
    #[error("it names no user (`USER@`); `/` and `?` in a password are written %2F and %3F")]
    User,
    /// A `%` that is not followed by two hex digits, or bytes that are not UTF-8.
    #[error("its {part} is not valid percent-encoding of UTF-8")]
    Encoding {
        /// Which part.
        part: &'static str,
    },
    /// A password where whoever prints the options would show it.
    #[error("a password goes in front of the host or into a password_file, not into a parameter")]
    PasswordOption,
    /// An option nobody knows.
    #[error("unknown option {name}; known are sslmode, ca and (for postgres) schema")]
    Option {
        /// The option.
        name: String,
    },
    /// An option that stands there twice.
    #[error("option {name} is given twice")]
    Twice {
        /// The option.
        name: &'static str,
    },
    /// An option's value that is none of those allowed.
    #[error("option {name} must be one of {allowed}")]
    Value {
        /// The option.
        name: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
}

impl Dsn {
    /// What two names of one database have in common: engine, host, port and database, in one spelling. Two names of one
    /// host are not seen here.
    pub fn place(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        format!("{}://{host}:{}/{}", self.kind.scheme(), self.port, self.database)
    }
}

impl fmt::Display for Dsn {
    /// In its normal form, which reads back as the same: the port given, options as far as they are not what they are
    /// without. `***` for the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, user) = (self.kind.scheme(), percent_encoded(&self.user));
        let password = if self.password.is_some() { ":***" } else { "" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { percent_encoded(&self.host) };
        write!(f, "{scheme}://{user}{password}@{host}:{}/{}", self.port, percent_encoded(&self.database))?;
        let ca = self.tls.ca.as_ref().map(|ca| ca.to_string_lossy());
        let mode = Some(self.tls.mode).filter(|mode| *mode != mode_without_option(ca.is_some()));
        let options = [("sslmode", mode.map(TlsMode::name)), ("ca", ca.as_deref()), ("schema", self.schema.as_deref())];
        let given = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for ((name, value), separator) in given.zip(['?', '&', '&']) {
            write!(f, "{separator}{name}={}", percent_encoded(value).replace("%2F", "/"))?;
        }
        Ok(())
    }
}

impl FromStr for Dsn {
    type Err = DsnError;

    fn from_str(text: &str) -> Result<Self, DsnError> {
        let (kind, rest) = [
            (ServerKind::Mysql, "mysql://"),
            (ServerKind::Mysql, "mariadb://"),
            (ServerKind::Postgres, "postgres://"),
            (ServerKind::Postgres, "postgresql://"),
        ]
        .into_iter()
        .find_map(|(kind, scheme)| text.strip_prefix(scheme).map(|rest| (kind, rest)))
        .ok_or(DsnError::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // The last `@`: one in a password need not be encoded.
        let (login, address) = authority.rsplit_once('@').ok_or(DsnError::User)?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let user = decode(user, "user")?;
        if user.is_empty() {
            return Err(DsnError::User);
        }
        let password = decode(password, "password")?;
        let password = (!password.is_empty()).then_some(Password(password));
        let (host, port) = split_address(address)?;
        let host = decode(host, "host")?;
        if host.is_empty() {
            return Err(DsnError::Host);
        }
        let port = port.map_or(Some(kind.default_port()), port_number).ok_or(DsnError::Port)?;
        let database = decode(path, "database")?;
        if database.is_empty() || path.contains(['/', '#']) {
            return Err(DsnError::Database {
                example: match kind {
                    ServerKind::Mysql => "mysql://user@host:3306/cellgate",
                    ServerKind::Postgres => "postgres://user@host:5432/cellgate",
                },
            });
        }
        let mut dsn = Self { kind, user, password, host, port, database, schema: None, tls: TlsOptions::default() };
        dsn.read_options(query)?;
        Ok(dsn)
    }
}

impl Dsn {
    fn read_options(&mut self, query: &str) -> Result<(), DsnError> {
        let mut mode = None;
        let once = |name, given| if given { Err(DsnError::Twice { name }) } else { Ok(()) };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value, "option")?;
            match name {
                "sslmode" | "ssl-mode" => {
                    once("sslmode", mode.is_some())?;
                    mode = Some(
                        TlsMode::from_name(&value)
                            .ok_or(DsnError::Value { name: "sslmode", allowed: TlsMode::NAMES })?,
                    );
                }
                "ca" if !value.is_empty() => {
                    once("ca", self.tls.ca.is_some())?;
                    self.tls.ca = Some(value.into());
                }
                "ca" => return Err(DsnError::Value { name: "ca", allowed: "a path to a PEM file" }),
                "schema" if self.kind == ServerKind::Postgres => {
                    once("schema", self.schema.is_some())?;
                    let plain = value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                    if value.is_empty() || !plain || value.len() > 63 {
                        return Err(DsnError::Value { name: "schema", allowed: "names of [a-z0-9_], 1 to 63 long" });
                    }
                    self.schema = Some(value);
                }
                other if is_password(other) => return Err(DsnError::PasswordOption),
                // What stands behind a `?` that was not encoded may be the end of a password.
                other if other.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) => {
                    return Err(DsnError::Option { name: other.to_owned() });
                }
                _ => return Err(DsnError::Option { name: "(not shown)".to_owned() }),
            }
        }
        self.tls.mode = mode.unwrap_or(mode_without_option(self.tls.ca.is_some()));
        Ok(())
    }
}

/// What `sslmode` is if it is not given: who names an authority wants it to be asked.
fn mode_without_option(names_authority: bool) -> TlsMode {
    if names_authority { TlsMode::VerifyFull } else { TlsMode::Disable }
}

/// Whether an option is what some clients call the password.
fn is_password(option: &str) -> bool {
    let name = option.to_ascii_lowercase();
    name.contains("password") || name.contains("passwd") || name == "pwd"
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; the address without its brackets.
fn split_address(address: &str) -> Result<(&str, Option<&str>), DsnError> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(DsnError::Ipv6)?;
        host.parse::<Ipv6Addr>().map_err(|_| DsnError::Ipv6)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(DsnError::Port),
        };
    }
    Ok(address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))))
}

fn port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// Everything but RFC 3986's unreserved characters as `%XX`: text as it is written within any part of a name.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(text: &str, part: &'static str) -> Result<String, DsnError> {
    let wrong = || DsnError::Encoding { part };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or_else(wrong);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_decoded() {
        let dsn: Dsn = "postgres://us%65r:p%40ss%2F@[::1]:7777/d%C3%BC?sslmode=verify-ca&ca=/etc/ca.pem&schema=cells"
            .parse()
            .unwrap();
        assert_eq!(dsn.kind, ServerKind::Postgres);
        assert_eq!((dsn.user.as_str(), dsn.host.as_str(), dsn.port), ("user", "::1", 7777));
        assert_eq!(dsn.password.as_ref().map(Password::expose), Some("p@ss/"));
        assert_eq!((dsn.database.as_str(), dsn.schema.as_deref()), ("dü", Some("cells")));
        assert_eq!(dsn.tls, TlsOptions { mode: TlsMode::VerifyCa, ca: Some("/etc/ca.pem".into()) });
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let dsn: Dsn = "mysql://root@db/cellgate".parse().unwrap();
        assert_eq!((dsn.port, dsn.password, dsn.tls.mode), (3306, None, TlsMode::Disable));
        let dsn: Dsn = "mysql://root@db/cellgate?ca=/ca.pem".parse().unwrap();
        assert_eq!(dsn.tls.mode, TlsMode::VerifyFull, "an authority that is named is asked");
        let dsn: Dsn = "mysql://root:@db/cellgate".parse().unwrap();
        assert_eq!(dsn.password, None, "an empty one is none");
    }

    #[test]
    fn a_password_never_shows() {
        let dsn: Dsn = "mysql://root:hunter2@db/cellgate".parse().unwrap();
        assert_eq!(dsn.to_string(), "mysql://root:***@db:3306/cellgate");
        assert!(!format!("{dsn:?} {dsn:#?} {dsn}").contains("hunter2"));
    }

    #[test]
    fn a_name_is_written_so_that_it_reads_back() {
        for (text, written) in [
            ("mariadb://u@h/d", "mysql://u@h:3306/d"),
            ("postgresql://u%40@[::1]:7/d%20e?", "postgres://u%40@[::1]:7/d%20e"),
            ("mysql://u@h/d?sslmode=disable", "mysql://u@h:3306/d"),
            ("mysql://u@h/d?ssl-mode=require", "mysql://u@h:3306/d?sslmode=require"),
            ("mysql://u@h/d?ca=/etc/a%20b.pem&sslmode=verify-full", "mysql://u@h:3306/d?ca=/etc/a%20b.pem"),
            (
                "postgres://u@h/d?schema=s&ca=%22&sslmode=disable",
                "postgres://u@h:5432/d?sslmode=disable&ca=%22&schema=s",
            ),
        ] {
            let dsn: Dsn = text.parse().unwrap();
            assert_eq!(dsn.to_string(), written);
            assert_eq!(written.parse(), Ok(dsn));
        }
    }

    #[test]
    fn one_database_has_one_place() {
        let place = |text: &str| text.parse::<Dsn>().unwrap().place();
        assert_eq!(place("mysql://a:b@DB/c"), place("mariadb://x@db:3306/%63?sslmode=require"));
        for other in ["mysql://a@db/d", "mysql://a@db:3307/c", "postgres://a@db:3306/c", "mysql://a@other/c"] {
            assert_ne!(place("mysql://a@db/c"), place(other));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| text.parse::<Dsn>().unwrap_err();
        assert_eq!(error("http://a@b/c"), DsnError::Scheme);
        assert_eq!(error("mysql://host/db"), DsnError::User);
        assert_eq!(error("mysql://a@/db"), DsnError::Host);
        for port in ["x", "", "0", "+1", "65536", "1:2"] {
            assert_eq!(error(&format!("mysql://a@b:{port}/db")), DsnError::Port, "{port}");
        }
        // Digits right behind the brackets were once taken for a port.
        assert_eq!(error("mysql://a@[::1]80/db"), DsnError::Port);
        assert_eq!(error("mysql://a@[::g]/db"), DsnError::Ipv6);
        assert_eq!(error("mysql://a@[::1/db"), DsnError::Ipv6);
        assert!(matches!(error("mysql://a@b"), DsnError::Database { .. }));
        assert!(matches!(error("mysql://a@b/c/d"), DsnError::Database { .. }));
        assert!(matches!(error("mysql://a@b/c#d"), DsnError::Database { .. }));
        assert_eq!(error("mysql://a:%zz@b/c"), DsnError::Encoding { part: "password" });
        assert_eq!(error("mysql://a@b/c?Password=x"), DsnError::PasswordOption);
        assert_eq!(error("mysql://a@b/c?schema=x"), DsnError::Option { name: "schema".into() });
        let of_password = error("mysql://u:p@s/w?rd@host/db");
        assert!(!of_password.to_string().contains("rd@"), "{of_password}");
        assert!(matches!(error("postgres://a@b/c?schema=x'y"), DsnError::Value { name: "schema", .. }));
        assert!(matches!(error("mysql://a@b/c?sslmode=maybe"), DsnError::Value { name: "sslmode", .. }));
        for (options, name) in
            [("schema=a&schema=b", "schema"), ("ca=a&ca=a", "ca"), ("sslmode=require&ssl-mode=require", "sslmode")]
        {
            assert_eq!(error(&format!("postgres://a@b/c?{options}")), DsnError::Twice { name });
        }
    }
}
