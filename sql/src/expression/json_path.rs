//! Paths into JSON documents, as MySQL writes them.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::json::members;
use crate::error::{SqlError, unsupported};

/// Longest path, in legs.
const PATH_LEGS: usize = 100;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leg {
    Member(String),
    AnyMember,
    Index(usize),
    /// So many before the last.
    FromEnd(usize),
    AnyIndex,
    /// `**`: this value and everything below it.
    Deep,
}

/// A JSON path: `$.a."b c"[0][last].*[*]**.x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<Leg>);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`SqlError::Json`] with `path` set.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let mut reader = PathReader { text, at: 0 };
        if let Some(legs) = reader.legs() {
            return Ok(Self(legs));
        }
        if reader.rest().trim_start().starts_with("to ") {
            return Err(unsupported("a range in a JSON path", "name the elements, or take [*]"));
        }
        Err(SqlError::Json {
            path: true,
            message: format!("Invalid JSON path expression. The error is around character position {}.", reader.at + 1),
        })
    }

    /// Whether it can find more than one value.
    pub(super) fn is_many(&self) -> bool {
        self.0.iter().any(|leg| matches!(leg, Leg::AnyMember | Leg::AnyIndex | Leg::Deep))
    }

    /// The values it finds, each once, in the order of the document, and of the members of an object in that of
    /// [`members`]: several `**` lead to a value in many ways. `None` if it
    /// goes through more than `steps`, which are used up.
    pub(super) fn find<'a>(&self, document: &'a Json, steps: &mut usize) -> Option<Vec<&'a Json>> {
        let deep = self.0.contains(&Leg::Deep);
        let mut found = vec![document];
        for leg in &self.0 {
            let mut next: Vec<&Json> = Vec::with_capacity(found.len());
            let mut seen = HashSet::new();
            for value in found {
                leg.step(value, &mut seen, steps, &mut next)?;
            }
            *steps = steps.checked_sub(1 + next.len())?;
            if deep && *leg != Leg::Deep {
                seen.clear();
                next.retain(|value| seen.insert(std::ptr::from_ref::<Json>(value)));
            }
            found = next;
        }
        Some(found)
    }
}

impl Leg {
    /// Goes on from a value. `seen` is what `**` has been at; `None` if that takes too many steps.
    fn step<'a>(
        &self,
        value: &'a Json,
        seen: &mut HashSet<*const Json>,
        steps: &mut usize,
        out: &mut Vec<&'a Json>,
    ) -> Option<()> {
        match (self, value) {
            (Self::Member(name), Json::Object(map)) => out.extend(map.get(name)),
            (Self::AnyMember, Json::Object(map)) => out.extend(members(map).into_iter().map(|(_, value)| value)),
            (Self::Index(i), Json::Array(items)) => out.extend(items.get(*i)),
            (Self::FromEnd(i), Json::Array(items)) => {
                out.extend(i.checked_add(1).and_then(|i| items.len().checked_sub(i)).and_then(|i| items.get(i)));
            }
            (Self::AnyIndex, Json::Array(items)) => out.extend(items),
            // A value that is no array is an array of itself.
            (Self::Index(0) | Self::FromEnd(0), _) => out.push(value),
            (Self::Deep, _) => {
                // Without recursion.
                let mut stack = vec![value];
                while let Some(value) = stack.pop() {
                    *steps = steps.checked_sub(1)?;
                    if !seen.insert(std::ptr::from_ref::<Json>(value)) {
                        continue;
                    }
                    out.push(value);
                    match value {
                        Json::Array(items) => stack.extend(items.iter().rev()),
                        Json::Object(map) => stack.extend(members(map).into_iter().map(|(_, value)| value).rev()),
                        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
                    }
                }
            }
            (Self::Member(_) | Self::AnyMember | Self::Index(_) | Self::FromEnd(_) | Self::AnyIndex, _) => {}
        }
        Some(())
    }
}

struct PathReader<'a> {
    text: &'a str,
    at: usize,
}

impl PathReader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn number(&mut self) -> Option<usize> {
        let length = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest().get(..length)?.parse().ok()?;
        self.at += length;
        Some(number)
    }

    fn legs(&mut self) -> Option<Vec<Leg>> {
        let mut legs = Vec::new();
        self.blank();
        if !self.take("$") {
            return None;
        }
        loop {
            self.blank();
            if self.rest().is_empty() {
                // `**` must be followed by something.
                return (legs.last() != Some(&Leg::Deep)).then_some(legs);
            }
            if legs.len() >= PATH_LEGS {
                return None;
            }
            let leg = if self.take("**") {
                Leg::Deep
            } else if self.take(".") {
                self.member()?
            } else if self.take("[") {
                self.element()?
            } else {
                return None;
            };
            legs.push(leg);
        }
    }

    fn member(&mut self) -> Option<Leg> {
        self.blank();
        if self.take("*") {
            return Some(Leg::AnyMember);
        }
        if self.rest().starts_with('"') {
            // A quoted name is a JSON string.
            let mut escaped = false;
            let end = self.rest().char_indices().skip(1).find_map(|(i, c)| match c {
                _ if escaped => {
                    escaped = false;
                    None
                }
                '\\' => {
                    escaped = true;
                    None
                }
                '"' => Some(i),
                _ => None,
            })?;
            let name = serde_json::from_str(self.rest().get(..=end)?).ok()?;
            self.at += end + 1;
            return Some(Leg::Member(name));
        }
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
        let name = rest.get(..end)?.to_owned();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += end;
        Some(Leg::Member(name))
    }

    fn element(&mut self) -> Option<Leg> {
        self.blank();
        let leg = if self.take("*") {
            Leg::AnyIndex
        } else if self.take("last") {
            self.blank();
            if self.take("-") {
                self.blank();
                Leg::FromEnd(self.number()?)
            } else {
                Leg::FromEnd(0)
            }
        } else {
            Leg::Index(self.number()?)
        };
        self.blank();
        self.take("]").then_some(leg)
    }
}
