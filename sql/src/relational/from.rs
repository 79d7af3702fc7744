//! FROM: which columns can be named, and how the tables are joined.

use std::collections::HashSet;

use super::ast::{JoinKind, JoinOn, TableRef};
use super::binder::Binder;
use super::kept_rows;
use super::print::{Aggregates, Place};
use super::query::Bound;
use super::scope::{Collation, Column, Origin, Scope, Source};
use super::{Program, Relation, RelationalError, Result};
use crate::ast::Name;
use crate::error::{SqlError, limit, unsupported};
use crate::expression::{Comparison, Operator, Type};

/// Most tables that can be named at one place, those of the queries around it among them: a name is looked for in each.
const REACH: usize = 256;

impl Binder<'_> {
    /// The SQL of a FROM; its tables become part of `scope`.
    pub fn from(&mut self, from: &TableRef, scope: &mut Scope<'_>, outer: Option<&Scope<'_>>) -> Result<String> {
        self.tables(from, scope, outer, from.has_right_join())
    }

    /// The same of a part of a FROM, which has a RIGHT JOIN or not.
    fn tables(
        &mut self,
        from: &TableRef,
        scope: &mut Scope<'_>,
        outer: Option<&Scope<'_>>,
        beside_right: bool,
    ) -> Result<String> {
        match from {
            TableRef::Named { name, alias } => self.named(name, alias.as_deref(), scope),
            TableRef::Derived { query, alias, columns } => {
                let bound = self.query(query, outer)?;
                self.derived(bound, alias, columns, scope)
            }
            TableRef::Join { kind, left, right, on } => {
                self.join((*kind, on), (left, right), scope, outer, beside_right)
            }
        }
    }

    fn named(&mut self, name: &Name, alias: Option<&str>, scope: &mut Scope<'_>) -> Result<String> {
        let database = match (&name.database, self.env.database()) {
            (Some(database), _) => database.clone(),
            (None, Some(database)) => database.to_owned(),
            (None, None) => return Err(SqlError::NoDatabase),
        };
        let relation = self.relation(&database, &name.table)?;
        let number = self.number();
        let column = |c: &'static super::RelationColumn| Column {
            name: c.name.to_owned(),
            sql: format!("t{number}.\"{}\"", c.name),
            // Times of relations are in whole seconds.
            ty: Type { length: c.length, decimals: 0, nullable: c.nullable, ..Type::of(c.ty) },
            collation: column_collation(c.fold),
            origin: Some(Origin {
                database: relation.database,
                table: relation.name,
                own_spelling: relation.own_spelling,
                column: c.name,
            }),
            hidden: false,
        };
        let alias = alias.unwrap_or(relation.name).to_owned();
        let database = Some(relation.database.to_owned());
        let columns: Vec<Column> = relation.columns.iter().map(column).collect();
        self.hold(columns.iter().map(Column::size).sum())?;
        add(scope, Source::new(database, alias, columns))?;
        Ok(format!("\"{}\" AS t{number}", Program::table_name(relation)))
    }

    fn relation(&mut self, database: &str, table: &str) -> Result<&'static Relation> {
        if let Some(relation) = self.env.relation(database, table) {
            if !self.relations.contains(&relation) {
                self.relations.push(relation);
            }
            return Ok(relation);
        }
        if self.env.is_system_database(database) {
            // information_schema says "Unknown table 'X' in information_schema"; the others are databases like any.
            return Err(if database.eq_ignore_ascii_case("information_schema") {
                let database = "information_schema".to_owned();
                RelationalError::UnknownTable { table: table.to_uppercase(), database }.into()
            } else {
                SqlError::UnknownTable { database: database.to_owned(), table: table.to_owned() }
            });
        }
        if self.env.table(database, table).is_some() {
            return Err(not_held(table));
        }
        Err(SqlError::UnknownTable { database: database.to_owned(), table: table.to_owned() })
    }

    fn derived(&mut self, bound: Bound, alias: &str, names: &[String], scope: &mut Scope<'_>) -> Result<String> {
        if !names.is_empty() && names.len() != bound.columns.len() {
            return Err(RelationalError::NameCount.into());
        }
        let number = self.number();
        let inner: Vec<String> = bound.columns.iter().map(|column| column.sql.clone()).collect();
        let mut columns: Vec<Column> = Vec::with_capacity(bound.columns.len());
        let mut met = HashSet::with_capacity(bound.columns.len());
        for (i, column) in bound.columns.into_iter().enumerate() {
            let name = names.get(i).cloned().unwrap_or(column.name);
            if !met.insert(name.to_lowercase()) {
                return Err(SqlError::DuplicateColumn(name));
            }
            let sql = format!("t{number}.{}", column.sql);
            columns.push(Column { name, sql, origin: None, hidden: false, ..column });
        }
        let mut source = Source::new(None, alias.to_owned(), columns);
        source.counted = Some(kept_rows::is_counted(number));
        add(scope, source)?;
        Ok(format!("{} AS t{number}", kept_rows::derived(&bound.sql, &inner)))
    }

    fn join(
        &mut self,
        (kind, on): (JoinKind, &JoinOn),
        (left, right): (&TableRef, &TableRef),
        scope: &mut Scope<'_>,
        outer: Option<&Scope<'_>>,
        beside_right: bool,
    ) -> Result<String> {
        let (start, starred) = (scope.sources.len(), scope.starred.len());
        let left_sql = self.tables(left, scope, outer, beside_right)?;
        let middle = scope.sources.len();
        let sides = Sides { start, middle, starred, starred_right: scope.starred.len() };
        let right_sql = self.tables(right, scope, outer, beside_right)?;
        let right_sql = self.right_side(right_sql, (kind, on, right), &mut scope.sources[middle..], beside_right);
        let joiner = match kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
        };
        let condition = match on {
            JoinOn::Always => String::new(),
            JoinOn::On(e) => {
                // It sees the joined tables, not those before a comma.
                let joined = Scope { sources: scope.sources.split_off(start), ..Scope::new(scope.outer) };
                let printed = self.print(e, Place::new(&joined, "on clause", Aggregates::Forbidden));
                scope.sources.extend(joined.sources);
                format!(" ON {}", self.condition(&printed?)?)
            }
            JoinOn::Using(names) => self.using(kind, names, scope, &sides)?,
            JoinOn::Natural => {
                let names = common_names(&scope.sources[start..middle], &scope.sources[middle..]);
                self.using(kind, &names, scope, &sides)?
            }
        };
        // The side that may have no row has NULLs then.
        let may_lack = match kind {
            JoinKind::Inner => 0..0,
            JoinKind::Left => middle..scope.sources.len(),
            JoinKind::Right => start..middle,
        };
        for column in scope.sources[may_lack].iter_mut().flat_map(|source| &mut source.columns) {
            column.ty.nullable = true;
        }
        Ok(format!("{left_sql} {joiner} {right_sql}{condition}"))
    }

    /// Columns of one name become one column: that of the side that always has a row.
    fn using(&mut self, kind: JoinKind, names: &[String], scope: &mut Scope<'_>, sides: &Sides) -> Result<String> {
        let Sides { start, middle, .. } = *sides;
        let (mut conditions, mut made_one) = (Vec::new(), Vec::new());
        for name in names {
            let left = find(&scope.sources[start..middle], name)?;
            let right = find(&scope.sources[middle..], name)?;
            let left_at = (start + left.0, left.1);
            let right_at = (middle + right.0, right.1);
            let (a, b) = (
                super::print::Printed::column(&scope.sources[left_at.0].columns[left_at.1]),
                super::print::Printed::column(&scope.sources[right_at.0].columns[right_at.1]),
            );
            let equal = self.operate(Operator::Compare(Comparison::Equal), a, b)?;
            let equal = self.condition(&equal)?;
            self.hold(equal.len())?;
            conditions.push(equal);
            let (kept, hidden) = if kind == JoinKind::Right { (right_at, left_at) } else { (left_at, right_at) };
            scope.sources[hidden.0].columns[hidden.1].hidden = true;
            made_one.push((kept, hidden));
        }
        sides.star(kind, &mut scope.starred, &made_one);
        Ok(if conditions.is_empty() { String::new() } else { format!(" ON {}", conditions.join(" AND ")) })
    }
}

