//! The statements as each dialect spells them, and the plans SQLite makes of them.

use cellgate_schemaless::{
    AddedId, ColumnFilter, ColumnKey, Direction, LatestKey, LogScan, RefKey, RefRange, RowKey, RowScan, RowSet,
    ShardId, TableId, TableRef, Triple,
};

use super::{Dialect, LatestBy, MARIADB, MYSQL, MYSQL_WITH_LATERAL, POSTGRES, Query, SQLITE, room};

fn table() -> TableRef {
    TableRef::new("trips", TableId(17), 1)
}

fn triple(row: &'static str, column: &'static str, ref_key: i64) -> Triple {
    Triple {
        row: RowKey::from_store(row.as_bytes()),
        column: ColumnKey::from_store(column.as_bytes()),
        ref_key: RefKey(ref_key),
    }
}

fn placeholders(dialect: &Dialect, query: &Query) -> usize {
    let mark = if dialect.quote == '"' && dialect.blob_close == "::bytea" { '$' } else { '?' };
    query.text.matches(mark).count()
}

#[test]
fn every_placeholder_has_its_parameter() {
    let keys = [triple("a", "c", 1), triple("b", "c", 2), triple("c", "c", 3)];
    for (dialect, count) in [(&MYSQL, 3), (&POSTGRES, 3), (&SQLITE, 1)] {
        let query = dialect.get(&table(), &keys[..count]);
        assert_eq!(placeholders(dialect, &query), query.params.len(), "{}", query.text);
    }
}

#[test]
fn a_list_of_keys_has_few_lengths_and_little_padding() {
    let keys: Vec<Triple> = (0..9).map(|n| triple("a", "c", n)).collect();
    let query = MYSQL.get(&table(), &keys);
    assert_eq!(query.params.len(), 12 * 3);
    assert_eq!(query.params[24..27], query.params[33..], "the last key is repeated");
    let rooms: std::collections::BTreeSet<usize> = (1..=64).map(room).collect();
    assert_eq!(rooms.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]);
    assert_eq!((room(65), room(97), room(1000)), (96, 128, 1024));
}

#[test]
fn a_mariadb_finds_the_latest_of_few_by_a_maximum_for_each_and_of_many_by_a_table_of_values() {
    let key = |row: &'static str, at_most: Option<i64>| {
        let Triple { row, column, .. } = triple(row, "c", 0);
        LatestKey { row, column, at_most: at_most.map(RefKey) }
    };
    let open = [key("a", None), key("b", None), key("c", None)];
    let query = MARIADB.latest(&table(), &open);
    assert_eq!(query.text.matches("(SELECT MAX(`ref_key`) FROM").count(), 3, "{}", query.text);
    assert_eq!(query.params.len(), 3 * 4);
    assert_eq!(placeholders(&MARIADB, &query), query.params.len());
    // A bound on the version does not let it look into its index for them while it plans.
    assert_eq!(MYSQL.latest_by(&open), LatestBy::Join);
    assert!(!MYSQL.latest(&table(), &open).text.contains("IN ((?, ?, (SELECT"));
    let bounded = [key("a", None), key("b", Some(7))];
    assert_eq!(MARIADB.latest_by(&bounded), LatestBy::Mixed);
    let many: Vec<LatestKey> = std::iter::repeat_n(open[0].clone(), 13).collect();
    let query = MARIADB.latest(&table(), &many);
    assert_eq!(MARIADB.latest_by(&many), LatestBy::Values);
    assert!(query.text.starts_with("WITH k(r, c) AS (VALUES (CAST(NULL AS"), "{}", query.text);
    assert_eq!((placeholders(&MARIADB, &query), query.params.len()), (16 * 2, 16 * 2));
    assert_eq!(MYSQL.latest_by(&many), LatestBy::Join);
    for keys in [&open[..], &bounded[..]] {
        assert_eq!(MYSQL_WITH_LATERAL.latest_by(keys), LatestBy::Lateral);
        let query = MYSQL_WITH_LATERAL.latest(&table(), keys);
        assert!(query.text.starts_with("WITH k(r, c, v) AS (VALUES ROW(CAST(NULL AS"), "{}", query.text);
        assert_eq!((placeholders(&MYSQL_WITH_LATERAL, &query), query.params.len()), (keys.len() * 3, keys.len() * 3));
    }
    assert_eq!(MYSQL_WITH_LATERAL.latest_by(&bounded[1..]), LatestBy::Order);
}

