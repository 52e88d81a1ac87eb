"""`undo`: put back what a cleanup removed."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.sessions.interrupted import (
    finish_restore,
    is_interrupted,
    root_to_change,
)
from baileys_tools.sessions.locks import Locked, company_lock
from baileys_tools.sessions.mappings import Mappings
from baileys_tools.sessions.names import RESETS
from baileys_tools.sessions.put_back import describe_runs, undo_run
from baileys_tools.sessions.quarantine import (
    list_runs,
    open_quarantine,
    open_run,
    run_milliseconds,
    run_started,
)
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.keyfiles import Kind, key_of, kind_of, session_user
from baileys_tools.sessions.rules.senderkeys import untold_sender_keys
from baileys_tools.sessions.rules.undo import (
    RESET,
    RESTORE,
    CompanyUndo,
    UndoReason,
    UndoRun,
    lid_twin,
    plan_undo,
)
from baileys_tools.sessions.scan import (
    exists_in_own_folder,
    has_private_signing_key,
    read_creds,
    written_since,
)
from baileys_tools.sessions.stored.copies import working_copy
from baileys_tools.units import moment_of

COARSE_CLOCK = timedelta(milliseconds=20)
"""So far the times of files can be behind the clock: the kernel takes them from its last tick, 10 ms ago at most."""


def undo_command(
    flags: Mapping[str, object],
    config: str | None,
    run: str | None,
    *,
    list_only: bool,
    verbose: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Given the command line, undo or list, print the result once, and return the exit code."""
    from baileys_tools.cleanup.show.undo_text import undo_json, undo_list_text, undo_text, undo_troubles
    from baileys_tools.frame.show.terminal import Style

    loaded = settings_in_force(flags, config)
    now = datetime.now(UTC)
    with recorded("undo", loaded.settings, now, quiet=quiet, dry_run=list_only) as record:
        root_path = require_sessions_path(loaded)
        undo = list_undo if list_only else partial(run_undo, run=run)
        report = _with_commands(undo(loaded.settings, root_path, now), loaded.settings)
        back = {company.id: company.count(UndoReason.BACK) for company in report.companies if company.reasons}
        record.ended(report.exit_code, back, companies=len(report.companies), put_back=sum(back.values()))
    if as_json:
        print(undo_json(root_path, now, report.exit_code, report.run, report.companies))
    elif quiet:
        for line in undo_troubles(report.companies):
            print(line, file=sys.stderr)
    elif list_only:
        print(undo_list_text(report.companies, Style()))
    else:
        print(undo_text(report.run, report.companies, Style(), verbose=verbose, what=report.what))
    return report.exit_code


