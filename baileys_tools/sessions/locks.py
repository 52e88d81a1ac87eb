"""One holder per company, and one `trigger` at a time, by the kernel's own lock.

The folder itself is locked first and then `.cleanup.lock` in it. The file is for people, for the older
JavaScript scripts, and for anyone who locks it by path; the folder's lock needs no space, so that cleaning
still works on a full disk.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.kernel_lock import take_now
from baileys_tools.owner import acting_as, as_owner_of
from baileys_tools.parsing import parse_json
from baileys_tools.place import place_owner
from baileys_tools.sessions.names import LOCK_NAME
from baileys_tools.sessions.stored.copies import held_in_store, working_copy

if TYPE_CHECKING:
    from baileys_tools.sessions.rules.held_locks import Holder

STALE_AFTER = timedelta(minutes=10)
"""How long a lock file is respected that no kernel lock vouches for."""
PROCESS_STALE_AFTER = timedelta(hours=1)
"""The same for a lock that keeps a whole program to one process."""

ANOTHER_RESTORE = "another restore"
_TOOL = "baileys-tools"
_LARGEST_LOCK = 4096
_LAST_STAMP = 1e14
"""Milliseconds since 1970 up to the year 5138; what lies outside is no timestamp."""
_OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_WRITABLE = _OUT_OF_SPACE | {errno.EACCES, errno.EPERM, errno.EROFS}


class Locked(Exception):
    """Somebody else holds the company; the text says who. `holder` is who by the kernel's word, None where a lock file
    is all that there is."""

    def __init__(self, who: str, holder: Holder | None = None) -> None:
        super().__init__(who)
        self.holder = holder

    def __reduce__(self) -> tuple[type[Locked], tuple[str, Holder | None]]:
        return Locked, (str(self), self.holder)


class NotALock(Exception):
    """Something else than a lock file stands where somebody's settings say that one is. It is left as it is."""


@contextmanager
def told_of(company: str) -> Iterator[None]:
    """End the command where a company is locked (exit code 75) or the system refuses to do what is to be done with it.

    Raises BaileysToolsError, which names the company.
    """
    try:
        yield
    except Locked as lock:
        raise BaileysToolsError(f"company {company} is locked by {lock}", exit_code=ExitCode.LOCKED) from lock
    except OSError as error:
        from baileys_tools.sessions.faults import say_why

        raise BaileysToolsError(f"company {company}: {say_why(error)}") from error


@contextmanager
def company_lock(folder: int, now: datetime) -> Iterator[None]:
    """Given the handle of a session folder, hold its lock for the length of a `with`.

    A live holder is never robbed, whatever its age. A lock file left by another program (JSON with
    `timestamp` in ms, nobody holding it) is respected for 10 minutes and taken over after. Raises `Locked` at
    once when somebody else holds it, OSError where there are no kernel locks. A session of a store is held there too.
    """
    with _hold(folder, LOCK_NAME, now, STALE_AFTER, _OUT_OF_SPACE, name_is_ours=True):
        if working_copy(folder) is None:
            yield
            return
        with _held_in_store(folder):
            yield


@contextmanager
def _held_in_store(folder: int) -> Iterator[None]:
    from baileys_tools.stores.cells import StoreLocked

    with ExitStack() as store:
        try:
            store.enter_context(held_in_store(folder))
        except StoreLocked as lock:
            raise Locked(str(lock), _holder_in_store(lock.path)) from None
        yield


def _holder_in_store(path: str) -> Holder:
    """Return who holds the lock of a session in a store: by the file that is locked, where there is one."""
    from baileys_tools.sessions.holders import holder_of
    from baileys_tools.sessions.rules.held_locks import Holder

    if path:
        with suppress(OSError):
            fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                return holder_of(fd)
            finally:
                os.close(fd)
    return Holder()


