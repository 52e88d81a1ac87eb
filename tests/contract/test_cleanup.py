"""What a cleanup does to messages, measured with the real client (cleaned_lives.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.cleaned_lives import CARELESS, DEFAULT, LIVES, Lived, lives, lives_with

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

TOP_UP = 5
"""How many pre-keys a server has left, at most, when a client uploads more."""

Ask = Callable[[str], Lived]

every_life = lives_with(DEFAULT)
with_careless = lives_with(CARELESS)


@every_life
def test_nobody_fails_to_read_the_bot(lived: Ask, life: str) -> None:
    ours = lived(life).runs["default"]
    assert ours.removed, "a cleanup that removes nothing shows nothing"
    assert ours.attempts["bot_to_contact"] > 30
    assert ours.attempts["bot_to_group"] > 30
    assert ours.after["bot_to_contact"] == set()
    assert ours.after["bot_to_group"] == set()


@every_life
def test_every_new_chat_on_a_pre_key_of_the_server_is_read(lived: Ask, life: str) -> None:
    ours = lived(life).runs["default"]
    assert ours.attempts["new_chats"] > LIVES[life].offered
    assert ours.after["new_chats"] == set()


@every_life
def test_contacts_of_the_last_14_days_lose_nothing(lived: Ask, life: str) -> None:
    measured = lived(life)
    ours = measured.runs["default"]
    assert ours.plan["tier"] == "normal"
    young = {name for name, days in measured.ages.items() if name.startswith("session-") and days < 14}
    assert young
    assert young & ours.removed == set()
    assert young & ours.lost("contact_to_bot") == set()


@every_life
def test_one_resend_heals_each_contact_and_member(lived: Ask, life: str) -> None:
    ours = lived(life).runs["default"]
    for direction in ("contact_to_bot", "member_to_group"):
        assert ours.healed[direction] == {"1": len(ours.after[direction])}


@lives("v6-long", "v7-fresh", "v7-fresh-whole", "v7-long")
def test_the_plan_states_what_the_cleanup_costs(lived: Ask, life: str) -> None:
    ours = lived(life).runs["default"]
    stated, measured = ours.plan["cost"], ours.measured_cost
    # No folder tells which five of all earlier uploads the server had left; who removes none of them pays nothing.
    untold = min(TOP_UP, sum(name.startswith("pre-key-") for name in ours.removed))
    assert measured["pre_keys"] <= stated["pre_keys"] <= measured["pre_keys"] + untold
    assert stated | {"pre_keys": 0} == measured | {"pre_keys": 0}
    assert ours.measured_cost["contacts"] > 3
    assert ours.measured_cost["group_senders"] > 3


@lives("v7-fresh", "v7-fresh-whole")
def test_without_the_guard_the_plan_states_every_new_chat_that_starts_late(lived: Ask, life: str) -> None:
    run = lived(life).runs["without guard"]
    stated, measured = run.plan["cost"], run.measured_cost
    assert measured["pre_keys"] > LIVES[life].offered
    assert stated["pre_keys"] > 700
    tried = {"pre_keys": measured["pre_keys"] if LIVES[life].every == 1 else stated["pre_keys"]}
    assert stated == measured | tried


@with_careless
def test_without_the_guard_nothing_but_pre_keys_is_treated_otherwise(lived: Ask, life: str) -> None:
    """Not by the emergency limits, though the pre-keys that stay would make the folder too full: without_guard.py."""
    ours, run = lived(life).runs["default"], lived(life).runs["without guard"]
    assert run.plan["tier"] != "emergency"
    for direction in ("contact_to_bot", "member_to_group", "bot_to_group", "bot_to_contact"):
        assert run.after[direction] == ours.after[direction]
    beside = {name for name in run.removed ^ ours.removed if not name.startswith("pre-key-")}
    assert {name for name in beside if not name.startswith(("device-list-", "identity-key-"))} == set()


@every_life
def test_the_stated_cost_is_never_too_low(lived: Ask, life: str) -> None:
    runs = lived(life).runs
    for run in (runs[way] for way in ("default", "without guard") if way in runs):
        stated = run.plan["cost"]
        assert all(stated[what] >= cost for what, cost in run.measured_cost.items())


@with_careless
def test_a_cleanup_by_prefix_and_age_fails_the_same_checks(lived: Ask, life: str) -> None:
    """Proves the checks above: this is what they would find."""
    naive = lived(life).runs["naive"]
    assert naive.after["bot_to_group"], "own sender keys went and their memories stayed"
    if LIVES[life].life != "long":
        assert len(naive.after["new_chats"]) > LIVES[life].offered, (
            "the server still hands out what was uploaded at pairing"
        )
        # The server's next pre-key is gone as well, so only a key inside the second receipt helps.
        assert set(naive.healed["contact_to_bot"]) == {"2"}
