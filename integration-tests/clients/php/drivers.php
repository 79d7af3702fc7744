<?php
// PHP's two libraries, made alike: mysqli, and PDO with statements put together by itself or prepared by the server.
// What a library cannot do throws Skip.

class Skip extends Exception {}

function env(string $name): string {
    return getenv($name) ?: throw new RuntimeException("$name is not set");
}

abstract class Driver {
    abstract function version(): string;
    abstract function connect(array $options = []): object;
    // Rows as lists of values.
    abstract function query(object $connection, string $sql, array $values = []): array;
    // Affected rows.
    abstract function change(object $connection, string $sql, array $values = []): int;
    // What each execution of one prepared statement gave.
    abstract function prepared(object $connection, string $sql, array $rows): array;
    abstract function code(Throwable $error): int;

    function skip(string $why): never {
        throw new Skip($why);
    }
}

final class MySQLi_ extends Driver {
    function version(): string {
        return 'mysqli of PHP ' . PHP_VERSION . ', ' . mysqli_get_client_info();
    }

    function connect(array $options = []): mysqli {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $connection = mysqli_init();
        $flags = 0;
        if ($options['tls'] ?? false) $flags |= MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT;
        if ($options['compress'] ?? false) $flags |= MYSQLI_CLIENT_COMPRESS;
        $connection->real_connect(env('MYSQL_HOST'), $options['user'] ?? env('MYSQL_USER'), $options['password'] ?? '',
            $options['database'] ?? env('MYSQL_DATABASE'), (int) env('MYSQL_PORT'), null, $flags);
        $connection->set_charset('utf8mb4');
        return $connection;
    }

    function query(object $connection, string $sql, array $values = []): array {
        $result = $values ? $connection->execute_query($sql, $values) : $connection->query($sql);
        return $result->fetch_all(MYSQLI_NUM);
    }

    function change(object $connection, string $sql, array $values = []): int {
        $values ? $connection->execute_query($sql, $values) : $connection->query($sql);
        return $connection->affected_rows;
    }

    function prepared(object $connection, string $sql, array $rows): array {
        $statement = $connection->prepare($sql);
        return array_map(function ($row) use ($statement) {
            $statement->execute($row);
            $result = $statement->get_result();
            return $result ? $result->fetch_all(MYSQLI_NUM) : $statement->affected_rows;
        }, $rows);
    }

    function columns(object $connection, string $sql): array {
        return array_map(fn($field) => [$field->name, $field->type], $connection->query($sql)->fetch_fields());
    }

    function results(object $connection, string $sql): array {
        $connection->multi_query($sql);
        $results = [];
        do {
            $results[] = $connection->store_result()->fetch_all(MYSQLI_NUM);
        } while ($connection->next_result());
        return $results;
    }

    function stream(object $connection, string $sql): iterable {
        $result = $connection->query($sql, MYSQLI_USE_RESULT);
        while ($row = $result->fetch_row()) yield $row;
    }

    function cursor(object $connection, string $sql): iterable {
        $statement = $connection->prepare($sql);
        $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
        $statement->execute();
        $statement->bind_result($value);
        while ($statement->fetch()) yield [$value];
    }

    function begin(object $connection): void {
        $connection->begin_transaction();
    }

    function commit(object $connection): void {
        $connection->commit();
    }

    function rollback(object $connection): void {
        $connection->rollback();
    }

    function autocommit(object $connection, bool $on): void {
        $connection->autocommit($on);
    }

    function ping(object $connection): void {
        @$connection->ping() || throw new RuntimeException('no answer');
    }

    function selectDatabase(object $connection, string $name): void {
        $connection->select_db($name);
    }

    function statistics(object $connection): string {
        return $connection->stat();
    }

    function changeUser(object $connection, string $user, string $password): void {
        $connection->change_user($user, $password, env('MYSQL_DATABASE'));
    }

    function reset(object $connection): void {
        $this->skip('no call for COM_RESET_CONNECTION');
    }

    function code(Throwable $error): int {
        return (int) $error->getCode();
    }

    function close(object &$connection): void {
        $connection->close();
    }
}

final class PDO_ extends Driver {
    function __construct(private bool $emulated) {}

    function version(): string {
        return 'PDO of PHP ' . PHP_VERSION;
    }

