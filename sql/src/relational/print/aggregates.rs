//! Aggregates and window functions, printed.

use super::{Aggregates, OPERANDS, Place, Printed, Result, What};
use crate::bind::times;
use crate::error::{limit, unsupported};
use crate::expression::arithmetic::Arithmetic;
use crate::expression::{Aggregate, CastType, Expression, Function, MAX_PRECISION, Operator, Type, aggregate_type};
use crate::relational::RelationalError;
use crate::relational::aggregate::{AggregateSpec, Kind, Order};
use crate::relational::ast::{AggregateKind, Aggregated, RelExpr, Window};
use crate::relational::binder::Binder;
use crate::relational::clauses::position;
use crate::relational::groups::is_aggregated;
use crate::relational::kept_rows::{ROWS, columns_in, row_of_one};
use crate::relational::program::names;
use crate::relational::scope::{Collation, Scope};
use crate::value::{ColumnType, Value};

impl Binder<'_> {
    pub(super) fn aggregate(&mut self, aggregated: &Aggregated, place: Place<'_>) -> Result<Printed> {
        let owner = place.scope.owner_around(aggregated);
        let around = owner.map(|owner| owner.aggregates_within.get());
        // In both servers it is then the aggregate of the next query within that allows one, which SQLite has no way to say.
        if around == Some(Aggregates::Forbidden) && place.aggregates != Aggregates::Forbidden {
            return Err(unsupported(
                "an aggregate of the columns of a query around a subquery of its WHERE, ON or GROUP BY",
                "aggregate columns of the subquery's own tables",
            ));
        }
        let refused = match around.unwrap_or(place.aggregates) {
            Aggregates::Allowed => false,
            Aggregates::NoWindows => aggregated.over.is_some(),
            Aggregates::Forbidden => true,
        };
        if refused {
            return Err(RelationalError::GroupFunction.into());
        }
        if let Some(owner) = owner {
            owner.aggregated_within.set(true);
            self.aggregates_around += 1;
            // SQLite takes it as a result, wherever that stands.
            let printed = self.allowed_aggregate(aggregated, place)?;
            let sql = format!("(SELECT {})", self.text(&printed)?);
            return Ok(Printed { what: What::Sql(sql), ..printed });
        }
        self.allowed_aggregate(aggregated, place)
    }

    fn allowed_aggregate(&mut self, aggregated: &Aggregated, place: Place<'_>) -> Result<Printed> {
        if let Some(window) = &aggregated.over {
            let keys = window.partition.iter().chain(window.order.iter().map(|(e, _)| e));
            if keys.chain(&aggregated.arguments).any(is_aggregated) {
                return Err(unsupported("an aggregate within a window function", "group in a derived table"));
            }
        }
        let inner = Place { aggregates: Aggregates::Forbidden, aliases: None, clause: "field list", ..place };
        let arguments = aggregated.arguments.iter().map(|e| self.argument(e, inner)).collect::<Result<Vec<_>>>()?;
        let first = arguments.first();
        let ty = |function| aggregate_type(function, first.map_or(Type::of(ColumnType::BigInt), |p| p.ty));
        if let Some(window) = &aggregated.over {
            return self.window(aggregated, window, &arguments, inner);
        }
        let native = |sql: String, ty| Ok(Printed { plain: true, ..Printed::sql(sql, ty) });
        let collation = first.map_or(Collation::WEAK, |p| p.collation);
        match (&aggregated.kind, first) {
            (AggregateKind::Count, None) => native("count(*)".to_owned(), ty(Aggregate::Count)),
            (AggregateKind::Count, Some(one)) if arguments.len() == 1 => {
                let sql = if aggregated.distinct {
                    format!("count(DISTINCT {})", row_of_one(&self.key(one)?))
                } else {
                    format!("count({})", self.text(one)?)
                };
                native(sql, ty(Aggregate::Count))
            }
            (AggregateKind::Count, Some(_)) => {
                let own = self.own(Kind::CountDistinct, true, &arguments, ty(Aggregate::Count), inner.scope)?;
                // Over no rows nobody is asked what to count.
                native(format!("coalesce({},0)", self.text(&own)?), own.ty)
            }
            (AggregateKind::Min, Some(one)) if one.is_text() || one.is_native() => {
                let sql = format!("min({})", self.kept_key(one, |sql| inner.scope.is_column(sql))?);
                native(sql, ty(Aggregate::Min)).map(|p| p.with(collation))
            }
            (AggregateKind::Max, Some(one)) if one.is_text() || one.is_native() => {
                let sql = format!("max({})", self.kept_key(one, |sql| inner.scope.is_column(sql))?);
                native(sql, ty(Aggregate::Max)).map(|p| p.with(collation))
            }
            (AggregateKind::Min, _) => self.own(Kind::Min, false, &arguments, ty(Aggregate::Min), inner.scope),
            (AggregateKind::Max, _) => self.own(Kind::Max, false, &arguments, ty(Aggregate::Max), inner.scope),
            (AggregateKind::Sum | AggregateKind::Avg, Some(one))
                if one.ty.is_time() || one.ty.ty == ColumnType::Time =>
            {
                let number = self.number_of(one)?;
                let (kind, function) = match aggregated.kind {
                    AggregateKind::Sum => (Kind::Sum, Aggregate::Sum),
                    _ => (Kind::Avg, Aggregate::Avg),
                };
                self.own(kind, aggregated.distinct, &[number], ty(function), inner.scope)
            }
            (AggregateKind::Sum, _) => {
                self.own(Kind::Sum, aggregated.distinct, &arguments, ty(Aggregate::Sum), inner.scope)
            }
            (AggregateKind::Avg, _) => {
                self.own(Kind::Avg, aggregated.distinct, &arguments, ty(Aggregate::Avg), inner.scope)
            }
            (AggregateKind::GroupConcat { separator }, _) => {
                self.group_concat(aggregated, separator, &arguments, inner).map(|p| p.with(collation))
            }
            (AggregateKind::RowNumber | AggregateKind::Rank | AggregateKind::DenseRank, _) => {
                Err(RelationalError::GroupFunction.into())
            }
        }
    }

    /// GROUP_CONCAT of what these are; behind them stand the keys that it is ordered by.
    fn group_concat(
        &mut self,
        aggregated: &Aggregated,
        separator: &str,
        arguments: &[Printed],
        place: Place<'_>,
    ) -> Result<Printed> {
        let mut operands = arguments.to_vec();
        for operand in operands.iter_mut().filter(|p| p.ty.is_time()) {
            *operand = self.cast(operand, CastType::Char(None))?;
        }
        let mut order = Vec::new();
        for (e, descending) in &aggregated.order {
            let key = match position(e, arguments, "order clause")? {
                Some(argument) => argument.clone(),
                None => self.argument(e, place)?,
            };
            order.push(Order { descending: *descending, fold: key.collation.fold });
            operands.push(key);
        }
        let values = arguments.len();
        let longest = self.group_concat_max_len();
        let binary = arguments.iter().any(|p| p.ty.ty == ColumnType::Bytes);
        let kind = Kind::Concat { values, order, separator: separator.to_owned(), longest, binary };
        let ty = Type::of(if binary { ColumnType::Bytes } else { ColumnType::Text });
        self.own(kind, aggregated.distinct, &operands, ty, place.scope)
    }

    /// An argument of an aggregate. SQLite takes an aggregate of nothing but columns of a query around for one of that query,
    /// also where they are within aggregates of their own: such an argument names a column of this query beside them.
    fn argument(&mut self, e: &RelExpr, place: Place<'_>) -> Result<Printed> {
        let before = self.aggregates_around;
        let printed = self.print(e, place)?;
        if self.aggregates_around == before || !columns_in(&self.text(&printed)?, place.scope).is_empty() {
            return Ok(printed);
        }
        let own = place.scope.sources.iter().find_map(|source| source.columns.first());
        let Some(own) = own else { return Err(RelationalError::GroupFunction.into()) };
        let sql = format!("(CASE WHEN {0} IS {0} THEN {1} END)", own.sql, self.text(&printed)?);
        Ok(Printed { what: What::Sql(sql), ..printed })
    }

    /// A time as a number.
    fn number_of(&mut self, time: &Printed) -> Result<Printed> {
        if time.ty.ty == ColumnType::Time {
            return self.call(std::slice::from_ref(time), |parts| Expression::Call(Function::ClockNumber, parts));
        }
        let digits = times::digits(time.ty).unwrap_or(6);
        self.call(std::slice::from_ref(time), |parts| {
            let digits = Expression::Constant(Value::Int(digits));
            Expression::Call(Function::TimeNumber, parts.into_iter().chain([digits]).collect())
        })
    }

    /// An aggregate the engine calls back for.
    pub(super) fn own(
        &mut self,
        kind: Kind,
        distinct: bool,
        operands: &[Printed],
        ty: Type,
        scope: &Scope<'_>,
    ) -> Result<Printed> {
        if operands.len() > OPERANDS {
            return Err(limit("the number of operands", OPERANDS, "operands"));
        }
        let folds = operands.iter().map(|p| p.collation.fold).collect();
        let spec = AggregateSpec { kind, distinct, folds };
        let texts = operands.iter().map(|p| self.text(p)).collect::<Result<Vec<_>>>()?.join(",");
        let of = match spec.kind {
            // Each counts its own rows, for the warning of what it cuts; the same in two clauses is one.
            Kind::Concat { .. } => {
                let rows = scope.sources.iter().find_map(|source| source.columns.first());
                Some(format!("{texts} of {}", rows.map_or("", |column| column.sql.as_str())))
            }
            Kind::Min | Kind::Max | Kind::Sum | Kind::Avg | Kind::CountDistinct => None,
        };
        let number = self.aggregates.place((spec, of));
        Ok(Printed::sql(format!("{}({number},{texts})", names::AGGREGATE), ty))
    }

    pub(super) fn window(
        &mut self,
        aggregated: &Aggregated,
        window: &Window,
        arguments: &[Printed],
        place: Place<'_>,
    ) -> Result<Printed> {
        let refused = || unsupported("this aggregate as a window function", "compute it in a derived table");
        // SQLite holds all that windows are made of.
        let counted = |sql: &str| place.scope.is_column(sql);
        let big = Type { nullable: false, ..Type::of(ColumnType::UnsignedBigInt) };
        let one = arguments.first();
        let (call, ty) = match (&aggregated.kind, one) {
            (AggregateKind::RowNumber, _) => ("row_number()".to_owned(), big),
            (AggregateKind::Rank, _) => ("rank()".to_owned(), big),
            (AggregateKind::DenseRank, _) => ("dense_rank()".to_owned(), big),
            (AggregateKind::Count, None) => ("count(*)".to_owned(), Type { ty: ColumnType::BigInt, ..big }),
            (AggregateKind::Count, Some(one)) => {
                (format!("count({})", self.kept_key(one, counted)?), Type { ty: ColumnType::BigInt, ..big })
            }
            (AggregateKind::Min, Some(one)) if one.is_text() || one.is_native() => {
                (format!("min({})", self.kept_key(one, counted)?), aggregate_type(Aggregate::Min, one.ty))
            }
            (AggregateKind::Max, Some(one)) if one.is_text() || one.is_native() => {
                (format!("max({})", self.kept_key(one, counted)?), aggregate_type(Aggregate::Max, one.ty))
            }
            (AggregateKind::Sum, Some(one)) if one.ty.ty == ColumnType::BigInt => {
                let over = self.over(window, place)?;
                return self.window_sum(one, &over);
            }
            (
                AggregateKind::Min
                | AggregateKind::Max
                | AggregateKind::Sum
                | AggregateKind::Avg
                | AggregateKind::GroupConcat { .. },
                _,
            ) => return Err(refused()),
        };
        let over = self.over(window, place)?;
        Ok(Printed { plain: true, ..Printed::sql(format!("{call} OVER ({over})"), ty) })
    }

    /// What stands in `OVER (..)`.
    fn over(&mut self, window: &Window, place: Place<'_>) -> Result<String> {
        let counted = |sql: &str| place.scope.is_column(sql);
        let mut partition = Vec::new();
        for e in &window.partition {
            let e = self.print(e, place)?;
            partition.push(self.kept_key(&e, counted)?);
        }
        // One more, which is the same for all rows, counts them.
        partition.push(ROWS.to_owned());
        let mut over = format!("PARTITION BY {}", partition.join(","));
        if !window.order.is_empty() {
            let mut keys = Vec::new();
            for (e, down) in &window.order {
                let e = self.print(e, place)?;
                keys.push(format!("{}{}", self.kept_key(&e, counted)?, if *down { " DESC" } else { "" }));
            }
            over.push_str(&format!(" ORDER BY {}", keys.join(",")));
        }
        Ok(over)
    }

    /// SUM of integers. SQLite's own ends beyond BIGINT: the upper and lower halves are summed by themselves.
    fn window_sum(&mut self, one: &Printed, over: &str) -> Result<Printed> {
        let integer = self.text(one)?;
        let half = |sql: String| Printed::sql(format!("sum({sql}) OVER ({over})"), Type::of(ColumnType::BigInt));
        let halves = [half(format!("({integer} >> 32)")), half(format!("({integer} & 4294967295)"))];
        let sum = self.call(&halves, |halves| {
            let mut halves = halves.into_iter();
            let mut next = || halves.next().unwrap_or(Expression::Constant(Value::Null));
            let upper = Expression::Cast(Box::new(next()), CastType::Decimal { precision: MAX_PRECISION, scale: 0 });
            let shifted = (Operator::Arithmetic(Arithmetic::Multiply), Expression::Constant(Value::Int(1 << 32)));
            Expression::Chain(Box::new(upper), vec![shifted, (Operator::Arithmetic(Arithmetic::Add), next())])
        })?;
        Ok(Printed { ty: aggregate_type(Aggregate::Sum, one.ty), ..sum })
    }
}
