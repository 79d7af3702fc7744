//! SET.

use super::reader::Reader;
use super::tokens::{Kind, Symbol};
use super::{charset, literal};
use crate::ast::{AssignedValue, Assignment};
use crate::command::SettingScope;
use crate::error::{SqlError, unsupported};
use crate::expression::Expression;

/// Variables that `@@name` sets for the next transaction alone.
const OF_A_TRANSACTION: [&str; 4] = ["transaction_isolation", "transaction_read_only", "tx_isolation", "tx_read_only"];

/// SET, from behind the word.
pub(super) fn set(reader: &mut Reader<'_>) -> Result<Vec<Assignment>, SqlError> {
    if reader.sees(&["DEFAULT", "ROLE"]) || reader.sees(&["ROLE"]) {
        return Err(unsupported("SET ROLE", "there are no roles; grant privileges to the user"));
    }
    if reader.sees_any(&["PERSIST", "PERSIST_ONLY"]) {
        return Err(unsupported("SET PERSIST", "write it into the configuration file"));
    }
    if reader.sees(&["STATEMENT"]) {
        return Err(unsupported("SET STATEMENT", "set the variable before the statement"));
    }
    if let Some(transaction) = transaction(reader)? {
        return Ok(transaction);
    }
    let mut all = Vec::new();
    // What GLOBAL or SESSION says holds for the names behind it, too.
    let mut said = SettingScope::Session;
    loop {
        assignment(reader, &mut said, &mut all)?;
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(all);
        }
    }
}

fn assign(scope: SettingScope, name: &str, value: AssignedValue) -> Assignment {
    Assignment { scope, name: name.to_lowercase(), value }
}

fn text(value: impl Into<String>) -> AssignedValue {
    AssignedValue::Expression(Expression::text(value.into()))
}

/// `SET [SESSION|GLOBAL] TRANSACTION ..`
fn transaction(reader: &mut Reader<'_>) -> Result<Option<Vec<Assignment>>, SqlError> {
    let scope = if reader.sees(&["TRANSACTION"]) {
        SettingScope::NextTransaction
    } else if reader.sees(&["SESSION", "TRANSACTION"]) || reader.sees(&["LOCAL", "TRANSACTION"]) {
        SettingScope::Session
    } else if reader.sees(&["GLOBAL", "TRANSACTION"]) {
        SettingScope::Global
    } else {
        return Ok(None);
    };
    reader.next();
    if scope != SettingScope::NextTransaction {
        reader.next();
    }
    let mut all: Vec<Assignment> = Vec::new();
    loop {
        let said = |name: &str| all.iter().any(|known| known.name == name);
        let access = reader.sees(&["READ", "ONLY"]) || reader.sees(&["READ", "WRITE"]);
        if said(if access { "transaction_read_only" } else { "transaction_isolation" }) {
            return Err(reader.error("expected one level and one access mode"));
        }
        if reader.take(&["ISOLATION", "LEVEL"]) {
            let level = isolation(reader)?;
            all.push(assign(scope, "transaction_isolation", text(level)));
        } else if reader.take(&["READ", "ONLY"]) {
            all.push(assign(scope, "transaction_read_only", number(1)));
        } else if reader.take(&["READ", "WRITE"]) {
            all.push(assign(scope, "transaction_read_only", number(0)));
        } else {
            return Err(reader.error("expected ISOLATION LEVEL, READ ONLY or READ WRITE"));
        }
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(Some(all));
        }
    }
}

fn number(n: i64) -> AssignedValue {
    AssignedValue::Expression(Expression::Constant(crate::value::Value::Int(n)))
}

