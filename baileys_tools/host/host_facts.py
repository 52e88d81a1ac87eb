"""What a host can do, tried out: locks and leases on its file systems, its clock, its other jobs."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

LARGEST_SCRIPT = 1 << 20

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""


class FileSystem(NamedTuple):
    """What a folder's file system answered: "" where it did as asked, else why not."""

    locks: str
    leases: str


def try_file_system(folder: str) -> FileSystem:
    """Take a lock and a lease on a scratch file in `folder`, as the jobs do. Raises OSError when there is none.

    The file has no name where the file system allows that, so nobody ever sees it.
    """
    with _scratch_file(folder) as (fd, again):
        return FileSystem(_lock_trouble(fd, again), _lease_trouble(fd, again))


@contextmanager
def _scratch_file(folder: str) -> Iterator[tuple[int, str]]:
    path = ""
    try:
        fd = os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            raise
        fd, path = tempfile.mkstemp(prefix=".baileys-tools-doctor-", dir=folder)
    try:
        yield fd, path or f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
        if path:
            with suppress(OSError):
                os.unlink(path)


def _lock_trouble(fd: int, again: str) -> str:
    """A lock that two can hold at once is none: some network file systems say yes to everybody."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.strerror or str(error)
    other = os.open(again, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(other)
        fcntl.flock(fd, fcntl.LOCK_UN)
    return "a second process gets the same lock"


def _lease_trouble(fd: int, again: str) -> str:
    # A lease for writing wants to be the only one who has the file open: it is.
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (OSError, AttributeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def clock_is_synchronised() -> bool | None:
    """Return what the kernel says of its clock, None where it cannot be asked."""
    import ctypes

    try:
        library = ctypes.CDLL(None, use_errno=True)
        # struct timex; all zero asks and changes nothing. 208 bytes on 64 bits, room to spare.
        answer = library.adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else bool(answer != _TIME_ERROR)


def system_crontabs() -> dict[str, bytes]:
    """Return what the host runs by itself besides users' crontabs, by path: /etc/crontab, cron.d and the scripts."""
    places = ["/etc/crontab"]
    for folder in ("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly"):
        with suppress(OSError):
            places += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    found = {}
    for place in places:
        with suppress(OSError):
            fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                found[place] = file.read(LARGEST_SCRIPT)
    return found
