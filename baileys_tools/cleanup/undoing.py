"""`undo`: put back what a cleanup removed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from baileys_tools.cleanup.undo_plan import planned_undo
from baileys_tools.cleanup.undo_runs import (
    UndoReport,
    cost_of_whole,
    lids_of,
    list_undo,
    plan_of,
    resets_of,
    undo_each,
)
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.interrupted import (
    finish_restore,
    is_interrupted,
    root_to_change,
)
from baileys_tools.sessions.locks import Locked, company_lock
from baileys_tools.sessions.put_back import undo_run
from baileys_tools.sessions.quarantine import (
    run_milliseconds,
)
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.restore_plan import CREDS
from baileys_tools.sessions.rules.undo import (
    CompanyUndo,
    UndoReason,
    twins_of,
)
from baileys_tools.sessions.stored.copies import working_copy

if TYPE_CHECKING:
    from baileys_tools.state.database import State


def undo_command(given: CommandLine, run: str | None, *, list_only: bool, dry_run: bool) -> ExitCode:
    """Given the command line, undo, plan or list, print the result once, and return the exit code."""
    from baileys_tools.cleanup.show.undo_text import undo_json, undo_list_text, undo_text, undo_troubles
    from baileys_tools.frame.show.terminal import Style

    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded("undo", loaded.settings, now, quiet=given.quiet, dry_run=list_only or dry_run) as record:
        root_path = require_sessions_path(loaded)
        undo = list_undo if list_only else partial(planned_undo if dry_run else run_undo, run=run)
        report = _with_commands(undo(loaded.settings, root_path, now), loaded.settings)
        if not (list_only or dry_run):
            _forget_moves(report, loaded.settings)
        back = {company.id: company.count(UndoReason.BACK) for company in report.companies if company.reasons}
        record.ended(
            report.exit_code,
            {} if dry_run else back,
            companies=len(report.companies),
            put_back=sum(back.values()),
        )
    if given.as_json:
        print(undo_json(root_path, now, report.exit_code, report.run, report.companies, planned=dry_run))
    elif given.quiet:
        for line in undo_troubles(report.companies):
            print(line, file=sys.stderr)
    elif list_only:
        print(undo_list_text(report.companies, Style()))
    else:
        print(
            undo_text(
                report.run,
                report.companies,
                Style(),
                verbose=given.verbose,
                what=report.what,
                planned=dry_run,
            )
        )
    return report.exit_code


def _forget_moves(report: UndoReport, settings: Settings) -> None:
    """Have sessions whose creds are back here be looked after here again."""
    from baileys_tools.frame.companies import place_named
    from baileys_tools.state.database import open_state
    from baileys_tools.state.moved import forget

    back = [one.id for one in report.companies if (one.reasons or {}).get(CREDS) is UndoReason.BACK]
    if back:
        with open_state(settings.state.dir, report.now) as state:
            for company in back:
                forget(state, place_named(settings, company))


def _with_commands(report: UndoReport, settings: Settings) -> UndoReport:
    """Return the report with the command that made each run, as far as the state remembers it."""
    from baileys_tools.state.database import open_state

    if report.run is None and not any(company.runs for company in report.companies):
        return report
    with open_state(settings.state.dir, report.now) as state:
        return with_commands(report, state)


def with_commands(report: UndoReport, state: State) -> UndoReport:
    """Return the report with the command that made each run, as far as the state remembers it."""
    from baileys_tools.state.runs import command_at
    from baileys_tools.state.spool import take_in

    runs = {found.run for company in report.companies for found in company.runs if not found.what}
    if report.run is not None:
        runs.add(report.run)
    take_in(state)
    times = {run: run_milliseconds(run) for run in runs}
    made_by = {run: command_at(state, time) for run, time in times.items() if time is not None}
    return replace(
        report,
        what=made_by.get(report.run or "", ""),
        companies=[
            replace(
                company,
                runs=tuple(
                    replace(found, what=found.what or made_by.get(found.run, "")) for found in company.runs
                ),
            )
            for company in report.companies
        ],
    )


def run_undo(settings: Settings, root_path: str, now: datetime, run: str | None = None) -> UndoReport:
    """Undo a cleanup run (None: the last one) in the companies that the settings choose.

    Files go back where nothing newer stands, as they were: content, age and mode. Raises exit code 10 when
    there is no such run.
    """
    with root_to_change(root_path, now) as root:
        if root.is_read_only():
            raise BaileysToolsError(f"{root.path} is on a read-only file system", "Mount it writable.")
        # What another command left half done may hold the very run that is looked for. Trouble is for later.
        for_each(
            companies_of_run(root, settings),
            lambda company: _finish_interrupted(root, company, now),
            lambda company, why: None,
            workers=1,
        )
        return undo_each(
            settings,
            root,
            root_path,
            run,
            now,
            lambda company, found: _undo_company(settings, root, company, found.run, now),
        )


def _finish_interrupted(root: Root, company: Company, now: datetime) -> None:
    with suppress(OSError, Locked), root.open(company) as folder:
        if is_interrupted(root, company, folder):
            with company_lock(folder, now):
                finish_restore(root, company, folder)


def _undo_reset(
    settings: Settings, root: Root, company: Company, folder: int, run: str, now: datetime
) -> CompanyUndo:
    """Put a whole folder back that a reset has set aside. What stands there now waits in its place."""
    from baileys_tools.bots.signs_of_life import objections_to
    from baileys_tools.sessions.live import read_live_folder
    from baileys_tools.sessions.quarantine import new_run_id
    from baileys_tools.sessions.resets import bring_back
    from baileys_tools.sessions.stored.whole import written_whole

    live, _ = read_live_folder(folder, with_contents=False)
    if objections := objections_to(settings, company.id, live, now):
        trouble = (
            f"not put back, because {' and '.join(objections)}: stop the bot, and try again in two minutes, "
            "or set aside what stands there by reset --force"
        )
        return CompanyUndo(company.id, refused=True, trouble=trouble)
    late = cost_of_whole(folder, run)
    try:
        with written_whole(company.id, folder):
            names = bring_back(root, company, folder, run, new_run_id(now), now)
    except BaileysToolsError as error:
        return CompanyUndo(company.id, trouble=error.message)
    return CompanyUndo(company.id, reasons=dict.fromkeys(names, UndoReason.BACK), late=late)


def _undo_company(settings: Settings, root: Root, company: Company, run: str, now: datetime) -> CompanyUndo:
    try:
        with root.open(company) as folder, company_lock(folder, now):
            finish_restore(root, company, folder)
            if any(found.run == run for found in resets_of(folder)):
                return _undo_reset(settings, root, company, folder, run, now)

            lids: dict[str, str] = {}

            def chosen(quarantined: Collection[str], run_folder: int) -> Mapping[str, UndoReason]:
                lids.update(lids_of(folder, quarantined))
                return plan_of(folder, run_folder, quarantined, run, lids, now)

            if (copy := working_copy(folder)) is None:
                reasons, errors = undo_run(folder, run, chosen)
            else:
                from baileys_tools.sessions.stored.settling import settle_undo

                with settle_undo(copy, folder, run) as settle:
                    reasons, errors = settle(*undo_run(folder, run, chosen))
            twins = twins_of(reasons, lids)
            return CompanyUndo(company.id, reasons=reasons, errors=errors, twins=twins)
    except Locked as lock:
        return CompanyUndo(company.id, locked=True, trouble=f"locked by {lock}")
