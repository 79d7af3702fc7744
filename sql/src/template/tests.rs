//! A template decides what the long way decides, for every text of a known shape and for the texts around it.

use bytes::Bytes;
use cellgate_schemaless::{Request, Version};
use proptest::prelude::*;

use super::*;
use crate::command::{Command, Source};
use crate::environment::SqlMode;
use crate::expression::column_text;
use crate::template::normal::Normal;
use crate::testing::{Session, bound, cell, run};
use crate::value::ColumnType;

fn normal(text: &str) -> Option<Normal> {
    normal_in(text, SqlMode::default())
}

fn normal_in(text: &str, mode: SqlMode) -> Option<Normal> {
    let mut normal = Normal::default();
    normal.read(&Bytes::copy_from_slice(text.as_bytes()), mode).then_some(normal)
}

/// The template of a text's normal form, filled with its literals.
fn filled(text: &str) -> Option<(Template, Filled)> {
    let normal = normal(text)?;
    let [statement] =
        <[Statement; 1]>::try_from(crate::parse(std::str::from_utf8(&normal.key).unwrap(), SqlMode::default()).ok()?)
            .ok()?;
    assert_eq!(usize::from(statement.parameters()), normal.values.len(), "{text}");
    let template = Template::of(&statement, &Session::new())?;
    let filled = template.fill(&normal.values)?;
    Some((template, filled))
}

