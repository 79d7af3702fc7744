//! What the queues promise, on a backend whose statements wait until they are let go.

mod bench;
mod failures;
mod keys;
mod lanes;
mod leaving;
mod waiting;
mod writes;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use cellgate_metrics::Metrics;
use cellgate_schemaless::{Body, ClusterNo, ColumnKey, RefKey, RowKey, TableId, Token};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use bench::{Bench, Call, EPOCH, LONG, NEVER, ONE_LANE, failed, gets, group, is_stored, table, triple};

use super::*;
use crate::backend::{FORMAT, GroupCell, PutMode};
use crate::error::Reason;
use crate::memory::MemoryBackend;
use crate::passing::Passing;
