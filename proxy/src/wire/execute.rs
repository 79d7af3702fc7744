//! The parameters of an execution.

use bytes::Bytes;
use cellgate_sql::Value;
use mysql_common::constants::ColumnType as WireType;

use super::datetime::Civil;
use super::error::ErrorReply;
use super::reader::{Malformed, Reader};
use super::statements::LongData;

/// The type a client binds a parameter with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParamType {
    kind: Kind,
    unsigned: bool,
}

/// How the value of a parameter is written, and what is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    /// An integer of so many bytes.
    Integer(u8),
    Float,
    Double,
    Decimal,
    /// A string in a character set; JSON too, which nobody has checked yet.
    Text,
    /// A string of bytes.
    Bytes,
    Date,
    DateTime,
    Time,
}

impl ParamType {
    fn read(fields: &mut Reader) -> Result<Self, Malformed> {
        let code = WireType::try_from(fields.u8()?).map_err(|_| Malformed)?;
        let unsigned = fields.u8()? & 0x80 != 0;
        let kind = match code {
            WireType::MYSQL_TYPE_NULL => Kind::Null,
            WireType::MYSQL_TYPE_TINY => Kind::Integer(1),
            WireType::MYSQL_TYPE_SHORT | WireType::MYSQL_TYPE_YEAR => Kind::Integer(2),
            WireType::MYSQL_TYPE_LONG | WireType::MYSQL_TYPE_INT24 => Kind::Integer(4),
            WireType::MYSQL_TYPE_LONGLONG => Kind::Integer(8),
            WireType::MYSQL_TYPE_FLOAT => Kind::Float,
            WireType::MYSQL_TYPE_DOUBLE => Kind::Double,
            WireType::MYSQL_TYPE_DECIMAL | WireType::MYSQL_TYPE_NEWDECIMAL => Kind::Decimal,
            WireType::MYSQL_TYPE_VARCHAR
            | WireType::MYSQL_TYPE_VAR_STRING
            | WireType::MYSQL_TYPE_STRING
            | WireType::MYSQL_TYPE_ENUM
            | WireType::MYSQL_TYPE_SET
            | WireType::MYSQL_TYPE_JSON => Kind::Text,
            WireType::MYSQL_TYPE_TINY_BLOB
            | WireType::MYSQL_TYPE_MEDIUM_BLOB
            | WireType::MYSQL_TYPE_LONG_BLOB
            | WireType::MYSQL_TYPE_BLOB
            | WireType::MYSQL_TYPE_BIT
            | WireType::MYSQL_TYPE_GEOMETRY => Kind::Bytes,
            WireType::MYSQL_TYPE_DATE | WireType::MYSQL_TYPE_NEWDATE => Kind::Date,
            WireType::MYSQL_TYPE_DATETIME | WireType::MYSQL_TYPE_TIMESTAMP => Kind::DateTime,
            WireType::MYSQL_TYPE_TIME => Kind::Time,
            WireType::MYSQL_TYPE_TIMESTAMP2
            | WireType::MYSQL_TYPE_DATETIME2
            | WireType::MYSQL_TYPE_TIME2
            | WireType::MYSQL_TYPE_TYPED_ARRAY
            | WireType::MYSQL_TYPE_VECTOR
            | WireType::MYSQL_TYPE_UNKNOWN => return Err(Malformed),
        };
        Ok(Self { kind, unsigned })
    }

    /// Reads a value of this type.
    fn value(self, fields: &mut Reader) -> Result<Value, Malformed> {
        Ok(match self.kind {
            Kind::Null => Value::Null,
            Kind::Integer(width) => self.integer(fields, width)?,
            Kind::Float => Value::Double(f64::from(f32::from_bits(fields.u32()?))),
            Kind::Double => Value::Double(f64::from_bits(fields.u64()?)),
            Kind::Decimal | Kind::Text | Kind::Bytes => self.string(fields.lenenc_bytes()?),
            Kind::Date | Kind::DateTime => self.date(fields)?,
            Kind::Time => time(fields)?,
        })
    }

    fn integer(self, fields: &mut Reader, width: u8) -> Result<Value, Malformed> {
        let bits = match width {
            1 => u64::from(fields.u8()?),
            2 => u64::from(fields.u16()?),
            4 => u64::from(fields.u32()?),
            _ => fields.u64()?,
        };
        if self.unsigned {
            return Ok(Value::UInt(bits));
        }
        let unused = 64 - 8 * u32::from(width);
        Ok(Value::Int((bits as i64) << unused >> unused))
    }

