"""Uptime, time to recovery and reconnects of a simulated month, against a calculation a minute at a time."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from baileys_tools.bots.log_hours import add_hours
from baileys_tools.bots.rules.log_events import LogEvent, LogFacts
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.state.database import open_state
from baileys_tools.watching.history import PastLook, note_look, service_of
from baileys_tools.watching.kept_incidents import entries, incidents
from baileys_tools.watching.rules.incidents import Link, link_of, spells_between

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def simulated_looks(rng: random.Random) -> list[tuple[datetime, str, CredsState]]:
    """Looks over 31 days: every 5 minutes, with outages, hours without an answer, damaged creds and a dead cron."""
    looks, now, connection, creds = [], BEGIN, "connected", CredsState.VALID
    left = 40
    while now < BEGIN + timedelta(days=31):
        if left == 0:
            connection = rng.choice(
                ["connected", "connected", "connected", "disconnected", "connecting", "unknown", ""]
            )
            creds = (
                CredsState.EMPTY if connection == "disconnected" and rng.random() < 0.2 else CredsState.VALID
            )
            left = rng.randint(20, 300) if connection == "connected" else rng.randint(1, 12)
        looks.append((now, connection, creds))
        left -= 1
        now += MINUTE * (rng.choice([5, 5, 5, 5, 5, 5, 7, 15, 16, 240]) if rng.random() < 0.1 else 5)
    return looks


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_a_month_are_those_of_an_independent_calculation(tmp_path, seed):
    rng = random.Random(seed)
    looks = simulated_looks(rng)
    end = looks[-1][0]
    reconnects: Counter[datetime] = Counter(
        BEGIN + timedelta(minutes=rng.randrange(31 * 24 * 60)) for _ in range(200)
    )
    with open_state(str(tmp_path), end) as state, state.transaction():
        for at, count in reconnects.items():
            add_hours(state, "7", {(int(at.timestamp()) // 3600, LogEvent.OPENED): count})
        for at, connection, creds in looks:
            note_look(state, PastLook("7", connection, creds), LogFacts(), at)
        found = service_of(state, "7", end, 10)

    # Every minute by itself: what did the last look before it say, and how long ago was that?
    first_day = (end - timedelta(days=30)).date()
    up = down = position = 0
    minute = BEGIN
    while minute < end:
        while position + 1 < len(looks) and looks[position + 1][0] <= minute:
            position += 1
        at, connection, _ = looks[position]
        if minute - at < 15 * MINUTE and minute.date() >= first_day:
            up += connection == "connected"
            down += connection in ("disconnected", "connecting")
        minute += MINUTE
    assert found.uptime == pytest.approx(up / (up + down), abs=1e-12)
    assert found.known == pytest.approx((up + down) / (30 * 24 * 60), abs=1e-9)
    assert found.uptime is not None and 0.5 < found.uptime < 0.999

    lengths, opened, in_window = [], None, 0
    for at, connection, creds in looks:
        if opened is None and (connection in ("disconnected", "connecting") or creds == CredsState.EMPTY):
            opened = at
        elif opened is not None and connection == "connected" and creds == CredsState.VALID:
            if at >= end - timedelta(days=30):
                lengths.append((at - opened).total_seconds())
                in_window += 1
            opened = None
    assert found.recovery is not None
    assert found.recovery.total_seconds() == pytest.approx(sum(lengths) / len(lengths))
    assert found.incidents == in_window + (opened is not None)

    since = (end - timedelta(days=30)).replace(minute=0, second=0)
    counted = [at for at in reconnects.elements() if at >= since]
    days = (end.date() - min(counted).date()).days + 1
    assert found.reconnects == pytest.approx(len(counted) / days)
    assert set(found.missed) == {"uptime", "recovery"}


def test_an_incident_has_its_time_line_and_one_entry_for_each_cause(tmp_path):
    """Seen again and again, one line; a new cause, a new line; unknown leaves it open; well closes it."""
    with open_state(str(tmp_path), BEGIN) as state:
        note_look(state, PastLook("7", "connected", CredsState.VALID), LogFacts(), BEGIN)
        assert incidents(state) == []
        for minutes in (1, 2, 3):
            note_look(
                state, PastLook("7", "disconnected", CredsState.VALID), LogFacts(), BEGIN + minutes * MINUTE
            )
        note_look(state, PastLook("7", "disconnected", CredsState.EMPTY), LogFacts(), BEGIN + 4 * MINUTE)
        note_look(state, PastLook("7", "unknown", CredsState.VALID), LogFacts(), BEGIN + 5 * MINUTE)
        [incident] = incidents(state)
        assert incident.closed is None
        note_look(state, PastLook("7", "connected", CredsState.VALID), LogFacts(), BEGIN + 6 * MINUTE)
        [incident] = incidents(state)
        assert (incident.opened, incident.closed) == (BEGIN + MINUTE, BEGIN + 6 * MINUTE)
        told = [(entry.what, entry.detail.partition(":")[0]) for entry in entries(state, incident.id)]
        assert told == [
            ("seen", "unknown"),
            ("seen", "creds-lost"),
            ("over", "the bot is connected and its creds are whole"),
        ]
        note_look(state, PastLook("7", "disconnected", CredsState.VALID), LogFacts(), BEGIN + 60 * MINUTE)
        assert len(incidents(state)) == 2


@pytest.mark.parametrize(
    ("connection", "log", "link"),
    [
        ("connected", LogFacts(opened=BEGIN, since_opened={LogEvent.LOST: BEGIN}), Link.UP),
        ("disconnected", LogFacts(opened=BEGIN), Link.DOWN),
        ("connecting", LogFacts(), Link.DOWN),
        ("", LogFacts(), Link.UNKNOWN),
        ("unknown", LogFacts(read=True), Link.UNKNOWN),
        ("", LogFacts(True, opened=BEGIN), Link.UP),
        ("", LogFacts(True, opened=BEGIN, since_opened={LogEvent.LOST: BEGIN}), Link.DOWN),
        ("", LogFacts(True, opened=BEGIN, since_opened={LogEvent.ATTEMPTED: BEGIN}), Link.UP),
        # An opening that was read once says nothing when the log is gone, or the API does not answer any more.
        ("", LogFacts(opened=BEGIN), Link.UNKNOWN),
        ("unknown", LogFacts(True, opened=BEGIN), Link.UNKNOWN),
        ("unknown", LogFacts(True, opened=BEGIN, since_opened={LogEvent.LOST: BEGIN}), Link.DOWN),
    ],
)
def test_how_a_bot_is_comes_from_the_api_and_else_from_the_log(connection, log, link):
    assert link_of(connection, log) is link


@pytest.mark.parametrize(
    ("connection", "log", "link"),
    [
        ("connected", LogFacts(), Link.UP),
        ("unknown", LogFacts(), Link.DOWN),
        ("", LogFacts(True, opened=BEGIN), Link.DOWN),
        ("", LogFacts(True), Link.UNKNOWN),
    ],
)
def test_one_whose_process_does_not_run_is_down_where_it_could_be_up(connection, log, link):
    assert link_of(connection, log, running=False) is link


def test_an_api_that_is_silent_for_a_while_begins_no_incident(tmp_path):
    with open_state(str(tmp_path), BEGIN) as state:
        for minutes, connection in enumerate(("connected", "unknown", "unknown", "connected")):
            look = PastLook("7", connection, CredsState.VALID, running=True)
            note_look(state, look, LogFacts(True, opened=BEGIN), BEGIN + minutes * MINUTE)
        assert incidents(state) == []


def test_a_clock_that_goes_back_adds_nothing():
    assert list(spells_between(BEGIN, Link.UP, BEGIN - MINUTE)) == []


def test_who_waits_for_a_first_code_is_in_no_incident_and_neither_up_nor_down(tmp_path):
    """A company that was reset in an incident stays in it: that is over when somebody has scanned the code."""
    with open_state(str(tmp_path), BEGIN) as state:
        for minutes, creds in enumerate((CredsState.MISSING, CredsState.UNPAIRED, CredsState.UNPAIRED)):
            look = PastLook("7", "connecting", creds, waits=True)
            note_look(state, look, LogFacts(), BEGIN + minutes * MINUTE)
        assert incidents(state) == []
        assert service_of(state, "7", BEGIN + 3 * MINUTE, 10).uptime is None
        note_look(state, PastLook("8", "disconnected", CredsState.VALID), LogFacts(), BEGIN)
        note_look(
            state, PastLook("8", "connecting", CredsState.MISSING, waits=True), LogFacts(), BEGIN + MINUTE
        )
        assert [one.closed for one in incidents(state, "8")] == [None]
        note_look(state, PastLook("8", "connected", CredsState.VALID), LogFacts(), BEGIN + 2 * MINUTE)
        assert [one.closed for one in incidents(state, "8")] == [BEGIN + 2 * MINUTE]


def test_where_only_the_process_is_known_it_opens_and_closes_the_incident(tmp_path):
    with open_state(str(tmp_path), BEGIN) as state:
        for minutes, running in enumerate((True, False, False, None, True)):
            note_look(
                state, PastLook("7", "", CredsState.VALID, running), LogFacts(), BEGIN + minutes * MINUTE
            )
        [incident] = incidents(state)
        assert (incident.cause, incident.opened, incident.closed) == (
            "stopped",
            BEGIN + MINUTE,
            BEGIN + 4 * MINUTE,
        )
        assert entries(state, incident.id)[-1].detail == "the bot runs and its creds are whole"
        assert service_of(state, "7", BEGIN + 5 * MINUTE, 10).uptime is None, (
            "a process that runs may be offline"
        )
        # A log without a word about connections is as good as none.
        silent = LogFacts(True, BEGIN)
        note_look(state, PastLook("9", "", CredsState.VALID, False), silent, BEGIN)
        note_look(state, PastLook("9", "", CredsState.VALID, True), silent, BEGIN + MINUTE)
        assert [one.closed for one in incidents(state, "9")] == [BEGIN + MINUTE]
        # An API that does not answer leaves it open: that its process runs is no proof there.
        note_look(state, PastLook("8", "unknown", CredsState.VALID, False), LogFacts(), BEGIN)
        note_look(state, PastLook("8", "unknown", CredsState.VALID, True), LogFacts(), BEGIN + MINUTE)
        assert [one.closed for one in incidents(state, "8")] == [None]
