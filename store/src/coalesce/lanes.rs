//! Who runs the statements of a queue.
//!
//! A lane is the right to have one statement under way. Who arrives while one is free runs its own request, without
//! any task or channel; when it is done and others have come meanwhile, the lane goes on in a task of its own, batch
//! after batch, until nothing waits. There is no timer that holds a batch back.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cellgate_metrics::QueueMetrics;
use tokio::sync::oneshot;

use super::kinds::Kind;
use super::queue::{Arrival, Batch, Bounds, Entry, Queue};
use crate::backend::Backend;
use crate::error::{Reason, StoreError};

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

    /// Items that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting()
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
        let waiting = {
            let mut queue = self.lock();
            // What must go on to its end runs in a task of its own from the start.
            let arrival = queue.arrive(items.len(), !K::LASTING);
            match arrival {
                Arrival::Runs => None,
                Arrival::Full => {
                    let waiting = queue.waiting();
                    drop(queue);
                    self.metrics.refused();
                    return Err(StoreError::Overloaded { waiting });
                }
                Arrival::Waits | Arrival::WaitsForNewLane => {
                    let (reply, answer) = oneshot::channel();
                    let (scope, items) = (scope.clone(), items.to_vec());
                    queue.push(Entry { scope, items, arrived: Instant::now(), reply });
                    let (waiting, lanes) = (queue.waiting(), queue.lanes());
                    drop(queue);
                    self.metrics.state(waiting, lanes);
                    if matches!(arrival, Arrival::WaitsForNewLane) {
                        self.spawn();
                    }
                    Some(answer)
                }
            }
        };
        match waiting {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(K::ended())),
            None => {
                self.metrics.batch(items.len());
                let lane = Lane::new(self, items.len());
                let answer = self.attend(K::run(self.backend.as_ref(), scope, items)).await;
                drop(lane);
                answer
            }
        }
    }

    /// Takes a lane that has been counted already on in a task.
    fn spawn(self: &Arc<Self>) {
        let lane = Lane::new(self, 0);
        tokio::spawn(lane.drain());
    }

    /// Waits for a statement. Meanwhile those whose patience ends are told so.
    async fn attend<T>(&self, statement: impl Future<Output = T>) -> T {
        let mut statement = pin!(statement);
        let mut until = Instant::now() + self.patience;
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
            let limit = now.checked_sub(self.patience);
            let expired = limit.map(|limit| queue.expire(limit)).unwrap_or_default();
            (expired, queue.oldest())
        };
        for entry in expired {
            self.metrics.waited(now - entry.arrived);
            let detail = format!("no statement could be sent within {:?}", self.patience);
            let _ = entry.reply.send(Err(StoreError::Timeout { reason: Reason::Queue, detail }));
        }
        oldest.unwrap_or(now) + self.patience
    }

    /// Runs a batch and answers everybody in it.
    async fn serve(&self, batch: Batch<K>) {
        let now = Instant::now();
        let Batch { scope, entries, size } = batch;
        let mut replies = Vec::with_capacity(entries.len());
        let mut items = Vec::with_capacity(size);
        for mut entry in entries {
            self.metrics.waited(now.saturating_duration_since(entry.arrived));
            replies.push((entry.reply, entry.items.len()));
            items.append(&mut entry.items);
        }
        self.metrics.batch(size);
        let answers = self.attend(K::run(self.backend.as_ref(), &scope, &items)).await;
        match answers {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for (reply, count) in replies {
                    let own: Vec<K::Answer> = answers.by_ref().take(count).collect();
                    let own = if own.len() == count { Ok(own) } else { Err(K::ended()) };
                    // Whoever asked may be gone.
                    let _ = reply.send(own);
                }
            }
            Err(error) if replies.len() > 1 && is_about_one(&error) => {
                let mut from = 0;
                for (reply, count) in replies {
                    let own = K::run(self.backend.as_ref(), &scope, &items[from..from + count]);
                    let _ = reply.send(self.attend(own).await);
                    from += count;
                }
            }
            Err(error) => {
                for (reply, _) in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<K>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Lane<K> {
    fn new(lanes: &Arc<Lanes<K>>, size: usize) -> Self {
        Self { lanes: Arc::clone(lanes), size, began: Instant::now(), given_up: false }
    }

    /// Serves batches until nothing waits.
    async fn drain(mut self) {
        while let Some(batch) = self.next() {
            self.size = batch.size;
            self.began = Instant::now();
            self.lanes.serve(batch).await;
            if self.size > 1 {
                // Those just answered are ready to run: let them ask their next question before the next batch goes.
                let lanes = Arc::clone(&self.lanes);
                lanes.lock().over(std::mem::take(&mut self.size), self.began.elapsed());
                tokio::task::yield_now().await;
            }
        }
    }

    /// What is under way is over; the next batch, or the lane is given up.
    fn next(&mut self) -> Option<Batch<K>> {
        let mut queue = self.lanes.lock();
        if self.size > 0 {
            queue.over(std::mem::take(&mut self.size), self.began.elapsed());
        }
        let batch = queue.next();
        self.given_up = batch.is_none();
        let (waiting, lanes) = (queue.waiting(), queue.lanes());
        drop(queue);
        self.lanes.metrics.state(waiting, lanes);
        batch
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
        match (queue.waiting() > 0, runtime) {
            (true, Ok(runtime)) => {
                drop(queue);
                let lanes = &self.lanes;
                runtime.spawn(Lane::new(lanes, 0).drain());
            }
            (true, Err(_)) | (false, _) => queue.give_up(),
        }
    }
}

/// Whether one request of a batch can be the cause of its error, so that the others may succeed alone. What is true of
/// the server, of the table or of all that were in the statement is not tried once per request.
fn is_about_one(error: &StoreError) -> bool {
    match error {
        StoreError::TooLarge { .. }
        | StoreError::AnswerTooLarge { .. }
        | StoreError::Refused { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Failed { .. } => true,
        StoreError::Unavailable { .. }
        | StoreError::MaybeWritten { .. }
        | StoreError::Timeout { .. }
        | StoreError::Overloaded { .. }
        | StoreError::StaleEpoch { .. }
        | StoreError::NoTable { .. }
        | StoreError::DiskFull { .. } => false,
    }
}
