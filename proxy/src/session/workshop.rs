//! Long texts, and expressions over much data, beside the threads that serve clients.
//!
//! A statement of megabytes, a page of cells with large bodies, a sort, a LIKE over megabytes: such work would keep a
//! thread of the runtime from all other clients. It is done on a thread of its own, few at a time, and ends when nobody
//! waits for it.

use std::time::{Duration, Instant};

use super::error::StatementError;
use crate::handing_over::handing_over;
use crate::shares::{Room, Share};
use crate::until::Until;
use bytes::Bytes;
use cellgate_schemaless::Cell;
use cellgate_sql::{Row, Shaping, SqlMode, Statement};

/// Most work that is done where the statement runs, in bytes that expressions look at: below a millisecond.
pub(super) const AT_ONCE: usize = 128 << 10;

/// Longest text that is parsed where the statement runs, in bytes: about a millisecond.
pub(super) const SHORT_TEXT: usize = 32 << 10;

/// Longest text with the values of its parameters that is bound where the statement runs, in bytes: values are looked over
/// quickly, and what else takes its time is ended by [`SHORT_WORK`].
pub(super) const SHORT_VALUES: usize = 1 << 20;

/// Longest work on a short text where the statement runs: what takes longer is done anew aside.
pub(super) const SHORT_WORK: Duration = Duration::from_millis(5);

/// Where much work is done. Each kind has a room of its own: a page of rows may take its place until the statement's time is
/// over, which the texts of others are not to wait for.
#[derive(Debug)]
pub struct Workshop {
    rows: Room,
    texts: Room,
    bindings: Room,
}

/// The places of one account there.
#[derive(Clone, Debug)]
pub struct Desk {
    rows: Share,
    texts: Share,
    bindings: Share,
}

