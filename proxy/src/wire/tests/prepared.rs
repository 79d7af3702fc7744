//! Prepared statements.

use mysql_common::packets::{Column, ComStmtExecuteRequestBuilder, ComStmtSendLongData, StmtPacket};
use mysql_common::proto::{Binary, MySerialize};
use mysql_common::row::{Row, RowDeserializer};
use mysql_common::value::{ServerSide, Value as Read};

use super::*;

impl Client {
    /// Prepares; id, parameters and columns.
    async fn prepare(&mut self, text: &str) -> (u32, u16, Vec<Column>) {
        self.command(&[b"\x16", text.as_bytes()].concat()).await;
        let packet = self.packet().await.unwrap();
        let statement = StmtPacket::deserialize((), &mut ParseBuf(&packet)).unwrap();
        assert_eq!(packet.len(), 12);
        assert_eq!(statement.warning_count(), 1);
        self.definitions(statement.num_params()).await;
        let columns = self.definitions(statement.num_columns()).await;
        (statement.statement_id(), statement.num_params(), columns)
    }

    /// Definitions with the EOF behind them, which an older client has if there are any.
    async fn definitions(&mut self, count: u16) -> Vec<Column> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.packet().await.unwrap();
            columns.push(Column::deserialize((), &mut ParseBuf(&packet)).unwrap());
        }
        if count > 0 && !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.end().await;
        }
        columns
    }

    /// Sends an execution as a known client library writes it.
    async fn execute(&mut self, statement: u32, params: &[Read]) {
        let mut payload = Vec::new();
        ComStmtExecuteRequestBuilder::new(statement).build(params).0.serialize(&mut payload);
        self.command(&payload).await;
    }

    /// Sends an execution with these types (type, flags), null bits and values.
    async fn execute_raw(&mut self, statement: u32, nulls: &[u8], types: Option<&[[u8; 2]]>, values: &[u8]) {
        let mut payload = vec![0x17];
        payload.put_u32_le(statement);
        payload.put_u8(0);
        payload.put_u32_le(1);
        payload.put_slice(nulls);
        payload.put_u8(u8::from(types.is_some()));
        payload.put_slice(types.unwrap_or_default().as_flattened());
        payload.put_slice(values);
        self.command(&payload).await;
    }

    async fn binary_rows(&mut self) -> Vec<Vec<Read>> {
        let count = self.packet().await.unwrap()[0];
        let columns = self.definitions(u16::from(count)).await;
        let mut rows = Vec::new();
        loop {
            let packet = self.packet().await.unwrap();
            if packet[0] == 0xfe {
                self.parse_end(&packet);
                return rows;
            }
            let mut buffer = ParseBuf(&packet);
            let definitions = columns.clone().into();
            let row = RowDeserializer::<ServerSide, Binary>::deserialize(definitions, &mut buffer).unwrap();
            assert!(buffer.is_empty());
            rows.push(Row::from(row).unwrap());
        }
    }

    /// What the session saw of the last execution.
    fn executed(&self) -> String {
        self.calls().last().unwrap().clone()
    }
}

#[tokio::test]
async fn prepare_describes_parameters_and_columns_with_either_end() {
    for capabilities in [offered(), old_eof()] {
        let mut client = Setup::default().enter_with(capabilities).await;
        let (_, params, columns) = client.prepare("params ? ?").await;
        assert_eq!((params, columns.len()), (2, 2));
        let (_, params, columns) = client.prepare("rows 5").await;
        assert_eq!((params, columns.len()), (0, 1));
        assert_eq!(columns[0].name_str(), "n");
        let (_, params, columns) = client.prepare("insert ?").await;
        assert_eq!((params, columns.len()), (1, 0));
        let (_, params, columns) = client.prepare("begin").await;
        assert_eq!((params, columns.len()), (0, 0));
        client.command(b"\x16error").await;
        assert_eq!(client.error_code().await, 1064);
    }
}

#[tokio::test]
async fn binary_rows_are_read_back_with_either_end() {
    for capabilities in [offered(), old_eof()] {
        let mut client = Setup::default().enter_with(capabilities).await;
        let (id, _, _) = client.prepare("all").await;
        client.execute(id, &[]).await;
        let rows = client.binary_rows().await;
        let bytes = |bytes: &[u8]| Read::Bytes(bytes.to_vec());
        let expected = [
            Read::NULL,
            Read::Int(-5),
            Read::UInt(u64::MAX),
            Read::Double(1.5),
            bytes(b"12.50"),
            bytes("hällo".as_bytes()),
            bytes(&[0, 255]),
            bytes(b"{\"a\": 1}"),
            Read::Date(2023, 11, 14, 22, 13, 20, 123_456),
        ];
        assert_eq!(rows, [expected.to_vec(), vec![Read::NULL; 9]]);
    }
}

