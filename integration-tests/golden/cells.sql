-- common
-- Putting cells and getting them back: exactly, the latest, as of a version, the cells of a row.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-1', 'BASE', 1, '{"fare":10,"city":"Zürich"}');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-1', 'BASE', 2, '{"fare":20,"city":"Zürich"}');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-1', 'BASE', 5, '{"fare":50}'), ('trip-1', 'STATUS', 1, '"done"');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-2', 'BASE', 1, '{"fare":7}'), ('trip-3', 'BASE', 1, 'null'), ('trip-4', 'NOTES', 9, '[1, 2.50,  "x"]');
-- Another order of columns, other quotes, a number as a string.
insert into `trips` (`body`, `ref_key`, `column_key`, `row_key`) values ("{}", '3', "BASE", "trip-5");

SELECT row_key, column_key, ref_key, body FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key = 1;
SELECT body FROM trips WHERE ref_key = 2 AND column_key = 'BASE' AND row_key = 'trip-1';
SELECT body FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key = 3;
SELECT body FROM trips WHERE row_key = 'nobody' AND column_key = 'BASE' AND ref_key = 1;
SELECT body FROM trips WHERE row_key = 'trip-5' AND column_key = 'BASE' AND ref_key = '3';
SELECT body FROM trips WHERE row_key = 'trip-4' AND column_key = 'NOTES' AND ref_key = 9;

-- Latest, and the version as of a ref key.
SELECT ref_key, body FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key <= 4 ORDER BY ref_key DESC LIMIT 1;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key <= 0 ORDER BY ref_key DESC LIMIT 1;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'NONE' ORDER BY ref_key DESC LIMIT 1;

-- The cells of a row.
SELECT column_key, ref_key FROM trips WHERE row_key = 'trip-1' ORDER BY column_key, ref_key;
SELECT column_key, ref_key FROM trips WHERE row_key = 'trip-1' ORDER BY column_key DESC, ref_key DESC;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key LIMIT 2;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key LIMIT 1 OFFSET 1;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key LIMIT 1, 2;
SELECT column_key, ref_key FROM trips WHERE row_key = 'trip-1' AND column_key IN ('STATUS', 'BASE', 'NONE') ORDER BY column_key, ref_key;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key > 1 ORDER BY ref_key;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key >= 2 AND ref_key < 5 ORDER BY ref_key;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key BETWEEN 2 AND 5 ORDER BY ref_key;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key IN (5, 1, 9) ORDER BY ref_key;
SELECT ref_key FROM trips WHERE row_key = 'trip-1' LIMIT 0;

-- FOUND_ROWS counts the rows of OFFSET.
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key LIMIT 1 OFFSET 1;
SELECT FOUND_ROWS();
SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key + 0 LIMIT 1 OFFSET 2;
SELECT FOUND_ROWS();
SELECT COUNT(*) FROM (SELECT ref_key FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key LIMIT 1 OFFSET 1) AS t;
SELECT FOUND_ROWS();
-- A division by zero is NULL, and a warning for each row.
SELECT ref_key / 0 AS a, ref_key % 0 AS b FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key = 1;
SHOW WARNINGS;

-- The latest as of a time.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-6', 'BASE', 1, '"z"');
SELECT SLEEP(0.01);
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-6', 'BASE', 2, '"a"');
SELECT created_at INTO @then FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' AND ref_key = 1;
SELECT ref_key, body FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' AND created_at <= @then ORDER BY ref_key DESC LIMIT 1;
SELECT ref_key, body FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' AND created_at <= '2100-01-01' ORDER BY ref_key DESC LIMIT 1;
SELECT ref_key, body FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' AND created_at <= '2000-01-01' ORDER BY ref_key DESC LIMIT 1;

-- ORDER BY is by the alias, not by the column it hides; in a transaction, too.
SELECT body AS ref_key FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1;
SELECT body AS ref_key FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' AND ref_key <= 2 ORDER BY REF_KEY DESC LIMIT 1;
SELECT body AS ref_key FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' ORDER BY trips.ref_key DESC LIMIT 1;
BEGIN;
SELECT body AS ref_key FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1;
COMMIT;

-- A column is called as it is written.
SELECT BODY, Ref_Key FROM trips WHERE ROW_KEY = 'trip-6' AND COLUMN_KEY = 'BASE' AND REF_KEY = 1;
SELECT Body FROM trips WHERE row_key = 'trip-6' AND column_key = 'BASE' ORDER BY REF_KEY DESC LIMIT 1;
BEGIN;
SELECT BODY, Ref_Key FROM trips WHERE ROW_KEY = 'trip-6' AND COLUMN_KEY = 'BASE' AND REF_KEY = 1;
COMMIT;

-- A choice of JSON and something else is grouped and sorted as text.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-8', 'BASE', 1, '{"fare":0,"city":"Oslo"}'), ('trip-8', 'BASE', 2, '{"fare":-5}'), ('trip-8', 'BASE', 3, '{}'), ('trip-8', 'BASE', 4, '{"fare":10,"city":"none"}');
SELECT COALESCE(JSON_EXTRACT(body, '$.fare'), 0) AS fare, COUNT(*) AS n FROM trips WHERE row_key = 'trip-8' GROUP BY fare ORDER BY fare;
SELECT DISTINCT IFNULL(JSON_EXTRACT(body, '$.city'), 'none') AS city FROM trips WHERE row_key = 'trip-8' ORDER BY city DESC;
SELECT MIN(IFNULL(JSON_EXTRACT(body, '$.fare'), 0)) AS a, MAX(IFNULL(JSON_EXTRACT(body, '$.fare'), 0)) AS b, COUNT(DISTINCT IFNULL(JSON_EXTRACT(body, '$.fare'), 0)) AS c FROM trips WHERE row_key = 'trip-8';
SELECT COALESCE(JSON_EXTRACT(body, '$.fare'), 0) AS fare, COUNT(*) AS n FROM trips WHERE row_key = 'trip-8' GROUP BY fare HAVING fare = 0;

-- What is shown alike is one value; a constant that is grouped by stays one.
SELECT SUM(DISTINCT ref_key / 30000) AS a, AVG(DISTINCT ref_key / 30000) AS b, COUNT(DISTINCT ref_key / 30000) AS c, SUM(ref_key / 30000) AS d FROM trips WHERE row_key = 'trip-8';
SELECT 2 AS version, ROUND(AVG(ref_key), 2) AS a FROM trips WHERE row_key = 'trip-8' GROUP BY version;
