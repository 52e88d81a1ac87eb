"""The silences that the state remembers. Each ends by itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from baileys_tools.alerts.rules.silences import REMEMBERED_FOR, AlertSilence
from baileys_tools.state import memory
from baileys_tools.state.database import State, from_seconds, to_seconds

KEY = "silence"


def silences(state: State, now: datetime) -> list[AlertSilence]:
    """Return the silences that hold now."""
    return [one for one in all_silences(state) if one.is_on(now)]


def all_silences(state: State) -> list[AlertSilence]:
    """Return the silences that hold and those that have ended lately, by company and beginning."""
    found = [
        silence
        for company, rows in memory.recall_all(state, KEY).items()
        if isinstance(rows, list)
        for row in rows
        if (silence := _silence(company, row)) is not None
    ]
    return sorted(found)


def begin(state: State, silence: AlertSilence, now: datetime) -> None:
    """Remember a silence; it takes the place of one of the same company and code."""
    with state.transaction():
        others = [
            one for one in _of(state, silence.company) if not (one.code == silence.code and one.is_on(now))
        ]
        _keep(state, silence.company, [*others, silence], now)


def end(state: State, companies: Sequence[str], code: str, now: datetime) -> list[AlertSilence]:
    """End the silences of these companies (none: of all) and of a code ("": whatever it is); return them."""
    ended = []
    with state.transaction():
        for silence in silences(state, now):
            if (companies and silence.company not in companies) or code not in ("", silence.code):
                continue
            ended.append(silence)
            kept = [one._replace(until=now) if one == silence else one for one in _of(state, silence.company)]
            _keep(state, silence.company, kept, now)
    return ended


def _of(state: State, company: str) -> list[AlertSilence]:
    return [one for one in all_silences(state) if one.company == company]


def _keep(state: State, company: str, found: Iterable[AlertSilence], now: datetime) -> None:
    rows = [
        [one.code, to_seconds(one.since), to_seconds(one.until), one.because]
        for one in found
        if now - one.until < REMEMBERED_FOR and one.since < one.until
    ]
    if rows:
        memory.keep(state, KEY, rows, company)
    else:
        memory.forget(state, KEY, company)


def _silence(company: str, row: Any) -> AlertSilence | None:
    try:
        code, since, until, because = row
        return AlertSilence(company, str(code), from_seconds(since), from_seconds(until), str(because))
    except (ValueError, TypeError, OverflowError):
        return None
