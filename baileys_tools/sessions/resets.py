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
from typing import Any, NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.leftovers import files_in, is_bare, new_folder, opened_beside
from baileys_tools.sessions.locks import company_lock
from baileys_tools.sessions.names import OWN_FOLDER, RESET_JOURNAL, RESETS
from baileys_tools.sessions.place import Place, place_of
from baileys_tools.sessions.quarantine import (
    Purge,
    is_of_a_repair,
    make_folder,
    remove_own_folder,
    run_started,
    waits_since,
)
from baileys_tools.sessions.renames import CANNOT_SWAP, move_folder, swap
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.clock import has_waited
from baileys_tools.sessions.scan import exists, exists_in_own_folder, in_own_folder, is_own, open_inside
from baileys_tools.sessions.staging import (
    look,
    read_journal,
    remove_journal,
    write_journal,
)
from baileys_tools.sessions.trees import empty_folder

_GOING = ".going-"
"""Before the name of a run that is being removed for good: half of it must never come back."""


class ResetRun(NamedTuple):
    """One folder that was set aside: its run, when, and what is in it."""

    run: str
    started: datetime
    files: int
    size: int

    @property
    def of_a_restore(self) -> bool:
        """Whether a rollback set it aside, as something had been written into it meanwhile, and no reset."""
        return is_of_a_repair(self.run)


@contextmanager
def _place_of(root: Root, company: Company, folder: int) -> Iterator[Place]:
    try:
        with place_of(root, company, folder) as place:
            yield place
    except BaileysToolsError as error:
        if error.exit_code is not ExitCode.REFUSED:
            raise
        raise _mount_point(company.path) from error


def _mount_point(path: str) -> BaileysToolsError:
    return BaileysToolsError(
        f"{path} {CANNOT_SWAP} for an empty folder in one step",
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
        coming = new_folder(place.reset, place.parent)
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
        coming = open_inside(run, resets)
        try:
            if not _has_same_owner(coming, folder):
                raise OSError(errno.EEXIST, "belongs to another user than the folder it waits in", run)
            # The journal first: beside the folder, nothing may stand of which nobody knows what it is.
            write_journal(coming, _journal(coming, folder, {"run": new_run, "from": run}), RESET_JOURNAL)
            move_folder(run, resets, place.reset, place.parent, coming)
            os.fsync(resets)
            _change_places(place, folder, coming, {"run": new_run, "from": run}, now)
            return [name for name in os.listdir(coming) if not is_own(name)]
        finally:
            os.close(coming)


def _change_places(place: Place, going: int, coming: int, what: dict[str, str], now: datetime) -> None:
    from baileys_tools.sessions.search.hints import require_none_below

    require_none_below(going)
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
        swap(place.name, place.reset, place.replaced, place.parent)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise _mount_point(place.name) from error
        raise


def _finish(place: Place, folder: int) -> None:
    """Given the folder that came in, in its place and with its journal: take in what went out. Raises OSError."""
    journal = read_journal(folder, RESET_JOURNAL)
    if journal is None:
        return
    if exists(place.replaced, place.parent) and not exists(place.reset, place.parent):
        os.rename(place.replaced, place.reset, src_dir_fd=place.parent, dst_dir_fd=place.parent)
    run = journal.get("run")
    with opened_beside(place.reset, place.parent) as going:
        if (
            going is not None
            and os.fstat(going).st_ino == journal.get("out")
            and _has_same_owner(going, folder)
            and isinstance(run, str)
            and run_started(run)
        ):
            take_in(place.reset, place.parent, going, run, folder)
    os.fsync(place.parent)
    remove_journal(folder, RESET_JOURNAL)


def _has_same_owner(one: int, other: int) -> bool:
    # Whoever owns a folder writes its journal: that orders nothing about the folders of others.
    return os.fstat(one).st_uid == os.fstat(other).st_uid


def take_in(name: str, parent: int, going: int, run: str, folder: int) -> None:
    """Have a folder beside a session folder, open as `going`, wait for undo in it as `run`. One without files goes.

    Both belong to one owner. Raises OSError.
    """
    # What earlier resets set aside has its own time, and is undone by its own run.
    with in_own_folder(RESETS, going) as earlier:
        if earlier is not None:
            for each in os.listdir(earlier):
                with opened_beside(each, earlier) as one:
                    if one is not None:
                        _move_in(each, earlier, one, each, folder)
    if is_bare(going):
        # The new folder of a reset that is undone before the bot wrote anything.
        empty_folder(going)
        os.rmdir(name, dir_fd=parent)
        return
    _move_in(name, parent, going, run, folder)


def _move_in(name: str, source: int, going: int, run: str, folder: int) -> None:
    """Move a folder to where those wait that were set aside in `folder`, as `run`."""
    own = make_folder(OWN_FOLDER, folder)
    try:
        resets = make_folder(RESETS, own)
        try:
            move_folder(name, source, run, resets, going)
            os.fsync(resets)
        finally:
            os.close(resets)
        os.fsync(own)
    finally:
        os.close(own)
    os.fsync(folder)


def _give_up(place: Place, folder: int) -> str:
    """Given what waits beside the folder before the swap: put it back where it came from. Raises OSError."""
    with opened_beside(place.reset, place.parent) as waiting:
        if waiting is None:
            raise _stands_there(place)
        if not os.listdir(waiting):
            os.rmdir(place.reset, dir_fd=place.parent)
            return _GIVEN_UP
        if not _has_same_owner(waiting, folder):
            raise _stands_there(place)
        journal = read_journal(waiting, RESET_JOURNAL) or {}
        came_from = journal.get("from") or ""
        if not came_from and is_bare(waiting):
            empty_folder(waiting)
            os.rmdir(place.reset, dir_fd=place.parent)
            return _GIVEN_UP
        tells = isinstance(came_from, str) and run_started(came_from) is not None
        if not tells or journal.get("in") != os.fstat(waiting).st_ino:
            raise _stands_there(place)
        _move_in(place.reset, place.parent, waiting, came_from, folder)
        remove_journal(waiting, RESET_JOURNAL)
    return "the interrupted undo of a reset had changed nothing yet and was given up"


_GIVEN_UP = "an interrupted reset had changed nothing yet and was given up"


def _stands_there(place: Place) -> OSError:
    return OSError(
        errno.EEXIST, "is beside the folder, and holds a session that nothing tells of", place.reset
    )


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
    return max(filter(None, (run_started(run) for run in runs if not is_of_a_repair(run))), default=None)


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
    fd = open_inside(run, resets)
    try:
        return files_in(fd)
    finally:
        os.close(fd)


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
        done = Purge()
        for name in _due(resets, now, kept_for, is_alive=is_alive, begin=True):
            try:
                done.add(_purge(name, resets, folder))
            except OSError as error:
                done.errors[f"{RESETS}/{name}"] = error.strerror or str(error)
    remove_own_folder(RESETS, folder)
    return done


def _purge(name: str, resets: int, folder: int) -> Purge:
    with opened_beside(name, resets) as run:
        if run is None or not _has_same_owner(run, folder):
            raise OSError(errno.EEXIST, "belongs to another user than the folder it waits in: move it away")
        freed = _counted([name], resets)
        going = name if name.startswith(_GOING) else _GOING + name
        move_folder(name, resets, going, resets, run)
        empty_folder(run)
        os.rmdir(going, dir_fd=resets)
    return freed


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
