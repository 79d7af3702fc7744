//! Something is lost, and what the page says makes it good: on each engine the same story.

use std::sync::Arc;

use cellgate_integration_tests::client::{TRIPS, rows, run};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::{Deployment, settings, wait};
use mysql_async::Conn;

use super::places::{A, B, META, OfMariaDb, OfPostgres, OfSqlite, Place};
use super::{
    COPY, ERASED, ERASURE, LOST_CLUSTER, LOST_META_STORE, MISSING_TABLE, ONE_ROW, ROWS, check, count, recipes, start,
    stop, try_count, write,
};

#[tokio::test]
async fn what_is_lost_on_a_mariadb_is_made_good_as_the_page_says() {
    let place = OfMariaDb::new();
    let deployment = deployment(&place).await;
    a_cluster_is_lost(&place, &deployment).await;
    documents_and_tables_are_lost(&place, &deployment).await;
    place.sql(A, &recipes(ERASURE, "mariadb")[0].text);
}

#[tokio::test]
async fn what_is_lost_on_a_mysql_is_made_good_as_the_page_says() {
    let Some(place) = OfMariaDb::mysql() else { return settings::skipped("there is no MySQL") };
    let deployment = deployment(&place).await;
    a_cluster_is_lost(&place, &deployment).await;
    documents_and_tables_are_lost(&place, &deployment).await;
    place.sql(A, &recipes(ERASURE, "mysql")[0].text);
}

#[tokio::test]
async fn what_is_lost_on_a_postgresql_is_made_good_as_the_page_says() {
    let place = OfPostgres::new();
    let deployment = deployment(&place).await;
    a_cluster_is_lost(&place, &deployment).await;
    documents_and_tables_are_lost(&place, &deployment).await;
    place.sql(A, &recipes(ERASURE, "postgresql")[0].text);
}

#[tokio::test]
async fn what_is_lost_of_sqlite_files_is_made_good_as_the_page_says() {
    let place = OfSqlite::new();
    let deployment = deployment(&place).await;
    documents_and_tables_are_lost(&place, &deployment).await;
}

/// Two clusters, with a table `trips`, whose id is 1, and cells in both.
async fn deployment(place: &impl Place) -> Arc<Deployment> {
    for store in [A, B, META] {
        place.create(store);
    }
    let builder = Builder::new().topology(SHARDS, Some(&place.url(META)));
    let deployment = builder.cluster("a", &place.url(A)).cluster("b", &place.url(B)).build();
    let (proxy, mut conn) = start(&deployment).await;
    run(&mut conn, TRIPS).await;
    write(&mut conn, "trips", 1).await;
    stop((proxy, conn));
    assert!([A, B].into_iter().all(|store| stored(place, store, "trips_1") > 0));
    deployment
}

/// How many cells of a table a cluster has.
fn stored(place: &impl Place, store: &str, physical: &str) -> u64 {
    let count = place.sql(store, &format!("SELECT COUNT(*) FROM {physical};"));
    count.trim().parse().unwrap_or_else(|_| panic!("{physical} of {store}: {count}"))
}

async fn highest_id(conn: &mut Conn) -> i64 {
    rows::<i64>(conn, "SELECT MAX(added_id) FROM trips").await.pop().unwrap()
}

