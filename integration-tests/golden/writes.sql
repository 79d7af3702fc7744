-- common
-- A triple is written once.
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{"v":1}');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{"v":2}');
-- The rows of one statement for one row key stand or fall together.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 2, '2'), ('a', 'BASE', 1, '"other"');
SELECT ref_key, body FROM trips WHERE row_key = 'a' ORDER BY ref_key;
INSERT IGNORE INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '"ignored"'), ('a', 'BASE', 3, '3');
SELECT ref_key, body FROM trips WHERE row_key = 'a' ORDER BY ref_key;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('b', 'BASE', 1, '1') RETURNING row_key, ref_key;
-- What cannot be.
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (NULL, 'BASE', 1, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', NULL, 1, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 9);
INSERT INTO trips (row_key, column_key, ref_key, body, body) VALUES ('a', 'BASE', 9, '1', '2');
INSERT INTO trips (row_key, column_key, ref_key, nothing) VALUES ('a', 'BASE', 9, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 9223372036854775808, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1 / 0, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 9, JSON_OBJECT('half', 1 MOD 0));
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', '8x' + 1, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', IF('x', 8, 9), '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', CAST('9x' AS SIGNED), 9, '1');
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (UNIX_TIMESTAMP('x'), 'BASE', 9, '1');
INSERT INTO missing (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 9, '1');
SELECT nothing FROM trips WHERE row_key = 'a';
SELECT body FROM trips WHERE nothing = 'a';
SELECT body FROM missing WHERE row_key = 'a';
SELECT FROM trips;
CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
DROP TABLE missing;
DROP TABLE IF EXISTS missing;
DROP TABLE trips;
SELECT body FROM trips WHERE row_key = 'a';
