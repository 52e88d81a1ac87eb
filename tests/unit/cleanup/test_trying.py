"""What is remembered of the use of keys, and the past that other rules are tried on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from baileys_tools.cleanup.rules.policy import plan_cleanup
from baileys_tools.cleanup.rules.returners import mark
from baileys_tools.cleanup.rules.trying import RULES, PastCost, RuleTried, best, counted_beside, try_rule
from baileys_tools.cleanup.rules.uses import (
    MOST_KEYS,
    Uses,
    days_known,
    look_again,
    minutes,
    read_uses,
    seen_again,
    used_before,
    uses_rows,
)
from baileys_tools.config import load_settings
from baileys_tools.limits import Gentle, Policy
from baileys_tools.sessions.rules.creds import Address, Creds
from baileys_tools.sessions.rules.folder import FolderFacts, WholeKey
from baileys_tools.sessions.rules.keyfiles import sort_by_kind

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CREDS = Creds(Address("919585510685", 17), Address("270996591579169", 17), None, None, True)
GROUP, OTHER = "120363041234567890@g.us", "120363049999999999@g.us"
PEER = f"sender-key-{GROUP}--4917000000001--0.json"
OWN = f"sender-key-{GROUP}--919585510685--17.json"
MEMORY = f"sender-key-memory-{GROUP}.json"
SESSION = "session-4917000000001.0.json"
ALONE = 10


def folder(written: Mapping[str, float]) -> FolderFacts:
    """A folder of keys by the day on which each was written."""
    stats = {name: WholeKey(1, round((START + day * DAY).timestamp() * 1e9)) for name, day in written.items()}
    return FolderFacts(sort_by_kind(["creds.json", *written]), stats, CREDS)


def remembered(moments: Mapping[str, list[float]], days: int, *, every: int = 1) -> Uses:
    """What looks leave behind at the end of days, where keys were used at moments and nothing is removed."""
    uses = Uses()
    for day in range(0, days + 1, every):
        standing = {name: max(at) for name, used in moments.items() if (at := [t for t in used if t <= day])}
        uses = seen_again(uses, folder(standing), START + day * DAY)
    return uses


def tried(
    moments: Mapping[str, list[float]], days: int, policy: Policy | None = None, **more: int
) -> PastCost:
    uses = remembered(moments, days, **more)
    return try_rule(uses, policy or Policy(), ALONE, (), START + days * DAY, days)


BUSY = [day + 0.4 for day in range(60)]


@pytest.mark.parametrize(
    ("moments", "gentle", "late"),
    [
        ({PEER: BUSY}, Gentle(), (0, 0, 0)),
        ({PEER: [0, 2.5, 5, 7.9]}, Gentle(), (0, 0, 0)),
        ({PEER: [0, 6, 9.5, 20]}, Gentle(), (2, 0, 0)),
        ({PEER: [0, 6]}, Gentle(), (1, 0, 0)),
        ({PEER: [0]}, Gentle(), (0, 0, 0)),
        ({"session-2.0.json": [0, 13.5, 30]}, Gentle(), (0, 1, 0)),
        ({OWN: [0, 10], MEMORY: [0, 10]}, Gentle(), (0, 0, 1)),
        ({OWN: [0, 10], MEMORY: [0, 10], PEER: BUSY}, Gentle(keep_own_keys=True), (0, 0, 0)),
        (
            {PEER: [0, 6, 20], f"sender-key-{GROUP}--2--0.json": BUSY},
            Gentle(active_group=14 * DAY),
            (0, 0, 0),
        ),
        (
            {PEER: [0, 6, 25], f"sender-key-{GROUP}--2--0.json": BUSY},
            Gentle(active_group=14 * DAY),
            (1, 0, 0),
        ),
        ({PEER: [0, 6], f"sender-key-{OTHER}--2--0.json": BUSY}, Gentle(active_group=14 * DAY), (1, 0, 0)),
        ({PEER: [0, 5, 10, 15, 20]}, Gentle(returners=True), (1, 0, 0)),
        ({PEER: [0, 5, 10, 30]}, Gentle(until=120), (0, 0, 0)),
    ],
)
def test_what_a_rule_would_have_cost(
    moments: dict[str, list[float]], gentle: Gentle, late: tuple[int, int, int]
) -> None:
    found = tried({SESSION: BUSY, **moments}, 40, Policy(gentle=gentle))
    assert (found.group_messages, found.chats, found.own_keys) == late


def test_a_key_that_a_cleanup_removed_has_the_gap_of_one_that_stood() -> None:
    uses = seen_again(Uses(), folder({PEER: 0, SESSION: 0}), START)
    for day in range(1, 10):
        standing = {SESSION: day - 0.6} | ({PEER: 0} if day < 3 else {PEER: 8.5} if day == 9 else {})
        uses = seen_again(uses, folder(standing), START + day * DAY)
    assert uses == remembered({PEER: [0, 8.5], SESSION: [0, *(day - 0.6 for day in range(1, 10))]}, 9)
    assert try_rule(uses, Policy(), ALONE, (), START + 9 * DAY, 9).group_messages == 1


def test_looks_far_apart_call_no_key_idle_that_was_used_between_them() -> None:
    found = tried({PEER: BUSY, SESSION: BUSY}, 42, every=7)
    assert (found.group_messages, found.chats) == (0, 0)


@pytest.mark.parametrize(
    ("moments", "before"),
    [
        ([3], None),
        ([3, 10], 3),
        ([3, 10, 10.9], 9.9),
        ([3, 10, 20], 10),
        ([3, 3.5], 3),
        (BUSY, 28.4),
    ],
)
def test_when_a_key_was_used_before_its_last_use_is_known_to_a_day(
    moments: list[float], before: float | None
) -> None:
    moments = [day for day in moments if day <= 30]
    uses = remembered({PEER: moments}, 30)
    found = used_before(folder({PEER: max(moments)}), uses)
    assert found == ({} if before is None else {PEER: minutes(START + before * DAY)})


def test_until_goes_by_what_is_known_of_the_past_in_the_trial_as_well() -> None:
    """Who writes every ten days comes back; who wrote once, a little later, does not."""
    every = {f"sender-key-{GROUP}--{n}--0.json": [0.2, 10.2, 20.2, 30.2] for n in range(20)}
    once = {f"sender-key-{GROUP}--{n}--0.json": [20.5] for n in range(20, 40)}
    found = tried({SESSION: BUSY, **every, **once}, 40, Policy(gentle=Gentle(until=40)))
    assert found.group_messages == 0


def test_a_rule_that_has_no_room_steps_back_as_the_cleanup_does() -> None:
    moments = {f"sender-key-{GROUP}--{n}--0.json": [0.0, 10.0] for n in range(50)} | {SESSION: BUSY}
    uses = remembered(moments, 20)
    now = START + 20 * DAY
    policy = Policy(gentle=Gentle(until=120))
    assert try_rule(uses, policy, 20, (), now, 20).group_messages == 0
    assert try_rule(uses, policy, 150, (), now, 20).group_messages == 50


def kept(uses: Uses) -> tuple[Any, Any]:
    """What the state gives back of it."""
    looks, rows = json.loads(json.dumps([[uses.since, uses.looked], uses_rows(uses.by_mark)]))
    return looks, rows


def test_what_is_remembered_survives_the_state() -> None:
    uses = remembered({PEER: [0, 6, 20], OWN: [3], MEMORY: [3], SESSION: BUSY}, 30)
    assert read_uses(*kept(uses)) == uses
    assert days_known(uses, START + 30 * DAY) == 30


@pytest.mark.parametrize(
    ("looks", "rows"),
    [
        (None, []),
        (3, []),
        ([], []),
        ([1, 2, {}, []], []),
        ([1, 2], [["a", "s"]]),
        ([1, 2], [["a", "s", "", 1, 2, 3]]),
    ],
)
def test_what_somebody_else_wrote_there_is_nothing_known(looks: object, rows: Any) -> None:
    assert read_uses(looks, rows) == Uses()


def test_names_are_not_remembered() -> None:
    text = json.dumps(kept(remembered({PEER: [0], SESSION: [0]}, 3)))
    assert "4917000000001" not in text
    assert GROUP not in text


def test_a_look_writes_down_what_changed_and_no_more() -> None:
    before = remembered({PEER: [0, 6], OWN: [0], SESSION: BUSY}, 30)
    look = look_again(before, folder({PEER: 6, OWN: 0, SESSION: 30.4}), START + 31 * DAY)
    assert list(look.changed) == [mark(SESSION)]
    assert look.forgotten == ()
    assert look_again(before, folder({}), START + 125 * DAY).forgotten == (mark(OWN),)
    # What an older look left is no part of a new beginning.
    assert look_again(Uses(by_mark=before.by_mark), folder({}), START).forgotten is None


def test_what_was_not_used_for_long_is_forgotten() -> None:
    uses = remembered({PEER: [0], SESSION: BUSY}, 60)
    later = seen_again(uses, folder({SESSION: 130}), START + 130 * DAY)
    assert len(later.by_mark) == 1
    assert days_known(later, START + 130 * DAY) == 120


def test_of_a_folder_with_too_many_keys_nothing_is_remembered() -> None:
    many = {f"session-{n}.0.json": 0.0 for n in range(MOST_KEYS + 1)}
    assert seen_again(Uses(), folder(many), START) == Uses()


def test_each_rule_is_what_its_settings_say(tmp_path: object) -> None:
    for rule in RULES:
        loaded = load_settings(dict(rule.settings), {"HOME": str(tmp_path)}, home=str(tmp_path))
        assert rule.of(Policy()) == loaded.settings.policy, rule.settings


def test_what_is_tried_is_what_cleanups_of_a_life_would_have_done() -> None:
    """The oracle: the same moments, on a folder that loses its files and gets them back, with the real plans."""
    dice = Random(7)
    for _ in range(20):
        moments = {
            f"sender-key-{dice.choice((GROUP, OTHER))}--{n}--0.json": sorted(
                dice.uniform(0, 40) for _ in range(dice.randint(1, 9))
            )
            for n in range(12)
        } | {SESSION: BUSY}
        for rule in (RULES[0], RULES[2]):
            policy = rule.of(Policy())
            found = tried(moments, 40, policy)
            assert found.group_messages == lived(moments, 40, policy)


def lived(moments: Mapping[str, list[float]], days: int, policy: Policy) -> int:
    late, gone = 0, dict[str, int]()
    for day in range(days + 1):
        standing = {}
        for name, used in moments.items():
            at = [moment for moment in used if moment <= day]
            if name in gone and at and max(at) > gone[name]:
                late += 1
                del gone[name]
            if at and name not in gone:
                standing[name] = max(at)
        for unit in plan_cleanup(folder(standing), policy, START + day * DAY).removals:
            gone |= dict.fromkeys(unit, day)
    return late


def test_the_best_rule_is_the_one_with_the_fewest_late_that_has_room() -> None:
    policy, facts = Policy(), folder({SESSION: 0})
    plan = plan_cleanup(facts, policy, START)
    assert counted_beside(facts, plan) == 1
    pasts = [
        PastCost(9, 0, 0, 50.0, 70),
        PastCost(3, 0, 0, 70.0, 90),
        PastCost(3, 0, 0, 60.0, 80),
        PastCost(0, 0, 0, 65.0, 140),
    ]
    rules = [RuleTried.tried({}, past, plan, in_force=False) for past in pasts]
    assert best(rules, 139) is rules[2]
    assert best(rules, 141) is rules[3]
    assert best(rules, 60) is None
    assert best([RuleTried.tried({}, None, plan, in_force=True)], 200) is None
