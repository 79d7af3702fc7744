//! Which store: a SQLite file, or a database of a server, whose URL the store reads.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use cellgate_store::engine::dsn::{Dsn, DsnError, Password, ServerKind, percent_encoded};

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
    /// A database of a MySQL, MariaDB or PostgreSQL server.
    Server(Dsn),
}

impl Target {
    /// Whether it is a SQLite file, which only one proxy can serve.
    pub fn is_file(&self) -> bool {
        match self {
            Self::Sqlite { .. } => true,
            Self::Server(_) => false,
        }
    }

    /// Whether it is a PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Server(dsn) if dsn.kind == ServerKind::Postgres)
    }

    /// The scheme of its URL.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Server(dsn) => dsn.kind.scheme(),
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
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if password.is_some() {
                return Err("a SQLite file has no password".to_owned());
            }
            if path.is_empty() {
                return Err("sqlite: needs a path, e.g. \"sqlite:/var/lib/cellgate/c.db\"".to_owned());
            }
            if path == ":memory:" {
                return Err("a database in memory is gone at the next start: name a file, e.g. \
                            \"sqlite:/var/lib/cellgate/c.db\""
                    .to_owned());
            }
            if let Some(file) = path.strip_prefix("file:") {
                // `file:/a`, `file:///a` and `file://host/a`, each perhaps with options.
                let file = file.split(['?', '#']).next().unwrap_or_default();
                let file = file.strip_prefix("//").unwrap_or(file);
                return Err(format!(
                    "SQLite's URIs (`file:`) are not known here: write the path itself, \"sqlite:{file}\""
                ));
            }
            return Ok(Self::Sqlite { path: PathBuf::from(path) });
        }
        let mut dsn: Dsn = text.parse().map_err(|error| match error {
            DsnError::Scheme => format!("expected {EXPECTED}"),
            // It holds nothing of the URL but names of options.
            error => format!("the URL cannot be used: {error}"),
        })?;
        if let Some(password) = password
            && dsn.password.replace(Password::new(password.expose())).is_some()
        {
            return Err("both the URL and password_file hold a password".to_owned());
        }
        Ok(Self::Server(dsn))
    }

    /// What two targets that are one database have in common. Two spellings of one host are not seen here; the
    /// identity every store carries tells them apart at start.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sqlite { path } => format!("sqlite:{}", resolved(path).display()),
            Self::Server(dsn) => dsn.place(),
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
            Self::Server(dsn) => dsn.fmt(f),
        }
    }
}
