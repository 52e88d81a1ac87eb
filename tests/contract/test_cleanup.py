"""What a cleanup does to messages, measured with the real client (see cleanup_contract.mjs).

Each life is lived once and cleaned several ways, each on a copy. The first run installs the two versions of
Baileys into fixtures/generate/node_modules with `npm ci`, from the lock file there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.contract.real_client import HERE, run_script, scene
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

NAIVE = [sys.executable, str(HERE / "naive_cleanup.py")]
CLEANUP = [str(COMMAND), "cleanup", "--json"]
WITHOUT_GUARD = [sys.executable, str(HERE / "without_guard.py")]


class Life(NamedTuple):
    """Which Baileys, which life (LIVES of cleanup_contract.mjs), how the server hands out pre-keys, and each how
    manieth of those a stranger tries."""

    version: str
    life: str
    order: str
    every: int = 1

    @property
    def offered(self) -> int:
        """How many pre-keys at least are tried."""
        return 5 if self.life == "long" else 700 // self.every

    def told(self, *commands: Sequence[str], home: Path) -> dict[str, Any]:
        """Live it, run each command on a copy of the folder, and return the report of cleanup_contract.mjs."""
        words = [word for command in commands for word in ("--", *command)]
        life = [
            "--baileys",
            self.version,
            "--life",
            self.life,
            "--order",
            self.order,
            "--every",
            str(self.every),
        ]
        report: dict[str, Any] = json.loads(run_script("cleanup_contract.mjs", *life, *words, home=home))
        return report


LIVES = {
    "v6-long": Life("baileys6", "long", "fifo"),
    "v7-fresh": Life("baileys7", "fresh", "fifo", every=24),
    "v7-fresh-whole": Life("baileys7", "fresh", "fifo"),
    "v7-long": Life("baileys7", "long", "random"),
    "v7-updated": Life("baileys7", "updated", "fifo", every=24),
    "v7-updated-whole": Life("baileys7", "updated", "fifo"),
}
LONG = dict.fromkeys(("v7-long", "v7-fresh-whole", "v7-updated-whole"), pytest.mark.faults)

TOP_UP = 5
"""How many pre-keys a server has left, at most, when a client uploads more."""


@dataclass(frozen=True)
class Run:
    """One cleanup of one life. Every set holds names of the bot's files, those that a message depends on."""

    removed: set[str]
    before: dict[str, set[str]]
    after: dict[str, set[str]]
    attempts: dict[str, int]
    healed: dict[str, dict[str, int]]
    key_messages: int
    """How many devices get the bot's sender keys again because of the cleanup."""
    bundles: int
    """For how many of them the server is asked for a bundle because of it."""
    output: str

    def lost(self, direction: str) -> set[str]:
        """What failed at the first try because of the cleanup."""
        return self.after[direction] - self.before[direction]

    @property
    def plan(self) -> dict[str, Any]:
        (company,) = json.loads(self.output)["companies"]
        plan: dict[str, Any] = company["plan"]
        return plan

    @property
    def measured_cost(self) -> dict[str, int]:
        return {
            "contacts": len(self.lost("contact_to_bot")),
            "group_senders": len(self.lost("member_to_group")),
            "pre_keys": len(self.lost("new_chats")),
            "key_messages": self.key_messages,
            "bundles": self.bundles,
        }


@dataclass(frozen=True)
class Measured:
    """A life, the age in days of each file at its end, and what each command did to it."""

    ages: dict[str, float]
    ours: Run
    naive: Run
    without_guard: Run


Measure = Callable[[str], Measured]


@pytest.fixture(scope="session")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """A function from the name of a life to what was measured; each life is lived once."""
    reports: dict[str, dict[str, Any]] = {}

    def measured(name: str) -> Measured:
        if name not in reports:
            reports[name] = LIVES[name].told(
                CLEANUP, NAIVE, WITHOUT_GUARD, home=tmp_path_factory.mktemp(name)
            )
        report = reports[name]
        ours, naive, without_guard = (run_of(report["untouched"], run) for run in report["runs"])
        return Measured(report["age_days"], ours, naive, without_guard)

    return measured


def run_of(untouched: dict[str, Any], run: dict[str, Any]) -> Run:
    assert run["exit_code"] == 0, f"{run['command']}: {run['output']}{run['errors']}"
    cleaned = run["cleaned"]
    return Run(
        removed=set(run["removed"]),
        before={direction: set(result["failed"]) for direction, result in untouched.items()},
        after={direction: set(result["failed"]) for direction, result in cleaned.items()},
        attempts={direction: result["attempts"] for direction, result in cleaned.items()},
        healed={direction: result["healed_by_resend"] for direction, result in cleaned.items()},
        **sent_again(untouched["bot_to_group"], cleaned["bot_to_group"]),
        output=run["output"],
    )


