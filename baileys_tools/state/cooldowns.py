"""How long ago something was done, for what must not be done again too soon, by whichever process."""

from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.state.database import State, from_seconds, to_seconds
from baileys_tools.units import format_age, format_duration

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far ahead a time may lie and still be believed: clocks are set by seconds all the time."""


class Claim(NamedTuple):
    """Whether something may be done now. `last` is when it was done before; `why` says it in words.

    `doubt` is true when the answer rests on something that is not to be trusted, which a person should be told.
    """

    granted: bool
    last: datetime | None
    why: str
    doubt: bool = False


def claim(state: State, name: str, company: str, now: datetime, length: timedelta) -> Claim:
    """Take the right to do `name` for a company now, unless it was done less than `length` ago.

    It counts as done from here on, also when the doing fails or is killed, and only one of several processes gets
    it. A time in the future is not trusted: the clock has moved, and the cooldown begins anew from now. Where
    nothing can be remembered nothing is granted: else each run would be the first.
    """
    with state.transaction():
        asked = look(state, name, company, now, length)
        if asked.granted:
            set_cooldown(state, name, company, now)
    if asked.granted and not state.is_durable:
        return _not_remembered(state, asked.last)
    return asked


def look(state: State, name: str, company: str, now: datetime, length: timedelta) -> Claim:
    """Say what `claim` would, and take nothing."""
    last = last_done(state, name, company)
    if not state.is_durable:
        return _not_remembered(state, last)
    if last is None:
        return Claim(True, None, "not done before")
    if last > now + CLOCK_TOLERANCE:
        why = f"last done in the future ({last:%Y-%m-%d %H:%M} UTC): the clock has moved, so that is not trusted"
        return Claim(True, last, why, doubt=True)
    age = max(now - last, timedelta())
    if age < length:
        left = format_duration(timedelta(seconds=int((length - age).total_seconds())))
        return Claim(False, last, f"done {format_age(age)} ago; again in {left}")
    return Claim(True, last, f"last done {format_age(age)} ago")


def last_done(state: State, name: str, company: str) -> datetime | None:
    """Return when `name` was last claimed for a company, None when never."""
    rows = state.rows(
        "SELECT at FROM cooldowns WHERE name = ? AND company = ?", (name, state.scope.key(company))
    )
    return from_seconds(rows[0][0]) if rows else None


def set_cooldown(state: State, name: str, company: str, now: datetime) -> None:
    """Note that `name` is done for a company now."""
    state.change(
        "INSERT INTO cooldowns VALUES (?, ?, ?) ON CONFLICT (name, company) DO UPDATE SET at = excluded.at",
        (name, state.scope.key(company), to_seconds(now)),
    )


def _not_remembered(state: State, last: datetime | None) -> Claim:
    return Claim(False, last, f"it could not be remembered: {state.trouble}", doubt=True)
