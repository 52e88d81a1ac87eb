"""The result of `logs` for programs."""

from __future__ import annotations

from baileys_tools.bots.rules.log_events import failed_attempts_in, reconnects_in
from baileys_tools.bots.rules.log_report import LogReport
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp


def logs_json(report: LogReport) -> str:
    """Given the counts of a company's logs, return them as JSON (docs/json/logs.schema.json)."""
    facts = report.facts
    hours: dict[str, dict[str, int]] = {}
    for one in report.hours:
        hours.setdefault(timestamp(one.hour), {})[one.event.value] = one.number
    sums = report.sums
    return envelope(
        "logs",
        report.now,
        report.exit_code,
        {
            "company": name_text(report.company),
            "since": timestamp(report.since),
            "files": [
                {
                    "path": name_text(file.path),
                    "new_bytes": file.size,
                    "trouble": file.trouble,
                    "lines_read": file.understood.lines,
                    "lines_not_read": dict(sorted(file.understood.unread.items())),
                    "of_others": file.of_others,
                }
                for file in report.files
            ],
            "last_line": timestamp(facts.last_line) if facts.last_line else None,
            "opened": timestamp(facts.opened) if facts.opened else None,
            "since_opened": {event.value: timestamp(at) for event, at in sorted(facts.since_opened.items())},
            "undated": {event.value: count for event, count in sorted(facts.undated.items())},
            "server_pre_keys": {
                "number": facts.server_pre_keys.number,
                "at": timestamp(facts.server_pre_keys.at),
            }
            if facts.server_pre_keys
            else None,
            "reconnects": reconnects_in(sums),
            "failed_attempts": failed_attempts_in(sums),
            "events": {event.value: count for event, count in sorted(sums.items())},
            "hours": [{"hour": hour, "events": events} for hour, events in hours.items()],
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity.value,
                    "message": finding.message,
                    "action": finding.action,
                    "facts": dict(finding.facts),
                }
                for finding in report.findings
            ],
        },
    )
