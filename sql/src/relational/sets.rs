//! UNION, EXCEPT and INTERSECT.

use super::ast::{Body, SetOperator};
use super::binder::Binder;
use super::kept_rows;
use super::print::{Printed, common};
use super::query::Bound;
use super::scope::{Collation, Column, Scope, collate};
use super::{RelationalError, Result};
use crate::error::unsupported;
use crate::expression::{CastType, MAX_PRECISION, Type};
use crate::value::ColumnType;

impl Binder<'_> {
    pub(super) fn set(
        &mut self,
        first: &Body,
        rest: &[(SetOperator, Body)],
        outer: Option<&Scope<'_>>,
    ) -> Result<Bound> {
        let first = self.body(first, outer)?;
        let mut operands = vec![(None, first)];
        for (operator, body) in rest {
            let bound = self.body(body, outer)?;
            if bound.columns.len() != operands[0].1.columns.len() {
                return Err(RelationalError::Widths.into());
            }
            operands.push((Some(*operator), bound));
        }
        let width = operands[0].1.columns.len();
        let types: Vec<Type> = (0..width)
            .map(|i| common(&operands.iter().map(|(_, b)| Printed::column(&b.columns[i])).collect::<Vec<_>>()))
            .collect();
        let by_value = types.iter().any(|ty| ty.ty == ColumnType::Json);
        let looks_up = rest.iter().any(|(op, _)| matches!(op, SetOperator::Except | SetOperator::Intersect));
        if by_value && looks_up {
            return Err(unsupported("EXCEPT or INTERSECT over JSON", "CAST it AS CHAR, or use IN (SELECT ..)"));
        }
        let number = self.number();
        let names: Vec<String> = (0..width).map(|i| format!("q{number}c{i}")).collect();
        let set_columns = set_columns(&types, &operands, number);
        // Rows are compared by the collations of the set, whichever side has them first. EXCEPT and INTERSECT sort both
        // sides, and hold all rows of them.
        let kept = keyed(&set_columns);
        let counted = kept_rows::row(0, width, &names);
        let names = names.join(",");
        // SQLite's UNION keeps the last of equal texts, MySQL's the first: so it is DISTINCT over UNION ALL, once for a
        // run of UNIONs.
        let mut sql = String::new();
        let operators: Vec<_> = operands.iter().map(|(operator, _)| *operator).collect();
        for (i, (operator, bound)) in operands.iter_mut().enumerate() {
            let before = self.made.held().saturating_sub(bound.sql.len());
            let next = self.set_operand(&std::mem::take(&mut bound.sql), &bound.columns, &set_columns)?;
            self.hold_instead(before, next.len())?;
            let followed = operators.get(i + 1) == Some(&Some(SetOperator::Union));
            if *operator == Some(SetOperator::UnionAll) || (*operator == Some(SetOperator::Union) && followed) {
                sql.push_str(" UNION ALL ");
                sql.push_str(&next);
                continue;
            }
            self.copied(sql.len())?;
            sql = match operator {
                None => next,
                Some(SetOperator::Union | SetOperator::UnionAll) if by_value => {
                    let group_by = self.distinct_by_value(set_columns.iter())?.replace(kept_rows::ROWS, &counted);
                    format!("SELECT {names} FROM ({sql} UNION ALL {next}){group_by}")
                }
                Some(SetOperator::Union | SetOperator::UnionAll) => {
                    format!("SELECT DISTINCT {kept} FROM ({sql} UNION ALL {next})")
                }
                Some(SetOperator::Except) => {
                    format!("SELECT {kept} FROM ({sql}) EXCEPT SELECT {kept} FROM ({next})")
                }
                Some(SetOperator::Intersect) => {
                    format!("SELECT {kept} FROM ({sql}) INTERSECT SELECT {kept} FROM ({next})")
                }
            };
        }
        let mut columns = operands.swap_remove(0).1.columns;
        let one = columns.len();
        for (column, of_set) in columns.iter_mut().zip(set_columns) {
            *column = Column { name: std::mem::take(&mut column.name), ..of_set };
        }
        // In parentheses, so that it can be an operand again.
        let sql = format!("SELECT {names} FROM ({sql})");
        Ok(Bound { sql, columns, aliases: vec![String::new(); one], one_row: false })
    }

    /// An operand with its columns as the set has them.
    fn set_operand(&mut self, sql: &str, columns: &[Column], of_set: &[Column]) -> Result<String> {
        let mut items = Vec::with_capacity(columns.len());
        for (column, of_set) in columns.iter().zip(of_set) {
            let printed = self.converted(Printed::column(column), of_set.ty)?;
            let text = self.text(&printed)?;
            items.push(format!("{text}{} AS {}", collate(of_set.ty, of_set.collation), of_set.sql));
        }
        Ok(format!("SELECT {} FROM ({sql})", items.join(",")))
    }

    /// A value of the type all operands of a set have in common.
    fn converted(&mut self, printed: Printed, ty: Type) -> Result<Printed> {
        let same = printed.ty.ty == ty.ty && printed.ty.decimals == ty.decimals;
        match ty.ty {
            _ if printed.ty.ty == ColumnType::Null || same => Ok(printed),
            ColumnType::Decimal => {
                self.cast(&printed, CastType::Decimal { precision: MAX_PRECISION, scale: ty.decimals.into() })
            }
            ColumnType::Double => self.cast(&printed, CastType::Double),
            ColumnType::Text | ColumnType::Bytes => self.coerced(printed, ty),
            ColumnType::Null
            | ColumnType::BigInt
            | ColumnType::UnsignedBigInt
            | ColumnType::Json
            | ColumnType::DateTime
            | ColumnType::Date
            | ColumnType::Time => Ok(printed),
        }
    }
}

/// The columns of a set.
fn set_columns(types: &[Type], operands: &[(Option<SetOperator>, Bound)], number: usize) -> Vec<Column> {
    let columns = types.iter().enumerate().map(|(i, ty)| {
        let collations = operands.iter().filter_map(|(_, bound)| bound.columns.get(i)).map(|c| c.collation);
        let collation = collations.reduce(Collation::merge).unwrap_or(Collation::WEAK);
        Column { name: String::new(), sql: format!("q{number}c{i}"), ty: *ty, collation, origin: None, hidden: false }
    });
    columns.collect()
}

/// The columns of a set as DISTINCT compares them.
fn keyed(columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| column.sql.clone()).collect();
    let keyed = columns.iter().enumerate().map(|(i, column)| {
        // What is distinct is held; the first value counts all of them.
        let kept = if i == 0 { kept_rows::row_of(&names) } else { column.sql.clone() };
        format!("{kept}{} AS {}", collate(column.ty, column.collation), column.sql)
    });
    keyed.collect::<Vec<_>>().join(",")
}
