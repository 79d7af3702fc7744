//! CREATE, DROP, RENAME and TRUNCATE of databases and cell tables.

use cellgate_schemaless::limits::{COLUMN_KEY_BYTES, IDENTIFIER_CHARS, ROW_KEY_BYTES};

use super::options::{self, charset, collation};
use super::reader::Reader;
use super::tokens::{Kind, Symbol};
use crate::ast::{DdlStatement, Name};
use crate::columns::CellColumn;
use crate::command::RowColumnSpec;
use crate::error::{Named, SqlError, unsupported};
use crate::expression::{Expression, text_of};
use crate::value::Value;

/// Bytes a character of a key column can take.
const BYTES_PER_CHARACTER: u64 = 4;

/// CREATE, from behind the word.
pub(super) fn create(reader: &mut Reader<'_>) -> Result<DdlStatement, SqlError> {
    if reader.take_any(&["DATABASE", "SCHEMA"]).is_some() {
        let if_not_exists = reader.take(&["IF", "NOT", "EXISTS"]);
        let name = identifier(reader, Named::Database)?;
        let collation = options::database(reader)?;
        return Ok(DdlStatement::CreateDatabase { name, if_not_exists, collation });
    }
    reader.expect(&["TABLE"])?;
    let if_not_exists = reader.take(&["IF", "NOT", "EXISTS"]);
    let name = table(reader)?;
    let mut body = Body::default();
    let parenthesis = reader.take_symbol(Symbol::Open);
    if reader.take(&["LIKE"]) {
        let like = table(reader)?;
        if parenthesis {
            reader.expect_symbol(Symbol::Close, ")")?;
        }
        return Ok(DdlStatement::CreateTableLike { name, if_not_exists, like });
    }
    if parenthesis {
        loop {
            definition(reader, &mut body)?;
            if !reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
        reader.expect_symbol(Symbol::Close, ")")?;
    }
    let options = options::table(reader)?;
    if reader.sees_any(&["AS", "SELECT", "IGNORE", "REPLACE"]) {
        return Err(unsupported("CREATE TABLE .. SELECT", "create the table, then insert"));
    }
    if reader.sees(&["PARTITION"]) {
        return Err(unsupported("PARTITION BY", "every table is sharded by row_key"));
    }
    let columns = body.finish(options.cells)?;
    Ok(DdlStatement::CreateTable { name, if_not_exists, columns, comment: options.comment.unwrap_or_default() })
}

/// DROP, from behind the word.
pub(super) fn drop(reader: &mut Reader<'_>) -> Result<DdlStatement, SqlError> {
    if reader.take_any(&["DATABASE", "SCHEMA"]).is_some() {
        let if_exists = reader.take(&["IF", "EXISTS"]);
        return Ok(DdlStatement::DropDatabase { name: reader.name()?, if_exists });
    }
    if reader.take_any(&["TABLE", "TABLES"]).is_none() {
        return Err(reader.error("expected TABLE or DATABASE"));
    }
    let if_exists = reader.take(&["IF", "EXISTS"]);
    let mut names = vec![existing(reader)?];
    while reader.take_symbol(Symbol::Comma) {
        names.push(existing(reader)?);
    }
    // These do nothing in MySQL either.
    reader.take_any(&["RESTRICT", "CASCADE"]);
    Ok(DdlStatement::DropTable { names, if_exists })
}

/// RENAME, from behind the word.
pub(super) fn rename(reader: &mut Reader<'_>) -> Result<DdlStatement, SqlError> {
    if reader.take_any(&["TABLE", "TABLES"]).is_none() {
        return Err(reader.error("expected TABLE"));
    }
    let mut pairs = Vec::new();
    loop {
        let from = existing(reader)?;
        reader.expect(&["TO"])?;
        pairs.push((from, table(reader)?));
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(DdlStatement::RenameTables(pairs));
        }
    }
}

/// TRUNCATE, from behind the word.
pub(super) fn truncate(reader: &mut Reader<'_>) -> Result<DdlStatement, SqlError> {
    reader.take(&["TABLE"]);
    Ok(DdlStatement::Truncate(existing(reader)?))
}

