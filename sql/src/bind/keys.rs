//! Sets of keys, their intersections and unions.
//!
//! [`Keys`] are sets and ranges that every cell a condition holds for must be in. When `exact` is set the reverse is
//! true too.

use std::cell::Cell;
use std::collections::BTreeSet;

use cellgate_schemaless::{Chain, ColumnKey, RefKey, RowKey, Triple};

/// Most keys a condition is multiplied out to (IN lists times IN lists); beyond it lists stay lists.
pub(super) const PRODUCT: usize = 100_000;
/// Most pairs and triples made for the whole of a condition while its alternatives are united: twice what one union may
/// have. Beyond it lists stay lists, and the condition is checked on the cells.
const MADE: usize = 2 * PRODUCT;

/// How many pairs and triples may still be made for a condition: see [`MADE`].
#[derive(Debug)]
pub(super) struct Room(Cell<usize>);

impl Room {
    /// That of a whole condition.
    pub fn new() -> Self {
        Self(Cell::new(MADE))
    }

    /// Takes room for so many, if there is any.
    fn take(&self, tuples: usize) -> bool {
        let left = self.0.get().checked_sub(tuples);
        self.0.set(left.unwrap_or(self.0.get()));
        left.is_some()
    }
}

/// A set of values, or no constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Set<T> {
    All,
    Only(BTreeSet<T>),
}

impl<T: Ord + Clone> Set<T> {
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(set) if set.is_empty())
    }

    /// The values, if there is a constraint.
    pub fn only(&self) -> Option<&BTreeSet<T>> {
        match self {
            Self::All => None,
            Self::Only(set) => Some(set),
        }
    }

    /// Whether there is exactly one value.
    pub fn is_single(&self) -> bool {
        self.only().is_some_and(|set| set.len() == 1)
    }

    fn contains(&self, value: &T) -> bool {
        self.only().is_none_or(|set| set.contains(value))
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) | (other, Self::All) => other,
            (Self::Only(a), Self::Only(b)) => {
                let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
                Self::Only(small.into_iter().filter(|v| large.contains(v)).collect())
            }
        }
    }

    /// The union, unless one of them is unconstrained.
    fn or<'a>(sets: impl Iterator<Item = &'a Self>) -> Self
    where
        T: 'a,
    {
        let mut union = BTreeSet::new();
        for set in sets {
            match set {
                Self::All => return Self::All,
                Self::Only(values) => union.extend(values.iter().cloned()),
            }
        }
        Self::Only(union)
    }
}

/// Pairs or triples of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tuples {
    Chains(BTreeSet<Chain>),
    Triples(BTreeSet<Triple>),
}

/// Inclusive bounds on `ref_key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

/// What is known about the cells a condition holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub rows: Set<RowKey>,
    pub columns: Set<ColumnKey>,
    pub refs: Set<i64>,
    pub range: Range,
    pub tuples: Option<Tuples>,
    pub shards: Set<u16>,
    /// Only `added_id`s above this.
    pub added_after: Option<i64>,
    /// Only `created_at`s from this on, in microseconds.
    pub created_from: Option<i64>,
    /// `added_id = n` was asked for somewhere.
    pub added_equals: bool,
    /// Whether the condition holds for every cell that is in all of these.
    pub exact: bool,
}

/// The constraints a [`Keys`] has; used to see which of them a request expresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Dimensions {
    pub rows: bool,
    pub columns: bool,
    /// A range on `ref_key`.
    pub range: bool,
    /// A set of `ref_key`s.
    pub refs: bool,
    pub tuples: bool,
    pub shards: bool,
    pub added: bool,
    pub created: bool,
}

impl Dimensions {
    /// Whether every constraint is among those of `other`.
    pub fn within(self, other: Self) -> bool {
        let pairs = [
            (self.rows, other.rows),
            (self.columns, other.columns),
            (self.range, other.range),
            (self.refs, other.refs),
            (self.tuples, other.tuples),
            (self.shards, other.shards),
            (self.added, other.added),
            (self.created, other.created),
        ];
        pairs.into_iter().all(|(mine, theirs)| !mine || theirs)
    }

