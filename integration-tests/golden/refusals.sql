-- common
-- What ends a transaction, what SET assigns to, and what is no statement.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key)) COMMENT = 'of riders';
-- FLUSH commits.
BEGIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1');
FLUSH TABLES;
ROLLBACK;
BEGIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('b', 'BASE', 1, '1');
FLUSH PRIVILEGES;
ROLLBACK;
BEGIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('c', 'BASE', 1, '1');
FLUSH HOSTS;
ROLLBACK;
SELECT row_key FROM trips ORDER BY row_key;
-- GLOBAL and SESSION hold for the names behind them.
SET GLOBAL max_sort_length = 2000, sort_buffer_size = 99999;
SELECT @@global.max_sort_length = 2000 AS a, @@global.sort_buffer_size = 99999 AS b, @@sort_buffer_size = 99999 AS c;
SET GLOBAL max_sort_length = 3000, SESSION sort_buffer_size = 88888, max_sort_length = 1500;
SELECT @@global.max_sort_length = 3000 AS a, @@sort_buffer_size = 88888 AS b, @@max_sort_length = 1500 AS c;
SET @@global.sort_buffer_size = 77777, max_sort_length = 1600, @y = 1, @@max_sort_length = 1700;
SELECT @@global.max_sort_length = 3000 AS a, @@max_sort_length = 1700 AS b;
SET GLOBAL max_sort_length = DEFAULT, sort_buffer_size = DEFAULT;
-- Without SESSION this is of the next transaction.
SET @@tx_read_only = 1;
SELECT @@tx_read_only;
START TRANSACTION;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('d', 'BASE', 1, '1');
SET @@tx_read_only = 1;
COMMIT;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('d', 'BASE', 1, '1');
SET tx_read_only = 1;
SELECT @@tx_read_only;
SET tx_read_only = 0;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED, ISOLATION LEVEL SERIALIZABLE;
SET TRANSACTION READ ONLY, READ WRITE;
SET TRANSACTION READ WRITE, ISOLATION LEVEL READ COMMITTED;
START TRANSACTION READ ONLY,;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
ROLLBACK;
-- A table is named once.
DROP TABLE trips, trips;
LOCK TABLES trips READ, trips WRITE;
LOCK TABLES trips AS a READ, trips AS b WRITE;
UNLOCK TABLES;
ALTER DATABASE golden_refusals;
CREATE DATABASE golden_nonsense COLLATE utf8mb4_nonsense;
CREATE DATABASE golden_nonsense CHARACTER SET utf8mb3 COLLATE utf8mb4_bin;
CREATE DATABASE golden_nonsense DEFAULT;
KILL -1;
