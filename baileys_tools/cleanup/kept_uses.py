"""When keys were used, in the state: what cleanups saw, for `policy try`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from baileys_tools.cleanup.rules.cleanup_report import CompanyCleanup
from baileys_tools.cleanup.rules.uses import Uses, read_uses, uses_rows
from baileys_tools.config import Settings
from baileys_tools.state import key_uses
from baileys_tools.state.database import open_state

if TYPE_CHECKING:
    from baileys_tools.state.database import State


def uses_of(state: "State", place: str) -> Uses:
    """Return what is remembered of the keys of the folder at a place."""
    return read_uses(*key_uses.uses_kept(state, place))


def remember_uses(
    settings: Settings, done: Iterable[CompanyCleanup], places: Mapping[str, str], now: datetime
) -> None:
    """Remember what a run has seen. `places` has the place of each company by its id."""
    seen = [(places[one.id], one.uses) for one in done if one.uses is not None]
    if not seen:
        return
    with open_state(settings.state.dir, now) as state, state.transaction():
        for place, look in seen:
            rows, looks = uses_rows(look.changed), [look.since, look.looked]
            key_uses.keep_uses(state, place, looks, rows, look.forgotten)
