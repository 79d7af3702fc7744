//! Text that must never be shown.

use std::fmt;

/// What is printed in place of a secret.
const MASK: &str = "***";

/// A password, or a URL with one in it. Printed as `***`, whatever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text` from now on.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is what is printed in place of a secret: text that `check` printed was taken for a configuration.
    pub(super) fn is_masked(&self) -> bool {
        self.0 == MASK
    }

    /// The text itself: only for whoever logs in with it or checks a login.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
