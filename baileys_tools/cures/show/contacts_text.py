"""The table of phone numbers and LIDs, for people and for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from baileys_tools.cures.rules.contact import ContactsReport, Pair
from baileys_tools.cures.show.words import user_shown
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text
from baileys_tools.units import counted, printable


def contacts_text(report: ContactsReport, *, show_numbers: bool) -> str:
    return "\n".join(_lines(report, show_numbers))


def _lines(report: ContactsReport, show_numbers: bool) -> Iterator[str]:
    yield f"company {printable(report.company)}  {printable(report.path)}"
    if not report.pairs:
        yield "  no mapping: Baileys 7 writes them, of contacts whose number and LID it has met"
        return
    yield f"  {'phone':20}  {'LID':20}  mapping"
    for pair in report.pairs:
        yield f"  {user_shown(pair.pn, show_numbers):20}  {user_shown(pair.lid, show_numbers):20}  {_ways(pair)}"


def _ways(pair: Pair) -> str:
    if pair.to_lid and pair.to_pn:
        return "both ways"
    return "number to LID" if pair.to_lid else "LID to number"


def contacts_csv(report: ContactsReport, *, show_numbers: bool) -> str:
    """Return the table as CSV, with a head. It is nothing but digits, so nothing needs a quote."""
    rows = [
        f"{user_shown(pair.pn, show_numbers)},{user_shown(pair.lid, show_numbers)},{_ways(pair)}\n"
        for pair in report.pairs
    ]
    return "".join(["phone,lid,mapping\n", *rows])


def contacts_json(report: ContactsReport, *, show_numbers: bool) -> str:
    """Return the table as JSON (docs/json/contacts.schema.json)."""
    return envelope(
        "contacts",
        report.now,
        ExitCode.DONE,
        {
            "company": name_text(report.company),
            "path": name_text(report.path),
            "masked": not show_numbers,
            "contacts": [
                {
                    "pn": user_shown(pair.pn, show_numbers),
                    "lid": user_shown(pair.lid, show_numbers),
                    "pn_to_lid": pair.to_lid,
                    "lid_to_pn": pair.to_pn,
                }
                for pair in report.pairs
            ],
            "unread": report.unread,
        },
    )


def say_what_was_printed(report: ContactsReport, *, show_numbers: bool) -> None:
    """Say on standard error whether the table holds full numbers: it may be on its way into a file."""
    pairs = counted(len(report.pairs), "contact")
    if show_numbers and report.pairs:
        print(f"full phone numbers of {pairs} were printed: keep them to yourself", file=sys.stderr)
    elif report.pairs:
        print(f"{pairs}, numbers masked; --show-numbers prints them in full", file=sys.stderr)
    if report.unread:
        print(f"{counted(report.unread, 'mapping')} could not be read", file=sys.stderr)
