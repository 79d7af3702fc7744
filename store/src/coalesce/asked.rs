//! A request that waits, and how it is answered. Most are about one item and need no lists.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::kinds::Kind;
use crate::error::StoreError;

type Sender<T> = oneshot::Sender<Result<T, StoreError>>;

/// What a request asks for, and who waits for it.
pub(super) enum Asked<K: Kind> {
    /// One item.
    One(K::Item, Sender<K::Answer>),
    /// Several, answered together.
    Several(Vec<K::Item>, Sender<Vec<K::Answer>>),
}

/// Who waits for the answers of a statement.
pub(super) enum Reply<K: Kind> {
    /// For one.
    One(Sender<K::Answer>),
    /// For so many.
    Several(Sender<Vec<K::Answer>>, usize),
}

/// The answer to a request about one item, once there is one.
#[must_use = "nobody else takes the answer"]
pub struct Waiting<T> {
    answer: oneshot::Receiver<Result<T, StoreError>>,
    ended: fn() -> StoreError,
}

impl<K: Kind> Asked<K> {
    /// A request about one item.
    pub(super) fn one(item: K::Item) -> (Self, Waiting<K::Answer>) {
        let (reply, answer) = oneshot::channel();
        (Self::One(item, reply), Waiting { answer, ended: K::ended })
    }

    /// A request about several.
    pub(super) fn several(items: Vec<K::Item>) -> (Self, Waiting<Vec<K::Answer>>) {
        let (reply, answer) = oneshot::channel();
        (Self::Several(items, reply), Waiting { answer, ended: K::ended })
    }

    /// How many items it is about.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Several(items, _) => items.len(),
        }
    }

    /// What it takes of the bytes of a statement.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::One(item, _) => K::bytes(item),
            Self::Several(items, _) => items.iter().map(K::bytes).sum(),
        }
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::One(_, reply) => reply.is_closed(),
            Self::Several(_, reply) => reply.is_closed(),
        }
    }

    /// Puts the items into a statement's.
    pub(super) fn join(self, statement: &mut Vec<K::Item>) -> Reply<K> {
        match self {
            Self::One(item, reply) => {
                statement.push(item);
                Reply::One(reply)
            }
            Self::Several(mut items, reply) => {
                let count = items.len();
                statement.append(&mut items);
                Reply::Several(reply, count)
            }
        }
    }

    /// Answers with an error.
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::One(_, reply) => Reply::<K>::One(reply).fail(error),
            Self::Several(items, reply) => Reply::<K>::Several(reply, items.len()).fail(error),
        }
    }
}

impl<K: Kind> Reply<K> {
    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::One(reply) => reply.is_closed(),
            Self::Several(reply, _) => reply.is_closed(),
        }
    }

    /// How many answers are due.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(_, count) => *count,
        }
    }

    /// Answers with the next of these. Whoever asked may be gone.
    pub(super) fn send(self, answers: &mut impl Iterator<Item = K::Answer>) {
        match self {
            Self::One(reply) => drop(reply.send(answers.next().ok_or_else(K::ended))),
            Self::Several(reply, count) => {
                let own: Vec<K::Answer> = answers.take(count).collect();
                drop(reply.send(if own.len() == count { Ok(own) } else { Err(K::ended()) }));
            }
        }
    }

    /// Answers with an error.
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::One(reply) => drop(reply.send(Err(error))),
            Self::Several(reply, _) => drop(reply.send(Err(error))),
        }
    }
}

impl<T> Future for Waiting<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = self.ended;
        Pin::new(&mut self.answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(ended())))
    }
}
