"""The steps of every stock client, for Python's DB-API drivers: pymysql, mysqlclient, connector.

All three start with autocommit off, so this program commits as an ordinary one would.
"""

import json
import os
import sys
from contextlib import closing

HOST = os.environ["MYSQL_HOST"]
PORT = int(os.environ["MYSQL_PORT"])
USER = os.environ["MYSQL_USER"]
DATABASE = os.environ["MYSQL_DATABASE"]

CREATE = """CREATE TABLE trips (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))"""
INSERT = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (%s, %s, %s, %s)"
GET = "SELECT body FROM trips WHERE row_key = %s AND column_key = %s AND ref_key = %s"
LATEST = ("SELECT ref_key, body FROM trips WHERE row_key = %s AND column_key = %s "
          "ORDER BY ref_key DESC LIMIT 1")
LIST = ("SELECT column_key, ref_key, body FROM trips WHERE row_key = %s "
        "ORDER BY column_key, ref_key")
COUNT = "SELECT COUNT(*) FROM trips WHERE row_key = %s"

TEXT_KEY = "Zürich-東京-🚕"
TEXT_BODY = {"city": "Zürich", "note": "日本 🚕 \"quoted\" \\ back 'single'", "n": 1.5, "list": [1, None, True]}


def connect(driver):
    """A connection of the driver with nothing but an address."""
    if driver == "pymysql":
        import pymysql

        return pymysql.connect(host=HOST, port=PORT, user=USER, database=DATABASE)
    if driver == "mysqlclient":
        import MySQLdb

        return MySQLdb.connect(host=HOST, port=PORT, user=USER, database=DATABASE)
    if driver == "connector":
        import mysql.connector

        return mysql.connector.connect(host=HOST, port=PORT, user=USER, database=DATABASE, use_pure=True)
    raise SystemExit(f"unknown driver {driver}")


def document(body):
    """A body as JSON value, whether the driver gives text, bytes or the value itself."""
    return json.loads(body) if isinstance(body, (str, bytes, bytearray)) else body


def text(value):
    """A key as text; prepared cursors may give bytes."""
    return value.decode() if isinstance(value, (bytes, bytearray)) else value


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} instead of {expected!r}")


class Client:
    def __init__(self, driver):
        self.driver = driver
        self.connection = None
        self.passed = self.failed = 0

    def query(self, statement, parameters=(), **cursor):
        with closing(self.connection.cursor(**cursor)) as handle:
            handle.execute(statement, parameters)
            return handle.fetchall()

    def change(self, statement, parameters=(), **cursor):
        with closing(self.connection.cursor(**cursor)) as handle:
            handle.execute(statement, parameters)
            return handle.rowcount

    def connect(self):
        self.connection = connect(self.driver)
        equal(self.query("SELECT 1 + 1"), self.rows([(2,)]))

    def rows(self, expected):
        """fetchall gives a tuple or a list, by driver."""
        return tuple(expected) if self.driver != "connector" else list(expected)

    def create(self):
        self.change("DROP TABLE IF EXISTS trips")
        self.change(CREATE)

    def put(self):
        for ref in (1, 2, 3):
            equal(self.change(INSERT, ("trip-1", "BASE", ref, json.dumps({"fare": ref * 10}))), 1)
        equal(self.change(INSERT, ("trip-1", "STATUS", 1, '{"status":"done"}')), 1)
        self.connection.commit()

    def get(self):
        [[body]] = self.query(GET, ("trip-1", "BASE", 1))
        equal(document(body), {"fare": 10})
        equal(len(self.query(GET, ("trip-1", "BASE", 99))), 0)

    def latest(self):
        [[ref, body]] = self.query(LATEST, ("trip-1", "BASE"))
        equal((ref, document(body)), (3, {"fare": 30}))

    def list(self):
        cells = [(text(column), ref) for column, ref, _ in self.query(LIST, ("trip-1",))]
        equal(cells, [("BASE", 1), ("BASE", 2), ("BASE", 3), ("STATUS", 1)])

    def multi_put(self):
        with closing(self.connection.cursor()) as cursor:
            cursor.executemany(INSERT, [(f"multi-{n}", "BASE", 1, json.dumps({"n": n})) for n in range(20)])
            equal(cursor.rowcount, 20)
        self.connection.commit()
        marks = ", ".join(["%s"] * 20)
        found = self.query(f"SELECT row_key FROM trips WHERE row_key IN ({marks})", [f"multi-{n}" for n in range(20)])
        equal(sorted(text(row[0]) for row in found), sorted(f"multi-{n}" for n in range(20)))

    def duplicate(self):
        try:
            self.change(INSERT, ("trip-1", "BASE", 1, '{"fare":99}'))
            self.connection.commit()
        except Exception as error:
            equal(error.args[0], 1062)
            if self.driver == "connector":
                equal(error.sqlstate, "23000")
            self.connection.rollback()
        else:
            raise AssertionError("a duplicate was accepted")
        self.get()

    def prepared(self):
        # Of the three only connector has prepared statements of the protocol; the others bind on their side.
        cursor = {"prepared": True} if self.driver == "connector" else {}
        for n in (1, 2):
            equal(self.change(INSERT, (f"prepared-{n}", "BASE", n, '{"p":true}'), **cursor), 1)
        self.connection.commit()
        [[body]] = self.query(GET, ("prepared-2", "BASE", 2), **cursor)
        equal(document(body), {"p": True})
        equal(len(self.query(GET, ("prepared-2", "BASE", 3), **cursor)), 0)

    def commit(self):
        self.change(INSERT, ("commit", "BASE", 1, "{}"))
        self.change(INSERT, ("commit", "BASE", 2, "{}"))
        equal(self.query(COUNT, ("commit",))[0][0], 2)
        self.connection.commit()
        with closing(connect(self.driver)) as other, closing(other.cursor()) as cursor:
            cursor.execute(COUNT, ("commit",))
            equal(cursor.fetchall()[0][0], 2)

    def rollback(self):
        self.change(INSERT, ("rollback", "BASE", 1, "{}"))
        self.connection.rollback()
        equal(self.query(COUNT, ("rollback",))[0][0], 0)
        self.connection.commit()

    def text(self):
        equal(self.change(INSERT, (TEXT_KEY, "BASE", 1, json.dumps(TEXT_BODY, ensure_ascii=False))), 1)
        self.connection.commit()
        [[key, body]] = self.query("SELECT row_key, body FROM trips WHERE row_key = %s", (TEXT_KEY,))
        equal((text(key), document(body)), (TEXT_KEY, TEXT_BODY))

    def reconnect(self):
        self.connection.close()
        self.connection = connect(self.driver)
        self.latest()

    def drop(self):
        self.change("DROP TABLE trips")
        try:
            self.query(GET, ("trip-1", "BASE", 1))
        except Exception as error:
            equal(error.args[0], 1146)
        else:
            raise AssertionError("the table is still there")
        self.connection.close()

    def run(self):
        for name in ("connect", "create", "put", "get", "latest", "list", "multi-put", "duplicate", "prepared",
                     "commit", "rollback", "text", "reconnect", "drop"):
            try:
                getattr(self, name.replace("-", "_"))()
                print("ok", name, flush=True)
                self.passed += 1
            except Exception as error:
                print(f"FAIL {name}: {type(error).__name__} {error}", flush=True)
                self.failed += 1
                if self.connection is None:
                    break
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


sys.exit(Client(sys.argv[1]).run())
