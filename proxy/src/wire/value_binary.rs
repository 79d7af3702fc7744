//! Rows of the binary protocol: every value in the form of its column's type.

use bytes::BufMut;
use cellgate_schemaless::calendar::Civil;
use cellgate_sql::{CellValue, ColumnType, Value, clock_micros};

use super::value_text::{LENGTH, write_bytes, write_short, write_value};

/// A value that its column's type cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// The column, from 0.
    pub(super) column: usize,
}

/// Appends a row of as many values as there are columns.
pub(super) fn write_row(out: &mut Vec<u8>, columns: &[ColumnType], values: &[Value]) -> Result<(), Unfit> {
    out.push(0);
    let bitmap = out.len();
    // The first two bits are unused.
    out.resize(bitmap + (columns.len() + 2).div_ceil(8), 0);
    for (column, (ty, value)) in columns.iter().zip(values).enumerate() {
        if is_null(value) {
            let bit = column + 2;
            out[bitmap + bit / 8] |= 1 << (bit % 8);
        } else {
            write_field(out, *ty, value).ok_or(Unfit { column })?;
        }
    }
    Ok(())
}

/// The same of the values of a cell.
pub(super) fn write_cell(out: &mut Vec<u8>, columns: &[ColumnType], values: &[CellValue]) -> Result<(), Unfit> {
    out.reserve(room(values));
    out.push(0);
    let bitmap = out.len();
    out.resize(bitmap + (columns.len() + 2).div_ceil(8), 0);
    for (column, (ty, value)) in columns.iter().zip(values).enumerate() {
        match (*ty, *value) {
            (_, CellValue::Null) => {
                let bit = column + 2;
                out[bitmap + bit / 8] |= 1 << (bit % 8);
            }
            (ColumnType::BigInt, CellValue::Int(number)) => out.extend_from_slice(&number.to_le_bytes()),
            (ColumnType::UnsignedBigInt, CellValue::Int(number @ 0..)) => out.extend_from_slice(&number.to_le_bytes()),
            (ColumnType::Text | ColumnType::Bytes | ColumnType::Json, CellValue::Bytes(bytes)) => {
                write_bytes(out, bytes);
            }
            (ColumnType::DateTime, CellValue::DateTime(micros)) => write_datetime(out, Civil::nearest(micros)),
            (_, CellValue::Int(_) | CellValue::Bytes(_) | CellValue::DateTime(_)) => return Err(Unfit { column }),
        }
    }
    Ok(())
}

/// How many bytes the values take at most, in this protocol or as text.
pub(super) fn room(values: &[CellValue]) -> usize {
    let each = |value: &CellValue| match value {
        CellValue::Bytes(bytes) => LENGTH + bytes.len(),
        // As text: with a sign, a time with its length and six digits behind the point.
        CellValue::Null | CellValue::Int(_) | CellValue::DateTime(_) => 28,
    };
    values.iter().map(each).sum::<usize>() + 1 + (values.len() + 2).div_ceil(8)
}

fn is_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        // As in the text protocol.
        Value::Double(number) => !number.is_finite(),
        Value::Int(_)
        | Value::UInt(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::DateTime(_) => false,
    }
}

fn write_field(out: &mut Vec<u8>, ty: ColumnType, value: &Value) -> Option<()> {
    match ty {
        ColumnType::Null => return None,
        ColumnType::BigInt => out.put_i64_le(integer(value)?.try_into().ok()?),
        ColumnType::UnsignedBigInt => out.put_u64_le(integer(value)?.try_into().ok()?),
        ColumnType::Double => out.put_f64_le(double(value)?),
        ColumnType::Decimal | ColumnType::Text | ColumnType::Bytes | ColumnType::Json => write_value(out, value),
        ColumnType::Time => write_clock(out, clock_micros(text(value)?.as_bytes())?),
        ColumnType::DateTime | ColumnType::Date => match value {
            Value::DateTime(micros) => write_datetime(out, Civil::nearest(*micros)),
            Value::Null
            | Value::Int(_)
            | Value::UInt(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Json(_) => return None,
        },
    }
    Some(())
}

/// A whole number, if it is one: a column's type is known before its values, which an expression may make of another.
pub(super) fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::UInt(number) => Some(i128::from(*number)),
        Value::Double(number) => (number.trunc() == *number && number.abs() < 1e19).then_some(*number as i128),
        Value::Decimal(_) | Value::Text(_) | Value::Bytes(_) | Value::Json(_) => {
            let text = text(value)?;
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            if fraction.bytes().all(|digit| digit == b'0') { whole.parse().ok() } else { None }
        }
        Value::Null | Value::DateTime(_) => None,
    }
}

