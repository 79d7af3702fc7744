//! CREATE, ALTER, DROP and RENAME USER, SET PASSWORD.

use super::literal;
use super::reader::Reader;
use super::tokens::{Kind, Symbol};
use crate::account::{
    AccountName, AccountOptions, AccountRef, AccountSpec, AccountStatement, Credential, HOST_BYTES, Lock, Password,
    TlsNeed, USER_CHARS,
};
use crate::error::{SqlError, unsupported};
use crate::expression::hex_bytes;

/// Most accounts one statement may name.
const ACCOUNTS: usize = 1000;
/// What an account without a host stands for.
const ANYWHERE: &str = "%";
/// The two plugins, whose answers Cellgate can verify.
const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";

/// A statement about accounts other than GRANT and REVOKE, if the reader is at one.
pub(super) fn account(reader: &mut Reader<'_>) -> Result<Option<AccountStatement>, SqlError> {
    let statement = if reader.take(&["CREATE", "USER"]) {
        let if_not_exists = reader.take(&["IF", "NOT", "EXISTS"]);
        let accounts = list(reader, spec)?;
        AccountStatement::Create { if_not_exists, accounts, options: options(reader)? }
    } else if reader.take(&["ALTER", "USER"]) {
        let if_exists = reader.take(&["IF", "EXISTS"]);
        let accounts = list(reader, spec)?;
        AccountStatement::Alter { if_exists, accounts, options: options(reader)? }
    } else if reader.take(&["DROP", "USER"]) {
        let if_exists = reader.take(&["IF", "EXISTS"]);
        AccountStatement::Drop { if_exists, accounts: list(reader, name)? }
    } else if reader.take(&["RENAME", "USER"]) {
        AccountStatement::Rename(list(reader, |reader| {
            let from = name(reader)?;
            reader.expect(&["TO"])?;
            Ok((from, name(reader)?))
        })?)
    } else if reader.take(&["SET", "PASSWORD"]) {
        set_password(reader)?
    } else {
        return Ok(None);
    };
    Ok(Some(statement))
}

/// Items separated by commas.
pub(super) fn list<T>(
    reader: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, SqlError>,
) -> Result<Vec<T>, SqlError> {
    let mut items = Vec::new();
    loop {
        if items.len() == ACCOUNTS {
            return Err(SqlError::Limit {
                what: "the number of accounts in the statement".into(),
                limit: ACCOUNTS as u64,
                name: "accounts",
            });
        }
        items.push(item(reader)?);
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(items);
        }
    }
}

/// `'user'@'host'`, `user`, `CURRENT_USER[()]`, `USER()`.
pub(super) fn name(reader: &mut Reader<'_>) -> Result<AccountRef, SqlError> {
    let behind = reader.peek_at(1);
    let called = behind.is_some_and(|t| t.is_symbol(Symbol::Open));
    let at_host = behind.is_some_and(|t| t.kind == Kind::UserVariable);
    if (reader.sees(&["CURRENT_USER"]) && !at_host) || (reader.sees(&["USER"]) && called) {
        reader.next();
        if reader.take_symbol(Symbol::Open) {
            reader.expect_symbol(Symbol::Close, ")")?;
        }
        return Ok(AccountRef::Current);
    }
    // Not `name_or_string`: strings in a row are no name here, and the empty name has an error of its own.
    let user = match reader.peek() {
        Some(token) if token.kind == Kind::String => literal::string(token, reader.text, reader.mode).into_owned(),
        Some(token) if matches!(token.kind, Kind::Word | Kind::Quoted) => {
            literal::name(token, reader.text).into_owned()
        }
        Some(_) | None => return Err(reader.error("expected a user")),
    };
    reader.next();
    let host = match reader.peek().filter(|t| t.kind == Kind::UserVariable) {
        Some(token) => {
            if token.text(reader.text) == "@" {
                return Err(reader.error("expected a host; write it in quotes: 'user'@'%'"));
            }
            reader.next();
            literal::user_variable(token, reader.text, reader.mode)
        }
        None => String::new(),
    };
    if user.is_empty() {
        return Err(unsupported("an account without a user name", "give every client a user of its own"));
    }
    let too_long = |text: &str, what, limit| SqlError::NameTooLong { name: text.to_owned(), what, limit };
    if user.chars().count() > USER_CHARS {
        return Err(too_long(&user, "user name", USER_CHARS));
    }
    if host.len() > HOST_BYTES {
        return Err(too_long(&host, "host name", HOST_BYTES));
    }
    if user.chars().any(char::is_control) {
        return Err(unsupported("a user name with control characters", "choose another name"));
    }
    let host = if host.is_empty() { ANYWHERE.to_owned() } else { host };
    Ok(AccountRef::Named(AccountName { user, host }))
}

