"""A state of version 0.1.0, which kept names: each name becomes the place of its company, and nothing is lost."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.bots.log_hours import hours_since
from baileys_tools.config import LoadedSettings, Settings, load_settings
from baileys_tools.frame.companies import open_state_about
from baileys_tools.state import memory
from baileys_tools.state.adoption import MARK, OF_A_ROOT
from baileys_tools.state.cooldowns import last_done
from baileys_tools.state.database import State, open_state
from baileys_tools.state.observations import history
from baileys_tools.state.runs import Run, last_in_companies
from baileys_tools.state.spool import put, take_in
from baileys_tools.watching import kept_incidents, kept_links
from baileys_tools.watching.incidents import list_incidents
from baileys_tools.watching.monitor import run_monitor
from tests.old_version import NOW, lay_sessions, lay_state

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TABLES = ("observations", "cooldowns", "alerts", "incidents", "log_hours", "link_days", "company_runs")


def settings_for(root: Path, state: Path) -> LoadedSettings:
    environ = {
        "BAILEYS_SESSIONS_PATH": str(root),
        "BAILEYS_TOOLS_STATE_DIR": str(state),
        "NOTIFICATION_WEBHOOK": "http://127.0.0.1:9/nobody",
    }
    return load_settings({}, environ, cwd="/", home="/", euid=1)


def a_pass(root: Path, folder: Path, now: datetime) -> None:
    loaded = settings_for(root, folder)
    with open_state(str(folder), now) as state:
        run_monitor(loaded, state, now)


def rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(folder / "state.sqlite3") as database:
        found = {table: sorted(database.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
    database.close()
    return found


def about(root: Path, folder: Path, now: datetime) -> State:
    return open_state_about(settings_for(root, folder).settings, now)


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    """The root that the state is of, and another with the same names."""
    return lay_sessions(tmp_path / "a"), lay_sessions(tmp_path / "b")


@pytest.mark.parametrize("first", ["own", "other"])
def test_every_row_becomes_that_of_the_place_and_none_is_lost(
    tmp_path: Path, roots: tuple[Path, Path], first: str
) -> None:
    own, other = roots
    folder = lay_state(tmp_path / "state", own)
    before = rows(folder)
    if first == "other":
        with about(other, folder, NOW + MINUTE) as state:
            assert last_in_companies(state, "cleanup") == {}
            assert last_done(state, "trigger", "1001") is None
            assert history(state, "1001", NOW - 90 * 24 * HOUR) == []
    with about(own, folder, NOW + MINUTE) as state:
        assert memory.recall(state, MARK) is None
    at = {name: f"{own}/company_{name}" for name in ("1001", "1002", "gone")}

    def moved(row: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(at.get(value, value) if isinstance(value, str) else value for value in row)

    assert rows(folder) == {table: sorted(map(moved, found), key=repr) for table, found in before.items()}
    with about(own, folder, NOW + MINUTE) as state:
        assert last_done(state, "trigger", "1002") == NOW - HOUR
        assert last_in_companies(state, "cleanup")["1001"].changed == 3
        assert len(history(state, "1001", NOW - 90 * 24 * HOUR)) == 4
        assert [one.number for one in hours_since(state, "1001", NOW - 24 * HOUR)] == [3]
        assert [spell.up for spell in kept_links.spells(state, "1002")] == [80_000]
        assert kept_incidents.last_open(state, "1002") == 1
        found = list_incidents(state, (), NOW, Settings()).incidents
        assert [(one.company, one.place) for one, _ in found] == [("1002", f"{own}/company_1002")]
        document = memory.recall(state, "looks", f"{own}/")
        assert set(document["looks"]) == {"1001", "1002", "gone"}
    assert all(row[0] in at.values() for row in rows(folder)["alerts"])


def test_nothing_is_told_twice_and_nothing_is_over(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    own, other = roots
    folder = lay_state(tmp_path / "state", own)
    told = {(row[0], row[1]): row[2:] for row in rows(folder)["alerts"]}
    with sqlite3.connect(folder / "state.sqlite3") as database:
        waiting = database.execute("SELECT count(*) FROM alert_spool").fetchone()[0]
    database.close()
    for minutes, root in ((1, own), (2, other), (3, own), (4, other)):
        a_pass(root, folder, NOW + minutes * MINUTE)
    after = {(row[0], row[1]): row[2:] for row in rows(folder)["alerts"]}
    for (company, code), state in told.items():
        if company != "gone":
            assert after[f"{own}/company_{company}", code] == state, "as it was: neither again nor over"
    theirs = {code for company, code in after if str(company).startswith(f"{other}/")}
    assert theirs == {code for company, code in told if company in ("1001", "1002")}
    with sqlite3.connect(folder / "state.sqlite3") as database:
        spooled = [row[0] for row in database.execute("SELECT alerts FROM alert_spool ORDER BY id")]
    database.close()
    assert [("over" in one) for one in spooled] == [False] * len(spooled)
    assert len(spooled) == waiting + 1, "the other root's own trouble, once"


def test_where_nobody_watched_the_first_root_of_the_name_has_it(
    tmp_path: Path, roots: tuple[Path, Path]
) -> None:
    own, other = roots
    folder = lay_state(tmp_path / "state", own)
    with sqlite3.connect(folder / "state.sqlite3") as database:
        database.execute("DELETE FROM memory WHERE key = 'looks'")
    database.close()
    with about(other, folder, NOW + MINUTE) as state:
        assert last_done(state, "trigger", "1001") == NOW - HOUR
    with about(own, folder, NOW + MINUTE) as state:
        assert last_done(state, "trigger", "1001") is None
        assert memory.recall(state, MARK) == ["gone"], "no root has come with it yet"


def test_a_root_that_is_no_more_leaves_its_names_to_the_next(
    tmp_path: Path, roots: tuple[Path, Path]
) -> None:
    own, _ = roots
    folder = lay_state(tmp_path / "state", own)
    own.rename(tmp_path / "moved")
    with about(tmp_path / "moved", folder, NOW + MINUTE) as state:
        assert last_done(state, "trigger", "1001") == NOW - HOUR
        assert kept_incidents.last_open(state, "1002") == 1


def test_a_record_that_the_version_before_left_in_the_spool_is_taken_over(
    tmp_path: Path, roots: tuple[Path, Path]
) -> None:
    own, _ = roots
    folder = lay_state(tmp_path / "state", own)
    with about(own, folder, NOW + MINUTE):
        pass
    put(str(folder), Run("late", "cleanup", NOW, NOW, 0, False, {}, {"1001": 7}))
    with open_state(str(folder), NOW + MINUTE) as state:
        assert take_in(state) == 1
    with about(own, folder, NOW + MINUTE) as state:
        assert last_in_companies(state, "cleanup")["1001"].changed == 7
        assert memory.recall(state, MARK) is None


def test_the_keys_that_are_about_a_root_are_those_that_others_keep() -> None:
    from baileys_tools.sessions.look import LOOKS
    from baileys_tools.watching.monitor import TROUBLE
    from baileys_tools.watching.pass_memory import SAID, SNAPSHOTS

    assert set(OF_A_ROOT) == {LOOKS, SAID, SNAPSHOTS, TROUBLE}
