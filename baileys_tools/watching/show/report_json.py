"""The result of `report` as JSON (docs/json/report.schema.json): how all are, as `status` has it, and their history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.masking import numbers_masked
from baileys_tools.watching.rules.report import CompanyReport, FleetReport
from baileys_tools.watching.show.status_json import company_facts


def report_json(report: FleetReport) -> str:
    """Given a report, return its JSON. A company keeps its name: programs know it by it."""
    status = report.status
    return envelope(
        "report",
        status.now,
        status.exit_code,
        {
            "host": name_text(report.host),
            "sessions_path": name_text(status.root),
            "since": timestamp(report.since),
            "begins": _at(report.begin),
            "state_trouble": name_text(status.trouble),
            "companies": [
                company_facts(one.status, status.now) | {"history": _history(one)} for one in report.companies
            ],
        },
    )


def _history(one: CompanyReport) -> dict[str, Any]:
    return {
        "counted_files": [{"at": _at(point.at), "files": point.counted} for point in one.curve],
        "drops": [{"at": _at(drop.at), "files": drop.files, "cleanup": drop.cleaned} for drop in one.drops],
        "by_kind": [
            {"at": _at(at), "files": dict(zip(one.over.kinds, counts, strict=True))}
            for at, *counts in zip(one.over.times, *one.over.counts, strict=True)
        ],
        "connections": [
            {"from": _at(span.since), "until": _at(span.until), "state": span.state}
            for span in one.connections
        ],
        "incidents": [
            {
                "opened": _at(incident.opened),
                "closed": None if incident.closed is None else _at(incident.closed),
                "cause": numbers_masked(incident.cause),
                "timeline": [
                    {"at": _at(at), "what": what, "detail": numbers_masked(name_text(detail))}
                    for at, what, detail in incident.entries
                ],
            }
            for incident in one.incidents
        ],
        "snapshots": [
            {"at": _at(mark.at), "bytes": mark.size, "damaged": mark.damaged} for mark in one.snapshots
        ],
    }


def _at(seconds: int) -> str:
    return timestamp(datetime.fromtimestamp(seconds, UTC))
