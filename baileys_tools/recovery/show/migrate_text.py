"""A move of a session, planned or done, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.frame.show.json_text import envelope
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.pasted import command
from baileys_tools.recovery.rules.migration import MigrationReport, MigrationStatus, There
from baileys_tools.units import printable

MOST_LEFT_SHOWN = 5


def migrate_text(report: MigrationReport, style: Style) -> str:
    return "\n".join(_lines(report, style))


def _lines(report: MigrationReport, style: Style) -> Iterator[str]:
    yield style.paint(f"company {printable(report.company)}", "bold")
    yield f"  from      {printable(report.source)}"
    yield f"  to        {printable(report.target)}"
    yield f"  account   {report.account.masked}"
    counts = ", ".join(f"{kind.value} {number}" for kind, number in report.counts.items())
    yield from wrapped(f"records   {report.records:,}: {counts}", WIDTH, "  ", "            ")
    for name, why in list(report.left.items())[:MOST_LEFT_SHOWN]:
        yield from wrapped(f"left      {printable(name)}: {printable(why)}", WIDTH, "  ", "            ")
    if len(report.left) > MOST_LEFT_SHOWN:
        yield f"            and {len(report.left) - MOST_LEFT_SHOWN} more (--json has all)"
    if report.mendable:
        told = f"mend      {report.mendable} of these belong to the session: --mend takes them along, under their names"
        yield from wrapped(told, WIDTH, "  ", "            ")
    if report.mended:
        yield f"  mended    {len(report.mended)} that were filed under half a type"
    for refusal in report.refusals:
        yield from wrapped(f"refused   {printable(refusal)}", WIDTH, "  ", "            ")
    if report.status is MigrationStatus.PLANNED:
        then = (
            "left as they are (--leave-source)" if report.source_kept else "set aside, which undo takes back"
        )
        again = {There.THE_SAME: "it is there already; ", There.A_PART: "a part is there already; "}
        yield from wrapped(
            f"plan      {again.get(report.there, '')}copied, read again on both sides and compared, then the creds of "
            f"the source are {then}",
            WIDTH,
            "  ",
            "            ",
        )
        return
    yield f"  proven    {report.records:,} records on both sides, each of the same meaning"
    yield f"  digest    {report.digest}"
    if report.source_kept:
        yield from wrapped(
            "source    it still logs in: start no bot there while another runs on the copy, as two of them break "
            "every conversation",
            WIDTH,
            "  ",
            "            ",
        )
    else:
        back = command("baileys-tools undo --run {}", report.run)
        yield from wrapped(
            f"source    its creds are set aside; the way back: {back}", WIDTH, "  ", "            "
        )
    for line in report.code:
        yield from wrapped(f"code      {printable(line)}", WIDTH, "  ", "            ")


def migrate_json(report: MigrationReport) -> str:
    """Given a report, return it as JSON (docs/json/migrate.schema.json)."""
    return envelope(
        "migrate",
        report.now,
        report.exit_code,
        {
            "company": printable(report.company),
            "source": printable(report.source),
            "target": printable(report.target),
            "status": report.status.value,
            "account": report.account.masked,
            "records": report.records,
            "by_kind": {kind.value: number for kind, number in report.counts.items()},
            "target_holds": report.there.value,
            "left": {printable(name): printable(why) for name, why in report.left.items()},
            "mended": [printable(name) for name in report.mended],
            "refusals": [printable(one) for one in report.refusals],
            "source_kept": report.source_kept,
            "digest": report.digest,
            "run": report.run or None,
            "code": list(report.code),
        },
    )
