"""The trigger's decision: levels by table, cooldowns by property, and whose word about the past counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cleanup.rules.plan import CleanupPlan, PolicyHold, Tier
from baileys_tools.cleanup.rules.trigger import (
    CLOCK_TOLERANCE,
    CRON_SLACK,
    Past,
    Rules,
    TriggerAction,
    TriggerDecision,
    TriggerReason,
    advice,
    decide,
    last_cleanup,
    remainder,
)
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.thresholds import Level

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
RULES = Rules()
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def plan(counted: int, remove: int = 40, *, guarded: int = 0, staying: int = 20) -> CleanupPlan:
    """A plan for a folder of `counted` counted files, `staying` of them LID mappings, the others sessions."""
    return CleanupPlan(
        removals=(),
        exceptions={},
        tier=Tier.NORMAL,
        by_kind={Kind.LID_MAPPING: staying, Kind.SESSION: counted - staying, Kind.PRE_KEY: guarded},
        guarded_pre_keys=guarded,
        removed_by_kind={Kind.SESSION: remove} if remove else {},
        bytes_to_free=0,
        level_before=Level.HEALTHY,
        level_after=Level.HEALTHY,
        cost=Cost(),
    )


def at(counted: int, past: Past | None = None, rules: Rules = RULES) -> TriggerDecision:
    return decide(plan(counted), rules, past or Past(), NOW)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("counted", "hours_ago", "action", "why"),
    [
        (0, None, TriggerAction.LEAVE, TriggerReason.BELOW),
        (174, None, TriggerAction.LEAVE, TriggerReason.BELOW),
        (175, None, TriggerAction.CLEAN, TriggerReason.DUE),
        (184, None, TriggerAction.CLEAN, TriggerReason.DUE),
        (185, None, TriggerAction.EMERGENCY, TriggerReason.DUE),
        (900, None, TriggerAction.EMERGENCY, TriggerReason.DUE),
        (175, 0.0, TriggerAction.LEAVE, TriggerReason.COOLING_DOWN),
        (184, 5.9, TriggerAction.LEAVE, TriggerReason.COOLING_DOWN),
        (175, 6.0, TriggerAction.CLEAN, TriggerReason.DUE),
        (185, 0.4, TriggerAction.LEAVE, TriggerReason.COOLING_DOWN),
        (185, 0.5, TriggerAction.EMERGENCY, TriggerReason.DUE),
        (174, 0.0, TriggerAction.LEAVE, TriggerReason.BELOW),
    ],
)
def test_by_count_and_cooldown(
    counted: int, hours_ago: float | None, action: TriggerAction, why: TriggerReason
) -> None:
    past = Past() if hours_ago is None else Past(finished=ago(hours_ago))
    decision = at(counted, past)
    assert (decision.action, decision.why) == (action, why)
    assert decision.doubt == ""


def test_what_waits_says_since_when_and_until_when() -> None:
    assert at(180, Past(finished=ago(2)))[2:4] == (ago(2), ago(-4))
    assert at(190, Past(finished=NOW - 10 * MINUTE))[2:4] == (NOW - 10 * MINUTE, NOW + 20 * MINUTE)


@pytest.mark.parametrize("counted", [175, 190])
def test_a_held_folder_and_one_with_nothing_to_remove_are_left(counted: int) -> None:
    held = plan(counted, 0)._replace(holds=(PolicyHold.CREDS,))
    assert decide(held, RULES, Past(), NOW).why is TriggerReason.HELD
    assert decide(plan(counted, 0), RULES, Past(), NOW).why is TriggerReason.NOTHING_TO_REMOVE


def test_for_emergencies_alone_nothing_less_is_cleaned() -> None:
    rules = Rules(clean_from=None, emergency_from=180)
    assert at(179, rules=rules).why is TriggerReason.BELOW
    assert at(180, rules=rules).action is TriggerAction.EMERGENCY


@given(st.integers(175, 300), st.integers(0, 24 * 3600))
def test_never_twice_within_a_cooldown_and_always_after_it(counted: int, seconds: int) -> None:
    elapsed = timedelta(seconds=seconds)
    decision = at(counted, Past(finished=NOW - elapsed))
    limit = 30 * MINUTE if counted >= 185 else 6 * HOUR
    assert (decision.action is TriggerAction.LEAVE) == (elapsed < limit - CRON_SLACK)
    assert timedelta() < CRON_SLACK <= MINUTE / 2


# --- whose word counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("past", "last"),
    [
        (Past(), None),
        (Past(finished=ago(2)), ago(2)),
        # Whoever cleaned by hand meanwhile does not make the trigger's own cooldown longer.
        (Past(finished=ago(7), quarantined=ago(1)), ago(7)),
        # A state that knows nothing of the company: new, or lost.
        (Past(quarantined=ago(1)), ago(1)),
        # Killed at work: what it left in quarantine is no reason to wait.
        (Past(begun=ago(1), quarantined=ago(1)), None),
        (Past(begun=ago(1), quarantined=ago(1) - timedelta(milliseconds=900)), None),
        (Past(finished=ago(8), begun=ago(1), quarantined=ago(1)), ago(8)),
        # Killed long ago, and cleaned by somebody else since.
        (Past(begun=ago(5), quarantined=ago(1)), ago(1)),
        # The state is not written any more: it may be older than the quarantine.
        (Past(finished=ago(8), quarantined=ago(1), is_remembered=False), ago(1)),
        (Past(finished=ago(1), quarantined=ago(3), is_remembered=False), ago(1)),
    ],
)
def test_when_the_cooldown_began(past: Past, last: datetime | None) -> None:
    assert last_cleanup(past, NOW) == (last, "")


@pytest.mark.parametrize("counted", [175, 190])
def test_a_cleanup_in_the_future_is_not_trusted_and_that_is_said(counted: int) -> None:
    decision = at(counted, Past(finished=NOW + HOUR))
    assert decision.action is not TriggerAction.LEAVE
    assert "2026-01-15 13:00 UTC" in decision.doubt
    assert "still to come" in decision.doubt


def test_a_clock_that_is_seconds_off_is_no_doubt() -> None:
    decision = at(175, Past(finished=NOW + CLOCK_TOLERANCE))
    assert (decision.why, decision.doubt) == (TriggerReason.COOLING_DOWN, "")


def test_with_a_clock_set_back_the_quarantine_still_counts() -> None:
    decision = at(175, Past(finished=NOW + 9 * HOUR, quarantined=ago(1)))
    assert decision.why is TriggerReason.COOLING_DOWN
    assert decision.doubt


def test_without_memory_and_without_traces_only_an_emergency_is_cleaned() -> None:
    lost = Past(is_remembered=False, leaves_traces=False)
    assert at(184, lost).why is TriggerReason.NOT_REMEMBERED
    assert at(185, lost).action is TriggerAction.EMERGENCY
    assert at(185, lost, Rules(blind=False)).why is TriggerReason.NOT_REMEMBERED
    assert at(184, lost._replace(leaves_traces=True)).action is TriggerAction.CLEAN


MOMENTS = st.none() | st.integers(-48 * 60, 120).map(lambda minutes: NOW + timedelta(minutes=minutes))


@given(MOMENTS, MOMENTS, MOMENTS, st.booleans())
def test_no_past_lets_a_finished_cleanup_be_repeated_within_its_cooldown(
    finished: datetime | None, begun: datetime | None, quarantined: datetime | None, is_remembered: bool
) -> None:
    decision = at(190, Past(finished, begun, quarantined, is_remembered))
    if finished is not None and timedelta() <= NOW - finished < 29 * MINUTE:
        assert decision.action is TriggerAction.LEAVE
    if decision.last is not None:
        assert decision.last <= NOW + CLOCK_TOLERANCE
        assert decision.last in (finished, quarantined)


# --- what would help ----------------------------------------------------------------------------------------


def test_what_stays_is_told_apart() -> None:
    rest = remainder(plan(300, 40, guarded=762, staying=180))
    assert rest == ({Kind.LID_MAPPING: 180}, 80, 762)


def test_advice_is_given_only_where_cleaning_cannot_help() -> None:
    assert advice(plan(214, 40), 175) == ""
    told = advice(plan(230, 40, guarded=762, staying=180), 175)
    assert told.startswith(
        "cleaning leaves 190 counted files, 175 or more: 180 are of kinds that always stay"
    )
    assert "(lid-mapping 180)" in told
    assert "10 are in use and go when they are old" in told
    assert "762 guarded pre-keys besides do not count" in told
    assert "thresholds.count: removable" in told
    assert "reset" not in told, "a pasted hint would cost a login that works"
    soon = advice(plan(300, 40, staying=60), 175)
    assert soon.endswith(
        "200 are in use and go when they are old. Cleaning helps again once those in use are old."
    )
    assert "reset" not in soon
    assert "logout" not in told.lower(), "nobody knows that a full folder is a danger"
