//! How large the stored accounts may become.

use std::sync::Arc;

use cellgate_store::meta::MetaStore as _;
use cellgate_store::meta::memory::MemoryMeta;

use super::{Accounts, proxy, root, run, run_as, text};
use crate::access::AccessError;

/// More bytes than the document may have.
const TOO_MANY: usize = 9 * 1024 * 1024;

/// The document of a version that bounded no names: `app` has all privileges on a database whose name is too long.
async fn oversized(meta: &Arc<MemoryMeta>) -> Accounts {
    let accounts = proxy(meta).await;
    run(&accounts, "CREATE USER app IDENTIFIED BY 'x', other").await;
    run(&accounts, "GRANT ALL ON swollen.* TO app").await;
    let body = text(meta).replace("swollen", &"x".repeat(TOO_MANY));
    let version = meta.load("users").await.unwrap().unwrap().version;
    assert!(meta.compare_and_set("users", version, body.as_bytes()).await.unwrap());
    proxy(meta).await
}

#[tokio::test]
async fn a_document_that_is_too_large_is_read_and_can_be_made_smaller_only() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = oversized(&meta).await;
    let long = "x".repeat(TOO_MANY);
    let before = text(&meta);
    for adding in ["GRANT SELECT ON shop.* TO other", "CREATE USER third", "RENAME USER other TO another"] {
        let refused = run_as(&accounts, &root(), adding).await;
        assert!(matches!(refused, Err(AccessError::Limit { .. })), "{adding}: {refused:?}");
    }
    assert!(text(&meta) == before);
    for taking in ["ALTER USER app ACCOUNT LOCK", "SET PASSWORD FOR other = 'y'", "DROP USER other"] {
        run(&accounts, taking).await;
    }
    // What is left after it takes more bytes to write than ALL.
    let before = text(&meta).len();
    run(&accounts, &format!("REVOKE LOCK TABLES ON `{long}`.* FROM app")).await;
    assert!(text(&meta).len() > before);
    run(&accounts, &format!("REVOKE ALL ON `{long}`.* FROM app")).await;
    run(&accounts, "GRANT SELECT ON shop.* TO app").await;
    assert!(text(&meta).len() < 1000, "{}", text(&meta));
}
