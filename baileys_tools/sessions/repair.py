"""Mends a session folder file by file: each comes by rename, `creds.json` last.

    .baileys-tools/restore/<name>     what is to come, already on disk
    .baileys-tools/restore.json       the journal: what was decided, and on which versions of the files

From the journal on, a repair that dies is finished by the next command. A file that changed since the plan is
left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from baileys_tools.sessions.live import BROKEN_DISK
from baileys_tools.sessions.names import OWN_FOLDER, STAGE
from baileys_tools.sessions.quarantine import make_folder, make_run_folder, run_started
from baileys_tools.sessions.removal import FolderRemover
from baileys_tools.sessions.renames import rename_new
from baileys_tools.sessions.rules.creds import fitted_creds
from baileys_tools.sessions.rules.keyfiles import REMOVED_BY_AGE, kind_of
from baileys_tools.sessions.rules.removals import Outcome
from baileys_tools.sessions.rules.restore_plan import CREDS, Action, LiveFolder, RestorePlan
from baileys_tools.sessions.rules.snapshot import LARGEST_FILE, Entry, StoredFile, may_be_stored
from baileys_tools.sessions.scan import in_own_folder, own_folder, read_regular_file
from baileys_tools.sessions.staging import (
    SeenFile,
    foreign_journal,
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

_CHANGED = "changed since the plan was made"


@dataclass(slots=True)
class Repaired:
    """What a repair did. `kept` are files that changed since the plan and stayed, with what was in the way.

    `given_up`: `creds.json` was among them, so perhaps the bot was paired anew, and nothing more was done.
    """

    brought_back: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    given_up: bool = False


def repair(
    folder: int, plan: RestorePlan, live: LiveFolder, files: Mapping[str, StoredFile], run: str, snapshot: str
) -> Repaired:
    """Carry out the plan of a repair. Needs the company's lock. Raises OSError; then nothing was changed, or
    the next command finishes it.
    """
    _stage(folder, plan, live, files, run, snapshot)
    return finish_repair(folder)


def _stage(
    folder: int, plan: RestorePlan, live: LiveFolder, files: Mapping[str, StoredFile], run: str, snapshot: str
) -> None:
    names = plan.named(Action.BRING_BACK)
    owners = owners_for(folder, [files[name].entry for name in names])
    journal = {
        "mode": plan.mode.value,
        "run": run,
        "snapshot": snapshot,
        "set_aside": [
            [[name, *seen_file(stat)] for name, stat in live.files_of(unit).items()]
            for unit in plan.set_aside
        ],
        "bring_back": [
            [name, *(seen_file(live.files[name].stat) if name in live.files else ())] for name in names
        ],
    }
    try:
        with _made_own_folder(folder) as own:
            remove_tree(STAGE, own)
            stage = make_folder(STAGE, own)
            try:
                for name in names:
                    fitted = fit(files[name], plan.next_pre_key_id)
                    write_new(stage, fitted.entry, fitted.content, owner=owners.get(name))
                sync_files(stage, names)
            finally:
                os.close(stage)
            os.fsync(own)
        write_journal(folder, journal)
    except BaseException:
        discard_stage(folder)
        raise


def fit(file: StoredFile, next_pre_key_id: int | None) -> StoredFile:
    """Return a file as it goes into the folder: `creds.json` with counters that fit the keys beside it."""
    if file.entry.name != CREDS or next_pre_key_id is None:
        return file
    content = fitted_creds(file.content, next_pre_key_id)
    return replace(file, entry=replace(file.entry, size=len(content)), content=content)


def finish_repair(folder: int) -> Repaired:
    """Do what the journal of a folder says and was not done yet, then take the journal away.

    Needs the company's lock. Raises OSError; then the journal is still there.
    """
    done = Repaired()
    journal = read_journal(folder)
    if journal is None:
        discard_stage(folder)
        return done
    run, units, names = _orders(journal)
    if _has_other_creds(folder, names):
        done.kept[CREDS] = f"{_CHANGED}, so nothing more was done"
        done.given_up = True
        remove_stage(folder)
        remove_journal(folder)
        return done
    # No memory is noted as alone: one whose key is gone goes as a damage, and an undo leaves it there.
    with FolderRemover(folder, run, always_undoable=True) as remover:
        for unit in units:
            remover.remove_unit(unit)
        for name, outcome in remover.removals.outcomes.items():
            if outcome is Outcome.REMOVED:
                done.set_aside.append(name)
            elif outcome is not Outcome.ALREADY_GONE:
                done.kept[name] = remover.removals.errors.get(name, outcome.value)
    with in_own_folder(STAGE, folder) as stage:
        for name, replaced in names.items():
            _bring_back(name, replaced, stage, folder, run, done)
    sync_files(folder, done.brought_back)
    remove_stage(folder)
    remove_journal(folder)
    return done


def _has_other_creds(folder: int, names: Mapping[str, SeenFile | None]) -> bool:
    """Whether somebody has written the `creds.json` that a repair is still to bring.

    A bot that finds none makes a new identity, and a person who scans its code pairs that: the files of the old
    pairing are of no use to it.
    """
    with in_own_folder(STAGE, folder) as stage:
        is_to_come = CREDS in names and stage is not None and look(CREDS, stage) is not None
    return is_to_come and look(CREDS, folder) not in (None, names[CREDS])


def _bring_back(
    name: str, replaced: SeenFile | None, stage: int | None, folder: int, run: str, done: Repaired
) -> None:
    if stage is None or look(name, stage) is None:
        return  # it came in before the process died
    standing = look(name, folder)
    if standing is not None and standing != replaced:
        done.kept[name] = _CHANGED
        return
    if standing is None:
        try:
            rename_new(name, stage, name, folder)
        except FileExistsError:
            done.kept[name] = "the bot has written a new one"
            return
    else:
        if standing.st_size:
            _keep_a_copy(name, folder, run)
        os.rename(name, name, src_dir_fd=stage, dst_dir_fd=folder)
    done.brought_back.append(name)


def _keep_a_copy(name: str, folder: int, run: str) -> None:
    """Let the unreadable file that is about to be replaced wait in quarantine, under a second name.

    By hard link, so that the folder never lacks the file; where there are none, by copy. Raises OSError.
    """
    place = make_run_folder(folder, run)
    try:
        os.link(name, name, src_dir_fd=folder, dst_dir_fd=place, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError:
        _copy(name, folder, place)
    finally:
        os.close(place)


def _copy(name: str, folder: int, place: int) -> None:
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        content = read_regular_file(folder, name, LARGEST_FILE)
    except OSError as error:
        if error.errno in BROKEN_DISK:
            return  # what the disk cannot read cannot be kept
        raise
    try:
        entry = Entry(name, len(content), 0o600, seen.st_mtime_ns, seen.st_uid, seen.st_gid, "")
        write_new(place, entry, content, owner=(entry.uid, entry.gid))
    except OSError:
        # Half a copy would be taken for a whole one at the next try.
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)
        raise


def discard_stage(folder: int) -> None:
    """Take away what a repair without a journal has left: nothing of it came into the folder."""
    with suppress(FileNotFoundError):
        remove_stage(folder)
    with suppress(OSError):
        remove_journal(folder)


def remove_stage(folder: int) -> None:
    """Remove the stage of a folder, if there is one. Raises OSError."""
    with own_folder(folder) as own:
        if own is not None:
            remove_tree(STAGE, own)


def _orders(
    journal: Mapping[str, Any],
) -> tuple[str, Sequence[dict[str, SeenFile]], dict[str, SeenFile | None]]:
    """Return what a journal orders. Raises OSError for one that this version did not write."""
    try:
        run = journal["run"]
        units = [{name: SeenFile(*map(int, seen)) for name, *seen in unit} for unit in journal["set_aside"]]
        names = {name: SeenFile(*map(int, seen)) if seen else None for name, *seen in journal["bring_back"]}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise foreign_journal() from error
    removed = [name for unit in units for name in unit]
    sound = all(isinstance(name, str) and may_be_stored(name) for name in (*removed, *names))
    if not sound or not isinstance(run, str) or run_started(run) is None or not _removable(removed):
        raise foreign_journal()
    return run, units, names


def _removable(names: Sequence[str]) -> bool:
    return {kind_of(name) for name in names} <= REMOVED_BY_AGE


@contextmanager
def _made_own_folder(folder: int) -> Iterator[int]:
    fd = make_folder(OWN_FOLDER, folder)
    try:
        yield fd
    finally:
        os.close(fd)
