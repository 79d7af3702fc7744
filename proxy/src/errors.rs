//! MySQL's number and SQLSTATE for every error of a statement.
//!
//! Those of the protocol are in `wire::error`.
//! Source: MySQL 8.0 Error Message Reference, server error messages. A store's own text never gets into a reply: it
//! goes to the log under an id that the reply names.

use cellgate_schemaless::Invalid;
use cellgate_sql::relational::RelationalError;
use cellgate_sql::{DecimalError, Named, SqlError};
use cellgate_store::executor::{META_STORE, RunError};
use cellgate_store::{Reason, StoreError};

use crate::access::{AccessError, AccessNote};
use crate::catalog::CatalogError;
use crate::incidents::{self, Incidents};
use crate::session::{ROLLED_BACK, StatementError, VariableError};
use crate::wire::ErrorReply;

/// The reply to a statement that was not run, or failed. What a store says goes to the log by `incidents`.
pub fn reply(error: &StatementError, incidents: &Incidents) -> ErrorReply {
    let (code, state) = code(error);
    ErrorReply { code, state, message: bounded(Messages { incidents }.of(error)) }
}

/// Longest text of an error, in bytes: names and keys in it can be as long as a statement, and clients keep it.
const MESSAGE_BYTES: usize = 2048;

/// The text, as long as it may be.
fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES - 3));
        message.push_str("...");
    }
    message
}

/// 1040: no room for another connection.
pub fn too_many_connections() -> ErrorReply {
    ErrorReply { code: 1040, state: "08004", message: "Too many connections".into() }
}

/// 1045: the login failed.
pub fn access_denied(user: &str, host: &str, using_password: bool) -> ErrorReply {
    let using = if using_password { "YES" } else { "NO" };
    let message = format!("Access denied for user '{user}'@'{host}' (using password: {using})");
    ErrorReply { code: 1045, state: "28000", message }
}

/// 3118: the account is locked.
pub fn account_locked(user: &str, host: &str) -> ErrorReply {
    let message = format!("Access denied for user '{user}'@'{host}'. Account is locked.");
    ErrorReply { code: 3118, state: "HY000", message }
}

/// 1226: no room for another connection of this user.
pub fn too_many_user_connections(user: &str, limit: u32) -> ErrorReply {
    let message = format!("User '{user}' has exceeded the 'max_user_connections' resource (current value: {limit})");
    ErrorReply { code: 1226, state: "42000", message }
}

/// The numbers of notes and warnings that are about no error.
pub mod notes {
    /// What MySQL has no number for.
    pub const OF_OURS: u16 = 1105;
    /// A cell is there already.
    pub const DUPLICATE: u16 = 1062;
    /// A value was changed to fit.
    pub const WRONG_VALUE: u16 = 1292;
    /// SELECT .. INTO found no row.
    pub const NO_DATA: u16 = 1329;
    /// ROLLBACK behind an erasure.
    pub const NOT_ROLLED_BACK: u16 = 1196;
    /// IF NOT EXISTS of a database.
    pub const DATABASE_EXISTS: u16 = 1007;
    /// IF EXISTS of a database.
    pub const NO_DATABASE: u16 = 1008;
    /// IF NOT EXISTS of a table.
    pub const TABLE_EXISTS: u16 = 1050;
    /// IF EXISTS of a table.
    pub const NO_TABLE: u16 = 1051;
}

/// The number of a note.
pub fn access_note(note: &AccessNote) -> u16 {
    match note {
        AccessNote::Exists(_) => 3163,
        AccessNote::Missing(_) => 3162,
        AccessNote::WithoutEffect(_) | AccessNote::Shadowed(_) => 1235,
    }
}

fn access_code(error: &AccessError) -> (u16, &'static str) {
    match error {
        AccessError::Failed { .. } | AccessError::LastAdmin { .. } => (1396, "HY000"),
        AccessError::NeedsPrivilege(_) => (1227, "42000"),
        AccessError::GrantToNobody(_) => (1410, "42000"),
        AccessError::NoSuchGrant(_) => (1141, "42000"),
        AccessError::NoSuchTableGrant { .. } => (1147, "42000"),
        AccessError::NoAccount(_) => (1133, "42000"),
        AccessError::Host(_) => (1235, "42000"),
        AccessError::Limit { .. } => (1104, "42000"),
        AccessError::Meta(error) => store_code(error),
        AccessError::Contended => (1213, "40001"),
    }
}

