//! The parameters of an execution.

use bytes::Bytes;
use cellgate_schemaless::calendar::Civil;
use cellgate_sql::{Parameters, TimeType, Value};
use mysql_common::constants::ColumnType as WireType;

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

    /// Reads a value of this type; with it comes what of a time is shown, if that is less than there is.
    fn value(self, fields: &mut Reader) -> Result<(Value, Option<TimeType>), Malformed> {
        let value = match self.kind {
            Kind::Null => Value::Null,
            Kind::Integer(width) => self.integer(fields, width)?,
            Kind::Float => Value::Double(f64::from(f32::from_bits(fields.u32()?))),
            Kind::Double => Value::Double(f64::from_bits(fields.u64()?)),
            Kind::Decimal | Kind::Text | Kind::Bytes => self.string(fields.lenenc_bytes()?),
            Kind::Date | Kind::DateTime => return self.date(fields),
            Kind::Time => return Ok((time(fields)?, Some(TimeType::Clock))),
        };
        Ok((value, None))
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

    /// A date or time that the calendar has becomes one, what it does not have (`0000-00-00`) its text. A clock without a
    /// fraction, or with one of nothing, is one of whole seconds. One with an offset from UTC becomes its text with it,
    /// which the session reads by its time zone.
    fn date(self, fields: &mut Reader) -> Result<(Value, Option<TimeType>), Malformed> {
        let length = fields.u8()?;
        let mut civil = Civil::default();
        if length >= 4 {
            (civil.year, civil.month, civil.day) = (fields.u16()?.into(), fields.u8()?.into(), fields.u8()?.into());
        }
        if length >= 7 {
            (civil.hour, civil.minute, civil.second) = (fields.u8()?.into(), fields.u8()?.into(), fields.u8()?.into());
        }
        if length >= 11 {
            civil.micros = fields.u32()?.into();
        }
        let offset = if length >= 13 { Some(offset_text(fields.u16()?.cast_signed())?) } else { None };
        if !matches!(length, 0 | 4 | 7 | 11 | 13) {
            return Err(Malformed);
        }
        let ty = match (self.kind, length) {
            (Kind::Date, _) => Some(TimeType::Date),
            (_, 11 | 13) if civil.micros != 0 => None,
            (_, _) => Some(TimeType::Seconds),
        };
        if let Some(offset) = offset.filter(|_| self.kind != Kind::Date) {
            return Ok((Value::Text((time_text(civil.to_string(), ty) + &offset).into()), None));
        }
        if ty == Some(TimeType::Date) {
            let Civil { year, month, day, .. } = civil;
            civil = Civil { year, month, day, ..Civil::default() };
        }
        Ok(match civil.micros() {
            Some(at) => (Value::DateTime(at), ty),
            None => (Value::Text(time_text(civil.to_string(), ty).into()), None),
        })
    }
}

/// As much of the text of a time as its type shows.
fn time_text(mut text: String, ty: Option<TimeType>) -> String {
    text.truncate(match ty {
        Some(TimeType::Date) => "YYYY-MM-DD".len(),
        Some(TimeType::Seconds) => "YYYY-MM-DD hh:mm:ss".len(),
        Some(TimeType::Clock) | None => text.len(),
    });
    text
}

/// An offset from UTC in minutes, as text: `+05:30`.
///
/// # Errors
/// One that no time zone has: MySQL knows those from -13:59 to +14:00.
fn offset_text(minutes: i16) -> Result<String, Malformed> {
    if !(-(14 * 60 - 1)..=14 * 60).contains(&minutes) {
        return Err(Malformed);
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    Ok(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
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

/// What a client said about a statement besides its text: name and value, in their order. Only told on: the process
/// list and the slow-query log show them.
pub type Attributes = Vec<(String, String)>;

/// Most attributes of one statement, and most bytes kept of a value. They are for tracing ids and the like, and gone with the
/// statement.
const STATEMENT_ATTRIBUTES: usize = 64;
const STATEMENT_ATTRIBUTE_BYTES: usize = 1024;

/// Whether parameters come with their number and names, which is how attributes travel (QUERY_ATTRIBUTES).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// As ever: the statement's parameters, without names.
    Bare,
    /// With names; if the statement has no parameters, only when the client says so.
    Named { counted: bool },
}

/// The types a client gave with an execution, which it need not repeat.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// As they were sent, of an execution without names: most clients give the same with every execution.
    sent: Bytes,
    types: Vec<ParamType>,
    /// The names of those beyond the statement's own parameters.
    attributes: Vec<String>,
}

impl Declared {
    /// Forgets the names of attributes; the types stay.
    pub(super) fn forget_names(&mut self) {
        self.attributes = Vec::new();
    }

    /// About how many bytes the names of attributes take.
    pub(super) fn attribute_bytes(&self) -> usize {
        self.attributes.iter().map(|name| name.capacity() + size_of::<String>()).sum()
    }
}

/// What an execution is given.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Bound {
    pub(super) values: Parameters,
    pub(super) attributes: Attributes,
}

