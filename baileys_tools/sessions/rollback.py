"""Replaces a whole session folder in one step.

    <root>/.baileys-tools-restore-<folder>      the new folder until the swap, the old one after it
    <root>/.baileys-tools-replaced-<folder>     the old folder, where the file system cannot swap

The new folder has a journal inside before anything else, and is complete and on disk before the swap, so that the
next command can tell from where the journal is how far a restore came that died: before the swap the stage goes,
after it the old folder does, or waits for undo if something was written into it meanwhile. A bot never sees a
mixture. What else stands under these names is judged by `leftovers.py`.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from stat import S_IMODE
from typing import Any

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.place import open_place
from baileys_tools.sessions.leftovers import Left, new_folder, opened_beside, run_of, what_is_left
from baileys_tools.sessions.locks import ANOTHER_RESTORE, Locked, company_lock, stage_lock
from baileys_tools.sessions.names import OWN_FOLDER, RESETS
from baileys_tools.sessions.place import Place
from baileys_tools.sessions.quarantine import QUARANTINE, make_folder, new_run_id, run_started
from baileys_tools.sessions.renames import CANNOT_SWAP, move_folder, swap
from baileys_tools.sessions.repair import fit
from baileys_tools.sessions.resets import take_in
from baileys_tools.sessions.rules.restore_plan import CREDS, Action, LiveFolder, RestorePlan
from baileys_tools.sessions.rules.snapshot import StoredFile
from baileys_tools.sessions.scan import exists, exists_in_own_folder, in_own_folder, is_own, own_folder
from baileys_tools.sessions.staging import (
    look,
    owners_for,
    read_journal,
    remove_journal,
    seen_file,
    sync_files,
    write_journal,
    write_new,
)
from baileys_tools.sessions.trees import empty_folder


@dataclass(slots=True)
class RolledBack:
    """What a rollback did. `swapped` is false where the folder was replaced in two steps.

    `old_run` is the run as which the old folder waits for undo, because something was written into it meanwhile.
    """

    brought_back: list[str] = field(default_factory=list)
    swapped: bool = True
    old_run: str = ""


def roll_back(
    place: Place,
    folder: int,
    plan: RestorePlan,
    live: LiveFolder,
    contents: Mapping[str, StoredFile],
    files: Mapping[str, StoredFile],
    now: datetime,
) -> RolledBack:
    """Carry out the plan of a rollback. `contents` are the files of the folder, `files` those of the snapshot.

    Needs the company's lock. Raises OSError or BaileysToolsError; then the folder is as it was, or the next
    command finishes what is left.
    """
    wanted = [files[name] for name in plan.named(Action.BRING_BACK)]
    wanted = [fit(file, plan.next_pre_key_id) for file in wanted]
    kept = [contents[name] for name in plan.named(Action.KEEP)]
    old = os.fstat(folder)
    journal = _journal(folder, live, new_run_id(now, of_a_repair=True))
    # Whoever opens the folder by name from the swap on finds it locked as well.
    with _new_stage(
        place, folder, (old.st_uid, old.st_gid), journal, partial(company_lock, now=now)
    ) as stage:
        _fill(stage, folder, [*kept, *wanted])
        os.fsync(place.parent)
        swapped = _swap(place)
        done = finish_rollback(place, stage)
        done.swapped = swapped
        done.brought_back = [file.entry.name for file in wanted]
        return done


@contextmanager
def _new_stage(
    place: Place,
    folder: int | None,
    owner: tuple[int, int] | None,
    journal: Mapping[str, Any],
    lock: Callable[[int], AbstractContextManager[None]],
) -> Iterator[int]:
    """Make the folder that is to take a name, and yield its handle, locked and with its journal. It goes again when
    that fails.

    `folder` is what has the name now, if anything. Raises Locked while another process has one there, OSError.
    """
    see_to_leftover(place.stage, place, folder)
    if exists(place.stage, place.parent):
        raise OSError(
            errno.EEXIST, "is in the way, and nothing tells what it is: look, and move it away", place.stage
        )
    stage = new_folder(place.stage, place.parent)
    with ExitStack() as held:
        held.callback(os.close, stage)
        try:
            new = os.fstat(stage)
            if owner is not None and owner != (new.st_uid, new.st_gid):
                os.fchown(stage, *owner)
            held.enter_context(lock(stage))
            # Between the two calls another process may have taken the empty folder for one that was left.
            if not _is_called(place.stage, place.parent, stage):
                raise Locked(ANOTHER_RESTORE)
            # First of all: what stands there without a journal is nobody's to remove.
            write_journal(stage, journal)
            yield stage
        except Locked:
            raise
        except BaseException:
            # Only while the name is still that of the new folder: after a swap it is that of the old one.
            with suppress(OSError):
                if _is_called(place.stage, place.parent, stage):
                    empty_folder(stage)
                    os.rmdir(place.stage, dir_fd=place.parent)
            raise


def _is_called(name: str, parent: int, folder: int) -> bool:
    seen = look(name, parent)
    return seen is not None and seen.st_ino == os.fstat(folder).st_ino


def _fill(stage: int, folder: int, files: Sequence[StoredFile]) -> None:
    """Write the new folder, with the owners and the mode of the old one: complete and on disk."""
    owners = owners_for(folder, [file.entry for file in files])
    for file in files:
        write_new(stage, file.entry, file.content, owner=owners.get(file.entry.name))
    sync_files(stage, [file.entry.name for file in files])
    os.fchmod(stage, S_IMODE(os.fstat(folder).st_mode))


def _journal(folder: int, live: LiveFolder, run: str) -> dict[str, Any]:
    return {
        "mode": "rollback",
        "run": run,
        "old": os.fstat(folder).st_ino,
        "files": {name: seen_file(stat) for name, stat in live.every_file.items()},
    }


def _swap(place: Place) -> bool:
    """Put the stage in the folder's place and the folder in the stage's; return whether in one step."""
    try:
        return swap(place.name, place.stage, place.replaced, place.parent)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise BaileysToolsError(
                f"{place.name} {CANNOT_SWAP} in one step",
                "Use --mode repair, which works inside the folder, or --target for a plain copy elsewhere.",
                exit_code=ExitCode.REFUSED,
            ) from error
        raise


def finish_rollback(place: Place, folder: int) -> RolledBack:
    """Given the new folder in its place, with its journal, take over what waits for undo and see to the old folder.

    It goes if nothing was written into it since the plan; else it waits for undo. One that is not proven to be the
    old one is left as it is. Needs the company's lock. Raises OSError; then the journal is still there.
    """
    done = RolledBack()
    journal = read_journal(folder)
    if journal is None:
        return done
    if exists(place.replaced, place.parent) and not exists(place.stage, place.parent):
        os.rename(place.replaced, place.stage, src_dir_fd=place.parent, dst_dir_fd=place.parent)
    with opened_beside(place.stage, place.parent) as old:
        if old is not None and _is_the_old_one(old, folder, journal):
            _take_over_what_waits(old, folder)
            if _is_as_planned(old, journal):
                empty_folder(old)
                os.rmdir(place.stage, dir_fd=place.parent)
            else:
                done.old_run = _run_in(journal) or run_of(old)
                take_in(place.stage, place.parent, old, done.old_run, folder)
    os.fsync(place.parent)
    remove_journal(folder)
    return done


def _is_the_old_one(old: int, folder: int, journal: Mapping[str, Any]) -> bool:
    """The journal is the word of whoever owns the folder it is in, and goes for no folder of another's."""
    seen = os.fstat(old)
    return seen.st_ino == journal.get("old") and seen.st_uid == os.fstat(folder).st_uid


