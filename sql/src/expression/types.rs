//! The type an expression has before it is evaluated: what PREPARE and result columns say.

use super::arithmetic::Arithmetic;
use super::number::Number;
use super::time::{DAY, MINUTE, SECOND};
use super::{Aggregate, CastType, Expression, Function, Operator};
use crate::value::{ColumnType, Value};

/// Length of text that can be anything, in characters.
const TEXT: u32 = 16_777_215;
/// Length of the text of a time, as MySQL has it.
const TIME_TEXT: u32 = 29;

/// Length of a decimal that can be anything, in characters.
const DECIMAL: u32 = 65;
/// So many digits are within BIGINT, whichever they are.
const BIGINT_DIGITS: u32 = 18;

/// A type with what a result column says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Type {
    /// The type.
    pub ty: ColumnType,
    /// Longest value, in characters.
    pub length: u32,
    /// Digits behind the point.
    pub decimals: u8,
    /// Whether it can be NULL.
    pub nullable: bool,
}

impl Type {
    /// A type of usual length that can be NULL.
    pub fn of(ty: ColumnType) -> Self {
        let (length, decimals) = match ty {
            ColumnType::Null => (0, 0),
            ColumnType::BigInt | ColumnType::UnsignedBigInt => (20, 0),
            ColumnType::Double => (22, 31),
            ColumnType::Decimal => (DECIMAL, 4),
            ColumnType::Text | ColumnType::Bytes => (TEXT, 0),
            ColumnType::Json => (u32::MAX, 0),
            ColumnType::DateTime => (26, 6),
            ColumnType::Date | ColumnType::Time => (10, 0),
        };
        Self { ty, length, decimals, nullable: true }
    }

    /// Text of at most so many characters.
    pub fn text(length: u32) -> Self {
        Self { length, ..Self::of(ColumnType::Text) }
    }

    /// A time with so many digits behind the point.
    pub fn time(digits: u32) -> Self {
        Self { decimals: u8::try_from(digits).unwrap_or(6), ..Self::of(ColumnType::DateTime) }
    }

    /// TIME with so many digits behind the point.
    pub fn clock(digits: u8) -> Self {
        let fraction = u32::from(digits) + u32::from(digits > 0);
        Self { decimals: digits, length: 10 + fraction, ..Self::of(ColumnType::Time) }
    }

    /// The type of a value.
    pub fn of_value(value: &Value) -> Self {
        let known = |ty, length: usize| Self {
            length: u32::try_from(length).unwrap_or(u32::MAX),
            nullable: false,
            ..Self::of(ty)
        };
        match value {
            Value::Null => Self::of(ColumnType::Null),
            Value::Int(n) => known(ColumnType::BigInt, n.to_string().len()),
            Value::UInt(n) => known(ColumnType::UnsignedBigInt, n.to_string().len()),
            Value::Double(_) => known(ColumnType::Double, 22),
            Value::Decimal(text) => Self {
                decimals: u8::try_from(text.split_once('.').map_or(0, |(_, f)| f.len())).unwrap_or(30),
                ..known(ColumnType::Decimal, text.len())
            },
            Value::Text(bytes) => known(ColumnType::Text, String::from_utf8_lossy(bytes).chars().count()),
            Value::Bytes(bytes) => known(ColumnType::Bytes, bytes.len()),
            Value::Json(_) => Self { nullable: false, ..Self::of(ColumnType::Json) },
            Value::DateTime(_) => Self { nullable: false, ..Self::of(ColumnType::DateTime) },
        }
    }

    /// Whether its values are numbers.
    pub fn is_number(self) -> bool {
        is_number(self.ty)
    }

    /// Whether its values are times.
    pub fn is_time(self) -> bool {
        matches!(self.ty, ColumnType::DateTime | ColumnType::Date)
    }

    /// The type of its values as numbers: a time is its digits, text a double.
    fn number(self) -> Self {
        match self.ty {
            ColumnType::Date => Self::of(ColumnType::BigInt).nullable(self.nullable),
            ColumnType::DateTime | ColumnType::Time if self.decimals == 0 => {
                Self::of(ColumnType::BigInt).nullable(self.nullable)
            }
            ColumnType::DateTime | ColumnType::Time => {
                Self { decimals: self.decimals, nullable: self.nullable, ..Self::of(ColumnType::Decimal) }
            }
            ty if is_number(ty) => self,
            _ => Self::of(ColumnType::Double).nullable(self.nullable),
        }
    }

