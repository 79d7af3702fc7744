//! The examples of the documents: every block marked `sql` can be run from top to bottom against a fresh deployment, and a
//! block marked `text` behind it is what it answers, written as golden results are (without the statements).

use mysql_async::Conn;

use crate::golden;
use crate::settings;

/// An example of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The document, as `docs/DIALECT.md`.
    pub document: String,
    /// Line of the document in which the statements begin, from 1.
    pub line: usize,
    /// The statements.
    pub sql: String,
    /// What they answer, if the document says so.
    pub answer: Option<String>,
}

/// The text of a document of the repository, by its path from the root.
///
/// # Panics
///
/// If it cannot be read.
pub fn text(document: &str) -> String {
    let path = settings::package().join("..").join(document);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Its examples, from top to bottom.
///
/// # Panics
///
/// If it cannot be read.
pub fn examples(document: &str) -> Vec<Example> {
    cut(document, &text(document))
}

impl Example {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Where the answer differs from the document's, or, if the document says nothing, which statement failed.
    ///
    /// # Panics
    ///
    /// If the connection breaks.
    pub async fn run(&self, conn: &mut Conn) -> Result<(), String> {
        let mut found = String::new();
        for statement in golden::statements(&self.sql) {
            found.push_str(&golden::answer(conn, statement.trim_end_matches(';'), true).await);
        }
        let differs = match &self.answer {
            Some(expected) if *expected != found => golden::difference(expected, &found),
            None if found.contains("> error") => found,
            Some(_) | None => return Ok(()),
        };
        Err(format!("{}, the example in line {}, answers otherwise: {differs}", self.document, self.line))
    }
}

/// A block of a document: its mark, its first line and its text.
struct Block<'a> {
    mark: &'a str,
    line: usize,
    text: String,
    /// Whether only the end of another block stands before it.
    follows: bool,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut open, mut follows): (Vec<Block<'_>>, Option<Block<'_>>, bool) = (Vec::new(), None, false);
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => {
                blocks.extend(open.take());
                follows = true;
            }
            (Some(mark), None) => open = Some(Block { mark, line: number + 2, text: String::new(), follows }),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => follows = false,
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn cut(document: &str, text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut before = "";
    for block in blocks(text) {
        match block.mark {
            "sql" => {
                let (document, line) = (document.to_owned(), block.line);
                examples.push(Example { document, line, sql: block.text, answer: None });
            }
            "text" if block.follows && before == "sql" => {
                if let Some(example) = examples.last_mut() {
                    example.answer = Some(block.text);
                }
            }
            _ => {}
        }
        before = block.mark;
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_belongs_to_the_statements_right_before_it() {
        let text = "a\n```sql\nSELECT 1;\n```\n```text\n> 1 row\n```\n\n```sql\nSELECT 2;\n```\n\n```text\nno\n```\n```toml\n```\n";
        let examples = cut("A.md", text);
        let found: Vec<_> = examples.iter().map(|e| (e.line, e.sql.as_str(), e.answer.as_deref())).collect();
        assert_eq!(found, [(3, "SELECT 1;\n", Some("> 1 row\n")), (10, "SELECT 2;\n", None)]);
    }
}
