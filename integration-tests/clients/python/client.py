"""The steps of every driver, for Python's: `client.py DRIVER`.

All of them start with autocommit off, so this program commits as an ordinary one would.
"""

import json
import sys
from contextlib import contextmanager

from drivers import DRIVERS
from steps import APP_PASSWORD, APP_USER, CREATE, DATABASE, Skip, TABLE, equal, refused, run

INSERT = f"INSERT INTO {TABLE} (row_key, column_key, ref_key, body) VALUES (%s, %s, %s, %s)"
GET = f"SELECT body FROM {TABLE} WHERE row_key = %s AND column_key = %s AND ref_key = %s"
LATEST = (f"SELECT ref_key, body FROM {TABLE} WHERE row_key = %s AND column_key = %s "
          "ORDER BY ref_key DESC LIMIT 1")
LIST = (f"SELECT column_key, ref_key, body FROM {TABLE} WHERE row_key = %s "
        "ORDER BY column_key, ref_key")
COUNT = f"SELECT COUNT(*) FROM {TABLE} WHERE row_key = %s"

TEXT_KEY = "Zürich-東京-🚕"
TEXT_BODY = {"city": "Zürich", "note": "日本 🚕 \"quoted\" \\ back 'single'", "n": 1.5, "list": [1, None, True]}
BYTES = b"\x00\xffA'\\\n"

VAR_STRING, LONGLONG, DATETIME, JSON, BLOB = 253, 8, 12, 245, 252
MIB = 1 << 20
# What a client may see when a packet is too large: the server's word, or its closed door.
TOO_LARGE = (1406, 1153, 2006, 2013, 2055)


def document(body):
    """A body as JSON value, whether the driver gives text, bytes or the value itself."""
    return json.loads(body) if isinstance(body, (str, bytes, bytearray)) else body


def text(value):
    """A key as text; prepared cursors may give bytes."""
    return value.decode() if isinstance(value, (bytes, bytearray)) else value


