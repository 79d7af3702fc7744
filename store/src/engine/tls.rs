//! Encryption of the way to a database server, by rustls.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::StoreError;

/// How much of the server's identity is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// No encryption.
    #[default]
    Disable,
    /// Encrypted, but nobody checks who the server is.
    Require,
    /// The certificate must come from a known authority.
    VerifyCa,
    /// And it must be for the host that was asked for.
    VerifyFull,
}

impl TlsMode {
    /// All names, for messages.
    pub const NAMES: &'static str = "disable, require, verify-ca, verify-full";

    const ALL: [Self; 4] = [Self::Disable, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// Its name, as `sslmode` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Encryption of the way to a server.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// What is checked.
    pub mode: TlsMode,
    /// A PEM file of authorities to trust instead of the well-known public ones.
    pub ca: Option<PathBuf>,
}

impl TlsOptions {
    /// The options in rustls's form; `None` without encryption.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the file of authorities cannot be read.
    pub(crate) fn rustls(&self) -> Result<Option<ClientConfig>, StoreError> {
        let asked = match self.mode {
            TlsMode::Disable => return Ok(None),
            TlsMode::Require => Asked::Nobody,
            TlsMode::VerifyCa => Asked::Authority(self.webpki()?),
            TlsMode::VerifyFull => Asked::Name(self.webpki()?),
        };
        self.config(Arc::new(Verifier { asked, provider: provider() })).map(Some)
    }

    fn webpki(&self) -> Result<Arc<WebPkiServerVerifier>, StoreError> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider())
            .build()
            .map_err(|error| refused(format!("the TLS authorities cannot be used: {error}")))
    }

    fn config(&self, verifier: Arc<Verifier>) -> Result<ClientConfig, StoreError> {
        Ok(ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth())
    }

    fn roots(&self) -> Result<RootCertStore, StoreError> {
        let Some(path) = &self.ca else {
            return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        };
        let unreadable = |error: &dyn std::fmt::Display| {
            refused(format!("cannot read the TLS authorities in {}: {error}", path.display()))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.is_empty() {
            return Err(unreadable(&"it holds no certificate"));
        }
        Ok(roots)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn refused(detail: String) -> StoreError {
    StoreError::Refused { detail }
}

/// A verifier that asks no more of a certificate than it is told to, where rustls' own asks all.
#[derive(Debug)]
struct Verifier {
    asked: Asked,
    provider: Arc<CryptoProvider>,
}

/// Who is asked whether a certificate will do.
#[derive(Debug)]
enum Asked {
    /// `require`: nobody. That the server holds the certificate's key is not checked either: whoever is in between has
    /// a key and a certificate of his own. And it could not be of a certificate that webpki does not read, as one of
    /// X.509 version 1, which the servers' own instructions make.
    Nobody,
    /// `verify-ca`: its authority. Any name will do.
    Authority(Arc<WebPkiServerVerifier>),
    /// `verify-full`: its authority, and whether it is for the name.
    Name(Arc<WebPkiServerVerifier>),
}

/// What is said of a certificate that webpki does not read, in place of its own word for that.
fn readable(certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
    ParsedCertificate::try_from(certificate).map(drop).map_err(|error| {
        let cause = "it has to be of X.509 version 3, as `openssl x509 -req -extfile ..` makes them";
        rustls::Error::General(format!("the server's certificate cannot be checked: {cause} ({error})"))
    })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (webpki, any_name) = match &self.asked {
            Asked::Nobody => return Ok(ServerCertVerified::assertion()),
            Asked::Authority(webpki) => (webpki, true),
            Asked::Name(webpki) => (webpki, false),
        };
        readable(end_entity)?;
        // The name is checked after the chain, so that a wrong name means that the chain holds.
        match webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if any_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if matches!(self.asked, Asked::Nobody) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if matches!(self.asked, Asked::Nobody) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_refused_at_once() {
        let tls = TlsOptions { mode: TlsMode::VerifyFull, ca: Some("/nowhere/ca.pem".into()) };
        assert!(matches!(tls.rustls(), Err(StoreError::Refused { detail }) if detail.contains("/nowhere/ca.pem")));
    }

    #[test]
    fn every_mode_can_be_set_up_without_a_file() {
        for mode in [TlsMode::Disable, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
            let tls = TlsOptions { mode, ca: None };
            assert_eq!(tls.rustls().unwrap().is_some(), mode != TlsMode::Disable);
        }
    }
}
