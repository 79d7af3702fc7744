//! Who runs the statements of a queue.
//!
//! A lane is the right to have one statement under way. Who arrives while one is free runs its own request, without
//! any task or channel; when it is done and others have come meanwhile, the lane goes on in a task of its own, batch
//! after batch, until nothing waits. There is no timer that holds a batch back.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use super::asked::{Asked, Reply, Waiting};
use super::kinds::Kind;
use super::queue::{Arrival, Batch, Bounds, Entry, Look, Queue};
use crate::backend::Backend;
use crate::error::{Reason, StoreError};
use crate::sync::lock;
use cellgate_metrics::QueueMetrics;

/// Requests of a failed batch that fail one after the other, each by itself, until the cause is taken to be that of all. One that
/// is too large does not count: that is its own.
pub(super) const IN_VAIN: usize = 8;

/// The queue of one kind, and what its lanes need.
pub(super) struct Lanes<K: Kind> {
    backend: Arc<dyn Backend>,
    queue: Mutex<Queue<K>>,
    /// Longest a request may wait for its statement to be sent, counted from its arrival.
    patience: Duration,
    metrics: QueueMetrics,
}

/// A lane in use. However it ends, its items are not under way after that, and those that wait get the lane.
struct Lane<K: Kind> {
    lanes: Arc<Lanes<K>>,
    /// Items of the statement under way.
    size: usize,
    began: Instant,
    /// Whether the lane has been given up.
    given_up: bool,
    /// Whether it is to go on in a task that has not begun. A task that is dropped so is one of a runtime that ends.
    spawned: bool,
}

/// How requests of a statement are run by themselves.
struct Again {
    /// How many at the same time.
    at_once: usize,
    /// Until when one may begin.
    until: Instant,
    /// Whether the statement left their answers out, and went well: what fails now of no single one fails for all.
    left_out: bool,
}

