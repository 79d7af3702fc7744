//! Which store: a SQLite file, or a database of a server.
//!
//! Only as much of a URL is read here as is needed to hide its password, to put another in, and to see that two
//! clusters name one database; what else it says, the store's own reader checks.

use std::fmt::{self, Write};
use std::net::Ipv6Addr;
use std::path::{Component, Path, PathBuf};

use cellgate_store::engine::dsn::Dsn;

use super::secret::Secret;
use super::source::Source;

/// What a right target is.
pub(super) const EXPECTED: &str =
    "\"sqlite:PATH\", \"mysql://USER@HOST:PORT/DATABASE\" or \"postgres://USER@HOST:PORT/DATABASE\"";

/// Which store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file of the embedded engine.
    Sqlite {
        /// Its path; relative to the working directory.
        path: PathBuf,
    },
    /// A database of a MySQL or MariaDB server.
    Mysql(ServerUrl),
    /// A database of a PostgreSQL server.
    Postgres(ServerUrl),
}

impl Target {
    /// Whether it is a SQLite file, which only one proxy can serve.
    pub fn is_file(&self) -> bool {
        match self {
            Self::Sqlite { .. } => true,
            Self::Mysql(_) | Self::Postgres(_) => false,
        }
    }

    /// The scheme of its URL.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Mysql(_) => "mysql",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Reads a target whose variables have not been filled in yet. `password` is that of a password file.
    ///
    /// A variable within the user or password of a URL is taken literally, whatever characters its value has; text
    /// that stands in the file is percent-encoded where a URL asks for it.
    ///
    /// # Errors
    /// What is wrong with it, without any part of it that may be secret.
    pub(super) fn read(raw: &str, password: Option<&Secret>, source: &Source<'_>) -> Result<Self, String> {
        let credentials_end = raw.find("://").and_then(|scheme| {
            let rest = &raw[scheme + 3..];
            let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
            authority.rfind('@').map(|at| scheme + 3 + at)
        });
        let text = source.expand_with(raw, |offset, value| match credentials_end {
            Some(end) if offset < end => percent_encoded(&value),
            Some(_) | None => value,
        })?;
        match text.split_once(':') {
            Some(("sqlite", path)) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                if password.is_some() {
                    return Err("a SQLite file has no password".to_owned());
                }
                if path.is_empty() {
                    return Err("sqlite: needs a path, e.g. \"sqlite:/var/lib/cellgate/c.db\"".to_owned());
                }
                Ok(Self::Sqlite { path: PathBuf::from(path) })
            }
            Some(("mysql" | "mariadb", rest)) => ServerUrl::read("mysql", 3306, rest, password).map(Self::Mysql),
            Some(("postgres" | "postgresql", rest)) => {
                ServerUrl::read("postgres", 5432, rest, password).map(Self::Postgres)
            }
            Some(_) | None => Err(format!("expected {EXPECTED}")),
        }
    }

    /// What two targets that are one database have in common. Two spellings of one host are not seen here; the
    /// identity every store carries tells them apart at start.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sqlite { path } => format!("sqlite:{}", resolved(path).display()),
            Self::Mysql(url) | Self::Postgres(url) => url.place.clone(),
        }
    }
}

/// The path in one spelling: links followed where there is a file, `.` and `..` taken away where there is none yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => resolved.push(part),
        }
    }
    resolved
}

impl fmt::Display for Target {
    /// As in the configuration file, passwords masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "sqlite:{}", path.display()),
            Self::Mysql(url) | Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// The URL of a database of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// The whole URL, its password merged in.
    url: Secret,
    /// The same with `***` for the password.
    shown: String,
    /// Engine, host, port and database, in one spelling.
    place: String,
}

impl ServerUrl {
    /// The URL with its password, percent-encoded: `mysql://USER[:PASSWORD]@HOST:PORT/DATABASE[?PARAMETERS]` (or
    /// `postgres://..`), the port always given.
    pub fn url(&self) -> &Secret {
        &self.url
    }

    fn read(scheme: &'static str, default_port: u16, rest: &str, file: Option<&Secret>) -> Result<Self, String> {
        let rest = rest.strip_prefix("//").ok_or_else(|| format!("expected {EXPECTED}"))?;
        let (location, parameters) = rest.split_once('?').map_or((rest, None), |(l, p)| (l, Some(p)));
        let (authority, database) = location.split_once('/').ok_or("the URL names no database (`/DATABASE`)")?;
        let (credentials, host_port) = authority
            .rsplit_once('@')
            .ok_or("the URL names no user (`USER@`); `/`, `?` and `@` in a password are written %2F, %3F and %40")?;
        let (user, inline) = credentials.split_once(':').map_or((credentials, None), |(u, p)| (u, Some(p)));
        if user.is_empty() {
            return Err("the URL names no user (`USER@`)".to_owned());
        }
        if database.is_empty() || database.contains(['/', '#']) {
            return Err("the URL must name one database (`/DATABASE`)".to_owned());
        }
        // A password elsewhere than in front of the host would be shown by whoever prints the parameters.
        let secret_parameter = |p: &str| {
            let name = p.split('=').next().unwrap_or_default().to_ascii_lowercase();
            name.contains("password") || name.contains("passwd") || name == "pwd"
        };
        if parameters.is_some_and(|all| all.split('&').any(secret_parameter)) {
            return Err("a password goes in front of the host or into a password_file, not into a parameter".to_owned());
        }
        let (host, port) = host_and_port(host_port, default_port)?;
        let password = match (inline.filter(|p| !p.is_empty()), file) {
            (Some(_), Some(_)) => return Err("both the URL and password_file hold a password".to_owned()),
            (Some(inline), None) => Some(inline.to_owned()),
            (None, Some(file)) => Some(percent_encoded(file.expose())),
            (None, None) => None,
        };
        let written = |password: Option<&str>| {
            let password = password.map(|p| format!(":{p}")).unwrap_or_default();
            let parameters = parameters.map(|p| format!("?{p}")).unwrap_or_default();
            format!("{scheme}://{user}{password}@{host}:{port}/{database}{parameters}")
        };
        let url = written(password.as_deref());
        // Its errors hold nothing of the URL but names of options.
        url.parse::<Dsn>().map_err(|error| format!("the URL cannot be used: {error}"))?;
        Ok(Self {
            url: Secret::new(url),
            shown: written(password.as_deref().map(|_| "***")),
            place: format!("{scheme}://{}:{port}/{}", host.to_ascii_lowercase(), percent_decoded(database)),
        })
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; the host keeps its brackets.
fn host_and_port(text: &str, default_port: u16) -> Result<(&str, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((ip, behind)) => {
            ip.parse::<Ipv6Addr>().map_err(|_| "the URL's host in brackets is not an IPv6 address")?;
            let port = if behind.is_empty() { None } else { Some(behind.strip_prefix(':').unwrap_or(behind)) };
            (&text[..ip.len() + 2], port)
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("the URL names no host".to_owned());
    }
    let port = match port {
        None => default_port,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port != 0).ok_or("the URL's port is not in 1 to 65535")?
        }
        Some(_) => return Err("the URL's port is not in 1 to 65535".to_owned()),
    };
    Ok((host, port))
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
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

/// Undoes percent-encoding; what is not a whole `%XX` stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| byte == b'%') {
            Some(value) => {
                decoded.push(value);
                bytes = &rest[2..];
            }
            None => {
                decoded.push(byte);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
