"""Sessions in files of SQLite: one file for all sessions, or one for each where a star stands in the path."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from baileys_tools.stores.cells import Abilities, StoreLocked, StoreTrouble
from baileys_tools.stores.rules.mapping import SqlMap
from baileys_tools.stores.rules.rows import Cell, Unit
from baileys_tools.stores.sql import SqlTables, after_prefix, quoted_name
from baileys_tools.units import quoted

BUSY_SECONDS = 5.0
"""How long a write waits for the bot's. A bot writes for milliseconds."""


class SqliteFile:
    """One open file, as `Dialect` says."""

    def __init__(self, path: str) -> None:
        self.path = path
        if not os.path.isfile(path):
            raise StoreTrouble(f"{path}: no such file, and a database is never made here")
        from urllib.parse import quote

        try:
            self._db = sqlite3.connect(
                f"file:{quote(path)}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
        except sqlite3.Error as error:
            raise StoreTrouble(f"{path}: {error}") from None

    def run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """As `Dialect.run`."""
        try:
            return self._db.execute(sql.replace("%s", "?"), values)
        except sqlite3.Error as error:
            raise StoreTrouble(_why(self.path, error)) from None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """As `Dialect.rows`."""
        cursor = self.run(sql, values)
        try:
            while rows := cursor.fetchmany(200):
                yield from rows
        except sqlite3.Error as error:
            raise StoreTrouble(_why(self.path, error)) from None

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[None]:
        """As `Dialect.transaction`. A writing one is IMMEDIATE: it never waits in the middle."""
        self.run("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(StoreTrouble):
                self.run("ROLLBACK")
            raise

    def text_of(self, column: str, *, is_json: bool) -> str:
        """As `Dialect.text_of`."""
        return column if not is_json else f"CAST({column} AS TEXT)"

    def ns_of(self, column: str) -> str:
        """As `Dialect.ns_of`: of a text as CURRENT_TIMESTAMP makes it, or of seconds or milliseconds."""
        number = f"CAST({column} AS REAL)"
        scale = f"CASE WHEN {number} > 100000000000 THEN 1000000 ELSE 1000000000 END"
        text = f"CAST((julianday({column}) - 2440587.5) * 86400000 AS INTEGER) * 1000000"
        return f"CASE WHEN typeof({column}) = 'text' THEN {text} ELSE CAST({number} * {scale} AS INTEGER) END"

    def time_value(self, written_ns: int) -> str:
        """As `Dialect.time_value`."""
        from datetime import UTC, datetime

        return datetime.fromtimestamp(written_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")

    def json_value(self) -> str:
        """As `Dialect.json_value`."""
        return "%s"

    def near(self, table: str, key: str, prefix: str) -> tuple[str, tuple[Any, ...]]:
        """As `Dialect.near`: texts are compared byte by byte, which is the order of code points."""
        column = f"{quoted_name(key)} COLLATE BINARY"
        if end := after_prefix(prefix):
            return f"{column} >= %s AND {column} < %s", (prefix, end)
        return f"{column} >= %s", (prefix,)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _is_open(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & 0o077)
    except OSError:
        return False  # that it is gone is said by whoever reads it


def _why(path: str, error: sqlite3.Error) -> str:
    busy = ": the bot holds it for longer than that" if "locked" in str(error) else ""
    waited = f" for {BUSY_SECONDS:.0f} seconds" if busy else ""
    return f"{path}: {error}{waited}{busy}"


class SqliteStore:
    """As `Store` says. With a star in its path each file is a session, called after what the star stands for."""

    def __init__(self, address: str, mapped: SqlMap) -> None:
        self.address = address
        self.abilities = Abilities(
            "exact" if mapped.time else "observed", True, "BEGIN IMMEDIATE", "creds unchanged in two looks"
        )
        self._mapped = mapped
        self._path = address.partition("://")[2]
        self._many = "*" in self._path
        self._open: dict[str, SqlTables] = {}
        if not self._many:
            self._tables("").try_out()

    def _files(self) -> dict[str, str]:
        """Return the files by the name of their session."""
        if not self._many:
            return {"": self._path}
        pattern = re.compile(re.escape(self._path).replace(r"\*", "([^/]*)"))
        found = {}
        for path in sorted(glob.glob(self._path)):
            if match := pattern.fullmatch(path):
                found["-".join(filter(None, match.groups())) or "session"] = path
        return found

    def _tables(self, tenant: str) -> SqlTables:
        name = tenant if self._many else ""
        if name not in self._open:
            path = self._files().get(name)
            if path is None:
                raise StoreTrouble(f"{self.address}: no file of {quoted(tenant)}")
            self._open[name] = SqlTables(self._mapped, SqliteFile(path))
        return self._open[name]

    def tenants(self) -> list[str]:
        """As `Store.tenants`."""
        if self._many:
            return [name for name in self._files() if self._tables(name).tenants()]
        return self._tables("").tenants()

    def without_creds(self) -> int:
        """As `Store.without_creds`."""
        return 0 if self._many else self._tables("").without_creds()

    def cells(self, tenant: str) -> Iterator[Cell]:
        """As `Store.cells`."""
        return self._tables(tenant).cells("" if self._many else tenant)

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`."""
        return self._tables(tenant).change("" if self._many else tenant, units, whole=whole)

    @contextmanager
    def locked(self, tenant: str) -> Iterator[None]:
        """As `Store.locked`: the kernel's lock of a file beside the database, which SQLite and bots leave alone."""
        path = self._files().get(tenant if self._many else "", self._path)
        import hashlib

        name = hashlib.sha256(tenant.encode()).hexdigest()[:12]
        beside = f"{path}.baileys-tools-{name}.lock"
        try:
            fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreTrouble(f"{beside}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreLocked(f"another run, which holds {beside}") from None
            yield
            with suppress(OSError):
                os.unlink(beside)
        finally:
            os.close(fd)

    def claimed(self, tenant: str) -> AbstractContextManager[None]:
        """As `Store.claimed`."""
        return nullcontext()

    def require_held(self, tenant: str) -> None:
        """As `Store.require_held`: the kernel's lock goes with its process alone."""

    def owner(self, tenant: str) -> str:
        """As `Store.owner`."""
        return ""

    def said(self) -> list[str]:
        """As `Store.said`."""
        return [f"SQLite {sqlite3.sqlite_version}"]

    def dangers(self) -> list[str]:
        """As `Store.dangers`."""
        found = [path for path in self._files().values() if _is_open(path)]
        more = f", as {len(found) - 1} more" if len(found) > 1 else ""
        return [f"{found[0]} can be read by others{more}: it holds the keys of a login"] if found else []

    def expiring(self, tenant: str) -> int:
        """As `Store.expiring`."""
        return self._tables(tenant).expiring("" if self._many else tenant)

    def close(self) -> None:
        """As `Store.close`."""
        for tables in self._open.values():
            tables.db.close()  # type: ignore[attr-defined]
        self._open.clear()
