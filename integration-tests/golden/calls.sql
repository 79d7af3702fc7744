-- common
-- GET_LOCK and its kin are called where the statement comes to them, and nowhere else.
SELECT IF(0, GET_LOCK('golden_a', 0), 1) AS a, IF(1, 2, GET_LOCK('golden_a', 0)) AS b;
SELECT IF(IS_FREE_LOCK('golden_a'), 7, GET_LOCK('golden_a', 0)) AS a;
SELECT COALESCE(NULL, 3, GET_LOCK('golden_a', 0)) AS a, IFNULL(4, GET_LOCK('golden_a', 0)) AS b;
SELECT 0 AND GET_LOCK('golden_a', 0) AS a, 1 OR GET_LOCK('golden_a', 0) AS b, NULL AND 0 AND GET_LOCK('golden_a', 0) AS c;
SELECT CASE WHEN 1 THEN 2 ELSE GET_LOCK('golden_a', 0) END AS a;
SELECT CASE 2 WHEN 1 THEN GET_LOCK('golden_a', 0) WHEN 2 THEN 5 WHEN GET_LOCK('golden_a', 0) THEN 6 END AS a;
SELECT CASE WHEN NULL THEN GET_LOCK('golden_a', 0) ELSE 'none' END AS a;
SELECT GET_LOCK('golden_a', 0) AS a FROM DUAL WHERE 0;
SELECT GET_LOCK('golden_a', 0) AS a LIMIT 0;
SELECT GET_LOCK('golden_a', 0) AS a HAVING 0;
SELECT 1 AS a ORDER BY GET_LOCK('golden_a', 0);
SET @a = IF(0, GET_LOCK('golden_a', 0), 8);
SELECT @a;
DO 0 AND GET_LOCK('golden_a', 0);
SELECT IS_FREE_LOCK('golden_a') AS a;
-- What decides may be a call, too, and what is taken is called once.
SELECT COALESCE(GET_LOCK('golden_a', 0), GET_LOCK('golden_b', 0)) AS a;
SELECT IS_FREE_LOCK('golden_a') AS a, IS_FREE_LOCK('golden_b') AS b;
SELECT GET_LOCK('golden_b', 0) AS b;
SELECT RELEASE_LOCK('golden_a') OR RELEASE_LOCK('golden_b') AS a;
SELECT IS_FREE_LOCK('golden_a') AS a, IS_FREE_LOCK('golden_b') AS b;
SELECT CASE GET_LOCK('golden_a', 0) WHEN 0 THEN RELEASE_LOCK('golden_b') WHEN 1 THEN RELEASE_LOCK('golden_a') END AS a;
SELECT IS_FREE_LOCK('golden_a') AS a, IS_FREE_LOCK('golden_b') AS b;
SELECT IF(IS_FREE_LOCK('golden_a') AND GET_LOCK('golden_a', 0), 'got', 'not') AS a FROM DUAL WHERE NOT IS_FREE_LOCK('golden_b');
SELECT IS_FREE_LOCK('golden_a') AS a;
SELECT RELEASE_ALL_LOCKS() AS a;
SELECT LAST_INSERT_ID(5) AS a;
SELECT IF(0, LAST_INSERT_ID(9), 1) AS a, LAST_INSERT_ID() AS b;
SELECT LAST_INSERT_ID() + LAST_INSERT_ID(20) + LAST_INSERT_ID() AS a;
SELECT 1 AND LAST_INSERT_ID(30) AS a, LAST_INSERT_ID() AS b;
