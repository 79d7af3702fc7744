//! The executor over several clusters: what it promises while stores answer, conflict, fail, hang and change.

#[path = "../support/faulty.rs"]
mod faulty;

mod appending;
mod caching;
mod erasing;
mod fixture;
mod giving_up;
mod reading;
mod single;
mod streaming;
mod writing;
