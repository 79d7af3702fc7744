//! The tokens of writes: 64 random bits each (C3 of docs/ARCHITECTURE.md), fetched from the system many at a time.

use std::sync::Mutex;

use cellgate_schemaless::Token;

use super::RunError;
use crate::error::StoreError;
use crate::sync::lock;

/// How many tokens are fetched at once.
const FETCHED: usize = 64;

/// Tokens that nobody has had yet.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    fetched: Mutex<Vec<u64>>,
}

impl Tokens {
    /// One that no other write has.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn next(&self) -> Result<Token, RunError> {
        let mut fetched = lock(&self.fetched);
        if fetched.is_empty() {
            let mut bytes = [0; 8 * FETCHED];
            getrandom::fill(&mut bytes).map_err(|error| {
                let error = StoreError::Failed { detail: format!("no randomness: {error}") };
                RunError::Cluster { cluster: "proxy".into(), error }
            })?;
            fetched.extend(bytes.as_chunks::<8>().0.iter().map(|bits| u64::from_ne_bytes(*bits)));
        }
        Ok(Token(fetched.pop().unwrap_or_default().cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_token_is_given_twice() {
        let tokens = Tokens::default();
        let given: HashSet<i64> = (0..10 * FETCHED).map(|_| tokens.next().unwrap().0).collect();
        assert_eq!(given.len(), 10 * FETCHED);
    }
}
