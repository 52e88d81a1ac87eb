"""What a person should know after backups and verifications, and about a repository as it is set up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from baileys_tools.alerts.rules.alerts import LookedAt
from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.rules.backup_report import BackupReport, BackupStatus, CompanyBackup, CopyResult
from baileys_tools.snapshots.rules.prune_report import PruneReport, SnapshotHealth, VerifyReport
from baileys_tools.snapshots.rules.shelf_names import name_of
from baileys_tools.units import counted, printable

LASTING_CODES = frozenset(
    {"backup-unfit", "backup-failed", "backup-incomplete", "prune-failed", "copy-failed", "lock-held"}
)
"""What each backup looks for anew in each company it was not locked out of; `copy-failed` is about the host."""


def backup_findings(report: BackupReport) -> list[Finding]:
    """Given the report of a backup, return what a person should know. Copies are the host's, under company ""."""
    found = [finding for company in report.companies for finding in _of_company(company)]
    found += [_damaged(company, infos) for company, infos in report.damaged.items()]
    return [*found, *_of_copies(report.copies or ())]


def looked_at(report: BackupReport, wanted: Sequence[str]) -> LookedAt:
    """Given a report and the companies that were asked for (none: all), return what it can tell to be over."""
    locked = {
        one.id for one in report.companies if one.status is BackupStatus.LOCKED and one.held_too_long is None
    }
    # Only after a new snapshot the older ones are looked at.
    not_pruned = {(company.id, "prune-failed") for company in report.companies if company.snapshot is None}
    companies = frozenset({"", *wanted}) if wanted else None
    # A folder that is no session now says nothing about what failed before: `monitor-once` still tells of that.
    unfit = {(one.id, "backup-failed") for one in report.companies if one.status is BackupStatus.UNFIT}
    copies = {("", "copy-failed")} if report.copies is None else set()
    return LookedAt(LASTING_CODES, companies, frozenset({*locked, *not_pruned, *unfit, *copies}))


def damage_findings(report: PruneReport | VerifyReport) -> list[Finding]:
    """Given the report of `prune` or `verify`, return one finding for each company with damaged snapshots."""
    if isinstance(report, PruneReport):
        return [_damaged(company.company, company.damaged) for company in report.companies if company.damaged]
    damaged: dict[str, list[SnapshotInfo]] = {}
    for result in report.results:
        if result.health is SnapshotHealth.DAMAGED:
            damaged.setdefault(result.snapshot.company, []).append(result.snapshot)
    return [_damaged(company, infos) for company, infos in damaged.items()]


def repository_findings(
    path: str | None, recipients: Sequence[str], copies: Iterable[str], identity_file: str | None
) -> list[Finding]:
    """Given the settings of `backup`, return what they mean for whoever gets hold of the snapshots.

    A repository in clear on this host holds no more than the session folders beside it do: a notice. A copy in
    clear elsewhere hands the sessions to whoever runs that place: a warning.
    """
    if path is None:
        return []
    away = [target for target in copies if not target.startswith("file:")]
    if not recipients:
        places = " and ".join(printable(place) for place in (path, *away))
        return [
            Finding(
                "snapshots-not-encrypted",
                Severity.WARNING if away else Severity.NOTICE,
                "",
                f"snapshots are not encrypted: whoever can read {places}, or a copy of it, can act as the bots",
                "File modes are the only protection. backup.recipients encrypts the snapshots to come.",
                {"copies": len(away)},
            )
        ]
    if identity_file is not None:
        return [
            Finding(
                "secret-key-beside-snapshots",
                Severity.NOTICE,
                "",
                f"backup.identity_file ({printable(identity_file)}): this host can decrypt what it wrote",
                "Taking snapshots needs no secret key: keep it elsewhere and give it to `restore` by --identity.",
            )
        ]
    return []


def _of_company(company: CompanyBackup) -> list[Finding]:
    found = [] if company.held_too_long is None else [company.held_too_long]
    trouble = printable(company.trouble)
    if company.status is BackupStatus.UNFIT:
        found.append(
            Finding(
                "backup-unfit",
                Severity.CRITICAL,
                company.id,
                f"no backup: {trouble}",
                "What the newest good snapshot would bring back: "
                + command("baileys-tools restore --company {} --dry-run", company.id),
            )
        )
    elif company.status is BackupStatus.FAILED:
        found.append(
            Finding(
                "backup-failed",
                Severity.CRITICAL,
                company.id,
                f"no backup: {trouble}",
                "The snapshots from before are as they were, and the next run tries again. Check space and rights.",
            )
        )
    elif company.snapshot is not None and trouble:
        found.append(
            Finding(
                "prune-failed",
                Severity.WARNING,
                company.id,
                trouble,
                f"Try it by hand: {command('baileys-tools prune --company {}', company.id)}",
            )
        )
    if company.unreadable:
        names = ", ".join(printable(odd.name) for odd in company.unreadable[:3])
        more = ", ..." if len(company.unreadable) > 3 else ""
        found.append(
            Finding(
                "backup-incomplete",
                Severity.WARNING,
                company.id,
                f"{counted(len(company.unreadable), 'file')} could not be read and no snapshot has them "
                f"({names}{more})",
                "Give the user that takes backups the right to read them, and look at the disk.",
                {"files": len(company.unreadable)},
            )
        )
    return found


def _damaged(shelf: str, infos: Sequence[SnapshotInfo]) -> Finding:
    company = name_of(shelf)
    names = ", ".join(info.id for info in infos[:3]) + (", ..." if len(infos) > 3 else "")
    return Finding(
        "snapshot-damaged",
        Severity.CRITICAL,
        company,
        f"{counted(len(infos), 'snapshot')} damaged ({names}): not what was written",
        f"Take a new one ({command('baileys-tools backup --force --company {}', company)}), check the disk, and "
        "fetch the old ones back from a place of copies: baileys-tools backup --import URL",
        {"damaged": len(infos)},
    )


def _of_copies(copies: Sequence[CopyResult]) -> Iterator[Finding]:
    """One finding of a kind for all places: a finding is told from others by its company and code alone."""
    failed = [copy for copy in copies if copy.trouble]
    gone = [copy for copy in copies if copy.gone]
    if gone:
        said = "; ".join(f"{printable(copy.target)}: {gone_text(copy)}" for copy in gone)
        yield Finding(
            "copies-gone",
            Severity.WARNING,
            "",
            f"copies elsewhere had gone: {said}",
            "Who removed them? What is there now: baileys-tools copies check --read",
            {"places": len(gone), "gone": sum(copy.gone for copy in gone)},
        )
    if not failed:
        return
    waiting = sum(copy.waiting for copy in failed)
    where = "; ".join(f"{printable(copy.target)}: {printable(copy.trouble)}" for copy in failed)
    yield Finding(
        "copy-failed",
        Severity.WARNING,
        "",
        f"copies elsewhere are behind: {where}",
        "The snapshots here are kept, and the next run sends what waits. Is the place reachable, and not full?",
        {"places": len(failed), "waiting": waiting},
    )


def gone_text(copy: CopyResult) -> str:
    """Given a place, return how many copies had gone from there, in words."""
    return f"{counted(copy.gone, 'snapshot')} that had been there {'was' if copy.gone == 1 else 'were'} gone or cut off"
