"""Killed at any moment: an action has ended or is broken off, and the next start says which, as it really was."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.state.spool import waiting_runs
from tests.e2e.page.test_page_actions import old_folder, sessions_in
from tests.e2e.page.test_serve_cli import monitor
from tests.integration.faults import killed_serve
from tests.serving import serving

OLD = 20
PLAN = {
    "id": "00aa", "name": "cleanup-plan", "key": "1001", "company": "1001", "title": "Plan a cleanup", "pid": 1,
    "born": "1", "exit_code": 0, "end": "done",
}  # fmt: skip


def planned(place: Path) -> Path:
    """A company whose cleanup somebody has just seen the plan of; returns its folder."""
    folder = old_folder(place)
    monitor(place)
    actions = place / "state" / "page" / "actions"
    actions.mkdir(parents=True, mode=0o700)
    now = int(time.time())
    (actions / "00aa.json").write_text(json.dumps(PLAN | {"started": now, "ended": now}))
    return folder


def asked(place: Path) -> dict[str, Any] | None:
    """What is on the disk of the action that was asked for, None where nothing is."""
    files = [file for file in (place / "state" / "page" / "actions").glob("*.json") if file.stem != "00aa"]
    return json.loads(files[0].read_text()) if files else None


def recorded(place: Path, number: str) -> list[int]:
    """How the runs ended that are on record as those of this action."""
    found = [
        run.exit_code for run in waiting_runs(str(place / "state")) if run.started_by == f"page {number}"
    ]
    with sqlite3.connect(place / "state" / "state.sqlite3") as state:
        rows = state.execute("SELECT exit_code FROM runs WHERE started_by = ?", (f"page {number}",))
        return found + [code for (code,) in rows]


def ask_for_a_cleanup(page: Any) -> None:
    with suppress(OSError, http.client.HTTPException):
        page.post("/action", {"name": "cleanup", "company": "1001", "plan": "00aa"})


def process_of(number: str) -> int | None:
    """The process of an action, as its environment tells."""
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and f"page {number}\0".encode() in (process / "environ").read_bytes():
                return int(process.name)
    return None


def what_the_next_start_says(place: Path) -> dict[str, Any] | None:
    """Start again, and wait until it says how the action ended; one that still runs is at work until then."""
    one = asked(place)
    pid = one and process_of(one["id"])
    if pid:
        os.kill(pid, signal.SIGSTOP)
    with serving(place, "--allow-actions") as page:
        page.looked()
        if one is None:
            return None
        number = f"/action/{one['id']}"
        if pid:
            assert page.ask(number).json["ended"] is None
            os.kill(pid, signal.SIGCONT)
        return page.until(lambda: (said := page.ask(number).json)["ended"] and said)  # type: ignore[no-any-return]


def killed_at(place: Path, nth: int) -> bool:
    """Kill the page at this point of a cleanup; return whether it came so far. What the next start says is true."""
    folder = planned(place)
    program = (sys.executable, killed_serve.__file__, str(nth))
    with serving(place, "--allow-actions", command=program) as page:
        page.looked()
        ask_for_a_cleanup(page)
        end = time.monotonic() + 30
        while page.process.poll() is None and not ((one := asked(place)) and one["ended"]):
            assert time.monotonic() < end
            time.sleep(0.02)
        with suppress(Exception):
            page.process.wait(1)
        was_killed = page.process.returncode == -signal.SIGKILL
    said = what_the_next_start_says(place)
    left = sessions_in(folder)
    if said is None:
        assert left == OLD, "nothing was begun of which nothing is known"
    elif said["end"] == "done":
        assert (said["exit_code"], left, recorded(place, said["id"])) == (0, 0, [0])
    else:
        assert (said["end"], left, recorded(place, said["id"])) == ("broken off", OLD, [])
    return was_killed


BEGUN, RUNNING, ENDING = 5, 6, 8
"""Of the points, those where its process is to begin; where it runs and is not written down; where its end is to be."""


@pytest.mark.parametrize("nth", [BEGUN, RUNNING, ENDING])
def test_a_page_that_is_killed_tells_at_the_next_start_what_became_of_an_action(
    tmp_path: Path, nth: int
) -> None:
    assert killed_at(tmp_path, nth)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_page_that_is_killed_anywhere_tells_it(tmp_path: Path) -> None:
    nth = 1  # the first thing is to read the plan, before there is a page
    while killed_at(tmp_path / str(nth := nth + 1), nth):
        pass
    print(f"{nth - 1} points")
    assert nth > ENDING


def all_killed_after(place: Path, seconds: float) -> str:
    """Kill the page and its action together so long after the question, as a machine that loses its power."""
    folder = planned(place)
    with serving(place, "--allow-actions", kill=True) as page:
        page.looked()
        ask_for_a_cleanup(page)
        one = asked(place)
        assert one is not None
        time.sleep(seconds)
        page.process.kill()
        if one["pid"]:
            with suppress(ProcessLookupError):
                os.killpg(one["pid"], signal.SIGKILL)
    while process_of(one["id"]) is not None:
        time.sleep(0.02)  # a kill takes its moment
    said = what_the_next_start_says(place)
    assert said is not None
    if said["end"] == "done":
        assert sessions_in(folder) == 0
        assert recorded(place, said["id"]) == [0]
    else:
        assert said["end"] == "broken off"
        assert recorded(place, said["id"]) == []
    return str(said["end"])


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_both_killed_at_any_moment_is_told_as_it_was(tmp_path: Path) -> None:
    """From before the command has loaded until after its end."""
    steps = [step / 5 for step in range(15)]
    ends = [all_killed_after(tmp_path / str(step), step) for step in steps]
    print(ends)
    assert set(ends) == {"done", "broken off"}
