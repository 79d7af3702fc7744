//! DELETE: which cells are erased.

use cellgate_schemaless::Erasure;

use super::condition::{analyse, numbers_only};
use super::keys::{Room, Tuples};
use super::scope::Session;
use super::select;
use super::view::View;
use crate::ast::{Delete, Limit};
use crate::command::Erase;
use crate::error::{SqlError, unsupported};

/// Binds a DELETE: its condition must say exactly which rows, columns or cells by their keys.
pub(super) fn bind(delete: &Delete, session: &Session<'_>) -> Result<Erase, SqlError> {
    let refused = |what: &str| {
        unsupported(what, "erase by key: DELETE FROM t WHERE row_key = ? [AND column_key = ? [AND ref_key = ?]]")
    };
    let table = super::written(session.env, &delete.from.name)?;
    if delete.from.partitions.is_some() {
        return Err(refused("DELETE .. PARTITION"));
    }
    let Some(condition) = &delete.condition else { return Err(refused("DELETE without WHERE")) };
    let mut view = View::new(table.clone(), delete.from.alias.as_deref());
    view.note(condition, "where clause")?;
    if view.is_rows() {
        return Err(refused("DELETE by a row-shape column"));
    }
    let bound = session.bind_erasing(condition, &mut |parts| view.slot(parts, "where clause"))?;
    numbers_only(&bound)?;
    let keys = analyse(&bound, &Room::new());
    let limit = Limit { count: delete.limit.clone(), offset: None };
    let (most, _) = select::limit(&limit, session)?;
    if keys.is_nothing() || most == Some(0) {
        return Ok(Erase { table, what: Vec::new() });
    }
    let given = keys.dimensions();
    if !keys.exact || given.shards || given.added || given.created {
        return Err(refused("DELETE by anything but keys"));
    }
    if let Some(most) = most {
        // Which of them go if there are more is for nobody to say.
        let cells = keys.triples().filter(|triples| triples.len() as u64 <= most);
        let what = "DELETE with a LIMIT below the number of cells it names, or of more than cells,";
        let cells = cells.ok_or_else(|| refused(what))?;
        return Ok(Erase { table, what: cells.into_iter().map(Erasure::Cell).collect() });
    }
    let chain = |c: cellgate_schemaless::Chain| Erasure::Column(c.row, c.column);
    let what = match (keys.triples(), keys.chains(), keys.rows.only(), &keys.tuples) {
        (Some(triples), _, _, _) => triples.into_iter().map(Erasure::Cell).collect(),
        (None, _, _, None) if given.refs && !given.rows => return Err(refused("DELETE without row_key")),
        (None, _, _, None) if given.refs && !given.columns => {
            return Err(refused("DELETE by ref_key without column_key"));
        }
        (None, _, _, _) if given.refs => return Err(refused("DELETE of so many keys")),
        (None, _, _, _) if given.range => return Err(refused("DELETE by a range of ref_key")),
        (None, Some(chains), _, _) => chains.into_iter().map(chain).collect(),
        (None, None, _, Some(Tuples::Chains(_) | Tuples::Triples(_))) => return Err(refused("DELETE of so many keys")),
        (None, None, Some(rows), None) if !given.columns => rows.iter().cloned().map(Erasure::Row).collect(),
        (None, None, _, None) => return Err(refused("DELETE without row_key")),
    };
    Ok(Erase { table, what })
}
