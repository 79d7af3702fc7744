//! The pair of keys that passwords are encrypted with by clients that have no TLS: in the data directory, made when the
//! first client asks for it.
//!
//! Not at the first start: making it is a second of computing, and few clients ever ask (`wire::authenticate` says which).
//! A pair in a file of that name is used as it is, so that several proxies can be given one and the same, for clients
//! that keep the public key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::OnceCell;

use super::rsa::{KeyPair, RsaError};
use crate::files::write_whole;

/// The pair, readable by its owner only.
const FILE: &str = "login-key.pem";
/// Its public half, to be given to clients (`--server-public-key-path`).
const PUBLIC_FILE: &str = "login-public-key.pem";

/// Why there is no pair.
#[derive(Debug, thiserror::Error)]
pub enum LoginKeyError {
    /// A file cannot be read or written.
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
}

impl LoginKey {
    /// The pair in that directory.
    pub fn within(data: &Path) -> Self {
        Self { data: data.to_owned(), pair: OnceCell::new() }
    }

    /// A pair that is there already.
    #[cfg(test)]
    pub(crate) fn of(pair: KeyPair) -> Self {
        Self { data: PathBuf::new(), pair: OnceCell::new_with(Some(Arc::new(pair))) }
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

    /// The pair, if somebody has asked for it.
    pub fn made(&self) -> Option<Arc<KeyPair>> {
        self.pair.get().cloned()
    }
}

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
    std::fs::create_dir_all(data).map_err(file(data))?;
    let public = data.join(PUBLIC_FILE);
    write_whole(&public, pair.public_pem(), 0o644).map_err(file(&public))?;
    write_whole(&path, &pair.private_pem(), 0o600).map_err(file(&path))?;
    tracing::info!(file = %path.display(), "made a key pair for passwords without TLS");
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

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
}