    fn count(self) -> usize {
        [self.rows, self.columns, self.range, self.refs, self.tuples, self.shards, self.added, self.created]
            .into_iter()
            .filter(|d| *d)
            .count()
    }
}

impl Keys {
    /// No constraint; `exact` says whether the condition is known to hold always.
    pub fn everything(exact: bool) -> Self {
        Self {
            rows: Set::All,
            columns: Set::All,
            refs: Set::All,
            range: Range { min: None, max: None },
            tuples: None,
            shards: Set::All,
            added_after: None,
            created_from: None,
            added_equals: false,
            exact,
        }
    }

    /// No cell at all.
    pub fn nothing() -> Self {
        Self { rows: Set::Only(BTreeSet::new()), ..Self::everything(true) }
    }

    /// Whether no cell can be in it.
    pub fn is_nothing(&self) -> bool {
        let empty_range = matches!((self.range.min, self.range.max), (Some(min), Some(max)) if min > max);
        let empty_tuples = match &self.tuples {
            Some(Tuples::Chains(chains)) => chains.is_empty(),
            Some(Tuples::Triples(triples)) => triples.is_empty(),
            None => false,
        };
        empty_range
            || empty_tuples
            || self.rows.is_nothing()
            || self.columns.is_nothing()
            || self.refs.is_nothing()
            || self.shards.is_nothing()
    }

    /// Its constraints.
    pub fn dimensions(&self) -> Dimensions {
        Dimensions {
            rows: !self.rows.is_all(),
            columns: !self.columns.is_all(),
            range: self.range.min.is_some() || self.range.max.is_some(),
            refs: !self.refs.is_all(),
            tuples: self.tuples.is_some(),
            shards: !self.shards.is_all(),
            added: self.added_after.is_some(),
            created: self.created_from.is_some(),
        }
    }

    /// Both conditions.
    pub fn and(self, other: Self) -> Self {
        self.met(other).narrowed()
    }

    /// All conditions.
    pub fn all(all: impl Iterator<Item = Self>) -> Self {
        // Narrowed once: that looks at every tuple there is.
        all.fold(Self::everything(true), Self::met).narrowed()
    }

    /// Both conditions, not narrowed.
    fn met(self, other: Self) -> Self {
        Self {
            rows: self.rows.and(other.rows),
            columns: self.columns.and(other.columns),
            refs: self.refs.and(other.refs),
            range: Range {
                min: self.range.min.max(other.range.min),
                max: [self.range.max, other.range.max].into_iter().flatten().min(),
            },
            tuples: tuples_and(self.tuples, other.tuples),
            shards: self.shards.and(other.shards),
            added_after: self.added_after.max(other.added_after),
            created_from: self.created_from.max(other.created_from),
            added_equals: self.added_equals || other.added_equals,
            exact: self.exact && other.exact,
        }
    }

    /// Leaves tuples and `ref_key`s out that the other constraints exclude.
    fn narrowed(mut self) -> Self {
        let in_range =
            |r: i64, range: Range| range.min.is_none_or(|min| r >= min) && range.max.is_none_or(|max| r <= max);
        if let Set::Only(refs) = &mut self.refs {
            let range = self.range;
            refs.retain(|r| in_range(*r, range));
        }
        match &mut self.tuples {
            None => {}
            Some(Tuples::Chains(chains)) => {
                chains.retain(|c| self.rows.contains(&c.row) && self.columns.contains(&c.column));
            }
            Some(Tuples::Triples(triples)) => triples.retain(|t| {
                self.rows.contains(&t.row)
                    && self.columns.contains(&t.column)
                    && self.refs.contains(&t.ref_key.0)
                    && in_range(t.ref_key.0, self.range)
            }),
        }
        self
    }

