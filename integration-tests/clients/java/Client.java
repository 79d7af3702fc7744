import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The steps of every stock client, for MariaDB Connector/J: statements are text, "prepared" uses the protocol's. */
public final class Client {
    private static final String CREATE =
            "CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, "
                    + "column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL, "
                    + "created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), "
                    + "PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))";
    private static final String INSERT = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)";
    private static final String GET = "SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?";
    private static final String LATEST =
            "SELECT ref_key, body FROM trips WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1";
    private static final String LIST =
            "SELECT column_key, ref_key, body FROM trips WHERE row_key = ? ORDER BY column_key, ref_key";
    private static final String COUNT = "SELECT COUNT(*) FROM trips WHERE row_key = ?";
    private static final String TEXT_KEY = "Zürich-東京-🚕";
    private static final String TEXT_BODY =
            "{\"city\":\"Zürich\",\"note\":\"日本 🚕 \\\"quoted\\\" \\\\ back 'single'\",\"list\":[1,null,true]}";

    private Connection connection;

    private interface Step {
        void run() throws Exception;
    }

    private static Connection open(String options) throws SQLException {
        Map<String, String> env = System.getenv();
        String url = "jdbc:mariadb://" + env.get("MYSQL_HOST") + ":" + env.get("MYSQL_PORT") + "/"
                + env.get("MYSQL_DATABASE") + "?user=" + env.get("MYSQL_USER") + options;
        return DriverManager.getConnection(url);
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

    /** Rows as text, columns joined by a space. */
    private static List<String> rows(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            bind(statement, values);
            List<String> rows = new ArrayList<>();
            try (ResultSet result = statement.executeQuery()) {
                int columns = result.getMetaData().getColumnCount();
                while (result.next()) {
                    StringBuilder row = new StringBuilder(result.getString(1));
                    for (int column = 2; column <= columns; column++) {
                        row.append(' ').append(result.getString(column));
                    }
                    rows.add(row.toString());
                }
            }
            return rows;
        }
    }

    private static void refused(int code, String state, Step step) throws Exception {
        try {
            step.run();
        } catch (SQLException error) {
            equal(error.getErrorCode(), code);
            equal(error.getSQLState(), state);
            return;
        }
        throw new IllegalStateException("not refused");
    }

    private void connect() throws SQLException {
        connection = open("");
        equal(rows(connection, "SELECT 1 + 1"), List.of("2"));
    }

    private void create() throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE IF EXISTS trips");
            statement.execute(CREATE);
        }
    }

    private void put() throws SQLException {
        for (int ref = 1; ref <= 3; ref++) {
            equal(change(connection, INSERT, "trip-1", "BASE", ref, "{\"fare\":" + ref * 10 + "}"), 1);
        }
        equal(change(connection, INSERT, "trip-1", "STATUS", 1, "{\"status\":\"done\"}"), 1);
    }

    private void get() throws SQLException {
        equal(rows(connection, GET, "trip-1", "BASE", 1), List.of("{\"fare\":10}"));
        equal(rows(connection, GET, "trip-1", "BASE", 99), List.of());
    }

    private void latest() throws SQLException {
        equal(rows(connection, LATEST, "trip-1", "BASE"), List.of("3 {\"fare\":30}"));
    }

    private void list() throws SQLException {
        List<String> cells = new ArrayList<>();
        for (String row : rows(connection, LIST, "trip-1")) {
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
        equal(change(connection, INSERT + ", (?, ?, ?, ?)", "multi-20", "BASE", 1, "{}", "multi-21", "BASE", 1, "{}"), 2);
        TreeSet<String> expected = new TreeSet<>();
        StringBuilder marks = new StringBuilder("?");
        for (int n = 0; n < 22; n++) {
            expected.add("multi-" + n);
            marks.append(n > 0 ? ", ?" : "");
        }
        String in = "SELECT row_key FROM trips WHERE row_key IN (" + marks + ")";
        equal(new TreeSet<>(rows(connection, in, expected.toArray())), expected);
    }

    private void duplicate() throws Exception {
        refused(1062, "23000", () -> change(connection, INSERT, "trip-1", "BASE", 1, "{\"fare\":99}"));
        get();
    }

    private void prepared() throws SQLException {
        try (Connection server = open("&useServerPrepStmts=true")) {
            for (int n = 1; n <= 2; n++) {
                equal(change(server, INSERT, "prepared-" + n, "BASE", n, "{\"p\":true}"), 1);
            }
            equal(rows(server, GET, "prepared-2", "BASE", 2), List.of("{\"p\":true}"));
            equal(rows(server, GET, "prepared-2", "BASE", 3), List.of());
        }
    }

    private void commit() throws SQLException {
        connection.setAutoCommit(false);
        change(connection, INSERT, "commit", "BASE", 1, "{}");
        change(connection, INSERT, "commit", "BASE", 2, "{}");
        equal(rows(connection, COUNT, "commit"), List.of("2"));
        try (Connection other = open("")) {
            equal(rows(other, COUNT, "commit"), List.of("0"));
            connection.commit();
            equal(rows(other, COUNT, "commit"), List.of("2"));
        }
        connection.setAutoCommit(true);
    }

    private void rollback() throws SQLException {
        connection.setAutoCommit(false);
        change(connection, INSERT, "rollback", "BASE", 1, "{}");
        connection.rollback();
        equal(rows(connection, COUNT, "rollback"), List.of("0"));
        connection.setAutoCommit(true);
    }

    private void text() throws SQLException {
        equal(change(connection, INSERT, TEXT_KEY, "BASE", 1, TEXT_BODY), 1);
        equal(rows(connection, "SELECT row_key, body FROM trips WHERE row_key = ?", TEXT_KEY),
                List.of(TEXT_KEY + " " + TEXT_BODY));
    }

    private void reconnect() throws SQLException {
        connection.close();
        connection = open("");
        equal(connection.isValid(5), true);
        latest();
    }

    private void drop() throws Exception {
        change(connection, "DROP TABLE trips");
        refused(1146, "42S02", this::get);
        connection.close();
    }

    /** Runs all steps; the exit code says whether they passed. */
    public static void main(String[] args) {
        Client client = new Client();
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
        steps.put("commit", client::commit);
        steps.put("rollback", client::rollback);
        steps.put("text", client::text);
        steps.put("reconnect", client::reconnect);
        steps.put("drop", client::drop);
        int passed = 0;
        int failed = 0;
        for (Map.Entry<String, Step> step : steps.entrySet()) {
            try {
                step.getValue().run();
                System.out.println("ok " + step.getKey());
                passed++;
            } catch (Exception error) {
                System.out.println("FAIL " + step.getKey() + ": " + error);
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
