"""The steps of every mapper, for Python's: `mappers.py sqlalchemy|django|peewee`."""

import contextlib
import io
import json
import sys
from importlib.metadata import version

from steps import CREATE, DATABASE, HOST, PORT, TABLE, USER, equal, run

KEY = ("row_key", "column_key", "ref_key")


def same(found, expected):
    """Bodies come as text or as values."""
    equal([json.loads(body) if isinstance(body, (str, bytes)) else body for body in found], expected)


def absent(call):
    """A step must fail and leave nothing behind."""
    try:
        call()
    except RuntimeError as error:
        equal(str(error), "on purpose")
    else:
        raise AssertionError("the transaction did not end")


class SQLAlchemy:
    """Reflection and Core on PyMySQL."""

    def __init__(self):
        import sqlalchemy

        self.lib = sqlalchemy
        self.version = f"SQLAlchemy {version('SQLAlchemy')}, PyMySQL {version('PyMySQL')}"

    def connect(self):
        self.engine = self.lib.create_engine(f"mysql+pymysql://{USER}@{HOST}:{PORT}/{DATABASE}", pool_pre_ping=True)
        with self.engine.connect() as connection:
            equal(connection.execute(self.lib.text("SELECT 1 + 1")).scalar(), 2)

    def create(self):
        with self.engine.begin() as connection:
            connection.execute(self.lib.text(f"DROP TABLE IF EXISTS {TABLE}"))
            connection.execute(self.lib.text(CREATE))

    def reflect(self):
        inspector = self.lib.inspect(self.engine)
        equal(inspector.has_table(TABLE), True)
        equal(inspector.has_table("no_such_table"), False)
        equal(TABLE in inspector.get_table_names(), True)
        inspector.get_indexes(TABLE)
        inspector.get_pk_constraint(TABLE)
        self.table = self.lib.Table(TABLE, self.lib.MetaData(), autoload_with=self.engine)
        columns = {column.name: type(column.type).__name__ for column in self.table.columns}
        equal([columns[name] for name in KEY], ["VARCHAR", "VARCHAR", "BIGINT"])
        equal(columns["body"] in ("JSON", "LONGTEXT"), True)

    def row(self, key, ref, body):
        # What a MariaDB reflects as LONGTEXT takes text.
        text = type(self.table.c.body.type).__name__ == "LONGTEXT"
        return {"row_key": key, "column_key": "BASE", "ref_key": ref, "body": json.dumps(body) if text else body}

    def insert(self):
        with self.engine.begin() as connection:
            connection.execute(self.table.insert().values(self.row("one", 1, {"n": 1})))
            equal(connection.execute(self.table.insert(), [self.row("many", n, {"n": n}) for n in (1, 2, 3)]).rowcount, 3)

    def select(self):
        c = self.table.c
        with self.engine.connect() as connection:
            query = self.lib.select(c.ref_key).where(c.row_key == "many").order_by(c.ref_key.desc()).limit(2)
            equal(connection.execute(query).scalars().all(), [3, 2])
            query = self.lib.select(c.body).where(c.row_key == "one", c.column_key == "BASE", c.ref_key == 1)
            same(connection.execute(query).scalars().all(), [{"n": 1}])
            query = self.lib.select(c.row_key).where(c.row_key.in_(["one", "none"]))
            equal(connection.execute(query).scalars().all(), ["one"])

    def raw(self):
        with self.engine.connect() as connection:
            query = self.lib.text(f"SELECT COUNT(*) FROM {TABLE} WHERE row_key = :key")
            equal(connection.execute(query, {"key": "many"}).scalar(), 3)

    def duplicate(self):
        def again():
            with self.engine.begin() as connection:
                connection.execute(self.table.insert().values(self.row("one", 1, {"n": 2})))

        try:
            again()
        except self.lib.exc.IntegrityError as error:
            equal(error.orig.args[0], 1062)
        else:
            raise AssertionError("not refused")

    def count(self, key):
        with self.engine.connect() as connection:
            query = self.lib.select(self.lib.func.count()).select_from(self.table).where(self.table.c.row_key == key)
            return connection.execute(query).scalar()

    def transaction(self):
        def fails():
            with self.engine.begin() as connection:
                connection.execute(self.table.insert().values(self.row("failed", 1, {})))
                raise RuntimeError("on purpose")

        with self.engine.begin() as connection:
            for ref in (1, 2):
                connection.execute(self.table.insert().values(self.row("done", ref, {})))
        absent(fails)
        equal((self.count("done"), self.count("failed")), (2, 0))

    def savepoint(self):
        with self.engine.begin() as connection:
            connection.execute(self.table.insert().values(self.row("outer", 1, {})))
            with contextlib.suppress(RuntimeError), connection.begin_nested():
                connection.execute(self.table.insert().values(self.row("outer", 2, {})))
                raise RuntimeError("on purpose")
        equal(self.count("outer"), 1)

    def update(self):
        with self.engine.begin() as connection:
            query = self.table.update().where(self.table.c.row_key == "one").values(body=self.row("one", 1, {"n": 9})["body"])
            equal(connection.execute(query).rowcount, 1)

    def drop(self):
        self.table.drop(self.engine)
        equal(self.lib.inspect(self.engine).has_table(TABLE), False)
        self.engine.dispose()


