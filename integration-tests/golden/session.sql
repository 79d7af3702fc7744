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
