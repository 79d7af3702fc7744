//! Where values come from: the text of the file, the environment, password files.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::secret::Secret;

/// Longest password file, in bytes: a password, not somebody's log.
const PASSWORD_FILE_BYTES: u64 = 4096;

/// The environment variables a configuration may name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The file's text and the environment.
pub(super) struct Source<'a> {
    text: &'a str,
    environment: Environment<'a>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, environment: Environment<'a>) -> Self {
        Self { text, environment }
    }

    /// The line of a place in the text, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        line_of(self.text, span.start)
    }

    /// Fills in `${NAME}`; `$${` stands for `${`.
    ///
    /// # Errors
    /// What is wrong with it: a variable that is not set, or braces that do not close.
    pub(super) fn expand(&self, raw: &str) -> Result<String, String> {
        self.expand_with(raw, |_, value| value)
    }

    /// [`Source::expand`], with `write` choosing how a variable's value is written, given its offset in `raw`.
    pub(super) fn expand_with(&self, raw: &str, write: impl Fn(usize, String) -> String) -> Result<String, String> {
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(start) = rest.find("${") {
            if rest[..start].ends_with('$') {
                text.push_str(&rest[..start - 1]);
                text.push_str("${");
                rest = &rest[start + 2..];
                continue;
            }
            text.push_str(&rest[..start]);
            let behind = &rest[start + 2..];
            let end = behind.find('}').ok_or("`${` without its `}` (write `$${` for the characters themselves)")?;
            let name = &behind[..end];
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                return Err("`${..}` must hold the name of an environment variable".to_owned());
            }
            let value = (self.environment)(name).ok_or(format!("the environment variable {name} is not set"))?;
            text.push_str(&write(raw.len() - rest.len() + start, value));
            rest = &behind[end + 1..];
        }
        text.push_str(rest);
        Ok(text)
    }
}

/// The line of an offset, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// A password read from its file.
pub(super) struct FilePassword {
    pub(super) password: Secret,
    /// Whether every user of the machine can read the file, which is worth a warning.
    pub(super) world_readable: bool,
}

/// Reads a password file, without the newline at its end.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_password(path: &Path) -> Result<FilePassword, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    // Before it is opened: a pipe would be waited for.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(PASSWORD_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > PASSWORD_FILE_BYTES {
        return Err(format!("{} is longer than {PASSWORD_FILE_BYTES} bytes: not a password file", path.display()));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    // Container engines mount secrets there, readable for every user of the container and for nobody else.
    let exposed = !path.starts_with("/run/secrets") && is_world_readable(&metadata);
    Ok(FilePassword { password: Secret::new(password), world_readable: exposed })
}

#[cfg(unix)]
fn is_world_readable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn is_world_readable(_: &std::fs::Metadata) -> bool {
    false
}