@contextmanager
def process_lock(path: str, now: datetime) -> Iterator[None]:
    """Given the path of a lock file, hold it for the length of a `with`: one process on this host at a time.

    As `company_lock`, but a lock file of another program is respected for an hour. Where the file cannot be made,
    the lock of its folder has to do, and where that cannot be there, of the nearest one above. Raises `Locked`,
    `NotALock` or OSError.
    """
    wanted, name = os.path.split(path)
    place, folder = _nearest_folder(wanted)
    try:
        if place != wanted:
            if not _lock(folder):
                raise _held(folder, {})
            yield
            return
        with _hold(folder, name, now, PROCESS_STALE_AFTER, _NOT_WRITABLE):
            yield
    finally:
        os.close(folder)


def _nearest_folder(path: str) -> tuple[str, int]:
    """Return a folder, or the nearest one above it that its owner can open, and the handle of it. Raises OSError."""
    while True:
        uid, gid = place_owner(path)
        try:
            with acting_as(uid, gid):
                folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if os.geteuid() != 0 or os.fstat(folder).st_uid == uid:
                return path, folder
            os.close(folder)  # somebody has put another in its place
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            if path == os.path.dirname(path):
                raise
        path = os.path.dirname(path)


@contextmanager
def _hold(
    folder: int,
    name: str,
    now: datetime,
    stale_after: timedelta,
    without_file: frozenset[int],
    *,
    name_is_ours: bool = False,
) -> Iterator[None]:
    """Hold the lock of a folder and of the lock file in it; of the folder alone after an errno in `without_file`.

    The file goes at the end. Unless its name is ours to give, it has to look like a lock to begin with.
    """
    guard = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not _lock(guard):
            raise _held(guard, _said_in(folder, name))
        try:
            lock_file = _take_lock_file(folder, name, now, stale_after, name_is_ours=name_is_ours)
        except OSError as error:
            if error.errno not in without_file:
                raise
            yield  # the folder's own lock holds
            return
        try:
            yield
        finally:
            # Unlinked while it is held: whoever opened it meanwhile finds no link to it and starts over.
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
            os.close(lock_file)
    finally:
        os.close(guard)


@contextmanager
def reading_lock(folder: int, now: datetime) -> Iterator[None]:
    """Keep cleanups out of a session folder while it is read, without writing anything into it.

    Whoever cleans locks the folder itself first (`company_lock`), so that lock is enough; the lock file of
    another program is respected as long as there. Raises `Locked` or OSError.
    """
    guard = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not _lock(guard):
            raise _held(guard, _said_in(folder, LOCK_NAME))
        left, modified = _left_behind(folder)
        if _is_respected(left, modified, now, STALE_AFTER):
            raise Locked(_holder(left))
        yield
    finally:
        os.close(guard)


@contextmanager
def stage_lock(folder: int) -> Iterator[None]:
    """Keep other restores out of a folder that is being written beside the one it is to become.

    Nothing is written into it. A snapshot can be unpacked also where there are no kernel locks: none is held then.
    Raises `Locked` or OSError.
    """
    guard = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with suppress(OSError):
            if not _lock(guard):
                raise Locked(ANOTHER_RESTORE)
        yield
    finally:
        os.close(guard)