/// What is asked for by the text, bound as any statement.
fn long_way(text: &str) -> Command {
    bound(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Compares both ways; false if there is no template for the text.
fn agrees(text: &str) -> bool {
    let Some((template, filled)) = filled(text) else { return false };
    match (&filled, long_way(text)) {
        (Filled::Get(triple), Command::Read(read)) => {
            let expected = Request::Get { table: template.table_ref().clone(), keys: vec![triple.clone()] };
            same_read(text, &template, &expected, &read);
        }
        (Filled::Latest(key), Command::Read(read)) => {
            let expected = Request::Latest { table: template.table_ref().clone(), keys: vec![key.clone()] };
            same_read(text, &template, &expected, &read);
        }
        (Filled::Put(triple, body), Command::Put(put)) => {
            let [cell] = put.cells.as_slice() else { panic!("{text}: {put:?}") };
            assert_eq!(
                (&cell.row, &cell.column, cell.version, &cell.body),
                (&triple.row, &triple.column, Version::Exact(triple.ref_key), body),
                "{text}"
            );
            assert!(put.returning.is_none() && !put.ignore && !put.places_ignored, "{text}");
        }
        (filled, command) => panic!("{text}: {filled:?} against {command:?}"),
    }
    true
}

fn same_read(text: &str, template: &Template, expected: &Request, read: &crate::command::Read) {
    let Source::Cells(request) = &read.source else { panic!("{text}: {read:?}") };
    assert_eq!(request, expected, "{text}");
    assert_eq!(template.columns(), read.shape.columns(), "{text}");
    assert!(!read.locking && !read.scatter, "{text}");
    let cells = [cell("a", "BASE", 1, r#"{"n":1}"#, 3)];
    let rows = run(&crate::command::Read { source: Source::Nothing, ..read.clone() }, &cells).unwrap();
    assert!(rows.is_empty(), "{text}");
    // The row of a cell, by both.
    let mut shaping = read.shape.start();
    let cell = match expected {
        Request::Get { keys, .. } => crate::testing::cell("a", "BASE", keys[0].ref_key.0, "1", 3),
        _ => cells[0].clone(),
    };
    let cell = Cell {
        triple: match expected {
            Request::Get { keys, .. } => keys[0].clone(),
            Request::Latest { keys, .. } => Triple {
                row: keys[0].row.clone(),
                column: keys[0].column.clone(),
                ref_key: keys[0].at_most.unwrap_or(RefKey(7)),
            },
            other => panic!("{other:?}"),
        },
        ..cell
    };
    let mut rows = Vec::new();
    shaping.push(&cell, &mut rows).unwrap();
    rows.extend(shaping.finish().unwrap());
    let own = template.columns().iter().zip(template.row(&cell)).map(|(column, value)| match (value, column.ty) {
        (CellValue::Null, _) => Value::Null,
        (CellValue::Int(number), _) => Value::Int(number),
        (CellValue::Bytes(bytes), ColumnType::Json) => Value::Json(bytes.to_vec().into()),
        (CellValue::Bytes(bytes), _) => column_text(&bytes.to_vec().into()),
        (CellValue::DateTime(micros), _) => Value::DateTime(micros),
    });
    assert_eq!(rows, [own.collect::<Vec<_>>()], "{text}");
}

#[test]
fn the_statements_of_a_busy_client_have_templates() {
    for text in [
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "select * from shop.trips t where t.ref_key=1 and 'BASE' = column_key and row_key='a' limit 1;",
        "SELECT `row_key`, ref_key AS v, body, added_id, created_at, shard FROM trips \
         WHERE row_key = 'it''s' AND column_key = 'a\\nb' AND ref_key = 9223372036854775807",
        "SELECT BODY, Ref_Key FROM trips WHERE ROW_KEY = 'a' AND COLUMN_KEY = 'BASE' AND REF_KEY = 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1",
        "SELECT REF_KEY AS Ref_key, body FROM trips \
         WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY REF_KEY DESC LIMIT 1",
        "SELECT body AS ref_key FROM trips \
         WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY trips.ref_key DESC LIMIT 1",
        "SELECT body AS ref_key FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key <= 5 \
         ORDER BY ref_key DESC LIMIT 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND 5 >= ref_key \
         ORDER BY trips.ref_key DESC LIMIT 1 -- no",
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{\\\"a\\\":\"b\"}')",
        "insert into trips(body,ref_key,column_key,row_key) values('1',0,'x','y') /* app:shop */",
    ] {
        assert_eq!(agrees(text), !text.ends_with("-- no"), "{text}");
    }
}

#[test]
fn what_is_unusual_goes_the_long_way() {
    for text in [
        "SELECT body FROM trips WHERE row_key = 5 AND column_key = 'BASE' AND ref_key = 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = '1'",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1 AND ref_key = 2",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = -1",
        "SELECT body FROM trips WHERE row_key = '' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1 LIMIT 0",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1 FOR UPDATE",
        "SELECT BASE FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT DISTINCT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT COUNT(*) FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT body FROM trips PARTITION (p1) WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 2",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key LIMIT 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1 OFFSET 1",
        "SELECT body AS ref_key FROM trips \
         WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1",
        "SELECT ref_key, added_id AS `REF_KEY` FROM trips \
         WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key <= 5 ORDER BY ref_key DESC LIMIT 1",
        "SELECT /*+ MAX_EXECUTION_TIME(1) */ body FROM trips \
         WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' OR ref_key = 1",
        "SELECT body FROM nobody WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1",
        "INSERT IGNORE INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1')",
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', NULL, '1')",
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, 'no json')",
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1'), ('b', 'BASE', 1, '1')",
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1') RETURNING added_id",
        "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')",
    ] {
        assert!(filled(text).is_none(), "{text}");
    }
}

#[test]
fn texts_that_differ_in_their_literals_have_one_normal_form() {
    let one = normal("SELECT  body FROM t WHERE a='x' AND b = 12").unwrap();
    let other = normal("SELECT body\n FROM t WHERE a='it''s' AND b = 7").unwrap();
    assert_eq!(one.key, other.key);
    assert_eq!(String::from_utf8(one.key).unwrap(), "SELECT body FROM t WHERE a=? AND b = ?");
    assert_eq!(one.values, [Value::Text("x".into()), Value::Int(12)]);
    assert_eq!(other.values, [Value::Text("it's".into()), Value::Int(7)]);
}

#[test]
fn a_string_without_escapes_is_not_copied() {
    let text = Bytes::from_static(b"SELECT 'abc'");
    let mut normal = Normal::default();
    assert!(normal.read(&text, SqlMode::default()));
    let Value::Text(value) = &normal.values[0] else { panic!("{normal:?}") };
    assert_eq!(value.as_ptr(), text[8..].as_ptr());
}

#[test]
fn the_mode_decides_what_a_string_is() {
    let ansi = SqlMode { ansi_quotes: true, ..SqlMode::default() };
    assert_eq!(normal_in("SELECT \"a\"", ansi).unwrap().key, b"SELECT \"a\"");
    assert_eq!(normal("SELECT \"a\"").unwrap().values, [Value::Text("a".into())]);
    let plain = SqlMode { no_backslash_escapes: true, ..SqlMode::default() };
    assert_eq!(normal_in(r"SELECT 'a\'", plain).unwrap().values, [Value::Text(r"a\".into())]);
    assert!(normal(r"SELECT 'a\'").is_none());
}

#[test]
fn what_the_scanner_does_not_understand_it_leaves_alone() {
    for text in [
        "SELECT @x",
        "SELECT x'4d'",
        "SELECT _utf8'a'",
        "SELECT 1.5",
        "SELECT 1e3",
        "SELECT .5",
        "SELECT 99999999999999999999",
        "SELECT -1",
        "SELECT 1 -- comment",
        "SELECT 1 # comment",
        "SELECT /*!1 */",
        "SELECT /*M! 1 */",
        "SELECT /*+ x */ 1",
        "SELECT /* cellgate: read=replica */ 1",
        "SELECT 'open",
        "SELECT `open",
        "SELECT /* open",
        "SELECT 1; SELECT 2",
        "SELECT ?",
    ] {
        assert!(normal(text).is_none(), "{text}");
    }
    let long = format!("SELECT {}", "a".repeat(normal::NORMAL_BYTES));
    assert!(normal(&(long + " FROM t")).is_none());
    assert!(normal(&format!("SELECT {}", "1,".repeat(17))).is_none());
    for long in ["`".to_owned() + &"a".repeat(1 << 20) + "`", "a".repeat(1 << 20)] {
        let mut normal = Normal::default();
        assert!(!normal.read(&format!("SELECT {long} FROM t").into(), SqlMode::default()));
        assert!(normal.key.capacity() <= 2 * normal::NORMAL_BYTES, "no room is kept for what is too long");
    }
}

fn text() -> impl Strategy<Value = String> {
    let literal = proptest::sample::select(
        &["'a'", "'b'", "''", "5", "NULL", "'it''s'", r"'\n'", r"'\%'", "\"q\"", "1.5", "TRUE", "-3", "'1'"][..],
    );
    let items = proptest::sample::select(
        &[
            "body",
            "*",
            "ref_key, body",
            "t.body AS b",
            "shard",
            "BASE",
            "1",
            "BODY, T.Row_Key",
            "body AS ref_key",
            "ref_key AS Ref_Key, shard",
        ][..],
    );
    let condition = proptest::sample::select(
        &["row_key = {}", "column_key = {}", "ref_key = {}", "ref_key <= {}", "{} = row_key", "ref_key < {}"][..],
    );
    let conditions = proptest::collection::vec((condition, literal), 1..5);
    let tail = proptest::sample::select(
        &["", " LIMIT 1", " ORDER BY ref_key DESC LIMIT 1", " ORDER BY ref_key DESC", " LIMIT 0", ";", " /* x */"][..],
    );
    (items, conditions, tail).prop_map(|(items, conditions, tail)| {
        let all: Vec<String> = conditions.into_iter().map(|(c, l)| c.replace("{}", l)).collect();
        format!("SELECT {items} FROM trips t WHERE {}{tail}", all.join(" AND "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_template_reads_what_the_long_way_reads(text in text()) {
        agrees(&text);
    }

    #[test]
    fn any_text_is_scanned_without_a_panic(text in "\\PC{0,60}") {
        normal(&text);
    }

    #[test]
    fn literals_are_what_the_parser_makes_of_them(content in "[a'\\\\\"%_nü]{0,8}") {
        let text = format!("SELECT '{}'", content.replace('\'', "''"));
        if let Some(normal) = normal(&text)
            && let Ok(Command::Read(read)) = bound(&text)
        {
            let rows = run(&read, &[]).unwrap();
            prop_assert_eq!(&rows[0][..], &normal.values[..]);
        }
    }
}
