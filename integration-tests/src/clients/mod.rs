//! Stock MySQL clients of other languages: programs in `clients/<language>` that run on a real MariaDB, which proves the
//! program, and on Cellgate, which proves Cellgate.
//!
//! A program finds its server in `MYSQL_HOST`, `MYSQL_PORT`, `MYSQL_USER` and `MYSQL_DATABASE`, a user with a password in
//! `MYSQL_APP_USER` and `MYSQL_APP_PASSWORD`, the name of its table in `MYSQL_TABLE`, and an empty second server, where a
//! dump can be restored, in `MYSQL_OTHER_PORT` and `MYSQL_OTHER_DATABASE`. It does not know which server it speaks to. It
//! prints `version <what it is>`, then for each of its [steps](Family::steps) `ok <step>`, `FAIL <step>: <error>`, or
//! `skip <step>: <why>` for what the client has no way to do, and last `N passed, M failed`.

mod page;
mod report;
mod run;
mod selection;
mod steps;
mod table;

pub use page::Page;
pub use report::{Judged, Outcome, Report};
pub use run::{APP_PASSWORD, APP_USER, Target};
pub use selection::Selection;
pub use steps::{Family, REFUSALS, Refusal, Standing, Step};
pub use table::{CLIENTS, Program, StockClient};
