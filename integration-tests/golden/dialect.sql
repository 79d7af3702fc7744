-- What only cells have: the short form, next versions, duplicates that are done already, the row shape, shards.
CREATE TABLE trips ENGINE=CELLS;
-- The same cell again is done already: 0 affected, and a note.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{"v":1}');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{"v":1}');
SHOW WARNINGS;
-- Bytes count, not the value of the JSON.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{"v": 1}');
-- Without a ref key: the next version.
INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '{"v":2}');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', NULL, '{"v":3}') RETURNING ref_key, body;
INSERT INTO trips (row_key, column_key, body) VALUES ('new', 'BASE', '1') RETURNING row_key, column_key, ref_key;
SELECT ref_key, body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key;
-- Bodies are JSON, kept as they are given.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('json', 'BASE', 1, '{"b" : 1,  "a":1.50, "b":2}');
SELECT body FROM trips WHERE row_key = 'json' AND column_key = 'BASE' AND ref_key = 1;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('json', 'BASE', 2, 'no json');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('json', 'BASE', 2, '');
-- JSON by arrows.
SELECT body->'$.v' AS v, body->>'$.v' AS t FROM trips WHERE row_key = 'a' ORDER BY ref_key;
-- A key has at least one byte.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('', 'BASE', 1, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', '', 1, '1');
-- Cells are immutable.
UPDATE trips SET body = '2' WHERE row_key = 'a';
REPLACE INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '2');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '2') ON DUPLICATE KEY UPDATE body = '2';
SELECT body FROM trips WHERE added_id = 5;
-- A shard, and its log.
SELECT SHARD_OF('a') = SHARD_OF('a') AS same;
DROP TABLE trips;

-- Errors and edges where MySQL and MariaDB differ: these are MySQL's.
SELECT (1, 2) = 1;
SELECT CAST('2024-02-29 12:34:56' AS DATETIME) < 'A';
SELECT CAST(CAST('1999-12-31 23:59:59.999999' AS DATETIME(6)) AS SIGNED);
SELECT CASE ('1.5' LIKE '5.') WHEN '1e1' THEN 1 ELSE DATE_ADD(CAST('2024-03-31' AS DATETIME), INTERVAL '1 2' DAY_HOUR) END;
-- A name for the new rows, of which nothing is made.
CREATE TABLE named ENGINE=CELLS;
INSERT INTO named (row_key, column_key, ref_key, body) VALUES ('alias', 'BASE', 1, '1') AS new;
INSERT INTO named (row_key, column_key, ref_key, body) VALUES ('alias', 'BASE', 1, '2') AS new (r, c, v, b) ON DUPLICATE KEY UPDATE body = b;
DROP TABLE named;

-- A time is stored as its type shows it, and literals of bytes are versions.
SET timestamp = 1700000000;
CREATE TABLE times ENGINE=CELLS;
INSERT INTO times (row_key, column_key, ref_key, body) VALUES ('k', NOW(), 1, '1'), (CURDATE(), 'b', 0x0A, 'true'), ('k', IF(1, NOW(), 1), b'101', '{"a": 1}'), ('k', NOW(3), _binary '7', '1.0');
SELECT row_key, column_key, ref_key FROM times ORDER BY row_key, column_key, ref_key;
SELECT CONCAT(FROM_UNIXTIME(ref_key)) AS a, FROM_UNIXTIME(ref_key) + 0 AS b, CONCAT(created_at) LIKE '%.______' AS c FROM times WHERE row_key = 'k' AND ref_key = 5;
SELECT ref_key FROM times WHERE row_key = 'k' AND column_key = NOW() ORDER BY ref_key;
SELECT ref_key FROM times WHERE row_key = CURDATE();
SELECT ref_key FROM times WHERE NOW() IN (column_key, 20231114221320) AND row_key = 'k' ORDER BY ref_key;
-- TRUE is JSON's own beside JSON, and 1 is 1.0.
SELECT ref_key FROM times WHERE body = TRUE;
SELECT ref_key FROM times WHERE body = 1 ORDER BY ref_key;
SELECT ref_key FROM times WHERE body IN (ref_key = 10, 7) ORDER BY ref_key;
SELECT COUNT(*) AS n FROM times GROUP BY body ORDER BY n;
DROP TABLE times;
SET timestamp = DEFAULT;
-- Refused by name.
SELECT CONVERT('x' USING latin1);
SELECT CONVERT('x' USING nosuch);
SELECT 'x' COLLATE latin1_swedish_ci;
SELECT 'x' COLLATE nosuch;
SELECT 'x' COLLATE utf8mb4_general_ci = 'X';
SELECT TIME '10:00:00';
SELECT DATE_ADD('2026-01-01', 5);
SELECT '2026-01-01' + INTERVAL 1 YEAR_MONTH;
SELECT JSON_EXTRACT('[1,2,3]', '$[0 to 1]');
CREATE TABLE select ENGINE=CELLS;
SELECT row_key FROM from;
SELECT NOW(), CURDATE() INTO @a, @b;
SELECT LENGTH(@a) AS a, LENGTH(@b) AS b;

