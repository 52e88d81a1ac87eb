"""Whether monitor-once still passes: what the page shows is as good as its last pass."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from baileys_tools.errors import ExitCode
from baileys_tools.schedule import OFF, parse_schedule
from baileys_tools.state.database import to_seconds
from baileys_tools.state.runs import Run

COMMAND = "monitor-once"
PATIENCE = timedelta(minutes=3)
"""So long after its time a pass is not yet missed: a slow one is recorded when it ends."""

_LOOKED = {ExitCode.DONE, ExitCode.PARTLY_FAILED, ExitCode.WARNING, ExitCode.CRITICAL}


def last_pass(runs: Iterable[Run]) -> int | None:
    """Given runs, return when the last pass began that did its work (seconds since 1970), None without one."""
    passes = [run.started for run in runs if run.command == COMMAND and run.exit_code in _LOOKED]
    return to_seconds(max(passes)) if passes else None


def late(schedule: str, passed: int | None, now: datetime) -> str:
    """Given `cron.monitor`, the last pass and the time in the host's zone, return why what is shown may be old, "" when
    passes are fresh.
    """
    try:
        due = None if schedule == OFF else parse_schedule(schedule).latest(now - PATIENCE)
    except ValueError:
        due = None
    if passed is None:
        return "monitor-once has never run here: nobody is alerted"
    if due is None or passed >= int((due - timedelta(minutes=1)).timestamp()):
        is_old = due is None and now.timestamp() - passed > timedelta(days=1).total_seconds()
        return "monitor-once has not run for a day" if is_old else ""
    return "monitor-once has stopped: nobody is alerted"
