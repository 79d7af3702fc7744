//! The pair of keys that passwords are encrypted with by clients that have no TLS: in the data directory, made when the
//! first client asks for it.
//!
//! Not at the first start: making it is a second of computing, and few clients ever ask (`wire::authenticate` says which).
//! A pair in a file of that name is used as it is, so that several proxies can be given one and the same, for clients
//! that keep the public key. A pair that cannot be written is used all the same, until the program ends: it would be
//! made anew for everybody who asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::{OnceCell, Semaphore};

use super::rsa::{KeyPair, RsaError};
use crate::files::write_whole;

/// The pair, readable by its owner only.
const FILE: &str = "login-key.pem";
/// Its public half, to be given to clients (`--server-public-key-path`).
const PUBLIC_FILE: &str = "login-public-key.pem";

/// Why there is no pair.
#[derive(Debug, thiserror::Error)]
pub enum LoginKeyError {
    /// A file is there and cannot be read, or cannot be written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there, and no pair is in it; or none could be made.
    #[error("{path}: {source}", path = path.display())]
    Pair {
        /// Which.
        path: PathBuf,
        /// Why.
        source: RsaError,
    },
    /// The program ends.
    #[error("making the key was cut short")]
    CutShort,
}

/// The pair, once it is needed.
#[derive(Debug)]
pub struct LoginKey {
    data: PathBuf,
    pair: OnceCell<Arc<KeyPair>>,
    /// Who decrypts has one: as many as there are processors.
    turns: Arc<Semaphore>,
}

impl LoginKey {
    /// The pair in that directory.
    pub fn within(data: &Path) -> Self {
        Self::new(data.to_owned(), None)
    }

    /// A pair that is there already.
    #[cfg(test)]
    pub(crate) fn of(pair: KeyPair) -> Self {
        Self::new(PathBuf::new(), Some(Arc::new(pair)))
    }

    fn new(data: PathBuf, pair: Option<Arc<KeyPair>>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { data, pair: OnceCell::new_with(pair), turns: Arc::new(Semaphore::new(threads)) }
    }

    /// Reads or makes it, once; whoever asks meanwhile waits.
    ///
    /// # Errors
    /// [`LoginKeyError`]; who asks later tries again.
    pub async fn pair(&self) -> Result<Arc<KeyPair>, LoginKeyError> {
        let make = || async {
            let data = self.data.clone();
            let made = tokio::task::spawn_blocking(move || open(&data).map(Arc::new)).await;
            made.unwrap_or(Err(LoginKeyError::CutShort))
        };
        self.pair.get_or_try_init(make).await.cloned()
    }

    /// What was encrypted with the public key of `pair`, as [`KeyPair::decrypt`] says: some milliseconds of computing
    /// beside the threads that serve clients, at most as many times at once as there are processors. `None` also if the
    /// program ends.
    ///
    /// # Errors
    /// Those of [`KeyPair::decrypt`].
    pub async fn decrypt(&self, pair: Arc<KeyPair>, ciphertext: Bytes) -> Result<Option<Vec<u8>>, RsaError> {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return Ok(None) };
        // Work that nobody waits for any more keeps its turn until it is done.
        let decrypt = move || {
            let _turn = turn;
            pair.decrypt(&ciphertext)
        };
        tokio::task::spawn_blocking(decrypt).await.unwrap_or(Ok(None))
    }

    /// The pair, if somebody has asked for it.
    pub fn made(&self) -> Option<Arc<KeyPair>> {
        self.pair.get().cloned()
    }
}

/// Reads the pair, or makes it and tries to write it.
///
/// Two proxies with one directory that make it at the same time use one each, and the one that came last later on.
fn open(data: &Path) -> Result<KeyPair, LoginKeyError> {
    let path = data.join(FILE);
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| LoginKeyError::File { path, source }
    };
    let wrong = |source| LoginKeyError::Pair { path: path.clone(), source };
    match std::fs::read(&path) {
        Ok(text) => {
            let der = PrivatePkcs1KeyDer::from_pem_slice(&text).map_err(|_| wrong(RsaError::NotAKey))?;
            return KeyPair::from_pkcs1(der.secret_pkcs1_der()).map_err(wrong);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(file(&path)(error)),
    }
    let pair = KeyPair::generate().map_err(wrong)?;
    let public = data.join(PUBLIC_FILE);
    let kept = std::fs::create_dir_all(data)
        .map_err(file(data))
        .and_then(|()| write_whole(&public, pair.public_pem(), 0o644).map_err(file(&public)))
        .and_then(|()| write_whole(&path, &pair.private_pem(), 0o600).map_err(file(&path)));
    match kept {
        Ok(()) => tracing::info!(file = %path.display(), "made a key pair for passwords without TLS"),
        Err(error) => tracing::error!(
            %error,
            "the key pair for passwords without TLS cannot be kept: this one is used until the program ends"
        ),
    }
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::auth::rsa::tests::{encrypt, pair};

    #[tokio::test]
    async fn the_pair_is_made_once_and_kept() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("new");
        let key = LoginKey::within(&dir);
        assert!(!dir.exists(), "not before somebody asks");
        let (first, second) = tokio::join!(key.pair(), key.pair());
        let pair = first.unwrap();
        assert!(Arc::ptr_eq(&pair, &second.unwrap()));
        assert_eq!(format!("{pair:?}"), "KeyPair(2048 bits)");
        let again = LoginKey::within(&dir).pair().await.unwrap();
        assert_eq!(again.private_pem(), pair.private_pem());
        let mode = |name| std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(FILE), mode(PUBLIC_FILE)), (0o600, 0o644));
        assert_eq!(std::fs::read_to_string(dir.join(PUBLIC_FILE)).unwrap(), pair.public_pem());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "nothing else is left behind");
    }

    #[tokio::test]
    async fn a_file_that_holds_no_pair_is_not_written_over() {
        let data = tempfile::tempdir().unwrap();
        for text in ["", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
            std::fs::write(data.path().join(FILE), text).unwrap();
            let error = LoginKey::within(data.path()).pair().await.unwrap_err();
            assert!(matches!(error, LoginKeyError::Pair { source: RsaError::NotAKey, .. }), "{error}");
            assert_eq!(std::fs::read_to_string(data.path().join(FILE)).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn a_pair_that_cannot_be_kept_is_made_once_all_the_same() {
        let data = tempfile::tempdir().unwrap();
        // A file cannot take the place of a directory.
        std::fs::create_dir(data.path().join(PUBLIC_FILE)).unwrap();
        let key = LoginKey::within(data.path());
        let pair = key.pair().await.unwrap();
        assert!(Arc::ptr_eq(&pair, &key.pair().await.unwrap()));
        assert!(!data.path().join(FILE).exists());
    }

    #[tokio::test]
    async fn few_decrypt_at_once() {
        let key = LoginKey::of(pair());
        let secret = Bytes::from(encrypt(&pair(), b"secret"));
        let threads = u32::try_from(key.turns.available_permits()).unwrap();
        let others = key.turns.acquire_many(threads).await.unwrap();
        let mut decrypted = std::pin::pin!(key.decrypt(key.pair().await.unwrap(), secret));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut decrypted).await.is_err());
        drop(others);
        assert_eq!(decrypted.await, Ok(Some(b"secret".to_vec())));
    }
}
