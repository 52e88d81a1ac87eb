"""Sessions in files of SQLite: one file for all sessions, or one for each where a star stands in the path."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from baileys_tools.kernel_lock import take_now
from baileys_tools.owner import acting_as, user_name
from baileys_tools.sqlite_pipes import acting_on_database
from baileys_tools.stores import sqlite_files
from baileys_tools.stores.cells import Abilities, StoreLocked, StoreTrouble
from baileys_tools.stores.dialect import committed, quoted_name
from baileys_tools.stores.rules.mapping import SqlMap, after_prefix
from baileys_tools.stores.rules.rows import Cell, Change, Unit
from baileys_tools.stores.rules.times import ns_of_number, number_of
from baileys_tools.stores.sql import SqlTables, columns_of
from baileys_tools.stores.sqlite_bounds import CPU_SECONDS, bound, bounded, require_tables
from baileys_tools.units import quoted

BUSY_SECONDS = 5.0
"""How long a write waits for the bot's. A bot writes for milliseconds."""
_QUIET_SECONDS = 0.005
"""A bot that has not written for so long is taken for quiet."""
_LOOK_SECONDS = 0.0002
_FETCHED = 200
"""Rows at a time."""
_HOLDS = "session"
MOST_OPEN = 8
"""Files that are open at a time, three handles each: there can be more bots than a process may have handles."""