async fn a_cluster_is_lost(place: &impl Place, deployment: &Arc<Deployment>) {
    let (proxy, mut conn) = start(deployment).await;
    let highest = highest_id(&mut conn).await;
    stop((proxy, conn));
    let kept = stored(place, A, "trips_1");
    place.remove(B);
    place.create(B);
    check(deployment).expect_err("an empty cluster that was created before");
    let answers = recipes(LOST_CLUSTER, place.engine()).into_iter().map(|recipe| match recipe.language.as_str() {
        "sql" => place.sql(B, &recipe.text),
        _ => place.shell().run(&recipe.text),
    });
    let answers: Vec<String> = answers.collect();
    assert!(answers[0].contains(r#""number": 2"#), "the number of the lost cluster is asked for: {answers:?}");
    assert_eq!(check(deployment), Ok(()));
    let (proxy, mut conn) = start(deployment).await;
    assert_eq!(count(&mut conn, "trips").await, kept);
    write(&mut conn, "trips", 2).await;
    assert_eq!(count(&mut conn, "trips").await, kept + ROWS);
    assert_eq!(stored(place, B, "trips_1"), ROWS - kept, "of this version, and of none before");
    let highest_of_all = highest_id(&mut conn).await;
    assert!(highest_of_all > highest.max(1 << 52), "{highest_of_all}: whoever follows the log has passed {highest}");
    stop((proxy, conn));
}

async fn documents_and_tables_are_lost(place: &impl Place, deployment: &Arc<Deployment>) {
    a_row_of_the_meta_store_is_lost(place, deployment).await;
    the_meta_store_is_lost(place, deployment).await;
    a_table_of_a_cluster_is_lost(place, deployment).await;
    a_copy_becomes_another_deployment(place, deployment).await;
    what_was_erased_is_listed(place, deployment).await;
}

async fn a_row_of_the_meta_store_is_lost(place: &impl Place, deployment: &Arc<Deployment>) {
    place.back_up_meta();
    let row = format!("WHERE name = {};", place.bytes("catalog"));
    for is_gone in [false, true] {
        let (proxy, mut conn) = start(deployment).await;
        let cells = count(&mut conn, "trips").await;
        let mut served = Some((proxy, conn));
        if place.is_file() {
            stop(served.take().expect("running"));
        }
        let corrupt = format!("UPDATE cg_meta SET body = {} {row}", place.bytes("{"));
        place.sql(META, &if is_gone { format!("DELETE FROM cg_meta {row}") } else { corrupt });
        place.restore_row(is_gone);
        if let Some((proxy, mut conn)) = served {
            let serves = async || (try_count(&mut conn, "trips").await.ok()? == cells).then_some(());
            wait::until_async("the proxy that runs to serve", wait::PATIENCE, serves).await;
            stop((proxy, conn));
        }
        assert_eq!(check(deployment), Ok(()), "{ONE_ROW}, gone: {is_gone}");
        let (proxy, mut conn) = start(deployment).await;
        assert_eq!(count(&mut conn, "trips").await, cells);
        stop((proxy, conn));
    }
}

/// Leaves a table `later`, whose id is 2.
async fn the_meta_store_is_lost(place: &impl Place, deployment: &Arc<Deployment>) {
    place.back_up_meta();
    let (proxy, mut conn) = start(deployment).await;
    run(&mut conn, &TRIPS.replace("trips", "later")).await;
    write(&mut conn, "later", 1).await;
    stop((proxy, conn));
    place.restore_meta();
    let [list, empty, raise, enter] = &recipes(LOST_META_STORE, place.engine())[..] else { panic!("four steps") };
    // The backup was made while `later` was: without the first step the proxy that starts would drop it.
    let being_made = r#""unpublished":[{"id":2,"name":"later","since":0,"dropped":false}]"#;
    let catalog = place.document("catalog").replace(r#""unpublished":[]"#, being_made);
    assert!(catalog.contains(being_made), "{catalog}");
    let (body, name) = (place.bytes(&catalog), place.bytes("catalog"));
    place.sql(META, &format!("UPDATE cg_meta SET version = version + 1, body = {body} WHERE name = {name};"));
    let listed = place.sql(META, &list.text);
    assert!(listed.contains("later") && listed.contains("dropped"), "what is being made is noted: {listed}");
    place.sql(META, &empty.text);
    let said = check(deployment).expect_err("an id would be given out again");
    assert!(said.contains("later_2") && said.contains("set last_table_id"), "{said}");
    for step in [raise, enter] {
        place.sql(META, &step.text);
        assert_eq!(check(deployment), Ok(()));
    }
    let (proxy, mut conn) = start(deployment).await;
    assert_eq!(count(&mut conn, "later").await, ROWS);
    write(&mut conn, "later", 2).await;
    run(&mut conn, &TRIPS.replace("trips", "more")).await;
    assert_eq!(count(&mut conn, "later").await, 2 * ROWS);
    stop((proxy, conn));
}

async fn a_table_of_a_cluster_is_lost(place: &impl Place, deployment: &Arc<Deployment>) {
    let kept = stored(place, A, "later_2");
    place.sql(B, "DROP TABLE later_2;");
    let said = check(deployment).expect_err("a table is missing");
    assert!(said.contains("cluster b lacks later_2"), "{said}");
    // Both clusters are on one server here, in two databases.
    let lines = recipes(MISSING_TABLE, place.engine()).remove(0).text;
    let lines = lines.replace("--host=b.example ", "").replacen("cellgate", A, 1).replacen("cellgate", B, 1);
    place.shell().run(&lines);
    assert_eq!(check(deployment), Ok(()));
    let (proxy, mut conn) = start(deployment).await;
    assert_eq!(count(&mut conn, "later").await, kept);
    write(&mut conn, "later", 3).await;
    assert_eq!(count(&mut conn, "later").await, kept + ROWS);
    stop((proxy, conn));
}

async fn a_copy_becomes_another_deployment(place: &impl Place, deployment: &Arc<Deployment>) {
    let [clusters, meta] = &recipes(COPY, place.engine())[..] else { panic!("clusters, and the meta store") };
    for store in [A, B] {
        place.sql(store, &clusters.text);
        let said = check(deployment).expect_err("a store is another deployment's");
        assert!(said.contains("the deployment id is"), "{said}");
    }
    place.sql(META, &meta.text);
    assert_eq!(check(deployment), Ok(()));
    let (proxy, mut conn) = start(deployment).await;
    let cells = count(&mut conn, "later").await;
    write(&mut conn, "later", 4).await;
    assert_eq!(count(&mut conn, "later").await, cells + ROWS);
    stop((proxy, conn));
}

async fn what_was_erased_is_listed(place: &impl Place, deployment: &Arc<Deployment>) {
    let (proxy, mut conn) = start(deployment).await;
    write(&mut conn, "trips", 9).await;
    run(&mut conn, "DELETE FROM trips WHERE row_key IN ('row1', 'row2') AND column_key = 'BASE' AND ref_key = 9").await;
    stop((proxy, conn));
    let list = recipes(ERASED, place.engine()).remove(0).text;
    let listed = [A, B].map(|store| place.sql(store, &list)).concat();
    let mut names: Vec<Vec<&str>> = listed.lines().map(|row| row.split(['\t', '|']).collect()).collect();
    names.sort_unstable();
    // The bytes of row1, row2 and BASE.
    assert_eq!(names, [["726F7731", "42415345", "9"], ["726F7732", "42415345", "9"]]);
}