    fn nullable(self, nullable: bool) -> Self {
        Self { nullable, ..self }
    }

    /// The type that holds values of both.
    fn common(self, other: Self) -> Self {
        use ColumnType as C;
        let ty = match (self.ty, other.ty) {
            (a, b) if a == b => a,
            (C::Null, other) | (other, C::Null) => other,
            (C::BigInt, C::UnsignedBigInt) | (C::UnsignedBigInt, C::BigInt) => C::Decimal,
            (C::Double, C::BigInt | C::UnsignedBigInt | C::Decimal)
            | (C::BigInt | C::UnsignedBigInt | C::Decimal, C::Double) => C::Double,
            (C::Decimal, C::BigInt | C::UnsignedBigInt) | (C::BigInt | C::UnsignedBigInt, C::Decimal) => C::Decimal,
            (C::Date, C::DateTime) | (C::DateTime, C::Date) => C::DateTime,
            (C::Bytes, _) | (_, C::Bytes) => C::Bytes,
            (_, _) => C::Text,
        };
        Self {
            ty,
            length: self.length.max(other.length),
            decimals: self.decimals.max(other.decimals),
            nullable: self.nullable || other.nullable,
        }
    }
}

/// The type that holds values of all of these.
pub(crate) fn common(types: impl IntoIterator<Item = Type>) -> Type {
    types.into_iter().reduce(Type::common).unwrap_or(Type::of(ColumnType::Null))
}

fn is_number(ty: ColumnType) -> bool {
    match ty {
        ColumnType::BigInt | ColumnType::UnsignedBigInt | ColumnType::Double | ColumnType::Decimal => true,
        ColumnType::Null
        | ColumnType::Text
        | ColumnType::Bytes
        | ColumnType::Json
        | ColumnType::DateTime
        | ColumnType::Date
        | ColumnType::Time => false,
    }
}

fn arithmetic(op: Arithmetic, a: Type, b: Type) -> Type {
    use ColumnType as C;
    let times = |t: Type| if t.is_time() || t.ty == C::Time { t.number() } else { t };
    let (a, b) = (times(a), times(b));
    let inexact = |t: Type| !matches!(t.ty, C::BigInt | C::UnsignedBigInt | C::Decimal | C::Null);
    let nullable = a.nullable || b.nullable;
    let unsigned = a.ty == C::UnsignedBigInt || b.ty == C::UnsignedBigInt;
    if op == Arithmetic::IntegerDivide {
        return Type::of(if unsigned { C::UnsignedBigInt } else { C::BigInt });
    }
    if inexact(a) || inexact(b) {
        return Type::of(C::Double).nullable(nullable || op == Arithmetic::Divide || op == Arithmetic::Modulo);
    }
    match op {
        Arithmetic::Divide => Type { decimals: a.decimals.saturating_add(4).min(30), ..Type::of(C::Decimal) },
        // The sign of a remainder is the dividend's.
        Arithmetic::Modulo if [a.ty, b.ty].iter().all(|t| matches!(t, C::BigInt | C::UnsignedBigInt)) => {
            a.nullable(true)
        }
        Arithmetic::Modulo if [a.ty, b.ty].iter().any(|t| matches!(t, C::Decimal | C::DateTime)) => {
            Type { decimals: a.decimals.max(b.decimals), ..Type::of(C::Decimal) }
        }
        Arithmetic::Modulo => a.common(b).nullable(true),
        Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply | Arithmetic::IntegerDivide => {
            let decimal = a.ty == C::Decimal || b.ty == C::Decimal;
            let decimals = if op == Arithmetic::Multiply {
                a.decimals.saturating_add(b.decimals).min(30)
            } else {
                a.decimals.max(b.decimals)
            };
            let ty = if decimal {
                C::Decimal
            } else if unsigned {
                C::UnsignedBigInt
            } else {
                C::BigInt
            };
            Type { decimals, nullable, ..Type::of(ty) }
        }
    }
}