#[tokio::test]
async fn the_parameters_of_a_known_client_library_are_read() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ? ? ? ? ? ? ? ? ? ?").await;
    let params = [
        Read::NULL,
        Read::Int(-1),
        Read::UInt(u64::MAX),
        Read::Float(0.5),
        Read::Double(-2.25),
        Read::Bytes("hällo".as_bytes().to_vec()),
        Read::Bytes(vec![0xff]),
        Read::Date(2023, 11, 14, 22, 13, 20, 123_456),
        Read::Time(true, 1, 2, 3, 4, 5),
        Read::NULL,
    ];
    client.execute(id, &params).await;
    client.ok().await;
    let expected = [
        Value::Null,
        Value::Int(-1),
        Value::UInt(u64::MAX),
        Value::Double(0.5),
        Value::Double(-2.25),
        text("hällo"),
        Value::Bytes(Bytes::from_static(&[0xff])),
        Value::DateTime(Micros(1_700_000_000_123_456)),
        text("-26:03:04.000005"),
        Value::Null,
    ];
    assert_eq!(client.executed(), format!("execute {:?}", expected));
}

#[tokio::test]
async fn every_parameter_type_becomes_its_value() {
    let bytes = |bytes: &'static [u8]| Value::Bytes(Bytes::from_static(bytes));
    let (day, micros) = (1_709_164_800_000_000, 1_709_168_523_000_004);
    let cases: Vec<([u8; 2], &[u8], Value)> = vec![
        ([1, 0], &[0x80], Value::Int(-128)),
        ([1, 0x80], &[0x80], Value::UInt(128)),
        ([2, 0], &[0xfe, 0xff], Value::Int(-2)),
        ([2, 0x80], &[0xfe, 0xff], Value::UInt(65_534)),
        ([13, 0x80], &[0xe8, 0x07], Value::UInt(2024)),
        ([3, 0], &[0xfe, 0xff, 0xff, 0xff], Value::Int(-2)),
        ([3, 0x80], &[0xfe, 0xff, 0xff, 0xff], Value::UInt(4_294_967_294)),
        ([9, 0], &[0xfe, 0xff, 0xff, 0xff], Value::Int(-2)),
        ([8, 0], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Value::Int(-2)),
        ([8, 0x80], &[0xff; 8], Value::UInt(u64::MAX)),
        ([4, 0], &[0, 0, 0xc0, 0x3f], Value::Double(1.5)),
        ([5, 0], &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], Value::Double(1.5)),
        ([6, 0], &[], Value::Null),
        ([0, 0], b"\x041.50", Value::Decimal("1.50".to_owned())),
        ([246, 0], b"\x05-0.50", Value::Decimal("-0.50".to_owned())),
        ([246, 0], b"\x031e5", text("1e5")),
        ([246, 0], b"\x01.", text(".")),
        ([15, 0], b"\x01a", text("a")),
        ([253, 0], b"\x01a", text("a")),
        ([254, 0], b"\x01\xff", bytes(b"\xff")),
        ([247, 0], b"\x01a", text("a")),
        ([248, 0], b"\x01a", text("a")),
        ([245, 0], b"\x02{}", text("{}")),
        ([249, 0], b"\x01a", bytes(b"a")),
        ([250, 0], b"\x01a", bytes(b"a")),
        ([251, 0], b"\x01a", bytes(b"a")),
        ([252, 0], b"\x00", bytes(b"")),
        ([16, 0], b"\x01\x05", bytes(b"\x05")),
        ([10, 0], &[4, 0xe8, 0x07, 2, 29], Value::DateTime(Micros(day))),
        ([10, 0], &[7, 0xe8, 0x07, 2, 29, 1, 2, 3], Value::DateTime(Micros(day))),
        ([10, 0], &[0], text("0000-00-00")),
        ([12, 0], &[11, 0xe8, 0x07, 2, 29, 1, 2, 3, 4, 0, 0, 0], Value::DateTime(Micros(micros))),
        ([7, 0], &[7, 0xe8, 0x07, 2, 29, 1, 2, 3], Value::DateTime(Micros(micros - 4))),
        ([12, 0], &[0], text("0000-00-00 00:00:00")),
        ([12, 0], &[4, 0xe7, 0x07, 2, 29], text("2023-02-29 00:00:00")),
        ([11, 0], &[0], text("00:00:00")),
        ([11, 0], &[8, 0, 0, 0, 0, 0, 1, 2, 3], text("01:02:03")),
        ([11, 0], &[12, 1, 34, 0, 0, 0, 22, 59, 59, 1, 0, 0, 0], text("-838:59:59.000001")),
        ([11, 0], &[8, 0, 255, 255, 255, 255, 255, 255, 255], text("103079215335:255:255")),
    ];
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ?").await;
    for (ty, value, expected) in cases {
        client.execute_raw(id, &[0], Some(&[ty]), value).await;
        client.ok().await;
        assert_eq!(client.executed(), format!("execute {:?}", [expected]), "type {ty:?} value {value:?}");
    }
}