-- A sign in LIMIT is no SQL.
SELECT 1 LIMIT -1;
SELECT 1 FROM (SELECT 1) AS t LIMIT 1 OFFSET +1;
-- A division by zero is NULL, and a warning where it is evaluated.
SELECT 1 / 0 AS a;
SHOW WARNINGS;
SELECT n / 0 AS a, n % 0 AS b, n DIV 0 AS c, MOD(n, 0) AS d, n / NULL AS e FROM (SELECT 1 AS n) x;
SHOW WARNINGS;
SELECT IF(n, 2, 1 / 0) AS a, COALESCE(n, n / 0) AS b FROM (SELECT 1 AS n) x;
SHOW WARNINGS;
SET sql_mode = '';
SELECT 1 / 0 AS a;
SHOW WARNINGS;
SET sql_mode = DEFAULT;

-- The insert id is the ref_key that was counted; of many rows the first one's, if the others follow it.
CREATE TABLE ids (NOTE JSON) ENGINE=CELLS;
INSERT INTO ids (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 4, '1');
SELECT LAST_INSERT_ID();
INSERT INTO ids (row_key, column_key, body) VALUES ('a', 'BASE', '1');
SELECT LAST_INSERT_ID(), @@last_insert_id;
INSERT INTO ids (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 9, '1'), ('a', 'BASE', NULL, '1'), ('b', 'BASE', NULL, '1');
SELECT LAST_INSERT_ID();
INSERT INTO ids (row_key, column_key, body) VALUES ('c', 'BASE', '1'), ('c', 'OTHER', '1');
SELECT LAST_INSERT_ID();
INSERT INTO ids (row_key, column_key, body) VALUES ('c', 'BASE', '1'), ('c', 'BASE', '2'), ('c', 'BASE', '3');
SELECT LAST_INSERT_ID();
INSERT INTO ids (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 20, '1');
INSERT INTO ids (row_key, NOTE) VALUES ('a', '1');
INSERT INTO ids (row_key, column_key, body) VALUES ('a', 'BASE', 'x');
SELECT LAST_INSERT_ID();

