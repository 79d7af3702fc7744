//! Results that are fetched in parts.

use super::*;

const CURSOR_EXISTS: u16 = 0x0040;
const LAST_ROW_SENT: u16 = 0x0080;

impl Client {
    async fn prepared(&mut self, text: &str) {
        self.command(&[b"\x16", text.as_bytes()].concat()).await;
        let packet = self.packet().await.unwrap();
        assert_eq!(packet[0], 0);
        let (columns, params) = (packet[5], packet[7]);
        assert_eq!(params, 0);
        for _ in 0..columns {
            self.packet().await.unwrap();
        }
        if columns > 0 && !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.end().await;
        }
    }

    /// Executes with a read-only cursor.
    async fn open(&mut self, statement: u8) {
        self.command(&[0x17, statement, 0, 0, 0, 1, 1, 0, 0, 0]).await;
    }

    async fn opened(&mut self) {
        assert_eq!(self.packet().await.unwrap(), [1], "one column");
        self.packet().await.unwrap();
        assert_eq!(self.end().await.status_flags().bits(), 0x0002 | CURSOR_EXISTS);
    }

    /// The numbers of the next rows, and the status behind them.
    async fn fetch(&mut self, statement: u8, rows: u8) -> (Vec<u8>, u16) {
        self.command(&[0x1c, statement, 0, 0, 0, rows, 0, 0, 0]).await;
        let mut numbers = Vec::new();
        loop {
            let packet = self.packet().await.unwrap();
            if packet[0] == 0xfe {
                return (numbers, self.parse_end(&packet).status_flags().bits());
            }
            // Header and null bits, then the number.
            assert_eq!(packet.len(), 2 + 8);
            numbers.push(packet[2]);
        }
    }
}

#[tokio::test]
async fn rows_are_fetched_in_parts_with_either_end() {
    for capabilities in [offered(), old_eof()] {
        let mut client = Setup::default().enter_with(capabilities).await;
        client.prepared("rows 5").await;
        client.open(1).await;
        client.opened().await;
        assert_eq!(client.fetch(1, 2).await, (vec![1, 2], 0x0002 | CURSOR_EXISTS));
        client.command(b"\x0e").await;
        client.ok().await;
        assert_eq!(client.fetch(1, 3).await, (vec![3, 4, 5], 0x0002 | CURSOR_EXISTS));
        assert_eq!(client.fetch(1, 3).await, (vec![], 0x0002 | LAST_ROW_SENT));
        client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
        assert_eq!(client.error_code().await, 1421, "the cursor is closed");
    }
}

#[tokio::test]
async fn what_has_no_rows_is_answered_at_once() {
    let mut client = enter().await;
    client.prepared("begin").await;
    client.open(1).await;
    assert_eq!(client.ok().await.affected_rows(), 7);
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error_code().await, 1421);
    client.prepared("breaks").await;
    client.open(2).await;
    assert_eq!(client.error_code().await, 1317);
}

#[tokio::test]
async fn a_cursor_ends_with_the_next_execution_a_reset_and_the_statement() {
    let mut client = enter().await;
    client.prepared("rows 5").await;
    client.open(1).await;
    client.opened().await;
    client.fetch(1, 2).await;
    client.open(1).await;
    client.opened().await;
    assert_eq!(client.fetch(1, 1).await.0, [1], "from the beginning");
    client.command(b"\x1a\x01\0\0\0").await;
    client.ok().await;
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error_code().await, 1421);
    client.open(1).await;
    client.opened().await;
    client.command(b"\x19\x01\0\0\0").await;
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error_code().await, 1243);
}

#[tokio::test]
async fn an_error_amid_a_fetch_closes_the_cursor() {
    let mut client = enter().await;
    client.prepared("rows 200").await;
    client.open(1).await;
    client.opened().await;
    assert_eq!(client.fetch(1, 99).await.0.len(), 99);
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error_code().await, 1429);
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error_code().await, 1421);
}

#[tokio::test]
async fn a_value_that_does_not_fit_ends_the_cursor_and_not_the_connection() {
    let mut client = enter().await;
    client.prepared("rows 201").await;
    client.open(1).await;
    client.opened().await;
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error().await, (1690, "22003".to_owned(), "BIGINT value is out of range".to_owned()));
    client.command(b"\x1c\x01\0\0\0\x01\0\0\0").await;
    assert_eq!(client.error_code().await, 1421);
    client.query("ok").await;
    client.ok().await;
}

#[tokio::test]
async fn beyond_the_most_cursors_a_result_is_sent_at_once() {
    let limits = WireLimits { cursors: 1, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    client.prepared("rows 3").await;
    client.prepared("rows 2").await;
    client.open(1).await;
    client.opened().await;
    client.open(2).await;
    assert_eq!(client.packet().await.unwrap(), [1]);
    client.packet().await.unwrap();
    for _ in 0..2 {
        assert_eq!(client.packet().await.unwrap()[0], 0);
    }
    assert_eq!(client.end().await.status_flags().bits(), 0x0002);
    assert_eq!(client.fetch(1, 9).await.0, [1, 2, 3]);
}
