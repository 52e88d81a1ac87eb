"""`inspect`: the health check of one session folder, as findings with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.findings import Finding
from baileys_tools.frame.companies import the_one_company
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.inspect_folder import inspect_folder
from baileys_tools.sessions.look import was_linked_at
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.fullness import worst_first
from baileys_tools.sessions.rules.inspected import Elsewhere, Inspected
from baileys_tools.sessions.rules.surroundings import OldFolder, Snapshots
from baileys_tools.state.database import State, open_state
from baileys_tools.watching.looking import remembered, rules_of
from baileys_tools.watching.rules.health import state_unreadable, unreadable_folder
from baileys_tools.watching.rules.inspection import Inspection, inspect
from baileys_tools.watching.status import last_cleanups


def inspect_command(
    flags: Mapping[str, object], config: str | None, *, verbose: bool, as_json: bool
) -> ExitCode:
    """Given the command line, inspect one company, print the result once, and return the exit code."""
    loaded = settings_in_force(flags, config)
    root_path = require_sessions_path(loaded)
    now = datetime.now(UTC)
    settings = loaded.settings
    with open_state(settings.state.dir, now) as state, recorded("inspect", settings, now) as run:
        run.state = state
        inspection = run_inspect(settings, root_path, now, state)
        run.ended(inspection.exit_code, findings=len(inspection.findings))
    if as_json:
        from baileys_tools.watching.show.inspect_json import inspect_json

        print(inspect_json(inspection, with_files=verbose))
    else:
        from baileys_tools.frame.show.terminal import Style, block_character
        from baileys_tools.watching.show.inspect_text import inspect_text

        print(inspect_text(inspection, Style(), verbose=verbose, block=block_character()))
    return inspection.exit_code


def run_inspect(settings: Settings, root_path: str, now: datetime, state: State) -> Inspection:
    """Inspect the one company that the settings choose below `root_path`. Writes nothing into its folder.

    Works while a bot writes there, and while a cleanup holds the lock. Raises BaileysToolsError when no company, or
    more than one, is meant.
    """
    with Root(root_path) as root:
        company = the_one_company(root, settings, "inspect", state)
        rules = rules_of(settings)
        try:
            with root.open(company) as folder:
                seen = inspect_folder(folder, now)
                elsewhere = _ask_elsewhere(settings, state, root, company, folder, seen, now)
        except OSError as error:
            finding = unreadable_folder(company.id, say_why(error))
            return Inspection(company.id, company.path, now, [finding], rules=rules)
    inspection = inspect(company.id, company.path, seen, elsewhere, rules, now)
    if state.trouble:
        findings = worst_first([*inspection.findings, state_unreadable(state.trouble)])
        return inspection.with_findings(findings)
    return inspection


def _ask_elsewhere(
    settings: Settings,
    state: State,
    root: Root,
    company: Company,
    folder: int,
    seen: Inspected,
    now: datetime,
) -> Elsewhere:
    """Return what the repository, the state and the bot's log know of a company."""
    from baileys_tools.state.spool import take_in

    take_in(state)
    known = remembered(state, root.path, rules_of(settings))
    look = known.get(company.id)
    login = seen.folder.creds.login if isinstance(seen.folder.creds, Creds) else ""
    here = {one.id for one in root.companies(settings.sessions.multitenancy)} - {company.id}
    path = settings.backup.path
    snapshots = None if path is None else look_up_snapshots(path, company.id, folder)
    return Elsewhere(
        snapshots=snapshots,
        last_cleanup=last_cleanups(state).get(company.id),
        strictest_leaves=0 if look is None else look.strictest_leaves,
        was_linked=was_linked_at(look, folder, snapshots.newest_at if snapshots is not None else None),
        same_login=[one for one in known if login and one in here and known[one].login == login],
        told_by_log=_told_by_log(settings, state, company.id, folder, now),
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


def _told_by_log(settings: Settings, state: State, company: str, folder: int, now: datetime) -> list[Finding]:
    """Return what the bot's log says of it, two writers among it. Nothing where no log is configured."""
    if not settings.logs.files:
        return []
    from baileys_tools.bots.bot_logs import DAY, log_limits, read_company_logs
    from baileys_tools.bots.folder_life import life_in
    from baileys_tools.bots.log_hours import hours_since
    from baileys_tools.bots.rules.log_report import log_findings
    from baileys_tools.sessions.resets import last_reset

    logs = read_company_logs(
        state, settings, company, now, reset=last_reset(folder), life=lambda: life_in(folder, now)
    )
    limits = log_limits(settings)
    return log_findings(company, logs.facts, logs.files, hours_since(state, company, now - DAY), limits, now)


def look_up_snapshots(path: str, company: str, folder: int | None = None) -> Snapshots:
    """Given a repository's path, return what it has of a company. Opens no archive.

    With the handle of the session folder, `is_current` says whether that is as it was at the last backup.
    """
    from baileys_tools.sessions.reading import stamp_folder
    from baileys_tools.snapshots.repository import Repository

    try:
        with Repository(path) as repository:
            listing = repository.snapshots(company)
            index = repository.index(company)
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
