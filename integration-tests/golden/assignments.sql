-- common
-- User variables that a select list sets, for its later items and for what comes after it.
SELECT @a := 1;
SELECT @a AS a;
SELECT @b := 2 AS b, @b + 1 AS c, @c := @b * 10 AS d, @c AS e;
SELECT @b AS b, @c AS c;
SELECT @a := @a + 1 AS a;
SELECT @a AS a;
SELECT CASE WHEN n = 1 THEN @t := 'one' ELSE @t := 'many' END AS a, CONCAT(@t, '!') AS b FROM (SELECT 1 AS n UNION SELECT 2) AS t ORDER BY n;
SELECT @t AS t;
SELECT CAST(IF(n > 1, @u := n, @u := -n) AS CHAR) AS a, @u * 2 AS b FROM (SELECT 1 AS n UNION SELECT 2) AS t ORDER BY n;
SELECT @u AS u;
SELECT @v := n AS n FROM (SELECT 1 AS n) AS t WHERE n > 1;
SELECT @v AS v;