    /// One of the conditions; what is made of tuples is taken from `room`.
    pub fn or(all: Vec<Self>, room: &Room) -> Self {
        let added_equals = all.iter().any(|k| k.added_equals);
        let mut all: Vec<Self> = all.into_iter().filter(|k| !k.is_nothing()).collect();
        if all.len() < 2 {
            let one = all.pop().unwrap_or_else(Self::nothing);
            return Self { added_equals: added_equals || one.added_equals, ..one };
        }
        let exact = all.iter().all(|k| k.exact);
        let tuples = if all.iter().all(Self::is_by_key) { union_of_tuples(&all, room) } else { None };
        let same = all.iter().all(|k| Some(k.dimensions()) == all.first().map(Self::dimensions));
        let single = same && all.first().is_some_and(|k| k.dimensions().count() == 1);
        let always = all.iter().any(|k| k.exact && k.dimensions().count() == 0);
        let hull = Range {
            min: all.iter().map(|k| k.lowest_ref()).min().flatten(),
            // `None` is unbounded, and so above all.
            max: all.iter().map(|k| k.highest_ref()).try_fold(i64::MIN, |m, k| k.map(|k| m.max(k))),
        };
        let lists = Self {
            rows: Set::or(all.iter().map(|k| &k.rows)),
            columns: Set::or(all.iter().map(|k| &k.columns)),
            refs: Set::or(all.iter().map(|k| &k.refs)),
            range: hull,
            tuples: None,
            shards: Set::or(all.iter().map(|k| &k.shards)),
            added_after: all.iter().map(|k| k.added_after).min().flatten(),
            created_from: all.iter().map(|k| k.created_from).min().flatten(),
            added_equals,
            exact: false,
        };
        let dimensions = all.first().map(Self::dimensions).unwrap_or_default();
        if always {
            return Self { added_equals, ..Self::everything(true) };
        }
        if single && !dimensions.tuples {
            // A union of lists of one kind is that list; a union of ranges need not be a range.
            return Self { exact: exact && !dimensions.range, ..lists };
        }
        match tuples {
            Some((tuples, lossless)) => Self { tuples: Some(tuples), exact: exact && lossless, ..lists },
            None => lists,
        }
    }

    /// Whether rows and columns are known, and nothing about the log is.
    fn is_by_key(&self) -> bool {
        let d = self.dimensions();
        (d.tuples || (d.rows && d.columns)) && !d.shards && !d.added && !d.created
    }

    fn lowest_ref(&self) -> Option<i64> {
        let lowest = self.refs.only().and_then(|s| s.first().copied());
        lowest.max(self.range.min)
    }

    fn highest_ref(&self) -> Option<i64> {
        let highest = self.refs.only().and_then(|s| s.last().copied());
        [highest, self.range.max].into_iter().flatten().min()
    }

    /// How many [`Keys::chains`] there are.
    fn chain_count(&self) -> Option<usize> {
        let count = match &self.tuples {
            Some(Tuples::Chains(chains)) => return Some(chains.len()),
            Some(Tuples::Triples(triples)) => return Some(triples.len()),
            None => self.rows.only()?.len().saturating_mul(self.columns.only()?.len()),
        };
        (count <= PRODUCT).then_some(count)
    }

    /// How many [`Keys::triples`] there are.
    fn triple_count(&self) -> Option<usize> {
        if let Some(Tuples::Triples(triples)) = &self.tuples {
            return Some(triples.len());
        }
        let refs = match (self.refs.only(), self.range) {
            (Some(refs), _) => refs.len(),
            (None, Range { min: Some(min), max: Some(max) }) if min == max => 1,
            (None, _) => return None,
        };
        let count = self.chain_count()?.saturating_mul(refs);
        (count <= PRODUCT).then_some(count)
    }