fn isolation(reader: &mut Reader<'_>) -> Result<&'static str, SqlError> {
    for (words, level) in [
        (&["READ", "COMMITTED"][..], "READ-COMMITTED"),
        (&["READ", "UNCOMMITTED"], "READ-UNCOMMITTED"),
        (&["REPEATABLE", "READ"], "REPEATABLE-READ"),
        (&["SERIALIZABLE"], "SERIALIZABLE"),
    ] {
        if reader.take(words) {
            return Ok(level);
        }
    }
    Err(reader.error("expected an isolation level"))
}

fn assignment(reader: &mut Reader<'_>, said: &mut SettingScope, all: &mut Vec<Assignment>) -> Result<(), SqlError> {
    // NAMES and CHARACTER SET are no variables unless something is assigned to them.
    let assigned = |reader: &Reader<'_>, ahead| {
        reader.peek_at(ahead).is_some_and(|t| t.is_symbol(Symbol::Equal) || t.is_symbol(Symbol::Assign))
    };
    if reader.sees(&["NAMES"]) && !assigned(reader, 1) {
        reader.next();
        return names(reader, all);
    }
    if reader.take(&["CHARACTER", "SET"])
        || (reader.sees(&["CHARSET"]) && !assigned(reader, 1) && reader.take(&["CHARSET"]))
    {
        let value = if reader.take(&["DEFAULT"]) { AssignedValue::Default } else { text(reader.name_or_string()?) };
        all.push(assign(SettingScope::Session, "character_set", value));
        return Ok(());
    }
    let (scope, name) = target(reader, said)?;
    if !reader.take_symbol(Symbol::Assign) {
        reader.expect_symbol(Symbol::Equal, "=")?;
    }
    let value = value(reader, scope)?;
    all.push(assign(scope, &name, value));
    Ok(())
}

fn names(reader: &mut Reader<'_>, all: &mut Vec<Assignment>) -> Result<(), SqlError> {
    if reader.take(&["DEFAULT"]) {
        all.push(assign(SettingScope::Session, "names", AssignedValue::Default));
        return Ok(());
    }
    let charset = reader.name_or_string()?;
    all.push(assign(SettingScope::Session, "names", text(&charset[..])));
    if reader.take(&["COLLATE"]) && !reader.take(&["DEFAULT"]) {
        let collation = reader.name_or_string()?;
        charset::check_pair(&charset, &collation)?;
        all.push(assign(SettingScope::Session, "collation_connection", text(collation)));
    }
    Ok(())
}

/// What is assigned to; `said` is what the last GLOBAL or SESSION before it says.
fn target(reader: &mut Reader<'_>, said: &mut SettingScope) -> Result<(SettingScope, String), SqlError> {
    if let Some(token) = reader.peek() {
        match token.kind {
            Kind::UserVariable => {
                reader.next();
                return Ok((SettingScope::User, literal::user_variable(token, reader.text, reader.mode)));
            }
            Kind::SystemVariable => {
                reader.next();
                let (global, name) = literal::system_variable(token, reader.text);
                if name.starts_with("persist") && name.contains('.') {
                    return Err(unsupported("SET PERSIST", "write it into the configuration file"));
                }
                let scope = match global {
                    Some(true) => SettingScope::Global,
                    Some(false) => SettingScope::Session,
                    // As SET TRANSACTION without a scope.
                    None if OF_A_TRANSACTION.contains(&name.as_str()) => SettingScope::NextTransaction,
                    None => SettingScope::Session,
                };
                return Ok((scope, name));
            }
            Kind::Word
            | Kind::Quoted
            | Kind::String
            | Kind::Number
            | Kind::Hex
            | Kind::Bits
            | Kind::Parameter(_)
            | Kind::Symbol(_) => {}
        }
    }
    if reader.take(&["GLOBAL"]) {
        *said = SettingScope::Global;
    } else if reader.take(&["SESSION"]) || reader.take(&["LOCAL"]) {
        *said = SettingScope::Session;
    }
    let mut name = reader.name()?;
    while reader.take_symbol(Symbol::Dot) {
        name.push('.');
        name.push_str(&reader.name()?);
    }
    Ok((*said, name))
}

fn value(reader: &mut Reader<'_>, scope: SettingScope) -> Result<AssignedValue, SqlError> {
    let ends = reader.peek_at(1).is_none_or(|t| t.is_symbol(Symbol::Comma));
    if ends && scope != SettingScope::User {
        if reader.take(&["DEFAULT"]) {
            return Ok(AssignedValue::Default);
        }
        // A bare word is text: ON, OFF, utf8mb4, STRICT_TRANS_TABLES. But TRUE, FALSE and NULL are values.
        if let Some(token) = reader.peek().filter(|t| matches!(t.kind, Kind::Word | Kind::Quoted)) {
            let keyword = ["TRUE", "FALSE", "NULL"].iter().any(|k| token.is(reader.text, k));
            if !keyword {
                return Ok(text(reader.name()?));
            }
        }
    }
    let value = reader.expression()?;
    // A variable of the client's own has no type that would say how many digits a time shows.
    Ok(AssignedValue::Expression(value))
}