impl<L> Expression<L> {
    /// The type of the expression, given those of its leaves.
    pub fn ty(&self, leaf: &dyn Fn(&L) -> Type) -> Type {
        let truth = |nullable| Type { length: 1, nullable, ..Type::of(ColumnType::BigInt) };
        let any_null = |all: &[Self]| all.iter().any(|e| e.ty(leaf).nullable);
        match self {
            Self::Constant(value) => Type::of_value(value),
            Self::Leaf(l) => leaf(l),
            Self::And(all) | Self::Or(all) => truth(any_null(all)),
            Self::Not(e) => truth(e.ty(leaf).nullable),
            Self::Negate(e) => {
                let ty = e.ty(leaf);
                let number = ty.number();
                if number.ty == ColumnType::Double && ty.ty != number.ty {
                    Type::of(ColumnType::Double)
                } else {
                    let unsigned = number.ty == ColumnType::UnsignedBigInt;
                    let ty = if unsigned { ColumnType::BigInt } else { number.ty };
                    Type { ty, length: number.length.saturating_add(1), ..number }
                }
            }
            Self::Invert(_) => Type::of(ColumnType::UnsignedBigInt),
            Self::Chain(first, rest) => rest.iter().fold(first.ty(leaf), |left, (op, right)| match op {
                Operator::Arithmetic(op) => arithmetic(*op, left, right.ty(leaf)),
                Operator::Compare(_) | Operator::Xor => truth(left.nullable || right.ty(leaf).nullable),
                Operator::NullSafeEqual => truth(false),
                Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::ShiftLeft | Operator::ShiftRight => {
                    Type::of(ColumnType::UnsignedBigInt)
                }
                Operator::Concat if left.ty == ColumnType::Bytes || right.ty(leaf).ty == ColumnType::Bytes => {
                    Type::of(ColumnType::Bytes)
                }
                Operator::Concat => Type::of(ColumnType::Text),
                Operator::Extract => Type::of(ColumnType::Json),
                Operator::ExtractUnquoted => Type::of(ColumnType::Text),
            }),
            Self::Is { .. } => truth(false),
            Self::In { operand, list, .. } => truth(operand.ty(leaf).nullable || any_null(list)),
            Self::Between { .. } | Self::Like { .. } => truth(true),
            Self::Case { branches, otherwise, .. } => {
                let results = branches.iter().map(|(_, then)| then.ty(leaf));
                let otherwise = otherwise.as_ref().map_or(Type::of(ColumnType::Null), |e| e.ty(leaf));
                common(results.chain([otherwise]))
            }
            Self::Call(function, arguments) => call(*function, arguments, leaf),
            Self::Cast(_, ty) => cast(*ty),
            Self::Tuple(_) => Type::of(ColumnType::Null),
            Self::Aggregate { function, arguments, .. } => {
                let argument = arguments.first().map_or(Type::of(ColumnType::BigInt), |e| e.ty(leaf));
                aggregate(*function, argument)
            }
        }
    }
}

/// The type of an aggregate over a type.
pub(crate) fn aggregate(function: Aggregate, argument: Type) -> Type {
    let sums = matches!(function, Aggregate::Sum | Aggregate::Avg);
    let argument =
        if sums && (argument.is_time() || argument.ty == ColumnType::Time) { argument.number() } else { argument };
    let exact =
        matches!(argument.ty, ColumnType::BigInt | ColumnType::UnsignedBigInt | ColumnType::Decimal | ColumnType::Null);
    match function {
        Aggregate::Count => Type::of(ColumnType::BigInt).nullable(false),
        Aggregate::Min | Aggregate::Max | Aggregate::Any => argument.nullable(true),
        Aggregate::Sum if exact => Type { decimals: argument.decimals, ..Type::of(ColumnType::Decimal) },
        Aggregate::Avg if exact => {
            Type { decimals: argument.decimals.saturating_add(4).min(30), ..Type::of(ColumnType::Decimal) }
        }
        Aggregate::Sum | Aggregate::Avg => Type::of(ColumnType::Double),
    }
}

