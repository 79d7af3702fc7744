//! What a user may see of the catalog.

use cellgate_schemaless::{Micros, TableDef};
use cellgate_sql::{Privilege, TimeZone, Value};

use crate::access::Access;

/// Which databases and tables introspection shows, and in which time zone.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Whose; `None` sees everything.
    access: Option<Access>,
    zone: TimeZone,
}

/// Everything, in UTC.
impl Default for Sight {
    fn default() -> Self {
        Self { access: None, zone: TimeZone::UTC }
    }
}

impl Sight {
    /// What a session with this access sees, in its time zone.
    pub fn of(access: &Access, zone: TimeZone) -> Self {
        Self { access: Some(access.clone()), zone }
    }

    /// A time as it is shown: in whole seconds.
    pub fn time(&self, utc: Micros) -> Value {
        const SECOND: i64 = 1_000_000;
        Value::DateTime(self.zone.local(Micros(utc.0.div_euclid(SECOND) * SECOND)))
    }

    /// What two sights that show the same have in common.
    pub fn key(&self) -> String {
        match &self.access {
            None => String::new(),
            Some(access) => {
                let name = access.account().map(|account| account.name.to_string());
                format!("{} {} {}", access.version(), name.unwrap_or_default(), self.zone)
            }
        }
    }

    /// Whether a database is shown.
    pub fn database(&self, database: &str) -> bool {
        self.access.as_ref().is_none_or(|access| access.may_see_database(database))
    }

    /// Whether a table is shown.
    pub fn table(&self, table: &TableDef) -> bool {
        self.access.as_ref().is_none_or(|access| access.may_see_table(&table.database, &table.name))
    }

    /// What may be done with a table's columns, as MySQL writes it.
    pub fn column_privileges(&self, database: &str, table: &str) -> String {
        let may = |privilege| self.access.as_ref().is_none_or(|a| a.may(privilege, database, Some(table)));
        let names = [
            (Privilege::Select, "select"),
            (Privilege::Insert, "insert"),
            (Privilege::Update, "update"),
            (Privilege::Alter, "references"),
        ];
        let held: Vec<&str> = names.into_iter().filter(|(p, _)| may(*p)).map(|(_, name)| name).collect();
        held.join(",")
    }
}
