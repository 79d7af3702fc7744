//! Queries: set operations, SELECT, FROM.

use super::Parser;
use crate::ast::Name;
use crate::error::{SqlError, limit, unsupported};
use crate::parse::select::{CLAUSES, display_name, star_qualifier};
use crate::parse::tokens::{Kind, Symbol};
use crate::relational::ast::{Body, Core, JoinKind, JoinOn, Query, RelExpr, RelItem, RelLimit, SetOperator, TableRef};

/// Most tables of one FROM, as in MySQL.
const TABLES: usize = 61;
/// Most operands of a set operation: each is a SELECT of its own for SQLite, which takes 500.
const OPERANDS: usize = 400;

/// Words that end a table reference.
const JOIN_WORDS: [&str; 7] = ["JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "STRAIGHT_JOIN"];

/// Words that follow a query in parentheses to make a longer one.
const AFTER_QUERY: [&str; 7] = ["UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT", "FOR", "LOCK"];

/// The error of SQL_CALC_FOUND_ROWS that is not in the one SELECT of the statement itself.
pub(super) fn counts_elsewhere() -> SqlError {
    unsupported("SQL_CALC_FOUND_ROWS in a UNION, a subquery or parentheses", "count with SELECT COUNT(*)")
}

impl Parser<'_, '_> {
    /// A query with ORDER BY and LIMIT.
    pub(super) fn query(&mut self) -> Result<Query, SqlError> {
        self.deeper(|this| {
            if this.reader.sees(&["WITH"]) {
                return Err(unsupported("a common table expression", "write it as a derived table"));
            }
            this.queries += 1;
            let body = this.set()?;
            let order_by = this.order_by()?;
            let limit = this.limit()?;
            if this.reader.sees(&["PROCEDURE"]) {
                return Err(unsupported("PROCEDURE", "leave it out"));
            }
            this.into()?;
            this.locking()?;
            this.into()?;
            this.queries -= 1;
            Ok(Query { body, order_by, limit, depth: 0, into: Vec::new(), counts: false, assigned: Vec::new() })
        })
    }

    /// `a UNION b EXCEPT c`; INTERSECT binds closer.
    fn set(&mut self) -> Result<Body, SqlError> {
        let first = self.intersection()?;
        let mut rest = Vec::new();
        loop {
            let operator = if self.reader.take(&["UNION"]) {
                if self.reader.take(&["ALL"]) { SetOperator::UnionAll } else { SetOperator::Union }
            } else if self.reader.take(&["EXCEPT"]) {
                SetOperator::Except
            } else {
                break;
            };
            if self.reader.take(&["ALL"]) {
                return Err(unsupported("EXCEPT ALL", "use EXCEPT"));
            }
            self.reader.take(&["DISTINCT"]);
            rest.push((operator, self.intersection()?));
            if rest.len() >= OPERANDS {
                return Err(limit("the number of UNIONs", OPERANDS, "unions"));
            }
        }
        Ok(if rest.is_empty() { first } else { Body::Set(Box::new(first), rest) })
    }

    fn intersection(&mut self) -> Result<Body, SqlError> {
        let first = self.operand()?;
        let mut rest = Vec::new();
        while self.reader.take(&["INTERSECT"]) {
            if self.reader.take(&["ALL"]) {
                return Err(unsupported("INTERSECT ALL", "use INTERSECT"));
            }
            self.reader.take(&["DISTINCT"]);
            rest.push((SetOperator::Intersect, self.operand()?));
            if rest.len() >= OPERANDS {
                return Err(limit("the number of INTERSECTs", OPERANDS, "unions"));
            }
        }
        Ok(if rest.is_empty() { first } else { Body::Set(Box::new(first), rest) })
    }

    fn operand(&mut self) -> Result<Body, SqlError> {
        if self.reader.take_symbol(Symbol::Open) {
            let query = self.query()?;
            self.reader.expect_symbol(Symbol::Close, ")")?;
            return Ok(Body::Query(Box::new(query)));
        }
        self.reader.expect(&["SELECT"])?;
        self.core().map(|core| Body::Select(Box::new(core)))
    }

    /// SELECT up to HAVING, from behind the word.
    fn core(&mut self) -> Result<Core, SqlError> {
        let (distinct, counts) = crate::parse::select::modifiers(self.reader)?;
        if counts && self.queries > 1 {
            return Err(counts_elsewhere());
        }
        self.counts |= counts;
        let own = self.queries == 1;
        self.assignments.listing |= own;
        let mut items = vec![self.item()?];
        while self.reader.take_symbol(Symbol::Comma) {
            items.push(self.item()?);
        }
        if own {
            self.assignments.listing = false;
            items.extend(self.hidden_items(self.reader.sees(&["FROM"]), distinct)?);
        }
        self.into()?;
        let mut core = Core { distinct, items, ..Core::default() };
        if self.reader.take(&["FROM"]) {
            core.from = self.from()?;
        }
        if self.reader.take(&["WHERE"]) {
            core.condition = Some(self.expression()?);
        }
        if self.reader.take(&["GROUP", "BY"]) {
            core.group_by = self.expressions()?;
            if self.reader.sees_any(&["ASC", "DESC"]) {
                return Err(unsupported("GROUP BY with an order", "use ORDER BY"));
            }
            if self.reader.sees(&["WITH", "ROLLUP"]) {
                return Err(unsupported("WITH ROLLUP", "sum up in the application"));
            }
        }
        if self.reader.take(&["HAVING"]) {
            core.having = Some(self.expression()?);
        }
        if self.reader.sees(&["WINDOW"]) {
            return Err(unsupported("WINDOW", "write the window behind OVER"));
        }
        self.into()?;
        Ok(core)
    }

    /// `INTO @a, @b` where it may stand: once, in the statement's own query.
    fn into(&mut self) -> Result<(), SqlError> {
        if !self.reader.sees(&["INTO"]) {
            return Ok(());
        }
        if self.queries > 1 || !self.into.is_empty() {
            return Err(self.reader.error("INTO stands once, and not in a subquery"));
        }
        self.into = crate::parse::select::into(self.reader)?;
        if self.reader.sees_any(&["UNION", "EXCEPT", "INTERSECT"]) {
            return Err(self.reader.error("INTO stands behind the last SELECT"));
        }
        Ok(())
    }

    fn item(&mut self) -> Result<RelItem, SqlError> {
        if self.reader.take_symbol(Symbol::Star) {
            return Ok(RelItem::All);
        }
        if let Some(qualifier) = star_qualifier(self.reader) {
            return Ok(RelItem::AllOf(qualifier));
        }
        let from = self.reader.at;
        let expression = self.expression()?;
        let expression = self.settled(expression)?;
        let written = self.reader.written(from).to_owned();
        let alias = crate::parse::select::alias(self.reader, true)?;
        Ok(RelItem::Expression { expression, alias, written: display_name(self.reader, from, written) })
    }

    /// What FROM reads; `None` for DUAL.
    fn from(&mut self) -> Result<Option<TableRef>, SqlError> {
        if self.reader.take(&["DUAL"]) {
            return Ok(None);
        }
        let mut tables = 0;
        let mut left = self.joins(&mut tables)?;
        while self.reader.take_symbol(Symbol::Comma) {
            let right = self.joins(&mut tables)?;
            left = join(JoinKind::Inner, left, right, JoinOn::Always);
        }
        Ok(Some(left))
    }

    /// Tables joined by JOIN.
    fn joins(&mut self, tables: &mut usize) -> Result<TableRef, SqlError> {
        let mut left = self.table(tables)?;
        loop {
            let natural = self.reader.take(&["NATURAL"]);
            let kind = if self.reader.take(&["LEFT"]) {
                self.reader.take(&["OUTER"]);
                JoinKind::Left
            } else if self.reader.take(&["RIGHT"]) {
                self.reader.take(&["OUTER"]);
                JoinKind::Right
            } else {
                if self.reader.take(&["STRAIGHT_JOIN"]) {
                    let right = self.table(tables)?;
                    let on = self.on()?;
                    left = join(JoinKind::Inner, left, right, on);
                    continue;
                }
                let inner = self.reader.take_any(&["INNER", "CROSS"]).is_some();
                if !inner && !natural && !self.reader.sees(&["JOIN"]) {
                    return Ok(left);
                }
                JoinKind::Inner
            };
            self.reader.expect(&["JOIN"])?;
            let right = self.table(tables)?;
            let on = if natural { JoinOn::Natural } else { self.on()? };
            if on == JoinOn::Always && kind != JoinKind::Inner {
                return Err(self.reader.error("expected ON or USING"));
            }
            left = join(kind, left, right, on);
        }
    }

    fn on(&mut self) -> Result<JoinOn, SqlError> {
        if self.reader.take(&["ON"]) {
            return self.expression().map(JoinOn::On);
        }
        if self.reader.take(&["USING"]) {
            return self.names().map(JoinOn::Using);
        }
        Ok(JoinOn::Always)
    }

    /// `(a, b, ..)`
    fn names(&mut self) -> Result<Vec<String>, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        let mut names = vec![self.reader.name()?];
        while self.reader.take_symbol(Symbol::Comma) {
            names.push(self.reader.name()?);
        }
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(names)
    }

    fn table(&mut self, tables: &mut usize) -> Result<TableRef, SqlError> {
        *tables += 1;
        if *tables > TABLES {
            return Err(limit("the number of tables in a FROM", TABLES, "tables"));
        }
        if self.reader.sees(&["LATERAL"]) {
            return Err(unsupported("LATERAL", "write it as a subquery in the select list"));
        }
        if self.reader.sees(&["JSON_TABLE"]) {
            return Err(unsupported("JSON_TABLE", "take the JSON apart in the application"));
        }
        if self.reader.sees_symbol(Symbol::Open) {
            return if self.opens_query() { self.derived() } else { self.nested_joins(tables) };
        }
        let (database, table) = self.reader.qualified()?;
        if self.reader.sees(&["PARTITION"]) {
            return Err(unsupported("PARTITION in a join", "read the partition by itself"));
        }
        if self.reader.sees(&["FOR", "SYSTEM_TIME"]) {
            return Err(unsupported("FOR SYSTEM_TIME", "read older versions with ref_key <= n"));
        }
        let alias = self.alias()?;
        self.index_hints()?;
        Ok(TableRef::Named { name: Name { database, table }, alias })
    }

    /// Whether the parentheses that open here hold a query rather than joined tables or an expression.
    pub(super) fn opens_query(&self) -> bool {
        let is_symbol = |at, symbol| self.reader.peek_at(at).is_some_and(|t| t.is_symbol(symbol));
        let is_word = |at, words: &[&str]| {
            self.reader.peek_at(at).is_some_and(|t| words.iter().any(|w| t.is(self.reader.text, w)))
        };
        let opened = (0..).take_while(|at| is_symbol(*at, Symbol::Open)).count();
        if opened == 0 || !is_word(opened, &["SELECT", "WITH"]) {
            return false;
        }
        // The innermost of the parentheses hold a query. Each of the others does if nothing follows the one in it that
        // could not follow a query: in `((SELECT 1) + 2)` they hold an expression.
        let (mut depth, mut innermost, mut at) = (opened, opened, opened);
        while innermost > 1 && self.reader.peek_at(at).is_some() {
            if is_symbol(at, Symbol::Open) {
                depth += 1;
            } else if is_symbol(at, Symbol::Close) {
                depth -= 1;
                if depth < innermost {
                    innermost = depth;
                    if !is_symbol(at + 1, Symbol::Close) && !is_word(at + 1, &AFTER_QUERY) {
                        return false;
                    }
                }
            }
            at += 1;
        }
        true
    }

    fn derived(&mut self) -> Result<TableRef, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        let query = self.query()?;
        self.reader.expect_symbol(Symbol::Close, ")")?;
        let Some(alias) = self.alias()? else { return Err(crate::relational::RelationalError::NoAlias.into()) };
        let columns = if self.reader.sees_symbol(Symbol::Open) { self.names()? } else { Vec::new() };
        Ok(TableRef::Derived { query: Box::new(query), alias, columns })
    }

    fn nested_joins(&mut self, tables: &mut usize) -> Result<TableRef, SqlError> {
        self.deeper(|this| {
            this.reader.expect_symbol(Symbol::Open, "(")?;
            *tables = tables.saturating_sub(1);
            let mut left = this.joins(tables)?;
            while this.reader.take_symbol(Symbol::Comma) {
                let right = this.joins(tables)?;
                left = join(JoinKind::Inner, left, right, JoinOn::Always);
            }
            this.reader.expect_symbol(Symbol::Close, ")")?;
            Ok(left)
        })
    }

    /// `[AS] name`, where a word that begins a join is no name.
    fn alias(&mut self) -> Result<Option<String>, SqlError> {
        if self.reader.take(&["AS"]) {
            return self.reader.name().map(Some);
        }
        match self.reader.peek() {
            Some(token) if token.kind == Kind::Quoted => self.reader.name().map(Some),
            Some(token)
                if token.kind == Kind::Word
                    && !CLAUSES.iter().chain(&JOIN_WORDS).any(|c| token.is(self.reader.text, c)) =>
            {
                self.reader.name().map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// `USE | FORCE | IGNORE INDEX (..)`, which never change a result.
    fn index_hints(&mut self) -> Result<(), SqlError> {
        while self.reader.take_any(&["USE", "FORCE", "IGNORE"]).is_some() {
            if self.reader.take_any(&["INDEX", "KEY"]).is_none() {
                return Err(self.reader.error("expected INDEX"));
            }
            if self.reader.take(&["FOR"]) && !self.reader.take(&["JOIN"]) {
                self.reader.take_any(&["ORDER", "GROUP"]);
                self.reader.expect(&["BY"])?;
            }
            self.reader.expect_symbol(Symbol::Open, "(")?;
            self.reader.skip_parenthesis()?;
        }
        Ok(())
    }

    pub(super) fn order_by(&mut self) -> Result<Vec<(RelExpr, bool)>, SqlError> {
        let mut order = Vec::new();
        if self.reader.take(&["ORDER", "BY"]) {
            loop {
                let expression = self.expression()?;
                let descending = self.reader.take_any(&["ASC", "DESC"]) == Some("DESC");
                order.push((expression, descending));
                if !self.reader.take_symbol(Symbol::Comma) {
                    break;
                }
            }
        }
        Ok(order)
    }

    /// A number of rows, as LIMIT takes it.
    fn rows(&mut self) -> Result<RelExpr, SqlError> {
        self.reader.refuse_sign()?;
        self.expression()
    }

    fn limit(&mut self) -> Result<RelLimit, SqlError> {
        if !self.reader.take(&["LIMIT"]) {
            return Ok(RelLimit::default());
        }
        let first = self.rows()?;
        if self.reader.take_symbol(Symbol::Comma) {
            return Ok(RelLimit { count: Some(self.rows()?), offset: Some(first) });
        }
        let offset = if self.reader.take(&["OFFSET"]) { Some(self.rows()?) } else { None };
        Ok(RelLimit { count: Some(first), offset })
    }

    /// Rows of the relational engine belong to the statement alone: there is nothing to lock.
    fn locking(&mut self) -> Result<(), SqlError> {
        loop {
            if self.reader.take(&["LOCK", "IN", "SHARE", "MODE"]) {
                continue;
            }
            if !self.reader.take(&["FOR", "UPDATE"]) && !self.reader.take(&["FOR", "SHARE"]) {
                return Ok(());
            }
            if self.reader.take(&["OF"]) {
                self.reader.name()?;
                while self.reader.take_symbol(Symbol::Comma) {
                    self.reader.name()?;
                }
            }
            if self.reader.take(&["WAIT"]) {
                self.reader.number()?;
            } else if !self.reader.take(&["NOWAIT"]) {
                self.reader.take(&["SKIP", "LOCKED"]);
            }
        }
    }
}

fn join(kind: JoinKind, left: TableRef, right: TableRef, on: JoinOn) -> TableRef {
    TableRef::Join { kind, left: Box::new(left), right: Box::new(right), on }
}
