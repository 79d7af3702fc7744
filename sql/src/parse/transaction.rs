//! Transaction control.

use super::ddl::bounded;
use super::reader::Reader;
use super::tokens::Symbol;
use crate::command::Transaction;
use crate::error::{SqlError, unsupported};

/// The transaction statement that is next, if it is one.
pub(super) fn transaction(reader: &mut Reader<'_>) -> Result<Option<Transaction>, SqlError> {
    if reader.take(&["BEGIN"]) {
        reader.take(&["WORK"]);
        if !reader.at_end() {
            return Err(unsupported("BEGIN .. END", "there are no stored programs"));
        }
        return Ok(Some(Transaction::Begin { read_only: None, consistent_snapshot: false }));
    }
    if reader.take(&["START", "TRANSACTION"]) {
        return start(reader).map(Some);
    }
    if reader.take(&["COMMIT"]) {
        let (chain, release) = completion(reader)?;
        return Ok(Some(Transaction::Commit { chain, release }));
    }
    if reader.take(&["ROLLBACK"]) {
        reader.take(&["WORK"]);
        if reader.take(&["TO"]) {
            reader.take(&["SAVEPOINT"]);
            return Ok(Some(Transaction::RollbackTo(bounded(reader.name()?)?)));
        }
        let (chain, release) = completion(reader)?;
        return Ok(Some(Transaction::Rollback { chain, release }));
    }
    if reader.take(&["SAVEPOINT"]) {
        return Ok(Some(Transaction::Savepoint(bounded(reader.name()?)?)));
    }
    if reader.take(&["RELEASE", "SAVEPOINT"]) {
        return Ok(Some(Transaction::Release(bounded(reader.name()?)?)));
    }
    Ok(None)
}

fn start(reader: &mut Reader<'_>) -> Result<Transaction, SqlError> {
    let (mut read_only, mut consistent_snapshot) = (None, false);
    if reader.at_end() {
        return Ok(Transaction::Begin { read_only, consistent_snapshot });
    }
    loop {
        let once = read_only.is_none();
        if once && reader.take(&["READ", "ONLY"]) {
            read_only = Some(true);
        } else if once && reader.take(&["READ", "WRITE"]) {
            read_only = Some(false);
        } else if reader.take(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            consistent_snapshot = true;
        } else {
            return Err(reader.error("expected READ ONLY, READ WRITE or WITH CONSISTENT SNAPSHOT"));
        }
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(Transaction::Begin { read_only, consistent_snapshot });
        }
    }
}

/// `[WORK] [AND [NO] CHAIN] [[NO] RELEASE]`
fn completion(reader: &mut Reader<'_>) -> Result<(bool, bool), SqlError> {
    reader.take(&["WORK"]);
    let mut chain = false;
    if reader.take(&["AND"]) {
        chain = !reader.take(&["NO"]);
        reader.expect(&["CHAIN"])?;
    }
    let release = if reader.take(&["NO", "RELEASE"]) { false } else { reader.take(&["RELEASE"]) };
    if chain && release {
        return Err(reader.error("AND CHAIN and RELEASE exclude each other"));
    }
    Ok((chain, release))
}
