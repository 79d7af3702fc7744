//! The statements of stock clients, word for word.

use cellgate_integration_tests::{Deployment, client, golden};
use mysql_async::prelude::Queryable;

use super::{answer, shop};

/// Who sends it, the statement, and the names of its columns (empty: only that it is answered).
type Asked = (&'static str, &'static str, &'static [&'static str]);

/// The columns of `information_schema.ENGINES`.
const ENGINES: &[&str] = &["ENGINE", "SUPPORT", "COMMENT", "TRANSACTIONS", "XA", "SAVEPOINTS"];

/// As each client sends it, over database `shop` with the table `trips`.
const ASKED: &[Asked] = &[
    ("sqlalchemy", "DESCRIBE `shop`.`trips`", &["Field", "Type", "Null", "Key", "Default", "Extra"]),
    ("sqlalchemy", "SHOW CREATE TABLE `trips`", &["Table", "Create Table"]),
    ("sqlalchemy", "SHOW FULL TABLES FROM `shop`", &["Tables_in_shop", "Table_type"]),
    ("sqlalchemy", "SHOW schemas", &["Database"]),
    (
        "django",
        "SELECT table_name, table_type, table_comment FROM information_schema.tables WHERE table_schema = DATABASE()",
        &["TABLE_NAME", "TABLE_TYPE", "TABLE_COMMENT"],
    ),
    (
        "django",
        "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, extra, column_default,
         collation_name, CASE WHEN column_type LIKE '%% unsigned' THEN 1 ELSE 0 END AS is_unsigned, column_comment
         FROM information_schema.columns WHERE table_name = 'trips' AND table_schema = DATABASE()",
        &[],
    ),
    (
        "django",
        "SELECT kc.`constraint_name`, kc.`column_name`, kc.`referenced_table_name`, kc.`referenced_column_name`,
         c.`constraint_type` FROM information_schema.key_column_usage AS kc, information_schema.table_constraints AS c
         WHERE kc.table_schema = DATABASE() AND (kc.referenced_table_schema = DATABASE() OR
         kc.referenced_table_schema IS NULL) AND c.table_schema = kc.table_schema
         AND c.constraint_name = kc.constraint_name AND c.constraint_type != 'CHECK' AND kc.table_name = 'trips'
         ORDER BY kc.`ordinal_position`",
        &[
            "CONSTRAINT_NAME",
            "COLUMN_NAME",
            "REFERENCED_TABLE_NAME",
            "REFERENCED_COLUMN_NAME",
            "CONSTRAINT_TYPE",
        ],
    ),
    (
        "django",
        "SELECT cc.constraint_name, cc.check_clause FROM information_schema.check_constraints AS cc,
         information_schema.table_constraints AS tc WHERE cc.constraint_schema = DATABASE()
         AND tc.table_schema = cc.constraint_schema AND cc.constraint_name = tc.constraint_name
         AND tc.constraint_type = 'CHECK' AND tc.table_name = 'trips'",
        &["CONSTRAINT_NAME", "CHECK_CLAUSE"],
    ),
    ("django", "SHOW INDEX FROM `trips`", &[]),
    ("django", "SELECT engine FROM information_schema.tables WHERE table_name = 'trips'", &["ENGINE"]),
    ("django", "SELECT table_collation FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'trips'", &["TABLE_COLLATION"]),
    ("activerecord", "SHOW FULL FIELDS FROM `trips`", &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"]),
    ("activerecord", "SHOW KEYS FROM `trips`", &[]),
    ("activerecord", "SHOW TABLE STATUS LIKE 'trips'", &[]),
    (
        "activerecord",
        "SELECT table_name FROM (SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = \
         database()) _subquery WHERE _subquery.table_name = 'trips' AND _subquery.table_type = 'BASE TABLE'",
        &["table_name"],
    ),
    (
        "activerecord",
        "SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY' AND table_schema = \
         database() AND table_name = 'trips' ORDER BY seq_in_index",
        &["COLUMN_NAME"],
    ),
    (
        "activerecord",
        "SELECT fk.referenced_table_name AS 'to_table', fk.referenced_column_name AS 'primary_key', fk.column_name AS \
         'column', fk.constraint_name AS 'name', rc.update_rule AS 'on_update', rc.delete_rule AS 'on_delete' FROM \
         information_schema.referential_constraints rc JOIN information_schema.key_column_usage fk USING \
         (constraint_schema, constraint_name) WHERE fk.referenced_column_name IS NOT NULL AND fk.table_schema = \
         database() AND fk.table_name = 'trips' AND rc.constraint_schema = database() AND rc.table_name = 'trips'",
        &["to_table", "primary_key", "column", "name", "on_update", "on_delete"],
    ),
    (
        "jdbc",
        "SELECT TABLE_SCHEMA TABLE_CAT, NULL  TABLE_SCHEM,  TABLE_NAME, IF(TABLE_TYPE='BASE TABLE', 'TABLE', TABLE_TYPE) \
         as TABLE_TYPE, TABLE_COMMENT REMARKS, NULL TYPE_CAT, NULL TYPE_SCHEM, NULL TYPE_NAME, NULL \
         SELF_REFERENCING_COL_NAME, NULL REF_GENERATION FROM INFORMATION_SCHEMA.TABLES WHERE (TABLE_SCHEMA = 'shop') AND \
         (TABLE_NAME LIKE '%') AND TABLE_TYPE IN ('BASE TABLE','VIEW') ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME",
        &[],
    ),
    (
        "jdbc",
        "SELECT TABLE_SCHEMA TABLE_CAT, NULL TABLE_SCHEM, TABLE_NAME, COLUMN_NAME, CASE data_type WHEN 'bit' THEN -7 \
         WHEN 'tinyint' THEN IF(COLUMN_TYPE LIKE 'tinyint(1)%', -7, -6) WHEN 'bigint' THEN -5 WHEN 'varchar' THEN 12 \
         WHEN 'json' THEN -1 WHEN 'datetime' THEN 93 ELSE 1111 END DATA_TYPE, IF(NUMERIC_PRECISION IS NULL, \
         LEAST(CHARACTER_MAXIMUM_LENGTH,2147483647), NUMERIC_PRECISION) COLUMN_SIZE, IF(IS_NULLABLE = 'yes',1,0) NULLABLE, \
         ORDINAL_POSITION, IF(EXTRA = 'auto_increment','YES','NO') IS_AUTOINCREMENT FROM INFORMATION_SCHEMA.COLUMNS \
         WHERE (TABLE_SCHEMA = 'shop') AND (TABLE_NAME LIKE 'trips') ORDER BY TABLE_CAT, TABLE_SCHEM, TABLE_NAME, \
         ORDINAL_POSITION",
        &[],
    ),
    (
        "jdbc",
        "SELECT A.TABLE_SCHEMA TABLE_CAT, NULL TABLE_SCHEM, A.TABLE_NAME, A.COLUMN_NAME, B.SEQ_IN_INDEX KEY_SEQ, \
         B.INDEX_NAME PK_NAME FROM INFORMATION_SCHEMA.COLUMNS A, INFORMATION_SCHEMA.STATISTICS B WHERE \
         A.COLUMN_KEY='pri' AND B.INDEX_NAME='PRIMARY' AND (A.TABLE_SCHEMA = 'shop') AND (B.TABLE_SCHEMA = 'shop') AND \
         (A.TABLE_NAME LIKE 'trips') AND (B.TABLE_NAME LIKE 'trips') AND A.TABLE_SCHEMA = B.TABLE_SCHEMA AND \
         A.TABLE_NAME = B.TABLE_NAME AND A.COLUMN_NAME = B.COLUMN_NAME ORDER BY A.COLUMN_NAME",
        &["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME"],
    ),
    (
        "jdbc",
        "SELECT 'TABLE' TABLE_TYPE UNION SELECT 'SYSTEM VIEW' TABLE_TYPE UNION SELECT 'VIEW' TABLE_TYPE",
        &["TABLE_TYPE"],
    ),
    ("jdbc", "SELECT '' TABLE_SCHEM, '' TABLE_catalog  FROM DUAL WHERE 1=0", &["TABLE_SCHEM", "TABLE_catalog"]),
    ("jdbc", "SELECT SCHEMA_NAME TABLE_CAT FROM INFORMATION_SCHEMA.SCHEMATA ORDER BY 1", &["TABLE_CAT"]),
    (
        "grafana",
        "SELECT DISTINCT TABLE_SCHEMA from information_schema.TABLES where TABLE_TYPE != 'SYSTEM VIEW' ORDER BY TABLE_SCHEMA",
        &["TABLE_SCHEMA"],
    ),
    (
        "grafana",
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY table_name",
        &["TABLE_NAME"],
    ),
    (
        "grafana",
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = \
         'trips' AND data_type IN ('bigint', 'varchar') ORDER BY column_name",
        &["COLUMN_NAME", "DATA_TYPE"],
    ),
    (
        "mycli",
        "select TABLE_NAME, COLUMN_NAME from information_schema.columns where table_schema = 'shop' order by \
         table_name,ordinal_position",
        &["TABLE_NAME", "COLUMN_NAME"],
    ),
    (
        "mycli",
        "SELECT ROUTINE_NAME FROM INFORMATION_SCHEMA.ROUTINES WHERE ROUTINE_TYPE=\"FUNCTION\" AND ROUTINE_SCHEMA = \"shop\"",
        &["ROUTINE_NAME"],
    ),
    ("mycli", "SELECT CONCAT(\"'\", user, \"'@'\",host,\"'\") FROM mysql.user", &[]),
    ("mycli", "SHOW CHARACTER SET", &[]),
    ("mycli", "SHOW COLLATION", &[]),
    ("mysqld_exporter", "SELECT page_size, compress_ops, compress_ops_ok, compress_time, uncompress_ops, uncompress_time FROM information_schema.innodb_cmp", &[]),
    ("mysqld_exporter", "SELECT page_size, buffer_pool_instance, pages_used, pages_free, relocation_ops, relocation_time FROM information_schema.innodb_cmpmem", &[]),
    ("mysqld_exporter", "SHOW SLAVE STATUS", &[]),
    ("mysqld_exporter", "SHOW SLAVE HOSTS", &[]),
    (
        "mysqld_exporter",
        "SELECT user, SUBSTRING_INDEX(host, ':', 1) AS host, COALESCE(command, '') AS command, COALESCE(state, '') AS \
         state, COUNT(*) AS processes, SUM(time) AS seconds FROM information_schema.processlist WHERE ID != \
         connection_id() AND TIME >= 0 GROUP BY user, SUBSTRING_INDEX(host, ':', 1), command, state",
        &["user", "host", "command", "state", "processes", "seconds"],
    ),
    (
        "mysqld_exporter",
        "SELECT t.table_schema, t.table_name, column_name, `auto_increment`, pow(2, case data_type when 'tinyint' then 7 \
         when 'bigint' then 63 end+(column_type like '% unsigned'))-1 as max_int FROM information_schema.columns c \
         STRAIGHT_JOIN information_schema.tables t ON BINARY t.table_schema = c.table_schema AND BINARY t.table_name = \
         c.table_name WHERE c.extra = 'auto_increment' AND t.auto_increment IS NOT NULL",
        &[],
    ),
    (
        "mariadb-dump",
        "SELECT LOGFILE_GROUP_NAME, FILE_NAME, TOTAL_EXTENTS, INITIAL_SIZE, ENGINE, EXTRA FROM INFORMATION_SCHEMA.FILES \
         WHERE ENGINE = 'ndbcluster' AND FILE_TYPE = 'UNDO LOG' AND FILE_NAME IS NOT NULL AND LOGFILE_GROUP_NAME IS NOT \
         NULL AND LOGFILE_GROUP_NAME IN (SELECT DISTINCT LOGFILE_GROUP_NAME FROM INFORMATION_SCHEMA.FILES WHERE ENGINE = \
         'ndbcluster' AND FILE_TYPE = 'DATAFILE') GROUP BY LOGFILE_GROUP_NAME, FILE_NAME, ENGINE, TOTAL_EXTENTS, \
         INITIAL_SIZE ORDER BY LOGFILE_GROUP_NAME",
        &[],
    ),
    (
        "mariadb-dump",
        "SELECT engine, table_type FROM INFORMATION_SCHEMA.TABLES WHERE table_schema = DATABASE() AND table_name = 'trips'",
        &["ENGINE", "TABLE_TYPE"],
    ),
    ("mariadb-dump", "SHOW TRIGGERS LIKE 'trips'", &[]),
    ("mikro-orm", "select 1 from information_schema.schemata where schema_name = 'shop'", &["1"]),
    (
        "gorm",
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'trips' AND \
         table_type = 'BASE TABLE'",
        &["count(*)"],
    ),
    (
        "gorm",
        "SELECT column_name, column_default, is_nullable = 'YES', data_type, character_maximum_length, column_type, \
         column_key, extra, column_comment, numeric_precision, numeric_scale , datetime_precision FROM \
         information_schema.columns WHERE table_schema = 'shop' AND table_name = 'trips' ORDER BY ORDINAL_POSITION",
        &[],
    ),
    (
        "typeorm",
        "SELECT * FROM `INFORMATION_SCHEMA`.`COLUMNS` WHERE (`TABLE_SCHEMA` = 'shop' AND `TABLE_NAME` = 'trips') UNION \
         SELECT * FROM `INFORMATION_SCHEMA`.`COLUMNS` WHERE (`TABLE_SCHEMA` = 'shop' AND `TABLE_NAME` = 'riders')",
        &[],
    ),
    (
        "typeorm",
        "SELECT `s`.* FROM `INFORMATION_SCHEMA`.`STATISTICS` `s` LEFT JOIN (SELECT `kcu`.`CONSTRAINT_NAME`, \
         `kcu`.`TABLE_NAME` FROM `INFORMATION_SCHEMA`.`KEY_COLUMN_USAGE` `kcu` WHERE `kcu`.`REFERENCED_TABLE_NAME` IS NOT \
         NULL) `rc` ON `s`.`INDEX_NAME` = `rc`.`CONSTRAINT_NAME` AND `s`.`TABLE_NAME` = `rc`.`TABLE_NAME` WHERE \
         `s`.`TABLE_SCHEMA` = 'shop' AND `s`.`INDEX_NAME` != 'PRIMARY' AND `rc`.`CONSTRAINT_NAME` IS NULL",
        &[],
    ),
    (
        "doctrine",
        "SELECT c.COLUMN_NAME AS field, IF(c.COLUMN_COMMENT = '', NULL, c.COLUMN_COMMENT) AS comment, c.COLUMN_TYPE AS \
         type, c.IS_NULLABLE AS `null`, c.COLUMN_KEY AS `key`, c.COLUMN_DEFAULT AS `default`, c.EXTRA, \
         c.CHARACTER_SET_NAME AS characterset, c.COLLATION_NAME AS collation FROM information_schema.COLUMNS c INNER JOIN \
         information_schema.TABLES t ON t.TABLE_NAME = c.TABLE_NAME WHERE c.TABLE_SCHEMA = 'shop' AND t.TABLE_SCHEMA = \
         'shop' AND t.TABLE_TYPE = 'BASE TABLE' AND t.TABLE_NAME = 'trips' ORDER BY ORDINAL_POSITION ASC",
        &["field", "comment", "type", "null", "key", "default", "EXTRA", "characterset", "collation"],
    ),
    ("connector-j-8", "SELECT WORD FROM INFORMATION_SCHEMA.KEYWORDS WHERE RESERVED=1", &["WORD"]),
    // Columns of views over the dictionary are called as there, those of tables as they are written.
    ("by hand", "select table_name, Engine from information_schema.tables", &["TABLE_NAME", "ENGINE"]),
    ("by hand", "select s.variable_name from performance_schema.global_status s limit 1", &["variable_name"]),
    ("by hand", "select user, host, Super_Priv from mysql.user", &["user", "host", "Super_Priv"]),
    ("by hand", "select engine from information_schema.engines", &["engine"]),
    ("by hand", "select * from information_schema.engines where engine = 'x'", ENGINES),
    ("dbd", "DESCRIBE `shop`.`trips` '%'", &["Field", "Type", "Null", "Key", "Default", "Extra"]),
    ("knex", "SHOW /*!50002 FULL*/ TABLES FROM `shop` LIKE 'trips'", &["Tables_in_shop (trips)", "Table_type"]),
    ("sequel", "SHOW DATABASES LIKE 'shop'", &["Database (shop)"]),
    ("dbeaver", "SHOW PLUGINS", &[]),
    ("dbeaver", "SHOW EVENTS FROM `shop`", &[]),
    ("dbeaver", "SHOW PROCEDURE STATUS WHERE Db = 'shop'", &[]),
    ("dbeaver", "SELECT * FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA='shop' AND TABLE_NAME='trips'", &[]),
    (
        "mysqldump 8.0",
        "SELECT COLUMN_NAME, JSON_EXTRACT(HISTOGRAM, '$.\"number-of-buckets-specified\"') FROM \
         information_schema.COLUMN_STATISTICS WHERE SCHEMA_NAME = 'shop' AND TABLE_NAME = 'trips'",
        &[],
    ),
    (
        "mysqldump 8.0",
        "SELECT LOGFILE_GROUP_NAME, FILE_NAME, TOTAL_EXTENTS, INITIAL_SIZE, ENGINE, EXTRA FROM INFORMATION_SCHEMA.FILES \
         WHERE ENGINE = 'ndbcluster' AND FILE_TYPE = 'UNDO LOG' AND FILE_NAME IS NOT NULL AND LOGFILE_GROUP_NAME IN \
         (SELECT DISTINCT LOGFILE_GROUP_NAME FROM INFORMATION_SCHEMA.FILES WHERE FILE_TYPE = 'DATAFILE' AND \
         TABLESPACE_NAME IN (SELECT DISTINCT TABLESPACE_NAME FROM INFORMATION_SCHEMA.PARTITIONS WHERE TABLE_SCHEMA IN \
         ('shop'))) GROUP BY LOGFILE_GROUP_NAME, FILE_NAME, ENGINE, TOTAL_EXTENTS, INITIAL_SIZE ORDER BY \
         LOGFILE_GROUP_NAME",
        &["LOGFILE_GROUP_NAME", "FILE_NAME", "TOTAL_EXTENTS", "INITIAL_SIZE", "ENGINE", "EXTRA"],
    ),
    (
        "mariadb-dump --system",
        "SELECT CONCAT(QUOTE(u.user), '@', QUOTE(u.Host)) AS u FROM mysql.user u /*!80001 LEFT JOIN mysql.role_edges e \
         ON u.user=e.from_user AND u.host=e.from_host WHERE e.from_user IS NULL */",
        &["u"],
    ),
    (
        "heidisql",
        "SELECT `user`, `host`, IF(LENGTH(authentication_string)>0, 1, 0) AS `password`, Select_priv, Super_priv, \
         account_locked FROM `mysql`.`user`",
        &["user", "host", "password", "Select_priv", "Super_priv", "account_locked"],
    ),
    ("heidisql", "SHOW OPEN TABLES FROM `shop` WHERE in_use!=0", &["Database", "Table", "In_use", "Name_locked"]),
    ("dbeaver", "SELECT * FROM mysql.user ORDER BY User", &[]),
    ("dbeaver", "SELECT USER(), CURRENT_ROLE()", &["USER()", "CURRENT_ROLE()"]),
    (
        "phpmyadmin",
        "SELECT 1 FROM (SELECT `GRANTEE`, `IS_GRANTABLE` FROM `INFORMATION_SCHEMA`.`COLUMN_PRIVILEGES` UNION SELECT \
         `GRANTEE`, `IS_GRANTABLE` FROM `INFORMATION_SCHEMA`.`SCHEMA_PRIVILEGES` UNION SELECT `GRANTEE`, `IS_GRANTABLE` \
         FROM `INFORMATION_SCHEMA`.`USER_PRIVILEGES`) t WHERE `IS_GRANTABLE` = 'YES' AND '''root''@''%''' LIKE `GRANTEE` \
         LIMIT 1",
        &["1"],
    ),
    (
        "prisma",
        "SELECT DISTINCT BINARY table_info.table_name AS table_name, table_info.create_options AS create_options FROM \
         information_schema.tables AS table_info JOIN information_schema.columns AS column_info ON BINARY \
         column_info.table_name = BINARY table_info.table_name WHERE table_info.table_schema = 'shop' AND \
         table_info.table_type = 'BASE TABLE' ORDER BY BINARY table_info.table_name",
        &["table_name", "create_options"],
    ),
    (
        "prisma",
        "SELECT DISTINCT index_name AS index_name, non_unique AS non_unique, Binary column_name AS column_name, \
         seq_in_index AS seq_in_index, sub_part AS partial, Binary collation AS column_order, expression AS expression \
         FROM information_schema.statistics WHERE table_schema = 'shop' ORDER BY BINARY table_name, BINARY index_name, \
         seq_in_index",
        &["index_name", "non_unique", "column_name", "seq_in_index", "partial", "column_order", "expression"],
    ),
    (
        "drizzle",
        "SELECT table_name, column_name, ordinal_position FROM information_schema.table_constraints t LEFT JOIN \
         information_schema.key_column_usage k USING(constraint_name,table_schema,table_name) WHERE \
         t.constraint_type='PRIMARY KEY' and table_name != '__drizzle_migrations' AND t.table_schema = 'shop' ORDER BY \
         ordinal_position",
        &["TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION"],
    ),
    (
        "gorm",
        "SELECT SCHEMA_NAME from Information_schema.SCHEMATA where SCHEMA_NAME LIKE 'shop%' ORDER BY SCHEMA_NAME='shop' \
         DESC,SCHEMA_NAME limit 1",
        &["SCHEMA_NAME"],
    ),
    (
        "flyway",
        "SELECT COUNT(*) FROM (SELECT 1 FROM information_schema.tables WHERE table_schema='shop' UNION ALL SELECT 1 FROM \
         information_schema.views WHERE table_schema='shop' UNION ALL SELECT 1 FROM information_schema.routines WHERE \
         routine_schema='shop' LIMIT 1) AS x",
        &["COUNT(*)"],
    ),
];

#[tokio::test]
async fn what_stock_clients_ask_is_answered_by_text_and_prepared() {
    let proxy = Deployment::embedded().start();
    let mut first = golden::connect(proxy.mysql(), "test").await;
    client::run(&mut first, "CREATE DATABASE shop").await;
    let mut conn = shop(proxy.mysql(), "shop").await;
    let mut wrong = Vec::new();
    for (who, statement, names) in ASKED {
        match answer(&mut conn, statement).await {
            Ok((columns, _)) if !names.is_empty() && columns != *names => {
                wrong.push(format!("{who}: {statement}\n  columns {columns:?}"));
            }
            Ok((columns, _)) => match conn.prep(*statement).await {
                Ok(prepared) => {
                    let described: Vec<String> = prepared.columns().iter().map(|c| c.name_str().into_owned()).collect();
                    if described != columns {
                        wrong.push(format!("{who}: {statement}\n  prepared as {described:?}, not {columns:?}"));
                    }
                }
                Err(error) => wrong.push(format!("{who}: {statement}\n  PREPARE: {error}")),
            },
            Err(error) => wrong.push(format!("{who}: {statement}\n  {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    proxy.assert_no_panic();
}
