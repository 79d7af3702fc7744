//! Promises of `get` and `latest`.

use cellgate_schemaless::{Cell, CellKind, Erasure, LatestKey, Triple};
use cellgate_store::{ANSWER_BYTES, PutOutcome, StoreError};

use crate::fixture::{
    Bench, Fixture, body, is_no_table, latest_key, log_of, row, rows_of, shard_of, shards, stored, table, text_of,
    triple, whole,
};

pub async fn get_returns_one_answer_per_key_in_order(fixture: Fixture) {
    let bench = fixture.open().await;
    let place = bench.store(&triple("b", "base", 1), r#"{"n":1}"#).await;
    bench.store(&triple("a", "base", 1), r#"{"n":2}"#).await;
    let keys = [triple("a", "base", 1), triple("a", "base", 2), triple("b", "base", 1), triple("b", "other", 1)];
    let found = bench.get(&keys).await;
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false]);
    let cell = found[2].as_ref().unwrap();
    assert_eq!(cell.triple, keys[2]);
    assert_eq!(cell.body, Some(body(r#"{"n":1}"#)));
    assert_eq!((cell.added_id, cell.created_at), (place.added_id, place.created_at));
    assert_eq!(cell.shard, shard_of(&row("b")));
    assert_eq!((cell.kind, cell.txn), (CellKind::Cell, None));
    assert_eq!(text_of(found[0].as_ref().unwrap()), r#"{"n":2}"#);
}

pub async fn get_answers_a_key_asked_for_twice_twice(fixture: Fixture) {
    let bench = fixture.open().await;
    let key = triple("a", "base", 1);
    bench.store(&key, "1").await;
    let found = bench.get(&[key.clone(), triple("x", "base", 1), key.clone()]).await;
    assert_eq!(found[0], found[2]);
    assert!(found[0].is_some() && found[1].is_none());
}

pub async fn get_of_nothing_is_nothing(fixture: Fixture) {
    let bench = fixture.open().await;
    assert_eq!(bench.get(&[]).await, []);
    assert_eq!(bench.latest(&[]).await, []);
}

pub async fn latest_returns_the_highest_ref_key(fixture: Fixture) {
    let bench = fixture.open().await;
    for version in [2, 10, 3, -5] {
        bench.store(&triple("a", "base", version), &version.to_string()).await;
    }
    bench.store(&triple("a", "other", 99), "99").await;
    bench.store(&triple("b", "base", -4), "-4").await;
    let keys = [
        latest_key("b", "base", None),
        latest_key("a", "base", None),
        latest_key("c", "base", None),
        latest_key("a", "other", None),
        latest_key("a", "base", None),
    ];
    let found = bench.latest(&keys).await;
    let texts: Vec<Option<&str>> = found.iter().map(|c| c.as_ref().map(text_of)).collect();
    assert_eq!(texts, [Some("-4"), Some("10"), None, Some("99"), Some("10")]);
    assert_eq!(found[1].as_ref().unwrap().triple, triple("a", "base", 10));
}

pub async fn latest_at_most_returns_the_highest_up_to_it(fixture: Fixture) {
    let bench = fixture.open().await;
    for version in [1, 5, 9] {
        bench.store(&triple("a", "base", version), &version.to_string()).await;
    }
    let at_most = |v| latest_key("a", "base", Some(v));
    for (bound, expected) in [(9, Some("9")), (8, Some("5")), (5, Some("5")), (1, Some("1")), (0, None)] {
        let found = bench.latest(&[at_most(bound)]).await;
        assert_eq!(found[0].as_ref().map(text_of), expected, "at most {bound}");
    }
    let keys = [at_most(i64::MIN), at_most(i64::MAX)];
    let found = bench.latest(&keys).await;
    assert_eq!(found.iter().map(|c| c.as_ref().map(text_of)).collect::<Vec<_>>(), [None, Some("9")]);
}

pub async fn latest_answers_one_chain_under_several_bounds(fixture: Fixture) {
    let bench = fixture.open().await;
    for version in 1..=4 {
        bench.store(&triple("a", "base", version), &version.to_string()).await;
    }
    let keys = [None, Some(2), Some(3), Some(0), None].map(|bound| latest_key("a", "base", bound));
    let found = bench.latest(&keys).await;
    let texts: Vec<Option<&str>> = found.iter().map(|c| c.as_ref().map(text_of)).collect();
    assert_eq!(texts, [Some("4"), Some("2"), Some("3"), None, Some("4")]);
}

pub async fn many_keys_are_answered_in_one_call(fixture: Fixture) {
    let bench = fixture.open().await;
    let key = |i: usize| triple(format!("row{i:04}"), "base", 1);
    let groups: Vec<_> = (0..300).map(|i| bench.group(&[(&key(i), i.to_string().as_str())])).collect();
    bench.put(&groups).await.iter().for_each(|o| assert!(stored(o)[0].new));
    // Every second key is not there; the order is not the stores' own.
    let keys: Vec<Triple> = (0..600).rev().map(key).collect();
    for (found, i) in bench.get(&keys).await.iter().zip((0..600).rev()) {
        assert_eq!(found.as_ref().map(text_of), (i < 300).then(|| i.to_string()).as_deref());
    }
    let keys: Vec<_> = (0..600).rev().map(|i| latest_key(&format!("row{i:04}"), "base", None)).collect();
    for (found, i) in bench.latest(&keys).await.iter().zip((0..600).rev()) {
        assert_eq!(found.as_ref().map(text_of), (i < 300).then(|| i.to_string()).as_deref());
    }
}

/// A server may read lists of other lengths by other statements, and not know how long a name can be before it sees one.
pub async fn lists_of_every_length_are_answered(fixture: Fixture) {
    let bench = fixture.open().await;
    let mut chains: Vec<(Vec<u8>, Vec<u8>)> = LOOKALIKES.iter().map(|key| (key.to_vec(), b"base".to_vec())).collect();
    chains.extend(LOOKALIKES.iter().map(|key| (b"row".to_vec(), key.to_vec())));
    chains.extend((0..16u8).map(|n| (vec![n; 1020], vec![n; 64])));
    let stored = |n: usize| n % 4 != 3;
    for (n, (row, column)) in chains.iter().enumerate().filter(|(n, _)| stored(*n)) {
        bench.store(&triple(row, column, -1), "-1").await;
        bench.store(&triple(row, column, n as i64 + 7), &n.to_string()).await;
    }
    for length in (1..=70).chain([127, 300]) {
        // In another order for each length; beyond the chains there are, some come twice.
        let asked: Vec<usize> = (0..length).map(|i| (i * 17 + length) % chains.len()).collect();
        let names: Vec<Triple> = asked.iter().map(|&n| triple(&chains[n].0, &chains[n].1, n as i64 + 7)).collect();
        let open = |name: &Triple| LatestKey { row: name.row.clone(), column: name.column.clone(), at_most: None };
        let keys: Vec<LatestKey> = names.iter().map(open).collect();
        let (exact, latest) = (bench.get(&names).await, bench.latest(&keys).await);
        for (((&n, name), exact), latest) in asked.iter().zip(&names).zip(exact).zip(latest) {
            let expected = stored(n).then(|| (name, n.to_string()));
            let seen = |cell: &Option<Cell>| cell.as_ref().map(|cell| (cell.triple.clone(), text_of(cell).to_owned()));
            let expected = expected.map(|(name, text)| (name.clone(), text));
            assert_eq!(seen(&exact), expected, "chain {n} in a list of {length}");
            assert_eq!(seen(&latest), expected, "the latest of chain {n} in a list of {length}");
        }
    }
}

/// Keys that a text collation, a trimming or a terminator would make one.
pub const LOOKALIKES: [&[u8]; 14] = [
    b"a",
    b"A",
    b"a ",
    b" a",
    b"a\0",
    b"a\0b",
    b"\0",
    "\u{e4}".as_bytes(),
    "a\u{308}".as_bytes(),
    "\u{c4}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"\xff\xfe",
    b"'\"`\\;--",
    b"%_",
];

pub async fn keys_that_differ_in_a_byte_are_different_cells(fixture: Fixture) {
    let bench = fixture.open().await;
    let long_row = [b'r'; 1020];
    let (mut longer, long_column) = (long_row.to_vec(), [b'c'; 64]);
    longer[1019] = b's';
    let mut names: Vec<Triple> = LOOKALIKES.iter().map(|key| triple(key, "base", 1)).collect();
    names.extend(LOOKALIKES.iter().map(|key| triple("row", key, 1)));
    names.extend([triple(long_row, long_column, 1), triple(longer, long_column, 1)]);
    for (i, name) in names.iter().enumerate() {
        bench.store(name, &i.to_string()).await;
    }
    for (i, cell) in bench.get(&names).await.into_iter().enumerate() {
        let cell = cell.unwrap();
        assert_eq!((text_of(&cell), &cell.triple), (i.to_string().as_str(), &names[i]));
    }
    for (i, name) in names.iter().enumerate() {
        let key = LatestKey { row: name.row.clone(), column: name.column.clone(), at_most: None };
        let found = bench.latest(&[key]).await.remove(0).unwrap();
        assert_eq!(text_of(&found), i.to_string());
    }
}

pub async fn a_body_comes_back_byte_for_byte(fixture: Fixture) {
    let bench = fixture.open().await;
    let large = format!("{{\"text\":\"{}\"}}", "\u{1f600}\\u0000 \\\" ' ".repeat(1 << 16));
    assert!(large.len() > 1 << 20);
    let bodies = [
        " \t\r\n{ \"b\" : 1,\n \"a\" : 2, \"a\" : 3 }\n ",
        "null",
        "1.0e+0010",
        "123456789012345678901234567890.10",
        "\"\"",
        "\"\u{7f}\u{2028}\"",
        "[]",
        &large,
    ];
    for (i, text) in bodies.iter().enumerate() {
        let name = triple("a", "base", i as i64);
        bench.store(&name, text).await;
        assert_eq!(text_of(&bench.get_one(&name).await.unwrap()), *text);
        assert!(!stored(&bench.put_one(&name, text).await)[0].new, "the same bytes are the same");
    }
    let found = bench.latest(&[latest_key("a", "base", None)]).await.remove(0).unwrap();
    assert_eq!(text_of(&found), large);
}

pub async fn ref_keys_are_signed_64_bit_numbers(fixture: Fixture) {
    let bench = fixture.open().await;
    let versions = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for version in versions {
        bench.store(&triple("a", "base", version), &version.to_string()).await;
    }
    for version in versions {
        let cell = bench.get_one(&triple("a", "base", version)).await.unwrap();
        assert_eq!(text_of(&cell), version.to_string());
        let latest = bench.latest(&[latest_key("a", "base", Some(version))]).await.remove(0).unwrap();
        assert_eq!(latest.triple.ref_key.0, version);
    }
    let all = bench.all_rows(&rows_of(&["a"])).await;
    assert_eq!(all.iter().map(|c| c.triple.ref_key.0).collect::<Vec<_>>(), versions);
}

pub async fn a_missing_table_is_told_by_every_method(fixture: Fixture) {
    let bench = fixture.open().await;
    let missing = table(404);
    let backend = bench.backend();
    is_no_table(backend.get(&missing, &[triple("a", "base", 1)]).await, &missing);
    is_no_table(backend.get(&missing, &[triple("a", "base", 1), triple("b", "base", 1)]).await, &missing);
    is_no_table(backend.latest(&missing, &[latest_key("a", "base", None)]).await, &missing);
    is_no_table(backend.rows(&missing, &rows_of(&["a"])).await, &missing);
    is_no_table(backend.log(&missing, &log_of(shards(0..4))).await, &missing);
    is_no_table(backend.erase(bench.epoch, &missing, &Erasure::Row(row("a")), &whole()).await, &missing);
    let lost = Bench { table: missing.clone(), ..bench };
    let group = lost.group(&[(&triple("a", "base", 1), "1")]);
    is_no_table(lost.backend().put(lost.epoch, &[group]).await, &missing);
}

pub async fn large_bodies_are_answered_among_small_ones(fixture: Fixture) {
    let bench = fixture.open().await;
    // Around the length from which on a batch leaves a body to be fetched alone: 256 KiB.
    let text = |bytes: usize, fill: &str| format!("\"{}\"", fill.repeat(bytes - 2));
    let bodies = [text(5, "s"), text(256 * 1024, "e"), text(256 * 1024 + 1, "l"), text(1024 * 1024, "m")];
    let keys: Vec<Triple> = ["a", "b", "c", "d"].map(|row| triple(row, "base", 1)).into();
    for (key, body) in keys.iter().zip(&bodies) {
        bench.store(key, body).await;
    }
    let found = bench.get(&keys).await;
    assert!(
        found.iter().zip(&bodies).all(|(cell, text)| cell.as_ref().and_then(|c| c.body.clone()) == Some(body(text)))
    );
    let chains = ["d", "c", "nobody", "a"].map(|row| latest_key(row, "base", None));
    let found = bench.latest(&chains).await;
    let lengths: Vec<Option<usize>> = found.iter().map(|cell| cell.as_ref().map(|cell| text_of(cell).len())).collect();
    assert_eq!(lengths, [Some(1024 * 1024), Some(256 * 1024 + 1), None, Some(5)]);
    let bounded = ["d", "b"].map(|row| latest_key(row, "base", Some(7)));
    assert!(bench.latest(&bounded).await.iter().flatten().all(|cell| cell.body.is_some()));
    // The same again is the same, other bytes are not, whatever their length.
    let again: Vec<(&Triple, &str)> = keys.iter().zip(bodies.iter().map(String::as_str)).collect();
    assert!(stored(&bench.put(&[bench.group(&again)]).await[0]).iter().all(|place| !place.new));
    let other = [text(1024 * 1024, "o"), text(7, "o")];
    for body in &other {
        let group = bench.group(&[(&keys[0], bodies[0].as_str()), (&keys[3], body)]);
        assert_eq!(bench.put(&[group]).await, [PutOutcome::Conflict { cell: 1 }]);
    }
}

pub async fn an_answer_is_bounded_in_bytes(fixture: Fixture) {
    let bench = fixture.open().await;
    let key = triple("a", "base", 1);
    bench.store(&key, &format!("\"{}\"", "x".repeat(8 * 1024 * 1024))).await;
    assert!(bench.get(&vec![key.clone(); ANSWER_BYTES / (8 * 1024 * 1024) - 1]).await.iter().all(Option::is_some));
    let many = vec![key; ANSWER_BYTES / (8 * 1024 * 1024)];
    let error = bench.backend().get(&bench.table, &many).await.unwrap_err();
    assert!(matches!(error, StoreError::AnswerTooLarge { max: ANSWER_BYTES }), "{error:?}");
    let chains = vec![latest_key("a", "base", None); many.len()];
    let error = bench.backend().latest(&bench.table, &chains).await.unwrap_err();
    assert!(matches!(error, StoreError::AnswerTooLarge { max: ANSWER_BYTES }), "{error:?}");
}

/// What an INSERT asks for: no bound on bodies stands in its way.
pub async fn versions_and_short_bodies_are_answered_however_long_the_others_are(fixture: Fixture) {
    let bench = fixture.open().await;
    let (long, short) = (triple("a", "base", 5), triple("a", "short", 6));
    bench.store(&long, &format!("\"{}\"", "x".repeat(15 * 1024 * 1024))).await;
    bench.store(&short, "1").await;
    bench.store(&triple("a", "gone", 7), "1").await;
    let gone = Erasure::Cell(triple("a", "gone", 7));
    bench.backend().erase(bench.epoch, &bench.table, &gone, &whole()).await.unwrap();
    // As few as share a statement, and more.
    for count in [ANSWER_BYTES / (15 * 1024 * 1024) + 1, 40] {
        let mut keys = vec![latest_key("a", "base", None); count];
        keys.extend([latest_key("a", "short", None), latest_key("a", "none", None), latest_key("a", "gone", None)]);
        let found = bench.backend().versions(&bench.table, &keys).await.unwrap();
        assert!(found.iter().flatten().all(|cell| cell.body.is_none()));
        let found: Vec<Option<i64>> =
            found.iter().map(|cell| cell.as_ref().map(|cell| cell.triple.ref_key.0)).collect();
        assert_eq!(found[..count], vec![Some(5); count]);
        assert_eq!(found[count..], [Some(6), None, Some(7)]);
        let mut keys = vec![long.clone(); count];
        keys.extend([short.clone(), triple("a", "none", 1), triple("a", "gone", 7)]);
        let found = bench.backend().get_shared(&bench.table, &keys).await.unwrap();
        assert!(found[..count].iter().all(|cell| cell.as_ref().is_some_and(|cell| cell.body.is_none())));
        assert_eq!(found[count].as_ref().map(text_of), Some("1"));
        assert!(found[count + 1].is_none());
        assert_eq!(found[count + 2].as_ref().unwrap().kind, CellKind::Erased);
    }
    let one = bench.backend().versions(&bench.table, &[latest_key("a", "base", None)]).await.unwrap();
    assert!(one[0].as_ref().is_some_and(|cell| cell.triple == long && cell.body.is_none()));
    let below = bench.backend().versions(&bench.table, &[latest_key("a", "base", Some(4))]).await.unwrap();
    assert_eq!(below, [None]);
    assert_eq!(bench.backend().versions(&bench.table, &[]).await.unwrap(), []);
}
