//! TLS towards clients: where the certificate comes from, and taking over a new one while the program runs.
//!
//! A certificate is read from the files of the configuration, or made at the first start and kept in the data directory,
//! so that clients that ask for encryption get it out of the box. New files are noticed within `CHECK_EVERY` and at
//! SIGHUP; connections that are open keep theirs. Files that cannot be used change nothing and are logged. A certificate
//! that has expired is shown all the same, since many clients do not verify; the log and a metric tell of it.
//!
//! What it does not do: ask clients for certificates.

mod self_signed;
mod validity;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use cellgate_store::background::told;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::sync::watch;

use crate::config::{Listen, TlsCertificate, TlsKey};
use crate::files::write_whole;
use crate::sync::lock;
use self_signed::SelfSigned;
use validity::Validity;

/// How often the files are looked at. Certificates are renewed days before they end: this is for whoever tries it out.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Certificate and key of a first start, in the data directory; readable by its owner only.
const OWN_FILE: &str = "tls.pem";
/// The certificate of [`OWN_FILE`] alone, to be given to clients (`--ssl-ca`).
const OWN_CERTIFICATE: &str = "tls-certificate.pem";

/// Why TLS cannot be offered.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has no certificate or no key in it.
    #[error("{path}: there is no {what} in PEM form in it", path = path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Certificate and key cannot be used, or not together.
    #[error("the certificate of {path} cannot be used: {source}", path = path.display())]
    Unusable {
        /// Where the certificate is.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The library has no randomness or the like.
    #[error("no certificate could be made")]
    NotMade,
}

/// The certificate that clients are shown, and what is needed to renew it.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    shown: Arc<Shown>,
    config: Arc<rustls::ServerConfig>,
    /// Files that could not be used, and why: said once.
    told: Mutex<Option<(Stamp, String)>>,
    /// What the log was told last of the end of which certificate.
    told_of_end: Mutex<Option<(Stamp, Validity)>>,
}

/// What is in use now.
#[derive(Debug)]
struct Shown(ArcSwap<Loaded>);

#[derive(Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    stamp: Stamp,
    /// Until when it is good, with its chain, in seconds since 1970; `None` if that cannot be read.
    end: Option<i64>,
}

/// When the two files were written last; `None` if that cannot be told.
type Stamp = [Option<SystemTime>; 2];

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

impl Tls {
    /// What `[listen]` asks for; `None` without TLS. Without files of its own a proxy makes a certificate, once, and
    /// keeps it in `data`.
    ///
    /// # Errors
    /// [`TlsError`]: the files cannot be used, or none can be written.
    pub fn open(listen: &Listen, data: &Path, hostname: &str) -> Result<Option<Self>, TlsError> {
        let Some((certificate, key)) = files(listen, data) else { return Ok(None) };
        if Self::to_be_made(listen, data).is_some() {
            make_own(data, &certificate, listen.address.host(), hostname)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let shown = Arc::new(Shown(ArcSwap::from_pointee(Loaded::read(&certificate, &key, &provider)?)));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Unusable { path: certificate.clone(), source })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        let (told, told_of_end) = (Mutex::default(), Mutex::default());
        Ok(Some(Self { certificate, key, shown, config: Arc::new(config), told, told_of_end }))
    }

    /// The certificate that [`Tls::open`] would make, because there is none yet.
    pub fn to_be_made(listen: &Listen, data: &Path) -> Option<PathBuf> {
        let (certificate, _) = files(listen, data)?;
        (listen.tls_certificate == TlsCertificate::SelfSigned && !certificate.exists()).then_some(certificate)
    }

