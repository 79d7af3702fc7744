//! Rows of the text protocol: every value as the text a human would read.

use std::io::Write as _;

use cellgate_schemaless::Micros;
use cellgate_schemaless::calendar::Civil;
use cellgate_sql::{CellValue, ColumnType, Value};
use mysql_common::io::BufMutExt as _;

use super::value_binary::{double, integer};

/// Digits behind the point of a time's second, if nothing else is said.
pub(super) const MOST_DIGITS: u8 = 6;
/// NULL in place of a length.
const NULL: u8 = 0xfb;

/// Appends a value behind its length, or NULL.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        // No number of SQL; MySQL has NULL where others have these.
        Value::Double(number) if !number.is_finite() => out.push(NULL),
        Value::Decimal(text) => out.put_lenenc_str(text.as_bytes()),
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => out.put_lenenc_str(bytes),
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::DateTime(_) => {
            let start = out.len();
            out.push(0);
            write_short(out, value);
            // Numbers and times are far shorter than 251 bytes.
            out[start] = (out.len() - start - 1) as u8;
        }
    }
}

/// Most bytes of a length.
pub(super) const LENGTH: usize = 9;

/// Appends a value of a cell as [`write_value`] does any.
pub(super) fn write_cell_value(out: &mut Vec<u8>, value: CellValue) {
    match value {
        CellValue::Null => out.push(NULL),
        CellValue::Bytes(bytes) => write_bytes(out, bytes),
        CellValue::Int(number) => write_value(out, &Value::Int(number)),
        CellValue::DateTime(micros) => write_value(out, &Value::DateTime(micros)),
    }
}

/// Appends bytes behind their length.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(short @ ..NULL) => out.push(short),
        Ok(_) | Err(_) => out.put_lenenc_int(bytes.len() as u64),
    }
    out.extend_from_slice(bytes);
}

/// In place of the digits of a column whose times are dates.
pub(super) const DATE: u8 = u8::MAX;

/// The same for a column whose times have so many digits behind the point. Digits that are not zero are never left out.
pub(super) fn write_timed(out: &mut Vec<u8>, value: &Value, digits: u8) {
    let Value::DateTime(micros) = value else { return write_value(out, value) };
    let start = out.len();
    out.push(0);
    write_datetime(out, *micros);
    let mut end = if digits == DATE { start + 1 + "YYYY-MM-DD".len() } else { out.len() };
    for _ in digits..6 {
        if out[end - 1] != b'0' {
            break;
        }
        end -= 1;
    }
    if out[end - 1] == b'.' {
        end -= 1;
    }
    out.truncate(end);
    out[start] = (end - start - 1) as u8;
}

/// Appends a value in the form of its column's type, whose times have so many digits behind the point; `None`, with
/// nothing appended, if the type cannot carry it.
pub(super) fn write_field(out: &mut Vec<u8>, ty: ColumnType, value: &Value, digits: u8) -> Option<()> {
    match (ty, value) {
        (_, Value::Null)
        | (ColumnType::BigInt, Value::Int(_))
        | (ColumnType::UnsignedBigInt, Value::UInt(_))
        | (ColumnType::Double, Value::Double(_))
        | (ColumnType::Decimal | ColumnType::Text | ColumnType::Bytes | ColumnType::Json, _) => {
            write_timed(out, value, digits);
        }
        (ColumnType::DateTime | ColumnType::Date, Value::DateTime(_)) | (ColumnType::Time, Value::Text(_)) => {
            write_timed(out, value, digits);
        }
        (ColumnType::BigInt, value) => write_value(out, &Value::Int(integer(value)?.try_into().ok()?)),
        (ColumnType::UnsignedBigInt, value) => write_value(out, &Value::UInt(integer(value)?.try_into().ok()?)),
        (ColumnType::Double, value) => {
            double(value)?;
            write_value(out, value);
        }
        (ColumnType::Null | ColumnType::DateTime | ColumnType::Date | ColumnType::Time, _) => return None,
    }
    Some(())
}

/// Appends the text of a value without its length; nothing for NULL.
pub(super) fn write_short(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => {}
        // Writing to a Vec does not fail.
        Value::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Value::UInt(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Double(number) => write_double(out, *number),
        Value::Decimal(text) => out.extend_from_slice(text.as_bytes()),
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => out.extend_from_slice(bytes),
        Value::DateTime(micros) => write_datetime(out, *micros),
    }
}

/// Appends a time as text, `2024-02-29 12:30:00.000001`; one that DATETIME cannot say as the nearest one it can.
pub(super) fn write_datetime(out: &mut Vec<u8>, at: Micros) {
    // Not by `Civil`'s own text, which would be formatted within a format, once for every time in a result.
    let Civil { year, month, day, hour, minute, second, micros } = Civil::nearest(at);
    // Writing to a Vec does not fail.
    let _ = write!(out, "{:04}-{:02}-{:02}", year as u16, month as u8, day as u8);
    let _ = write!(out, " {:02}:{:02}:{:02}.{:06}", hour as u8, minute as u8, second as u8, micros as u32);
}

