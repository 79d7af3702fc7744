//! What sessions of this proxy hand on to each other, so that other proxies get it, too.
//!
//! Somebody who lets go of a lock, and the next who waits for it here, are written in one turn: the document does not show
//! that it was free, and another proxy, which looks every `ASK_AGAIN`, would not get it as long as somebody waits here. So
//! what has been handed on for a while is left to others for a moment.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::ASK_AGAIN;
use super::table::{Key, LockTable};

/// How long a lock is handed on before other proxies get a chance.
const HANDED_ON: Duration = Duration::from_secs(1);
/// How long they have: every one of them looks once, and once more.
const CHANCE: Duration = ASK_AGAIN.saturating_mul(2);

/// The locks that this proxy's sessions hand on to each other.
#[derive(Debug, Default)]
pub(super) struct Handing(HashMap<Key, Stage>);

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Without a pause since then.
    HandedOnSince(Instant),
    /// Nobody here is given it before that.
    LeftUntil(Instant),
}

impl Handing {
    /// Before locks are given: what the document says, as it was read.
    pub fn look(&mut self, document: &LockTable, proxy: &str, now: Instant) {
        self.0.retain(|key, stage| {
            let holder = document.holder(key).map(|owner| owner.proxy == proxy);
            match (*stage, holder) {
                (Stage::HandedOnSince(since), Some(true)) => {
                    if now >= since + HANDED_ON {
                        *stage = Stage::LeftUntil(now + CHANCE);
                    }
                    true
                }
                // Its turn has come to be let go of, or it is free and others look.
                (Stage::LeftUntil(until), Some(true) | None) => now < until,
                (Stage::HandedOnSince(_), _) | (Stage::LeftUntil(_), Some(false)) => false,
            }
        });
    }

    /// Whether it is left to other proxies now.
    pub fn leaves(&self, key: &Key) -> bool {
        matches!(self.0.get(key), Some(Stage::LeftUntil(_)))
    }

    /// A session is given it; `document` says who has it until now.
    pub fn given(&mut self, key: &Key, document: &LockTable, proxy: &str, now: Instant) {
        if document.holder(key).is_some_and(|owner| owner.proxy == proxy) {
            self.0.entry(key.clone()).or_insert(Stage::HandedOnSince(now));
        }
    }
}
