"""Which snapshots stay: by table, and 100,000 random histories against a second opinion written apart."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from baileys_tools.sessions.rules.snapshot import BEFORE_TAG, IMPORT_TAG, SnapshotInfo
from baileys_tools.snapshots.rules.retention import Keep, Retention, plan_retention

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
OFF = Retention(0, timedelta(), 0, 0, 0, 0, minimum=1, keep_tagged=0)


def snapshot(sequence: int, taken_at: datetime, *, damaged: bool = False, tag: str = "") -> SnapshotInfo:
    return SnapshotInfo(
        "1001", f"{sequence:08d}", sequence, taken_at, tag, "0" * 32, 1, encrypted=False, damaged=damaged
    )


def every_hour(count: int) -> list[SnapshotInfo]:
    return [snapshot(number, NOON + timedelta(hours=number)) for number in range(1, count + 1)]


def kept(snapshots: list[SnapshotInfo], policy: Retention) -> list[int]:
    return sorted(found.snapshot.sequence for found in plan_retention(snapshots, policy) if found.keep)


def with_rules(**rules: int | timedelta) -> Retention:
    values = {name: getattr(OFF, name) for name in OFF.__slots__} | rules
    return Retention(**values)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"keep_last": 4}, [97, 98, 99, 100]),
        ({"keep_last": 1, "minimum": 3}, [98, 99, 100]),
        ({"keep_within": timedelta(hours=2)}, [98, 99, 100]),
        ({"keep_hourly": 3}, [98, 99, 100]),
        # Noon and 100 hours is 16:00 on the 19th: the newest of each day is the one of 23:00.
        ({"keep_daily": 3}, [59, 83, 100]),
        ({"keep_weekly": 2}, [83, 100]),
        ({"keep_monthly": 5}, [100]),
        ({"keep_last": 2, "keep_daily": 2}, [83, 99, 100]),
    ],
)
def test_each_rule_keeps_the_newest_of_its_periods(rules, expected):
    assert kept(every_hour(100), with_rules(**rules)) == expected


def test_an_empty_policy_removes_nothing():
    decisions = plan_retention(every_hour(5), OFF)
    assert [found.reasons for found in decisions] == [(Keep.NO_POLICY,)] * 5


def test_an_empty_listing_is_an_empty_plan():
    assert plan_retention([], Retention()) == []


def test_within_counts_from_the_newest_snapshot_and_not_from_now():
    old = [snapshot(number, NOON - timedelta(days=900 - number)) for number in range(1, 6)]
    assert kept(old, with_rules(keep_within=timedelta(days=2))) == [3, 4, 5]


def test_the_order_is_that_of_taking_whatever_the_clock_said():
    history = [
        snapshot(1, NOON + timedelta(days=3650)),
        snapshot(2, NOON),
        snapshot(3, datetime(1970, 1, 1, tzinfo=UTC)),
    ]
    assert kept(history, with_rules(keep_last=1)) == [3]


def test_damaged_snapshots_fill_no_place():
    history = [snapshot(number, NOON, damaged=number > 3) for number in range(1, 20)]
    decisions = plan_retention(history, with_rules(keep_last=2))
    reasons = {found.snapshot.sequence: found.reasons for found in decisions}
    assert Keep.NEWEST_GOOD in reasons[3]
    assert Keep.LAST in reasons[2]
    assert reasons[1] == ()
    # Nothing whole follows them yet, so they may hold what is needed.
    assert all(reasons[number] == (Keep.LAST_RESORT,) for number in range(4, 20))


def test_a_damaged_snapshot_goes_once_enough_whole_ones_follow():
    history = [snapshot(1, NOON, damaged=True), *(snapshot(number, NOON) for number in (2, 3, 4))]
    assert kept(history, with_rules(keep_last=9, minimum=3)) == [2, 3, 4]
    assert kept(history[:3], with_rules(keep_last=9, minimum=3)) == [1, 2, 3]


def test_an_import_is_older_than_all_others_whenever_it_was_taken_in():
    history = [snapshot(1, NOON), snapshot(2, NOON + timedelta(days=9), tag=IMPORT_TAG)]
    assert kept(history, with_rules(keep_last=1)) == [1]


def test_what_a_folder_was_before_a_restore_takes_the_place_of_no_good_snapshot():
    before = [snapshot(number, NOON, tag=BEFORE_TAG) for number in range(2, 40)]
    assert kept([snapshot(1, NOON), *before], Retention()) == list(range(1, 40))
    assert kept([snapshot(1, NOON), *before], with_rules(keep_last=1)) == list(range(1, 40))


def test_what_a_folder_was_before_a_restore_goes_once_no_rule_has_a_place_left():
    before, later = snapshot(1, NOON, tag=BEFORE_TAG), every_hour(30)[5:]
    assert 1 in kept([before, *later[:11]], with_rules(keep_last=12))
    assert 1 not in kept([before, *later[:12]], with_rules(keep_last=12))
    assert 1 in kept([before, *later], with_rules(keep_last=2, keep_within=timedelta(hours=30)))
    assert 1 in kept([before, *later[10:]], with_rules(keep_daily=4))
    assert 1 not in kept([before, *later], with_rules(keep_daily=4)), "the day has a good one"


def test_a_busy_bot_pushes_out_neither_a_tag_nor_the_folder_before_a_restore():
    five_minutes = timedelta(minutes=5)
    history = [
        snapshot(1, NOON, tag="before-update"),
        snapshot(2, NOON + five_minutes, tag=BEFORE_TAG),
        *(snapshot(number, NOON + number * five_minutes) for number in range(3, 300)),
    ]
    reasons = {found.snapshot.sequence: found.reasons for found in plan_retention(history, Retention())}
    assert reasons[1] == reasons[2] == (Keep.TAGGED,)
    assert not {1, 2} & set(kept(history, Retention(keep_tagged=0)))


def test_what_is_kept_for_its_tag_is_bounded_and_each_sort_has_places_of_its_own():
    history = [snapshot(number, NOON, tag="nightly") for number in range(1, 11)]
    history += [snapshot(number, NOON, tag=BEFORE_TAG) for number in range(11, 21)]
    history += [snapshot(number, NOON, tag=IMPORT_TAG) for number in range(21, 31)]
    history += [snapshot(number, NOON) for number in range(31, 41)]
    assert kept(history, with_rules(keep_last=1, keep_tagged=2)) == [9, 10, 19, 20, 40]


# --- the second opinion -------------------------------------------------------------------------------------


def second_opinion(history: list[SnapshotInfo], policy: Retention) -> set[int]:
    """Indices into `history` that stay. Set by set from the rules' words; shares nothing with the code."""
    rules = (
        policy.keep_last,
        policy.keep_within,
        policy.keep_hourly,
        policy.keep_daily,
        policy.keep_weekly,
        policy.keep_monthly,
    )
    everything = set(range(len(history)))
    if not any(rules):
        return everything

    def later(one: int, other: int) -> bool:
        a, b = history[one], history[other]
        if (a.tag == "import") != (b.tag == "import"):
            return b.tag == "import"
        return a.sequence > b.sequence

    whole = {index for index in everything if not history[index].damaged}
    good = {index for index in whole if history[index].tag != "pre-restore"}
    newer = {index: {other for other in good if later(other, index)} for index in everything}
    least = max(1, policy.minimum)
    stays = {index for index in everything - whole if len(newer[index]) < least}
    stays |= {index for index in whole if len(newer[index]) < max(least, policy.keep_last)}
    for sort in (lambda tag: tag == "pre-restore", lambda tag: tag not in ("", "import", "pre-restore")):
        tagged = sorted(index for index in whole if sort(history[index].tag))
        tagged.sort(key=lambda index: history[index].sequence, reverse=True)
        stays |= set(tagged[: policy.keep_tagged])
    newest = next((index for index in good if not newer[index]), None)
    if newest is None:
        return stays
    if policy.keep_within:
        reach = history[newest].taken_at - policy.keep_within
        stays |= {index for index in whole if history[index].taken_at >= reach}
    for places, form in (
        (policy.keep_hourly, "%Y-%m-%d %H"),
        (policy.keep_daily, "%Y-%m-%d"),
        (policy.keep_weekly, "%G-%V"),
        (policy.keep_monthly, "%Y-%m"),
    ):
        label = {index: history[index].taken_at.strftime(form) for index in whole}
        heads = {index for index in whole if not any(label[other] == label[index] for other in newer[index])}
        stays |= {index for index in heads if len(heads & newer[index]) < places}
    return stays


