"""What a cleanup decides about a folder: a value with a verdict and a reason for every file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.sessions.rules.keyfiles import UNCOUNTED, Kind
from baileys_tools.sessions.rules.silence import Seen, Silence
from baileys_tools.thresholds import Level


class Reason(StrEnum):
    """Why a file stays or goes."""

    PROTECTED = "protected"
    KIND_KEPT = "kind-kept"
    UNKNOWN = "unknown"
    YOUNG = "young"
    SESSION_STANDS = "session-stands"
    """A device list or identity key of somebody with a session, or one that goes only now: it may be used."""
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
    ENOUGH_ROOM = "enough-room"
    """Old enough to go, and `cleanup.until` is content with fewer removals."""
    ACTIVE_GROUP = "active-group"
    """Of a group in which somebody wrote lately, and young enough for `cleanup.active_group`."""
    GROUP_LIVES = "group-lives"
    """The bot's own of a group that lives, by `cleanup.keep_own_keys`."""
    CAME_BACK = "came-back"
    """It was removed before and came back, so it stays for longer, by `cleanup.returners`."""
    OLD = "old"
    UNUSED = "unused"
    """What no session uses any more."""
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
    UNUSED = "unused"
    """The normal ones, and what no session uses any more goes as well: it costs no message."""
    EMERGENCY = "emergency"


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
    counts: frozenset[str] | None = None
    """The kinds that count for the thresholds, None for all."""
    came_back: Mapping[str, int] = {}
    """What was removed before and came back, by name, where the policy asks."""

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
        """Files that count for the thresholds: all but guarded pre-keys, of the kinds that the settings name."""
        return self._counted(self.by_kind) - self.guarded_pre_keys

    @property
    def counted_after(self) -> int:
        """The same once the plan is carried out."""
        return self.counted_before - self._counted(self.removed_by_kind)

    def _counted(self, by_kind: Mapping[Kind, int]) -> int:
        counts, files = self.counts, by_kind.items()
        return sum(n for kind, n in files if kind not in UNCOUNTED and (counts is None or kind in counts))

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
    """What is known beside the folder: observations of the bot, when a cleanup of the folder began last, by name how
    often a file came back that a cleanup had removed, and when a key was used before its last use (any unit)."""

    seen: Sequence[Seen] = ()
    cleaned: datetime | None = None
    came_back: Mapping[str, int] = {}
    used_before: Mapping[str, int] = {}
