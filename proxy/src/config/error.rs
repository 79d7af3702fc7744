//! What can be wrong with a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A configuration that cannot be used. No variant carries a secret.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: not TOML: {detail}", path.display())]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser expected.
        detail: String,
    },
    /// Values that cannot be used: all of them, in the order of the file.
    #[error("{}", Listed { path: path.as_ref(), problems })]
    Invalid {
        /// Which file; `None` without one.
        path: Option<PathBuf>,
        /// What is wrong; at least one.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; `None` for what is not in the file (a default, the command line, something missing).
    pub line: Option<usize>,
    /// The key, e.g. `limits.max_connections` or `cluster 'a' primary`.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

struct Listed<'a> {
    path: Option<&'a PathBuf>,
    problems: &'a [Problem],
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            match (self.path, problem.line) {
                (Some(path), Some(line)) => write!(f, "{}:{line}: ", path.display())?,
                (Some(path), None) => write!(f, "{}: ", path.display())?,
                (None, _) => f.write_str("configuration: ")?,
            }
            write!(f, "{}: {}", problem.key, problem.message)?;
        }
        Ok(())
    }
}
