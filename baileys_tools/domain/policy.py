"""The cleanup policy: which files of a session folder go, which stay, and why.

Pure: facts in, a plan out. The plan has a verdict with a reason for every file and says what carrying it out
costs in messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.domain.creds import Creds, CredsProblem
from baileys_tools.domain.folder import FolderFacts, count_by_kind
from baileys_tools.domain.keyfiles import PROTECTED, KeyFile, Kind
from baileys_tools.domain.prekeys import PreKeyPool, PreKeyRule, apply_pre_key_rule, still_offered
from baileys_tools.domain.senderkeys import Owner, own_units
from baileys_tools.domain.thresholds import Level, Thresholds, level_of


class Reason(StrEnum):
    """Why a file stays or goes."""

    PROTECTED = "protected"
    KIND_KEPT = "kind-kept"
    UNKNOWN = "unknown"
    YOUNG = "young"
    UNIT_YOUNG = "unit-young"
    PRE_KEY_NEWEST = "pre-key-newest"
    PRE_KEY_LAST = "pre-key-last"
    PRE_KEY_NOT_UPLOADED = "pre-key-not-uploaded"
    PRE_KEY_GUARDED = "pre-key-guarded"
    HELD = "held"
    OLD = "old"
    PRE_KEY_OVER_LIMIT = "pre-key-over-limit"


class Hold(StrEnum):
    """Why rules were not applied to a folder."""

    CREDS = "creds"
    """`creds.json` is missing or cannot be read: nothing is removed."""
    CLOCK = "clock"
    """The clock cannot be right for these files: nothing is removed by age."""


class Tier(StrEnum):
    """Which limits a plan was made with."""

    NORMAL = "normal"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too old, and how many pre-keys are enough."""

    session_max_age: timedelta
    sender_key_max_age: timedelta
    pre_keys_keep: int


EMERGENCY_FLOOR = Limits(timedelta(days=7), timedelta(days=1), 30)
"""The strictest limits there are; no setting goes below them."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a cleanup. `emergency` applies while `thresholds.danger` or more counted files remain."""

    normal: Limits = Limits(timedelta(days=14), timedelta(days=3), 50)
    emergency: Limits = EMERGENCY_FLOOR
    pre_key_guard: bool = True
    thresholds: Thresholds = Thresholds()


