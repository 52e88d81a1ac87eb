"""How long each bot was known to be connected and not connected, by day, and how it was at the last look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from baileys_tools.state.database import State
from baileys_tools.state.memory import keep, recall
from baileys_tools.watching.rules.incidents import Link, Spell

KEPT_FOR = timedelta(days=400)

_MEMORY = "link"


def last_look(state: State, company: str) -> tuple[datetime, Link] | None:
    """Return when a bot was last looked at and how it was, None when never."""
    match recall(state, _MEMORY, company):
        case [str(at), str(link)] if link in set(Link):
            try:
                return datetime.fromisoformat(at), Link(link)
            except ValueError:
                return None
    return None


def add_look(state: State, company: str, link: Link, spells: Iterable[Spell], now: datetime) -> None:
    """Keep how a bot is now, and add the seconds that are known since the look before."""
    state.change_many(
        "INSERT INTO link_days VALUES (?, ?, ?, ?) ON CONFLICT (company, day) DO UPDATE "
        "SET up = up + excluded.up, down = down + excluded.down",
        [(state.scope.key(company), spell.day, spell.up, spell.down) for spell in spells],
    )
    keep(state, _MEMORY, [now.isoformat(), link.value], company)


def spells(state: State, company: str) -> list[Spell]:
    """Return the known seconds of each day, oldest first."""
    rows = state.rows(
        "SELECT day, up, down FROM link_days WHERE company = ? ORDER BY day", (state.scope.key(company),)
    )
    return [Spell(day, up, down) for day, up, down in rows]


def thin_links(state: State, now: datetime) -> None:
    """Forget the days that are older than 400 days."""
    state.change("DELETE FROM link_days WHERE day < ?", (f"{now - KEPT_FOR:%Y-%m-%d}",))
