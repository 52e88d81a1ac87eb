"""What differs between two states of a session folder, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from baileys_tools.cures.show.words import file_shown
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.recovery.rules.difference import DiffReport, Side
from baileys_tools.units import format_age, printable


def diff_text(report: DiffReport, *, verbose: bool, show_numbers: bool) -> str:
    """Given a report, return it as text; `verbose` names each key."""
    return "\n".join(_lines(report, verbose=verbose, show_numbers=show_numbers))


def _lines(report: DiffReport, *, verbose: bool, show_numbers: bool) -> Iterator[str]:
    found = report.found
    yield Style().paint(f"company {printable(report.company)}", "bold")
    yield f"  from  {_side(found.before, report.now)}"
    yield f"  to    {_side(found.after, report.now)}"
    if found.same_login is False:
        yield "  another login: the bot was paired anew in between"
    yield f"  {'kind':24}{'gone':>7}{'new':>7}{'changed':>9}{'same':>8}"
    for kind in found.kinds:
        counts = f"{len(kind.gone):>7,}{len(kind.new):>7,}{len(kind.changed):>9,}{kind.same:>8,}"
        yield f"  {kind.kind.value:24}{counts}"
        if verbose:
            yield from _names("-", kind.gone, show_numbers)
            yield from _names("+", kind.new, show_numbers)
            yield from _names("~", kind.changed, show_numbers)
    if found.creds:
        fields = ", ".join(printable(field) for field in found.creds)
        yield from wrapped(f"creds.json: {fields}", WIDTH, "  ", "    ")


def _side(side: Side, now: datetime) -> str:
    if side.sequence is None:
        return f"the live folder, {len(side.files):,} files"
    age = format_age(now - side.taken_at)
    return f"snapshot {side.sequence} of {side.taken_at:%Y-%m-%d %H:%M} UTC ({age} ago), {len(side.files):,} files"


def _names(mark: str, names: Sequence[str], show_numbers: bool) -> Iterator[str]:
    return (f"    {mark} {file_shown(name, show_numbers)}" for name in names)


def diff_json(report: DiffReport, *, show_numbers: bool) -> str:
    """Given a report, return it as JSON (docs/json/diff.schema.json)."""
    found = report.found

    def names(these: Sequence[str]) -> list[str]:
        return [file_shown(name, show_numbers) for name in these]

    return envelope(
        "diff",
        report.now,
        ExitCode.DONE,
        {
            "company": name_text(report.company),
            "repository": name_text(report.repository),
            "from": _side_json(found.before),
            "to": _side_json(found.after),
            "same_login": found.same_login,
            "kinds": [
                {
                    "kind": kind.kind.value,
                    "gone": names(kind.gone),
                    "new": names(kind.new),
                    "changed": names(kind.changed),
                    "same": kind.same,
                }
                for kind in found.kinds
            ],
            "creds": [printable(field) for field in found.creds],
        },
    )


def _side_json(side: Side) -> dict[str, Any]:
    return {"sequence": side.sequence, "taken_at": timestamp(side.taken_at), "files": len(side.files)}
