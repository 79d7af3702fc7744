//! Frames of both algorithms, and what is none.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd];

fn packed(bytes: &[u8], algorithm: Algorithm) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 100);
    assert!(pack(algorithm, bytes, &mut out));
    out
}

fn frame(sequence: u8, payload: &[u8], before: usize) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    let [d, e, f, _] = (before as u32).to_le_bytes();
    [&[a, b, c, sequence, d, e, f], payload].concat()
}

async fn read(bytes: &[u8], algorithm: Algorithm) -> io::Result<Vec<u8>> {
    let (mut near, far) = tokio::io::duplex(bytes.len().max(1));
    near.write_all(bytes).await.unwrap();
    drop(near);
    let mut out = Vec::new();
    Compressed::new(Box::new(far), algorithm).read_to_end(&mut out).await.map(|_| out)
}

#[tokio::test]
async fn what_one_end_writes_the_other_reads() {
    for algorithm in BOTH {
        goes_through(algorithm).await;
    }
}

async fn goes_through(algorithm: Algorithm) {
    let (near, far) = tokio::io::duplex(1000);
    let mut near = Compressed::new(Box::new(near), algorithm);
    let mut far = Compressed::new(Box::new(far), algorithm);
    let texts = [b"short".to_vec(), b"long and dull ".repeat(20_000), (0..=255).collect(), vec![7; 49], vec![7; 50]];
    let all = texts.concat();
    let writing = async {
        for text in &texts {
            near.write_all(text).await.unwrap();
            near.flush().await.unwrap();
        }
        near.shutdown().await.unwrap();
    };
    let mut out = Vec::new();
    let (read, ()) = tokio::join!(far.read_to_end(&mut out), writing);
    assert_eq!(read.unwrap(), all.len());
    assert!(out == all);
}

#[tokio::test]
async fn dull_bytes_are_packed_and_short_ones_are_not() {
    for algorithm in BOTH {
        packs_what_is_dull(algorithm).await;
    }
}

async fn packs_what_is_dull(algorithm: Algorithm) {
    let (near, mut far) = tokio::io::duplex(100_000);
    let mut near = Compressed::new(Box::new(near), algorithm);
    // What is written up to a flush is one frame.
    near.write_all(&[1; 4_000]).await.unwrap();
    near.write_all(&[1; 6_000]).await.unwrap();
    near.flush().await.unwrap();
    near.write_all(b"short").await.unwrap();
    near.shutdown().await.unwrap();
    let mut out = Vec::new();
    far.read_to_end(&mut out).await.unwrap();
    let length = usize::from(out[0]) | usize::from(out[1]) << 8;
    assert!(length < 200, "{length}");
    assert_eq!(out[3..7], [0, 0x10, 0x27, 0]);
    assert_eq!(out[HEADER + length..], frame(1, b"short", 0));
}

#[tokio::test]
async fn frames_of_both_kinds_are_read_and_empty_ones_passed_over() {
    let dull = vec![9; 100_000];
    for algorithm in BOTH {
        let packed = frame(2, &packed(&dull, algorithm), dull.len());
        let bytes = [frame(0, b"ab", 0), frame(1, b"", 0), packed, frame(3, b"c", 0)].concat();
        assert_eq!(read(&bytes, algorithm).await.unwrap(), [b"ab", &dull[..], b"c"].concat());
    }
}

