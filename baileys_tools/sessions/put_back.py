"""Lists what waits in quarantine and puts it back."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping

from baileys_tools.sessions.quarantine import (
    list_runs,
    open_quarantine,
    open_run,
    put_back,
    remove_empty_folders,
)
from baileys_tools.sessions.rules.keyfiles import Kind, key_of, kind_of
from baileys_tools.sessions.rules.undo import UndoReason, UndoRun, failed_sibling


def describe_runs(folder: int) -> list[UndoRun]:
    """Given the handle of a session folder, return what can be undone there, oldest first."""
    found = []
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return []
        for run, started in list_runs(quarantine):
            with open_run(quarantine, run) as fd, os.scandir(fd) as entries:
                sizes = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
            if sizes:
                keys = {key_of(name) for name in sizes}
                found.append(UndoRun(run, started, len(keys), sum(sizes.values())))
    return found


def undo_run(
    folder: int, run: str, choose: Callable[[Collection[str], int], Mapping[str, UndoReason]]
) -> tuple[dict[str, UndoReason], dict[str, str]]:
    """Put the files of a run back as `choose` (quarantined names, handle of the run) says.

    Return what happened to each, and the system's word for each that failed. Needs the company's lock. Files
    that stay are in the quarantine still. Raises OSError.
    """
    reasons: dict[str, UndoReason] = {}
    errors: dict[str, str] = {}
    with open_quarantine(folder) as quarantine:
        if quarantine is None or run not in dict(list_runs(quarantine)):
            return reasons, errors
        with open_run(quarantine, run) as fd:
            reasons = dict(choose(os.listdir(fd), fd))
            # In the plan's order: a memory comes after the bot's own keys, and not at all if one of them fails; so does
            # a companion, which would be read in the place of its key.
            for name, reason in reasons.items():
                if reason is not UndoReason.BACK:
                    continue
                if kind_of(name) is Kind.SENDER_KEY_MEMORY and failed_sibling(name, errors):
                    reasons[name] = UndoReason.WITH_UNIT
                    continue
                if reasons.get(key_of(name), UndoReason.BACK) is not UndoReason.BACK:
                    reasons[name] = reasons[key_of(name)]
                    continue
                try:
                    if not stat.S_ISREG(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                        reasons[name] = UndoReason.FOREIGN
                    elif not put_back(name, fd, name, folder):
                        reasons[name] = UndoReason.NEWER_STANDS
                except OSError as error:
                    reasons[name] = UndoReason.FAILED
                    errors[name] = error.strerror or str(error)
    remove_empty_folders(folder)
    return reasons, errors
