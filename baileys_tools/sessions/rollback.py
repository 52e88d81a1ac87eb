"""Replaces a whole session folder in one step.

    <root>/.baileys-tools-restore-<folder>      the new folder until the swap, the old one after it
    <root>/.baileys-tools-replaced-<folder>     the old folder, where the file system cannot swap

The new folder is complete and on disk before the swap, with a journal inside, so that the next command can
tell from where the journal is how far a restore came that died: before the swap the stage goes, after it the
old folder does. A bot never sees a mixture.
"""

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from stat import S_IMODE
from typing import Any

from baileys_tools.domain.restore_plan import CREDS, Action, LiveFolder, RestorePlan
from baileys_tools.domain.snapshot import StoredFile
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.locks import ANOTHER_RESTORE, Locked, company_lock, stage_lock
from baileys_tools.sessions.names import RESETS
from baileys_tools.sessions.place import Place
from baileys_tools.sessions.quarantine import QUARANTINE
from baileys_tools.sessions.renames import NOT_OFFERED, exchange
from baileys_tools.sessions.repair import fit
from baileys_tools.sessions.roots import FOLDER_FLAGS
from baileys_tools.sessions.scan import OWN_FOLDER, exists, exists_in_own_folder, is_own
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
from baileys_tools.sessions.trees import remove_tree


@dataclass(slots=True)
class RolledBack:
    """What a rollback did. `swapped` is false where the folder was replaced in two steps.

    `old_folder` is where the old folder still is, because something was written into it meanwhile.
    """

    brought_back: list[str] = field(default_factory=list)
    swapped: bool = True
    old_folder: str = ""


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
    # Whoever opens the folder by name from the swap on finds it locked as well.
    with _new_stage(place, partial(company_lock, now=now)) as stage:
        _fill(stage, folder, [*kept, *wanted])
        write_journal(stage, _journal(folder, live))
        os.fsync(place.parent)
        swapped = _swap(place)
        done = finish_rollback(place, stage)
        done.swapped = swapped
        done.brought_back = [file.entry.name for file in wanted]
        return done


@contextmanager
def _new_stage(place: Place, lock: Callable[[int], AbstractContextManager[None]]) -> Iterator[int]:
    """Make the folder that is to take a name, and yield its handle, locked. It goes again when that fails.

    Raises Locked while another process has one there, OSError.
    """
    discard_leftovers(place)
    os.mkdir(place.stage, 0o700, dir_fd=place.parent)
    stage = os.open(place.stage, FOLDER_FLAGS, dir_fd=place.parent)
    with ExitStack() as held:
        held.callback(os.close, stage)
        try:
            held.enter_context(lock(stage))
            # Between the two calls another process may have taken the empty folder for one that was left.
            if not _is_called(place.stage, place.parent, stage):
                raise Locked(ANOTHER_RESTORE)
            yield stage
        except Locked:
            raise
        except BaseException:
            # Only while the name is still that of the new folder: after a swap it is that of the old one.
            with suppress(OSError):
                if _is_called(place.stage, place.parent, stage):
                    remove_tree(place.stage, place.parent)
            raise


def _is_called(name: str, parent: int, folder: int) -> bool:
    seen = look(name, parent)
    return seen is not None and seen.st_ino == os.fstat(folder).st_ino


def _fill(stage: int, folder: int, files: Sequence[StoredFile]) -> None:
    """Write the new folder, with the owner and the mode of the old one: complete and on disk."""
    old = os.fstat(folder)
    new = os.fstat(stage)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(stage, old.st_uid, old.st_gid)
    owners = owners_for(folder, [file.entry for file in files])
    for file in files:
        write_new(stage, file.entry, file.content, owner=owners.get(file.entry.name))
    sync_files(stage, [file.entry.name for file in files])
    os.fchmod(stage, S_IMODE(old.st_mode))


def _journal(folder: int, live: LiveFolder) -> dict[str, Any]:
    return {
        "mode": "rollback",
        "old": os.fstat(folder).st_ino,
        "files": {name: seen_file(file.stat) for name, file in live.files.items()},
    }


