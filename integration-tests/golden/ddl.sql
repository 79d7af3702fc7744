-- common
-- Databases and tables: made, looked at, renamed, emptied, dropped, and what of it is an error.
CREATE DATABASE golden_one;
CREATE DATABASE golden_one;
CREATE DATABASE IF NOT EXISTS golden_one;
CREATE SCHEMA golden_two CHARACTER SET utf8mb4;
CREATE TABLE golden_one.cells (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
CREATE TABLE golden_one.cells (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
CREATE TABLE IF NOT EXISTS golden_one.cells (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
CREATE TABLE golden_nowhere.cells LIKE golden_one.cells;
INSERT INTO golden_one.cells (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
CREATE TABLE golden_one.more LIKE golden_one.cells;
SHOW TABLES FROM golden_one;
SHOW TABLES FROM golden_one LIKE 'ce%';
SHOW DATABASES LIKE 'golden\_%e';
SHOW TABLES FROM golden_nowhere;
SHOW TABLE STATUS FROM golden_nowhere;
SHOW TRIGGERS FROM golden_nowhere;
SHOW EVENTS FROM golden_nowhere;
SHOW OPEN TABLES FROM golden_nowhere;
SHOW CREATE DATABASE golden_nowhere;
SHOW COLUMNS FROM golden_nowhere.cells;
SHOW CREATE TABLE golden_nowhere.cells;
SELECT body FROM golden_nowhere.cells WHERE row_key = 'a';
SELECT COUNT(*) FROM (SELECT body FROM golden_nowhere.cells) AS c;
SELECT * FROM information_schema.SCHEMATA JOIN golden_nowhere.cells;
INSERT INTO golden_nowhere.cells (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
DELETE FROM golden_nowhere.cells WHERE row_key = 'a';
TRUNCATE golden_nowhere.cells;
ALTER TABLE golden_nowhere.cells COMMENT 'x';
RENAME TABLE golden_nowhere.cells TO golden_nowhere.more;
CREATE TABLE golden_one.copy LIKE golden_nowhere.cells;
LOCK TABLES golden_nowhere.cells READ;
DROP TABLE golden_nowhere.cells;
RENAME TABLE golden_one.more TO golden_one.less;
RENAME TABLE golden_one.missing TO golden_one.found;
RENAME TABLE golden_one.less TO golden_one.cells;
ALTER TABLE golden_one.less RENAME TO golden_one.more;
ALTER TABLE golden_one.missing COMMENT 'x';
ALTER TABLE golden_one.cells DROP COLUMN missing;
SELECT row_key, body FROM golden_one.cells WHERE row_key = 'a';
TRUNCATE TABLE golden_one.cells;
SELECT row_key, body FROM golden_one.cells WHERE row_key = 'a';
TRUNCATE golden_one.missing;
DROP TABLE golden_one.missing;
DROP TABLE IF EXISTS golden_one.missing;
CREATE TABLE golden_one.sqlite_orders LIKE golden_one.cells;
INSERT INTO golden_one.sqlite_orders (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
SELECT row_key, body FROM golden_one.sqlite_orders WHERE row_key = 'a';
RENAME TABLE golden_one.more TO golden_one.sqlite;
INSERT INTO golden_one.sqlite (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '2');
TRUNCATE golden_one.sqlite;
INSERT INTO golden_one.sqlite (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '3');
SELECT row_key, body FROM golden_one.sqlite WHERE row_key = 'a';
RENAME TABLE golden_one.sqlite_orders TO golden_one.orders, golden_one.sqlite TO golden_one.more;
TRUNCATE golden_one.orders;
SELECT row_key, body FROM golden_one.orders WHERE row_key = 'a';
SELECT row_key, body FROM golden_one.more WHERE row_key = 'a';
SHOW TABLES FROM golden_one;
DROP TABLE golden_one.orders;
DROP TABLE golden_one.cells, golden_one.more;
SHOW TABLES FROM golden_one;
USE golden_two;
SELECT DATABASE();
SHOW TABLES;
USE golden_nowhere;
DROP DATABASE golden_two;
DROP DATABASE golden_one;
DROP DATABASE golden_one;
DROP SCHEMA IF EXISTS golden_one;