/// An account and, perhaps, `IDENTIFIED ..`.
fn spec(reader: &mut Reader<'_>) -> Result<AccountSpec, SqlError> {
    let account = name(reader)?;
    let credential = if reader.take(&["IDENTIFIED"]) { Some(credential(reader)?) } else { None };
    for (words, instead) in [
        (&["REPLACE"][..], "who may change a password may do so without the old one"),
        (&["RETAIN", "CURRENT", "PASSWORD"], "an account has one password; make a second account for the change-over"),
        (&["DISCARD", "OLD", "PASSWORD"], "an account has one password"),
        (&["AND"], "an account has one password"),
    ] {
        if reader.sees(words) {
            return Err(unsupported(&words.join(" "), instead));
        }
    }
    Ok(AccountSpec { account, credential })
}

/// From behind IDENTIFIED.
fn credential(reader: &mut Reader<'_>) -> Result<Credential, SqlError> {
    if reader.take(&["BY"]) {
        if reader.sees(&["RANDOM"]) {
            return Err(unsupported("a random password", "make one up and write it down: IDENTIFIED BY '..'"));
        }
        // MariaDB's, and MySQL's until 5.7.
        if reader.take(&["PASSWORD"]) {
            return native_hash(&reader.string()?);
        }
        return password(reader);
    }
    if reader.take_any(&["WITH", "VIA"]).is_none() {
        return Err(reader.error("expected BY or WITH"));
    }
    let plugin = reader.name_or_string()?.to_ascii_lowercase();
    if plugin != NATIVE && plugin != CACHING_SHA2 {
        return Err(SqlError::UnknownPlugin(plugin));
    }
    if reader.take(&["BY"]) {
        return password(reader);
    }
    if reader.take_any(&["AS", "USING"]).is_none() {
        return Ok(Credential::Password(Password::new(String::new())));
    }
    if reader.take(&["PASSWORD"]) {
        reader.expect_symbol(Symbol::Open, "(")?;
        let given = password(reader)?;
        reader.expect_symbol(Symbol::Close, ")")?;
        return Ok(given);
    }
    let hash = reader.string()?;
    match (plugin.as_str(), hash.as_str()) {
        (_, "") => Ok(Credential::Password(Password::new(hash))),
        (NATIVE, hash) => native_hash(hash),
        _ => Err(unsupported(
            "a hash of caching_sha2_password",
            "it can only be checked against a password in clear; give the password: IDENTIFIED BY '..'",
        )),
    }
}

fn password(reader: &mut Reader<'_>) -> Result<Credential, SqlError> {
    Ok(Credential::Password(Password::new(reader.string()?)))
}

