"""The steps of tools that people and monitors use, each with steps of its own: `tools.py TOOL`."""

import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from steps import APP_PASSWORD, APP_USER, CREATE, DATABASE, HOST, PORT, TABLE, USER, equal, run

OTHER_PORT = int(os.environ["MYSQL_OTHER_PORT"])
OTHER_DATABASE = os.environ["MYSQL_OTHER_DATABASE"]
INSERT = f"INSERT INTO {TABLE} (row_key, column_key, ref_key, body) VALUES"
# How long a prompt may take to answer, in seconds.
PATIENCE = 20


def options(user=USER, port=PORT):
    return ["--no-defaults", "--protocol=tcp", f"--host={HOST}", f"--port={port}", f"--user={user}",
            "--default-character-set=utf8mb4"]


def call(*command, stdin=None, check=True, env=None):
    """Runs a program; answers what it wrote to both of its outputs."""
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False, env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def sql(statements, database=DATABASE, port=PORT, check=True):
    return call("mariadb", *options(port=port), "--batch", "--raw", "--skip-column-names", database, "--execute", statements,
                check=check)


def contains(text, *expected):
    for part in expected:
        if part not in text:
            raise AssertionError(f"no {part!r} in {text[-1500:]!r}")


def fill():
    """A table with some cells in it, made again."""
    sql(f"DROP TABLE IF EXISTS {TABLE}; {CREATE}")
    rows = ", ".join(f"('trip-{row}', '{column}', {ref}, '{json.dumps({'n': ref})}')"
                     for row in range(5) for column in ("BASE", "STATUS") for ref in (1, 2, 3))
    sql(f"{INSERT} {rows}, ('Zürich-🚕', 'BASE', 1, '{{\"note\":\"日本 ''x'' \\\\\\\\n\"}}')")


def clean():
    sql(f"DROP TABLE {TABLE}")


def first_line(*command):
    return call(*command).splitlines()[0]


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, prompt):
        self.prompt = re.compile(prompt)
        self.text = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PAGER="cat", COLUMNS="200", LINES="100")
            os.execvp(command[0], command)

    def read(self, until):
        """What appears up to a pattern."""
        end = time.monotonic() + PATIENCE
        while not (found := until.search(self.text)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {until.pattern!r} in {self.text[-1500:]!r}")
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"it ended after {self.text[-1500:]!r}")
            self.text += data.decode(errors="replace")
        text, self.text = self.text[:found.end()], self.text[found.end():]
        return text

    def say(self, line):
        os.write(self.terminal, line.encode() + b"\r")
        return self.read(self.prompt)

    def close(self):
        try:
            os.kill(self.pid, signal.SIGHUP)
        except ProcessLookupError:
            pass
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def command_line():
    """The mariadb prompt in batch mode."""
    latest = f"SELECT ref_key FROM {TABLE} WHERE row_key = 'trip-1' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1"

    def put_and_get():
        fill()
        equal(sql(latest), "3\n")
        contains(sql(f"SELECT row_key, body FROM {TABLE} WHERE row_key = 'Zürich-🚕'"), "Zürich-🚕\t", "日本 'x'")

    def table_output():
        text = call("mariadb", *options(), "--table", DATABASE, "--execute", latest)
        contains(text, "| ref_key |", "|       3 |")

    def vertical():
        contains(sql(f"{latest}\\G"), "1. row", "3")

    def errors():
        contains(sql(f"{INSERT} ('trip-1', 'BASE', 1, '[]')", check=False), "ERROR 1062 (23000)")
        contains(sql("SELECT 1 FROM no_such_table", check=False), "ERROR 1146 (42S02)")

    def force():
        text = call("mariadb", *options(), "--force", "--batch", "--skip-column-names", DATABASE,
                    stdin="SELEC 1;\nSELECT 'still there';\n", check=False)
        contains(text, "ERROR 1064", "still there")

    def transaction():
        equal(sql(f"BEGIN; {INSERT} ('tx', 'BASE', 1, '{{}}'); ROLLBACK; SELECT COUNT(*) FROM {TABLE} WHERE row_key = 'tx'"),
              "0\n")

    def warnings():
        text = call("mariadb", *options(), "--show-warnings", "-vv", DATABASE, "--execute",
                    f"INSERT IGNORE INTO {TABLE} (row_key, column_key, ref_key, body) VALUES ('trip-1', 'BASE', 1, '[]')")
        contains(text, "Warning (Code 1062)")

    def tls():
        text = call("mariadb", *options(APP_USER), f"--password={APP_PASSWORD}", "--ssl", "--batch", DATABASE, "--execute", "status")
        contains(text, "Cipher in use is")

    def safe_updates():
        contains(call("mariadb", *options(), "--safe-updates", DATABASE, "--execute", "SELECT @@sql_select_limit"), "1000")

    return first_line("mariadb", "--version"), [
        ("put-and-get", put_and_get), ("table-output", table_output), ("vertical", vertical), ("errors", errors),
        ("force", force), ("transaction", transaction), ("warnings", warnings), ("tls", tls),
        ("safe-updates", safe_updates), ("drop", clean),
    ]


