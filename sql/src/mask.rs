//! Statement text without its data, for logs: bodies and keys are personal data, and passwords are passwords.

use crate::environment::SqlMode;
use crate::parse::StatementKind;
use crate::parse::lexer::Lexer;
use crate::parse::tokens::{Kind, Symbol, Token};

/// What stands for a password, as in MySQL's own logs.
const SECRET: &str = "'<secret>'";

/// The text of a statement with every literal replaced by `?`, read as a session with this mode reads it. From where it
/// stops being tokens on, everything is one `?`. Comments stay (tools put their tags there).
pub fn mask(text: &str, mode: SqlMode) -> String {
    masked(text, mode, Text::Statements)
}

/// [`mask`] for a text that is no statement, or was not looked at: what is in double quotes may be meant as a literal, and
/// what follows `IDENTIFIED` or `PASSWORD` as a password, however it is spelled.
pub fn mask_unparsed(text: &str, mode: SqlMode) -> String {
    masked(text, mode, Text::Anything)
}

/// What is known of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Statements,
    Anything,
}

fn masked(text: &str, mode: SqlMode, is: Text) -> String {
    let mut lexer = Lexer::new(text, mode);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    loop {
        let before = lexer.position();
        match lexer.next() {
            Ok(Some(token)) => {
                let (start, end) = (token.start as usize, token.end as usize);
                let anything = is == Text::Anything;
                if anything && (token.is(text, "IDENTIFIED") || token.is(text, "PASSWORD")) {
                    out.push_str(text.get(copied..end).unwrap_or(""));
                    out.push_str(" ?");
                    return out;
                }
                let literal = match token.kind {
                    Kind::String | Kind::Number | Kind::Hex | Kind::Bits => true,
                    Kind::Quoted => anything && token.text(text).starts_with('"'),
                    Kind::Word | Kind::UserVariable | Kind::SystemVariable | Kind::Parameter(_) | Kind::Symbol(_) => {
                        false
                    }
                };
                if literal {
                    out.push_str(text.get(copied..start).unwrap_or(""));
                    out.push('?');
                    copied = end;
                }
            }
            Ok(None) => {
                out.push_str(text.get(copied..).unwrap_or(""));
                return out;
            }
            Err(_) => {
                // `before` is the end of the last token: blanks and comments behind it go with the rest.
                out.push_str(text.get(copied..before.max(copied)).unwrap_or(""));
                out.push_str(if out.ends_with(' ') { "?" } else { " ?" });
                return out;
            }
        }
    }
}

/// The text as a process list may show it, as written but for passwords; and whether there was one.
pub(crate) fn shown(text: &str, mode: SqlMode, kind: StatementKind) -> (String, bool) {
    match kind {
        // Users are made and changed by these, in the text itself or in one that it carries as a string.
        StatementKind::Ddl | StatementKind::Set | StatementKind::Other => without_passwords(text, mode),
        // Into a variable, for PREPARE.
        StatementKind::Select if text.contains('@') && carries_password(text) => without_passwords(text, mode),
        StatementKind::Select
        | StatementKind::Insert
        | StatementKind::Update
        | StatementKind::Delete
        | StatementKind::Replace
        | StatementKind::Show
        | StatementKind::Use
        | StatementKind::Transaction
        | StatementKind::Explain => (text.to_owned(), false),
    }
}

/// The text of one statement with `'<secret>'` for each password; a string that is itself a statement with one counts.
fn without_passwords(text: &str, mode: SqlMode) -> (String, bool) {
    let mut lexer = Lexer::new(text, mode);
    let mut tokens = Vec::new();
    while let Ok(Some(token)) = lexer.next() {
        tokens.push(token);
    }
    let about_users = is_about_users(&tokens, text);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut before: Option<&Token> = None;
    let mut hidden = false;
    for token in &tokens {
        let literal = matches!(token.kind, Kind::String | Kind::Hex | Kind::Bits | Kind::Quoted);
        let password = about_users && literal && (hidden || before.is_some_and(|b| leads_to_password(b, text)));
        hidden = password || (token.kind == Kind::String && carries_password(token.text(text)));
        if hidden {
            out.push_str(text.get(copied..token.start as usize).unwrap_or(""));
            out.push_str(SECRET);
            copied = token.end as usize;
        }
        before = Some(token);
    }
    out.push_str(text.get(copied..).unwrap_or(""));
    (out, copied > 0)
}

/// Whether a statement is CREATE USER, GRANT, SET PASSWORD or the like.
fn is_about_users(tokens: &[Token], text: &str) -> bool {
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|t| words.iter().any(|w| t.is(text, w)));
    is(0, &["GRANT", "REVOKE"])
        || is(0, &["CREATE", "ALTER", "DROP", "RENAME"]) && is(1, &["USER"])
        || is(0, &["SET"]) && is(1, &["PASSWORD"])
}

/// Whether a literal behind this token is a password or a hash of one.
fn leads_to_password(token: &Token, text: &str) -> bool {
    let words = ["BY", "AS", "USING", "PASSWORD", "REPLACE"];
    words.iter().any(|word| token.is(text, word))
        || [Symbol::Equal, Symbol::Assign, Symbol::Open].iter().any(|symbol| token.is_symbol(*symbol))
}

