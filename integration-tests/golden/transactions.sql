-- common
-- A session's buffer: its own reads see it, ROLLBACK drops it.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
BEGIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1'), ('b', 'BASE', 1, '2');
SELECT row_key, body FROM trips ORDER BY row_key;
ROLLBACK;
SELECT COUNT(*) FROM trips;
START TRANSACTION;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 2, '2');
SELECT ref_key, body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1;
COMMIT;
SELECT COUNT(*) FROM trips;
SET autocommit = 0;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('c', 'BASE', 1, '3');
SELECT @@autocommit;
ROLLBACK;
SELECT COUNT(*) FROM trips;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('c', 'BASE', 1, '3');
SET autocommit = 1;
ROLLBACK;
SELECT COUNT(*) FROM trips;
COMMIT;
-- With autocommit off a transaction begins with the first table that is read.
SET autocommit = 0;
SELECT 1;
SET TRANSACTION READ ONLY;
SELECT 1;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('c', 'BASE', 2, '3');
ROLLBACK;
SELECT COUNT(*) FROM trips WHERE 1 = 0;
SET TRANSACTION READ ONLY;
ROLLBACK;
SET TRANSACTION READ WRITE;
SET autocommit = 1;
-- AND CHAIN: the next transaction is open at once, and as the one before.
BEGIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('e', 'BASE', 1, '1');
COMMIT AND CHAIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('e', 'BASE', 2, '2');
ROLLBACK AND CHAIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('e', 'BASE', 3, '3');
ROLLBACK;
SELECT ref_key FROM trips WHERE row_key = 'e' AND column_key = 'BASE' ORDER BY ref_key;
START TRANSACTION READ ONLY;
COMMIT AND CHAIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('e', 'BASE', 2, '2');
ROLLBACK AND CHAIN;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('e', 'BASE', 2, '2');
ROLLBACK;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('e', 'BASE', 2, '2');
ROLLBACK;
SELECT ref_key FROM trips WHERE row_key = 'e' AND column_key = 'BASE' ORDER BY ref_key;
-- What was said of the next transaction is used up by what ends one, though none is open.
SET TRANSACTION READ ONLY;
CREATE TABLE others LIKE trips;
INSERT INTO others (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1');
SET TRANSACTION READ ONLY;
TRUNCATE others;
SET TRANSACTION READ ONLY;
DROP TABLE nowhere;
INSERT INTO others (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 2, '1');
SET TRANSACTION READ ONLY;
COMMIT;
INSERT INTO others (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 3, '1');
SET TRANSACTION READ ONLY;
ROLLBACK;
INSERT INTO others (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 4, '1');
SET TRANSACTION READ ONLY;
INSERT INTO others (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 5, '1');
DROP TABLE others;
-- What was said of the session stays.
SET SESSION TRANSACTION READ ONLY;
CREATE TABLE others LIKE trips;
SET TRANSACTION READ WRITE;
CREATE TABLE others LIKE trips;
SET SESSION TRANSACTION READ WRITE;
SELECT COUNT(*) FROM others;
