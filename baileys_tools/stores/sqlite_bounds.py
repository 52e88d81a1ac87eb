"""What a file of SQLite may cost and run: whoever owns it wrote its schema, which is a program.

https://www.sqlite.org/security.html : views, triggers, checks and generated columns run when their table is read or
written. Of functions only those that this tool asks for, and those that cost no more than their values are long.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager

from baileys_tools.stores.cells import LARGEST_VALUE, StoreTrouble
from baileys_tools.units import quoted

CPU_SECONDS = 10.0
"""Of one question. A million rows are read in two."""
_STEPS = 1_000
"""Of SQLite's machine, between two looks at the clock: each may be at one value of that size."""

_FUNCTIONS = frozenset(
    (
        *(
            "abs",
            "avg",
            "changes",
            "coalesce",
            "count",
            "ifnull",
            "iif",
            "last_insert_rowid",
            "length",
            "lower",
        ),
        *("max", "min", "nullif", "round", "substr", "substring", "sum", "total", "typeof", "upper"),
        *(
            "current_date",
            "current_time",
            "current_timestamp",
            "date",
            "datetime",
            "julianday",
            "strftime",
            "time",
        ),
        *("unixepoch", "hex", "json", "json_extract", "json_valid"),
    )
)
_DENIED = frozenset((sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_RECURSIVE))


def bound(db: sqlite3.Connection) -> None:
    """Have a connection refuse what costs more than its share."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    db.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    db.set_authorizer(_allowed)


def _allowed(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action in _DENIED or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


@contextmanager
def bounded(db: sqlite3.Connection, spent: float = 0.0) -> Iterator[None]:
    """Break off what SQLite does inside once it has cost `CPU_SECONDS`, of which `spent` went before."""
    end = time.thread_time() + CPU_SECONDS - spent
    db.set_progress_handler(lambda: time.thread_time() > end, _STEPS)
    try:
        yield
    finally:
        db.set_progress_handler(None, 0)


_FOUND_WELL: set[bytes] = set()
"""Digests of schemas that were made anew and are as they should be: a bot's files are alike to the letter."""
_MOST_FOUND = 1_000


def require_tables(db: sqlite3.Connection, path: str, names: Collection[str]) -> None:
    """Raise StoreTrouble where one of these names is no table, or where a table of them runs what it should not.

    What stands in a schema already is not asked of an authorizer: so each is made anew in memory, where it is.
    """
    marks = ", ".join("?" * len(names))
    sql = f"SELECT type, name, sql FROM main.sqlite_master WHERE tbl_name IN ({marks}) AND sql IS NOT NULL"
    found = db.execute(f"{sql} AND type <> 'trigger' ORDER BY type DESC LIMIT 1000", [*names]).fetchall()
    texts = hashlib.sha256(repr(found).encode("utf-8", "surrogateescape")).digest()
    if texts in _FOUND_WELL:
        return
    with closing(sqlite3.connect(":memory:")) as scratch:
        scratch.set_authorizer(_allowed)
        for kind, name, text in found:
            if kind == "view" or text.split(None, 2)[1].upper() == "VIRTUAL":
                raise StoreTrouble(f"{path}: {quoted(name)} is a view, and only tables are read")
            try:
                scratch.execute(text)
            except sqlite3.Error as error:
                raise StoreTrouble(f"{path}: {quoted(name)}: {error}") from None
    if len(_FOUND_WELL) < _MOST_FOUND:
        _FOUND_WELL.add(texts)
