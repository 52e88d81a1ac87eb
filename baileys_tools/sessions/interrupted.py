"""Finishes what a restore left that died: the first thing every command does with a folder it may change."""

from __future__ import annotations

from contextlib import suppress

from baileys_tools.errors import BaileysToolsError
from baileys_tools.sessions.repair import STAGE, finish_repair
from baileys_tools.sessions.rollback import STAGE_PREFIX, discard_leftovers, finish_rollback, place_of
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.scan import OWN_FOLDER, exists
from baileys_tools.sessions.staging import JOURNAL, read_journal


def finish_restore(root: Root, company: Company, folder: int) -> str:
    """Given an open and locked session folder, finish or undo an interrupted restore; return what was done.

    Empty when there was none. Raises OSError.
    """
    if exists(f"{OWN_FOLDER}/{JOURNAL}", folder):
        journal = read_journal(folder) or {}
        if journal.get("mode") == "repair":
            done = finish_repair(folder)
            what = "an interrupted repair was finished"
            return f"{what}; left as they are: {', '.join(sorted(done.kept))}" if done.kept else what
        with place_of(root, company, folder) as place:
            rolled_back = finish_rollback(place, folder)
            what = "an interrupted rollback was finished"
            return f"{what}; the old folder is {rolled_back.old_folder}" if rolled_back.old_folder else what
    if exists(f"{OWN_FOLDER}/{STAGE}", folder):
        finish_repair(folder)
        return "an interrupted repair had changed nothing yet and was given up"
    return _give_up_rollback(root, company, folder)


def _give_up_rollback(root: Root, company: Company, folder: int) -> str:
    if company.entry != "." and not exists(f"{STAGE_PREFIX}{company.entry}", root.fd):
        return ""
    # Who may work in a folder need not have any business in the one around it.
    with suppress(PermissionError, BaileysToolsError), place_of(root, company, folder) as place:
        if discard_leftovers(place):
            return "an interrupted rollback had changed nothing yet and was given up"
    return ""