/// The shortest text that reads back as the same number; with an exponent where MySQL has one, from 1e15 on and below
/// 1e-15.
fn write_double(out: &mut Vec<u8>, number: f64) {
    let size = number.abs();
    let _ =
        if size != 0.0 && !(1e-15..1e15).contains(&size) { write!(out, "{number:e}") } else { write!(out, "{number}") };
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cellgate_schemaless::Micros;

    use super::*;

    fn text(value: &Value) -> Option<String> {
        let mut out = Vec::new();
        write_value(&mut out, value);
        if out == [NULL] {
            return None;
        }
        assert_eq!(usize::from(out[0]), out.len() - 1);
        Some(String::from_utf8(out[1..].to_vec()).unwrap())
    }

    #[test]
    fn values_are_written_as_mysql_writes_them() {
        let expected = [
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::UInt(u64::MAX), "18446744073709551615"),
            (Value::Double(0.0), "0"),
            (Value::Double(1.5), "1.5"),
            (Value::Double(-0.1), "-0.1"),
            (Value::Double(1e14), "100000000000000"),
            (Value::Double(1e15), "1e15"),
            (Value::Double(1.25e-16), "1.25e-16"),
            (Value::Double(f64::MAX), "1.7976931348623157e308"),
            (Value::Decimal("-12.50".to_owned()), "-12.50"),
            (Value::Text(Bytes::from_static("hällo".as_bytes())), "hällo"),
            (Value::Json(Bytes::from_static(b"{\"a\": 1}")), "{\"a\": 1}"),
            (Value::Bytes(Bytes::from_static(b"")), ""),
            (Value::DateTime(Micros(0)), "1970-01-01 00:00:00.000000"),
        ];
        for (value, expected) in expected {
            assert_eq!(text(&value).as_deref(), Some(expected));
        }
        assert_eq!(text(&Value::Null), None);
        assert_eq!(text(&Value::Double(f64::NAN)), None);
        assert_eq!(text(&Value::Double(f64::INFINITY)), None);
    }

    #[test]
    fn a_time_has_as_many_digits_as_its_column_and_none_is_lost() {
        for (micros, digits, text) in [
            (0, 0, "1970-01-01 00:00:00"),
            (0, 3, "1970-01-01 00:00:00.000"),
            (10, 0, "1970-01-01 00:00:00.00001"),
            (1_500_000, 0, "1970-01-01 00:00:01.5"),
            (1_500_000, 3, "1970-01-01 00:00:01.500"),
            (1_500_000, 6, "1970-01-01 00:00:01.500000"),
            (10_000_000, 0, "1970-01-01 00:00:10"),
        ] {
            let mut out = Vec::new();
            write_timed(&mut out, &Value::DateTime(Micros(micros)), digits);
            assert_eq!(usize::from(out[0]), text.len());
            assert_eq!(std::str::from_utf8(&out[1..]).unwrap(), text);
        }
        let mut out = Vec::new();
        let mut date = Vec::new();
        write_timed(&mut date, &Value::DateTime(Micros(0)), DATE);
        assert_eq!(date, b"\x0a1970-01-01");
        write_timed(&mut out, &Value::Int(100), 0);
        assert_eq!(out, b"\x03100");
    }

    #[test]
    fn a_value_of_another_type_is_converted_if_nothing_is_lost() {
        let one = |ty, value: Value| {
            let mut out = Vec::new();
            let written = write_field(&mut out, ty, &value, 6);
            assert!(written.is_some() || out.is_empty());
            written.map(|()| String::from_utf8_lossy(&out[1..]).into_owned())
        };
        let decimal = |text: &str| Value::Decimal(text.to_owned());
        for (ty, value, expected) in [
            (ColumnType::BigInt, decimal("-7.000000"), Some("-7")),
            (ColumnType::BigInt, Value::UInt(5), Some("5")),
            (ColumnType::UnsignedBigInt, Value::Int(5), Some("5")),
            (ColumnType::Double, decimal("1.50"), Some("1.50")),
            (ColumnType::Decimal, Value::Int(5), Some("5")),
            (ColumnType::Text, Value::Int(5), Some("5")),
            (ColumnType::BigInt, decimal("1.5"), None),
            (ColumnType::BigInt, decimal("12345678901234567890"), None),
            (ColumnType::BigInt, Value::UInt(u64::MAX), None),
            (ColumnType::UnsignedBigInt, Value::Int(-1), None),
            (ColumnType::Double, Value::Text(Bytes::from_static(b"x")), None),
            (ColumnType::DateTime, decimal("0.000000"), None),
            (ColumnType::Null, Value::Int(1), None),
        ] {
            assert_eq!(one(ty, value.clone()).as_deref(), expected, "{ty:?} {value:?}");
        }
    }
}
