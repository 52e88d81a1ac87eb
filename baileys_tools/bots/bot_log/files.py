"""Which part of a log is new: across renames, copies that truncate, and files that begin anew.

A log is known again by its inode and by its first bytes. When neither fits, the rest of the old one is looked for
beside it (`out.log.1`, `out__2026-01-15.log`); one that was compressed since is gone for us.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

HEAD = 1_024
"""So many first bytes tell a file from another: pino's first line has a time and a process id."""

TAIL = 256

MOST_ENTRIES = 2_000
MOST_CANDIDATES = 20
"""How many entries of the folder are looked at, and how many of them opened, to find the rest of an old log."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Without waiting: where a log should be, a FIFO may stand."""


class Position(NamedTuple):
    """How far a log was read.

    `inode` is its device and number, `mark` a hash of its first `head_size` bytes and of the last ones before `offset`.
    """

    inode: tuple[int, int]
    offset: int
    mark: str
    head_size: int

    def to_json(self) -> list[Any]:
        """Return it as the state keeps it."""
        return [list(self.inode), self.offset, self.mark, self.head_size]

    @classmethod
    def from_json(cls, document: object) -> Self | None:
        """Given what the state kept, return the position; None for anything else."""
        match document:
            case [[int(device), int(inode)], int(offset), str(mark), int(head_size)] if offset >= 0:
                return cls((device, inode), offset, mark, min(max(0, head_size), HEAD))
        return None


class Stretch(NamedTuple):
    """A part of an open file to read; `passed_over` bytes before it are not. Whoever takes it closes `fd`."""

    fd: int
    start: int
    end: int
    passed_over: int = 0


def new_stretches(path: str, fd: int, position: Position | None, most: int) -> Iterator[Stretch]:
    """Given an open log and how far it was read, yield what is new, the rest of a rotated one first.

    No stretch is longer than `most` bytes, and the last ones of a file count: a file with a hole in it has any size, at
    no cost. The last stretch is that of `fd` itself.
    """
    status = os.fstat(fd)
    if position is None:
        yield _stretch(fd, 0, status.st_size, most)._replace(passed_over=0)
        return
    if _is_same(fd, status, position):
        yield _stretch(fd, position.offset, status.st_size, most)
        return
    if (old := _find_old(path, status, position)) is not None:
        yield _stretch(old, position.offset, os.fstat(old).st_size, most)
    yield _stretch(fd, 0, status.st_size, most)


def _stretch(fd: int, start: int, end: int, most: int) -> Stretch:
    begin = max(start, end - most)
    return Stretch(fd, begin, end, begin - start)


def position_of(fd: int, offset: int) -> Position:
    """Given an open log and up to where it was read, return the position to go on from."""
    status = os.fstat(fd)
    size = min(HEAD, offset)
    return Position((status.st_dev, status.st_ino), offset, _mark(fd, offset, size), size)


def _is_same(fd: int, status: os.stat_result, position: Position) -> bool:
    return (status.st_dev, status.st_ino) == position.inode and _continues(fd, status, position)


def _continues(fd: int, status: os.stat_result, position: Position) -> bool:
    """Whether this file holds what was read before, up to its end: not cut, and not written anew since."""
    return (
        status.st_size >= position.offset and _mark(fd, position.offset, position.head_size) == position.mark
    )


def _find_old(path: str, status: os.stat_result, position: Position) -> int | None:
    """Return the file that the log was moved or copied to, open; None when there is none (any more)."""
    folder, name = os.path.split(path)
    stem = name.partition(".")[0]
    candidates = []
    try:
        with os.scandir(folder or ".") as listing:
            for number, entry in enumerate(listing):
                if number >= MOST_ENTRIES:
                    break
                # One that was empty has nothing to be known again by but its inode.
                is_like = position.head_size > 0 and entry.name.startswith(stem)
                if entry.name != name and (entry.inode() == position.inode[1] or is_like):
                    # By inode first: that is the file itself, and the others may be copies of older ones.
                    candidates.append((entry.inode() != position.inode[1], entry.path))
    except OSError:
        return None
    for _, candidate in sorted(candidates)[:MOST_CANDIDATES]:
        if (fd := _open_candidate(candidate)) is None:
            continue
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) != (status.st_dev, status.st_ino) and _continues(fd, found, position):
            return fd
        os.close(fd)
    return None


def _open_candidate(path: str) -> int | None:
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _mark(fd: int, offset: int, head_size: int) -> str:
    tail = min(TAIL, offset)
    found = hashlib.sha256(os.pread(fd, head_size, 0))
    found.update(os.pread(fd, tail, offset - tail))
    return found.hexdigest()[:32]
