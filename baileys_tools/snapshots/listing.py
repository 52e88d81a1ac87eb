"""`snapshots`: list what the repository holds, by the names of its files alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from baileys_tools.config import require_backup_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import place_named
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.snapshots.prune import PlaceOf, choose_companies
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.prune_report import CompanySnapshots, SnapshotsReport


def snapshots_command(given: CommandLine) -> ExitCode:
    """Given the command line, list the snapshots, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded("snapshots", loaded.settings, now) as run:
        report = list_all(
            require_backup_path(loaded),
            loaded.settings.sessions.companies,
            now,
            partial(place_named, loaded.settings),
        )
        run.ended(report.exit_code, companies=len(report.companies))
    if given.as_json:
        from baileys_tools.snapshots.show.backup_json import snapshots_json

        print(snapshots_json(report))
    else:
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.snapshots.show.backup_text import snapshots_text

        print(snapshots_text(report, Style()))
    return report.exit_code


def list_all(
    path: str, companies: Sequence[str], now: datetime, place_of: PlaceOf = lambda company: ""
) -> SnapshotsReport:
    """Return the snapshots of the chosen companies (none: all), oldest first. Opens no archive."""
    with Repository(path) as repository:

        def one(company: str) -> CompanySnapshots:
            index = repository.index(company)
            listing = repository.snapshots(company)
            return CompanySnapshots(company, listing, index.failure, index.failed_at, source=index.source)

        chosen = choose_companies(repository, companies, place_of)
        found = for_each(chosen, one, lambda company, why: CompanySnapshots(company, trouble=why), workers=1)
        sources = repository.sources(chosen)
    return SnapshotsReport(path, now, found, sources)
