"""Sessions in files of SQLite: one file for all sessions, or one for each where a star stands in the path."""

from __future__ import annotations

import glob
import os
import re
import sqlite3
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from baileys_tools.kernel_lock import take_now
from baileys_tools.owner import acting_as, user_name
from baileys_tools.place import keeper_of_file
from baileys_tools.sqlite_pipes import acting_on_database
from baileys_tools.stores.cells import Abilities, StoreLocked, StoreTrouble
from baileys_tools.stores.rules.mapping import SqlMap, after_prefix
from baileys_tools.stores.rules.rows import Cell, Change, Unit
from baileys_tools.stores.rules.times import ns_of_number, number_of
from baileys_tools.stores.sql import SqlTables, columns_of, quoted_name
from baileys_tools.stores.sqlite_bounds import CPU_SECONDS, bound, bounded, require_tables
from baileys_tools.units import quoted

BUSY_SECONDS = 5.0
"""How long a write waits for the bot's. A bot writes for milliseconds."""
_CLOCK_STEP_NS = 2_000_000_000
"""The coarsest clock of a file system: within one step a second change shows nowhere."""
MOST_OPEN = 8
"""Files that are open at a time, three handles each: there can be more bots than a process may have handles."""


class SqliteFile:
    """One open file, as `Dialect` says.

    All that is done with it is done as the one whose it is: SQLite goes by paths, makes files beside it, and plays back
    a journal that it finds there, which can name any file of the host to be removed.
    """

    def __init__(self, path: str, tables: Collection[str]) -> None:
        self.path = path
        self._owner = _keeper(path)
        self._trouble = ""
        with self._at_work():
            _require_file(path)
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
    def _at_work(self) -> Iterator[None]:
        """Work with the file with the rights of its owner. Raises StoreTrouble for what SQLite cannot do."""
        if self._trouble:
            raise StoreTrouble(self._trouble)
        try:
            with acting_on_database(self.path, *self._owner):
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
        with self._at_work(), bounded(self._db):
            return self._db.execute(sql.replace("%s", "?"), values)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """As `Dialect.rows`."""
        begun = time.thread_time()
        cursor = self.run(sql, values)
        spent = time.thread_time() - begun
        while True:
            begun = time.thread_time()
            with self._at_work(), bounded(self._db, spent):
                rows = cursor.fetchmany(200)
            spent += time.thread_time() - begun
            if not rows:
                return
            yield from rows

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

    def each_changed_one(self, sql: str, rows: Sequence[Sequence[Any]]) -> bool:
        """As `Dialect.each_changed_one`. The bot waits meanwhile, so the statement is prepared once for all."""
        sql = sql.replace("%s", "?")
        with self._at_work(), bounded(self._db):
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


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _keeper(path: str) -> tuple[int, int]:
    try:
        return keeper_of_file(path)
    except OSError as error:
        raise StoreTrouble(f"{path}: {error.strerror}") from None


def _require_file(path: str) -> None:
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            return
    except PermissionError:
        raise
    except OSError:
        pass
    raise StoreTrouble(f"{path}: no such file, and a database is never made here")


def _is_open(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & 0o077)
    except OSError:
        return False  # that it is gone is said by whoever reads it


def _stamp(path: str) -> str:
    """Return what tells one state of a database from another without reading it, "" where nothing does."""
    told = []
    for part in (path, f"{path}-wal", f"{path}-journal"):
        try:
            seen = os.stat(part)
        except FileNotFoundError:
            told.append("")
            continue
        except OSError:
            return ""
        if time.time_ns() - max(seen.st_mtime_ns, seen.st_ctime_ns) <= _CLOCK_STEP_NS:
            return ""
        told.append(f"{seen.st_dev} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}")
    return "; ".join(told)


def _is_on_read_only(path: str) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _why(path: str, error: sqlite3.Error, uid: int) -> str:
    if str(error) == "interrupted":
        return f"{path}: broken off: one question costs more than {CPU_SECONDS:.0f} seconds of processor time"
    if "unable to open" in str(error) and _is_on_read_only(path):
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
        self._open: dict[str, SqlTables] = {}
        self._listed: dict[str, str] | None = None
        if not self._many:
            self._tables("").try_out()

    def _files(self, *, afresh: bool = False) -> dict[str, str]:
        """Return the files by the name of their session, as they were last listed."""
        if self._listed is None or afresh:
            self._listed = self._list() if self._many else {"": self._path}
        return self._listed

    def _list(self) -> dict[str, str]:
        pattern = re.compile(re.escape(self._path).replace(r"\*", "([^/]*)"))
        called: dict[str, list[str]] = {}
        for path in sorted(glob.glob(self._path)):
            if match := pattern.fullmatch(path):
                called.setdefault("-".join(filter(None, match.groups())) or "session", []).append(path)
        # a-b/c and a/b-c are one name: nobody takes the place of another by what they call their file.
        return {
            name if len(paths) == 1 else f"{name}@{_digest(path)[:8]}": path
            for name, paths in called.items()
            for path in paths
        }

    def _tables(self, tenant: str) -> SqlTables:
        name = tenant if self._many else ""
        if name not in self._open:
            path = self._files().get(name) or self._files(afresh=True).get(name)
            if path is None:
                raise StoreTrouble(f"{self.address}: no file of {quoted(tenant)}")
            if len(self._open) >= MOST_OPEN:
                self._close(next(iter(self._open)))
            self._open[name] = SqlTables(self._mapped, SqliteFile(path, columns_of(self._mapped)))
        return self._open[name]

    def _inside(self, tenant: str) -> str:
        """What a session is called in its file: nothing where the file is all its own."""
        return "" if self._many else tenant

    def tenants(self) -> list[str]:
        """As `Store.tenants`."""
        if self._many:
            return [name for name in self._files(afresh=True) if self._may_hold_one(name)]
        return self._tables("").tenants()

    def _may_hold_one(self, name: str) -> bool:
        """Whether a file holds a session, or cannot be asked: that is told where it is opened, and stops no other."""
        try:
            return bool(self._tables(name).tenants())
        except StoreTrouble:
            return True

    def without_creds(self) -> int:
        """As `Store.without_creds`."""
        return 0 if self._many else self._tables("").without_creds()

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        """As `Store.cells`."""
        return self._tables(tenant).cells(self._inside(tenant))

    def stamps(self, tenants: Collection[str]) -> dict[str, str]:
        """As `Store.stamps`: of the file and its log, unless it was written a moment ago."""
        paths = self._files()
        found = {}
        for tenant in tenants:
            path = paths.get(tenant if self._many else "")
            if path is not None and (told := _stamp(path)):
                found[tenant] = told
        return found

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`."""
        return self._tables(tenant).change(self._inside(tenant), units, whole=whole)

    @contextmanager
    def locked(self, tenant: str) -> Iterator[None]:
        """As `Store.locked`: the kernel's lock of a file beside the database, which SQLite and bots leave alone."""
        path = self._files().get(tenant if self._many else "", self._path)
        beside = f"{path}.baileys-tools-{_digest(tenant)[:12]}.lock"
        owner = _keeper(path)
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
        found = [path for path in self._files().values() if _is_open(path)]
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
        self._open.pop(name).db.close()  # type: ignore[attr-defined]
