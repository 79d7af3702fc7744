#!/usr/bin/env bash
# The steps of every stock client, for the mariadb command line.
set -uo pipefail

passed=0
failed=0

sql() {
    mariadb --no-defaults --protocol=tcp --host="$MYSQL_HOST" --port="$MYSQL_PORT" --user="$MYSQL_USER" --skip-ssl \
        --default-character-set=utf8mb4 --batch --raw --skip-column-names "$MYSQL_DATABASE" --execute "$1" 2>&1
}

# step NAME EXPECTED STATEMENTS: the output must be exactly EXPECTED.
step() {
    local name=$1 expected=$2 found
    found=$(sql "$3")
    if [ "$found" = "$expected" ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: ${found//$'\n'/ | } instead of ${expected//$'\n'/ | }"
        failed=$((failed + 1))
    fi
}

# refused NAME PREFIX STATEMENTS: a line of the output must start with PREFIX, an error.
refused() {
    local name=$1 prefix=$2 found
    found=$(sql "$3")
    case $'\n'$found in
        *$'\n'"$prefix"*)
            echo "ok $name"
            passed=$((passed + 1))
            ;;
        *)
            echo "FAIL $name: ${found//$'\n'/ | } instead of $prefix"
            failed=$((failed + 1))
            ;;
    esac
}

insert="INSERT INTO trips (row_key, column_key, ref_key, body) VALUES"
latest="SELECT ref_key, body FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1"
tab=$'\t'

step connect 2 "SELECT 1 + 1"
step create "" "DROP TABLE IF EXISTS trips; CREATE TABLE trips (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))"
step put "" "$insert ('trip-1', 'BASE', 1, '{\"fare\":10}'); $insert ('trip-1', 'BASE', 2, '{\"fare\":20}');
    $insert ('trip-1', 'BASE', 3, '{\"fare\":30}'); $insert ('trip-1', 'STATUS', 1, '{}')"
step get '{"fare":10}' "SELECT body FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key = 1"
step latest "3${tab}{\"fare\":30}" "$latest"
step list "BASE${tab}1
BASE${tab}2
BASE${tab}3
STATUS${tab}1" "SELECT column_key, ref_key FROM trips WHERE row_key = 'trip-1' ORDER BY column_key, ref_key"
step multi-put "m1
m2
m3" "$insert ('m1', 'BASE', 1, '1'), ('m2', 'BASE', 1, '2'), ('m3', 'BASE', 1, '3');
    SELECT row_key FROM trips WHERE row_key IN ('m1', 'm2', 'm3') ORDER BY row_key"
refused duplicate "ERROR 1062 (23000)" "$insert ('trip-1', 'BASE', 1, '{\"fare\":99}')"
echo "skip prepared: the command line has none"
step commit "2
2" "BEGIN; $insert ('commit', 'BASE', 1, '{}'); $insert ('commit', 'BASE', 2, '{}');
    SELECT COUNT(*) FROM trips WHERE row_key = 'commit'; COMMIT;
    SELECT COUNT(*) FROM trips WHERE row_key = 'commit'"
step rollback "1
0" "BEGIN; $insert ('rollback', 'BASE', 1, '{}'); SELECT COUNT(*) FROM trips WHERE row_key = 'rollback'; ROLLBACK;
    SELECT COUNT(*) FROM trips WHERE row_key = 'rollback'"
step text "Zürich-東京-🚕${tab}{\"note\":\"日本 🚕 'single'\"}" \
    "$insert ('Zürich-東京-🚕', 'BASE', 1, '{\"note\":\"日本 🚕 ''single''\"}');
    SELECT row_key, body FROM trips WHERE row_key = 'Zürich-東京-🚕'"
# Every call of sql is a connection of its own.
step reconnect "3${tab}{\"fare\":30}" "$latest"
refused drop "ERROR 1146 (42S02)" "DROP TABLE trips; $latest"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
