//! SHOW and DESCRIBE.

use super::reader::Reader;
use super::select;
use super::tokens::Symbol;
use crate::account::AccountRef;
use crate::ast::{Item, Limit, Name, Select, ShowStatement, Shown};
use crate::command::Absent;
use crate::error::{SqlError, unsupported};
use crate::expression::{Expression, Leaf};

/// SHOW, from behind the word.
pub(super) fn show(reader: &mut Reader<'_>) -> Result<ShowStatement, SqlError> {
    let global = match reader.take_any(&["GLOBAL", "SESSION", "LOCAL"]) {
        Some("GLOBAL") => Some(true),
        Some(_) => Some(false),
        None => None,
    };
    let what = if reader.take(&["VARIABLES"]) {
        Shown::Variables { global: global.unwrap_or(false) }
    } else if reader.take(&["STATUS"]) {
        Shown::Status { global: global.unwrap_or(false) }
    } else if global.is_some() {
        return Err(reader.error("expected VARIABLES or STATUS"));
    } else {
        shown(reader)?
    };
    let mut statement = ShowStatement { what, like: None, condition: None, limit: Limit::default() };
    if reader.take(&["LIKE"]) {
        statement.like = Some(reader.string()?);
    } else if reader.take(&["WHERE"]) {
        statement.condition = Some(reader.expression()?);
    }
    if matches!(statement.what, Shown::Warnings | Shown::Errors) {
        statement.limit = select::limit(reader)?;
    }
    Ok(statement)
}

fn shown(reader: &mut Reader<'_>) -> Result<Shown, SqlError> {
    if reader.take(&["CREATE"]) {
        return create(reader);
    }
    if reader.take(&["CHARACTER", "SET"]) || reader.take(&["CHARSET"]) {
        return Ok(Shown::CharacterSet);
    }
    if reader.take(&["TABLE", "STATUS"]) {
        return Ok(Shown::TableStatus { database: database(reader)? });
    }
    if reader.take(&["STORAGE", "ENGINES"]) || reader.take(&["ENGINES"]) {
        return Ok(Shown::Engines);
    }
    if reader.take(&["GRANTS"]) {
        return grants(reader);
    }
    // EXTENDED shows hidden columns and indexes, of which there are none.
    reader.take(&["EXTENDED"]);
    let full = reader.take(&["FULL"]);
    if reader.take(&["TABLES"]) {
        return Ok(Shown::Tables { database: database(reader)?, full });
    }
    if reader.take_any(&["COLUMNS", "FIELDS"]).is_some() {
        return Ok(Shown::Columns { table: table(reader)?, full });
    }
    if reader.take(&["PROCESSLIST"]) {
        return Ok(Shown::Processlist { full });
    }
    if full {
        return Err(reader.error("expected TABLES, COLUMNS or PROCESSLIST"));
    }
    if reader.take_any(&["INDEX", "INDEXES", "KEYS"]).is_some() {
        return Ok(Shown::Index { table: table(reader)? });
    }
    for (word, what) in [
        ("DATABASES", Shown::Databases),
        ("SCHEMAS", Shown::Databases),
        ("WARNINGS", Shown::Warnings),
        ("ERRORS", Shown::Errors),
        ("COLLATION", Shown::Collation),
        ("SHARDS", Shown::Shards),
        ("CLUSTERS", Shown::Clusters),
        ("TOPOLOGY", Shown::Topology),
        ("PRIVILEGES", Shown::Privileges),
    ] {
        if reader.take(&[word]) {
            return Ok(what);
        }
    }
    if reader.take(&["TRIGGERS"]) {
        return Ok(Shown::Triggers { database: database(reader)? });
    }
    if let Some(absent) = absent(reader)? {
        return Ok(Shown::Absent(absent));
    }
    for word in [
        "ENGINE",
        "BINARY",
        "BINLOG",
        "MASTER",
        "SLAVE",
        "REPLICA",
        "RELAYLOG",
        "PROCEDURE",
        "FUNCTION",
        "OPEN",
        "PROFILE",
        "PACKAGE",
    ] {
        if reader.sees(&[word]) {
            return Err(unsupported(&format!("SHOW {word}"), "see SHOW STATUS, SHOW CLUSTERS and the metrics"));
        }
    }
    Err(reader.error("expected something to show"))
}

