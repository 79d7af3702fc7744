//! A server on a port of loopback, shared or private: what MariaDB and PostgreSQL have in common of it.
//!
//! A private one keeps its port and its files for as long as it lives, however often it is killed and started. A shared one is
//! neither started nor killed here: a test that asks for it is wrong.

use std::path::Path;

use crate::process::{self, Process};
use crate::scratch::Scratch;

/// A server.
#[derive(Debug)]
pub(super) struct Instance {
    port: u16,
    own: Option<Own>,
}

/// What a server that we started has.
#[derive(Debug)]
pub(super) struct Own {
    process: Option<Process>,
    pub(super) scratch: Scratch,
    pub(super) user: &'static str,
    /// Options beside those that every server has.
    pub(super) options: Vec<String>,
    start: Start,
}

/// Starts the program on a port and waits until it answers. The error is the end of its log, if it ends instead.
pub(super) type Start = fn(&Own, u16) -> Result<Process, String>;

impl Instance {
    /// One that somebody else started.
    pub(super) fn shared(port: u16) -> Self {
        Self { port, own: None }
    }

    /// One of our own in a temporary directory, which `install` fills as this user; `options` may add files to it.
    pub(super) fn private(
        user: &'static str,
        install: impl FnOnce(&Scratch, &'static str),
        options: impl FnOnce(&Path, &str) -> Vec<String>,
        start: Start,
    ) -> Self {
        let user = process::existing_user(&[user]);
        let scratch = Scratch::new();
        process::give_directory(scratch.path(), user);
        install(&scratch, user);
        let options = options(scratch.path(), user);
        let mut own = Own { process: None, scratch, user, options, start };
        let port = super::start_on_free_port(|port| own.start(port).map(|()| port));
        Self { port, own: Some(own) }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What it has, if it is private.
    pub(super) fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// What it has as a private one.
    pub(super) fn expect_own(&self) -> &Own {
        self.own().expect("a test does this to a private server only")
    }

    pub(super) fn start(&mut self) {
        let own = self.own.as_mut().expect("only a private server is started by a test");
        own.start(self.port).unwrap_or_else(|log| panic!("{log}"));
    }

    pub(super) fn kill(&mut self) {
        self.own.as_mut().expect("only a private server is killed by a test").process = None;
    }
}

impl Own {
    /// Its process, while it runs.
    pub(super) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    fn start(&mut self, port: u16) -> Result<(), String> {
        self.process = Some((self.start)(self, port)?);
        Ok(())
    }
}
