"""`diff`: what changed between two snapshots, or since one."""

from __future__ import annotations

from datetime import UTC, datetime

from baileys_tools.config import LoadedSettings, require_backup_path, require_sessions_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run, company_meant, place_meant
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.recovery.rules.difference import DiffReport, Side, difference
from baileys_tools.recovery.snapshot_to_restore import WholeSnapshot, read_snapshot
from baileys_tools.sessions.live import read_live_folder
from baileys_tools.sessions.locks import told_of
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.node_json import LARGEST
from baileys_tools.sessions.rules.restore_plan import CREDS
from baileys_tools.sessions.rules.snapshot import Account, as_keys
from baileys_tools.sessions.scan import read_regular_file
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.shelves import shelf_meant

LIVE = "live"


def diff_command(
    given: CommandLine, company: str, before: str, after: str, *, show_numbers: bool
) -> ExitCode:
    """Given the command line, compare, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded("diff", loaded.settings, now) as run:
        report = run_diff(loaded, company, before, after, now)
        run.ended(ExitCode.DONE, kinds=len(report.found.kinds))
    if given.as_json:
        from baileys_tools.recovery.show.diff_text import diff_json

        print(diff_json(report, show_numbers=show_numbers))
    else:
        from baileys_tools.recovery.show.diff_text import diff_text

        print(diff_text(report, verbose=given.verbose, show_numbers=show_numbers))
    return ExitCode.DONE


def run_diff(loaded: LoadedSettings, company: str, before: str, after: str, now: datetime) -> DiffReport:
    """Compare two states of a company. Raises exit code 10, 11 or 12 for a snapshot that cannot be read."""
    path = require_backup_path(loaded)
    identity = loaded.settings.backup.identity_file
    company = company_meant(loaded.settings, company, "diff")
    place = place_meant(loaded.settings, company)
    with Repository(path) as repository:
        shelf = shelf_meant(repository, company, place)

        def side(wanted: str) -> Side:
            if wanted == LIVE:
                return _live(loaded, company, now)
            return _of_snapshot(read_snapshot(repository, shelf, wanted, identity))

        return DiffReport(company, path, now, difference(side(before), side(after)))


def _of_snapshot(snapshot: WholeSnapshot) -> Side:
    keys = as_keys(snapshot.files.values())
    return Side(
        snapshot.info.sequence,
        snapshot.manifest.taken_at,
        {name: file.entry.sha256 for name, file in keys.items()},
        snapshot.manifest.account.identity,
        keys[CREDS].content if CREDS in keys else b"",
    )


def _live(loaded: LoadedSettings, company_id: str, now: datetime) -> Side:
    with Root(require_sessions_path(loaded)) as root:
        (company,) = companies_of_run(root, loaded.settings, only=[company_id])
        with told_of(company.id), root.open(company) as folder:
            live, _ = read_live_folder(folder, with_contents=False)
            creds = read_regular_file(folder, CREDS, LARGEST + 1) if CREDS in live.files else b""
    login = live.account.identity if isinstance(live.account, Account) else ""
    return Side(None, now, {name: file.sha256 for name, file in live.files.items()}, login, creds)
