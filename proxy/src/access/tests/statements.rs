//! What statements do, who may run them, and what other proxies see.

use std::sync::Arc;

use cellgate_sql::{Lock, Privilege};
use cellgate_store::meta::MetaStore as _;
use cellgate_store::meta::memory::MemoryMeta;

use super::{name, proxy, root, run, run_as, text, users, verifier};
use crate::access::{AccessError, AccessNote, Accounts, create, grants};
use crate::auth::Verifier;

fn shown(accounts: &Accounts, user: &str) -> Vec<String> {
    grants(accounts.snapshot().named(&name(user, "%")).unwrap())
}

#[tokio::test]
async fn a_user_is_created_changed_and_dropped() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app IDENTIFIED BY 'first' REQUIRE SSL WITH MAX_USER_CONNECTIONS 2 ACCOUNT LOCK").await;
    let app = accounts.snapshot().named(&name("app", "%")).unwrap().clone();
    assert_eq!((app.lock, app.max_connections), (Lock::Locked, 2));
    assert_eq!(app.verifier, Verifier::from_password("first"));
    assert_eq!(
        create(&app),
        "CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '<secret>' REQUIRE SSL WITH \
         MAX_USER_CONNECTIONS 2 ACCOUNT LOCK"
    );
    run(&accounts, "ALTER USER app IDENTIFIED BY 'second' ACCOUNT UNLOCK").await;
    assert_eq!(verifier(&accounts, "app"), Verifier::from_password("second"));
    assert_eq!(accounts.snapshot().named(&name("app", "%")).unwrap().lock, Lock::Open);
    run(&accounts, "RENAME USER app TO other").await;
    assert_eq!(verifier(&accounts, "other"), Verifier::from_password("second"));
    assert!(accounts.snapshot().named(&name("app", "%")).is_none());
    run(&accounts, "DROP USER other").await;
    assert!(accounts.snapshot().matching("other", "localhost").is_none());
    assert!(!text(&meta).contains("other"));
}

#[tokio::test]
async fn a_password_is_not_stored() {
    let meta = Arc::new(MemoryMeta::created());
    run(&proxy(&meta).await, "CREATE USER app IDENTIFIED BY 'the-password'").await;
    assert!(text(&meta).contains("app"));
    assert!(!text(&meta).contains("the-password"));
    // What another proxy reads is enough to check it.
    assert_eq!(verifier(&proxy(&meta).await, "app"), Verifier::from_password("the-password"));
}

#[tokio::test]
async fn show_grants_prints_statements_that_grant_the_same() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app, copy").await;
    assert_eq!(shown(&accounts, "app"), ["GRANT USAGE ON *.* TO `app`@`%`"]);
    for grant in [
        "GRANT SELECT, INSERT ON shop.* TO app WITH GRANT OPTION",
        "GRANT ALL ON `a\\_b`.* TO app",
        "GRANT ERASE ON `a\\_b`.* TO app",
        "GRANT SELECT ON shop.trips TO app",
    ] {
        run(&accounts, grant).await;
    }
    let lines = shown(&accounts, "app");
    assert_eq!(
        lines,
        [
            "GRANT USAGE ON *.* TO `app`@`%`",
            "GRANT SELECT, INSERT ON `shop`.* TO `app`@`%` WITH GRANT OPTION",
            "GRANT ALL PRIVILEGES ON `a\\_b`.* TO `app`@`%`",
            "GRANT ERASE ON `a\\_b`.* TO `app`@`%`",
            "GRANT SELECT ON `shop`.`trips` TO `app`@`%`",
        ]
    );
    for line in &lines {
        run(&accounts, &line.replace("`app`", "`copy`")).await;
    }
    let snapshot = accounts.snapshot();
    let granted = |user| &snapshot.named(&name(user, "%")).unwrap().grants;
    assert_eq!(granted("app"), granted("copy"));
    assert_eq!(
        shown(&accounts, "root"),
        ["GRANT ALL PRIVILEGES ON *.* TO `root`@`%`", "GRANT ERASE ON *.* TO `root`@`%`"]
    );
}

