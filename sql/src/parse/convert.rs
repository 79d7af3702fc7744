//! sqlparser's expression tree into ours, once, refusing by name what the dialect does not have.

use sqlparser::ast::{
    BinaryOperator, CastKind, CharacterLength, DataType, DateTimeField, DuplicateTreatment, ExactNumberInfo,
    Expr as Sql, Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    InTarget, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, UnaryOperator, Value as SqlValue,
};

use super::budget::{RECURSION, limit};
use super::call::{aggregate, call, today};
use super::expression::Expr;
use super::refuse::unsupported;
use super::tokens::{Kind, Token, syntax};
use super::{hex, literal};
use crate::environment::{SessionFunction, SqlMode};
use crate::error::SqlError;
use crate::expression::number::Arithmetic;
use crate::expression::{Aggregate, CastType, Comparison, Expression, Function, Leaf, Operator, Test, time};
use crate::value::Value;

/// Converts the tree of one expression.
pub(super) struct Converter<'a> {
    pub text: &'a str,
    pub mode: SqlMode,
    /// The tokens of the expression, which placeholders name.
    pub tokens: &'a [Token],
}

type Result<T> = std::result::Result<T, SqlError>;

/// The value of a number as written: an integer, a decimal, or with an exponent a double.
pub(super) fn integer_or_decimal(written: &str) -> Value {
    if written.contains(['e', 'E']) {
        return Value::Double(written.parse().unwrap_or(0.0));
    }
    if written.contains('.') {
        let written = written.strip_prefix('-').map_or_else(|| (false, written), |rest| (true, rest));
        let (negative, digits) = written;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = if whole.is_empty() { "0" } else { whole };
        let sign = if negative { "-" } else { "" };
        return Value::Decimal(if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        });
    }
    match (written.parse(), written.parse()) {
        (Ok(n), _) => Value::Int(n),
        (Err(_), Ok(n)) => Value::UInt(n),
        (Err(_), Err(_)) => Value::Decimal(written.to_owned()),
    }
}

fn boxed(e: Expr) -> Box<Expr> {
    Box::new(e)
}