-- What was erased is not rolled back, and is told so.
BEGIN;
DELETE FROM ids WHERE row_key = 'nobody';
ROLLBACK;
BEGIN;
SAVEPOINT before_erasure;
DELETE FROM ids WHERE row_key = 'b' AND column_key = 'BASE' AND ref_key = 1 LIMIT 1;
ROLLBACK TO before_erasure;
SHOW WARNINGS;
ROLLBACK;
SHOW WARNINGS;
ROLLBACK;
SHOW WARNINGS;
SET autocommit = 0;
DELETE FROM ids WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 4;
ROLLBACK;
SHOW WARNINGS;
SET autocommit = 1;
DELETE FROM ids WHERE row_key = 'a' AND column_key = 'BASE' LIMIT 1;
DELETE FROM ids WHERE row_key = 'a' AND ref_key = 4;
DELETE FROM ids WHERE row_key = 'a' AND ref_key IN (4);
DELETE FROM ids WHERE column_key = 'BASE' AND ref_key = 4;
DELETE FROM ids WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key > 4;
INSERT INTO ids (row_key, column_key, body, createdAt) VALUES ('a', 'BASE', '1', NOW());
INSERT INTO ids (row_key, updatedAt) VALUES ('a', '1');
CREATE TABLE versions (version VARCHAR(255) PRIMARY KEY);
SELECT body FROM ids FOR UPDATE SKIP LOCKED;
-- A constant that loses something is the same in every clause of a SELECT with groups.
SELECT ref_key + CAST('1x' AS SIGNED) AS k, COUNT(*) FROM ids WHERE row_key = 'a' GROUP BY k ORDER BY k;
SHOW WARNINGS;
SELECT ref_key + CAST('60.0' AS SIGNED) AS k, COUNT(*) FROM ids WHERE row_key = 'a' GROUP BY 1 HAVING k > 1 ORDER BY 1;
SELECT ref_key DIV CAST('' AS SIGNED), COUNT(*) FROM ids WHERE row_key = 'a' GROUP BY ref_key DIV CAST('' AS SIGNED);
-- Aggregates of a query in its subqueries.
SELECT x, (SELECT SUM(COUNT(a.x)) FROM (SELECT 1 AS y) b) FROM (SELECT 1 AS x) a GROUP BY x;
SELECT x, (SELECT SUM((SELECT COUNT(a.x) FROM (SELECT 1 AS z) c)) FROM (SELECT 1 AS y) b) FROM (SELECT 1 AS x) a GROUP BY x;
SELECT x, (SELECT SUM(COUNT(a.x) + y) FROM (SELECT 1 AS y UNION ALL SELECT 2) b) AS s FROM (SELECT 1 AS x UNION ALL SELECT 1 UNION ALL SELECT 2) a GROUP BY x ORDER BY x;
SELECT x, (SELECT GROUP_CONCAT('k' ORDER BY COUNT(a.x)) FROM (SELECT NULL AS y UNION ALL SELECT 2) b) AS s, (SELECT MAX(COUNT(a.x)) FROM (SELECT NULL AS y) b) AS m FROM (SELECT 1 AS x UNION ALL SELECT 1) a GROUP BY x;
SELECT x, (SELECT SUM(COUNT(a.x))) FROM (SELECT 1 AS x) a GROUP BY x;
SELECT GROUP_CONCAT(x ORDER BY COUNT(x)) FROM (SELECT 1 AS x) a;
SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2) a HAVING (SELECT COUNT(*) FROM (SELECT 1 AS y) b WHERE y = MAX(a.x)) = 0;
SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2) a ORDER BY (SELECT COUNT(*) FROM (SELECT 1 AS y) b WHERE y = MAX(a.x));
SELECT 7 FROM (SELECT 1 AS x UNION ALL SELECT 2) a HAVING (SELECT COUNT(*) FROM (SELECT 1 AS y) b WHERE y = MAX(a.x)) = 0;
SELECT 7 FROM (SELECT 1 AS x UNION ALL SELECT 2) a HAVING (SELECT COUNT(*) FROM (SELECT 1 AS y) b WHERE y = MIN(a.x)) = 0;
SELECT 7 FROM (SELECT 1 AS x UNION ALL SELECT 2) a ORDER BY (SELECT MAX(a.x));
SELECT (SELECT COUNT(a.x)) AS c FROM (SELECT 1 AS x UNION ALL SELECT 2) a HAVING c = 2;
SELECT (SELECT COUNT(a.x)) AS c FROM (SELECT 1 AS x UNION ALL SELECT 2) a HAVING c = 3;
SELECT (SELECT COUNT(a.x)) AS c FROM (SELECT 1 AS x UNION ALL SELECT 2) a GROUP BY c;
SELECT x, (SELECT COUNT(a.x)) AS c FROM (SELECT 1 AS x UNION ALL SELECT 2) a GROUP BY x HAVING c = 1 ORDER BY x;
SELECT x FROM (SELECT 1 AS x) a UNION ALL SELECT 2 ORDER BY (SELECT MAX(x));
-- An alias in HAVING has the digits that are not shown.
SELECT x, AVG(y) AS a FROM (SELECT 1 AS x, 1 AS y UNION ALL SELECT 1, 1 UNION ALL SELECT 1, 2) t GROUP BY x HAVING a * 3 = 4;
SELECT x / 3 AS a FROM (SELECT 1 AS x UNION ALL SELECT 2) t HAVING a * 3 = 1 AND a = 0.3333;
SELECT DISTINCT x / 3 AS a FROM (SELECT 1 AS x UNION ALL SELECT 2) t HAVING a * 3 = 2;
SELECT x / 3 AS a, COUNT(*) FROM (SELECT 1 AS x UNION ALL SELECT 1 UNION ALL SELECT 2) t GROUP BY a HAVING a * 3 = 1;
-- SUM and AVG of text that is no number.
SELECT SUM(s), AVG(DISTINCT s) FROM (SELECT '1x' AS s UNION ALL SELECT '2' UNION ALL SELECT NULL) t;
SHOW WARNINGS;
-- A T behind eight or six digits of a date, and before six of a time.
SELECT CAST('20240101T101112' AS DATETIME) AS a, CAST('240101T101112' AS DATETIME) AS b, CAST('20240101T10:11:12' AS DATETIME) AS c, CAST('20240101t101112' AS DATETIME) AS d, CAST('20240101T1011' AS DATETIME) AS e;
SHOW WARNINGS;
