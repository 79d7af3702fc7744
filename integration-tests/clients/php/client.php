<?php
// The steps of every driver, for PHP's: `client.php mysqli|pdo-emulated|pdo-native`.

error_reporting(E_ALL);
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '512M');
set_error_handler(fn($level, $message) => error_reporting() & $level ? throw new RuntimeException($message) : true);
require __DIR__ . '/drivers.php';

define('TABLE', env('MYSQL_TABLE'));
const CREATE = 'CREATE TABLE ' . TABLE . ' (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL,
    column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))';
const INSERT = 'INSERT INTO ' . TABLE . ' (row_key, column_key, ref_key, body) VALUES ';
const PUT = INSERT . '(?, ?, ?, ?)';
const GET = 'SELECT body FROM ' . TABLE . ' WHERE row_key = ? AND column_key = ? AND ref_key = ?';
const LATEST = 'SELECT ref_key, body FROM ' . TABLE . ' WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1';
const LIST_ = 'SELECT column_key, ref_key FROM ' . TABLE . ' WHERE row_key = ? ORDER BY column_key, ref_key';
const COUNT_ = 'SELECT COUNT(*) FROM ' . TABLE . ' WHERE row_key = ?';
const TEXT_KEY = 'Zürich-東京-🚕';
const TEXT_BODY = ['city' => 'Zürich', 'note' => "日本 🚕 \"quoted\" \\ back 'single'", 'n' => 1.5, 'list' => [1, null, true]];
const BYTES = "\x00\xffA'\\\n";
const MIB = 1 << 20;
// The server's word, or its closed door.
const TOO_LARGE = [1406, 1153, 2006, 2013];

function equal(mixed $found, mixed $expected): void {
    if ($found !== $expected) {
        throw new RuntimeException(substr(json_encode($found) . ' instead of ' . json_encode($expected), 0, 500));
    }
}

final class Client {
    private ?object $connection = null;

    function __construct(private Driver $driver) {}

    private function query(string $sql, array $values = []): array {
        return $this->driver->query($this->connection, $sql, $values);
    }

    private function change(string $sql, array $values = []): int {
        return $this->driver->change($this->connection, $sql, $values);
    }

    private function putOne(string $key, int|string $ref = 1, string $body = '{}'): void {
        equal($this->change(PUT, [$key, 'BASE', $ref, $body]), 1);
    }

    private function count(string $key, int $expected): void {
        equal((int) $this->query(COUNT_, [$key])[0][0], $expected);
    }

    private function another(array $options, callable $use): void {
        $other = $this->driver->connect($options);
        $use($other);
        $this->driver->close($other);
    }

    private function othersSee(string $key, int $expected): void {
        $this->another([], fn($other) => equal((int) $this->driver->query($other, COUNT_, [$key])[0][0], $expected));
    }

    private function who(object $connection): string {
        return explode('@', $this->driver->query($connection, 'SELECT CURRENT_USER()')[0][0])[0];
    }

    private function refused(int|array $codes, callable $call): Throwable {
        try {
            $call();
        } catch (Throwable $error) {
            if (!in_array($this->driver->code($error), (array) $codes, true)) throw $error;
            return $error;
        }
        throw new RuntimeException('not refused');
    }

    private static function app(string $more = ''): array {
        return ['user' => env('MYSQL_APP_USER'), 'password' => env('MYSQL_APP_PASSWORD') . $more];
    }

    function connect(): void {
        $this->connection = $this->driver->connect();
        equal((int) $this->query('SELECT 1 + 1')[0][0], 2);
    }

    function create(): void {
        $this->change('DROP TABLE IF EXISTS ' . TABLE);
        $this->change(CREATE);
    }

    function put(): void {
        foreach ([1, 2, 3] as $ref) $this->putOne('trip-1', $ref, json_encode(['fare' => $ref * 10]));
        equal($this->change(PUT, ['trip-1', 'STATUS', 1, '{"status":"done"}']), 1);
    }

