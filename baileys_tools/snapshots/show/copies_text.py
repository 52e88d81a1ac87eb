"""What `copies check` prints, and its JSON (docs/json/copies-check.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from baileys_tools.frame.show.json_text import envelope, name_text
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.snapshots.rules.copies import CompanyCopies, CopiesReport, PlaceCopies
from baileys_tools.snapshots.rules.shelf_names import name_of
from baileys_tools.units import counted, printable

MOST_COMPANIES = 10
"""Companies that are named at one place; the sums have all of them."""


def copies_text(report: CopiesReport, style: Style) -> str:
    """Given what was found, return a line or two for each place, and what to do where something is missing."""
    lines: list[str] = []
    for place in report.places:
        lines += _place(place, style)
    if any(one.count("missing") for one in report.places):
        lines.append("")
        lines += wrapped(
            "What is missing is sent by the next backup: baileys-tools backup"
            if report.is_kept
            else "Another run is sending copies now; look again when it has ended.",
            WIDTH,
        )
    if any(one.count("damaged") for one in report.places):
        lines += wrapped(
            "A damaged copy is not sent again by itself, as it has its name and its size: remove it at that place.",
            WIDTH,
        )
    return "\n".join(lines)


def _place(place: PlaceCopies, style: Style) -> Iterator[str]:
    name = printable(place.target)
    if place.trouble:
        yield f"{style.paint('not known', 'red')}   {name}"
        yield from wrapped(printable(place.trouble), WIDTH, "  ")
    else:
        word, colour = ("complete", "green") if place.is_well else ("not whole", "red")
        yield f"{style.paint(f'{word:9}', colour)}   {name}"
    if place.companies:
        yield from wrapped(_sums(place), WIDTH, "  ")
    troubled = [one for one in place.companies if not one.is_well]
    for one in troubled[:MOST_COMPANIES]:
        yield from wrapped(f"company {printable(name_of(one.company))}: {_trouble(one)}", WIDTH, "  ", "    ")
    if len(troubled) > MOST_COMPANIES:
        more = len(troubled) - MOST_COMPANIES
        yield f"  and {counted(more, 'more company', 'more companies')} (--json has all)"


def _sums(place: PlaceCopies) -> str:
    parts = [
        counted(len(place.companies), "company", "companies"),
        f"{counted(place.count('there'), 'snapshot')} there",
        f"{place.count('missing'):,} missing",
    ]
    if place.count("read"):
        parts.append(f"{place.count('read'):,} read back")
    return ", ".join(parts)


def _trouble(one: CompanyCopies) -> str:
    parts = []
    if one.missing:
        more = [f"{one.gone:,} had been there"] if one.gone else []
        more += [f"{one.cut_off:,} cut off"] if one.cut_off else []
        parts.append(
            f"{counted(len(one.missing), 'snapshot')} missing" + (f" ({', '.join(more)})" if more else "")
        )
    parts += [f"snapshot {info.id} is damaged there" for info in one.damaged]
    if one.ahead:
        parts.append("it has later snapshots there than here, as when a host was set up anew")
    if one.trouble:
        parts.append(printable(one.trouble))
    return "; ".join(parts)


def copies_json(report: CopiesReport) -> str:
    return envelope(
        "copies check",
        report.now,
        report.exit_code,
        {
            "repository": name_text(report.repository),
            "read": report.read,
            "remembered": report.is_kept,
            "places": [
                {
                    "target": name_text(place.target),
                    "well": place.is_well,
                    "trouble": name_text(place.trouble),
                    "companies": [_company_facts(one) for one in place.companies],
                }
                for place in report.places
            ],
        },
    )


def _company_facts(one: CompanyCopies) -> dict[str, Any]:
    return {
        "company": name_text(name_of(one.company)),
        "there": one.there,
        "missing": [info.sequence for info in one.missing],
        "gone": one.gone,
        "cut_off": one.cut_off,
        "read": one.read,
        "damaged": [info.sequence for info in one.damaged],
        "ahead": one.ahead,
        "trouble": name_text(one.trouble),
    }
