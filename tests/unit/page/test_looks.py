"""What the page makes of what a look says, also while it still looks, and when it never comes to its end."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path

import pytest

from baileys_tools.config import Settings
from baileys_tools.page.watcher import Watcher

HEADER = {"now": 1, "root": "", "host": [], "state_trouble": "", "passed": None, "ids": {}, "by_page": {}}


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """A watcher whose look tells its rows, waits until it may go on, and then runs `end`."""
    look = tmp_path / "look"
    rows = shlex.quote(json.dumps({**HEADER, "rows": [["a", "a", "healthy"]]}))
    look.write_text(
        f"#!/bin/sh\ncat >/dev/null\necho {rows}\ncd {shlex.quote(str(tmp_path))}\n"
        "until [ -e end ]; do sleep 0.05; done\n. ./end\n"
    )
    look.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(look))
    return Watcher(Settings(), {}, None)


async def looks(watcher: Watcher, folder: Path, end: str) -> float:
    looking = asyncio.create_task(watcher.look())
    while not watcher.board.rows:
        assert not looking.done()
        await asyncio.sleep(0.02)
    assert watcher.status == b"", "the rest is not made yet"
    (folder / "end").write_text(end)
    return await looking


def test_rows_are_shown_while_the_rest_is_made(watcher: Watcher, tmp_path: Path) -> None:
    assert asyncio.run(looks(watcher, tmp_path, r"printf 'status\0metrics\0000.25'")) == 0.25
    assert (watcher.status, watcher.metrics) == (b"status", b"metrics")
    assert not watcher.board.meta["trouble"]


@pytest.mark.parametrize("end", ["exit 1", r"printf 'status\0metr'", "kill -9 $$"])
def test_a_look_that_ends_early_is_a_trouble(watcher: Watcher, tmp_path: Path, end: str) -> None:
    asyncio.run(looks(watcher, tmp_path, end))
    assert watcher.status == b""
    assert "ended early" in watcher.board.meta["trouble"]
    assert watcher.board.rows, "what was seen stays"
