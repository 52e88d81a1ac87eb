"""Which locks are a session's: the state's own, which each pass shares with all others, has nobody look at a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.config import LoadedSettings, Sessions, Settings, StateSettings
from baileys_tools.errors import ExitCode
from baileys_tools.frame.companies import where_it_stood
from baileys_tools.frame.held_locks import lock_of_state
from baileys_tools.frame.record import recorded
from baileys_tools.sessions import holders
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.state.database import FILE, LOCK, open_state
from baileys_tools.watching.monitor import COMMAND, run_monitor
from tests.support import company_folder


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    company_folder(tmp_path / "sessions")
    with Root(str(tmp_path / "sessions")) as root:
        yield root


def place(path: Path) -> tuple[int, int]:
    seen = path.stat()
    return seen.st_dev, seen.st_ino


def test_where_only_the_state_is_locked_no_session_is_looked_at(
    tmp_path: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def companies() -> Iterator[Company]:
        yield from ()
        pytest.fail("a session was looked at")

    with open_state(str(tmp_path / "state"), datetime.now(UTC)) as state:
        lock = place(tmp_path / "state" / LOCK)
        monkeypatch.setattr(holders, "_locks", lambda: {lock: os.getpid()})
        assert holders.held_folders(root, companies(), lock_of_state(state)) == {}


def test_a_session_is_seen_to_be_held_beside_the_state(
    tmp_path: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    (company,) = root.companies()
    with open_state(str(tmp_path / "state"), datetime.now(UTC)) as state:
        locked = {place(tmp_path / "state" / LOCK): 1, place(Path(company.path)): os.getpid()}
        monkeypatch.setattr(holders, "_locks", lambda: locked)
        assert holders.held_folders(root, [company], lock_of_state(state))[company.id].pid == os.getpid()


def test_a_company_that_is_called_like_its_root_stood_where_it_was_noted() -> None:
    noted = {"bots": "/srv/bots/bots/auth"}
    assert where_it_stood("/srv/bots", "bots", noted) == noted["bots"]
    assert where_it_stood("/srv/bots", "bots") == "/srv/bots"


def test_a_pass_of_every_minute_asks_the_kernel_for_locks_every_quarter_of_an_hour(
    tmp_path: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the kernel has it wait for all processors, and who else locks a file with it."""
    asked: list[datetime] = []
    locked: dict[tuple[int, int], int] = {}

    def locks() -> dict[tuple[int, int], int]:
        asked.append(now)
        return locked

    monkeypatch.setattr(holders, "_locks", locks)
    begin = datetime.now(UTC) + timedelta(minutes=1)  # the files of the session stand still by then
    now = begin

    def a_pass(minute: int, companies: tuple[str, ...] = ()) -> bool:
        nonlocal now
        now, before = begin + timedelta(minutes=minute), len(asked)
        settings = Settings(
            sessions=Sessions(path=root.path, companies=companies),
            state=StateSettings(dir=str(tmp_path / "state")),
        )
        with open_state(str(tmp_path / "state"), now) as state, recorded(COMMAND, settings, now) as run:
            run_monitor(LoadedSettings(settings, {}, None, {}), state, now, notify=False)
            run.ended(ExitCode.DONE)
        return len(asked) > before

    def writes(minute: int) -> bool:
        before = (tmp_path / "state" / FILE).read_bytes()
        is_asked = a_pass(minute)
        assert (before != (tmp_path / "state" / FILE).read_bytes()) is is_asked, (
            "all is written in the same minute"
        )
        return is_asked

    (company,) = root.companies()
    assert [a_pass(minute) for minute in (0, 1)] == [True, False]
    assert [minute for minute in range(2, 31) if writes(minute)] == [15, 30]
    assert a_pass(31, (company.id,)), "one that looks at some of them only has no clock"
    locked[place(Path(company.path))] = os.getpid()
    assert not a_pass(32)
    assert [a_pass(minute) for minute in (45, 46, 47)] == [True] * 3, "what is known to be held is looked at"
    locked.clear()
    assert [a_pass(minute) for minute in (48, 49)] == [True, False]
    assert a_pass(1), "a clock that was set back is no reason to wait"