class Client:
    def __init__(self, driver):
        self.driver = driver
        self.connection = None

    def query(self, statement, parameters=()):
        return self.driver.query(self.connection, statement, parameters)

    def change(self, statement, parameters=()):
        return self.driver.change(self.connection, statement, parameters)

    def put_one(self, key, ref=1, body="{}"):
        equal(self.change(INSERT, (key, "BASE", ref, body)), 1)

    def end(self):
        self.driver.commit(self.connection)

    @contextmanager
    def another(self, **options):
        """A second connection."""
        connection = self.driver.connect(**options)
        try:
            yield connection
        finally:
            self.driver.close(connection)

    def count(self, key, expected):
        equal(self.query(COUNT, (key,))[0][0], expected)

    def others_see(self, key, expected):
        with self.another() as other:
            equal(self.driver.query(other, COUNT, (key,))[0][0], expected)

    def connect(self):
        self.connection = self.driver.connect()
        equal(self.query("SELECT 1 + 1"), [(2,)])

    def create(self):
        self.change(f"DROP TABLE IF EXISTS {TABLE}")
        self.change(CREATE)

    def put(self):
        for ref in (1, 2, 3):
            self.put_one("trip-1", ref, json.dumps({"fare": ref * 10}))
        equal(self.change(INSERT, ("trip-1", "STATUS", 1, '{"status":"done"}')), 1)
        self.end()

    def get(self):
        [[body]] = self.query(GET, ("trip-1", "BASE", 1))
        equal(document(body), {"fare": 10})
        equal(self.query(GET, ("trip-1", "BASE", 99)), [])

    def latest(self):
        [[ref, body]] = self.query(LATEST, ("trip-1", "BASE"))
        equal((ref, document(body)), (3, {"fare": 30}))

    def list(self):
        cells = [(text(column), ref) for column, ref, _ in self.query(LIST, ("trip-1",))]
        equal(cells, [("BASE", 1), ("BASE", 2), ("BASE", 3), ("STATUS", 1)])

    def multi_put(self):
        keys = [f"multi-{n}" for n in range(20)]
        rows = [(key, "BASE", 1, json.dumps({"n": n})) for n, key in enumerate(keys)]
        equal(self.driver.change_many(self.connection, INSERT, rows), 20)
        self.end()
        marks = ", ".join(["%s"] * 20)
        found = self.query(f"SELECT row_key FROM {TABLE} WHERE row_key IN ({marks})", keys)
        equal(sorted(text(row[0]) for row in found), sorted(keys))

    def duplicate(self):
        error = refused(1062, self.put_one, "trip-1", 1, '{"fare":99}')
        equal(getattr(error, "sqlstate", "23000"), "23000")
        self.driver.rollback(self.connection)
        self.get()

    def prepared(self):
        rows = [(f"prepared-{n}", "BASE", n, '{"p":true}') for n in (1, 2)]
        equal(list(self.driver.prepared(self.connection, INSERT, rows)), [1, 1])
        self.end()
        found = list(self.driver.prepared(self.connection, GET, [("prepared-2", "BASE", 2), ("prepared-2", "BASE", 3)]))
        equal([[document(body) for (body,) in result] for result in found], [[{"p": True}], []])

    def limit(self):
        page = f"SELECT ref_key FROM {TABLE} WHERE row_key = %s AND column_key = 'BASE' ORDER BY ref_key LIMIT %s"
        equal(self.query(page, ("trip-1", 2)), [(1,), (2,)])
        equal(self.query(page + " OFFSET %s", ("trip-1", 2, 2)), [(3,)])

    def quoted(self):
        self.put_one("quoted", "7")
        self.end()
        equal(self.query(f"SELECT ref_key FROM {TABLE} WHERE row_key = 'quoted' AND ref_key = '7'"), [(7,)])
        equal(len(self.query(GET, ("quoted", "BASE", "7"))), 1)

    def null(self):
        equal(self.query("SELECT NULL, %s, COALESCE(%s, 5)", (None, None))[0][:2], (None, None))

    def text(self):
        equal(self.change(INSERT, (TEXT_KEY, "BASE", 1, json.dumps(TEXT_BODY, ensure_ascii=False))), 1)
        self.end()
        [[key, body]] = self.query(f"SELECT row_key, body FROM {TABLE} WHERE row_key = %s", (TEXT_KEY,))
        equal((text(key), document(body)), (TEXT_KEY, TEXT_BODY))

    def binary(self):
        equal(self.query(f"SELECT X'{BYTES.hex()}'"), [(BYTES,)])
        if self.driver.binds_bytes:
            equal(self.query(f"SELECT %s = X'{BYTES.hex()}'", (BYTES,)), [(1,)])

    def large(self):
        body = json.dumps("x" * 3 * MIB)
        self.put_one("large", 1, body)
        self.end()
        [[found]] = self.query(GET, ("large", "BASE", 1))
        equal(len(document(found)), 3 * MIB)

    def too_large(self):
        with self.another() as other:
            arguments = ("too-large", "BASE", 1, json.dumps("x" * 17 * MIB))
            refused(TOO_LARGE, self.driver.change, other, INSERT, arguments)
        self.count("too-large", 0)

    def types(self):
        [[version]] = self.query("SELECT VERSION()")
        json_type = BLOB if "MariaDB" in text(version) else JSON
        columns = f"row_key, ref_key AS `Ref`, body, created_at FROM {TABLE} WHERE row_key = 'trip-1'"
        equal(self.driver.columns(self.connection, f"SELECT {columns}"),
              [("row_key", VAR_STRING), ("Ref", LONGLONG), ("body", json_type), ("created_at", DATETIME)])
        [[created]] = self.query(f"SELECT created_at FROM {TABLE} WHERE row_key = 'trip-1' LIMIT 1")
        equal(type(created).__name__, "datetime")

    def errors(self):
        for code, statement in [
            (1064, "SELEC 1"),
            (1054, f"SELECT nonsense FROM {TABLE} WHERE row_key = 'x'"),
            (1146, "SELECT body FROM no_such_table WHERE row_key = 'x'"),
            (1051, "DROP TABLE no_such_table"),
            (1050, CREATE),
        ]:
            refused(code, self.query, statement)
        refused(1049, self.driver.select_database, self.connection, "no_such_database")
        self.driver.rollback(self.connection)
        self.get()

    def warnings(self):
        equal(self.change(f"INSERT IGNORE INTO {TABLE} (row_key, column_key, ref_key, body) "
                          "VALUES ('trip-1', 'BASE', 1, '{}')"), 0)
        [[level, code, _]] = self.query("SHOW WARNINGS")
        equal((text(level), code), ("Warning", 1062))

    def update(self):
        # Cells are immutable. Where they are not, a row that is the same already is no affected row.
        equal(self.change(f"UPDATE {TABLE} SET body = '{{}}' WHERE row_key = 'multi-1'"), 1)
        equal(self.change(f"UPDATE {TABLE} SET body = '{{}}' WHERE row_key = 'multi-1'"), 0)
        self.end()

    def commit(self):
        self.put_one("commit", 1)
        self.put_one("commit", 2)
        self.count("commit", 2)
        self.others_see("commit", 0)
        self.end()
        self.others_see("commit", 2)

    def rollback(self):
        self.put_one("rollback")
        self.driver.rollback(self.connection)
        self.count("rollback", 0)
        self.end()

    def savepoint(self):
        self.put_one("savepoint", 1)
        self.change("SAVEPOINT one")
        self.put_one("savepoint", 2)
        self.change("ROLLBACK TO SAVEPOINT one")
        self.count("savepoint", 1)
        self.change("RELEASE SAVEPOINT one")
        self.end()
        self.others_see("savepoint", 1)

    def autocommit(self):
        self.driver.autocommit(self.connection, True)
        equal(self.query("SELECT @@autocommit"), [(1,)])
        self.put_one("autocommit", 1)
        self.others_see("autocommit", 1)
        self.driver.autocommit(self.connection, False)
        equal(self.query("SELECT @@autocommit"), [(0,)])
        self.put_one("autocommit", 2)
        self.others_see("autocommit", 1)
        self.driver.rollback(self.connection)
        self.others_see("autocommit", 1)

    def isolation(self):
        for level in ("READ COMMITTED", "REPEATABLE READ"):
            self.change(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            [[found]] = self.query("SELECT @@tx_isolation")
            equal(text(found), level.replace(" ", "-"))

    def multi_statement(self):
        with self.another(multi=True) as other:
            found = self.driver.results(other, f"SELECT 1; SELECT ref_key FROM {TABLE} WHERE row_key = 'multi-1'; SELECT 3")
            equal(found, [[(1,)], [(1,)], [(3,)]])

    def stream(self):
        rows = ", ".join(f"('many', 'BASE', {n}, '{{}}')" for n in range(1, 301))
        equal(self.change(f"INSERT INTO {TABLE} (row_key, column_key, ref_key, body) VALUES {rows}"), 300)
        self.end()
        statement = f"SELECT ref_key FROM {TABLE} WHERE row_key = 'many' ORDER BY ref_key"
        equal([ref for (ref,) in self.driver.stream(self.connection, statement)], [*range(1, 301)])

    def cursor(self):
        raise Skip("opens no cursors on the server")

    def ping(self):
        self.driver.ping(self.connection)

    def select_db(self):
        self.driver.select_database(self.connection, "information_schema")
        equal(text(self.query("SELECT DATABASE()")[0][0]), "information_schema")
        self.driver.select_database(self.connection, DATABASE)
        self.get()

    def statistics(self):
        if "Uptime" not in str(self.driver.statistics(self.connection)):
            raise AssertionError("no uptime in it")

    def who(self, connection):
        return text(self.driver.query(connection, "SELECT CURRENT_USER()")[0][0]).split("@")[0]

    def password(self):
        with self.another(user=APP_USER, password=APP_PASSWORD) as other:
            equal(self.who(other), APP_USER)

    def wrong_password(self):
        refused(1045, self.driver.connect, APP_USER, APP_PASSWORD + "x")

    def change_user(self):
        with self.another() as other:
            self.driver.change(other, "SET @kept = 1")
            self.driver.change_user(other, APP_USER, APP_PASSWORD)
            equal(self.who(other), APP_USER)
            equal(self.driver.query(other, "SELECT @kept"), [(None,)])

    def reset(self):
        with self.another() as other:
            self.driver.change(other, "SET @kept = 1")
            equal(self.driver.query(other, "SELECT @kept"), [(1,)])
            self.driver.reset(other)
            equal(self.driver.query(other, "SELECT @kept"), [(None,)])

    def tls(self):
        with self.another(tls=True, user=APP_USER, password=APP_PASSWORD) as other:
            [[_, cipher]] = self.driver.query(other, "SHOW STATUS LIKE 'Ssl_cipher'")
            if not text(cipher):
                raise AssertionError("the connection is not encrypted")

    def compression(self):
        with self.another(compress=True) as other:
            [[_, on]] = self.driver.query(other, "SHOW STATUS LIKE 'Compression'")
            equal(text(on), "ON")
            [[found]] = self.driver.query(other, GET, ("large", "BASE", 1))
            equal(len(document(found)), 3 * MIB)

    def reconnect(self):
        self.driver.close(self.connection)
        self.connection = self.driver.connect()
        self.latest()

    def drop(self):
        self.change(f"DROP TABLE {TABLE}")
        refused(1146, self.query, GET, ("trip-1", "BASE", 1))
        self.driver.close(self.connection)


STEPS = ("connect create put get latest list multi-put duplicate prepared limit quoted null text binary large too-large types "
         "errors warnings update commit rollback savepoint autocommit isolation multi-statement stream cursor ping select-db "
         "statistics password wrong-password change-user reset tls compression reconnect drop").split()

client = Client(DRIVERS[sys.argv[1]]())
sys.exit(run(client.driver.version, [(name, getattr(client, name.replace("-", "_"))) for name in STEPS]))
