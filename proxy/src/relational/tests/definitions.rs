//! What SHOW CREATE TABLE says of a table.

use cellgate_sql::{Command, Ddl, SqlMode};

use super::Session;
use crate::relational::{Escapes, TableView};

#[test]
fn show_create_table_makes_the_same_table_again() {
    let session = Session::new();
    let defaults = [r#""\\n""#, r#""a\nb""#, r#""it's \"so\"""#, r#"{"a": "\\'"}"#];
    let names = ["a", "b", "c", "d"];
    let columns: Vec<(&str, Option<&str>)> = names.into_iter().zip(defaults.map(Some)).collect();
    let mut def = super::table(9, "shop", "again", &columns);
    def.comment = r"it's a \ here".into();
    for (escapes, plain) in [(Escapes::Backslashes, false), (Escapes::Nothing, true)] {
        let text = TableView::of(&def).create_statement(escapes);
        let mode = SqlMode { no_backslash_escapes: plain, ..SqlMode::default() };
        let statement = cellgate_sql::parse(&text, mode).unwrap().remove(0);
        match cellgate_sql::bind(&statement, &cellgate_sql::Parameters::default(), &session) {
            Ok(Command::Ddl(Ddl::CreateTable { columns, comment, .. })) => {
                let made: Vec<_> = columns.iter().map(|column| column.missing.clone()).collect();
                assert_eq!(made, defaults.map(|text| Some(text.to_owned())), "{text}");
                assert_eq!(comment, def.comment);
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}
