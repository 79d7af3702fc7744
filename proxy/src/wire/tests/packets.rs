//! Frames: sizes, numbers, limits, pipelining, back pressure.

use super::*;

#[tokio::test]
async fn payloads_around_a_full_frame_arrive_whole_both_ways() {
    let mut client = enter().await;
    for length in [FRAME - 1, FRAME, FRAME + 1, 2 * FRAME - 1, 2 * FRAME, 2 * FRAME + 5] {
        // The command byte and `echo ` are part of the payload.
        let body = vec![b'e'; length - 6];
        client.command(&[b"\x03echo ", &body[..]].concat()).await;
        client.packet().await.unwrap();
        client.packet().await.unwrap();
        let row = client.packet().await.unwrap();
        assert_eq!(row.len(), body.len() + 4 + usize::from(body.len() > FRAME) * 5);
        client.end().await;

        // The row's length is four bytes, from 16 MiB on nine.
        let header = if length - 4 < 1 << 24 { 4 } else { 9 };
        client.query(&format!("big {}", length - header)).await;
        client.packet().await.unwrap();
        client.packet().await.unwrap();
        let row = client.packet().await.unwrap();
        assert_eq!(row.len(), length);
        assert!(row[header..].iter().all(|byte| *byte == b'x'));
        client.end().await;
    }
}

#[tokio::test]
async fn a_command_over_the_limit_is_answered_1153_and_the_connection_closed() {
    let limits = WireLimits { max_allowed_packet: 1000, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    client.command(&[b"\x03", &[b'a'; 999][..]].concat()).await;
    client.ok().await;
    client.command(&[b"\x03", &[b'a'; 1000][..]].concat()).await;
    let message = "Got a packet bigger than 'max_allowed_packet' bytes".to_owned();
    assert_eq!(client.error().await, (1153, "08S01".to_owned(), message));
    client.stream.shutdown().await.unwrap();
    assert!(matches!(client.closed().await, Err(WireError::TooLarge { limit: 1000 })));
}

#[tokio::test]
async fn the_limit_counts_all_frames_of_a_packet() {
    let limits = WireLimits { max_allowed_packet: FRAME + 10, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    client.command(&vec![3; FRAME + 10]).await;
    client.ok().await;
    client.sequence = 0;
    let bytes = frames(&vec![3; FRAME + 11], &mut client.sequence);
    // The header alone says that it will be too long.
    client.stream.write_all(&bytes[..FRAME + 8]).await.unwrap();
    assert_eq!(client.error_code().await, 1153);
}

#[tokio::test]
async fn a_promise_of_16_mib_takes_no_memory_until_it_is_kept() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let mut channel = super::super::packet::Channel::new(Box::new(far), SOON).with_read_timeout(SOON);
    let mut near = near;
    near.write_all(&[0xfe, 0xff, 0xff, 0]).await.unwrap();
    near.write_all(&[1; 1000]).await.unwrap();
    assert!(matches!(channel.receive_command(1 << 26, SOON).await, Err(WireError::Timeout(Wait::Read))));
    assert!(channel.room() < 64 * 1024, "{}", channel.room());
}

#[tokio::test]
async fn an_idle_connection_holds_little() {
    let (near, far) = tokio::io::duplex(1 << 26);
    let mut channel = super::super::packet::Channel::new(Box::new(far), 50 * SOON);
    let mut near = near;
    let bytes = frames(&vec![1; 1 << 24], &mut 0);
    near.write_all(&bytes).await.unwrap();
    channel.receive_command(1 << 26, Duration::from_secs(60)).await.unwrap();
    channel.packet(|out| out.extend_from_slice(&vec![1; 1 << 24]));
    channel.restart_sequence();
    // Long enough to write the reply on a busy machine.
    assert!(matches!(channel.receive_command(1 << 26, 50 * SOON).await, Err(WireError::Timeout(Wait::Idle))));
    assert!(channel.room() <= 8 * 1024, "{}", channel.room());
}

#[tokio::test]
async fn commands_sent_together_are_answered_in_order() {
    let mut client = enter().await;
    let mut bytes = Vec::new();
    for number in 0..50 {
        bytes.extend(frames(format!("\x03echo {number}").as_bytes(), &mut 0));
        bytes.extend(frames(b"\x0e", &mut 0));
    }
    client.stream.write_all(&bytes).await.unwrap();
    for number in 0..50 {
        client.sequence = 1;
        client.packet().await.unwrap();
        client.packet().await.unwrap();
        let row = client.packet().await.unwrap();
        assert_eq!(row[1..], *number.to_string().as_bytes());
        client.end().await;
        client.sequence = 1;
        client.ok().await;
    }
}

#[tokio::test]
async fn a_packet_in_single_bytes_is_put_together() {
    let mut client = enter().await;
    for byte in frames(b"\x03echo slowly", &mut 0) {
        client.stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    client.sequence = 1;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    assert_eq!(client.packet().await.unwrap(), b"\x06slowly");
}

#[tokio::test]
async fn a_packet_out_of_order_is_refused() {
    let mut client = enter().await;
    client.sequence = 1;
    client.send(b"\x0e").await;
    client.sequence = 0;
    assert_eq!(client.error_code().await, 1156);
    client.stream.shutdown().await.unwrap();
    let violation = Violation::OutOfOrder { expected: 0, found: 1 };
    assert!(matches!(client.closed().await, Err(WireError::Protocol(found)) if found == violation));
}

#[tokio::test]
async fn numbers_of_a_long_reply_wrap() {
    let mut client = enter().await;
    client.query("rows 1000").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    for row in 0..1000 {
        assert_eq!(client.packet().await.unwrap()[1..], *row.to_string().as_bytes());
    }
    client.end().await;
}

#[tokio::test]
async fn a_result_waits_for_its_reader_and_a_reader_that_stopped_is_given_up() {
    let limits = WireLimits { write_timeout: SOON, ..WireLimits::default() };
    let mut client = Setup { limits, pipe: 4096, ..Setup::default() }.enter().await;
    client.query("rows 1000000").await;
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Write))));
    // Not much more than the pipe holds was made ahead of the reader.
    let mut read = 0;
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = client.stream.read(&mut buffer).await {
        read += count;
    }
    assert!(read <= 4096, "{read}");
}

