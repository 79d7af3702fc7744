//! The physical schema: tables of cells, and the tables a store keeps about itself.

use cellgate_schemaless::{TableId, TableRef};

use super::{Dialect, Indexes, Sql};

/// Columns of a table: name, type, constraint.
type Columns<'a> = [(&'a str, &'a str, &'a str)];

/// An index: its name, its columns, whether unique.
struct Index<'a> {
    name: String,
    columns: &'a [&'a str],
    unique: bool,
}

impl Dialect {
    /// The index of `table` by triple: [`cell_index`](Self::cell_index) names it.
    pub(crate) fn cell_index(&self, table: TableId) -> String {
        self.index_name("cell", table)
    }

    /// The name of the index of `table` by `(shard, added_id)`.
    pub(crate) fn log_index(&self, table: TableId) -> String {
        self.index_name("log", table)
    }

    fn index_name(&self, what: &str, table: TableId) -> String {
        match self.indexes {
            Indexes::Inline => what.to_owned(),
            // By id: `<physical name>_cell` could be longer than an identifier may be.
            Indexes::Separate => format!("cg_{table}_{what}"),
        }
    }

    /// The statements that create the table of cells unless it is there, in order.
    pub(crate) fn create_cell_table(&self, table: &TableRef) -> Vec<String> {
        // SQLite appends the row id, which is `added_id`, to every index by itself.
        let log: &[&str] = match self.keys {
            super::KeyLists::Single => &["shard"],
            super::KeyLists::TupleIn | super::KeyLists::Unnest => &["shard", "added_id"],
        };
        self.create_table(
            table.physical(),
            &[
                ("added_id", self.big, "NOT NULL PRIMARY KEY"),
                ("shard", self.small, "NOT NULL"),
                ("kind", self.small, "NOT NULL DEFAULT 0"),
                ("def", self.int, "NOT NULL DEFAULT 0"),
                ("ref_key", self.big, "NOT NULL"),
                ("created_at", self.big, "NOT NULL"),
                ("token", self.big, "NOT NULL"),
                ("txn", self.big, "NULL"),
                ("row_key", self.row_key, "NOT NULL"),
                ("column_key", self.column_key, "NOT NULL"),
                ("body", self.body, "NULL"),
            ],
            "",
            &[
                Index { name: self.cell_index(table.id), columns: &["row_key", "column_key", "ref_key"], unique: true },
                Index { name: self.log_index(table.id), columns: log, unique: false },
            ],
            self.cell_table_options,
        )
    }

    /// The statement that drops a table of cells if it is there.
    pub(crate) fn drop_cell_table(&self, table: &TableRef) -> String {
        Sql::new(self).push("DROP TABLE IF EXISTS ").name(table.physical()).finish().text
    }

    /// The statements that create the store's own tables unless they are there, in order.
    pub(crate) fn create_own_tables(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.create_table(
            "cg_cluster",
            &[
                // Always 1: a second identity cannot be written beside the first.
                ("one", self.small, "NOT NULL PRIMARY KEY"),
                ("deployment", self.text, "NOT NULL"),
                ("cluster_no", self.small, "NOT NULL"),
                ("incarnation", self.big, "NOT NULL"),
                ("virtual_shards", self.int, "NOT NULL"),
                ("hash", self.text, "NOT NULL"),
                ("seed", self.big, "NOT NULL"),
                ("format", self.big, "NOT NULL"),
            ],
            "",
            &[],
            self.table_options,
        ));
        all.extend(self.create_table(
            "cg_head",
            &[
                ("head", self.small, "NOT NULL PRIMARY KEY"),
                ("epoch", self.big, "NOT NULL"),
                ("next", self.big, "NOT NULL"),
                ("at", self.big, "NOT NULL"),
            ],
            "",
            &[],
            self.hot_table_options,
        ));
        all.extend(self.create_table(
            "cg_shard",
            &[
                ("shard", self.small, "NOT NULL PRIMARY KEY"),
                ("state", self.small, "NOT NULL"),
                ("epoch", self.big, "NOT NULL"),
                ("moved_to", self.small, "NULL"),
            ],
            "",
            &[],
            self.table_options,
        ));
        all.extend(self.create_table(
            "cg_txn",
            &[
                ("id", self.big, "NOT NULL PRIMARY KEY"),
                ("state", self.small, "NOT NULL"),
                ("started", self.big, "NOT NULL"),
                ("decided", self.big, "NULL"),
                ("token", self.big, "NOT NULL"),
                ("parts", self.body, "NOT NULL"),
            ],
            "",
            &[],
            self.table_options,
        ));
        all.extend(self.create_table(
            "cg_intent",
            &[
                ("table_id", self.int, "NOT NULL"),
                ("added_id", self.big, "NOT NULL"),
                ("shard", self.small, "NOT NULL"),
                ("txn", self.big, "NOT NULL"),
            ],
            "PRIMARY KEY (table_id, shard, added_id)",
            &[Index { name: "cg_intent_txn".to_owned(), columns: &["txn"], unique: false }],
            self.table_options,
        ));
        all
    }

    /// The statements that create the table of the meta store unless it is there.
    pub(crate) fn create_meta_table(&self) -> Vec<String> {
        self.create_table(
            "cg_meta",
            &[
                ("name", self.document_name, "NOT NULL PRIMARY KEY"),
                ("version", self.big, "NOT NULL"),
                ("body", self.body, "NOT NULL"),
            ],
            "",
            &[],
            self.table_options,
        )
    }

    fn create_table(
        &self,
        table: &str,
        columns: &Columns<'_>,
        primary_key: &str,
        indexes: &[Index<'_>],
        options: &str,
    ) -> Vec<String> {
        let mut sql = Sql::new(self);
        sql.push("CREATE TABLE IF NOT EXISTS ").name(table).push(" (");
        for (i, (name, kind, constraint)) in columns.iter().enumerate() {
            sql.push(if i > 0 { ", " } else { "" }).name(name).push(" ").push(kind).push(" ").push(constraint);
        }
        if !primary_key.is_empty() {
            sql.push(", ").push(primary_key);
        }
        if self.indexes == Indexes::Inline {
            for index in indexes {
                sql.push(if index.unique { ", UNIQUE KEY " } else { ", KEY " });
                sql.name(&index.name).push(" (").names("", index.columns).push(")");
            }
        }
        sql.push(")").push(options);
        let mut statements = vec![sql.finish().text];
        if self.indexes == Indexes::Separate {
            for index in indexes {
                sql.push(if index.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
                sql.push("IF NOT EXISTS ").name(&index.name).push(" ON ").name(table);
                sql.push(" (").names("", index.columns).push(")");
                statements.push(sql.finish().text);
            }
        }
        statements
    }
}
