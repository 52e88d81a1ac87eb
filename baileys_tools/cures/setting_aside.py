"""Carries a cure out: look, show the plan, ask, lock, look again, and set exactly that aside, undoably."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, Self

from baileys_tools.bots.asking import bot_api_for
from baileys_tools.config import LoadedSettings, Settings, require_sessions_path
from baileys_tools.cures.rules.asides import CurePlan, CureReport
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.companies import companies_of_run, company_meant
from baileys_tools.frame.record import recorded
from baileys_tools.frame.show.terminal import must_say_yes
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.interrupted import finish_restore, root_to_change
from baileys_tools.sessions.locks import Locked, company_lock
from baileys_tools.sessions.quarantine import mend, new_run_id, note_alone, remove_empty_folders
from baileys_tools.sessions.removal import FolderRemover, NoQuarantine
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.removals import Removals
from baileys_tools.sessions.rules.senderkeys import memories_alone
from baileys_tools.sessions.scan import scan_folder
from baileys_tools.sessions.stored.copies import settle_removals

Look = Callable[[int, FolderFacts], CurePlan]
"""Given an open session folder and what stands in it, the plan."""


class CureOptions(NamedTuple):
    """What the command line asked of any cure."""

    company: str
    dry_run: bool = False
    yes: bool = False

    def about_one(self, settings: Settings, verb: str) -> Self:
        """Return them with the company that is meant where none was named."""
        return self._replace(company=company_meant(settings, self.company, verb))


class Shown(NamedTuple):
    """How a result is shown: with whole numbers, as JSON, or under --quiet what went wrong alone."""

    show_numbers: bool
    as_json: bool
    quiet: bool


def cure(
    loaded: LoadedSettings,
    command: str,
    options: CureOptions,
    now: datetime,
    look: Look,
    shown: Shown,
    log_troubles: Sequence[str] = (),
) -> ExitCode:
    """Carry a cure out or plan it, record it, print its one result, and return the exit code."""
    from baileys_tools.cures.show.cure_json import cure_json
    from baileys_tools.cures.show.cure_text import cure_plan_text, cure_text

    numbers = shown.show_numbers
    with recorded(command, loaded.settings, now, quiet=shown.quiet, dry_run=options.dry_run) as run:
        report = run_cure(loaded, command, options, now, look, partial(cure_plan_text, show_numbers=numbers))
        report = replace(report, log_troubles=tuple(log_troubles))
        # A plan changes nothing.
        changed = {report.company: report.done} if report.outcomes is not None else None
        run.ended(report.exit_code, changed, planned=len(report.plan.asides), set_aside=report.done)
    if shown.as_json:
        print(cure_json(report, show_numbers=numbers))
    elif not shown.quiet or report.exit_code is not ExitCode.DONE:
        text = cure_text(report, show_numbers=numbers)
        print(text, file=sys.stderr if shown.quiet else sys.stdout)
    return report.exit_code


def run_cure(
    loaded: LoadedSettings,
    command: str,
    options: CureOptions,
    now: datetime,
    look: Look,
    show: Callable[[CureReport], str],
) -> CureReport:
    """Plan a cure in one company, and without a dry run carry it out once somebody agreed to what `show` says.

    Under a running bot as well: what it writes meanwhile stays, and what it would read is either as it was or missing,
    for which Baileys has its own way. Raises exit code 10 for no such company, 13 where nobody can agree, 75 when it is
    locked.
    """
    settings, root_path = loaded.settings, require_sessions_path(loaded)
    with Root(root_path) if options.dry_run else root_to_change(root_path, now) as root:
        (company,) = companies_of_run(root, settings, only=[options.company])
        try:
            with root.open(company) as folder:
                if not options.dry_run and root.is_read_only():
                    raise BaileysToolsError(
                        f"{root.path} is on a read-only file system", "Mount it writable."
                    )
                plan = look(folder, scan_folder(folder))
                report = CureReport(
                    command,
                    company.id,
                    company.path,
                    now,
                    plan,
                    settings.cleanup.undo_window,
                    has_api=bot_api_for(settings, company.id) is not None,
                    dry_run=options.dry_run,
                )
                if options.dry_run or not plan.asides:
                    return report
                # No lock is held while somebody reads the plan: another job need not wait for that.
                if not options.yes and not must_say_yes("this", show(report)):
                    return replace(report, declined=True)
                return _carry_out(root, company, folder, report, look)
        except Locked as lock:
            raise BaileysToolsError(
                f"company {company.id} is locked by {lock}",
                "Nothing was done. Try again when that has ended.",
                exit_code=ExitCode.LOCKED,
            ) from lock
        except NoQuarantine as error:
            raise BaileysToolsError(
                f"company {company.id}: {error}", "Nothing was set aside, as nothing could be undone."
            ) from error
        except OSError as error:
            raise BaileysToolsError(f"company {company.id}: {say_why(error)}") from error


def _carry_out(root: Root, company: Company, folder: int, report: CureReport, look: Look) -> CureReport:
    # Of a repair: what is set aside may have been written a moment before, and is no write into the quarantine.
    run = new_run_id(report.now, of_a_repair=True)
    with company_lock(folder, datetime.now(UTC)):
        earlier = finish_restore(root, company, folder)
        mend(folder)
        facts = scan_folder(folder)
        plan = look(folder, facts).only(report.plan)
        removals = _set_aside(folder, facts, plan, run)
    return replace(
        report,
        plan=plan,
        run=run if removals.undoable else None,
        outcomes=removals.outcomes,
        errors=removals.errors,
        earlier=earlier,
    )


def _set_aside(folder: int, facts: FolderFacts, plan: CurePlan, run: str) -> Removals:
    units = [aside.keys for aside in plan.asides]
    note_alone(folder, run, memories_alone(facts, units))
    with FolderRemover(folder, run, always_undoable=True) as remover:
        for unit in units:
            remover.remove_unit(facts.files_of(unit))
        settle_removals(folder, run, units, remover.removals)
        if not remover.removals.undoable:
            remove_empty_folders(folder)
        return remover.removals
