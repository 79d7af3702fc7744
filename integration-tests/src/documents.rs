//! What the documents have one run.
//!
//! The examples: every block marked `sql` can be run from top to bottom against a fresh deployment, and a block marked `text`
//! behind it is what it answers, written as golden results are (without the statements). And the recipes: a block marked with
//! engines too (`sql mariadb`, `sh postgresql`) is for the operator of a backend of that kind.

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

/// Something that the operator of a backend is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The heading that it stands under, without the `#`s.
    pub heading: String,
    /// What it is written in: `sql`, or `sh`.
    pub language: String,
    /// The engines that it is for.
    pub engines: Vec<String>,
    /// The text.
    pub text: String,
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

/// The chapter of a document under this heading of the second level.
///
/// # Panics
///
/// If there is none.
pub fn chapter(document: &str, heading: &str) -> String {
    let text = text(document);
    let found = text.split("\n## ").find(|chapter| chapter.lines().next() == Some(heading));
    found.unwrap_or_else(|| panic!("{document} has no chapter {heading}")).to_owned()
}

/// The rows of the tables of a text, heads among them.
pub fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").collect()).collect()
}

/// The texts of the Rust files of a folder of the repository that are no tests.
///
/// # Panics
///
/// If it cannot be read.
pub fn sources(folder: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![settings::package().join("..").join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry of a folder").path()) {
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                texts.push(std::fs::read_to_string(&path).expect("sources are text"));
            }
        }
    }
    texts
}

/// Its examples, from top to bottom.
///
/// # Panics
///
/// If it cannot be read.
pub fn examples(document: &str) -> Vec<Example> {
    cut(document, &text(document))
}

/// Its recipes, from top to bottom.
///
/// # Panics
///
/// If it cannot be read.
pub fn recipes(document: &str) -> Vec<Recipe> {
    recipes_of(&text(document))
}

/// The only code within a line of a document that begins so.
///
/// # Panics
///
/// If there is none, or several.
pub fn inline(document: &str, start: &str) -> String {
    let text = text(document);
    let found: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with(start)).collect();
    let [code] = found[..] else { panic!("{document} has {} times code that begins with {start}", found.len()) };
    code.to_owned()
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

/// A block of a document: its mark, its first line and its text, without what its first line is indented by.
struct Block<'a> {
    heading: &'a str,
    mark: &'a str,
    indent: usize,
    line: usize,
    text: String,
    /// Whether only the end of another block stands before it.
    follows: bool,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut open, mut follows): (Vec<Block<'_>>, Option<Block<'_>>, bool) = (Vec::new(), None, false);
    let mut heading = "";
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line[indent..].strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => {
                blocks.extend(open.take());
                follows = true;
            }
            (Some(mark), None) => {
                open = Some(Block { heading, mark, indent, line: number + 2, text: String::new(), follows });
            }
            (None, Some(block)) => {
                block.text.push_str(&line[indent.min(block.indent)..]);
                block.text.push('\n');
            }
            (None, None) => {
                follows = false;
                if line.starts_with('#') {
                    heading = line.trim_start_matches('#').trim();
                }
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn recipes_of(text: &str) -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for block in blocks(text) {
        let mut words = block.mark.split_whitespace().map(str::to_owned);
        let (Some(language), engines) = (words.next(), words.collect::<Vec<_>>()) else { continue };
        if !engines.is_empty() {
            recipes.push(Recipe { heading: block.heading.to_owned(), language, engines, text: block.text });
        }
    }
    recipes
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

    #[test]
    fn a_recipe_is_a_block_that_names_engines() {
        let text = "## One\n\n1. a\n\n   ```sh sqlite\n   if\n     so\n   ```\n   ```sql\n   x\n   ```\n### Two\n```sql a b\ny\n```\n";
        let recipes = recipes_of(text);
        let found: Vec<_> =
            recipes.iter().map(|r| (r.heading.as_str(), r.language.as_str(), r.text.as_str())).collect();
        assert_eq!(found, [("One", "sh", "if\n  so\n"), ("Two", "sql", "y\n")]);
        assert_eq!(recipes[1].engines, ["a", "b"]);
    }
}
