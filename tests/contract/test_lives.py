"""Random lives of 30 days that are cleaned every day, lived with the real client (see lives_contract.mjs).

A life has downtimes, cleanups in the middle of a send to a group, undos and queued messages, and (mended.mjs) accidents
with a repair or a rollback after them, members who make new keys, cures, older undos, and cleanups without the guard.
One a version is lived in every run; `make lives` lives a hundred a version (`LIVES=2000-2099` chooses other seeds).
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.contract.real_client import HERE, run_script

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

PROJECT = HERE.parents[1]
KEEPER = [sys.executable, str(HERE / "keeper.py")]
NAIVE = [sys.executable, str(HERE / "naive_keeper.py")]
FIRST, LAST = map(int, os.environ.get("LIVES", "1000-1099").split("-"))

versions = pytest.mark.parametrize("version", ["baileys6", "baileys7"])


def first(here: str) -> pytest.MarkDecorator:
    """The version of the default run; the other is lived in `make lives`."""
    (other,) = {"baileys6", "baileys7"} - {here}
    return pytest.mark.parametrize("version", [here, pytest.param(other, marks=pytest.mark.lives)])


def live(version: str, seed: int, home: Path, *keeper: str, mended: bool = False) -> dict[str, Any]:
    words = ["--baileys", version, "--seed", str(seed), *(["--mended"] if mended else [])]
    words += ["--", *keeper] if keeper else []
    env = {"PYTHONPATH": f"{PROJECT}:{os.environ['PYTHONPATH']}"}
    report: dict[str, Any] = json.loads(run_script("lives_contract.mjs", *words, home=home, env=env))
    return report


def troubles(life: dict[str, Any]) -> list[str]:
    """What a life shows that no plan has stated, in words."""
    found = [*life["unstated"], *(f"lost: {what}" for what in life["lost"])]
    stated: Counter[str] = Counter()
    for run in life["runs"]:
        if (cost := run["cost"]) is None:
            continue
        stated["key_messages"] += cost.get("key_messages", 0)
        at_most = {
            "contacts": cost.get("contacts", 0) + cost.get("older_sessions", 0),
            "group_senders": cost.get("group_senders", 0) + cost.get("older_keys", 0),
            "pre_keys": 10**6 if cost.get("pre_keys_untold") else cost.get("pre_keys", 0),
        }
        for what, files in run["failed"].items():
            if len(files) > at_most[what]:
                found.append(
                    f"the {run['what']} of day {run['day']:.2f} states {at_most[what]} {what}, failed: {files}"
                )
    if life["key_messages"] > stated["key_messages"]:
        found.append(f"{life['key_messages']} key messages, stated {stated['key_messages']}")
    return found


def assert_stated(life: dict[str, Any]) -> None:
    assert life["attempts"] > 100
    assert sum(run["removed"] for run in life["runs"]) > 5, "a life that is hardly cleaned shows little"
    assert not troubles(life), "\n".join([f"seed {life['seed']}, {life['baileys']}:", *troubles(life)])


@first("baileys7")
def test_without_a_cleanup_every_message_is_read(version: str, tmp_path: Path) -> None:
    life = live(version, 1, tmp_path)
    assert (life["failures"], life["unstated"], life["lost"]) == (0, [], [])
    assert life["days_off"] > 3


@first("baileys6")
def test_a_cleaner_by_age_alone_is_caught(version: str, tmp_path: Path) -> None:
    """The harness proves itself: this one takes the own key with its memory left, and states nothing."""
    assert troubles(live(version, 1, tmp_path, *NAIVE))


def tell(script: str, version: str, home: Path, *, straight: bool) -> dict[str, Any]:
    """What a script tells whose undo comes straight after the run, or after more was said."""
    words = ["--baileys", version, *(["--straight"] if straight else []), "--", *KEEPER]
    env = {"PYTHONPATH": f"{PROJECT}:{os.environ['PYTHONPATH']}"}
    told: dict[str, Any] = json.loads(run_script(script, *words, home=home, env=env))
    return told


@pytest.mark.parametrize("straight", [False, True], ids=["key-lost", "straight"])
@first("baileys7")
def test_a_memory_that_is_undone_keeps_no_message_from_its_group(
    version: str, straight: bool, tmp_path: Path
) -> None:
    """The own key of the group is lost between the cleanup and its undo; straight after it all comes back."""
    told = tell("lost_key_contract.mjs", version, tmp_path, straight=straight)
    assert told["taken"] == ["sender-key-memory-120363400000000001@g.us.json"]
    assert told["back"] == (told["taken"] if straight else [])
    assert told["unread"] == []


@pytest.mark.parametrize("straight", [False, True], ids=["gone-on", "straight"])
@first("baileys6")
def test_an_undone_reset_says_what_it_costs_as_its_bot_has_gone_on(
    version: str, straight: bool, tmp_path: Path
) -> None:
    told = tell("way_back_contract.mjs", version, tmp_path, straight=straight)
    late, failed = told["late"], told["failed"]
    assert (told["lost"], told["of_the_bot"]) == ([], [])
    assert failed["contact"] <= late["contacts"]
    assert failed["member"] <= late["group_senders"]
    assert failed.get("stranger", 0) <= late["pre_keys"]
    assert (sum(late.values()) == sum(failed.values()) == 0) if straight else failed["contact"] > 0


@pytest.mark.parametrize(("version", "seed"), [("baileys7", 3)])
def test_what_fails_in_a_random_life_was_stated(version: str, seed: int, tmp_path: Path) -> None:
    assert_stated(live(version, seed, tmp_path, *KEEPER, mended=True))


@pytest.mark.lives
@versions
@pytest.mark.parametrize("seed", [2, 3, *range(FIRST, LAST + 1)])
def test_what_fails_in_a_hundred_random_lives_was_stated(version: str, seed: int, tmp_path: Path) -> None:
    assert_stated(live(version, seed, tmp_path, *KEEPER, mended=True))