/// Reads the parameters of a statement that has `own` of them, and attributes behind them. `declared` are the types of
/// the last execution, and replaced if the client gives new ones.
///
/// # Errors
/// What the client is told: 1835 for bytes that cannot be read, 1210 for types that were never given.
pub(super) fn params(
    mut fields: Reader,
    own: u16,
    declared: &mut Declared,
    mut long_data: LongData,
    naming: Naming,
) -> Result<Bound, ErrorReply> {
    let malformed = |Malformed| ErrorReply::malformed();
    let count = match naming {
        Naming::Bare => own,
        Naming::Named { counted: false } if own == 0 => 0,
        Naming::Named { .. } => count(&mut fields).map_err(malformed)?,
    };
    let Some(attributes) = count.checked_sub(own).map(usize::from) else { return Err(ErrorReply::wrong_arguments()) };
    if attributes > STATEMENT_ATTRIBUTES {
        return Err(ErrorReply::malformed());
    }
    if count == 0 {
        return Ok(Bound::default());
    }
    let nulls = fields.bytes(usize::from(count).div_ceil(8)).map_err(malformed)?;
    if fields.u8().map_err(malformed)? == 1 {
        redeclare(declared, &mut fields, count, own, naming).map_err(malformed)?;
    }
    // There may be more: those of attributes that came with an execution before, and not with this one.
    if declared.types.len() < usize::from(count) {
        return Err(ErrorReply::wrong_arguments());
    }
    let mut bound = Bound { values: Parameters::with_capacity(usize::from(own)), attributes: Vec::new() };
    for (param, ty) in (0..count).zip(declared.types.iter()) {
        let null = nulls[usize::from(param / 8)] & (1 << (param % 8)) != 0;
        let (value, time) = match long_data.take(param) {
            // Sent ahead: nothing of it is in this packet, whatever the bit says.
            Some(bytes) => (ty.string(bytes), None),
            None if null => (Value::Null, None),
            None => ty.value(&mut fields).map_err(malformed)?,
        };
        match param.checked_sub(own) {
            None => bound.values.push(value, time),
            Some(place) => {
                // Names that were too many are not kept.
                let name = declared.attributes.get(usize::from(place)).cloned().unwrap_or_default();
                bound.attributes.push((name, shown(&value, time)))
            }
        }
    }
    Ok(bound)
}

/// Reads the attributes in front of the text of a QUERY.
pub(super) fn query_attributes(fields: &mut Reader) -> Result<Attributes, Malformed> {
    let count = count(fields)?;
    let _sets_always_one = fields.lenenc()?;
    if count == 0 {
        return Ok(Attributes::new());
    }
    if usize::from(count) > STATEMENT_ATTRIBUTES {
        return Err(Malformed);
    }
    let nulls = fields.bytes(usize::from(count).div_ceil(8))?;
    if fields.u8()? != 1 {
        // There is no execution before this one that could have declared them.
        return Err(Malformed);
    }
    let declared = declare(fields, count, 0, Naming::Named { counted: true })?;
    let mut attributes = Attributes::with_capacity(usize::from(count));
    for ((place, ty), name) in (0..count).zip(&declared.types).zip(declared.attributes) {
        let null = nulls[usize::from(place / 8)] & (1 << (place % 8)) != 0;
        let (value, time) = if null { (Value::Null, None) } else { ty.value(fields)? };
        attributes.push((name, shown(&value, time)));
    }
    Ok(attributes)
}

fn count(fields: &mut Reader) -> Result<u16, Malformed> {
    u16::try_from(fields.lenenc()?).map_err(|_| Malformed)
}

/// Reads the types again, unless they are what they were.
fn redeclare(
    declared: &mut Declared,
    fields: &mut Reader,
    count: u16,
    own: u16,
    naming: Naming,
) -> Result<(), Malformed> {
    if naming != Naming::Bare {
        *declared = declare(fields, count, own, naming)?;
        return Ok(());
    }
    let length = 2 * usize::from(count);
    if declared.sent.len() == length && fields.starts_with(&declared.sent) {
        return fields.skip(length);
    }
    let sent = fields.bytes(length)?;
    *declared = declare(&mut Reader::new(sent.clone()), count, own, naming)?;
    // A copy: it would keep all of the packet.
    declared.sent = Bytes::copy_from_slice(&sent);
    Ok(())
}