#[test]
fn a_mariadb_reads_many_names_by_a_table_of_values() {
    let keys: Vec<Triple> = (0..24).map(|n| triple("a", "c", n)).collect();
    assert!(!MARIADB.get(&table(), &keys[..23]).text.contains("VALUES"));
    let query = MARIADB.get(&table(), &keys);
    assert!(query.text.contains("STRAIGHT_JOIN `trips_17` AS c FORCE INDEX (`cell`)"), "{}", query.text);
    assert_eq!((placeholders(&MARIADB, &query), query.params.len()), (24 * 3, 24 * 3));
    assert!(!MYSQL.get(&table(), &keys).text.contains("VALUES"));
}

#[test]
fn a_long_body_is_answered_alone_only() {
    let bound = format!("<= {}", super::BATCH_BODY);
    let keys = [triple("a", "c", 1), triple("b", "c", 1)];
    let chains = keys.clone().map(|Triple { row, column, .. }| LatestKey { row, column, at_most: None });
    let several: Vec<LatestKey> = std::iter::repeat_n(chains[0].clone(), 16).collect();
    let names: Vec<Triple> = std::iter::repeat_n(keys[0].clone(), 32).collect();
    for dialect in [&MARIADB, &MYSQL, &MYSQL_WITH_LATERAL, &POSTGRES] {
        let shared = [
            dialect.get(&table(), &keys),
            dialect.get(&table(), &names),
            dialect.latest(&table(), &chains),
            dialect.latest(&table(), &several),
        ];
        for query in shared {
            assert!(query.text.contains(&bound), "{}", query.text);
        }
        assert!(!dialect.get(&table(), &keys[..1]).text.contains(&bound));
    }
}

#[test]
fn a_blob_literal_is_hexadecimal_in_every_dialect() {
    let literal = |dialect: &Dialect| {
        let mut out = Vec::new();
        dialect.blob(&mut out, b"\x00'\xff");
        String::from_utf8(out).unwrap()
    };
    assert_eq!(literal(&MYSQL), "x'0027ff'");
    assert_eq!(literal(&SQLITE), "x'0027ff'");
    assert_eq!(literal(&POSTGRES), "'\\x0027ff'::bytea");
}

#[test]
fn a_page_goes_on_in_its_chain_then_its_row_then_the_other_rows() {
    let scan = RowScan {
        set: RowSet::Rows(["a", "b", "c"].map(|r| RowKey::from_store(r.as_bytes())).to_vec(), ColumnFilter::All),
        refs: RefRange::default(),
        direction: Direction::Descending,
        after: Some(triple("b", "k", 5)),
        up_to: None,
        limit: None,
    };
    let queries: Vec<Query> = SQLITE.rows(&table(), &scan, 10).collect();
    assert_eq!(queries.len(), 3, "{queries:?}");
    assert!(queries[0].text.contains(r#""column_key" = ? AND "ref_key" < ?"#), "{}", queries[0].text);
    assert!(queries[1].text.contains(r#""column_key" < ?"#), "{}", queries[1].text);
    assert_eq!(queries[2].params[0], super::Param::Bytes("a".into()), "only the rows behind are left");
}

#[test]
fn a_short_page_names_few_keys_at_a_time() {
    let scan = RowScan {
        set: RowSet::Rows((0..600).map(|n| RowKey::from_store(format!("{n:03}"))).collect(), ColumnFilter::All),
        refs: RefRange::default(),
        direction: Direction::Ascending,
        after: None,
        up_to: None,
        limit: None,
    };
    for (limit, statements) in [(1, 38), (100, 6), (1000, 2)] {
        let queries: Vec<Query> = MARIADB.rows(&table(), &scan, limit).collect();
        assert_eq!(queries.len(), statements, "for {limit} rows");
        let keys = |query: &Query| query.params.iter().filter(|param| matches!(param, super::Param::Bytes(_))).count();
        assert!(queries.iter().map(keys).sum::<usize>() >= 600);
    }
}

#[test]
fn a_log_page_goes_on_in_its_shard_then_the_shards_behind() {
    let scan = LogScan {
        shards: [1, 2, 3, 4].map(ShardId).to_vec(),
        added_after: None,
        created_from: None,
        columns: ColumnFilter::All,
        after: Some((ShardId(2), AddedId(99))),
        up_to: None,
        limit: None,
    };
    let queries: Vec<Query> = MYSQL.log(&table(), &scan, 10).collect();
    assert_eq!(queries.len(), 2, "{queries:?}");
    assert!(queries[0].text.contains("`shard` = ? AND `added_id` > ?"), "{}", queries[0].text);
    assert!(queries[1].text.contains("`shard` >= ? AND `shard` <= ?"), "{}", queries[1].text);
    assert_eq!(queries[1].params[..2], [super::Param::Int(3), super::Param::Int(4)]);
}
