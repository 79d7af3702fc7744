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
