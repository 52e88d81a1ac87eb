"""Whether a full folder is cleaned now, or its cooldown is waited for.

Pure: how many files count, what is known of earlier cleanups, and `now` give a decision with its reason.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.cleanup.rules.plan import CleanupPlan
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, UNCOUNTED, Kind
from baileys_tools.sessions.rules.prekeys import FEWEST_KEPT

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far ahead a time may lie and still be believed: clocks are set by seconds all the time."""

CRON_SLACK = timedelta(seconds=30)
"""Cron starts a command seconds late, now more, now less. Without slack every second run at the length of the
cooldown would come a second too early and be wasted."""


class TriggerAction(StrEnum):
    """What is done about a folder."""

    LEAVE = "leave"
    CLEAN = "clean"
    EMERGENCY = "emergency"
    """Cleaned whatever the long cooldown says."""


class TriggerReason(StrEnum):
    """The reason of a decision."""

    BELOW = "below"
    """Too few files for a cleanup."""
    DUE = "due"
    COOLING_DOWN = "cooling-down"
    NOT_REMEMBERED = "not-remembered"
    """Nothing tells when it was cleaned last, and nothing would tell the next run of this cleanup."""
    HELD = "held"
    """The policy removes nothing while creds.json is broken or the clock is in doubt."""
    SILENT = "silent"
    """The bot is off, and what waits for it needs every key."""
    NOTHING_TO_REMOVE = "nothing-to-remove"
    CONNECTED = "connected"
    """Its bot is connected, and `cleanup.when_connected` says skip."""


class Rules(NamedTuple):
    """From how many counted files on a folder is cleaned, and how long it then rests.

    `clean_from` None: for emergencies alone. `blind` allows an emergency cleanup where nothing is remembered of
    the last one: right for whoever is started every 30 minutes at most, wrong for who comes each minute.
    """

    clean_from: int | None = 175
    emergency_from: int = 185
    cooldown: timedelta = timedelta(hours=6)
    emergency_cooldown: timedelta = timedelta(minutes=30)
    blind: bool = True


class Past(NamedTuple):
    """What is known of earlier cleanups of a company.

    `finished` is when the last one began that `trigger` brought to its end, `begun` when one began at all: later
    than `finished`, it was killed. `quarantined` is the newest cleanup, whoever ran it, that the folder's own
    quarantine shows. `is_remembered` is false when the state will not be there at the next run, and may be old;
    `leaves_traces` whether a cleanup leaves something in the quarantine.
    """

    finished: datetime | None = None
    begun: datetime | None = None
    quarantined: datetime | None = None
    is_remembered: bool = True
    leaves_traces: bool = True


class TriggerDecision(NamedTuple):
    """What is done and why. `last` is the cleanup that the cooldown counts from, `again` when it ends.

    `doubt` says what of the past was not believed, "" when nothing.
    """

    action: TriggerAction
    why: TriggerReason
    last: datetime | None = None
    again: datetime | None = None
    doubt: str = ""


def decide(plan: CleanupPlan, rules: Rules, past: Past, now: datetime) -> TriggerDecision:
    """Given what a cleanup would do in a folder and what is known of earlier ones, decide whether it runs now."""
    counted = plan.counted_before
    is_emergency = counted >= rules.emergency_from
    if not is_emergency and (rules.clean_from is None or counted < rules.clean_from):
        return TriggerDecision(TriggerAction.LEAVE, TriggerReason.BELOW)
    if plan.holds:
        return TriggerDecision(
            TriggerAction.LEAVE, TriggerReason.HELD if plan.is_in_doubt else TriggerReason.SILENT
        )
    if not plan.remove_count:
        return TriggerDecision(TriggerAction.LEAVE, TriggerReason.NOTHING_TO_REMOVE)
    last, doubt = last_cleanup(past, now)
    cooldown = rules.emergency_cooldown if is_emergency else rules.cooldown
    if last is not None and now - last < cooldown - CRON_SLACK:
        return TriggerDecision(TriggerAction.LEAVE, TriggerReason.COOLING_DOWN, last, last + cooldown, doubt)
    if not past.is_remembered and not past.leaves_traces and not (is_emergency and rules.blind):
        return TriggerDecision(TriggerAction.LEAVE, TriggerReason.NOT_REMEMBERED, last, None, doubt)
    return TriggerDecision(
        TriggerAction.EMERGENCY if is_emergency else TriggerAction.CLEAN, TriggerReason.DUE, last, None, doubt
    )


