//! The lists of variables and of status that SHOW and `performance_schema` have.

use cellgate_sql::Value;

use super::super::Session;
use super::super::variables::shown;
use crate::wire::Algorithm;

/// The status that is of one connection only.
const OF_SESSIONS: [&str; 2] = ["Compression", "Compression_algorithm"];

impl Session {
    /// `SHOW VARIABLES` and `performance_schema.session_variables`; with `global`, `SHOW GLOBAL VARIABLES` and
    /// `performance_schema.global_variables`.
    pub(in super::super) fn shown_variables(&self, global: bool) -> Vec<(String, Value)> {
        if global {
            return self.server.globals().show_global().map(|(name, value)| (name.to_owned(), value)).collect();
        }
        let own = |(name, value): (&str, Value)| {
            let value = self.variable(name).map_or(value, |own| shown(name, &own));
            (name.to_owned(), value)
        };
        self.variables.show().map(own).collect()
    }

    /// `SHOW STATUS` and `performance_schema.session_status`; with `global`, `SHOW GLOBAL STATUS` and
    /// `performance_schema.global_status`. `key` is the public key that passwords are sent by, as PEM; empty if none was
    /// made.
    pub(in super::super) fn shown_status(&self, global: bool, key: String) -> Vec<(String, String)> {
        let (cipher, version) = self.tls.as_ref().map_or(("", ""), |tls| (&tls.cipher[..], tls.version));
        let own = [
            ("Caching_sha2_password_rsa_public_key", key),
            ("Compression", if self.compression.is_some() { "ON" } else { "OFF" }.to_owned()),
            ("Compression_algorithm", self.compression.map_or("", Algorithm::name).to_owned()),
            ("Ssl_cipher", cipher.to_owned()),
            ("Ssl_version", version.to_owned()),
        ];
        let own = own.into_iter().filter(|(name, _)| !(global && OF_SESSIONS.contains(name)));
        let mut status = self.server.status();
        status.extend(own.map(|(name, value)| (name.to_owned(), value)));
        status.sort();
        status
    }
}
