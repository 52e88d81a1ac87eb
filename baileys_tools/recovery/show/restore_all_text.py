"""The result of `restore --all`, as text and as JSON (docs/json/restore-all.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.frame.show.terminal import WIDTH, Style, counted, wrapped
from baileys_tools.recovery.rules.restore_all_report import AllStatus, OneOfAll, RestoreAllReport
from baileys_tools.units import format_age, printable

_COLOURS = {
    AllStatus.PLANNED: "cyan",
    AllStatus.RESTORED: "green",
    AllStatus.STANDS: "dim",
    AllStatus.REFUSED: "yellow",
    AllStatus.FAILED: "red",
}
_WORDS = {AllStatus.STANDS: "there already"}


def restore_all_text(
    report: RestoreAllReport, style: Style, *, verbose: bool, only_troubles: bool = False
) -> str:
    """Given a report, return a line for each company, with its path where `verbose`, and the sums."""
    bad = report.those(AllStatus.FAILED, AllStatus.REFUSED)
    shown = bad if only_troubles else report.companies
    width = max((len(printable(one.company)) for one in shown), default=0)
    lines = [line for one in shown for line in _lines(one, report, style, min(width, 32), verbose=verbose)]
    if only_troubles:
        return "\n".join(lines)
    return "\n".join([*lines, *([""] if lines else []), *_sums(report)])


def _lines(
    one: OneOfAll, report: RestoreAllReport, style: Style, width: int, *, verbose: bool
) -> Iterator[str]:
    what = style.paint(f"{_WORDS.get(one.status, one.status.value):13}", _COLOURS[one.status])
    head = f"{printable(one.company):{width}}  {what}"
    if one.status in (AllStatus.PLANNED, AllStatus.RESTORED) and one.taken_at is not None:
        age = format_age(max(report.now - one.taken_at, report.now - report.now))
        yield f"{head}  {counted(one.files, 'file')} of snapshot {one.snapshot}, {age} old"
    else:
        yield head.rstrip()
    if one.path and (verbose or one.status in (AllStatus.STANDS, AllStatus.REFUSED)):
        yield f"    {printable(one.path)}"
    if one.trouble:
        yield from wrapped(printable(one.trouble), WIDTH, "    ")
    if one.hint:
        yield from wrapped(printable(" ".join(one.hint.split())), WIDTH, " -> ", "    ")


def _sums(report: RestoreAllReport) -> Iterator[str]:
    numbers = [
        f"{number:,} {_WORDS.get(status, status.value)}"
        for status in AllStatus
        if (number := len(report.those(status)))
    ]
    yield f"{counted(len(report.companies), 'company', 'companies')} in {printable(report.repository)}: " + (
        ", ".join(numbers) or "nothing to restore from"
    )
    planned = report.those(AllStatus.PLANNED, AllStatus.RESTORED)
    if waiting := sum(one.contacts for one in planned):
        yield from wrapped(
            f"Cost: the next message of {counted(waiting, 'contact or group member', 'contacts and group members')} "
            "comes late by one resend. Were the bots off since their snapshots? Then --keep-sessions spares that.",
            WIDTH,
        )
    if report.those(AllStatus.PLANNED):
        yield "The bots of these must not run anywhere, neither here nor on the old host."


def restore_all_json(report: RestoreAllReport) -> str:
    return envelope(
        "restore-all",
        report.now,
        report.exit_code,
        {
            "repository": name_text(report.repository),
            "companies": [
                {
                    "company": name_text(one.company),
                    "status": one.status.value,
                    "path": name_text(one.path),
                    "snapshot": one.snapshot or None,
                    "taken_at": None if one.taken_at is None else timestamp(one.taken_at),
                    "files": one.files,
                    "contacts": one.contacts,
                    "trouble": name_text(one.trouble),
                    "hint": name_text(one.hint),
                }
                for one in report.companies
            ],
        },
    )
