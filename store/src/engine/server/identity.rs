//! Who a server's store is, by its own account, and whether a new connection has reached that one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cellgate_schemaless::ClusterNo;
use deadpool::managed::{Hook, HookError};

use crate::backend::Identity;
use crate::engine::server::attempts::{bounded, unsettled};
use crate::engine::server::driver::{Driver, Failure, Session, Value};
use crate::error::{Reason, StoreError};

/// The identity that was checked, once it was.
pub(crate) type Expected = Arc<OnceLock<Identity>>;

/// Asks every new session who its store is, once that is known: the address of a server that went away may lead to another
/// one when it is back (another deployment's, an empty one), and cells written there would be lost to everybody. A copy of the store
/// says that it is the same, and is not told from it.
///
/// Those that may be used are shown to `seen`, with whether it was known whose they must be.
pub(crate) fn check_new<D: Driver>(
    driver: &D,
    expected: &Expected,
    seen: impl Fn(&D::Session, bool) + Send + Sync + 'static,
    limit: Duration,
) -> Hook<D> {
    let (query, expected, seen) = (driver.dialect().select_identity(), Arc::clone(expected), Arc::new(seen));
    Hook::async_fn(move |session: &mut D::Session, _| {
        let (query, expected, seen) = (query.clone(), Arc::clone(&expected), Arc::clone(&seen));
        Box::pin(async move {
            let Some(expected) = expected.get() else {
                seen(session, false);
                return Ok(());
            };
            let found = match bounded(limit, session.fetch(&query)).await {
                Ok(rows) => rows.first().map(|row| identity_of(row)).transpose(),
                Err(Failure::Store(StoreError::NoTable { .. })) => Ok(None),
                Err(failure) => Err(unsettled(failure)),
            };
            let found = found.map_err(HookError::Backend)?;
            if found.as_ref().is_some_and(|found| is_same(found, expected)) {
                seen(session, true);
                return Ok(());
            }
            let found = found.map_or_else(|| "none of Cellgate's".to_owned(), |found| named(&found));
            let detail = format!("the store at this address is {found}, not {}", named(expected));
            Err(HookError::Backend(StoreError::Unavailable { reason: Reason::Connect, detail }))
        })
    })
}

fn is_same(found: &Identity, expected: &Identity) -> bool {
    let who = |identity: &Identity| (identity.cluster, identity.incarnation);
    found.deployment == expected.deployment && who(found) == who(expected)
}

fn named(identity: &Identity) -> String {
    let Identity { deployment, cluster, incarnation, .. } = identity;
    format!("cluster {cluster} of deployment {deployment} in its incarnation {incarnation}")
}

/// A row of the table `cg_cluster`.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub(crate) fn identity_of(row: &[Value]) -> Result<Identity, StoreError> {
    let wrong = || StoreError::Corrupt { detail: "cg_cluster holds what no identity is".to_owned() };
    let text = |value: &Value| match value {
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| wrong()),
        Value::Null | Value::Int(_) => Err(wrong()),
    };
    let [deployment, cluster, Value::Int(incarnation), virtual_shards, hash, Value::Int(seed), Value::Int(format)] =
        row
    else {
        return Err(wrong());
    };
    let small = |value: &Value| match value {
        Value::Int(number) => u32::try_from(*number).map_err(|_| wrong()),
        Value::Null | Value::Bytes(_) => Err(wrong()),
    };
    let cluster = u16::try_from(small(cluster)?).map_err(|_| wrong())?;
    Ok(Identity {
        deployment: text(deployment)?,
        cluster: ClusterNo::new(cluster).map_err(|_| wrong())?,
        incarnation: *incarnation,
        virtual_shards: small(virtual_shards)?,
        hash: text(hash)?,
        seed: *seed,
        format: *format,
    })
}
