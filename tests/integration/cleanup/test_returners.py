"""What a cleanup removed and the bot made anew is given longer the next time, on real folders and a real state."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.returning import removed_from
from baileys_tools.config import Settings, load_settings
from baileys_tools.state.database import open_state
from tests.support import company_folder, write_key

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = "session-4917000000001.0.json"


def settings_of(tmp_path: Path, *, returners: bool = True) -> Settings:
    environ = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "s"),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "BAILEYS_TOOLS_CLEANUP__RETURNERS": str(returners).lower(),
    }
    return load_settings({}, environ, cwd=str(tmp_path), home=str(tmp_path)).settings


def goes(tmp_path: Path, settings: Settings, now: datetime, age: timedelta) -> bool:
    """Whether a session of this age goes at `now`, which is a day in a life: the bot has written lately."""
    folder = company_folder(tmp_path / "s", "1", {KEY: age, "session-1.0.json": timedelta(hours=20)}, now=now)
    run_cleanup(settings, str(tmp_path / "s"), now)
    return not (folder / KEY).exists()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def test_what_came_back_is_given_twice_as_long_each_time(tmp_path: Path, settings: Settings) -> None:
    now = START
    assert goes(tmp_path, settings, now, 15 * DAY)
    for limit in (28, 56, 60, 60):
        now += 100 * DAY
        assert not goes(tmp_path, settings, now, limit * DAY - timedelta(hours=1))
        assert goes(tmp_path, settings, now, limit * DAY + timedelta(hours=1))


def test_the_limits_are_the_usual_ones_where_nothing_is_remembered(
    tmp_path: Path, settings: Settings
) -> None:
    assert goes(tmp_path, settings, START, 15 * DAY)
    shutil.rmtree(tmp_path / "state")
    assert goes(tmp_path, settings, START + 100 * DAY, 15 * DAY)
    assert goes(tmp_path, settings_of(tmp_path, returners=False), START + 200 * DAY, 15 * DAY)


def test_what_stayed_away_for_months_is_forgotten(tmp_path: Path, settings: Settings) -> None:
    assert goes(tmp_path, settings, START, 15 * DAY)
    assert not goes(tmp_path, settings, START + 100 * DAY, 20 * DAY)
    shutil.rmtree(tmp_path / "s")
    later = START + 400 * DAY
    company_folder(
        tmp_path / "s", "1", {"session-2.0.json": 15 * DAY, "session-1.0.json": DAY / 2}, now=later
    )
    run_cleanup(settings, str(tmp_path / "s"), later)
    with open_state(settings.state.dir, later) as state:
        assert len(removed_from(state, f"{tmp_path.resolve()}/s/company_1")) == 1


def test_what_undo_puts_back_has_not_come_back(tmp_path: Path, settings: Settings) -> None:
    assert goes(tmp_path, settings, START, 15 * DAY)
    quarantine = tmp_path / "s/company_1/.baileys-tools/quarantine"
    (run,) = quarantine.iterdir()
    (run / KEY).rename(tmp_path / "s/company_1" / KEY)
    run_cleanup(settings, str(tmp_path / "s"), START + timedelta(hours=1))
    assert not (tmp_path / "s/company_1" / KEY).exists()


def test_a_dry_run_says_so_and_remembers_nothing(tmp_path: Path, settings: Settings) -> None:
    assert goes(tmp_path, settings, START, 15 * DAY)
    now = START + 100 * DAY
    write_key(tmp_path / "s/company_1", KEY, 20 * DAY, now=now)
    write_key(tmp_path / "s/company_1", "session-1.0.json", DAY / 2, now=now)
    dry = settings._replace(cleanup=settings.cleanup.changed({"dry_run": True}))
    for _ in range(2):
        (company,) = run_cleanup(dry, str(tmp_path / "s"), now).companies
        assert company.plan is not None
        assert company.plan.came_back == {KEY: 1}


def test_no_name_of_a_contact_is_in_the_state(tmp_path: Path, settings: Settings) -> None:
    assert goes(tmp_path, settings, START, 15 * DAY)
    assert all(b"4917000000001" not in path.read_bytes() for path in (tmp_path / "state").iterdir())
