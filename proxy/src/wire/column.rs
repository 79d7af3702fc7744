//! Column definitions.

use bytes::BufMut;
use cellgate_sql::{ColumnMeta, ColumnType};
use mysql_common::collations::{Collation, CollationId};
use mysql_common::constants::{ColumnFlags, ColumnType as WireType};
use mysql_common::io::BufMutExt as _;

/// The "character set" of everything that is not text.
pub(super) const BINARY: u16 = 63;
/// utf8mb4_general_ci: known to every client that knows utf8mb4.
const UTF8MB4_GENERAL_CI: u16 = 45;

/// The collation that text columns are marked with for a client that logged in with `charset`: its own if that is
/// one of utf8mb4, since a client surely knows the number it sent. Older ones do not know 255, MySQL 8's default.
pub(super) fn text_collation(charset: u16) -> u16 {
    match Collation::resolve(CollationId::from(charset)).charset() {
        "utf8mb4" => charset,
        _ => UTF8MB4_GENERAL_CI,
    }
}

/// What the wire says of a type.
struct WireColumn {
    ty: WireType,
    charset: u16,
    flags: ColumnFlags,
    length: u32,
}

impl WireColumn {
    fn of(column: &ColumnMeta, text: u16) -> Self {
        let number = |ty| Self { ty, charset: BINARY, flags: ColumnFlags::BINARY_FLAG, length: column.length };
        match column.ty {
            ColumnType::Null => number(WireType::MYSQL_TYPE_NULL),
            ColumnType::BigInt => number(WireType::MYSQL_TYPE_LONGLONG),
            ColumnType::UnsignedBigInt => Self {
                flags: ColumnFlags::BINARY_FLAG | ColumnFlags::UNSIGNED_FLAG,
                ..number(WireType::MYSQL_TYPE_LONGLONG)
            },
            ColumnType::Double => number(WireType::MYSQL_TYPE_DOUBLE),
            ColumnType::Decimal => number(WireType::MYSQL_TYPE_NEWDECIMAL),
            ColumnType::Text => Self {
                ty: WireType::MYSQL_TYPE_VAR_STRING,
                charset: text,
                flags: ColumnFlags::empty(),
                // Lengths on the wire are in bytes.
                length: column.length.saturating_mul(4),
            },
            ColumnType::Bytes => number(WireType::MYSQL_TYPE_VAR_STRING),
            // As MySQL 8 does: drivers that know the type take it for text whatever the character set, and those that
            // do not know it would cut a text of another.
            ColumnType::Json => Self {
                ty: WireType::MYSQL_TYPE_JSON,
                charset: BINARY,
                flags: ColumnFlags::BLOB_FLAG | ColumnFlags::BINARY_FLAG,
                length: u32::MAX,
            },
            ColumnType::DateTime => number(WireType::MYSQL_TYPE_DATETIME),
            ColumnType::Date => number(WireType::MYSQL_TYPE_DATE),
            ColumnType::Time => number(WireType::MYSQL_TYPE_TIME),
        }
    }
}

/// Longest name of a result column, in bytes: an expression without an alias is named by its text.
const NAME_BYTES: usize = 255;

/// The name of a result column as it is sent: cut behind its last whole character, as MySQL does.
fn cut_name(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES)]
}

/// The payload of a column definition.
pub(super) fn write_column(out: &mut Vec<u8>, column: &ColumnMeta, text: u16) {
    let mut wire = WireColumn::of(column, text);
    wire.flags.set(ColumnFlags::NOT_NULL_FLAG, !column.nullable);
    wire.flags.set(ColumnFlags::PRI_KEY_FLAG | ColumnFlags::PART_KEY_FLAG, column.primary_key);
    let name = cut_name(&column.name);
    let names = [&column.schema, &column.table, &column.org_table, name, &column.org_name];
    write_definition(out, names.map(str::as_bytes), &wire, column.decimals);
}

/// The payload of a column definition in the answer to FIELD_LIST, which ends with the column's default: NULL, since
/// no client shows it.
pub(super) fn write_field(out: &mut Vec<u8>, column: &ColumnMeta, text: u16) {
    write_column(out, column, text);
    out.put_u8(0xfb);
}

/// The payload of a parameter's definition. What a parameter is for is not known before it is bound, so that each is
/// said to be a string, as MySQL before 8.0.22 did.
pub(super) fn write_param(out: &mut Vec<u8>) {
    let wire =
        WireColumn { ty: WireType::MYSQL_TYPE_VAR_STRING, charset: BINARY, flags: ColumnFlags::BINARY_FLAG, length: 0 };
    write_definition(out, [b"", b"", b"", b"?", b""], &wire, 0);
}