#[tokio::test]
async fn nulls_take_no_bytes_in_whichever_byte_of_the_bitmap() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ? ? ? ? ? ? ? ? ? ?").await;
    client.execute_raw(id, &[0b1111_1110, 0b0000_0001], Some(&[[1, 0]; 10]), &[7, 8]).await;
    client.ok().await;
    let mut expected = vec![Value::Null; 10];
    expected[0] = Value::Int(7);
    expected[9] = Value::Int(8);
    assert_eq!(client.executed(), format!("execute {expected:?}"));
}

#[tokio::test]
async fn types_need_not_be_repeated() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ?").await;
    client.execute_raw(id, &[0], None, &[1, 2]).await;
    let message = "Incorrect arguments to mysqld_stmt_execute".to_owned();
    assert_eq!(client.error().await, (1210, "HY000".to_owned(), message));
    client.execute_raw(id, &[0], Some(&[[2, 0]]), &[1, 2]).await;
    client.ok().await;
    client.execute_raw(id, &[0], None, &[2, 2]).await;
    client.ok().await;
    assert_eq!(client.executed(), format!("execute {:?}", [Value::Int(514)]));
}

#[tokio::test]
async fn types_that_are_given_again_are_those_and_others_replace_them() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ? ?").await;
    let (bytes, text_of_one) = ([[1, 0], [252, 0]], [[1, 128], [253, 0]]);
    let given: [(&[[u8; 2]], Value, Value); 4] = [
        (&bytes, Value::Int(-1), Value::Bytes(Bytes::from_static(b"x"))),
        (&bytes, Value::Int(-1), Value::Bytes(Bytes::from_static(b"x"))),
        (&text_of_one, Value::UInt(255), text("x")),
        (&bytes, Value::Int(-1), Value::Bytes(Bytes::from_static(b"x"))),
    ];
    for (types, first, second) in given {
        client.execute_raw(id, &[0], Some(types), b"\xff\x01x").await;
        client.ok().await;
        assert_eq!(client.executed(), format!("execute {:?}", [first, second]), "{types:?}");
    }
    // Types that are refused do not take the place of those that were good.
    client.execute_raw(id, &[0], Some(&[[100, 0], [252, 0]]), b"\xff\x01x").await;
    assert_eq!(client.error_code().await, 1835);
    client.execute_raw(id, &[0], None, b"\xff\x01x").await;
    client.ok().await;
}

#[tokio::test]
async fn an_execution_cut_short_anywhere_is_malformed_and_the_connection_lives() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ? ?").await;
    let params = [Read::Int(1), Read::Bytes(b"text".to_vec())];
    let mut whole = Vec::new();
    ComStmtExecuteRequestBuilder::new(id).build(&params).0.serialize(&mut whole);
    for length in 1..whole.len() {
        client.command(&whole[..length]).await;
        // Once types were given, those without values are still missing their values.
        assert_eq!(client.error_code().await, 1835, "cut to {length}");
    }
    client.command(&whole).await;
    client.ok().await;
}

#[tokio::test]
async fn lengths_and_types_that_cannot_be_are_malformed() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ?").await;
    let cases: [([u8; 2], &[u8]); 7] = [
        ([253, 0], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ([253, 0], &[0xfb]),
        ([253, 0], &[0xff]),
        ([12, 0], &[5, 0, 0, 0, 0, 0]),
        ([11, 0], &[7, 0, 0, 0, 0, 0, 0, 0]),
        ([17, 0], &[0]),
        ([100, 0], &[0]),
    ];
    for (ty, value) in cases {
        client.execute_raw(id, &[0], Some(&[ty]), value).await;
        let message = "Malformed communication packet.".to_owned();
        assert_eq!(client.error().await, (1835, "HY000".to_owned(), message), "{ty:?} {value:?}");
    }
}

#[tokio::test]
async fn long_data_are_put_together_and_used_once() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ? ?").await;
    for part in ["par", "ts"] {
        let mut payload = Vec::new();
        ComStmtSendLongData::new(id, 1, part.as_bytes()).serialize(&mut payload);
        client.command(&payload).await;
    }
    // The null bit of a parameter that was sent ahead does not count.
    client.execute_raw(id, &[0b10], Some(&[[1, 0], [253, 0]]), &[7]).await;
    client.ok().await;
    assert_eq!(client.executed(), format!("execute {:?}", [Value::Int(7), text("parts")]));
    client.execute_raw(id, &[0], Some(&[[1, 0], [252, 0]]), b"\x07\x01x").await;
    client.ok().await;
    let expected = [Value::Int(7), Value::Bytes(Bytes::from_static(b"x"))];
    assert_eq!(client.executed(), format!("execute {expected:?}"));
}

