//! Pages generated from code. The generators are tests: without the variable they compare, with it they write.

use crate::command::{self, Failure, cargo};

/// The variable that makes the tests write.
const UPDATE: &str = "UPDATE_DOCS";

/// `cargo xtask docs`.
pub fn run() -> Result<(), Failure> {
    command::run(cargo().args(["test", "--quiet", "--package", "cellgate-metrics"]).env(UPDATE, "1"))
}
