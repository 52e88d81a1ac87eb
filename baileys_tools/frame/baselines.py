"""What a company's folder usually has: the median of what was observed in the last 14 days, for `thresholds.learn`."""

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from baileys_tools.config import Settings

if TYPE_CHECKING:
    from baileys_tools.state.database import State

LEARNT_FROM = timedelta(days=14)
ENOUGH = timedelta(days=3)
"""Observations have to reach back so far; less tells of no habit."""
EVERY = timedelta(hours=1)
"""Of each hour one observation, so that a busy one does not count for more."""
KEPT_FOR = timedelta(hours=6)
KEY = "baselines"


def with_baselines(settings: Settings, now: datetime, state: "State | None" = None) -> Settings:
    """Return the settings with the baselines of the companies, where any of them learns. Opens the state if it must."""
    if not settings.learns:
        return settings
    from baileys_tools.frame.companies import look_from_settings, open_state_about
    from baileys_tools.state.database import FILE

    if state is not None:
        if not state.scope.root:
            look_from_settings(state, settings)
        return settings._replace(baselines=_baselines(state, now))
    if not os.path.exists(os.path.join(settings.state.dir, FILE)):
        return settings
    with open_state_about(settings, now) as opened:
        return settings._replace(baselines=_baselines(opened, now))


def _baselines(state: "State", now: datetime) -> dict[str, int]:
    from baileys_tools.state.database import to_seconds
    from baileys_tools.state.memory import keep, recall
    from baileys_tools.state.observations import observed_companies
    from baileys_tools.state.scope import root_key

    of_root = root_key(state.scope.root)
    kept = recall(state, KEY, of_root)
    if isinstance(kept, dict) and 0 <= to_seconds(now) - kept.get("at", 0) < KEPT_FOR.total_seconds():
        return {company: int(files) for company, files in kept.get("of", {}).items()}
    found = {}
    for company in observed_companies(state, now - LEARNT_FROM):
        if (baseline := _baseline(state, company, now)) is not None:
            found[company] = baseline
    keep(state, KEY, {"at": to_seconds(now), "of": found}, of_root)
    return found


def _baseline(state: "State", company: str, now: datetime) -> int | None:
    from baileys_tools.state.observations import counted_since

    seen = counted_since(state, company, now - LEARNT_FROM, EVERY)
    if not seen or now - seen[0][0] < ENOUGH:
        return None
    return sorted(files for _, files in seen)[(len(seen) - 1) // 2]