@dataclass(frozen=True, slots=True)
class UndoReport:
    """A whole run of undo. `run` is what was undone, None for a mere list, `what` the command that had made it."""

    root: str
    now: datetime
    run: str | None
    companies: Sequence[CompanyUndo]
    what: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code of this run."""
        # Somebody asked for all of them, so a locked one is not done.
        failed = sum(bool(company.trouble) for company in self.companies)
        if self.companies and all(company.locked for company in self.companies):
            return ExitCode.LOCKED
        if self.companies and all(company.refused for company in self.companies):
            return ExitCode.REFUSED
        if failed and failed == len(self.companies):
            return ExitCode.FAILED
        if failed or any(company.errors for company in self.companies):
            return ExitCode.PARTLY_FAILED
        return ExitCode.DONE


def _with_commands(report: UndoReport, settings: Settings) -> UndoReport:
    """Return the report with the command that made each run, as far as the state remembers it."""
    from baileys_tools.state.database import open_state
    from baileys_tools.state.runs import command_at
    from baileys_tools.state.spool import take_in

    runs = {found.run for company in report.companies for found in company.runs if not found.what}
    if report.run is not None:
        runs.add(report.run)
    if not runs:
        return report
    with open_state(settings.state.dir, report.now) as state:
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


def list_undo(settings: Settings, root_path: str, now: datetime) -> UndoReport:
    """Return which runs can be undone in the companies that the settings choose."""
    with Root(root_path) as root:
        return UndoReport(root_path, now, None, _all_runs(root, _chosen(root, settings), now))


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
            _chosen(root, settings),
            lambda company: _finish_interrupted(root, company, now),
            lambda company, why: None,
            workers=1,
        )
        companies = _chosen(root, settings)
        listed = list(zip(companies, _all_runs(root, companies, now), strict=True))
        known = sorted({found.run for _, undo in listed for found in undo.runs})
        # The bot may have been paired anew since a reset: nobody undoes that by the way.
        cleanups = sorted({found.run for _, undo in listed for found in undo.runs if not found.whole_folder})
        if run is None and not cleanups:
            return UndoReport(root_path, now, None, [undo for _, undo in listed])
        run = _last(cleanups, now) if run is None else run
        if run not in known:
            raise BaileysToolsError(
                f"no run {run} to undo in {root.path}",
                "baileys-tools undo --list shows what can be undone.",
                exit_code=ExitCode.NOT_FOUND,
            )
        concerned = [
            (company, undo)
            for company, undo in listed
            if undo.trouble or any(found.run == run for found in undo.runs)
        ]
        return UndoReport(
            root_path,
            now,
            run,
            for_each(
                concerned,
                lambda one: one[1] if one[1].trouble else _undo_company(settings, root, one[0], run, now),
                lambda one, why: CompanyUndo(one[0].id, trouble=why),
                workers=1,
            ),
        )


def _last(runs: Sequence[str], now: datetime) -> str:
    """Return the last of some runs by name. One from the future is nobody's last: who wants it names it."""
    past = [run for run in runs if (started := run_started(run)) is not None and started <= now]
    if past:
        return past[-1]
    raise BaileysToolsError(
        f"the only runs that could be undone are from the future, such as {runs[-1]}: nothing tells which was the last",
        f"Was a clock ahead? Then name it: {command('baileys-tools undo --run {}', runs[-1])}",
        exit_code=ExitCode.REFUSED,
    )


def _chosen(root: Root, settings: Settings) -> list[Company]:
    return companies_of_run(root, settings)


def _all_runs(root: Root, companies: Sequence[Company], now: datetime) -> list[CompanyUndo]:
    return for_each(
        companies,
        lambda company: _runs_of(root, company, now),
        lambda company, why: CompanyUndo(company.id, trouble=why),
        workers=1,
    )


def _runs_of(root: Root, company: Company, now: datetime) -> CompanyUndo:
    with root.open(company) as folder:
        left = _left_beside(root, company, folder, now)
        return CompanyUndo(company.id, (*describe_runs(folder), *_resets_of(folder), *left))


def _finish_interrupted(root: Root, company: Company, now: datetime) -> None:
    with suppress(OSError, Locked), root.open(company) as folder:
        if is_interrupted(root, company, folder):
            with company_lock(folder, now, settles=True):
                finish_restore(root, company, folder)


def _resets_of(folder: int) -> Iterator[UndoRun]:
    if not exists_in_own_folder(RESETS, folder):
        return
    from baileys_tools.sessions.resets import describe_resets

    for found in describe_resets(folder):
        by = RESTORE if found.of_a_restore else RESET
        yield UndoRun(found.run, found.started, found.files, found.size, by, whole_folder=True)


def _left_beside(root: Root, company: Company, folder: int, now: datetime) -> Iterator[UndoRun]:
    """What a rollback that died has left beside the folder is taken in by the undo that names it."""
    if not root.may_have_left(company):
        return
    from baileys_tools.sessions.leftovers import old_folders_beside

    for found in old_folders_beside(root, company, folder, now):
        if found.run:
            yield UndoRun(found.run, found.started, found.files, found.size, RESTORE, whole_folder=True)


