"""What a run has stopped and not started yet: noted before it is stopped, for the case that the run is killed."""

from datetime import datetime
from typing import Any, NamedTuple

from baileys_tools.state import memory
from baileys_tools.state.database import State, from_seconds, to_seconds

KEY = "stopped-by-us"


class Stopped(NamedTuple):
    """What `command` has stopped at `at`, in words that show; `process` is false where that is a session alone.

    `pid` and `ticks` (proc(5): stat, field 22) are the run's own.
    """

    command: str
    what: str
    at: datetime
    pid: int
    ticks: int
    process: bool = True


def note(state: State, company: str, stopped: Stopped) -> None:
    """Remember it until `forget`."""
    memory.keep(state, KEY, [*stopped._replace(at=to_seconds(stopped.at))], company)  # type: ignore[arg-type]


def forget(state: State, company: str) -> None:
    """It runs again."""
    memory.forget(state, KEY, company)


def noted(state: State) -> dict[str, Stopped]:
    plain = memory.recall_all(state, KEY)
    return {company: one for company, row in plain.items() if (one := _from_plain(row)) is not None}


def _from_plain(row: Any) -> Stopped | None:
    match row:
        case [str(command), str(what), int(at), int(pid), int(ticks), bool(process)]:
            return Stopped(command, what, from_seconds(at), pid, ticks, process)
    return None
