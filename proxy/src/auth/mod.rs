//! Password verifiers: what is stored of a password, and how a client's answer to a salt is checked against it.
//!
//! Both of MySQL's schemes are challenge and response, so that a password need not be sent. For each the doubly hashed
//! password is kept, from which every answer can be verified: there is no cache that has to be warm first, as MySQL's own
//! `caching_sha2_password` has. A client whose answer does not fit may send the password itself, over TLS or encrypted
//! with the key of [`login_key`].

pub mod delays;
pub mod login_key;
pub mod rsa;

use std::fmt;
use std::hint::black_box;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What is stored of a password: enough to verify an answer, not enough to give one.
#[derive(Clone)]
pub struct Verifier(Kind);

#[derive(Clone)]
enum Kind {
    Empty,
    /// Of `mysql_native_password` and `caching_sha2_password`: each the password hashed twice. The second is missing
    /// where only the first was ever given.
    Hashed {
        sha1: [u8; 20],
        sha256: Option<[u8; 32]>,
    },
}

impl Verifier {
    /// The verifier of a password. The empty password lets in whoever sends none.
    pub fn from_password(password: &str) -> Self {
        if password.is_empty() {
            return Self(Kind::Empty);
        }
        Self(Kind::Hashed {
            sha1: Sha1::digest(Sha1::digest(password.as_bytes())).into(),
            sha256: Some(Sha256::digest(Sha256::digest(password.as_bytes())).into()),
        })
    }

    /// The verifier of a user without a password.
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A verifier that an unknown user is checked against, so that the refusal takes the same work. That some answer
    /// passes it is as unlikely as a guessed hash, and the caller refuses whatever it says.
    pub fn nobody() -> Self {
        Self(Kind::Hashed { sha1: [0; 20], sha256: Some([0; 32]) })
    }

    /// The verifier of a password of which only the hashes are known.
    pub fn from_hashes(sha1: [u8; 20], sha256: Option<[u8; 32]>) -> Self {
        Self(Kind::Hashed { sha1, sha256 })
    }

    /// The hashes, to be stored; `None` for the empty password.
    pub fn hashes(&self) -> Option<(&[u8; 20], Option<&[u8; 32]>)> {
        match &self.0 {
            Kind::Empty => None,
            Kind::Hashed { sha1, sha256 } => Some((sha1, sha256.as_ref())),
        }
    }

    /// Whether an answer of `caching_sha2_password` can be checked.
    pub fn knows_caching_sha2(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Hashed { sha256, .. } => sha256.is_some(),
        }
    }

    /// The plugin that an account with it is shown with: the newer one, unless its answers cannot be checked. Both serve
    /// every account whose password is known.
    pub fn plugin(&self) -> &'static str {
        if self.knows_caching_sha2() { "caching_sha2_password" } else { "mysql_native_password" }
    }

    /// Whether it is the empty password's.
    pub fn is_empty(&self) -> bool {
        match self.0 {
            Kind::Empty => true,
            Kind::Hashed { .. } => false,
        }
    }

    /// Checks a password itself.
    pub fn verify_password(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Empty => password.is_empty(),
            Kind::Hashed { sha1, .. } => same(&Sha1::digest(Sha1::digest(password)), sha1),
        }
    }

    /// Checks the answer of `mysql_native_password`: `SHA1(password) XOR SHA1(salt, SHA1(SHA1(password)))`, 20 bytes,
    /// or nothing for the empty password.
    pub fn verify_native(&self, salt: &[u8], answer: &[u8]) -> bool {
        match &self.0 {
            Kind::Empty => answer.is_empty(),
            Kind::Hashed { sha1, .. } => {
                let Ok(mut once) = <[u8; 20]>::try_from(answer) else { return false };
                let mask = Sha1::new().chain_update(salt).chain_update(sha1).finalize();
                once.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                same(&Sha1::digest(once), sha1)
            }
        }
    }

    /// Checks the answer of `caching_sha2_password`: `SHA256(password) XOR SHA256(SHA256(SHA256(password)), salt)`, 32
    /// bytes, or nothing (some clients send one zero byte) for the empty password.
    pub fn verify_caching_sha2(&self, salt: &[u8], answer: &[u8]) -> bool {
        match &self.0 {
            Kind::Empty => answer.is_empty() || answer == [0],
            Kind::Hashed { sha256, .. } => {
                let (Ok(mut once), Some(sha256)) = (<[u8; 32]>::try_from(answer), sha256) else { return false };
                let mask = Sha256::new().chain_update(sha256).chain_update(salt).finalize();
                once.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                same(&Sha256::digest(once), sha256)
            }
        }
    }
}

