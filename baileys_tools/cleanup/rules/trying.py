"""What other rules would have cost: the past of a folder's keys, lived once more by each of them.

The rules are the real ones (`plan_cleanup`), on folders made of what is remembered of each day.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cleanup.rules.plan import CleanupPlan, Known
from baileys_tools.cleanup.rules.policy import plan_cleanup
from baileys_tools.cleanup.rules.uses import (
    DAY,
    MEMORY,
    MINUTE_NS,
    OWN,
    OWN_BY_LID,
    PEER,
    SESSION,
    Use,
    Uses,
    minutes,
)
from baileys_tools.limits import Gentle, Policy
from baileys_tools.sessions.rules.creds import Address, Creds
from baileys_tools.sessions.rules.folder import FolderFacts, WholeKey
from baileys_tools.sessions.rules.keyfiles import KEYS_BY_AGE, REMOVED_BY_AGE, Kind
from baileys_tools.sessions.rules.silence import Seen
from baileys_tools.units import moment_of

FEWEST_DAYS = 7
"""A shorter past tells little of who writes every week."""
LONGER = timedelta(days=14)


class Rule(NamedTuple):
    """A rule to try: by which settings it is made, and what it is beside the limits in force."""

    settings: Mapping[str, str]
    gentle: Gentle = Gentle()
    sender_key_max_age: timedelta | None = None

    def of(self, policy: Policy) -> Policy:
        """Return the policy in force with this rule in the place of its gentle ones."""
        age = max(
            self.sender_key_max_age or policy.normal.sender_key_max_age, policy.normal.sender_key_max_age
        )
        return policy._replace(gentle=self.gentle, normal=policy.normal._replace(sender_key_max_age=age))


RULES: Sequence[Rule] = (
    Rule({}),
    Rule({"cleanup.keep_own_keys": "true"}, Gentle(keep_own_keys=True)),
    Rule({"cleanup.active_group": "14d"}, Gentle(active_group=LONGER)),
    Rule({"cleanup.returners": "true"}, Gentle(returners=True)),
    Rule(
        {"cleanup.sender_key_max_age": "14d", "cleanup.keep_own_keys": "true"},
        Gentle(keep_own_keys=True),
        LONGER,
    ),
    Rule({"cleanup.until": "120"}, Gentle(until=120)),
    Rule({"cleanup.until": "150"}, Gentle(until=150)),
)
"""The default first."""


class PastCost(NamedTuple):
    """What a rule would have cost: group messages late by one resend, chats late at most (none where the bot writes
    first), own keys sent to a group again, and how many sessions and sender-keys would have stood: after a cleanup on
    average, and before one at most."""

    group_messages: int = 0
    chats: int = 0
    own_keys: int = 0
    files: float = 0.0
    most: int = 0


class RuleTried(NamedTuple):
    """One rule: its settings (None: those in force), what it would have cost, and what its next cleanup takes."""

    settings: Mapping[str, str] | None
    in_force: bool
    past: PastCost | None
    removes: int
    cost: Cost

    @classmethod
    def tried(
        cls, settings: Mapping[str, str] | None, past: PastCost | None, plan: CleanupPlan, *, in_force: bool
    ) -> Self:
        """Given a rule, its past and its next plan, return what is shown of them."""
        return cls(settings, in_force, past, plan.remove_count, plan.cost)


class PolicyTried(NamedTuple):
    """What `policy try` says of a company: for how many days its past is known, how many sessions and sender-keys have
    room below level warning, and each rule."""

    company: str
    path: str
    now: datetime
    days: int
    room: int
    rules: Sequence[RuleTried]


def counted_beside(folder: FolderFacts, plan: CleanupPlan, kinds: Iterable[Kind] = REMOVED_BY_AGE) -> int:
    """Return how many files of a folder count for the thresholds beside those of some kinds."""
    counts = plan.counts
    return plan.counted_before - sum(
        len(folder.of(kind)) for kind in kinds if counts is None or kind in counts
    )


def try_rule(
    uses: Uses, policy: Policy, around: int, seen: Sequence[Seen], now: datetime, days: int
) -> PastCost:
    """Given the past of a folder's keys, return what a cleanup a day by this policy would have cost in `days` days.

    Days before the first look are left out. `seen` is what observations say of the bot, oldest first.
    """
    danger = policy.thresholds.danger - around
    policy = policy._replace(thresholds=policy.thresholds._replace(danger=danger))
    end = minutes(now)
    start = max(uses.since, end - days * DAY)
    keys = _named(uses.by_mark.values())
    removed: dict[str, int] = {}
    returned: Counter[str] = Counter()
    late: Counter[str] = Counter()
    before, after = [], []

    def standing(at: int) -> Iterator[tuple[str, Use, int]]:
        for name, use in keys:
            if use.first > at:
                continue
            written = use.written_at(at)
            if (since := removed.get(name)) is not None:
                if written <= since:
                    continue
                del removed[name]
                returned[name] += 1
                late[use.what] += 1
            yield name, use, written

    at = start + (end - start) % DAY
    while at <= end:
        stand = list(standing(at))
        folder = _folder(stand)
        now_ns = at * MINUTE_NS
        used_before = {name: use.used_before(written) for name, use, written in stand}
        known = Known([one for one in seen if one.at_ns <= now_ns], None, dict(returned), used_before)
        plan = plan_cleanup(folder, policy, moment_of(now_ns), known)
        if at < end:
            for unit in plan.removals:
                removed |= dict.fromkeys(unit, at)
            before.append(sum(len(folder.of(kind)) for kind in KEYS_BY_AGE))
            after.append(before[-1] - sum(plan.removed_by_kind.get(kind, 0) for kind in KEYS_BY_AGE))
        at += DAY
    average = sum(after) / len(after) if after else 0.0
    own_keys = late[OWN] + late[OWN_BY_LID]
    return PastCost(late[PEER], late[SESSION], own_keys, average, max(before, default=0))


def best(tried: Sequence[RuleTried], room: int) -> RuleTried | None:
    """Given rules and how many sessions and sender-keys have room below level warning, return the one with the fewest
    group messages late of those that never had more, and of equals the one with the fewest files; None where nothing is
    known or none has the room."""
    fitting = [
        (one.past.group_messages, one.past.files, place)
        for place, one in enumerate(tried)
        if one.past is not None and one.past.most < room
    ]
    return tried[min(fitting)[2]] if fitting else None


_KIND_OF = {SESSION: Kind.SESSION, MEMORY: Kind.SENDER_KEY_MEMORY}
_BOT = Creds(Address("1", 1), Address("2", 1), None, None, paired=True)


def _named(uses: Iterable[Use]) -> list[tuple[str, Use]]:
    """Return each key with a name of its kind: groups and users are numbers."""
    groups: dict[str, int] = {}
    named = []
    for number, use in enumerate(uses, 3):
        group = groups.setdefault(use.group, 100 + len(groups))
        name = {
            SESSION: f"session-{number}.0.json",
            PEER: f"sender-key-{group}@g.us--{number}--0.json",
            OWN: f"sender-key-{group}@g.us--1--1.json",
            OWN_BY_LID: f"sender-key-{group}@g.us--2_1--1.json",
            MEMORY: f"sender-key-memory-{group}@g.us.json",
        }.get(use.what)
        if name is not None:
            named.append((name, use))
    return named


def _folder(standing: Iterable[tuple[str, Use, int]]) -> FolderFacts:
    names: dict[Kind, list[str]] = {kind: [] for kind in REMOVED_BY_AGE}
    stats = {}
    for name, use, written in standing:
        names[_KIND_OF.get(use.what, Kind.SENDER_KEY)].append(name)
        stats[name] = WholeKey(0, written * MINUTE_NS)
    return FolderFacts({kind: sorted(found) for kind, found in names.items() if found}, stats, _BOT)
