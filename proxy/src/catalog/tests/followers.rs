//! Tables that are renamed while another proxy knows them by their old names.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cellgate_sql::TableChange;
use cellgate_store::deployment::{Departure, FOLLOWER};
use cellgate_store::meta::MetaStore as _;

use super::fixture::{MAX_STALE, Stores};
use super::{column, create, declared, name, table};
use crate::catalog::Catalog;
use crate::catalog::document::{CATALOG, decode, encode};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Goes on to follow the catalog.
pub(super) async fn follows(proxy: &Catalog) -> std::convert::Infallible {
    loop {
        proxy.follow().await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// Renames, and answers only when the other proxy follows.
async fn waits_for(there: &Catalog, renaming: impl Future, is_renamed: impl AsyncFn() -> bool) {
    let followed = AtomicBool::new(false);
    let renaming = async {
        renaming.await;
        assert!(followed.load(Ordering::SeqCst), "answered too early");
    };
    let following = async {
        while !is_renamed().await {
            tokio::time::sleep(PAUSE).await;
        }
        // Long enough for it to look.
        tokio::time::sleep(MAX_STALE / 4).await;
        followed.store(true, Ordering::SeqCst);
        there.follow().await.unwrap();
    };
    let began = Instant::now();
    tokio::join!(renaming, following);
    assert!(began.elapsed() < MAX_STALE, "it did not hear of it");
}

#[tokio::test]
async fn a_rename_waits_for_who_may_use_the_old_name() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    there.follow().await.unwrap();
    let renaming = async { here.rename_tables(&[(name("t"), name("u"))]).await.unwrap() };
    waits_for(&there, renaming, async || here.snapshot().table("test", "u").is_some()).await;
    let (from, to) = (name("u"), name("v"));
    let renaming = async { here.alter_table(&from, &[], Some(&to)).await.unwrap() };
    waits_for(&there, renaming, async || here.snapshot().table("test", "v").is_some()).await;
    assert!(table(&there, "v").await.is_some());
}

#[tokio::test]
async fn an_alter_that_takes_a_name_from_a_column_waits_for_who_may_write_under_it() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    let rename = |from: &str, to: &str| TableChange::Rename { from: from.to_owned(), to: to.to_owned() };
    let (table, began) = (name("t"), Instant::now());
    let added = [TableChange::Add(column("a")), TableChange::Add(column("b"))];
    here.alter_table(&table, &added, None).await.unwrap();
    here.alter_table(&table, &[TableChange::Comment("x".to_owned())], None).await.unwrap();
    assert!(began.elapsed() < MAX_STALE, "nobody can write elsewhere");
    let moves = [
        vec![rename("a", "old_a"), TableChange::Add(column("a"))],
        vec![rename("a", "b"), rename("b", "a")],
        vec![TableChange::Redefine { from: "a".to_owned(), column: column("c") }],
        vec![TableChange::Drop("c".to_owned())],
    ];
    for changes in &moves {
        let before = here.version();
        let altering = async { here.alter_table(&table, changes, None).await.unwrap() };
        waits_for(&there, altering, async || here.version() > before).await;
    }
}

/// Begins a change, and gives up as soon as it is made: the other proxy has not followed.
async fn gives_up(changing: impl Future, is_made: impl Fn() -> bool) {
    let made = async {
        while !is_made() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = changing => panic!("the other one has not followed"),
        () = made => {}
    }
}

#[tokio::test]
async fn who_gives_away_a_name_waits_for_a_rename_that_gave_up() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    here.alter_table(&name("t"), &[TableChange::Add(column("a"))], None).await.unwrap();
    there.follow().await.unwrap();
    let (old, new) = (name("t"), name("u"));
    let pairs = [(old.clone(), new.clone())];
    gives_up(here.rename_tables(&pairs), || here.snapshot().table("test", "u").is_some()).await;
    here.follow().await.unwrap();
    let third = stores.catalog().await;
    let creating = async { drop(third.create_table(&old, false, declared(&[])).await.unwrap()) };
    waits_for(&there, creating, async || third.snapshot().table("test", "t").is_some()).await;
    third.leave().await;

    let (dropped, again) = ([TableChange::Drop("a".to_owned())], [TableChange::Add(column("a"))]);
    let is_dropped = || here.snapshot().table("test", "u").is_some_and(|table| table.columns.is_empty());
    gives_up(here.alter_table(&new, &dropped, None), is_dropped).await;
    let before = here.version();
    let adding = async { drop(here.alter_table(&new, &again, None).await.unwrap()) };
    waits_for(&there, adding, async || here.version() > before).await;
}

