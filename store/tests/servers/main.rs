//! What the engines of database servers promise beyond the conformance suite: lost connections, several proxies,
//! servers that go away.
//!
//! The servers are named by `CELLGATE_TEST_MYSQL_URL` and `CELLGATE_TEST_POSTGRES_URL`; `cargo xtask test` starts
//! them. With `CELLGATE_TEST_ENGINES=embedded` these tests pass without running.

mod faults;
mod limits;
mod meta;
mod relay;
mod support;
mod writers;
