"""What every Python program here shares: where the server is, how steps are run and reported."""

import os

HOST = os.environ["MYSQL_HOST"]
PORT = int(os.environ["MYSQL_PORT"])
USER = os.environ["MYSQL_USER"]
DATABASE = os.environ["MYSQL_DATABASE"]
TABLE = os.environ["MYSQL_TABLE"]
# A user with a password.
APP_USER = os.environ["MYSQL_APP_USER"]
APP_PASSWORD = os.environ["MYSQL_APP_PASSWORD"]

CREATE = f"""CREATE TABLE {TABLE} (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))"""


class Skip(Exception):
    """The client has no way to do this step."""


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r:.500} instead of {expected!r:.500}")


def number(error):
    """MySQL's number of an error, wherever the library put it."""
    for candidate in (error, getattr(error, "orig", None), error.__cause__):
        if candidate is not None and candidate.args and isinstance(candidate.args[0], int):
            return candidate.args[0]
    return None


def refused(codes, call, *arguments):
    """Calls, and expects one of these errors."""
    codes = codes if isinstance(codes, tuple) else (codes,)
    try:
        call(*arguments)
    except Skip:
        raise
    except Exception as error:
        if number(error) not in codes:
            raise AssertionError(f"{type(error).__name__} {error} instead of error {codes}") from error
        return error
    raise AssertionError(f"not refused, instead of error {codes}")


def run(version, steps, fatal="connect"):
    """Runs steps, pairs of a name and a function; without the fatal one there is nothing to go on with. Answers the exit code."""
    print("version", version, flush=True)
    passed = failed = 0
    for name, step in steps:
        try:
            step()
            print("ok", name, flush=True)
            passed += 1
        except Skip as why:
            print(f"skip {name}: {why}", flush=True)
        except Exception as error:
            print(f"FAIL {name}: {type(error).__name__} {' '.join(str(error).split())}", flush=True)
            failed += 1
            if name == fatal:
                break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
