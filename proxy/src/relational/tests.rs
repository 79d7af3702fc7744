//! The engine over a small catalog, without a server.

mod bounds;
mod definitions;
mod engines;
mod found;
mod meaning;
mod session;
mod values;

use session::{Session, table, until};
