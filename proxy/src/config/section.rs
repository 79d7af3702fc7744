//! Reading a table of the file key by key, noting what is wrong and which keys there are.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::setting::{Form, Setting};
use super::source::Source;

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// With SIGHUP.
    Reload,
    /// With the next start.
    Restart,
}

/// A key of the configuration, as it is read and as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its table: `limits`, `cluster`.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is right for it.
    pub expected: &'static str,
    /// The text of its default; `None`: the key must be given, or has no default value.
    pub default: Option<&'static str>,
    /// The least and the greatest value.
    pub bounds: Option<(&'static str, &'static str)>,
    /// When a change takes effect.
    pub applies: Applies,
    /// What it does.
    pub doc: &'static str,
}

/// A value as it was given, with its place.
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) line: Option<usize>,
}

/// One table of the file.
pub(super) struct Section<'a, 'f> {
    /// How messages call it: `limits.` or `cluster 'a' `.
    prefix: String,
    table: Option<&'a DeTable<'f>>,
    line: Option<usize>,
    known: Vec<&'static str>,
    source: &'a Source<'a>,
    problems: &'a mut Vec<Problem>,
}

impl<'a, 'f> Section<'a, 'f> {
    /// The table `[name]`; one that is not there has the default of every key.
    pub(super) fn new(
        prefix: impl Into<String>,
        table: Option<(&'a DeTable<'f>, Range<usize>)>,
        source: &'a Source<'a>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let line = table.as_ref().map(|(_, span)| source.line(span));
        Self { prefix: prefix.into(), table: table.map(|(table, _)| table), line, known: Vec::new(), source, problems }
    }

    /// Renames the section in messages, once its name is known.
    pub(super) fn called(&mut self, prefix: String) {
        self.prefix = prefix;
    }

    /// Notes that `key` is wrong.
    pub(super) fn problem(&mut self, key: &Key, line: Option<usize>, message: impl Into<String>) {
        let line = line.or(self.line);
        self.problems.push(Problem { line, key: format!("{}{}", self.prefix, key.name), message: message.into() });
    }

    fn lookup(&mut self, key: &Key) -> Option<&'a Spanned<DeValue<'f>>> {
        self.known.push(key.name);
        self.table?.iter().find(|(name, _)| name.get_ref().as_ref() == key.name).map(|(_, value)| value)
    }

    /// The text of a key as it stands in the file, before variables are filled in.
    pub(super) fn raw_text(&mut self, key: &Key) -> Option<Given<String>> {
        let value = self.lookup(key)?;
        let line = Some(self.source.line(&value.span()));
        match value.get_ref() {
            DeValue::String(text) => Some(Given { value: text.to_string(), line }),
            other => {
                self.problem(key, line, format!("expected {}, not {}", key.expected, kind_of(other)));
                None
            }
        }
    }

    /// The text of a key with its variables filled in; `None` if it is absent or wrong.
    pub(super) fn text(&mut self, key: &Key) -> Option<Given<String>> {
        let raw = self.raw_text(key)?;
        match self.source.expand(&raw.value) {
            Ok(value) => Some(Given { value, line: raw.line }),
            Err(message) => {
                self.problem(key, raw.line, message);
                None
            }
        }
    }

    /// The value of a key, or its default; `None` only after a problem was noted.
    pub(super) fn setting<T: Setting>(&mut self, key: &Key) -> Option<T> {
        match (self.optional(key), key.default) {
            (Some(given), _) => given,
            (None, Some(default)) => {
                let value = T::from_text(default);
                if value.is_none() {
                    self.problem(key, None, format!("its default {default} is not {}", key.expected));
                }
                value
            }
            (None, None) => {
                self.problem(key, None, format!("is missing: expected {}", key.expected));
                None
            }
        }
    }

