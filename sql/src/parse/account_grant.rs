//! GRANT and REVOKE.

use cellgate_schemaless::limits::IDENTIFIER_CHARS;

use super::account::{list, name};
use super::ddl::bounded;
use super::reader::Reader;
use super::tokens::{Kind, Symbol};
use crate::account::{Grant, Level, Listed, Privilege, Privileges};
use crate::ast::{GrantStatement, Granting, Name, On};
use crate::error::{SqlError, unsupported};

/// Privileges of MySQL for what does not exist here, or what everybody may do here: accepted, so that the scripts that
/// come with programs work, and not kept.
const WITHOUT_EFFECT: [&str; 22] = [
    "USAGE",
    "REFERENCES",
    "EXECUTE",
    "PROCESS",
    "RELOAD",
    "FILE",
    "EVENT",
    "TRIGGER",
    "SHOW DATABASES",
    "SHOW VIEW",
    "SHOW_ROUTINE",
    "CREATE VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "CREATE TABLESPACE",
    "CREATE TEMPORARY TABLES",
    "REPLICATION CLIENT",
    "REPLICATION SLAVE",
    "BINLOG MONITOR",
    "DELETE HISTORY",
    "DELETE VERSIONING ROWS",
    "SLAVE MONITOR",
];

/// A list of privileges as written.
#[derive(Debug, Default)]
struct Written {
    /// `ALL [PRIVILEGES]`
    all: bool,
    listed: Listed,
}

/// GRANT or REVOKE, if the reader is at one.
pub(super) fn grant(reader: &mut Reader<'_>) -> Result<Option<GrantStatement>, SqlError> {
    if reader.take(&["GRANT"]) {
        return granting(reader).map(Some);
    }
    if reader.take(&["REVOKE"]) {
        return revoking(reader).map(Some);
    }
    Ok(None)
}

fn granting(reader: &mut Reader<'_>) -> Result<GrantStatement, SqlError> {
    let written = privileges(reader)?;
    if !reader.sees(&["ON"]) {
        return Err(no_roles(reader));
    }
    let on = bounded_level(on(reader)?)?;
    let mut listed = written.listed;
    if written.all {
        listed.privileges = listed.privileges.with(on.all());
    }
    check(&listed, &on)?;
    reader.expect(&["TO"])?;
    let accounts = list(reader, name)?;
    if reader.sees(&["IDENTIFIED"]) {
        return Err(unsupported("GRANT .. IDENTIFIED", "create the user first: CREATE USER .. IDENTIFIED BY '..'"));
    }
    if reader.sees(&["REQUIRE"]) || reader.sees(&["AS"]) {
        return Err(unsupported("GRANT .. REQUIRE and GRANT .. AS", "use CREATE USER and ALTER USER"));
    }
    if reader.take(&["WITH"]) {
        if reader.sees_any(&["ADMIN", "MAX_USER_CONNECTIONS", "MAX_QUERIES_PER_HOUR"]) {
            return Err(unsupported("GRANT .. WITH anything but GRANT OPTION", "use ALTER USER .. WITH"));
        }
        reader.expect(&["GRANT", "OPTION"])?;
        listed.privileges = listed.privileges.with(Privileges::of(Privilege::GrantOption));
    }
    Ok(GrantStatement { granting: Granting::Grant, listed, on, accounts })
}

fn revoking(reader: &mut Reader<'_>) -> Result<GrantStatement, SqlError> {
    // Only who exists can lose anything; it is a note in MySQL as well.
    if reader.sees(&["IF", "EXISTS"]) {
        return Err(unsupported("REVOKE IF EXISTS", "leave IF EXISTS out"));
    }
    let written = privileges(reader)?;
    let mut listed = written.listed;
    if reader.take(&["FROM"]) {
        let everything = written.all && listed.privileges == Privileges::of(Privilege::GrantOption);
        if !everything {
            return Err(no_roles(reader));
        }
        let accounts = list(reader, name)?;
        return Ok(GrantStatement { granting: Granting::RevokeAll, listed, on: On::Global, accounts });
    }
    if !reader.sees(&["ON"]) {
        return Err(no_roles(reader));
    }
    let on = on(reader)?;
    if written.all {
        // ERASE is taken away with ALL, though never given with it: what is left must not be more than was thought.
        let all = Privileges::EVERY.without(Privileges::of(Privilege::GrantOption));
        listed.privileges = listed.privileges.with(all);
    } else {
        check(&listed, &on)?;
    }
    reader.expect(&["FROM"])?;
    let accounts = list(reader, name)?;
    if reader.sees(&["IGNORE"]) {
        return Err(unsupported("REVOKE .. IGNORE UNKNOWN USER", "leave it out"));
    }
    Ok(GrantStatement { granting: Granting::Revoke, listed, on, accounts })
}

fn no_roles(reader: &Reader<'_>) -> SqlError {
    if reader.sees_any(&["TO", "FROM"]) || reader.peek().is_none_or(|t| t.is_symbol(Symbol::Comma)) {
        unsupported("granting a role or PROXY", "there are no roles; grant privileges: GRANT SELECT ON db.* TO user")
    } else {
        reader.error("expected ON")
    }
}

/// The list between GRANT or REVOKE and ON.
fn privileges(reader: &mut Reader<'_>) -> Result<Written, SqlError> {
    let mut written = Written::default();
    loop {
        privilege(reader, &mut written)?;
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(written);
        }
    }
}