impl<K: Kind> Lanes<K> {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        bounds: Bounds,
        patience: Duration,
        metrics: QueueMetrics,
    ) -> Arc<Self> {
        Arc::new(Self { backend, queue: Mutex::new(Queue::new(bounds)), patience, metrics })
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// Whether a statement began not longer than `time` before `now`.
    pub(super) fn ran_within(&self, time: Duration, now: Instant) -> bool {
        self.lock().began().is_some_and(|began| now.saturating_duration_since(began) <= time)
    }

    /// What the fastest of the recent statements took; zero before the first is over.
    pub(super) fn fastest(&self) -> Duration {
        self.lock().fastest()
    }

    /// Whether the store is far away.
    pub(super) fn set_far(&self, far: bool) {
        self.lock().set_far(far);
    }

    /// Notes in the metrics how many items wait and how many statements are under way.
    pub(super) fn observe(&self) {
        let queue = self.lock();
        self.metrics.state(queue.waiting(), queue.lanes());
    }

    /// Items that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    /// Items of the statements under way.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.lock().under_way()
    }

    /// Runs a request, alone or in one statement with others: one answer per item, in order.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once if the queue is full; a timeout if no lane took it in time; what the backend
    /// says otherwise.
    pub(super) async fn submit(
        self: &Arc<Self>,
        scope: &K::Scope,
        items: &[K::Item],
    ) -> Result<Vec<K::Answer>, StoreError> {
        // What must go on to its end runs in a task of its own from the start.
        let bytes = items.iter().map(K::bytes).sum();
        match self.enter(scope, (items.len(), bytes), !K::LASTING, || Asked::several(items.to_vec()))? {
            Some(answer) => answer.await,
            None => {
                self.metrics.batch(items.len());
                let lane = Lane::new(self, items.len());
                let answer = self.attend(None, K::run(self.backend.as_ref(), scope, items)).await;
                drop(lane);
                answer
            }
        }
    }

    /// Queues a request of one item; it goes on to its end though nobody should wait for it.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] if the queue is full.
    pub(super) fn join(self: &Arc<Self>, scope: &K::Scope, item: K::Item) -> Result<Waiting<K::Answer>, StoreError> {
        let bytes = K::bytes(&item);
        self.enter(scope, (1, bytes), false, || Asked::one(item))?.ok_or_else(K::ended)
    }

    /// Queues a request of so many items and bytes, with a new lane if one is free; `None` if it may run by itself, has a
    /// lane and is not queued.
    fn enter<T>(
        self: &Arc<Self>,
        scope: &K::Scope,
        (size, bytes): (usize, usize),
        may_run: bool,
        asked: impl FnOnce() -> (Asked<K>, Waiting<T>),
    ) -> Result<Option<Waiting<T>>, StoreError> {
        let now = Instant::now();
        let mut queue = self.lock();
        let arrival = queue.arrive(size, bytes, may_run, now);
        match arrival {
            Arrival::Runs => Ok(None),
            Arrival::Full => {
                let (waiting, bytes) = (queue.waiting(), queue.waiting_bytes());
                drop(queue);
                self.metrics.refused();
                Err(StoreError::Overloaded { waiting, bytes })
            }
            Arrival::Waits | Arrival::WaitsForNewLane => {
                let (asked, answer) = asked();
                queue.push(Entry { scope: scope.clone(), asked, arrived: now });
                let new_lane = matches!(arrival, Arrival::WaitsForNewLane);
                let watch = !new_lane && queue.wants_watch();
                drop(queue);
                if new_lane {
                    self.spawn();
                }
                if watch {
                    self.spawn_watch();
                }
                Ok(Some(answer))
            }
        }
    }

    /// Takes a lane that has been counted already on in a task.
    fn spawn(self: &Arc<Self>) {
        tokio::spawn(Lane::to_spawn(self).drain());
    }

    fn spawn_watch(self: &Arc<Self>) {
        tokio::spawn(Arc::clone(self).watch());
    }

    /// Looks after those who wait, until nobody does: a statement that hangs keeps them from nothing but its lane.
    async fn watch(self: Arc<Self>) {
        loop {
            let look = self.lock().look(Instant::now());
            let again = match look {
                Look::Nobody => return,
                Look::Again(again) => again,
                Look::NewLane(again) => {
                    self.spawn();
                    again
                }
            };
            tokio::time::sleep_until(again.into()).await;
        }
    }

    /// Waits for a statement. Meanwhile those whose patience ends are told so; `oldest` is when the first of them came.
    async fn attend<T>(&self, oldest: Option<Instant>, statement: impl Future<Output = T>) -> T {
        let mut statement = pin!(statement);
        let mut until = oldest.unwrap_or_else(Instant::now) + self.patience;
        loop {
            match tokio::time::timeout_at(until.into(), &mut statement).await {
                Ok(answer) => return answer,
                Err(_) => until = self.expire(),
            }
        }
    }

    /// Answers those who have waited too long; says when the next one will have.
    fn expire(&self) -> Instant {
        let now = Instant::now();
        let (expired, oldest) = {
            let mut queue = self.lock();
            (self.expired(&mut queue, now), queue.oldest())
        };
        self.refuse(expired, now);
        oldest.unwrap_or(now) + self.patience
    }

    /// Those who have waited too long by `now`, who wait no more.
    fn expired(&self, queue: &mut Queue<K>, now: Instant) -> Vec<Entry<K>> {
        now.checked_sub(self.patience).map(|limit| queue.expire(limit)).unwrap_or_default()
    }

    fn refuse(&self, expired: Vec<Entry<K>>, now: Instant) {
        for entry in expired {
            self.metrics.waited(now - entry.arrived);
            entry.asked.fail(self.late());
        }
    }

    /// What is said to who has waited too long.
    fn late(&self) -> StoreError {
        let detail = format!("no statement could be sent within {:?}", self.patience);
        StoreError::Timeout { reason: Reason::Queue, detail }
    }

    /// Runs a batch and answers everybody in it.
    async fn serve(&self, batch: Batch<K>, now: Instant, oldest: Option<Instant>) {
        let Batch { scope, entries, size } = batch;
        let mut replies = Vec::with_capacity(entries.len());
        let mut items = Vec::with_capacity(size);
        for entry in entries {
            self.metrics.waited(now.saturating_duration_since(entry.arrived));
            replies.push(entry.asked.join(&mut items));
        }
        self.metrics.batch(size);
        let shared = replies.len() > 1;
        let backend = self.backend.as_ref();
        let answers = match shared {
            true => self.attend(oldest, K::run_shared(backend, &scope, &items)).await,
            false => self.attend(oldest, K::run(backend, &scope, &items)).await,
        };
        // Those to be run each by itself, and how.
        let now = Instant::now();
        let (items, replies, again) = match answers {
            Ok(answers) => {
                let (items, replies) = Self::answer(&scope, items, replies, answers);
                // Each may be of megabytes, and nothing is wrong with the others if one takes long.
                (items, replies, Again { at_once: 1, until: now + 2 * self.patience, left_out: true })
            }
            Err(error) if shared && error.may_be_of_one() => {
                // Nobody waits for that longer than for a statement to be sent.
                (items, replies, Again { at_once: K::AGAIN_AT_ONCE, until: now + self.patience, left_out: false })
            }
            Err(error) => return replies.into_iter().for_each(|reply| reply.fail(error.clone())),
        };
        if !replies.is_empty() {
            // Others have come since, and have waited for the first statement.
            let oldest = self.lock().oldest();
            self.attend(oldest, self.one_by_one(&scope, &items, replies, again)).await;
        }
    }

    /// Answers the requests of a statement; those are left of which an answer was left out, with their items.
    fn answer(
        scope: &K::Scope,
        items: Vec<K::Item>,
        replies: Vec<Reply<K>>,
        answers: Vec<K::Answer>,
    ) -> (Vec<K::Item>, Vec<Reply<K>>) {
        let (mut items, mut answers) = (items.into_iter(), answers.into_iter());
        let (mut items_left, mut replies_left) = (Vec::new(), Vec::new());
        for reply in replies {
            let count = reply.count();
            let own = items.by_ref().take(count);
            if answers.as_slice().iter().take(count).any(|answer| K::is_left_out(scope, answer)) {
                items_left.extend(own);
                answers.by_ref().take(count).for_each(drop);
                replies_left.push(reply);
            } else {
                own.for_each(drop);
                reply.send(&mut answers);
            }
        }
        (items_left, replies_left)
    }

    /// Runs requests of a batch each by itself: behind an error that one of them may be the cause of, or because the statement
    /// left their answers out.
    async fn one_by_one(&self, scope: &K::Scope, items: &[K::Item], replies: Vec<Reply<K>>, again: Again) {
        let Again { at_once, until, left_out } = again;
        // How many have failed in a row, and the last of their errors.
        let in_vain = &Mutex::new((0, None::<StoreError>));
        let mut from = 0;
        let each = replies.into_iter().map(|reply| {
            let own = &items[from..from + reply.count()];
            from += own.len();
            async move {
                if reply.is_abandoned() && !K::LASTING {
                    return;
                }
                // Not the error of the batch, which may be one member's own.
                let cause = match &*lock(in_vain) {
                    (IN_VAIN.., error) => error.clone(),
                    _ => None,
                };
                if let Some(error) = cause {
                    return reply.fail(error.not_begun());
                }
                if Instant::now() > until {
                    return reply.fail(self.late());
                }
                match K::run(self.backend.as_ref(), scope, own).await {
                    Ok(answers) => {
                        *lock(in_vain) = (0, None);
                        reply.send(&mut answers.into_iter());
                    }
                    Err(error) => {
                        if !error.is_of_size() {
                            let mut in_vain = lock(in_vain);
                            let of_all = left_out && !error.may_be_of_one();
                            *in_vain = (if of_all { IN_VAIN } else { in_vain.0 + 1 }, Some(error.clone()));
                        }
                        reply.fail(error);
                    }
                }
            }
        });
        stream::iter(each).for_each_concurrent(at_once, |one| one).await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue<K>> {
        lock(&self.queue)
    }
}

