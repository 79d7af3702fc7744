//! Callers that stop waiting: what they gave up is timed as what was answered is, and they learn whom they waited for.

use std::pin::pin;
use std::sync::Arc;

use cellgate_store::executor::GivenUp;
use futures_util::FutureExt;

use crate::fixture::{Fixture, cluster, metrics, row_in, table, triple};

#[tokio::test]
async fn a_read_that_nobody_waits_for_any_more_is_timed_and_names_its_clusters() {
    let fixture = Fixture::memory().await;
    let (metrics, given_up) = (metrics(), Arc::<GivenUp>::default());
    let proxy = fixture.proxy_with_metrics(&metrics).for_caller(Arc::clone(&given_up));
    let gets = |name: &str| {
        let sample = format!("cellgate_cluster_operation_seconds_count{{cluster=\"{name}\",operation=\"get\"}} ");
        let text = metrics.render().unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix(&sample)).expect("the series");
        count.parse::<u32>().unwrap()
    };
    let table = table();
    let keys: Vec<_> = (1..=3).map(|number| triple(&row_in(number, 0), 1)).collect();

    fixture.backend(1).hold_gets(2);
    fixture.backend(3).hold_gets(1);
    {
        let mut read = pin!(proxy.cell(&table, &keys[0]));
        assert!(read.as_mut().now_or_never().is_none(), "it waits");
        assert_eq!((gets("c1"), given_up.goes_on()), (0, true));
    }
    assert_eq!(gets("c1"), 1);
    assert_eq!(given_up.ran_out().into_iter().collect::<Vec<_>>(), [cluster(1)]);

    assert!(proxy.get(&table, keys.clone()).now_or_never().is_none(), "two of three wait");
    assert_eq!([gets("c1"), gets("c2"), gets("c3")], [2, 1, 1]);
    assert_eq!(given_up.ran_out().into_iter().collect::<Vec<_>>(), [cluster(1), cluster(3)]);

    // What is answered is given up by nobody, and is timed once.
    assert!(proxy.cell(&table, &keys[0]).await.unwrap().is_none());
    assert_eq!((gets("c1"), given_up.ran_out().len()), (3, 0));
}