/// The name of what is to be there afterwards.
///
/// # Errors
/// A syntax error if no name is next; [`SqlError::IdentifierTooLong`], [`SqlError::IncorrectName`].
pub(super) fn identifier(reader: &mut Reader<'_>, what: Named) -> Result<String, SqlError> {
    reader.refuse_reserved()?;
    named(reader, what)
}

/// The same where no word is reserved.
fn named(reader: &mut Reader<'_>, what: Named) -> Result<String, SqlError> {
    let name = reader.name()?;
    if name.ends_with(' ') {
        return Err(SqlError::IncorrectName { what, name });
    }
    bounded(name)
}

/// A name that is no longer than one may be; all there is to say of those that last no longer than a session.
///
/// # Errors
/// [`SqlError::IdentifierTooLong`].
pub(super) fn bounded(name: String) -> Result<String, SqlError> {
    if name.chars().count() > IDENTIFIER_CHARS {
        return Err(SqlError::IdentifierTooLong(name));
    }
    Ok(name)
}

/// The name of a table that is to be there afterwards.
pub(super) fn table(reader: &mut Reader<'_>) -> Result<Name, SqlError> {
    let in_database = reader.peek_at(1).is_some_and(|token| token.is_symbol(Symbol::Dot));
    let database = if in_database { Some(identifier(reader, Named::Database)?) } else { None };
    reader.take_symbol(Symbol::Dot);
    // Behind a point every word is a name.
    let table = if in_database { named(reader, Named::Table)? } else { identifier(reader, Named::Table)? };
    Ok(Name { database, table })
}

/// The name of a table that is to be there already.
pub(super) fn existing(reader: &mut Reader<'_>) -> Result<Name, SqlError> {
    let (database, table) = reader.qualified()?;
    Ok(Name { database, table })
}

/// What stands between the parentheses of CREATE TABLE.
#[derive(Default)]
struct Body {
    cell_columns: Vec<CellColumn>,
    row_columns: Vec<RowColumnSpec>,
    /// Whether a UNIQUE or PRIMARY key over the triple was declared.
    unique: bool,
    /// Whether a column has AUTO_INCREMENT.
    counted: bool,
    /// The first thing a cell table cannot have; an error only if nothing better can be said.
    foreign: Option<String>,
}

impl Body {
    /// Decides whether it is a cell table, and gives its row-shape columns.
    fn finish(self, engine_cells: bool) -> Result<Vec<RowColumnSpec>, SqlError> {
        let instead = "use CREATE TABLE t ENGINE=CELLS, or the columns row_key VARCHAR(255), column_key VARCHAR(64), \
                       ref_key BIGINT, body JSON with UNIQUE KEY (row_key, column_key, ref_key)";
        let other = format!(
            "Cellgate holds cell tables only: keep others, as the one in which a migration tool counts its versions, on \
             another server; for cells {instead}"
        );
        // Tables of every kind have a `created_at`.
        let of_cells = self.cell_columns.iter().any(|column| !matches!(column, CellColumn::CreatedAt));
        let instead = if of_cells || engine_cells { instead } else { other.as_str() };
        if let Some(what) = self.foreign {
            return Err(unsupported(&format!("{what} in a cell table"), instead));
        }
        twice(self.cell_columns.iter().map(|c| c.name()))?;
        twice(self.row_columns.iter().map(|c| &c.name))?;
        let has = |c: &CellColumn| self.cell_columns.contains(c);
        let needed = [CellColumn::RowKey, CellColumn::ColumnKey, CellColumn::RefKey, CellColumn::Body];
        if needed.iter().all(has) {
            if !self.unique {
                return Err(unsupported(
                    "a cell table without a unique key",
                    "add UNIQUE KEY (row_key, column_key, ref_key), or write CREATE TABLE t ENGINE=CELLS",
                ));
            }
            return Ok(self.row_columns);
        }
        if engine_cells && self.cell_columns.is_empty() && !self.unique {
            return Ok(self.row_columns);
        }
        Err(unsupported("CREATE TABLE of anything but a cell table", instead))
    }

    fn note(&mut self, what: impl Into<String>) {
        self.foreign.get_or_insert(what.into());
    }
}