def _run_in(journal: Mapping[str, Any]) -> str:
    run = journal.get("run")
    return run if isinstance(run, str) and run_started(run) is not None else ""


def _take_over_what_waits(old: int, new: int) -> None:
    """Keep what cleanups and resets have removed within reach of undo."""
    for name in (QUARANTINE, RESETS):
        with in_own_folder(name, old) as waiting:
            if waiting is not None and not exists_in_own_folder(name, new):
                _take_over(name, waiting, old, new)


def _take_over(name: str, waiting: int, old: int, new: int) -> None:
    """Move a folder from our own one of a session folder into that of another. By handle: each of the two belongs
    to a bot's user, who may put a link to another company's in its place at any moment."""
    target = make_folder(OWN_FOLDER, new)
    try:
        with own_folder(old) as source:
            if source is not None:
                move_folder(name, source, name, target, waiting)
    finally:
        os.close(target)


def _is_as_planned(old: int, journal: Mapping[str, Any]) -> bool:
    """Whether nothing was written into the old folder since the plan, and nothing in it waits for undo.

    What is already removed is no change.
    """
    planned = journal.get("files")
    if not isinstance(planned, dict) or any(exists_in_own_folder(name, old) for name in (QUARANTINE, RESETS)):
        return False
    for name in os.listdir(old):
        if is_own(name):
            continue
        seen = look(name, old)
        if seen is not None and list(seen) != planned.get(name):
            return False
    return True


