//! What becomes of a write and of a read when sessions are lost, wait and fail, on a server that answers by a script.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cellgate_metrics::{Metrics, Operation};
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Epoch, LatestKey, Micros, RefKey, RowKey, ShardId, TableId, TableRef,
    Token, Triple,
};

use super::core::Core;
use super::driver::{Failure, Guard, Holds, Names, PassOver, Place, Session as _, Start, Value};
use super::fake::{Asked, FakeDriver, Script, failed, lost};
use super::pool::{Lease, Starts};
use super::{Server, ServerOptions, put};
use crate::backend::{ANSWER_BYTES, Backend, GroupCell, PlacedCell, PutGroup, PutMode, PutOutcome, Timeouts};
use crate::draining::wait_until;
use crate::error::{Reason, StoreError};
use crate::meta::MetaStore;
use crate::meta::server::ServerMeta;
use crate::sql::Query;
use crate::sync::lock;

mod attempts;
mod bench;
mod meta;
mod reads;
mod sessions;
mod starts;

use bench::*;
