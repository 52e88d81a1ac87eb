"""Run records on their way into the database: one small file each.

A quick command must not pay for the database: on a machine where the smallest command on the same libraries takes
100 ms, importing sqlite3, opening, one durable write and closing took 7.5 ms, and a file here 0.1 ms. The next
command that opens the database anyway takes the files in.

A file appears by rename, so it is there whole or not at all, and goes once its record is committed. Whoever was
killed between the two has it taken in again, which the record's `uid` makes harmless; two at once likewise. No fsync:
a record that a power cut takes along was of no more use than the log line beside it.
"""

from __future__ import annotations

import os
from contextlib import suppress

from baileys_tools.place import in_place_of, make_private_folder
from baileys_tools.state.database import State
from baileys_tools.state.runs import Run, from_json, record, to_json

FOLDER = "runs"
ENOUGH = 64
"""Waiting records from which on a quick command takes them in itself."""
ENOUGH_OF_ONE = 20
"""Records of a command that runs every minute from which on it takes in its own."""
MOST = 1_000
"""Records that wait at most while the database cannot be written; the oldest go."""

_SUFFIX = ".run"
_LARGEST = 4 << 20
_STALE_SECONDS = 3_600


def put(folder: str, run: Run) -> bool:
    """Add a run to the spool of a state folder; return whether there are enough to be taken in. Raises OSError."""
    content = to_json(run)
    with in_place_of(folder):
        return _put(os.path.join(folder, FOLDER), run, content)


def _put(place: str, run: Run, content: bytes) -> bool:
    name = f"{round(run.started.timestamp() * 1_000):014d}-{run.command}-{run.uid}{_SUFFIX}"
    temporary = os.path.join(place, f".{name}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(temporary, flags, 0o600)
    except FileNotFoundError:
        make_private_folder(place)
        fd = os.open(temporary, flags, 0o600)
    try:
        try:
            _write(fd, content)
        finally:
            os.close(fd)
        os.rename(temporary, os.path.join(place, name))
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return len(os.listdir(place)) >= ENOUGH


def _write(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def is_worth_taking_in(folder: str, command: str) -> bool:
    """Whether a command that runs every minute, and has the database open, should take in what waits.

    Records of others at once; its own a few at a time: a minute in which nothing happened then writes to the disk
    nothing that it has to wait for.
    """
    try:
        names = os.listdir(os.path.join(folder, FOLDER))
    except OSError:
        return False
    own = [name for name in names if f"-{command}-" in name]
    return len(own) < len(names) or len(own) >= ENOUGH_OF_ONE


def take_in(state: State) -> int:
    """Move the waiting records into the database; return how many. Never raises for an invalid file.

    With a state that forgets at the end of this run, they are shown to it and stay where they are.
    """
    import time

    try:
        with in_place_of(state.folder):
            return _take_in(state, os.path.join(state.folder, FOLDER), time.time())
    except OSError:
        return 0


def waiting_runs(folder: str) -> list[Run]:
    """Return the runs that wait in the spool of a state folder, oldest first; none where it cannot be read."""
    place = os.path.join(folder, FOLDER)
    try:
        with in_place_of(folder):
            names = sorted(name for name in os.listdir(place) if name.endswith(_SUFFIX) and name[0] != ".")
            found = [_read(os.path.join(place, name)) for name in names]
    except OSError:
        return []
    return [run for run in found if run is not None]


def _take_in(state: State, place: str, now: float) -> int:
    names = sorted(os.listdir(place))
    waiting = [name for name in names if name.endswith(_SUFFIX) and not name.startswith(".")]
    found = {name: _read(os.path.join(place, name)) for name in waiting}
    runs = [run for run in found.values() if run is not None]
    if runs:
        record(state, runs)
    gone = waiting if state.is_durable else waiting[:-MOST]
    for name in [*gone, *_left_behind(place, names, now)]:
        with suppress(OSError):
            os.unlink(os.path.join(place, name))
    return len(runs)


def _read(path: str) -> Run | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:
        try:
            return from_json(file.read(_LARGEST))
        except OSError:
            return None


def _left_behind(place: str, names: list[str], now: float) -> list[str]:
    """Return what killed writers left half written."""
    old = []
    for name in names:
        if name.startswith("."):
            with suppress(OSError):
                written = os.stat(os.path.join(place, name), follow_symlinks=False).st_mtime
                if now - written > _STALE_SECONDS:
                    old.append(name)
    return old