class SqliteFile:
    """One open file, as `Dialect` says.

    All that is done with it is done as the one whose it is: SQLite goes by paths, makes files beside it, and plays back
    a journal that it finds there, which can name any file of the host to be removed.
    """

    by_code_point = "BINARY"

    def __init__(self, path: str, tables: Collection[str]) -> None:
        self.path = path
        self._owner = sqlite_files.keeper(path)
        self._trouble = ""
        self._is_at_work = False
        with self._told(), acting_on_database(path, *self._owner):
            sqlite_files.require_file(path)
            from urllib.parse import quote

            self._db = sqlite3.connect(
                f"file:{quote(path)}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
            try:
                bound(self._db)
                with bounded(self._db):
                    require_tables(self._db, path, tables)
            except BaseException:
                self._db.close()
                raise

    @contextmanager
    def at_work(self, spent: float = 0.0) -> Iterator[None]:
        """Work with the file with the rights of its owner, and for no longer than a question may cost, of which `spent`
        went before. To become them costs more than most questions, so what is asked at once is asked in one such `with`
        around the others. Raises StoreTrouble for what SQLite cannot do."""
        if self._trouble:
            raise StoreTrouble(self._trouble)
        with self._told():
            if self._is_at_work:
                yield
                return
            with acting_on_database(self.path, *self._owner), bounded(self._db, spent):
                self._is_at_work = True
                try:
                    yield
                finally:
                    self._is_at_work = False

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            why = _why(self.path, error, self._owner[0])
            if str(error) == "interrupted":
                # Asked again, it would cost as much again.
                self._trouble = why
            raise StoreTrouble(why) from None
        except PermissionError as error:
            whose = user_name(self._owner[0])
            raise StoreTrouble(
                f"{self.path}: {error.strerror} with the rights of {whose}, whose place it is in"
            ) from None

    def run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """As `Dialect.run`."""
        with self.at_work():
            return self._db.execute(sql.replace("%s", "?"), values)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """As `Dialect.rows`."""
        spent, cursor = 0.0, None
        rows: list[Any] | None = None
        while rows is None or len(rows) == _FETCHED:
            begun = time.thread_time()
            with self.at_work(spent):
                cursor = cursor or self._db.execute(sql.replace("%s", "?"), values)
                rows = cursor.fetchmany(_FETCHED)
            spent += time.thread_time() - begun
            yield from rows

    @contextmanager
    def transaction(self, *, writes: bool, lasts: bool = True) -> Iterator[None]:
        """As `Dialect.transaction`. A writing one is IMMEDIATE: it never waits in the middle."""
        # A bot waits meanwhile, and to become the file's owner and itself again takes as long as a few rows.
        with self.at_work() if writes else nullcontext():
            if writes:
                # Without a log (WAL) a power cut could tear a file whose disk was not waited for.
                ((mode,),) = self.run("PRAGMA journal_mode")
                self.run(f"PRAGMA synchronous = {'FULL' if lasts or mode != 'wal' else 'NORMAL'}")
                if not lasts:
                    self._wait_for_a_write()
            with committed(self, "BEGIN IMMEDIATE" if writes else "BEGIN"):
                yield

    def _wait_for_a_write(self) -> None:
        """Wait until the bot has just written, or is quiet: a write that finds the file held sleeps for a millisecond
        at least, and after one write the next is further away than at any other moment."""
        until, version = time.monotonic() + _QUIET_SECONDS, None
        while time.monotonic() < until:
            ((found,),) = self.run("PRAGMA data_version")
            if version not in (None, found):
                break
            version = found
            time.sleep(_LOOK_SECONDS)

    def each_changed_one(self, sql: str, rows: Sequence[Sequence[Any]]) -> bool:
        """As `Dialect.each_changed_one`. The bot waits meanwhile, so the statement is prepared once for all."""
        sql = sql.replace("%s", "?")
        with self.at_work():
            return all(self._db.execute(sql, row).rowcount == 1 for row in rows)

    def text_of(self, column: str, *, is_json: bool) -> str:
        """As `Dialect.text_of`."""
        return column if not is_json else f"CAST({column} AS TEXT)"

    def summed(self, sql: str, names: str) -> str:
        """As `Dialect.summed`: what a value may be is a limit of the connection, and rows come one by one."""
        return f"SELECT {names}v, ns, 0 FROM ({sql})"

    def ns_of(self, table: str, column: str) -> str:
        """As `Dialect.ns_of`: of a text as CURRENT_TIMESTAMP makes it, or of seconds or milliseconds."""
        name = quoted_name(column)
        text = f"CAST((julianday({name}) - 2440587.5) * 86400000 AS INTEGER) * 1000000"
        number = f"CAST({ns_of_number(f'CAST({name} AS REAL)')} AS INTEGER)"
        return f"CASE WHEN typeof({name}) = 'text' THEN {text} ELSE {number} END"

    def time_value(self, table: str, column: str, written_ns: int) -> Any:
        """As `Dialect.time_value`: written as the others in that column are."""
        name = quoted_name(column)
        sql = f"SELECT {name} FROM {quoted_name(table)} WHERE {name} IS NOT NULL LIMIT 1"
        ((another,),) = [*self.rows(sql)] or [("",)]
        if isinstance(another, int | float):
            return number_of(written_ns, another)
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
        # The last one out removes the files of the log, by their path.
        with acting_on_database(self.path, *self._owner):
            self._db.close()


def _why(path: str, error: sqlite3.Error, uid: int) -> str:
    if str(error) == "interrupted":
        return f"{path}: broken off: one question costs more than {CPU_SECONDS:.0f} seconds of processor time"
    if "unable to open" in str(error) and sqlite_files.is_on_read_only(path):
        why = "it has a log (WAL), which nobody opens on a read-only file system once the bot has ended"
        return f"{path}: {error}: {why}"
    if uid != os.geteuid() and "open" in str(error):
        return f"{path}: {error} with the rights of {user_name(uid)}, whose place it is in"
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
        self._open: dict[str, tuple[SqliteFile, SqlTables]] = {}
        self._listed: dict[str, str] | None = None
        self._told: dict[str, str] = {}
        if not self._many:
            self._tables("").try_out()

    def _files(self, *, afresh: bool = False) -> dict[str, str]:
        """Return the files by the name of their session, as they were last listed."""
        if self._listed is None or afresh:
            self._listed = sqlite_files.sessions_of(self._path) if self._many else {"": self._path}
        return self._listed

    def _opened(self, tenant: str) -> tuple[SqliteFile, SqlTables]:
        name = tenant if self._many else ""
        if name not in self._open:
            path = self._files().get(name) or self._files(afresh=True).get(name)
            if path is None:
                raise StoreTrouble(f"{self.address}: no file of {quoted(tenant)}")
            if len(self._open) >= MOST_OPEN:
                self._close(next(iter(self._open)))
            file = SqliteFile(path, columns_of(self._mapped))
            self._open[name] = file, SqlTables(self._mapped, file)
        return self._open[name]

    def _tables(self, tenant: str) -> SqlTables:
        return self._opened(tenant)[1]

    def _inside(self, tenant: str) -> str:
        """What a session is called in its file: nothing where the file is all its own."""
        return "" if self._many else tenant

    def tenants(self, known: dict[str, str] | None = None) -> list[str]:
        """As `Store.tenants`. What is `known` of a file is whether it holds a session, as long as its stamp stays."""
        if not self._many:
            return self._tables("").tenants()
        before = dict(known or {})
        found = [one for one in self._files(afresh=True).items() if self._may_hold_one(*one, before)]
        if known is not None:
            known.clear()
            known |= {path: before[path] for path in self._files().values() if path in before}
        return [name for name, _ in found]

    def _may_hold_one(self, name: str, path: str, known: dict[str, str]) -> bool:
        """Whether a file holds a session, or cannot be asked: that is told where it is opened, and stops no other."""
        told = self._told[path] = sqlite_files.stamp(path)
        holds, _, then = known.pop(path, "").partition(" ")
        if not (told and then == told):
            try:
                holds = _HOLDS if self._tables(name).tenants() else ""
            except StoreTrouble:
                return True
        if told:
            known[path] = f"{holds} {told}"
        return bool(holds)

    def without_creds(self) -> int:
        """As `Store.without_creds`."""
        return 0 if self._many else self._tables("").without_creds()

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        """As `Store.cells`. All are read before the first is looked at, with the rights of the file's owner."""
        file, tables = self._opened(tenant)
        with file.at_work():
            found = [*tables.cells(self._inside(tenant))]
        yield from found

    def stamps(self, tenants: Collection[str]) -> dict[str, str]:
        """As `Store.stamps`: of the file and its log, unless it was written a moment ago. What a listing has seen of
        one will do once: what was written since makes another one of it."""
        paths = self._files()
        found = {}
        for tenant in tenants:
            path = paths.get(tenant if self._many else "")
            if path is not None and (told := self._told.pop(path, None) or sqlite_files.stamp(path)):
                found[tenant] = told
        return found

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`."""
        return self._tables(tenant).change(self._inside(tenant), units, whole=whole)

    @contextmanager
    def locked(self, tenant: str) -> Iterator[None]:
        """As `Store.locked`: the kernel's lock of a file beside the database, which SQLite and bots leave alone."""
        path = self._files().get(tenant if self._many else "", self._path)
        beside = f"{path}.baileys-tools-{sqlite_files.digest(tenant)[:12]}.lock"
        owner = sqlite_files.keeper(path)
        try:
            with acting_as(*owner):
                fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreTrouble(f"{beside}: {error.strerror}") from None
        try:
            if not take_now(fd):
                raise StoreLocked(f"another run, which holds {beside}", beside)
            yield
            with suppress(OSError), acting_as(*owner):
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
        found = [path for path in self._files().values() if sqlite_files.is_open_to_others(path)]
        more = f", as {len(found) - 1} more" if len(found) > 1 else ""
        return [f"{found[0]} can be read by others{more}: it holds the keys of a login"] if found else []

    def expiries(self, tenant: str, changes: Sequence[Change]) -> list[int | None]:
        """As `Store.expiries`."""
        return self._tables(tenant).expiries("" if self._many else tenant, changes)

    def expiring(self, tenant: str) -> int:
        """As `Store.expiring`."""
        return self._tables(tenant).expiring(self._inside(tenant))

    def close(self) -> None:
        """As `Store.close`."""
        for name in [*self._open]:
            self._close(name)

    def _close(self, name: str) -> None:
        self._open.pop(name)[0].close()
