//! Templates: statements whose shape is known, so that executing them is filling in their parameters.
//!
//! Almost everything that a busy client sends is one of three shapes: one cell by its name, the latest cell of a chain,
//! one cell to write. For these the names are looked up once, when the statement is planned; after that neither the
//! parser nor the binder is on the way. A template never decides anything the long way would decide otherwise: whatever
//! is unusual (a key that cannot be one, a number as a row key, NULL) is left to [`crate::bind()`], and the tests
//! compare the two.

pub(crate) mod normal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cellgate_schemaless::{Body, Cell, ColumnKey, LatestKey, Micros, RefKey, RowKey, TableDef, TableRef, Triple};

use crate::ast::{Insert, Item, Parsed, Select};
use crate::bind::View;
use crate::columns::CellColumn;
use crate::environment::Environment;
use crate::expression::{Comparison, Expression, Leaf, Operator, Slot};
use crate::parse::{Expr, Statement};
use crate::value::{ColumnMeta, Value};

/// Most result columns of a template: a cell has seven.
pub const TEMPLATE_COLUMNS: usize = 8;

/// A statement that is planned but for its parameters.
#[derive(Clone, Debug)]
pub struct Template {
    table: Arc<TableDef>,
    table_ref: TableRef,
    row: Operand,
    column: Operand,
    kind: Kind,
    columns: Box<[ColumnMeta]>,
    items: Box<[CellColumn]>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Parameter(u16),
    Constant(Value),
}

#[derive(Clone, Debug)]
enum Kind {
    /// One cell by its name; with a LIMIT of at least one, if there is one.
    Get { ref_key: Operand, limit: Option<Operand> },
    /// The highest version, perhaps up to one; `limit` has to be 1.
    Latest { at_most: Option<Operand>, limit: Operand },
    /// One cell.
    Put { ref_key: Operand, body: Operand },
}

/// What a template asks for once its parameters are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filled {
    /// This cell.
    Get(Triple),
    /// The latest cell of a chain.
    Latest(LatestKey),
    /// Write this cell: same bytes = done.
    Put(Triple, Body),
}

/// A value of a cell, where it is. What the text of keys is (text, or bytes that are none) makes no difference to its form in
/// a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellValue<'a> {
    /// NULL.
    Null,
    /// A number: a version, an id, a shard.
    Int(i64),
    /// A key or a body.
    Bytes(&'a [u8]),
    /// A time.
    DateTime(Micros),
}

/// The values of a row, in the order of the columns.
pub type TemplateRow<'a> = [CellValue<'a>; TEMPLATE_COLUMNS];

impl Template {
    /// Whether a statement may have a template, as far as its text alone says.
    pub fn may_be_of(statement: &Statement) -> bool {
        Candidate::of(statement).is_some()
    }

    /// The template of a statement, if it is of a known shape.
    pub fn of(statement: &Statement, env: &dyn Environment) -> Option<Self> {
        match Candidate::of(statement)? {
            Candidate::Select(select) => Self::of_select(select, env),
            Candidate::Insert(insert) => Self::of_insert(insert, env),
        }
    }

    /// The table.
    pub fn table(&self) -> &Arc<TableDef> {
        &self.table
    }

    /// Its physical side.
    pub fn table_ref(&self) -> &TableRef {
        &self.table_ref
    }

    /// The result columns; none for a write.
    pub fn columns(&self) -> &[ColumnMeta] {
        &self.columns
    }

    /// Whether the result has times, which are shown in the session's time zone.
    pub fn shows_time(&self) -> bool {
        self.items.contains(&CellColumn::CreatedAt)
    }

    /// Fills in the parameters; `None` if a value is of a kind that has to go the long way.
    pub fn fill(&self, params: &[Value]) -> Option<Filled> {
        let row = RowKey::new(bytes(self.row.value(params)?)?).ok()?;
        let column = ColumnKey::new(bytes(self.column.value(params)?)?).ok()?;
        match &self.kind {
            Kind::Get { ref_key, limit } => {
                let ref_key = version(ref_key.value(params)?)?;
                match limit.as_ref().map(|limit| limit.value(params)) {
                    None => {}
                    Some(Some(Value::Int(1..) | Value::UInt(1..))) => {}
                    Some(_) => return None,
                }
                Some(Filled::Get(Triple { row, column, ref_key }))
            }
            Kind::Latest { at_most, limit } => {
                if !matches!(limit.value(params)?, Value::Int(1) | Value::UInt(1)) {
                    return None;
                }
                let at_most = match at_most {
                    None => None,
                    Some(operand) => Some(version(operand.value(params)?)?),
                };
                Some(Filled::Latest(LatestKey { row, column, at_most }))
            }
            Kind::Put { ref_key, body } => {
                let ref_key = version(ref_key.value(params)?)?;
                let body = match body.value(params)? {
                    Value::Text(text) | Value::Bytes(text) | Value::Json(text) => Body::json(text.clone()).ok()?,
                    Value::Null
                    | Value::Int(_)
                    | Value::UInt(_)
                    | Value::Double(_)
                    | Value::Decimal(_)
                    | Value::DateTime(_) => return None,
                };
                Some(Filled::Put(Triple { row, column, ref_key }, body))
            }
        }
    }

