//! Where the certificate for clients comes from.

use std::path::PathBuf;

use super::setting::{Form, Setting};

/// `listen.tls_certificate`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsCertificate {
    /// Made at the first start.
    SelfSigned,
    /// A PEM file.
    File(PathBuf),
    /// TLS is not offered.
    Off,
}

const SELF_SIGNED: &str = "self-signed";
const OFF: &str = "off";

impl Setting for TlsCertificate {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "\"self-signed\", the path of a PEM file, or \"off\"";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            SELF_SIGNED => Some(Self::SelfSigned),
            OFF => Some(Self::Off),
            path => PathBuf::from_text(path).map(Self::File),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::SelfSigned => SELF_SIGNED.to_owned(),
            Self::Off => OFF.to_owned(),
            Self::File(path) => path.to_text(),
        }
    }
}

/// `listen.tls_key`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsKey {
    /// In the same file.
    WithCertificate,
    /// A PEM file.
    File(PathBuf),
}

const WITH_CERTIFICATE: &str = "with-certificate";

impl Setting for TlsKey {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "the path of a PEM file, or \"with-certificate\" if it is in the same file";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            WITH_CERTIFICATE => Some(Self::WithCertificate),
            path => PathBuf::from_text(path).map(Self::File),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::WithCertificate => WITH_CERTIFICATE.to_owned(),
            Self::File(path) => path.to_text(),
        }
    }
}

impl Setting for PathBuf {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "the path of a file";

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn to_text(&self) -> String {
        self.display().to_string()
    }
}
