"""What a company's page has beside the report: files by kind over time, what cleanups cost, when the bot last sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from baileys_tools.cleanup.undo_runs import all_runs
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.sessions.look import weigh
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.scan import scan_names
from baileys_tools.state.database import State, to_seconds
from baileys_tools.state.observations import kinds_since
from baileys_tools.state.runs import Run
from baileys_tools.watching.inbound import last_outbound

SPAN = timedelta(hours=4)
"""Of each of these spans one point: 180 in 30 days."""


def aside(settings: Settings, root_path: str, now: datetime) -> dict[str, Any]:
    """Given settings that are about one company, return what its cleanups cost that can still be undone, and when its
    last message went out (seconds since 1970, None where nothing tells).
    """
    try:
        with Root(root_path) as root:
            company = next(iter(companies_of_run(root, settings)), None)
            if company is not None:
                return {"costs": _costs(root, company, now), "outbound": _outbound(root, company)}
    except (BaileysToolsError, OSError):
        pass  # the findings say that its folder cannot be read
    return {"costs": [], "outbound": None}


def _costs(root: Root, company: Company, now: datetime) -> list[list[int]]:
    """The newest first: (when, files removed, chats and group messages late at most, of these so far)."""
    (undo,) = all_runs(root, [company], now, costs=True)
    return [
        [to_seconds(run.started), run.files, *run.late[0], *run.late[1]]
        for run in reversed(undo.runs)
        if run.late is not None
    ]


def _outbound(root: Root, company: Company) -> int | None:
    with root.open(company) as folder:
        facts = scan_names(folder)
        weight = weigh(folder, facts)
        return last_outbound(folder, facts.creds, weight.sessions, weight.sender_keys) or None


def by_kind(state: State, company: str, since: datetime) -> dict[str, Any]:
    """Return how many files of each kind there were over time, and of which level they were.

    `kinds` has the most numerous first, each with a number for each time of `at` (seconds since 1970).
    """
    looks = kinds_since(state, company, since, SPAN)
    most = {kind: 0 for _, _, kinds in looks for kind in kinds}
    for _, _, kinds in looks:
        for kind, number in kinds.items():
            most[kind] = max(most[kind], number)
    return {
        "at": [at for at, _, _ in looks],
        "levels": [level for _, level, _ in looks],
        "kinds": [
            [kind, [kinds.get(kind, 0) for _, _, kinds in looks]]
            for kind in sorted(most, key=lambda kind: (-most[kind], kind))
        ],
    }


def checked(runs: Mapping[str, Run]) -> list[int] | None:
    """Given the last run of each command, return when `verify` last read snapshots and how it ended."""
    run = runs.get("verify")
    return None if run is None else [to_seconds(run.started), run.exit_code]