class Verdict(NamedTuple):
    """The decision on one file. `age_ns` is None for kinds that age does not matter for."""

    file: KeyFile
    remove: bool
    reason: Reason
    age_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs, in messages that are late by one resend.

    `contacts`: session addresses whose next message needs a resend if the contact writes first (nothing is
    lost if the bot does). `group_senders`: (group, sender) pairs whose next group message does.
    `pre_keys`: removed pre-keys that the server may still hand out; a new chat that gets one starts late.
    """

    contacts: int = 0
    group_senders: int = 0
    pre_keys: int = 0


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """What a cleanup of one folder does. `removals` are units in order: a unit goes whole or stays."""

    verdicts: Sequence[Verdict]
    removals: Sequence[tuple[KeyFile, ...]]
    tier: Tier
    files: int
    by_kind: Mapping[Kind, int]
    guarded_pre_keys: int
    bytes_to_free: int
    level_before: Level
    level_after: Level
    cost: Cost
    holds: tuple[Hold, ...] = ()

    @property
    def remove_count(self) -> int:
        """How many files go."""
        return sum(map(len, self.removals))

    def without_kept(self) -> CleanupPlan:
        """Return this plan with verdicts for the removed files alone, to hold a large run in little memory."""
        return replace(self, verdicts=[verdict for verdict in self.verdicts if verdict.remove])

    @property
    def counted_before(self) -> int:
        """Files that count for the thresholds: all but guarded pre-keys."""
        return self.files - self.guarded_pre_keys

    @property
    def counted_after(self) -> int:
        """The same once the plan is carried out."""
        return self.counted_before - self.remove_count


FUTURE_LIMIT = timedelta(days=1)
"""A file further ahead than this cannot be: the clock is behind."""

PAST_LIMIT = timedelta(days=365)
"""A folder whose newest file is older than this cannot be alive (an idle session dies after about 30 days):
either the clock is ahead, or there is nothing left to keep tidy."""


def plan_cleanup(folder: FolderFacts, policy: Policy, now: datetime) -> CleanupPlan:
    """Given the facts of a folder, return the plan of a cleanup at `now` (aware).

    The normal limits apply; if `thresholds.danger` or more counted files would remain, the emergency limits.
    """
    if isinstance(folder.creds, CredsProblem):
        return _keep_everything(folder, policy)
    plan = _plan_tier(folder, folder.creds, policy, Tier.NORMAL, now)
    if plan.counted_after < policy.thresholds.danger:
        return plan
    emergency = _plan_tier(folder, folder.creds, policy, Tier.EMERGENCY, now)
    return emergency if emergency.remove_count > plan.remove_count else plan


def _keep_everything(folder: FolderFacts, policy: Policy) -> CleanupPlan:
    level = level_of(len(folder.files), policy.thresholds)
    return CleanupPlan(
        verdicts=[_kept_by_kind(file) or Verdict(file, False, Reason.HELD) for file in folder.files],
        removals=(),
        tier=Tier.NORMAL,
        files=len(folder.files),
        by_kind=count_by_kind(folder.files),
        guarded_pre_keys=0,
        bytes_to_free=0,
        level_before=level,
        level_after=level,
        cost=Cost(),
        holds=(Hold.CREDS,),
    )


def _plan_tier(folder: FolderFacts, creds: Creds, policy: Policy, tier: Tier, now: datetime) -> CleanupPlan:
    limits = policy.normal if tier is Tier.NORMAL else policy.emergency
    now_ns = _nanoseconds(now)
    clock_holds = clock_is_implausible(folder, now_ns)
    by_age = _AgeRule(folder, now_ns, held=clock_holds)
    pool = pre_key_pool(folder, creds)
    pre_keys = apply_pre_key_rule(pool, limits.pre_keys_keep, guard=policy.pre_key_guard)
    units, owners = own_units(folder, creds)

    verdicts: list[Verdict] = []
    removals: list[tuple[KeyFile, ...]] = []
    contacts = group_senders = 0
    session_limit = _in_nanoseconds(limits.session_max_age)
    sender_key_limit = _in_nanoseconds(limits.sender_key_max_age)
    for file in folder.files:
        kind = file.kind
        if kind is Kind.SESSION:
            verdict = by_age.verdict(file, session_limit)
            contacts += verdict.remove
        elif kind is Kind.PRE_KEY:
            verdict = _pre_key_verdict(file, pre_keys)
        elif kind is Kind.SENDER_KEY and owners[file.name] is Owner.PEER:
            verdict = by_age.verdict(file, sender_key_limit)
            group_senders += verdict.remove
        else:
            kept = _kept_by_kind(file)
            if kept is None:
                continue  # part of a unit, decided below
            verdict = kept
        verdicts.append(verdict)
        if verdict.remove:
            removals.append((file,))
    for unit in units.values():
        decided = _unit_verdicts(unit, by_age, sender_key_limit)
        verdicts += decided
        if decided[0].remove:
            removals.append(tuple(unit))
            group_senders += sum(owners.get(file.name) is Owner.UNTOLD for file in unit)

    guarded = pre_keys.guarded
    if tier is Tier.EMERGENCY:
        guarded = apply_pre_key_rule(pool, policy.normal.pre_keys_keep, guard=policy.pre_key_guard).guarded
    counted = len(folder.files) - len(guarded)
    return CleanupPlan(
        verdicts=verdicts,
        removals=removals,
        tier=tier,
        files=len(folder.files),
        by_kind=count_by_kind(folder.files),
        guarded_pre_keys=len(guarded),
        bytes_to_free=sum(folder.stats[file.name].size for unit in removals for file in unit),
        level_before=level_of(counted, policy.thresholds),
        level_after=level_of(counted - sum(map(len, removals)), policy.thresholds),
        cost=Cost(contacts, group_senders, len(still_offered(pre_keys.removed, pool, limits.pre_keys_keep))),
        holds=(Hold.CLOCK,) if clock_holds else (),
    )


class _AgeRule:
    """Judges files by age, at one moment, in one folder."""

    def __init__(self, folder: FolderFacts, now_ns: int, *, held: bool) -> None:
        self._stats = folder.stats
        self._now_ns = now_ns
        self._held = held

    def verdict(self, file: KeyFile, limit_ns: int) -> Verdict:
        # A file from the future is of age 0: the safe side.
        age_ns = max(0, self._now_ns - self._stats[file.name].mtime_ns)
        if age_ns <= limit_ns:
            return Verdict(file, False, Reason.YOUNG, age_ns)
        if self._held:
            return Verdict(file, False, Reason.HELD, age_ns)
        return Verdict(file, True, Reason.OLD, age_ns)


def _unit_verdicts(unit: list[KeyFile], by_age: _AgeRule, limit_ns: int) -> list[Verdict]:
    alone = [by_age.verdict(file, limit_ns) for file in unit]
    if all(verdict.remove for verdict in alone):
        return alone
    return [
        Verdict(verdict.file, False, Reason.UNIT_YOUNG, verdict.age_ns) if verdict.remove else verdict
        for verdict in alone
    ]


def _pre_key_verdict(file: KeyFile, rule: PreKeyRule) -> Verdict:
    pre_key_id = int(file.key_id)
    if pre_key_id in rule.removed:
        return Verdict(file, True, Reason.PRE_KEY_OVER_LIMIT)
    if pre_key_id in rule.guarded:
        return Verdict(file, False, Reason.PRE_KEY_GUARDED)
    if pre_key_id in rule.kept_last:
        return Verdict(file, False, Reason.PRE_KEY_LAST)
    if pre_key_id in rule.kept_unuploaded:
        return Verdict(file, False, Reason.PRE_KEY_NOT_UPLOADED)
    return Verdict(file, False, Reason.PRE_KEY_NEWEST)


_KEPT_KINDS = {kind: Reason.PROTECTED for kind in PROTECTED} | {
    Kind.IDENTITY_KEY: Reason.KIND_KEPT,
    Kind.DEVICE_LIST: Reason.KIND_KEPT,
    Kind.TCTOKEN: Reason.KIND_KEPT,
    Kind.UNKNOWN: Reason.UNKNOWN,
}


def _kept_by_kind(file: KeyFile) -> Verdict | None:
    reason = _KEPT_KINDS.get(file.kind)
    return None if reason is None else Verdict(file, False, reason)


def pre_key_pool(folder: FolderFacts, creds: Creds) -> PreKeyPool:
    """Given a folder, return its pre-keys with what creds say of them."""
    kinds = {file.kind for file in folder.files}
    return PreKeyPool(
        ids=[int(file.key_id) for file in folder.files if file.kind is Kind.PRE_KEY],
        next_id=creds.next_pre_key_id,
        first_unuploaded_id=creds.first_unuploaded_pre_key_id,
        # Kinds that only Baileys 7 writes.
        topped_up_by_fives=not kinds.isdisjoint({Kind.LID_MAPPING, Kind.DEVICE_LIST, Kind.IDENTITY_KEY}),
    )


def clock_is_implausible(folder: FolderFacts, now_ns: int) -> bool:
    """Given a folder and the time, return whether they cannot belong together.

    True when the newest file seen is over a day in the future, or over a year old.
    """
    newest = max((stat.mtime_ns for stat in folder.stats.values()), default=now_ns)
    return not -_in_nanoseconds(FUTURE_LIMIT) <= now_ns - newest <= _in_nanoseconds(PAST_LIMIT)


def _nanoseconds(moment: datetime) -> int:
    return _in_nanoseconds(moment - _EPOCH)


def _in_nanoseconds(length: timedelta) -> int:
    return (length.days * 86_400 + length.seconds) * 1_000_000_000 + length.microseconds * 1_000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
