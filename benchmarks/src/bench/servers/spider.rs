//! Spider: MariaDB's own sharding engine, over four MariaDB servers.
//!
//! It is loaded behind its back: loading through it was seen to store one row's body in another. Rows have to be where
//! its partitions expect them, so a plain table with the same partitions says which rows those are.

use std::path::Path;

use super::mariadb::{MariaDb, Threads, load_lines};

/// What keeps it from asking the shards thirteen statements for one read. Reads only: nothing here keeps writes safe.
const TUNED: &[&str] = &[
    "--plugin-load-add=ha_spider",
    "--spider-remote-autocommit=1",
    "--spider-remote-trx-isolation=1",
    "--spider-sync-autocommit=0",
    "--spider-sync-trx-isolation=0",
    "--spider-internal-xa=0",
    "--spider-semi-trx=0",
    "--spider-conn-recycle-mode=1",
    "--spider-conn-recycle-strict=0",
    "--spider-connect-retry-count=2",
    "--spider-bgs-mode=0",
    "--spider-same-server-link=1",
    "--spider-reset-sql-alloc=0",
    "--spider-sts-interval=3600",
    "--spider-crd-interval=3600",
    "--spider-sts-bg-mode=0",
    "--spider-crd-bg-mode=0",
    "--spider-table-sts-thread-count=1",
    "--spider-table-crd-thread-count=1",
];

/// The table, as the head and the plain table of partitions have it.
fn table(name: &str, engine: &str, partitions: &str) -> String {
    format!(
        "CREATE TABLE {name} (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARBINARY(255) NOT NULL, \
         column_key VARBINARY(64) NOT NULL, ref_key BIGINT NOT NULL, body MEDIUMBLOB NOT NULL, \
         created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), PRIMARY KEY (added_id, row_key), \
         UNIQUE KEY cell (row_key, column_key, ref_key)) {engine} PARTITION BY KEY (row_key) {partitions}"
    )
}

/// A head over four servers.
#[derive(Debug)]
pub struct Spider {
    head: MariaDb,
}

impl Spider {
    /// Starts the head, and loads the data set into the database `bench` of the four servers.
    ///
    /// # Panics
    /// If that fails.
    pub fn start(dir: &Path, shards: &[MariaDb], lines: &Path) -> Self {
        let options: Vec<String> = TUNED.iter().map(|option| (*option).to_owned()).collect();
        let head = MariaDb::start(dir, Threads::PerConnection, 256, &options);
        head.database("bench");
        let count = shards.len();
        let load = load_lines(lines).replace("TABLE cells", "TABLE parts");
        head.execute(&format!(
            "USE bench; {}; {load}",
            table("parts", "ENGINE=InnoDB", &format!("PARTITIONS {count}"))
        ));
        let mut partitions = Vec::new();
        for (place, shard) in shards.iter().enumerate() {
            let part = head.dir().join(format!("part{place}.tsv"));
            head.execute(&format!(
                "SELECT row_key, column_key, ref_key, body FROM bench.parts PARTITION (p{place}) INTO OUTFILE '{}'",
                part.display()
            ));
            shard.load_table(&part);
            head.execute(&format!(
                "CREATE SERVER shard{place} FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1', PORT {}, \
                 USER 'root', PASSWORD '', DATABASE 'bench')",
                shard.port()
            ));
            partitions.push(format!("PARTITION p{place} COMMENT = 'srv \"shard{place}\"'"));
        }
        let engine = "ENGINE=SPIDER COMMENT='wrapper \"mysql\", table \"cells\"'";
        let partitions = format!("({})", partitions.join(", "));
        head.execute(&format!("USE bench; DROP TABLE parts; {}", table("cells", engine, &partitions)));
        Self { head }
    }

    /// The head.
    pub fn head(&self) -> &MariaDb {
        &self.head
    }
}
