"""What an undo would do: the runs are read, and nothing is touched."""

from __future__ import annotations

import os
from datetime import datetime
from functools import partial

from baileys_tools.cleanup.undo_runs import (
    UndoReport,
    cost_of_whole,
    files_in,
    lids_of,
    plan_of,
    undo_each,
)
from baileys_tools.config import Settings
from baileys_tools.sessions.names import RESETS
from baileys_tools.sessions.quarantine import list_runs, open_quarantine, open_run
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.undo import CompanyUndo, UndoReason, UndoRun, twins_of
from baileys_tools.sessions.scan import in_own_folder


def planned_undo(settings: Settings, root_path: str, now: datetime, run: str | None = None) -> UndoReport:
    """Return what undoing a run (None: the last one) would do in the companies that the settings choose.

    Raises exit code 10 where there is no such run. What a killed command left half done is as it stands: an undo
    would finish that first.
    """
    with Root(root_path) as root:
        return undo_each(settings, root, root_path, run, now, partial(_planned, root, now=now))


def _planned(root: Root, company: Company, found: UndoRun, now: datetime) -> CompanyUndo:
    with root.open(company) as folder:
        if found.whole_folder:
            with in_own_folder(RESETS, folder) as resets:
                names = [] if resets is None else files_in(resets, found.run)
            late = cost_of_whole(folder, found.run)
            return CompanyUndo(company.id, reasons=dict.fromkeys(names, UndoReason.BACK), late=late)
        with open_quarantine(folder) as quarantine:
            if quarantine is None or found.run not in dict(list_runs(quarantine)):
                return CompanyUndo(company.id, reasons={})
            with open_run(quarantine, found.run) as run_folder:
                names = os.listdir(run_folder)
                lids = lids_of(folder, names)
                reasons = plan_of(folder, run_folder, names, found.run, lids, now)
        return CompanyUndo(company.id, reasons=reasons, twins=twins_of(reasons, lids))
