"""Lives with the real client, cleaned several ways, each on a copy of its folder (see cleanup_contract.mjs).

The tests of all files that ask for a life are in one group, so that it is lived once. The first run installs the two
versions of Baileys into fixtures/generate/node_modules with `npm ci`, from the lock file there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.contract.real_client import HERE, run_script, scene
from tests.support import COMMAND

NAIVE = [sys.executable, str(HERE / "naive_cleanup.py")]
CLEANUP = [str(COMMAND), "cleanup", "--json"]

_CLEANUP = " ".join(CLEANUP)
_UNUSED = "BAILEYS_TOOLS_CLEANUP__DEVICE_LISTS=1d BAILEYS_TOOLS_CLEANUP__IDENTITY_KEYS=1d"
_FULL = " ".join(
    f"BAILEYS_TOOLS_THRESHOLDS__{level}={count}"
    for count, level in enumerate(("WARNING", "CRITICAL", "TRIGGER", "EMERGENCY", "DANGER"), 20)
)
_ROOMY = "BAILEYS_TOOLS_THRESHOLDS__DANGER=1000"


def _shell(command: str) -> list[str]:
    return ["sh", "-c", command]


# Name -> the command that cleans this way.
DEFAULT = {"default": CLEANUP}
CARELESS = {"naive": NAIVE, "without guard": [sys.executable, str(HERE / "without_guard.py")]}
UNUSED = {
    # What belongs to a session goes in the run after it.
    "unused": _shell(f"{_CLEANUP} >/dev/null && {_UNUSED} {_CLEANUP}"),
    "too full": _shell(f"{_CLEANUP} >/dev/null && {_FULL} {_CLEANUP}"),
}
GENTLE = {
    "until": _shell(f"{_ROOMY} {_CLEANUP} --until 110"),
    "active group": _shell(f"{_ROOMY} BAILEYS_TOOLS_CLEANUP__ACTIVE_GROUP=14d {_CLEANUP}"),
    "own keys": _shell(f"{_ROOMY} BAILEYS_TOOLS_CLEANUP__KEEP_OWN_KEYS=true {_CLEANUP}"),
}


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


@dataclass(frozen=True)
class Lived:
    """A life, the age in days of each file at its end, and what each way of cleaning did to it."""

    ages: dict[str, float]
    runs: dict[str, Run]


class Life(NamedTuple):
    """Which Baileys, which life (LIVES of cleanup_contract.mjs), how the server hands out pre-keys, each how manieth of
    those a stranger tries, and the ways in which it is cleaned."""

    version: str
    life: str
    order: str
    every: int = 1
    ways: dict[str, list[str]] = DEFAULT | CARELESS

    @property
    def offered(self) -> int:
        """How many pre-keys at least are tried."""
        return 5 if self.life == "long" else 700 // self.every

    def told(self, home: Path) -> Lived:
        """Live it, and clean it each way."""
        words = ["--baileys", self.version, "--life", self.life, "--order", self.order]
        words += ["--every", str(self.every)]
        words += [word for command in self.ways.values() for word in ("--", *command)]
        report: dict[str, Any] = json.loads(run_script("cleanup_contract.mjs", *words, home=home))
        runs = (run_of(report["untouched"], run) for run in report["runs"])
        return Lived(report["age_days"], dict(zip(self.ways, runs, strict=True)))


LIVES = {
    "v6-long": Life("baileys6", "long", "fifo", ways=DEFAULT | CARELESS | GENTLE),
    "v7-fresh": Life("baileys7", "fresh", "fifo", every=24),
    "v7-fresh-whole": Life("baileys7", "fresh", "fifo"),
    "v7-long": Life("baileys7", "long", "random"),
    "v7-long-fifo": Life("baileys7", "long", "fifo", ways=DEFAULT | UNUSED | GENTLE),
    "v7-updated": Life("baileys7", "updated", "fifo", every=24, ways=DEFAULT | UNUSED),
    "v7-updated-whole": Life("baileys7", "updated", "fifo", ways=DEFAULT | CARELESS | UNUSED | GENTLE),
}
"""Each way of cleaning is measured on one version at least in the default run, and on both in the long proofs."""
LONG = dict.fromkeys(("v7-long", "v7-long-fifo", "v7-fresh-whole", "v7-updated-whole"), pytest.mark.faults)


def lives_with(ways: dict[str, list[str]]) -> pytest.MarkDecorator:
    """Every life that is cleaned in these ways."""
    return lives(*(name for name, life in LIVES.items() if life.ways.keys() >= ways.keys()))


def lives(*names: str) -> pytest.MarkDecorator:
    """Each life is lived by one worker only, whichever has its tests."""
    return pytest.mark.parametrize(
        "life", [scene(name, group=f"life {name}", long=LONG.get(name)) for name in names]
    )
