-- The row shape: names of cell columns as columns, each the latest body.
CREATE TABLE trips (BASE JSON, STATUS JSON) ENGINE=CELLS;
INSERT INTO trips (row_key, BASE, STATUS) VALUES ('a', '{"fare":1}', '"new"');
INSERT INTO trips (row_key, BASE) VALUES ('b', '{"fare":2}');
INSERT INTO trips (row_key, STATUS) VALUES ('a', '"done"');
SELECT BASE, STATUS FROM trips WHERE row_key = 'a';
SELECT row_key, BASE, STATUS FROM trips WHERE row_key IN ('b', 'a') ORDER BY row_key;
SELECT BASE FROM trips WHERE row_key = 'nobody';
SELECT NOTES FROM trips WHERE row_key = 'a';
ALTER TABLE trips ADD COLUMN NOTES JSON;
SELECT NOTES, STATUS FROM trips WHERE row_key = 'a';
INSERT INTO trips (row_key, NOTES) VALUES ('a', '[1]');
SELECT NOTES, STATUS FROM trips WHERE row_key = 'a';
-- The cells under it; the cell shape takes any column key.
SELECT column_key, ref_key, body FROM trips WHERE row_key = 'a' ORDER BY column_key, ref_key;
INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'UNDECLARED', 1, '1');
SELECT column_key, ref_key FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED';
-- One row is not sorted: a column that is named there alone does not make rows of the cells.
SELECT COUNT(*) FROM trips WHERE row_key = 'a';
SELECT COUNT(*) FROM trips WHERE row_key = 'a' ORDER BY STATUS;
SELECT MAX(ref_key) FROM trips WHERE row_key = 'a' HAVING COUNT(*) > 1 ORDER BY ref_key, STATUS DESC;
SELECT COUNT(*) FROM trips WHERE row_key = 'a' ORDER BY NOBODY;
SELECT COUNT(STATUS) FROM trips ORDER BY BASE;
-- What text begins with does not decide what is erased.
DELETE FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED' AND ref_key = '1abc';
DELETE FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED' AND ref_key = 0 + '1abc';
DELETE FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED' AND ref_key = CAST('1abc' AS SIGNED);
SELECT ref_key FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED';
DELETE FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED' AND ref_key = ' 1.0 ';
SELECT ref_key FROM trips WHERE row_key = 'a' AND column_key = 'UNDECLARED';

-- Columns have comments.
CREATE TABLE noted (a JSON COMMENT 'it''s a', b JSON DEFAULT '1' COMMENT 'b') ENGINE=CELLS;
ALTER TABLE noted RENAME COLUMN b TO c, ADD COLUMN d JSON COMMENT 'd';
CREATE TABLE noted_too LIKE noted;
SHOW CREATE TABLE noted_too;
ALTER TABLE noted MODIFY a JSON, CHANGE d e JSON COMMENT 'e';
SELECT COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'noted' AND ORDINAL_POSITION > 6;
SHOW FULL COLUMNS FROM noted WHERE Field = 'c';
DROP TABLE noted, noted_too;
