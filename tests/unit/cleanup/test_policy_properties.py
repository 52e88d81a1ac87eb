"""What holds for every folder there can be, found out by trying many, and against a second opinion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.cleanup.rules.explaining import explain
from baileys_tools.cleanup.rules.plan import Known, Reason, Tier
from baileys_tools.cleanup.rules.policy import is_changed_by, plan_cleanup
from baileys_tools.limits import EMERGENCY_FLOOR, Gentle, Limits, Policy
from baileys_tools.sessions.rules.creds import CredsState, parse_creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import (
    KEYS_BY_AGE,
    PROTECTED,
    REMOVABLE,
    REMOVED_IF_UNUSED,
    Kind,
    kind_of,
    sort_by_kind,
)
from baileys_tools.sessions.rules.silence import Seen
from baileys_tools.thresholds import Thresholds
from tests import oracle
from tests.oracle import DAY, HOUR, OraclePolicy, Tree
from tests.unit.cleanup.test_policy import NOW, Stat

NOW_NS = int(NOW.timestamp()) * 1_000_000_000

random_numbers = st.builds(Random, st.integers(0, 2**64 - 1))
policies = st.builds(
    OraclePolicy,
    session_max_age=st.sampled_from([7 * DAY, 14 * DAY, 20 * DAY]),
    sender_key_max_age=st.sampled_from([1 * DAY, 3 * DAY]),
    max_pre_keys=st.sampled_from([30, 33, 50]),
    guard=st.booleans(),
    danger=st.sampled_from([6, 40, 185]),
    silence=st.sampled_from([0, 3 * DAY, 1_000 * DAY]),
    device_lists=st.sampled_from([None, None, 1 * DAY, 14 * DAY]),
    identity_keys=st.sampled_from([None, None, 1 * DAY, 14 * DAY]),
    until=st.sampled_from([None, None, None, 20, 21, 25, 40]),
    active_group=st.sampled_from([None, None, 3 * DAY, 14 * DAY]),
    keep_own_keys=st.booleans(),
)


def facts(tree: Tree) -> FolderFacts:
    """The tree as a scan of it would tell."""
    keys = oracle.keys_of(tree.files)
    signing = {file.name: oracle.signing_key_says(file.content) for file in keys}
    creds = CredsState.MISSING if tree.creds is None else parse_creds(tree.creds)
    kinds = sort_by_kind(file.name for file in tree.files)
    removable: set[str] = set()
    for kind in (Kind.CREDS, *REMOVABLE):
        removable.update(kinds.get(kind, ()))
    return FolderFacts(
        names=kinds,
        stats={
            file.name: Stat(10, file.mtime_ns, number)
            for number, file in enumerate(keys)
            if file.name in removable
        },
        creds=creds,
        owned_by_content={
            name: answer
            for name, answer in signing.items()
            if answer is not None and kind_of(name) is Kind.SENDER_KEY
        },
    )


def policy_of(policy: OraclePolicy) -> Policy:
    normal = Limits(
        timedelta(microseconds=policy.session_max_age // 1_000),
        timedelta(microseconds=policy.sender_key_max_age // 1_000),
        policy.max_pre_keys,
        None if policy.device_lists is None else timedelta(microseconds=policy.device_lists // 1_000),
        None if policy.identity_keys is None else timedelta(microseconds=policy.identity_keys // 1_000),
    )
    active = policy.active_group
    floor = EMERGENCY_FLOOR
    return Policy(
        normal,
        Limits(
            min(floor.session_max_age, normal.session_max_age),
            min(floor.sender_key_max_age, normal.sender_key_max_age),
            min(floor.pre_keys_keep, normal.pre_keys_keep),
        ),
        policy.guard,
        Thresholds(policy.danger - 4, policy.danger - 3, policy.danger - 2, policy.danger - 1, policy.danger),
        timedelta(microseconds=policy.silence // 1_000),
        Gentle(
            policy.until,
            None if active is None else timedelta(microseconds=active // 1_000),
            policy.keep_own_keys,
            bool(policy.returners),
        ),
    )


def returned(rng: Random, tree: Tree) -> tuple[tuple[str, int], ...]:
    """Some of the files of a tree, as having come back so often."""
    names = sorted(oracle.key_of(file.name) for file in tree.files)
    return tuple((name, rng.choice((1, 2, 3))) for name in names if rng.random() < 0.3)


def used_before(rng: Random, tree: Tree) -> tuple[tuple[str, int], ...]:
    """Some of the files of a tree, as having been used before at one of a few times."""
    names = sorted(oracle.key_of(file.name) for file in tree.files)
    return tuple((name, rng.randrange(1, 9)) for name in names if rng.random() < 0.5)


def known_by(policy: OraclePolicy, seen: Sequence[Seen] = ()) -> Known:
    return Known(seen, came_back=dict(policy.returners), used_before=dict(policy.used_before))


def removals(tree: Tree, policy: OraclePolicy) -> set[str]:
    return {name for unit in plan_cleanup(facts(tree), policy_of(policy), NOW).removals for name in unit}


def without(tree: Tree, names: set[str]) -> Tree:
    return Tree([file for file in tree.files if oracle.key_of(file.name) not in names], tree.creds)


def looks(rng: Random) -> list[Seen]:
    """Observations over some time, at some distance, of a bot that wrote now and then."""
    if rng.random() < 0.3:
        return []
    at, step = NOW_NS - rng.randrange(1, 40 * 24) * HOUR, rng.choice((1, 1, 5, 24, 60)) * HOUR
    written, found = at - rng.randrange(0, 100) * HOUR, []
    while at < NOW_NS + 2 * HOUR:
        if rng.random() < rng.choice((0.02, 0.3)):
            written = at - rng.randrange(0, HOUR)
        found.append(Seen(at, written))
        at += step
    return found


@given(random_numbers, policies)
def test_the_plan_is_what_the_second_opinion_says(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    seen = looks(rng)
    if rng.random() < 0.3:
        policy = replace(policy, returners=returned(rng, tree))
    policy = replace(policy, used_before=used_before(rng, tree))
    folder = facts(tree)
    plan = plan_cleanup(folder, policy_of(policy), NOW, known_by(policy, seen))
    verdicts = explain(folder, plan, NOW)
    expected = oracle.plan(
        tree.files, tree.parsed_creds, policy, NOW_NS, [(at, written) for at, written in seen]
    )
    said = {
        verdict.name: ("remove" if verdict.remove else "keep", verdict.kind.value) for verdict in verdicts
    }
    assert said == expected.verdicts
    assert plan.guarded_pre_keys == len(expected.guarded)
    assert plan.counted_before == expected.counted
    cost = (plan.cost.contacts, plan.cost.group_senders, plan.cost.pre_keys)
    assert cost == (expected.cost_contacts, expected.cost_group_senders, expected.cost_pre_keys)


@given(random_numbers, policies)
def test_observations_that_change_nothing_need_no_second_plan(rng: Random, policy: OraclePolicy) -> None:
    folder, rules = facts(oracle.random_tree(rng, policy, NOW_NS)), policy_of(policy)
    plan, seen = plan_cleanup(folder, rules, NOW), looks(rng)
    if plan.goes_by_age and not is_changed_by(plan, folder, rules, seen, NOW):
        assert plan_cleanup(folder, rules, NOW, Known(seen)) == plan


@given(random_numbers, policies)
def test_every_file_has_exactly_one_verdict_and_no_protected_one_goes(
    rng: Random, policy: OraclePolicy
) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    folder = facts(tree)
    plan = plan_cleanup(folder, policy_of(policy), NOW)
    verdicts = explain(folder, plan, NOW)
    assert Counter(verdict.name for verdict in verdicts) == Counter(
        file.name for file in oracle.keys_of(tree.files)
    )
    gone = [name for unit in plan.removals for name in unit]
    assert len(gone) == len(set(gone)) == plan.remove_count == sum(plan.removed_by_kind.values())
    assert set(gone) == {verdict.name for verdict in verdicts if verdict.remove}
    assert not {kind_of(name) for name in gone} & (PROTECTED | {Kind.UNKNOWN, Kind.TCTOKEN})
    assert plan.counted_after == plan.files - plan.guarded_pre_keys - len(gone) >= 0


@given(random_numbers, policies)
def test_after_a_cleanup_there_is_nothing_more_to_do(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    plan = plan_cleanup(facts(tree), policy_of(policy), NOW)
    rest = without(tree, removals(tree, policy))
    again = plan_cleanup(facts(rest), policy_of(policy), NOW)
    if plan.own_keys_to_follow:
        # Their memories went, so now they do.
        rest = without(rest, removals(rest, policy))
        again = plan_cleanup(facts(rest), policy_of(policy), NOW)
    # The file from the future may be among those removed; then the clock can be believed again. With some pre-keys less
    # the guard may see others in what `until` left.
    if plan.holds == again.holds and (policy.until is None or Kind.PRE_KEY not in again.removed_by_kind):
        # What a session used goes once it is gone.
        assert again.removed_by_kind.keys() <= REMOVED_IF_UNUSED
        # An emergency thins the highest ids, so guarded ones move up among them and count from then on.
        # By `until` there may be room for a key whose memory went.
        if plan.tier is Tier.NORMAL and (policy.until is None or not plan.own_keys_to_follow):
            assert again.counted_before == plan.counted_at_last
        rest = without(rest, removals(rest, policy))
        assert plan_cleanup(facts(rest), policy_of(policy), NOW).remove_count == 0


@given(random_numbers, policies)
def test_a_gentle_rule_never_removes_what_the_default_would_not(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    policy = replace(policy, returners=returned(rng, tree), used_before=used_before(rng, tree))
    plan = plan_cleanup(facts(tree), policy_of(policy), NOW, known_by(policy))
    assert {name for unit in plan.removals for name in unit} <= removals(tree, policy.plain)


@given(random_numbers, policies)
def test_until_leaves_what_was_used_again_latest_of_what_may_go(rng: Random, policy: OraclePolicy) -> None:
    """Down to ten below where so many may go, and nothing at all where no more than that stand."""
    policy = replace(policy, until=policy.until or 20, danger=100_000, device_lists=None, identity_keys=None)
    tree = oracle.random_tree(rng, policy, NOW_NS)
    known = known_by(replace(policy, used_before=used_before(rng, tree)))
    plan = plan_cleanup(facts(tree), policy_of(policy), NOW, known)
    if plan.holds:
        return
    spared = {name for name, reason in plan.exceptions.items() if reason is Reason.ENOUGH_ROOM}
    stand = sum(plan.by_kind.get(kind, 0) for kind in KEYS_BY_AGE)
    stand += plan.removed_by_kind.get(Kind.PRE_KEY, 0) + sum(kind_of(name) is Kind.PRE_KEY for name in spared)
    assert policy.until is not None
    if stand <= policy.until:
        assert not plan.remove_count
    elif spared:
        gone_at_last = plan.remove_count - plan.removed_by_kind.get(Kind.SENDER_KEY_MEMORY, 0)
        assert stand - gone_at_last - plan.own_keys_to_follow <= policy.until - 10
    written = {
        file.name: (known.used_before.get(file.name, 0), file.mtime_ns) for file in oracle.keys_of(tree.files)
    }
    gone = [tuple(map(max, zip(*[written[name] for name in unit], strict=True))) for unit in plan.removals]
    # A key whose memory stays stays with it.
    first = [name for name in spared if kind_of(name) in (Kind.SESSION, Kind.PRE_KEY, Kind.SENDER_KEY_MEMORY)]
    assert not gone or not first or max(gone) <= min(written[name] for name in first)


@given(random_numbers, policies, policies)
def test_a_stricter_policy_never_removes_less(rng: Random, one: OraclePolicy, other: OraclePolicy) -> None:
    """Outside of emergencies, which trade one rule against all, under one and the same guard, and without `until`: that
    takes the oldest of what may go, and where more may, others are the oldest."""
    one = replace(one, until=None)
    tree = oracle.random_tree(rng, one, NOW_NS)
    lax = replace(
        one,
        session_max_age=max(one.session_max_age, other.session_max_age),
        sender_key_max_age=max(one.sender_key_max_age, other.sender_key_max_age),
        max_pre_keys=max(one.max_pre_keys, other.max_pre_keys),
        guard=False,
        danger=100_000,
    )
    strict = replace(
        lax,
        session_max_age=min(one.session_max_age, other.session_max_age),
        sender_key_max_age=min(one.sender_key_max_age, other.sender_key_max_age),
        max_pre_keys=min(one.max_pre_keys, other.max_pre_keys),
    )
    assert removals(tree, lax) <= removals(tree, strict)


@given(random_numbers, policies)
def test_an_emergency_removes_all_that_the_normal_rules_remove(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    calm = replace(policy, danger=100_000)
    assert removals(tree, calm) <= removals(tree, policy)


@given(random_numbers, policies)
def test_the_guard_only_ever_keeps_files(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    calm = replace(policy, danger=100_000)
    assert removals(tree, replace(calm, guard=True)) <= removals(tree, replace(calm, guard=False))


@given(random_numbers, policies, st.data())
def test_a_file_less_never_condemns_a_file_of_another_kind(
    rng: Random, policy: OraclePolicy, data: st.DataObject
) -> None:
    """Outside of emergencies and doubts about the clock, which look at the folder as a whole."""
    tree = oracle.random_tree(rng, policy, NOW_NS)
    calm = replace(policy.plain, danger=100_000)
    names = sorted(file.name for file in tree.files if file.name != "creds.json")
    if not names:
        return
    less = data.draw(st.sampled_from(names))
    plan = plan_cleanup(facts(tree), policy_of(calm), NOW)
    rest = without(tree, {less})
    again = plan_cleanup(facts(rest), policy_of(calm), NOW)
    if plan.holds or again.holds:
        return
    related = {
        Kind.SENDER_KEY: {Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY},
        Kind.SENDER_KEY_MEMORY: {Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY},
        # These tell that the folder is of Baileys 7.
        Kind.LID_MAPPING: {Kind.PRE_KEY},
        Kind.DEVICE_LIST: {Kind.PRE_KEY},
        Kind.IDENTITY_KEY: {Kind.PRE_KEY},
        # What it used.
        Kind.SESSION: {Kind.SESSION, *REMOVED_IF_UNUSED},
        Kind.UNKNOWN: REMOVED_IF_UNUSED,
    }.get(kind_of(less), {kind_of(less)})
    newly = removals(rest, calm) - removals(tree, calm)
    assert {kind_of(name) for name in newly} <= related


@given(random_numbers, policies)
def test_no_own_key_goes_while_a_memory_stands(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    creds = tree.parsed_creds
    if not isinstance(creds, dict):
        return
    gone = removals(tree, policy)
    memories, own_keys = set(), set()
    for file in oracle.keys_of(tree.files):
        kind = kind_of(file.name)
        if kind is Kind.SENDER_KEY_MEMORY:
            memories.add(oracle.memory_group(file.name))
        elif kind is Kind.SENDER_KEY and oracle.owner_of(file.name, file.content, creds) != "peer":
            own_keys.add((oracle.sender_key_parts(file.name)[0], file.name in gone))
    assert not {group for group, goes in own_keys if goes} & memories
    assert not {group for group, goes in own_keys if goes} & {group for group, goes in own_keys if not goes}


@given(random_numbers, policies)
def test_a_guard_that_is_off_makes_no_emergency(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    plans = [
        plan_cleanup(facts(tree), policy_of(replace(policy, guard=guard)), NOW) for guard in (True, False)
    ]
    assert plans[0].tier is plans[1].tier


@given(random_numbers, policies)
def test_the_tier_is_normal_unless_too_much_is_left(rng: Random, policy: OraclePolicy) -> None:
    tree = oracle.random_tree(rng, policy, NOW_NS)
    calm = plan_cleanup(facts(tree), policy_of(replace(policy, danger=100_000)), NOW)
    plan = plan_cleanup(facts(tree), policy_of(policy), NOW)
    if plan.tier is Tier.EMERGENCY:
        assert calm.counted_after >= policy.danger
