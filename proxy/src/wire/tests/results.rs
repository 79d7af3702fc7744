//! OK, ERR and result sets.

use mysql_common::constants::StatusFlags;
use mysql_common::packets::Column;
use mysql_common::proto::Text;
use mysql_common::row::{Row, RowDeserializer};
use mysql_common::value::{ServerSide, Value as Read};

use super::*;

/// Columns and rows of a text result, up to and with its end.
async fn text_result(client: &mut Client) -> (Vec<Column>, Vec<Vec<Read>>, OkPacket<'static>) {
    let count = client.packet().await.unwrap();
    assert_eq!(count.len(), 1);
    let mut columns = Vec::new();
    for _ in 0..count[0] {
        let packet = client.packet().await.unwrap();
        columns.push(Column::deserialize((), &mut ParseBuf(&packet)).unwrap());
    }
    if !client.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
        client.end().await;
    }
    let mut rows = Vec::new();
    loop {
        let packet = client.packet().await.unwrap();
        if packet[0] == 0xfe && packet.len() < 9 {
            return (columns, rows, client.parse_end(&packet));
        }
        let definitions = columns.clone().into();
        let mut buffer = ParseBuf(&packet);
        let row = RowDeserializer::<ServerSide, Text>::deserialize(definitions, &mut buffer).unwrap();
        assert!(buffer.is_empty());
        rows.push(Row::from(row).unwrap());
    }
}

#[tokio::test]
async fn an_ok_carries_all_its_fields() {
    let mut client = enter().await;
    client.query("insert").await;
    let ok = client.ok().await;
    assert_eq!(ok.affected_rows(), 300);
    assert_eq!(ok.last_insert_id(), Some(70_000));
    assert_eq!(ok.warnings(), 2);
    assert_eq!(ok.info_str().unwrap(), "Records: 300");
}

#[tokio::test]
async fn an_error_has_number_state_and_text_and_the_connection_lives() {
    let mut client = enter().await;
    client.query("error").await;
    assert_eq!(client.error().await, (1064, "42000".to_owned(), "You have an error".to_owned()));
    client.query("ok").await;
    client.ok().await;
}

#[test]
fn a_state_is_five_bytes_whatever_was_given() {
    let mut channel = super::super::packet::Channel::new(Box::new(tokio::io::empty()), SOON);
    super::super::reply::write_error(&mut channel, &ErrorReply::new(1, "too long", "text"));
    assert_eq!(channel.payload()[4..], *b"\xff\x01\x00#HY000text");
}

#[tokio::test]
async fn text_rows_are_read_back_with_either_end() {
    for capabilities in [offered(), old_eof()] {
        let mut client = Setup::default().enter_with(capabilities).await;
        client.query("all").await;
        let (columns, rows, end) = text_result(&mut client).await;
        let names: Vec<_> = columns.iter().map(|column| column.name_str().into_owned()).collect();
        assert_eq!(names, ["null", "int", "uint", "double", "decimal", "text", "bytes", "json", "datetime"]);
        assert_eq!(columns[5].character_set(), 45);
        let bytes = |bytes: &[u8]| Read::Bytes(bytes.to_vec());
        let expected = [
            Read::NULL,
            bytes(b"-5"),
            bytes(b"18446744073709551615"),
            bytes(b"1.5"),
            bytes(b"12.50"),
            bytes("hällo".as_bytes()),
            bytes(&[0, 255]),
            bytes(b"{\"a\": 1}"),
            bytes(b"2023-11-14 22:13:20.123456"),
        ];
        assert_eq!(rows, [expected.to_vec(), vec![Read::NULL; 9]]);
        assert_eq!(end.status_flags(), StatusFlags::SERVER_STATUS_AUTOCOMMIT);
    }
}

#[tokio::test]
async fn an_empty_result_has_columns_warnings_and_the_state_at_both_ends() {
    let mut client = Setup::default().enter_with(old_eof()).await;
    client.query("begin").await;
    client.ok().await;
    client.query("rows 0").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    let columns_end = client.end().await;
    let end = client.end().await;
    assert_eq!((columns_end.status_flags().bits(), columns_end.warnings()), (0x0003, 0));
    assert_eq!((end.status_flags().bits(), end.warnings()), (0x0003, 3));
}

#[tokio::test]
async fn text_that_is_not_utf8_is_passed_through() {
    let mut client = enter().await;
    client.command(b"\x03echo \xff\xfe\x00\x80").await;
    let (_, rows, _) = text_result(&mut client).await;
    assert_eq!(rows, [[Read::Bytes(vec![0xff, 0xfe, 0, 0x80])]]);
}

#[tokio::test]
async fn an_error_amid_rows_ends_the_result() {
    let mut client = enter().await;
    client.query("breaks").await;
    for _ in 0..3 {
        client.packet().await.unwrap();
    }
    assert_eq!(client.error_code().await, 1429);
    client.query("ok").await;
    client.ok().await;
}

#[tokio::test]
async fn several_results_say_that_more_follow() {
    let more = StatusFlags::SERVER_MORE_RESULTS_EXISTS;
    for capabilities in [offered(), old_eof()] {
        let mut client = Setup::default().enter_with(capabilities).await;
        client.query("several").await;
        let first = client.ok().await;
        assert_eq!(first.affected_rows(), 1);
        assert!(first.status_flags().contains(more));
        let (_, rows, end) = text_result(&mut client).await;
        assert_eq!(rows, [[Read::Bytes(b"second".to_vec())]]);
        assert!(end.status_flags().contains(more));
        let last = client.ok().await;
        assert_eq!(last.affected_rows(), 3);
        assert!(!last.status_flags().contains(more));
    }
}

#[tokio::test]
async fn a_reply_that_announces_more_and_stops_is_an_error_of_the_session() {
    let mut client = enter().await;
    client.query("unfinished").await;
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Protocol(Violation::Unfinished))));
}

#[tokio::test]
async fn rows_of_another_width_and_results_without_columns_are_errors_of_the_session() {
    for (query, width) in [("wide", (1, 2)), ("nocolumns", (0, 0))] {
        let mut client = enter().await;
        client.query(query).await;
        let Err(WireError::Protocol(Violation::Width { expected, found })) = client.served.await.unwrap() else {
            panic!("{query}")
        };
        assert_eq!((expected, found), width);
    }
}
