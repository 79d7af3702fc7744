//! SELECT.

use super::literal;
use super::reader::Reader;
use super::tokens::{Kind, Symbol};
use crate::ast::{From, Item, Limit, Name, Select};
use crate::error::{SqlError, unsupported};

/// Words that end an item of a select list or a table, and so are no alias without AS.
pub(super) const CLAUSES: [&str; 34] = [
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "FOR",
    "LOCK",
    "INTO",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "WINDOW",
    "PROCEDURE",
    "PARTITION",
    "USE",
    "FORCE",
    "IGNORE",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "CROSS",
    "NATURAL",
    "STRAIGHT_JOIN",
    "ON",
    "USING",
    "SET",
    "VALUES",
    "RETURNING",
    "OFFSET",
    "AS",
    "FETCH",
    "TABLESAMPLE",
];

/// SELECT, from behind the word.
pub(super) fn select(reader: &mut Reader<'_>) -> Result<Select, SqlError> {
    let (distinct, counts_all) = modifiers(reader)?;
    let items = items(reader)?;
    let mut into = into(reader)?;
    let from = if reader.take(&["FROM"]) { table(reader)? } else { None };
    let condition = if reader.take(&["WHERE"]) { Some(reader.expression()?) } else { None };
    let mut group_by = Vec::new();
    if reader.take(&["GROUP", "BY"]) {
        group_by = reader.expressions()?;
        if reader.take_any(&["ASC", "DESC"]).is_some() || reader.sees(&["WITH", "ROLLUP"]) {
            return Err(unsupported("GROUP BY with an order or ROLLUP", "use ORDER BY, and sum up in the application"));
        }
    }
    let having = if reader.take(&["HAVING"]) { Some(reader.expression()?) } else { None };
    if reader.sees(&["WINDOW"]) {
        return Err(unsupported("a window function", "read the rows and compute it in the application"));
    }
    let order_by = order_by(reader)?;
    let limit = limit(reader)?;
    if into.is_empty() {
        into = self::into(reader)?;
    }
    let locking = locking(reader)?;
    if into.is_empty() {
        into = self::into(reader)?;
    }
    if let Some(word) = reader.take_any(&["UNION", "EXCEPT", "INTERSECT"]) {
        return Err(unsupported(word, "run the queries one by one, or use IN (..) for several keys"));
    }
    if reader.sees(&["PROCEDURE"]) {
        return Err(unsupported("PROCEDURE", "leave it out"));
    }
    Ok(Select { items, distinct, from, condition, group_by, having, order_by, limit, locking, counts_all, into })
}

/// `INTO @a, @b`, if it is next.
pub(super) fn into(reader: &mut Reader<'_>) -> Result<Vec<String>, SqlError> {
    let mut names = Vec::new();
    if !reader.take(&["INTO"]) {
        return Ok(names);
    }
    if reader.sees_any(&["OUTFILE", "DUMPFILE"]) {
        return Err(unsupported("SELECT .. INTO a file", "read the rows in the application"));
    }
    loop {
        match reader.peek() {
            Some(token) if token.kind == Kind::UserVariable => {
                names.push(literal::user_variable(token, reader.text, reader.mode));
                reader.next();
            }
            Some(_) | None => return Err(reader.error("expected a user variable")),
        }
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(names);
        }
    }
}

/// What may stand between SELECT and its list; whether DISTINCT and SQL_CALC_FOUND_ROWS are among it.
pub(super) fn modifiers(reader: &mut Reader<'_>) -> Result<(bool, bool), SqlError> {
    // These change how MySQL runs the statement, never what it answers.
    const HINTS: [&str; 7] = [
        "HIGH_PRIORITY",
        "STRAIGHT_JOIN",
        "SQL_SMALL_RESULT",
        "SQL_BIG_RESULT",
        "SQL_BUFFER_RESULT",
        "SQL_NO_CACHE",
        "SQL_CACHE",
    ];
    let (mut distinct, mut counts_all) = (false, false);
    loop {
        if reader.take_any(&["DISTINCT", "DISTINCTROW"]).is_some() {
            distinct = true;
        } else if reader.take(&["SQL_CALC_FOUND_ROWS"]) {
            counts_all = true;
        } else if !reader.take(&["ALL"]) && reader.take_any(&HINTS).is_none() {
            return Ok((distinct, counts_all));
        }
    }
}

/// A select list; also that of RETURNING.
pub(super) fn items(reader: &mut Reader<'_>) -> Result<Vec<Item>, SqlError> {
    let mut items = vec![item(reader)?];
    while reader.take_symbol(Symbol::Comma) {
        items.push(item(reader)?);
    }
    Ok(items)
}

fn item(reader: &mut Reader<'_>) -> Result<Item, SqlError> {
    if reader.take_symbol(Symbol::Star) {
        return Ok(Item::All);
    }
    if let Some(qualifier) = star_qualifier(reader) {
        return Ok(Item::AllOf(qualifier));
    }
    let from = reader.at;
    let expression = reader.expression()?;
    let written = reader.written(from).to_owned();
    let alias = alias(reader, true)?;
    Ok(Item::Expression { expression, alias, written: display_name(reader, from, written) })
}

/// MySQL names a column after the text of its expression; a string after its content, and NULL always
/// the same.
pub(super) fn display_name(reader: &Reader<'_>, from: usize, written: String) -> String {
    match reader.tokens.get(from) {
        Some(token) if token.kind == Kind::String && token.text(reader.text) == written => {
            literal::string(token, reader.text, reader.mode).into_owned()
        }
        Some(token) if token.kind == Kind::Word && written.eq_ignore_ascii_case("NULL") => "NULL".to_owned(),
        Some(_) | None => written,
    }
}

