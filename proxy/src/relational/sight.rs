//! What a user may see of the catalog.

/// Which databases and tables introspection shows.
#[derive(Clone, Debug, Default)]
pub struct Sight {}

impl Sight {
    /// What two sights that show the same have in common.
    pub fn key(&self) -> String {
        String::new()
    }

    /// Whether a database is shown.
    pub fn database(&self, _database: &str) -> bool {
        true
    }

    /// Whether a table is shown.
    pub fn table(&self, _database: &str, _table: &str) -> bool {
        true
    }

    /// Whether everything about everybody is shown.
    pub fn everything(&self) -> bool {
        true
    }

    /// What may be done with a table's columns, as MySQL writes it.
    pub fn column_privileges(&self, _database: &str, _table: &str) -> &'static str {
        "select,insert,update,references"
    }
}
