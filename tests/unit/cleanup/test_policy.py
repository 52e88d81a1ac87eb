"""The cleanup policy by table: every boundary, unit, tier and hold, as a person would check it by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cleanup.rules.explaining import explain
from baileys_tools.cleanup.rules.plan import CleanupPlan, Known, PolicyHold, Reason, Tier, Verdict
from baileys_tools.cleanup.rules.policy import plan_cleanup
from baileys_tools.limits import Gentle, Limits, Policy
from baileys_tools.sessions.rules.creds import Address, Creds, CredsState
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import PROTECTED, Kind, kind_of, sort_by_kind
from baileys_tools.thresholds import Level, Thresholds, level_of

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
POLICY = Policy()
PAIRED = Creds(Address("919585510685", 17), Address("270996591579169", 17), None, None, True)
GROUP = "120363041234567890@g.us"
MEMORY = f"sender-key-memory-{GROUP}.json"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
OWN_LID_KEY = f"sender-key-{GROUP}--270996591579169_1--17.json"
PEER_KEY = f"sender-key-{GROUP}--4917000000001--0.json"


class Stat(NamedTuple):
    """As much of a stat result as a plan looks at."""

    st_size: int
    st_mtime_ns: int
    st_ino: int


def facts(
    ages: Mapping[str, timedelta],
    creds: Creds | CredsState = PAIRED,
    owned_by_content: Mapping[str, bool] | None = None,
    now: datetime = NOW,
) -> FolderFacts:
    """A folder of a live bot: files by age, and a `creds.json` of this morning unless its age is given."""
    ages = {"creds.json": timedelta(hours=12)} | dict(ages)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    stats = {
        name: Stat(100, (now - age - epoch) // MICROSECOND * 1_000, number)
        for number, (name, age) in enumerate(ages.items())
    }
    return FolderFacts(
        names=sort_by_kind(ages), stats=stats, creds=creds, owned_by_content=owned_by_content or {}
    )


def planned(
    ages: Mapping[str, timedelta], creds: Creds | CredsState = PAIRED, policy: Policy = POLICY, **more: Any
) -> tuple[CleanupPlan, dict[str, Verdict]]:
    folder = facts(ages, creds, **more)
    plan = plan_cleanup(folder, policy, NOW)
    return plan, {verdict.name: verdict for verdict in explain(folder, plan, NOW)}


def removed(ages: Mapping[str, timedelta], *arguments: Any, **more: Any) -> set[str]:
    plan, verdicts = planned(ages, *arguments, **more)
    gone = {name for unit in plan.removals for name in unit}
    assert gone == {name for name, verdict in verdicts.items() if verdict.remove}
    assert len(gone) == plan.remove_count
    return gone


def days(number: float) -> timedelta:
    return timedelta(days=number)


def many(number: int, name: str = "device-list-{}.json") -> dict[str, timedelta]:
    """Files that no rule removes, to fill a folder up."""
    return {name.format(index): timedelta(0) for index in range(number)}


# --- ages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "age", "goes"),
    [
        ("session-4917000000001.0.json", days(13.9), False),
        ("session-4917000000001.0.json", days(14), False),
        ("session-4917000000001.0.json", days(14) + MICROSECOND, True),
        ("session-4917000000001.0.json", days(14.1), True),
        ("session-270996591579169_1.12.json", days(14.1), True),
        (PEER_KEY, days(2.9), False),
        (PEER_KEY, days(3), False),
        (PEER_KEY, days(3) + MICROSECOND, True),
        (PEER_KEY, days(3.1), True),
        (OWN_KEY, days(3), False),
        (OWN_KEY, days(3.1), True),
        (MEMORY, days(3), False),
        (MEMORY, days(3.1), True),
        ("session-4917000000001.0.json", days(-0.5), False),
        ("pre-key-1.json", days(300), False),
    ],
)
def test_a_file_goes_when_it_is_older_than_its_limit(name: str, age: timedelta, goes: bool) -> None:
    assert removed({name: age}) == ({name} if goes else set())


KEPT_AT_ANY_AGE = {
    "creds.json": Reason.PROTECTED,
    "app-state-sync-key-AAAAAB____.json": Reason.PROTECTED,
    "app-state-sync-version-regular.json": Reason.PROTECTED,
    "lid-mapping-4917000000001.json": Reason.PROTECTED,
    "lid-mapping-270996591579169_reverse.json": Reason.PROTECTED,
    "identity-key-4917000000001.0.json": Reason.KIND_KEPT,
    "device-list-4917000000001.json": Reason.KIND_KEPT,
    "tctoken-270996591579169@lid.json": Reason.KIND_KEPT,
    "tctoken-__index.json": Reason.KIND_KEPT,
    "contacts-tc-token-491@s.whatsapp.net.json": Reason.KIND_KEPT,
    "bridge-session-491.0.json": Reason.KIND_KEPT,
    "session-4917000000001.0.json.old": Reason.UNKNOWN,
    "sender-key-nobody.json": Reason.UNKNOWN,
}


def test_what_is_protected_or_unknown_stays_at_any_age_and_any_count() -> None:
    ages = dict.fromkeys(KEPT_AT_ANY_AGE, days(300)) | many(300)
    plan, verdicts = planned(ages)
    assert plan.removals == []
    assert {name: verdicts[name].reason for name in KEPT_AT_ANY_AGE} == KEPT_AT_ANY_AGE


def test_the_limits_can_be_set() -> None:
    policy = Policy(normal=Limits(days(20), days(5), 33))
    ages = {"session-1.0.json": days(19), "session-2.0.json": days(21), PEER_KEY: days(4)}
    ages |= many(40, "pre-key-{}.json")
    ages.pop("pre-key-0.json")
    assert removed(ages, policy=policy) == {"session-2.0.json", *(f"pre-key-{i}.json" for i in range(1, 7))}


def test_eighty_pre_keys_leave_the_fifty_highest() -> None:
    ages = {f"pre-key-{number}.json": days(1) for number in range(1, 81)}
    assert removed(ages) == {f"pre-key-{number}.json" for number in range(1, 31)}


# --- own keys and memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "key", "lid_key", "gone"),
    [
        (4, 4, 4, {MEMORY}),
        (4, 4, None, {MEMORY}),
        (4, None, None, {MEMORY}),
        (None, 4, None, {OWN_KEY}),
        (None, 4, 4, {OWN_KEY, OWN_LID_KEY}),
        (4, 1, None, set()),
        (1, 4, None, set()),
        (4, 4, 1, set()),
        (4, 1, 4, set()),
        (1, 4, 4, set()),
        (None, 4, 1, set()),
    ],
)
def test_the_memory_of_a_group_goes_first_and_keys_only_without_one(
    memory: int | None, key: int | None, lid_key: int | None, gone: set[str]
) -> None:
    ages = {
        name: days(age)
        for name, age in ((MEMORY, memory), (OWN_KEY, key), (OWN_LID_KEY, lid_key))
        if age is not None
    }
    plan, verdicts = planned(ages)
    assert {name for unit in plan.removals for name in unit} == gone
    if gone == {MEMORY} and key:
        assert {verdicts[name].reason for name in ages if name != MEMORY} == {Reason.MEMORY_FIRST}
        assert plan.own_keys_to_follow == len(ages) - 1
    if gone:
        assert len(plan.removals) == 1, "a unit is removed as one"
    else:
        assert {verdicts[name].reason for name, age in ages.items() if age == days(4)} == {Reason.UNIT_YOUNG}


@pytest.mark.parametrize(("minutes", "goes"), [(0, False), (9, False), (-9, False), (10, True), (None, True)])
def test_no_own_key_goes_minutes_after_its_memory_may_have_gone(minutes: int | None, goes: bool) -> None:
    """A send reads the memory, waits for the server, and then reads the key."""
    folder = facts({OWN_KEY: days(4)})
    cleaned = None if minutes is None else NOW - timedelta(minutes=minutes)
    plan = plan_cleanup(folder, POLICY, NOW, Known(cleaned=cleaned))
    (verdict,) = [verdict for verdict in explain(folder, plan, NOW) if verdict.name == OWN_KEY]
    assert (verdict.remove, verdict.reason) == (goes, Reason.OLD if goes else Reason.CLEANED_JUST_NOW)


def test_keys_that_follow_their_memory_later_count_for_what_the_emergency_can_reach() -> None:
    groups = [f"12036304123456{number:04}@g.us" for number in range(20)]
    ages = many(160) | {f"sender-key-memory-{group}.json": days(2) for group in groups}
    ages |= {f"sender-key-{group}--919585510685--17.json": days(2) for group in groups}
    plan, _ = planned(ages)
    assert (plan.tier, plan.counted_before, plan.counted_after) == (Tier.EMERGENCY, 201, 181)
    ages |= many(20, "tctoken-{}@lid.json")
    plan, _ = planned(ages)
    assert (plan.tier, plan.counted_after, plan.counted_at_last) == (Tier.EMERGENCY, 201, 181)


def test_units_of_other_groups_and_peers_in_the_same_group_are_judged_alone() -> None:
    other = "sender-key-memory-919585510685-1602@g.us.json"
    ages = {MEMORY: days(4), OWN_KEY: days(1), PEER_KEY: days(4), other: days(4)}
    assert removed(ages) == {PEER_KEY, other}


def test_the_bots_phone_is_a_peer() -> None:
    phone = f"sender-key-{GROUP}--919585510685--0.json"
    assert removed({MEMORY: days(1), phone: days(4)}) == {phone}


# --- tiers, counted files, levels ---------------------------------------------------------------------------


def emergency_folder(others: int) -> dict[str, timedelta]:
    """A folder whose 56 keys split the tiers: 4 beyond the normal limits, 26 beyond the emergency ones."""
    return (
        {f"pre-key-{number}.json": days(1) for number in range(1, 52)}
        | {"session-1.0.json": days(14.1), "session-2.0.json": days(7.1), "session-3.0.json": days(7)}
        | {PEER_KEY: days(3.1), f"sender-key-{GROUP}--4917000000002--0.json": days(1.1)}
        | many(others - 1)
    )


@pytest.mark.parametrize(
    ("left_after_normal_rules", "tier", "gone"),
    [(184, Tier.NORMAL, 3), (185, Tier.EMERGENCY, 25), (186, Tier.EMERGENCY, 25)],
)
def test_the_emergency_limits_apply_from_185_counted_files_left(
    left_after_normal_rules: int, tier: Tier, gone: int
) -> None:
    ages = emergency_folder(left_after_normal_rules - 53)
    plan, _ = planned(ages)
    assert len(ages) + 1 == left_after_normal_rules + 3
    assert (plan.tier, plan.remove_count) == (tier, gone)
    assert plan.counted_after == left_after_normal_rules + 3 - gone


def test_the_emergency_limits_remove_what_they_say() -> None:
    gone = removed(emergency_folder(132))
    assert gone == {
        *(f"pre-key-{number}.json" for number in range(1, 22)),
        "session-1.0.json",
        "session-2.0.json",
        PEER_KEY,
        f"sender-key-{GROUP}--4917000000002--0.json",
    }


@pytest.mark.parametrize(
    ("kept_kinds", "tier", "would_leave"), [(153, "emergency", None), (154, "normal", 185)]
)
def test_the_emergency_limits_are_left_alone_where_they_do_not_help(
    kept_kinds: int, tier: str, would_leave: int | None
) -> None:
    ages = {f"pre-key-{number}.json": days(1) for number in range(1, 51)} | many(kept_kinds)
    plan, _ = planned(ages)
    assert (plan.tier, plan.emergency_would_leave) == (tier, would_leave)
    assert plan.remove_count == (20 if tier == "emergency" else 0)


# --- what no session uses -----------------------------------------------------------------------------------

UNUSED = {
    "device-list-1.json": Reason.SESSION_STANDS,
    "device-list-2.json": Reason.UNUSED,
    "identity-key-1.0.json": Reason.SESSION_STANDS,
    "identity-key-1.12.json": Reason.UNUSED,
    "identity-key-1_1.0.json": Reason.UNUSED,
    "identity-key-3.0.json": Reason.SESSION_STANDS,
    "device-list-4.json": Reason.SESSION_STANDS,
    "device-list-5_1.json": Reason.SESSION_STANDS,
    "device-list-6@lid.json": Reason.UNKNOWN,
}
STANDING = {
    "session-1.0.json": days(1),
    "session-3.0.json": days(20),  # goes only now
    "session-4_128.3.json": days(1),
    "session-5_1.0.json": days(1),
    "lid-mapping-1.json": days(1),
}


@pytest.mark.parametrize("kind", [Kind.DEVICE_LIST, Kind.IDENTITY_KEY])
def test_what_no_session_uses_goes_when_asked_for(kind: Kind) -> None:
    limits = Limits(days(14), days(3), 50)
    if kind is Kind.DEVICE_LIST:
        limits = limits._replace(device_lists=days(5))
    else:
        limits = limits._replace(identity_keys=days(5))
    ages = dict.fromkeys(UNUSED, days(5.1)) | STANDING
    _, verdicts = planned(ages, policy=Policy(normal=limits))
    said = {name: verdicts[name].reason for name in UNUSED if kind_of(name) is kind}
    assert said == {name: reason for name, reason in UNUSED.items() if kind_of(name) is kind}
    others = {
        verdict.reason for name, verdict in verdicts.items() if name in UNUSED and verdict.kind is not kind
    }
    assert others == {Reason.KIND_KEPT, Reason.UNKNOWN}
    _, verdicts = planned(dict.fromkeys(UNUSED, days(4.9)) | STANDING, policy=Policy(normal=limits))
    assert {verdicts[name].reason for name in UNUSED if kind_of(name) is kind} == {
        Reason.YOUNG,
        Reason.SESSION_STANDS,
    }


def test_by_default_it_goes_in_an_emergency_before_any_session_goes_early() -> None:
    old = {f"device-list-49{number}.json": days(1) for number in range(100)}
    old["lid-mapping-1.json"] = days(1)
    ages = emergency_folder(100) | old | {"session-493.3.json": days(1)}
    plan, verdicts = planned(ages)
    assert (plan.tier, plan.emergency_would_leave) == (Tier.UNUSED, None)
    assert plan.removed_by_kind == {
        Kind.PRE_KEY: 1,
        Kind.SESSION: 1,
        Kind.SENDER_KEY: 1,
        Kind.DEVICE_LIST: 99,
    }
    assert verdicts["device-list-493.json"].reason is Reason.SESSION_STANDS
    assert plan.removals[-1][0].startswith("device-list"), "a session that cannot go may still use one"
    # Where that does not do, the emergency limits come on top.
    one = {"device-list-491.json": days(1), "lid-mapping-1.json": days(1)}
    plan, _ = planned(emergency_folder(130) | one)
    assert plan.tier is Tier.UNUSED
    plan, _ = planned(emergency_folder(131) | one)
    assert plan.tier is Tier.EMERGENCY
    assert plan.removed_by_kind[Kind.DEVICE_LIST] == 1
    # Where nothing would, only what is free is done.
    plan, _ = planned(emergency_folder(300) | old)
    assert (plan.tier, plan.removed_by_kind[Kind.SESSION]) == (Tier.UNUSED, 1)
    assert plan.emergency_would_leave is not None


def test_what_was_written_lately_may_be_about_to_get_its_session() -> None:
    for minutes, gone in ((59, None), (61, 1)):
        ages = emergency_folder(140) | {
            "device-list-x.json": timedelta(minutes=minutes),
            "lid-mapping-1.json": days(1),
        }
        assert planned(ages)[0].removed_by_kind.get(Kind.DEVICE_LIST) == gone


def test_where_nothing_else_tells_that_the_folder_is_one_of_baileys_7_all_stays() -> None:
    limits = Limits(days(14), days(3), 50, days(5), days(5))
    ages = {"device-list-1.json": days(6), "identity-key-1.0.json": days(6)}
    assert removed(ages, policy=Policy(normal=limits)) == set()
    assert removed(ages | {"lid-mapping-9.json": days(0)}, policy=Policy(normal=limits)) == set(ages)


def test_what_is_no_plain_file_may_be_a_session() -> None:
    limits = Limits(days(14), days(3), 50, days(5), days(5))
    ages = {"device-list-1.json": days(6), "identity-key-1.0.json": days(6), "lid-mapping-9.json": days(6)}
    folder = facts(ages)
    assert plan_cleanup(folder, Policy(normal=limits), NOW).remove_count == 2
    folder = folder._replace(names={**folder.names, Kind.UNKNOWN: ["session-1.0.json"]})
    assert plan_cleanup(folder, Policy(normal=limits), NOW).remove_count == 0


# --- gentle rules -------------------------------------------------------------------------------------------


def gently(**rules: Any) -> Policy:
    return Policy(gentle=Gentle(**rules))


def test_until_spares_all_where_few_stand_and_takes_the_oldest_where_many_do() -> None:
    ages = {f"session-{number}.0.json": days(20 + number) for number in range(40)}
    assert removed(ages, policy=gently(until=40)) == set()
    plan, verdicts = planned(ages, policy=gently(until=40))
    assert {verdicts[name].reason for name in ages} == {Reason.ENOUGH_ROOM}
    assert (plan.cost, plan.bytes_to_free, plan.level_after) == (Cost(), 0, plan.level_before)
    assert removed(ages, policy=gently(until=39)) == {f"session-{number}.0.json" for number in range(29, 40)}
    # What may not go counts, and does not go.
    ages |= {f"session-9{number}.0.json": days(1) for number in range(40)}
    assert len(removed(ages, policy=gently(until=39))) == 40


def test_until_takes_what_was_used_once_before_what_was_used_again_and_then_what_was_last_so_longest_ago() -> (
    None
):
    ages = {f"session-{number}.0.json": days(20 + number) for number in range(40)}
    before = {f"session-{number}.0.json": 1_000 - number for number in range(11, 40)}
    plan = plan_cleanup(facts(ages), gently(until=39), NOW, Known(used_before=before))
    assert {name for (name,) in plan.removals} == {f"session-{number}.0.json" for number in range(11)}
    before |= {f"session-{number}.0.json": 1_000 + number for number in range(11)}
    plan = plan_cleanup(facts(ages), gently(until=39), NOW, Known(used_before=before))
    assert {name for (name,) in plan.removals} == {f"session-{number}.0.json" for number in range(29, 40)}


def test_until_counts_a_memory_with_its_key() -> None:
    ages = {f"session-{number}.0.json": days(20 + number) for number in range(19)}
    own = {MEMORY: days(90), OWN_KEY: days(90)}
    assert removed(ages | own, policy=gently(until=20)) == set()
    ages |= {"session-40.0.json": days(60)}
    assert removed(ages | own, policy=gently(until=20)) == {
        MEMORY,
        "session-40.0.json",
        *(f"session-{number}.0.json" for number in range(10, 19)),
    }


def test_until_spares_a_key_with_its_memory_and_no_pre_key_counts_that_stays() -> None:
    plan, verdicts = planned({MEMORY: days(4), OWN_KEY: days(4)}, policy=gently(until=20))
    assert (plan.remove_count, plan.own_keys_to_follow) == (0, 0)
    assert {verdicts[name].reason for name in (MEMORY, OWN_KEY)} == {Reason.ENOUGH_ROOM}
    fresh = {f"pre-key-{number}.json": days(1) for number in range(1, 813)}
    creds = Creds(PAIRED.me, PAIRED.lid, 813, 813, True)
    sessions = {f"session-{number}.0.json": days(20 + number) for number in range(21)}
    assert removed(fresh | sessions, creds, gently(until=21)) == set()
    assert len(removed(fresh | sessions, creds, gently(until=20))) == 11
    # Those beyond the limit do count: they go when they are the oldest.
    creds = Creds(PAIRED.me, PAIRED.lid, None, None, True)
    spare = {f"pre-key-{10 * number}.json": days(1) for number in range(1, 61)}
    assert removed(spare | sessions, creds, gently(until=31)) == set()
    assert removed(spare | sessions, creds, gently(until=30)) == {
        f"session-{n}.0.json" for n in range(10, 21)
    }


def test_until_steps_back_where_it_would_leave_the_folder_full() -> None:
    ages = {f"session-{number}.0.json": days(20) for number in range(40)}
    assert removed(ages | many(143), policy=gently(until=100)) == set()
    assert len(removed(ages | many(144), policy=gently(until=100))) == 40
    # By the default it would be full as well.
    assert removed(ages | many(300), policy=gently(until=100)) == set()


@pytest.mark.parametrize(("wrote", "age", "goes"), [(2.9, 13.9, False), (3.1, 13.9, True), (2.9, 14.1, True)])
def test_the_keys_of_an_active_group_have_a_limit_of_their_own(wrote: float, age: float, goes: bool) -> None:
    other = f"sender-key-{GROUP}--4917000000009--0.json"
    elsewhere = "sender-key-1-2@g.us--4917000000001--0.json"
    ages = {other: days(wrote), PEER_KEY: days(age), elsewhere: days(age), "session-1.0.json": days(age)}
    gone = removed(ages, policy=gently(active_group=days(14)))
    assert (PEER_KEY in gone, elsewhere in gone) == (goes, True)
    ages = {other: days(wrote), MEMORY: days(age), OWN_KEY: days(age)}
    gone = removed(ages, policy=gently(active_group=days(14)))
    assert (MEMORY in gone) == goes


@pytest.mark.parametrize(("wrote", "goes"), [(None, True), (2.9, False), (3.1, True)])
def test_the_own_keys_stay_while_the_group_lives(wrote: float | None, goes: bool) -> None:
    ages = {MEMORY: days(20), OWN_KEY: days(20)}
    if wrote is not None:
        ages[PEER_KEY] = days(wrote)
    _, verdicts = planned(ages, policy=gently(keep_own_keys=True))
    assert verdicts[MEMORY].remove == goes
    assert verdicts[OWN_KEY].reason is (Reason.MEMORY_FIRST if goes else Reason.GROUP_LIVES)
    # The bot's own message is one as well.
    assert removed({MEMORY: days(13), OWN_KEY: days(20)}, policy=gently(keep_own_keys=True)) == set()


@pytest.mark.parametrize(
    ("times", "age", "goes"), [(0, 15, True), (1, 27, False), (1, 29, True), (9, 61, True)]
)
def test_what_came_back_is_given_longer(times: int, age: int, goes: bool) -> None:
    folder = facts({"session-1.0.json": days(age)})
    known = Known(came_back={"session-1.0.json": times} if times else {})
    assert plan_cleanup(folder, gently(returners=True), NOW, known).remove_count == goes
    assert plan_cleanup(folder, POLICY, NOW, known).remove_count == 1


@pytest.mark.parametrize(
    ("before_the_gap", "after_it", "gap", "held"),
    [(6, 4, 400, True), (5, 5, 400, False), (6, 3, 400, False), (6, 4, 300, False), (60, 4, 3653, True)],
)
def test_a_leap_that_most_files_lie_behind_puts_the_clock_in_doubt(
    before_the_gap: int, after_it: int, gap: int, held: bool
) -> None:
    ages = {f"session-{number}.0.json": days(gap + 20 + number / 10) for number in range(before_the_gap)}
    ages |= {f"session-9{number}.0.json": days(20) for number in range(after_it - 1)} | {
        "creds.json": days(0.5)
    }
    plan, _ = planned(ages)
    assert (plan.holds == (PolicyHold.CLOCK,)) == held
    assert plan.remove_count == (0 if held else before_the_gap + after_it - 1)


def test_an_emergency_may_be_about_pre_keys_alone() -> None:
    ages = {f"pre-key-{number}.json": days(1) for number in range(1, 51)} | many(150)
    assert removed(ages) == {f"pre-key-{number}.json" for number in range(1, 21)}


def test_guarded_pre_keys_are_no_emergency() -> None:
    ages = {f"pre-key-{number}.json": days(1) for number in range(1, 813)} | many(100)
    plan, verdicts = planned(ages, Creds(PAIRED.me, PAIRED.lid, 813, 813, True))
    assert (plan.tier, plan.remove_count, plan.guarded_pre_keys) == (Tier.NORMAL, 0, 762)
    assert (plan.files, plan.counted_before, plan.level_before) == (913, 151, Level.WARNING)
    assert verdicts["pre-key-1.json"].reason is Reason.PRE_KEY_GUARDED
    assert verdicts["pre-key-763.json"].reason is Reason.PRE_KEY_NEWEST


def test_what_the_guard_holds_back_stays_in_an_emergency_too() -> None:
    leftovers = {f"pre-key-{number}.json": days(1) for number in range(1, 813, 8)}
    uploaded = {f"pre-key-{number}.json": days(1) for number in range(813, 853)}
    plan, verdicts = planned(leftovers | uploaded | many(140), Creds(PAIRED.me, PAIRED.lid, 853, 853, True))
    assert plan.tier is Tier.EMERGENCY
    gone = {name for unit in plan.removals for name in unit}
    assert plan.guarded_pre_keys == 92
    assert gone == {f"pre-key-{number}.json" for number in range(813, 823)}
    guarded = {name for name, verdict in verdicts.items() if verdict.reason is Reason.PRE_KEY_GUARDED}
    assert guarded == set(leftovers)


def test_without_the_guard_everything_counts() -> None:
    ages = {f"pre-key-{number}.json": days(1) for number in range(1, 813)}
    plan, _ = planned(ages, policy=Policy(pre_key_guard=False))
    assert (plan.guarded_pre_keys, plan.counted_before, plan.remove_count) == (0, 813, 762)
    assert plan.level_before is Level.DANGER
    assert plan.level_after is Level.HEALTHY


@pytest.mark.parametrize(
    ("counted", "level"),
    [
        (0, Level.HEALTHY),
        (149, Level.HEALTHY),
        (150, Level.WARNING),
        (169, Level.WARNING),
        (170, Level.CRITICAL),
        (174, Level.CRITICAL),
        (175, Level.TRIGGER),
        (179, Level.TRIGGER),
        (180, Level.EMERGENCY),
        (185, Level.EMERGENCY),
        (186, Level.DANGER),
        (100_000, Level.DANGER),
    ],
)
def test_a_number_of_counted_files_has_its_level(counted: int, level: Level) -> None:
    assert level_of(counted, Thresholds()) is level


# --- holds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", CredsState)
def test_without_readable_creds_nothing_goes(problem: CredsState) -> None:
    ages = {"session-1.0.json": days(30), PEER_KEY: days(30), MEMORY: days(30)}
    ages |= many(300, "pre-key-{}.json")
    plan, verdicts = planned(ages, problem)
    assert plan.removals == ()
    assert plan.holds == (PolicyHold.CREDS,)
    assert plan.cost == Cost()
    assert verdicts["session-1.0.json"].reason is Reason.HELD
    assert verdicts["pre-key-299.json"].reason is Reason.HELD


@pytest.mark.parametrize(
    "creds",
    [
        PAIRED._replace(paired=False),
        PAIRED._replace(me=None, paired=False),
        PAIRED._replace(lacks="noiseKey"),
        PAIRED._replace(of_a_bot=False),
    ],
    ids=["of no device", "of nobody", "without a key of the identity", "in a form that is not known"],
)
def test_nothing_goes_where_creds_do_not_tell_of_the_login_that_the_files_are_of(creds: Creds) -> None:
    plan, verdicts = planned({"session-1.0.json": days(15), PEER_KEY: days(4)}, creds)
    assert (plan.remove_count, plan.holds) == (0, (PolicyHold.CREDS,))
    assert {one.reason for name, one in verdicts.items() if name != "creds.json"} == {Reason.HELD}


def test_a_folder_that_waits_for_its_pairing_is_no_trouble() -> None:
    plan, _ = planned({"sender-key-memory-1@g.us.json": days(15)}, PAIRED._replace(paired=False))
    assert plan.holds == ()


def test_a_large_upload_counts_as_little_without_readable_creds_as_with_them() -> None:
    upload = {f"pre-key-{number}.json": days(1) for number in range(1, 813)}
    held, verdicts = planned(upload, CredsState.EMPTY)
    whole, _ = planned(upload)
    assert held.counted_before == held.counted_after == whole.counted_before == 51
    assert (held.level_before, held.level_after) == (Level.HEALTHY, Level.HEALTHY)
    assert verdicts["pre-key-1.json"].reason is Reason.PRE_KEY_GUARDED
    unguarded, _ = planned(upload, CredsState.EMPTY, Policy(pre_key_guard=False))
    assert unguarded.counted_before == 813


@pytest.mark.parametrize(
    ("newest", "held"),
    [
        (days(365), False),
        (days(365) + MICROSECOND, True),
        (days(-1), False),
        (days(-1) - MICROSECOND, True),
        (days(0), False),
    ],
)
def test_a_clock_that_cannot_be_right_stops_removal_by_age_alone(newest: timedelta, held: bool) -> None:
    ages = {f"pre-key-{number}.json": newest for number in range(1, 52)}
    ages |= {"creds.json": newest, "session-1.0.json": days(500), MEMORY: days(500)}
    # That the bot was off is no question of the clock.
    ages["session-2.0.json"] = newest if held else days(0.5)
    plan, verdicts = planned(ages)
    assert (plan.holds == (PolicyHold.CLOCK,)) == held
    assert verdicts["pre-key-1.json"].remove
    assert verdicts["session-1.0.json"].remove is verdicts[MEMORY].remove is not held
    assert verdicts["session-1.0.json"].reason is (Reason.HELD if held else Reason.OLD)


@pytest.mark.parametrize("name", ["creds.json", "session-2.0.json", PEER_KEY, MEMORY])
def test_one_file_from_the_future_is_enough_to_doubt_the_clock(name: str) -> None:
    assert removed({"session-1.0.json": days(500), name: days(-2)}) == set()


# --- cost ---------------------------------------------------------------------------------------------------


def test_the_cost_counts_contacts_group_senders_and_offered_pre_keys() -> None:
    ages = {"session-1.0.json": days(15), "session-1_1.0.json": days(15), "session-2.0.json": days(1)}
    ages |= {PEER_KEY: days(4), OWN_KEY: days(4), MEMORY: days(4)}
    ages |= {f"pre-key-{number}.json": days(1) for number in range(1, 81)}
    plan, _ = planned(ages)
    assert plan.cost == Cost(contacts=2, group_senders=1, pre_keys=30)


def test_with_lids_what_nobody_uses_any_more_costs_nothing() -> None:
    """Baileys 7 looks sessions up by a LID that it knows, and a group that has moved is not sent to by number."""
    by_lid = f"sender-key-{GROUP}--270990000000001_1--0.json"
    ages = {"session-1.0.json": days(15), "session-2.0.json": days(15), "session-3_1.0.json": days(15)}
    ages |= {PEER_KEY: days(5), by_lid: days(4), "device-list-2.json": days(15)}
    assert planned(ages)[0].cost == Cost(contacts=3, group_senders=2)
    plan, _ = planned(ages | {"lid-mapping-1.json": days(15)})
    assert plan.remove_count == 5
    assert plan.cost == Cost(contacts=2, group_senders=1)
    # nobody else's mapping tells where session-1 is looked for
    other = planned(ages | {"lid-mapping-4.json": days(15), "lid-mapping-2.json": days(15)})[0]
    assert other.cost == Cost(contacts=3, group_senders=1)


def test_leftover_pre_keys_cost_what_the_server_may_have_kept_of_them() -> None:
    """When an upload is due, the server has five or fewer of all before it; which ones nothing tells."""
    ages = {f"pre-key-{number}.json": days(1) for number in (*range(1, 200, 7), *range(400, 450))}
    plan, _ = planned(ages)
    assert plan.remove_count == 29
    assert plan.cost == Cost(pre_keys=5)
    assert plan.pre_keys_if_replaced == 0


def test_a_removed_key_whose_owner_cannot_be_told_is_a_cost_too() -> None:
    nobody = Creds(None, None, None, None, True)
    plan, _ = planned({PEER_KEY: days(4)}, nobody)
    assert (plan.remove_count, plan.cost.group_senders) == (1, 1)
    plan, _ = planned({PEER_KEY: days(4)}, nobody, owned_by_content={PEER_KEY: True})
    assert (plan.remove_count, plan.cost.group_senders) == (1, 0)


def test_pre_keys_removed_beside_guarded_ones_cost_what_they_may() -> None:
    ages = {f"pre-key-{number}.json": days(1) for number in range(782, 862)} | {"lid-mapping-1.json": days(1)}
    policy = Policy(normal=Limits(days(14), days(3), 30))
    plan, _ = planned(ages, Creds(PAIRED.me, PAIRED.lid, 813, None, True), policy)
    assert plan.guarded_pre_keys == 30  # 782 to 811; 812 is the id looked for at login
    assert plan.remove_count == 19
    assert plan.cost.pre_keys == 19, "80 ids in a row are an upload, whatever part of it goes"


# --- the plan as a whole ------------------------------------------------------------------------------------


def test_the_bytes_to_free_are_those_of_the_removed_files() -> None:
    plan, _ = planned({"session-1.0.json": days(15), "session-2.0.json": days(1), PEER_KEY: days(4)})
    assert plan.bytes_to_free == 200
    assert plan.removed_by_kind == {Kind.SESSION: 1, Kind.SENDER_KEY: 1}
    assert plan.by_kind == {Kind.CREDS: 1, Kind.SESSION: 2, Kind.SENDER_KEY: 1}


def test_explaining_the_removed_files_alone_leaves_out_the_others() -> None:
    folder = facts({"session-1.0.json": days(15), "session-2.0.json": days(1)})
    plan = plan_cleanup(folder, POLICY, NOW)
    assert [verdict.name for verdict in explain(folder, plan, NOW, kept=False)] == ["session-1.0.json"]


def test_every_verdict_names_the_kind_that_the_name_says() -> None:
    _, verdicts = planned(dict.fromkeys(KEPT_AT_ANY_AGE, days(300)) | emergency_folder(200))
    assert all(verdict.kind is kind_of(name) for name, verdict in verdicts.items())
    assert not any(verdict.remove for verdict in verdicts.values() if verdict.kind in PROTECTED)