    function get(): void {
        equal(json_decode($this->query(GET, ['trip-1', 'BASE', 1])[0][0], true), ['fare' => 10]);
        equal($this->query(GET, ['trip-1', 'BASE', 99]), []);
    }

    function latest(): void {
        [[$ref, $body]] = $this->query(LATEST, ['trip-1', 'BASE']);
        equal([(int) $ref, json_decode($body, true)], [3, ['fare' => 30]]);
    }

    function list(): void {
        $cells = array_map(fn($cell) => "$cell[0] $cell[1]", $this->query(LIST_, ['trip-1']));
        equal($cells, ['BASE 1', 'BASE 2', 'BASE 3', 'STATUS 1']);
    }

    function multi_put(): void {
        $keys = array_map(fn($n) => "multi-$n", range(0, 19));
        $values = array_merge(...array_map(fn($key) => [$key, 'BASE', 1, '{"n":1}'], $keys));
        equal($this->change(INSERT . implode(', ', array_fill(0, 20, '(?, ?, ?, ?)')), $values), 20);
        $marks = implode(', ', array_fill(0, 20, '?'));
        $found = array_column($this->query('SELECT row_key FROM ' . TABLE . " WHERE row_key IN ($marks)", $keys), 0);
        sort($found);
        sort($keys);
        equal($found, $keys);
    }

    function duplicate(): void {
        $error = $this->refused(1062, fn() => $this->putOne('trip-1', 1, '{"fare":99}'));
        equal($error instanceof PDOException ? $error->getCode() : $error->getSqlState(), '23000');
        $this->get();
    }

    function prepared(): void {
        $rows = [['prepared-1', 'BASE', 1, '{"p":true}'], ['prepared-2', 'BASE', 2, '{"p":true}']];
        equal($this->driver->prepared($this->connection, PUT, $rows), [1, 1]);
        [$found, $missing] = $this->driver->prepared($this->connection, GET, [['prepared-2', 'BASE', 2], ['prepared-2', 'BASE', 3]]);
        equal([json_decode($found[0][0], true), $missing], [['p' => true], []]);
        // Into variables: one row is changed, and there is no result set.
        equal($this->driver->prepared($this->connection, GET . ' INTO @body', [['prepared-2', 'BASE', 2]]), [1]);
        equal(json_decode($this->query('SELECT @body')[0][0], true), ['p' => true]);
    }

    function limit(): void {
        $page = 'SELECT ref_key FROM ' . TABLE . " WHERE row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?";
        $refs = fn($sql, $values) => array_map(intval(...), array_column($this->query($sql, $values), 0));
        equal($refs($page, ['trip-1', 2]), [1, 2]);
        equal($refs("$page OFFSET ?", ['trip-1', 2, 2]), [3]);
    }

    function quoted(): void {
        $this->putOne('quoted', '7');
        equal((int) $this->query('SELECT ref_key FROM ' . TABLE . " WHERE row_key = 'quoted' AND ref_key = '7'")[0][0], 7);
        equal(count($this->query(GET, ['quoted', 'BASE', '7'])), 1);
    }

    function null(): void {
        [[$one, $two, $three]] = $this->query('SELECT NULL, ?, COALESCE(?, 5)', [null, null]);
        equal([$one, $two, (int) $three], [null, null, 5]);
    }

    function text(): void {
        equal($this->change(PUT, [TEXT_KEY, 'BASE', 1, json_encode(TEXT_BODY, JSON_UNESCAPED_UNICODE)]), 1);
        [[$key, $body]] = $this->query('SELECT row_key, body FROM ' . TABLE . ' WHERE row_key = ?', [TEXT_KEY]);
        equal([$key, json_decode($body, true)], [TEXT_KEY, TEXT_BODY]);
    }

    function binary(): void {
        // A parameter is a text to PHP's libraries: bytes are written in the statement.
        equal($this->query("SELECT X'" . bin2hex(BYTES) . "'")[0][0], BYTES);
    }

    function large(): void {
        $this->putOne('large', 1, json_encode(str_repeat('x', 3 * MIB)));
        equal(strlen($this->query(GET, ['large', 'BASE', 1])[0][0]), 3 * MIB + 2);
    }

