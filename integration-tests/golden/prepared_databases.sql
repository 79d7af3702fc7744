-- common
-- A prepared statement is of the database it was prepared in.
DROP DATABASE IF EXISTS golden_prepared;
DROP DATABASE IF EXISTS golden_executed;
CREATE DATABASE golden_prepared;
CREATE DATABASE golden_executed;
CREATE TABLE golden_prepared.trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
CREATE TABLE golden_executed.trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key));
INSERT INTO golden_prepared.trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '"prepared"');
INSERT INTO golden_executed.trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '"executed"');
USE golden_prepared;
PREPARE exact FROM 'SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?';
PREPARE latest FROM 'SELECT body FROM trips WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1';
PREPARE put FROM 'INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)';
PREPARE shown FROM 'SHOW TABLES';
PREPARE named FROM 'SELECT DATABASE() AS d, COUNT(*) AS n FROM golden_executed.trips WHERE row_key = ''a''';
PREPARE alone FROM 'SELECT DATABASE() AS d';
PREPARE seen FROM 'SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE()';
PREPARE made FROM 'CREATE TABLE made LIKE trips';
USE golden_executed;
SET @row = 'a', @column = 'BASE', @ref = 1;
EXECUTE exact USING @row, @column, @ref;
EXECUTE latest USING @row, @column;
SET @ref = 2, @body = '"put"';
EXECUTE put USING @row, @column, @ref, @body;
EXECUTE named;
EXECUTE alone;
EXECUTE seen;
EXECUTE made;
EXECUTE shown;
SELECT DATABASE() AS d;
SHOW TABLES;
SELECT ref_key, body FROM trips WHERE row_key = 'a' ORDER BY ref_key;
SELECT ref_key, body FROM golden_prepared.trips WHERE row_key = 'a' ORDER BY ref_key;
-- What is gone is missed where it was, however much of its name is where the session is.
DROP TABLE golden_prepared.trips;
EXECUTE exact USING @row, @column, @ref;
SET @ref = 3;
EXECUTE put USING @row, @column, @ref, @body;
DROP DATABASE golden_prepared;
EXECUTE latest USING @row, @column;
EXECUTE alone;
EXECUTE shown;
EXECUTE made;
SELECT DATABASE() AS d;
CREATE DATABASE golden_prepared;
EXECUTE alone;
EXECUTE shown;
DROP DATABASE golden_prepared;
DROP DATABASE golden_executed;
SELECT DATABASE() AS d;
EXECUTE alone;
