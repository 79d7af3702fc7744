//! Columns, variables and subqueries, printed.

use cellgate_schemaless::Micros;

use super::class::{Class, class, collated};
use super::{Place, Printed, Result, only};
use crate::error::{SqlError, unsupported};
use crate::expression::{CastType, Comparison, Expression, Function, Leaf, Operator, Test, Type};
use crate::relational::ast::{Query, RelExpr, RelLeaf};
use crate::relational::binder::Binder;
use crate::relational::kept_rows::row_of_one;
use crate::relational::program::names;
use crate::relational::query::Bound;
use crate::relational::scope::Collation;
use crate::value::{ColumnType, Value};

impl Binder<'_> {
    pub(super) fn leaf(&mut self, leaf: &RelLeaf, place: Place<'_>) -> Result<Printed> {
        match leaf {
            RelLeaf::Plain(Leaf::Column(parts)) => self.column(parts, place),
            RelLeaf::Plain(Leaf::Parameter(_)) if self.session.is_none() => {
                Ok(Printed::sql("NULL".to_owned(), Type::of(ColumnType::Text)))
            }
            RelLeaf::Plain(leaf) => {
                let value = self.value(leaf)?;
                let printed = Printed::constant(value);
                // Only the session knows how much a time shows.
                let ty = match leaf {
                    Leaf::Now(_) | Leaf::UtcNow(_) | Leaf::Parameter(_) if printed.ty.is_time() => {
                        self.computing.leaf_type(leaf)
                    }
                    Leaf::Parameter(_) => Some(self.computing.leaf_type(leaf))
                        .filter(|ty| ty.ty == ColumnType::Time)
                        .unwrap_or(printed.ty),
                    _ => printed.ty,
                };
                Ok(Printed { ty: Type { nullable: true, ..ty }, ..printed })
            }
            RelLeaf::Query(query) => self.scalar_query(query, place),
            RelLeaf::Exists(query) => {
                let bound = self.subquery(query, place)?;
                Ok(Printed::sql(format!("(EXISTS ({}))", bound.sql), self.truth_type(false)))
            }
            RelLeaf::In { operand, query, negated } => self.in_query(operand, query, *negated, place),
            RelLeaf::Aggregate(aggregated) => self.aggregate(aggregated, place),
            RelLeaf::Assigned { .. } => Err(SqlError::Internal("an assignment was not taken note of".into())),
            RelLeaf::Collate { operand, fold } => {
                let printed = self.print(operand, place)?;
                let printed = self.coerced(printed, Type::of(ColumnType::Text))?;
                Ok(printed.with(Collation { fold: *fold, strength: 2 }))
            }
        }
    }

    pub(super) fn column(&mut self, parts: &[String], place: Place<'_>) -> Result<Printed> {
        let aliased = match (parts, place.aliases) {
            // Of several tables' columns of one name it is the one in the select list.
            ([name], Some(aliases)) if place.aliases_first && place.scope.has_several(parts) => aliases.listed(name),
            ([name], Some(aliases)) => aliases.get(name),
            (_, _) => None,
        };
        match aliased {
            Some(alias) if place.aliases_first || !place.scope.has(parts) => Ok(Printed::column(alias)),
            Some(_) | None => place.scope.resolve(parts, place.clause).map(|(_, column)| Printed::column(column)),
        }
    }

    /// A query within an expression.
    fn subquery(&mut self, query: &Query, place: Place<'_>) -> Result<Bound> {
        let before = place.scope.aggregates_within.replace(place.aggregates);
        let bound = self.query(query, Some(place.scope));
        place.scope.aggregates_within.set(before);
        bound
    }

    /// `(SELECT ..)` as a value: of one column and at most one row.
    pub(super) fn scalar_query(&mut self, query: &Query, place: Place<'_>) -> Result<Printed> {
        self.is_operand = true;
        let bound = self.subquery(query, place)?;
        let [column] = bound.columns.as_slice() else { return Err(SqlError::OperandColumns(1)) };
        let (ty, collation, name) = (Type { nullable: true, ..column.ty }, column.collation, column.sql.clone());
        let sql = if bound.one_row {
            format!("({})", bound.sql)
        } else {
            format!("(SELECT {}({name}) FROM ({}))", names::ONLY, bound.sql)
        };
        Ok(Printed { plain: ty.ty != ColumnType::Decimal, ..Printed::sql(sql, ty) }.with(collation))
    }

    pub(super) fn in_query(
        &mut self,
        operand: &RelExpr,
        query: &Query,
        negated: bool,
        place: Place<'_>,
    ) -> Result<Printed> {
        let operands = match operand {
            Expression::Tuple(all) => all.iter().map(|e| self.print(e, place)).collect::<Result<Vec<_>>>()?,
            one => vec![self.print(one, place)?],
        };
        let Bound { sql, columns, .. } = self.subquery(query, place)?;
        if operands.len() != columns.len() {
            return Err(SqlError::OperandColumns(operands.len()));
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (operand, column) in operands.iter().zip(&columns) {
            let found = Printed::column(column);
            match class(operand, &found) {
                Class::Dialect if operand.is_bytes() && found.is_bytes() => {
                    let operand = self.cast(operand, CastType::Binary(None))?;
                    left.push(self.text(&operand)?);
                    let found = self.cast(&found, CastType::Binary(None))?;
                    right.push(row_of_one(&self.text(&found)?));
                }
                Class::Dialect if operand.ty.is_time() || found.ty.is_time() => {
                    left.push(self.time_key(operand)?);
                    right.push(row_of_one(&self.time_key(&found)?));
                }
                Class::Dialect if operand.ty.ty == ColumnType::Json && found.ty.ty == ColumnType::Json => {
                    left.push(self.exact_key(operand)?);
                    right.push(row_of_one(&self.exact_key(&found)?));
                }
                Class::Dialect if operand.ty.ty == ColumnType::Json || found.ty.ty == ColumnType::Json => {
                    return Err(unsupported(
                        "IN (SELECT ..) over JSON and something else",
                        "CAST one AS JSON, or take JSON_UNQUOTE of the other",
                    ));
                }
                Class::Dialect => {
                    // Both as numbers, which is what MySQL compares when it is not text with text: exact ones with all
                    // their digits, and as doubles as soon as one is a double.
                    let double = [&operand.ty, &found.ty].iter().any(|t| t.ty == ColumnType::Double);
                    let (operand, found) = if double {
                        let operand = self.cast(operand, CastType::Double)?;
                        let found = self.cast(&found, CastType::Double)?;
                        (self.text(&operand)?, self.text(&found)?)
                    } else {
                        (self.number_key(operand)?, self.number_key(&found)?)
                    };
                    left.push(operand);
                    right.push(row_of_one(&found));
                }
                class => {
                    left.push(collated(&self.text(operand)?, class));
                    right.push(row_of_one(&column.sql));
                }
            }
        }
        let not = if negated { "NOT " } else { "" };
        let sql = format!("(({}) {not}IN (SELECT {} FROM ({sql})))", left.join(","), right.join(","));
        Ok(Printed::sql(sql, self.truth_type(true)))
    }

    /// What compares with exact numbers as bytes do: the number a value is.
    fn number_key(&mut self, printed: &Printed) -> Result<String> {
        if printed.ty.is_number() {
            return self.exact_key(printed);
        }
        let number =
            self.call(std::slice::from_ref(printed), |parts| Expression::Call(Function::AsNumber, vec![only(parts)]))?;
        self.exact_key(&number)
    }

    /// What compares with times as bytes do: the time a value is. What is no time is one no value is.
    fn time_key(&mut self, printed: &Printed) -> Result<String> {
        if printed.ty.is_time() {
            return self.text(printed);
        }
        let time = self.call(std::slice::from_ref(printed), |parts| {
            let value = only(parts);
            let time = Expression::Cast(Box::new(value.clone()), CastType::DateTime(6));
            let at = |micros| Expression::Constant(Value::DateTime(Micros(micros)));
            // A constant that is no time is the error it is with `=`.
            let equal = Expression::Chain(Box::new(value), vec![(Operator::Compare(Comparison::Equal), at(0))]);
            let null = Expression::Is { operand: Box::new(equal), test: Test::Null, negated: false };
            let time = Expression::Call(Function::Coalesce, vec![time, at(i64::MIN)]);
            Expression::Call(Function::If, vec![null, Expression::Constant(Value::Null), time])
        })?;
        self.text(&time)
    }
}