    /// The value of a key that may be absent (`None`); `Some(None)` after a problem was noted.
    pub(super) fn optional<T: Setting>(&mut self, key: &Key) -> Option<Option<T>> {
        let value = self.lookup(key)?;
        let line = Some(self.source.line(&value.span()));
        let text = match (value.get_ref(), T::FORM) {
            (DeValue::String(raw), Form::Text | Form::TextOrInteger) => match self.source.expand(raw) {
                Ok(text) => text,
                Err(message) => {
                    self.problem(key, line, message);
                    return Some(None);
                }
            },
            (DeValue::Integer(number), Form::Integer | Form::Number | Form::TextOrInteger) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => number.to_string(),
                    Err(_) => number.as_str().to_owned(),
                }
            }
            (DeValue::Float(number), Form::Number) => number.as_str().to_owned(),
            (DeValue::Boolean(value), Form::Boolean) => value.to_string(),
            (other, _) => {
                self.problem(key, line, format!("expected {}, not {}", key.expected, kind_of(other)));
                return Some(None);
            }
        };
        // The value itself is not repeated: a variable may have put a secret where it does not belong.
        let Some(value) = T::from_text(&text) else {
            self.problem(key, line, format!("expected {}", key.expected));
            return Some(None);
        };
        if let Some((min, max)) = key.bounds {
            let (Some(least), Some(greatest)) = (T::from_text(min), T::from_text(max)) else {
                self.problem(key, line, format!("its bounds {min} and {max} are not {}", key.expected));
                return Some(None);
            };
            if value < least || value > greatest {
                self.problem(key, line, format!("must be between {min} and {max}"));
                return Some(None);
            }
        }
        Some(Some(value))
    }

    /// The texts of a key that is an array of them, with their variables filled in; `None` if it is absent or wrong.
    pub(super) fn texts(&mut self, key: &Key) -> Option<Given<Vec<String>>> {
        let value = self.lookup(key)?;
        let line = Some(self.source.line(&value.span()));
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(key, line, format!("expected {}, not {}", key.expected, kind_of(value.get_ref())));
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            let text = match item.get_ref() {
                DeValue::String(raw) => self.source.expand(raw),
                other => Err(format!("expected {}, not one with {}", key.expected, kind_of(other))),
            };
            match text {
                Ok(text) => texts.push(text),
                Err(message) => {
                    self.problem(key, line, message);
                    return None;
                }
            }
        }
        Some(Given { value: texts, line })
    }

    /// The line a key stands on.
    pub(super) fn line_of(&self, key: &Key) -> Option<usize> {
        let (_, value) = self.table?.iter().find(|(name, _)| name.get_ref().as_ref() == key.name)?;
        Some(self.source.line(&value.span()))
    }

    /// Refuses the keys nobody asked for.
    pub(super) fn finish(self) {
        for (name, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            let given = name.get_ref().as_ref();
            if !self.known.contains(&given) {
                let line = Some(self.source.line(&name.span()));
                let key = format!("{}{given}", self.prefix);
                self.problems.push(Problem { line, key, message: unknown(given, &self.known) });
            }
        }
    }
}

/// What to say of a name that is not known.
pub(super) fn unknown(given: &str, known: &[&'static str]) -> String {
    let nearest = known.iter().map(|name| (strsim::jaro_winkler(given, name), name));
    match nearest.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, name)) if likeness > 0.7 => format!("is not known; did you mean `{name}`?"),
        _ => format!("is not known; known are {}", known.join(", ")),
    }
}

/// What a TOML value is, with its article.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A rendered key of a section: its key and its value's text.
pub(super) type Rendered = (Key, String);

/// A table of settings: a struct whose fields are read, rendered, compared and documented by one list of keys.
///
/// `name: type = "default text" in "min" to "max", Reload;`
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        pub struct $name:ident in $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:literal $(in $min:literal to $max:literal)?, $applies:ident;
            )+
        }
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $name {
            pub(super) const SECTION: &'static str = $section;
            pub(super) const DOC: &'static str = concat!($($section_doc, "\n"),+);
            pub(super) const KEYS: &'static [Key] = &[$(
                Key {
                    section: $section,
                    name: stringify!($field),
                    expected: <$type as Setting>::EXPECTED,
                    default: Some($default),
                    bounds: section!(@bounds $($min, $max)?),
                    applies: Applies::$applies,
                    doc: concat!($($doc, "\n"),+),
                },
            )+];

            pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Self> {
                let mut keys = Self::KEYS.iter();
                // Every key is read before the first missing one ends it, so that all problems are told at once.
                $(let $field = keys.next().and_then(|key| section.setting::<$type>(key));)+
                Some(Self { $($field: $field?),+ })
            }

            pub(super) fn rendered(&self) -> Vec<Rendered> {
                let texts = [$(quoted::<$type>(&self.$field)),+];
                Self::KEYS.iter().copied().zip(texts).collect()
            }

            /// Takes over what can change while the program runs.
            pub(super) fn adopt(&mut self, new: &Self) {
                $(
                    match Applies::$applies {
                        Applies::Reload => self.$field = new.$field.clone(),
                        Applies::Restart => {}
                    }
                )+
            }
        }
    };
    (@bounds) => { None };
    (@bounds $min:literal, $max:literal) => { Some(($min, $max)) };
}

pub(super) use section;

/// The value as TOML.
pub(super) fn quoted<T: Setting>(value: &T) -> String {
    match T::FORM {
        Form::Text | Form::TextOrInteger => toml_string(&value.to_text()),
        Form::Integer | Form::Number | Form::Boolean => value.to_text(),
    }
}

/// A text as a TOML string that reads back as it: `${` in it is no variable.
pub(super) fn toml_string(text: &str) -> String {
    toml::Value::String(text.replace("${", "$${")).to_string()
}