def sent_again(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """How many devices get the bot's key because of a cleanup, and for how many of them a bundle is fetched."""
    again = {tuple(pair) for pair in after["keyed"]} - {tuple(pair) for pair in before["keyed"]}
    return {"key_messages": len(again), "bundles": len({jid for _, jid in again} & set(after["fetched"]))}


def lives(*names: str) -> pytest.MarkDecorator:
    """Each life is lived by one worker only, whichever has its tests."""
    return pytest.mark.parametrize(
        "life", [scene(name, group=f"life {name}", long=LONG.get(name)) for name in names]
    )


every_life = lives(*LIVES)


@every_life
def test_nobody_fails_to_read_the_bot(measure: Measure, life: str) -> None:
    ours = measure(life).ours
    assert ours.removed, "a cleanup that removes nothing shows nothing"
    assert ours.attempts["bot_to_contact"] > 30
    assert ours.attempts["bot_to_group"] > 30
    assert ours.after["bot_to_contact"] == set()
    assert ours.after["bot_to_group"] == set()


@every_life
def test_every_new_chat_on_a_pre_key_of_the_server_is_read(measure: Measure, life: str) -> None:
    ours = measure(life).ours
    assert ours.attempts["new_chats"] > LIVES[life].offered
    assert ours.after["new_chats"] == set()


@every_life
def test_contacts_of_the_last_14_days_lose_nothing(measure: Measure, life: str) -> None:
    measured = measure(life)
    assert measured.ours.plan["tier"] == "normal"
    young = {name for name, days in measured.ages.items() if name.startswith("session-") and days < 14}
    assert young
    assert young & measured.ours.removed == set()
    assert young & measured.ours.lost("contact_to_bot") == set()


@every_life
def test_one_resend_heals_each_contact_and_member(measure: Measure, life: str) -> None:
    ours = measure(life).ours
    for direction in ("contact_to_bot", "member_to_group"):
        assert ours.healed[direction] == {"1": len(ours.after[direction])}


@lives("v6-long", "v7-fresh", "v7-fresh-whole", "v7-long")
def test_the_plan_states_what_the_cleanup_costs(measure: Measure, life: str) -> None:
    ours = measure(life).ours
    stated, measured = ours.plan["cost"], ours.measured_cost
    # No folder tells which five of all earlier uploads the server had left; who removes none of them pays nothing.
    untold = min(TOP_UP, sum(name.startswith("pre-key-") for name in ours.removed))
    assert measured["pre_keys"] <= stated["pre_keys"] <= measured["pre_keys"] + untold
    assert stated | {"pre_keys": 0} == measured | {"pre_keys": 0}
    assert ours.measured_cost["contacts"] > 3
    assert ours.measured_cost["group_senders"] > 3


@lives("v7-fresh", "v7-fresh-whole")
def test_without_the_guard_the_plan_states_every_new_chat_that_starts_late(
    measure: Measure, life: str
) -> None:
    run = measure(life).without_guard
    stated, measured = run.plan["cost"], run.measured_cost
    assert measured["pre_keys"] > LIVES[life].offered
    assert stated["pre_keys"] > 700
    tried = {"pre_keys": measured["pre_keys"] if LIVES[life].every == 1 else stated["pre_keys"]}
    assert stated == measured | tried


@every_life
def test_without_the_guard_nothing_but_pre_keys_is_treated_otherwise(measure: Measure, life: str) -> None:
    """Not by the emergency limits, though the pre-keys that stay would make the folder too full: without_guard.py."""
    ours, run = measure(life).ours, measure(life).without_guard
    assert run.plan["tier"] != "emergency"
    for direction in ("contact_to_bot", "member_to_group", "bot_to_group", "bot_to_contact"):
        assert run.after[direction] == ours.after[direction]
    beside = {name for name in run.removed ^ ours.removed if not name.startswith("pre-key-")}
    assert {name for name in beside if not name.startswith(("device-list-", "identity-key-"))} == set()


@every_life
def test_the_stated_cost_is_never_too_low(measure: Measure, life: str) -> None:
    for run in (measure(life).ours, measure(life).without_guard):
        stated = run.plan["cost"]
        assert all(stated[what] >= cost for what, cost in run.measured_cost.items())


@every_life
def test_a_cleanup_by_prefix_and_age_fails_the_same_checks(measure: Measure, life: str) -> None:
    """Proves the checks above: this is what they would find."""
    naive = measure(life).naive
    assert naive.after["bot_to_group"], "own sender keys went and their memories stayed"
    if LIVES[life].life != "long":
        assert len(naive.after["new_chats"]) > LIVES[life].offered, (
            "the server still hands out what was uploaded at pairing"
        )
        # The server's next pre-key is gone as well, so only a key inside the second receipt helps.
        assert set(naive.healed["contact_to_bot"]) == {"2"}
