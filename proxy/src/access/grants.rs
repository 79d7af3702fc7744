//! What an account may do: privileges on everything, on databases, on tables.

use cellgate_sql::{Level, Privilege, Privileges};

use crate::pattern;
use crate::relational::LISTED_DATABASES;

/// Privileges by level. A privilege holds if any level that covers the table gives it.
///
/// Questions allocate nothing and take no lock: they are asked for every statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    global: Privileges,
    /// Patterns as granted, each once, in the order of their first grant. Never [`Privileges::NONE`].
    databases: Vec<(String, Privileges)>,
    /// Databases (no patterns) and tables, each once. Never [`Privileges::NONE`].
    tables: Vec<(String, String, Privileges)>,
}

impl Grants {
    /// Whether the privilege holds on a table, or on a database as a whole.
    pub fn may(&self, privilege: Privilege, database: &str, table: Option<&str>) -> bool {
        self.global.has(privilege)
            || self.databases.iter().any(|(on, held)| held.has(privilege) && pattern::matches(on, database))
            || table.is_some_and(|table| {
                self.tables.iter().any(|(d, t, held)| d == database && t == table && held.has(privilege))
            })
            || privilege == Privilege::Select && is_open(database)
    }

    /// Whether the privilege holds on `*.*`.
    pub fn may_globally(&self, privilege: Privilege) -> bool {
        self.global.has(privilege)
    }

    /// Whether a database may be used and shown: whoever may do anything in it.
    pub fn may_see_database(&self, database: &str) -> bool {
        on_data(self.global)
            || self.databases.iter().any(|(on, held)| on_data(*held) && pattern::matches(on, database))
            || self.tables.iter().any(|(d, _, held)| d == database && on_data(*held))
            || is_open(database)
    }

    /// Whether a table may be shown: whoever may do anything with it.
    pub fn may_see_table(&self, database: &str, table: &str) -> bool {
        on_data(self.global)
            || self.databases.iter().any(|(on, held)| on_data(*held) && pattern::matches(on, database))
            || self.tables.iter().any(|(d, t, held)| d == database && t == table && on_data(*held))
            || is_open(database)
    }

    /// What is held at a level or, for a table or a database, at one above it.
    pub fn held(&self, level: &Level) -> Privileges {
        let here = self.at(level);
        match level {
            Level::Global => here,
            Level::Database(database) => match pattern::literal(database) {
                Some(name) => self.covering(&name).with(here).with(self.global),
                // Which patterns one covers is not worked out: itself, and what holds everywhere.
                None => self.at(&Level::Database("%".to_owned())).with(here).with(self.global),
            },
            Level::Table { database, .. } => self.covering(database).with(here).with(self.global),
        }
    }

    fn covering(&self, database: &str) -> Privileges {
        let covering = self.databases.iter().filter(|(on, _)| pattern::matches(on, database));
        covering.fold(Privileges::NONE, |all, (_, held)| all.with(*held))
    }

    /// What was granted at exactly this level.
    pub fn at(&self, level: &Level) -> Privileges {
        let found = match level {
            Level::Global => Some(self.global),
            Level::Database(on) => self.databases.iter().find(|(d, _)| d == on).map(|(_, held)| *held),
            Level::Table { database, table } => {
                self.tables.iter().find(|(d, t, _)| d == database && t == table).map(|(_, _, held)| *held)
            }
        };
        found.unwrap_or_default()
    }

    /// Adds privileges at a level.
    pub fn grant(&mut self, level: &Level, privileges: Privileges) {
        self.set(level, self.at(level).with(privileges));
    }

    /// Takes privileges away at a level.
    pub fn revoke(&mut self, level: &Level, privileges: Privileges) {
        self.set(level, self.at(level).without(privileges));
    }

    fn set(&mut self, level: &Level, privileges: Privileges) {
        match level {
            Level::Global => self.global = privileges,
            Level::Database(on) => {
                match self.databases.iter_mut().find(|(d, _)| d == on) {
                    Some((_, held)) => *held = privileges,
                    None => self.databases.push((on.clone(), privileges)),
                }
                self.databases.retain(|(_, held)| !held.is_empty());
            }
            Level::Table { database, table } => {
                match self.tables.iter_mut().find(|(d, t, _)| d == database && t == table) {
                    Some((_, _, held)) => *held = privileges,
                    None => self.tables.push((database.clone(), table.clone(), privileges)),
                }
                self.tables.retain(|(_, _, held)| !held.is_empty());
            }
        }
    }

    /// Every level with something granted, `*.*` first (even if nothing is), then databases, then tables.
    pub fn levels(&self) -> impl Iterator<Item = (Level, Privileges)> {
        let databases = self.databases.iter().map(|(on, held)| (Level::Database(on.clone()), *held));
        let tables = self
            .tables
            .iter()
            .map(|(database, table, held)| (Level::Table { database: database.clone(), table: table.clone() }, *held));
        std::iter::once((Level::Global, self.global)).chain(databases).chain(tables)
    }
}

impl FromIterator<(Level, Privileges)> for Grants {
    fn from_iter<I: IntoIterator<Item = (Level, Privileges)>>(granted: I) -> Self {
        let mut grants = Self::default();
        granted.into_iter().for_each(|(level, privileges)| grants.grant(&level, privileges));
        grants
    }
}

/// Whether any of them is about data, rather than about the server or other accounts.
fn on_data(held: Privileges) -> bool {
    let others = Privileges::of(Privilege::Admin).with(Privileges::of(Privilege::GrantOption));
    !held.without(others).is_empty()
}

/// Whether it is a database that everybody may read: what it shows depends on who asks. The other system databases are
/// read table by table ([`crate::relational::is_system_database`]), and may be no more than that.
fn is_open(database: &str) -> bool {
    LISTED_DATABASES.iter().any(|open| database.eq_ignore_ascii_case(open))
}
