//! The plan cache: statements that were planned, shared by all sessions.
//!
//! A text that was seen before, perhaps with other literals, needs no parser; a statement of a known shape
//! ([`Template`]) needs no binder either. What is cached is what a text *is*, never what it answers, so that nothing
//! has to be invalidated but the templates, and those carry the version of the catalog they were made under.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use cellgate_sql::{SqlMode, Statement, Template};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder};

use crate::wire::Preamble;

/// Longest text that is kept, in bytes: what is longer is mostly data, and would not come again.
pub const PLAN_TEXT_BYTES: usize = 4096;

/// About how much memory one plan takes beyond its texts and its tree, in bytes: its columns, its place in the cache.
const PLAN_BYTES: u64 = 1024;

/// About how much memory its tree takes for each word, literal or sign of the text, in bytes: a value of a select list has an
/// expression and its text.
const TOKEN_BYTES: u64 = 128;

/// Most that one plan can weigh: each byte of its text a word or sign.
const HEAVIEST: u64 = (2 + TOKEN_BYTES) * PLAN_TEXT_BYTES as u64 + PLAN_BYTES;

/// Plans by text.
#[derive(Debug)]
pub struct Plans {
    plans: Cache<Key, Arc<Plan>, Weight>,
}

/// A statement, with what executing it again can use.
#[derive(Debug)]
pub struct Plan {
    statement: Statement,
    shaped: bool,
    compiled: ArcSwapOption<Compiled>,
}

/// What a statement became under one version of the catalog, in one database.
#[derive(Debug)]
pub struct Compiled {
    catalog: i64,
    database: Option<String>,
    template: Option<Template>,
    preamble: OnceLock<Preamble>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    text: Box<[u8]>,
    mode: SqlMode,
}

/// A [`Key`] that owns nothing.
#[derive(PartialEq, Eq)]
struct Wanted<'a> {
    text: &'a [u8],
    mode: SqlMode,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted { text: &self.text, mode: self.mode }.hash(state);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.mode.hash(state);
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.text == *key.text && self.mode == key.mode
    }
}

#[derive(Clone, Debug)]
struct Weight;

impl quick_cache::Weighter<Key, Arc<Plan>> for Weight {
    fn weight(&self, key: &Key, plan: &Arc<Plan>) -> u64 {
        // The text, and the statement's copy of it.
        2 * key.text.len() as u64 + TOKEN_BYTES * plan.statement.tokens() as u64 + PLAN_BYTES
    }
}

