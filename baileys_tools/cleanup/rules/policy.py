"""The cleanup policy: which files of a session folder go, which stay, and why.

Pure: facts in, a plan out. The plan has a verdict with a reason for every file and says what carrying it out
costs in messages.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import NamedTuple, Self

from baileys_tools.cleanup.rules.cost import Cost, senders_missed, sessions_missed
from baileys_tools.sessions.rules.clock import clock_is_implausible, in_nanoseconds, nanoseconds
from baileys_tools.sessions.rules.counting import guarded_pre_keys, pre_key_pool
from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, UNCOUNTED, Kind
from baileys_tools.sessions.rules.prekeys import (
    FEWEST_KEPT,
    PreKeyRule,
    apply_pre_key_rule,
    still_offered,
)
from baileys_tools.sessions.rules.senderkeys import is_memory, sort_by_owner
from baileys_tools.sessions.rules.silence import (
    Seen,
    Silence,
    last_write,
    lived_ago,
    rewritten,
    silences,
)
from baileys_tools.thresholds import Level, Thresholds, level_of


class Reason(StrEnum):
    """Why a file stays or goes."""

    PROTECTED = "protected"
    KIND_KEPT = "kind-kept"
    UNKNOWN = "unknown"
    YOUNG = "young"
    UNIT_YOUNG = "unit-young"
    MEMORY_FIRST = "memory-first"
    """An own sender-key whose memory goes: the key follows in a later run, if no memory has come back."""
    CLEANED_JUST_NOW = "cleaned-just-now"
    """An own sender-key whose memory may have gone while a message was being sent."""
    PRE_KEY_NEWEST = "pre-key-newest"
    PRE_KEY_LAST = "pre-key-last"
    PRE_KEY_NOT_UPLOADED = "pre-key-not-uploaded"
    PRE_KEY_GUARDED = "pre-key-guarded"
    HELD = "held"
    OLD = "old"
    PRE_KEY_OVER_LIMIT = "pre-key-over-limit"


class PolicyHold(StrEnum):
    """Why rules were not applied to a folder."""

    CREDS = "creds"
    """`creds.json` is missing or cannot be read: nothing is removed."""
    CLOCK = "clock"
    """The clock cannot be right for these files: nothing is removed by age."""
    SILENT = "silent"
    """The bot is off: nothing is removed until it writes again."""


DOUBTS = frozenset({PolicyHold.CREDS, PolicyHold.CLOCK})
"""Holds that say that something is wrong here. That a bot is off is no fault of the folder."""


class Tier(StrEnum):
    """Which limits a plan was made with."""

    NORMAL = "normal"
    EMERGENCY = "emergency"


class Limits(NamedTuple):
    """What is too old, and how many pre-keys are enough."""

    session_max_age: timedelta
    sender_key_max_age: timedelta
    pre_keys_keep: int


EMERGENCY_FLOOR = Limits(timedelta(days=7), timedelta(days=1), FEWEST_KEPT)
"""The strictest limits there are; no setting goes below them."""


KEY_WAITS = timedelta(minutes=10)
"""How long after a cleanup no own sender-key goes. A send reads the memory, asks the server for devices and bundles,
and then reads the key (`Socket/messages-send.js`: `relayMessage`); Baileys gives each question 60 seconds."""


class Policy(NamedTuple):
    """The rules of a cleanup. `emergency` applies while `thresholds.danger` or more counted files remain.

    A folder in which nothing was written for longer than `silence` is held; with 0, none is.
    """

    normal: Limits = Limits(timedelta(days=14), timedelta(days=3), 50)
    emergency: Limits = EMERGENCY_FLOOR
    pre_key_guard: bool = True
    thresholds: Thresholds = Thresholds()
    silence: timedelta = timedelta(days=3)


class Verdict(NamedTuple):
    """The decision on one file. `age_ns` is the time since its last write, None for kinds that age does not matter for.

    Of that time the bot was off for `silent_ns`, which do not count.
    """

    name: str
    kind: Kind
    remove: bool
    reason: Reason
    age_ns: int | None = None
    silent_ns: int = 0


class CleanupPlan(NamedTuple):
    """What a cleanup of one folder does. `removals` are units in order: a unit goes whole or stays.

    `exceptions` are the files that stay for another reason than their kind's usual one. `explain` spells out
    a verdict for every file. `emergency_would_leave` is how many counted files even the emergency limits would
    leave, where that is too many for them to be applied. `cost.pre_keys` holds if an upload extends what the server
    hands out, `pre_keys_if_replaced` if it replaces it: which of the two is not known. `silences` are the times in
    which the bot was off, as far as they were asked for; `own_keys_to_follow` are own sender-keys of which the memory
    goes now, and they in a later run.
    """

    removals: Sequence[tuple[str, ...]]
    exceptions: Mapping[str, Reason]
    tier: Tier
    by_kind: Mapping[Kind, int]
    guarded_pre_keys: int
    removed_by_kind: Mapping[Kind, int]
    bytes_to_free: int
    level_before: Level
    level_after: Level
    cost: Cost
    pre_keys_if_replaced: int = 0
    holds: tuple[PolicyHold, ...] = ()
    emergency_would_leave: int | None = None
    silences: tuple[Silence, ...] = ()
    own_keys_to_follow: int = 0

    def in_numbers(self) -> Self:
        """Return the plan without the names of files: what a large run keeps of it."""
        return self._replace(removals=(), exceptions={})

    @property
    def files(self) -> int:
        """All keys and other files of the folder, but for kinds that do not count."""
        return sum(count for kind, count in self.by_kind.items() if kind not in UNCOUNTED)

    @property
    def remove_count(self) -> int:
        """How many files go."""
        return sum(self.removed_by_kind.values())

    @property
    def counted_before(self) -> int:
        """Files that count for the thresholds: all but guarded pre-keys."""
        return self.files - self.guarded_pre_keys

    @property
    def counted_after(self) -> int:
        """The same once the plan is carried out."""
        return self.counted_before - self.remove_count

    @property
    def counted_at_last(self) -> int:
        """The same once a later run has taken the own sender-keys that follow their memories."""
        return self.counted_after - self.own_keys_to_follow

    @property
    def is_in_doubt(self) -> bool:
        """Whether something is wrong with the folder or the clock, so that rules could not be applied."""
        return not DOUBTS.isdisjoint(self.holds)

    @property
    def goes_by_age(self) -> bool:
        """Whether the age of a file decides that it goes, or silences that none does."""
        return bool(self.silences) or any(kind is not Kind.PRE_KEY for kind in self.removed_by_kind)


class Known(NamedTuple):
    """What is known beside the folder: observations of the bot, and when a cleanup of the folder began last."""

    seen: Sequence[Seen] = ()
    cleaned: datetime | None = None


_NOTHING_KNOWN = Known()


def plan_cleanup(
    folder: FolderFacts, policy: Policy, now: datetime, known: Known = _NOTHING_KNOWN
) -> CleanupPlan:
    """Given the facts of a folder and what is known beside, return the plan of a cleanup at `now` (aware).

    The normal limits apply; if `thresholds.danger` or more counted files would remain, the emergency limits,
    provided that they bring the folder below. Where they cannot, being strict would cost messages every day
    and gain nothing: most files of a busy Baileys 7 folder are of kinds that always stay.
    """
    if isinstance(folder.creds, CredsState):
        return _keep_everything(folder, policy)
    plan = _plan_tier(folder, folder.creds, policy, Tier.NORMAL, now, known)
    if not plan.holds and _is_silent(folder, policy, known.seen, now):
        return _hold(plan)
    if plan.holds or plan.counted_at_last < policy.thresholds.danger:
        return plan
    emergency = _plan_tier(folder, folder.creds, policy, Tier.EMERGENCY, now, known)
    # Pre-keys that go where the guard is off are no reason to be strict with the rest.
    judged = emergency
    if not policy.pre_key_guard:
        guarded = policy._replace(pre_key_guard=True)
        judged = _plan_tier(folder, folder.creds, guarded, Tier.EMERGENCY, now, known)
    if judged.counted_at_last < policy.thresholds.danger:
        return emergency
    return plan._replace(emergency_would_leave=judged.counted_at_last)


def _keep_everything(folder: FolderFacts, policy: Policy) -> CleanupPlan:
    guarded = guarded_pre_keys(folder, policy.normal.pre_keys_keep, guard=policy.pre_key_guard)
    level = level_of(folder.file_count - len(guarded), policy.thresholds)
    held = {name: Reason.HELD for kind in REMOVABLE for name in folder.of(kind)}
    return CleanupPlan(
        removals=(),
        exceptions=held | {f"pre-key-{i}.json": Reason.PRE_KEY_GUARDED for i in guarded},
        tier=Tier.NORMAL,
        by_kind={kind: len(names) for kind, names in folder.names.items()},
        guarded_pre_keys=len(guarded),
        removed_by_kind={},
        bytes_to_free=0,
        level_before=level,
        level_after=level,
        cost=Cost(),
        # A folder with nothing in it yet is no trouble.
        holds=(PolicyHold.CREDS,) if folder.names else (),
    )


def _is_silent(folder: FolderFacts, policy: Policy, seen: Sequence[Seen], now: datetime) -> bool:
    now_ns, limit_ns = nanoseconds(now), in_nanoseconds(policy.silence)
    creds = folder.stats.get("creds.json")
    if not limit_ns or (creds is not None and now_ns - creds.st_mtime_ns <= limit_ns):
        return False
    last_ns = last_write(folder, seen, now_ns)
    return last_ns is not None and now_ns - last_ns > limit_ns


def _hold(plan: CleanupPlan) -> CleanupPlan:
    """Return the plan of a folder whose bot is off: what would go by count or age stays."""
    return plan._replace(
        removals=[],
        exceptions={**plan.exceptions, **{name: Reason.HELD for unit in plan.removals for name in unit}},
        removed_by_kind={},
        bytes_to_free=0,
        level_after=plan.level_before,
        cost=Cost(),
        pre_keys_if_replaced=0,
        holds=(PolicyHold.SILENT,),
        own_keys_to_follow=0,
    )


def _plan_tier(
    folder: FolderFacts, creds: Creds, policy: Policy, tier: Tier, now: datetime, known: Known
) -> CleanupPlan:
    limits = policy.normal if tier is Tier.NORMAL else policy.emergency
    by_age = _AgeRule(folder, now, known)
    sender_keys = sort_by_owner(
        folder.of(Kind.SENDER_KEY), folder.of(Kind.SENDER_KEY_MEMORY), creds, folder.owned_by_content
    )
    pool = pre_key_pool(folder, creds)
    rule = apply_pre_key_rule(pool, limits.pre_keys_keep, guard=policy.pre_key_guard)

    sessions = by_age.old(folder.of(Kind.SESSION), limits.session_max_age)
    peers = by_age.old(sender_keys.peers, limits.sender_key_max_age)
    units = by_age.old_units(sender_keys.units, limits.sender_key_max_age)
    # A pre-key that is no plain file has no stat and stays.
    pre_keys = [name for i in sorted(rule.removed) if (name := f"pre-key-{i}.json") in folder.stats]

    offered = still_offered(rule.removed, pool)
    unit_files = [name for unit in units for name in unit]
    removed = [*pre_keys, *sessions, *peers, *unit_files]
    memories = sum(map(is_memory, unit_files))
    removed_by_kind = {
        Kind.PRE_KEY: len(pre_keys),
        Kind.SESSION: len(sessions),
        Kind.SENDER_KEY: len(peers) + len(unit_files) - memories,
        Kind.SENDER_KEY_MEMORY: memories,
    }
    guarded = rule.guarded
    if tier is Tier.EMERGENCY:
        guarded = apply_pre_key_rule(pool, policy.normal.pre_keys_keep, guard=policy.pre_key_guard).guarded
    counted = folder.file_count - len(guarded)
    return CleanupPlan(
        removals=[*zip(chain(pre_keys, sessions, peers)), *units],
        exceptions=by_age.exceptions | _pre_key_exceptions(rule),
        tier=tier,
        by_kind={kind: len(names) for kind, names in folder.names.items()},
        guarded_pre_keys=len(guarded),
        removed_by_kind={kind: count for kind, count in removed_by_kind.items() if count},
        bytes_to_free=sum([folder.stats[name].st_size for name in removed]),
        level_before=level_of(counted, policy.thresholds),
        level_after=level_of(counted - len(removed), policy.thresholds),
        cost=Cost(
            contacts=sessions_missed(folder, sessions),
            group_senders=senders_missed(folder, peers) + len(sender_keys.untold.intersection(unit_files)),
            pre_keys=offered.if_extended,
        ),
        pre_keys_if_replaced=offered.if_replaced,
        holds=(PolicyHold.CLOCK,) if by_age.held else (),
        silences=by_age.silences,
        own_keys_to_follow=by_age.own_keys_to_follow,
    )


class _AgeRule:
    """Finds what is too old in one folder at one moment, and notes why old files stay."""

    def __init__(self, folder: FolderFacts, now: datetime, known: Known) -> None:
        self._folder = folder
        self._past = known
        self._now_ns = nanoseconds(now)
        self._cleaned_just_now = known.cleaned is not None and abs(now - known.cleaned) < KEY_WAITS
        self._silences: tuple[Silence, ...] | None = None
        self.held = clock_is_implausible(folder, self._now_ns)
        self.exceptions: dict[str, Reason] = {}
        self.own_keys_to_follow = 0

    @property
    def silences(self) -> tuple[Silence, ...]:
        """When the bot was off, as far as it was asked: most folders hold nothing that is old at all."""
        return self._silences or ()

    def old(self, names: Sequence[str], limit: timedelta) -> list[str]:
        """Return the files last used longer ago than `limit`; none while the clock is in doubt."""
        # A file from the future is newer than any limit: the safe side.
        oldest_ns = self._now_ns - in_nanoseconds(limit)
        stats = self._folder.stats
        old = [name for name in names if stats[name].st_mtime_ns < oldest_ns]
        if self.held:
            self.exceptions |= dict.fromkeys(old, Reason.HELD)
            return []
        if old and self._silences is None:
            self._silences = silences(rewritten(self._folder), self._past.seen, self._now_ns)
        if old and self._silences:
            oldest_ns = lived_ago(self._silences, in_nanoseconds(limit), self._now_ns)
            old = [name for name in old if stats[name].st_mtime_ns < oldest_ns]
        return old

    def old_units(self, units: Sequence[tuple[str, ...]], limit: timedelta) -> list[tuple[str, ...]]:
        """Return what goes of the units of which every file is too old: the memory alone, and keys without one.

        A bot that is sending has read the memory and will read the key. With the key gone meanwhile it makes a new
        one, and tells nobody whom the memory names; with the memory gone nothing happens.
        """
        old = set(self.old([name for unit in units for name in unit], limit))
        whole = [unit for unit in units if old.issuperset(unit)]
        self.exceptions |= dict.fromkeys(old.difference(*whole), Reason.UNIT_YOUNG)
        going = []
        for unit in whole:
            if is_memory(unit[0]):
                going.append(unit[:1])
                self.own_keys_to_follow += len(unit) - 1
                self.exceptions |= dict.fromkeys(unit[1:], Reason.MEMORY_FIRST)
            elif self._cleaned_just_now:
                self.exceptions |= dict.fromkeys(unit, Reason.CLEANED_JUST_NOW)
            else:
                going.append(unit)
        return going


def _pre_key_exceptions(rule: PreKeyRule) -> dict[str, Reason]:
    reasons = (
        (rule.guarded, Reason.PRE_KEY_GUARDED),
        (rule.kept_last, Reason.PRE_KEY_LAST),
        (rule.kept_unuploaded, Reason.PRE_KEY_NOT_UPLOADED),
    )
    return {f"pre-key-{i}.json": reason for ids, reason in reasons for i in ids}