class Django:
    """inspectdb and a model on mysqlclient."""

    def __init__(self):
        import django
        from django.conf import settings

        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.mysql", "HOST": HOST, "PORT": PORT, "USER": USER, "NAME": DATABASE,
                                   "OPTIONS": {"charset": "utf8mb4"}}},
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True)
        django.setup()
        from django.db import IntegrityError, connection, models, transaction

        class Cell(models.Model):
            added_id = models.BigAutoField(primary_key=True)
            row_key = models.CharField(max_length=255)
            column_key = models.CharField(max_length=64)
            ref_key = models.BigIntegerField()
            body = models.JSONField()

            class Meta:
                app_label = "stock"
                managed = False
                db_table = TABLE

        self.connection, self.transactions, self.cell, self.integrity_error = connection, transaction, Cell, IntegrityError
        self.version = f"Django {version('Django')}, mysqlclient {version('mysqlclient')}"

    def execute(self, statement, parameters=()):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else None

    def connect(self):
        equal(self.execute("SELECT 1 + 1"), ((2,),))

    def create(self):
        self.execute(f"DROP TABLE IF EXISTS {TABLE}")
        self.execute(CREATE)

    def reflect(self):
        from django.core.management import call_command

        text = io.StringIO()
        call_command("inspectdb", TABLE, stdout=text)
        for line in ("row_key = models.CharField(", "column_key = models.CharField(", "ref_key = models.BigIntegerField()",
                     f"db_table = '{TABLE}'"):
            if line not in text.getvalue():
                raise AssertionError(f"no {line!r} in {text.getvalue()!r}")
        with self.connection.cursor() as cursor:
            equal(TABLE in self.connection.introspection.table_names(cursor), True)
            self.connection.introspection.get_constraints(cursor, TABLE)

    def put(self, key, ref, body):
        return self.cell.objects.create(row_key=key, column_key="BASE", ref_key=ref, body=body)

    def insert(self):
        self.put("one", 1, {"n": 1})
        self.cell.objects.bulk_create(
            [self.cell(row_key="many", column_key="BASE", ref_key=n, body={"n": n}) for n in (1, 2, 3)])

    def select(self):
        refs = self.cell.objects.filter(row_key="many").order_by("-ref_key").values_list("ref_key", flat=True)[:2]
        equal(list(refs), [3, 2])
        equal(self.cell.objects.get(row_key="one", column_key="BASE", ref_key=1).body, {"n": 1})
        equal(self.cell.objects.filter(row_key__in=["one", "none"]).exists(), True)

    def raw(self):
        equal(self.execute(f"SELECT COUNT(*) FROM {TABLE} WHERE row_key = %s", ["many"]), ((3,),))

    def duplicate(self):
        try:
            self.put("one", 1, {"n": 2})
        except self.integrity_error as error:
            equal(error.args[0], 1062)
        else:
            raise AssertionError("not refused")

    def count(self, key):
        return self.cell.objects.filter(row_key=key).count()

    def transaction(self):
        def fails():
            with self.transactions.atomic():
                self.put("failed", 1, {})
                raise RuntimeError("on purpose")

        with self.transactions.atomic():
            self.put("done", 1, {})
            self.put("done", 2, {})
        absent(fails)
        equal((self.count("done"), self.count("failed")), (2, 0))

    def savepoint(self):
        with self.transactions.atomic():
            self.put("outer", 1, {})
            with contextlib.suppress(RuntimeError), self.transactions.atomic():
                self.put("outer", 2, {})
                raise RuntimeError("on purpose")
        equal(self.count("outer"), 1)

    def update(self):
        equal(self.cell.objects.filter(row_key="one").update(body={"n": 9}), 1)

    def drop(self):
        self.execute(f"DROP TABLE {TABLE}")
        with self.connection.cursor() as cursor:
            equal(TABLE in self.connection.introspection.table_names(cursor), False)
        self.connection.close()


