"""The result of a cure as JSON (docs/json/)."""

from __future__ import annotations

from baileys_tools.cures.rules.asides import CureReport, may_be_in_memory
from baileys_tools.cures.show.cure_text import GROUPS
from baileys_tools.cures.show.words import address_shown, file_shown, group_shown
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.units import moment_of


def cure_json(report: CureReport, *, show_numbers: bool) -> str:
    """Given a report, return it as JSON. Numbers are masked unless they were asked for."""
    shown = group_shown if report.command == GROUPS else address_shown
    now_ns = int(report.now.timestamp()) * 1_000_000_000
    outcomes = [(aside, report.outcome_of(aside)) for aside in report.plan.asides]
    cost = report.plan.cost
    return envelope(
        report.command,
        report.now,
        report.exit_code,
        {
            "company": name_text(report.company),
            "path": name_text(report.path),
            "dry_run": report.dry_run,
            "run": report.run,
            "asides": [
                {
                    "about": shown(aside.about, show_numbers),
                    "why": aside.why.value,
                    "files": [file_shown(name, show_numbers) for name in aside.keys],
                    "devices": aside.told,
                    "written": timestamp(moment_of(aside.written_ns)),
                    "may_be_in_memory": aside in may_be_in_memory([aside], now_ns),
                    "outcome": outcome.value if outcome is not None else None,
                }
                for aside, outcome in outcomes
            ],
            "cost": {"contacts": cost.contacts, "key_messages": cost.key_messages},
            "set_aside": report.done,
            "left": report.plan.left,
            "earlier": report.earlier,
            "log_troubles": [name_text(trouble) for trouble in report.log_troubles],
        },
    )