#[tokio::test]
async fn all_never_gives_the_right_to_erase_and_revoking_all_takes_it() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    let may = |privilege| accounts.snapshot().access(&name("app", "%")).may(privilege, "shop", Some("t"));
    run(&accounts, "CREATE USER app").await;
    run(&accounts, "GRANT ALL ON *.* TO app").await;
    assert!(may(Privilege::Delete) && !may(Privilege::Erase));
    run(&accounts, "GRANT ERASE ON *.* TO app").await;
    assert!(may(Privilege::Erase));
    run(&accounts, "REVOKE ALL ON *.* FROM app").await;
    assert!(!may(Privilege::Erase) && !may(Privilege::Select));
}

#[tokio::test]
async fn statements_are_all_or_nothing() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER a").await;
    let refused = run_as(&accounts, &root(), "CREATE USER b, a").await.unwrap_err();
    assert_eq!(refused.to_string(), "Operation CREATE USER failed for 'a'@'%'");
    assert!(accounts.snapshot().named(&name("b", "%")).is_none());
    let notes = run(&accounts, "CREATE USER IF NOT EXISTS b, a").await;
    assert_eq!(notes, [AccessNote::Exists(name("a", "%"))]);
    let refused = run_as(&accounts, &root(), "DROP USER a, x, y@localhost").await.unwrap_err();
    assert_eq!(refused.to_string(), "Operation DROP USER failed for 'x'@'%','y'@'localhost'");
    let notes = run(&accounts, "DROP USER IF EXISTS a, x").await;
    assert_eq!(notes, [AccessNote::Missing(name("x", "%"))]);
    for (text, message) in [
        ("GRANT SELECT ON *.* TO nobody", "You are not allowed to create a user with GRANT"),
        ("REVOKE SELECT ON shop.* FROM b", "There is no such grant defined for user 'b' on host '%'"),
        ("REVOKE SELECT ON shop.t FROM b", "on table 't'"),
        ("SET PASSWORD FOR nobody = 'x'", "Can't find any matching row in the user table"),
        ("ALTER USER nobody IDENTIFIED BY 'x'", "Operation ALTER USER failed for 'nobody'@'%'"),
        ("RENAME USER b TO root", "Operation RENAME USER failed for 'b'@'%'"),
        ("CREATE USER c@'app.example.com'", "host names are not looked up"),
        ("ALTER USER root IDENTIFIED BY 'x'", "the configuration file defines it"),
        ("GRANT SELECT ON shop.* TO root", "the configuration file defines it"),
        ("DROP USER root", "the configuration file defines it"),
        ("CREATE USER root", "Operation CREATE USER failed for 'root'@'%'"),
    ] {
        let refused = run_as(&accounts, &root(), text).await.unwrap_err().to_string();
        assert!(refused.contains(message), "{text}: {refused}");
    }
}

#[tokio::test]
async fn who_may_change_accounts_is_judged_by_what_they_hold() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app, friend, boss").await;
    run(&accounts, "GRANT SELECT ON shop.* TO app WITH GRANT OPTION").await;
    run(&accounts, "GRANT ADMIN ON *.* TO boss").await;
    let (app, boss) = (name("app", "%"), name("boss", "%"));
    for refused in [
        "CREATE USER x",
        "DROP USER friend",
        "ALTER USER friend IDENTIFIED BY 'x'",
        "ALTER USER app ACCOUNT UNLOCK",
        "SET PASSWORD FOR friend = 'x'",
        "RENAME USER app TO x",
        "REVOKE ALL PRIVILEGES, GRANT OPTION FROM friend",
        "GRANT INSERT ON shop.* TO friend",
        "GRANT SELECT ON *.* TO friend",
        "GRANT SELECT ON other.t TO friend",
        "GRANT ADMIN ON *.* TO app",
    ] {
        let error = run_as(&accounts, &app, refused).await.unwrap_err();
        assert!(matches!(error, AccessError::NeedsPrivilege(_)), "{refused}: {error}");
    }
    for allowed in [
        "SET PASSWORD = 'mine'",
        "ALTER USER CURRENT_USER() IDENTIFIED BY 'mine'",
        "ALTER USER app IDENTIFIED BY 'mine'",
        "GRANT SELECT ON shop.* TO friend",
        "GRANT SELECT ON shop.t TO friend",
        "REVOKE SELECT ON shop.* FROM friend",
    ] {
        run_as(&accounts, &app, allowed).await.unwrap_or_else(|e| panic!("{allowed}: {e}"));
    }
    assert_eq!(verifier(&accounts, "app"), Verifier::from_password("mine"));
    // ADMIN is about accounts; what is given away must be held.
    run_as(&accounts, &boss, "CREATE USER x").await.unwrap();
    assert!(run_as(&accounts, &boss, "GRANT SELECT ON shop.* TO x").await.is_err());
    run_as(&accounts, &boss, "REVOKE SELECT ON shop.* FROM app").await.unwrap();
    assert!(run_as(&accounts, &name("nobody", "%"), "CREATE USER y").await.is_err());
}

