//! The meta store on a database server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cellgate_metrics::Operation;

use crate::engine::server::ServerOptions;
use crate::engine::server::core::Core;
use crate::engine::server::driver::{Driver, Guard, Holds, Value};
use crate::error::StoreError;
use crate::meta::{Document, MetaStore};
use crate::sql::Query;
use crate::sync::lock;

/// Documents on a database server spoken to by `D`.
pub struct ServerMeta<D: Driver> {
    core: Arc<Core<D>>,
    /// Versions of documents that are known to be on disk.
    safe: Mutex<BTreeMap<String, i64>>,
}

impl<D: Driver> fmt::Debug for ServerMeta<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerMeta").field("name", &self.core.name).field("driver", self.core.driver()).finish()
    }
}

impl<D: Driver> ServerMeta<D> {
    /// A meta store that connects when it is first asked something.
    pub(crate) fn with_driver(driver: D, options: &ServerOptions) -> Result<Self, StoreError> {
        Ok(Self { core: Core::new(driver, options, Holds::Documents)?, safe: Mutex::default() })
    }

    /// Lets nobody go by a version that a crash of the server can take back, to give its number to another body. Who has
    /// changed nothing yet only looks, and must not: its first change secures what it has seen.
    async fn secure(&self, document: &Document) -> Result<(), StoreError> {
        let Document { name, version, .. } = document;
        let is_safe = |safe: &BTreeMap<String, i64>| safe.is_empty() || safe.get(name) == Some(version);
        if self.core.driver().shows_unflushed() && !is_safe(&lock(&self.safe)) {
            self.core.confirm().await?;
            lock(&self.safe).insert(name.clone(), *version);
        }
        Ok(())
    }

    /// Runs a change of one document in a task of its own, so that a caller that goes away does not leave it open.
    async fn change(&self, change: Query) -> Result<crate::engine::server::core::Changed, StoreError> {
        let core = Arc::clone(&self.core);
        let task = tokio::spawn(async move { core.change(Operation::Ddl, Guard::Free, &[change]).await });
        crate::engine::server::finished(task).await
    }
}

#[async_trait]
impl<D: Driver> MetaStore for ServerMeta<D> {
    async fn exists(&self) -> Result<bool, StoreError> {
        let text = "SELECT version FROM cg_meta WHERE version IS NULL".to_owned();
        match self.core.fetch(Operation::Ping, &Query { text, params: Vec::new() }).await {
            Ok(_) => Ok(true),
            Err(StoreError::NoTable { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn check_rights(&self) -> Result<(), StoreError> {
        self.core.driver().check_rights().await
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let detail = || "the server can only be read: it is a replica, or was made one".to_owned();
        let place = self.core.location().await?;
        place.map(|_| ()).ok_or_else(|| StoreError::Refused { detail: detail() })
    }

    async fn create(&self) -> Result<(), StoreError> {
        self.core.driver().create_database().await?;
        self.core.define(&self.core.dialect().create_meta_table()).await
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let document = self.load_to_change(name).await?;
        if let Some(document) = &document {
            self.secure(document).await?;
        }
        Ok(document)
    }

    async fn load_to_change(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let rows = self.core.fetch(Operation::Ping, &self.core.dialect().select_document(name)).await?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Int(version), Value::Bytes(body)]) => {
                Ok(Some(Document { name: name.to_owned(), version: *version, body: body.to_vec() }))
            }
            Some(_) => Err(corrupt()),
            None => Ok(None),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        let rows = self.core.fetch(Operation::Ping, &self.core.dialect().select_documents(prefix)).await?;
        rows.iter()
            .map(|row| match row.as_slice() {
                [Value::Bytes(name), Value::Int(version), Value::Bytes(body)] => Ok(Document {
                    name: String::from_utf8(name.to_vec()).map_err(|_| corrupt())?,
                    version: *version,
                    body: body.to_vec(),
                }),
                _ => Err(corrupt()),
            })
            .collect()
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        let dialect = self.core.dialect();
        let change = if expected == 0 {
            dialect.insert_document(name, body)
        } else {
            dialect.update_document(name, expected, body)
        };
        let changed = self.change(change).await?;
        if changed.rows > 0 {
            lock(&self.safe).insert(name.to_owned(), expected + 1);
            return Ok(true);
        }
        if !changed.after_loss {
            return Ok(false);
        }
        // The lost attempt may have been ours that changed it; what others changed since hides whether it was.
        match self.load(name).await.map_err(unknown)? {
            Some(now) if now.version == expected + 1 => Ok(now.body == body),
            Some(now) if now.version <= expected => Ok(false),
            Some(_) | None => {
                let detail = format!("'{name}' was changed by others behind a change whose answer was lost");
                Err(StoreError::MaybeWritten { detail })
            }
        }
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        let changed = self.change(self.core.dialect().delete_document(name, expected)).await?;
        if changed.rows > 0 || !changed.after_loss {
            return Ok(changed.rows > 0);
        }
        Ok(self.load(name).await.map_err(unknown)?.is_none())
    }

    async fn now(&self) -> Result<i64, StoreError> {
        let text = format!("SELECT {}", self.core.driver().clock());
        let rows = self.core.fetch(Operation::Ping, &Query { text, params: Vec::new() }).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(now)) => Ok(*now),
            Some(Value::Null | Value::Bytes(_)) | None => {
                Err(StoreError::Failed { detail: "the server does not tell the time".to_owned() })
            }
        }
    }
}

/// Of a change whose answer was lost, when it cannot be found out what became of it.
fn unknown(error: StoreError) -> StoreError {
    StoreError::MaybeWritten { detail: format!("the answer to a change was lost; then: {error}") }
}

fn corrupt() -> StoreError {
    StoreError::Corrupt { detail: "cg_meta holds what no document is".to_owned() }
}
