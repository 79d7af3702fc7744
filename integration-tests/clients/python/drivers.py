"""Python's drivers, made alike: each gives connections, and does with them what its library can do.

What a library cannot do raises Skip. All of them start with autocommit off.
"""

import asyncio
import ssl
from contextlib import closing
from importlib.metadata import version

from steps import DATABASE, HOST, PORT, USER, Skip


class Driver:
    """One with cursors of the DB-API; what differs is in the classes below."""

    module = None
    # Whether it can send bytes as a parameter.
    binds_bytes = True

    def connect(self, user=USER, password="", tls=False, compress=False, multi=False):
        raise NotImplementedError

    def cursor(self, connection):
        return connection.cursor()

    def query(self, connection, statement, parameters=()):
        with closing(self.cursor(connection)) as cursor:
            cursor.execute(statement, parameters)
            return [tuple(row) for row in cursor.fetchall()]

    def change(self, connection, statement, parameters=()):
        with closing(self.cursor(connection)) as cursor:
            cursor.execute(statement, parameters)
            return cursor.rowcount

    def change_many(self, connection, statement, rows):
        with closing(connection.cursor()) as cursor:
            cursor.executemany(statement, rows)
            return cursor.rowcount

    def columns(self, connection, statement):
        """Names and type numbers of the columns of a result."""
        with closing(self.cursor(connection)) as cursor:
            cursor.execute(statement)
            cursor.fetchall()
            return [(column[0], column[1]) for column in cursor.description]

    def prepared(self, connection, statement, rows):
        """Prepares once and executes for each row of parameters; answers what each gave."""
        raise Skip("binds on the client's side: no prepared statements of the protocol")

    def results(self, connection, statements):
        """The results of several statements sent as one."""
        with closing(connection.cursor()) as cursor:
            cursor.execute(statements)
            results = [list(cursor.fetchall())]
            while cursor.nextset():
                results.append(list(cursor.fetchall()))
            return [[tuple(row) for row in result] for result in results if result]

    def stream(self, connection, statement):
        """Reads a result in pieces, without keeping all of it."""
        raise Skip("reads whole results")

    def commit(self, connection):
        connection.commit()

    def rollback(self, connection):
        connection.rollback()

    def autocommit(self, connection, on):
        connection.autocommit(on)

    def ping(self, connection):
        connection.ping()

    def select_database(self, connection, name):
        connection.select_db(name)

    def statistics(self, connection):
        raise Skip("no call for COM_STATISTICS")

    def change_user(self, connection, user, password):
        raise Skip("no call for COM_CHANGE_USER")

    def reset(self, connection):
        raise Skip("no call for COM_RESET_CONNECTION")

    def close(self, connection):
        connection.close()


