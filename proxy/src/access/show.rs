//! Accounts as SHOW, `mysql.user` and `information_schema` show them. Hashes of passwords are in none of it.

use cellgate_sql::{AccountName, Level, Lock, Privilege, Privileges, TlsNeed};

use super::account::{Access, Account};
use super::error::AccessError;
use super::snapshot::Snapshot;

/// A row of `information_schema.USER_PRIVILEGES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPrivilege {
    /// `'user'@'host'`
    pub grantee: String,
    /// Its name; `USAGE` if there is none.
    pub privilege: &'static str,
    /// Whether it may be given away.
    pub is_grantable: bool,
}

/// A row of `information_schema.SCHEMA_PRIVILEGES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaPrivilege {
    /// `'user'@'host'`
    pub grantee: String,
    /// A database, or a pattern.
    pub database: String,
    /// Its name.
    pub privilege: &'static str,
    /// Whether it may be given away.
    pub is_grantable: bool,
}

/// A row of `information_schema.TABLE_PRIVILEGES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePrivilege {
    /// `'user'@'host'`
    pub grantee: String,
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// Its name.
    pub privilege: &'static str,
    /// Whether it may be given away.
    pub is_grantable: bool,
}

/// What `mysql.user` shows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Who, from where.
    pub name: AccountName,
    /// What it holds on `*.*`.
    pub global: Privileges,
    /// Whether it needs TLS.
    pub requires_tls: bool,
    /// Most connections; 0 is no limit.
    pub max_connections: u32,
    /// Whether it is locked.
    pub locked: bool,
    /// The plugin its password is for, see [`crate::auth::Verifier::plugin`].
    pub plugin: &'static str,
}

impl Snapshot {
    /// The accounts that a session may see: all with ADMIN, else its own.
    pub fn visible<'a>(&'a self, access: &'a Access) -> impl Iterator<Item = &'a Account> {
        let all = access.may_administer();
        let own = move |account: &&Account| access.account().is_some_and(|own| own.name == account.name);
        self.accounts().map(std::convert::AsRef::as_ref).filter(move |account| all || own(account))
    }

    /// The rows of `information_schema.USER_PRIVILEGES`.
    pub fn user_privileges(&self, access: &Access) -> Vec<UserPrivilege> {
        let mut rows = Vec::new();
        for account in self.visible(access) {
            let held = account.grants.at(&Level::Global);
            let is_grantable = held.has(Privilege::GrantOption);
            let row = |privilege| UserPrivilege { grantee: account.name.to_string(), privilege, is_grantable };
            let names = named(held);
            if names.is_empty() {
                rows.push(row("USAGE"));
            }
            rows.extend(names.into_iter().map(row));
        }
        rows
    }

    /// The rows of `information_schema.SCHEMA_PRIVILEGES`.
    pub fn schema_privileges(&self, access: &Access) -> Vec<SchemaPrivilege> {
        let mut rows = Vec::new();
        for account in self.visible(access) {
            for (level, held) in account.grants.levels() {
                let Level::Database(database) = level else { continue };
                rows.extend(named(held).into_iter().map(|privilege| SchemaPrivilege {
                    grantee: account.name.to_string(),
                    database: database.clone(),
                    privilege,
                    is_grantable: held.has(Privilege::GrantOption),
                }));
            }
        }
        rows
    }

    /// The rows of `information_schema.TABLE_PRIVILEGES`.
    pub fn table_privileges(&self, access: &Access) -> Vec<TablePrivilege> {
        let mut rows = Vec::new();
        for account in self.visible(access) {
            for (level, held) in account.grants.levels() {
                let Level::Table { database, table } = level else { continue };
                rows.extend(named(held).into_iter().map(|privilege| TablePrivilege {
                    grantee: account.name.to_string(),
                    database: database.clone(),
                    table: table.clone(),
                    privilege,
                    is_grantable: held.has(Privilege::GrantOption),
                }));
            }
        }
        rows
    }

    /// The rows of `mysql.user`.
    pub fn user_rows(&self, access: &Access) -> Vec<UserRow> {
        let row = |account: &Account| UserRow {
            name: account.name.clone(),
            global: account.grants.at(&Level::Global),
            requires_tls: account.tls == TlsNeed::Required,
            max_connections: account.max_connections,
            locked: account.lock == Lock::Locked,
            plugin: account.verifier.plugin(),
        };
        self.visible(access).map(row).collect()
    }

    /// An account that a session asks about by its name.
    ///
    /// # Errors
    /// Another's needs ADMIN; one that does not exist has no grants (1141).
    pub fn shown(&self, access: &Access, name: &AccountName) -> Result<&Account, AccessError> {
        let own = access.account().is_some_and(|own| own.name == *name);
        if !own && !access.may_administer() {
            return Err(AccessError::NeedsPrivilege(Privilege::Admin.name().to_owned()));
        }
        self.named(name).map(std::convert::AsRef::as_ref).ok_or_else(|| AccessError::NoSuchGrant(name.clone()))
    }
}

/// Their names but for GRANT OPTION, which is a column of its own.
fn named(held: Privileges) -> Vec<&'static str> {
    held.iter().filter(|p| *p != Privilege::GrantOption).map(Privilege::name).collect()
}

/// The lines of SHOW GRANTS: statements that grant the same again.
pub fn grants(account: &Account) -> Vec<String> {
    let mut lines = Vec::new();
    let grantee = quoted(&account.name);
    for (level, held) in account.grants.levels() {
        let option = if held.has(Privilege::GrantOption) { " WITH GRANT OPTION" } else { "" };
        let mut line = |names: &str, option: &str| {
            lines.push(format!("GRANT {names} ON {level} TO {grantee}{option}"));
        };
        let held = held.without(Privileges::of(Privilege::GrantOption));
        if held.has_all(level.all()) {
            line("ALL PRIVILEGES", option);
            let more = held.without(level.all());
            if !more.is_empty() {
                line(&names(more), "");
            }
        } else if held.is_empty() {
            line("USAGE", option);
        } else {
            line(&names(held), option);
        }
    }
    lines
}

/// SHOW CREATE USER. The hash is not shown, and what stands for it is refused where a hash is read.
pub fn create(account: &Account) -> String {
    let secret = if account.verifier.is_empty() { "" } else { "<secret>" };
    let identified = format!("IDENTIFIED WITH '{}' AS '{secret}'", account.verifier.plugin());
    let tls = match account.tls {
        TlsNeed::Optional => "NONE",
        TlsNeed::Required => "SSL",
    };
    let limit = match account.max_connections {
        0 => String::new(),
        limit => format!(" WITH MAX_USER_CONNECTIONS {limit}"),
    };
    let lock = match account.lock {
        Lock::Open => "UNLOCK",
        Lock::Locked => "LOCK",
    };
    format!("CREATE USER {} {identified} REQUIRE {tls}{limit} ACCOUNT {lock}", quoted(&account.name))
}

fn names(held: Privileges) -> String {
    held.iter().map(Privilege::name).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &AccountName) -> String {
    let quoted = |name: &str| name.replace('`', "``");
    format!("`{}`@`{}`", quoted(&name.user), quoted(&name.host))
}