pub(super) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::UInt(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::Decimal(_) | Value::Text(_) | Value::Bytes(_) | Value::Json(_) => {
            text(value)?.parse().ok().filter(|number: &f64| number.is_finite())
        }
        Value::Null | Value::DateTime(_) => None,
    }
}

fn text(value: &Value) -> Option<String> {
    let mut bytes = Vec::new();
    write_short(&mut bytes, value);
    String::from_utf8(bytes).ok()
}

/// A TIME of so many microseconds, as short as MySQL writes it.
fn write_clock(out: &mut Vec<u8>, micros: i64) {
    const SECOND: u64 = 1_000_000;
    let (negative, micros) = (u8::from(micros < 0), micros.unsigned_abs());
    let (seconds, fraction) = (micros / SECOND, micros % SECOND);
    if micros == 0 {
        return out.put_u8(0);
    }
    out.put_u8(if fraction == 0 { 8 } else { 12 });
    out.put_u8(negative);
    // At most 838:59:59.
    out.put_u32_le((seconds / 86_400) as u32);
    out.extend_from_slice(&[(seconds / 3600 % 24) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8]);
    if fraction != 0 {
        out.put_u32_le(fraction as u32);
    }
}

/// As short as MySQL writes it: without the microseconds, or without the time of day, if they are zero.
fn write_datetime(out: &mut Vec<u8>, civil: Civil) {
    let length = if civil.micros != 0 {
        11
    } else if (civil.hour, civil.minute, civil.second) != (0, 0, 0) {
        7
    } else {
        4
    };
    // The years are 0 to 9999, and everything else is smaller than its field.
    let ([y0, y1], [u0, u1, u2, u3]) = ((civil.year as u16).to_le_bytes(), (civil.micros as u32).to_le_bytes());
    let (month, day) = (civil.month as u8, civil.day as u8);
    let (hour, minute, second) = (civil.hour as u8, civil.minute as u8, civil.second as u8);
    let all = [length, y0, y1, month, day, hour, minute, second, u0, u1, u2, u3];
    out.extend_from_slice(&all[..=usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cellgate_schemaless::Micros;
    use proptest::prelude::*;

    use super::*;

    fn row(columns: &[ColumnType], values: &[Value]) -> Result<Vec<u8>, Unfit> {
        let mut out = Vec::new();
        write_row(&mut out, columns, values).map(|()| out)
    }

    #[test]
    fn nulls_are_bits_behind_two_unused_ones() {
        let columns = [ColumnType::BigInt; 7];
        let mut values = vec![Value::Null; 7];
        assert_eq!(row(&columns, &values).unwrap(), [0, 0b1111_1100, 0b1]);
        values[5] = Value::Int(1);
        assert_eq!(row(&columns, &values).unwrap(), [0, 0b0111_1100, 0b1, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(row(&[], &[]).unwrap(), [0, 0]);
        assert_eq!(row(&[ColumnType::Double], &[Value::Double(f64::NAN)]).unwrap(), [0, 0b100]);
    }

    #[test]
    fn a_time_of_day_is_as_long_as_what_it_has() {
        let time =
            |text: &'static str| row(&[ColumnType::Time], &[Value::Text(text.into())]).map(|row| row[2..].to_vec());
        assert_eq!(time("00:00:00").unwrap(), [0]);
        assert_eq!(time("-26:03:04").unwrap(), [8, 1, 1, 0, 0, 0, 2, 3, 4]);
        assert_eq!(time("10:11:12.000007").unwrap(), [12, 0, 0, 0, 0, 0, 10, 11, 12, 7, 0, 0, 0]);
        assert_eq!(time("x"), Err(Unfit { column: 0 }));
    }

    #[test]
    fn the_values_of_a_cell_are_written_as_any_others() {
        let long = vec![b'x'; 70_000];
        let fields = [
            (ColumnType::BigInt, CellValue::Int(-5), Value::Int(-5)),
            (ColumnType::UnsignedBigInt, CellValue::Int(5), Value::UInt(5)),
            (ColumnType::Json, CellValue::Null, Value::Null),
            (ColumnType::Text, CellValue::Bytes(b"key"), Value::Text(Bytes::from_static(b"key"))),
            (ColumnType::Bytes, CellValue::Bytes(b"\xff"), Value::Bytes(Bytes::from_static(b"\xff"))),
            (ColumnType::Json, CellValue::Bytes(&long[..300]), Value::Json(long[..300].to_vec().into())),
            (ColumnType::DateTime, CellValue::DateTime(Micros(1)), Value::DateTime(Micros(1))),
            (ColumnType::Text, CellValue::Bytes(&long), Value::Text(long.clone().into())),
        ];
        let columns = fields.each_ref().map(|(ty, ..)| *ty);
        let (own, any) = (fields.each_ref().map(|(_, own, _)| *own), fields.each_ref().map(|(.., any)| any.clone()));
        let mut out = Vec::new();
        write_cell(&mut out, &columns, &own).unwrap();
        assert_eq!(out, row(&columns, &any).unwrap());
        assert!(out.len() <= room(&own));
        let mut text = [Vec::new(), Vec::new()];
        own.iter().for_each(|value| super::super::value_text::write_cell_value(&mut text[0], *value));
        any.iter().for_each(|value| write_value(&mut text[1], value));
        assert_eq!(text[0], text[1]);
        assert!(text[0].len() <= room(&own));
        for (ty, value) in [(ColumnType::UnsignedBigInt, -1), (ColumnType::Text, 1), (ColumnType::Double, 1)] {
            let unfit = write_cell(&mut Vec::new(), &[ty], &[CellValue::Int(value)]);
            assert_eq!(unfit, Err(Unfit { column: 0 }));
        }
    }

    #[test]
    fn times_are_as_short_as_they_can_be() {
        let time = |micros| row(&[ColumnType::DateTime], &[Value::DateTime(Micros(micros))]).unwrap()[2..].to_vec();
        assert_eq!(time(0), [4, 0xb2, 0x07, 1, 1]);
        assert_eq!(time(1_000_000), [7, 0xb2, 0x07, 1, 1, 0, 0, 1]);
        assert_eq!(time(1), [11, 0xb2, 0x07, 1, 1, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn a_value_of_another_type_is_converted_if_nothing_is_lost() {
        let one = |ty, value: Value| row(&[ty], &[value]).map(|row| row[2..].to_vec());
        let text = |text: &'static str| Value::Text(Bytes::from_static(text.as_bytes()));
        assert_eq!(one(ColumnType::BigInt, Value::UInt(5)), one(ColumnType::BigInt, Value::Int(5)));
        assert_eq!(one(ColumnType::BigInt, Value::Double(5.0)), one(ColumnType::BigInt, Value::Int(5)));
        assert_eq!(one(ColumnType::BigInt, text("-5")), one(ColumnType::BigInt, Value::Int(-5)));
        assert_eq!(
            one(ColumnType::BigInt, Value::Decimal("7.000000".to_owned())),
            one(ColumnType::BigInt, Value::Int(7))
        );
        assert_eq!(
            one(ColumnType::Double, Value::Decimal("1.5".to_owned())),
            one(ColumnType::Double, Value::Double(1.5))
        );
        assert_eq!(one(ColumnType::Text, Value::Int(12)), Ok(vec![2, b'1', b'2']));
        let unfit = Err(Unfit { column: 0 });
        assert_eq!(one(ColumnType::BigInt, Value::UInt(u64::MAX)), unfit);
        assert_eq!(one(ColumnType::UnsignedBigInt, Value::Int(-1)), unfit);
        assert_eq!(one(ColumnType::BigInt, Value::Double(1.5)), unfit);
        assert_eq!(one(ColumnType::BigInt, text("x")), unfit);
        assert_eq!(one(ColumnType::DateTime, Value::Int(1)), unfit);
        assert_eq!(one(ColumnType::Null, Value::Int(1)), unfit);
    }

    fn any_field() -> impl Strategy<Value = (ColumnType, Value)> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        prop_oneof![
            Just((ColumnType::Null, Value::Null)),
            any::<i64>().prop_map(|number| (ColumnType::BigInt, Value::Int(number))),
            any::<u64>().prop_map(|number| (ColumnType::UnsignedBigInt, Value::UInt(number))),
            any::<f64>().prop_map(|number| (ColumnType::Double, Value::Double(number))),
            any::<i32>().prop_map(|number| (ColumnType::Decimal, Value::Decimal(format!("{number}.5")))),
            bytes().prop_map(|bytes| (ColumnType::Text, Value::Text(bytes))),
            bytes().prop_map(|bytes| (ColumnType::Bytes, Value::Bytes(bytes))),
            (-62_167_219_200_000_000_i64..253_402_300_800_000_000)
                .prop_map(|micros| (ColumnType::DateTime, Value::DateTime(Micros(micros)))),
        ]
    }

    proptest! {
        #[test]
        fn a_client_reads_the_row_back(fields in prop::collection::vec((any_field(), any::<bool>()), 1..30)) {
            use mysql_common::io::ParseBuf;
            use mysql_common::packets::Column;
            use mysql_common::proto::{Binary, MyDeserialize};
            use mysql_common::row::RowDeserializer;
            use mysql_common::value::{ServerSide, Value as Read};

            let columns: Vec<ColumnType> = fields.iter().map(|((ty, _), _)| *ty).collect();
            let values: Vec<Value> =
                fields.iter().map(|((_, value), null)| if *null { Value::Null } else { value.clone() }).collect();
            let bytes = row(&columns, &values).unwrap();
            let definitions: Vec<Column> = columns.iter().map(|ty| {
                let mut out = Vec::new();
                super::super::column::write_column(&mut out, &super::super::tests::meta("x", *ty), 45);
                Column::deserialize((), &mut ParseBuf(&out)).unwrap()
            }).collect();
            let mut buffer = ParseBuf(&bytes);
            let read = RowDeserializer::<ServerSide, Binary>::deserialize(definitions.into(), &mut buffer).unwrap();
            prop_assert!(buffer.is_empty());
            let read = mysql_common::row::Row::from(read).unwrap();
            for (value, read) in values.iter().zip(read) {
                let expected = match value {
                    Value::Null => Read::NULL,
                    Value::Double(number) if !number.is_finite() => Read::NULL,
                    Value::Int(number) => Read::Int(*number),
                    // What fits is read as signed.
                    Value::UInt(number) => i64::try_from(*number).map_or(Read::UInt(*number), Read::Int),
                    Value::Double(number) => Read::Double(*number),
                    Value::Decimal(text) => Read::Bytes(text.clone().into_bytes()),
                    Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => Read::Bytes(bytes.to_vec()),
                    Value::DateTime(micros) => {
                        let c = Civil::nearest(*micros);
                        let [month, day, hour, minute, second] =
                            [c.month, c.day, c.hour, c.minute, c.second].map(|field| field as u8);
                        Read::Date(c.year as u16, month, day, hour, minute, second, c.micros as u32)
                    }
                };
                prop_assert_eq!(read, expected);
            }
        }
    }
}