fn code(error: &StatementError) -> (u16, &'static str) {
    match error {
        StatementError::Sql(error) => sql_code(error),
        // What is stored in a part must not be repeated, as the number of the cause might say.
        StatementError::Write { stored, .. } if !stored.rows.is_empty() => (1180, "HY000"),
        StatementError::Run(error) | StatementError::Write { error, .. } => run_code(error),
        StatementError::Catalog(error) => catalog_code(error),
        StatementError::Variable(error) => variable_code(error),
        StatementError::NotUtf8 { .. } => (1300, "HY000"),
        StatementError::MultiStatementsOff => (1064, "42000"),
        StatementError::Duplicate { .. } => (1062, "23000"),
        StatementError::LostRace { .. } => (1213, "40001"),
        StatementError::TableGone => (1412, "HY000"),
        StatementError::PartlyCommitted { .. } => (1180, "HY000"),
        // What is to be repeated is the transaction.
        StatementError::RolledBack(cause) if code(cause).0 == 1205 => (1213, "40001"),
        StatementError::RolledBack(cause) => code(cause),
        StatementError::ReadOnlyTransaction => (1792, "25006"),
        StatementError::TransactionInProgress => (1568, "25001"),
        StatementError::NoSavepoint(_) => (1305, "42000"),
        StatementError::TransactionTooLarge { .. } => (1197, "HY000"),
        StatementError::Timeout { .. } | StatementError::OwnTimeout => (3024, "HY000"),
        StatementError::Interrupted | StatementError::GoesOn => (1317, "70100"),
        StatementError::NoSuchConnection(_) => (1094, "HY000"),
        StatementError::NotOwner(_) => (1095, "HY000"),
        StatementError::Denied { .. } => (1142, "42000"),
        StatementError::NotLocked(_) => (1100, "HY000"),
        StatementError::LockedForReading(_) => (1099, "HY000"),
        StatementError::TablesLocked => (1192, "HY000"),
        StatementError::ReadLock => (1223, "HY000"),
        // Behind 1205 clients repeat the statement, behind 1213 the transaction.
        StatementError::LocksLost { rolled_back: true } => (1213, "40001"),
        StatementError::LockTimeout(_) | StatementError::LocksLost { rolled_back: false } => (1205, "HY000"),
        StatementError::LockName(_) => (3057, "42000"),
        StatementError::TooManyRows => (1172, "42000"),
        StatementError::DeniedDatabase { .. } => (1044, "42000"),
        StatementError::Access(error) => access_code(error),
        StatementError::NoDatabase => (1046, "3D000"),
        StatementError::Stale { .. } => (1429, "HY000"),
        StatementError::Unreadable { .. } => (1815, "HY000"),
        StatementError::UnknownPrepared { .. } => (1243, "HY000"),
        StatementError::TooManyPrepared(_) | StatementError::PreparedTooLong(_) => (1461, "42000"),
        StatementError::Unsupported { .. } => (1235, "42000"),
        StatementError::Pending { .. } => (1815, "HY000"),
    }
}