#[tokio::test]
async fn statement_reset_forgets_long_data() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("insert ?").await;
    client.command(&[&b"\x18"[..], &id.to_le_bytes(), &[0, 0], b"forgotten"].concat()).await;
    client.command(&[&b"\x1a"[..], &id.to_le_bytes()].concat()).await;
    client.ok().await;
    client.execute_raw(id, &[0], Some(&[[253, 0]]), b"\x03new").await;
    client.ok().await;
    assert_eq!(client.executed(), format!("execute {:?}", [text("new")]));
}

#[tokio::test]
async fn long_data_over_the_limit_fail_the_execution_only() {
    let limits = WireLimits { long_data: 10, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    let (id, _, _) = client.prepare("insert ?").await;
    client.command(&[&b"\x18"[..], &id.to_le_bytes(), &[0, 0], b"eleven byte"].concat()).await;
    client.execute_raw(id, &[0], Some(&[[253, 0]]), b"").await;
    assert_eq!(client.error_code().await, 1105);
    client.execute_raw(id, &[0], Some(&[[253, 0]]), b"\x01a").await;
    client.ok().await;
}

#[tokio::test]
async fn a_statement_that_is_not_there_is_1243_with_mysqls_text() {
    let mut client = enter().await;
    let id = 77_u32.to_le_bytes();
    for (command, function) in [(0x17, "execute"), (0x1a, "reset"), (0x1c, "fetch")] {
        client.command(&[&[command][..], &id, &[0, 1, 0, 0, 0]].concat()).await;
        let message = format!("Unknown prepared statement handler (77) given to mysqld_stmt_{function}");
        assert_eq!(client.error().await, (1243, "HY000".to_owned(), message));
    }
}

#[tokio::test]
async fn closing_has_no_reply_whether_or_not_the_statement_is_there() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("ok").await;
    for _ in 0..2 {
        client.command(&[&b"\x19"[..], &id.to_le_bytes()].concat()).await;
    }
    client.command(b"\x19\x01").await;
    client.command(b"\x0e").await;
    client.ok().await;
    client.execute(id, &[]).await;
    assert_eq!(client.error_code().await, 1243);
}

#[tokio::test]
async fn a_fetch_without_a_cursor_is_refused() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("rows 2").await;
    client.execute(id, &[]).await;
    assert_eq!(client.binary_rows().await, [[Read::Int(0)], [Read::Int(1)]]);
    client.command(&[&b"\x1c"[..], &id.to_le_bytes(), &[1, 0, 0, 0]].concat()).await;
    assert_eq!(client.error_code().await, 1421);
    client.command(&[&b"\x1c"[..], &id.to_le_bytes()].concat()).await;
    assert_eq!(client.error_code().await, 1835);
}

#[tokio::test]
async fn statements_die_with_the_session() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("ok").await;
    client.command(b"\x1f").await;
    client.ok().await;
    client.execute(id, &[]).await;
    assert_eq!(client.error_code().await, 1243);

    let (id, _, _) = client.prepare("ok").await;
    client.command(b"\x11root\0\0\0\x2d\0mysql_native_password\0\0").await;
    client.packet().await.unwrap();
    client.send(b"").await;
    client.ok().await;
    client.execute(id, &[]).await;
    assert_eq!(client.error_code().await, 1243);
}

#[tokio::test]
async fn statements_are_limited() {
    let limits = WireLimits { prepared_statements: 2, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    let (first, _, _) = client.prepare("ok").await;
    client.prepare("ok").await;
    client.command(b"\x16ok").await;
    let (code, state, message) = client.error().await;
    assert_eq!((code, state.as_str()), (1461, "42000"));
    assert!(message.contains("(current value: 2); limits.prepared_statements"), "{message}");
    client.command(&[&b"\x19"[..], &first.to_le_bytes()].concat()).await;
    client.prepare("ok").await;
}

#[tokio::test]
async fn a_value_that_does_not_fit_its_column_can_be_told_to_the_client() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("unfit").await;
    client.execute(id, &[]).await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    assert_eq!(client.error_code().await, 1815);
    // The same as text.
    client.query("unfit").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    assert_eq!(client.error_code().await, 1815);
    client.query("ok").await;
    client.ok().await;
}

#[tokio::test]
async fn parameters_are_echoed_as_bound() {
    let mut client = enter().await;
    let (id, _, _) = client.prepare("params ? ?").await;
    client.execute(id, &[Read::Bytes(b"a".to_vec()), Read::NULL]).await;
    assert_eq!(client.binary_rows().await, [[Read::Bytes(b"a".to_vec()), Read::NULL]]);
}
