"""The results of `backup`, `snapshots`, `verify` and `prune` for people: 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from baileys_tools.frame.show.terminal import WIDTH, Style, companies_named, counted, together, wrapped
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.rules.backup_findings import gone_text
from baileys_tools.snapshots.rules.backup_report import BackupReport, BackupStatus, CompanyBackup, CopyResult
from baileys_tools.snapshots.rules.prune_report import (
    CompanyPrune,
    CompanySnapshots,
    KeepReport,
    PruneReport,
    SnapshotHealth,
    SnapshotsReport,
    Verified,
    VerifyReport,
)
from baileys_tools.snapshots.rules.retention import Decision, Keep
from baileys_tools.snapshots.rules.shelf_names import label_of, name_of
from baileys_tools.units import format_age, format_size, printable

_STATUS = {
    BackupStatus.TAKEN: ("taken", "green"),
    BackupStatus.UNCHANGED: ("unchanged", "dim"),
    BackupStatus.PLANNED: ("would be taken", "cyan"),
    BackupStatus.LOCKED: ("skipped", "yellow"),
    BackupStatus.UNFIT: ("no backup", "red"),
    BackupStatus.FAILED: ("failed", "red"),
    BackupStatus.NOT_LINKED: ("not linked yet", "dim"),
}

_KEEP = {
    Keep.NO_POLICY: "no keep_ rule is set",
    Keep.NEWEST_GOOD: "the newest whole one",
    Keep.MINIMUM: "minimum",
    Keep.LAST: "last",
    Keep.WITHIN: "within",
    Keep.HOURLY: "hourly",
    Keep.DAILY: "daily",
    Keep.WEEKLY: "weekly",
    Keep.MONTHLY: "monthly",
    Keep.TAGGED: "tagged",
    Keep.PINNED: "pinned",
    Keep.LAST_RESORT: "damaged, but too few whole ones follow it",
}


# --- backup -------------------------------------------------------------------------------------------------


def backup_text(report: BackupReport, style: Style) -> str:
    """Given a report, return it as text: a line or two for each company, then the sums."""
    lines: list[str] = []
    stopped = together(
        (company.id, printable(company.trouble)) for company in report.companies if _is_stopped(company)
    )
    for company in report.companies:
        is_news = company.status is not BackupStatus.UNCHANGED or company.refused
        if _is_stopped(company):
            ids = stopped[printable(company.trouble)]
            if company.id == ids[0]:
                lines += _backup_lines(company, style, companies_named(ids))
        elif is_news or len(report.companies) <= 20:
            lines += _backup_lines(company, style)
    if report.copies is None:
        lines.append("copies: another run is sending them")
    for copy in report.copies or ():
        lines.append(_copy_line(copy, style))
        lines += [f"  {line}" for line in _damaged_here(copy)]
    counts = [
        f"{report.count(status):,} {_STATUS[status][0]}" for status in BackupStatus if report.count(status)
    ]
    lines += ["", f"{counted(len(report.companies), 'company', 'companies')}: {', '.join(counts)}"]
    taken = [
        company.snapshot.size
        for company in report.companies
        if company.snapshot is not None and not company.fetched
    ]
    if taken:
        how = "encrypted" if report.encrypted else "not encrypted"
        lines.append(f"{format_size(sum(taken))} written to {printable(report.repository)} ({how})")
    if report.dry_run:
        lines.append("Dry run: nothing was written.")
    return "\n".join(lines)


def backup_troubles(report: BackupReport) -> list[str]:
    """Given a report, return one line for each thing that a person has to see even when all is quiet."""
    stopped = together((company.id, printable(company.trouble)) for company in report.companies)
    lines = [f"{companies_named(ids)}: {trouble}" for trouble, ids in stopped.items()]
    for company in report.companies:
        lines += [f"company {printable(company.id)}: {_left_out(odd)}" for odd in company.unreadable]
        lines += [f"company {printable(company.id)}: {_is_damaged(info)}" for info in company.damaged]
        lines += [f"company {printable(company.id)}: {_is_refused(info)}" for info in company.refused]
    for copy in report.copies or ():
        lines += [_copy_trouble(copy)] if copy.trouble else []
        lines += [f"{printable(copy.target)}: {gone_text(copy)}"] if copy.gone else []
        lines += _damaged_here(copy)
    return lines


def _is_stopped(company: CompanyBackup) -> bool:
    """Whether its trouble is all there is to say of it."""
    failed = company.status in (BackupStatus.FAILED, BackupStatus.UNFIT) and bool(company.trouble)
    return failed and not (
        company.left_out or company.damaged or company.removed or company.fetched or company.refused
    )


def _backup_lines(company: CompanyBackup, style: Style, who: str = "") -> Iterator[str]:
    word, colour = _STATUS[company.status]
    head = f"{who or companies_named([company.id])}: {style.paint(word, colour)}"
    if company.fetched:
        head = f"company {printable(company.id)}: {counted(company.fetched, 'snapshot')} fetched"
    elif company.snapshot is not None:
        info = company.snapshot
        head += (
            f", snapshot {info.id}: {counted(company.files, 'file')}, {format_size(company.bytes)} "
            f"in {format_size(info.size)}"
        )
    elif company.status is BackupStatus.PLANNED:
        head += f": {counted(company.files, 'file')}, {format_size(company.bytes)}"
    yield head
    if company.apart and company.status is not BackupStatus.UNCHANGED:
        beside = f"{company.beside} has this name in the repository, so these are in company_{company.apart}"
        yield from wrapped(printable(beside), WIDTH, "  ")
    if company.trouble:
        yield from wrapped(printable(company.trouble), WIDTH, "  ")
    for odd in company.left_out:
        yield f"  {_left_out(odd)}"
    for info in company.damaged:
        yield f"  {_is_damaged(info)}"
    for info in company.refused:
        yield f"  {_is_refused(info)}"
    if company.removed:
        yield f"  {counted(len(company.removed), 'older snapshot')} removed by retention"


def _left_out(odd: Oddity) -> str:
    return f"left out: {printable(odd.name)} ({printable(odd.what)})"


def _is_damaged(info: SnapshotInfo) -> str:
    return f"snapshot {info.id} does not fit its hash and is marked as damaged"


def _is_refused(info: SnapshotInfo) -> str:
    return f"snapshot {info.id} there does not fit its hash and was not taken in"


def _copy_line(copy: CopyResult, style: Style) -> str:
    if copy.trouble:
        return f"{style.paint('copies', 'red')} {_copy_trouble(copy)}"
    removed = f", {copy.removed:,} removed by retention" if copy.removed else ""
    gone = f" ({style.paint(gone_text(copy), 'yellow')})" if copy.gone else ""
    return f"copies {printable(copy.target)}: {copy.sent:,} sent{removed}{gone}"


def _damaged_here(copy: CopyResult) -> list[str]:
    return [f"company {printable(name_of(info.company))}: {_is_damaged(info)}" for info in copy.damaged]


def _copy_trouble(copy: CopyResult) -> str:
    waiting = f" ({copy.waiting:,} waiting for the next run)" if copy.waiting else ""
    return f"{printable(copy.target)}: {printable(copy.trouble)}{waiting}"


# --- snapshots ----------------------------------------------------------------------------------------------


def snapshots_text(report: SnapshotsReport, style: Style) -> str:
    """Given a listing, return it as a table for each company, oldest first."""
    lines: list[str] = []
    for company in report.companies:
        lines += _listing(company, label_of(company.company, report.sources), report.now, style)
    total = [info for company in report.companies for info in company.snapshots]
    lines.append(
        f"{counted(len(total), 'snapshot')} of {counted(len(report.companies), 'company', 'companies')}, "
        f"{format_size(sum(info.size for info in total))} in {printable(report.repository)}"
    )
    return "\n".join(lines)


def _listing(company: CompanySnapshots, who: str, now: datetime, style: Style) -> Iterator[str]:
    source = f"  of {printable(company.source)}" if company.source else ""
    yield style.paint(f"company {printable(who)}", "bold") + source
    if company.trouble:
        yield f"  {style.paint('not readable', 'red')}: {printable(company.trouble)}"
    if company.failure:
        yield (
            f"  {style.paint('last backup failed', 'red')} ({printable(company.failed_at[:19])}): "
            f"{printable(company.failure)}"
        )
    if company.snapshots:
        yield f"  {'id':>6}  {'taken (UTC)':19}  {'age':>6}  {'size':>9}  notes"
    for info in company.snapshots:
        notes = [
            *([info.tag] if info.tag else []),
            *(["encrypted"] if info.encrypted else []),
            *([style.paint("damaged", "red")] if info.damaged else []),
            *([f"kept until {info.kept_until:%Y-%m-%d %H:%M}"] if info.kept_until is not None else []),
        ]
        line = (
            f"  {info.id:>6}  {_time(info.taken_at)}  {format_age(now - info.taken_at):>6}  "
            f"{format_size(info.size):>9}  {', '.join(notes)}"
        )
        yield line.rstrip()
    if not company.snapshots and not company.trouble:
        yield "  no snapshot"
    yield ""


def keep_text(report: KeepReport) -> str:
    """Given what was pinned or released, return it as text."""
    info = report.snapshot
    head = (
        f"snapshot {info.id} of company {printable(name_of(info.company))}, taken {_time(info.taken_at)} UTC"
    )
    if info.kept_until is None:
        return f"{head}:\n  released; it goes when no backup.keep_ rule keeps it"
    return f"{head}:\n  kept until {_time(info.kept_until)} UTC, whatever the backup.keep_ rules say"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


# --- verify -------------------------------------------------------------------------------------------------


def verify_text(report: VerifyReport, style: Style) -> str:
    """Given a report, return a line for each snapshot, then the sums."""
    lines = []
    for result in report.results:
        colour = "green" if result.health is SnapshotHealth.WHOLE else "red"
        line = f"company {printable(label_of(result.snapshot.company, report.sources))} snapshot {result.snapshot.id}: "
        line += style.paint(result.health.value, colour)
        if result.manifest is not None:
            line += (
                f", {counted(result.manifest.files, 'file')} of {printable(result.manifest.account.masked)}"
            )
        lines.append(line)
        if result.why:
            lines += wrapped(printable(result.why), WIDTH, "  ")
    lines += [printable(trouble) for trouble in report.troubles]
    its = "its hash" if len(report.results) == 1 else "their hashes"
    unread = report.count(SnapshotHealth.NO_KEY)
    how = "read file by file" if report.deep and unread < len(report.results) else f"compared with {its}"
    counts = [f"{report.count(health):,} {health.value}" for health in SnapshotHealth if report.count(health)]
    lines += ["", f"{counted(len(report.results), 'snapshot')} {how}: {', '.join(counts) or 'none'}"]
    if unread:
        lines += [
            f"{counted(unread, 'snapshot')} could not be read. Give the secret key of one of their recipients:",
            f"  {command('baileys-tools verify --deep')} --identity FILE",
        ]
    return "\n".join(lines)


def verify_troubles(report: VerifyReport) -> list[str]:
    """Given a report, return one line for each snapshot that is not known to be whole."""
    return [
        f"company {printable(label_of(result.snapshot.company, report.sources))} snapshot {result.snapshot.id}: "
        f"{result.health}" + _because(result)
        for result in report.results
        if result.health is not SnapshotHealth.WHOLE
    ] + [printable(trouble) for trouble in report.troubles]


def _because(result: Verified) -> str:
    return f" ({printable(result.why)})" if result.why else ""


# --- prune --------------------------------------------------------------------------------------------------


def prune_text(report: PruneReport, style: Style, *, verbose: bool) -> str:
    """Given a report, return what goes and why, newest first, then the sums; with `verbose` also what stays and why."""
    lines: list[str] = []
    for company in report.companies:
        lines += _prune_lines(company, report, style, verbose=verbose)
    removed = sum(len(_removed(company, report)) for company in report.companies)
    size = sum(info.size for company in report.companies for info in _removed(company, report))
    verb = "would be removed" if report.dry_run else "removed"
    lines += ["", f"{counted(removed, 'snapshot')} {verb} ({format_size(size)})"]
    return "\n".join(lines)


def prune_troubles(report: PruneReport) -> list[str]:
    """Given a report, return one line for each thing that a person has to see even when all is quiet."""
    lines = []
    for company in report.companies:
        who = f"company {printable(label_of(company.company, report.sources))}"
        if company.trouble:
            lines.append(f"{who}: {printable(company.trouble)}")
        lines += [f"{who}: {_is_damaged(info)}" for info in company.damaged]
    return lines


def _removed(company: CompanyPrune, report: PruneReport) -> Sequence[SnapshotInfo]:
    if report.dry_run:
        return [decision.snapshot for decision in company.plan if not decision.keep]
    return company.removed


def _prune_lines(company: CompanyPrune, report: PruneReport, style: Style, *, verbose: bool) -> Iterator[str]:
    stay = sum(decision.keep for decision in company.plan)
    kept = (
        f"  {counted(stay, 'snapshot')} kept" if company.plan else "" if company.trouble else "  no snapshot"
    )
    yield style.paint(f"company {printable(label_of(company.company, report.sources))}", "bold") + kept
    if company.trouble:
        yield f"  {style.paint('skipped', 'yellow')}: {printable(company.trouble)}"
    for info in company.damaged:
        yield f"  {_is_damaged(info)}"
    for decision in company.plan:
        if verbose or not decision.keep:
            yield from _decision(decision, style)


def _decision(decision: Decision, style: Style) -> Iterator[str]:
    word = style.paint("keep  ", "green") if decision.keep else style.paint("remove", "red")
    head = f" {decision.snapshot.id:>6}  {_time(decision.snapshot.taken_at)}  "
    first, *rest = wrap(reasons_text(decision), WIDTH - 8 - len(head))
    yield f"  {word}{head}{first}"
    yield from (" " * (8 + len(head)) + line for line in rest)


def reasons_text(decision: Decision) -> str:
    if decision.keep:
        return ", ".join(_KEEP[reason] for reason in decision.reasons)
    return "damaged, and enough whole ones follow it" if decision.snapshot.damaged else "no rule keeps it"