#[tokio::test]
async fn a_pattern_is_not_given_away_wider_than_it_is_held() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app, friend").await;
    run(&accounts, "GRANT SELECT ON `app_`.* TO app WITH GRANT OPTION").await;
    let app = name("app", "%");
    for wider in ["`app%`.*", "`%`.*", "`a___`.*", "*.*"] {
        assert!(run_as(&accounts, &app, &format!("GRANT SELECT ON {wider} TO friend")).await.is_err(), "{wider}");
    }
    for covered in ["`app_`.*", "app1.*", "`app\\_`.*", "appx.t"] {
        run_as(&accounts, &app, &format!("GRANT SELECT ON {covered} TO friend")).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_who_may_administer_stays() {
    let meta = Arc::new(MemoryMeta::created());
    let config = "[[user]]\nname = \"app\"\ngrants = [\"SELECT ON shop.*\"]";
    let with_root = proxy(&meta).await;
    run(&with_root, "CREATE USER a, b").await;
    run(&with_root, "GRANT ALL ON *.* TO a").await;
    run(&with_root, "GRANT ALL ON *.* TO b").await;
    // Where no configured user is an administrator.
    let accounts = Accounts::open(Arc::clone(&meta) as _, &users(config)).await.unwrap();
    let a = name("a", "%");
    run_as(&accounts, &a, "ALTER USER b ACCOUNT LOCK").await.unwrap();
    for last in [
        "DROP USER a",
        "DROP USER a, b",
        "REVOKE ALL ON *.* FROM a",
        "REVOKE ADMIN ON *.* FROM a",
        "REVOKE ALL PRIVILEGES, GRANT OPTION FROM a",
        "ALTER USER a ACCOUNT LOCK",
    ] {
        let error = run_as(&accounts, &a, last).await.unwrap_err();
        assert!(matches!(error, AccessError::LastAdmin { .. }), "{last}: {error}");
    }
    run_as(&accounts, &a, "ALTER USER b ACCOUNT UNLOCK").await.unwrap();
    run_as(&accounts, &a, "DROP USER a").await.unwrap();
}

#[tokio::test]
async fn the_most_specific_host_is_meant() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER u, u@'10.%', u@'10.0.0.1', u@localhost, other@'10.%'").await;
    let snapshot = accounts.snapshot();
    for (host, expected) in
        [("10.0.0.1", "10.0.0.1"), ("10.0.0.2", "10.%"), ("192.168.0.1", "%"), ("localhost", "localhost")]
    {
        assert_eq!(snapshot.matching("u", host).unwrap().name.host, expected, "{host}");
    }
    assert!(snapshot.matching("other", "192.168.0.1").is_none());
    assert!(snapshot.matching("U", "localhost").is_none(), "letter case counts in a user name");
}

#[tokio::test]
async fn two_proxies_changing_accounts_at_once_lose_nothing() {
    let meta = Arc::new(MemoryMeta::created());
    let (one, two) = (proxy(&meta).await, proxy(&meta).await);
    let create = |accounts: Accounts, prefix: &'static str| async move {
        for number in 0..20 {
            run(&accounts, &format!("CREATE USER {prefix}{number}")).await;
        }
    };
    tokio::join!(create(one, "a"), create(two, "b"));
    // 20 each, and root.
    assert_eq!(proxy(&meta).await.snapshot().accounts().count(), 41);
}