impl<K: Kind> Lane<K> {
    /// A lane with a statement of so many items.
    fn new(lanes: &Arc<Lanes<K>>, size: usize) -> Self {
        Self { lanes: Arc::clone(lanes), size, began: Instant::now(), given_up: false, spawned: false }
    }

    /// A lane for a task.
    fn to_spawn(lanes: &Arc<Lanes<K>>) -> Self {
        Self { lanes: Arc::clone(lanes), size: 0, began: Instant::now(), given_up: false, spawned: true }
    }

    /// Serves batches until nothing waits.
    async fn drain(mut self) {
        self.spawned = false;
        self.gather().await;
        while let Some((batch, oldest)) = self.next() {
            self.lanes.serve(batch, self.began, oldest).await;
            let size = std::mem::take(&mut self.size);
            self.lanes.lock().over(size, self.began.elapsed());
            self.gather().await;
        }
    }

    /// Lets those run who are ready to ask, the ones just answered among them, as long as that makes the batch larger.
    async fn gather(&self) {
        let mut before = None;
        loop {
            let (waiting, grows) = {
                let queue = self.lanes.lock();
                (queue.waiting(), queue.grows())
            };
            if !grows || before == Some(waiting) {
                return;
            }
            before = Some(waiting);
            tokio::task::yield_now().await;
        }
    }

    /// The next batch, and when the first of those came that are left; or the lane is given up.
    fn next(&mut self) -> Option<(Batch<K>, Option<Instant>)> {
        let mut queue = self.lanes.lock();
        self.began = Instant::now();
        let expired = self.lanes.expired(&mut queue, self.began);
        let batch = queue.next(self.began);
        self.given_up = batch.is_none();
        self.size = batch.as_ref().map_or(0, |batch| batch.size);
        let oldest = queue.oldest();
        let watch = queue.waiting() > 0 && queue.wants_watch();
        drop(queue);
        if watch {
            self.lanes.spawn_watch();
        }
        self.lanes.refuse(expired, self.began);
        batch.map(|batch| (batch, oldest))
    }
}

impl<K: Kind> Drop for Lane<K> {
    fn drop(&mut self) {
        if self.given_up {
            return;
        }
        // Whoever waits is served by a task; without a runtime nobody waits.
        let runtime = tokio::runtime::Handle::try_current();
        let mut queue = self.lanes.lock();
        if self.size > 0 {
            queue.over(self.size, self.began.elapsed());
        }
        match (queue.waiting() > 0 && !self.spawned, runtime) {
            (true, Ok(runtime)) => {
                drop(queue);
                runtime.spawn(Lane::to_spawn(&self.lanes).drain());
            }
            (true, Err(_)) | (false, _) => queue.give_up(),
        }
    }
}