#[tokio::test]
async fn a_catalog_that_was_put_back_under_a_lower_version_makes_nobody_wait_for_more() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    let stored = stores.meta.load(CATALOG).await.unwrap().unwrap();
    let mut document = decode(&stored.body).unwrap();
    document.names_moved_in = stored.version + 1_000_000;
    let body = encode(&document).unwrap();
    assert!(stores.meta.compare_and_set(CATALOG, stored.version, &body).await.unwrap());
    here.follow().await.unwrap();
    let began = Instant::now();
    tokio::select! {
        created = create(&here, "t") => drop(created.unwrap()),
        never = follows(&there) => match never {},
    }
    assert!(began.elapsed() < MAX_STALE);
}

#[tokio::test]
async fn a_rename_waits_for_who_goes_by_a_change_that_the_meta_store_has_lost() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    let copy = stores.copy();
    for (lost, new) in [(1, "u"), (3, "v")] {
        for column in [column("a"), column("b"), column("c")].into_iter().take(lost) {
            here.alter_table(&name("t"), &[TableChange::Add(column)], None).await.unwrap();
        }
        there.follow().await.unwrap();
        stores.lose_commits(copy.clone());
        let (pairs, wanted) = ([(name("t"), name(new))], new);
        let renaming = async { here.rename_tables(&pairs).await.unwrap() };
        waits_for(&there, renaming, async || here.snapshot().table("test", wanted).is_some()).await;
        assert!(there.snapshot().table("test", new).is_some());
        stores.lose_commits(copy.clone());
        here.follow().await.unwrap();
    }
}

#[tokio::test]
async fn who_may_use_an_old_catalog_for_longer_is_waited_for_as_long() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    here.set_max_stale(MAX_STALE / 4);
    assert_eq!(here.max_stale(), MAX_STALE / 4);
    let began = Instant::now();
    here.rename_tables(&[(name("t"), name("u"))]).await.unwrap();
    assert!(began.elapsed() >= MAX_STALE);
    // Not before the others know it.
    stores.meta.take_nothing(true);
    there.set_max_stale(MAX_STALE * 2);
    there.follow().await.unwrap_err();
    assert_eq!(there.max_stale(), MAX_STALE);
    stores.meta.take_nothing(false);
    there.follow().await.unwrap();
    assert_eq!(there.max_stale(), MAX_STALE * 2);
}

#[tokio::test]
async fn a_drop_waits_for_who_may_write_for_longer() {
    let (stores, cluster) = Stores::with_relay();
    let (here, _there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    here.set_max_stale(MAX_STALE / 4);
    cluster.keep_tables(usize::MAX);
    let began = Instant::now();
    here.drop_tables(&[name("t")], false).await.unwrap();
    assert!(began.elapsed() >= MAX_STALE);
}

#[tokio::test]
async fn who_says_nothing_is_waited_for_once_and_again_when_it_is_back() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    let (t, u) = (name("t"), name("u"));
    let (there_and_back, began) = ([(t.clone(), u.clone()), (u, t)], Instant::now());
    here.rename_tables(&there_and_back[..1]).await.unwrap();
    assert!(began.elapsed() >= MAX_STALE);
    let began = Instant::now();
    here.rename_tables(&there_and_back[1..]).await.unwrap();
    assert!(began.elapsed() < MAX_STALE);
    // It reads the catalog for a statement, and is to be waited for before it has looked by itself.
    there.refresh().await.unwrap();
    let renaming = async { here.rename_tables(&there_and_back[..1]).await.unwrap() };
    waits_for(&there, renaming, async || here.snapshot().table("test", "u").is_some()).await;
    // Who leaves says so.
    there.leave().await;
    let began = Instant::now();
    here.rename_tables(&there_and_back[1..]).await.unwrap();
    assert!(began.elapsed() < MAX_STALE);
}

