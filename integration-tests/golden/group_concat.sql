-- What GROUP_CONCAT says that it cut, as MariaDB 10.11 does; later ones write its name in small letters.
SET group_concat_max_len = 4;
SELECT g, GROUP_CONCAT(x ORDER BY x) AS a FROM (SELECT 1 AS g, 'bbb' AS x UNION ALL SELECT 1, 'aaa' UNION ALL SELECT 2, 'c' UNION ALL SELECT 3, 'ddddd' UNION ALL SELECT 3, 'eeeee') x GROUP BY g ORDER BY g;
SHOW WARNINGS;
-- Each warns of what it cut itself.
SELECT GROUP_CONCAT(x ORDER BY x) AS a, GROUP_CONCAT(x, '' ORDER BY x) AS b FROM (SELECT 'bbb' AS x UNION ALL SELECT 'aaa' UNION ALL SELECT 'ccc') x;
SHOW WARNINGS;