/// `*` and 40 hexadecimal digits.
fn native_hash(written: &str) -> Result<Credential, SqlError> {
    if written.is_empty() {
        return Ok(Credential::Password(Password::new(String::new())));
    }
    let digits = written.strip_prefix('*').filter(|d| d.len() == 40 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    let hash = digits.and_then(|digits| hex_bytes(digits).try_into().ok());
    hash.map(Credential::NativeHash).ok_or(SqlError::PasswordHash)
}

/// `REQUIRE .. WITH .. ACCOUNT .. PASSWORD ..`, from behind the accounts.
fn options(reader: &mut Reader<'_>) -> Result<AccountOptions, SqlError> {
    let mut options = AccountOptions::default();
    if reader.sees(&["DEFAULT", "ROLE"]) {
        return Err(unsupported("DEFAULT ROLE", "there are no roles; grant to the user"));
    }
    if reader.take(&["REQUIRE"]) {
        options.tls = Some(match reader.take_any(&["NONE", "SSL"]) {
            Some("NONE") => TlsNeed::Optional,
            Some(_) => TlsNeed::Required,
            None if reader.sees_any(&["X509", "ISSUER", "SUBJECT", "CIPHER"]) => {
                return Err(unsupported("a client certificate as a requirement", "write REQUIRE SSL"));
            }
            None => return Err(reader.error("expected SSL or NONE")),
        });
    }
    if reader.take(&["WITH"]) {
        let mut any = false;
        while let Some(limit) = resource(reader, &mut options)? {
            any |= limit;
        }
        if !any {
            return Err(reader.error("expected MAX_USER_CONNECTIONS"));
        }
    }
    loop {
        if reader.take(&["ACCOUNT", "LOCK"]) {
            options.lock = Some(Lock::Locked);
        } else if reader.take(&["ACCOUNT", "UNLOCK"]) {
            options.lock = Some(Lock::Open);
        } else if reader.sees_any(&["PASSWORD", "FAILED_LOGIN_ATTEMPTS", "PASSWORD_LOCK_TIME"]) {
            password_option(reader)?;
        } else if reader.sees_any(&["COMMENT", "ATTRIBUTE"]) {
            return Err(unsupported("COMMENT and ATTRIBUTE of an account", "leave it out"));
        } else {
            return Ok(options);
        }
    }
}

/// One limit behind WITH; `None` if there is none.
fn resource(reader: &mut Reader<'_>, options: &mut AccountOptions) -> Result<Option<bool>, SqlError> {
    const HOURLY: [&str; 3] = ["MAX_QUERIES_PER_HOUR", "MAX_UPDATES_PER_HOUR", "MAX_CONNECTIONS_PER_HOUR"];
    if reader.take(&["MAX_USER_CONNECTIONS"]) {
        let limit = reader.number()?;
        options.max_connections = Some(u32::try_from(limit).map_err(|_| reader.error("expected a smaller number"))?);
        return Ok(Some(true));
    }
    let Some(name) = reader.take_any(&HOURLY) else { return Ok(None) };
    if reader.number()? != 0 {
        return Err(unsupported(name, "limit the connections: WITH MAX_USER_CONNECTIONS n"));
    }
    Ok(Some(true))
}

/// What MySQL can ask of passwords: accepted where it asks nothing, refused where it would.
fn password_option(reader: &mut Reader<'_>) -> Result<(), SqlError> {
    const NOTHING: [&[&str]; 8] = [
        &["PASSWORD", "EXPIRE", "DEFAULT"],
        &["PASSWORD", "EXPIRE", "NEVER"],
        &["PASSWORD", "HISTORY", "DEFAULT"],
        &["PASSWORD", "REUSE", "INTERVAL", "DEFAULT"],
        &["PASSWORD", "REQUIRE", "CURRENT", "DEFAULT"],
        &["PASSWORD", "REQUIRE", "CURRENT", "OPTIONAL"],
        &["PASSWORD_LOCK_TIME", "UNBOUNDED"],
        &["PASSWORD", "REUSE", "INTERVAL"],
    ];
    for words in NOTHING {
        if reader.take(words) {
            let interval = words.last() == Some(&"INTERVAL");
            if interval && reader.number()? != 0 {
                return Err(unsupported("PASSWORD REUSE INTERVAL", "old passwords are not kept to compare with"));
            }
            if interval {
                reader.expect(&["DAY"])?;
            }
            return Ok(());
        }
    }
    for words in [&["PASSWORD", "HISTORY"][..], &["FAILED_LOGIN_ATTEMPTS"], &["PASSWORD_LOCK_TIME"]] {
        if reader.take(words) {
            return match reader.number()? {
                0 => Ok(()),
                _ => Err(unsupported(&words.join(" "), "failed logins are slowed down for everybody")),
            };
        }
    }
    if reader.sees(&["PASSWORD", "EXPIRE"]) {
        return Err(unsupported("PASSWORD EXPIRE", "lock the account: ACCOUNT LOCK"));
    }
    if reader.sees(&["PASSWORD", "REQUIRE", "CURRENT"]) {
        return Err(unsupported("PASSWORD REQUIRE CURRENT", "leave it out"));
    }
    Err(reader.error("expected an option of an account"))
}

/// `SET PASSWORD [FOR account] = '..'`, from behind the words.
fn set_password(reader: &mut Reader<'_>) -> Result<AccountStatement, SqlError> {
    let account = if reader.take(&["FOR"]) { name(reader)? } else { AccountRef::Current };
    if reader.sees(&["TO", "RANDOM"]) {
        return Err(unsupported("a random password", "make one up and write it down: SET PASSWORD = '..'"));
    }
    if !reader.take_symbol(Symbol::Assign) {
        reader.expect_symbol(Symbol::Equal, "=")?;
    }
    let credential = if reader.take(&["PASSWORD"]) {
        // MariaDB's, and MySQL's until 5.7.
        reader.expect_symbol(Symbol::Open, "(")?;
        let given = password(reader)?;
        reader.expect_symbol(Symbol::Close, ")")?;
        given
    } else {
        let written = reader.string()?;
        // mariadb-admin hashes what it sends here, whatever the server; a password that is itself such a hash is nobody's.
        native_hash(&written).unwrap_or_else(|_| Credential::Password(Password::new(written)))
    };
    if reader.sees_any(&["REPLACE", "RETAIN"]) {
        return Err(unsupported("REPLACE and RETAIN of a password", "leave it out"));
    }
    // mariadb-admin turns its own logging on again in the same statement; there is no log of statements to be kept out of.
    if reader.take_symbol(Symbol::Comma) {
        reader.expect(&["SQL_LOG_OFF"])?;
        reader.expect_symbol(Symbol::Equal, "=")?;
        reader.number()?;
    }
    Ok(AccountStatement::SetPassword { account, credential })
}