#[tokio::test]
async fn who_is_no_proxy_any_more_is_waited_for_once_and_leaves_nothing_behind() {
    let stores = Stores::new();
    let here = stores.catalog().await;
    create(&here, "t").await.unwrap();
    drop(stores.catalog().await);
    stores.meta.advance(MAX_STALE * 1000);
    here.rename_tables(&[(name("t"), name("u"))]).await.unwrap();
    assert_eq!(stores.meta.list(FOLLOWER).await.unwrap().len(), 1);
    let began = Instant::now();
    here.rename_tables(&[(name("u"), name("v"))]).await.unwrap();
    assert!(began.elapsed() < MAX_STALE);
}

#[tokio::test]
async fn a_rename_waits_for_who_reads_the_catalog_and_has_lost_its_lease_and_its_entry() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    // Nobody renews: all are taken for gone, and whoever starts forgets them.
    stores.meta.advance(Duration::from_secs(48 * 3600));
    let third = stores.catalog().await;
    assert_eq!(stores.meta.list("proxy/").await.unwrap().len(), 1);
    for proxy in [&there, &third] {
        proxy.follow().await.unwrap();
    }
    let renaming = async { here.rename_tables(&[(name("t"), name("u"))]).await.unwrap() };
    let following = async {
        let passed = waits_for(&there, renaming, async || here.snapshot().table("test", "u").is_some());
        tokio::pin!(passed);
        tokio::select! {
            () = &mut passed => {}
            never = follows(&third) => match never {},
        }
    };
    following.await;
}

/// Until what a proxy knows is too old to be used.
async fn outdated(proxy: &Catalog) {
    while proxy.fresh_at().elapsed() < MAX_STALE {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_was_taken_for_gone_uses_nothing_from_before_it_is_back() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    // It is not heard of, and removed.
    here.rename_tables(&[(name("t"), name("u"))]).await.unwrap();
    assert_eq!(stores.meta.list(FOLLOWER).await.unwrap().len(), 1);
    outdated(&there).await;
    // Another RENAME comes between its look at the catalog and its word.
    let passing = async {
        stores.meta.saying().await;
        here.rename_tables(&[(name("u"), name("v"))]).await.unwrap();
        stores.meta.mend();
    };
    stores.meta.hold_words();
    let (read, ()) = tokio::join!(there.refresh(), passing);
    let read = read.unwrap();
    assert!(read.table("test", "v").is_some() && read.table("test", "u").is_none());
    assert!(there.fresh_at().elapsed() < MAX_STALE);
}

#[tokio::test]
async fn who_has_said_what_it_read_and_cannot_read_it_again_is_not_fresh() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    there.follow().await.unwrap();
    // It is not heard of, and removed.
    here.rename_tables(&[(name("t"), name("u"))]).await.unwrap();
    outdated(&there).await;
    stores.meta.end_with_word();
    there.refresh().await.unwrap_err();
    assert!(there.fresh_at().elapsed() >= MAX_STALE, "another RENAME may have passed by");
    assert!(there.snapshot().table("test", "t").is_none(), "nobody finds what was before, however fresh");
    stores.meta.mend();
    there.refresh().await.unwrap();
    assert!(there.fresh_at().elapsed() < MAX_STALE);
}

#[tokio::test]
async fn who_was_not_taken_for_gone_goes_on_behind_an_outage_without_a_word() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    outdated(&there).await;
    // The meta store is back, and takes nothing.
    stores.meta.take_nothing(true);
    there.follow().await.unwrap();
    assert!(there.fresh_at().elapsed() < MAX_STALE);
    stores.meta.take_nothing(false);
    create(&here, "t").await.unwrap();
    stores.meta.take_nothing(true);
    // What is new it uses for as long as nobody takes it for gone.
    there.follow().await.unwrap_err();
    assert!(there.snapshot().table("test", "t").is_some());
    outdated(&there).await;
    there.follow().await.unwrap_err();
    assert!(there.fresh_at().elapsed() >= MAX_STALE, "nobody knows what it uses");
    stores.meta.take_nothing(false);
    there.follow().await.unwrap();
    assert!(there.fresh_at().elapsed() < MAX_STALE);
}

