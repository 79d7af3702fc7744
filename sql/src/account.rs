//! Accounts: privileges, what they are on, and the statements that change who may do what.
//!
//! Only the vocabulary. Who holds what, and where that is kept, is the proxy's business.

use std::fmt;

/// Longest user name, in characters (MySQL's own limit).
pub const USER_CHARS: usize = 32;
/// Longest host of an account, in bytes (MySQL's own limit).
pub const HOST_BYTES: usize = 255;

/// Something a user may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// Read rows.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows, their history kept.
    Delete,
    /// Create databases and tables.
    Create,
    /// Drop databases and tables.
    Drop,
    /// Change tables.
    Alter,
    /// Create and drop indexes.
    Index,
    /// Lock tables that one may read.
    LockTables,
    /// Remove bodies for good: the one thing that cannot be undone, and never a part of ALL.
    Erase,
    /// Everything that is about the server rather than about data: accounts, global variables, other users' sessions.
    /// Only on `*.*`.
    Admin,
    /// Give away what one holds. Never a part of ALL.
    GrantOption,
}

impl Privilege {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 12] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Create,
        Self::Drop,
        Self::Alter,
        Self::Index,
        Self::LockTables,
        Self::Erase,
        Self::Admin,
        Self::GrantOption,
    ];

    /// Its name as GRANT writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Create => "CREATE",
            Self::Drop => "DROP",
            Self::Alter => "ALTER",
            Self::Index => "INDEX",
            Self::LockTables => "LOCK TABLES",
            Self::Erase => "ERASE",
            Self::Admin => "ADMIN",
            Self::GrantOption => "GRANT OPTION",
        }
    }
}

/// A set of privileges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Privileges(u16);

impl Privileges {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Each of them.
    pub const EVERY: Self = Self((1 << Privilege::ALL.len()) - 1);
    /// What ALL stands for on a database or a table: everything but ERASE, ADMIN and GRANT OPTION.
    pub const ALL_ON_DATA: Self = Self(
        Self::EVERY.0
            & !Self::of(Privilege::Erase).0
            & !Self::of(Privilege::Admin).0
            & !Self::of(Privilege::GrantOption).0,
    );
    /// What ALL stands for on `*.*`: that, and ADMIN.
    pub const ALL_ON_EVERYTHING: Self = Self(Self::ALL_ON_DATA.0 | Self::of(Privilege::Admin).0);

    /// One privilege.
    pub const fn of(privilege: Privilege) -> Self {
        Self(1 << privilege as u16)
    }

    /// Whether it is among them.
    pub const fn has(self, privilege: Privilege) -> bool {
        self.0 & Self::of(privilege).0 != 0
    }

    /// Whether all of `others` are among them.
    pub const fn has_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those that are among both.
    #[must_use]
    pub const fn common(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in the order of [`Privilege::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Privilege> {
        Privilege::ALL.into_iter().filter(move |p| self.has(*p))
    }
}

impl FromIterator<Privilege> for Privileges {
    fn from_iter<I: IntoIterator<Item = Privilege>>(privileges: I) -> Self {
        privileges.into_iter().fold(Self::NONE, |all, one| all.with(Self::of(one)))
    }
}

/// What a privilege is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// `*.*`
    Global,
    /// `database.*`; in the name `%` and `_` stand for anything and any character, as in MySQL, unless escaped with a
    /// backslash.
    Database(String),
    /// `database.table`
    Table {
        /// Its database, no pattern.
        database: String,
        /// Its name.
        table: String,
    },
}

impl Level {
    /// What ALL stands for here.
    pub fn all(&self) -> Privileges {
        match self {
            Self::Global => Privileges::ALL_ON_EVERYTHING,
            Self::Database(_) | Self::Table { .. } => Privileges::ALL_ON_DATA,
        }
    }
}

impl fmt::Display for Level {
    /// As GRANT writes it, names quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| name.replace('`', "``");
        match self {
            Self::Global => f.write_str("*.*"),
            Self::Database(database) => write!(f, "`{}`.*", quoted(database)),
            Self::Table { database, table } => write!(f, "`{}`.`{}`", quoted(database), quoted(table)),
        }
    }
}

/// Privileges on something, as the configuration file writes them: `SELECT, INSERT ON shop.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub privileges: Privileges,
    /// On what.
    pub level: Level,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.level.all();
        let (all, rest) = if self.privileges.has_all(all) {
            (Some("ALL"), self.privileges.without(all))
        } else {
            (None, self.privileges)
        };
        let names: Vec<&str> = all.into_iter().chain(rest.iter().map(Privilege::name)).collect();
        let names = if names.is_empty() { "USAGE".to_owned() } else { names.join(", ") };
        write!(f, "{names} ON {}", self.level)
    }
}