    /// Whether [`Tls::open`] would find what it can use; makes nothing.
    ///
    /// # Errors
    /// [`TlsError`]: the files cannot be used.
    pub fn check(listen: &Listen, data: &Path) -> Result<&'static str, TlsError> {
        match files(listen, data) {
            None => Ok("off"),
            Some(_) if Self::to_be_made(listen, data).is_some() => Ok("no certificate yet"),
            Some((certificate, key)) => {
                let loaded = Loaded::read(&certificate, &key, &rustls::crypto::ring::default_provider())?;
                Ok(match loaded.validity() {
                    Validity::Lasting => "usable",
                    Validity::EndsSoon => "usable, but it expires soon: renew it",
                    Validity::Ended => "usable, but it has expired: clients that verify it refuse it",
                })
            }
        }
    }

    /// Until when the certificate in use is good, in seconds since 1970; `None` if that cannot be read.
    pub fn end(&self) -> Option<i64> {
        self.shown.0.load().end
    }

    /// What a connection is accepted with.
    pub fn server_config(&self) -> &Arc<rustls::ServerConfig> {
        &self.config
    }

    /// Takes over the files if they were written since they were read; whether they were.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate in use stays.
    pub fn renew(&self) -> Result<bool, TlsError> {
        if stamp(&self.certificate, &self.key) == self.shown.0.load().stamp {
            return Ok(false);
        }
        let loaded = Loaded::read(&self.certificate, &self.key, self.config.crypto_provider())?;
        self.shown.0.store(Arc::new(loaded));
        Ok(true)
    }

    /// [`Tls::renew`], with what came of it in the log, for somebody who has asked for it.
    pub fn renew_logged(&self) {
        *lock(&self.told) = None;
        self.look();
    }

    /// [`Tls::renew`], with what came of it in the log unless that was said of these files before.
    fn look(&self) {
        let stamp = stamp(&self.certificate, &self.key);
        match self.renew() {
            Ok(true) => tracing::info!(certificate = %self.certificate.display(), "new TLS certificate in use"),
            Ok(false) => *lock(&self.told) = None,
            Err(error) if self.is_news(stamp, &error) => tracing::error!(%error, "the TLS certificate is not renewed"),
            Err(_) => {}
        }
        match self.news_of_end() {
            Validity::Lasting => {}
            Validity::EndsSoon => tracing::warn!(
                certificate = %self.certificate.display(),
                "the TLS certificate expires within two weeks: renew it"
            ),
            Validity::Ended => tracing::error!(
                certificate = %self.certificate.display(),
                "the TLS certificate has expired: clients that verify it refuse it"
            ),
        }
    }

    /// What is to be said of the end of the certificate in use, and was not said of it yet.
    fn news_of_end(&self) -> Validity {
        let shown = self.shown.0.load();
        let validity = shown.validity();
        let before = lock(&self.told_of_end).replace((shown.stamp, validity));
        if before == Some((shown.stamp, validity)) { Validity::Lasting } else { validity }
    }

    /// Whether it was not said yet that these files cannot be used for this reason; from now on it was.
    fn is_news(&self, stamp: Stamp, error: &TlsError) -> bool {
        let this = Some((stamp, error.to_string()));
        let mut told = lock(&self.told);
        let news = *told != this;
        *told = this;
        news
    }

    /// Looks for new files until `shutdown`.
    pub async fn follow(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let mut beat = tokio::time::interval(CHECK_EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told(&mut shutdown) => return,
                _ = beat.tick() => {
                    let tls = Arc::clone(&self);
                    // A file system may hang.
                    if let Err(error) = tokio::task::spawn_blocking(move || tls.look()).await {
                        tracing::error!(%error, "looking at the TLS files failed");
                    }
                }
            }
        }
    }
}

impl Loaded {
    fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, TlsError> {
        // Taken before the files are read: what is written in between is seen the next time.
        let stamp = stamp(certificate, key);
        let unusable = |source| TlsError::Unusable { path: certificate.to_owned(), source };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::Missing { path: certificate.to_owned(), what: "certificate" })?;
        if chain.is_empty() {
            return Err(TlsError::Missing { path: certificate.to_owned(), what: "certificate" });
        }
        let private = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|_| TlsError::Missing { path: key.to_owned(), what: "private key without a passphrase" })?;
        let end = validity::end_of(&chain);
        let key = CertifiedKey::from_der(chain, private, provider).map_err(unusable)?;
        Ok(Self { key: Arc::new(key), stamp, end })
    }

    fn validity(&self) -> Validity {
        self.end.map_or(Validity::Lasting, |end| Validity::at(SystemTime::now(), end))
    }
}

/// Where certificate and key are; `None` without TLS.
fn files(listen: &Listen, data: &Path) -> Option<(PathBuf, PathBuf)> {
    match (&listen.tls_certificate, &listen.tls_key) {
        (TlsCertificate::Off, _) => None,
        (TlsCertificate::SelfSigned, _) => Some((data.join(OWN_FILE), data.join(OWN_FILE))),
        (TlsCertificate::File(certificate), TlsKey::WithCertificate) => {
            Some((certificate.clone(), certificate.clone()))
        }
        (TlsCertificate::File(certificate), TlsKey::File(key)) => Some((certificate.clone(), key.clone())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|of| of.modified()).ok())
}

/// Makes the certificate of a first start. The file appears whole: two proxies that start at once may both make one,
/// and use the one that came last.
fn make_own(data: &Path, path: &Path, listens: &str, hostname: &str) -> Result<(), TlsError> {
    let mut names = vec!["localhost"];
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    for name in [hostname, listens] {
        match name.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(_) if names.contains(&name) || !name.is_ascii() => {}
            Err(_) => names.push(name),
        }
    }
    let own = SelfSigned::generate(&names, &addresses).map_err(|_| TlsError::NotMade)?;
    std::fs::create_dir_all(data).map_err(|source| TlsError::File { path: data.to_owned(), source })?;
    let write = |path: &Path, text: &str, mode| {
        write_whole(path, text, mode).map_err(|source| TlsError::File { path: path.to_owned(), source })
    };
    write(&data.join(OWN_CERTIFICATE), &own.certificate, 0o644)?;
    write(path, &format!("{}{}", own.certificate, own.key), 0o600)?;
    tracing::info!(file = %path.display(), "made a TLS certificate of this proxy's own");
    Ok(())
}

#[cfg(test)]
mod tests;