def random_history(chance: random.Random) -> list[SnapshotInfo]:
    """Snapshots with gaps, equal times, clocks gone wrong, damage, imports and folders as they were."""
    moment = NOON
    history = []
    sequence = chance.randrange(1, 1000)
    step = chance.choice([60, 300, 3600, 40_000, 900_000])
    for _ in range(chance.randrange(0, 14)):
        sequence += chance.choice([1, 1, 1, 2, 50])
        moment += timedelta(seconds=chance.choice([0, step, step, chance.randrange(step * 3 + 1)]))
        taken = moment
        if chance.random() < 0.06:
            taken = chance.choice(
                [datetime(1970, 1, 1, tzinfo=UTC), moment + timedelta(days=3650), moment - timedelta(days=2)]
            )
        history.append(
            snapshot(
                sequence,
                taken,
                damaged=chance.random() < 0.15,
                tag=chance.choices([IMPORT_TAG, BEFORE_TAG, "v2", "v3", ""], [8, 12, 6, 6, 68])[0],
            )
        )
    return history


def random_policy(chance: random.Random) -> Retention:
    def places() -> int:
        return chance.choice([0, 0, 1, 2, 3, 5])

    within = chance.choice([0, 0, 3600, 90_000])
    return Retention(
        *(places(), timedelta(seconds=within), places(), places(), places(), places()),
        minimum=chance.choice([1, 3, 4]),
        keep_tagged=places(),
    )