#[tokio::test]
async fn a_refused_login_makes_another_proxy_look_again() {
    let meta = Arc::new(MemoryMeta::created());
    let (one, two) = (proxy(&meta).await, proxy(&meta).await);
    run(&one, "CREATE USER app").await;
    let version = two.snapshot().version();
    assert!(two.snapshot().matching("app", "localhost").is_none());
    assert!(two.look_again(version).await);
    assert!(two.snapshot().matching("app", "localhost").is_some());
    assert!(!two.look_again(two.snapshot().version()).await, "there is nothing new");
}

#[tokio::test]
async fn a_flood_of_refused_logins_costs_the_meta_store_little() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = Arc::new(proxy(&meta).await);
    let before = meta.loads();
    let mut floods = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let accounts = Arc::clone(&accounts);
        floods.spawn(async move {
            let version = accounts.snapshot().version();
            accounts.look_again(version).await
        });
    }
    while floods.join_next().await.is_some() {}
    // One for the first, one for all who came while it was on its way; those who came later, if any, 100 ms apart.
    let reads = meta.loads() - before;
    assert!((1..=10).contains(&reads), "{reads}");
}

#[tokio::test]
async fn what_is_known_stays_in_force_while_the_meta_store_is_silent() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app IDENTIFIED BY 'x'").await;
    meta.set_down(true);
    assert!(accounts.refresh().await.is_err());
    assert!(!accounts.look_again(accounts.snapshot().version()).await);
    assert_eq!(verifier(&accounts, "app"), Verifier::from_password("x"));
    let refused = run_as(&accounts, &root(), "CREATE USER other").await.unwrap_err();
    assert!(matches!(refused, AccessError::Meta(_)), "{refused}");
}

#[tokio::test]
async fn connections_of_an_account_are_limited() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app WITH MAX_USER_CONNECTIONS 2").await;
    let app = accounts.snapshot().named(&name("app", "%")).unwrap().clone();
    let (first, _second) = (accounts.seat(&app).unwrap(), accounts.seat(&app).unwrap());
    assert_eq!(accounts.seat(&app).unwrap_err(), 2);
    drop(first);
    let _third = accounts.seat(&app).unwrap();
    assert_eq!(accounts.seat(&app).unwrap_err(), 2);
    // A limit that is set later counts those who are in already.
    run(&accounts, "ALTER USER app WITH MAX_USER_CONNECTIONS 3").await;
    let app = accounts.snapshot().named(&name("app", "%")).unwrap().clone();
    let _fourth = accounts.seat(&app).unwrap();
    assert!(accounts.seat(&app).is_err());
}

#[tokio::test]
async fn what_others_may_do_is_shown_to_administrators_only() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app, other").await;
    run(&accounts, "GRANT SELECT ON shop.* TO app").await;
    run(&accounts, "GRANT INSERT ON shop.trips TO other WITH GRANT OPTION").await;
    let snapshot = accounts.snapshot();
    let (app, boss) = (snapshot.access(&name("app", "%")), snapshot.access(&root()));
    let grantees = |rows: Vec<super::super::UserPrivilege>| {
        let mut names: Vec<String> = rows.into_iter().map(|r| r.grantee).collect();
        names.dedup();
        names
    };
    assert_eq!(grantees(snapshot.user_privileges(&app)), ["'app'@'%'"]);
    assert_eq!(grantees(snapshot.user_privileges(&boss)), ["'app'@'%'", "'other'@'%'", "'root'@'%'"]);
    assert_eq!(snapshot.schema_privileges(&app).len(), 1);
    assert_eq!(snapshot.table_privileges(&app).len(), 0);
    let table = &snapshot.table_privileges(&boss)[0];
    assert_eq!((table.privilege, table.table.as_str(), table.is_grantable), ("INSERT", "trips", true));
    assert_eq!(snapshot.user_rows(&boss).len(), 3);
    assert!(snapshot.shown(&app, &name("other", "%")).is_err());
    assert!(snapshot.shown(&app, &name("app", "%")).is_ok());
    assert!(matches!(snapshot.shown(&boss, &name("x", "%")), Err(AccessError::NoSuchGrant(_))));
}

