//! What a file that is read again changes.

use super::*;

#[test]
fn a_reload_takes_what_can_change_and_names_the_rest() {
    let old = valid("[[user]]\nname = \"a\"\npassword = \"1\"\n[[user]]\nname = \"same\"");
    let new = valid(
        "[listen]\naddress = \"127.0.0.1:1\"\n[limits]\ncollect_rows = 5\nmax_connections = 5\n[log]\nlevel = \"debug\"\n\
         [[user]]\nname = \"a\"\npassword = \"2\"\n[[user]]\nname = \"same\"\n[[user]]\nname = \"b\"\n\
         [[cluster]]\nname = \"c1\"\nprimary = \"sqlite:elsewhere.db\"",
    );
    let changes = Config::diff(&old, &new);
    assert_eq!(changes.reloadable, ["limits.collect_rows", "log.level", "user 'a'", "user 'b'"]);
    assert_eq!(
        changes.needs_restart,
        ["listen.address", "limits.max_connections", "cluster 'c1'", "cluster 'c2'", "cluster 'c3'", "cluster 'c4'"]
    );
    let reloaded = old.reloaded(&new);
    let left = Config::diff(&reloaded, &new);
    assert!(left.reloadable.is_empty(), "{left:?}");
    assert_eq!(left.needs_restart, changes.needs_restart);
    assert_eq!(Config::diff(&old, &reloaded).needs_restart, Vec::<String>::new());
    assert_eq!(Config::diff(&old, &old), Changes::default());
}

#[test]
fn a_changed_password_is_a_change() {
    let meta =
        |password: &str| valid(&format!("[topology]\nmeta = \"mysql://u:{password}@h/m\"\n{}", cluster("sqlite:x")));
    assert_eq!(Config::diff(&meta("1"), &meta("2")).needs_restart, ["topology.meta"]);
    let a = |password: &str| valid(&cluster(&format!("mysql://u:{password}@h/m")));
    assert_eq!(Config::diff(&a("1"), &a("2")).needs_restart, ["cluster 'a'"]);
}

#[test]
fn a_reload_takes_no_max_stale_that_is_too_short_for_the_poll_in_use() {
    let old = valid("[meta]\npoll = \"10s\"\nmax_stale = \"1m\"");
    let new = valid("[meta]\npoll = \"1s\"\nmax_stale = \"5s\"");
    let changes = Config::diff(&old, &new);
    assert_eq!(changes.needs_restart, ["meta.max_stale", "meta.poll"]);
    assert!(changes.reloadable.is_empty(), "{changes:?}");
    assert_eq!(old.reloaded(&new).meta, old.meta);
    let longer = valid("[meta]\npoll = \"1s\"\nmax_stale = \"40s\"");
    assert_eq!(Config::diff(&old, &longer).reloadable, ["meta.max_stale"]);
    assert_eq!(old.reloaded(&longer).meta.max_stale, Duration::from_secs(40));
}

#[test]
fn a_file_that_names_no_user_any_more_is_not_taken_over() {
    let user = "[[user]]\nname = \"app\"\npassword = \"x\"\n";
    for listen in ["", "[listen]\naddress = \"0.0.0.0:3307\"\n"] {
        let running = valid(&format!("{listen}{user}"));
        for text in ["", "[log]\nlevel = \"debug\"", "user = []"] {
            let error = read_again(&running, text).unwrap_err();
            assert!(error.contains("names no user any more") && error.contains("Nothing is changed"), "{error}");
        }
        assert!(read_again(&running, user).is_ok(), "whatever is left out beside users");
    }
    let alone = valid("");
    assert_eq!(read_again(&alone, "[log]\nlevel = \"debug\"").unwrap().users, alone.users, "there was nobody else");
}
