"""Finishes what a restore left that died: the first thing every command does with a folder it may change.

Nearly always there is nothing, so the restore itself is imported only where there is.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime

from baileys_tools.errors import BaileysToolsError
from baileys_tools.layouts import roots_of
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.locks import Locked, company_lock
from baileys_tools.sessions.names import (
    FOLDER_FLAGS,
    JOURNAL,
    REPLACED_PREFIX,
    RESET_JOURNAL,
    RESET_PREFIX,
    RESETS,
    STAGE,
    STAGE_PREFIX,
)
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.scan import exists, exists_in_own_folder


def finish_restore(root: Root, company: Company, folder: int) -> str:
    """Given an open and locked session folder, finish or undo an interrupted restore; return what was done.

    Empty when there was none. Raises Locked when a restore or a reset has put another folder in its place between
    its opening and its lock, OSError.
    """
    require_same_folder(root, company, folder)
    if exists_in_own_folder(RESET_JOURNAL, folder) or _stands_beside(root, company, RESET_PREFIX):
        from baileys_tools.sessions.resets import finish_interrupted

        return finish_interrupted(root, company, folder)
    if exists_in_own_folder(JOURNAL, folder):
        return _finish(root, company, folder)
    if exists_in_own_folder(STAGE, folder):
        from baileys_tools.sessions.repair import discard_stage

        discard_stage(folder)
        return "an interrupted repair had changed nothing yet and was given up"
    if _stands_beside(root, company, STAGE_PREFIX) or root.may_have_left(company):
        return _see_to_leftovers(root, company, folder)
    return ""


def require_same_folder(root: Root, company: Company, folder: int) -> None:
    """Raise Locked when a restore or a reset has put another folder in a company's place between its opening and its
    lock: this one is being emptied."""
    if not root.still_leads_to(company, folder):
        raise Locked("a command that has just put another folder in its place")


def is_interrupted(root: Root, company: Company, folder: int) -> bool:
    """Whether a restore or a reset has left something that `finish_restore` would see to."""
    inside = any(exists_in_own_folder(name, folder) for name in (JOURNAL, STAGE, RESET_JOURNAL))
    beside = any(_stands_beside(root, company, prefix) for prefix in (STAGE_PREFIX, RESET_PREFIX))
    return inside or beside or root.may_have_left(company)


def _stands_beside(root: Root, company: Company, prefix: str) -> bool:
    try:
        with root.around(company) as (around, name):
            return exists(prefix + name, around)
    except OSError:
        return False


def _finish(root: Root, company: Company, folder: int) -> str:
    from baileys_tools.sessions.place import place_of
    from baileys_tools.sessions.repair import finish_repair
    from baileys_tools.sessions.rollback import finish_rollback
    from baileys_tools.sessions.staging import read_journal, remove_journal

    journal = read_journal(folder) or {}
    if journal.get("mode") == "new":
        remove_journal(folder)
        return "an interrupted restore was finished"
    if journal.get("mode") != "rollback":
        repaired = finish_repair(folder)
        kept = repaired.kept
        if repaired.given_up:
            return "an interrupted repair was given up, as creds.json was written since: look with restore --dry-run"
        return "an interrupted repair was finished" + (
            f"; left as they are: {', '.join(kept)}" if kept else ""
        )
    with place_of(root, company, folder) as place:
        run = finish_rollback(place, folder).old_run
        return "an interrupted rollback was finished" + (f"; {_OLD_WAITS} {run}" if run else "")


_OLD_WAITS = "the old folder, into which something was written, waits for undo as run"


def _see_to_leftovers(root: Root, company: Company, folder: int) -> str:
    from baileys_tools.sessions.leftovers import names_beside
    from baileys_tools.sessions.place import place_of
    from baileys_tools.sessions.rollback import see_to_leftover

    done: list[str] = []
    # Who may work in a folder need not have any business in the one around it.
    with suppress(PermissionError, BaileysToolsError), place_of(root, company, folder) as place:
        names = dict.fromkeys([place.stage, place.replaced, *names_beside(root, company)])
        done.extend(see_to_leftover(name, place, folder) for name in names)
    return "; ".join(dict.fromkeys(filter(None, done)))


def last_reset_of(root: Root, company: Company) -> datetime | None:
    """Return when a company's folder was last reset, None where no reset waits there or it cannot be looked at."""
    try:
        with root.open(company) as folder:
            if not exists_in_own_folder(RESETS, folder):
                return None
            from baileys_tools.sessions.resets import last_reset

            return last_reset(folder)
    except OSError:
        return None


def root_to_change(path: str, now: datetime, *, keep_lost: bool = False) -> Root:
    """Open the sessions path for a command that may change what is in it. Raises BaileysToolsError as `Root` does.

    Each folder whose rollback or reset died between two renames gets its name back first, also a root itself where
    it is a session folder.
    """
    for spec in roots_of(path):
        if not os.path.lexists(spec.path):
            parent_path, name = os.path.split(os.path.realpath(spec.path))
            with suppress(OSError):
                parent = os.open(parent_path, FOLDER_FLAGS)
                try:
                    _put_back(name, parent, now)
                finally:
                    os.close(parent)
    root = Root(path, keep_lost=keep_lost)
    for base in root.bases:
        try:
            entries = os.listdir(base.fd) if base.fd >= 0 else []
        except OSError as error:
            with root:
                raise BaileysToolsError(f"{base.path}: {say_why(error)}") from error
        for entry in entries:
            name = entry.removeprefix(REPLACED_PREFIX)
            if name and name != entry:
                # One that cannot be is a company's trouble: it is missing from the listing, as monitor-once says.
                with suppress(OSError):
                    _put_back(name, base.fd, now)
        if base.has_patterns and base.fd >= 0:
            from baileys_tools.sessions.search.listing import renamed_below

            for around, name in renamed_below(base, REPLACED_PREFIX):
                with suppress(OSError):
                    _put_back(name, around, now)
    return root


def _put_back(name: str, parent: int, now: datetime) -> None:
    """Only where a file system cannot swap: the old folder is complete under its other name. One that is locked
    is in the hands of a rollback that lives."""
    if exists(name, parent):
        return
    if not exists(STAGE_PREFIX + name, parent) and not exists(RESET_PREFIX + name, parent):
        return
    # What somebody else has put there stops no other company.
    with suppress(OSError):
        old = os.open(REPLACED_PREFIX + name, FOLDER_FLAGS, dir_fd=parent)
        try:
            with suppress(Locked), company_lock(old, now):
                os.rename(REPLACED_PREFIX + name, name, src_dir_fd=parent, dst_dir_fd=parent)
                os.fsync(parent)
        finally:
            os.close(old)