#[tokio::test]
async fn a_start_that_is_given_up_behind_the_catalog_leaves_no_word() {
    let stores = Stores::new();
    let departure = Departure::default();
    drop(stores.departing(departure.clone()).await);
    assert_eq!(stores.meta.list(FOLLOWER).await.unwrap().len(), 1);
    departure.leave(MAX_STALE).await;
    assert_eq!(stores.meta.list(FOLLOWER).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_killed_proxy_said_is_removed_when_the_catalog_has_changed_and_is_too_old_to_be_used() {
    let stores = Stores::new();
    let here = stores.catalog().await;
    drop(stores.catalog().await);
    let followers = async || stores.meta.list(FOLLOWER).await.unwrap().len();
    // It may be there, and read the catalog all the time: there is nothing for it to say.
    here.clean().await.unwrap();
    outdated(&here).await;
    here.clean().await.unwrap();
    assert_eq!(followers().await, 2);
    create(&here, "t").await.unwrap();
    here.follow().await.unwrap();
    here.clean().await.unwrap();
    assert_eq!(followers().await, 2, "it may still use what it has read");
    outdated(&here).await;
    here.clean().await.unwrap();
    assert_eq!(followers().await, 1);
    let began = Instant::now();
    here.rename_tables(&[(name("t"), name("u"))]).await.unwrap();
    assert!(began.elapsed() < MAX_STALE);
}

#[tokio::test]
async fn a_slow_proxy_that_was_forgotten_is_waited_for_again_when_it_is_back() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    here.clean().await.unwrap();
    outdated(&there).await;
    here.follow().await.unwrap();
    outdated(&here).await;
    here.clean().await.unwrap();
    assert_eq!(stores.meta.list(FOLLOWER).await.unwrap().len(), 1);
    assert!(there.fresh_at().elapsed() >= MAX_STALE);
    there.refresh().await.unwrap();
    let renaming = async { here.rename_tables(&[(name("t"), name("u"))]).await.unwrap() };
    waits_for(&there, renaming, async || here.snapshot().table("test", "u").is_some()).await;
}

#[tokio::test]
async fn a_drop_waits_for_who_has_lost_its_lease_and_goes_on_reading() {
    let (stores, cluster) = Stores::with_relay();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    there.follow().await.unwrap();
    // Nobody renews: all are taken for gone. The cluster does not answer, so that it could still be written to.
    stores.meta.advance(Duration::from_secs(48 * 3600));
    cluster.keep_tables(usize::MAX);
    let dropping = async { drop(here.drop_tables(&[name("t")], false).await.unwrap()) };
    waits_for(&there, dropping, async || here.snapshot().table("test", "t").is_none()).await;
    assert!(there.snapshot().table("test", "t").is_none());
}

#[tokio::test]
async fn who_names_what_is_not_known_shares_a_look_that_began_behind_it() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    stores.meta.hold_read(1);
    let first = here.look_again();
    let meanwhile = async {
        stores.meta.tripped().await;
        create(&there, "trips").await.unwrap();
        // Of what they ask it reads the document once: a second time it would wait for ever.
        stores.meta.hold_read(2);
        let looking: Vec<_> = (0..40).map(|_| here.look_again()).collect();
        let (looked, ()) = tokio::join!(futures_util::future::join_all(looking), async { stores.meta.mend() });
        for look in looked {
            assert!(look.unwrap().table("test", "trips").is_some(), "it began before the table was made");
        }
    };
    let (first, ()) =
        tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(first, meanwhile) }).await.unwrap();
    first.unwrap();
}

#[tokio::test]
async fn behind_a_look_for_what_is_not_known_there_is_a_rest() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    let began = Instant::now();
    stores.meta.hold_read(1);
    let mending = async {
        stores.meta.tripped().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        stores.meta.mend();
    };
    tokio::join!(catalog.look_again(), mending).0.unwrap();
    catalog.look_again().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(80), "three times as long as it took: {:?}", began.elapsed());
}
