//! GROUP BY, ORDER BY and LIMIT of a relational SELECT.

use std::collections::HashSet;

use super::ast::{Core, RelExpr, RelLeaf, RelLimit};
use super::binder::Binder;
use super::kept_rows;
use super::print::{Aggregates, Place, Printed, What};
use super::scope::{Aliases, Column, Scope};
use super::{RelationalError, Result};
use crate::bind::bounded;
use crate::error::SqlError;
use crate::expression::number::Number;
use crate::expression::{Expression, Leaf};
use crate::value::Value;

impl Binder<'_> {
    /// GROUP BY as SQL, with a count of the rows that are put away for it.
    pub(super) fn group_by(
        &mut self,
        core: &Core,
        columns: &[Column],
        aliases: &Aliases,
        scope: &Scope<'_>,
        counted: &HashSet<&str>,
        of_groups: &HashSet<&str>,
    ) -> Result<String> {
        if core.group_by.is_empty() {
            return Ok(String::new());
        }
        let mut keys = Vec::new();
        for e in &core.group_by {
            // Of several tables' columns of one name it is the one in the select list.
            let listed = alone(e)
                .filter(|name| scope.has_several(std::slice::from_ref(name)))
                .and_then(|name| aliases.listed(name));
            let printed = match position(e, columns, "group statement")?.or(listed) {
                Some(column) => Printed::column(column),
                None => {
                    let place = Place::new(scope, "group statement", Aggregates::Forbidden);
                    self.print(e, Place { aliases: Some(aliases), ..place })?
                }
            };
            if let What::Sql(sql) = &printed.what {
                not_of(of_groups, sql)?;
                let key = self.kept_key(&printed, |sql| counted.contains(sql))?;
                if !keys.contains(&key) {
                    keys.push(key);
                }
                bounded(keys.len(), "the number of keys in GROUP BY")?;
            }
        }
        // A group of constants is one group.
        if keys.is_empty() {
            keys.push("NULL".to_owned());
        }
        Ok(format!(" GROUP BY {},{}", keys.join(","), kept_rows::ROWS))
    }

    /// ORDER BY as SQL, with the same.
    pub(super) fn order_of(
        &mut self,
        order_by: &[(RelExpr, bool)],
        columns: &[Column],
        aliases: &Aliases,
        scope: &Scope<'_>,
        counted: &HashSet<&str>,
    ) -> Result<String> {
        let (mut keys, mut met) = (Vec::new(), Vec::new());
        for (e, descending) in order_by {
            // What is in the select list comes before what is in the tables only if it is all there is.
            let listed = alone(e).and_then(|name| aliases.listed(name));
            let printed = match position(e, columns, "order clause")?.or(listed) {
                Some(column) => Printed::column(column),
                None => {
                    let place = Place::new(scope, "order clause", Aggregates::Allowed);
                    self.print(e, Place { aliases: Some(aliases), ..place })?
                }
            };
            if matches!(printed.what, What::Sql(_)) {
                let key = self.kept_key(&printed, |sql| counted.contains(sql))?;
                if met.contains(&key) {
                    continue;
                }
                keys.push(format!("{key}{}", if *descending { " DESC" } else { "" }));
                met.push(key);
                bounded(keys.len(), "the number of keys in ORDER BY")?;
            }
        }
        Ok(if keys.is_empty() { String::new() } else { format!(" ORDER BY {},{}", keys.join(","), kept_rows::ROWS) })
    }

    /// The most rows and the offset that LIMIT says.
    ///
    /// # Errors
    /// [`SqlError::Arguments`] for what is no number of rows.
    pub(super) fn limits(&mut self, limit: &RelLimit) -> Result<(Option<u64>, Option<u64>)> {
        let scope = Scope::new(None);
        let described = self.session.is_none();
        let mut number = |e: &Option<RelExpr>| -> Result<Option<u64>> {
            let Some(e) = e else { return Ok(None) };
            let printed = self.print(e, Place::new(&scope, "limit clause", Aggregates::Forbidden))?;
            let What::Constant(value) = printed.what else {
                return if described { Ok(None) } else { Err(SqlError::Arguments("LIMIT".into())) };
            };
            // mysql2 and others bind numbers as text or doubles.
            let is_number = match &value {
                Value::Text(text) | Value::Bytes(text) => {
                    std::str::from_utf8(text).is_ok_and(|t| t.trim().parse::<f64>().is_ok())
                }
                Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => true,
                Value::Null | Value::Json(_) | Value::DateTime(_) => false,
            };
            match Number::of(&value).map(Number::floor) {
                Some((n, true)) if is_number && n >= 0 => Ok(Some(u64::try_from(n).unwrap_or(u64::MAX))),
                Some(_) | None => Err(SqlError::Arguments("LIMIT".into())),
            }
        };
        Ok((number(&limit.count)?, number(&limit.offset)?))
    }

    /// LIMIT as SQL, and whether it leaves at most one row.
    pub(super) fn limit(&mut self, limit: &RelLimit) -> Result<(String, bool)> {
        let (count, offset) = self.limits(limit)?;
        let bounded = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Ok(match (count, offset) {
            (None, _) => (String::new(), false),
            (Some(count), None) => (format!(" LIMIT {}", bounded(count)), count <= 1),
            (Some(count), Some(offset)) => {
                (format!(" LIMIT {} OFFSET {}", bounded(count), bounded(offset)), count <= 1)
            }
        })
    }
}

/// The name that an expression is, without a table's.
fn alone(e: &RelExpr) -> Option<&String> {
    match e {
        Expression::Leaf(RelLeaf::Plain(Leaf::Column(parts))) => match parts.as_slice() {
            [name] => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The column a position in ORDER BY or GROUP BY stands for, or the argument of GROUP_CONCAT.
pub(super) fn position<'c, C>(e: &RelExpr, columns: &'c [C], clause: &'static str) -> Result<Option<&'c C>> {
    let Expression::Constant(Value::Int(position)) = e else { return Ok(None) };
    let place = usize::try_from(*position).ok().and_then(|p| p.checked_sub(1));
    match place.and_then(|p| columns.get(p)) {
        Some(column) => Ok(Some(column)),
        None => Err(SqlError::UnknownColumn { column: position.to_string(), clause, hint: String::new() }),
    }
}

/// Refuses SQL that names one of these result columns, by an alias or a position, where its value is not there yet.
///
/// # Errors
/// [`RelationalError::GroupFunction`].
pub(super) fn not_of(columns: &HashSet<&str>, sql: &str) -> Result<()> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !columns.is_empty() && sql.split(|c| !part(c)).any(|name| columns.contains(name)) {
        return Err(RelationalError::GroupFunction.into());
    }
    Ok(())
}
