-- common
-- Constants, variables and what drivers say when they connect.
SELECT 1;
SELECT 1 + 1 AS two, 'a' AS a;
SELECT NULL;
select 1 from dual;
SET NAMES utf8mb4;
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci';
SET AUTOCOMMIT = 1;
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET SQL_AUTO_IS_NULL = 0;
SET time_zone = '+00:00';
SELECT @@session.time_zone;
SET @x = 5;
SELECT @x;
SELECT @@autocommit AS a;
/* a comment before */ SELECT 2 AS two -- and one behind
;
SELECT 3 # another kind
;
SHOW WARNINGS;
SELECT @@no_such_variable;
COMMIT;
ROLLBACK;
-- What a value loses where another type is read out of it.
SELECT '1x' + 1 AS a, 'y' AND 1 AS b, CAST('2z' AS SIGNED) AS c, CAST('99999999999999999999' AS SIGNED) AS d;
SHOW WARNINGS;
SET @lost = '1x' + 1;
SHOW WARNINGS;
DO 1 / 0, 'x' DIV 2, DATE_ADD('z', INTERVAL 1 DAY);
SHOW WARNINGS;
SELECT LEFT('abc', '1.5') AS a, JSON_ARRAY(1e300) AS b;