impl Plans {
    /// A cache of about this much memory. One of less than a mebibyte does not keep the longest lists of values.
    pub fn new(bytes: u64) -> Self {
        Self::with_cores(bytes, std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// The same for so many cores.
    fn with_cores(bytes: u64, cores: usize) -> Self {
        let plans = usize::try_from(bytes / (4 * PLAN_BYTES)).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        // What is heavier than its shard would never be kept. The cache takes the next power of two of shards.
        let room = usize::try_from(bytes / (2 * HEAVIEST)).unwrap_or(usize::MAX).max(1);
        let shards = 1 << room.min(4 * cores).ilog2();
        let mut options = OptionsBuilder::new();
        let options = options.estimated_items_capacity(plans).weight_capacity(bytes).shards(shards).build();
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self {
            plans: match options {
                Ok(options) => Cache::with_options(options, Weight, hasher, lifecycle),
                // Nothing that has no default is missing.
                Err(_) => Cache::with_weighter(plans, bytes, Weight),
            },
        }
    }

    /// The plan of a text seen before.
    pub fn get(&self, text: &[u8], mode: SqlMode) -> Option<Arc<Plan>> {
        self.plans.get(&Wanted { text, mode })
    }

    /// Keeps the plan of a text, unless it is too long to be worth it, or holds a password.
    pub fn insert(&self, text: &[u8], mode: SqlMode, plan: &Arc<Plan>) {
        if text.len() <= PLAN_TEXT_BYTES && !plan.statement.holds_password() {
            self.plans.insert(Key { text: text.into(), mode }, Arc::clone(plan));
        }
    }

    /// How many plans there are, and about how many bytes they take.
    pub fn size(&self) -> (usize, u64) {
        (self.plans.len(), self.plans.weight())
    }
}

impl Plan {
    /// The plan of a statement nothing is known of yet.
    pub fn new(statement: Statement) -> Self {
        Self { shaped: Template::may_be_of(&statement), statement, compiled: ArcSwapOption::empty() }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Whether the statement may have a template.
    pub fn is_shaped(&self) -> bool {
        self.shaped
    }

    /// What the statement is under this version of the catalog, in this database, if that is known.
    pub fn compiled(&self, catalog: i64, database: Option<&str>) -> Option<Arc<Compiled>> {
        let known = self.compiled.load();
        let compiled = known.as_ref()?;
        (compiled.catalog == catalog && compiled.database.as_deref() == database).then(|| Arc::clone(compiled))
    }

    /// Keeps what the statement is under this version of the catalog, in this database.
    pub fn compile(&self, catalog: i64, database: Option<&str>, template: Option<Template>) -> Arc<Compiled> {
        let database = database.map(str::to_owned);
        let compiled = Arc::new(Compiled { catalog, database, template, preamble: OnceLock::new() });
        self.compiled.store(Some(Arc::clone(&compiled)));
        compiled
    }
}

impl Compiled {
    /// The statement's template, if it is of a known shape.
    pub fn template(&self) -> Option<&Template> {
        self.template.as_ref()
    }

    /// The column definitions as they are sent to a client whose text has this collation.
    pub fn preamble(&self, collation: u16) -> Cow<'_, Preamble> {
        let columns = self.template.as_ref().map_or(&[][..], Template::columns);
        let preamble = self.preamble.get_or_init(|| Preamble::new(columns, collation));
        if preamble.collation() == collation {
            Cow::Borrowed(preamble)
        } else {
            Cow::Owned(Preamble::new(columns, collation))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Arc<Plan> {
        Arc::new(Plan::new(cellgate_sql::parse(text, SqlMode::default()).unwrap().remove(0)))
    }

    #[test]
    fn a_text_is_found_again_under_its_own_mode() {
        let plans = Plans::new(1 << 20);
        let (one, mode) = (plan("SELECT 1"), SqlMode::default());
        plans.insert(b"SELECT 1", mode, &one);
        assert!(Arc::ptr_eq(&plans.get(b"SELECT 1", mode).unwrap(), &one));
        assert!(plans.get(b"SELECT 2", mode).is_none());
        assert!(plans.get(b"SELECT 1", SqlMode { ansi_quotes: true, ..mode }).is_none());
    }

    #[test]
    fn a_plan_weighs_what_its_tree_does() {
        let (plans, mode) = (Plans::new(16 << 20), SqlMode::default());
        let weight = |text: &str| {
            let before = plans.size().1;
            plans.insert(text.as_bytes(), mode, &plan(text));
            plans.size().1 - before
        };
        let string = weight(&format!("SELECT '{}'", "1".repeat(2_000)));
        let values = weight(&format!("SELECT 1{}", ",1".repeat(1_000)));
        assert!((4_000..8_000).contains(&string) && values > 200_000, "{string} {values}");
    }

    #[test]
    fn the_longest_list_of_values_is_kept_however_many_cores_there_are() {
        let mut insert = "INSERT INTO t VALUES (1,1)".to_owned();
        while insert.len() + ",(1,1)".len() <= PLAN_TEXT_BYTES {
            insert.push_str(",(1,1)");
        }
        let (one, mode) = (plan(&insert), SqlMode::default());
        for (bytes, cores) in [(1 << 20, 1), (2 << 20, 64), (16 << 20, 2), (16 << 20, 32), (16 << 20, 192)] {
            let plans = Plans::with_cores(bytes, cores);
            plans.insert(insert.as_bytes(), mode, &one);
            assert!(plans.get(insert.as_bytes(), mode).is_some(), "{bytes} {cores}: {}", plans.plans.shard_capacity());
        }
        let shards = |cores| Plans::with_cores(256 << 20, cores).plans.num_shards();
        assert_eq!([1, 2, 16].map(shards), [4, 8, 64]);
    }

    #[test]
    fn memory_is_bounded_however_many_texts_come() {
        let plans = Plans::new(256 << 10);
        let (one, mode) = (plan("SELECT 1"), SqlMode::default());
        for n in 0..10_000 {
            plans.insert(format!("SELECT {n}").as_bytes(), mode, &one);
        }
        assert!(plans.size().1 <= 256 << 10, "{:?}", plans.size());
        assert!(plans.size().0 > 10);
        let long = "x".repeat(PLAN_TEXT_BYTES + 1);
        plans.insert(long.as_bytes(), mode, &one);
        assert!(plans.get(long.as_bytes(), mode).is_none());
    }
}