def last_cleanup(past: Past, now: datetime) -> tuple[datetime | None, str]:
    """Given what is known, return when the cooldown began (None: never), and what was not believed.

    The state's word counts where it knows the company and can be relied on. Else the quarantine tells, so that a
    state that was lost does not let the same cooldown pass twice; but not of a cleanup that was killed, which must
    not keep the next one from finishing the work. A time in the future is not believed: the clock has moved.
    """
    doubt = ""
    for moment in (past.finished, past.quarantined):
        if moment is not None and not _believed(moment, now):
            doubt = (
                f"its last cleanup is noted for {moment:%Y-%m-%d %H:%M} UTC, which is still to come: the clock has "
                "moved, so that is not trusted"
            )
            break
    finished = past.finished if _believed(past.finished, now) else None
    traced = past.quarantined if _believed(past.quarantined, now) else None
    if finished is not None and past.is_remembered:
        return finished, doubt
    if traced is not None and _was_killed(past, traced):
        traced = None
    return max((moment for moment in (finished, traced) if moment is not None), default=None), doubt


def _believed(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now + CLOCK_TOLERANCE


def _was_killed(past: Past, traced: datetime) -> bool:
    """Whether the cleanup that left the trace is one that `trigger` began and did not end."""
    if past.begun is None or (past.finished is not None and past.finished >= past.begun):
        return False
    # Runs are named to the second.
    return abs(traced - past.begun) < timedelta(seconds=2)


class Remainder(NamedTuple):
    """Why a folder stays full: counted files by kind that no cleanup removes, others that are too young to go,
    and pre-keys that the server still hands out, which do not count."""

    staying: Mapping[Kind, int]
    young: int
    guarded_pre_keys: int


def remainder(plan: CleanupPlan) -> Remainder:
    """Given the plan of a folder, return what it leaves and why."""
    counts = plan.counts
    staying = {
        kind: count
        for kind, count in plan.by_kind.items()
        if kind not in REMOVABLE | UNCOUNTED and count and (counts is None or kind in counts)
    }
    left = sum(count for kind, count in plan.by_kind.items() if kind in REMOVABLE)
    young = left - plan.guarded_pre_keys - plan.remove_count
    return Remainder(
        dict(sorted(staying.items(), key=lambda item: -item[1])), max(0, young), plan.guarded_pre_keys
    )


def advice(plan: CleanupPlan, clean_from: int) -> str:
    """Given a plan, say why it leaves `clean_from` counted files or more and what would help; "" when it does not."""
    if plan.counted_after < clean_from:
        return ""
    rest = remainder(plan)
    kinds = ", ".join(f"{kind.value} {count:,}" for kind, count in list(rest.staying.items())[:3])
    stay = f"{sum(rest.staying.values()):,} are of kinds that always stay ({kinds})"
    parts = [f"cleaning leaves {plan.counted_after:,} counted files, {clean_from} or more: {stay}"]
    if rest.young:
        parts.append(f"{rest.young:,} are in use and go when they are old")
    if rest.guarded_pre_keys:
        parts.append(
            f"{rest.guarded_pre_keys:,} guarded pre-keys besides do not count: the bot removes each when a new "
            "chat uses it"
        )
    if sum(rest.staying.values()) + FEWEST_KEPT < clean_from:
        return "; ".join(parts) + ". Cleaning helps again once those in use are old."
    return "; ".join(parts) + (
        ". A working session is no worse for it: where such folders are normal, raise the thresholds, for this company "
        "alone under companies in the settings file, or count only what a rule removes (thresholds.count: removable)."
    )