impl Converter<'_> {
    /// Converts a tree. Recursion is bounded by how deep sqlparser was allowed to go.
    pub fn convert(&self, tree: &Sql, depth: usize) -> Result<Expr> {
        if depth > RECURSION {
            return Err(limit("the nesting of an expression", RECURSION, "nesting"));
        }
        let mut tree = tree;
        while let Sql::Nested(inner) = tree {
            tree = inner;
        }
        let one = |e: &Sql| self.convert(e, depth + 1).map(boxed);
        let is = |operand: &Sql, test, negated| Ok(Expression::Is { operand: one(operand)?, test, negated });
        let is_truth = |operand: &Sql, test, negated| {
            let operand = boxed(number(self.convert(operand, depth + 1)?, operand));
            Ok(Expression::Is { operand, test, negated })
        };
        match tree {
            Sql::BinaryOp { .. } => self.spine(tree, depth),
            Sql::UnaryOp { op, expr } => self.unary(*op, expr, depth),
            Sql::Value(value) => self.value(&value.value),
            Sql::Identifier(name) => self.identifier(name),
            Sql::CompoundIdentifier(names) => {
                Ok(Expression::Leaf(Leaf::Column(names.iter().map(|n| n.value.clone()).collect())))
            }
            Sql::Function(function) => self.function(function, depth),
            Sql::IsNull(e) => is(e, Test::Null, false),
            Sql::IsNotNull(e) => is(e, Test::Null, true),
            Sql::IsUnknown(e) => is(e, Test::Null, false),
            Sql::IsNotUnknown(e) => is(e, Test::Null, true),
            Sql::IsTrue(e) => is_truth(e, Test::True, false),
            Sql::IsNotTrue(e) => is_truth(e, Test::True, true),
            Sql::IsFalse(e) => is_truth(e, Test::False, false),
            Sql::IsNotFalse(e) => is_truth(e, Test::False, true),
            Sql::In { expr, target: InTarget::List(list), negated, global: false } => {
                let trees: Vec<&Sql> = std::iter::once(&**expr).chain(list).collect();
                let mut all = self.alike(&trees, depth)?;
                let operand = boxed(all.remove(0));
                Ok(Expression::In { operand, list: all, negated: *negated })
            }
            Sql::Between { expr, negated, low, high } => {
                let mut all = self.alike(&[expr, low, high], depth)?.into_iter().map(boxed);
                match (all.next(), all.next(), all.next()) {
                    (Some(operand), Some(low), Some(high)) => {
                        Ok(Expression::Between { operand, low, high, negated: *negated })
                    }
                    _ => Err(SqlError::Internal("BETWEEN lost an operand".into())),
                }
            }
            Sql::Like { negated, any: false, expr, pattern, escape_char } => Ok(Expression::Like {
                operand: one(expr)?,
                pattern: one(pattern)?,
                escape: escape_char.as_deref().map(one).transpose()?,
                negated: *negated,
            }),
            Sql::Case { operand, conditions, else_result, .. } => Ok(Expression::Case {
                operand: operand.as_deref().map(one).transpose()?,
                branches: conditions
                    .iter()
                    .map(|c| Ok((self.convert(&c.condition, depth + 1)?, self.convert(&c.result, depth + 1)?)))
                    .collect::<Result<_>>()?,
                otherwise: else_result.as_deref().map(one).transpose()?,
            }),
            Sql::Cast { kind: CastKind::Cast, expr, data_type, format: None } => self.cast(expr, data_type, depth),
            Sql::Convert { is_try: false, expr, data_type, charset, .. } => match (data_type, charset) {
                (Some(ty), _) => self.cast(expr, ty, depth),
                (None, Some(charset)) if charset.to_string().eq_ignore_ascii_case("binary") => {
                    Ok(Expression::Cast(one(expr)?, CastType::Binary(None)))
                }
                (None, _) => Ok(Expression::Cast(one(expr)?, CastType::Char(None))),
            },
            Sql::Tuple(all) => {
                Ok(Expression::Tuple(all.iter().map(|e| self.convert(e, depth + 1)).collect::<Result<_>>()?))
            }
            Sql::Collate { expr, collation } => self.collate(expr, collation, depth),
            Sql::Prefixed { prefix, value } => self.introduced(&prefix.value, value, depth),
            Sql::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut arguments = vec![*one(expr)?, *one(from)?];
                if let Some(length) = substring_for {
                    arguments.push(*one(length)?);
                }
                Ok(Expression::Call(Function::Substring, arguments))
            }
            Sql::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                Ok(Expression::Call(Function::Trim, vec![*one(expr)?]))
            }
            Sql::Ceil { expr, .. } => Ok(Expression::Call(Function::Ceiling, vec![*one(expr)?])),
            Sql::Floor { expr, .. } => Ok(Expression::Call(Function::Floor, vec![*one(expr)?])),
            Sql::Position { expr, r#in } => Ok(Expression::Call(Function::Locate, vec![*one(expr)?, *one(r#in)?])),
            Sql::TypedString(typed)
                if matches!(typed.data_type, DataType::Timestamp(..) | DataType::Datetime(_) | DataType::Date) =>
            {
                let text = self.value(&typed.value.value)?;
                Ok(Expression::Cast(boxed(text), CastType::DateTime(6)))
            }
            Sql::Subquery(query) => self.scalar_subquery(query, depth),
            Sql::In { .. } | Sql::Exists { .. } | Sql::AnyOp { .. } | Sql::AllOp { .. } => Err(subqueries()),
            Sql::RLike { .. } => Err(unsupported("REGEXP", "use LIKE")),
            Sql::MatchAgainst { .. } => Err(unsupported("MATCH .. AGAINST", "there is no full-text index")),
            Sql::Interval(_) => Err(unsupported("INTERVAL here", "add it to a time, or subtract it from one")),
            Sql::Extract { .. } => Err(unsupported("EXTRACT", "compare created_at with times as text")),
            Sql::Trim { .. } => Err(unsupported("TRIM with characters", "use TRIM(x), LTRIM(x), RTRIM(x)")),
            _ => Err(unsupported("this form of expression", "see the dialect's list of operators and functions")),
        }
    }

    /// A name without parentheses: a column, or one of the functions MySQL lets stand so.
    fn identifier(&self, name: &Ident) -> Result<Expr> {
        let column = || Expression::Leaf(Leaf::Column(vec![name.value.clone()]));
        if name.quote_style.is_some() {
            return Ok(column());
        }
        let upper = name.value.to_ascii_uppercase();
        Ok(match upper.as_str() {
            "DEFAULT" => Expression::Leaf(Leaf::Default),
            "CURRENT_USER" => Expression::Leaf(Leaf::Session(SessionFunction::CurrentUser)),
            "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" => Expression::Leaf(Leaf::Now(0)),
            "UTC_TIMESTAMP" => Expression::Leaf(Leaf::UtcNow(0)),
            "CURRENT_DATE" => today(Leaf::Now(0)),
            "UTC_DATE" => today(Leaf::UtcNow(0)),
            word if RESERVED.contains(&word) => {
                let place = usize::try_from(name.span.start.column).ok().and_then(|column| column.checked_sub(1));
                let at = place.and_then(|i| self.tokens.get(i)).map_or(0, |t| t.start as usize);
                return Err(syntax(self.text, at, "expected an expression"));
            }
            _ => column(),
        })
    }

    /// A chain of operators leans to the left as far as it is long, so it is walked, not recursed into.
    fn spine(&self, tree: &Sql, depth: usize) -> Result<Expr> {
        let mut operands = Vec::new();
        let mut at = tree;
        while let Sql::BinaryOp { left, op, right } = at {
            operands.push((op, right));
            at = left;
        }
        let mut left = self.convert(at, depth + 1)?;
        let mut innermost = true;
        for (op, right) in operands.into_iter().rev() {
            let right_tree = right;
            // `time +/- INTERVAL n UNIT`
            if let (BinaryOperator::Plus | BinaryOperator::Minus, Sql::Interval(interval)) = (op, &**right) {
                left = self.shifted(left, interval, *op == BinaryOperator::Minus, depth)?;
                continue;
            }
            let joined = self.operator(op)?;
            let mut right = self.convert(right, depth + 1)?;
            let numbers = joined.takes_numbers();
            if numbers || (joined.compares() && is_literal(right_tree) && is_bytes(&right) && is_number(&left)) {
                right = number(right, right_tree);
            }
            if innermost && (numbers || (joined.compares() && is_literal(at) && is_bytes(&left) && is_number(&right))) {
                left = number(left, at);
            }
            innermost = false;
            left = match joined {
                Joined::And => match left {
                    Expression::And(mut all) => {
                        all.push(right);
                        Expression::And(all)
                    }
                    other => Expression::And(vec![other, right]),
                },
                Joined::Or => match left {
                    Expression::Or(mut all) => {
                        all.push(right);
                        Expression::Or(all)
                    }
                    other => Expression::Or(vec![other, right]),
                },
                Joined::Chain(op) => match left {
                    Expression::Chain(first, mut rest) => {
                        rest.push((op, right));
                        Expression::Chain(first, rest)
                    }
                    other => Expression::Chain(boxed(other), vec![(op, right)]),
                },
            };
        }
        Ok(left)
    }

    /// Operands that are compared with each other: if one is a number, literals among them are.
    fn alike(&self, trees: &[&Sql], depth: usize) -> Result<Vec<Expr>> {
        let mut all = trees.iter().map(|e| self.convert(e, depth + 1)).collect::<Result<Vec<_>>>()?;
        if all.iter().zip(trees).any(|(e, tree)| is_bytes(e) && is_literal(tree)) && all.iter().any(is_number) {
            all = all.into_iter().zip(trees).map(|(e, tree)| number(e, tree)).collect();
        }
        Ok(all)
    }

    fn operator(&self, op: &BinaryOperator) -> Result<Joined> {
        let compare = |c| Ok(Joined::Chain(Operator::Compare(c)));
        let arithmetic = |a| Ok(Joined::Chain(Operator::Arithmetic(a)));
        match op {
            BinaryOperator::And => Ok(Joined::And),
            BinaryOperator::Or => Ok(Joined::Or),
            BinaryOperator::StringConcat if self.mode.pipes_as_concat => Ok(Joined::Chain(Operator::Concat)),
            BinaryOperator::StringConcat => Ok(Joined::Or),
            BinaryOperator::Xor => Ok(Joined::Chain(Operator::Xor)),
            BinaryOperator::Eq => compare(Comparison::Equal),
            BinaryOperator::NotEq => compare(Comparison::NotEqual),
            BinaryOperator::Lt => compare(Comparison::Less),
            BinaryOperator::LtEq => compare(Comparison::LessEqual),
            BinaryOperator::Gt => compare(Comparison::Greater),
            BinaryOperator::GtEq => compare(Comparison::GreaterEqual),
            BinaryOperator::Spaceship => Ok(Joined::Chain(Operator::NullSafeEqual)),
            BinaryOperator::Plus => arithmetic(Arithmetic::Add),
            BinaryOperator::Minus => arithmetic(Arithmetic::Subtract),
            BinaryOperator::Multiply => arithmetic(Arithmetic::Multiply),
            BinaryOperator::Divide => arithmetic(Arithmetic::Divide),
            BinaryOperator::MyIntegerDivide => arithmetic(Arithmetic::IntegerDivide),
            BinaryOperator::Modulo => arithmetic(Arithmetic::Modulo),
            BinaryOperator::BitwiseAnd => Ok(Joined::Chain(Operator::BitAnd)),
            BinaryOperator::BitwiseOr => Ok(Joined::Chain(Operator::BitOr)),
            BinaryOperator::BitwiseXor => Ok(Joined::Chain(Operator::BitXor)),
            BinaryOperator::PGBitwiseShiftLeft => Ok(Joined::Chain(Operator::ShiftLeft)),
            BinaryOperator::PGBitwiseShiftRight => Ok(Joined::Chain(Operator::ShiftRight)),
            BinaryOperator::Arrow => Ok(Joined::Chain(Operator::Extract)),
            BinaryOperator::LongArrow => Ok(Joined::Chain(Operator::ExtractUnquoted)),
            BinaryOperator::Assignment => {
                Err(unsupported("an assignment inside an expression", "use SET @name = expression"))
            }
            other => Err(unsupported(&format!("the operator {other}"), "see the dialect's list of operators")),
        }
    }

    fn unary(&self, op: UnaryOperator, operand: &Sql, depth: usize) -> Result<Expr> {
        // A sign and a number are one literal, which keeps -9223372036854775808 an integer.
        if let (UnaryOperator::Minus, Sql::Value(value)) = (op, operand)
            && let SqlValue::Number(written, _) = &value.value
        {
            return Ok(Expression::Constant(integer_or_decimal(&format!("-{written}"))));
        }
        let tree = operand;
        let operand = self.convert(operand, depth + 1)?;
        let operand = match op {
            UnaryOperator::Not | UnaryOperator::BangNot | UnaryOperator::Minus | UnaryOperator::BitwiseNot => {
                number(operand, tree)
            }
            _ => operand,
        };
        Ok(match op {
            UnaryOperator::Not | UnaryOperator::BangNot => Expression::Not(boxed(operand)),
            UnaryOperator::Minus => Expression::Negate(boxed(operand)),
            UnaryOperator::BitwiseNot => Expression::Invert(boxed(operand)),
            // `+x` is x.
            UnaryOperator::Plus => operand,
            // What our dialect makes of BINARY.
            UnaryOperator::Hash => Expression::Cast(boxed(operand), CastType::Binary(None)),
            other => return Err(unsupported(&format!("the operator {other}"), "see the dialect's list of operators")),
        })
    }

    fn value(&self, value: &SqlValue) -> Result<Expr> {
        Ok(match value {
            SqlValue::Number(written, _) => Expression::Constant(integer_or_decimal(written)),
            SqlValue::SingleQuotedString(text) => Expression::text(text.clone()),
            SqlValue::HexStringLiteral(digits) => Expression::Constant(Value::Bytes(literal::hex_bytes(digits).into())),
            SqlValue::Boolean(b) => Expression::Constant(Value::Int(i64::from(*b))),
            SqlValue::Null => Expression::Constant(Value::Null),
            SqlValue::Placeholder(ours) => self.placeholder(ours)?,
            other => return Err(unsupported(&format!("the literal {other}"), "use a string, number, X'..' or b'..'")),
        })
    }

    fn placeholder(&self, ours: &str) -> Result<Expr> {
        let token = ours.get(1..).and_then(|i| i.parse::<usize>().ok()).and_then(|i| self.tokens.get(i));
        let token = token.ok_or_else(|| SqlError::Internal("a token got lost".into()))?;
        Ok(match token.kind {
            Kind::Parameter(n) => Expression::Leaf(Leaf::Parameter(n)),
            Kind::Bits => Expression::Constant(Value::Bytes(literal::bits(token, self.text).into())),
            Kind::UserVariable => {
                Expression::Leaf(Leaf::UserVariable(literal::user_variable(token, self.text, self.mode)))
            }
            Kind::SystemVariable => {
                let (global, name) = literal::system_variable(token, self.text);
                Expression::Leaf(Leaf::SystemVariable { global: global.unwrap_or(false), name })
            }
            Kind::Word | Kind::Quoted | Kind::String | Kind::Number | Kind::Hex | Kind::Symbol(_) => {
                return Err(SqlError::Internal("a token became another".into()));
            }
        })
    }

    /// `_binary 'x'`, `_utf8mb4 X'..'`.
    fn introduced(&self, prefix: &str, value: &Sql, depth: usize) -> Result<Expr> {
        let bytes = match self.convert(value, depth + 1)? {
            Expression::Constant(Value::Text(bytes) | Value::Bytes(bytes)) => bytes,
            other => return Ok(other),
        };
        match prefix.to_ascii_lowercase().as_str() {
            "_binary" => Ok(Expression::Constant(Value::Bytes(bytes))),
            "_utf8mb4" | "_utf8mb3" | "_utf8" | "_ascii" if std::str::from_utf8(&bytes).is_ok() => {
                Ok(Expression::Constant(Value::Text(bytes)))
            }
            // ASCII is the same in every character set a client could name.
            _ if bytes.is_ascii() => Ok(Expression::Constant(Value::Text(bytes))),
            other => Err(unsupported(&format!("the introducer {other}"), "write the text in utf8mb4")),
        }
    }

    fn collate(&self, operand: &Sql, collation: &ObjectName, depth: usize) -> Result<Expr> {
        let name = collation.to_string().to_ascii_lowercase();
        if name.ends_with("_bin") || name == "binary" {
            return self.convert(operand, depth + 1);
        }
        Err(unsupported(&format!("COLLATE {name}"), "text compares byte by byte; use LOWER(x) to ignore case"))
    }

    fn cast(&self, operand: &Sql, ty: &DataType, depth: usize) -> Result<Expr> {
        let characters = |length: &Option<CharacterLength>| match length {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(u32::try_from(*length).unwrap_or(u32::MAX)),
            Some(CharacterLength::Max) | None => None,
        };
        let digits = |n: &Option<u64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0).min(6);
        let ty = match ty {
            DataType::Char(length) | DataType::Character(length) | DataType::Nvarchar(length) => {
                CastType::Char(characters(length))
            }
            DataType::Binary(length) => CastType::Binary(length.map(|n| u32::try_from(n).unwrap_or(u32::MAX))),
            DataType::Signed | DataType::SignedInteger => CastType::Signed,
            DataType::Unsigned | DataType::UnsignedInteger => CastType::Unsigned,
            DataType::Decimal(info) | DataType::Dec(info) => CastType::Decimal {
                scale: match info {
                    ExactNumberInfo::None | ExactNumberInfo::Precision(_) => 0,
                    ExactNumberInfo::PrecisionAndScale(_, scale) => u32::try_from(*scale).unwrap_or(0).min(30),
                },
            },
            DataType::Double(_) | DataType::Real | DataType::Float(_) => CastType::Double,
            DataType::Datetime(n) => CastType::DateTime(digits(n)),
            DataType::JSON => {
                // TRUE and FALSE are JSON's own here, not numbers.
                if let Some(literal) = json_boolean(operand) {
                    return Ok(literal);
                }
                CastType::Json
            }
            other => {
                return Err(unsupported(
                    &format!("CAST AS {other}"),
                    "use CHAR, BINARY, SIGNED, UNSIGNED, DECIMAL, DOUBLE, DATETIME or JSON",
                ));
            }
        };
        let converted = self.convert(operand, depth + 1)?;
        let converted = if hex::casts_number(ty) { number(converted, operand) } else { converted };
        Ok(Expression::Cast(boxed(converted), ty))
    }

    /// `(SELECT expression)`: a subquery that reads nothing is its expression.
    fn scalar_subquery(&self, query: &Query, depth: usize) -> Result<Expr> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.locks.is_empty()
            && query.fetch.is_none();
        let SetExpr::Select(select) = &*query.body else { return Err(subqueries()) };
        let grouped = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(by, modifiers) => !by.is_empty() || !modifiers.is_empty(),
        };
        let reads = !select.from.is_empty()
            || select.selection.is_some()
            || select.having.is_some()
            || select.into.is_some()
            || grouped;
        match select.projection.as_slice() {
            [SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }] if plain && !reads => {
                self.convert(e, depth + 1)
            }
            _ => Err(subqueries()),
        }
    }

    fn shifted(&self, time: Expr, interval: &sqlparser::ast::Interval, back: bool, depth: usize) -> Result<Expr> {
        let unit = match &interval.leading_field {
            Some(DateTimeField::Week(None)) => "WEEK".to_owned(),
            Some(field) => field.to_string().to_ascii_uppercase(),
            None => String::new(),
        };
        let micros = time::unit(&unit).filter(|_| interval.last_field.is_none()).ok_or_else(|| {
            unsupported(&format!("INTERVAL .. {unit}"), "use MICROSECOND, SECOND, MINUTE, HOUR, DAY or WEEK")
        })?;
        let micros = Value::Int(if back { -micros } else { micros });
        let count = self.convert(&interval.value, depth + 1)?;
        let total = Expression::Chain(
            boxed(count),
            vec![(Operator::Arithmetic(Arithmetic::Multiply), Expression::Constant(micros))],
        );
        Ok(Expression::Call(Function::TimeAdd, vec![time, total]))
    }

    fn function(&self, function: &SqlFunction, depth: usize) -> Result<Expr> {
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.to_ascii_uppercase(),
            _ => return Err(SqlError::UnknownFunction(function.name.to_string())),
        };
        if function.over.is_some() {
            return Err(unsupported("a window function", "read the rows and compute it in the application"));
        }
        let plain = function.filter.is_none() && function.within_group.is_empty() && function.null_treatment.is_none();
        let (arguments, distinct, clauses): (&[FunctionArg], bool, bool) = match &function.args {
            FunctionArguments::None => (&[], false, false),
            FunctionArguments::Subquery(_) => return Err(subqueries()),
            FunctionArguments::List(list) => (
                &list.args,
                matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)),
                !list.clauses.is_empty(),
            ),
        };
        if !plain || clauses {
            return Err(unsupported(&format!("this form of {name}"), "pass plain arguments"));
        }
        if let Some(aggregate) = aggregate(&name) {
            return self.aggregate(aggregate, distinct, arguments, depth);
        }
        if let ("DATE_ADD" | "ADDDATE" | "DATE_SUB" | "SUBDATE", [time, interval]) = (name.as_str(), arguments)
            && let Some(Sql::Interval(interval)) = plain_argument(interval)
        {
            let time = plain_argument(time).ok_or_else(|| SqlError::Arguments(name.clone()))?;
            return self.shifted(self.convert(time, depth + 1)?, interval, name.contains("SUB"), depth);
        }
        let json = matches!(name.as_str(), "JSON_OBJECT" | "JSON_ARRAY");
        let arguments = arguments
            .iter()
            .map(|argument| {
                let e = plain_argument(argument).ok_or_else(|| SqlError::Arguments(name.clone()))?;
                match json_boolean(e) {
                    Some(literal) if json => Ok(literal),
                    Some(_) | None if hex::calls_for_numbers(&name) => Ok(number(self.convert(e, depth + 1)?, e)),
                    Some(_) | None => self.convert(e, depth + 1),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        call(&name, arguments)
    }

    fn aggregate(&self, function: Aggregate, distinct: bool, arguments: &[FunctionArg], depth: usize) -> Result<Expr> {
        let arguments = match arguments {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if function == Aggregate::Count && !distinct => {
                Vec::new()
            }
            all => all
                .iter()
                .map(|a| {
                    let e = plain_argument(a).ok_or_else(|| SqlError::Arguments("an aggregate".into()))?;
                    self.convert(e, depth + 1)
                })
                .collect::<Result<Vec<_>>>()?,
        };
        let counts_all = function == Aggregate::Count && arguments.is_empty();
        let several = function == Aggregate::Count && distinct && !arguments.is_empty();
        if !counts_all && !several && arguments.len() != 1 {
            return Err(SqlError::Arguments("an aggregate".into()));
        }
        if arguments.iter().any(Expression::has_aggregate) {
            return Err(unsupported("an aggregate of an aggregate", "aggregate once"));
        }
        Ok(Expression::Aggregate { function, distinct, arguments })
    }
}

/// How an operator joins its operands.
enum Joined {
    And,
    Or,
    Chain(Operator),
}

impl Joined {
    /// Whether its operands are numbers, whatever they look like.
    fn takes_numbers(&self) -> bool {
        match self {
            Self::And | Self::Or => true,
            Self::Chain(op) => match op {
                Operator::Arithmetic(_)
                | Operator::Xor
                | Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::ShiftLeft
                | Operator::ShiftRight => true,
                Operator::Compare(_)
                | Operator::NullSafeEqual
                | Operator::Concat
                | Operator::Extract
                | Operator::ExtractUnquoted => false,
            },
        }
    }
}

impl Joined {
    /// Whether its operands are what each other is.
    fn compares(&self) -> bool {
        matches!(self, Self::Chain(Operator::Compare(_) | Operator::NullSafeEqual))
    }
}

/// Whether it is a literal of bytes, in parentheses or not.
fn is_literal(tree: &Sql) -> bool {
    match operand_of(tree) {
        Sql::Value(value) => matches!(value.value, SqlValue::HexStringLiteral(_) | SqlValue::Placeholder(_)),
        _ => false,
    }
}

/// A literal of bytes as a number.
fn number(converted: Expr, tree: &Sql) -> Expr {
    if is_literal(tree) { hex::number(converted) } else { converted }
}

fn is_bytes(expression: &Expr) -> bool {
    matches!(expression, Expression::Constant(Value::Bytes(_)))
}

fn is_number(expression: &Expr) -> bool {
    hex::is_number(expression, &hex::leaf_type)
}

/// The expression within parentheses.
fn operand_of(tree: &Sql) -> &Sql {
    let mut tree = tree;
    while let Sql::Nested(inner) = tree {
        tree = inner;
    }
    tree
}

fn subqueries() -> SqlError {
    unsupported("a subquery", "run it first and pass its rows, e.g. with IN (..)")
}

fn plain_argument(argument: &FunctionArg) -> Option<&Sql> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => None,
    }
}

/// TRUE and FALSE as JSON.
fn json_boolean(tree: &Sql) -> Option<Expr> {
    match tree {
        Sql::Value(value) => match value.value {
            SqlValue::Boolean(b) => {
                Some(Expression::Constant(Value::Json(if b { "true".into() } else { "false".into() })))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Words that are no column unless they are quoted.
pub(super) const RESERVED: [&str; 44] = [
    "ALTER", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CREATE", "CROSS", "DELETE", "DESC", "DISTINCT", "DIV",
    "DROP", "ELSE", "FOR", "FROM", "GROUP", "HAVING", "IN", "INNER", "INSERT", "INTO", "IS", "JOIN", "LIKE", "LIMIT",
    "NOT", "ON", "OR", "ORDER", "REPLACE", "SELECT", "SET", "TABLE", "THEN", "UNION", "UPDATE", "USING", "VALUES",
    "WHEN", "WHERE", "WITH", "XOR",
];
