//! Texts of several statements, and the literals in them.

use crate::command::Command;
use crate::environment::SqlMode;
use crate::parameters::Parameters;
use crate::parse::{StatementKind, parse};
use crate::testing::{Session, run, shown, value};

#[test]
fn several_statements_keep_their_texts_kinds_and_parameters() {
    let all = parse(
        " SELECT ?, ';' ; INSERT INTO t VALUES (?, ?) ;; UPDATE t SET a = 1; /*!40000 DO 1 */",
        SqlMode::default(),
    )
    .unwrap();
    let seen: Vec<_> = all.iter().map(|s| (s.text(), s.kind(), s.parameters())).collect();
    assert_eq!(
        seen,
        [
            ("SELECT ?, ';'", StatementKind::Select, 1),
            ("INSERT INTO t VALUES (?, ?)", StatementKind::Insert, 2),
            ("UPDATE t SET a = 1", StatementKind::Update, 0),
            ("DO 1", StatementKind::Other, 0),
        ]
    );
    assert_eq!(all[0].masked(), "SELECT ?, ?");
    let labels: std::collections::BTreeSet<_> = StatementKind::ALL.iter().map(|k| k.label()).collect();
    assert_eq!(labels.len(), StatementKind::ALL.len());
}

#[test]
fn what_follows_a_statement_is_a_text_of_its_own_outside_of_comments() {
    let text = "DO 1 ; /*!40101 DO 2 */; /*!40101 DO 3; DO 4; */ DO 5";
    let rests: Vec<_> = parse(text, SqlMode::default()).unwrap();
    let rests: Vec<_> = rests.iter().map(|s| s.rest().map(|rest| &text[rest..])).collect();
    let behind = [" /*!40101 DO 2 */; /*!40101 DO 3; DO 4; */ DO 5", " /*!40101 DO 3; DO 4; */ DO 5"];
    assert_eq!(rests, [Some(behind[0]), Some(behind[1]), None, None, None]);
}

#[test]
fn strings_and_numbers_are_read_as_mysql_reads_them() {
    for (written, expected) in [
        ("'it''s'", "it's"),
        (r"'a\'b\n\t\\\%\_\0x'", "a'b\n\t\\\\%\\_\0x"),
        ("\"say \"\"x\"\"\"", "say \"x\""),
        ("'a' 'b' \"c\"", "abc"),
        ("X'4142'", "AB"),
        ("x'4142'", "AB"),
        ("0x4142", "AB"),
        ("b'0100000101000010'", "AB"),
        ("0b01000001", "A"),
        ("_binary'ab'", "ab"),
        ("_utf8mb4'é😀'", "é😀"),
        ("_utf8mb4 X'C3A9'", "é"),
        ("N'n'", "n"),
        ("1.50", "1.50"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.5e-3", "0.0015"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("99999999999999999999", "99999999999999999999"),
        ("TRUE + FALSE", "1"),
    ] {
        assert_eq!(value(written), expected, "{written}");
    }
    let mode = SqlMode { ansi_quotes: true, no_backslash_escapes: true, pipes_as_concat: true, ..SqlMode::default() };
    let env = Session::new();
    let statement = parse(r#"SELECT 'a\' || 'b' AS "x y""#, mode).unwrap().remove(0);
    let Ok(Command::Read(read)) = crate::bind(&statement, &Parameters::default(), &env) else { panic!() };
    assert_eq!(run(&read, &[]).unwrap().iter().map(shown).collect::<Vec<_>>(), [r"a\b"]);
    assert_eq!(read.shape.columns()[0].name, "x y");
}
