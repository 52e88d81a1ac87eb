"""`verify`: find damaged snapshots while there is still another one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from baileys_tools.config import require_backup_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import place_named
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.layouts import shared_name
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.archive import DamagedSnapshot, NotForHere
from baileys_tools.snapshots.backup_alerts import tell_of_damage
from baileys_tools.snapshots.encryption import Identities, WrongKey
from baileys_tools.snapshots.index import INDEX
from baileys_tools.snapshots.private_folders import RepositoryLocked
from baileys_tools.snapshots.prune import PlaceOf, choose_companies
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.prune_report import SnapshotHealth, Verified, VerifyReport
from baileys_tools.snapshots.rules.shelf_names import COMPANY_PREFIX, name_of

_MARKED = (
    "it was marked as damaged, though its hash fits: verify --all --deep looks closer, and takes the mark off"
)


def verify_command(given: CommandLine, *, every: bool, deep: bool) -> ExitCode:
    """Given the command line, verify, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded("verify", loaded.settings, now, quiet=given.quiet) as run:
        path = require_backup_path(loaded)
        identity_file = loaded.settings.backup.identity_file
        identities = Identities(identity_file) if deep and identity_file is not None else None
        companies = loaded.settings.sessions.companies
        place_of = partial(place_named, loaded.settings)
        report = run_verify(
            path, companies, now, every=every, deep=deep, identities=identities, place_of=place_of
        )
        run.ended(
            report.exit_code,
            snapshots=len(report.results),
            whole=report.count(SnapshotHealth.WHOLE),
            damaged=report.count(SnapshotHealth.DAMAGED),
        )
    tell_of_damage(report, loaded.settings, now)
    if given.as_json:
        from baileys_tools.snapshots.show.backup_json import verify_json

        print(verify_json(report))
    elif not given.quiet:
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.snapshots.show.backup_text import verify_text

        print(verify_text(report, Style()))
    elif report.exit_code is not ExitCode.DONE:
        from baileys_tools.snapshots.show.backup_text import verify_troubles

        for line in verify_troubles(report):
            print(line, file=sys.stderr)
    return report.exit_code


def run_verify(
    path: str,
    companies: Sequence[str],
    now: datetime,
    *,
    every: bool = False,
    deep: bool = False,
    identities: Identities | None = None,
    place_of: PlaceOf = lambda company: "",
) -> VerifyReport:
    """Verify the newest good snapshot of each chosen company, or with `every` all of them.

    One that does not fit its hash is marked as damaged, where the repository can be written: it then counts
    for nothing in `prune`, and `restore` takes the one before it. Deep reads every file in it as a restore
    would, which for an encrypted one takes its key.
    """
    troubles: list[str] = []
    with Repository(path) as repository:

        def chosen(company: str) -> Sequence[SnapshotInfo]:
            listing = repository.snapshots(company)
            troubles.extend(_strange(repository, company))
            good = [info for info in listing if info.good]
            return listing if every else good[-1:] or listing[-1:]

        def trouble(company: str, why: str) -> Sequence[SnapshotInfo]:
            troubles.append(f"company {name_of(company)}: {why}")
            return ()

        shelves = choose_companies(repository, companies, place_of)
        infos = for_each(shelves, chosen, trouble, workers=1)
        results = for_each(
            [info for listing in infos for info in listing],
            lambda info: _verify_one(repository, info, identities, deep=deep),
            lambda info, why: Verified(info, SnapshotHealth.UNREADABLE, why),
            workers=1,
        )
        sources = repository.sources(shelves)
    return VerifyReport(path, now, deep, results, troubles, sources)


def _strange(repository: Repository, company: str) -> Iterator[str]:
    """Yield what is wrong with a company's folder as a whole. Raises OSError."""
    for file in repository.out_of_range(company):
        yield (
            f"company {company}: {file} counts for nothing, as no snapshot has such a high number: no backup wrote it; "
            "look at it, and remove it"
        )
    # What a session's own folder is called: of encrypted snapshots nothing else tells without the key.
    source = os.path.basename(repository.index(company).source)
    other = source.removeprefix(COMPANY_PREFIX)
    # A place has its shelf by the name that told it from another one when the first snapshot was taken (1001@b).
    named = (source, name_of(company), shared_name(name_of(company)))
    if other not in named and other in repository.companies():
        yield (
            f"company {company}: its folder holds the snapshots of company {other}, by its {INDEX}: were the folders "
            "of the two swapped? Give them back their names"
        )


def _verify_one(
    repository: Repository, info: SnapshotInfo, identities: Identities | None, *, deep: bool
) -> Verified:
    try:
        if not deep:
            repository.verify(info)
            if info.damaged:
                return Verified(info, SnapshotHealth.DAMAGED, _MARKED)
            return Verified(info, SnapshotHealth.WHOLE)
        snapshot = repository.read_whole(info, identities)
        return Verified(
            _marked(repository, info, damaged=False), SnapshotHealth.WHOLE, manifest=snapshot.manifest
        )
    except NotForHere as foreign:
        return Verified(info, SnapshotHealth.UNREADABLE, foreign.why)
    except DamagedSnapshot as damage:
        return Verified(_marked(repository, info, damaged=True), SnapshotHealth.DAMAGED, damage.why)
    except WrongKey as error:
        return _without_key(repository, info, error)
    except FileNotFoundError:
        return Verified(info, SnapshotHealth.UNREADABLE, "it was removed meanwhile")


def _without_key(repository: Repository, info: SnapshotInfo, error: WrongKey) -> Verified:
    """What can be said all the same: whether the file is the one that was written. Raises OSError."""
    try:
        repository.verify(info)
    except DamagedSnapshot as damage:
        return Verified(_marked(repository, info, damaged=True), SnapshotHealth.DAMAGED, damage.why)
    return Verified(
        info, SnapshotHealth.NO_KEY, f"{error.message}: its hash fits, and what is in it was not read"
    )


def _marked(repository: Repository, info: SnapshotInfo, *, damaged: bool) -> SnapshotInfo:
    if info.damaged is damaged:
        return info
    try:
        with repository.writing(info.company) as writer:
            return writer.mark_damaged(info) if damaged else writer.mark_whole(info)
    except (OSError, RepositoryLocked):
        return info  # on a read-only mount the finding itself has to do
