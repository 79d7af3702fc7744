-- common
-- Keys compare by their bytes: case, trailing spaces, accents and their spellings are all different.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('key', 'BASE', 1, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('KEY', 'BASE', 1, '2');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('key ', 'BASE', 1, '3');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('kéy', 'BASE', 1, '4');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('key', 'base', 1, '5');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('東京 🚕', 'BASE', 1, '7');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('it''s', 'BASE', 1, '8');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ("back\\slash", 'BASE', 1, '9');
SELECT body FROM trips WHERE row_key = 'key' AND column_key = 'BASE' AND ref_key = 1;
SELECT body FROM trips WHERE row_key = 'KEY' AND column_key = 'BASE' AND ref_key = 1;
SELECT body FROM trips WHERE row_key = 'key ' AND column_key = 'BASE' AND ref_key = 1;
SELECT body FROM trips WHERE row_key = 'kéy' AND column_key = 'BASE' AND ref_key = 1;
SELECT body FROM trips WHERE row_key = 'key' AND column_key = 'base' AND ref_key = 1;
SELECT row_key, body FROM trips WHERE row_key = '東京 🚕';
SELECT row_key, body FROM trips WHERE row_key = 'it\'s';
SELECT row_key, body FROM trips WHERE row_key = 'back\\slash';
SELECT body FROM trips WHERE row_key = X'6B6579' AND column_key = 'BASE' AND ref_key = 1;
SELECT COUNT(*) FROM trips WHERE row_key IN ('Key', 'kEy', ' key', 'key  ');
-- Bytes beside a number in a list are the bytes of a key.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('A', 'BASE', 1, '10'), ('5', 'BASE', 1, '11'), ('65', 'BASE', 1, '12');
SELECT row_key FROM trips WHERE row_key IN (X'41', 5) ORDER BY row_key;
SELECT row_key FROM trips WHERE row_key IN ('5', '65', 'A') AND row_key NOT IN (X'41', 5);
SELECT row_key, CASE row_key WHEN X'41' THEN 1 WHEN 5 THEN 2 END AS n FROM trips WHERE row_key IN ('5', '65', 'A') ORDER BY row_key;

-- An aggregate where there are no groups.
SELECT COUNT(*) FROM trips WHERE COUNT(*) > 1;
SELECT COUNT(*) FROM trips GROUP BY COUNT(*);
SELECT MAX(COUNT(*)) FROM trips;
