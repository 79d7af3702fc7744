//! The configuration: one TOML file, the command line over it, and a default for everything.
//!
//! Every setting is described once, by a [`Key`]: its name, default, bounds and meaning. Reading, rendering, comparing
//! and docs/CONFIGURATION.md all go by that list. Secrets are [`Secret`]s from the moment they are read, and nothing
//! here prints one. All that is wrong with a file is told at once, with its lines.

mod changes;
mod cluster;
mod document;
mod error;
mod networks;
mod parts;
mod secret;
mod section;
mod setting;
mod source;
mod target;
mod tls;
mod user;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

pub use changes::Changes;
pub use cluster::{Cluster, Topology};
pub use document::document;
pub use error::{ConfigError, Problem};
pub use networks::Networks;
pub use parts::{Cache, Coalesce, Data, Http, Limits, Listen, Log, Meta, Timeouts};
pub use secret::Secret;
pub use section::{Applies, Key};
pub use setting::{Address, Form, Literals, LogFormat, LogLevel, Setting, Size};
pub use source::Environment;
pub use target::Target;
pub use tls::{TlsCertificate, TlsKey};
pub use user::User;

use section::{Rendered, Section, kind_of, unknown};
use source::{Source, line_of};

/// Everything that can be configured, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where MySQL clients connect.
    pub listen: Listen,
    /// Where metrics and health are answered.
    pub http: Http,
    /// Where embedded files are.
    pub data: Data,
    /// Virtual shards and the meta store.
    pub topology: Topology,
    /// The clusters, at least one.
    pub clusters: Vec<Cluster>,
    /// Who may log in, at least one.
    pub users: Vec<User>,
    /// Bounds on what clients may use.
    pub limits: Limits,
    /// Cells kept in memory.
    pub cache: Cache,
    /// How requests share statements.
    pub coalesce: Coalesce,
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// What is logged.
    pub log: Log,
    /// How the meta store is followed.
    pub meta: Meta,
    /// What is allowed and yet worth a line in the log.
    pub warnings: Vec<String>,
}

/// What the command line says; it wins over the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `[data] dir`.
    pub data_dir: Option<PathBuf>,
    /// `[listen] address`.
    pub listen: Option<Address>,
    /// `[http] address`.
    pub http: Option<Address>,
    /// `[log] format`.
    pub log_format: Option<LogFormat>,
}

/// The tables of the file.
const SECTIONS: &[&str] = &[
    "listen", "http", "data", "topology", "cluster", "user", "limits", "cache", "coalesce", "timeouts", "log", "meta",
];