/// The place of a column: that of its table, and its own.
type At = (usize, usize);

/// Where the two sides of a join begin, among the tables and among the columns of `*`.
struct Sides {
    start: usize,
    middle: usize,
    starred: usize,
    starred_right: usize,
}

impl Sides {
    /// Puts what USING made one in front, then what else the side has that always has a row, then the other one.
    fn star(&self, kind: JoinKind, starred: &mut Vec<At>, made_one: &[(At, At)]) {
        let right = starred.split_off(self.starred_right);
        let left = starred.split_off(self.starred);
        let (first, second) = if kind == JoinKind::Right { (right, left) } else { (left, right) };
        let (kept, hidden): (HashSet<At>, HashSet<At>) = made_one.iter().copied().unzip();
        let (one, rest): (Vec<At>, Vec<At>) = first.into_iter().partition(|at| kept.contains(at));
        starred.extend(one.into_iter().chain(rest));
        starred.extend(second.into_iter().filter(|at| !hidden.contains(at)));
    }
}

fn add(scope: &mut Scope<'_>, source: Source) -> Result<()> {
    let same = |s: &Source| {
        s.alias.eq_ignore_ascii_case(&source.alias) && (s.database == source.database || s.database.is_none())
    };
    if scope.sources.iter().any(same) {
        return Err(RelationalError::NotUnique(source.alias).into());
    }
    if scope.reach() >= REACH {
        return Err(limit("the number of tables of a SELECT and of those around it", REACH, "tables"));
    }
    let place = scope.sources.len();
    scope.starred.extend((0..source.columns.len()).map(|column| (place, column)));
    scope.sources.push(source);
    Ok(())
}

/// The place of the one visible column of this name.
fn find(sources: &[Source], name: &str) -> Result<(usize, usize)> {
    let mut found = None;
    let lower = name.to_lowercase();
    for (i, source) in sources.iter().enumerate() {
        for (j, column) in source.named(&lower) {
            if column.hidden {
                continue;
            }
            if found.is_some() {
                let column = name.to_owned();
                return Err(RelationalError::Ambiguous { column, clause: "from clause" }.into());
            }
            found = Some((i, j));
        }
    }
    let column = || SqlError::UnknownColumn { column: name.to_owned(), clause: "from clause", hint: String::new() };
    found.ok_or_else(column)
}

fn common_names(left: &[Source], right: &[Source]) -> Vec<String> {
    let visible = |sources: &[Source]| -> Vec<String> {
        sources.iter().flat_map(|s| s.columns.iter().filter(|c| !c.hidden).map(|c| c.name.clone())).collect()
    };
    let right: HashSet<String> = visible(right).iter().map(|name| name.to_lowercase()).collect();
    let is_common = |name: &String| right.contains(&name.to_lowercase());
    visible(left).into_iter().filter(is_common).collect()
}

/// The refusal of a table the engine does not hold.
fn not_held(name: &str) -> SqlError {
    unsupported(
        &format!("a join, subquery or set operation over the table {name}"),
        "read the tables one by one; IN (..) takes many keys at once",
    )
}

/// The collation of a column of a relation.
fn column_collation(fold: bool) -> Collation {
    Collation { fold, strength: 1 }
}