def any_certificate():
    """TLS without asking who the server is: its certificate is its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class PyMySQL(Driver):
    def __init__(self):
        import pymysql

        self.module = pymysql
        self.version = f"PyMySQL {version('PyMySQL')}"

    def connect(self, user=USER, password="", tls=False, compress=False, multi=False):
        if compress:
            raise Skip("does not compress")
        flag = self.module.constants.CLIENT.MULTI_STATEMENTS if multi else 0
        return self.module.connect(host=HOST, port=PORT, user=user, password=password, database=DATABASE, client_flag=flag,
                                   ssl=any_certificate() if tls else None)

    def stream(self, connection, statement):
        with closing(connection.cursor(self.module.cursors.SSCursor)) as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(50):
                yield from rows


class MySQLClient(Driver):
    def __init__(self):
        import MySQLdb
        import MySQLdb.cursors

        self.module = MySQLdb
        self.version = f"mysqlclient {version('mysqlclient')}, client library {MySQLdb.get_client_info()}"

    def connect(self, user=USER, password="", tls=False, compress=False, multi=False):
        options = {"compress": True} if compress else {}
        if tls:
            options["ssl_mode"] = "REQUIRED"
        return self.module.connect(host=HOST, port=PORT, user=user, password=password, database=DATABASE, **options)

    def stream(self, connection, statement):
        with closing(connection.cursor(self.module.cursors.SSCursor)) as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(50):
                yield from rows

    def statistics(self, connection):
        return connection.stat()

    def change_user(self, connection, user, password):
        connection.change_user(user=user, passwd=password, db=DATABASE)


class Connector(Driver):
    """mysql-connector-python in pure Python, on Oracle's C library, and with a prepared cursor for every statement."""

    def __init__(self, pure, prepare):
        import mysql.connector

        self.module = mysql.connector
        self.pure = pure
        self.prepare = prepare
        self.version = f"mysql-connector-python {mysql.connector.__version__}"

    def connect(self, user=USER, password="", tls=False, compress=False, multi=False):
        # It uses TLS wherever it is offered.
        return self.module.connect(host=HOST, port=PORT, user=user, password=password, database=DATABASE,
                                   use_pure=self.pure, compress=compress)

    def cursor(self, connection):
        return connection.cursor(prepared=True) if self.prepare else connection.cursor()

    def prepared(self, connection, statement, rows):
        with closing(connection.cursor(prepared=True)) as cursor:
            for row in rows:
                cursor.execute(statement, row)
                yield [tuple(found) for found in cursor.fetchall()] if cursor.with_rows else cursor.rowcount

    def results(self, connection, statements):
        with closing(connection.cursor()) as cursor:
            if self.module.__version_info__[0] >= 26:
                return super().results(connection, statements)
            results = [list(result.fetchall()) for result in cursor.execute(statements, multi=True)]
            return [[tuple(row) for row in result] for result in results]

    def stream(self, connection, statement):
        with closing(self.cursor(connection)) as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(50):
                yield from rows

    def autocommit(self, connection, on):
        connection.autocommit = on

    def select_database(self, connection, name):
        connection.cmd_init_db(name)

    def statistics(self, connection):
        return str(connection.cmd_statistics())

    def change_user(self, connection, user, password):
        connection.cmd_change_user(username=user, password=password, database=DATABASE)

    def reset(self, connection):
        connection.cmd_reset_connection()


class Waiting:
    """An object of an asynchronous library whose calls are waited for."""

    def __init__(self, loop, inner):
        self._loop, self._inner = loop, inner

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments, **keywords):
            outcome = value(*arguments, **keywords)
            if hasattr(outcome, "__await__"):
                outcome = self._loop.run_until_complete(_awaited(outcome))
            return Waiting(self._loop, outcome) if hasattr(outcome, "fetchall") else outcome

        return call


async def _awaited(outcome):
    return await outcome


class Asynchronous(Driver):
    """aiomysql and asyncmy."""

    def __init__(self, name):
        self.module = __import__(name)
        self.cursors = __import__(f"{name}.cursors", fromlist=["SSCursor"])
        self.version = f"{name} {version(name)}"
        # aiomysql 0.3 fails on them with PyMySQL 1.2.
        self.binds_bytes = name != "aiomysql"
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def connect(self, user=USER, password="", tls=False, compress=False, multi=False):
        if compress:
            raise Skip("does not compress")
        flag = 1 << 16 if multi else 0
        connection = _awaited(self.module.connect(host=HOST, port=PORT, user=user, password=password, db=DATABASE,
                                                  charset="utf8mb4", client_flag=flag, ssl=any_certificate() if tls else None))
        return Waiting(self.loop, self.loop.run_until_complete(connection))

    def stream(self, connection, statement):
        cursor = connection.cursor(self.cursors.SSCursor)
        cursor.execute(statement)
        while rows := cursor.fetchmany(50):
            yield from rows
        cursor.close()


DRIVERS = {
    "pymysql": PyMySQL,
    "mysqlclient": MySQLClient,
    "connector": lambda: Connector(pure=True, prepare=False),
    "connector-c": lambda: Connector(pure=False, prepare=False),
    "connector-prepared": lambda: Connector(pure=True, prepare=True),
    "aiomysql": lambda: Asynchronous("aiomysql"),
    "asyncmy": lambda: Asynchronous("asyncmy"),
}
