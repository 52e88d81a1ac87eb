"""What each rule beside the default costs, measured with the real client (cleaned_lives.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.counted import agendas
from benchmarks.counted import lived as lived_without_the_client
from tests.contract.cleaned_lives import GENTLE, LIVES, UNUSED, Lived, lives_with

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

with_gentle = lives_with(GENTLE)
with_unused = lives_with(UNUSED)
Ask = Callable[[str], Lived]


@with_unused
@pytest.mark.parametrize("rule", ["unused", "too full"])
def test_what_no_session_uses_costs_nobody_a_message(lived: Ask, life: str, rule: str) -> None:
    """After a cleanup by age it is what the sessions have left: not one more message fails without it."""
    run, before = lived(life).runs[rule], lived(life).runs["default"]
    more = run.removed - before.removed
    assert {name.split("-")[0] for name in more} >= {"device", "identity"}, "nothing of it went"
    assert {name for name in more if not name.startswith(("device-list-", "identity-key-"))} == set()
    assert run.after == before.after
    assert run.key_messages == before.key_messages
    assert set(run.plan["cost"].values()) == {0}


@with_unused
def test_a_folder_that_is_too_full_loses_that_and_no_session_early(lived: Ask, life: str) -> None:
    plan = lived(life).runs["too full"].plan
    assert plan["tier"] == "unused"
    assert {entry["reason"] for entry in plan["remove"]} == {"unused"}


@with_gentle
@pytest.mark.parametrize("rule", ["until", "active group", "own keys"])
def test_a_gentle_rule_states_what_it_costs_and_costs_no_more_than_the_default(
    lived: Ask, life: str, rule: str
) -> None:
    run, default = lived(life).runs[rule], lived(life).runs["default"]
    assert run.removed <= default.removed
    assert run.removed < default.removed or (rule, life) == ("until", "v6-long")
    for direction, lost in run.after.items():
        assert lost <= default.after[direction]
    stated, measured = run.plan["cost"], run.measured_cost
    if LIVES[life].life == "long":
        assert stated | {"pre_keys": 0} == measured | {"pre_keys": 0}
    assert all(stated[what] >= cost for what, cost in measured.items())


@with_gentle
def test_kept_own_keys_are_sent_to_nobody_again(lived: Ask, life: str) -> None:
    run, default = lived(life).runs["own keys"], lived(life).runs["default"]
    assert run.key_messages < default.key_messages
    assert run.lost("bot_to_group") == set()


@with_gentle
def test_an_active_group_reads_more_of_its_members(lived: Ask, life: str) -> None:
    run, default = lived(life).runs["active group"], lived(life).runs["default"]
    assert len(run.lost("member_to_group")) < len(default.lost("member_to_group"))


def test_a_life_counted_without_the_client_costs_what_it_did_with_it() -> None:
    """Life 1 of `make rules`, whose figures docs/policy.md has."""
    measured = {
        "default": 221,
        "active_group: 14d": 60,
        "returners: true": 121,
        "until: 120": 38,
        "until: 150": 3,
    }
    (agenda,) = agendas([1], 60)
    found = lived_without_the_client(agenda, 60)
    assert {rule: found[rule].group_messages for rule in measured} == measured
