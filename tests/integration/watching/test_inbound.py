"""When the last message came in, and a bot that lives and hears nothing."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.sessions.look import weigh
from baileys_tools.sessions.rules.looks import from_plain, to_plain
from baileys_tools.sessions.scan import scan_names
from baileys_tools.state.database import open_state
from baileys_tools.watching.inbound import last_outbound
from baileys_tools.watching.kept_inbound import DAYS_NEEDED, kept_inbound
from baileys_tools.watching.monitor import run_monitor
from tests.support import company_folder, write_key

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
PEER = "sender-key-120363000000000001@g.us--491700000001--0.json"
OWN = "sender-key-120363000000000001@g.us--919585510685--17.json"


def session(used: datetime) -> str:
    index = {"used": int(used.timestamp() * 1000), "created": 1}
    return json.dumps({"_sessions": {"x": {"indexInfo": index}}, "version": "v1"})


def settings(tmp_path: Path, sessions: str = "sessions") -> LoadedSettings:
    environ = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / sessions),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
    }
    return load_settings({}, environ, cwd="/", home=str(tmp_path), system_config="/nonexistent")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"session-1.0.json": (1, None)}, None),
        ({PEER: (3, None)}, 3),
        ({OWN: (1, None), PEER: (5, None)}, 5),
        ({"session-1.0.json": (1, 9)}, 9),
        ({"session-1.0.json": (1, 9), "session-2.0.json": (4, 4), PEER: (6, None)}, 4),
        ({f"session-{n}.0.json": (1, 30) for n in range(20)} | {"session-99.0.json": (0.5, 2)}, 2),
    ],
    ids=["nothing", "no used", "peer", "own key is written by sending", "sent after", "newest", "many"],
)
def test_what_tells_of_a_message_that_came_in(
    tmp_path: Path, files: dict[str, tuple[float, float | None]], expected: float | None
) -> None:
    folder = company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": HOUR}, now=NOW)
    for name, (hours, used) in files.items():
        content = "{}" if used is None else session(NOW - used * HOUR)
        write_key(folder, name, hours * HOUR, content, NOW)
    with open_state(str(tmp_path / "state"), NOW) as state:
        (one,) = run_monitor(settings(tmp_path), state, NOW).companies
    assert one.inbound == (None if expected is None else NOW - expected * HOUR)


OURS, THEIRS = 1, 2


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({PEER: (3, None, 0)}, None),
        ({OWN: (5, None, 0), PEER: (1, None, 0)}, 5),
        ({"session-1.0.json": (1, None, THEIRS)}, None),
        ({"session-1.0.json": (1, 1, THEIRS)}, None),
        ({"session-1.0.json": (1, 1, OURS)}, 1),
        ({"session-1.0.json": (2, 9, THEIRS), OWN: (5, None, 0)}, 2),
        ({"session-1.0.json": (7, 9, THEIRS), OWN: (5, None, 0)}, 5),
    ],
    ids=["nothing", "peer", "own key", "no used", "they wrote", "we wrote first", "we answered", "newest"],
)
def test_what_tells_of_a_message_that_went_out(
    tmp_path: Path, files: dict[str, tuple[float, float | None, int]], expected: float | None
) -> None:
    path = company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": HOUR}, now=NOW)
    for name, (hours, used, base) in files.items():
        at = int((NOW - (used or hours) * HOUR).timestamp() * 1000)
        index = {"baseKey": "y", "baseKeyType": base, "closed": -1, "used": at, "created": at}
        if used is None:
            del index["used"]
        content = json.dumps({"_sessions": {"x": {"indexInfo": index}}, "version": "v1"})
        write_key(path, name, hours * HOUR, content, NOW)
    folder = os.open(path, os.O_RDONLY)
    try:
        facts = scan_names(folder)
        weight = weigh(folder, facts)
        found = last_outbound(folder, facts.creds, weight.sessions, weight.sender_keys)
    finally:
        os.close(folder)
    assert found == (0 if expected is None else int((NOW - expected * HOUR).timestamp()))


def test_bots_of_one_name_have_each_their_own_rhythm(tmp_path: Path) -> None:
    """Two cron jobs, each with sessions of its own, share one state."""
    heard: dict[str, dict[str, Any]] = {}
    for sessions, hours in (("one", 3), ("two", 9)):
        folder = company_folder(tmp_path / sessions, "1001", {"pre-key-30.json": HOUR}, now=NOW)
        write_key(folder, PEER, hours * HOUR, "{}", NOW)
    for sessions in ("one", "two", "one"):
        with open_state(str(tmp_path / "state"), NOW) as state:
            run_monitor(settings(tmp_path, sessions), state, NOW)
            heard[sessions] = kept_inbound(state)
    assert {sessions: rows["1001"]["at"] for sessions, rows in heard.items()} == {
        "one": int((NOW - 3 * HOUR).timestamp()),
        "two": int((NOW - 9 * HOUR).timestamp()),
    }


@pytest.mark.parametrize(
    ("every", "silent", "is_told"), [(2, 11, False), (2, 14, True), (20, 50, False), (20, 70, True)]
)
def test_a_silence_is_measured_by_the_companys_own_rhythm(
    tmp_path: Path, every: int, silent: int, is_told: bool
) -> None:
    folder = company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": HOUR}, now=NOW)
    start = NOW - timedelta(days=12)
    heard = start

    def live(now: datetime, *, hears: bool) -> None:
        nonlocal heard
        if hears:
            heard = now
        write_key(folder, PEER, now - heard, now=now)
        write_key(folder, OWN, timedelta(minutes=1), now=now)
        os.utime(folder, (now.timestamp() - 10,) * 2)

    def codes(now: datetime) -> set[str]:
        with open_state(str(tmp_path / "state"), now) as state:
            return {one.code for one in run_monitor(settings(tmp_path), state, now).findings}

    moment = start
    while moment < NOW - timedelta(days=4):
        live(moment, hears=True)
        assert "no-inbound" not in codes(moment)
        moment += every * HOUR
    assert (moment - start).days >= DAYS_NEEDED
    end = heard + silent * HOUR
    live(end, hears=False)
    assert ("no-inbound" in codes(end)) is is_told
    live(end + 2 * HOUR, hears=True)
    assert "no-inbound" not in codes(end + 2 * HOUR)


def test_a_look_of_before_keeps_what_it_says_of_a_login(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": HOUR}, now=NOW)
    with open_state(str(tmp_path / "state"), NOW) as state:
        run_monitor(settings(tmp_path), state, NOW)
        from baileys_tools.frame.companies import kept_looks

        plain = kept_looks(state, str(tmp_path / "sessions")).looks["1001"]
    older = from_plain("1001", plain[:-1])
    assert older is not None
    assert older.was_linked
    assert to_plain(older) == [*plain[:-1], 0]