impl fmt::Debug for Verifier {
    /// A hash of a password is as good as the password to someone with time: it is never printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(***)")
    }
}

impl PartialEq for Verifier {
    /// In constant time for two verifiers of passwords.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Empty, Kind::Empty) => true,
            (Kind::Hashed { sha1, sha256 }, Kind::Hashed { sha1: other1, sha256: other256 }) => {
                let second = match (sha256, other256) {
                    (Some(sha256), Some(other256)) => same(sha256, other256),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                same(sha1, other1) & second
            }
            (Kind::Empty, Kind::Hashed { .. }) | (Kind::Hashed { .. }, Kind::Empty) => false,
        }
    }
}

impl Eq for Verifier {}

/// Compares without telling by its duration where the first difference is.
fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left.iter().zip(right).fold(0, |difference, (left, right)| black_box(difference | (left ^ right)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use mysql_common::scramble::{scramble_native, scramble_sha256};

    use super::*;

    const SALT: [u8; 20] = *b"abcdefghijklmnopqrst";

    #[test]
    fn the_right_password_passes_and_a_wrong_one_does_not() {
        for password in ["x", "secret", "pässwörd", &"long".repeat(100)] {
            let verifier = Verifier::from_password(password);
            let native = scramble_native(&SALT, password.as_bytes()).unwrap();
            let sha2 = scramble_sha256(&SALT, password.as_bytes()).unwrap();
            assert!(verifier.verify_native(&SALT, &native));
            assert!(verifier.verify_caching_sha2(&SALT, &sha2));
            assert!(verifier.verify_password(password.as_bytes()));
            assert!(!verifier.verify_password(b"") && !verifier.verify_password(b"wrong"));
            let wrong = format!("{password}x");
            assert!(!verifier.verify_native(&SALT, &scramble_native(&SALT, wrong.as_bytes()).unwrap()));
            assert!(!verifier.verify_caching_sha2(&SALT, &scramble_sha256(&SALT, wrong.as_bytes()).unwrap()));
        }
    }

    #[test]
    fn an_answer_to_another_salt_does_not_pass() {
        let verifier = Verifier::from_password("secret");
        let other = [b'z'; 20];
        assert!(!verifier.verify_native(&SALT, &scramble_native(&other, b"secret").unwrap()));
        assert!(!verifier.verify_caching_sha2(&SALT, &scramble_sha256(&other, b"secret").unwrap()));
    }

    #[test]
    fn no_answer_passes_only_for_the_empty_password() {
        for verifier in [Verifier::from_password(""), Verifier::empty()] {
            assert!(verifier.is_empty());
            assert!(verifier.verify_native(&SALT, b""));
            assert!(verifier.verify_caching_sha2(&SALT, b""));
            assert!(verifier.verify_caching_sha2(&SALT, b"\0"));
            assert!(!verifier.verify_native(&SALT, &scramble_native(&SALT, b"secret").unwrap()));
            assert!(!verifier.verify_caching_sha2(&SALT, &scramble_sha256(&SALT, b"secret").unwrap()));
        }
        for verifier in [Verifier::from_password("secret"), Verifier::nobody()] {
            assert!(!verifier.is_empty());
            for answer in [&b""[..], b"\0", &[0; 19], &[0; 20], &[0; 21], &[0; 31], &[0; 32], &[0; 33]] {
                assert!(!verifier.verify_native(&SALT, answer));
                assert!(!verifier.verify_caching_sha2(&SALT, answer));
            }
        }
    }

    #[test]
    fn the_scheme_of_the_other_plugin_does_not_pass() {
        let verifier = Verifier::from_password("secret");
        assert!(!verifier.verify_native(&SALT, &scramble_sha256(&SALT, b"secret").unwrap()));
        assert!(!verifier.verify_caching_sha2(&SALT, &scramble_native(&SALT, b"secret").unwrap()));
    }

    #[test]
    fn a_verifier_is_never_printed() {
        assert_eq!(format!("{:?}", Verifier::from_password("secret")), "Verifier(***)");
        assert_eq!(format!("{:?}", Verifier::empty()), "Verifier(***)");
    }

    #[test]
    fn verifiers_are_equal_exactly_if_their_passwords_are() {
        assert_eq!(Verifier::from_password("a"), Verifier::from_password("a"));
        assert_ne!(Verifier::from_password("a"), Verifier::from_password("b"));
        assert_ne!(Verifier::from_password("a"), Verifier::empty());
        assert_eq!(Verifier::from_password(""), Verifier::empty());
    }
}