def _swap(place: Place) -> bool:
    """Put the stage in the folder's place and the folder in the stage's; return whether in one step."""
    try:
        exchange(place.stage, place.name, place.parent)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise BaileysToolsError(
                f"{place.name} is a mount point, so it cannot be swapped in one step",
                "Use --mode repair, which works inside the folder, or --target for a plain copy elsewhere.",
                exit_code=ExitCode.REFUSED,
            ) from error
        if error.errno not in NOT_OFFERED:
            raise
        os.rename(place.name, place.replaced, src_dir_fd=place.parent, dst_dir_fd=place.parent)
        try:
            os.rename(place.stage, place.name, src_dir_fd=place.parent, dst_dir_fd=place.parent)
        except OSError:
            os.rename(place.replaced, place.name, src_dir_fd=place.parent, dst_dir_fd=place.parent)
            raise
        os.rename(place.replaced, place.stage, src_dir_fd=place.parent, dst_dir_fd=place.parent)
        os.fsync(place.parent)
        return False
    os.fsync(place.parent)
    return True


def finish_rollback(place: Place, folder: int) -> RolledBack:
    """Given the new folder in its place, with its journal, take over what waits for undo and remove the old folder.

    Needs the company's lock. Raises OSError; then the journal is still there.
    """
    done = RolledBack()
    journal = read_journal(folder)
    if journal is None:
        return done
    if exists(place.replaced, place.parent) and not exists(place.stage, place.parent):
        os.rename(place.replaced, place.stage, src_dir_fd=place.parent, dst_dir_fd=place.parent)
    with suppress(FileNotFoundError):
        old = os.open(place.stage, FOLDER_FLAGS, dir_fd=place.parent)
        try:
            is_the_old_one = os.fstat(old).st_ino == journal.get("old")
            if is_the_old_one:
                _take_over_what_waits(old, folder)
            unchanged = is_the_old_one and _is_as_planned(old, journal)
        finally:
            os.close(old)
        if unchanged:
            remove_tree(place.stage, place.parent)
        else:
            done.old_folder = f"{place.replaced}-{secrets.token_hex(3)}"
            os.rename(place.stage, done.old_folder, src_dir_fd=place.parent, dst_dir_fd=place.parent)
    os.fsync(place.parent)
    remove_journal(folder)
    return done


def _take_over_what_waits(old: int, new: int) -> None:
    """Keep what cleanups and resets have removed within reach of undo."""
    for name in (QUARANTINE, RESETS):
        if exists_in_own_folder(name, old) and not exists_in_own_folder(name, new):
            path = f"{OWN_FOLDER}/{name}"
            os.rename(path, path, src_dir_fd=old, dst_dir_fd=new)


def _is_as_planned(old: int, journal: Mapping[str, Any]) -> bool:
    """Whether nothing was written into the old folder since the plan. What is already removed is no change."""
    planned = journal.get("files")
    if not isinstance(planned, dict):
        return False
    for name in os.listdir(old):
        if is_own(name):
            continue
        seen = look(name, old)
        if seen is not None and list(seen) != planned.get(name):
            return False
    return True


def discard_leftovers(place: Place) -> bool:
    """Remove the stage of a restore that died before its folder had its name; return whether there was one.

    Nothing else is beside a folder without a journal. Raises Locked when the restore lives, OSError.
    """
    try:
        left = os.open(place.stage, FOLDER_FLAGS, dir_fd=place.parent)
    except FileNotFoundError:
        return False
    try:
        with stage_lock(left):
            if not _is_called(place.stage, place.parent, left):
                raise Locked(ANOTHER_RESTORE)
            remove_tree(place.stage, place.parent)
    finally:
        os.close(left)
    return True


def write_plain_folder(path: str, files: Sequence[StoredFile], like: int | None = None) -> None:
    """Write the files of a snapshot as a folder that is not there yet, or is empty; whole or not at all.

    Modes and ages are those of the snapshot. So are owners where root writes, unless `like` is the handle of a
    folder of somebody else than root, who is to have them. The folder belongs to whoever has `creds.json`: a bot
    that may not look into its folder takes its session for lost. Raises Locked while another process does
    the same, OSError.
    """
    parent_path, name = os.path.split(os.path.abspath(path))
    parent = os.open(parent_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        place = Place(parent, name)
        with _new_stage(place, stage_lock) as stage:
            there = None if like is None else os.fstat(like)
            owner = None if there is None or there.st_uid == 0 else (there.st_uid, there.st_gid)
            if os.geteuid() == 0:
                main = next((file for file in files if file.entry.name == CREDS), files[0]).entry
                os.fchown(stage, *(owner or (main.uid, main.gid)))
            for file in files:
                entry = file.entry
                write_new(stage, entry, file.content, owner=owner or (entry.uid, entry.gid))
            sync_files(stage, [file.entry.name for file in files])
            # An empty folder under the name gives way, one with anything in it does not.
            os.rename(place.stage, name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
    finally:
        os.close(parent)
