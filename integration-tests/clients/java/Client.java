import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The steps of every driver, for MariaDB Connector/J: {@code Client text} or {@code Client server-prepared}. */
public final class Client {
    private static final Map<String, String> ENV = System.getenv();
    private static final String TABLE = ENV.get("MYSQL_TABLE");
    private static final String CREATE =
            "CREATE TABLE " + TABLE + " (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, "
                    + "column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL, "
                    + "created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), "
                    + "PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))";
    private static final String INTO = "INTO " + TABLE + " (row_key, column_key, ref_key, body) VALUES ";
    private static final String INSERT = "INSERT " + INTO + "(?, ?, ?, ?)";
    private static final String GET =
            "SELECT body FROM " + TABLE + " WHERE row_key = ? AND column_key = ? AND ref_key = ?";
    private static final String LATEST = "SELECT ref_key, body FROM " + TABLE
            + " WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1";
    private static final String LIST = "SELECT column_key, ref_key, body FROM " + TABLE
            + " WHERE row_key = ? ORDER BY column_key, ref_key";
    private static final String COUNT = "SELECT COUNT(*) FROM " + TABLE + " WHERE row_key = ?";
    private static final String TEXT_KEY = "Zürich-東京-🚕";
    private static final String TEXT_BODY =
            "{\"city\":\"Zürich\",\"note\":\"日本 🚕 \\\"quoted\\\" \\\\ back 'single'\",\"list\":[1,null,true]}";
    private static final byte[] BYTES = {0, -1, 'A', '\'', '\\', '\n'};
    private static final String HEX = "X'00ff41275c0a'";
    private static final int MIB = 1 << 20;

    private final boolean serverPrepared;
    private Connection connection;

    private Client(boolean serverPrepared) {
        this.serverPrepared = serverPrepared;
    }

    private interface Step {
        void run() throws Exception;
    }

    private interface Use {
        void run(Connection connection) throws Exception;
    }

    /** What the client has no way to do. */
    private static final class Skip extends Exception {
        private static final long serialVersionUID = 1;

        Skip(String why) {
            super(why);
        }
    }

    private Connection open(String... options) throws SQLException {
        return openIn(ENV.get("MYSQL_DATABASE"), options);
    }

