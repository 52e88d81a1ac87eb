"""The cleanup policy: which files of a session folder go, which stay, and why.

Pure: facts in, a plan out. The plan has a verdict with a reason for every file and says what carrying it out
costs in messages.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from baileys_tools.cleanup.rules.ages import AgeRule
from baileys_tools.cleanup.rules.cost import Cost, senders_missed, sessions_missed
from baileys_tools.cleanup.rules.plan import CleanupPlan, Known, PolicyHold, Reason, Tier
from baileys_tools.limits import Gentle, Limits, Policy
from baileys_tools.sessions.rules.clock import in_nanoseconds, nanoseconds
from baileys_tools.sessions.rules.counting import counted_kinds, guarded_pre_keys, pre_key_pool
from baileys_tools.sessions.rules.creds import Creds, CredsState, fit_the_files
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import KEYS_BY_AGE, REMOVED_BY_DEFAULT, Kind, pre_key_ids
from baileys_tools.sessions.rules.prekeys import Evidence, PreKeyRule
from baileys_tools.sessions.rules.senderkeys import is_memory, sort_by_owner
from baileys_tools.sessions.rules.silence import Seen, last_write, rewritten, silences
from baileys_tools.sessions.rules.unused import unused
from baileys_tools.thresholds import level_of

UNTIL_SPARE = 10
"""How far below `cleanup.until` a cleanup goes, so that not every run has a file to remove."""

_NOTHING_KNOWN = Known()


def plan_cleanup(
    folder: FolderFacts, policy: Policy, now: datetime, known: Known = _NOTHING_KNOWN
) -> CleanupPlan:
    """Given the facts of a folder and what is known beside, return the plan of a cleanup at `now` (aware).

    The normal limits apply, and the gentle rules. If `thresholds.danger` or more counted files would remain, more is
    done step by step until fewer do: without the gentle rules; with what no session uses any more, which costs nobody a
    message; by the emergency limits. Where not even those would do, being strict would cost messages every day and gain
    nothing (most files of a busy Baileys 7 folder are of kinds that always stay), so only what costs nothing is done.
    """
    if isinstance(folder.creds, CredsState) or not fit_the_files(folder.creds, folder.names):
        return _keep_everything(folder, policy)
    danger = policy.thresholds.danger
    plan = _plan_tier(folder, folder.creds, policy, Tier.NORMAL, now, known)
    if not plan.holds and _is_silent(folder, policy, known.seen, now):
        return _hold(plan)
    if plan.holds or plan.counted_at_last < danger:
        return plan
    plain = policy._replace(gentle=Gentle())
    if plain != policy:
        found = _plan_tier(folder, folder.creds, plain, Tier.NORMAL, now, known)
        if found.counted_at_last < danger:
            return found
    for tier in (Tier.UNUSED, Tier.EMERGENCY):
        found = judged = _plan_tier(folder, folder.creds, plain, tier, now, known)
        if not policy.pre_key_guard:
            # Pre-keys that go where the guard is off are no reason to be strict with the rest.
            guarded = plain._replace(pre_key_guard=True)
            judged = _plan_tier(folder, folder.creds, guarded, tier, now, known)
        if judged.counted_at_last < danger:
            return found
    free = _plan_tier(folder, folder.creds, policy, Tier.UNUSED, now, known)
    return free._replace(emergency_would_leave=judged.counted_at_last)


def _keep_everything(folder: FolderFacts, policy: Policy) -> CleanupPlan:
    guarded = guarded_pre_keys(folder, policy.normal.pre_keys_keep, guard=policy.pre_key_guard)
    uncounted = policy.thresholds.uncounted(counted_kinds(folder).items())
    level = level_of(folder.file_count - uncounted - len(guarded), policy.thresholds)
    held = {name: Reason.HELD for kind in REMOVED_BY_DEFAULT for name in folder.of(kind)}
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
        counts=policy.thresholds.counts,
    )


def _is_silent(folder: FolderFacts, policy: Policy, seen: Sequence[Seen], now: datetime) -> bool:
    now_ns, limit_ns = nanoseconds(now), in_nanoseconds(policy.silence)
    creds = folder.stats.get("creds.json")
    if not limit_ns or (creds is not None and now_ns - creds.st_mtime_ns <= limit_ns):
        return False
    last_ns = last_write(folder, seen, now_ns)
    return last_ns is not None and now_ns - last_ns > limit_ns


def is_changed_by(
    plan: CleanupPlan, folder: FolderFacts, policy: Policy, seen: Sequence[Seen], now: datetime
) -> bool:
    """Whether observations tell of another life than the files alone, on which `plan` rests."""
    told = silences(rewritten(folder), seen, nanoseconds(now))
    return bool(plan.holds) or told != plan.silences or _is_silent(folder, policy, seen, now)


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
    limits = _limits(policy, tier)
    gentle = policy.gentle if tier is not Tier.EMERGENCY else Gentle()
    by_age = AgeRule(folder, now, known, limits, gentle)
    sender_keys = sort_by_owner(
        folder.of(Kind.SENDER_KEY), folder.of(Kind.SENDER_KEY_MEMORY), creds, folder.owned_by_content
    )
    evidence = Evidence(pre_key_pool(folder, creds))
    rule = evidence.rule(limits.pre_keys_keep, guard=policy.pre_key_guard)
    guarded = rule.guarded
    if tier is Tier.EMERGENCY:
        guarded = evidence.rule(policy.normal.pre_keys_keep, guard=policy.pre_key_guard).guarded

    going = _Going(
        # A pre-key that is no plain file has no stat and stays.
        [name for i in sorted(rule.removed) if (name := f"pre-key-{i}.json") in folder.stats],
        by_age.old(folder.of(Kind.SESSION), limits.session_max_age),
        by_age.old_peers(sender_keys.peers),
        by_age.old_units(sender_keys.units),
    )
    if gentle.until is not None:
        # Pre-keys that their number keeps can never go: on Baileys 7 they are a third of a folder.
        stand = sum(len(folder.of(kind)) for kind in KEYS_BY_AGE) + len(going.pre_keys)
        spared = going.spared(folder, known.used_before, by_age.following, stand, gentle.until)
        going = going.without(spared)
        for memory in spared.intersection(by_age.following):
            spared.update(by_age.following.pop(memory))
        by_age.exceptions |= dict.fromkeys(spared, Reason.ENOUGH_ROOM)
    spare = _unused(folder, by_age, limits)

    offered = evidence.offered_among(
        rule.removed if gentle.until is None else frozenset(pre_key_ids(going.pre_keys))
    )
    unit_files = [name for unit in going.units for name in unit]
    removed = [*going.pre_keys, *going.sessions, *going.peers, *unit_files, *spare.names]
    memories = sum(map(is_memory, unit_files))
    removed_by_kind = {
        Kind.PRE_KEY: len(going.pre_keys),
        Kind.SESSION: len(going.sessions),
        Kind.SENDER_KEY: len(going.peers) + len(unit_files) - memories,
        Kind.SENDER_KEY_MEMORY: memories,
        Kind.DEVICE_LIST: len(spare.device_lists),
        Kind.IDENTITY_KEY: len(spare.identity_keys),
    }
    thresholds = policy.thresholds
    counted = folder.file_count - thresholds.uncounted(counted_kinds(folder).items()) - len(guarded)
    left = counted - len(removed) + thresholds.uncounted(removed_by_kind.items())
    return CleanupPlan(
        # What no session uses goes last: a session that could not go may still use it.
        removals=[
            *zip(chain(going.pre_keys, going.sessions, going.peers)),
            *going.units,
            *zip(spare.names),
        ],
        exceptions=by_age.exceptions | _pre_key_exceptions(rule),
        tier=Tier.NORMAL if tier is Tier.UNUSED and not spare.names else tier,
        by_kind={kind: len(names) for kind, names in folder.names.items()},
        guarded_pre_keys=len(guarded),
        removed_by_kind={kind: count for kind, count in removed_by_kind.items() if count},
        bytes_to_free=sum([folder.stats[name].st_size for name in removed]),
        level_before=level_of(counted, thresholds),
        level_after=level_of(left, thresholds),
        cost=Cost(
            contacts=sessions_missed(folder, going.sessions),
            group_senders=senders_missed(folder, going.peers)
            + len(sender_keys.untold.intersection(unit_files)),
            pre_keys=offered.if_extended,
        ),
        pre_keys_if_replaced=offered.if_replaced,
        holds=(PolicyHold.CLOCK,) if by_age.held else (),
        silences=by_age.silences,
        own_keys_to_follow=sum(map(len, by_age.following.values())),
        counts=thresholds.counts,
    )


def _limits(policy: Policy, tier: Tier) -> Limits:
    if tier is Tier.NORMAL:
        return policy.normal
    return policy.normal.with_unused() if tier is Tier.UNUSED else policy.emergency.with_unused()


class _Going(NamedTuple):
    """What the limits allow to go."""

    pre_keys: Sequence[str]
    sessions: Sequence[str]
    peers: Sequence[str]
    units: Sequence[tuple[str, ...]]

    def spared(
        self,
        folder: FolderFacts,
        used_before: Mapping[str, int],
        following: Mapping[str, tuple[str, ...]],
        stand: int,
        until: int,
    ) -> set[str]:
        """Return what stays by `cleanup.until` where so many files stand that could go: all but the oldest.

        What was used once, as far as is known, goes before all that was used again, and of the latter what was used
        before its last use longest ago: who writes every few weeks comes back sooner than who wrote once. `following`
        are the keys that go in the run after a memory, and are counted with it.
        """
        units: Iterable[tuple[str, ...]] = (
            *zip(chain(self.pre_keys, self.sessions, self.peers)),
            *self.units,
        )
        left = stand
        kept: set[str] = set()
        if stand <= until:
            return {name for unit in units for name in unit}

        def age(unit: tuple[str, ...]) -> tuple[object, ...]:
            before = max(used_before.get(name, 0) for name in unit)
            return before, _written(folder, unit), len(unit[0]), unit

        for unit in sorted(units, key=age):
            if left > until - UNTIL_SPARE:
                left -= len(following.get(unit[0], unit))
            else:
                kept.update(unit)
        return kept

    def without(self, spared: set[str]) -> "_Going":
        """Return the same without what stays."""
        pre_keys, sessions, peers = (
            [name for name in names if name not in spared]
            for names in (self.pre_keys, self.sessions, self.peers)
        )
        return _Going(pre_keys, sessions, peers, [unit for unit in self.units if unit[0] not in spared])


def _written(folder: FolderFacts, unit: Iterable[str]) -> int:
    return max(folder.stats[name].st_mtime_ns for name in unit)


class _Unused(NamedTuple):
    """What goes as no session uses it any more."""

    device_lists: Sequence[str] = ()
    identity_keys: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        return [*self.device_lists, *self.identity_keys]


def _unused(folder: FolderFacts, by_age: AgeRule, limits: Limits) -> _Unused:
    """Return the device lists and identity keys that go: old ones that no session uses.

    A session that goes only now may be kept at the last moment, so what belongs to it goes in a later run.
    """
    if limits.device_lists is None and limits.identity_keys is None:
        return _Unused()
    alone = unused(folder)

    def old(kind: Kind, limit: timedelta | None) -> list[str]:
        if limit is None:
            return []
        names = set(alone[kind])
        used = dict.fromkeys(set(folder.of(kind)) - names, Reason.SESSION_STANDS)
        by_age.exceptions |= used if folder.of(Kind.LID_MAPPING) else {}
        # One that was not looked at has no stat and stays.
        known = [name for name in alone[kind] if name in folder.stats]
        going = by_age.old(known, limit)
        by_age.exceptions |= dict.fromkeys(set(known).difference(going, by_age.exceptions), Reason.YOUNG)
        return going

    return _Unused(old(Kind.DEVICE_LIST, limits.device_lists), old(Kind.IDENTITY_KEY, limits.identity_keys))


def _pre_key_exceptions(rule: PreKeyRule) -> dict[str, Reason]:
    reasons = (
        (rule.guarded, Reason.PRE_KEY_GUARDED),
        (rule.kept_last, Reason.PRE_KEY_LAST),
        (rule.kept_unuploaded, Reason.PRE_KEY_NOT_UPLOADED),
    )
    return {f"pre-key-{i}.json": reason for ids, reason in reasons for i in ids}