impl Default for Workshop {
    /// As many of each kind at a time as the machine has processors, for one account; half as many more for others beside it.
    fn default() -> Self {
        Self::with_room(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

impl Workshop {
    /// So many of each kind at a time.
    fn with_room(places: usize) -> Self {
        let room = || Room::new(places + places.div_ceil(2), places);
        Self { rows: room(), texts: room(), bindings: room() }
    }

    /// The places of an account.
    pub fn of(&self, account: &str) -> Desk {
        Desk { rows: self.rows.of(account), texts: self.texts.of(account), bindings: self.bindings.of(account) }
    }
}

impl Desk {
    /// The rows of a page of cells, with the shaping to go on with.
    ///
    /// # Errors
    /// Those of [`Shaping::push`], and a deadline that has passed.
    pub(super) async fn page(
        &self,
        shaping: Shaping,
        page: Vec<Cell>,
        deadline: Instant,
    ) -> Result<(Shaping, Vec<Row>), StatementError> {
        run(&self.rows, deadline, move |until| push_all(shaping, page, &until)).await
    }

    /// The rows left.
    ///
    /// # Errors
    /// Those of [`Shaping::finish`], and a deadline that has passed.
    pub(super) async fn rest(&self, shaping: Shaping, deadline: Instant) -> Result<Vec<Row>, StatementError> {
        run(&self.rows, deadline, move |until| {
            let mut shaping = shaping;
            shaping.give_up_when(move || until.is_over());
            Ok(shaping.finish()?)
        })
        .await
    }

    /// The statements of a long text.
    ///
    /// # Errors
    /// Those of `read`, and a deadline that has passed.
    pub(super) async fn parse(
        &self,
        text: Bytes,
        mode: SqlMode,
        read: fn(&[u8], SqlMode) -> Result<Vec<Statement>, StatementError>,
        deadline: Instant,
    ) -> Result<Vec<Statement>, StatementError> {
        run(&self.texts, deadline, move |_| read(&text, mode)).await
    }

    /// Binds a statement, which takes long: see [`aside`].
    ///
    /// # Errors
    /// Those of `work`, and a deadline that has passed before it could begin.
    pub(super) async fn bind<T>(
        &self,
        deadline: Instant,
        work: impl FnOnce() -> Result<T, StatementError>,
    ) -> Result<T, StatementError> {
        aside(&self.bindings, deadline, work).await
    }

    /// Chooses among rows that are there, which takes long: see [`aside`].
    ///
    /// # Errors
    /// Those of `work`, and a deadline that has passed before it could begin.
    pub(super) async fn choose<T>(
        &self,
        deadline: Instant,
        work: impl FnOnce() -> Result<T, StatementError>,
    ) -> Result<T, StatementError> {
        aside(&self.rows, deadline, work).await
    }
}

/// Does long work that borrows from the session, which has to notice by itself when it is over: on this thread, which hands
/// over to another one what it does for the other clients.
async fn aside<T>(
    room: &Share,
    deadline: Instant,
    work: impl FnOnce() -> Result<T, StatementError>,
) -> Result<T, StatementError> {
    let Some(_place) = room.take(deadline).await else {
        return Err(StatementError::Timeout { detail: "" });
    };
    handing_over(work)
}

async fn run<T: Send + 'static>(
    room: &Share,
    deadline: Instant,
    work: impl FnOnce(Until) -> Result<T, StatementError> + Send + 'static,
) -> Result<T, StatementError> {
    let late = StatementError::Timeout { detail: "" };
    let Some(place) = room.take(deadline).await else {
        return Err(late);
    };
    let (until, _waiting) = Until::new(deadline);
    // Work that nobody waits for any more takes its place until it has noticed: the room bounds threads, not callers.
    let placed = move || {
        let _place = place;
        work(until)
    };
    match tokio::time::timeout_at(deadline.into(), tokio::task::spawn_blocking(placed)).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(cellgate_sql::SqlError::Internal("an expression panicked".into()).into()),
        Err(_) => Err(late),
    }
}

fn push_all(mut shaping: Shaping, page: Vec<Cell>, until: &Until) -> Result<(Shaping, Vec<Row>), StatementError> {
    let mut rows = Vec::new();
    let sorting = until.clone();
    shaping.give_up_when(move || sorting.is_over());
    for cell in page {
        if shaping.is_full() {
            break;
        }
        if until.is_over() {
            return Err(StatementError::Timeout { detail: "" });
        }
        shaping.push(&cell, &mut rows)?;
    }
    // What comes next may be done elsewhere, when nobody waits for this page any more.
    shaping.never_give_up();
    Ok((shaping, rows))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use cellgate_sql::SqlError;
    use tokio::sync::oneshot;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// Takes a place in a room with work that is not over before something is sent, or nobody is left who could. Whoever
    /// asked for it does not wait any more; what the work says in the end is whether it could notice.
    async fn taken(room: &Share) -> (mpsc::Sender<()>, oneshot::Receiver<bool>) {
        let (begun, has_begun) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let (noticed, has_noticed) = oneshot::channel();
        let work = run(room, later(), move |until| {
            begun.send(()).unwrap();
            let _ = released.recv();
            noticed.send(until.is_over()).unwrap();
            Ok(())
        });
        tokio::select! {
            done = work => panic!("nobody has released it: {done:?}"),
            begun = has_begun => begun.unwrap(),
        }
        (release, has_noticed)
    }

    fn is_late<T>(done: Result<T, StatementError>) -> bool {
        matches!(done, Err(StatementError::Timeout { .. }))
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_its_place_until_it_ends_and_can_notice() {
        let workshop = Workshop::with_room(1).of("app");
        let (release, noticed) = taken(&workshop.texts).await;
        assert!(is_late(run(&workshop.texts, soon(), |_| Ok(())).await), "there is no room for it");
        release.send(()).unwrap();
        assert!(noticed.await.unwrap());
        assert_eq!(run(&workshop.texts, later(), |_| Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn each_kind_of_work_has_a_room_of_its_own() {
        let workshop = Workshop::with_room(1).of("app");
        let _texts = taken(&workshop.texts).await;
        let read: fn(&[u8], SqlMode) -> _ = |_, _| Ok(Vec::new());
        assert!(is_late(workshop.parse(Bytes::new(), SqlMode::default(), read, soon()).await));
        assert_eq!(workshop.bind(later(), || Ok(1)).await.unwrap(), 1);
        assert_eq!(workshop.choose(later(), || Ok(2)).await.unwrap(), 2);
        let _rows = taken(&workshop.rows).await;
        assert!(is_late(workshop.choose(soon(), || Ok(3)).await));
        assert_eq!(workshop.bind(later(), || Ok(4)).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn an_account_that_has_much_to_do_leaves_room_for_others() {
        let workshop = Workshop::with_room(1);
        let (app, other) = (workshop.of("app"), workshop.of("other"));
        let _taken = taken(&app.bindings).await;
        assert!(is_late(app.bind(soon(), || Ok(1)).await));
        assert_eq!(other.bind(later(), || Ok(2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn work_ends_with_its_time_for_who_waits_and_keeps_its_place_all_the_same() {
        let workshop = Workshop::with_room(1).of("app");
        let (release, released) = mpsc::channel::<()>();
        let work = run(&workshop.rows, soon(), move |until| {
            let _ = released.recv();
            Ok(until.is_over())
        });
        assert!(is_late(work.await));
        assert!(is_late(run(&workshop.rows, soon(), |_| Ok(())).await), "it is still at work");
        drop(release);
        run(&workshop.rows, later(), |_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_statement_and_its_place_is_free_again() {
        let workshop = Workshop::with_room(1).of("app");
        let done = run::<()>(&workshop.rows, later(), |_| panic!("for the test")).await;
        assert!(matches!(done, Err(StatementError::Sql(SqlError::Internal(_)))), "{done:?}");
        run(&workshop.rows, later(), |_| Ok(())).await.unwrap();
    }
}