    /// The values of a cell; as many as there are columns, the rest is NULL.
    pub fn row<'a>(&self, cell: &'a Cell) -> TemplateRow<'a> {
        let mut row = [CellValue::Null; TEMPLATE_COLUMNS];
        for (value, item) in row.iter_mut().zip(&self.items) {
            *value = match item {
                CellColumn::AddedId => CellValue::Int(cell.added_id.0),
                CellColumn::RowKey => CellValue::Bytes(cell.triple.row.as_bytes()),
                CellColumn::ColumnKey => CellValue::Bytes(cell.triple.column.as_bytes()),
                CellColumn::RefKey => CellValue::Int(cell.triple.ref_key.0),
                CellColumn::Body => match &cell.body {
                    Some(body) => CellValue::Bytes(body.as_bytes()),
                    None => CellValue::Null,
                },
                CellColumn::CreatedAt => CellValue::DateTime(cell.created_at),
                CellColumn::Shard => CellValue::Int(i64::from(cell.shard.0)),
            };
        }
        row
    }

    /// How many bytes the texts of a row of this cell have together: what is bounded of a row.
    pub fn content_bytes(&self, cell: &Cell) -> usize {
        let bytes = |value: &CellValue<'_>| match value {
            CellValue::Bytes(bytes) => bytes.len(),
            CellValue::Null | CellValue::Int(_) | CellValue::DateTime(_) => 0,
        };
        self.row(cell).iter().map(bytes).sum()
    }

    fn of_select(select: &Select, env: &dyn Environment) -> Option<Self> {
        let from = select.from.as_ref()?;
        let view = View::find(env, &from.name, from.alias.as_deref())?;
        let mut columns = Vec::new();
        let mut items = Vec::new();
        // Whether another column goes by the name of the version.
        let mut hidden = false;
        for item in &select.items {
            match item {
                Item::All => {
                    for column in CellColumn::ALL {
                        columns.push(view.meta(Slot(column.slot()), None));
                        items.push(column);
                    }
                }
                Item::Expression { expression: Expression::Leaf(Leaf::Column(parts)), alias, .. } => {
                    let column = view.cell_column(parts)?;
                    // Without an alias it is called as it is written, in whatever case.
                    let name = alias.as_deref().or_else(|| parts.last().map(String::as_str));
                    columns.push(view.meta(Slot(column.slot()), name));
                    items.push(column);
                    hidden |= column != CellColumn::RefKey
                        && alias.as_ref().is_some_and(|alias| alias.to_lowercase() == CellColumn::RefKey.name());
                }
                Item::AllOf(_) | Item::Expression { .. } => return None,
            }
        }
        if items.len() > TEMPLATE_COLUMNS {
            return None;
        }
        let limit = match &select.limit.count {
            Some(count) => Some(operand(count)?),
            None => None,
        };
        let Condition { row, column, version } = Condition::of(select.condition.as_ref()?, &view)?;
        let is_version = |by: &Expr| match by {
            // An alias that is all of a key of ORDER BY comes before the column.
            Expression::Leaf(Leaf::Column(parts)) => {
                view.cell_column(parts) == Some(CellColumn::RefKey) && !(hidden && parts.len() == 1)
            }
            _ => false,
        };
        let kind = match (version, select.order_by.as_slice()) {
            (Version::Is(ref_key), []) => Kind::Get { ref_key, limit },
            (Version::Any, [(by, true)]) if is_version(by) => Kind::Latest { at_most: None, limit: limit? },
            (Version::AtMost(at_most), [(by, true)]) if is_version(by) => {
                Kind::Latest { at_most: Some(at_most), limit: limit? }
            }
            (_, _) => return None,
        };
        let table = view.table;
        let (columns, items) = (columns.into(), items.into());
        Some(Self { table_ref: table.table_ref(), table, row, column, kind, columns, items })
    }

    fn of_insert(insert: &Insert, env: &dyn Environment) -> Option<Self> {
        let ([values], Some(names)) = (insert.rows.as_slice(), &insert.columns) else { return None };
        let mut given: [Option<Operand>; 4] = [const { None }; 4];
        for (name, value) in names.iter().zip(values) {
            let place = match CellColumn::named(name)? {
                CellColumn::RowKey => 0,
                CellColumn::ColumnKey => 1,
                CellColumn::RefKey => 2,
                CellColumn::Body => 3,
                CellColumn::AddedId | CellColumn::CreatedAt | CellColumn::Shard => return None,
            };
            if given[place].replace(operand(value)?).is_some() {
                return None;
            }
        }
        let [Some(row), Some(column), Some(ref_key), Some(body)] = given else { return None };
        let table = View::find(env, &insert.table, None)?.table;
        Some(Self {
            table_ref: table.table_ref(),
            table,
            row,
            column,
            kind: Kind::Put { ref_key, body },
            columns: Box::default(),
            items: Box::default(),
        })
    }
}

