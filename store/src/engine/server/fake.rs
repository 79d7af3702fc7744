//! A server for tests of what is above it: its sessions open at once and fail at what they are asked.

use std::time::Duration;

use async_trait::async_trait;
use cellgate_schemaless::Epoch;
use deadpool::managed::{Manager, Metrics, RecycleResult};

use crate::engine::server::driver::{Cells, Driver, Existing, Failure, Mark, NewRow, Place, Session};
use crate::error::StoreError;
use crate::sql::{Dialect, POSTGRES, Query};

use super::driver::Value;

/// Opens [`FakeSession`]s.
#[derive(Debug)]
pub(crate) struct FakeDriver;

/// A session of nothing.
#[derive(Debug)]
pub(crate) struct FakeSession;

/// What it fails of.
pub(crate) fn failed() -> Failure {
    Failure::Store(StoreError::Failed { detail: "for the test".to_owned() })
}

impl Manager for FakeDriver {
    type Type = FakeSession;
    type Error = StoreError;

    async fn create(&self) -> Result<FakeSession, StoreError> {
        Ok(FakeSession)
    }

    async fn recycle(&self, _: &mut FakeSession, _: &Metrics) -> RecycleResult<StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Driver for FakeDriver {
    type Session = FakeSession;

    fn dialect(&self) -> &'static Dialect {
        &POSTGRES
    }

    fn clock(&self) -> &'static str {
        "0"
    }

    async fn create_database(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Session for FakeSession {
    async fn cells(&mut self, _: &Query, _: usize) -> Result<Cells, Failure> {
        Err(failed())
    }

    async fn fetch(&mut self, _: &Query) -> Result<Vec<Vec<Value>>, Failure> {
        Err(failed())
    }

    async fn execute(&mut self, _: &Query) -> Result<u64, Failure> {
        Err(failed())
    }

    /// Of all statements, BEGIN alone succeeds.
    async fn run(&mut self, text: &str) -> Result<(), Failure> {
        if text == "BEGIN" { Ok(()) } else { Err(failed()) }
    }

    async fn insert(&mut self, _: Epoch, _: &[NewRow<'_>], _: Existing) -> Result<Vec<Option<Place>>, Failure> {
        Err(failed())
    }

    fn mark(&self) -> Mark {
        Mark { number: 1, nonce: String::new() }
    }

    async fn end(&mut self, _: &Mark, _: Duration) -> Result<bool, Failure> {
        Ok(true)
    }

    fn is_idle(&self) -> bool {
        true
    }

    async fn define(&mut self, _: &[String]) -> Result<(), Failure> {
        Err(failed())
    }
}
