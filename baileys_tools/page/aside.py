"""What a company's page has beside the report: what cleanups cost, and when the bot last sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from baileys_tools.cleanup.undo_runs import all_runs
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.sessions.look import weigh
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.scan import scan_names
from baileys_tools.state.database import to_seconds
from baileys_tools.state.runs import Run
from baileys_tools.watching.inbound import last_outbound


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


def checked(runs: Mapping[str, Run]) -> list[int] | None:
    """Given the last run of each command, return when `verify` last read snapshots and how it ended."""
    run = runs.get("verify")
    return None if run is None else [to_seconds(run.started), run.exit_code]