    function connect(array $options = []): PDO {
        $attributes = [PDO::ATTR_EMULATE_PREPARES => $this->emulated, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
        if ($options['tls'] ?? false) {
            // TLS is asked for by any of its options.
            $attributes[PDO::MYSQL_ATTR_SSL_CIPHER] = 'HIGH';
            $attributes[PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT] = false;
        }
        if ($options['compress'] ?? false) $attributes[PDO::MYSQL_ATTR_COMPRESS] = true;
        $source = sprintf('mysql:host=%s;port=%s;dbname=%s;charset=utf8mb4', env('MYSQL_HOST'), env('MYSQL_PORT'),
            $options['database'] ?? env('MYSQL_DATABASE'));
        return new PDO($source, $options['user'] ?? env('MYSQL_USER'), $options['password'] ?? '', $attributes);
    }

    private function execute(PDO $connection, string $sql, array $values): PDOStatement {
        $statement = $connection->prepare($sql);
        foreach ($values as $place => $value) {
            $type = match (true) {
                is_int($value) => PDO::PARAM_INT,
                is_null($value) => PDO::PARAM_NULL,
                default => PDO::PARAM_STR,
            };
            $statement->bindValue($place + 1, $value, $type);
        }
        $statement->execute();
        return $statement;
    }

    function query(object $connection, string $sql, array $values = []): array {
        return $this->execute($connection, $sql, $values)->fetchAll(PDO::FETCH_NUM);
    }

    function change(object $connection, string $sql, array $values = []): int {
        return $this->execute($connection, $sql, $values)->rowCount();
    }

    function prepared(object $connection, string $sql, array $rows): array {
        if ($this->emulated) $this->skip('puts values into the text: no prepared statements of the protocol');
        $statement = $connection->prepare($sql);
        return array_map(function ($row) use ($statement) {
            $statement->execute($row);
            return $statement->columnCount() ? $statement->fetchAll(PDO::FETCH_NUM) : $statement->rowCount();
        }, $rows);
    }

    function columns(object $connection, string $sql): array {
        $numbers = ['VAR_STRING' => 253, 'LONGLONG' => 8, 'DATETIME' => 12, 'JSON' => 245, 'BLOB' => 252];
        $statement = $this->execute($connection, $sql, []);
        $columns = [];
        for ($place = 0; $place < $statement->columnCount(); $place++) {
            $meta = $statement->getColumnMeta($place);
            // PHP 8.2's PDO has no name for JSON.
            $columns[] = [$meta['name'], isset($meta['native_type']) ? $numbers[$meta['native_type']] : 245];
        }
        return $columns;
    }

    function results(object $connection, string $sql): array {
        if (!$this->emulated) $this->skip('the server prepares one statement at a time');
        $statement = $connection->query($sql);
        $results = [];
        do {
            $results[] = $statement->fetchAll(PDO::FETCH_NUM);
        } while ($statement->nextRowset());
        return $results;
    }

    function stream(object $connection, string $sql): iterable {
        $connection->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
        $statement = $this->execute($connection, $sql, []);
        while ($row = $statement->fetch(PDO::FETCH_NUM)) yield $row;
        $connection->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, true);
    }

    function cursor(object $connection, string $sql): iterable {
        $this->skip('opens no cursors on the server');
    }

    function begin(object $connection): void {
        $connection->beginTransaction();
    }

    function commit(object $connection): void {
        $connection->commit();
    }

    function rollback(object $connection): void {
        $connection->rollBack();
    }

    function autocommit(object $connection, bool $on): void {
        $connection->setAttribute(PDO::ATTR_AUTOCOMMIT, $on);
    }

    function ping(object $connection): void {
        $this->skip('no call for COM_PING');
    }

    function selectDatabase(object $connection, string $name): void {
        $connection->exec("USE $name");
    }

    function statistics(object $connection): string {
        return $connection->getAttribute(PDO::ATTR_SERVER_INFO);
    }

    function changeUser(object $connection, string $user, string $password): void {
        $this->skip('no call for COM_CHANGE_USER');
    }

    function reset(object $connection): void {
        $this->skip('no call for COM_RESET_CONNECTION');
    }

    function code(Throwable $error): int {
        return $error instanceof PDOException ? (int) ($error->errorInfo[1] ?? $error->getCode()) : 0;
    }

    function close(object &$connection): void {
        $connection = null;
    }
}