/// Number and SQLSTATE of an error of the dialect.
pub(crate) fn sql_code(error: &SqlError) -> (u16, &'static str) {
    match error {
        SqlError::Syntax { .. } => (1064, "42000"),
        SqlError::Charset(_) => (1115, "42000"),
        SqlError::Collation(_) => (1273, "HY000"),
        SqlError::OtherCollation { .. } => (1253, "42000"),
        SqlError::NotUnique(_) => (1066, "42000"),
        SqlError::Empty => (1065, "42000"),
        SqlError::Unsupported { .. } | SqlError::Immutable { .. } => (1235, "42000"),
        SqlError::PasswordHash => (1827, "HY000"),
        SqlError::UnknownPlugin(_) => (1524, "HY000"),
        SqlError::NameTooLong { .. } => (1470, "HY000"),
        SqlError::IncorrectName { what: Named::Database, .. } => (1102, "42000"),
        SqlError::IncorrectName { what: Named::Table, .. } => (1103, "42000"),
        SqlError::IncorrectName { what: Named::Column, .. } => (1166, "42000"),
        SqlError::NoDatabase => (1046, "3D000"),
        SqlError::UnknownDatabase(_) => (1049, "42000"),
        SqlError::UnknownTable { .. } => (1146, "42S02"),
        SqlError::UnknownColumn { .. } => (1054, "42S22"),
        SqlError::UnknownVariable(_) => (1193, "HY000"),
        SqlError::OtherScope { .. } => (1238, "HY000"),
        SqlError::UnknownFunction(_) => (1305, "42000"),
        SqlError::Value { invalid, .. } => match invalid {
            Invalid::RowKeyEmpty | Invalid::ColumnKeyEmpty => (1048, "23000"),
            Invalid::RowKeyTooLong { .. } | Invalid::ColumnKeyTooLong { .. } | Invalid::BodyTooLong { .. } => {
                (1406, "22001")
            }
            Invalid::Json { .. } => (3140, "22032"),
            Invalid::JsonTooDeep { .. } => (3157, "22032"),
            Invalid::ClusterNo { .. } => (1264, "22003"),
        },
        SqlError::NullColumn(_) => (1048, "23000"),
        SqlError::NoDefault(_) => (1364, "HY000"),
        SqlError::BadValue { out_of_range: true, .. } => (1264, "22003"),
        SqlError::BadValue { out_of_range: false, .. } => (1366, "HY000"),
        SqlError::IdentifierTooLong(_) => (1059, "42000"),
        SqlError::SystemDatabase { .. } => (1044, "42000"),
        SqlError::OperandColumns(_) => (1241, "21000"),
        SqlError::WrongTime(_) | SqlError::WrongClock(_) => (1525, "HY000"),
        SqlError::WrongNumber(..) => (notes::WRONG_VALUE, "22007"),
        SqlError::IllegalDouble(_) => (1367, "22007"),
        SqlError::OutOfRange(_) => (1690, "22003"),
        SqlError::DivisionByZero => (1365, "22012"),
        SqlError::Truncated { .. } | SqlError::NoTime(_) => (1292, "22007"),
        SqlError::Decimal(DecimalError::Scale(_)) => (1425, "42000"),
        SqlError::Decimal(DecimalError::Precision(_)) => (1426, "42000"),
        SqlError::Decimal(DecimalError::ScaleAbovePrecision) => (1427, "42000"),
        SqlError::ResultTooLong { .. } => (1301, "HY000"),
        SqlError::Cut(_) => (1260, "HY000"),
        SqlError::OneOrAll => (3154, "42000"),
        SqlError::GivenUp => (3024, "HY000"),
        SqlError::RowTooLong(_) => (1153, "08S01"),
        SqlError::ColumnCount(_) => (1136, "21S01"),
        SqlError::ColumnTwice(_) => (1110, "42000"),
        SqlError::DuplicateColumn(_) => (1060, "42S21"),
        SqlError::TooManyColumns(_) => (1117, "42000"),
        SqlError::Json { path: true, .. } => (3143, "42000"),
        SqlError::Json { path: false, .. } => (3141, "22032"),
        SqlError::KeyTooLong { .. } => (1071, "42000"),
        SqlError::Limit { .. } => (1104, "42000"),
        SqlError::Arguments(_) => (1210, "HY000"),
        SqlError::Relational(error) => relational_code(error),
        SqlError::MixedAggregate { grouped: false, .. } => (1140, "42000"),
        SqlError::MixedAggregate { grouped: true, .. } => (1055, "42000"),
        SqlError::NotPreparable => (1295, "HY000"),
        SqlError::IntoCount => (1222, "21000"),
        SqlError::TimeZoneFile(_) | SqlError::Pending(..) | SqlError::Internal(_) => (1815, "HY000"),
    }
}

fn relational_code(error: &RelationalError) -> (u16, &'static str) {
    match error {
        RelationalError::UnknownTable { .. } => (1109, "42S02"),
        RelationalError::Ambiguous { .. } => (1052, "23000"),
        RelationalError::UnknownQualifier(_) => (1051, "42S02"),
        RelationalError::NotUnique(_) => (1066, "42000"),
        RelationalError::NoAlias => (1248, "42000"),
        RelationalError::SeveralRows => (1242, "21000"),
        RelationalError::Widths => (1222, "21000"),
        RelationalError::GroupFunction => (1111, "HY000"),
        RelationalError::NoTables => (1096, "HY000"),
        RelationalError::NameCount => (1353, "HY000"),
    }
}