fn write_definition(out: &mut Vec<u8>, names: [&[u8]; 5], wire: &WireColumn, decimals: u8) {
    out.put_lenenc_str(b"def");
    for name in names {
        out.put_lenenc_str(name);
    }
    // The length of the fixed fields.
    out.put_u8(0x0c);
    out.put_u16_le(wire.charset);
    out.put_u32_le(wire.length);
    out.put_u8(wire.ty as u8);
    out.put_u16_le(wire.flags.bits());
    out.put_u8(decimals);
    out.put_u16_le(0);
}

#[cfg(test)]
mod tests {
    use mysql_common::io::ParseBuf;
    use mysql_common::packets::Column;
    use mysql_common::proto::MyDeserialize;

    use super::*;

    fn meta(ty: ColumnType) -> ColumnMeta {
        ColumnMeta {
            schema: "shop".to_owned(),
            table: "t".to_owned(),
            org_table: "trips".to_owned(),
            name: "k".to_owned(),
            org_name: "row_key".to_owned(),
            ty,
            length: 20,
            decimals: 0,
            nullable: true,
            primary_key: false,
        }
    }

    fn parse(bytes: &[u8]) -> Column {
        let mut buffer = ParseBuf(bytes);
        let column = Column::deserialize((), &mut buffer).unwrap();
        assert!(buffer.is_empty());
        column
    }

    fn written(column: &ColumnMeta) -> Column {
        let mut out = Vec::new();
        write_column(&mut out, column, 255);
        parse(&out)
    }

    #[test]
    fn each_type_has_its_number_charset_flags_and_length() {
        let expected = [
            (ColumnType::Null, 6, 63, 0x80, 20),
            (ColumnType::BigInt, 8, 63, 0x80, 20),
            (ColumnType::UnsignedBigInt, 8, 63, 0xa0, 20),
            (ColumnType::Double, 5, 63, 0x80, 20),
            (ColumnType::Decimal, 246, 63, 0x80, 20),
            (ColumnType::Text, 253, 255, 0, 80),
            (ColumnType::Bytes, 253, 63, 0x80, 20),
            (ColumnType::Json, 245, 63, 0x90, u32::MAX),
            (ColumnType::DateTime, 12, 63, 0x80, 20),
            (ColumnType::Date, 10, 63, 0x80, 20),
            (ColumnType::Time, 11, 63, 0x80, 20),
        ];
        for (ty, number, charset, flags, length) in expected {
            let column = written(&meta(ty));
            assert_eq!(column.column_type() as u8, number, "{ty:?}");
            assert_eq!(column.character_set(), charset, "{ty:?}");
            assert_eq!(column.flags().bits(), flags, "{ty:?}");
            assert_eq!(column.column_length(), length, "{ty:?}");
        }
    }

    #[test]
    fn names_decimals_and_key_flags_are_passed_on() {
        let column = written(&ColumnMeta {
            decimals: 6,
            nullable: false,
            primary_key: true,
            length: u32::MAX,
            ..meta(ColumnType::Text)
        });
        assert_eq!(column.schema_str(), "shop");
        assert_eq!(column.table_str(), "t");
        assert_eq!(column.org_table_str(), "trips");
        assert_eq!(column.name_str(), "k");
        assert_eq!(column.org_name_str(), "row_key");
        assert_eq!(column.decimals(), 6);
        assert_eq!(column.column_length(), u32::MAX);
        let key = ColumnFlags::NOT_NULL_FLAG | ColumnFlags::PRI_KEY_FLAG | ColumnFlags::PART_KEY_FLAG;
        assert_eq!(column.flags(), key);
    }

    #[test]
    fn a_parameter_is_a_string_named_question_mark() {
        let mut out = Vec::new();
        write_param(&mut out);
        let column = parse(&out);
        assert_eq!(column.name_str(), "?");
        assert_eq!((column.column_type() as u8, column.character_set()), (253, 63));
    }

    #[test]
    fn text_is_marked_with_the_clients_own_utf8mb4_collation() {
        for own in [45, 46, 224, 246, 255, 278] {
            assert_eq!(text_collation(own), own);
        }
        for other in [0, 8, 33, 63, 65_535] {
            assert_eq!(text_collation(other), 45);
        }
    }
}
