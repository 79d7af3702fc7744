-- common
-- FLUSH TABLES WITH READ LOCK and LOCK TABLES by one session: which of them ends what, and what is refused under them.
CREATE DATABASE golden_held;
USE golden_held;
CREATE TABLE locked (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
CREATE TABLE other LIKE locked;
-- A backup: its transaction does not end the lock it began under.
FLUSH TABLES WITH READ LOCK;
START TRANSACTION WITH CONSISTENT SNAPSHOT;
INSERT INTO locked (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
COMMIT;
BEGIN;
INSERT INTO locked (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
ROLLBACK;
-- Nor does LOCK TABLES, and it locks nothing for writing.
LOCK TABLES locked READ;
SELECT COUNT(*) FROM locked WHERE row_key = 'a';
SELECT COUNT(*) FROM other WHERE row_key = 'a';
BEGIN;
SELECT COUNT(*) FROM other WHERE row_key = 'a';
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
LOCK TABLES locked WRITE;
LOCK TABLES locked READ, other WRITE;
-- Once more is no more.
FLUSH TABLES WITH READ LOCK;
UNLOCK TABLES;
INSERT INTO locked (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
-- What is beside tables is locked as well.
FLUSH TABLES WITH READ LOCK;
CREATE DATABASE golden_more;
CREATE DATABASE IF NOT EXISTS golden_held;
ALTER DATABASE golden_held COLLATE utf8mb4_bin;
DROP DATABASE golden_held;
CREATE TABLE IF NOT EXISTS locked LIKE other;
DROP TABLE IF EXISTS nothing;
CREATE USER golden_locker;
CREATE USER IF NOT EXISTS golden_locker;
GRANT SELECT ON golden_held.* TO golden_locker;
ALTER USER golden_locker IDENTIFIED BY 'a-password';
DROP USER IF EXISTS golden_locker;
UNLOCK TABLES;
-- LOCK TABLES is in the way of all that it does not name.
LOCK TABLES locked WRITE;
CREATE DATABASE golden_more;
ALTER DATABASE golden_held COLLATE utf8mb4_bin;
FLUSH TABLES WITH READ LOCK;
SELECT COUNT(*) FROM other WHERE row_key = 'a';
INSERT INTO locked (row_key, column_key, ref_key, body) VALUES ('b', 'B', 1, '1');
UNLOCK TABLES;
LOCK TABLES locked READ;
FLUSH TABLES WITH READ LOCK;
SELECT COUNT(*) FROM other WHERE row_key = 'a';
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '1');
-- It ends a transaction; UNLOCK TABLES behind it does not.
FLUSH TABLES WITH READ LOCK;
ROLLBACK;
SELECT COUNT(*) FROM other WHERE row_key = 'a';
BEGIN;
UNLOCK TABLES;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('b', 'B', 1, '1');
ROLLBACK;
SELECT COUNT(*) FROM other WHERE row_key = 'b';
-- LOCK TABLES and DDL commit first, also if they are refused; and LOCK TABLES lets go of the tables of the one before.
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 1, '1');
LOCK TABLES nothing READ;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 2, '1');
LOCK TABLES locked READ, nothing WRITE;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 3, '1');
DROP TABLE nothing;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 4, '1');
CREATE TABLE locked LIKE other;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 5, '1');
TRUNCATE TABLE nothing;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 6, '1');
DROP USER golden_nobody;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 7, '1');
LOCK TABLES locked;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 8, '1');
LOCK TABLES locked READ, locked READ;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 9, '1');
FLUSH TABLES nothing WITH READ LOCK;
ROLLBACK;
BEGIN;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('c', 'B', 10, '1');
/*!40000 LOCK TABLES nothing WRITE */;
ROLLBACK;
SELECT ref_key FROM other WHERE row_key = 'c' AND column_key = 'B' ORDER BY ref_key;
LOCK TABLES locked READ;
LOCK TABLES other READ, nothing READ;
SELECT COUNT(*) FROM other WHERE row_key = 'c';
-- Also under LOCK TABLES and FLUSH TABLES WITH READ LOCK.
LOCK TABLES other WRITE;
SET autocommit = 0;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('d', 'B', 1, '1');
FLUSH TABLES WITH READ LOCK;
ROLLBACK;
SET autocommit = 1;
SELECT COUNT(*) FROM other WHERE row_key = 'd';
UNLOCK TABLES;
FLUSH TABLES WITH READ LOCK;
LOCK TABLES locked READ;
LOCK TABLES other WRITE;
SELECT COUNT(*) FROM other WHERE row_key = 'd';
UNLOCK TABLES;
-- What was said of the next transaction is used up by it.
SET TRANSACTION READ ONLY;
LOCK TABLES nothing READ;
INSERT INTO other (row_key, column_key, ref_key, body) VALUES ('e', 'B', 1, '1');
DROP DATABASE golden_held;
