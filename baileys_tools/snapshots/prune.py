"""`prune`: remove the snapshots that no retention rule keeps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from baileys_tools.config import Backup, Copies, Settings, require_backup_path
from baileys_tools.config.companies import Standing
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_here, no_such_company, place_named
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.roots import Company
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.archive import DamagedSnapshot
from baileys_tools.snapshots.backup_alerts import tell_of_damage
from baileys_tools.snapshots.company_writer import CompanyWriter
from baileys_tools.snapshots.private_folders import RepositoryLocked
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.prune_report import CompanyPrune, PruneReport
from baileys_tools.snapshots.rules.retention import Decision, Retention, plan_retention
from baileys_tools.snapshots.rules.shelf_names import alike, name_of
from baileys_tools.snapshots.shelves import several_places, shelf_at, shelf_of

RetentionOf = Callable[[str], Retention]
"""Gives the retention policy of a company by its id."""
PlaceOf = Callable[[str], str]
"""Gives the place of a company by its id, "" where nothing tells."""


def prune_command(given: CommandLine, *, dry_run: bool) -> ExitCode:
    """Given the command line, prune or plan it, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded("prune", loaded.settings, now, quiet=given.quiet, dry_run=dry_run) as run:
        path = require_backup_path(loaded)
        settings = loaded.settings
        retention = retention_by_company(settings)
        report = run_prune(
            path,
            settings.sessions.companies,
            retention,
            now,
            dry_run=dry_run,
            place_of=partial(place_named, settings),
            here=companies_here(settings) if settings.companies else (),
        )
        gone = {company.company: len(company.removed) for company in report.companies if not company.trouble}
        run.ended(
            report.exit_code,
            {} if dry_run else gone,
            companies=len(report.companies),
            removed=sum(gone.values()),
        )
    if not dry_run:
        tell_of_damage(report, loaded.settings, now)
    if given.as_json:
        from baileys_tools.snapshots.show.backup_json import prune_json

        print(prune_json(report))
    elif not given.quiet:
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.snapshots.show.backup_text import prune_text

        print(prune_text(report, Style(), verbose=given.verbose))
    elif report.exit_code is not ExitCode.DONE:
        from baileys_tools.snapshots.show.backup_text import prune_troubles

        for line in prune_troubles(report):
            print(line, file=sys.stderr)
    return report.exit_code


def run_prune(
    path: str,
    companies: Sequence[str],
    policy_of: RetentionOf,
    now: datetime,
    *,
    dry_run: bool = False,
    place_of: PlaceOf = lambda company: "",
    here: Sequence[Company] = (),
) -> PruneReport:
    """Prune the chosen companies of a repository (none: all), or only plan it.

    A company whose listing cannot be read loses nothing and is part of the report. `here` are the companies that there
    are: what the settings say of one goes for its shelf, however that is called.
    """
    with Repository(path) as repository:
        called = {shelf_of(repository, company).name: company.id for company in here}

        def one(company: str) -> CompanyPrune:
            policy = policy_of(called.get(company, name_of(company)))
            if dry_run:
                return CompanyPrune(company, plan_retention(repository.snapshots(company), policy))
            try:
                with repository.writing(company) as writer:
                    pruned = prune_company(repository, writer, policy)
            except RepositoryLocked as lock:
                return CompanyPrune(company, locked=True, trouble=lock.message)
            return CompanyPrune(company, pruned.plan, pruned.removed, pruned.damaged)

        chosen = choose_companies(repository, companies, place_of)
        done = for_each(chosen, one, lambda company, why: CompanyPrune(company, trouble=why), workers=1)
        sources = repository.sources(chosen)
    return PruneReport(path, now, dry_run, done, sources)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning did: the plan it followed, what it removed, and what it found damaged on the way."""

    plan: Sequence[Decision]
    removed: Sequence[SnapshotInfo] = ()
    damaged: Sequence[SnapshotInfo] = ()


def prune_company(
    repository: Repository, writer: CompanyWriter, policy: Retention, verified: SnapshotInfo | None = None
) -> Pruned:
    """Remove what no rule keeps, once the newest good snapshot is known to be whole. Raises OSError.

    `verified` is one that was read back a moment ago. A newest snapshot that does not fit its hash is marked
    as damaged and the plan is made again, so that nothing goes on the strength of a broken one.
    """
    damaged: list[SnapshotInfo] = []
    while True:
        plan = plan_retention(writer.snapshots(), policy)
        doomed = [decision.snapshot for decision in plan if not decision.keep]
        newest = next((decision.snapshot for decision in plan if decision.snapshot.good), None)
        if not doomed or newest is None:
            return Pruned(plan, damaged=damaged)
        try:
            if verified is None or newest.file != verified.file:
                repository.verify_hash(newest)
        except DamagedSnapshot:
            damaged.append(writer.mark_damaged(newest))
            continue
        writer.remove(doomed)
        return Pruned(plan, doomed, damaged)


def retention_by_company(settings: Settings) -> RetentionOf:
    """Given the settings, return what gives the retention policy of a company by its id."""
    return lambda company: retention_of(settings.for_company(company).backup)


def retention_of(section: Backup | Copies) -> Retention:
    """Given a section of the settings, return its retention policy."""
    return Retention(
        section.keep_last,
        section.keep_within,
        section.keep_hourly,
        section.keep_daily,
        section.keep_weekly,
        section.keep_monthly,
        section.minimum,
        section.keep_tagged,
    )


def choose_companies(
    repository: Repository, wanted: Sequence[str], place_of: PlaceOf = lambda company: ""
) -> list[str]:
    """Given the ids asked for (none: all), return the shelves to work on: those of all places of a name.

    A shelf keeps its name when the place is called 1001@a instead of 1001, so `place_of` is asked for what no shelf is
    called. Raises exit code 10 for one not there, and UsageError for what several are called in part; of `Standing` ids
    such a name is about all of them, and one that has no snapshot yet stops no other.
    """
    found = repository.companies()
    if not wanted:
        return found
    chosen = {one: [shelf for shelf in found if one in (shelf, name_of(shelf))] for one in wanted}
    for one in [one for one, shelves in chosen.items() if not shelves and place_of(one)]:
        shelf = shelf_at(repository, one, place_of(one)).name
        chosen[one] = [shelf] if repository.has_shelf(shelf) else []
    if isinstance(wanted, Standing):
        chosen |= {
            one: [shelf for shelf in found if alike(shelf) == one] for one in wanted if not chosen[one]
        }
    missing = [company for company, shelves in chosen.items() if not shelves]
    if missing and not (isinstance(wanted, Standing) and any(chosen.values())):
        if same := [shelf for shelf in found if alike(shelf) == missing[0]]:
            raise several_places(repository, missing[0], same)
        message = f"no snapshots of company {', '.join(missing)} in {repository.path}"
        raise no_such_company(message, missing, [*dict.fromkeys(map(name_of, found))])
    return list(dict.fromkeys(shelf for shelves in chosen.values() for shelf in shelves))
