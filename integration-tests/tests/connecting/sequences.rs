//! The table of what clients say, and its steps.
//!
//! It follows the measured traces of stock clients; each sequence runs on a connection of its own, in the
//! protocol (text or prepared) the client uses. Who reflects a schema goes on with `information_schema`, which is not
//! here.

/// One thing a client says.
pub(super) enum Step {
    /// A statement in the text protocol that must succeed.
    Text(&'static str),
    /// A statement that is prepared, executed and closed.
    Prepared(&'static str),
    /// A query with its one row, as text; `*` is any value that is not NULL.
    Row(&'static str, &'static [&'static str]),
    /// A statement that must be refused with this number.
    Refused(u16, &'static str),
}

use Step::{Prepared, Refused, Row as Answers, Text};

const DJANGO: &str = "
            SELECT VERSION(),
                   @@sql_mode,
                   @@default_storage_engine,
                   @@sql_auto_is_null,
                   @@lower_case_table_names,
                   CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL
        ";

const CONNECTOR_J: &str = "/* mysql-connector-j-8.3.0 (Revision: 805f872a57875f311cb82487efcfb070411a3fa0) */SELECT  \
    @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, \
    @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, \
    @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS \
    collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS \
    license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, \
    @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, @@sql_mode AS sql_mode, \
    @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation AS \
    transaction_isolation, @@wait_timeout AS wait_timeout";

const ACTIVE_RECORD: &str = "SET NAMES utf8mb4,  @@SESSION.sql_mode = CONCAT(CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), \
    ',NO_AUTO_VALUE_ON_ZERO'),  @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483";

const SQLX: &str = "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),\
    time_zone='+00:00',NAMES utf8mb4 COLLATE utf8mb4_unicode_ci";

/// Who says it, and what.
pub(super) const SEQUENCES: &[(&str, &[Step])] = &[
    ("PyMySQL", &[Text("SET NAMES utf8mb4"), Text("SET AUTOCOMMIT = 0"), Text("BEGIN"), Text("COMMIT")]),
    (
        "mysqlclient",
        &[
            Text("SET NAMES utf8mb4"),
            Text("SET autocommit=0"),
            Text("SET autocommit=1"),
            Answers("SELECT @@autocommit", &["1"]),
        ],
    ),
    (
        "mysql-connector-python",
        &[
            Text("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'"),
            Text("SET @@session.autocommit = OFF"),
            Answers("SELECT @@session.autocommit, @@collation_connection", &["0", "utf8mb4_0900_ai_ci"]),
            Text("START TRANSACTION"),
            Text("ROLLBACK"),
        ],
    ),
    (
        "mysql-connector-python (C)",
        &[Text("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'"), Text("set autocommit=0")],
    ),
    ("aiomysql, asyncmy", &[Text("BEGIN"), Text("COMMIT"), Text("ROLLBACK")]),
    (
        "SQLAlchemy",
        &[
            Text("SET NAMES utf8mb4"),
            Answers("SELECT VERSION()", &["*"]),
            Answers("SELECT DATABASE()", &["test"]),
            Answers("SELECT @@transaction_isolation", &["*"]),
            Answers("SELECT @@sql_mode", &["*"]),
            Answers("SELECT @@lower_case_table_names", &["0"]),
            Text("ROLLBACK"),
            Text("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
            Answers("SELECT @@transaction_isolation", &["REPEATABLE-READ"]),
            Text("BEGIN"),
            Text("SAVEPOINT sa_savepoint_1"),
            Text("RELEASE SAVEPOINT sa_savepoint_1"),
            Text("COMMIT"),
        ],
    ),
    (
        "Django",
        &[
            Text("SET NAMES utf8mb4"),
            Text("SET autocommit=0"),
            Text("SET autocommit=1"),
            Answers(DJANGO, &["*", "*", "CELLS", "0", "0", "1"]),
            Text("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"),
            Text("SET SQL_AUTO_IS_NULL = 0"),
            Text("SET autocommit=0"),
            Text("SAVEPOINT `s139802204703616_x1`"),
            Text("RELEASE SAVEPOINT `s139802204703616_x1`"),
            Text("COMMIT"),
            Text("SET autocommit=1"),
        ],
    ),
    ("peewee", &[Text("SET NAMES utf8mb4"), Text("BEGIN"), Text("COMMIT")]),
    (
        "Tortoise",
        &[
            Text("SET sql_mode=STRICT_TRANS_TABLES"),
            Text("SET time_zone='+0:00'"),
            Answers("SELECT @@sql_mode, @@time_zone", &["STRICT_TRANS_TABLES", "+00:00"]),
        ],
    ),
    (
        "Sequelize",
        &[
            Text("SET time_zone = '+00:00'"),
            Answers("SELECT VERSION() as `version`", &["*"]),
            Answers("SELECT 1+1 AS result", &["2"]),
            Text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
            Text("START TRANSACTION"),
            Text("COMMIT"),
        ],
    ),
    ("TypeORM", &[Answers("SELECT version() as version", &["*"]), Text("START TRANSACTION"), Text("COMMIT")]),
    (
        "Knex",
        &[Answers("select version() as version", &["*"]), Text("BEGIN;"), Text("SAVEPOINT trx1;"), Text("COMMIT;")],
    ),
    (
        "Drizzle",
        &[
            Text("begin"),
            Text("commit"),
            Text("set transaction isolation level read committed"),
            Text("start transaction read only"),
            Text("rollback"),
        ],
    ),
    (
        "MikroORM",
        &[
            Answers("select version() as version", &["*"]),
            Answers("show variables like 'auto_increment_increment'", &["auto_increment_increment", "1"]),
        ],
    ),
    ("Prisma", &[Prepared("SELECT VERSION()"), Prepared("BEGIN"), Prepared("COMMIT")]),
    (
        "sqlx, SeaORM",
        &[
            Text(SQLX),
            Answers(
                "SELECT @@time_zone, @@collation_connection, @@sql_mode LIKE '%PIPES_AS_CONCAT%'",
                &["+00:00", "utf8mb4_unicode_ci", "1"],
            ),
            Answers("SELECT 'a' || 'b'", &["ab"]),
        ],
    ),
    (
        "diesel",
        &[
            Prepared("SET time_zone='+00:00'"),
            Prepared("SET character_set_client = 'utf8mb4'"),
            Prepared("SET character_set_connection = 'utf8mb4'"),
            Prepared("SET character_set_results = 'utf8mb4'"),
        ],
    ),
    (
        "mysql_async",
        &[
            Answers("SELECT @@max_allowed_packet,@@wait_timeout,@@socket", &["67108864", "28800", "NULL"]),
            Text("SET TRANSACTION READ ONLY"),
            Text("START TRANSACTION"),
            Text("ROLLBACK"),
        ],
    ),
    (
        "go-sql-driver",
        &[
            Text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
            Text("START TRANSACTION READ ONLY"),
            Text("ROLLBACK"),
            Text("SET NAMES utf8mb4 COLLATE utf8mb4_general_ci"),
            Answers("SELECT @@max_allowed_packet", &["67108864"]),
        ],
    ),
    (
        "GORM",
        &[Text("SET NAMES utf8mb4"), Answers("SELECT VERSION()", &["*"]), Text("START TRANSACTION"), Text("COMMIT")],
    ),
    ("mysqli", &[Text("SET NAMES utf8mb4")]),
    (
        "Eloquent",
        &[
            Text("use `test`"),
            Prepared("set names 'utf8mb4' collate 'utf8mb4_unicode_ci'"),
            Prepared(
                "set session sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                 ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
            ),
        ],
    ),
    (
        "ActiveRecord",
        &[
            Text(ACTIVE_RECORD),
            Answers(
                "SELECT @@sql_mode LIKE '%STRICT_ALL_TABLES%', @@wait_timeout, @@sql_auto_is_null /* app:shop */",
                &["1", "2147483", "0"],
            ),
            Text("SAVEPOINT active_record_1"),
        ],
    ),
    (
        "Sequel",
        &[
            Text("SET NAMES utf8mb4"),
            Text("SET @@wait_timeout = 2147483"),
            Text("SET SQL_AUTO_IS_NULL=0"),
            Answers("SELECT version()", &["*"]),
            Answers("SELECT NULL", &["NULL"]),
        ],
    ),
    (
        "DBD::MariaDB",
        &[
            Text("SET NAMES 'utf8mb4'"),
            Text("SET character_set_server='utf8mb4'"),
            Text("SET collation_connection='utf8mb4_unicode_ci'"),
            Text("SET collation_server='utf8mb4_unicode_ci'"),
            Text("SET autocommit=0"),
            Text("COMMIT"),
            Text("SET autocommit=1"),
        ],
    ),
    (
        "MariaDB Connector/J",
        &[
            Text(
                "set autocommit=1, session_track_system_variables='auto_increment_increment', \
                 sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')",
            ),
            Answers(
                "SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment",
                &["67108864", "UTC", "SYSTEM", "1"],
            ),
            Answers("SELECT @@tx_isolation", &["*"]),
            Text("set @@SQL_SELECT_LIMIT=2"),
            Text("set @@SQL_SELECT_LIMIT=DEFAULT"),
            Text("SAVEPOINT `2f4ba54b-d7cd-4bd3-a1ab-e3dd1d0fd4d6`"),
        ],
    ),
    (
        "MySQL Connector/J",
        &[
            Answers(
                CONNECTOR_J,
                &[
                    "1",
                    "utf8mb4",
                    "utf8mb4",
                    "utf8mb4",
                    "utf8mb4",
                    "utf8mb4_0900_ai_ci",
                    "utf8mb4_0900_ai_ci",
                    "",
                    "28800",
                    "*",
                    "0",
                    "67108864",
                    "60",
                    "0",
                    "*",
                    "UTC",
                    "SYSTEM",
                    "*",
                    "28800",
                ],
            ),
            Text("SET character_set_results = NULL"),
            Text("SET autocommit=1"),
            Text("SET sql_mode='STRICT_TRANS_TABLES'"),
            Answers("SELECT @@session.transaction_read_only", &["0"]),
            Answers("SELECT @@session.transaction_isolation", &["*"]),
            Text("set session transaction read only"),
            Text("set session transaction read write"),
        ],
    ),
    (
        "mariadb, mysql (command line)",
        &[
            Answers("select @@version_comment limit 1", &["Cellgate"]),
            Answers("SELECT DATABASE()", &["test"]),
            Answers("select DATABASE(), USER() limit 1", &["test", "*"]),
            Answers(
                "select @@character_set_client, @@character_set_connection, @@character_set_server, \
                 @@character_set_database limit 1",
                &["utf8mb4", "utf8mb4", "utf8mb4", "utf8mb4"],
            ),
            Text("SET SQL_SAFE_UPDATES=1,SQL_SELECT_LIMIT=1000,MAX_JOIN_SIZE=1000000"),
            Refused(1054, "select $$"),
        ],
    ),
    (
        "mariadb-dump",
        &[
            Text("/*!40100 SET @@SQL_MODE='' */"),
            Text("/*!40103 SET TIME_ZONE='+00:00' */"),
            Text("/*M!100100 SET WSREP_SYNC_WAIT=0 */"),
            Text("SET SESSION NET_READ_TIMEOUT= 86400, SESSION NET_WRITE_TIMEOUT= 86400"),
            Text("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
            Text("START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */"),
            Answers("SHOW VARIABLES LIKE 'lower\\_case\\_table\\_names'", &["lower_case_table_names", "0"]),
            Text("SAVEPOINT sp"),
            Text("SET SESSION character_set_results = 'binary'"),
            Text("SET SESSION character_set_results = 'utf8mb4'"),
            Answers("select @@collation_database", &["*"]),
            Text("ROLLBACK TO SAVEPOINT sp"),
            Text("RELEASE SAVEPOINT sp"),
        ],
    ),
    (
        "the file of mariadb-dump",
        &[
            Text("/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;"),
            Text("/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;"),
            Text("/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;"),
            Text("/*!40101 SET NAMES utf8mb4 */;"),
            Text("/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;"),
            Text("/*!40103 SET TIME_ZONE='+00:00' */;"),
            Text("/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;"),
            Text("/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;"),
            Text("/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;"),
            Text("/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;"),
            Text("/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;"),
            Text("/*!40101 SET @saved_cs_client     = @@character_set_client */;"),
            Text("/*!40101 SET character_set_client = utf8mb4 */;"),
            Text("/*!40101 SET character_set_client = @saved_cs_client */;"),
            Answers("SELECT @@sql_mode, @@unique_checks, @@time_zone", &["NO_AUTO_VALUE_ON_ZERO", "0", "+00:00"]),
            Text("/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;"),
            Text("/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;"),
            Text("/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;"),
            Text("/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;"),
            Text("/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;"),
            Text("/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;"),
            Text("/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;"),
            Text("/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;"),
            Answers("SELECT @@unique_checks, @@time_zone, @@sql_notes", &["1", "SYSTEM", "1"]),
        ],
    ),
    (
        "the file of mysqldump",
        &[
            Text("/*!50503 SET NAMES utf8mb4 */;"),
            Text("SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;"),
            Text("SET @@SESSION.SQL_LOG_BIN= 0;"),
            Text("/*!50717 SET @rocksdb_bulk_load_var_name='rocksdb_bulk_load' */;"),
            Text("SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;"),
            Answers("SELECT @@SESSION.sql_log_bin", &["1"]),
        ],
    ),
    (
        "mycli",
        &[
            Text("SET NAMES utf8mb4"),
            Answers("select connection_id()", &["*"]),
            Answers("SELECT @@version_comment, @@version", &["Cellgate", "*"]),
        ],
    ),
    ("sysbench", &[Prepared("BEGIN"), Prepared("COMMIT")]),
    (
        "mysqld_exporter",
        &[
            Text("SET lock_wait_timeout=2"),
            Answers("SELECT @@version", &["*"]),
            Refused(1193, "SELECT @@query_response_time_stats"),
        ],
    ),
    (
        "every form of SET",
        &[
            Text("SET SESSION sql_notes = ON, @@local.sql_notes = OFF, sql_notes = 'on', sql_notes := TRUE"),
            Text("SET GLOBAL net_retry_count = 11, SESSION net_retry_count = 12"),
            Answers("SELECT @@global.net_retry_count, @@net_retry_count", &["11", "12"]),
            Text("SET net_retry_count = DEFAULT"),
            Answers("SELECT @@net_retry_count", &["11"]),
            Text("SET GLOBAL net_retry_count = DEFAULT, @a = 1, @`b c` := 'x', @c = (SELECT CONCAT('p', 'q'))"),
            Answers("SELECT @a, @`b c`, @c, @@global.net_retry_count", &["1", "x", "pq", "10"]),
            Text("SET @a = 2, @b = @a"),
            Answers("SELECT @a, @b", &["2", "1"]),
            Text("SET sql_mode = DEFAULT, CHARACTER SET utf8mb4, NAMES DEFAULT"),
            Text("SET character_set_results = NULL"),
            Answers("SELECT @@character_set_results", &["NULL"]),
            Answers("SELECT 5, 'x' INTO @a, @b; ", &[]),
            Answers("SELECT @a, @b", &["5", "x"]),
            Refused(1235, "SET PERSIST wait_timeout = 5"),
            Refused(1235, "SET @@persist.wait_timeout = 5"),
            Refused(1238, "SET version = '5'"),
            Refused(1238, "SET GLOBAL socket = '/tmp/s'"),
            Refused(1228, "SET GLOBAL timestamp = 5"),
            Refused(1193, "SET nothing_like_it = 5"),
            Refused(1231, "SET autocommit = 2"),
            Refused(1231, "SET sql_mode = 'FAST'"),
            Refused(1231, "SET sql_mode = NULL"),
            Refused(1232, "SET wait_timeout = 'long'"),
            Refused(1232, "SET wait_timeout = 1.5"),
            Refused(1298, "SET time_zone = 'Europe/Atlantis'"),
            Refused(1115, "SET NAMES latin1"),
            Refused(1273, "SET NAMES utf8mb4 COLLATE utf8mb4_nonsense"),
            // All or nothing.
            Refused(1193, "SET wait_timeout = 7, nothing_like_it = 5"),
            Answers("SELECT @@wait_timeout", &["28800"]),
        ],
    ),
];