    /// What a string is a value of. A long one of any type is a string too.
    fn string(self, bytes: Bytes) -> Value {
        match self.kind {
            Kind::Bytes => Value::Bytes(bytes),
            Kind::Decimal => match std::str::from_utf8(&bytes) {
                Ok(text) if is_decimal(text) => Value::Decimal(text.to_owned()),
                Ok(_) => Value::Text(bytes),
                Err(_) => Value::Bytes(bytes),
            },
            Kind::Null
            | Kind::Integer(_)
            | Kind::Float
            | Kind::Double
            | Kind::Text
            | Kind::Date
            | Kind::DateTime
            | Kind::Time => {
                // Some drivers bind bytes with a text type.
                if std::str::from_utf8(&bytes).is_ok() { Value::Text(bytes) } else { Value::Bytes(bytes) }
            }
        }
    }

    /// A time that the calendar has becomes one; a date, and what the calendar does not have (`0000-00-00`), its text.
    fn date(self, fields: &mut Reader) -> Result<Value, Malformed> {
        let length = fields.u8()?;
        let mut civil = Civil::default();
        if length >= 4 {
            (civil.year, civil.month, civil.day) = (fields.u16()?, fields.u8()?, fields.u8()?);
        }
        if length >= 7 {
            (civil.hour, civil.minute, civil.second) = (fields.u8()?, fields.u8()?, fields.u8()?);
        }
        if length >= 11 {
            civil.micros = fields.u32()?;
        }
        if !matches!(length, 0 | 4 | 7 | 11) {
            return Err(Malformed);
        }
        let mut text = Vec::new();
        if self.kind == Kind::Date {
            civil.write_date(&mut text);
        } else if let Some(micros) = civil.to_micros() {
            return Ok(Value::DateTime(micros));
        } else {
            civil.write(&mut text);
        }
        Ok(Value::Text(text.into()))
    }
}

/// A duration, as text: `-838:59:59`, or `00:00:00.500000` if it has a fraction.
fn time(fields: &mut Reader) -> Result<Value, Malformed> {
    let length = fields.u8()?;
    if length == 0 {
        return Ok(Value::Text(Bytes::from_static(b"00:00:00")));
    }
    if !matches!(length, 8 | 12) {
        return Err(Malformed);
    }
    let sign = if fields.u8()? == 0 { "" } else { "-" };
    let days = u64::from(fields.u32()?);
    let (hours, minutes, seconds) = (u64::from(fields.u8()?), fields.u8()?, fields.u8()?);
    let hours = days * 24 + hours;
    let text = if length == 12 {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{:06}", fields.u32()?)
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
    };
    Ok(Value::Text(text.into()))
}

/// Digits, perhaps with a sign and a point.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && whole.len() + fraction.len() > 0
}

/// Reads `count` parameters. `types` are those of the last execution, and replaced if the client gives new ones.
///
/// # Errors
/// What the client is told: 1835 for bytes that cannot be read, 1210 for types that were never given.
pub(super) fn params(
    mut fields: Reader,
    count: u16,
    types: &mut Vec<ParamType>,
    mut long_data: LongData,
) -> Result<Vec<Value>, ErrorReply> {
    let malformed = |Malformed| ErrorReply::malformed();
    if count == 0 {
        return Ok(Vec::new());
    }
    let nulls = fields.bytes(usize::from(count).div_ceil(8)).map_err(malformed)?;
    if fields.u8().map_err(malformed)? == 1 {
        // Two bytes each: checked before room is made for them.
        if fields.len() < 2 * usize::from(count) {
            return Err(ErrorReply::malformed());
        }
        let new: Result<Vec<_>, Malformed> = (0..count).map(|_| ParamType::read(&mut fields)).collect();
        *types = new.map_err(malformed)?;
    }
    if types.len() != usize::from(count) {
        return Err(ErrorReply::wrong_arguments());
    }
    let mut values = Vec::with_capacity(types.len());
    for (param, ty) in (0..count).zip(types.iter()) {
        let null = nulls[usize::from(param / 8)] & (1 << (param % 8)) != 0;
        values.push(match long_data.take(param) {
            // Sent ahead: nothing of it is in this packet, whatever the bit says.
            Some(bytes) => ty.string(bytes),
            None if null => Value::Null,
            None => ty.value(&mut fields).map_err(malformed)?,
        });
    }
    Ok(values)
}
