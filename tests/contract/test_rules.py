"""What each rule beside the default costs, measured with the real client (see cleanup_contract.mjs)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.real_client import scene
from tests.contract.test_cleanup import Life, Run, run_of
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

CLEANUP = f"{COMMAND} cleanup --json"
UNUSED = "BAILEYS_TOOLS_CLEANUP__DEVICE_LISTS=1d BAILEYS_TOOLS_CLEANUP__IDENTITY_KEYS=1d"
FULL = " ".join(
    f"BAILEYS_TOOLS_THRESHOLDS__{level}={count}"
    for count, level in enumerate(("WARNING", "CRITICAL", "TRIGGER", "EMERGENCY", "DANGER"), 20)
)
ROOMY = "BAILEYS_TOOLS_THRESHOLDS__DANGER=1000"
RULES = {
    "default": CLEANUP,
    # What belongs to a session goes in the run after it.
    "unused": f"{CLEANUP} >/dev/null && {UNUSED} {CLEANUP}",
    "too full": f"{CLEANUP} >/dev/null && {FULL} {CLEANUP}",
    "until": f"{ROOMY} {CLEANUP} --until 110",
    "active group": f"{ROOMY} BAILEYS_TOOLS_CLEANUP__ACTIVE_GROUP=14d {CLEANUP}",
    "own keys": f"{ROOMY} BAILEYS_TOOLS_CLEANUP__KEEP_OWN_KEYS=true {CLEANUP}",
}
"""Name -> the shell command that cleans by it."""

LIVES = {
    "v6": Life("baileys6", "long", "fifo"),
    "v7": Life("baileys7", "updated", "fifo", every=24),
    "v7-long": Life("baileys7", "long", "fifo"),
    "v7-whole": Life("baileys7", "updated", "fifo"),
}
LONG = dict.fromkeys(("v7-long", "v7-whole"), pytest.mark.faults)


def lives(*names: str) -> pytest.MarkDecorator:
    """Each life is lived by one worker only, whichever has its tests."""
    return pytest.mark.parametrize(
        "life", [scene(name, group=f"rules {name}", long=LONG.get(name)) for name in names]
    )


every_life = lives(*LIVES)
on_seven = lives("v7", "v7-long", "v7-whole")
Measure = Callable[[str], dict[str, Run]]


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """A function from the name of a life to what each rule did to it; each life is lived once."""
    reports: dict[str, dict[str, Run]] = {}

    def measured(life: str) -> dict[str, Run]:
        if life not in reports:
            reports[life] = _live(life, tmp_path_factory.mktemp("rules"))
        return reports[life]

    return measured


def _live(name: str, home: Path) -> dict[str, Run]:
    report = LIVES[name].told(*(["sh", "-c", rule] for rule in RULES.values()), home=home)
    return {name: run_of(report["untouched"], run) for name, run in zip(RULES, report["runs"], strict=True)}


@on_seven
@pytest.mark.parametrize("rule", ["unused", "too full"])
def test_what_no_session_uses_costs_nobody_a_message(rules: Measure, life: str, rule: str) -> None:
    """After a cleanup by age it is what the sessions have left: not one more message fails without it."""
    run, before = rules(life)[rule], rules(life)["default"]
    more = run.removed - before.removed
    assert {name.split("-")[0] for name in more} >= {"device", "identity"}, "nothing of it went"
    assert {name for name in more if not name.startswith(("device-list-", "identity-key-"))} == set()
    assert run.after == before.after
    assert run.key_messages == before.key_messages
    assert set(run.plan["cost"].values()) == {0}


@on_seven
def test_a_folder_that_is_too_full_loses_that_and_no_session_early(rules: Measure, life: str) -> None:
    plan = rules(life)["too full"].plan
    assert plan["tier"] == "unused"
    assert {entry["reason"] for entry in plan["remove"]} == {"unused"}


@every_life
@pytest.mark.parametrize("rule", ["until", "active group", "own keys"])
def test_a_gentle_rule_states_what_it_costs_and_costs_no_more_than_the_default(
    rules: Measure, life: str, rule: str
) -> None:
    run, default = rules(life)[rule], rules(life)["default"]
    assert run.removed <= default.removed
    assert run.removed < default.removed or (rule, life) == ("until", "v6")
    for direction, lost in run.after.items():
        assert lost <= default.after[direction]
    stated, measured = run.plan["cost"], run.measured_cost
    if LIVES[life].life == "long":
        assert stated | {"pre_keys": 0} == measured | {"pre_keys": 0}
    assert all(stated[what] >= cost for what, cost in measured.items())


@every_life
def test_kept_own_keys_are_sent_to_nobody_again(rules: Measure, life: str) -> None:
    run, default = rules(life)["own keys"], rules(life)["default"]
    assert run.key_messages < default.key_messages
    assert run.lost("bot_to_group") == set()


@every_life
def test_an_active_group_reads_more_of_its_members(rules: Measure, life: str) -> None:
    run, default = rules(life)["active group"], rules(life)["default"]
    assert len(run.lost("member_to_group")) < len(default.lost("member_to_group"))
