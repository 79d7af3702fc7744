<?php
// The steps of every mapper, for PHP's: `mappers.php doctrine`.

use Doctrine\DBAL\Connection;
use Doctrine\DBAL\DriverManager;
use Doctrine\DBAL\Exception\UniqueConstraintViolationException;
use Doctrine\DBAL\Types\Types;

error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
ini_set('display_errors', 'stderr');
require '/usr/share/php/Doctrine/DBAL/autoload.php';

function env(string $name): string {
    return getenv($name) ?: throw new RuntimeException("$name is not set");
}

function equal(mixed $found, mixed $expected): void {
    if ($found !== $expected) {
        throw new RuntimeException(substr(json_encode($found) . ' instead of ' . json_encode($expected), 0, 500));
    }
}

define('TABLE', env('MYSQL_TABLE'));
const CREATE = 'CREATE TABLE ' . TABLE . ' (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL,
    column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))';

// Schema manager, query builder and transactions on PDO.
final class Doctrine {
    private Connection $connection;

    function version(): string {
        // A package of Debian's does not know its own version.
        $version = shell_exec("dpkg-query --show --showformat='\${Version}' php-doctrine-dbal") ?: '';
        return 'Doctrine DBAL ' . trim($version) . ', PDO of PHP ' . PHP_VERSION;
    }

    function connect(): void {
        $this->connection = DriverManager::getConnection(['driver' => 'pdo_mysql', 'host' => env('MYSQL_HOST'),
            'port' => (int) env('MYSQL_PORT'), 'user' => env('MYSQL_USER'), 'dbname' => env('MYSQL_DATABASE'), 'charset' => 'utf8mb4']);
        equal((int) $this->connection->fetchOne('SELECT 1 + 1'), 2);
        // It asks for the version to choose its dialect by.
        $this->connection->getDatabasePlatform();
    }

    function create(): void {
        $this->connection->executeStatement('DROP TABLE IF EXISTS ' . TABLE);
        $this->connection->executeStatement(CREATE);
    }

    function reflect(): void {
        $schema = $this->connection->createSchemaManager();
        equal($schema->tablesExist([TABLE]), true);
        equal($schema->tablesExist(['no_such_table']), false);
        $table = $schema->introspectTable(TABLE);
        $types = array_map(fn($name) => $table->getColumn($name)->getType()::class, ['row_key', 'column_key', 'ref_key']);
        equal($types, [Doctrine\DBAL\Types\StringType::class, Doctrine\DBAL\Types\StringType::class, Doctrine\DBAL\Types\BigIntType::class]);
        equal($table->getColumn('body')->getNotnull(), true);
        equal($table->hasPrimaryKey() || count($table->getIndexes()) > 0, true);
        equal(in_array(env('MYSQL_DATABASE'), $schema->listDatabases(), true), true);
        $schema->listTableNames();
        $schema->listViews();
        $schema->listTableForeignKeys(TABLE);
    }

    private function put(string $key, int $ref, array $body): void {
        $row = ['row_key' => $key, 'column_key' => 'BASE', 'ref_key' => $ref, 'body' => $body];
        equal($this->connection->insert(TABLE, $row, [Types::STRING, Types::STRING, Types::BIGINT, Types::JSON]), 1);
    }

    function insert(): void {
        $this->put('one', 1, ['n' => 1]);
        foreach ([1, 2, 3] as $n) {
            $builder = $this->connection->createQueryBuilder()->insert(TABLE)
                ->values(['row_key' => '?', 'column_key' => '?', 'ref_key' => '?', 'body' => '?'])
                ->setParameters(['many', 'BASE', $n, json_encode(['n' => $n])]);
            equal($builder->executeStatement(), 1);
        }
    }

    function select(): void {
        $builder = $this->connection->createQueryBuilder()->select('t.ref_key')->from(TABLE, 't')->where('t.row_key = :key')
            ->setParameter('key', 'many')->orderBy('t.ref_key', 'DESC')->setMaxResults(2);
        equal(array_map('intval', $builder->fetchFirstColumn()), [3, 2]);
        $body = $this->connection->fetchOne('SELECT body FROM ' . TABLE . ' WHERE row_key = ? AND column_key = ? AND ref_key = ?', ['one', 'BASE', 1]);
        equal(json_decode($body, true), ['n' => 1]);
        $found = $this->connection->fetchFirstColumn('SELECT row_key FROM ' . TABLE . ' WHERE row_key IN (?)',
            [['one', 'none']], [Connection::PARAM_STR_ARRAY]);
        equal($found, ['one']);
    }

    private function count(string $key): int {
        // What its paginator makes of a query.
        return (int) $this->connection->fetchOne('SELECT COUNT(*) AS n FROM (SELECT t0.ref_key AS ref_key_0 FROM ' . TABLE
            . ' t0 WHERE t0.row_key = ?) dctrn_table', [$key]);
    }

    function raw(): void {
        equal($this->count('many'), 3);
        equal((int) $this->connection->fetchOne('SELECT EXISTS (SELECT 1 FROM ' . TABLE . ' WHERE row_key = ?)', ['none']), 0);
    }

    function duplicate(): void {
        try {
            $this->put('one', 1, ['n' => 2]);
        } catch (UniqueConstraintViolationException $error) {
            equal($error->getCode(), 1062);
            return;
        }
        throw new RuntimeException('not refused');
    }

    function transaction(): void {
        $this->connection->transactional(function () {
            $this->put('done', 1, []);
            $this->put('done', 2, []);
        });
        try {
            $this->connection->transactional(function () {
                $this->put('failed', 1, []);
                throw new LogicException('on purpose');
            });
        } catch (LogicException) {
        }
        equal([$this->count('done'), $this->count('failed')], [2, 0]);
    }

    function savepoint(): void {
        $this->connection->setNestTransactionsWithSavepoints(true);
        $this->connection->transactional(function () {
            $this->put('outer', 1, []);
            try {
                $this->connection->transactional(function () {
                    $this->put('outer', 2, []);
                    throw new LogicException('on purpose');
                });
            } catch (LogicException) {
            }
        });
        equal($this->count('outer'), 1);
    }

    function update(): void {
        equal($this->connection->update(TABLE, ['body' => '{"n":9}'], ['row_key' => 'one']), 1);
    }

    function drop(): void {
        $schema = $this->connection->createSchemaManager();
        $schema->dropTable(TABLE);
        equal($schema->tablesExist([TABLE]), false);
        $this->connection->close();
    }
}

$mapper = match ($argv[1]) {
    'doctrine' => new Doctrine(),
};
echo "version {$mapper->version()}\n";
$passed = $failed = 0;
foreach (explode(' ', 'connect create reflect insert select raw duplicate transaction savepoint update drop') as $step) {
    try {
        $mapper->$step();
        echo "ok $step\n";
        $passed++;
    } catch (Throwable $error) {
        echo "FAIL $step: " . get_class($error) . ' ' . preg_replace('/\s+/', ' ', $error->getMessage()) . "\n";
        $failed++;
        if ($step === 'connect') break;
    }
}
echo "$passed passed, $failed failed\n";
exit($failed ? 1 : 0);