def interactive():
    """The mariadb prompt on a terminal, where it completes names."""
    terminal = []

    def start():
        fill()
        terminal.append(Terminal(["mariadb", *options(), DATABASE], r"(MariaDB|MySQL) \[[^\]]*\]> $"))
        contains(terminal[0].read(terminal[0].prompt), "Welcome to")

    def statement():
        contains(terminal[0].say(f"SELECT MAX(ref_key) FROM {TABLE} WHERE row_key = 'trip-1';"), "1 row in set", "3 |")

    def insert():
        contains(terminal[0].say(f"{INSERT} ('new', 'BASE', 1, '{{}}');"), "Query OK, 1 row affected")

    def status():
        contains(terminal[0].say("status"), "Connection id", f"Current database:\t{DATABASE}", "Uptime", "utf8mb4")

    def rehash():
        if "ERROR" in (text := terminal[0].say("rehash")):
            raise AssertionError(text)
        # Names of columns come by COM_FIELD_LIST.
        os.write(terminal[0].terminal, f"SELECT {TABLE}.column_k\t".encode())
        terminal[0].read(re.compile(re.escape(f"{TABLE}.column_key")))
        # The line is taken back, which draws the prompt anew: only the one behind the answer counts.
        os.write(terminal[0].terminal, b"\x15SELECT 1;\r")
        terminal[0].read(re.compile("1 row in set"))
        terminal[0].read(terminal[0].prompt)

    def use():
        contains(terminal[0].say("use information_schema"), "Database changed")
        contains(terminal[0].say("SELECT DATABASE();"), "information_schema")
        contains(terminal[0].say(f"use {DATABASE}"), "Database changed")
        contains(terminal[0].say("use no_such_database"), "ERROR 1049")

    def show():
        contains(terminal[0].say("SHOW TABLES;"), TABLE)
        contains(terminal[0].say("SHOW DATABASES;"), DATABASE, "information_schema")
        contains(terminal[0].say(f"DESCRIBE {TABLE};"), "column_key", "varchar(64)")

    def error():
        contains(terminal[0].say("SELEC 1;"), "ERROR 1064 (42000)")

    def kill():
        # An error or OK, by server; then the prompt notices, and connects again by itself.
        terminal[0].say("KILL CONNECTION_ID();")
        terminal[0].say("SELECT 1;")
        contains(terminal[0].say("SELECT 1;"), "1 row in set")

    def leave():
        os.write(terminal[0].terminal, b"exit\r")
        terminal[0].read(re.compile("Bye"))
        terminal[0].close()
        clean()

    return first_line("mariadb", "--version"), [
        ("start", start), ("statement", statement), ("insert", insert), ("status", status), ("rehash", rehash), ("use", use),
        ("show", show), ("error", error), ("kill", kill), ("exit", leave),
    ]


