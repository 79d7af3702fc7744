//! Where cells are kept: the [`Backend`] trait, its engines, the meta store, and what runs a plan on them.

mod backend;
pub mod background;
pub mod cache;
pub mod coalesce;
pub mod deployment;
mod draining;
pub mod engine;
mod error;
pub mod executor;
mod hash;
pub mod meta;
mod passing;
mod sql;
mod sync;

pub use backend::{
    ANSWER_BYTES, AtOnce, Backend, EraseStep, Erased, FORMAT, GroupCell, Identity, Location, LogPage, PlacedCell,
    PutGroup, PutMode, PutOutcome, RowPage, ShardState, Timeouts,
};
pub use engine::{Engines, memory, now_micros, sqlite};
pub use error::{Reason, StoreError};
pub use passing::Passing;
