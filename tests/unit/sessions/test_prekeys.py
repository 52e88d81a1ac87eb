"""Which pre-keys a folder can spare: the limit, its two exceptions, and the guard over large uploads."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Set
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.sessions.rules.prekeys import (
    Evidence,
    PreKeyPool,
    PreKeyRule,
    apply_pre_key_rule,
    dense_runs,
)
from tests import oracle


def rule(
    ids: Iterable[int],
    next_id: int | None = None,
    first_unuploaded_id: int | None = None,
    *,
    version_7: bool = False,
    keep: int = 50,
    guard: bool = True,
) -> PreKeyRule:
    return apply_pre_key_rule(
        PreKeyPool(list(ids), next_id, first_unuploaded_id, version_7), keep, guard=guard
    )


def numbers(first: int, last: int) -> set[int]:
    return set(range(first, last + 1))


# --- dense runs ---------------------------------------------------------------------------------------------


@given(
    st.sets(st.integers(1, 120), max_size=80) | st.sets(st.integers(1, 30), max_size=30),
    st.integers(1, 40),
)
def test_dense_runs_are_what_looking_at_every_window_finds(ids: set[int], length: int) -> None:
    assert dense_runs(ids, length) == oracle.ids_in_dense_windows(ids, length)


@given(st.data())
def test_dense_runs_around_the_guards_own_length(data: st.DataObject) -> None:
    low, span = data.draw(st.integers(1, 50)), data.draw(st.integers(195, 205))
    there = data.draw(st.integers(span // 2 - 3, span // 2 + 3))
    inside = data.draw(st.sets(st.integers(low + 1, low + span - 2), min_size=there - 2, max_size=there - 2))
    leftovers = data.draw(st.sets(st.integers(low + 260, low + 900), max_size=30))
    ids = inside | leftovers | {low, low + span - 1}
    assert dense_runs(ids, 200) == oracle.ids_in_dense_windows(ids, 200)


def test_exactly_half_is_not_dense_and_one_more_is() -> None:
    half = set(range(1, 200, 2)) | {200}
    half.discard(3)
    assert len(half) == 100
    assert dense_runs(half, 200) == frozenset()
    assert dense_runs(half | {2}, 200) == half | {2}


def test_a_run_just_too_short_is_not_dense() -> None:
    assert dense_runs(numbers(1, 199), 200) == frozenset()
    assert dense_runs(numbers(1, 200), 200) == numbers(1, 200)


# --- the limit and its exceptions ---------------------------------------------------------------------------


def test_the_fifty_highest_of_eighty_stay() -> None:
    found = rule(numbers(1, 80), 81, 81)
    assert found.removed == numbers(1, 30)
    assert found.guarded == found.kept_last == found.kept_unuploaded == frozenset()


@pytest.mark.parametrize(("there", "removed"), [(0, 0), (49, 0), (50, 0), (51, 1), (52, 2)])
def test_the_limit_is_fifty_files(there: int, removed: int) -> None:
    assert rule(numbers(1, there)).removed == numbers(1, removed)


def test_order_is_by_number_and_not_by_text() -> None:
    ids = [9, 10, 99, 100, 101]
    assert rule(ids, keep=2).removed == {9, 10, 99}


def test_the_id_that_baileys_looks_for_at_login_stays() -> None:
    found = rule(numbers(1, 80), next_id=11)
    assert found.kept_last == {10}
    assert found.removed == numbers(1, 30) - {10}


def test_ids_that_the_server_has_yet_to_get_stay() -> None:
    found = rule(numbers(1, 80), next_id=81, first_unuploaded_id=21)
    assert found.kept_unuploaded == numbers(21, 30)
    assert found.removed == numbers(1, 20)


def test_without_counters_there_is_no_exception() -> None:
    assert rule(numbers(1, 80)).removed == numbers(1, 30)


# --- the batch guard ----------------------------------------------------------------------------------------

SPARSE = set(range(3, 1_500, 7))
DRAINED = set(range(1, 813, 8))
OVER = set(sorted(DRAINED)[:-50])


@pytest.mark.parametrize(
    ("ids", "arguments", "removed", "guarded"),
    [
        pytest.param(
            numbers(1, 812), {"next_id": 813, "version_7": True}, set(), numbers(1, 762), id="freshly paired"
        ),
        pytest.param(numbers(1, 812), {}, set(), numbers(1, 762), id="freshly paired, creds silent"),
        pytest.param(
            numbers(1, 812), {"guard": False, "version_7": True}, numbers(1, 762), set(), id="guard off"
        ),
        pytest.param(numbers(1, 819), {"next_id": 820}, set(), numbers(1, 769), id="a few uploads on top"),
        pytest.param(
            DRAINED, {"next_id": 813, "version_7": True}, set(), OVER, id="pairing batch nearly drained"
        ),
        pytest.param(
            DRAINED, {"next_id": 863, "version_7": True}, set(), OVER, id="50 uploaded since pairing"
        ),
        pytest.param(
            DRAINED, {"next_id": 864, "version_7": True}, OVER, set(), id="51 uploaded since pairing"
        ),
        pytest.param(DRAINED, {"next_id": 813}, OVER, set(), id="no sign of Baileys 7"),
        pytest.param(
            DRAINED, {"next_id": 812, "version_7": True}, OVER, set(), id="counter before the batch's end"
        ),
        pytest.param(
            DRAINED, {"next_id": 813, "version_7": True, "guard": False}, OVER, set(), id="drained, guard off"
        ),
        pytest.param(
            SPARSE,
            {"next_id": 1_501, "version_7": True},
            set(sorted(SPARSE)[:-50]),
            set(),
            id="leftovers of a long life",
        ),
        pytest.param(
            SPARSE | numbers(5_000, 5_811),
            {"next_id": 5_812, "version_7": True},
            SPARSE,
            numbers(5_000, 5_761),
            id="uploaded anew, leftovers below",
        ),
        pytest.param(numbers(1, 180) | numbers(9_001, 9_050), {}, numbers(1, 180), set(), id="180 in a row"),
        pytest.param(numbers(1, 200) | numbers(9_001, 9_050), {}, set(), numbers(1, 200), id="200 in a row"),
    ],
)
def test_the_guard_keeps_a_large_upload_and_nothing_else(
    ids: set[int], arguments: dict[str, Any], removed: set[int], guarded: set[int]
) -> None:
    found = rule(ids, **arguments)
    assert found.guarded == guarded
    assert found.removed == removed


@given(
    st.sets(st.integers(1, 900), max_size=300),
    st.none() | st.integers(0, 900),
    st.none() | st.integers(0, 900),
    st.booleans(),
    st.booleans(),
    st.sampled_from([30, 50]),
)
def test_every_id_has_exactly_one_fate(
    ids: set[int], next_id: int | None, first: int | None, version_7: bool, guard: bool, keep: int
) -> None:
    found = rule(ids, next_id, first, version_7=version_7, guard=guard, keep=keep)
    fates = [found.removed, found.guarded, found.kept_last, found.kept_unuploaded]
    decided = [number for fate in fates for number in fate]
    assert len(decided) == len(set(decided))
    assert set(sorted(ids, reverse=True)[:keep]).isdisjoint(decided)
    assert set(decided) == set(sorted(ids, reverse=True)[keep:])
    assert next_id is None or next_id - 1 not in found.removed
    assert first is None or all(number < first for number in found.removed)
    assert guard or not found.guarded


# --- times, by a second opinion -----------------------------------------------------------------------------


def timed_pools(count: int) -> Iterator[tuple[PreKeyPool, int]]:
    """Folders over the limit: random ids, written in random bursts at random times; and a limit."""
    rng = random.Random(14)
    while count:
        tree = oracle.random_tree(rng, oracle.OraclePolicy(), 50 * oracle.DAY)
        written = {
            oracle.pre_key_id(file.name): file.mtime_ns
            for file in tree.files
            if oracle.kind_of(file.name) == "pre-key"
        }
        keep = rng.choice((30, 33, 50))
        if len(written) <= keep:
            continue
        begins = rng.choice((0.0, 0.1, 0.4, 0.8))
        moment = 0
        for pre_key_id in sorted(written):
            if rng.random() < begins:
                soon = moment + rng.randrange(3, 13) * oracle.SECOND
                moment = rng.choice((soon, rng.randrange(50 * oracle.DAY)))
            if begins:
                written[pre_key_id] = moment
        next_id = rng.choice((None, 813, max(written) + 1, max(written) + 1))
        yield PreKeyPool(list(written), next_id, next_id, rng.random() < 0.6, written), keep
        count -= 1


def test_a_second_cleanup_finds_nothing_whatever_the_times() -> None:
    removed = 0
    for pool, keep in timed_pools(600):
        found = apply_pre_key_rule(pool, keep, guard=True)
        left = pool._replace(ids=[i for i in pool.ids if i not in found.removed])
        again = apply_pre_key_rule(left, keep, guard=True)
        assert (again.removed, again.guarded) == (frozenset(), found.guarded), (pool, keep)
        removed += bool(found.removed)
    assert removed > 150


def test_guard_and_cost_are_what_the_description_says() -> None:
    for pool, keep in timed_pools(600):
        creds = {"nextPreKeyId": pool.next_id, "firstUnuploadedPreKeyId": pool.first_unuploaded_id}

        def judged(gone: Set[int], pool: PreKeyPool = pool, creds: dict[str, Any] = creds) -> oracle.PreKeys:
            written = {i: at for i, at in pool.written.items() if i not in gone}
            return oracle.PreKeys(written, creds, seven=pool.topped_up_by_fives)

        found = apply_pre_key_rule(pool, keep, guard=True)
        assert found.guarded == oracle.guarded_at_last(oracle.pre_keys_to_go(pool.ids, keep, creds), judged)
        assert Evidence(pool).offered_among(found.removed).if_extended == judged(set()).cost(
            set(found.removed)
        )
