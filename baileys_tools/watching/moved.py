"""Sessions that `migrate` has moved elsewhere: that their creds are gone here is no loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from baileys_tools.findings import Finding
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.state.database import State
from baileys_tools.state.moved import forget, moved_from
from baileys_tools.watching.looking import last_activity
from baileys_tools.watching.rules.watch import moved_finding

_AFTER = timedelta(minutes=2)
"""What is written later was written by a bot that still lives where it was: its loss is one."""


def moved_findings(state: State, companies: Iterable[str], looks: Mapping[str, Look]) -> dict[str, Finding]:
    """Return by company what there is to say of those that were moved; `looks` are at the ones that are there."""
    found = {}
    for company in companies:
        moved = moved_from(state, state.scope.key(company))
        active = last_activity(looks[company]) if company in looks else None
        if moved is not None and (active is None or active <= moved.at + _AFTER):
            found[company] = moved_finding(company, moved.to, moved.at)
    return found


def forget_moves(state: State, known: Mapping[str, Look], looks: Mapping[str, Look]) -> None:
    """Given the looks of before and of now, forget moves from where creds stand again."""
    for company, look in looks.items():
        before = known.get(company)
        if look.creds is CredsState.VALID and before is not None and before.creds is CredsState.MISSING:
            forget(state, state.scope.key(company))