fn privilege(reader: &mut Reader<'_>, written: &mut Written) -> Result<(), SqlError> {
    let mut words: Vec<String> = Vec::new();
    while let Some(token) = reader.peek().filter(|t| t.kind == Kind::Word) {
        if reader.sees_any(&["ON", "FROM", "TO"]) {
            break;
        }
        words.push(token.text(reader.text).to_ascii_uppercase());
        reader.next();
    }
    let name = words.join(" ");
    if name.is_empty() {
        if reader.peek().is_some_and(|t| matches!(t.kind, Kind::String | Kind::Quoted)) {
            return Err(unsupported("granting a role", "there are no roles; grant privileges to the user"));
        }
        return Err(reader.error("expected a privilege"));
    }
    if reader.sees_symbol(Symbol::Open) {
        return Err(unsupported("a privilege on columns", "grant it on the table"));
    }
    if name == "ALL" || name == "ALL PRIVILEGES" {
        written.all = true;
        return Ok(());
    }
    if let Some(known) = Privilege::ALL.into_iter().find(|p| p.name() == name) {
        written.listed.privileges = written.listed.privileges.with(Privileges::of(known));
        return Ok(());
    }
    if let Some(known) = WITHOUT_EFFECT.into_iter().find(|p| *p == name) {
        if known != "USAGE" && !written.listed.without_effect.contains(&known) {
            written.listed.without_effect.push(known);
        }
        return Ok(());
    }
    if reader.sees(&["TO"]) || reader.sees(&["FROM"]) || name.starts_with("PROXY") {
        return Err(unsupported("granting a role or PROXY", "there are no roles; grant privileges to the user"));
    }
    Err(unsupported(
        &format!("the privilege {name}"),
        "there are SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, LOCK TABLES, ERASE and, for all that is \
         about the server, ADMIN on *.*",
    ))
}

/// ADMIN is about the server.
fn check(listed: &Listed, on: &On) -> Result<(), SqlError> {
    let everywhere = *on == On::Global;
    if listed.privileges.has(Privilege::Admin) && !everywhere {
        return Err(unsupported("ADMIN on a database or a table", "it is about the server: ON *.*"));
    }
    Ok(())
}

/// `ON [TABLE] *.* | * | db.* | db.table | table`
fn on(reader: &mut Reader<'_>) -> Result<On, SqlError> {
    reader.expect(&["ON"])?;
    if reader.sees_any(&["FUNCTION", "PROCEDURE", "PACKAGE"]) && reader.peek_at(1).is_some_and(|t| t.kind == Kind::Word)
    {
        return Err(unsupported("a privilege on a routine", "there are no stored routines"));
    }
    let behind = reader.peek_at(1);
    if behind.is_some_and(|t| !t.is_symbol(Symbol::Dot) && !t.is(reader.text, "TO") && !t.is(reader.text, "FROM")) {
        reader.take(&["TABLE"]);
    }
    if reader.take_symbol(Symbol::Star) {
        if reader.take_symbol(Symbol::Dot) {
            reader.expect_symbol(Symbol::Star, "*")?;
            return Ok(On::Global);
        }
        return Ok(On::Database(None));
    }
    let first = reader.name()?;
    if !reader.take_symbol(Symbol::Dot) {
        return Ok(On::Table(Name { database: None, table: first }));
    }
    if reader.take_symbol(Symbol::Star) {
        return Ok(On::Database(Some(first)));
    }
    Ok(On::Table(Name { database: Some(first), table: reader.name()? }))
}

/// What is granted on, if its names are no longer than those of databases and tables may be. What is revoked may have any
/// length: it was granted when there was no bound.
fn bounded_level(on: On) -> Result<On, SqlError> {
    match on {
        On::Global => Ok(On::Global),
        On::Database(pattern) => pattern.map(bounded_pattern).transpose().map(On::Database),
        On::Table(Name { database, table }) => {
            let database = database.map(bounded).transpose()?;
            Ok(On::Table(Name { database, table: bounded(table)? }))
        }
    }
}

/// A pattern for names of databases: its escapes do not count.
fn bounded_pattern(pattern: String) -> Result<String, SqlError> {
    let mut characters = pattern.chars();
    let mut count = 0;
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        }
        count += 1;
    }
    if count > IDENTIFIER_CHARS {
        return Err(SqlError::IdentifierTooLong(pattern));
    }
    Ok(pattern)
}

/// `[GRANT] SELECT, INSERT ON shop.* [WITH GRANT OPTION]`, as the configuration file writes it.
pub(super) fn configured(reader: &mut Reader<'_>) -> Result<Grant, SqlError> {
    if !reader.sees(&["GRANT", "OPTION"]) {
        reader.take(&["GRANT"]);
    }
    let written = privileges(reader)?;
    let on = on(reader)?;
    let mut privileges = written.listed.privileges;
    if written.all {
        privileges = privileges.with(on.all());
    }
    check(&written.listed, &on)?;
    if reader.take(&["WITH", "GRANT", "OPTION"]) {
        privileges = privileges.with(Privileges::of(Privilege::GrantOption));
    }
    reader.end()?;
    let unnamed = || unsupported("a grant without a database", "write ON database.* or ON database.table");
    let level = match on {
        On::Global => Level::Global,
        On::Database(database) => Level::Database(database.ok_or_else(unnamed)?),
        On::Table(Name { database, table }) => Level::Table { database: database.ok_or_else(unnamed)?, table },
    };
    Ok(Grant { privileges, level })
}

impl On {
    /// What ALL stands for here.
    fn all(&self) -> Privileges {
        match self {
            Self::Global => Privileges::ALL_ON_EVERYTHING,
            Self::Database(_) | Self::Table(_) => Privileges::ALL_ON_DATA,
        }
    }
}