def see_to_leftover(name: str, place: Place, folder: int | None) -> str:
    """Given a name beside a session folder under which a restore that died can have left one, see to what is there.

    Return what was done: the stage of one that died before its folder had its name goes, an old folder waits for undo
    in the one that has its place. What is not proven to be either stays as it is. `folder` is what stands in the
    place, if anything. Raises Locked when the restore lives, OSError.
    """
    with opened_beside(name, place.parent) as left:
        if left is None:
            return ""
        with stage_lock(left):
            if not _is_called(name, place.parent, left):
                raise Locked(ANOTHER_RESTORE)
            what = what_is_left(left, place, folder)
            if what in (Left.NOTHING, Left.STAGE):
                empty_folder(left)
                os.rmdir(name, dir_fd=place.parent)
                return "an interrupted rollback had changed nothing yet and was given up"
            if what is Left.SESSION and folder is not None:
                run = run_of(left)
                take_in(name, place.parent, left, run, folder)
                return f"the old folder of an interrupted rollback waits for undo, as run {run}"
    return ""


def write_plain_folder(path: str, files: Sequence[StoredFile], like: int | None = None) -> None:
    """Write the files of a snapshot as a folder that is not there yet, or is empty; whole or not at all.

    Modes and ages are those of the snapshot. So are owners where root writes, unless `like` is the handle of a
    folder of somebody else than root, who is to have them. The folder belongs to whoever has `creds.json`: a bot
    that may not look into its folder takes its session for lost. Raises Locked while another process does
    the same, OSError, also where a link of somebody else leads root elsewhere.
    """
    parent_path, name = os.path.split(os.path.abspath(path))
    parent = open_place(parent_path)
    try:
        place = Place(parent, name)
        there = None if like is None else os.fstat(like)
        owner = None if there is None or there.st_uid == 0 else (there.st_uid, there.st_gid)
        main = next((file for file in files if file.entry.name == CREDS), files[0]).entry
        if os.geteuid() == 0 and owner is None and main.uid == 0:
            # A working copy of a store is root's, and what root makes in another's place is not.
            around = os.fstat(parent)
            owner = (around.st_uid, around.st_gid) if around.st_uid != 0 else None
        its = (owner or (main.uid, main.gid)) if os.geteuid() == 0 else None
        with _new_stage(place, None, its, {"mode": "new", "name": name}, stage_lock) as stage:
            for file in files:
                entry = file.entry
                write_new(stage, entry, file.content, owner=owner or (entry.uid, entry.gid))
            sync_files(stage, [file.entry.name for file in files])
            # An empty folder under the name gives way, one with anything in it does not.
            os.rename(place.stage, name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
            remove_journal(stage)
    finally:
        os.close(parent)
