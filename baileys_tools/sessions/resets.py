"""Sets a whole session folder aside, undoably, and brings it back: by renames alone, no file is ever copied.

    <root>/.baileys-tools-reset-<folder>           the new, empty folder until the swap, the old one after it
    <folder>/.baileys-tools/resets/<run>/          the old folder, as it was, but for what had been set aside in it
    <folder>/.baileys-tools/reset.json             the journal, in the folder that comes in, until all is done

Both ways are the same three steps: what comes in stands beside the folder with the journal in it; the two swap
names in one step; what went out is moved into what came in. From where the journal is, the next command tells how
far one came that died: beside the folder nothing has changed yet, in the folder the swap is done.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from stat import S_ISREG
from typing import Any, NamedTuple

from baileys_tools.domain.clock import has_waited
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.locks import company_lock
from baileys_tools.sessions.names import RESET_JOURNAL, RESETS
from baileys_tools.sessions.place import Place, place_of
from baileys_tools.sessions.quarantine import QUARANTINE, Purge, make_folder, run_started, waits_since
from baileys_tools.sessions.renames import NOT_OFFERED, exchange
from baileys_tools.sessions.roots import FOLDER_FLAGS, Company, Root
from baileys_tools.sessions.scan import (
    LOCK_NAME,
    OWN_FOLDER,
    exists,
    exists_in_own_folder,
    in_own_folder,
    is_own,
)
from baileys_tools.sessions.staging import look, read_journal, remove_journal, write_journal
from baileys_tools.sessions.trees import holds_files, remove_tree

_GOING = ".going-"
"""Before the name of a run that is being removed for good: half of it must never come back."""


class ResetRun(NamedTuple):
    """One folder that was set aside: its run, when, and what is in it."""

    run: str
    started: datetime
    files: int
    size: int


@contextmanager
def _place_of(root: Root, company: Company, folder: int) -> Iterator[Place]:
    try:
        with place_of(root, company, folder) as place:
            yield place
    except BaileysToolsError as error:
        if error.exit_code is not ExitCode.REFUSED:
            raise
        raise _mount_point(root.path) from error


def _mount_point(path: str) -> BaileysToolsError:
    return BaileysToolsError(
        f"{path} is a mount point, so it cannot be swapped for an empty folder in one step",
        "Stop the bot, move the files of the folder into another one on the same disk by hand, and start it.",
        exit_code=ExitCode.REFUSED,
    )


def set_aside(root: Root, company: Company, folder: int, run: str, now: datetime) -> None:
    """Put an empty folder (mode 0700, same owner) in the place of a session folder, which waits in it for undo.

    Needs the company's lock on `folder`. Raises OSError or BaileysToolsError; then the folder is as it was, or the
    next command finishes what is left.
    """
    with _place_of(root, company, folder) as place:
        _clear(place)
        os.mkdir(place.reset, 0o700, dir_fd=place.parent)
        coming = os.open(place.reset, FOLDER_FLAGS, dir_fd=place.parent)
        try:
            old, new = os.fstat(folder), os.fstat(coming)
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.fchown(coming, old.st_uid, old.st_gid)
            _change_places(place, folder, coming, {"run": run, "from": ""}, now)
        finally:
            os.close(coming)


def bring_back(root: Root, company: Company, folder: int, run: str, new_run: str, now: datetime) -> list[str]:
    """Put the folder that a run set aside back in its place, and return the names of its files.

    What stands there now waits in it, as `new_run`, unless it is empty.

    Needs the company's lock on `folder`. Raises as `set_aside`, FileNotFoundError when there is no such run.
    """
    with _place_of(root, company, folder) as place, in_own_folder(RESETS, folder) as resets:
        if resets is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), run)
        _clear(place)
        coming = os.open(run, FOLDER_FLAGS, dir_fd=resets)
        try:
            # The journal first: beside the folder, nothing may stand of which nobody knows what it is.
            write_journal(coming, _journal(coming, folder, {"run": new_run, "from": run}), RESET_JOURNAL)
            os.rename(run, place.reset, src_dir_fd=resets, dst_dir_fd=place.parent)
            os.fsync(resets)
            _change_places(place, folder, coming, {"run": new_run, "from": run}, now)
            return [name for name in os.listdir(coming) if not is_own(name)]
        finally:
            os.close(coming)


def _change_places(place: Place, going: int, coming: int, what: dict[str, str], now: datetime) -> None:
    # Whoever opens the folder by name from the swap on finds it locked as well.
    with company_lock(coming, now):
        try:
            write_journal(coming, _journal(coming, going, what), RESET_JOURNAL)
            os.fsync(place.parent)
            _swap(place)
        except BaseException:
            waiting = look(place.reset, place.parent)
            if waiting is not None and waiting.st_ino == os.fstat(coming).st_ino:
                with suppress(OSError):
                    _give_up(place, going)
            raise
        _finish(place, coming)


def _journal(coming: int, going: int, what: dict[str, str]) -> dict[str, Any]:
    return {"in": os.fstat(coming).st_ino, "out": os.fstat(going).st_ino, **what}


def _swap(place: Place) -> None:
    try:
        exchange(place.reset, place.name, place.parent)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise _mount_point(place.name) from error
        if error.errno not in NOT_OFFERED:
            raise
        os.rename(place.name, place.replaced, src_dir_fd=place.parent, dst_dir_fd=place.parent)
        try:
            os.rename(place.reset, place.name, src_dir_fd=place.parent, dst_dir_fd=place.parent)
        except OSError:
            os.rename(place.replaced, place.name, src_dir_fd=place.parent, dst_dir_fd=place.parent)
            raise
        os.rename(place.replaced, place.reset, src_dir_fd=place.parent, dst_dir_fd=place.parent)
    os.fsync(place.parent)


def _finish(place: Place, folder: int) -> None:
    """Given the folder that came in, in its place and with its journal: take in what went out. Raises OSError."""
    journal = read_journal(folder, RESET_JOURNAL)
    if journal is None:
        return
    if exists(place.replaced, place.parent) and not exists(place.reset, place.parent):
        os.rename(place.replaced, place.reset, src_dir_fd=place.parent, dst_dir_fd=place.parent)
    waiting = look(place.reset, place.parent)
    run = journal.get("run")
    if (
        waiting is not None
        and waiting.st_ino == journal.get("out")
        and isinstance(run, str)
        and run_started(run)
    ):
        _take_in(place, folder, run)
    os.fsync(place.parent)
    remove_journal(folder, RESET_JOURNAL)


def _take_in(place: Place, folder: int, run: str) -> None:
    going = os.open(place.reset, FOLDER_FLAGS, dir_fd=place.parent)
    try:
        # What earlier resets set aside has its own time, and is undone by its own run.
        with in_own_folder(RESETS, going) as earlier:
            if earlier is not None:
                for name in os.listdir(earlier):
                    _move_in(name, earlier, name, folder)
        is_empty = not holds_files(going, LOCK_NAME)
    finally:
        os.close(going)
    if is_empty:
        # The new folder of a reset that is undone before the bot wrote anything.
        remove_tree(place.reset, place.parent)
        return
    _move_in(place.reset, place.parent, run, folder)


def _move_in(name: str, source: int, run: str, folder: int) -> None:
    """Move a folder to where those wait that were set aside in `folder`, as `run`."""
    own = make_folder(OWN_FOLDER, folder)
    try:
        resets = make_folder(RESETS, own)
        try:
            os.rename(name, run, src_dir_fd=source, dst_dir_fd=resets)
            os.fsync(resets)
        finally:
            os.close(resets)
        os.fsync(own)
    finally:
        os.close(own)
    os.fsync(folder)


def _give_up(place: Place, folder: int) -> str:
    """Given what waits beside the folder before the swap: put it back where it came from. Raises OSError."""
    waiting = os.open(place.reset, FOLDER_FLAGS, dir_fd=place.parent)
    try:
        journal = read_journal(waiting, RESET_JOURNAL) or {}
        came_from = journal.get("from") or ""
        # An empty folder of our own holds nothing else; anything with files in it is somebody's session.
        holds_removed = any(exists_in_own_folder(name, waiting) for name in (RESETS, QUARANTINE))
        is_ours = not (came_from or holds_removed) and all(is_own(name) for name in os.listdir(waiting))
    finally:
        os.close(waiting)
    if is_ours:
        remove_tree(place.reset, place.parent)
        return "an interrupted reset had changed nothing yet and was given up"
    if not isinstance(came_from, str) or run_started(came_from) is None:
        raise OSError(
            errno.EEXIST, "is beside the folder, and holds a session that nothing tells of", place.reset
        )
    _move_in(place.reset, place.parent, came_from, folder)
    back = os.open(f"{OWN_FOLDER}/{RESETS}/{came_from}", FOLDER_FLAGS, dir_fd=folder)
    try:
        remove_journal(back, RESET_JOURNAL)
    finally:
        os.close(back)
    return "the interrupted undo of a reset had changed nothing yet and was given up"


def _clear(place: Place) -> None:
    if exists(place.reset, place.parent):
        raise OSError(errno.EEXIST, "is left of an earlier reset: run any other command first", place.reset)


def finish_interrupted(root: Root, company: Company, folder: int) -> str:
    """Given an open and locked session folder, finish or give up an interrupted reset or its undo; say which.

    Raises OSError.
    """
    with _place_of(root, company, folder) as place:
        if exists_in_own_folder(RESET_JOURNAL, folder):
            journal = read_journal(folder, RESET_JOURNAL) or {}
            if journal.get("in") == os.fstat(folder).st_ino:
                _finish(place, folder)
                what = "undo of a reset" if journal.get("from") else "reset"
                return f"an interrupted {what} was finished"
            remove_journal(folder, RESET_JOURNAL)
            return ""
        return _give_up(place, folder) if exists(place.reset, place.parent) else ""


# --- what waits ---------------------------------------------------------------------------------------------


def last_reset(folder: int) -> datetime | None:
    """Given the handle of a session folder, return when what waits there was last set aside. Raises OSError."""
    with in_own_folder(RESETS, folder) as resets:
        runs = os.listdir(resets) if resets is not None else []
    return max(filter(None, map(run_started, runs)), default=None)


def describe_resets(folder: int) -> list[ResetRun]:
    """Given the handle of a session folder, return the folders that were set aside there, oldest first."""
    found = []
    with in_own_folder(RESETS, folder) as resets:
        if resets is None:
            return []
        for run in sorted(os.listdir(resets)):
            started = run_started(run)
            if started is None:
                continue
            found.append(ResetRun(run, started, *_files_of(run, resets)))
    return found


def _files_of(run: str, resets: int) -> tuple[int, int]:
    """Return how many files were set aside in a run, and their size."""
    fd = os.open(run, FOLDER_FLAGS, dir_fd=resets)
    try:
        stats = [
            os.stat(name, dir_fd=fd, follow_symlinks=False) for name in os.listdir(fd) if not is_own(name)
        ]
    finally:
        os.close(fd)
    plain = [one.st_size for one in stats if S_ISREG(one.st_mode)]
    return len(plain), sum(plain)


def resets_due(folder: int, now: datetime, kept_for: timedelta, *, is_alive: bool) -> Purge:
    """Return what `purge_resets` would remove. Raises OSError."""
    with in_own_folder(RESETS, folder) as resets:
        if resets is None:
            return Purge()
        return _counted(_due(resets, now, kept_for, is_alive=is_alive), resets)


def purge_resets(folder: int, now: datetime, kept_for: timedelta, *, is_alive: bool) -> Purge:
    """Remove for good what was set aside longer ago than `kept_for`; return how much that was. Raises OSError.

    `is_alive` is whether a paired session stands in the folder. Needs the company's lock.
    """
    with in_own_folder(RESETS, folder) as resets:
        if resets is None:
            return Purge()
        due = _due(resets, now, kept_for, is_alive=is_alive, begin=True)
        done = _counted(due, resets)
        for name in due:
            going = name if name.startswith(_GOING) else _GOING + name
            os.rename(name, going, src_dir_fd=resets, dst_dir_fd=resets)
            remove_tree(going, resets)
    with suppress(OSError):
        own = os.open(OWN_FOLDER, FOLDER_FLAGS, dir_fd=folder)
        try:
            os.rmdir(RESETS, dir_fd=own)
        finally:
            os.close(own)
        os.rmdir(OWN_FOLDER, dir_fd=folder)
    return done


def _counted(runs: Sequence[str], resets: int) -> Purge:
    files = [_files_of(run, resets) for run in runs]
    return Purge(sum(number for number, _ in files), sum(size for _, size in files))


def _due(
    resets: int, now: datetime, kept_for: timedelta, *, is_alive: bool, begin: bool = False
) -> list[str]:
    """Return what has waited for long enough (`begin` as for `waits_since`), and what an earlier purge began with."""
    due = []
    for name in os.listdir(resets):
        started = run_started(name)
        if started is not None:
            since = waits_since(name, started, resets, now, begin=begin)
        if name.startswith(_GOING) or (
            started is not None and has_waited(since, now, kept_for, is_alive=is_alive)
        ):
            due.append(name)
    return due