    function too_large(): void {
        $this->refused(TOO_LARGE, function () {
            $other = $this->driver->connect();
            @$this->driver->change($other, PUT, ['too-large', 'BASE', 1, json_encode(str_repeat('x', 17 * MIB))]);
        });
        $this->count('too-large', 0);
    }

    function types(): void {
        $json = str_contains($this->query('SELECT VERSION()')[0][0], 'MariaDB') ? 252 : 245;
        $columns = $this->driver->columns($this->connection,
            'SELECT row_key, ref_key AS `Ref`, body, created_at FROM ' . TABLE . " WHERE row_key = 'trip-1'");
        equal($columns, [['row_key', 253], ['Ref', 8], ['body', $json], ['created_at', 12]]);
    }

    function errors(): void {
        $statements = [
            [1064, 'SELEC 1'],
            [1054, 'SELECT nonsense FROM ' . TABLE . " WHERE row_key = 'x'"],
            [1146, "SELECT body FROM no_such_table WHERE row_key = 'x'"],
            [1051, 'DROP TABLE no_such_table'],
            [1050, CREATE],
        ];
        foreach ($statements as [$code, $sql]) $this->refused($code, fn() => $this->query($sql));
        $this->refused(1049, fn() => $this->driver->selectDatabase($this->connection, 'no_such_database'));
        $this->get();
    }

    function warnings(): void {
        equal($this->change('INSERT IGNORE' . substr(INSERT, strlen('INSERT')) . "('trip-1', 'BASE', 1, '{}')"), 0);
        [[$level, $code]] = $this->query('SHOW WARNINGS');
        equal([$level, (int) $code], ['Warning', 1062]);
    }

    function update(): void {
        // Cells are immutable. Where they are not, a row that is the same already is no affected row.
        $update = 'UPDATE ' . TABLE . " SET body = '{}' WHERE row_key = 'multi-1'";
        equal([$this->change($update), $this->change($update)], [1, 0]);
    }

    function commit(): void {
        $this->driver->begin($this->connection);
        $this->putOne('commit', 1);
        $this->putOne('commit', 2);
        $this->count('commit', 2);
        $this->othersSee('commit', 0);
        $this->driver->commit($this->connection);
        $this->othersSee('commit', 2);
    }

    function rollback(): void {
        $this->driver->begin($this->connection);
        $this->putOne('rollback');
        $this->driver->rollback($this->connection);
        $this->count('rollback', 0);
    }

    function savepoint(): void {
        $this->driver->begin($this->connection);
        $this->putOne('savepoint', 1);
        $this->change('SAVEPOINT one');
        $this->putOne('savepoint', 2);
        $this->change('ROLLBACK TO SAVEPOINT one');
        $this->count('savepoint', 1);
        $this->change('RELEASE SAVEPOINT one');
        $this->driver->commit($this->connection);
        $this->othersSee('savepoint', 1);
    }

    function autocommit(): void {
        $state = fn() => (int) $this->query('SELECT @@autocommit')[0][0];
        $this->driver->autocommit($this->connection, false);
        equal($state(), 0);
        $this->putOne('autocommit');
        $this->othersSee('autocommit', 0);
        $this->driver->commit($this->connection);
        $this->othersSee('autocommit', 1);
        $this->driver->autocommit($this->connection, true);
        equal($state(), 1);
    }

    function isolation(): void {
        foreach (['READ COMMITTED', 'REPEATABLE READ'] as $level) {
            $this->change("SET SESSION TRANSACTION ISOLATION LEVEL $level");
            equal($this->query('SELECT @@tx_isolation')[0][0], strtr($level, ' ', '-'));
        }
    }

    function multi_statement(): void {
        $this->another([], function ($other) {
            $sql = 'SELECT 1; SELECT ref_key FROM ' . TABLE . " WHERE row_key = 'multi-1'; SELECT 3";
            $found = array_map(fn($rows) => (int) $rows[0][0], $this->driver->results($other, $sql));
            equal($found, [1, 1, 3]);
        });
    }

