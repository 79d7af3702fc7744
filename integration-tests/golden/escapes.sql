-- common
-- The escapes of ODBC and JDBC, functions that drivers and mappers call, and names of columns that are too long to be sent.
SELECT {d '2026-01-02'} AS a, {t '10:11:12'} AS b, {ts '2026-01-02 03:04:05'} AS c, {fn UCASE('a')} AS d;
SELECT {d 5} AS a, {fn CONCAT('a', {fn LCASE('B')})} AS b, {d '2026-01-02'} + INTERVAL 1 DAY AS c;
SELECT {d '2026-01-02'} AS a, {t '10:11:12'} AS b, {fn UCASE('a')} AS c FROM (SELECT 1 AS n) AS t;
SELECT {ts '2026-01-02 03:04:05'} = '2026-01-02 03:04:05' AS a, {t '10:11:12'} + 0 AS b;
SELECT {d '2026-01-02';
SELECT INTERVAL(23, 1, 15, 30) AS a, INTERVAL(NULL, 1, 2) AS b, INTERVAL(10, 1, 10, 100) AS c, INTERVAL(2.5, 1, 2.6) AS d, INTERVAL('3', 2, 4) AS e;
SELECT INTERVAL(0, 1) AS a, INTERVAL(1, 0, 1, (2)) AS b, CURRENT_DATE + INTERVAL (1 + 0) DAY > CURRENT_DATE AS c;
SELECT INTERVAL(23, 1, 15, 30) AS a, INTERVAL(0, 1) AS b FROM (SELECT 1 AS n) AS t;
SELECT JSON_CONTAINS_PATH('{"a":1,"b":{"c":2}}', 'one', '$.a', '$.z') AS a, JSON_CONTAINS_PATH('{"a":1}', 'all', '$.a', '$.z') AS b, JSON_CONTAINS_PATH('{"a":1}', 'ONE', '$.b') AS c;
SELECT JSON_CONTAINS_PATH(NULL, 'one', '$.a') AS a, JSON_CONTAINS_PATH('{"a":[1,2]}', 'all', '$.a[*]', '$.a[1]') AS b, JSON_CONTAINS_PATH('{"b":{"c":2}}', 'one', '$.b.c') AS c;
SELECT JSON_CONTAINS_PATH('{"a":1}', 'one', '$.a') AS a, JSON_CONTAINS_PATH('{"a":1}', 'all', '$.b') AS b FROM (SELECT 1 AS n) AS t;
SELECT CHAR(77, 121, NULL, 83) AS a, HEX(CHAR(256, 0, 39)) AS b, CONCAT(CHAR(39), 'x', CHAR(39)) AS c, HEX(CHAR(-1)) AS d;
SELECT CHAR(77, 121) AS a, CONCAT(CHAR(39), n, CHAR(39)) AS b FROM (SELECT 'x' AS n) AS t;
SELECT LENGTH('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
SELECT 'éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé';