impl Config {
    /// Reads the file (`None`: everything has its default), fills in variables from `environment`, and lets the
    /// command line win.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(path: Option<&Path>, environment: Environment<'_>, overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::parse(&text_of(path)?, path, environment, overrides)
    }

    /// [`Config::load`] for a process that runs with this configuration, and goes on listening where it does. A file without
    /// any `[[user]]` is refused if this configuration names some: it is empty or half-written, as a rule.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load_again(
        &self,
        path: Option<&Path>,
        environment: Environment<'_>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        self.parse_again(&text_of(path)?, path, environment, overrides)
    }

    /// [`Config::load_again`] of text that was read from `path`.
    fn parse_again(
        &self,
        text: &str,
        path: Option<&Path>,
        environment: Environment<'_>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        Self::read(text, path, environment, overrides, Some(self))
    }

    /// [`Config::load`] of text that was read from `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn parse(
        text: &str,
        path: Option<&Path>,
        environment: Environment<'_>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        Self::read(text, path, environment, overrides, None)
    }

    /// Reads the text for a start, or for the process that runs with a configuration.
    fn read(
        text: &str,
        path: Option<&Path>,
        environment: Environment<'_>,
        overrides: &Overrides,
        running: Option<&Self>,
    ) -> Result<Self, ConfigError> {
        let document = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
            path: path.map_or_else(PathBuf::new, Path::to_owned),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            detail: error.message().replace('\n', " "),
        })?;
        let source = Source::new(text, environment);
        let mut reader = Reader { document: document.get_ref(), source: &source, running, problems: Vec::new() };
        let config = reader.config(overrides);
        let mut problems = reader.problems;
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            Some(_) | None => {
                problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
                Err(ConfigError::Invalid { path: path.map(Path::to_owned), problems })
            }
        }
    }

    /// The effective configuration as TOML, secrets as `***`. Without the secrets it reads back as itself.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut table = |header: &str, settings: Vec<Rendered>| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{header}");
            for (key, value) in settings {
                let _ = writeln!(text, "{} = {value}", key.name);
            }
            text.push('\n');
        };
        for (section, settings) in self.tables() {
            table(&format!("[{section}]"), settings);
        }
        for cluster in &self.clusters {
            table("[[cluster]]", cluster.rendered());
        }
        for user in &self.users {
            table("[[user]]", user.rendered());
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// Warns of what a file among the clusters means.
    fn warn_of_files(&mut self) {
        let files = self.clusters.iter().filter(|cluster| cluster.primary.is_file());
        let files: Vec<_> = files.map(|cluster| cluster.name.as_str()).collect();
        if !files.is_empty() && !self.topology.meta.is_file() {
            self.warnings.push(format!(
                "the meta store is on a server that several proxies could share, but cluster {} is a SQLite file: this \
                 deployment can have only this one proxy",
                files.join(", ")
            ));
        }
    }

    /// The settings of every table that is there once.
    fn tables(&self) -> Vec<(&'static str, Vec<Rendered>)> {
        vec![
            (Listen::SECTION, self.listen.rendered()),
            (Http::SECTION, self.http.rendered()),
            (Data::SECTION, self.data.rendered()),
            ("topology", self.topology.rendered()),
            (Limits::SECTION, self.limits.rendered()),
            (Cache::SECTION, self.cache.rendered()),
            (Coalesce::SECTION, self.coalesce.rendered()),
            (Timeouts::SECTION, self.timeouts.rendered()),
            (Log::SECTION, self.log.rendered()),
            (Meta::SECTION, self.meta.rendered()),
        ]
    }
}

/// The text of the file; that of none is empty.
fn text_of(path: Option<&Path>) -> Result<String, ConfigError> {
    match path {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
        }
        None => Ok(String::new()),
    }
}

/// Reads a parsed file.
struct Reader<'a, 'f> {
    document: &'a DeTable<'f>,
    source: &'a Source<'a>,
    /// What the process runs with that reads the file again.
    running: Option<&'a Config>,
    problems: Vec<Problem>,
}

impl<'a, 'f> Reader<'a, 'f> {
    fn config(&mut self, overrides: &Overrides) -> Option<Config> {
        self.check_names();
        let mut warnings = Vec::new();
        let mut listen = self.section("listen", |section| Listen::read(section));
        let mut http = self.section("http", |section| Http::read(section));
        let mut data = self.section("data", |section| Data::read(section));
        let mut log = self.section("log", |section| Log::read(section));
        if let (Some(listen), Some(address)) = (&mut listen, &overrides.listen) {
            listen.address = address.clone();
        }
        if let (Some(http), Some(address)) = (&mut http, &overrides.http) {
            http.address = address.clone();
        }
        if let (Some(data), Some(dir)) = (&mut data, &overrides.data_dir) {
            data.dir = dir.display().to_string();
        }
        if let (Some(log), Some(format)) = (&mut log, overrides.log_format) {
            log.format = format;
        }
        let data_dir = data.as_ref().map_or_else(PathBuf::new, |data| PathBuf::from(&data.dir));
        let source = self.source;
        let topology = self.section("topology", |section| Topology::read(section, source, &data_dir, &mut warnings));
        let clusters = self
            .tables("cluster", |section, place| Cluster::read(section, place, source, &mut warnings))
            .map(|clusters| {
                if clusters.is_empty() {
                    Cluster::embedded(&data_dir).into_iter().map(Some).collect()
                } else {
                    clusters
                }
            });
        let users = self
            .tables("user", |section, place| User::read(section, place, &mut warnings))
            .map(|users| if users.is_empty() { User::embedded().into_iter().map(Some).collect() } else { users });
        let limits = self.section("limits", |section| Limits::read(section));
        let cache = self.section("cache", |section| Cache::read(section));
        let coalesce = self.section("coalesce", |section| Coalesce::read(section));
        let timeouts = self.section("timeouts", |section| Timeouts::read(section));
        let meta = self.section("meta", |section| Meta::read(section));
        // All that is wrong is said at once: what could be read is compared whatever else is wrong.
        self.check_twice("cluster");
        self.check_twice("user");
        self.check_clusters(topology.as_ref(), clusters.as_deref().unwrap_or_default());
        if let (Some(listen), Some(users)) = (&listen, &users) {
            self.check_reach(&listen.address, users);
            if let Some(running) = self.running {
                self.check_still_reached(running, &listen.address, users);
            }
        }
        if let (Some(listen), Some(http)) = (&listen, &http) {
            self.check_doors(listen, http);
        }
        if let Some(meta) = &meta {
            self.check_meta(meta);
        }
        let mut config = Config {
            listen: listen?,
            http: http?,
            data: data?,
            topology: topology?,
            clusters: clusters?.into_iter().collect::<Option<_>>()?,
            users: users?.into_iter().collect::<Option<_>>()?,
            limits: limits?,
            cache: cache?,
            coalesce: coalesce?,
            timeouts: timeouts?,
            log: log?,
            meta: meta?,
            warnings,
        };
        config.warn_of_files();
        Some(config)
    }

