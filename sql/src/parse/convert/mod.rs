//! sqlparser's expression tree into ours, once, refusing by name what the dialect does not have. Operators, and
//! functions with casts, have a file each.

mod functions;
mod operators;

use sqlparser::ast::{
    CaseWhen, CastKind, DataType, Expr as Sql, GroupByExpr, Ident, InTarget, ObjectName, Query, SelectItem, SetExpr,
    TypedString, Value as SqlValue,
};

use super::budget::RECURSION;
use super::call::time_of_day;
use super::call::without_parentheses;
use super::charset;
use super::escape::Literal;
use super::expression::Expr;
use super::hex::{self, Operand};
use super::literal;
use super::tokens::{Kind, Token, syntax};
use crate::environment::SqlMode;
use crate::error::{SqlError, limit, unsupported};
use crate::expression::{CastType, Expression, Function, Leaf, Test, hex_bytes};
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
///
/// # Errors
/// [`SqlError::IllegalDouble`] for a double beyond all there are.
pub(super) fn integer_or_decimal(written: &str) -> Result<Value> {
    if written.contains(['e', 'E']) {
        let double: f64 = written.parse().unwrap_or(0.0);
        if double.is_finite() {
            return Ok(Value::Double(double));
        }
        return Err(SqlError::IllegalDouble(written.trim_start_matches('-').to_owned()));
    }
    Ok(match (written.parse(), written.parse()) {
        (Ok(n), _) => Value::Int(n),
        (Err(_), Ok(n)) => Value::UInt(n),
        (Err(_), Err(_)) => decimal(written),
    })
}