#[tokio::test]
async fn a_reader_that_takes_a_result_byte_by_byte_is_given_up() {
    let limits = WireLimits { write_timeout: 3 * SOON, ..WireLimits::default() };
    let mut client = Setup { limits, pipe: 64, ..Setup::default() }.enter().await;
    client.query("rows 1000000").await;
    let mut beat = tokio::time::interval(SOON / 3);
    let trickle = async {
        loop {
            beat.tick().await;
            let _ = client.stream.read_u8().await;
        }
    };
    let ended = tokio::select! {
        () = trickle => None,
        ended = &mut client.served => Some(ended.unwrap()),
    };
    assert!(matches!(ended, Some(Err(WireError::Timeout(Wait::Write)))));
}

#[tokio::test]
async fn a_slow_reader_gets_the_whole_result() {
    let mut client = Setup { pipe: 100, ..Setup::default() }.enter().await;
    client.query("rows 20000").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    for row in 0..20_000 {
        assert_eq!(client.packet().await.unwrap()[1..], *row.to_string().as_bytes());
    }
    client.end().await;
}

#[tokio::test]
async fn one_command_is_one_read_and_one_write() {
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let far = Counting { stream: far, reads: Arc::default(), writes: Arc::default() };
    let (reads, writes) = (Arc::clone(&far.reads), Arc::clone(&far.writes));
    let mut channel = super::super::packet::Channel::new(Box::new(far), SOON);
    let mut commands = frames(&[7; 100], &mut 0);
    near.write_all(&commands).await.unwrap();
    channel.receive_command(1000, SOON).await.unwrap().unwrap();
    for _ in 0..20 {
        channel.packet(|out| out.extend_from_slice(b"reply"));
    }
    channel.restart_sequence();
    let _ = channel.receive_command(1000, SOON).await;
    assert_eq!((*reads.lock().unwrap(), *writes.lock().unwrap()), (1, 1));

    // Three commands at once: still one of each.
    commands.extend(commands.clone());
    commands.extend(frames(&[7; 100], &mut 0));
    near.write_all(&commands).await.unwrap();
    for _ in 0..3 {
        channel.restart_sequence();
        channel.receive_command(1000, SOON).await.unwrap().unwrap();
        channel.packet(|out| out.extend_from_slice(b"reply"));
    }
    channel.restart_sequence();
    let _ = channel.receive_command(1000, SOON).await;
    assert_eq!((*reads.lock().unwrap(), *writes.lock().unwrap()), (2, 2));
}

#[tokio::test]
async fn what_waits_sends_the_replies_before_it_and_what_does_not_wait_sends_nothing() {
    let (mut near, far) = tokio::io::duplex(10);
    let mut channel = super::super::packet::Channel::new(Box::new(far), SOON);
    channel.packet(|out| out.extend_from_slice(b"first"));
    assert_eq!(channel.meanwhile(std::pin::pin!(async { 7 })).await, 7);
    assert_eq!(channel.traffic(), (0, 9));
    channel.packet(|out| out.extend_from_slice(b"second"));
    // More than the pipe holds, and no end before the client has both.
    let mut both = [0; 19];
    let (read, read_both) = tokio::sync::oneshot::channel();
    let reading = async {
        near.read_exact(&mut both).await.unwrap();
        read.send(()).unwrap();
    };
    let read_both = std::pin::pin!(read_both);
    let (waited, ()) = tokio::join!(channel.meanwhile(read_both), reading);
    waited.unwrap();
    assert_eq!(&both, b"\x05\0\0\0first\x06\0\0\x01second");
    // They are not sent again.
    channel.packet(|out| out.extend_from_slice(b"third"));
    channel.flush().await.unwrap();
    let mut third = [0; 9];
    near.read_exact(&mut third).await.unwrap();
    assert_eq!(&third, b"\x05\0\0\x02third");
    assert_eq!(channel.traffic(), (0, 28));
}

/// Counts the reads and writes that moved bytes.
struct Counting {
    stream: DuplexStream,
    reads: Arc<Mutex<u32>>,
    writes: Arc<Mutex<u32>>,
}

impl Stream for Counting {}

impl tokio::io::AsyncRead for Counting {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = std::pin::Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            *self.reads.lock().unwrap() += 1;
        }
        polled
    }
}

impl tokio::io::AsyncWrite for Counting {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let polled = std::pin::Pin::new(&mut self.stream).poll_write(cx, bytes);
        if polled.is_ready() {
            *self.writes.lock().unwrap() += 1;
        }
        polled
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