/// What there is none of here.
fn absent(reader: &mut Reader<'_>) -> Result<Option<Absent>, SqlError> {
    const SHOWN: [(&[&str], Absent); 11] = [
        (&["EVENTS"], Absent::Events),
        (&["PROCEDURE", "STATUS"], Absent::Routines),
        (&["FUNCTION", "STATUS"], Absent::Routines),
        (&["OPEN", "TABLES"], Absent::OpenTables),
        (&["PLUGINS"], Absent::Plugins),
        (&["MASTER", "STATUS"], Absent::BinaryLogStatus),
        (&["SLAVE", "STATUS"], Absent::SlaveStatus),
        (&["REPLICA", "STATUS"], Absent::ReplicaStatus),
        (&["SLAVE", "HOSTS"], Absent::SlaveHosts),
        (&["REPLICAS"], Absent::Replicas),
        (&["PROFILES"], Absent::Profiles),
    ];
    let Some((_, absent)) = SHOWN.into_iter().find(|(words, _)| reader.take(words)) else { return Ok(None) };
    match absent {
        Absent::Events | Absent::OpenTables => {
            database(reader)?;
        }
        Absent::SlaveStatus | Absent::ReplicaStatus => {
            if reader.take(&["FOR", "CHANNEL"]) {
                reader.name_or_string()?;
            }
        }
        Absent::Triggers
        | Absent::Routines
        | Absent::Plugins
        | Absent::BinaryLogStatus
        | Absent::SlaveHosts
        | Absent::Replicas
        | Absent::Profiles => {}
    }
    Ok(Some(absent))
}

/// `SHOW COUNT(*) WARNINGS`, `SHOW COUNT(*) ERRORS`: the SELECT of the variable that says it.
pub(super) fn count(reader: &mut Reader<'_>) -> Result<Select, SqlError> {
    reader.expect(&["SHOW", "COUNT"])?;
    reader.expect_symbol(Symbol::Open, "(")?;
    reader.expect_symbol(Symbol::Star, "*")?;
    reader.expect_symbol(Symbol::Close, ")")?;
    match reader.take_any(&["WARNINGS", "ERRORS"]) {
        Some("WARNINGS") => Ok(variable_select("warning_count")),
        Some(_) => Ok(variable_select("error_count")),
        None => Err(reader.error("expected WARNINGS or ERRORS")),
    }
}

/// `SHOW COUNT(*) WARNINGS` is `SELECT @@session.warning_count`.
fn variable_select(variable: &str) -> Select {
    let leaf = Leaf::SystemVariable { global: None, name: variable.to_owned() };
    Select {
        items: vec![Item::Expression {
            expression: Expression::Leaf(leaf),
            alias: None,
            written: format!("@@session.{variable}"),
        }],
        distinct: false,
        from: None,
        condition: None,
        group_by: Vec::new(),
        having: None,
        order_by: Vec::new(),
        limit: Limit::default(),
        locking: false,
        counts_all: false,
        into: Vec::new(),
    }
}

fn create(reader: &mut Reader<'_>) -> Result<Shown, SqlError> {
    if reader.take(&["TABLE"]) {
        let (database, table) = reader.qualified()?;
        return Ok(Shown::CreateTable { table: Name { database, table } });
    }
    if reader.take_any(&["DATABASE", "SCHEMA"]).is_some() {
        let if_not_exists = reader.take(&["IF", "NOT", "EXISTS"]);
        return Ok(Shown::CreateDatabase { database: reader.name()?, if_not_exists });
    }
    if reader.take(&["USER"]) {
        return Ok(Shown::CreateUser { account: account(reader)? });
    }
    for word in ["VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"] {
        if reader.sees(&[word]) {
            return Err(unsupported(&format!("SHOW CREATE {word}"), "there are only databases and tables"));
        }
    }
    Err(reader.error("expected TABLE or DATABASE"))
}

/// `SHOW GRANTS [FOR account]`
fn grants(reader: &mut Reader<'_>) -> Result<Shown, SqlError> {
    let account = if reader.take(&["FOR"]) { account(reader)? } else { AccountRef::Current };
    if reader.sees(&["USING"]) {
        return Err(unsupported("SHOW GRANTS .. USING", "there are no roles"));
    }
    Ok(Shown::Grants { account })
}

/// An account, or nothing for one's own.
fn account(reader: &mut Reader<'_>) -> Result<AccountRef, SqlError> {
    if reader.at_end() { Ok(AccountRef::Current) } else { super::account::name(reader) }
}

fn database(reader: &mut Reader<'_>) -> Result<Option<String>, SqlError> {
    if reader.take_any(&["FROM", "IN"]).is_some() { reader.name().map(Some) } else { Ok(None) }
}

/// `FROM [db.]t [FROM db]`
fn table(reader: &mut Reader<'_>) -> Result<Name, SqlError> {
    if reader.take_any(&["FROM", "IN"]).is_none() {
        return Err(reader.error("expected FROM"));
    }
    let (written, table) = reader.qualified()?;
    let database = database(reader)?.or(written);
    Ok(Name { database, table })
}

/// `DESCRIBE t [column | 'pattern']`, from behind the word.
pub(super) fn describe(reader: &mut Reader<'_>) -> Result<ShowStatement, SqlError> {
    let (database, table) = reader.qualified()?;
    let like = if reader.at_end() {
        None
    } else {
        match reader.take_string() {
            Some(pattern) => Some(pattern),
            // A column name is itself, not a pattern.
            None => Some(reader.name()?.replace('_', "\\_").replace('%', "\\%")),
        }
    };
    Ok(ShowStatement {
        what: Shown::Columns { table: Name { database, table }, full: false },
        like,
        condition: None,
        limit: Limit::default(),
    })
}
