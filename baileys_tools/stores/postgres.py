"""Sessions in tables of Postgres, through psycopg 3. Nothing here makes a bot's query wait for more than a batch."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from baileys_tools.stores.cells import (
    LARGEST_SESSION,
    LARGEST_VALUE,
    Abilities,
    StoreLocked,
    StoreTrouble,
    no_driver,
)
from baileys_tools.stores.dialect import committed, quoted_name
from baileys_tools.stores.postgres_said import said
from baileys_tools.stores.postgres_stamps import stamps
from baileys_tools.stores.rules.mapping import SqlMap, after_prefix
from baileys_tools.stores.rules.rows import Cell, Change, Unit
from baileys_tools.stores.rules.times import ns_of_number, number_of
from baileys_tools.stores.sql import SqlTables

CONNECT_SECONDS = 10
STATEMENT = "30s"
"""The longest statement, which reads a large session over a slow line."""
LOCK = "500ms"
"""The longest wait for a row that the bot is writing; then the batch stays as it is. Of two that wait for each other,
Postgres fails the first to notice, after a second (`deadlock_timeout`): by then we have given up, so never the bot."""
_PATIENCE = f"SET LOCAL statement_timeout = '{STATEMENT}'; SET LOCAL lock_timeout = '{LOCK}'"
_NOT_LASTING = "; SET LOCAL synchronous_commit = off"
ANSWER_SECONDS = 40.0
"""The longest wait for an answer. The server's own limits come first; this one is for a server that says nothing."""

_UNANSWERED = 1_000
"""Statements that are on their way at a time: their answers are in memory until they are looked at."""

_GUESS = "This probably means the server terminated abnormally before or while processing the request."
"""What libpq adds to a lost connection, in a line of its own."""

_CODE_POINTS = ("C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic", "pg_c_utf8")
_ORDER = """
SELECT CASE WHEN c.collname <> 'default' THEN c.collname
            WHEN COALESCE(to_jsonb(d) ->> 'datlocprovider', 'c') IN ('b', 'c') THEN d.datcollate END
FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation, pg_database d
WHERE a.attrelid = CAST(%s AS regclass) AND a.attname = %s AND d.datname = current_database()
  AND c.collnamespace = CAST('pg_catalog' AS regnamespace)
"""
"""How the texts of a column are ordered: its own collation, else that of the database."""
_KIND = """
SELECT CAST(t.typcategory AS TEXT), CAST(t.typname AS TEXT) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = CAST(%s AS regclass) AND a.attname = %s
"""
"""What kind of type a column is of: D for dates and times, N for numbers."""


