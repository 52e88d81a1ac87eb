"""How long each bot was without a message that came in, day by day: what is unusual for one is a night for another."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from baileys_tools.findings import Finding
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.state import memory
from baileys_tools.state.database import State, from_seconds
from baileys_tools.watching.rules.health import inbound_finding

INBOUND = "inbound"
DAYS_KEPT = 14
DAYS_NEEDED = 7


def remember_inbound(state: State, looks: Mapping[str, Look], now: datetime) -> None:
    """Note the longest silence of each day. Called where files were looked at, so about once an hour a company."""
    kept = kept_inbound(state)
    news = {company: look.inbound for company, look in looks.items() if look.inbound}
    memory.keep_of_each(
        state,
        INBOUND,
        {
            company: _with(kept.get(company), at, now)
            for company, at in news.items()
            if not isinstance(kept.get(company), dict) or kept[company].get("at") != at
        },
    )


def _with(row: Any, at: int, now: datetime) -> dict[str, Any]:
    gaps = dict(row["gaps"]) if isinstance(row, dict) and isinstance(row.get("gaps"), dict) else {}
    before = row.get("at", at) if isinstance(row, dict) else at
    day = f"{from_seconds(at):%Y-%m-%d}"
    gaps[day] = max(int(gaps.get(day, 0)), at - before)
    oldest = f"{now - timedelta(days=DAYS_KEPT):%Y-%m-%d}"
    return {"at": at, "gaps": {one: gap for one, gap in gaps.items() if one >= oldest}}


def kept_inbound(state: State) -> dict[str, Any]:
    """Return what is remembered of the companies of this run."""
    return memory.recall_all(state, INBOUND)


def inbound_findings(company: str, look: Look, row: Any, now: datetime) -> list[Finding]:
    """Given the last look and what is remembered of a company, return whether it hears unusually long nothing."""
    gaps = row.get("gaps") if isinstance(row, dict) else None
    if not look.inbound or not isinstance(gaps, dict) or len(gaps) < DAYS_NEEDED:
        return []
    longest = timedelta(seconds=max(map(int, gaps.values())))
    found = inbound_finding(
        company, from_seconds(look.inbound), longest, from_seconds(look.written_at), look.connection, now
    )
    return [found] if found is not None else []