#[tokio::test]
async fn what_a_newer_version_wrote_of_accounts_is_kept() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app, other").await;
    run(&accounts, "GRANT SELECT ON shop.* TO app").await;
    let body = text(&meta).replacen("{\"accounts\"", "{\"a\":[1],\"accounts\"", 1);
    let body = body.replace("{\"user\":", "{\"b\":2,\"user\":").replace("{\"database\":", "{\"c\":3,\"database\":");
    let version = meta.load("users").await.unwrap().unwrap().version;
    assert!(meta.compare_and_set("users", version, body.as_bytes()).await.unwrap());

    let newer = proxy(&meta).await;
    run(&newer, "GRANT INSERT ON shop.* TO app").await;
    run(&newer, "ALTER USER app IDENTIFIED BY 'x'").await;
    run(&newer, "RENAME USER app TO late").await;
    let written = text(&meta);
    assert!(written.contains("INSERT"), "{written}");
    for (field, times) in [("\"a\":[1]", 1), ("\"b\":2", 2), ("\"c\":3", 1)] {
        assert_eq!(written.matches(field).count(), times, "{field} of {written}");
    }
}

/// An account with `TELEPORT` beside what this version knows on `shop.*`, and with nothing else on `lab.*`.
async fn with_newer_privileges(meta: &Arc<MemoryMeta>) -> Accounts {
    let accounts = proxy(meta).await;
    run(&accounts, "CREATE USER app").await;
    run(&accounts, "GRANT SELECT, INSERT ON shop.* TO app WITH GRANT OPTION").await;
    run(&accounts, "GRANT SELECT ON lab.* TO app").await;
    let body = text(meta).replace("[\"SELECT\",\"INSERT\"", "[\"TELEPORT\",\"SELECT\",\"INSERT\"");
    let body = body.replace("[\"SELECT\"]", "[\"TELEPORT\"],\"c\":3");
    let version = meta.load("users").await.unwrap().unwrap().version;
    assert!(meta.compare_and_set("users", version, body.as_bytes()).await.unwrap());
    assert_eq!(text(meta).matches("TELEPORT").count(), 2, "{body}");
    proxy(meta).await
}

#[tokio::test]
async fn privileges_of_a_newer_version_stay_until_all_is_revoked() {
    for (statements, left) in [
        (&["ALTER USER app IDENTIFIED BY 'x'", "RENAME USER app TO late"][..], 2),
        (&["GRANT DROP ON lab.* TO app", "REVOKE DROP ON lab.* FROM app"], 2),
        (&["REVOKE SELECT, INSERT, GRANT OPTION ON shop.* FROM app", "GRANT SELECT ON *.* TO app"], 2),
        (&["REVOKE ALL ON shop.* FROM app"], 1),
        (&["REVOKE ALL PRIVILEGES, GRANT OPTION FROM app"], 0),
        (&["DROP USER app", "CREATE USER app"], 0),
    ] {
        let meta = Arc::new(MemoryMeta::created());
        let accounts = with_newer_privileges(&meta).await;
        for statement in statements {
            run(&accounts, statement).await;
        }
        let written = text(&meta);
        assert_eq!(written.matches("TELEPORT").count(), left, "{statements:?}: {written}");
        assert_eq!(written.matches("\"c\":3").count(), left.min(1), "{statements:?}: {written}");
    }
}

#[tokio::test]
async fn a_password_that_was_checked_is_worth_nothing_for_another_account() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app IDENTIFIED BY 'one'").await;
    let checked = accounts.current().matching("app", "10.0.0.1").unwrap().verifier.clone();
    assert!(accounts.current().proven("app", "10.0.0.1", &checked).account().is_some());
    // Until the session begins, the password may change, or an account of a more specific host be made.
    run(&accounts, "CREATE USER app@'10.%' IDENTIFIED BY 'two'").await;
    assert!(accounts.current().proven("app", "10.0.0.1", &checked).account().is_none());
    assert!(accounts.current().proven("app", "11.0.0.1", &checked).account().is_some());
    run(&accounts, "ALTER USER app IDENTIFIED BY 'three'").await;
    assert!(accounts.current().proven("app", "11.0.0.1", &checked).account().is_none());
}