    private const MANY = 'SELECT ref_key FROM ' . TABLE . " WHERE row_key = 'many' ORDER BY ref_key";

    function stream(): void {
        $rows = implode(', ', array_map(fn($n) => "('many', 'BASE', $n, '{}')", range(1, 300)));
        equal($this->change(INSERT . $rows), 300);
        $refs = [];
        foreach ($this->driver->stream($this->connection, self::MANY) as [$ref]) $refs[] = (int) $ref;
        equal($refs, range(1, 300));
    }

    function cursor(): void {
        $refs = [];
        foreach ($this->driver->cursor($this->connection, self::MANY) as [$ref]) $refs[] = (int) $ref;
        equal($refs, range(1, 300));
    }

    function ping(): void {
        $this->driver->ping($this->connection);
    }

    function select_db(): void {
        $this->driver->selectDatabase($this->connection, 'information_schema');
        equal($this->query('SELECT DATABASE()')[0][0], 'information_schema');
        $this->driver->selectDatabase($this->connection, env('MYSQL_DATABASE'));
        $this->get();
    }

    function statistics(): void {
        equal(str_contains($this->driver->statistics($this->connection), 'Uptime'), true);
    }

    function password(): void {
        $this->another(self::app(), fn($other) => equal($this->who($other), env('MYSQL_APP_USER')));
    }

    function wrong_password(): void {
        $this->refused(1045, fn() => $this->driver->connect(self::app('x')));
    }

    function change_user(): void {
        $this->another([], function ($other) {
            $this->driver->change($other, 'SET @kept = 1');
            $this->driver->changeUser($other, ...array_values(self::app()));
            equal($this->who($other), env('MYSQL_APP_USER'));
            equal($this->driver->query($other, 'SELECT @kept')[0][0], null);
        });
    }

    function reset(): void {
        $this->driver->reset($this->connection);
    }

    function tls(): void {
        $this->another(self::app() + ['tls' => true], function ($other) {
            equal($this->driver->query($other, "SHOW STATUS LIKE 'Ssl_cipher'")[0][1] !== '', true);
        });
    }

    function compression(): void {
        $this->another(['compress' => true], function ($other) {
            equal($this->driver->query($other, "SHOW STATUS LIKE 'Compression'")[0][1], 'ON');
            equal(strlen($this->driver->query($other, GET, ['large', 'BASE', 1])[0][0]), 3 * MIB + 2);
        });
    }

    function reconnect(): void {
        $this->driver->close($this->connection);
        $this->connection = $this->driver->connect();
        $this->latest();
    }

    function drop(): void {
        $this->change('DROP TABLE ' . TABLE);
        $this->refused(1146, fn() => $this->query(GET, ['trip-1', 'BASE', 1]));
        $this->driver->close($this->connection);
    }

    function run(): int {
        echo 'version ', $this->driver->version(), "\n";
        $passed = $failed = 0;
        $steps = 'connect create put get latest list multi-put duplicate prepared limit quoted null text binary large too-large
            types errors warnings update commit rollback savepoint autocommit isolation multi-statement stream cursor ping
            select-db statistics password wrong-password change-user reset tls compression reconnect drop';
        foreach (preg_split('/\s+/', $steps) as $step) {
            try {
                $this->{strtr($step, '-', '_')}();
                echo "ok $step\n";
                $passed++;
            } catch (Skip $why) {
                echo "skip $step: {$why->getMessage()}\n";
            } catch (Throwable $error) {
                echo "FAIL $step: {$error->getCode()} ", strtr($error->getMessage(), "\n", ' '), "\n";
                $failed++;
                if (!$this->connection) break;
            }
        }
        echo "$passed passed, $failed failed\n";
        return $failed ? 1 : 0;
    }
}

exit((new Client(match ($argv[1]) {
    'mysqli' => new MySQLi_(),
    'pdo-emulated' => new PDO_(true),
    'pdo-native' => new PDO_(false),
}))->run());
