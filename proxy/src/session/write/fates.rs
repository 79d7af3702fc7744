//! What became of the cells of an INSERT, and what the client and the log are told of it.

use std::collections::BTreeSet;

use cellgate_router::Topology;
use cellgate_schemaless::{NewCell, RowKey, Written};
use cellgate_sql::Put;
use cellgate_store::executor::{CellFate, RunError};

use super::cells::entry;
use crate::session::error::{StatementError, Stored};

/// What became of each cell of an INSERT that went through: `None` was skipped (INSERT IGNORE).
pub(super) type Fates = Vec<Option<Written>>;

/// Turns the fates of all cells into the statement's: written, or an error with what is stored all the same. A failure
/// behind which a part may be stored comes before all others: those say what may be repeated. Where something is stored, one of
/// a cluster comes before a duplicate, which is nobody's failure.
pub(super) fn settle(put: &Put, fates: Vec<CellFate>) -> Result<Fates, StatementError> {
    let written: Fates = fates
        .iter()
        .map(|fate| match fate {
            CellFate::Written(written) => Some(written.clone()),
            CellFate::Conflict(_) | CellFate::Withheld | CellFate::Failed(_) => None,
        })
        .collect();
    let all = || put.cells.iter().zip(&fates);
    let failed = |(_, fate): &(&NewCell, &CellFate)| matches!(fate, CellFate::Conflict(_) | CellFate::Failed(_));
    let unknown: Vec<usize> = (0..fates.len()).filter(|position| fates[*position].is_unknown()).collect();
    let stored = || stored_rows(put, &written, &unknown);
    let in_part = written.iter().any(Option::is_some);
    let of_clusters = all().filter(|(_, fate)| in_part && matches!(fate, CellFate::Failed(_)));
    match all().filter(|(_, fate)| fate.is_unknown()).chain(of_clusters).chain(all()).find(failed) {
        Some((cell, CellFate::Conflict(ref_key))) => {
            Err(StatementError::Duplicate { entry: entry(cell, Some(*ref_key)), stored: stored() })
        }
        Some((_, CellFate::Failed(error))) => {
            Err(StatementError::Write { error: error.as_ref().clone(), stored: stored() })
        }
        Some((_, CellFate::Written(_) | CellFate::Withheld)) | None => Ok(written),
    }
}

/// What an INSERT IGNORE has found to exist. If that failed or took too long behind writes of the same statement, the error
/// says what they stored.
pub(super) fn looked_up<T>(
    found: Result<Result<T, RunError>, StatementError>,
    put: &Put,
    fates: &Fates,
) -> Result<T, StatementError> {
    let stored = stored_rows(put, fates, &[]);
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) if stored.is_empty() => Err(error.into()),
        Ok(Err(error)) => Err(StatementError::Write { error, stored }),
        Err(error) if stored.is_empty() => Err(error),
        Err(_) => Err(StatementError::put_timeout()),
    }
}

/// The rows of a statement, counted from 1, of which something new is stored, and those of the cells at these positions,
/// which may be.
pub(super) fn stored_rows(put: &Put, fates: &Fates, unknown: &[usize]) -> Box<Stored> {
    let new = put.rows.iter().zip(fates).filter(|(_, fate)| fate.as_ref().is_some_and(|written| written.new));
    let rows: BTreeSet<usize> = new.map(|(row, _)| row + 1).collect();
    let unknown: BTreeSet<usize> = unknown.iter().map(|position| put.rows[*position] + 1).collect();
    let all = put.rows.iter().collect::<BTreeSet<_>>().len();
    let unknown = if unknown.len() < all { unknown } else { BTreeSet::new() };
    Box::new(Stored {
        rows: rows.into_iter().collect(),
        unknown: unknown.into_iter().collect(),
        clusters: String::new(),
    })
}

/// The same error, which says also in which clusters the rows are that it tells of, if that is logged.
pub(super) fn placed(mut error: StatementError, put: &Put, cluster_of: impl Fn(&NewCell) -> String) -> StatementError {
    if let StatementError::Write { stored, .. } = &mut error
        && !stored.is_empty()
    {
        // They are in order.
        let holds = |rows: &[usize], row: &usize| rows.binary_search(row).is_ok();
        let clusters = |of: &dyn Fn(&usize) -> bool| -> BTreeSet<String> {
            let cells = put.rows.iter().zip(&put.cells).filter(|(row, _)| of(&(**row + 1)));
            cells.map(|(_, cell)| cluster_of(cell)).collect()
        };
        let (written, unknown) =
            (clusters(&|row| holds(&stored.rows, row)), clusters(&|row| holds(&stored.unknown, row)));
        let mut rest = clusters(&|_| true);
        rest.retain(|name| !written.contains(name) && !unknown.contains(name));
        stored.clusters = by_clusters("INSERT", written, unknown, rest);
    }
    error
}

/// What of a write is stored in which clusters, for the log.
pub(in crate::session) fn by_clusters(
    what: &str,
    written: BTreeSet<String>,
    unknown: BTreeSet<String>,
    rest: BTreeSet<String>,
) -> String {
    let [written, unknown, rest] = [written, unknown, rest].map(|names| Vec::from_iter(names).join(", "));
    format!("{what}: stored in [{written}], may be stored in [{unknown}], not stored in [{rest}]")
}

