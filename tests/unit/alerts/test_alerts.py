"""Which alerts are due: by table, and against an oracle that looks at the whole history instead of a state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.alerts.rules.alerts import (
    CONNECTION_LOST,
    RECOVERY_DUE,
    Alert,
    AlertRules,
    AlertState,
    Decisions,
    Key,
    LookedAt,
    Why,
    decide,
    late,
    news,
    worst_first,
)
from baileys_tools.findings import Finding, Severity

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = AlertRules()
EMPTY, FULL = "creds-empty", "file-count"
ALL = LookedAt(frozenset({EMPTY, FULL, CONNECTION_LOST}))
SEVERITIES = {"n": Severity.NOTICE, "w": Severity.WARNING, "c": Severity.CRITICAL, "e": Severity.EMERGENCY}


def finding(letter: str, code: str = FULL, company: str = "1001") -> Finding:
    return Finding(code, SEVERITIES[letter], company, f"message {letter}", "do something", {"value": 1})


def minute_by_minute(timeline: str, code: str = FULL, *, step: timedelta = MINUTE) -> list[str]:
    """Given a letter a minute (`.` all is well, `?` not looked at), return what was told: `12 appeared warning`."""
    states: dict[Key, AlertState] = {}
    told = []
    for number, letter in enumerate(timeline):
        looked = LookedAt(frozenset()) if letter == "?" else ALL
        found = [] if letter in ".?" else [finding(letter, code)]
        decisions = decide(states, found, looked, RULES, START + number * step)
        states = dict(decisions.states)
        for alert in decisions.alerts:
            lasted = f" {alert.lasted // MINUTE}m" if alert.why is Why.OVER else ""
            told.append(f"{number} {alert.why} {alert.severity}{lasted}")
    return told


@pytest.mark.parametrize(
    ("first_steps", "told"),
    [
        (["wait"], []),
        (["wait", "", "wait", ""], []),
        (["wait", "wait"], [1]),
        (["wait", "reconnect"], [1]),
        (["reconnect"], [0]),
        (["reconnect", "wait", "wait", "wait"], [0]),
        (["reconnect", ""], [0, 1]),
    ],
)
def test_a_bot_that_may_come_back_by_itself_is_told_at_the_second_check(
    first_steps: list[str], told: list[int]
) -> None:
    states: dict[Key, AlertState] = {}
    heard = []
    for number, first in enumerate(first_steps):
        due = Finding(RECOVERY_DUE, Severity.CRITICAL, "1001", "away", "", {"first_step": first})
        looked_at = LookedAt(frozenset({RECOVERY_DUE}))
        decisions = decide(states, [due] if first else [], looked_at, RULES, START + number * 5 * MINUTE)
        states = dict(decisions.states)
        heard += [number] * len(decisions.alerts)
    assert heard == told


@pytest.mark.parametrize(
    ("code", "letter", "hours"),
    [
        ("folder-gone", "c", [0, 0.5, 1, 2, 4, 8, 16]),
        ("no-companies", "e", [0, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 56, 80]),
        ("folder-gone", "w", [0, 1, 2, 4, 8, 16]),
    ],
)
def test_what_may_have_been_meant_is_told_ever_more_seldom(
    code: str, letter: str, hours: list[float]
) -> None:
    states: dict[Key, AlertState] = {}
    looked_at = LookedAt(frozenset({code}))
    end = 24 if code == "folder-gone" else 90
    told = []
    for quarter in range(end * 4):
        decisions = decide(states, [finding(letter, code)], looked_at, RULES, START + quarter * 15 * MINUTE)
        states = dict(decisions.states)
        told += [quarter / 4 for _ in decisions.alerts]
    assert told == hours
    after = decide(states, [], looked_at, RULES, START + end * 60 * MINUTE)
    assert [alert.why for alert in after.alerts] == [Why.OVER]


TIMELINES = [
    # appears, is over
    ("..ww..", ["2 appeared warning", "4 over warning 2m"]),
    ("....", []),
    ("nnnn", []),
    # repeats by severity
    ("w" * 130, ["0 appeared warning", "60 repeated warning", "120 repeated warning"]),
    ("c" * 61, ["0 appeared critical", "30 repeated critical", "60 repeated critical"]),
    ("e" * 31, ["0 appeared emergency", "15 repeated emergency", "30 repeated emergency"]),
    # gets worse at once, milder in silence, and the end tells what was told
    (
        "wwcce.",
        ["0 appeared warning", "2 escalated critical", "4 escalated emergency", "5 over emergency 5m"],
    ),
    ("ew" + "w" * 58 + "w", ["0 appeared emergency", "60 repeated warning"]),
    # at a limit: neither each crossing nor each return is a message
    ("cw" * 15 + "cw", ["0 appeared critical", "30 repeated critical"]),
    (
        "c." * 15 + "c.",
        ["0 appeared critical", "1 over critical 1m", "30 again critical", "31 over critical 1m"],
    ),
    # back within the window and worse than told: at once
    ("w.e.", ["0 appeared warning", "1 over warning 1m", "2 again emergency", "3 over emergency 1m"]),
    # back within the window and still there at its end: told then
    ("e.eee" + "e" * 11, ["0 appeared emergency", "1 over emergency 1m", "15 again emergency"]),
    # to a notice is over
    ("wwn", ["0 appeared warning", "2 over warning 2m"]),
    # what nobody looked at is neither there nor over
    ("w??.", ["0 appeared warning", "3 over warning 3m"]),
    ("w" + "?" * 80 + "w", ["0 appeared warning", "81 repeated warning"]),
]


@pytest.mark.parametrize(("timeline", "expected"), TIMELINES)
def test_what_is_told(timeline: str, expected: list[str]) -> None:
    assert minute_by_minute(timeline) == expected


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        ("cc.", []),
        ("ccc.", ["2 appeared critical", "3 over critical 3m"]),
        ("cc.cc.cc.", []),
        ("c?c?c.", ["4 appeared critical", "5 over critical 5m"]),
        ("c" * 20 + ".", ["2 appeared critical", "20 over critical 20m"]),
        # Again within the window: three in a row, and the window's end.
        (
            "ccc." + "ccc." * 7 + "ccc.",
            ["2 appeared critical", "3 over critical 3m", "34 again critical", "35 over critical 3m"],
        ),
    ],
)
def test_a_lost_connection_is_told_at_the_third_check_in_a_row(timeline: str, expected: list[str]) -> None:
    assert minute_by_minute(timeline, CONNECTION_LOST) == expected


def test_of_two_findings_with_one_identity_the_worse_counts() -> None:
    decisions = decide({}, [finding("w"), finding("e"), finding("c")], ALL, RULES, START)
    assert [alert.severity for alert in decisions.alerts] == [Severity.EMERGENCY]


def test_only_what_was_looked_at_can_be_over() -> None:
    there = [finding("c", code, company) for code in (EMPTY, FULL) for company in ("1", "2", "")]
    states = decide({}, there, ALL, RULES, START).states

    def over(looked_at: LookedAt) -> set[Key]:
        alerts = decide(states, [], looked_at, RULES, START + MINUTE).alerts
        assert {alert.why for alert in alerts} <= {Why.OVER}
        return {(alert.company, alert.code) for alert in alerts}

    assert over(LookedAt(frozenset({FULL}))) == {("1", FULL), ("2", FULL), ("", FULL)}
    assert over(LookedAt(frozenset({FULL, EMPTY}), frozenset({"2"}))) == {("2", FULL), ("2", EMPTY)}
    assert over(LookedAt(frozenset({FULL}), None, frozenset({"1"}))) == {("2", FULL), ("", FULL)}
    assert over(LookedAt(frozenset({FULL}), None, frozenset({("1", FULL), ("", FULL)}))) == {("2", FULL)}
    assert over(LookedAt(frozenset())) == set()


def test_a_clock_that_was_set_back_neither_silences_nor_storms() -> None:
    """Told in the year 2036, then the clock is right again: the next repetition comes a window after that."""
    ahead = START + timedelta(days=3650)
    states = decide({}, [finding("e")], ALL, RULES, ahead).states
    told = []
    for number in range(32):
        decisions = decide(states, [finding("e")], ALL, RULES, START + number * MINUTE)
        states = decisions.states
        told += [f"{number} {alert.why}" for alert in decisions.alerts]
    assert told == ["15 repeated", "30 repeated"]
    (over,) = decide(states, [], ALL, RULES, START + 32 * MINUTE).alerts
    assert over.lasted == 32 * MINUTE


def test_a_clock_that_leaps_ahead_costs_one_repetition() -> None:
    states = decide({}, [finding("w")], ALL, RULES, START).states
    later = START + timedelta(days=400)
    assert [a.why for a in decide(states, [finding("w")], ALL, RULES, later).alerts] == [Why.REPEATED]


def test_what_is_over_for_long_is_forgotten() -> None:
    states = decide({}, [finding("w")], ALL, RULES, START).states
    states = decide(states, [], ALL, RULES, START + MINUTE).states
    assert states, "remembered, or its return within the window would be told"
    assert decide(states, [], ALL, RULES, START + timedelta(hours=1)).states == {}


def test_an_alert_says_how_often_it_came_and_for_how_long() -> None:
    states: dict[Key, AlertState] = {}
    alerts: list[Alert] = []
    for number in range(31):
        found = [finding("c")] if number % 2 == 0 else []
        decisions = decide(states, found, ALL, RULES, START + number * MINUTE)
        states = dict(decisions.states)
        alerts += decisions.alerts
    assert [(alert.why, alert.times) for alert in alerts] == [
        (Why.APPEARED, 1),
        (Why.OVER, 1),
        (Why.AGAIN, 16),
    ]


def test_the_worst_stands_first_and_what_is_over_last() -> None:
    def alert(why: Why, severity: Severity, company: str) -> Alert:
        return Alert(why, START, company, FULL, severity, "")

    right = [
        alert(Why.ESCALATED, Severity.EMERGENCY, "7"),
        alert(Why.REPEATED, Severity.EMERGENCY, "1"),
        alert(Why.APPEARED, Severity.CRITICAL, "9"),
        alert(Why.APPEARED, Severity.CRITICAL, "10"),
        alert(Why.APPEARED, Severity.CRITICAL, "shop"),
        alert(Why.REPEATED, Severity.WARNING, "1"),
        alert(Why.OVER, Severity.EMERGENCY, "1"),
        alert(Why.OVER, Severity.WARNING, "1"),
    ]
    assert worst_first(reversed(right)) == right


def test_late_alerts_are_told_without_what_no_longer_matters() -> None:
    def alert(minute: int, why: Why, company: str = "1") -> Alert:
        return Alert(why, START + minute * MINUTE, company, FULL, Severity.CRITICAL, "m")

    ended = [alert(0, Why.APPEARED), alert(30, Why.REPEATED), alert(40, Why.OVER)]
    lasting = [alert(1, Why.APPEARED, "2"), alert(31, Why.REPEATED, "2"), alert(35, Why.ESCALATED, "2")]
    began_before = [alert(5, Why.REPEATED, "3"), alert(35, Why.REPEATED, "3")]
    happened = [alert(7, Why.NEWS, "4"), alert(8, Why.NEWS, "4")]
    told = late([*lasting, *ended, *began_before, *happened])
    assert told == [lasting[0], began_before[0], *happened, lasting[2], ended[2]]


def test_news_are_told_once_and_not_remembered() -> None:
    alert = news(finding("w"), START)
    assert (alert.why, alert.company, alert.message, alert.facts) == (
        Why.NEWS,
        "1001",
        "message w",
        {"value": 1},
    )


# --- the oracle ---------------------------------------------------------------------------------------------


class Minute(NamedTuple):
    """One observation of one key: its severity, None when it was not there; unlooked at are not in the history."""

    at: datetime
    severity: Severity | None


class Told(NamedTuple):
    at: datetime
    severity: Severity | None
    """None: it is over."""
    lasted: timedelta = timedelta()


def expected_now(
    history: Sequence[Minute], told: Sequence[Told], needed: int, rules: AlertRules
) -> Told | None:
    """What a patient person with the whole history before them would say at its last minute."""
    *earlier, now = history
    windows = {
        Severity.WARNING: rules.warning,
        Severity.CRITICAL: rules.critical,
        Severity.EMERGENCY: rules.emergency,
    }
    before: list[Minute] = []
    for one in reversed(earlier):
        if one.severity is None:
            break
        before.insert(0, one)
    bad_news = [one for one in told if one.severity is not None]
    if now.severity is None:
        if before and any(one.at >= before[0].at for one in bad_news):
            return Told(now.at, None, now.at - before[0].at)
        return None
    if len(before) + 1 < needed:
        return None
    if bad_news:
        last = bad_news[-1]
        assert last.severity is not None
        waited = now.at - last.at >= windows[now.severity]
        if not waited and now.severity.rank <= last.severity.rank:
            return None
    return Told(now.at, now.severity)


SEEN = st.sampled_from(
    [None, None, Severity.NOTICE, Severity.WARNING, Severity.CRITICAL, Severity.EMERGENCY, "not looked at"]
)
STRETCHES = st.lists(st.tuples(SEEN, st.integers(1, 25)), min_size=1, max_size=8)


@given(
    st.dictionaries(
        st.sampled_from([("1", FULL), ("1", CONNECTION_LOST), ("2", FULL), ("", EMPTY)]),
        STRETCHES,
        min_size=1,
    ),
    st.integers(20, 600),
)
def test_every_minute_tells_what_the_whole_history_says(
    lives: dict[Key, list[tuple[object, int]]], step_seconds: int
) -> None:
    timelines = {key: [seen for seen, length in life for _ in range(length)] for key, life in lives.items()}
    histories: dict[Key, list[Minute]] = {key: [] for key in lives}
    told: dict[Key, list[Told]] = {key: [] for key in lives}
    states: dict[Key, AlertState] = {}
    for number in range(max(map(len, timelines.values()))):
        now = START + number * timedelta(seconds=step_seconds)
        seen = {key: line[number] for key, line in timelines.items() if number < len(line)}
        unknown = frozenset(key for key in lives if seen.get(key, "not looked at") == "not looked at")
        found = [
            Finding(code, severity, company, "m", "")
            for (company, code), severity in seen.items()
            if isinstance(severity, Severity)
        ]
        decisions = decide(states, found, ALL._replace(unknown=unknown), RULES, now)
        states = dict(decisions.states)
        for key in lives:
            alerts = [alert for alert in decisions.alerts if (alert.company, alert.code) == key]
            assert len(alerts) <= 1
            if key in unknown:
                assert not alerts
                continue
            severity = seen[key]
            real = severity if isinstance(severity, Severity) and severity is not Severity.NOTICE else None
            histories[key].append(Minute(now, real))
            expected = expected_now(histories[key], told[key], RULES.patience.get(key[1], 1), RULES)
            if expected is not None:
                told[key].append(expected)
            assert [_as_told(alert) for alert in alerts] == ([expected] if expected else [])
    for of_key in told.values():
        _check_promises(of_key)


def _as_told(alert: Alert) -> Told:
    over = alert.why is Why.OVER
    return Told(alert.at, None if over else alert.severity, alert.lasted if over else timedelta())


def _check_promises(told: Sequence[Told]) -> None:
    """No repetition within its window unless it got worse; each recovery once, and only of what was told."""
    last: Told | None = None
    for before, after in zip([None, *told], told, strict=False):
        if after.severity is None:
            assert before is not None
            assert before.severity is not None
        else:
            if last is not None and last.severity is not None and after.severity.rank <= last.severity.rank:
                assert after.at - last.at >= RULES.window(after.severity)
            last = after


@given(st.sampled_from("wce"), st.sampled_from([FULL, CONNECTION_LOST]))
def test_an_unchanged_minute_changes_nothing(letter: str, code: str) -> None:
    """Not even what is remembered: nothing to write, minute after minute."""
    states: dict[Key, AlertState] = {}
    for number in range(3):
        states = dict(decide(states, [finding(letter, code)], ALL, RULES, START + number * MINUTE).states)
    again = decide(states, [finding(letter, code)], ALL, RULES, START + 3 * MINUTE)
    assert again == Decisions((), states)
    assert decide({}, [], ALL, RULES, START) == Decisions((), {})
