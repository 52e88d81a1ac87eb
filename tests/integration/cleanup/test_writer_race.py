"""A bot that goes on writing while a cleanup runs loses nothing.

`races/writer.mjs` is the bot, any command line that cleans one folder once is the remover. What a lost write
is stands at the head of that program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import COMMAND, company_folder, require_leases, require_tool, scrubbed_environment

RACES = Path(__file__).parents[1] / "races"


@dataclass(frozen=True, slots=True)
class Race:
    """How a race ended. `removals` counts the old files that the bot found gone."""

    passes: int
    removals: int
    writes: int
    lost: int
    lost_to_quarantine: int
    flickers: int
    remover_exit: int | str
    finished: bool


def race(root: Path, remover: list[str], *, removals: int, seconds: int = 300) -> Race:
    """Let the bot write into `root/company_1001` until `remover`, pass after pass, took `removals` files."""
    folder = company_folder(root)
    options = ["--folder", str(folder), "--removals", str(removals), "--seconds", str(seconds)]
    run = subprocess.run(
        [require_tool("node"), RACES / "writer.mjs", *options, "--", *remover],
        env=scrubbed_environment({"BAILEYS_SESSIONS_PATH": str(root)}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    return Race(**json.loads(run.stdout))


def naive_remover(root: Path, *options: str) -> list[str]:
    return [sys.executable, "-S", "-E", str(RACES / "naive_unlink.py"), str(root / "company_1001"), *options]


CLEANUP = [str(COMMAND), "cleanup", "--quiet"]


def test_the_harness_catches_a_plain_unlink_losing_writes(tmp_path: Path) -> None:
    result = race(tmp_path, naive_remover(tmp_path), removals=800)
    assert result.finished
    assert result.lost > 0
    assert result.lost_to_quarantine == 0


def test_cleanup_loses_no_write(tmp_path: Path) -> None:
    require_leases(tmp_path)
    assert_nothing_lost(race(tmp_path, CLEANUP, removals=160))


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_the_harness_catches_even_the_tightest_unlink(tmp_path: Path) -> None:
    result = race(tmp_path, naive_remover(tmp_path, "--at-once"), removals=5_000)
    assert result.lost > 0


@pytest.mark.faults
@pytest.mark.timeout(3000)
def test_cleanup_loses_no_write_in_20_000_removals(tmp_path: Path) -> None:
    require_leases(tmp_path)
    result = race(tmp_path, CLEANUP, removals=20_000, seconds=2700)
    print(result)
    assert_nothing_lost(result)


def assert_nothing_lost(result: Race) -> None:
    assert (result.remover_exit, result.finished) == (0, True), result
    assert result.writes > result.removals, "the bot wrote less than was removed: no race"
    assert (result.lost, result.flickers) == (0, 0), result