/// What may have a template.
enum Candidate<'a> {
    Select(&'a Select),
    Insert(&'a Insert),
}

impl<'a> Candidate<'a> {
    /// A statement that may have one, as far as its text alone says.
    fn of(statement: &'a Statement) -> Option<Self> {
        let is_column = |item: &Item| {
            matches!(item, Item::All | Item::Expression { expression: Expression::Leaf(Leaf::Column(_)), .. })
        };
        if statement.max_execution_time().is_some() {
            return None;
        }
        match statement.parsed() {
            Parsed::Select(select) => {
                let fits = is_plain(select) && select.condition.is_some() && select.items.iter().all(is_column);
                fits.then_some(Self::Select(select))
            }
            Parsed::Insert(insert) => is_single(insert).then_some(Self::Insert(insert)),
            Parsed::Delete(_)
            | Parsed::Relational { .. }
            | Parsed::Wrapped(_)
            | Parsed::Prepared(_)
            | Parsed::Flush(_)
            | Parsed::Ddl(_)
            | Parsed::Set(_)
            | Parsed::Show(_)
            | Parsed::Use(_)
            | Parsed::Transaction(_)
            | Parsed::Explain { .. }
            | Parsed::Account(_)
            | Parsed::Grant(_)
            | Parsed::Lock(_)
            | Parsed::Kill { .. }
            | Parsed::Do(_)
            | Parsed::Refused(_) => None,
        }
    }
}

/// Whether a SELECT does nothing but read some cells of one table.
fn is_plain(select: &Select) -> bool {
    !select.distinct
        && !select.locking
        && !select.counts_all
        && select.into.is_empty()
        && select.group_by.is_empty()
        && select.having.is_none()
        && select.limit.offset.is_none()
        && select.from.as_ref().is_some_and(|from| from.partitions.is_none())
}

/// Whether an INSERT puts one cell, with all of its name.
fn is_single(insert: &Insert) -> bool {
    insert.returning.is_none()
        && !insert.ignore
        && insert.columns.as_ref().is_some_and(|names| names.len() == 4)
        && matches!(insert.rows.as_slice(), [values] if values.len() == 4)
}

/// What a condition says about the version.
enum Version {
    Any,
    Is(Operand),
    AtMost(Operand),
}

/// `row_key = .. AND column_key = .. [AND ref_key {=|<=} ..]`, in any order.
struct Condition {
    row: Operand,
    column: Operand,
    version: Version,
}

impl Condition {
    fn of(condition: &Expr, view: &View) -> Option<Self> {
        let conjuncts = match condition {
            Expression::And(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let (mut row, mut column, mut version) = (None, None, None);
        for conjunct in conjuncts {
            let Expression::Chain(left, rest) = conjunct else { return None };
            let [(Operator::Compare(comparison), right)] = rest.as_slice() else { return None };
            let (parts, comparison, value) = match (left.as_ref(), right) {
                (Expression::Leaf(Leaf::Column(parts)), value) => (parts, *comparison, value),
                (value, Expression::Leaf(Leaf::Column(parts))) => (parts, comparison.flipped(), value),
                (_, _) => return None,
            };
            let value = operand(value)?;
            let twice = match (view.cell_column(parts)?, comparison) {
                (CellColumn::RowKey, Comparison::Equal) => row.replace(value).is_some(),
                (CellColumn::ColumnKey, Comparison::Equal) => column.replace(value).is_some(),
                (CellColumn::RefKey, Comparison::Equal) => version.replace(Version::Is(value)).is_some(),
                (CellColumn::RefKey, Comparison::LessEqual) => version.replace(Version::AtMost(value)).is_some(),
                (_, _) => return None,
            };
            if twice {
                return None;
            }
        }
        Some(Self { row: row?, column: column?, version: version.unwrap_or(Version::Any) })
    }
}

impl Operand {
    fn value<'a>(&'a self, params: &'a [Value]) -> Option<&'a Value> {
        match self {
            Self::Parameter(number) => params.get(usize::from(*number)),
            Self::Constant(value) => Some(value),
        }
    }
}

fn operand(expression: &Expr) -> Option<Operand> {
    match expression {
        Expression::Leaf(Leaf::Parameter(number)) => Some(Operand::Parameter(*number)),
        Expression::Constant(value) => Some(Operand::Constant(value.clone())),
        _ => None,
    }
}

/// The bytes of text or bytes. A number as a key is compared as a number, which is not for here.
fn bytes(value: &Value) -> Option<bytes::Bytes> {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) => Some(bytes.clone()),
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Json(_)
        | Value::DateTime(_) => None,
    }
}

fn version(value: &Value) -> Option<RefKey> {
    match value {
        Value::Int(number) => Some(RefKey(*number)),
        Value::UInt(number) => i64::try_from(*number).ok().map(RefKey),
        Value::Null
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::DateTime(_) => None,
    }
}