fn cast(ty: CastType) -> Type {
    match ty {
        CastType::Char(length) => length.map_or(Type::of(ColumnType::Text), Type::text),
        CastType::Binary(length) => Type { length: length.unwrap_or(TEXT), ..Type::of(ColumnType::Bytes) },
        CastType::Signed => Type::of(ColumnType::BigInt),
        CastType::Unsigned => Type::of(ColumnType::UnsignedBigInt),
        CastType::Decimal { precision, scale } => {
            let decimals = u8::try_from(scale).unwrap_or(30);
            Type { length: precision + 2, decimals, ..Type::of(ColumnType::Decimal) }
        }
        CastType::Double => Type::of(ColumnType::Double),
        CastType::DateTime(digits) => {
            Type { decimals: u8::try_from(digits).unwrap_or(6), ..Type::of(ColumnType::DateTime) }
        }
        CastType::Date => Type::of(ColumnType::Date),
        CastType::Time(digits) => Type::clock(u8::try_from(digits).unwrap_or(6)),
        CastType::Json => Type::of(ColumnType::Json),
    }
}

fn time(decimals: u8) -> Type {
    Type { decimals, ..Type::of(ColumnType::DateTime) }
}

/// The digits of the fraction of a time that is made of this: those it has, or those of the text that it is.
pub(crate) fn fraction<L>(of: Option<&Expression<L>>, ty: Type) -> u8 {
    match (ty.ty, of.and_then(Expression::constant)) {
        (ColumnType::DateTime | ColumnType::Time | ColumnType::Decimal, _) => ty.decimals.min(6),
        (ColumnType::BigInt | ColumnType::UnsignedBigInt | ColumnType::Date, _) => 0,
        (_, Some(Value::Text(text))) => u8::try_from(super::time::digits_written(text)).unwrap_or(6),
        (_, _) => 6,
    }
}

/// The digits of the fraction of a second that microseconds of this type change, counted in units of so many.
fn step(micros: Type, unit: i64) -> u8 {
    use ColumnType as C;
    match (unit, micros.ty) {
        (MINUTE.., _) => 0,
        // Only seconds have a fraction, and what they are multiplied by has none.
        (SECOND.., C::BigInt | C::UnsignedBigInt | C::Null) => 0,
        (SECOND.., C::Decimal) => micros.decimals.min(6),
        (_, _) => 6,
    }
}

/// The digits behind the point of the difference of two times: as many as the one has that has most.
fn difference_digits<L>(arguments: &[Expression<L>], ty: &dyn Fn(usize) -> Type) -> u8 {
    fraction(arguments.first(), ty(0)).max(fraction(arguments.get(1), ty(1)))
}

/// A number rounded to so many digits: to none if none are given, to those it has if a row says how many.
fn round<L>(number: Type, digits: Option<&Expression<L>>, leaf: &dyn Fn(&L) -> Type) -> Type {
    let decimals = match digits.map(Expression::constant) {
        None => 0,
        Some(Some(Value::Int(digits))) => u8::try_from((*digits).clamp(0, 30)).unwrap_or(30),
        Some(_) => number.decimals,
    };
    let nullable = number.nullable || digits.is_some_and(|digits| digits.ty(leaf).nullable);
    let number = number.nullable(nullable);
    if number.ty == ColumnType::Decimal { Type { decimals, length: DECIMAL, ..number } } else { number }
}

/// The whole number below or above a number.
fn whole(number: Type) -> Type {
    let fraction = u32::from(number.decimals) + u32::from(number.decimals > 0);
    match number.ty {
        ColumnType::Decimal if number.length.saturating_sub(fraction) <= BIGINT_DIGITS => Type::of(ColumnType::BigInt),
        // The whole part may be beyond BIGINT.
        ColumnType::Decimal => Type { decimals: 0, ..number },
        _ => number,
    }
}

/// The seconds up to a time with a fraction of so many digits: whole ones if it has none.
fn seconds(fraction: u8) -> Type {
    match fraction {
        0 => Type::of(ColumnType::BigInt),
        decimals => Type { decimals, ..Type::of(ColumnType::Decimal) },
    }
}

/// Bytes if any argument is, otherwise text.
fn text_or_bytes<L>(arguments: &[Expression<L>], leaf: &dyn Fn(&L) -> Type) -> Type {
    let bytes = arguments.iter().any(|e| e.ty(leaf).ty == ColumnType::Bytes);
    Type::of(if bytes { ColumnType::Bytes } else { ColumnType::Text })
}