#[tokio::test]
async fn a_frame_that_is_not_what_it_says_is_an_error() {
    let dull: Vec<u8> = (0..50_000_u32).flat_map(|n| [9, (n / 100) as u8]).collect();
    for algorithm in BOTH {
        let packed = packed(&dull, algorithm);
        for (what, bytes) in [
            ("longer", frame(0, &packed, dull.len() - 1)),
            ("much longer", frame(0, &packed, 1)),
            ("shorter", frame(0, &packed, dull.len() + 1)),
            ("more behind", frame(0, &[&packed[..], b"x"].concat(), dull.len())),
            ("cut off", frame(0, &packed[..packed.len() - 1], dull.len())),
            ("nonsense", frame(0, b"nonsense", 10)),
            ("empty", frame(0, b"", 10)),
        ] {
            assert_eq!(
                read(&bytes, algorithm).await.unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{what} {algorithm:?}"
            );
        }
        for cut in [1, 6, HEADER, HEADER + 5] {
            let bytes = frame(0, &packed, dull.len());
            assert_eq!(
                read(&bytes[..cut], algorithm).await.unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof,
                "{cut} {algorithm:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_bomb_is_unpacked_no_faster_than_it_is_read() {
    let huge = vec![0; 0xff_ffff];
    let (mut near, far) = tokio::io::duplex(1 << 20);
    near.write_all(&frame(0, &packed(&huge, Algorithm::Zlib), huge.len())).await.unwrap();
    let mut far = Compressed::new(Box::new(far), Algorithm::Zlib);
    let mut buffer = vec![0; 1000];
    far.read_exact(&mut buffer).await.unwrap();
    let Reading::Zlib(packed) = &far.reading else { panic!("the frame is not over") };
    assert_eq!(packed.promised, 0xff_ffff - 1000);
}

/// Frames of the C library, of level 1 to 19, with and without their size in them, and what they unpack to.
#[tokio::test]
async fn frames_of_the_real_zstd_are_read() {
    let text: Vec<u8> = (0..4000).flat_map(|n| format!("row {n} of many, {}\n", n * n % 1000).into_bytes()).collect();
    for (name, packed) in [
        ("level 1", &include_bytes!("../testdata/zstd-1.zst")[..]),
        ("level 19", include_bytes!("../testdata/zstd-19.zst")),
        ("streamed, with a checksum", include_bytes!("../testdata/zstd-stream.zst")),
    ] {
        let bytes = frame(0, packed, text.len());
        assert!(read(&bytes, Algorithm::Zstd).await.unwrap() == text, "{name}");
    }
}

#[tokio::test]
async fn a_window_larger_than_any_frame_needs_is_an_error() {
    // Magic, no size and no checksum, a window of 2^exponent bytes, one empty raw block that is the last.
    let wants = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3, 1, 0, 0].to_vec();
    assert_eq!(
        read(&frame(0, &wants(23), 1), Algorithm::Zstd).await.unwrap_err().to_string(),
        "a compressed frame is shorter than it says"
    );
    for exponent in [24, 27, 31, 41] {
        let error = read(&frame(0, &wants(exponent), 1), Algorithm::Zstd).await.unwrap_err();
        assert_eq!(error.to_string(), "a compressed frame cannot be unpacked", "{exponent}");
    }
}

#[tokio::test]
async fn no_damage_to_a_zstd_frame_is_more_than_an_error() {
    let text: Vec<u8> = (0..400).flat_map(|n| format!("row {n} of many, {}\n", n * n % 1000).into_bytes()).collect();
    let whole = packed(&text, Algorithm::Zstd);
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..2_000 {
        let mut damaged = whole.clone();
        for _ in 0..=random(3) {
            let at = random(damaged.len());
            damaged[at] = random(256) as u8;
        }
        let promised = if random(4) == 0 { 1 + random(0xff_ffff) } else { text.len() };
        if let Ok(read) = read(&frame(0, &damaged, promised), Algorithm::Zstd).await {
            assert_eq!(read.len(), promised);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn others_are_served_while_a_long_frame_is_packed() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    for algorithm in BOTH {
        let turns = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        let packing = tokio::spawn(async move {
            let (near, far) = tokio::io::duplex(2 * MOST_PACKED);
            let mut near = Compressed::new(Box::new(near), algorithm);
            let bytes: Vec<u8> =
                (0..MOST_PACKED as u32 / 4).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
            near.write_all(&bytes).await.unwrap();
            let before = turns.load(Ordering::SeqCst);
            near.flush().await.unwrap();
            drop(far);
            turns.load(Ordering::SeqCst) - before
        });
        let turns = packing.await.unwrap();
        assert!(turns > 10, "{algorithm:?}: {turns}");
        other.abort();
    }
}
