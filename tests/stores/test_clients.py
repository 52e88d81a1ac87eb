"""What the acts of this tool cost a session in a database, measured with the real Baileys and the auth state of the
program that the preset is named after (tests/contract/stores_contract.mjs): the numbers of the same acts on a folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.recovery.rules.migration import CODE
from tests.contract.real_client import GENERATE, require_node, run_script
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900), pytest.mark.xdist_group("stores")]

ACTS = ("nothing", "cleanup", "undo", "repair", "rollback")
POSTGRES = ("ai-admin", "postgres-baileys", "keyv-postgres", "prisma-session", "ticketz")
REDIS = ("baileys-redis-auth", "baileys-redis-auth-keys", "fazer", "evolution", "unoapi", "keyv-redis")
EVERY = ("baileys-sqlite", *POSTGRES, *REDIS, "evolution-mixed")
QUICK = {("baileys6", "keyv-postgres"): ("cleanup", "repair")}
"""A client from npm by default, with the version whose lives are short, and two acts; all of it by `make faults`."""

Report = Mapping[str, Any]
Measure = Callable[[str, str, tuple[str, ...]], Report]


@pytest.fixture(scope="module")
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measure]:
    """A function from a version of Baileys and a preset (or `folder`) to its acts; each is measured once."""
    known: dict[tuple[str, str, tuple[str, ...]], Report] = {}

    def measure(baileys: str, preset: str, acts: tuple[str, ...]) -> Report:
        if (baileys, preset, acts) not in known:
            home: Path = tmp_path_factory.mktemp(f"{baileys}-{preset}")
            address = ""
            if preset == "baileys-sqlite":
                address = f"sqlite://{home}/auth.db"
            elif preset != "folder":
                kind = "redis" if preset in REDIS else "mixed" if preset == "evolution-mixed" else "postgres"
                address = request.getfixturevalue(f"{kind}_url")
            words = ["--baileys", baileys, "--preset", preset, "--address", address]
            words += ["--tool", str(COMMAND), "--python", sys.executable]
            words += [word for act in acts for word in ("--act", act)]
            known[baileys, preset, acts] = json.loads(run_script("stores_contract.mjs", *words, home=home))[
                "acts"
            ]
        return known[baileys, preset, acts]

    yield measure


scenes = pytest.mark.parametrize(
    ("baileys", "preset", "acts"),
    [
        *(pytest.param(*scene, acts, id=f"{'-'.join(scene)} quick") for scene, acts in QUICK.items()),
        *(
            pytest.param(baileys, preset, ACTS, id=f"{baileys}-{preset}", marks=pytest.mark.faults)
            for baileys in ("baileys6", "baileys7")
            for preset in EVERY
        ),
    ],
)


def failures(act: Report) -> dict[str, dict[str, set[str]]]:
    """Return who failed at the first try, by who writes first and direction."""
    return {
        order: {direction: set(result["failed"]) for direction, result in act[order].items()}
        for order in ("others_first", "bot_first")
    }


def in_numbers(act: Report) -> dict[str, dict[str, int]]:
    return {order: {name: len(who) for name, who in of.items()} for order, of in failures(act).items()}


@scenes
def test_a_client_goes_on_from_its_store_as_from_a_folder(
    measured: Measure, baileys: str, preset: str, acts: tuple[str, ...]
) -> None:
    folder, store = measured(baileys, "folder", acts), measured(baileys, preset, acts)
    for act in acts:
        attempts = {name: result["attempts"] for name, result in store[act]["others_first"].items()}
        assert sum(attempts.values()) >= 44, attempts
        assert in_numbers(store[act]) == in_numbers(folder[act]), act


@scenes
def test_the_stated_cost_is_the_measured_one_and_nobody_fails_to_read_the_bot(
    measured: Measure, baileys: str, preset: str, acts: tuple[str, ...]
) -> None:
    store = measured(baileys, preset, acts)
    for act in {"cleanup", "repair", "rollback"} & {*acts}:
        failed, cost = in_numbers(store[act]), store[act]["plan"]["cost"]
        assert failed["others_first"]["contact_to_bot"] == cost["contacts"], act
        assert failed["others_first"]["member_to_group"] == cost["group_senders"], act
        assert failed["others_first"]["new_chats"] == cost["pre_keys"] == 0, act
        for direction in ("bot_to_contact", "bot_to_group"):
            assert failed["bot_first"][direction] == failed["others_first"][direction] == 0, act
    assert store["cleanup"]["plan"]["cost"]["contacts"] > 1
    assert store["repair"]["plan"]["cost"]["contacts"] > 1


@scenes
def test_the_plans_are_those_of_a_folder(
    measured: Measure, baileys: str, preset: str, acts: tuple[str, ...]
) -> None:
    folder, store = measured(baileys, "folder", acts), measured(baileys, preset, acts)
    kinds = [
        sorted((one["kind"], one["reason"]) for one in found["cleanup"]["plan"]["remove"])
        for found in (folder, store)
    ]
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) > 15
    if "undo" in acts:
        assert store["undo"]["undone"]


@pytest.mark.parametrize(
    ("preset", "package"),
    [("postgres-baileys", "postgres-baileys/dist"), ("keyv", "@rodrigogs/baileys-store/lib/Store")],
)
def test_what_a_move_says_of_the_code_is_what_the_package_has(preset: str, package: str) -> None:
    """The call that `migrate` prints is one that the package exports, with as many words."""
    require_node()
    call, note = CODE[preset]
    name, words = call.split("(", 1)
    code = "".join(path.read_text() for path in (GENERATE / "node_modules" / package).rglob("*.js"))
    assert f"exports.{name} = " in code
    assert package.partition("/dist")[0].partition("/lib")[0] in note
    assert words.count(", ") == 1


@pytest.mark.faults
@pytest.mark.parametrize("baileys", ["baileys6", "baileys7"])
@pytest.mark.parametrize("preset", ["keyv-postgres", "keyv-redis", "fazer"])
def test_a_memory_that_stands_alone_goes_and_its_group_gets_the_key(
    measured: Measure, baileys: str, preset: str
) -> None:
    """In stores that keep no times: a memory is as old as this host has seen it unchanged."""
    acts = ("nothing", "lone")
    folder, store = measured(baileys, "folder", acts), measured(baileys, preset, acts)
    assert in_numbers(store["lone"]) == in_numbers(folder["lone"])
    plan, lone, before = store["lone"]["plan"], store["lone"], store["nothing"]
    assert store["lone"]["lost"] > 0
    for order in ("others_first", "bot_first"):
        sent = [act[order]["bot_to_group"] for act in (lone, before)]
        assert sent[0]["failed"] == {}
        assert sent[0]["key_messages"] - sent[1]["key_messages"] == plan["cost"]["key_messages"] > 0
