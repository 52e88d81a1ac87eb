"""What is remembered of alerts: the state of each finding that was told, and what waits to be sent.

A run writes what it decided and what is to be sent in one transaction, then sends, then removes what was delivered:
killed in between, the next run sends it. A row that is being sent is claimed, so that two runs do not send it twice.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.alerts.rules.alerts import Alert, AlertState, Key, Why
from baileys_tools.findings import Severity
from baileys_tools.parsing import parse_state
from baileys_tools.state.database import State, from_seconds, to_seconds
from baileys_tools.state.places import introduce

MOST_WAITING = 100
"""Rows that wait for one channel at most; the oldest go."""
MOST_TRIES = 3
"""How often a row is tried that the other side refuses for itself."""
CLAIMED_FOR = timedelta(seconds=60)
"""How long a claim counts: a run sends for 30 seconds at most, and a killed one must not hold it for ever."""


_SEVERITIES = {severity.value for severity in Severity}


class Waiting(NamedTuple):
    """The alerts of one run that wait for a channel."""

    id: int
    at: datetime
    alerts: Sequence[Alert]
    tries: int


class ChannelState(NamedTuple):
    """What is remembered of a channel: since when it fails, when that was last said, and how many rows were dropped."""

    failing_since: datetime | None = None
    said: datetime | None = None
    not_before: datetime | None = None
    dropped: int = 0


# --- findings -----------------------------------------------------------------------------------------------


def remembered(state: State) -> dict[Key, AlertState]:
    """Return the alert state of each finding of this run's companies, and of its root, that has one."""
    rows = state.rows(
        "SELECT company, code, began, checks, told, sent, sent_severity, message, times FROM alerts"
    )
    return {
        (name, code): AlertState(
            from_seconds(began),
            checks,
            bool(told),
            None if sent is None else from_seconds(sent),
            Severity(severity),
            message,
            times,
        )
        for company, code, began, checks, told, sent, severity, message, times in rows
        if severity in _SEVERITIES and (name := state.scope.name(company)) is not None
    }


def remember(state: State, before: Mapping[Key, AlertState], after: Mapping[Key, AlertState]) -> None:
    """Write down what has changed between two sets of alert states; nothing when nothing has."""
    gone = [key for key in before if key not in after]
    if gone:
        state.change_many(
            "DELETE FROM alerts WHERE company = ? AND code = ?",
            [(state.scope.key(company), code) for company, code in gone],
        )
    changed = [(key, one) for key, one in after.items() if before.get(key) != one]
    if changed:
        state.change_many(
            "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    state.scope.key(company),
                    code,
                    to_seconds(one.began),
                    one.checks,
                    one.told,
                    None if one.sent is None else to_seconds(one.sent),
                    one.sent_severity.value,
                    one.message,
                    one.times,
                )
                for (company, code), one in changed
            ],
        )
        introduce(state, (company for (company, _), _ in changed))


# --- the spool ----------------------------------------------------------------------------------------------


def put(state: State, channels: Iterable[str], alerts: Sequence[Alert], now: datetime) -> None:
    """Have alerts wait for each of these channels; beyond the cap the oldest row goes, and is counted."""
    text = json.dumps([_as_json(alert) for alert in alerts], separators=(",", ":"))
    for channel in channels:
        state.change(
            "INSERT INTO alert_spool (channel, at, alerts, tries, claimed) VALUES (?, ?, ?, 0, NULL)",
            (channel, to_seconds(now), text),
        )
        dropped = state.change(
            "DELETE FROM alert_spool WHERE channel = ? AND id NOT IN "
            "(SELECT id FROM alert_spool WHERE channel = ? ORDER BY id DESC LIMIT ?)",
            (channel, channel, MOST_WAITING),
        )
        if dropped:
            before = channel_state(state, channel)
            keep_channel(state, channel, before._replace(dropped=before.dropped + dropped))


def claim(state: State, channel: str, now: datetime) -> list[Waiting]:
    """Take the rows that wait for a channel and that no other run is sending, the oldest first."""
    seconds, length = to_seconds(now), int(CLAIMED_FOR.total_seconds())
    with state.transaction():
        rows = state.rows(
            "SELECT id, at, alerts, tries FROM alert_spool WHERE channel = ? "
            "AND (claimed IS NULL OR abs(? - claimed) >= ?) ORDER BY id",
            (channel, seconds, length),
        )
        state.change_many(
            "UPDATE alert_spool SET claimed = ? WHERE id = ?", [(seconds, row[0]) for row in rows]
        )
    return [Waiting(number, from_seconds(at), _from_json(text), tries) for number, at, text, tries in rows]


def delivered(state: State, rows: Iterable[Waiting]) -> None:
    """Forget rows that were delivered, or that are not worth another try."""
    state.change_many("DELETE FROM alert_spool WHERE id = ?", [(row.id,) for row in rows])


def release(state: State, rows: Iterable[Waiting], *, tried: bool = False) -> None:
    """Let go of claimed rows, for the next run; `tried` counts a try."""
    state.change_many(
        "UPDATE alert_spool SET claimed = NULL, tries = tries + ? WHERE id = ?",
        [(int(tried), row.id) for row in rows],
    )


def waiting(state: State) -> dict[str, int]:
    """Return how many rows wait, by channel; channels for which none waits are left out."""
    return dict(state.rows("SELECT channel, count(*) FROM alert_spool GROUP BY channel"))


# --- channels -----------------------------------------------------------------------------------------------


def channel_state(state: State, channel: str) -> ChannelState:
    rows = state.rows(
        "SELECT failing_since, said, not_before, dropped FROM alert_channels WHERE channel = ?", (channel,)
    )
    if not rows:
        return ChannelState()
    *times, dropped = rows[0]
    failing_since, said, not_before = (None if time is None else from_seconds(time) for time in times)
    return ChannelState(failing_since, said, not_before, dropped)


def keep_channel(state: State, channel: str, of: ChannelState) -> None:
    """Remember this of a channel; a channel of which there is nothing to remember is forgotten."""
    if of == ChannelState():
        state.change("DELETE FROM alert_channels WHERE channel = ?", (channel,))
        return
    times = [None if time is None else to_seconds(time) for time in of[:3]]
    state.change(
        "INSERT OR REPLACE INTO alert_channels VALUES (?, ?, ?, ?, ?)", (channel, *times, of.dropped)
    )


def forget_other_channels(state: State, channels: Collection[str]) -> None:
    """Forget what waits for channels that are no longer configured."""
    known = state.rows("SELECT channel FROM alert_spool UNION SELECT channel FROM alert_channels")
    for (channel,) in known:
        if channel not in channels:
            state.change("DELETE FROM alert_spool WHERE channel = ?", (channel,))
            state.change("DELETE FROM alert_channels WHERE channel = ?", (channel,))


def _as_json(alert: Alert) -> list[object]:
    return [
        alert.why.value,
        to_seconds(alert.at),
        alert.company,
        alert.code,
        alert.severity.value,
        alert.message,
        alert.action,
        dict(alert.facts),
        int(alert.lasted.total_seconds()),
        alert.times,
        *([alert.path] if alert.path else []),
    ]


def _from_json(text: str) -> list[Alert]:
    try:
        return [
            Alert(
                Why(why),
                from_seconds(at),
                company,
                code,
                Severity(severity),
                message,
                action,
                facts,
                timedelta(seconds=lasted),
                times,
                *path,
            )
            for why, at, company, code, severity, message, action, facts, lasted, times, *path in parse_state(
                text
            )
        ]
    except (ValueError, TypeError, OverflowError):
        return []