def test_two_thousand_histories_agree_with_the_second_opinion():
    agree(random.Random(), 2_000)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_histories_a_seed_agree_with_the_second_opinion(seed):
    agree(random.Random(seed), 10_000)


def agree(chance: random.Random, histories: int) -> None:
    removed = 0
    for _ in range(histories):
        history, policy = random_history(chance), random_policy(chance)
        shuffled = chance.sample(history, len(history))
        decisions = plan_retention(shuffled, policy)
        stays = {found.snapshot.file for found in decisions if found.keep}
        expected = {history[index].file for index in second_opinion(history, policy)}
        assert stays == expected, (history, policy)
        good = [info for info in history if info.good]
        assert len([info for info in good if info.file in stays]) >= min(policy.minimum, len(good))
        removed += len(history) - len(stays)
    assert removed > histories


def test_a_plan_that_was_carried_out_has_nothing_left_to_remove():
    chance = random.Random(99)
    for _ in range(500):
        history, policy = random_history(chance), random_policy(chance)
        stays = [found.snapshot for found in plan_retention(history, policy) if found.keep]
        assert all(found.keep for found in plan_retention(stays, policy))


# --- pins ---------------------------------------------------------------------------------------------------


def pinned(info: SnapshotInfo, hours: int) -> SnapshotInfo:
    return replace(info, kept_until=NOON + timedelta(hours=hours))


def test_a_pinned_snapshot_stays_whatever_the_rules_say():
    listing = [snapshot(1, NOON), *every_hour(100)[1:]]
    listing[4] = pinned(listing[4], 1_000)
    assert kept(listing, with_rules(keep_last=1)) == [5, 100]
    reasons = {found.snapshot.sequence: found.reasons for found in plan_retention(listing, OFF_BUT_LAST)}
    assert reasons[5] == (Keep.PINNED,)


def test_a_pin_ends_with_the_first_snapshot_after_its_time():
    listing = every_hour(10)
    listing[2] = pinned(listing[2], 9)
    assert kept(listing[:8], OFF_BUT_LAST) == [3, 8]
    assert kept(listing, OFF_BUT_LAST) == [10]


def test_a_pinned_snapshot_that_is_damaged_stays():
    listing = every_hour(10)
    listing[2] = replace(pinned(listing[2], 1_000), damaged=True)
    assert kept(listing, OFF_BUT_LAST) == [3, 10]


def test_a_pin_takes_nobody_elses_place():
    listing = every_hour(10)
    plain = kept(listing, with_rules(keep_last=3))
    listing[0] = pinned(listing[0], 1_000)
    assert kept(listing, with_rules(keep_last=3)) == [1, *plain]


OFF_BUT_LAST = with_rules(keep_last=1)
