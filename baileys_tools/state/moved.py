"""Where `migrate` has moved a session to: its creds are set aside in the old place, and no loss there."""

from datetime import datetime
from typing import NamedTuple

from baileys_tools.state import memory
from baileys_tools.state.database import State, from_seconds, to_seconds

KEY = "moved"


class Move(NamedTuple):
    """Where a session was moved to, in words that show, and when."""

    to: str
    at: datetime


def note(state: State, place: str, moved: Move) -> None:
    """Remember of what stands at a place, until `forget`."""
    memory.keep(state, KEY, [moved.to, to_seconds(moved.at)], place)


def forget(state: State, place: str) -> None:
    """Creds stand there again."""
    memory.forget(state, KEY, place)


def moved_from(state: State, place: str) -> Move | None:
    """Return where what stood at a place was moved to, None where nothing tells."""
    match memory.recall(state, KEY, place):
        case [str(to), int(at)]:
            return Move(to, from_seconds(at))
    return None