class PostgresConnection:
    """One connection, as `Dialect` says. Settings are made in each transaction, so a pooler will do."""

    by_code_point = '"C"'

    def __init__(self, url: str, shown: str, password: str | None) -> None:
        self.shown = shown
        self._by_code_point: dict[tuple[str, str], bool] = {}
        self._kinds: dict[tuple[str, str], Sequence[str]] = {}
        self._driver = _psycopg()
        self._secret = (url, password)
        self._silent = ""
        self._db = self._connected()

    def _connected(self) -> Any:
        url, password = self._secret
        try:
            return _patient(self._driver).connect(
                url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_SECONDS,
                application_name="baileys-tools",
                **({"password": password} if password is not None else {}),
            )
        except self._driver.Error as error:
            raise StoreTrouble(f"cannot connect: {_words(error)}") from None

    def run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """As `Dialect.run`. A server that was silent for too long is not asked again: each company would wait."""
        with self._asked():
            return self._db.execute(sql, values or None)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        if self._silent:
            raise StoreTrouble(self._silent)
        try:
            yield
        except TimeoutError:
            self._silent = f"the server has not answered for {ANSWER_SECONDS:.0f} seconds"
            self._db.close()
            raise StoreTrouble(self._silent) from None
        except self._driver.Error as error:
            raise StoreTrouble(_words(error)) from None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """As `Dialect.rows`."""
        yield from self.run(sql, values)

    @contextmanager
    def transaction(self, *, writes: bool, lasts: bool = True) -> Iterator[None]:
        """As `Dialect.transaction`. A connection that was lost before it, as by a restart, is made again."""
        if self._db.closed and not self._silent:
            self._db = self._connected()
        begin = "BEGIN" if writes else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with committed(self, f"{begin}; {_PATIENCE}{'' if lasts else _NOT_LASTING}"):
            yield

    def each_changed_one(self, sql: str, rows: Sequence[Sequence[Any]]) -> bool:
        """As `Dialect.each_changed_one`: many are on their way before the first answer is waited for. One statement
        with a condition for each of a hundred rows costs the server eight times as much, most of it for its plan."""
        with self._asked(), self._db.cursor() as cursor:
            for start in range(0, len(rows), _UNANSWERED):
                cursor.executemany(sql, rows[start : start + _UNANSWERED], returning=True)
                while cursor.rowcount == 1 and cursor.nextset():
                    pass
                if cursor.rowcount != 1:
                    return False
        return True

    def text_of(self, column: str, *, is_json: bool) -> str:
        """As `Dialect.text_of`."""
        return f"CAST({column} AS TEXT)"

    def summed(self, sql: str, names: str) -> str:
        """As `Dialect.summed`. The driver has all rows of an answer in memory before the first can be looked at."""
        size = (
            f"CASE WHEN octet_length(v) > {LARGEST_VALUE} THEN {LARGEST_SESSION + 1} ELSE octet_length(v) END"
        )
        # OFFSET has the value made once, for its length and for itself.
        summed = f"SELECT *, sum({size}) OVER (ROWS UNBOUNDED PRECEDING) AS size FROM ({sql} OFFSET 0) r"
        return f"SELECT {names}CASE WHEN size <= {LARGEST_SESSION} THEN v END, ns, size FROM ({summed}) s"

    def ns_of(self, table: str, column: str) -> str:
        """As `Dialect.ns_of`: a time without a zone is UTC."""
        name = quoted_name(column)
        if self._is_number(table, column):
            return f"CAST({ns_of_number(f'CAST({name} AS NUMERIC)')} AS BIGINT)"
        return f"CAST(EXTRACT(EPOCH FROM {name}) * 1000000 AS BIGINT) * 1000"

    def time_value(self, table: str, column: str, written_ns: int) -> Any:
        """As `Dialect.time_value`."""
        if self._is_number(table, column):
            name = quoted_name(column)
            one = f"SELECT {name} FROM {quoted_name(table)} WHERE {name} IS NOT NULL LIMIT 1"
            return number_of(written_ns, next(self.rows(one), (None,))[0])
        from datetime import UTC, datetime

        found = datetime.fromtimestamp(written_ns / 1e9, UTC)
        # With a zone, a column without one would get the time of the server's zone, and is read as UTC.
        return found.replace(tzinfo=None) if self._kind(table, column)[1] == "timestamp" else found

    def _kind(self, table: str, column: str) -> Sequence[str]:
        if (table, column) not in self._kinds:
            self._kinds[table, column] = next(self.rows(_KIND, (quoted_name(table), column)), ("D", ""))
        return self._kinds[table, column]

    def _is_number(self, table: str, column: str) -> bool:
        kind, name = self._kind(table, column)
        if kind not in ("D", "N"):
            raise StoreTrouble(
                f"column {column} of table {table} is {name}, and times are read of timestamps and numbers: without "
                "`time` of the root ages are observed"
            )
        return kind == "N"

    def json_value(self) -> str:
        """As `Dialect.json_value`."""
        return "CAST(%s AS JSONB)"

    def near(self, table: str, key: str, prefix: str) -> tuple[str, tuple[Any, ...]]:
        """As `Dialect.near`: a range where the column is ordered by code points. Elsewhere a range would miss some (to
        other orders ':' and ';' are the same at first), and LIKE asks an index of text_pattern_ops, if there is one."""
        column = quoted_name(key)
        if not self.is_by_code_point(table, key):
            escaped = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            return f"{column} LIKE %s", (f"{escaped}%",)
        if end := after_prefix(prefix):
            return f"{column} >= %s AND {column} < %s", (prefix, end)
        return f"{column} >= %s", (prefix,)

    def is_by_code_point(self, table: str, key: str) -> bool:
        """Whether a column of texts is ordered by code points."""
        if (table, key) not in self._by_code_point:
            found = next(self.rows(_ORDER, (quoted_name(table), key)), None)
            self._by_code_point[table, key] = found is not None and found[0] in _CODE_POINTS
        return self._by_code_point[table, key]

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class PostgresStore:
    """As `Store` says."""

    def __init__(self, url: str, address: str, password: str | None, mapped: SqlMap) -> None:
        self.address = address
        self.abilities = Abilities(
            "exact" if mapped.time else "observed",
            True,
            "a transaction's advisory lock",
            "creds unchanged in two looks",
        )
        self._holders: dict[str, PostgresConnection] = {}
        self._secret = (url, address, password)
        self._db = PostgresConnection(*self._secret)
        self._tables = SqlTables(mapped, self._db)
        self._tables.try_out()

    def tenants(self, known: dict[str, str] | None = None) -> list[str]:
        """As `Store.tenants`."""
        return self._tables.tenants()

    def without_creds(self) -> int:
        """As `Store.without_creds`."""
        return self._tables.without_creds()

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        """As `Store.cells`."""
        return self._tables.cells(tenant)

    def stamps(self, tenants: Collection[str]) -> dict[str, str]:
        """As `Store.stamps`."""
        return stamps(self._tables, self._db, tenants)

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`."""
        return self._tables.change(tenant, units, whole=whole)

    @contextmanager
    def locked(self, tenant: str) -> Iterator[None]:
        """As `Store.locked`: by a transaction on a connection of its own; a pooler breaks the lock of a session."""
        holder = PostgresConnection(*self._secret)
        try:
            holder.run("BEGIN")
            name = f"baileys-tools {self._tables.mapped.table} {tenant}"
            sql = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
            (held,) = next(holder.rows(sql, (name,)))
            if not held:
                raise StoreLocked("another run, on this host or another")
            self._holders[tenant] = holder
            yield
            # Lost with its connection: then somebody else may have worked here meanwhile.
            holder.run("ROLLBACK")
        finally:
            self._holders.pop(tenant, None)
            holder.close()

    def claimed(self, tenant: str) -> AbstractContextManager[None]:
        """As `Store.claimed`."""
        return nullcontext()

    def require_held(self, tenant: str) -> None:
        """As `Store.require_held`."""
        if (holder := self._holders.get(tenant)) is not None:
            holder.run("SELECT 1")

    def owner(self, tenant: str) -> str:
        """As `Store.owner`."""
        return ""

    def said(self) -> list[str]:
        """As `Store.said`."""
        mapped = self._tables.mapped
        is_by_code_point = not mapped.prefix or self._db.is_by_code_point(mapped.table, mapped.key)
        return said(mapped, self._db, is_by_code_point=is_by_code_point)

    def dangers(self) -> list[str]:
        """As `Store.dangers`."""
        return []

    def expiries(self, tenant: str, changes: Sequence[Change]) -> list[int | None]:
        """As `Store.expiries`."""
        return self._tables.expiries(tenant, changes)

    def expiring(self, tenant: str) -> int:
        """As `Store.expiring`."""
        return self._tables.expiring(tenant)

    def close(self) -> None:
        """As `Store.close`."""
        self._db.close()


def _patient(driver: Any) -> Any:
    """Return psycopg's class of connections with an end to its patience: raises TimeoutError."""

    class PatientConnection(driver.Connection):  # type: ignore[misc]
        def wait(self, gen: Any, *words: Any, **named: Any) -> Any:
            return super().wait(_ending(gen, time.monotonic() + ANSWER_SECONDS), *words, **named)

    return PatientConnection


def _ending(asks: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    """Pass on what a question of psycopg's waits for, up to a time. psycopg looks in ten times a second."""
    ready = None
    while True:
        try:
            waits_for = asks.send(ready)
        except StopIteration as ended:
            return ended.value
        ready = yield waits_for
        if time.monotonic() > deadline:
            raise TimeoutError


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise no_driver("Postgres", "psycopg", "postgres") from None
    import logging

    # Where one of many statements fails, it logs that it passes the rest over; without a handler that is on stderr.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    return psycopg


def _words(error: Exception) -> str:
    """Return what the server or the driver says, in one line and without the values of a row."""
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error)
    return " ".join(str(text).split()).replace(f" {_GUESS}", "")[:300]