class Peewee:
    """Introspection and a model on PyMySQL."""

    def __init__(self):
        import peewee

        self.lib = peewee
        self.database = peewee.MySQLDatabase(DATABASE, host=HOST, port=PORT, user=USER)

        class Cell(peewee.Model):
            added_id = peewee.BigAutoField()
            row_key = peewee.CharField()
            column_key = peewee.CharField()
            ref_key = peewee.BigIntegerField()
            # Its JSON field writes CAST(.. AS JSON), which a MariaDB does not know.
            body = peewee.TextField()

            class Meta:
                database = self.database
                table_name = TABLE

        self.cell = Cell
        self.version = f"peewee {version('peewee')}, PyMySQL {version('PyMySQL')}"

    def connect(self):
        self.database.connect()
        equal(self.database.execute_sql("SELECT 1 + 1").fetchall(), ((2,),))

    def create(self):
        self.database.execute_sql(f"DROP TABLE IF EXISTS {TABLE}")
        self.database.execute_sql(CREATE)

    def reflect(self):
        equal(self.database.table_exists(TABLE), True)
        equal(self.database.table_exists("no_such_table"), False)
        columns = {column.name: column.data_type for column in self.database.get_columns(TABLE)}
        equal([columns[name] for name in KEY], ["varchar", "varchar", "bigint"])
        self.database.get_indexes(TABLE)
        self.database.get_primary_keys(TABLE)
        self.database.get_foreign_keys(TABLE)

    def put(self, key, ref, body):
        return self.cell.insert(row_key=key, column_key="BASE", ref_key=ref, body=json.dumps(body)).execute()

    def insert(self):
        self.put("one", 1, {"n": 1})
        rows = [{"row_key": "many", "column_key": "BASE", "ref_key": n, "body": json.dumps({"n": n})} for n in (1, 2, 3)]
        self.cell.insert_many(rows).execute()

    def select(self):
        refs = self.cell.select(self.cell.ref_key).where(self.cell.row_key == "many").order_by(self.cell.ref_key.desc()).limit(2)
        equal([cell.ref_key for cell in refs], [3, 2])
        same([self.cell.get(row_key="one", column_key="BASE", ref_key=1).body], [{"n": 1}])
        equal(self.cell.get_or_none(row_key="none"), None)

    def raw(self):
        equal(self.database.execute_sql(f"SELECT COUNT(*) FROM {TABLE} WHERE row_key = %s", ("many",)).fetchall(), ((3,),))

    def duplicate(self):
        try:
            self.put("one", 1, {"n": 2})
        except self.lib.IntegrityError as error:
            equal(error.args[0], 1062)
        else:
            raise AssertionError("not refused")

    def count(self, key):
        return self.cell.select().where(self.cell.row_key == key).count()

    def transaction(self):
        def fails():
            with self.database.atomic():
                self.put("failed", 1, {})
                raise RuntimeError("on purpose")

        with self.database.atomic():
            self.put("done", 1, {})
            self.put("done", 2, {})
        absent(fails)
        equal((self.count("done"), self.count("failed")), (2, 0))

    def savepoint(self):
        with self.database.atomic():
            self.put("outer", 1, {})
            with contextlib.suppress(RuntimeError), self.database.atomic():
                self.put("outer", 2, {})
                raise RuntimeError("on purpose")
        equal(self.count("outer"), 1)

    def update(self):
        equal(self.cell.update(body='{"n":9}').where(self.cell.row_key == "one").execute(), 1)

    def drop(self):
        self.database.drop_tables([self.cell])
        equal(self.database.table_exists(TABLE), False)
        self.database.close()


MAPPERS = {"sqlalchemy": SQLAlchemy, "django": Django, "peewee": Peewee}
STEPS = "connect create reflect insert select raw duplicate transaction savepoint update drop".split()

mapper = MAPPERS[sys.argv[1]]()
sys.exit(run(mapper.version, [(name, getattr(mapper, name)) for name in STEPS]))