/// The decimal that digits, perhaps with a sign or a point, are: as a column has it, without zeros in front.
fn decimal(written: &str) -> Value {
    let (negative, digits) = written.strip_prefix('-').map_or((false, written), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    // There is no negative zero among decimals.
    let zero = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
    let sign = if negative && !zero { "-" } else { "" };
    Value::Decimal(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
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
        let is = |operand: &Sql, test, negated| Ok(hex::is(self.operand(operand, depth)?, test, negated));
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
            Sql::IsTrue(e) => is(e, Test::True, false),
            Sql::IsNotTrue(e) => is(e, Test::True, true),
            Sql::IsFalse(e) => is(e, Test::False, false),
            Sql::IsNotFalse(e) => is(e, Test::False, true),
            Sql::In { expr, target: InTarget::List(list), negated, global: false } => {
                let list = list.iter().map(|e| self.operand(e, depth)).collect::<Result<_>>()?;
                Ok(hex::within(self.operand(expr, depth)?, list, *negated))
            }
            Sql::Between { expr, negated, low, high } => self.between([expr, low, high], *negated, depth),
            Sql::Like { negated, any: false, expr, pattern, escape_char } => Ok(Expression::Like {
                operand: one(expr)?,
                pattern: one(pattern)?,
                escape: escape_char.as_deref().map(one).transpose()?,
                negated: *negated,
            }),
            Sql::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), depth)
            }
            Sql::Cast { kind: CastKind::Cast, expr, data_type, format: None } => self.cast(expr, data_type, depth),
            Sql::Convert { is_try: false, expr, data_type, charset, .. } => {
                self.converted(expr, data_type.as_ref(), charset.as_ref(), depth)
            }
            Sql::Tuple(all) => {
                Ok(Expression::Tuple(all.iter().map(|e| self.convert(e, depth + 1)).collect::<Result<_>>()?))
            }
            Sql::Collate { expr, collation } => self.collate(expr, collation, depth),
            Sql::Prefixed { prefix, value } => self.introduced(&prefix.value, value, depth),
            Sql::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                self.substring(expr, from, substring_for.as_deref(), depth)
            }
            Sql::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                Ok(Expression::Call(Function::Trim, vec![*one(expr)?]))
            }
            Sql::Ceil { expr, .. } => {
                Ok(Expression::Call(Function::Ceiling, vec![self.operand(expr, depth)?.number()]))
            }
            Sql::Floor { expr, .. } => Ok(Expression::Call(Function::Floor, vec![self.operand(expr, depth)?.number()])),
            Sql::Position { expr, r#in } => Ok(Expression::Call(Function::Locate, vec![*one(expr)?, *one(r#in)?])),
            Sql::TypedString(typed) => self.typed(typed),
            Sql::Subquery(query) => self.scalar_subquery(query, depth),
            Sql::Extract { field, expr, .. } => self.extract(field, expr, depth),
            other => Err(refused(other)),
        }
    }

    /// Converts a tree that is an operand of something.
    fn operand(&self, tree: &Sql, depth: usize) -> Result<Operand<Leaf>> {
        Ok(Operand::new(self.convert(tree, depth + 1)?, operators::is_literal(tree)))
    }

    fn between(&self, operands: [&Sql; 3], negated: bool, depth: usize) -> Result<Expr> {
        let operands = operands.map(|e| self.operand(e, depth));
        let mut all = hex::alike(operands.into_iter().collect::<Result<_>>()?).into_iter().map(boxed);
        match (all.next(), all.next(), all.next()) {
            (Some(operand), Some(low), Some(high)) => Ok(Expression::Between { operand, low, high, negated }),
            _ => Err(SqlError::Internal("BETWEEN lost an operand".into())),
        }
    }

    fn case(
        &self,
        operand: Option<&Sql>,
        conditions: &[CaseWhen],
        otherwise: Option<&Sql>,
        depth: usize,
    ) -> Result<Expr> {
        let operand = operand.map(|e| self.operand(e, depth)).transpose()?;
        let branch = |c: &CaseWhen| Ok((self.operand(&c.condition, depth)?, self.convert(&c.result, depth + 1)?));
        let branches = conditions.iter().map(branch).collect::<Result<_>>()?;
        Ok(hex::case(operand, branches, otherwise.map(|e| self.convert(e, depth + 1)).transpose()?))
    }

    /// `CONVERT(x, type)`, `CONVERT(x USING charset)`.
    fn converted(&self, e: &Sql, ty: Option<&DataType>, charset: Option<&ObjectName>, depth: usize) -> Result<Expr> {
        let binary = match charset {
            Some(name) => charset::is_binary(&plain_name(name))?,
            None => false,
        };
        match ty {
            Some(ty) => self.cast(e, ty, depth),
            None => {
                let ty = if binary { CastType::Binary(None) } else { CastType::Char(None) };
                Ok(Expression::Cast(boxed(self.convert(e, depth + 1)?), ty))
            }
        }
    }

    fn substring(&self, e: &Sql, from: &Sql, length: Option<&Sql>, depth: usize) -> Result<Expr> {
        let mut arguments = vec![self.convert(e, depth + 1)?, self.operand(from, depth)?.number()];
        if let Some(length) = length {
            arguments.push(self.operand(length, depth)?.number());
        }
        Ok(Expression::Call(Function::Substring, arguments))
    }

    /// `DATE '..'`, `{ts '..'}`.
    fn typed(&self, typed: &TypedString) -> Result<Expr> {
        let text = self.value(&typed.value.value)?;
        match Literal::of_type(&typed.data_type) {
            Some(literal) if typed.uses_odbc_syntax => literal.escaped(text),
            Some(literal) => literal.of(text),
            None => Err(time_of_day(&typed.data_type.to_string())),
        }
    }

    /// A name without parentheses: a column, or one of the functions MySQL lets stand so.
    fn identifier(&self, name: &Ident) -> Result<Expr> {
        let column = || Expression::Leaf(Leaf::Column(vec![name.value.clone()]));
        let place = || usize::try_from(name.span.start.column).ok().and_then(|column| column.checked_sub(1));
        if name.quote_style.is_some() {
            return Ok(column());
        }
        let upper = name.value.to_ascii_uppercase();
        if let Some(function) = without_parentheses(&upper) {
            return Ok(function);
        }
        Ok(match upper.as_str() {
            "DEFAULT" => Expression::Leaf(Leaf::Default),
            word if RESERVED.contains(&word) => {
                let at = place().and_then(|i| self.tokens.get(i)).map_or(0, |t| t.start as usize);
                return Err(syntax(self.text, at, "expected an expression"));
            }
            _ => column(),
        })
    }

    fn value(&self, value: &SqlValue) -> Result<Expr> {
        Ok(match value {
            SqlValue::Number(written, _) => Expression::Constant(integer_or_decimal(written)?),
            SqlValue::SingleQuotedString(text) => Expression::text(text.clone()),
            SqlValue::HexStringLiteral(digits) => Expression::Constant(Value::Bytes(hex_bytes(digits).into())),
            SqlValue::Boolean(b) => literal::truth(*b),
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
                Expression::Leaf(Leaf::SystemVariable { global, name })
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
        Ok(match literal::introduced(prefix, bytes)? {
            // Behind an introducer bytes are no number, which a constant of bytes would be taken for.
            bytes @ Value::Bytes(_) => Expression::Cast(boxed(Expression::Constant(bytes)), CastType::Binary(None)),
            text => Expression::Constant(text),
        })
    }

    fn collate(&self, operand: &Sql, collation: &ObjectName, depth: usize) -> Result<Expr> {
        let name = plain_name(collation).to_ascii_lowercase();
        if !charset::folds(&name)? && !name.ends_with("_cs") {
            return self.convert(operand, depth + 1);
        }
        Err(unsupported(&format!("COLLATE {name}"), "text compares byte by byte; use LOWER(x) to ignore case"))
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
}

/// A name without its quotes.
fn plain_name(name: &ObjectName) -> String {
    name.to_string().trim_matches(['`', '\'', '"']).to_owned()
}

/// The refusal of a form of expressions that the dialect does not have.
fn refused(tree: &Sql) -> SqlError {
    match tree {
        Sql::In { .. } | Sql::Exists { .. } | Sql::AnyOp { .. } | Sql::AllOp { .. } => subqueries(),
        Sql::MemberOf(_) => unsupported("MEMBER OF", "use JSON_CONTAINS(array, value)"),
        Sql::RLike { .. } => unsupported("REGEXP", "use LIKE"),
        Sql::MatchAgainst { .. } => unsupported("MATCH .. AGAINST", "there is no full-text index"),
        Sql::Interval(_) => unsupported("INTERVAL here", "add it to a time, or subtract it from one"),
        Sql::Trim { .. } => unsupported("TRIM with characters", "use TRIM(x), LTRIM(x), RTRIM(x)"),
        _ => unsupported("this form of expression", "see the dialect's list of operators and functions"),
    }
}

fn subqueries() -> SqlError {
    unsupported("a subquery", "run it first and pass its rows, e.g. with IN (..)")
}

/// Words that are no column unless they are quoted.
pub(super) const RESERVED: [&str; 44] = [
    "ALTER", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CREATE", "CROSS", "DELETE", "DESC", "DISTINCT", "DIV",
    "DROP", "ELSE", "FOR", "FROM", "GROUP", "HAVING", "IN", "INNER", "INSERT", "INTO", "IS", "JOIN", "LIKE", "LIMIT",
    "NOT", "ON", "OR", "ORDER", "REPLACE", "SELECT", "SET", "TABLE", "THEN", "UNION", "UPDATE", "USING", "VALUES",
    "WHEN", "WHERE", "WITH", "XOR",
];