def _undo_reset(
    settings: Settings, root: Root, company: Company, folder: int, run: str, now: datetime
) -> CompanyUndo:
    """Put a whole folder back that a reset has set aside. What stands there now waits in its place."""
    from baileys_tools.bots.signs_of_life import objections_to
    from baileys_tools.sessions.live import read_live_folder
    from baileys_tools.sessions.quarantine import new_run_id
    from baileys_tools.sessions.resets import bring_back

    live, _ = read_live_folder(folder, with_contents=False)
    if objections := objections_to(settings, company.id, live, now):
        trouble = (
            f"not put back, because {' and '.join(objections)}: stop the bot, and try again in two minutes, "
            "or set aside what stands there by reset --force"
        )
        return CompanyUndo(company.id, refused=True, trouble=trouble)
    try:
        names = bring_back(root, company, folder, run, new_run_id(now), now)
    except BaileysToolsError as error:
        return CompanyUndo(company.id, trouble=error.message)
    return CompanyUndo(company.id, reasons=dict.fromkeys(names, UndoReason.BACK))


def _undo_company(settings: Settings, root: Root, company: Company, run: str, now: datetime) -> CompanyUndo:
    try:
        with root.open(company) as folder, company_lock(folder, now, settles=True):
            finish_restore(root, company, folder)
            if any(found.run == run for found in _resets_of(folder)):
                return _undo_reset(settings, root, company, folder, run, now)

            lids: dict[str, str] = {}

            def chosen(quarantined: Collection[str], run_folder: int) -> Mapping[str, UndoReason]:
                lids.update(_lids_of(folder, quarantined))
                return _plan(folder, run_folder, quarantined, run, lids)

            if (copy := working_copy(folder)) is None:
                reasons, errors = undo_run(folder, run, chosen)
            else:
                from baileys_tools.sessions.stored.settling import settle_undo

                with settle_undo(copy, folder, run) as settle:
                    reasons, errors = settle(*undo_run(folder, run, chosen))
            twins = {
                name: twin
                for name, reason in reasons.items()
                if reason is UndoReason.LID_TWIN and (twin := lid_twin(name, lids)) is not None
            }
            return CompanyUndo(company.id, reasons=reasons, errors=errors, twins=twins)
    except Locked as lock:
        return CompanyUndo(company.id, locked=True, trouble=f"locked by {lock}")


def _lids_of(folder: int, quarantined: Collection[str]) -> dict[str, str]:
    """Return the LIDs of those whose session by phone number is in quarantine, as mappings in the folder tell them."""
    users = {session_user(key_of(name)) for name in quarantined if kind_of(name) is Kind.SESSION}
    mappings = Mappings(folder)
    return {user: lid for user in users if (lid := mappings.lid_of(user)) is not None}


def _began(run: str) -> datetime:
    """Return from when on a file counts as written after a run: its start, to the millisecond where its name says that.

    In whole seconds, what a running bot wrote a moment before would keep everything from coming back.
    """
    started, at = run_started(run), run_milliseconds(run)
    assert started is not None
    return started if at is None else moment_of(at * 1_000_000) - COARSE_CLOCK


def _plan(
    folder: int, run_folder: int, quarantined: Collection[str], run: str, lids: Mapping[str, str]
) -> dict[str, UndoReason]:
    live = os.listdir(folder)
    began = _began(run)
    since = written_since(folder, live, began)
    creds = read_creds(folder)
    owned: dict[str, bool | None] = {}
    if isinstance(creds, Creds):
        for place, names in ((folder, live), (run_folder, quarantined)):
            for name in untold_sender_keys(_sender_keys(names), creds):
                owned[name] = has_private_signing_key(place, name)
    told = {name: answer for name, answer in owned.items() if answer is not None}
    return plan_undo(quarantined, live, since, creds, told, lids, _removed_later(folder, run))


def _removed_later(folder: int, of: str) -> set[str]:
    """Return what waits in the quarantines of runs that came after one."""
    names: set[str] = set()
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return names
        for run, _ in list_runs(quarantine):
            if run > of:  # names of runs sort by time
                with open_run(quarantine, run) as waiting:
                    names.update(os.listdir(waiting))
    return names


def _sender_keys(names: Collection[str]) -> list[str]:
    return [name for name in names if kind_of(name) is Kind.SENDER_KEY and key_of(name) == name]
