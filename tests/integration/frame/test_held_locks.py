"""Which locks are a session's: the state's own, which each pass shares with all others, has nobody look at a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baileys_tools.frame.companies import where_it_stood
from baileys_tools.frame.held_locks import lock_of_state
from baileys_tools.sessions import holders
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.state.database import LOCK, open_state
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