/// `'user'@'host'`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    /// The user; letter case counts.
    pub user: String,
    /// From where, lower case: `localhost`, an address, or a pattern with `%` and `_`.
    pub host: String,
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'@'{}'", self.user, self.host)
    }
}

/// An account as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountRef {
    /// `CURRENT_USER()`, `USER()`.
    Current,
    /// By its name.
    Named(AccountName),
}

/// A password. It is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub(crate) fn new(password: String) -> Self {
        Self(password)
    }

    /// The password itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// What proves an account's identity from now on.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A password; the empty one is "none".
    Password(Password),
    /// What `mysql_native_password` keeps: `SHA1(SHA1(password))`. The password itself is not known.
    NativeHash([u8; 20]),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(password) => password.fmt(f),
            Self::NativeHash(_) => f.write_str("NativeHash(***)"),
        }
    }
}

/// An account of a statement, with its new credential, if one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    /// Which.
    pub account: AccountRef,
    /// `IDENTIFIED ..`
    pub credential: Option<Credential>,
}

/// Whether an account needs TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsNeed {
    /// `REQUIRE NONE`
    #[default]
    Optional,
    /// `REQUIRE SSL`
    Required,
}

/// Whether an account may log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lock {
    /// `ACCOUNT UNLOCK`
    #[default]
    Open,
    /// `ACCOUNT LOCK`
    Locked,
}

/// What CREATE USER and ALTER USER set besides passwords; what is `None` is not mentioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountOptions {
    /// `REQUIRE`
    pub tls: Option<TlsNeed>,
    /// `MAX_USER_CONNECTIONS`; 0 is no limit.
    pub max_connections: Option<u32>,
    /// `ACCOUNT LOCK`, `ACCOUNT UNLOCK`
    pub lock: Option<Lock>,
}

/// The privileges a GRANT or REVOKE lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Those that mean something here.
    pub privileges: Privileges,
    /// MySQL's that do not (EXECUTE, PROCESS, ...): accepted, not kept, worth a note.
    pub without_effect: Vec<&'static str>,
}

/// A statement about accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountStatement {
    /// `CREATE USER`
    Create {
        /// `IF NOT EXISTS`
        if_not_exists: bool,
        /// Which.
        accounts: Vec<AccountSpec>,
        /// How.
        options: AccountOptions,
    },
    /// `ALTER USER`
    Alter {
        /// `IF EXISTS`
        if_exists: bool,
        /// Which.
        accounts: Vec<AccountSpec>,
        /// How.
        options: AccountOptions,
    },
    /// `DROP USER`
    Drop {
        /// `IF EXISTS`
        if_exists: bool,
        /// Which.
        accounts: Vec<AccountRef>,
    },
    /// `RENAME USER`: from, to.
    Rename(Vec<(AccountRef, AccountRef)>),
    /// `SET PASSWORD`
    SetPassword {
        /// Whose.
        account: AccountRef,
        /// The new one.
        credential: Credential,
    },
    /// `GRANT`
    Grant {
        /// What.
        listed: Listed,
        /// On what.
        level: Level,
        /// To whom.
        accounts: Vec<AccountRef>,
    },
    /// `REVOKE`
    Revoke {
        /// What.
        listed: Listed,
        /// On what.
        level: Level,
        /// From whom.
        accounts: Vec<AccountRef>,
    },
    /// `REVOKE ALL PRIVILEGES, GRANT OPTION FROM`: everything, everywhere.
    RevokeAll(Vec<AccountRef>),
}
