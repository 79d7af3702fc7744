//! What a role may create, and the databases and schemas that are created with it.
//!
//! Asked before a cluster is created and by checks; a session that serves cells asks none of it. Nothing is granted: who lacks
//! a right is told the statement that gives it.

use super::error;
use super::session::{PostgresSession, plain};
use crate::engine::server::attempts::unsettled;
use crate::engine::server::driver::{Session, Value};
use crate::error::StoreError;
use crate::sql::{POSTGRES, Param, Query};

impl PostgresSession {
    /// Which right is missing to create tables in this schema, or the schema itself if it is not there.
    pub(super) async fn missing_right(&mut self, schema: &str) -> Result<Option<String>, StoreError> {
        let missing = Query {
            text: "SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text) THEN \
                   CASE WHEN NOT has_database_privilege(current_database(), 'CREATE') THEN \
                   format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) END \
                   WHEN NOT has_schema_privilege($1::text, 'USAGE') OR NOT has_schema_privilege($1::text, 'CREATE') THEN \
                   format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', $1::text, current_user) END"
                .to_owned(),
            params: vec![Param::Text(schema.to_owned())],
        };
        match self.fetch(&missing).await.map_err(unsettled)?.first().and_then(|row| row.first()) {
            Some(Value::Bytes(grant)) => Ok(Some(format!(
                "a right is missing to create tables in schema {schema}; as its owner: {}",
                String::from_utf8_lossy(grant)
            ))),
            Some(Value::Null | Value::Int(_)) | None => Ok(None),
        }
    }

    /// Whether it may create databases.
    pub(super) async fn creates_databases(&mut self) -> Result<bool, StoreError> {
        let may = plain("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user");
        let rows = self.fetch(&may).await.map_err(unsettled)?;
        Ok(rows.first().and_then(|row| row.first()) == Some(&Value::Int(1)))
    }

    /// Whether the schema is there.
    pub(super) async fn has_schema(&mut self, name: &str) -> Result<bool, StoreError> {
        let text = "SELECT 1 FROM pg_namespace WHERE nspname = $1::text".to_owned();
        let there = Query { text, params: vec![Param::Text(name.to_owned())] };
        Ok(!self.fetch(&there).await.map_err(unsettled)?.is_empty())
    }

    /// Creates a database or schema unless it is there.
    pub(super) async fn create(&mut self, what: &str, name: &str) -> Result<(), StoreError> {
        let mut text = format!("CREATE {what} ");
        POSTGRES.quote(&mut text, name);
        match self.client().batch_execute(&text).await {
            Ok(()) => Ok(()),
            // It is there, or somebody else is creating it at this moment.
            Err(e) if matches!(e.code().map(|c| c.code()), Some("42P04" | "42P06" | "23505")) => Ok(()),
            Err(e) => Err(match unsettled(error::of_statement(&e)) {
                StoreError::Failed { detail } => {
                    StoreError::Refused { detail: format!("{name} is not there and cannot be created: {detail}") }
                }
                error => error,
            }),
        }
    }
}
