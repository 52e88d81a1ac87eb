"""`inspect`: the health check of one session folder, as findings with what to do."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.cures.rules.group_keys import memories_of
from baileys_tools.cures.rules.stale_groups import StaleGroup, stale_group_findings, stale_groups
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.baselines import with_baselines
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import the_one_company
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.inspect_folder import inspect_folder
from baileys_tools.sessions.look import was_linked_at
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.inspected import Elsewhere, Inspected
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.sessions.rules.surroundings import OldFolder, Snapshots
from baileys_tools.state.database import State, open_state
from baileys_tools.watching.kept_inspections import keep_inspection
from baileys_tools.watching.looking import rules_of
from baileys_tools.watching.monitor_pass import look_over
from baileys_tools.watching.rules.health import unreadable_folder
from baileys_tools.watching.rules.inspection import Inspection, inspect, with_what_a_pass_saw
from baileys_tools.watching.status import last_cleanups


def inspect_command(given: CommandLine) -> ExitCode:
    """Given the command line, inspect one company, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    root_path = require_sessions_path(loaded)
    now = datetime.now(UTC)
    settings = loaded.settings
    with open_state(settings.state.dir, now) as state, recorded("inspect", settings, now) as run:
        run.state = state
        inspection = run_inspect(settings, root_path, now, state)
        run.ended(inspection.exit_code, findings=len(inspection.findings))
    if given.as_json:
        from baileys_tools.watching.show.inspect_json import inspect_json

        print(inspect_json(inspection, with_files=given.verbose))
    else:
        from baileys_tools.frame.show.terminal import Style, block_character
        from baileys_tools.watching.show.inspect_text import inspect_text

        print(inspect_text(inspection, Style(), verbose=given.verbose, block=block_character()))
    return inspection.exit_code


def run_inspect(settings: Settings, root_path: str, now: datetime, state: State) -> Inspection:
    """Inspect the one company that the settings choose below `root_path`. Writes nothing into its folder.

    Works while a bot writes there, and while a cleanup holds the lock. Raises BaileysToolsError when no company, or
    more than one, is meant.
    """
    settings = with_baselines(settings, now, state)
    with Root(root_path, keep_lost=True) as root:
        company = the_one_company(root, settings, "inspect", state)
        rules = rules_of(settings.for_company(company.id))
        passed = look_over(settings, root, state, now)
        one = next(one for one in passed.companies if one.id == company.id)
        if one.is_gone or any(finding.code == "session-moved" for finding in one.findings):
            return Inspection(company.id, company.path, now, one.findings, rules=rules, is_gone=one.is_gone)
        try:
            with root.open(company) as folder:
                seen = inspect_folder(folder, now)
                server = passed.asked.server_pre_keys(company.id)
                seen = replace(seen, folder=seen.folder._replace(server=server))
                elsewhere = _ask_elsewhere(
                    settings, state, root, company, folder, passed.known.get(company.id), now
                )
                stale = _stale_groups(settings, company.id, seen, now)
                is_here = os.fstat(folder).st_dev == os.fstat(root.bases[company.base].fd).st_dev
        except OSError as error:
            findings = [unreadable_folder(company.id, say_why(error))]
            return Inspection(company.id, company.path, now, findings, rules=rules, trouble=say_why(error))
    inspection = inspect(company.id, company.path, seen, elsewhere, rules, now)
    keep_inspection(state, company.id, inspection.evidence, seen.stats)
    own = [*inspection.findings, *stale_group_findings(company.id, stale)]
    if company.id in passed.asked.users:
        own = [finding for finding in own if finding.code != "foreign-owner"]
    findings = with_what_a_pass_saw(own, one, passed.host, is_here=is_here)
    return inspection.with_findings(findings)


def _stale_groups(settings: Settings, company: str, seen: Inspected, now: datetime) -> list[StaleGroup]:
    if not settings.logs.files:
        return []
    from baileys_tools.cures.log_evidence import group_requests_in_logs

    return stale_groups(group_requests_in_logs(settings, company, now), memories_of(seen.folder), now)


def _ask_elsewhere(
    settings: Settings,
    state: State,
    root: Root,
    company: Company,
    folder: int,
    look: Look | None,
    now: datetime,
) -> Elsewhere:
    """Return what the repository and the state know of a company. `look` is the last one that was remembered."""
    from baileys_tools.state.spool import take_in

    take_in(state)
    path = settings.backup.path
    snapshots = None if path is None else look_up_snapshots(path, company, folder)
    return Elsewhere(
        snapshots=snapshots,
        last_cleanup=last_cleanups(state).get(company.id),
        strictest_leaves=0 if look is None else look.strictest_leaves,
        was_linked=was_linked_at(look, folder, snapshots.newest_at if snapshots is not None else None),
        old_folders=_old_folders(root, company, folder, now),
    )


def _old_folders(root: Root, company: Company, folder: int, now: datetime) -> list[OldFolder]:
    from baileys_tools.sessions.leftovers import old_folders_beside
    from baileys_tools.sessions.resets import describe_resets

    waiting = [
        OldFolder(found.run, "", found.started, found.files, found.size)
        for found in describe_resets(folder)
        if found.of_a_restore
    ]
    beside = old_folders_beside(root, company, folder, now) if root.may_have_left(company) else []
    return waiting + beside


def look_up_snapshots(path: str, company: Company, folder: int | None = None) -> Snapshots:
    """Given a repository's path, return what it has of a company. Opens no archive.

    With the handle of the session folder, `is_current` says whether that is as it was at the last backup.
    """
    from baileys_tools.sessions.reading import stamp_folder
    from baileys_tools.snapshots.repository import Repository
    from baileys_tools.snapshots.shelves import shelf_of

    try:
        with Repository(path) as repository:
            shelf = shelf_of(repository, company)
            listing, index = repository.snapshots(shelf.name), shelf.known
    except BaileysToolsError as error:
        return Snapshots(trouble=error.message)
    except OSError as error:
        return Snapshots(trouble=say_why(error))
    whole = [info for info in listing if info.good]
    newest = whole[-1] if whole else None
    is_current = False
    if folder is not None and newest is not None and index.stamp:
        is_current = index.last == newest.file and stamp_folder(folder).digest == index.stamp
    return Snapshots(
        newest,
        stored=len(whole),
        damaged=sum(info.damaged and (newest is None or info.order > newest.order) for info in listing),
        is_current=is_current,
        failure=index.failure,
    )
