//! What sessions of this proxy hand on to each other, so that other proxies get it, too.
//!
//! Somebody who lets go of a lock, and the next who waits for it here, are written in one turn: the document does not show
//! that it was free, and another proxy, which looks every `ASK_AGAIN`, would not get it as long as somebody waits here. So
//! what has been handed on for a while is left to others for a moment, once it is free. Who does not wait is not held up.
//!
//! It is about locks that exclude others, each by its own name: not about `READ`, nor one table among all of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::ASK_AGAIN;
use super::table::{Key, LockTable, Mode, Owner};

/// How long a lock is handed on before other proxies get a chance.
const HANDED_ON: Duration = Duration::from_secs(1);
/// How long they have: every one of them looks once, and once more.
const CHANCE: Duration = ASK_AGAIN.saturating_mul(2);
/// Who waits no longer than this is not held up: it would have nothing of a lock that is free.
const PATIENCE: Duration = CHANCE.saturating_add(ASK_AGAIN.saturating_mul(2));

/// The locks that this proxy's sessions hand on to each other.
#[derive(Debug, Default)]
pub(super) struct Handing(HashMap<Key, Stage>);

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The document has not shown it free since then.
    HandedOnSince(Instant),
    /// It is not handed on once more.
    Due,
    /// It is free, and nobody here who waits is given it before that.
    LeftUntil(Instant),
}

impl Handing {
    /// Before locks are given: what the document says, as it was read.
    pub fn look(&mut self, document: &LockTable, proxy: &str, now: Instant) {
        self.0.retain(|key, stage| {
            // Whether a session of this proxy holds it; `None` if it is free.
            let ours = document.holder(key).map(|owner| owner.proxy == proxy);
            let next = match (*stage, ours) {
                (Stage::HandedOnSince(since), Some(true)) if now < since + HANDED_ON => Some(*stage),
                (Stage::HandedOnSince(_) | Stage::Due, Some(true)) => Some(Stage::Due),
                (Stage::Due, None) => Some(Stage::LeftUntil(now + CHANCE)),
                (Stage::LeftUntil(until), None) if now < until => Some(*stage),
                (Stage::HandedOnSince(_) | Stage::Due | Stage::LeftUntil(_), _) => None,
            };
            if let Some(next) = next {
                *stage = next;
            }
            next.is_some()
        });
    }

    /// Whether it is left to other proxies now, if a session waits for it in this mode until then.
    pub fn leaves(&self, key: &Key, mode: Mode, until: Instant, now: Instant) -> bool {
        mode == Mode::Write
            && until > now + PATIENCE
            && matches!(self.0.get(key), Some(Stage::Due | Stage::LeftUntil(_)))
    }

    /// A session is given it; `document` says who has it until now.
    pub fn given(&mut self, owner: &Owner, key: &Key, mode: Mode, document: &LockTable, now: Instant) {
        let hands_on = |holder: &Owner| holder != owner && holder.proxy == owner.proxy;
        if mode == Mode::Write && document.holder(key).is_some_and(hands_on) {
            self.0.entry(key.clone()).or_insert(Stage::HandedOnSince(now));
        }
    }
}
