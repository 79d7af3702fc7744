//! `[[user]]`: who may log in.

use std::path::PathBuf;

use cellgate_sql::{Grant, Level, Privileges};

use super::secret::Secret;
use super::section::{Applies, Key, Rendered, Section, quoted, toml_string};
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
    /// Whether the user may erase (run DELETE on cell tables) everywhere.
    pub erase: bool,
    /// What else the user may do.
    pub grants: Vec<Grant>,
    /// Whether the user must log in over TLS.
    pub require_tls: bool,
    /// Most connections of the user at once; 0 is no limit.
    pub max_connections: u32,
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
    doc: " File with the password, instead of `password`. A newline at its end does not count. It is a regular file, no pipe.\n",
};

const ERASE: Key = Key {
    section: "user",
    name: "erase",
    expected: bool::EXPECTED,
    default: Some("false"),
    bounds: None,
    applies: Applies::Reload,
    doc: " Whether the user may erase everywhere: DELETE on cell tables removes bodies, and nothing brings them back. The grant ERASE does the same for one database or table.\n",
};

const GRANTS: Key = Key {
    section: "user",
    name: "grants",
    expected: "an array of grants such as \"SELECT, INSERT ON shop.*\"",
    default: Some("[\"ALL ON *.*\"]"),
    bounds: None,
    applies: Applies::Reload,
    doc: " What the user may do: SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, LOCK TABLES, ERASE and GRANT OPTION (giving away what one holds) on `*.*`, `database.*` or `database.table`, and ADMIN (accounts, global variables, other sessions) on `*.*`. ALL is all of them but ERASE and GRANT OPTION. No statement asks for INDEX, and UPDATE and DELETE are asked for by LOCK TABLES at most.\n",
};

const REQUIRE_TLS: Key = Key {
    section: "user",
    name: "require_tls",
    expected: bool::EXPECTED,
    default: Some("false"),
    bounds: None,
    applies: Applies::Reload,
    doc: " Whether the user must log in over TLS; without it the login is refused as if the password were wrong.\n",
};

const MAX_CONNECTIONS: Key = Key {
    section: "user",
    name: "max_connections",
    expected: u32::EXPECTED,
    default: Some("0"),
    bounds: Some(("0", "100000")),
    applies: Applies::Reload,
    doc: " Most connections of the user to this proxy at once; further ones get error 1226. 0 is no limit.\n",
};

pub(super) const USER_DOC: &str = " Somebody who may log in; any number of these tables. Without any: `root`, without a password, from this machine\n only, who may erase.\n";
pub(super) const USER_KEYS: &[Key] = &[NAME, PASSWORD, PASSWORD_FILE, ERASE, GRANTS, REQUIRE_TLS, MAX_CONNECTIONS];

impl User {
    /// The users of a configuration that names none.
    pub(super) fn embedded() -> Vec<Self> {
        vec![Self {
            name: "root".to_owned(),
            password: None,
            erase: true,
            grants: everything(),
            require_tls: false,
            max_connections: 0,
        }]
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
            (Some(inline), None) => {
                let password = Secret::new(inline.value);
                if password.is_masked() {
                    section.problem(&PASSWORD, inline.line, "is what `check` prints in place of a password");
                    None
                } else {
                    Some(password)
                }
            }
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
        let grants = grants(section);
        let require_tls = section.setting(&REQUIRE_TLS);
        let max_connections = section.setting(&MAX_CONNECTIONS);
        // A password that could not be read must not turn into none.
        let password = if given { Some(password?) } else { None };
        Some(Self {
            name: name?,
            password,
            erase: erase?,
            grants: grants?,
            require_tls: require_tls?,
            max_connections: max_connections?,
        })
    }

    pub(super) fn rendered(&self) -> Vec<Rendered> {
        let mut rendered = vec![(NAME, quoted(&self.name))];
        rendered.extend(self.password.as_ref().map(|password| (PASSWORD, quoted(&password.to_string()))));
        rendered.push((ERASE, quoted(&self.erase)));
        let grants: Vec<String> = self.grants.iter().map(|grant| toml_string(&grant.to_string())).collect();
        rendered.push((GRANTS, format!("[{}]", grants.join(", "))));
        rendered.push((REQUIRE_TLS, quoted(&self.require_tls)));
        rendered.push((MAX_CONNECTIONS, quoted(&self.max_connections)));
        rendered
    }
}

/// What a user may do whose grants are not given.
fn everything() -> Vec<Grant> {
    vec![Grant { privileges: Privileges::ALL_ON_EVERYTHING, level: Level::Global }]
}

/// The key `grants`; `None` after a problem was noted.
fn grants(section: &mut Section<'_, '_>) -> Option<Vec<Grant>> {
    let Some(given) = section.texts(&GRANTS) else {
        return if section.line_of(&GRANTS).is_some() { None } else { Some(everything()) };
    };
    let mut grants = Vec::new();
    for text in &given.value {
        match cellgate_sql::grant(text) {
            Ok(grant) => grants.push(grant),
            Err(error) => section.problem(&GRANTS, given.line, format!("`{text}`: {error}")),
        }
    }
    (grants.len() == given.value.len()).then_some(grants)
}
