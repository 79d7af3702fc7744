//! An authority and a certificate for 127.0.0.1, made by `openssl` for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::scratch::Scratch;

/// A certificate that an authority of its own has signed.
#[derive(Debug)]
pub struct Certificate {
    scratch: Scratch,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Panics
    ///
    /// Without `openssl`.
    pub fn new() -> Self {
        Self::valid_for("2")
    }

    /// The same, whose server's certificate has ended already.
    ///
    /// # Panics
    ///
    /// Without `openssl`.
    pub fn expired() -> Self {
        Self::valid_for("0")
    }

    /// The same, whose server's certificate is of X.509 version 1: it has no extensions.
    ///
    /// # Panics
    ///
    /// Without `openssl`.
    pub fn of_version_1() -> Self {
        let this = Self::new();
        let files = |version: &'static [&'static str]| {
            let files = [("-in", "request"), ("-CA", "ca.pem"), ("-CAkey", "ca.key"), ("-out", "cert.pem")];
            this.try_openssl(&[&["x509", "-req", "-CAcreateserial", "-days", "2"], version].concat(), &files)
        };
        // From OpenSSL 3.2 on it is of version 3 unless this is said, which older ones do not know.
        files(&["-x509v1"]).or_else(|_| files(&[])).unwrap_or_else(|error| panic!("{error}"));
        this
    }

    fn valid_for(days: &str) -> Self {
        let this = Self { scratch: Scratch::new() };
        let key = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"];
        let authority = "basicConstraints=critical,CA:TRUE";
        this.openssl(
            &[&key[..], &["-x509", "-subj", "/CN=test authority", "-addext", authority, "-days", "2"]].concat(),
            &[("-keyout", "ca.key"), ("-out", "ca.pem")],
        );
        this.openssl(
            &[&key[..], &["-subj", "/CN=test server"]].concat(),
            &[("-keyout", "key.pem"), ("-out", "request")],
        );
        let names = this.scratch.join("names");
        std::fs::write(&names, "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
            .expect("a file in a new directory");
        this.openssl(
            &["x509", "-req", "-CAcreateserial", "-days", days],
            &[("-in", "request"), ("-CA", "ca.pem"), ("-CAkey", "ca.key"), ("-extfile", "names"), ("-out", "cert.pem")],
        );
        this
    }

    fn openssl(&self, words: &[&str], files: &[(&str, &str)]) {
        self.try_openssl(words, files).unwrap_or_else(|error| panic!("openssl: {error}"));
    }

    fn try_openssl(&self, words: &[&str], files: &[(&str, &str)]) -> Result<String, String> {
        let mut command = Command::new("openssl");
        command.args(words);
        for (option, file) in files {
            command.arg(option).arg(self.scratch.join(file));
        }
        process::try_output(&mut command)
    }

    /// The authority, for who checks.
    pub fn authority(&self) -> PathBuf {
        self.scratch.join("ca.pem")
    }

    /// Copies certificate and key into a server's directory: only their owner may read them there.
    pub(super) fn give(&self, directory: &Path, user: &str) -> [PathBuf; 2] {
        ["cert.pem", "key.pem"].map(|name| {
            let copy = directory.join(name);
            std::fs::copy(self.scratch.join(name), &copy).expect("a file in a new directory");
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&copy, private).expect("a file of ours");
            process::give(&copy, user);
            copy
        })
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}
