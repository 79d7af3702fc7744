-- common
-- What may stand between SELECT and FROM.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{"n":1,"s":"x","l":[10,20]}'), ('a', 'BASE', 2, '{"n":2,"s":"y","l":[]}'), ('b', 'BASE', 1, '{"n":3}'), ('c', 'STATUS', 4, '{"n":null}');
SELECT row_key AS k, ref_key version FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1;
SELECT t.row_key, t.`ref_key` FROM trips t WHERE t.row_key = 'a' AND t.column_key = 'BASE' AND t.ref_key = 1;
SELECT trips.ref_key FROM trips WHERE trips.row_key = 'b';
SELECT 1 AS one, 'text' AS t, NULL AS nothing, ref_key FROM trips WHERE row_key = 'b';
SELECT COUNT(*) FROM trips WHERE row_key = 'a';
SELECT COUNT(*) FROM trips;
SELECT COUNT(*) AS n, MIN(ref_key) AS lo, MAX(ref_key) AS hi FROM trips WHERE row_key = 'a';
SELECT COUNT(*) FROM trips WHERE row_key = 'nobody';
SELECT MAX(ref_key) FROM trips WHERE row_key = 'nobody';
SELECT SUM(ref_key) AS s FROM trips;
SELECT COUNT(DISTINCT row_key) AS n FROM trips;
SELECT COUNT(DISTINCT column_key) AS n FROM trips WHERE row_key IN ('a', 'b');
-- JSON access.
SELECT JSON_EXTRACT(body, '$.n') AS n FROM trips WHERE row_key = 'a' ORDER BY ref_key;
SELECT JSON_EXTRACT(body, '$.s') AS s FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1;
SELECT JSON_UNQUOTE(JSON_EXTRACT(body, '$.s')) AS s FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1;
SELECT JSON_EXTRACT(body, '$.l[1]') AS second FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1;
SELECT JSON_EXTRACT(body, '$.missing') AS m FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1;
SELECT JSON_VALUE(body, '$.s') AS s FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 2;
-- A quotient goes on with more digits than it shows.
SELECT 1/3*3 AS a, (1/3)*9 AS b, 1/7*7 AS c, 20/7/7 AS d, 1/3 = 0.3333 AS e, 2.00000/3 AS f, 1 % (255/9999999999) AS g, FLOOR(1/3*3) AS h, CONCAT(1/3) AS i;
SELECT CAST(1/3 AS DECIMAL(20,10)) AS a, IF(1, 1/3, 2)*3 AS b, 123456789012345678901234567890/3*3 AS c, -(1/3)*3 AS d, 7 DIV (1/3) AS e;
SELECT SUM(ref_key/3) AS a, SUM(ref_key)/7*7 AS b, AVG(ref_key/3) AS c FROM trips WHERE row_key = 'a';
SELECT ref_key, ref_key*(1/3)*3 AS a, -ref_key/3 AS b FROM trips WHERE row_key = 'a' ORDER BY ref_key;
SELECT IF(ref_key > 0, 1/3, 0)*3 AS a, COALESCE(1/3, ref_key)*3 AS b, CASE WHEN ref_key > 0 THEN 1/3 END*3 AS c,
    ROUND(ref_key/3 + IF(ref_key > 0, 1/3, 0), 8) AS d, IF(ref_key > 0, 1/3, 0) AS e FROM trips WHERE row_key = 'a' ORDER BY ref_key;
SELECT SUM(1/7) AS a, SUM(IF(ref_key > 0, 1/7, 0)) AS b, SUM(COALESCE(NULL, 1/7)) AS c, AVG(1/3) AS d, SUM(-(1/7)) AS e,
    SUM(CASE ref_key WHEN 0 THEN 1 ELSE 1/7 END) AS f, MAX(1/3) AS g FROM trips;
SELECT ref_key FROM trips WHERE row_key = 'a' AND ref_key IN (4/2, 2/2, 1/2) ORDER BY ref_key;
