"""The state database: one SQLite file, used by several processes at once, and never a reason to fail.

<state.dir>/state.sqlite3           everything that is remembered
<state.dir>/state.lock              shared by all who have it open; alone by who sets a damaged file aside
<state.dir>/runs/                   run records that wait to be taken in (spool.py)
<state.dir>/state.sqlite3.damaged-<when>
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from baileys_tools.errors import why
from baileys_tools.place import keeper_of, make_private_folder
from baileys_tools.sqlite_pipes import acting_on_database
from baileys_tools.state.schema import STEPS
from baileys_tools.state.scope import Scope
from baileys_tools.trust import NotTrusted
from baileys_tools.units import EPOCH, is_utf8, moment_of

if TYPE_CHECKING:
    import sqlite3

FILE = "state.sqlite3"
LOCK = "state.lock"

BUSY_SECONDS = 5.0
"""How long to wait for another process: each holds the database for milliseconds, and cron starts us every minute."""

_LARGEST_COPY = 256 << 20
_LOCK_PATIENCE = 2.0
_LOCK_STEP = 0.02


def to_seconds(moment: datetime) -> int:
    """Given an aware time, return whole seconds since 1970, as the database keeps times."""
    return (moment - EPOCH) // timedelta(seconds=1)


def from_seconds(seconds: int) -> datetime:
    """Given whole seconds since 1970, return the aware time; for an impossible number, the nearest time there is."""
    return moment_of(seconds * 1_000_000_000)


class State:
    """An open state. Closed by `with`, or by `close`.

    `trouble` says what is wrong with the file, "" when nothing is. `is_durable` is false when nothing that is
    written now will be there at the next run. `is_new` is true when there was no state before this run. `scope`
    says whose names a run has.
    """

    def __init__(self, folder: str, now: datetime) -> None:
        self.folder = folder
        self.path = os.path.join(folder, FILE)
        self.trouble = ""
        self.is_durable = False
        self.is_new = False
        self.scope = Scope()
        self._now = now
        self._lock: int | None = None
        self._inode: tuple[int, int] | None = None
        self._owner = (os.geteuid(), os.getegid())
        self._depth = 0
        self._connection: sqlite3.Connection

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. What was written is safe before, at the end of each transaction."""
        import sqlite3

        # The last one out removes the files of the log, by their path.
        with suppress(sqlite3.Error), acting_on_database(self.path, *self._owner):
            self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- use ------------------------------------------------------------------------------------------------

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Given a query, return its rows. A database that fails here is replaced by what could be saved of it."""
        found: list[tuple[Any, ...]] = self._try(
            lambda connection: connection.execute(sql, _bindable(values)).fetchall()
        )
        return [_read(row) if bytes in map(type, row) else row for row in found]

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Given a statement that writes, return how many rows it changed. Alone, it is a transaction."""
        return int(self._try(lambda connection: connection.execute(sql, _bindable(values)).rowcount))

    def change_many(self, sql: str, values: Sequence[Sequence[object]]) -> int:
        """Given a statement and a row of values for each time, return how many rows were changed."""
        rows = [_bindable(row) for row in values]
        return int(self._try(lambda connection: connection.executemany(sql, rows).rowcount))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is read and written inside is one step that no other process sees half of.

        One inside another is part of the outer one. An exception takes back what was written.
        """
        if self._depth:
            yield
            return
        self._try(lambda connection: connection.execute("BEGIN IMMEDIATE"))
        self._depth = 1
        try:
            yield
        except BaseException:
            self._end("ROLLBACK")
            raise
        self._end("COMMIT")

    def _end(self, how: str) -> None:
        self._depth = 0
        self._try(lambda connection: connection.execute(how) if connection.in_transaction else None)

    def _try(self, use: Callable[[sqlite3.Connection], Any]) -> Any:
        import sqlite3

        try:
            with acting_on_database(self.path, *self._owner):
                return use(self._connection)
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError):
            raise  # a mistake in the statement
        except sqlite3.DatabaseError as error:
            if not self.is_durable or _is_mistake(error):
                raise
            self._give_up_file(error)
            return use(self._connection)

    # --- opening --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the file, or what stands in for it. Never raises for what is wrong with the file.

        All that is done with it, now and later, is done as the one whose place it is: SQLite goes by paths, and
        whoever owns the folder can put a link in the place of any name in it, at any moment.
        """
        import sqlite3

        try:
            owner = keeper_of(self.folder)
            with acting_on_database(self.path, *owner):
                self._owner = owner
                self._prepare()
                self._take_lock()
                self._open_file()
        except (OSError, NewerState, sqlite3.Error) as error:
            self._open_otherwise(error)

    def _prepare(self) -> None:
        make_private_folder(self.folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(self.path, flags, 0o600)
        try:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode) or seen.st_nlink != 1:
                raise OSError(errno.EINVAL, "it is not a plain file with one name", self.path)
            self._inode = (seen.st_dev, seen.st_ino)
            self.is_new = seen.st_size == 0
        finally:
            os.close(fd)

    def _take_lock(self) -> None:
        """Share the lock, so that nobody sets the file aside while it is in use here."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(os.path.join(self.folder, LOCK), flags, 0o600)
        for _ in range(round(_LOCK_PATIENCE / _LOCK_STEP)):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_STEP)
            else:
                return

    def _open_file(self) -> None:
        import sqlite3

        self._connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        self.is_durable = True
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                # SQLite does not wait by itself where the journal of a new file is changed.
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_LOCK_STEP)
        self._connection.execute("PRAGMA synchronous = FULL")
        _migrate(self._connection)

    def _open_otherwise(self, error: Exception) -> None:
        if isinstance(error, NewerState):
            self.trouble = (
                f"{self.path} {error}; nothing is remembered from this run, and nothing was changed"
            )
            self._use_memory()
        elif _is_damage(error):
            self._give_up_file(error)
        else:
            self.trouble = f"{self.path} cannot be used ({why(error)}): nothing is remembered from this run"
            self._use_memory(copy_of="" if isinstance(error, NotTrusted) else self.path)

    def _give_up_file(self, error: Exception) -> None:
        """Go on without the file: with a new one when it is damaged, else with a copy of it in memory."""
        import sqlite3

        self._depth = 0
        if not _is_damage(error):
            self.trouble = (
                f"{self.path} cannot be written ({why(error)}): nothing is remembered from this run"
            )
            with suppress(sqlite3.Error), acting_on_database(self.path, *self._owner):
                self._connection.rollback()
            self._use_memory(copy_of=self.path)
            return
        with suppress(sqlite3.Error, AttributeError), acting_on_database(self.path, *self._owner):
            self._connection.close()
        with acting_on_database(self.path, *self._owner):
            aside = self._set_aside()
        if aside:
            self.trouble = (
                f"{self.path} was damaged ({why(error)}) and is now {aside}: history, cooldowns and alert states "
                "begin anew"
            )
            try:
                with acting_on_database(self.path, *self._owner):
                    self._prepare()
                    self._open_file()
            except (OSError, sqlite3.Error) as again:
                self.trouble += f", and a new file cannot be made ({why(again)})"
            else:
                return
        else:
            self.trouble = (
                f"{self.path} is damaged ({why(error)}) and could not be set aside: nothing is remembered "
                "from this run"
            )
        self._use_memory()

    def _set_aside(self) -> str:
        """Rename the damaged file, with its log, once nobody else has it open; return its new name, or ""."""
        if self._lock is None:
            return ""
        for _ in range(round(_LOCK_PATIENCE / _LOCK_STEP)):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                # Another may wait for the same: while both share it, neither would get it.
                with suppress(OSError):
                    fcntl.flock(self._lock, fcntl.LOCK_UN)
                time.sleep(_LOCK_STEP)
        else:
            return ""
        name = f"{FILE}.damaged-{self._now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        try:
            seen = os.stat(self.path, follow_symlinks=False)
            if (seen.st_dev, seen.st_ino) != self._inode:
                return "set aside by another run"  # a new one stands in its place already
            target = os.path.join(self.folder, name)
            while os.path.lexists(target):
                name += "x"
                target += "x"
            os.rename(self.path, target)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.rename(self.path + suffix, target + suffix)
        except OSError:
            return ""
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        return name

    def _use_memory(self, copy_of: str = "") -> None:
        import sqlite3

        self.is_durable = False
        memory = sqlite3.connect(":memory:", isolation_level=None)
        if copy_of:
            self._copy(copy_of, memory)
        with suppress(sqlite3.Error, AttributeError), acting_on_database(self.path, *self._owner):
            self._connection.close()
        self._connection = memory
        try:
            _migrate(memory)
        except (NewerState, sqlite3.Error):
            self._connection = sqlite3.connect(":memory:", isolation_level=None)
            _migrate(self._connection)

    def _copy(self, path: str, memory: sqlite3.Connection) -> None:
        """Read what there is into memory, so that a full or read-only disk does not make us forget as well."""
        import sqlite3
        from urllib.parse import quote

        # A read-only file system has no room for the files that WAL needs; then the main file alone has to do.
        for how in ("mode=ro", "mode=ro&immutable=1"):
            with suppress(sqlite3.Error, OSError), acting_on_database(self.path, *self._owner):
                if os.stat(path).st_size > _LARGEST_COPY:
                    return
                source = sqlite3.connect(f"file:{quote(path)}?{how}", uri=True, timeout=BUSY_SECONDS)
                try:
                    source.backup(memory)
                finally:
                    source.close()
                return


class NewerState(Exception):
    """The file was written by a newer version of this tool."""


def open_state(folder: str, now: datetime) -> State:
    """Given the state folder, return the open state. Never raises for what is wrong with it: see `State.trouble`."""
    state = State(folder, now)
    state.open()
    return state


def _bindable(values: Sequence[object]) -> Sequence[object]:
    """Return the values as SQLite takes them: text that is no UTF-8, as the name of a folder can be, as its bytes."""
    return [
        os.fsencode(one) if isinstance(one, str) and not one.isascii() and not is_utf8(one) else one
        for one in values
    ]


def _read(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row as it was given to `_bindable`; no table has bytes of another kind."""
    return tuple(os.fsdecode(one) if isinstance(one, bytes) else one for one in row)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to this version, in one transaction. Raises NewerState or sqlite3.Error."""
    if _version(connection) == len(STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        for step in STEPS[_version(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(STEPS):
        raise NewerState(f"was written by a newer version (schema {version}, this one knows {len(STEPS)})")
    # Reads the first page of the schema: most damage shows here and not in the middle of the work.
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return version


def _is_damage(error: Exception) -> bool:
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or (
        isinstance(error, sqlite3.OperationalError) and _is_mistake(error)
    )


def _is_busy(error: sqlite3.Error) -> bool:
    import sqlite3

    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_mistake(error: sqlite3.DatabaseError) -> bool:
    """Whether the statement does not fit the tables: our mistake, or tables that are not ours."""
    import sqlite3

    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_ERROR
