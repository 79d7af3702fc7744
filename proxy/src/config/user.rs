//! `[[user]]`: who may log in.

use std::path::PathBuf;

use super::secret::Secret;
use super::section::{Applies, Key, Rendered, Section, quoted};
use super::setting::Setting;
use super::source::read_password;

/// Longest user name, in characters (MySQL's own limit).
const NAME_CHARS: usize = 32;

/// Somebody who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, at most 32 characters, unlike any other user's.
    pub name: String,
    /// The password; without one the user may only log in from this machine.
    pub password: Option<Secret>,
    /// Whether the user may erase (run DELETE on cell tables).
    pub erase: bool,
}

const NAME: Key = Key {
    section: "user",
    name: "name",
    expected: "a user name of at most 32 characters",
    default: None,
    bounds: None,
    applies: Applies::Reload,
    doc: " The name.\n",
};

const PASSWORD: Key = Key {
    section: "user",
    name: "password",
    expected: "a password, e.g. \"${APP_PASSWORD}\"",
    default: None,
    bounds: None,
    applies: Applies::Reload,
    doc: " The password; better from a variable than in the file. A user without one may only log in from this machine.\n",
};

const PASSWORD_FILE: Key = Key {
    section: "user",
    name: "password_file",
    expected: "the path of a file with a password",
    default: None,
    bounds: None,
    applies: Applies::Reload,
    doc: " File with the password, instead of `password`. A newline at its end does not count.\n",
};

const ERASE: Key = Key {
    section: "user",
    name: "erase",
    expected: bool::EXPECTED,
    default: Some("false"),
    bounds: None,
    applies: Applies::Reload,
    doc: " Whether the user may erase: DELETE on cell tables removes bodies for good.\n",
};

pub(super) const USER_DOC: &str = " Somebody who may log in; any number of these tables. Without any: `root`, without a password, from this machine\n only, who may erase.\n";
pub(super) const USER_KEYS: &[Key] = &[NAME, PASSWORD, PASSWORD_FILE, ERASE];

impl User {
    /// The users of a configuration that names none.
    pub(super) fn embedded() -> Vec<Self> {
        vec![Self { name: "root".to_owned(), password: None, erase: true }]
    }

    /// Reads `[[user]]` number `place` (from 1).
    pub(super) fn read(section: &mut Section<'_, '_>, place: usize, warnings: &mut Vec<String>) -> Option<Self> {
        section.called(format!("user #{place} "));
        let name: Option<String> = section.setting(&NAME);
        let name = name.filter(|name| {
            let right = name.chars().count() <= NAME_CHARS && !name.chars().any(char::is_control);
            if right {
                section.called(format!("user '{name}' "));
            } else {
                let line = section.line_of(&NAME);
                section.problem(&NAME, line, format!("expected {}", NAME.expected));
            }
            right
        });
        let inline = section.text(&PASSWORD);
        let file = section.text(&PASSWORD_FILE);
        let given = section.line_of(&PASSWORD).is_some() || section.line_of(&PASSWORD_FILE).is_some();
        let password = match (inline, file) {
            (Some(_), Some(file)) => {
                section.problem(&PASSWORD_FILE, file.line, "both `password` and `password_file` are given");
                None
            }
            (Some(inline), None) if inline.value.is_empty() => {
                section.problem(&PASSWORD, inline.line, "is empty; leave it out for a user of this machine only");
                None
            }
            (Some(inline), None) => Some(Secret::new(inline.value)),
            (None, Some(file)) => match read_password(&PathBuf::from(&file.value)) {
                Ok(found) => {
                    if found.world_readable {
                        warnings
                            .push(format!("password file {} can be read by every user of this machine", file.value));
                    }
                    Some(found.password)
                }
                Err(message) => {
                    section.problem(&PASSWORD_FILE, file.line, message);
                    None
                }
            },
            (None, None) => None,
        };
        let erase = section.setting(&ERASE);
        // A password that could not be read must not turn into none.
        let password = if given { Some(password?) } else { None };
        Some(Self { name: name?, password, erase: erase? })
    }

    pub(super) fn rendered(&self) -> Vec<Rendered> {
        let mut rendered = vec![(NAME, quoted(&self.name))];
        rendered.extend(self.password.as_ref().map(|password| (PASSWORD, quoted(&password.to_string()))));
        rendered.push((ERASE, quoted(&self.erase)));
        rendered
    }
}
