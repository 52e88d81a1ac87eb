"""`restore --all`: every company of the repository whose folder is gone, from its newest good snapshot."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from baileys_tools.config import Settings, require_backup_path, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.frame.show.terminal import Style, must_say_yes
from baileys_tools.recovery.restore_job import RestoreOptions
from baileys_tools.recovery.restoring import run_restore, where_it_goes
from baileys_tools.recovery.rules.restore_all_report import AllStatus, OneOfAll, RestoreAllReport
from baileys_tools.recovery.rules.restore_report import RestoreReport
from baileys_tools.recovery.show.restore_all_text import restore_all_json, restore_all_text
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.restore_plan import Action, Mode
from baileys_tools.snapshots.repository import Repository


def restore_all_command(given: CommandLine, options: RestoreOptions) -> ExitCode:
    """Given the command line, plan all, ask once, restore them, and print the result once. Returns the exit code."""
    _require_alone(options)
    loaded = settings_in_force(given.flags, given.config)
    settings, now = loaded.settings, datetime.now(UTC)
    root_path, repository_path = require_sessions_path(loaded), require_backup_path(loaded)
    with recorded("restore", settings, now, quiet=given.quiet, dry_run=options.dry_run) as run:
        report = plan_all(settings, options, root_path, repository_path, now)
        planned = report.those(AllStatus.PLANNED)
        if planned and not options.dry_run:
            plan = restore_all_text(report, Style(sys.stderr), verbose=given.verbose)
            if not options.yes and not must_say_yes("a restore", plan):
                raise BaileysToolsError("nothing was done", exit_code=ExitCode.REFUSED)
            done = {
                one.company: _one(
                    settings, options, root_path, repository_path, now, one.company, dry_run=False
                )
                for one in planned
            }
            report = replace(report, companies=[done.get(one.company, one) for one in report.companies])
        changed = {one.company: one.files for one in report.those(AllStatus.RESTORED)}
        run.ended(report.exit_code, changed, brought_back=sum(changed.values()))
    if given.as_json:
        print(restore_all_json(report))
    elif not given.quiet:
        print(restore_all_text(report, Style(), verbose=given.verbose))
    elif text := restore_all_text(report, Style(sys.stderr), verbose=given.verbose, only_troubles=True):
        print(text, file=sys.stderr)
    return report.exit_code


def _require_alone(options: RestoreOptions) -> None:
    if options.company or options.target is not None or options.from_bak or options.wanted != "latest":
        raise UsageError(
            "--all restores every company from its newest good snapshot",
            "It goes with no --company, no --target, no --from-bak and no snapshot's name.",
        )
    if options.mode != Mode.REPAIR:
        raise UsageError("--all makes folders that are not there, and rolls back none that is")


def plan_all(
    settings: Settings, options: RestoreOptions, root_path: str, repository_path: str, now: datetime
) -> RestoreAllReport:
    """Look at every shelf of the repository, and plan those whose folder is not there or is empty.

    Raises exit code 12 where a key is missing: no company could be restored then.
    """
    with Repository(repository_path) as repository:
        names = [name for name in repository.companies() if repository.snapshots(name)]
        standing: dict[str, str] = {}
        with Root(root_path, keep_lost=True) as root:
            if root.trouble is not None:
                raise root.trouble
            for name in names:
                if stands := _stands(root, settings, name, repository):
                    standing[name] = stands
    found = [
        OneOfAll(name, AllStatus.STANDS, standing[name])
        if name in standing
        else _one(settings, options, root_path, repository_path, now, name, dry_run=True)
        for name in names
    ]
    return RestoreAllReport(now, repository_path, found)


def _stands(root: Root, settings: Settings, name: str, repository: Repository) -> str:
    """Return where a company's folder is that has anything in it, "" for none. A doubt is a yes."""
    try:
        company, is_there = where_it_goes(root, settings, name, repository)
    except BaileysToolsError:
        return ""  # what is wrong with it is told when it is planned
    try:
        return company.path if is_there and os.listdir(company.path) else ""
    except OSError:
        return company.path


def _one(
    settings: Settings,
    options: RestoreOptions,
    root_path: str,
    repository_path: str,
    now: datetime,
    company: str,
    *,
    dry_run: bool,
) -> OneOfAll:
    """Plan or restore one company; its trouble stops no other, but a missing key, which all would need."""
    its = replace(options, company=company, dry_run=dry_run, yes=True)
    agrees: Callable[[RestoreReport], bool] = lambda report: True  # noqa: E731
    try:
        report = run_restore(settings, its, root_path, repository_path, now, agrees)
    except BaileysToolsError as error:
        if dry_run and error.exit_code is ExitCode.WRONG_KEY:
            raise
        refused = error.exit_code is ExitCode.REFUSED
        return OneOfAll(
            company,
            AllStatus.REFUSED if refused else AllStatus.FAILED,
            trouble=error.message,
            hint=error.hint,
        )
    except OSError as error:
        return OneOfAll(company, AllStatus.FAILED, trouble=say_why(error))
    plan = report.plan
    standing = [] if plan is None else [one for one in plan.refusals if not options.force]
    cost = None if plan is None else plan.cost
    return OneOfAll(
        company,
        AllStatus.REFUSED if standing else AllStatus.PLANNED if dry_run else AllStatus.RESTORED,
        report.path,
        report.snapshot.id,
        report.snapshot.taken_at,
        len(report.brought_back) if plan is None or not dry_run else plan.count(Action.BRING_BACK),
        0 if cost is None else cost.contacts + cost.group_senders,
        "; ".join(one.text for one in standing),
    )