pub(super) fn twice<'a, S: AsRef<str> + ?Sized + 'a>(names: impl Iterator<Item = &'a S>) -> Result<(), SqlError> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name.as_ref().to_lowercase()) {
            return Err(SqlError::DuplicateColumn(name.as_ref().to_owned()));
        }
    }
    Ok(())
}

fn definition(reader: &mut Reader<'_>, body: &mut Body) -> Result<(), SqlError> {
    let named_constraint = reader.take(&["CONSTRAINT"]);
    if named_constraint && !reader.sees_any(&["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
        reader.name()?;
    }
    if reader.take(&["PRIMARY", "KEY"]) {
        return key(reader, body, true);
    }
    if reader.take(&["UNIQUE"]) {
        reader.take_any(&["KEY", "INDEX"]);
        return key(reader, body, true);
    }
    // A column can be called key; an index has its parts in parentheses, where a type has a number.
    let opens = |ahead| reader.peek_at(ahead).is_some_and(|t| t.is_symbol(Symbol::Open));
    let parts = opens(1) || (opens(2) && reader.peek_at(3).is_none_or(|t| t.kind != Kind::Number));
    let next_is_index = reader.sees_any(&["KEY", "INDEX"]) && parts;
    if next_is_index {
        reader.next();
        return key(reader, body, false);
    }
    for word in ["FULLTEXT", "SPATIAL", "FOREIGN", "CHECK"] {
        if reader.sees(&[word]) && reader.peek_at(1).is_some_and(|t| t.kind != Kind::Word || !t.is(reader.text, "JSON"))
        {
            body.note(format!("{word} .."));
            return skip_definition(reader);
        }
    }
    column(reader, body)
}

/// Goes to the end of a definition that is not understood, which is refused later.
fn skip_definition(reader: &mut Reader<'_>) -> Result<(), SqlError> {
    while !reader.at_end() && !reader.sees_symbol(Symbol::Comma) && !reader.sees_symbol(Symbol::Close) {
        if reader.next().is_some_and(|t| t.is_symbol(Symbol::Open)) {
            reader.skip_parenthesis()?;
        }
    }
    Ok(())
}

/// `[name] [USING BTREE] (part, ..)`, from behind KEY.
fn key(reader: &mut Reader<'_>, body: &mut Body, unique: bool) -> Result<(), SqlError> {
    let using = |reader: &mut Reader<'_>| reader.take(&["USING"]) && reader.take_any(&["BTREE", "HASH"]).is_some();
    if !reader.sees_symbol(Symbol::Open) && !using(reader) {
        reader.name()?;
        using(reader);
    }
    reader.expect_symbol(Symbol::Open, "(")?;
    let (mut parts, mut prefix) = (Vec::new(), false);
    loop {
        parts.push(reader.name()?);
        if reader.take_symbol(Symbol::Open) {
            prefix = true;
            reader.skip_parenthesis()?;
        }
        reader.take_any(&["ASC", "DESC"]);
        if !reader.take_symbol(Symbol::Comma) {
            break;
        }
    }
    reader.expect_symbol(Symbol::Close, ")")?;
    using(reader);
    let columns: Vec<Option<CellColumn>> = parts.iter().map(|p| CellColumn::named(p)).collect();
    // In any order: what AUTO_INCREMENT counts comes first for InnoDB's sake.
    let keys = [CellColumn::RowKey, CellColumn::ColumnKey, CellColumn::RefKey];
    let triple = columns.len() == keys.len() && keys.iter().all(|key| columns.contains(&Some(*key)));
    let id = columns == [Some(CellColumn::AddedId)];
    if unique && triple && !prefix {
        body.unique = true;
    } else if unique && !id {
        body.note(format!("the unique key ({})", parts.join(", ")));
    } else if columns.contains(&None) {
        body.note(format!("the index ({})", parts.join(", ")));
    }
    Ok(())
}

/// A column's type as written.
struct Type {
    name: String,
    length: Option<u64>,
}

fn column_type(reader: &mut Reader<'_>) -> Result<Type, SqlError> {
    let name = reader.name()?.to_ascii_uppercase();
    let mut length = None;
    if reader.take_symbol(Symbol::Open) {
        if reader.peek().is_some_and(|t| t.kind == Kind::Number) {
            length = Some(reader.number()?);
        }
        reader.skip_parenthesis()?;
    }
    reader.take(&["UNSIGNED"]);
    reader.take(&["SIGNED"]);
    Ok(Type { name, length })
}

fn column(reader: &mut Reader<'_>, body: &mut Body) -> Result<(), SqlError> {
    let start = reader.at;
    let name = reader.name()?;
    let Some(column) = CellColumn::named(&name) else {
        reader.at = start;
        // A row-shape column, unless its type says that this is another kind of table.
        if reader.peek_at(1).is_some_and(|t| t.is(reader.text, "JSON")) {
            body.row_columns.push(row_column(reader)?);
            return Ok(());
        }
        body.note(format!("the column {name}"));
        return skip_definition(reader);
    };
    let ty = column_type(reader)?;
    let fits = match column {
        CellColumn::RowKey => {
            key_column(&ty, ROW_KEY_BYTES, ROW_KEY_BYTES as u64 / BYTES_PER_CHARACTER, "row_key VARCHAR(255)")?
        }
        CellColumn::ColumnKey => key_column(&ty, COLUMN_KEY_BYTES, COLUMN_KEY_BYTES as u64, "column_key VARCHAR(64)")?,
        CellColumn::RefKey | CellColumn::AddedId => matches!(ty.name.as_str(), "BIGINT" | "INT" | "INTEGER"),
        CellColumn::Body => matches!(ty.name.as_str(), "JSON" | "LONGTEXT"),
        CellColumn::CreatedAt => matches!(ty.name.as_str(), "DATETIME" | "TIMESTAMP"),
        CellColumn::Shard => false,
    };
    if !fits {
        body.note(format!("{name} {}", ty.name));
    }
    attributes(reader, body, column)?;
    body.cell_columns.push(column);
    Ok(())
}

fn key_column(ty: &Type, bytes: usize, characters: u64, instead: &'static str) -> Result<bool, SqlError> {
    let most = match ty.name.as_str() {
        "VARCHAR" | "CHAR" => characters,
        "VARBINARY" => bytes as u64,
        _ => return Ok(false),
    };
    match ty.length {
        Some(length) if length > most => Err(SqlError::KeyTooLong { bytes, instead }),
        Some(_) => Ok(true),
        None => Ok(false),
    }
}

/// The attributes of a cell column: all are what a cell table does anyway, or refused.
fn attributes(reader: &mut Reader<'_>, body: &mut Body, column: CellColumn) -> Result<(), SqlError> {
    loop {
        if reader.take(&["NOT", "NULL"]) || reader.take(&["NULL"]) {
        } else if reader.take(&["AUTO_INCREMENT"]) {
            // Both count by themselves; in MySQL there is one at most.
            let counts = matches!(column, CellColumn::AddedId | CellColumn::RefKey);
            if !counts || std::mem::replace(&mut body.counted, true) {
                body.note(format!("AUTO_INCREMENT of {}", column.name()));
            }
        } else if reader.take(&["CHARACTER", "SET"]) || reader.take(&["CHARSET"]) {
            charset(reader)?;
        } else if reader.take(&["COLLATE"]) {
            collation(reader)?;
        } else if reader.take(&["COMMENT"]) {
            reader.string()?;
        } else if reader.take(&["DEFAULT"]) {
            if column != CellColumn::CreatedAt {
                body.note(format!("a default of {}", column.name()));
            }
            default(reader)?;
        } else if reader.take(&["ON", "UPDATE"]) {
            // Cells are never updated.
            default(reader)?;
        } else if reader.take(&["PRIMARY", "KEY"]) || reader.take(&["UNIQUE", "KEY"]) || reader.take(&["UNIQUE"]) {
            if column != CellColumn::AddedId {
                body.note(format!("a unique key on {} alone", column.name()));
            }
        } else if reader.take(&["CHECK"]) {
            // MariaDB writes JSON columns as LONGTEXT CHECK (json_valid(body)).
            reader.expect_symbol(Symbol::Open, "(")?;
            let start = reader.at;
            reader.skip_parenthesis()?;
            if column != CellColumn::Body || !is_json_valid(reader, start) {
                body.note("CHECK");
            }
        } else if !reader.at_end() && !reader.sees_symbol(Symbol::Comma) && !reader.sees_symbol(Symbol::Close) {
            let what = reader.peek().map_or("", |t| t.text(reader.text)).to_owned();
            body.note(format!("{what} on {}", column.name()));
            return skip_definition(reader);
        } else {
            return Ok(());
        }
    }
}

/// Whether what stands from there to the parenthesis just closed is `JSON_VALID(body)`.
fn is_json_valid(reader: &Reader<'_>, start: usize) -> bool {
    let written = reader.tokens.get(start..reader.at).unwrap_or_default();
    let [function, open, name, close, _] = written else { return false };
    let body = name.text(reader.text).trim_matches('`');
    function.is(reader.text, "JSON_VALID")
        && open.is_symbol(Symbol::Open)
        && CellColumn::named(body) == Some(CellColumn::Body)
        && close.is_symbol(Symbol::Close)
}

/// The value behind DEFAULT, skipped: a literal, a function, or anything in parentheses.
fn default(reader: &mut Reader<'_>) -> Result<(), SqlError> {
    reader.take_symbol(Symbol::Minus);
    if !reader.take_symbol(Symbol::Open) {
        reader.next();
        if !reader.take_symbol(Symbol::Open) {
            return Ok(());
        }
    }
    reader.skip_parenthesis()
}

/// `name JSON [NULL] [DEFAULT json] [COMMENT '..']`
pub(super) fn row_column(reader: &mut Reader<'_>) -> Result<RowColumnSpec, SqlError> {
    let name = identifier(reader, Named::Column)?;
    if CellColumn::named(&name).is_some() {
        return Err(SqlError::DuplicateColumn(name));
    }
    if name.len() > COLUMN_KEY_BYTES {
        return Err(SqlError::KeyTooLong { bytes: COLUMN_KEY_BYTES, instead: "a shorter name of the column" });
    }
    let ty = column_type(reader)?;
    if ty.name != "JSON" {
        return Err(unsupported(&format!("the column type {}", ty.name), "columns of the row shape are JSON"));
    }
    let (mut missing, mut not_null, mut comment) = (None, false, String::new());
    loop {
        if reader.take(&["NOT", "NULL"]) {
            not_null = true;
        } else if reader.take(&["DEFAULT"]) {
            missing = json_default(reader, &name)?;
        } else if reader.take(&["COMMENT"]) {
            comment = options::column_comment(reader)?;
        } else if !reader.take(&["NULL"]) {
            break;
        }
    }
    if not_null && missing.is_none() {
        return Err(unsupported(
            "a NOT NULL column without a DEFAULT",
            "a row can lack any cell: leave NOT NULL out, or give the DEFAULT a row without the cell shows",
        ));
    }
    Ok(RowColumnSpec { name, missing, comment })
}

pub(super) fn json_default(reader: &mut Reader<'_>, name: &str) -> Result<Option<String>, SqlError> {
    struct NoLeaves;
    impl crate::expression::Scope<crate::expression::Leaf> for NoLeaves {
        fn leaf(&self, _: &crate::expression::Leaf) -> Result<Value, SqlError> {
            Err(unsupported("a default that is no constant", "use a JSON literal, JSON_OBJECT(..) or JSON_ARRAY(..)"))
        }
    }
    let expression = if let Some(text) = reader.take_string() {
        Expression::text(text)
    } else if reader.take(&["NULL"]) {
        Expression::Constant(Value::Null)
    } else {
        reader.expect_symbol(Symbol::Open, "(")?;
        let expression = reader.expression()?;
        reader.expect_symbol(Symbol::Close, ")")?;
        expression
    };
    let Some(json) = text_of(&expression.evaluate(&NoLeaves)?) else { return Ok(None) };
    cellgate_schemaless::validate_json(&json).map_err(|invalid| SqlError::Value {
        invalid,
        column: name.to_owned(),
        row: 1,
    })?;
    String::from_utf8(json.to_vec()).map(Some).map_err(|_| SqlError::Internal("JSON that is not UTF-8".into()))
}
