//! What only the SQLite engine promises; the rest is in the conformance suite.

mod batches;
mod bounds;
mod commits;
mod corrupt;
mod erasing;
mod fixture;
mod log;
mod removal;
mod snapshots;
mod statements;
mod syncing;
mod tables;
mod taken_away;
mod writers;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use cellgate_schemaless::{
    Body, CellKind, ClusterNo, ColumnFilter, ColumnKey, Direction, LatestKey, LogScan, RefKey, RefRange, RowKey,
    RowScan, RowSet, ShardId, TableId, TableRef, Token, Triple,
};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use fixture::{block, group, hold, open, reopen, step, table, there, together, transactions, triple};

use super::cells::bind;
use super::files::whose;
use super::*;
use crate::sql::{BATCH_BODY, Query};
use crate::{FORMAT, GroupCell, PutMode};