#[tokio::test]
async fn who_gave_all_may_take_it_back() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER owner, bob, eve").await;
    run(&accounts, "GRANT ALL ON shop.* TO owner WITH GRANT OPTION").await;
    run(&accounts, "GRANT ERASE ON shop.* TO eve").await;
    let owner = name("owner", "%");
    run_as(&accounts, &owner, "GRANT ALL ON shop.* TO bob").await.unwrap();
    run_as(&accounts, &owner, "REVOKE ALL ON shop.* FROM bob").await.unwrap();
    let bob = accounts.current().named(&name("bob", "%")).unwrap().grants.clone();
    assert!(bob.at(&cellgate_sql::Level::Database("shop".into())).is_empty());
    // What the owner does not have it cannot take from others, and on other databases nothing.
    let refused = run_as(&accounts, &owner, "REVOKE ALL ON shop.* FROM eve").await.unwrap_err();
    assert!(refused.to_string().contains("ERASE"), "{refused}");
    run(&accounts, "GRANT SELECT ON other.* TO bob").await;
    assert!(run_as(&accounts, &owner, "REVOKE ALL ON other.* FROM bob").await.is_err());
}

#[tokio::test]
async fn the_plugin_of_an_account_is_the_same_wherever_it_is_shown() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER new IDENTIFIED BY 'x', none").await;
    run(
        &accounts,
        "CREATE USER old IDENTIFIED WITH mysql_native_password AS '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'",
    )
    .await;
    let snapshot = accounts.snapshot();
    let rows = snapshot.user_rows(&snapshot.access(&root()));
    for (user, plugin) in
        [("new", "caching_sha2_password"), ("none", "caching_sha2_password"), ("old", "mysql_native_password")]
    {
        let row = rows.iter().find(|row| row.name.user == user).unwrap();
        assert_eq!(row.plugin, plugin, "{user}");
        let created = create(snapshot.named(&row.name).unwrap());
        assert!(created.contains(&format!("IDENTIFIED WITH '{plugin}' AS")), "{created}");
    }
}

#[tokio::test]
async fn all_of_before_lock_tables_gives_it_until_it_is_revoked() {
    let meta = Arc::new(MemoryMeta::created());
    let before = r#"{"accounts":[{"user":"all","host":"%","grants":[{"database":"shop","privileges":["SELECT","INSERT",
        "UPDATE","DELETE","CREATE","DROP","ALTER","INDEX"]}]},
        {"user":"some","host":"%","grants":[{"database":"shop","privileges":["SELECT","INSERT"]}]}]}"#;
    assert!(meta.compare_and_set("users", 0, before.as_bytes()).await.unwrap());
    let shown = async |user: &str| {
        let accounts = proxy(&meta).await;
        let snapshot = accounts.snapshot();
        let lines = grants(snapshot.named(&name(user, "%")).unwrap());
        lines[1].clone()
    };
    assert_eq!(shown("all").await, "GRANT ALL PRIVILEGES ON `shop`.* TO `all`@`%`");
    assert_eq!(shown("some").await, "GRANT SELECT, INSERT ON `shop`.* TO `some`@`%`");
    run(&proxy(&meta).await, "REVOKE LOCK TABLES ON shop.* FROM `all`").await;
    assert!(!shown("all").await.contains("LOCK TABLES") && !shown("all").await.contains("ALL PRIVILEGES"));
    run(&proxy(&meta).await, "GRANT LOCK TABLES ON shop.* TO `all`, some").await;
    assert_eq!(shown("all").await, "GRANT ALL PRIVILEGES ON `shop`.* TO `all`@`%`");
    assert_eq!(shown("some").await, "GRANT SELECT, INSERT, LOCK TABLES ON `shop`.* TO `some`@`%`");
}