    /// Every triple it can hold for, if rows, columns and versions are all listed.
    pub fn triples(&self) -> Option<BTreeSet<Triple>> {
        self.triple_count()?;
        if let Some(Tuples::Triples(triples)) = &self.tuples {
            return Some(triples.clone());
        }
        let refs: Vec<i64> = match (self.refs.only(), self.range) {
            (Some(refs), _) => refs.iter().copied().collect(),
            (None, Range { min: Some(min), max: Some(max) }) if min == max => vec![min],
            (None, _) => return None,
        };
        let chains = self.chains()?;
        let triple = |c: &Chain, r: i64| Triple { row: c.row.clone(), column: c.column.clone(), ref_key: RefKey(r) };
        Some(chains.iter().flat_map(|c| refs.iter().map(move |r| triple(c, *r))).collect())
    }

    /// Every chain it can hold for, if rows and columns are listed.
    pub fn chains(&self) -> Option<BTreeSet<Chain>> {
        match &self.tuples {
            Some(Tuples::Chains(chains)) => return Some(chains.clone()),
            Some(Tuples::Triples(triples)) => {
                return Some(triples.iter().map(|t| Chain { row: t.row.clone(), column: t.column.clone() }).collect());
            }
            None => {}
        }
        self.chain_count()?;
        let (rows, columns) = (self.rows.only()?, self.columns.only()?);
        let chain = |row: &RowKey, column: &ColumnKey| Chain { row: row.clone(), column: column.clone() };
        Some(rows.iter().flat_map(|r| columns.iter().map(move |c| chain(r, c))).collect())
    }

    /// Every row it can hold for.
    pub fn row_set(&self) -> Option<BTreeSet<RowKey>> {
        match &self.tuples {
            Some(Tuples::Chains(chains)) => Some(chains.iter().map(|c| c.row.clone()).collect()),
            Some(Tuples::Triples(triples)) => Some(triples.iter().map(|t| t.row.clone()).collect()),
            None => self.rows.only().cloned(),
        }
    }
}

fn tuples_and(a: Option<Tuples>, b: Option<Tuples>) -> Option<Tuples> {
    Some(match (a, b) {
        (None, other) | (other, None) => return other,
        (Some(Tuples::Chains(a)), Some(Tuples::Chains(b))) => {
            Tuples::Chains(a.into_iter().filter(|c| b.contains(c)).collect())
        }
        (Some(Tuples::Triples(a)), Some(Tuples::Triples(b))) => {
            Tuples::Triples(a.into_iter().filter(|t| b.contains(t)).collect())
        }
        (Some(Tuples::Triples(triples)), Some(Tuples::Chains(chains)))
        | (Some(Tuples::Chains(chains)), Some(Tuples::Triples(triples))) => {
            let known = |t: &Triple| chains.contains(&Chain { row: t.row.clone(), column: t.column.clone() });
            Tuples::Triples(triples.into_iter().filter(known).collect())
        }
    })
}

/// The union as triples, or else as chains, and whether nothing was lost by it.
fn union_of_tuples(all: &[Keys], room: &Room) -> Option<(Tuples, bool)> {
    let bounded = |n: usize| n <= PRODUCT;
    // Whether all of them can be listed, and there is room for that.
    let listed = |count: fn(&Keys) -> Option<usize>| {
        let sum = all.iter().try_fold(0_usize, |sum, keys| count(keys).map(|n| sum.saturating_add(n)));
        sum.is_some_and(|sum| room.take(sum))
    };
    if listed(Keys::triple_count) {
        let triples: Option<BTreeSet<Triple>> = all.iter().try_fold(BTreeSet::new(), |mut union, keys| {
            union.extend(keys.triples()?);
            bounded(union.len()).then_some(union)
        });
        if let Some(triples) = triples {
            return Some((Tuples::Triples(triples), true));
        }
    }
    if !listed(Keys::chain_count) {
        return None;
    }
    let chains = all.iter().try_fold(BTreeSet::new(), |mut union, keys| {
        union.extend(keys.chains()?);
        bounded(union.len()).then_some(union)
    })?;
    let no_versions = all.iter().all(|k| {
        let d = k.dimensions();
        !d.range && !d.refs && !matches!(k.tuples, Some(Tuples::Triples(_)))
    });
    Some((Tuples::Chains(chains), no_versions))
}