def look_for_lock(folder: int, now: datetime) -> str:
    """Given the handle of a session folder, return who holds its lock, "" when nobody does as far as one can see.

    Takes no lock itself, as that would make a cleanup of the same moment skip this company.
    """
    seen = os.fstat(folder)
    mine = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}:{seen.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as listing:
            held = any(mine in line.split() for line in listing)
    except (OSError, ValueError):
        held = False  # not Linux, or not to be seen
    if held:
        return _holder(_said_in(folder, LOCK_NAME))
    left, modified = _left_behind(folder)
    return _holder(left) if _is_respected(left, modified, now, STALE_AFTER) else ""


def _left_behind(folder: int) -> tuple[dict[str, Any], float]:
    """Return what a lock file says and when it was written; nothing when there is none to read."""
    try:
        fd = os.open(LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return {}, 0.0
    try:
        return _read_lock_file(fd), os.fstat(fd).st_mtime
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    try:
        return take_now(fd)
    except OSError as error:
        # Some network file systems answer EBADF or EINVAL where they mean that they have no locks.
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from error


def _take_lock_file(
    folder: int, name: str, now: datetime, stale_after: timedelta, *, name_is_ours: bool
) -> int:
    while True:
        fd = _open_lock_file(folder, name)
        try:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode):
                raise OSError(errno.EINVAL, "is not a regular file", name)
            if not name_is_ours and not _looks_like_a_lock(fd, seen.st_size):
                raise NotALock
            left = _read_lock_file(fd)
            if not _lock(fd):
                raise _held(fd, left)
            if _is_respected(left, seen.st_mtime, now, stale_after):
                raise Locked(_holder(left))
            links = os.fstat(fd).st_nlink
            if links == 1:
                _sign(fd, now)
                return fd
            if links > 1:
                # A file with another name somewhere is not ours to write into. The name alone goes.
                os.unlink(name, dir_fd=folder)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its holder was just leaving: start over


def _open_lock_file(folder: int, name: str) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        with suppress(FileNotFoundError):
            return os.open(name, flags, dir_fd=folder)
        with suppress(FileExistsError), as_owner_of(folder):
            return os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)


def _sign(fd: int, now: datetime) -> None:
    text = json.dumps(
        {
            "timestamp": int(now.timestamp() * 1000),
            "pid": os.getpid(),
            "hostname": os.uname().nodename,
            "tool": _TOOL,
        },
    )
    # Shortened first: a crash in between leaves no JSON, which is nobody's lock.
    os.ftruncate(fd, 0)
    try:
        os.pwrite(fd, text.encode(), 0)
    except OSError as error:
        if error.errno not in _OUT_OF_SPACE:
            raise


def _read_lock_file(fd: int) -> dict[str, Any]:
    try:
        content = parse_json(os.pread(fd, _LARGEST_LOCK, 0))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _looks_like_a_lock(fd: int, size: int) -> bool:
    """Nothing at all, a process id, or JSON that says whose it is: what this tool and older scripts write."""
    if size > _LARGEST_LOCK:
        return False
    return not os.pread(fd, _LARGEST_LOCK, 0).strip(b"0123456789 \n") or bool(
        _read_lock_file(fd).keys() & {"timestamp", "pid"}
    )


def _is_respected(left: dict[str, Any], mtime: float, now: datetime, stale_after: timedelta) -> bool:
    stamp = left.get("timestamp")
    if left.get("tool") == _TOOL or not isinstance(stamp, int | float) or not 0 < stamp < _LAST_STAMP:
        return False
    # A stamp from the future counts from when the file was written.
    since = stamp / 1000 if stamp / 1000 <= now.timestamp() else mtime
    return now.timestamp() - since < stale_after.total_seconds()


def _held(fd: int, said: dict[str, Any]) -> Locked:
    """Return the error for a lock that somebody holds: by the kernel's word, where that differs from the file's."""
    from baileys_tools.sessions.holders import holder_of

    holder = holder_of(fd)
    tells_the_same = not holder.pid or said.get("pid") == holder.pid
    return Locked(_holder(said) if tells_the_same else str(holder), holder)


def _said_in(folder: int, name: str) -> dict[str, Any]:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return {}
    try:
        return _read_lock_file(fd)
    finally:
        os.close(fd)


def _holder(content: dict[str, Any]) -> str:
    pid, host, stamp = content.get("pid"), content.get("hostname"), content.get("timestamp")
    who = f"process {pid}" if isinstance(pid, int) else "another process"
    if isinstance(host, str):
        who += f" on {host[:64]}"
    if isinstance(stamp, int | float) and 0 < stamp < _LAST_STAMP:
        from datetime import UTC

        who += f" since {datetime.fromtimestamp(stamp / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return who
