//! Erasing, a step at a time.
//!
//! What a step erases is looked for without a lock, so that others have the log head meanwhile; then it is erased by
//! id. A cell that is committed in between was not acknowledged when the erasure began, and may be left.

use cellgate_metrics::Operation;
use cellgate_schemaless::{AddedId, CellKind, ColumnKey, Epoch, Erasure, RefKey, TableRef, Triple};

use crate::backend::{EraseStep, Erased};
use crate::engine::server::core::{Changed, Core};
use crate::engine::server::driver::{Driver, Guard, Value};
use crate::error::StoreError;

/// Does one step.
pub(super) async fn erase<D: Driver>(
    core: &Core<D>,
    epoch: Epoch,
    table: &TableRef,
    what: &Erasure,
    step: &EraseStep,
) -> Result<Erased, StoreError> {
    let dialect = core.dialect();
    let (change, last) = match what {
        Erasure::Cell(name) => (Some(dialect.erase_cell(table, name, step.up_to)), None),
        Erasure::Row(_) | Erasure::Column(..) => {
            let (cells, last) = look(core, table, what, step).await?;
            if cells.is_empty() && last.is_some() {
                return Ok(Erased { cells: 0, perhaps_more: false, last });
            }
            // Without any, too: that another proxy has erased them may not be safe yet.
            ((!cells.is_empty()).then(|| dialect.erase_ids(table, &cells)), last)
        }
    };
    let Changed { rows, after_loss } = core.change(Operation::Erase, Guard::Head(epoch), change.as_slice()).await?;
    Ok(Erased { cells: rows, perhaps_more: after_loss, last })
}

/// The ids of the cells among the slots of a step, and its last slot if there may be others behind it.
async fn look<D: Driver>(
    core: &Core<D>,
    table: &TableRef,
    what: &Erasure,
    step: &EraseStep,
) -> Result<(Vec<AddedId>, Option<Triple>), StoreError> {
    let (mut cells, mut slots, mut after) = (Vec::new(), 0, step.after.clone());
    // A page has no more slots than may be erased: mostly all of them are cells, and no other is read.
    'pages: loop {
        let mut in_page = 0;
        for query in core.dialect().slots(table, what, after.as_ref(), step.up_to, u64::from(step.slots)) {
            for slot in core.fetch(Operation::Erase, &query).await? {
                let [Value::Int(id), Value::Bytes(column), Value::Int(ref_key), Value::Int(kind)] = slot.as_slice()
                else {
                    return Err(StoreError::Corrupt { detail: "a slot has no name".to_owned() }.in_table(table));
                };
                if *kind == CellKind::Cell.code() {
                    cells.push(AddedId(*id));
                }
                (slots, in_page) = (slots + 1, in_page + 1);
                let is_full = cells.len() == step.slots as usize || slots == step.looked_at();
                if is_full || in_page == step.slots {
                    let (row, column) = (what.row().clone(), ColumnKey::from_store(column.clone()));
                    let last = Some(Triple { row, column, ref_key: RefKey(*ref_key) });
                    if is_full {
                        return Ok((cells, last));
                    }
                    after = last;
                    continue 'pages;
                }
            }
        }
        return Ok((cells, None));
    }
}
