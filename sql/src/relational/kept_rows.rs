//! Counting what SQLite holds.
//!
//! Where rows have to be kept to be sorted, grouped, made distinct or looked up, SQLite keeps all of them in memory and
//! knows no bound. So the SQL counts them where they are put away: a last key of ORDER BY, GROUP BY and PARTITION BY
//! ([`names::HELD`]) that is the same for all rows hears of each one, with the columns that it has; what is computed for
//! it passes through [`names::KEPT`]. A derived table has a column of its own for it, and is kept from being merged into
//! the query around it, where its values would be made, and counted, at another time. To SQLite these functions can
//! answer something else each time, so it calls them for every row.
//!
//! What is counted is not given back: a subquery that runs for each row of another is counted each time, and what passes
//! through several derived tables in each of them. What SQLite needs is at most a few times what is counted.

use std::collections::HashSet;

use super::print::OPERANDS;
use super::program::names;
use super::scope::Scope;

/// What a row takes beside its values, in bytes.
const ROW: usize = 64;
/// What a value takes beside its text, in bytes.
const VALUE: usize = 16;
/// What stands for the count of a SELECT's rows until all of it is printed.
pub(super) const ROWS: &str = "held_rows";
/// The column of a derived table that counts its rows.
pub(super) const COUNT: &str = "held";

/// A value that is counted by `function`.
pub(super) fn computed(function: &str, sql: &str) -> String {
    format!("{function}({sql})")
}

/// A value that is counted with the row it stands for.
pub(super) fn row_of_one(sql: &str) -> String {
    format!("{}({sql},{})", names::KEPT, ROW + VALUE)
}

/// The first of the values of a row, and with it all of them.
pub(super) fn row_of(names_of: &[String]) -> String {
    match names_of.split_first() {
        Some((first, rest)) => format!("{}({first},{})", names::KEPT, sum(0, names_of.len(), rest)),
        None => String::new(),
    }
}

/// What counts a row of so many values: the constants among them have so many bytes, these are its columns.
pub(super) fn row(constants: usize, values: usize, columns: &[String]) -> String {
    format!("({})", sum(constants, values, columns))
}

fn sum(constants: usize, values: usize, columns: &[String]) -> String {
    let call = |bytes: usize, columns: &[String]| {
        let columns: String = columns.iter().map(|column| format!(",{column}")).collect();
        format!("{}({bytes}{columns})", names::HELD)
    };
    let (first, more) = columns.split_at(columns.len().min(OPERANDS));
    let mut calls = vec![call(ROW + values * VALUE + constants, first)];
    calls.extend(more.chunks(OPERANDS).map(|some| call(0, some)));
    calls.join("+")
}

/// The words of SQL; names of columns are among them.
pub(super) fn words(sql: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '"');
    sql.split(move |c| !part(c))
}

/// The columns of a FROM that the SQL names.
pub(super) fn columns_in(sql: &str, scope: &Scope<'_>) -> Vec<String> {
    let named: HashSet<&str> = words(sql).collect();
    let columns = scope.sources.iter().flat_map(|source| &source.columns).map(|column| &column.sql);
    columns.filter(|sql| named.contains(sql.as_str())).cloned().collect()
}

/// The condition, always true, that has the rows of the derived table of this number counted: in a LEFT JOIN the count
/// can be NULL.
pub(super) fn is_counted(number: usize) -> String {
    format!("(t{number}.{COUNT} IS NOT 0)")
}

/// A derived table whose rows are counted.
pub(super) fn derived(sql: &str, columns: &[String]) -> String {
    let count = row(0, columns.len(), columns);
    format!("(SELECT {},{count} AS {COUNT} FROM ({sql}) LIMIT -1 OFFSET 0)", columns.join(","))
}
