//! Statements about accounts, as scripts and tools write them.

use crate::account::{
    AccountName, AccountOptions, AccountRef, AccountSpec, AccountStatement, Credential, Level, Listed, Lock, Password,
    Privilege, Privileges, TlsNeed,
};
use crate::command::Command;
use crate::error::SqlError;
use crate::testing::bound;

fn statement(text: &str) -> AccountStatement {
    match bound(text) {
        Ok(Command::Account(statement)) => *statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn named(user: &str, host: &str) -> AccountRef {
    AccountRef::Named(AccountName { user: user.to_owned(), host: host.to_owned() })
}

fn password(password: &str) -> Option<Credential> {
    Some(Credential::Password(Password::new(password.to_owned())))
}

#[test]
fn a_user_is_created_in_every_spelling() {
    let none = AccountOptions::default();
    for (text, account, credential, options) in [
        ("CREATE USER 'app'@'%' IDENTIFIED BY 'pw'", named("app", "%"), password("pw"), none),
        ("create user app identified by 'pw'", named("app", "%"), password("pw"), none),
        ("CREATE USER app@localhost", named("app", "localhost"), None, none),
        ("CREATE USER `app`@`LocalHost`", named("app", "localhost"), None, none),
        ("CREATE USER 'App'@'10.%' IDENTIFIED BY ''", named("App", "10.%"), password(""), none),
        ("CREATE USER app@10.0.0.1", named("app", "10.0.0.1"), None, none),
        ("CREATE USER 'app'@''", named("app", "%"), None, none),
        (
            "CREATE USER app IDENTIFIED WITH caching_sha2_password BY 'pw' REQUIRE SSL",
            named("app", "%"),
            password("pw"),
            AccountOptions { tls: Some(TlsNeed::Required), ..none },
        ),
        (
            "CREATE USER app IDENTIFIED WITH 'mysql_native_password' AS '' REQUIRE NONE WITH MAX_USER_CONNECTIONS 3 \
             MAX_QUERIES_PER_HOUR 0 PASSWORD EXPIRE NEVER ACCOUNT LOCK",
            named("app", "%"),
            password(""),
            AccountOptions { tls: Some(TlsNeed::Optional), max_connections: Some(3), lock: Some(Lock::Locked) },
        ),
        (
            "CREATE USER app IDENTIFIED BY PASSWORD '*000102030405060708090A0B0C0D0E0F10111213'",
            named("app", "%"),
            Some(Credential::NativeHash(std::array::from_fn(|i| u8::try_from(i).unwrap()))),
            none,
        ),
    ] {
        let accounts = vec![AccountSpec { account, credential }];
        assert_eq!(statement(text), AccountStatement::Create { if_not_exists: false, accounts, options }, "{text}");
    }
}

#[test]
fn users_are_altered_dropped_and_renamed() {
    assert_eq!(
        statement("ALTER USER IF EXISTS a IDENTIFIED BY 'x', CURRENT_USER() ACCOUNT UNLOCK"),
        AccountStatement::Alter {
            if_exists: true,
            accounts: vec![
                AccountSpec { account: named("a", "%"), credential: password("x") },
                AccountSpec { account: AccountRef::Current, credential: None },
            ],
            options: AccountOptions { lock: Some(Lock::Open), ..AccountOptions::default() },
        }
    );
    assert_eq!(
        statement("ALTER USER USER() IDENTIFIED BY 'x'"),
        AccountStatement::Alter {
            if_exists: false,
            accounts: vec![AccountSpec { account: AccountRef::Current, credential: password("x") }],
            options: AccountOptions::default(),
        }
    );
    assert_eq!(
        statement("DROP USER IF EXISTS a@localhost, b"),
        AccountStatement::Drop { if_exists: true, accounts: vec![named("a", "localhost"), named("b", "%")] }
    );
    assert_eq!(
        statement("RENAME USER a TO b, c@h TO d@'1.2.3.4'"),
        AccountStatement::Rename(vec![(named("a", "%"), named("b", "%")), (named("c", "h"), named("d", "1.2.3.4"))])
    );
    for (text, account) in [
        ("SET PASSWORD = 'x'", AccountRef::Current),
        ("set password='x',sql_log_off=0", AccountRef::Current),
        ("SET PASSWORD FOR a@localhost = 'x'", named("a", "localhost")),
        ("SET PASSWORD FOR CURRENT_USER = PASSWORD('x')", AccountRef::Current),
    ] {
        let credential = Credential::Password(Password::new("x".into()));
        assert_eq!(statement(text), AccountStatement::SetPassword { account, credential }, "{text}");
    }
    let hash = format!("SET PASSWORD = '*{}'", "0F".repeat(20));
    let credential = Credential::NativeHash([0x0f; 20]);
    assert_eq!(statement(&hash), AccountStatement::SetPassword { account: AccountRef::Current, credential });
}

#[test]
fn privileges_are_granted_and_revoked() {
    let shop = || Level::Database("shop".to_owned());
    let select = Privileges::of(Privilege::Select);
    let option = Privileges::of(Privilege::GrantOption);
    let cases: [(&str, Privileges, &[&'static str], Level); 10] = [
        ("GRANT SELECT ON shop.* TO a", select, &[], shop()),
        ("GRANT ALL ON shop.* TO a", Privileges::ALL_ON_DATA, &[], shop()),
        ("GRANT ALL PRIVILEGES ON `shop`.* TO a WITH GRANT OPTION", Privileges::ALL_ON_DATA.with(option), &[], shop()),
        ("GRANT ALL ON *.* TO a", Privileges::ALL_ON_EVERYTHING, &[], Level::Global),
        (
            "GRANT SELECT, PROCESS, REPLICATION CLIENT ON *.* TO a",
            select,
            &["PROCESS", "REPLICATION CLIENT"],
            Level::Global,
        ),
        ("GRANT USAGE ON *.* TO a", Privileges::NONE, &[], Level::Global),
        (
            "GRANT CREATE TEMPORARY TABLES, select ON `a\\_b`.* TO a",
            select,
            &["CREATE TEMPORARY TABLES"],
            Level::Database("a\\_b".into()),
        ),
        ("GRANT SELECT ON TABLE shop.t TO a", select, &[], Level::Table { database: "shop".into(), table: "t".into() }),
        ("GRANT SELECT ON t TO a", select, &[], Level::Table { database: "shop".into(), table: "t".into() }),
        ("GRANT SELECT ON * TO a", select, &[], Level::Database("shop".into())),
    ];
    for (text, privileges, without_effect, level) in cases {
        let listed = Listed { privileges, without_effect: without_effect.to_vec() };
        let accounts = vec![named("a", "%")];
        assert_eq!(statement(text), AccountStatement::Grant { listed, level, accounts }, "{text}");
    }
    let revoked = |text: &str| match statement(text) {
        AccountStatement::Revoke { listed, .. } => listed.privileges,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(revoked("REVOKE SELECT ON shop.* FROM a"), select);
    // ERASE goes with ALL, though it never comes with it.
    assert!(revoked("REVOKE ALL ON shop.* FROM a").has(Privilege::Erase));
    assert!(!revoked("REVOKE ALL ON shop.* FROM a").has(Privilege::GrantOption));
    assert_eq!(revoked("REVOKE GRANT OPTION ON shop.* FROM a"), option);
    assert_eq!(
        statement("REVOKE ALL PRIVILEGES, GRANT OPTION FROM a, b@h"),
        AccountStatement::RevokeAll(vec![named("a", "%"), named("b", "h")])
    );
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    for (text, named) in [
        ("CREATE USER a IDENTIFIED BY 'x' COMMENT 'c'", "COMMENT"),
        ("CREATE USER a IDENTIFIED BY RANDOM PASSWORD", "random password"),
        ("CREATE USER a DEFAULT ROLE r", "DEFAULT ROLE"),
        ("CREATE USER a REQUIRE X509", "client certificate"),
        ("CREATE USER a WITH MAX_QUERIES_PER_HOUR 5", "MAX_QUERIES_PER_HOUR"),
        ("CREATE USER a PASSWORD EXPIRE INTERVAL 90 DAY", "PASSWORD EXPIRE"),
        ("CREATE USER a FAILED_LOGIN_ATTEMPTS 3", "FAILED_LOGIN_ATTEMPTS"),
        ("CREATE USER ''@'%'", "without a user name"),
        ("ALTER USER a IDENTIFIED BY 'x' RETAIN CURRENT PASSWORD", "RETAIN CURRENT PASSWORD"),
        ("GRANT ALL ON shop.* TO a IDENTIFIED BY 'x'", "GRANT .. IDENTIFIED"),
        ("GRANT SUPER ON *.* TO a", "the privilege SUPER"),
        ("GRANT SELECT (a, b) ON shop.t TO a", "on columns"),
        ("GRANT EXECUTE ON PROCEDURE shop.p TO a", "routine"),
        ("GRANT ADMIN ON shop.* TO a", "ADMIN"),
        ("GRANT 'role' TO a", "role"),
        ("GRANT reader TO a", "role"),
        ("REVOKE reader FROM a", "role"),
        ("CREATE ROLE r", "CREATE ROLE"),
        ("SET ROLE r", "ROLE"),
    ] {
        match bound(text) {
            Err(SqlError::Unsupported { what, .. }) => assert!(what.contains(named), "{text}: {what}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(bound("CREATE USER a IDENTIFIED WITH unix_socket"), Err(SqlError::UnknownPlugin(_))));
    assert!(matches!(bound("CREATE USER a IDENTIFIED BY PASSWORD '*12'"), Err(SqlError::PasswordHash)));
    let long = format!("CREATE USER {}", "u".repeat(33));
    assert!(matches!(bound(&long), Err(SqlError::NameTooLong { .. })));
}

#[test]
fn a_grant_of_the_configuration_reads_like_one_in_sql() {
    let read = |text| crate::grant(text).map(|g| (g.privileges, g.level));
    let shop = Level::Database("shop".into());
    let both = [Privilege::Select, Privilege::Insert].into_iter().collect();
    assert_eq!(read("SELECT, INSERT ON shop.*"), Ok((both, shop.clone())));
    assert_eq!(read("grant all on shop.*"), Ok((Privileges::ALL_ON_DATA, shop.clone())));
    assert_eq!(read("ALL ON *.*"), Ok((Privileges::ALL_ON_EVERYTHING, Level::Global)));
    let option = Privileges::of(Privilege::GrantOption);
    assert_eq!(read("GRANT OPTION ON shop.*"), Ok((option, shop.clone())));
    assert_eq!(read("GRANT GRANT OPTION ON shop.*"), Ok((option, shop.clone())));
    let given = Privileges::of(Privilege::Select).with(option);
    assert_eq!(read("GRANT SELECT ON shop.* WITH GRANT OPTION"), Ok((given, shop)));
    for text in ["ALL ON *.*", "ALL, ERASE, GRANT OPTION ON `shop`.*", "SELECT, INSERT ON `a`.`b``c`"] {
        assert_eq!(crate::grant(text).map(|g| g.to_string()), Ok(text.to_owned()));
    }
    for wrong in ["", "SELECT", "SELECT ON shop", "SELECT ON *", "SELECT ON shop.* TO a", "NONE ON *.*", "ADMIN ON a.*"]
    {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_password_is_printed_nowhere() {
    for text in ["CREATE USER a IDENTIFIED BY 'hidden'", "SET PASSWORD = 'hidden'"] {
        assert!(!format!("{:?}", statement(text)).contains("hidden"), "{text}");
        assert!(!format!("{:?}", super::parse(text, Default::default())).contains("hidden"), "{text}");
    }
}

#[test]
fn names_longer_than_databases_and_tables_may_have_are_revoked_and_not_granted() {
    let (longest, longer) = ("é".repeat(64), "é".repeat(65));
    let escaped = r"\_".repeat(64);
    for on in [format!("`{longest}`.*"), format!("`{escaped}`.*"), format!("`{longest}`.`{longest}`")] {
        statement(&format!("GRANT SELECT ON {on} TO a"));
    }
    let escaped = r"\_".repeat(65);
    for on in [
        format!("`{longer}`.*"),
        format!("`{escaped}`.*"),
        format!("`{longest}`.`{longer}`"),
        format!("`{longer}`.t"),
        format!("`{longer}`"),
    ] {
        let granted = bound(&format!("GRANT SELECT ON {on} TO a"));
        assert!(matches!(granted, Err(SqlError::IdentifierTooLong(_))), "{on}: {granted:?}");
        statement(&format!("REVOKE SELECT ON {on} FROM a"));
    }
}
