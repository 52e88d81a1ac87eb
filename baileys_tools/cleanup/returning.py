"""What cleanups removed, in the state: for `cleanup.returners`. Where it is lost, the usual limits apply again."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from baileys_tools.cleanup.rules.cleanup_report import CompanyCleanup
from baileys_tools.cleanup.rules.returners import Departed, mark, remembered_after
from baileys_tools.config import Settings
from baileys_tools.sessions.rules.removals import Outcome
from baileys_tools.state import memory
from baileys_tools.state.database import open_state

if TYPE_CHECKING:
    from baileys_tools.state.database import State

KEY = "returners"


def removed_from(state: "State", place: str) -> dict[str, Departed]:
    """Return what is remembered of the folder at a place, by mark."""
    kept = memory.recall(state, KEY, place)
    found = {}
    for one, row in kept.items() if isinstance(kept, dict) else ():
        with suppress(TypeError, ValueError):
            at, times = row
            found[one] = Departed(int(at), int(times))
    return found


def remember_removed(
    settings: Settings, done: Iterable[CompanyCleanup], places: Mapping[str, str], now: datetime
) -> None:
    """Remember what a run removed, and what had come back, of the companies whose policy asks for it.

    `places` has the place of each company by its id.
    """
    with open_state(settings.state.dir, now) as state, state.transaction():
        for company in done:
            own = settings.for_company(company.id)
            if company.plan is None or company.removals is None or not own.cleanup.returners:
                continue
            back = {mark(name): times for name, times in company.plan.came_back.items()}
            removed = [
                name for name, outcome in company.removals.outcomes.items() if outcome is Outcome.REMOVED
            ]
            place = places[company.id]
            before = removed_from(state, place)
            after = remembered_after(before, back, removed, now)
            if after != before:
                memory.keep(state, KEY, after, place)
