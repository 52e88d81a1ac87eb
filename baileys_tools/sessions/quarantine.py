"""Where removed files wait to be wanted back.

`<folder>/.baileys-tools/quarantine/<run>/<name>`: the same file, moved, so content, age and mode are as they
were. A file that was being removed when the process died stands in the folder as
`.baileys-tools-removing-<name>`; the next run puts it back.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from baileys_tools.domain.keyfiles import Kind, kind_of
from baileys_tools.domain.undo import UndoReason, UndoRun
from baileys_tools.sessions.roots import FOLDER_FLAGS
from baileys_tools.sessions.scan import OWN_FOLDER

QUARANTINE = "quarantine"
REMOVING_PREFIX = f"{OWN_FOLDER}-removing-"

_run_id = re.compile(r"(\d{8}T\d{6})Z-[0-9a-f]{6}").fullmatch


def new_run_id(now: datetime) -> str:
    """Given the time, return the name of a run: its start in UTC and something random."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_started(run: str) -> datetime | None:
    """Given the name of a run, return when it started, or None if it is no run's name."""
    match = _run_id(run)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def make_folder(name: str, parent: int) -> int:
    """Given a name and the handle of its parent, return the handle of that folder, made 0700 if need be.

    What root makes in somebody's folder belongs to that somebody. Raises OSError.
    """
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
    fd = os.open(name, FOLDER_FLAGS, dir_fd=parent)
    if os.geteuid() == 0:
        owner = os.fstat(parent)
        if (owner.st_uid, owner.st_gid) != (0, 0):
            os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


def make_run_folder(folder: int, run: str) -> int:
    """Given the handle of a session folder, return the handle of the quarantine folder of a run."""
    own = make_folder(OWN_FOLDER, folder)
    try:
        quarantine = make_folder(QUARANTINE, own)
    finally:
        os.close(own)
    try:
        return make_folder(run, quarantine)
    finally:
        os.close(quarantine)


@contextmanager
def open_quarantine(folder: int) -> Iterator[int | None]:
    """Yield the handle of the quarantine of a session folder, None when there is none. Raises OSError."""
    try:
        own = os.open(OWN_FOLDER, FOLDER_FLAGS, dir_fd=folder)
    except FileNotFoundError:
        yield None
        return
    try:
        quarantine = os.open(QUARANTINE, FOLDER_FLAGS, dir_fd=own)
    except FileNotFoundError:
        os.close(own)
        yield None
        return
    try:
        yield quarantine
    finally:
        os.close(quarantine)
        os.close(own)


@contextmanager
def open_run(quarantine: int, run: str) -> Iterator[int]:
    """Yield the handle of one run in a quarantine. Raises OSError."""
    fd = os.open(run, FOLDER_FLAGS, dir_fd=quarantine)
    try:
        yield fd
    finally:
        os.close(fd)


def list_runs(quarantine: int) -> list[tuple[str, datetime]]:
    """Given a quarantine, return its runs and when they started, oldest first."""
    runs = ((name, run_started(name)) for name in os.listdir(quarantine))
    return sorted((name, started) for name, started in runs if started is not None)


def describe_runs(folder: int) -> list[UndoRun]:
    """Given the handle of a session folder, return what can be undone there, oldest first."""
    found = []
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return []
        for run, started in list_runs(quarantine):
            with open_run(quarantine, run) as fd, os.scandir(fd) as entries:
                sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
            if sizes:
                found.append(UndoRun(run, started, len(sizes), sum(sizes)))
    return found


def mend(folder: int) -> list[str]:
    """Put back what an interrupted run left half removed, and return the names.

    Two things can be left: a file under the name of a removal in progress, and a quarantined file that the
    bot went on to write (it had opened it before the move). Both return where nothing newer stands.
    """
    mended = []
    for name in os.listdir(folder):
        if name.startswith(REMOVING_PREFIX) and put_back(name, folder, name[len(REMOVING_PREFIX) :], folder):
            mended.append(name[len(REMOVING_PREFIX) :])
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return mended
        for run, started in list_runs(quarantine):
            with open_run(quarantine, run) as fd:
                mended += [name for name in _written_since(fd, started) if put_back(name, fd, name, folder)]
    return mended


def _written_since(run: int, started: datetime) -> list[str]:
    # Pre-keys are written once and removed at any age, so theirs says nothing; whatever else was removed was
    # at least a day old.
    limit = int(started.timestamp()) * 1_000_000_000
    with os.scandir(run) as entries:
        return [
            entry.name
            for entry in entries
            if kind_of(entry.name) is not Kind.PRE_KEY
            and entry.stat(follow_symlinks=False).st_mtime_ns >= limit
        ]


def put_back(name: str, source: int, live_name: str, folder: int) -> bool:
    """Move a file back into its folder unless something stands there already; return whether it moved.

    By hard link, which never replaces anything; without hard links by a look and a rename.
    """
    try:
        os.link(name, live_name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError:
        try:
            os.stat(live_name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, live_name, src_dir_fd=source, dst_dir_fd=folder)
            return True
        return False
    os.unlink(name, dir_fd=source)
    return True


def purge(folder: int, now: datetime, undo_window: timedelta) -> tuple[int, int]:
    """Remove quarantined runs older than `undo_window`; return how many files and bytes that freed.

    A run from the future stays.
    """
    files = size = 0
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return 0, 0
        for run, started in list_runs(quarantine):
            if now - started > undo_window:
                with open_run(quarantine, run) as fd:
                    freed = _empty(fd)
                files, size = files + freed[0], size + freed[1]
                with suppress(OSError):
                    os.rmdir(run, dir_fd=quarantine)
    remove_empty_folders(folder)
    return files, size


def _empty(run: int) -> tuple[int, int]:
    files = size = 0
    with os.scandir(run) as entries:
        for entry in list(entries):
            size += entry.stat(follow_symlinks=False).st_size
            os.unlink(entry.name, dir_fd=run)
            files += 1
    return files, size


def remove_empty_folders(folder: int) -> None:
    """Take down the quarantine of a session folder, as far as it is empty."""
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return
        for run, _ in list_runs(quarantine):
            with suppress(OSError):
                os.rmdir(run, dir_fd=quarantine)
    with suppress(OSError):
        own = os.open(OWN_FOLDER, FOLDER_FLAGS, dir_fd=folder)
        try:
            os.rmdir(QUARANTINE, dir_fd=own)
        finally:
            os.close(own)
        os.rmdir(OWN_FOLDER, dir_fd=folder)


def undo_run(
    folder: int, run: str, choose: Callable[[Collection[str], Collection[str]], Mapping[str, UndoReason]]
) -> dict[str, UndoReason]:
    """Put the files of a run back as `choose` (quarantined names, live names) says; return what happened.

    Needs the company's lock. Files that stay are in the quarantine still. Raises OSError.
    """
    with open_quarantine(folder) as quarantine:
        if quarantine is None or run not in dict(list_runs(quarantine)):
            return {}
        with open_run(quarantine, run) as fd:
            reasons = dict(choose(os.listdir(fd), frozenset(os.listdir(folder))))
            for name, reason in reasons.items():
                if reason is UndoReason.BACK and not put_back(name, fd, name, folder):
                    reasons[name] = UndoReason.NEWER_STANDS
    remove_empty_folders(folder)
    return reasons
