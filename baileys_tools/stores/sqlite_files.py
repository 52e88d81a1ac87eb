"""Files of SQLite as the system tells of them: which there are, whose each is, and whether one has changed."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
import time

from baileys_tools.place import keeper_of_file
from baileys_tools.stores.cells import StoreTrouble

_CLOCK_STEP_NS = 2_000_000_000
"""The coarsest clock of a file system: within one step a second change shows nowhere."""


def sessions_of(pattern: str) -> dict[str, str]:
    """Given a path with stars, return the files that there are by the name of their session: what the stars stand
    for."""
    stars = re.compile(re.escape(pattern).replace(r"\*", "([^/]*)"))
    called: dict[str, list[str]] = {}
    for path in sorted(glob.glob(pattern)):
        if match := stars.fullmatch(path):
            called.setdefault("-".join(filter(None, match.groups())) or "session", []).append(path)
    # a-b/c and a/b-c are one name: nobody takes the place of another by what they call their file.
    return {
        name if len(paths) == 1 else f"{name}@{digest(path)[:8]}": path
        for name, paths in called.items()
        for path in paths
    }


def digest(text: str) -> str:
    """Return the sha256 of a name, in hex."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def keeper(path: str) -> tuple[int, int]:
    """Return the user and group to work with a file as. Raises StoreTrouble."""
    try:
        return keeper_of_file(path)
    except OSError as error:
        raise StoreTrouble(f"{path}: {error.strerror}") from None


def require_file(path: str) -> None:
    """Raise StoreTrouble for what is no file, PermissionError where that cannot be told."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            return
    except PermissionError:
        raise
    except OSError:
        pass
    raise StoreTrouble(f"{path}: no such file, and a database is never made here")


def is_open_to_others(path: str) -> bool:
    """Whether others than its owner may read a file, or write it."""
    try:
        return bool(os.stat(path).st_mode & 0o077)
    except OSError:
        return False  # that it is gone is said by whoever reads it


def is_on_read_only(path: str) -> bool:
    """Whether nothing can be written where a file is."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def stamp(path: str) -> str:
    """Return what tells one state of a database from another without reading it, "" where nothing does."""
    told = ""
    newest = 0
    for part in (path, f"{path}-wal", f"{path}-journal"):
        try:
            seen = os.stat(part)
        except FileNotFoundError:
            told += "; "
            continue
        except OSError:
            return ""
        newest = max(newest, seen.st_mtime_ns, seen.st_ctime_ns)
        told += f"{seen.st_dev} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}; "
    return told if time.time_ns() - newest > _CLOCK_STEP_NS else ""