/// A number with at least so many digits behind the point.
fn as_decimal<L>(number: Type, digits: Option<&Expression<L>>) -> Type {
    let digits = digits.and_then(Expression::constant).and_then(Number::of).map_or(0, Number::round);
    let decimals = u8::try_from(digits).unwrap_or(30).max(number.decimals);
    Type { decimals, nullable: number.nullable, ..Type::of(ColumnType::Decimal) }
}

/// A time moved by microseconds that are counted in units: a date stays one if the unit is whole days.
fn time_add<L>(moved: Type, micros: Type, unit: Option<&Expression<L>>) -> Type {
    let unit = match unit.and_then(Expression::constant) {
        Some(Value::Int(unit)) => *unit,
        Some(_) | None => 1,
    };
    let step = step(micros, unit);
    match moved.ty {
        ColumnType::Date if unit % DAY == 0 => Type::of(ColumnType::Date),
        ColumnType::Date => time(step),
        ColumnType::DateTime => time(moved.decimals.max(step)),
        _ => Type::text(TIME_TEXT),
    }
}

fn call<L>(function: Function, arguments: &[Expression<L>], leaf: &dyn Fn(&L) -> Type) -> Type {
    let argument = |i: usize| arguments.get(i).map_or(Type::of(ColumnType::Null), |e| e.ty(leaf));
    match function {
        Function::Abs => argument(0).number(),
        Function::Pow => Type::of(ColumnType::Double),
        Function::Round => round(argument(0).number(), arguments.get(1), leaf),
        Function::Mod => arithmetic(Arithmetic::Modulo, argument(0), argument(1)),
        Function::Floor | Function::Ceiling => whole(argument(0).number()),
        Function::Sign
        | Function::Length
        | Function::CharLength
        | Function::Instr
        | Function::Locate
        | Function::Extract
        | Function::Interval
        | Function::JsonLength
        | Function::JsonValid
        | Function::JsonContains
        | Function::JsonContainsPath
        | Function::ShardOf => Type::of(ColumnType::BigInt),
        Function::IsNull | Function::PlaceAmong => Type::of(ColumnType::BigInt).nullable(false),
        Function::UnixTimestamp => seconds(fraction(arguments.first(), argument(0))),
        Function::Coalesce | Function::IfNull => {
            let all: Vec<Type> = arguments.iter().map(|e| e.ty(leaf)).collect();
            common(all.iter().copied()).nullable(all.iter().all(|t| t.nullable))
        }
        Function::Greatest | Function::Least => common(arguments.iter().map(|e| e.ty(leaf))),
        Function::AsKey => argument(0),
        Function::NullIf => argument(0).nullable(true),
        Function::If => argument(1).common(argument(2)),
        Function::Concat
        | Function::ConcatWs
        | Function::Left
        | Function::Lower
        | Function::LTrim
        | Function::Quote
        | Function::Replace
        | Function::Right
        | Function::RTrim
        | Function::Substring
        | Function::SubstringIndex
        | Function::Trim
        | Function::Upper => text_or_bytes(arguments, leaf),
        Function::Hex
        | Function::JsonQuote
        | Function::JsonType
        | Function::JsonUnquote
        | Function::JsonValue
        | Function::TimeText => Type::of(ColumnType::Text),
        Function::AsDecimal => as_decimal(argument(0), arguments.get(1)),
        Function::AsNumber => Type::of(ColumnType::Double),
        Function::AsTime => Type::of(ColumnType::DateTime),
        Function::Unhex => Type::of(ColumnType::Bytes),
        Function::AsBoolean
        | Function::JsonArray
        | Function::JsonExtract
        | Function::JsonKeys
        | Function::JsonObject => Type::of(ColumnType::Json),
        Function::ConvertTz => time(fraction(arguments.first(), argument(0))),
        Function::FromUnixTime => time(fraction(arguments.first(), argument(0))),
        Function::TimeAdd => time_add(argument(0), argument(1), arguments.get(2)),
        Function::MonthsAdd => match argument(0) {
            moved if moved.is_time() => moved.nullable(true),
            _ => Type::text(TIME_TEXT),
        },
        Function::ClockNumber | Function::TimeNumber => argument(0).number(),
        Function::TimeDiff => match arguments.get(2).and_then(Expression::constant) {
            Some(Value::Int(digits)) => Type::clock(u8::try_from(*digits).unwrap_or(6)),
            Some(_) | None => Type::clock(difference_digits(arguments, &argument)),
        },
    }
}