def admin():
    def ask(*words):
        return call("mariadb-admin", *options(), *words)

    def change_password():
        user = f"{TABLE}_admin"
        sql(f"DROP USER IF EXISTS {user}; CREATE USER {user} IDENTIFIED BY 'before'; GRANT ALL ON *.* TO {user}")
        call("mariadb-admin", *options(user), "--password=before", "password", "after")
        contains(call("mariadb-admin", *options(user), "--password=after", "ping"), "is alive")
        contains(call("mariadb-admin", *options(user), "--password=before", "status", check=False), "Access denied")
        sql(f"DROP USER {user}")

    def kill_another():
        other = subprocess.Popen(["mariadb", *options(), "--execute", "SELECT SLEEP(60)"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + PATIENCE
            found = ""
            while not found:
                found = sql("SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(60)' LIMIT 1").strip()
                if time.monotonic() > until:
                    raise AssertionError("it is not in the process list")
            ask("kill", found)
            other.wait(PATIENCE)
        finally:
            other.kill()

    return first_line("mariadb-admin", "--version"), [
        ("ping", lambda: contains(ask("ping"), "is alive")),
        ("status", lambda: contains(ask("status"), "Uptime:", "Threads:", "Questions:")),
        ("version", lambda: contains(ask("version"), "Server version", "Protocol version")),
        ("processlist", lambda: contains(ask("processlist"), "Id", USER)),
        ("variables", lambda: contains(ask("variables"), "max_allowed_packet", "version_comment")),
        ("extended-status", lambda: contains(ask("extended-status"), "Uptime", "Threads_connected")),
        ("create-and-drop", lambda: (ask("create", f"{TABLE}_db"), contains(ask("--force", "drop", f"{TABLE}_db"), "dropped"))),
        ("flush", lambda: [ask(word) for word in (
            "refresh", "reload", "flush-privileges", "flush-tables", "flush-threads", "flush-hosts", "flush-logs",
            "flush-error-log", "flush-general-log", "flush-slow-log", "flush-engine-log", "flush-user-resources")]),
        ("password", change_password),
        ("kill", kill_another),
        ("wrong-password", lambda: contains(
            call("mariadb-admin", *options(APP_USER), "--password=wrong", "status", check=False), "Access denied")),
    ]


def dump():
    state = {}
    cells = f"SELECT row_key, column_key, ref_key, body FROM {TABLE}"

    def ordered(text):
        return sorted(text.splitlines())

    def write(name, *more):
        def step():
            state[name] = call("mariadb-dump", *options(), *more, DATABASE, TABLE)
            contains(state[name], f"CREATE TABLE `{TABLE}`", f"INSERT INTO `{TABLE}` VALUES", "Dump completed")
        return step

    def restore(name):
        def step():
            other = options(port=OTHER_PORT)
            sql(f"DROP TABLE IF EXISTS {TABLE}", OTHER_DATABASE, OTHER_PORT)
            call("mariadb", *other, OTHER_DATABASE, stdin=state[name])
            found = ordered(sql(cells, OTHER_DATABASE, OTHER_PORT))
            equal(len(found), 31)
            equal(found, ordered(sql(cells)))
            # And it is a table that goes on.
            sql(f"{INSERT} ('after', 'BASE', 1, '{{}}')", OTHER_DATABASE, OTHER_PORT)
            sql(f"DROP TABLE {TABLE}", OTHER_DATABASE, OTHER_PORT)
        return step

    return first_line("mariadb-dump", "--version"), [
        ("fill", fill),
        ("dump", write("plain")),
        ("restore", restore("plain")),
        ("single-transaction", write("single", "--single-transaction")),
        ("restore-single-transaction", restore("single")),
        ("no-data", lambda: contains(call("mariadb-dump", *options(), "--no-data", DATABASE, TABLE), f"CREATE TABLE `{TABLE}`")),
        ("drop", clean),
    ]


def check():
    return first_line("mariadb-check", "--version"), [
        ("fill", fill),
        ("check", lambda: contains(call("mariadb-check", *options(), DATABASE, TABLE), "OK")),
        ("drop", clean),
    ]


def mycli():
    program = str(Path(sys.executable).parent / "mycli")
    common = [program, "--host", HOST, "--port", str(PORT), "--user", USER, "--password="]
    terminal = []

    def execute():
        fill()
        text = call(*common, "--execute", f"SELECT MAX(ref_key) AS newest FROM {TABLE} WHERE row_key = 'trip-1'", DATABASE)
        contains(text, "newest", "3")

    def formats():
        contains(call(*common, "--csv", "--execute", f"SELECT row_key FROM {TABLE} WHERE row_key = 'trip-1' LIMIT 1", DATABASE),
                 "trip-1")

    def error():
        contains(call(*common, "--execute", "SELECT 1 FROM no_such_table", DATABASE, check=False), "1146")

    def start():
        terminal.append(Terminal([*common, "--prompt", "ready> ", DATABASE], "ready> "))
        terminal[0].read(terminal[0].prompt)
        terminal[0].say("nopager")

    def statement():
        contains(terminal[0].say(f"SELECT MAX(ref_key) AS newest FROM {TABLE} WHERE row_key = 'trip-1';"), "newest")

    def leave():
        terminal[0].close()
        clean()

    version = call(program, "--version").strip()
    return version, [
        ("execute", execute), ("csv", formats), ("error", error), ("start", start), ("statement", statement), ("exit", leave),
    ]


def exporter():
    program = "prometheus-mysqld-exporter"
    state = {}

    def scrape():
        with urllib.request.urlopen(f"http://127.0.0.1:{state['port']}/metrics", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def start():
        end = time.monotonic() + PATIENCE
        while not begin(end):
            pass

    def begin(end):
        """Starts it and reads its metrics; false if somebody was given its port meanwhile."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            state["port"] = free.getsockname()[1]
        Path("exporter.cnf").write_text(f"[client]\nuser={APP_USER}\npassword={APP_PASSWORD}\nhost={HOST}\nport={PORT}\n")
        log = open("exporter.log", "w")
        state["process"] = subprocess.Popen(
            [program, "--config.my-cnf=exporter.cnf", f"--web.listen-address=127.0.0.1:{state['port']}"], stdout=log, stderr=log)
        while True:
            ended = state["process"].poll() is not None
            if ended or time.monotonic() > end:
                written = Path("exporter.log").read_text()
                if ended and "address already in use" in written and time.monotonic() < end:
                    return False
                raise AssertionError(written)
            try:
                state["metrics"] = scrape()
                return True
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)

    def is_up():
        contains(state["metrics"], "\nmysql_up 1\n")

    def exports(*names):
        return lambda: contains(state["metrics"], *(f"\n{name}" for name in names))

    def no_errors():
        errors = [line for line in state["metrics"].splitlines()
                  if re.match(r'mysql_exporter_collector_success\{collector="collect.(global|info_schema.innodb)', line) and
                  line.endswith(" 0")]
        equal(errors, [])

    def stop():
        state["process"].terminate()
        state["process"].wait(PATIENCE)

    version = next(line for line in call(program, "--version").splitlines() if "version" in line).split(" (")[0]
    return version, [
        ("start", start), ("up", is_up), ("status", exports("mysql_global_status_uptime", "mysql_global_status_threads_connected")),
        ("variables", exports("mysql_global_variables_max_connections", "mysql_version_info")),
        ("collectors", no_errors), ("stop", stop),
    ]


TOOLS = {"command-line": command_line, "interactive": interactive, "admin": admin, "dump": dump, "check": check, "mycli": mycli,
         "exporter": exporter}

version, steps = TOOLS[sys.argv[1]]()
sys.exit(run(version, steps, fatal="start"))
