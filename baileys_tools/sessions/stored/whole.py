"""What a command has made of a whole working copy, written back in one step: all of it, or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.locks import Locked
from baileys_tools.sessions.names import RESETS
from baileys_tools.sessions.quarantine import QUARANTINE, remove_empty_folders, remove_own_folder
from baileys_tools.sessions.scan import in_own_folder, open_inside
from baileys_tools.sessions.staging import sync_files
from baileys_tools.sessions.stored.copies import working_copy
from baileys_tools.sessions.stored.working import Moved, WorkingCopy
from baileys_tools.sessions.trees import remove_tree
from baileys_tools.stores.cells import HalfChanged, StoreLocked, StoreTrouble

_KEPT_IN = (QUARANTINE, RESETS)


@contextmanager
def written_whole(company: str, folder: int) -> Iterator[None]:
    """Given the handle of a locked session folder, have its store hold what the body makes of it; a folder just stays.

    The workers of the bot's program are kept away meanwhile, where the store has such a thing. What the body sets aside
    is on the disk of this host before the store is asked. Nothing is written where a record has changed since it was
    read, or one has come: exit code 13. Raises Locked for a worker, BaileysToolsError for a store that refuses or does
    not answer, and for a body that fails.
    """
    copy = working_copy(folder)
    if copy is None:
        yield
        return
    try:
        with copy.store.claimed(copy.tenant), _settled(copy):
            yield
    except StoreLocked as lock:
        raise Locked(str(lock)) from None
    except Moved as moved:
        told, then = str(moved), "Nothing was changed. Stop the bot, and run it again."
        raise BaileysToolsError(f"company {company}: {told}", then, exit_code=ExitCode.REFUSED) from moved
    except HalfChanged as half:
        then = "Run the same command again before the bot starts: it completes what is missing."
        raise BaileysToolsError(f"company {company}: {half}", then) from half
    except StoreTrouble as trouble:
        then = "The store has all of it by now, or nothing: look with status, then run it again."
        raise BaileysToolsError(f"company {company}: {trouble}", then) from trouble
    except OSError as error:
        told = f"company {company}: {say_why(error)}"
        raise BaileysToolsError(told, "Nothing was changed in the store.") from error


@contextmanager
def _settled(copy: WorkingCopy) -> Iterator[None]:
    before = _kept(copy)
    try:
        yield
        _sync(copy, _kept(copy) - before)
        copy.require_unmoved()
        copy.store.require_held(copy.tenant)
        copy.settle(whole=True)
    except Moved:
        # What it set aside stands in the store as it did, and is no removal to be undone.
        _drop(copy, _kept(copy) - before)
        raise
    finally:
        copy.forget(frozenset(copy.changed()))


def _kept(copy: WorkingCopy) -> set[tuple[str, str]]:
    """Return what waits here for undo: where, and of which run."""
    found = set()
    with copy.opened() as folder:
        for place in _KEPT_IN:
            with in_own_folder(place, folder) as waiting:
                found |= {(place, run) for run in (_within(waiting, True) if waiting is not None else ())}
    return found


def _within(folder: int, are_folders: bool) -> list[str]:
    with os.scandir(folder) as entries:
        return [one.name for one in entries if one.is_dir(follow_symlinks=False) is are_folders]


def _drop(copy: WorkingCopy, runs: set[tuple[str, str]]) -> None:
    with copy.opened() as folder:
        for place, run in runs:
            with in_own_folder(place, folder) as waiting:
                if waiting is not None:
                    remove_tree(run, waiting)
        remove_empty_folders(folder)
        remove_own_folder(RESETS, folder)


def _sync(copy: WorkingCopy, runs: set[tuple[str, str]]) -> None:
    """Have what waits here on the disk for good."""
    with copy.opened() as folder:
        for place, run in runs:
            with in_own_folder(place, folder) as waiting:
                if waiting is None:
                    continue
                within = open_inside(run, waiting)
                try:
                    sync_files(within, _within(within, False))
                finally:
                    os.close(within)
                sync_files(waiting, _within(waiting, False))
