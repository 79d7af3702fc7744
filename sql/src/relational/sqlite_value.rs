//! Values as SQLite can hold them.

use bytes::Bytes;
use cellgate_schemaless::Micros;

use crate::error::SqlError;
use crate::expression::arithmetic::out_of_range;
use crate::expression::number::Number;
use crate::expression::{CastType, Expression, MAX_PRECISION, NoLeaf, Worth, text_of};
use crate::value::{ColumnType, Value};

/// A value of the relational engine's SQLite.
#[derive(Clone, Debug, PartialEq)]
pub enum Packed {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Text.
    Text(Bytes),
    /// A tag byte and what SQLite has no type for.
    Blob(Vec<u8>),
}

/// The tag bytes.
mod tag {
    pub(super) const BYTES: u8 = b'b';
    pub(super) const DECIMAL: u8 = b'd';
    pub(super) const JSON: u8 = b'j';
    /// Before it the number of digits behind the point that are shown: a decimal has more of them.
    pub(super) const QUOTIENT: u8 = b'q';
    pub(super) const TIME: u8 = b't';
    pub(super) const UNSIGNED: u8 = b'u';
}

fn tagged(tag: u8, rest: &[u8]) -> Packed {
    let mut blob = Vec::with_capacity(rest.len() + 1);
    blob.push(tag);
    blob.extend_from_slice(rest);
    Packed::Blob(blob)
}

impl Packed {
    /// Packs a value. Times keep their order as blobs.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(n) => Self::Int(*n),
            Value::UInt(n) => match i64::try_from(*n) {
                Ok(n) => Self::Int(n),
                Err(_) => tagged(tag::UNSIGNED, &n.to_be_bytes()),
            },
            Value::Double(d) => Self::Double(*d),
            Value::Decimal(text) => tagged(tag::DECIMAL, text.as_bytes()),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bytes(bytes) => tagged(tag::BYTES, bytes),
            Value::Json(text) => tagged(tag::JSON, text),
            // The sign bit turned makes the bytes' order that of the times.
            Value::DateTime(at) => tagged(tag::TIME, &(at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()),
        }
    }

    /// Packs what an operand is worth, with the digits that are not shown.
    pub(super) fn of_worth(worth: Worth) -> Self {
        let shown = u8::try_from(worth.shown()).unwrap_or(u8::MAX);
        match worth {
            Worth::Plain(value) => Self::of(&value),
            quotient @ Worth::Quotient(_) => match quotient.full() {
                Value::Decimal(digits) => tagged(tag::QUOTIENT, &[&[shown], digits.as_bytes()].concat()),
                value => Self::of(&value),
            },
        }
    }

    /// What it is worth as an operand.
    pub(super) fn worth(self) -> Worth {
        match self {
            Self::Blob(blob) => match blob.as_slice() {
                [tag::QUOTIENT, shown, digits @ ..] => Worth::quotient(Number::parse(digits), u32::from(*shown)),
                _ => Worth::Plain(Self::Blob(blob).value()),
            },
            plain => Worth::Plain(plain.value()),
        }
    }

    /// How many bytes it has beside what every value takes.
    pub fn length(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) | Self::Double(_) => 0,
            Self::Text(text) => text.len(),
            Self::Blob(blob) => blob.len(),
        }
    }

    /// The value again. A blob without a known tag cannot come up, and is bytes.
    pub fn value(self) -> Value {
        let blob = match self {
            Self::Null => return Value::Null,
            Self::Int(n) => return Value::Int(n),
            Self::Double(d) => return Value::Double(d),
            Self::Text(text) => return Value::Text(text),
            Self::Blob(blob) => blob,
        };
        let Some((tag, rest)) = blob.split_first() else { return Value::Bytes(Bytes::new()) };
        let eight = || <[u8; 8]>::try_from(rest).map_or(0, u64::from_be_bytes);
        match *tag {
            tag::QUOTIENT => Self::Blob(blob).worth().value(),
            tag::DECIMAL => Value::Decimal(String::from_utf8_lossy(rest).into_owned()),
            tag::JSON => Value::Json(Bytes::copy_from_slice(rest)),
            tag::TIME => Value::DateTime(Micros((eight() ^ (1 << 63)).cast_signed())),
            tag::UNSIGNED => Value::UInt(eight()),
            _ => Value::Bytes(Bytes::copy_from_slice(rest)),
        }
    }
}

/// A value as a result column of this type gives it.
pub(super) fn typed(value: Value, ty: ColumnType, decimals: u8) -> Result<Value, SqlError> {
    let cast =
        |value: Value, to| Expression::<NoLeaf>::Cast(Box::new(Expression::Constant(value)), to).evaluate(&NoLeaf);
    Ok(match (ty, value) {
        (_, Value::Null) => Value::Null,
        (ColumnType::UnsignedBigInt, Value::Int(n)) => {
            Value::UInt(u64::try_from(n).map_err(|_| out_of_range("BIGINT UNSIGNED"))?)
        }
        (ColumnType::Decimal, value @ (Value::Int(_) | Value::UInt(_) | Value::Double(_))) => {
            cast(value, CastType::Decimal { precision: MAX_PRECISION, scale: decimals.into() })?
        }
        (ColumnType::Double, value @ (Value::Int(_) | Value::UInt(_) | Value::Decimal(_))) => {
            cast(value, CastType::Double)?
        }
        (ColumnType::Text, value @ (Value::Text(_) | Value::Bytes(_))) => value,
        (ColumnType::Text, other) => text_of(&other).map_or(Value::Null, Value::Text),
        (ColumnType::DateTime | ColumnType::Date, value @ (Value::Text(_) | Value::Bytes(_))) => {
            cast(value, CastType::DateTime(6))?
        }
        (_, value) => value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_and_times_keep_their_order() {
        let values = [
            Value::Null,
            Value::Int(-5),
            Value::UInt(u64::MAX),
            Value::Double(0.5),
            Value::Decimal("-12.50".into()),
            Value::Text("ä".into()),
            Value::Bytes(Bytes::from_static(b"\xff")),
            Value::Json("{}".into()),
            Value::DateTime(Micros(-1)),
        ];
        for value in values {
            assert_eq!(Packed::of(&value).value(), value);
        }
        let packed = |n| match Packed::of(&Value::DateTime(Micros(n))) {
            Packed::Blob(blob) => blob,
            other => panic!("{other:?}"),
        };
        assert!(packed(-2) < packed(-1) && packed(-1) < packed(0) && packed(0) < packed(1));
    }

    #[test]
    fn numbers_take_the_type_of_their_column() {
        let typed = |value, ty| typed(value, ty, 2).unwrap();
        assert_eq!(typed(Value::Int(1), ColumnType::UnsignedBigInt), Value::UInt(1));
        assert_eq!(super::typed(Value::Int(-1), ColumnType::UnsignedBigInt, 0), Err(out_of_range("BIGINT UNSIGNED")));
        assert_eq!(typed(Value::Int(1), ColumnType::Decimal), Value::Decimal("1.00".into()));
        assert_eq!(typed(Value::Int(1), ColumnType::Text), Value::Text("1".into()));
        assert_eq!(typed(Value::Decimal("1.5".into()), ColumnType::Double), Value::Double(1.5));
    }
}
