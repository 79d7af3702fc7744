//! Documents that are followed: whether what a look has found is news, even where the meta store went back.
//!
//! Versions only ever ascend, unless the meta store loses commits: a standby took over that lacked some, or an older dump was
//! loaded under running proxies. Then a version that is known may never come again, or come with another body.

use std::time::Instant;

use cellgate_metrics::{Label, MetaDocument};
use xxhash_rust::xxh3::xxh3_64;

/// A state of a document, as far as it is told apart from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// Its version; 0 is no such document.
    pub version: i64,
    /// A hash of its body, the same for every proxy; 0 for no document.
    pub digest: u64,
}

impl Edition {
    /// That of a document.
    pub fn of(version: i64, body: &[u8]) -> Self {
        Self { version, digest: xxh3_64(body) }
    }
}

/// Which state of a document is known, and since when.
#[derive(Debug)]
pub struct Known {
    document: MetaDocument,
    edition: Edition,
    /// When the last look, or change, had ended that brought it; `None` before the first.
    learned: Option<Instant>,
}

impl Known {
    /// Nothing yet of this document.
    pub fn nothing_of(document: MetaDocument) -> Self {
        Self { document, edition: Edition::default(), learned: None }
    }

    /// What is known.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// A look that began then has found this, or a change that began then has stored it: whether that is what is known from now
    /// on. It is if its version is newer. If not, it may have been overtaken by another look; but one that began when
    /// what is known was known already finds that, or the meta store went back, which the log is told.
    pub fn learns(&mut self, edition: Edition, began: Instant) -> bool {
        if !self.would_learn(edition, began) {
            return false;
        }
        if edition.version <= self.edition.version {
            let (document, known, found) = (self.document.label(), self.edition.version, edition.version);
            tracing::error!(
                document,
                known,
                found,
                "the meta store went back: what it holds of this document now is used, and later changes of it are lost"
            );
        }
        self.edition = edition;
        self.learned = Some(Instant::now());
        true
    }

    /// Whether [`Known::learns`] would say so.
    pub fn would_learn(&self, edition: Edition, began: Instant) -> bool {
        let is_behind = || self.learned.is_some_and(|learned| began > learned);
        edition.version > self.edition.version || (edition != self.edition && is_behind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_or_another_is_learned_from_looks_that_began_behind_what_is_known() {
        let mut known = Known::nothing_of(MetaDocument::Catalog);
        let began = Instant::now();
        let later = |known: &Known| {
            while known.learned.is_some_and(|learned| Instant::now() <= learned) {}
            Instant::now()
        };
        let [nine, ten, other] = [(9, "a"), (10, "b"), (10, "c")].map(|(v, body)| Edition::of(v, body.as_bytes()));
        assert!(known.learns(ten, began));
        for overtaken in [nine, other, ten] {
            assert!(!known.learns(overtaken, began));
        }
        assert!(!known.learns(ten, later(&known)), "it is known");
        assert!(known.learns(other, later(&known)));
        assert!(known.learns(nine, later(&known)));
        assert!(!known.learns(nine, later(&known)));
        assert!(known.learns(ten, began), "a newer one, whoever was first");
    }
}
