//! Locks between sessions of one proxy and of several, and what becomes of those of a proxy that ended.

use async_trait::async_trait;
use cellgate_store::meta::memory::MemoryMeta;
use cellgate_store::meta::{Document, PassingMeta};
use tokio::sync::watch;

use super::*;

mod cut_off;
mod fixture;
mod holding;
mod proxies;
mod waiting;

use fixture::*;
