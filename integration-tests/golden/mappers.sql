-- common
-- What mappers make of count() and exists(), SELECTs in parentheses, and statements prepared by name.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{}'), ('a', 'BASE', 2, '{}'), ('a', 'STATUS', 1, '1'), ('b', 'BASE', 1, '{}');
SELECT COUNT(*) FROM (SELECT row_key FROM trips WHERE row_key = 'a') AS x;
SELECT COUNT(1) FROM (SELECT 1 FROM trips AS t1 WHERE (t1.row_key = 'a')) AS _wrapped;
SELECT count(*) AS count_1 FROM (SELECT trips.row_key AS trips_row_key, trips.ref_key AS trips_ref_key FROM trips WHERE trips.row_key = 'a') AS anon_1;
SELECT COUNT(*) FROM (SELECT DISTINCT column_key FROM trips WHERE row_key = 'a') AS x;
SELECT COUNT(*) FROM (SELECT 1 AS one FROM trips WHERE row_key = 'a' LIMIT 2) subquery_for_count;
SELECT count(*) AS `count` FROM (SELECT * FROM trips WHERE row_key = 'a' LIMIT 10 OFFSET 1) AS `t1` LIMIT 1;
SELECT COUNT(*) FROM (SELECT column_key, COUNT(*) AS n FROM trips WHERE row_key = 'a' GROUP BY column_key HAVING n > 1) AS x;
SELECT EXISTS(SELECT 1 FROM trips WHERE row_key = 'a') AS e;
SELECT EXISTS (SELECT * FROM trips WHERE row_key = 'nobody') AS `exists`;
SELECT EXISTS (SELECT 1 FROM trips WHERE trips.row_key = 'a' AND trips.ref_key > 2) AS anon_1;
SELECT 1 FROM trips WHERE row_key = 'a' LIMIT 1;
SELECT 1 AS one FROM trips WHERE row_key = 'nobody' LIMIT 1;
SELECT 1 AS row_exists FROM (SELECT 1 AS dummy_column) dummy_table WHERE EXISTS (SELECT 1 FROM trips Trip WHERE Trip.row_key = 'b') LIMIT 1;
SELECT 1 AS row_exists FROM DUAL WHERE EXISTS (SELECT 1 FROM trips WHERE row_key = 'nobody');
(SELECT ref_key FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1);
((SELECT row_key FROM trips WHERE row_key = 'b'));
SELECT COUNT(*) FROM (SELECT row_key FROM missing WHERE row_key = 'a') AS x;
SELECT EXISTS (SELECT 1 FROM missing) AS e;
SELECT COUNT(*) FROM (SELECT missing FROM trips WHERE row_key = 'a') AS x;
SELECT COUNT(*) FROM (SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'information_schema') AS x;
-- One row has no order.
SELECT COUNT(*) FROM trips WHERE row_key = 'a' ORDER BY ref_key;
SELECT MAX(ref_key) m FROM trips WHERE row_key = 'a' ORDER BY m, body DESC LIMIT 5;

PREPARE one FROM 'SELECT column_key, ref_key FROM trips WHERE row_key = ? AND ref_key >= ? ORDER BY column_key, ref_key LIMIT ?';
SET @row = 'a', @ref = 1, @most = 2;
EXECUTE one USING @row, @ref, @most;
SET @ref = 2, @most = 10;
EXECUTE ONE USING @row, @ref, @most;
EXECUTE one USING @row;
EXECUTE one;
SET @text = 'INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ''BASE'', ?, ?)';
PREPARE two FROM @text;
SET @row = 'c', @ref = 1, @body = '{"prepared": true}';
EXECUTE two USING @row, @ref, @body;
SELECT body FROM trips WHERE row_key = 'c';
SET @body = '{"prepared": false}';
EXECUTE two USING @row, @ref, @body;
-- A name that is used again is the new statement's; one that cannot be prepared is nobody's.
PREPARE two FROM 'SELECT ? + ? AS sum';
SET @a = 1, @b = 2;
EXECUTE two USING @a, @b;
PREPARE two FROM 'SELECT missing FROM trips';
EXECUTE two USING @a, @b;
PREPARE three FROM 'SELEC 1';
PREPARE three FROM 'SELECT 1; SELECT 2';
PREPARE three FROM 'SELECT 1;';
EXECUTE three;
DEALLOCATE PREPARE three;
PREPARE three FROM @undefined;
PREPARE four FROM 'SELECT EXISTS (SELECT 1 FROM trips WHERE row_key = ?) AS e';
EXECUTE four USING @row;
PREPARE five FROM 'BEGIN';
EXECUTE five;
ROLLBACK;
DEALLOCATE PREPARE one;
DROP PREPARE one;
EXECUTE one USING @row, @ref, @most;
DEALLOCATE PREPARE nobody;