/// `t.*`, `d.t.*`
pub(super) fn star_qualifier(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let is_name = |ahead| reader.peek_at(ahead).is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Quoted));
    let is = |ahead, symbol| reader.peek_at(ahead).is_some_and(|t| t.is_symbol(symbol));
    let names = if is_name(0) && is(1, Symbol::Dot) && is(2, Symbol::Star) {
        1
    } else if is_name(0) && is(1, Symbol::Dot) && is_name(2) && is(3, Symbol::Dot) && is(4, Symbol::Star) {
        2
    } else {
        return None;
    };
    let qualifier =
        (0..names).filter_map(|i| reader.peek_at(2 * i)).map(|t| literal::name(t, reader.text).into_owned()).collect();
    reader.at += 2 * names + 1;
    Some(qualifier)
}

/// `[AS] name`; in a select list also `[AS] 'name'`.
pub(super) fn alias(reader: &mut Reader<'_>, strings: bool) -> Result<Option<String>, SqlError> {
    if reader.take(&["AS"]) {
        return if strings { reader.name_or_string().map(Some) } else { reader.name().map(Some) };
    }
    match reader.peek() {
        Some(token) if token.kind == Kind::Quoted => reader.name().map(Some),
        Some(token) if token.kind == Kind::Word && !CLAUSES.iter().any(|c| token.is(reader.text, c)) => {
            reader.name().map(Some)
        }
        Some(token) if strings && token.kind == Kind::String => reader.string().map(Some),
        Some(_) | None => Ok(None),
    }
}

/// `FROM`, from behind the word; `None` for DUAL.
pub(super) fn table(reader: &mut Reader<'_>) -> Result<Option<From>, SqlError> {
    if reader.take(&["DUAL"]) {
        return Ok(None);
    }
    if reader.sees_symbol(Symbol::Open) {
        return Err(unsupported("a derived table", "select from the table itself"));
    }
    if reader.sees(&["JSON_TABLE"]) {
        return Err(unsupported("JSON_TABLE", "take the JSON apart in the application"));
    }
    let (database, table) = reader.qualified()?;
    let mut partitions = None;
    if reader.take(&["PARTITION"]) {
        reader.expect_symbol(Symbol::Open, "(")?;
        let mut names = vec![reader.name()?];
        while reader.take_symbol(Symbol::Comma) {
            names.push(reader.name()?);
        }
        reader.expect_symbol(Symbol::Close, ")")?;
        partitions = Some(names);
    }
    if reader.sees(&["FOR", "SYSTEM_TIME"]) {
        return Err(unsupported("FOR SYSTEM_TIME", "read older versions with ref_key <= n"));
    }
    let alias = alias(reader, false)?;
    if let Some(word) = reader.take_any(&["USE", "FORCE", "IGNORE"]) {
        return Err(unsupported(&format!("{word} INDEX"), "leave it out: cells are found by their keys"));
    }
    let joins = ["JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN"];
    if reader.sees_symbol(Symbol::Comma) || reader.sees_any(&joins) {
        return Err(unsupported("a join", "read the tables one by one; IN (..) takes many keys at once"));
    }
    Ok(Some(From { name: Name { database, table }, alias, partitions }))
}

/// `ORDER BY`, if it is next.
pub(super) fn order_by(reader: &mut Reader<'_>) -> Result<Vec<(super::Expr, bool)>, SqlError> {
    let mut order = Vec::new();
    if reader.take(&["ORDER", "BY"]) {
        loop {
            let expression = reader.expression()?;
            let descending = reader.take_any(&["ASC", "DESC"]) == Some("DESC");
            order.push((expression, descending));
            if !reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
    }
    Ok(order)
}

/// `LIMIT`, if it is next.
pub(super) fn limit(reader: &mut Reader<'_>) -> Result<Limit, SqlError> {
    if !reader.take(&["LIMIT"]) {
        return Ok(Limit::default());
    }
    let first = count(reader)?;
    if reader.take_symbol(Symbol::Comma) {
        return Ok(Limit { count: Some(count(reader)?), offset: Some(first) });
    }
    let offset = if reader.take(&["OFFSET"]) { Some(count(reader)?) } else { None };
    Ok(Limit { count: Some(first), offset })
}

/// A number of LIMIT.
pub(super) fn count(reader: &mut Reader<'_>) -> Result<super::Expr, SqlError> {
    reader.refuse_sign()?;
    reader.expression()
}

fn locking(reader: &mut Reader<'_>) -> Result<bool, SqlError> {
    let mut locking = false;
    loop {
        if reader.take(&["LOCK", "IN", "SHARE", "MODE"]) {
            locking = true;
        } else if reader.take(&["FOR", "UPDATE"]) || reader.take(&["FOR", "SHARE"]) {
            locking = true;
            if reader.take(&["OF"]) {
                reader.name()?;
                while reader.take_symbol(Symbol::Comma) {
                    reader.name()?;
                }
            }
            let waits = [("NOWAIT", &["NOWAIT"][..]), ("SKIP LOCKED", &["SKIP", "LOCKED"]), ("WAIT", &["WAIT"])];
            if let Some((what, _)) = waits.into_iter().find(|(_, words)| reader.sees(words)) {
                return Err(unsupported(what, "there are no locks to wait for; leave it out"));
            }
        } else {
            return Ok(locking);
        }
    }
}
