-- common
-- Many rows in one statement: lists, tuples, OR; merged in the order asked for.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1'), ('b', 'BASE', 1, '2'), ('c', 'BASE', 1, '3'), ('d', 'BASE', 1, '4'), ('e', 'BASE', 1, '5'), ('a', 'BASE', 2, '11'), ('b', 'STATUS', 1, '"x"'), ('c', 'STATUS', 2, '"y"');
SELECT row_key, column_key, ref_key FROM trips WHERE row_key IN ('c', 'a', 'nobody', 'b') ORDER BY row_key, column_key, ref_key;
SELECT row_key, ref_key FROM trips WHERE row_key IN ('c', 'a', 'b') AND column_key = 'BASE' ORDER BY row_key DESC, ref_key DESC;
SELECT row_key FROM trips WHERE row_key IN ('a', 'b', 'c', 'd', 'e') AND column_key = 'BASE' AND ref_key = 1 ORDER BY row_key LIMIT 3;
SELECT row_key FROM trips WHERE row_key IN ('a', 'b', 'c', 'd', 'e') AND column_key = 'BASE' AND ref_key = 1 ORDER BY row_key LIMIT 2 OFFSET 2;
SELECT row_key, column_key, ref_key FROM trips WHERE (row_key, column_key) IN (('a', 'BASE'), ('c', 'STATUS')) ORDER BY row_key, column_key, ref_key;
SELECT row_key, column_key, ref_key FROM trips WHERE (row_key, column_key, ref_key) IN (('a', 'BASE', 2), ('b', 'STATUS', 1), ('b', 'STATUS', 2)) ORDER BY row_key, column_key, ref_key;
SELECT row_key, body FROM trips WHERE (row_key = 'a' AND column_key = 'BASE' AND ref_key = 2) OR (row_key = 'e' AND column_key = 'BASE' AND ref_key = 1) ORDER BY row_key;
SELECT row_key FROM trips WHERE row_key = 'd' OR row_key = 'e' ORDER BY row_key DESC;
-- The same key twice is one row.
SELECT row_key FROM trips WHERE row_key IN ('d', 'd') ORDER BY row_key;
-- Without a key: every shard.
SELECT row_key, column_key, ref_key FROM trips ORDER BY row_key, column_key, ref_key;
SELECT row_key FROM trips WHERE column_key = 'STATUS' ORDER BY row_key;
SELECT row_key FROM trips ORDER BY row_key DESC LIMIT 1;