    /// Refuses tables nobody knows.
    fn check_names(&mut self) {
        for (name, _) in self.document.iter() {
            let given = name.get_ref().as_ref();
            if !SECTIONS.contains(&given) {
                let line = Some(self.source.line(&name.span()));
                let message = unknown(given, SECTIONS);
                self.problems.push(Problem { line, key: given.to_owned(), message });
            }
        }
    }

    fn value(&self, name: &str) -> Option<(&'a DeValue<'f>, Range<usize>)> {
        let (_, value) = self.document.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
        Some((value.get_ref(), value.span()))
    }

    fn wrong_form(&mut self, name: &str, expected: &str, value: &DeValue<'_>, span: &Range<usize>) {
        let message = format!("expected {expected}, not {}", kind_of(value));
        self.problems.push(Problem { line: Some(self.source.line(span)), key: name.to_owned(), message });
    }

    /// Reads the table `[name]`.
    fn section<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Section<'_, 'f>) -> Option<T>) -> Option<T> {
        let table = match self.value(name) {
            Some((DeValue::Table(table), span)) => Some((table, span)),
            Some((other, span)) => {
                self.wrong_form(name, &format!("a table [{name}]"), other, &span);
                return None;
            }
            None => None,
        };
        let mut section = Section::new(format!("{name}."), table, self.source, &mut self.problems);
        let value = read(&mut section);
        section.finish();
        value
    }

    /// Reads the tables `[[name]]`, counted from 1; `None` in the place of one that is wrong.
    fn tables<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_, 'f>, usize) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        let Some((value, span)) = self.value(name) else { return Some(Vec::new()) };
        let DeValue::Array(array) = value else {
            self.wrong_form(name, &format!("tables [[{name}]]"), value, &span);
            return None;
        };
        let mut values = Vec::new();
        for (item, place) in array.iter().zip(1..) {
            let DeValue::Table(table) = item.get_ref() else {
                self.wrong_form(name, &format!("tables [[{name}]]"), item.get_ref(), &item.span());
                values.push(None);
                continue;
            };
            let mut section = Section::new("", Some((table, item.span())), self.source, &mut self.problems);
            values.push(read(&mut section, place));
            section.finish();
        }
        Some(values)
    }

    /// Refuses two `[[table]]`s of one name, whatever else of them can be read. Names are compared with their variables
    /// filled in; where that fails, it was noted when the table was read.
    fn check_twice(&mut self, table: &'static str) {
        let Some((DeValue::Array(array), _)) = self.value(table) else { return };
        let mut names = HashMap::new();
        for (item, place) in array.iter().zip(1_usize..) {
            let DeValue::Table(settings) = item.get_ref() else { continue };
            let named = settings.iter().find(|(key, _)| key.get_ref().as_ref() == "name");
            let Some(DeValue::String(raw)) = named.map(|(_, value)| value.get_ref()) else { continue };
            let Ok(name) = self.source.expand(raw) else { continue };
            let this = format!("{table} '{name}'");
            if let Some(other) = names.insert(name, place) {
                self.clash(table, place, &this, format!("{table}s #{other} and #{place} have one name"));
            }
        }
    }

    /// Refuses clusters that share a number or a database.
    fn check_clusters(&mut self, topology: Option<&Topology>, clusters: &[Option<Cluster>]) {
        let mut numbers = HashMap::new();
        let mut places = HashMap::new();
        if let Some(topology) = topology
            && let Target::Sqlite { .. } = topology.meta
        {
            places.insert(topology.meta.place(), "the meta store".to_owned());
        }
        for (cluster, place) in clusters.iter().zip(1..) {
            let Some(cluster) = cluster else { continue };
            let this = format!("cluster '{}'", cluster.name);
            if let Some(number) = cluster.number
                && let Some(other) = numbers.insert(number, this.clone())
            {
                self.clash("cluster", place, &this, format!("has number {number}, and so has {other}"));
            }
            if let Some(other) = places.insert(cluster.primary.place(), this.clone()) {
                self.clash("cluster", place, &this, format!("names the same database as {other}"));
            }
        }
    }

    /// Refuses an address that others reach without any user that has a password. A user who could not be read may have
    /// one.
    fn check_reach(&mut self, address: &Address, users: &[Option<User>]) {
        let passwordless = |user: &Option<User>| user.as_ref().is_some_and(|user| user.password.is_none());
        if address.is_loopback() || !users.iter().all(passwordless) {
            return;
        }
        let line = self.value("listen").map(|(_, span)| self.source.line(&span));
        let message = format!(
            "other machines can reach {address}, and no user has a password: add a [[user]] with one (users without a \
             password may only log in from this machine)"
        );
        self.problems.push(Problem { line, key: "listen.address".to_owned(), message });
    }

    /// Refuses users that the running process may not have, which goes on listening where it does whatever `address` the
    /// file gives.
    fn check_still_reached(&mut self, running: &Config, address: &Address, users: &[Option<User>]) {
        let names_some = matches!(self.value("user"), Some((DeValue::Array(users), _)) if !users.is_empty());
        if !names_some && running.users != User::embedded() {
            let message = "the file names no user any more, which would leave root alone, who has no password and may do \
                           everything. Nothing is changed: write the whole file, at best beside this one and renamed to \
                           it, and send SIGHUP again; if root alone is meant, start the program anew";
            self.problems.push(Problem { line: None, key: "[[user]]".to_owned(), message: message.to_owned() });
        } else if running.listen.address != *address {
            self.check_reach(&running.listen.address, users);
        }
    }

    /// Refuses looks at the meta store so rare that what is known of it gets too old in between.
    fn check_meta(&mut self, meta: &Meta) {
        if !meta.follows_at(meta.poll) {
            let line = self.value("meta").map(|(_, span)| self.source.line(&span));
            let message = format!(
                "must be at least twice meta.poll, which is {}: otherwise statements would be refused while the meta \
                 store answers",
                meta.poll.to_text()
            );
            self.problems.push(Problem { line, key: "meta.max_stale".to_owned(), message });
        }
    }

    /// Refuses one address for MySQL and HTTP, and a key whose certificate is another's.
    fn check_doors(&mut self, listen: &Listen, http: &Http) {
        let line = |this: &Self, table| this.value(table).map(|(_, span)| this.source.line(&span));
        if listen.address.overlaps(&http.address) {
            let message = format!("is the address of [listen], {}: give it another port", listen.address);
            self.problems.push(Problem { line: line(self, "http"), key: "http.address".to_owned(), message });
        }
        if let (TlsCertificate::SelfSigned, TlsKey::File(_)) = (&listen.tls_certificate, &listen.tls_key) {
            let message = "belongs to a tls_certificate, which is not given: name its file, or leave this out";
            let (line, key) = (line(self, "listen"), "listen.tls_key".to_owned());
            self.problems.push(Problem { line, key, message: message.to_owned() });
        }
    }

    /// Notes a problem of `[[name]]` number `place`.
    fn clash(&mut self, name: &str, place: usize, key: &str, message: String) {
        let span = match self.value(name) {
            Some((DeValue::Array(array), _)) => array.get(place - 1).map(|item| item.span()),
            Some(_) | None => None,
        };
        let line = span.map(|span| self.source.line(&span));
        self.problems.push(Problem { line, key: key.to_owned(), message });
    }
}