/// Whether a string is the text of a statement with a password (PREPARE, or a variable it is prepared from).
fn carries_password(string: &str) -> bool {
    let has = |word: &str| string.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    has("IDENTIFIED") || has("PASSWORD")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: SqlMode = SqlMode {
        ansi_quotes: false,
        no_backslash_escapes: false,
        pipes_as_concat: false,
        high_not_precedence: false,
        any_of_group: false,
        divides_by_zero: false,
    };

    #[test]
    fn literals_are_masked_and_names_are_not() {
        assert_eq!(
            mask("INSERT INTO t (row_key, body) VALUES ('secret', X'4142', -1.5, b'1') /* app:x */", MODE),
            "INSERT INTO t (row_key, body) VALUES (?, ?, -?, ?) /* app:x */"
        );
        assert_eq!(
            mask("SELECT `a 1`, @@x, @u, ? FROM t1 WHERE c = \"x\"", MODE),
            "SELECT `a 1`, @@x, @u, ? FROM t1 WHERE c = ?"
        );
    }

    #[test]
    fn passwords_are_shown_nowhere() {
        let written = |text: &str| shown(text, MODE, StatementKind::Other).0;
        for text in [
            "CREATE USER 'app'@'%' IDENTIFIED BY 'secret'",
            "create user app identified with mysql_native_password by \"secret\", b identified by 'a' 'secret'",
            "ALTER USER app IDENTIFIED WITH mysql_native_password AS 'secret' REQUIRE SSL",
            "ALTER USER app IDENTIFIED BY 'x' REPLACE 'secret'",
            "ALTER USER app IDENTIFIED WITH mysql_native_password USING PASSWORD('secret')",
            "SET PASSWORD = 'secret'",
            "SET PASSWORD FOR app@localhost = PASSWORD ( /* c */ 'secret')",
            "GRANT ALL ON *.* TO app IDENTIFIED BY 'secret'",
            "GRANT ALL ON *.* TO app IDENTIFIED BY PASSWORD 'secret'",
            "PREPARE s FROM 'CREATE USER app IDENTIFIED BY ''secret'''",
            "SET @s = 'ALTER USER app identified by \"secret\"'",
        ] {
            assert!(!written(text).replace("<secret>", "").contains("secret"), "{}", written(text));
            assert!(written(text).contains("<secret>"), "{}", written(text));
            assert!(!mask(text, MODE).contains("secret"), "{}", mask(text, MODE));
            assert!(!mask_unparsed(text, MODE).contains("secret"), "{}", mask_unparsed(text, MODE));
        }
        for text in [
            "SELECT 'CREATE USER x IDENTIFIED BY ''secret''' INTO @s",
            "SELECT @s := 'alter user x identified by \"secret\"', 1",
        ] {
            let (masked, hidden) = shown(text, MODE, StatementKind::Select);
            assert!(hidden && !masked.replace("<secret>", "").contains("secret"), "{masked}");
        }
        let text = "SELECT 'a password' FROM t";
        assert_eq!(shown(text, MODE, StatementKind::Select), (text.to_owned(), false));
        assert_eq!(written("SET PASSWORD FOR 'app'@'%' = 'x'"), "SET PASSWORD FOR 'app'@'%' = '<secret>'");
        for text in ["SET sql_mode = 'ANSI'", "CREATE TABLE t (a JSON DEFAULT '1')", "GRANT SELECT ON a.b TO 'u'@'h'"] {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn text_that_is_no_statement_is_masked_from_there_on() {
        assert_eq!(mask("SELECT 1, 'never closed secret", MODE), "SELECT ?, ?");
        assert!(!mask("x /* never closed secret", MODE).contains("secret"));
        assert!(!mask("x 'secret", MODE).contains("secret"));
        assert!(!mask("'é secret", MODE).contains("secret"));
    }

    #[test]
    fn literals_are_found_as_the_session_reads_them() {
        let mode = SqlMode { no_backslash_escapes: true, ..MODE };
        assert_eq!(mask(r"SELECT 'C:\' AND 'Ann Smith'", mode), "SELECT ? AND ?");
        assert_eq!(mask_unparsed(r"SELECT 'C:\' AND 'Ann Smith'", mode), "SELECT ? AND ?");
    }

    #[test]
    fn what_was_not_parsed_shows_no_password_however_it_is_spelled() {
        let ansi = SqlMode { ansi_quotes: true, ..MODE };
        for text in [
            "CREATE USER a IDENTIFIED WITH sha256_password BY 'secret'",
            "CREATE USER a IDENTIFIED BY secret",
            "CREATE USER a IDENTIFIED BY \"secret\" FOO",
            "SELECT 1; CREATE USER a IDENTIFIED BY `secret`; SELEC 1",
            "SET PASSWORD FOR a := \"secret",
            "SELECT \"secret\" FRM t",
        ] {
            for mode in [MODE, ansi] {
                assert!(!mask_unparsed(text, mode).contains("secret"), "{}", mask_unparsed(text, mode));
            }
        }
        assert_eq!(mask_unparsed("SELECT `a`, @b FRM t LIMIT 2", ansi), "SELECT `a`, @b FRM t LIMIT ?");
    }
}
