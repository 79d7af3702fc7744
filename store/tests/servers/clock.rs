//! A server's clock that is behind the times it gave before (C1): ids, times and the order of commits stay one thing.

use cellgate_store::{PutMode, PutOutcome};

use crate::fixture::{EPOCH, Holder, Store};

/// How far the times given are ahead of the clock, in microseconds: an hour.
const AHEAD: i64 = 3_600_000_000;

pub async fn times_go_on_from_the_last_one_though_the_clock_went_back(store: Store) {
    let place = async |version: i64| {
        let group = store.group(PutMode::Explicit, &[("row", version, "1")]);
        match store.backend.put(EPOCH, &[group]).await.unwrap().remove(0) {
            PutOutcome::Stored(places) => places[0],
            other => panic!("{other:?}"),
        }
    };
    let first = place(1).await;
    // The transaction of an administrator whose clock was an hour ahead.
    let holder = Holder::run(&store, &format!("UPDATE cg_head SET at = at + {AHEAD}")).await;
    holder.commit().await;
    let later = [place(2).await, place(3).await, place(4).await];
    let mut last = first.created_at.0 + AHEAD;
    for place in &later {
        assert_eq!(place.created_at.0, last + 1, "one more than the last, whatever the clock says");
        last = place.created_at.0;
    }
    assert!(later.iter().map(|place| place.added_id).is_sorted_by(|a, b| a < b));
    let log = store.log().await;
    assert_eq!(log.len(), 4);
    assert!(log.iter().map(|cell| (cell.added_id, cell.created_at)).is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
}
