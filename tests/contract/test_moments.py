"""What a cleanup costs that comes at a bad moment, measured with the real client (see moment_contract.mjs)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.cleaned_lives import sent_again
from tests.contract.real_client import run_script, scene
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

CLEANUP = [str(COMMAND), "cleanup", "--json"]
LIMITS = {"contact": 14, "group": 3}
"""How many days a session and a sender-key live unused, by what is lost with them."""

Measure = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def moment(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """A function from the version and the options of moment_contract.mjs to its report; each is lived once."""
    reports: dict[tuple[str, ...], dict[str, Any]] = {}

    def measured(*words: str) -> dict[str, Any]:
        if words not in reports:
            reports[words] = _live(words, tmp_path_factory.mktemp("moment"))
        return reports[words]

    return measured


def _live(words: tuple[str, ...], home: Path) -> dict[str, Any]:
    told = run_script("moment_contract.mjs", "--baileys", *words, "--", *CLEANUP, home=home)
    report: dict[str, Any] = json.loads(told)
    (run,) = report["runs"]
    assert run["exit_code"] == 0, run["output"] + run["errors"]
    (company,) = json.loads(run["output"])["companies"]
    return report | {"run": run, "status": company["status"], "plan": company["plan"]}


AWAY = (("2.5", False), ("3.5", True), ("12", True))
SILENT = ("3.5", False)
VERSIONS = ("baileys6", "baileys7")
HERE_TOO = {("baileys6", *AWAY[2]), ("baileys6", *SILENT), ("baileys7", *AWAY[0]), ("baileys7", *AWAY[1])}


def lives(*moments: tuple[str, bool]) -> list[Any]:
    """Each moment in each version; half of them in the default run, and all in the long proofs."""
    found = []
    for life in itertools.product(VERSIONS, moments):
        values = (life[0], *life[1])
        long = None if values in HERE_TOO else pytest.mark.faults
        found.append(scene(*values, group=f"moment {values}", long=long, name="-".join(map(str, values))))
    return found


offs = pytest.mark.parametrize(("version", "off", "login"), lives(*AWAY))
silent = pytest.mark.parametrize(("version", "off", "login"), lives(SILENT))
sending = pytest.mark.parametrize(
    "version",
    [
        scene(name, group=f"sending {name}", long=None if name == "baileys7" else pytest.mark.faults)
        for name in VERSIONS
    ],
)


def _off(moment: Measure, version: str, off: str, login: bool) -> dict[str, Any]:
    return moment(version, "--off", off, *(["--login"] if login else []))


@offs
def test_what_waited_for_a_bot_that_was_off_is_read(
    moment: Measure, version: str, off: str, login: bool
) -> None:
    """Whoever had written within the limits of the bot's own life loses nothing, however long it was off."""
    report = _off(moment, version, off, login)
    assert report["untouched"]["attempts"] > 50
    assert report["run"]["removed"], "a cleanup that removes nothing shows nothing"
    ages = report["age_days"]
    for direction, days in LIMITS.items():
        lost = set(report["run"]["failed"][direction]) - set(report["untouched"]["failed"][direction])
        assert {name for name in lost if ages[name] - float(off) < days} == set()


@offs
def test_the_cost_is_stated_also_for_a_bot_that_was_off(
    moment: Measure, version: str, off: str, login: bool
) -> None:
    report = _off(moment, version, off, login)
    before, after = report["untouched"]["failed"], report["run"]["failed"]
    lost = {direction: len(set(after[direction]) - set(before[direction])) for direction in LIMITS}
    cost = report["plan"]["cost"]
    assert lost == {"contact": cost["contacts"], "group": cost["group_senders"]}


@silent
def test_a_folder_that_is_silent_for_days_is_left_alone(
    moment: Measure, version: str, off: str, login: bool
) -> None:
    report = _off(moment, version, off, login)
    assert (report["status"], report["plan"]["holds"], report["run"]["removed"]) == ("silent", ["silent"], [])
    assert report["run"]["failed"] == report["untouched"]["failed"]


@sending
def test_a_cleanup_during_a_send_to_a_group_costs_nobody_a_message(moment: Measure, version: str) -> None:
    """Between the reading of the memory and of the key: both phases at once, and the second alone."""
    run = moment(version, "--sending")["run"]
    memories = [name for sent in run["during"] for name in sent["removed"] if "-memory-" in name]
    assert memories, "in no send did the memory go"
    own_keys = [
        name for sent in run["without_memory"] for name in sent["removed"] if name.endswith("--17.json")
    ]
    assert own_keys, "in no send did the key go"
    for sent in run["during"] + run["without_memory"]:
        assert (sent["failed"], sent["next_failed"]) == ({}, {})


@sending
@pytest.mark.parametrize("what", ["key_messages", "bundles"])
def test_what_the_bot_sends_again_to_its_groups_is_stated(moment: Measure, version: str, what: str) -> None:
    report = moment(version, "--sending")
    before, after = (
        {key: [one for sent in sends for one in sent[key]] for key in ("keyed", "fetched")}
        for sends in (report["untouched"], report["run"]["after"])
    )
    assert report["plan"]["cost"][what] == sent_again(before, after)[what] > 0