fn run_code(error: &RunError) -> (u16, &'static str) {
    match error {
        RunError::Cluster { error, .. } | RunError::NotBegun { error, .. } | RunError::PartlyErased { error, .. } => {
            store_code(error)
        }
        RunError::Undecided { .. } => (1205, "HY000"),
        RunError::Contended => (1213, "40001"),
        RunError::VersionsExhausted => (1264, "22003"),
    }
}

fn store_code(error: &StoreError) -> (u16, &'static str) {
    match error {
        StoreError::Unavailable { .. } | StoreError::MaybeWritten { .. } => (1429, "HY000"),
        StoreError::Timeout { reason: Reason::Lock, .. } => (1205, "HY000"),
        StoreError::Timeout { reason: Reason::Connect | Reason::Queue, .. } => (1429, "HY000"),
        StoreError::Timeout { reason: Reason::Statement, .. } => (3024, "HY000"),
        StoreError::Overloaded { .. } => (3168, "HY000"),
        StoreError::StaleEpoch { .. } => (1213, "40001"),
        StoreError::NoTable { .. } => (1146, "42S02"),
        StoreError::DiskFull { .. } => (1021, "HY000"),
        StoreError::TooLarge { .. } => (1153, "08S01"),
        StoreError::AnswerTooLarge { .. } => (1104, "42000"),
        StoreError::Refused { .. } | StoreError::Denied { .. } => (1290, "HY000"),
        StoreError::Corrupt { .. } | StoreError::Failed { .. } => (1815, "HY000"),
    }
}

fn catalog_code(error: &CatalogError) -> (u16, &'static str) {
    match error {
        CatalogError::DatabaseExists(_) => (1007, "HY000"),
        CatalogError::NoDatabaseToDrop(_) => (1008, "HY000"),
        CatalogError::UnknownDatabase(_) => (1049, "42000"),
        CatalogError::TableExists(_) => (1050, "42S01"),
        CatalogError::NoTableToDrop(_) => (1051, "42S02"),
        CatalogError::UnknownTable { .. } => (1146, "42S02"),
        CatalogError::ColumnExists(_) => (1060, "42S21"),
        CatalogError::NoColumnToDrop(_) => (1091, "42000"),
        CatalogError::UnknownColumn { .. } => (1054, "42S22"),
        CatalogError::Meta(error) => store_code(error),
        CatalogError::Run(error) => run_code(error),
        CatalogError::Contended => (1213, "40001"),
        CatalogError::Older { .. } => (1815, "HY000"),
        CatalogError::TablesExhausted => (1104, "42000"),
        CatalogError::TooManyColumns => (1117, "42000"),
    }
}

fn variable_code(error: &VariableError) -> (u16, &'static str) {
    match error {
        VariableError::Unknown(_) => (1193, "HY000"),
        VariableError::ReadOnly(_) => (1238, "HY000"),
        VariableError::GlobalOnly(_) => (1229, "HY000"),
        VariableError::SessionOnly(_) => (1228, "HY000"),
        VariableError::WrongValue { .. } | VariableError::TooLong { .. } => (1231, "42000"),
        VariableError::WrongType(_) => (1232, "42000"),
        VariableError::Charset(_) => (1115, "42000"),
        VariableError::Collation(_) => (1273, "HY000"),
        VariableError::TimeZone(_) | VariableError::NoTimeZones(_) => (1298, "HY000"),
        VariableError::TimeZoneFile(_) => (1815, "HY000"),
        VariableError::Refused { .. } => (1235, "42000"),
    }
}

/// What the client can take for granted where a store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was a write, and this store has nothing of it unless the error says so.
    NotWritten,
    /// Nothing was to be written, or more than one thing was.
    Nothing,
}

/// Makes the texts for the client: ours as they are, a store's replaced by what the client can do about it.
struct Messages<'a> {
    incidents: &'a Incidents,
}