fn declare(fields: &mut Reader, count: u16, own: u16, naming: Naming) -> Result<Declared, Malformed> {
    let mut declared = Declared::default();
    // Two bytes each, at least: checked before room is made for them.
    if fields.len() < 2 * usize::from(count) {
        return Err(Malformed);
    }
    for param in 0..count {
        declared.types.push(ParamType::read(fields)?);
        if naming != Naming::Bare {
            let name = fields.lenenc_bytes()?;
            if param >= own {
                declared.attributes.push(shortened(&name));
            }
        }
    }
    Ok(declared)
}

/// The value of an attribute, as text.
fn shown(value: &Value, time: Option<TimeType>) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Decimal(text) => shortened(text.as_bytes()),
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => shortened(bytes),
        Value::DateTime(micros) => time_text(Civil::nearest(*micros).to_string(), time),
    }
}

fn shortened(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(STATEMENT_ATTRIBUTE_BYTES)]).into_owned();
    // Of each wrong byte it makes three.
    text.truncate(text.floor_char_boundary(STATEMENT_ATTRIBUTE_BYTES));
    text.shrink_to_fit();
    text
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::Micros;

    use super::*;

    #[test]
    fn of_a_time_it_is_known_how_much_was_sent() {
        let read = |code: u8, value: &[u8]| {
            let packet = [&[0, 1, code, 0], value].concat();
            let declared = &mut Declared::default();
            params(Reader::new(packet.into()), 1, declared, LongData::default(), Naming::Bare).unwrap().values
        };
        let one = |micros, time| {
            let mut one = Parameters::default();
            one.push(Value::DateTime(Micros(micros)), time);
            one
        };
        let day = 1_709_164_800_000_000;
        assert_eq!(read(10, &[4, 0xe8, 0x07, 2, 29]), one(day, Some(TimeType::Date)));
        assert_eq!(read(12, &[4, 0xe8, 0x07, 2, 29]), one(day, Some(TimeType::Seconds)));
        assert_eq!(read(7, &[7, 0xe8, 0x07, 2, 29, 0, 0, 1]), one(day + 1_000_000, Some(TimeType::Seconds)));
        // Some clients send a fraction of nothing, others leave it out.
        assert_eq!(
            read(12, &[11, 0xe8, 0x07, 2, 29, 0, 0, 1, 0, 0, 0, 0]),
            one(day + 1_000_000, Some(TimeType::Seconds))
        );
        assert_eq!(read(12, &[11, 0xe8, 0x07, 2, 29, 0, 0, 1, 7, 0, 0, 0]), one(day + 1_000_007, None));
    }

    #[test]
    fn a_time_with_an_offset_is_its_text() {
        let read = |code: u8, micros: u8, minutes: i16| {
            let [low, high] = minutes.to_le_bytes();
            let packet = [0, 1, code, 0, 13, 0xe8, 0x07, 2, 29, 1, 2, 3, micros, 0, 0, 0, low, high];
            let declared = &mut Declared::default();
            let bound = params(Reader::new(packet.to_vec().into()), 1, declared, LongData::default(), Naming::Bare);
            bound.map(|bound| bound.values.to_vec()).map_err(|error| error.code)
        };
        let text = |text: &'static str| Ok(vec![Value::Text(text.into())]);
        assert_eq!(read(12, 0, 330), text("2024-02-29 01:02:03+05:30"));
        assert_eq!(read(7, 7, -90), text("2024-02-29 01:02:03.000007-01:30"));
        assert_eq!(read(12, 0, 840), text("2024-02-29 01:02:03+14:00"));
        assert_eq!(read(12, 0, -839), text("2024-02-29 01:02:03-13:59"));
        assert_eq!(read(10, 0, 330), Ok(vec![Value::DateTime(Micros(1_709_164_800_000_000))]), "a day has none");
        for none in [841, -840, i16::MIN] {
            assert_eq!(read(12, 0, none), Err(1835), "{none}");
        }
    }

    #[test]
    fn a_time_of_day_is_told_from_text() {
        let packet = [0, 1, 11, 0, 8, 1, 1, 0, 0, 0, 2, 3, 4];
        let declared = &mut Declared::default();
        let read = params(Reader::new(packet.to_vec().into()), 1, declared, LongData::default(), Naming::Bare).unwrap();
        let mut one = Parameters::default();
        one.push(Value::Text("-26:03:04".into()), Some(TimeType::Clock));
        assert_eq!(read.values, one);
    }

    #[test]
    fn an_attribute_shows_as_much_of_a_time() {
        let at = Value::DateTime(Micros(1_709_164_800_000_000));
        assert_eq!(shown(&at, Some(TimeType::Date)), "2024-02-29");
        assert_eq!(shown(&at, Some(TimeType::Seconds)), "2024-02-29 00:00:00");
        assert_eq!(shown(&at, None), "2024-02-29 00:00:00.000000");
    }
}
