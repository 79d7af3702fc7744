//! The columns every cell table has.

use crate::expression::Type;
use crate::value::ColumnType;

/// From what likeness on (0 to 1, Jaro-Winkler) a name is taken to mean another.
const MEANT: f64 = 0.85;

/// Slot of `row_key` in a row of declared columns: the same as in a cell.
pub(crate) const ROW_KEY: usize = CellColumn::RowKey.slot();
/// Slot of `shard` in a row of declared columns: the same as in a cell.
pub(crate) const SHARD: usize = CellColumn::Shard.slot();
/// The first slot of the declared columns in a row of them, behind all slots of a cell.
pub(crate) const DECLARED: usize = SHARD + 1;

/// A column of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CellColumn {
    /// The place in the shard's log.
    AddedId,
    /// The row.
    RowKey,
    /// The column within the row.
    ColumnKey,
    /// The version.
    RefKey,
    /// The JSON.
    Body,
    /// When it was written.
    CreatedAt,
    /// The pseudo-column: which shard.
    Shard,
}

impl CellColumn {
    /// What `*` stands for, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::AddedId, Self::RowKey, Self::ColumnKey, Self::RefKey, Self::Body, Self::CreatedAt];

    /// The column of this name, whatever its case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Shard]).find(|c| c.name().eq_ignore_ascii_case(name))
    }

    /// The column of cells, or of these declared ones, that somebody may have meant by a name that none has.
    pub fn meant<'a>(name: &str, declared: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let name = name.to_lowercase();
        let near = |known: &str| strsim::jaro_winkler(&name, &known.to_lowercase());
        let known =
            Self::ALL.into_iter().chain([Self::Shard]).map(|column| -> &'a str { column.name() }).chain(declared);
        let nearest = known.map(|known| (near(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
        nearest.filter(|(near, _)| *near > MEANT).map(|(_, known)| known)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddedId => "added_id",
            Self::RowKey => "row_key",
            Self::ColumnKey => "column_key",
            Self::RefKey => "ref_key",
            Self::Body => "body",
            Self::CreatedAt => "created_at",
            Self::Shard => "shard",
        }
    }

    /// Its number as a slot.
    pub const fn slot(self) -> usize {
        match self {
            Self::AddedId => 0,
            Self::RowKey => 1,
            Self::ColumnKey => 2,
            Self::RefKey => 3,
            Self::Body => 4,
            Self::CreatedAt => 5,
            Self::Shard => 6,
        }
    }

    /// The column of a slot.
    pub fn of_slot(slot: usize) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Shard]).find(|c| c.slot() == slot)
    }

    /// Its type.
    pub fn ty(self) -> Type {
        let not_null = |ty| Type { nullable: false, ..ty };
        not_null(match self {
            Self::AddedId | Self::RefKey | Self::Shard => Type::of(ColumnType::BigInt),
            Self::RowKey => Type::text(255),
            Self::ColumnKey => Type::text(64),
            Self::Body => Type::of(ColumnType::Json),
            Self::CreatedAt => Type::of(ColumnType::DateTime),
        })
    }

    /// Whether it is part of the primary key.
    pub fn is_key(self) -> bool {
        matches!(self, Self::RowKey | Self::ColumnKey | Self::RefKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_what_may_have_been_meant() {
        for (name, meant) in [
            ("rowkey", Some("row_key")),
            ("RowKey", Some("row_key")),
            ("refkey", Some("ref_key")),
            ("createdat", Some("created_at")),
            ("profil", Some("PROFILE")),
            ("nickname", None),
            ("id", None),
        ] {
            assert_eq!(CellColumn::meant(name, ["PROFILE", "STATUS"].into_iter()), meant, "{name}");
        }
    }
}