impl Messages<'_> {
    fn of(&self, error: &StatementError) -> String {
        match error {
            StatementError::Run(error) => self.of_run(error, Known::Nothing),
            StatementError::Write { error, stored } => {
                let part = if stored.rows.is_empty() { "" } else { "INSERT was done in part: " };
                format!("{part}{}{stored}", self.of_run(error, Known::NotWritten))
            }
            StatementError::PartlyCommitted { detail, cause, .. } => {
                format!("{detail}: {}", self.of(cause))
            }
            StatementError::RolledBack(cause) => format!("{}{ROLLED_BACK}", self.of(cause)),
            StatementError::Catalog(CatalogError::Run(error)) => self.of_run(error, Known::Nothing),
            StatementError::Catalog(CatalogError::Meta(error)) | StatementError::Access(AccessError::Meta(error)) => {
                self.of_store("the meta store", error, Known::Nothing)
            }
            other => other.to_string(),
        }
    }

    fn of_run(&self, error: &RunError, known: Known) -> String {
        match error {
            RunError::Cluster { cluster, error } | RunError::NotBegun { cluster, error } => {
                self.of_store(&place_of(cluster), error, known)
            }
            RunError::PartlyErased { cluster, error } => {
                let place = place_of(cluster);
                let id = self.incidents.failed(&place, error);
                format!(
                    "DELETE was done in part: {place} failed; some or all of the cells may be erased, and caches may answer them \
                     until the DELETE is repeated (log id {id})"
                )
            }
            other => other.to_string(),
        }
    }

    fn of_store(&self, place: &str, error: &StoreError, known: Known) -> String {
        let id = self.incidents.failed(place, error);
        match error {
            StoreError::Unavailable { .. } => {
                let written = match known {
                    Known::NotWritten => "; nothing was written there",
                    Known::Nothing => "",
                };
                format!("Unable to connect to foreign data source: {place} cannot be reached{written} (log id {id})")
            }
            StoreError::MaybeWritten { .. } if known == Known::NotWritten => format!(
                "Unable to connect to foreign data source: {place} was lost during a write, which may be stored; repeating the \
                 insert of explicit versions settles it (log id {id})"
            ),
            StoreError::MaybeWritten { .. } => format!(
                "Unable to connect to foreign data source: {place} was lost during a change, which may be done (log id {id})"
            ),
            StoreError::Timeout { reason: Reason::Lock, .. } => {
                format!("Lock wait timeout exceeded; try restarting transaction ({place}, log id {id})")
            }
            StoreError::Timeout { reason: Reason::Connect | Reason::Queue, .. } => {
                format!("Unable to connect to foreign data source: {place} took too long to answer (log id {id})")
            }
            StoreError::Timeout { reason: Reason::Statement, .. } => {
                format!(
                    "Query execution was interrupted, maximum statement execution time exceeded in {place} (log id {id})"
                )
            }
            StoreError::Overloaded { waiting, bytes } => {
                format!(
                    "Server isn't available: {waiting} cells ({bytes} bytes) are waiting for {place} already; try again later"
                )
            }
            StoreError::StaleEpoch { .. } => {
                format!("Deadlock found when trying to get lock; try restarting transaction ({place} changed hands)")
            }
            StoreError::NoTable { table } => format!("Table '{table}' doesn't exist in {place} (log id {id})"),
            StoreError::DiskFull { .. } => {
                format!(
                    "Disk full ({place}); waiting for someone to free some space... Nothing was written there (log id {id})"
                )
            }
            StoreError::TooLarge { bytes, max } => {
                format!("Got a packet bigger than 'max_allowed_packet' bytes: {place} takes {max} bytes, not {bytes}")
            }
            StoreError::AnswerTooLarge { max } => {
                format!(
                    "the cells asked for in {place} have more than {max} bytes together; name fewer keys in a statement"
                )
            }
            StoreError::Refused { .. } | StoreError::Denied { .. } => {
                format!("{place} does not allow it now (log id {id})")
            }
            StoreError::Corrupt { .. } => format!("Internal error: corrupt data in {place} (log id {id})"),
            StoreError::Failed { .. } => format!("Internal error: {place} failed (log id {id})"),
        }
    }
}

/// What a store is called to a client.
fn place_of(cluster: &str) -> String {
    if cluster == META_STORE { "the meta store".to_owned() } else { format!("cluster '{cluster}'") }
}

/// Writes a defect of ours to the log and answers the id it has there.
pub fn logged_defect(place: &str, error: &dyn std::fmt::Display) -> String {
    let id = incidents::log_id();
    tracing::error!(log_id = id, place, %error, "a statement met a defect");
    id
}
