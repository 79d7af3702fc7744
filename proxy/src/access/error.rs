//! Why accounts were not changed or shown, and what is worth a note.

use cellgate_schemaless::ErrorKind;
use cellgate_sql::AccountName;
use cellgate_store::StoreError;
use thiserror::Error;

/// Why accounts were not changed or shown.
#[derive(Clone, Debug, Error)]
pub enum AccessError {
    /// The accounts exist already, or do not exist.
    #[error("Operation {operation} failed for {}{hint}", listed(.accounts))]
    Failed {
        /// `CREATE USER`, ...
        operation: &'static str,
        /// All that it failed for.
        accounts: Vec<AccountName>,
        /// Empty, or why, beginning with `; `.
        hint: &'static str,
    },
    /// The statement needs a privilege that the user has not.
    #[error("Access denied; you need (at least one of) the {0} privilege(s) for this operation")]
    NeedsPrivilege(String),
    /// A GRANT to nobody.
    #[error("You are not allowed to create a user with GRANT; {0} does not exist: CREATE USER comes first")]
    GrantToNobody(AccountName),
    /// REVOKE of what was not granted, or an account that does not exist.
    #[error("There is no such grant defined for user '{}' on host '{}'", .0.user, .0.host)]
    NoSuchGrant(AccountName),
    /// REVOKE of what was not granted on the table.
    #[error("There is no such grant defined for user '{}' on host '{}' on table '{table}'", .account.user, .account.host)]
    NoSuchTableGrant {
        /// Whose.
        account: AccountName,
        /// The table.
        table: String,
    },
    /// SET PASSWORD for nobody.
    #[error("Can't find any matching row in the user table: there is no account {0}")]
    NoAccount(AccountName),
    /// Nobody who can log in would be left to administer accounts.
    #[error("Operation {operation} failed; nobody who can log in would be left with the ADMIN privilege")]
    LastAdmin {
        /// `DROP USER`, ...
        operation: &'static str,
    },
    /// No client can come from such a host.
    #[error(
        "a host like '{0}' is not supported: host names are not looked up; use an address, a pattern such as '10.%', a \
         subnet such as '10.0.0.0/8', 'localhost' or '%'"
    )]
    Host(String),
    /// More than there may be.
    #[error("too many {what}: there may be {limit}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The meta store failed.
    #[error("the meta store: {0}")]
    Meta(#[from] StoreError),
    /// Other proxies changed accounts too often meanwhile.
    #[error("other changes of the accounts came first too often")]
    Contended,
}

fn listed(accounts: &[AccountName]) -> String {
    accounts.iter().map(AccountName::to_string).collect::<Vec<_>>().join(",")
}

impl AccessError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed { .. } | Self::LastAdmin { .. } | Self::Contended => ErrorKind::Conflict,
            Self::NeedsPrivilege(_) | Self::GrantToNobody(_) => ErrorKind::Access,
            Self::NoSuchGrant(_) | Self::NoSuchTableGrant { .. } | Self::NoAccount(_) => ErrorKind::NotFound,
            Self::Host(_) => ErrorKind::Unsupported,
            Self::Limit { .. } => ErrorKind::Limit,
            Self::Meta(error) => error.kind(),
        }
    }
}

/// What a statement about accounts did not do, without failing for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessNote {
    /// `IF NOT EXISTS`: it does.
    Exists(AccountName),
    /// `IF EXISTS`: it does not.
    Missing(AccountName),
    /// A privilege that means nothing here.
    WithoutEffect(&'static str),
    /// This proxy's configuration has a user so called with a password, who counts from everywhere.
    Shadowed(AccountName),
}

impl std::fmt::Display for AccessNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exists(account) => write!(f, "Authorization ID {account} already exists."),
            Self::Missing(account) => write!(f, "Authorization ID {account} does not exist."),
            Self::WithoutEffect(privilege) => {
                write!(f, "the privilege {privilege} means nothing here; it is not kept")
            }
            Self::Shadowed(account) => write!(
                f,
                "nobody logs in to {account} at this proxy: a [[user]] of its configuration is so called, has a \
                 password, and counts from everywhere"
            ),
        }
    }
}
