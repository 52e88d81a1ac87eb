"""Incidents for people, for programs, and as the report that an operator files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.masking import numbers_masked
from baileys_tools.units import counted, format_age, format_duration, printable
from baileys_tools.watching.rules.incidents import (
    RECOVERY_GOAL,
    UPTIME_GOAL,
    Incident,
    IncidentEntry,
    Service,
    Whose,
)
from baileys_tools.watching.rules.verdict import CompanyVerdict
from baileys_tools.watching.show.verdict_json import verdict_facts

Listed = Sequence[tuple[Incident, Sequence[IncidentEntry]]]


def told_apart(companies: Iterable[Whose]) -> dict[Whose, str]:
    """Return how each is called: by its name, and with the folder around it where others have that name."""
    known = [*companies]
    names = Counter(one.company for one in known)
    return {
        one: f"{one.company} ({os.path.dirname(one.place)})"
        if one.place and names[one.company] > 1
        else one.company
        for one in known
    }


def incidents_text(
    now: datetime,
    listed: Listed,
    services: Mapping[Whose, Service],
    style: Style,
    verdicts: Mapping[str, CompanyVerdict] | None = None,
) -> str:
    """Given incidents, the newest first, return them as a table, with how well each company served.

    `verdicts` say how the companies are now that are in trouble.
    """
    lines = []
    labels = told_apart(services)
    if listed:
        head = f"  {'id':>4}  {'opened (UTC)':16}  {'length':>7}  {'cause':22}  company"
        lines.append(style.paint(head, "bold"))
    for incident, _ in listed:
        length = format_age((incident.closed or now) - incident.opened)
        text = (
            f"  {incident.id:>4}  {incident.opened:%Y-%m-%d %H:%M}  {length:>7}  {printable(incident.cause):22}  "
            f"{printable(labels[incident.whose])}"
        )
        lines.append(text if incident.closed else style.paint(f"{text} (open)", "red"))
    if not listed:
        lines.append("no incident is on record")
    for company, verdict in (verdicts or {}).items():
        why = f": {verdict.code}: {verdict.reason.message}" if verdict.reason is not None else ""
        lines += [
            "",
            *wrapped(
                f"company {printable(company)} now  {verdict.state.value}{printable(why)}",
                WIDTH,
                "  ",
                "    ",
            ),
        ]
    for whose, service in services.items():
        lines += ["", *(f"  {line}" for line in _served(printable(labels[whose]), service))]
    return "\n".join(lines)


def _served(company: str, service: Service) -> Iterator[str]:
    yield f"company {company}, the last {service.window.days} days"
    for name, value, goal in _figures(service):
        yield f"  {name:<20}{value:>10}  (goal {goal})"


def _figures(service: Service) -> Iterator[tuple[str, str, str]]:
    unknown = "unknown"
    yield (
        "uptime",
        unknown if service.uptime is None else f"{service.uptime:.3%}",
        f"{UPTIME_GOAL:.1%}; {service.known:.0%} of the time is known",
    )
    recovery = unknown if service.recovery is None else format_age(service.recovery)
    yield "time to recovery", recovery, f"under {format_duration(RECOVERY_GOAL)}"
    reconnects = unknown if service.reconnects is None else f"{service.reconnects:.1f}"
    yield "reconnects a day", reconnects, f"{service.most_reconnects} at most"


def service_line(service: Service) -> str:
    """Given how well a bot served, return it as one line."""
    return (
        ", ".join(f"{name} {value}" for name, value, _ in _figures(service) if value != "unknown")
        or "not known yet (monitor-once keeps it)"
    )


def incident_markdown(
    incident: Incident, timeline: Sequence[IncidentEntry], service: Service, now: datetime
) -> str:
    """Given an incident with its time line, return the report to file, in Markdown.

    It is passed on: what could be a phone number is masked, also in the company's name.
    """
    company = _plain(incident.company)
    ended = f"{incident.closed:%Y-%m-%d %H:%M:%S} UTC" if incident.closed else "not yet"
    length = format_duration((incident.closed or now) - incident.opened)
    tried = [entry for entry in timeline if entry.what == "reset" or entry.what.startswith("recover-")]
    lines = [
        f"# Incident {incident.id}: company {company}",
        "",
        "| | |",
        "|---|---|",
        f"| Cause | {_plain(incident.cause)} |",
        f"| Opened | {incident.opened:%Y-%m-%d %H:%M:%S} UTC |",
        f"| Closed | {ended} |",
        f"| Length | {length} (goal under {format_duration(RECOVERY_GOAL)}) |",
        f"| Tried | {counted(len(tried), 'step') if tried else 'nothing'} |",
        "",
        "## Time line (UTC)",
        "",
        f"- {incident.opened:%Y-%m-%d %H:%M:%S} opened",
        *(
            f"- {entry.at:%Y-%m-%d %H:%M:%S} {_plain(entry.what)}: {_plain(entry.detail)}"
            for entry in timeline
        ),
        *([f"- {incident.closed:%Y-%m-%d %H:%M:%S} closed"] if incident.closed else []),
        "",
        f"## Service of the last {service.window.days} days",
        "",
        "| figure | value | goal |",
        "|---|---|---|",
        *(f"| {name} | {value} | {goal} |" for name, value, goal in _figures(service)),
        "",
        "## To fill in",
        "",
        "- Who noticed, and how:",
        "- What it meant for customers:",
        "- What will keep it from happening again:",
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    return numbers_masked(printable(text)).replace("|", "\\|").replace("<", "&lt;")


def incidents_json(
    now: datetime,
    listed: Listed,
    services: Mapping[Whose, Service],
    verdicts: Mapping[str, CompanyVerdict] | None = None,
) -> str:
    """Given incidents, return them as JSON (docs/json/incidents.schema.json).

    A company keeps its name, whatever that is: programs know it by it. Phone numbers in texts are masked.
    """
    return envelope(
        "incidents",
        now,
        ExitCode.DONE,
        {
            "incidents": [
                {
                    "id": one.id,
                    "company": name_text(one.company),
                    **({"path": name_text(one.place)} if one.place else {}),
                    "opened": timestamp(one.opened),
                    "closed": timestamp(one.closed) if one.closed else None,
                    "seconds": int(((one.closed or now) - one.opened).total_seconds()),
                    "cause": numbers_masked(one.cause),
                    "timeline": [
                        {
                            "at": timestamp(entry.at),
                            "what": entry.what,
                            "detail": numbers_masked(name_text(entry.detail)),
                        }
                        for entry in timeline
                    ],
                }
                for one, timeline in listed
            ],
            "services": [
                {
                    "company": name_text(whose.company),
                    **({"path": name_text(whose.place)} if whose.place else {}),
                    **service_facts(service),
                }
                for whose, service in services.items()
            ],
            "states": [
                {"company": name_text(company), **verdict_facts(verdict)}
                for company, verdict in (verdicts or {}).items()
            ],
        },
    )


def service_facts(service: Service) -> dict[str, Any]:
    """Given how well a bot served, return it as JSON has it: null where nothing is known."""
    return {
        "window_days": service.window.days,
        "uptime": service.uptime,
        "known": service.known,
        "recovery_seconds": None if service.recovery is None else service.recovery.total_seconds(),
        "incidents": service.incidents,
        "reconnects_per_day": service.reconnects,
        "missed": list(service.missed),
    }