    private Connection openIn(String database, String... options) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", ENV.get("MYSQL_USER"));
        properties.put("useServerPrepStmts", String.valueOf(serverPrepared));
        for (int i = 0; i < options.length; i += 2) {
            properties.put(options[i], options[i + 1]);
        }
        String server = "jdbc:mariadb://" + ENV.get("MYSQL_HOST") + ":" + ENV.get("MYSQL_PORT") + "/";
        return DriverManager.getConnection(server + database, properties);
    }

    private static String[] app(String... options) {
        List<String> all = new ArrayList<>(
                List.of("user", ENV.get("MYSQL_APP_USER"), "password", ENV.get("MYSQL_APP_PASSWORD")));
        all.addAll(Arrays.asList(options));
        return all.toArray(new String[0]);
    }

    private static void equal(Object found, Object expected) {
        if (!expected.equals(found)) {
            throw new IllegalStateException(found + " instead of " + expected);
        }
    }

    private static void bind(PreparedStatement statement, Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            statement.setObject(i + 1, values[i]);
        }
    }

    private static int change(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            bind(statement, values);
            return statement.executeUpdate();
        }
    }

    private int change(String sql, Object... values) throws SQLException {
        return change(connection, sql, values);
    }

    /** The rows of a result as text, columns joined by a space. */
    private static List<String> rows(ResultSet result) throws SQLException {
        List<String> rows = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            StringBuilder row = new StringBuilder(String.valueOf(result.getString(1)));
            for (int column = 2; column <= columns; column++) {
                row.append(' ').append(result.getString(column));
            }
            rows.add(row.toString());
        }
        return rows;
    }

    private static List<String> rows(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            bind(statement, values);
            try (ResultSet result = statement.executeQuery()) {
                return rows(result);
            }
        }
    }

    private List<String> rows(String sql, Object... values) throws SQLException {
        return rows(connection, sql, values);
    }

    private void putOne(String key, Object ref) throws SQLException {
        equal(change(INSERT, key, "BASE", ref, "{}"), 1);
    }

    private void count(String key, int expected) throws SQLException {
        equal(rows(COUNT, key), List.of(String.valueOf(expected)));
    }

    private void another(Use use, String... options) throws Exception {
        try (Connection other = open(options)) {
            use.run(other);
        }
    }

    private void othersSee(String key, int expected) throws Exception {
        another(other -> equal(rows(other, COUNT, key), List.of(String.valueOf(expected))));
    }

    private static String status(Connection connection, String name) throws SQLException {
        List<String> found = rows(connection, "SHOW STATUS LIKE '" + name + "'");
        equal(found.size(), 1);
        return found.get(0).substring(name.length() + 1);
    }

    private static SQLException refused(int code, Step step) throws Exception {
        try {
            step.run();
        } catch (SQLException error) {
            if (error.getErrorCode() != code) {
                throw new IllegalStateException(error + " instead of error " + code, error);
            }
            return error;
        }
        throw new IllegalStateException("not refused");
    }

    private void connect() throws SQLException {
        connection = open();
        String version = connection.getMetaData().getDriverVersion();
        System.out.println("version MariaDB Connector/J " + version + ", Java " + System.getProperty("java.version"));
        equal(rows("SELECT 1 + 1"), List.of("2"));
    }

    private void create() throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE IF EXISTS " + TABLE);
            statement.execute(CREATE);
        }
    }

    private void put() throws SQLException {
        for (int ref = 1; ref <= 3; ref++) {
            equal(change(INSERT, "trip-1", "BASE", ref, "{\"fare\":" + ref * 10 + "}"), 1);
        }
        equal(change(INSERT, "trip-1", "STATUS", 1, "{\"status\":\"done\"}"), 1);
    }

    private void get() throws SQLException {
        equal(rows(GET, "trip-1", "BASE", 1), List.of("{\"fare\":10}"));
        equal(rows(GET, "trip-1", "BASE", 99), List.of());
    }

    private void latest() throws SQLException {
        equal(rows(LATEST, "trip-1", "BASE"), List.of("3 {\"fare\":30}"));
    }

    private void list() throws SQLException {
        List<String> cells = new ArrayList<>();
        for (String row : rows(LIST, "trip-1")) {
            cells.add(row.substring(0, row.indexOf(" {")));
        }
        equal(cells, List.of("BASE 1", "BASE 2", "BASE 3", "STATUS 1"));
    }

    private void multiPut() throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
            for (int n = 0; n < 20; n++) {
                bind(statement, "multi-" + n, "BASE", 1, "{\"n\":" + n + "}");
                statement.addBatch();
            }
            equal(statement.executeBatch().length, 20);
        }
        // And as one statement of many rows.
        equal(change(INSERT + ", (?, ?, ?, ?)", "multi-20", "BASE", 1, "{}", "multi-21", "BASE", 1, "{}"), 2);
        TreeSet<String> expected = new TreeSet<>();
        StringBuilder marks = new StringBuilder("?");
        for (int n = 0; n < 22; n++) {
            expected.add("multi-" + n);
            marks.append(n > 0 ? ", ?" : "");
        }
        String in = "SELECT row_key FROM " + TABLE + " WHERE row_key IN (" + marks + ")";
        equal(new TreeSet<>(rows(in, expected.toArray())), expected);
    }

    private void duplicate() throws Exception {
        SQLException error = refused(1062, () -> change(INSERT, "trip-1", "BASE", 1, "{\"fare\":99}"));
        equal(error.getSQLState(), "23000");
        get();
    }

    private void prepared() throws Exception {
        another(server -> {
            for (int n = 1; n <= 2; n++) {
                equal(change(server, INSERT, "prepared-" + n, "BASE", n, "{\"p\":true}"), 1);
            }
            equal(rows(server, GET, "prepared-2", "BASE", 2), List.of("{\"p\":true}"));
            equal(rows(server, GET, "prepared-2", "BASE", 3), List.of());
        }, "useServerPrepStmts", "true");
    }

    private void limit() throws SQLException {
        String page = "SELECT ref_key FROM " + TABLE
                + " WHERE row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?";
        equal(rows(page, "trip-1", 2), List.of("1", "2"));
        equal(rows(page + " OFFSET ?", "trip-1", 2L, 2), List.of("3"));
        // JDBC's own limit is a system variable.
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(2);
            equal(rows(statement.executeQuery(LIST.replace("?", "'trip-1'"))).size(), 2);
        }
    }

    private void quoted() throws SQLException {
        putOne("quoted", "7");
        equal(rows("SELECT ref_key FROM " + TABLE + " WHERE row_key = 'quoted' AND ref_key = '7'"), List.of("7"));
        equal(rows(GET, "quoted", "BASE", "7").size(), 1);
    }

    private void nulls() throws SQLException {
        equal(rows("SELECT NULL, ?, COALESCE(?, 5)", null, null), List.of("null null 5"));
    }

    private void text() throws SQLException {
        equal(change(INSERT, TEXT_KEY, "BASE", 1, TEXT_BODY), 1);
        equal(rows("SELECT row_key, body FROM " + TABLE + " WHERE row_key = ?", TEXT_KEY),
                List.of(TEXT_KEY + " " + TEXT_BODY));
    }

    private void binary() throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT " + HEX + ", ? = " + HEX)) {
            statement.setBytes(1, BYTES);
            try (ResultSet result = statement.executeQuery()) {
                equal(result.next(), true);
                equal(Arrays.equals(result.getBytes(1), BYTES), true);
                equal(result.getInt(2), 1);
            }
        }
    }

    private void large() throws SQLException {
        equal(change(INSERT, "large", "BASE", 1, "\"" + "x".repeat(3 * MIB) + "\""), 1);
        equal(rows(GET, "large", "BASE", 1).get(0).length(), 3 * MIB + 2);
    }

    private void tooLarge() throws Exception {
        boolean refused = false;
        // The driver knows the server's limit.
        try (Connection other = open()) {
            change(other, INSERT, "too-large", "BASE", 1, "\"" + "x".repeat(17 * MIB) + "\"");
        } catch (SQLException error) {
            refused = true;
        }
        equal(refused, true);
        count("too-large", 0);
    }

    private void types() throws SQLException {
        boolean mariadb = rows("SELECT VERSION()").get(0).contains("MariaDB");
        String sql = "SELECT row_key, ref_key AS `Ref`, body, created_at FROM " + TABLE + " WHERE row_key = 'trip-1'";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            ResultSetMetaData meta = result.getMetaData();
            List<String> labels = new ArrayList<>();
            List<Integer> types = new ArrayList<>();
            for (int column = 1; column <= meta.getColumnCount(); column++) {
                labels.add(meta.getColumnLabel(column));
                types.add(meta.getColumnType(column));
            }
            equal(labels, List.of("row_key", "Ref", "body", "created_at"));
            int json = mariadb ? Types.LONGVARCHAR : types.get(2);
            equal(types, List.of(Types.VARCHAR, Types.BIGINT, json, Types.TIMESTAMP));
            equal(result.next(), true);
            equal(result.getTimestamp("created_at").toLocalDateTime().getYear() >= 2024, true);
        }
    }

    private void errors() throws Exception {
        refused(1064, () -> rows("SELEC 1"));
        refused(1054, () -> rows("SELECT nonsense FROM " + TABLE + " WHERE row_key = 'x'"));
        equal(refused(1146, () -> rows("SELECT body FROM no_such_table WHERE row_key = 'x'")).getSQLState(), "42S02");
        refused(1051, () -> change("DROP TABLE no_such_table"));
        refused(1050, () -> change(CREATE));
        refused(1049, () -> openIn("no_such_database"));
        get();
    }

    private void warnings() throws SQLException {
        try (Statement statement = connection.createStatement()) {
            equal(statement.executeUpdate("INSERT IGNORE " + INTO + "('trip-1', 'BASE', 1, '{}')"), 0);
            // A read of them sends SHOW WARNINGS.
            equal(statement.getWarnings().getErrorCode(), 1062);
        }
    }

    private void update() throws SQLException {
        // Cells are immutable. Where they are not: JDBC counts the rows that were found, changed or not.
        String update = "UPDATE " + TABLE + " SET body = '{}' WHERE row_key = 'multi-1'";
        equal(List.of(change(update), change(update)), List.of(1, 1));
    }

    private void commit() throws Exception {
        connection.setAutoCommit(false);
        putOne("commit", 1);
        putOne("commit", 2);
        count("commit", 2);
        othersSee("commit", 0);
        connection.commit();
        othersSee("commit", 2);
        connection.setAutoCommit(true);
    }

    private void rollback() throws SQLException {
        connection.setAutoCommit(false);
        putOne("rollback", 1);
        connection.rollback();
        count("rollback", 0);
        connection.setAutoCommit(true);
    }

    private void savepoint() throws Exception {
        connection.setAutoCommit(false);
        putOne("savepoint", 1);
        Savepoint unnamed = connection.setSavepoint();
        putOne("savepoint", 2);
        connection.rollback(unnamed);
        count("savepoint", 1);
        connection.releaseSavepoint(connection.setSavepoint("one"));
        connection.commit();
        connection.setAutoCommit(true);
        othersSee("savepoint", 1);
    }

    private void autocommit() throws Exception {
        equal(connection.getAutoCommit(), true);
        connection.setAutoCommit(false);
        equal(rows("SELECT @@autocommit"), List.of("0"));
        putOne("autocommit", 1);
        othersSee("autocommit", 0);
        // JDBC: switching it on commits.
        connection.setAutoCommit(true);
        othersSee("autocommit", 1);
        equal(rows("SELECT @@autocommit"), List.of("1"));
    }

    private void isolation() throws SQLException {
        for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ}) {
            connection.setTransactionIsolation(level);
            equal(connection.getTransactionIsolation(), level);
        }
    }

    private void multiStatement() throws Exception {
        another(other -> {
            String sql = "SELECT 1; SELECT ref_key FROM " + TABLE + " WHERE row_key = 'multi-1'; SELECT 3";
            List<String> found = new ArrayList<>();
            try (Statement statement = other.createStatement()) {
                for (boolean more = statement.execute(sql); more; more = statement.getMoreResults()) {
                    found.addAll(rows(statement.getResultSet()));
                }
            }
            equal(found, List.of("1", "1", "3"));
        }, "allowMultiQueries", "true");
    }

    private void stream() throws SQLException {
        String values = IntStream.rangeClosed(1, 300).mapToObj(n -> "('many', 'BASE', " + n + ", '{}')")
                .collect(Collectors.joining(", "));
        equal(change("INSERT " + INTO + values), 300);
        List<String> expected = IntStream.rangeClosed(1, 300).mapToObj(String::valueOf).collect(Collectors.toList());
        String many = "SELECT ref_key FROM " + TABLE + " WHERE row_key = 'many' ORDER BY ref_key";
        try (PreparedStatement statement = connection.prepareStatement(many)) {
            statement.setFetchSize(50);
            equal(rows(statement.executeQuery()), expected);
        }
    }

    private void cursor() throws Skip {
        throw new Skip("opens no cursors on the server");
    }

    private void ping() throws SQLException {
        equal(connection.isValid(5), true);
    }

    private void selectDb() throws SQLException {
        connection.setCatalog("information_schema");
        equal(connection.getCatalog(), "information_schema");
        connection.setCatalog(ENV.get("MYSQL_DATABASE"));
        get();
    }

    private void statistics() throws Skip {
        throw new Skip("no call for COM_STATISTICS");
    }

    private void password() throws Exception {
        another(other -> equal(rows(other, "SELECT CURRENT_USER()").get(0).split("@")[0], ENV.get("MYSQL_APP_USER")), app());
    }

    private void wrongPassword() throws Exception {
        refused(1045, () -> open("user", ENV.get("MYSQL_APP_USER"), "password", "wrong"));
    }

    private void changeUser() throws Skip {
        throw new Skip("no call for COM_CHANGE_USER");
    }

    private void reset() throws Skip {
        throw new Skip("no call for COM_RESET_CONNECTION");
    }

    private void tls() throws Exception {
        another(other -> equal(status(other, "Ssl_cipher").isEmpty(), false),
                app("useSsl", "true", "trustServerCertificate", "true"));
    }

    private void compression() throws Exception {
        another(other -> {
            equal(status(other, "Compression"), "ON");
            equal(rows(other, GET, "large", "BASE", 1).get(0).length(), 3 * MIB + 2);
        }, "useCompression", "true");
    }

    private static void has(ResultSet result, String column, String... expected) throws SQLException {
        List<String> found = new ArrayList<>();
        while (result.next()) {
            found.add(result.getString(column));
        }
        for (String value : expected) {
            if (!found.contains(value)) {
                throw new IllegalStateException(column + ": no " + value + " in " + found);
            }
        }
    }

    /** What a schema browser reads. */
    private void metadata() throws SQLException {
        DatabaseMetaData meta = connection.getMetaData();
        String database = ENV.get("MYSQL_DATABASE");
        equal(meta.getDatabaseProductVersion().isEmpty(), false);
        has(meta.getCatalogs(), "TABLE_CAT", database, "information_schema");
        has(meta.getTableTypes(), "TABLE_TYPE", "TABLE", "VIEW");
        has(meta.getTables(database, null, "%", null), "TABLE_NAME", TABLE);
        has(meta.getTables(database, null, TABLE, new String[] {"TABLE"}), "TABLE_NAME", TABLE);
        has(meta.getColumns(database, null, TABLE, "%"), "COLUMN_NAME", "row_key", "column_key", "ref_key", "body");
        has(meta.getColumns(database, null, TABLE, "ref_key"), "TYPE_NAME", "BIGINT");
        has(meta.getPrimaryKeys(database, null, TABLE), "COLUMN_NAME");
        has(meta.getIndexInfo(database, null, TABLE, true, false), "COLUMN_NAME", "row_key", "column_key", "ref_key");
        has(meta.getBestRowIdentifier(database, null, TABLE, DatabaseMetaData.bestRowSession, true), "COLUMN_NAME");
        has(meta.getImportedKeys(database, null, TABLE), "FKTABLE_NAME");
        has(meta.getExportedKeys(database, null, TABLE), "FKTABLE_NAME");
        has(meta.getProcedures(database, null, "%"), "PROCEDURE_NAME");
        has(meta.getFunctions(database, null, "%"), "FUNCTION_NAME");
        has(meta.getTablePrivileges(database, null, TABLE), "TABLE_NAME");
        has(meta.getSchemas(), "TABLE_SCHEM");
        has(meta.getTypeInfo(), "TYPE_NAME", "BIGINT");
    }

    private void reconnect() throws SQLException {
        connection.close();
        connection = open();
        latest();
    }

    private void drop() throws Exception {
        change("DROP TABLE " + TABLE);
        equal(refused(1146, this::get).getSQLState(), "42S02");
        connection.close();
    }

    /** Runs all steps; the exit code says whether they passed. */
    public static void main(String[] args) {
        Client client = new Client(args[0].equals("server-prepared"));
        Map<String, Step> steps = new LinkedHashMap<>();
        steps.put("connect", client::connect);
        steps.put("create", client::create);
        steps.put("put", client::put);
        steps.put("get", client::get);
        steps.put("latest", client::latest);
        steps.put("list", client::list);
        steps.put("multi-put", client::multiPut);
        steps.put("duplicate", client::duplicate);
        steps.put("prepared", client::prepared);
        steps.put("limit", client::limit);
        steps.put("quoted", client::quoted);
        steps.put("null", client::nulls);
        steps.put("text", client::text);
        steps.put("binary", client::binary);
        steps.put("large", client::large);
        steps.put("too-large", client::tooLarge);
        steps.put("types", client::types);
        steps.put("errors", client::errors);
        steps.put("warnings", client::warnings);
        steps.put("update", client::update);
        steps.put("commit", client::commit);
        steps.put("rollback", client::rollback);
        steps.put("savepoint", client::savepoint);
        steps.put("autocommit", client::autocommit);
        steps.put("isolation", client::isolation);
        steps.put("multi-statement", client::multiStatement);
        steps.put("stream", client::stream);
        steps.put("cursor", client::cursor);
        steps.put("ping", client::ping);
        steps.put("select-db", client::selectDb);
        steps.put("statistics", client::statistics);
        steps.put("password", client::password);
        steps.put("wrong-password", client::wrongPassword);
        steps.put("change-user", client::changeUser);
        steps.put("reset", client::reset);
        steps.put("tls", client::tls);
        steps.put("compression", client::compression);
        steps.put("metadata", client::metadata);
        steps.put("reconnect", client::reconnect);
        steps.put("drop", client::drop);
        int passed = 0;
        int failed = 0;
        for (Map.Entry<String, Step> step : steps.entrySet()) {
            try {
                step.getValue().run();
                System.out.println("ok " + step.getKey());
                passed++;
            } catch (Skip why) {
                System.out.println("skip " + step.getKey() + ": " + why.getMessage());
            } catch (Exception error) {
                System.out.println("FAIL " + step.getKey() + ": " + String.valueOf(error).replaceAll("\\s+", " "));
                failed++;
                if (client.connection == null) {
                    break;
                }
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed > 0 ? 1 : 0);
    }
}