/// The name of a row's cluster.
pub(super) fn cluster_of(topology: &Topology, row: &RowKey) -> String {
    let (_, number) = topology.locate(row.as_bytes());
    topology.cluster(number).map_or_else(|| number.to_string(), |entry| entry.name.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cellgate_schemaless::{AddedId, Body, ColumnKey, Micros, RefKey, ShardId, TableDef, Version};
    use cellgate_store::{Reason, StoreError};

    use super::*;
    use crate::errors;
    use crate::incidents::Incidents;

    /// An INSERT of rows without `ref_key`.
    fn put(rows: usize) -> Put {
        let table = TableDef::new(1, "d", "t", 0);
        let cell = |row: usize| NewCell {
            row: RowKey::from_store(format!("r{row}").into_bytes()),
            column: ColumnKey::from_store(b"c".to_vec()),
            version: Version::Next,
            body: Body::from_store(b"1".to_vec()),
        };
        Put {
            table: Arc::new(table),
            cells: (1..=rows).map(cell).collect(),
            rows: (0..rows).collect(),
            of_declared: false,
            ignore: false,
            returning: None,
            places_ignored: false,
        }
    }

    fn cluster(error: StoreError) -> RunError {
        RunError::Cluster { cluster: "b".to_owned(), error }
    }

    fn failed(error: RunError) -> CellFate {
        CellFate::Failed(Arc::new(error))
    }

    fn lost() -> CellFate {
        failed(cluster(StoreError::MaybeWritten { detail: "gone".to_owned() }))
    }

    fn no_table() -> RunError {
        cluster(StoreError::NoTable { table: "t_1".to_owned() })
    }

    fn done() -> Written {
        Written { ref_key: RefKey(1), added_id: AddedId(1), shard: ShardId(0), created_at: Micros(1), new: true }
    }

    fn answer(error: &StatementError) -> (u16, String) {
        let reply = errors::reply(error, &Incidents::default());
        (reply.code, reply.message)
    }

    #[test]
    fn an_insert_that_may_be_stored_in_one_cluster_says_so_whatever_another_answered() {
        for other in [CellFate::Conflict(RefKey(1)), failed(RunError::Contended), failed(no_table())] {
            let error = settle(&put(2), vec![other, lost()]).unwrap_err();
            let (code, text) = answer(&error);
            assert!(code == 1429 && text.contains("lost during a write, which may be stored"), "{code} {text}");
            assert!(text.ends_with("; may be stored: row 2 of the statement"), "{text}");
            assert!(!error.suspects_catalog(), "it is not run once more");
        }
        let (code, text) = answer(&settle(&put(2), vec![lost(), lost()]).unwrap_err());
        assert!(code == 1429 && !text.contains("row"), "all of them: {text}");
    }

    #[test]
    fn an_insert_stored_in_one_cluster_has_no_number_that_says_to_repeat_it() {
        let waited = cluster(StoreError::Timeout { reason: Reason::Lock, detail: String::new() });
        for other in [RunError::Contended, waited, no_table()] {
            let error = settle(&put(2), vec![CellFate::Written(done()), failed(other)]).unwrap_err();
            let (code, text) = answer(&error);
            assert!(code == 1180 && text.starts_with("INSERT was done in part: "), "{code} {text}");
            assert!(text.ends_with("; stored in other clusters all the same: row 1 of the statement"), "{text}");
        }
        // A duplicate beside it does not hide that a cluster failed.
        let fates = vec![CellFate::Conflict(RefKey(1)), failed(no_table()), CellFate::Written(done())];
        assert_eq!(answer(&settle(&put(3), fates).unwrap_err()).0, 1180);
        let error = settle(&put(2), vec![failed(RunError::Contended), CellFate::Withheld]).unwrap_err();
        assert_eq!(answer(&error).0, 1213, "nothing is stored");
        let error = settle(&put(2), vec![CellFate::Conflict(RefKey(1)), failed(no_table())]).unwrap_err();
        assert_eq!(answer(&error).0, 1062, "nothing is stored: the first that failed");
    }

    #[test]
    fn a_duplicate_says_what_is_stored_all_the_same_however_long_its_name_is() {
        let mut put = put(30);
        put.cells[0].row = RowKey::from_store(vec![0xff; 1020]);
        let mut fates = vec![CellFate::Written(done()); 30];
        fates[0] = CellFate::Conflict(RefKey(1));
        let (code, text) = answer(&settle(&put, fates).unwrap_err());
        assert!(code == 1062 && text.ends_with("and 9 more of the statement"), "{code} {text}");
    }

    #[test]
    fn an_insert_done_in_part_says_in_which_clusters() {
        let cluster_of = |cell: &NewCell| String::from_utf8_lossy(cell.row.as_bytes()).replace('r', "c");
        let fates = vec![CellFate::Written(done()), lost(), failed(no_table()), CellFate::Withheld];
        match placed(settle(&put(4), fates).unwrap_err(), &put(4), cluster_of) {
            StatementError::Write { stored, .. } => {
                assert_eq!(stored.clusters, "INSERT: stored in [c1], may be stored in [c2], not stored in [c3, c4]")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_insert_ignore_that_fails_at_a_later_look_says_what_is_stored() {
        let first = vec![None, None];
        let later = vec![Some(done()), None];
        let timeout = || Err(StatementError::Timeout { detail: "" });

        let error = looked_up::<()>(Ok(Err(no_table())), &put(2), &first).unwrap_err();
        assert!(error.suspects_catalog(), "nothing is stored: it may run once more");
        let error = looked_up::<()>(Ok(Err(no_table())), &put(2), &later).unwrap_err();
        assert!(!error.suspects_catalog(), "the first row would be stored twice");
        let (code, text) = answer(&error);
        assert!(code == 1180 && text.ends_with("all the same: row 1 of the statement"), "{code} {text}");

        assert!(!answer(&looked_up::<()>(timeout(), &put(2), &first).unwrap_err()).1.contains("stored"));
        let (code, text) = answer(&looked_up::<()>(timeout(), &put(2), &later).unwrap_err());
        assert!(code == 3024 && text.contains("the rows may be stored"), "{code} {text}");
    }
}
