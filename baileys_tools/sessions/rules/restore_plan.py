"""What a restore is decided on, and what comes out of the decision: the words of `restore`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.folder import FileStat, Oddity
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.snapshot import Account, Entry

CREDS = "creds.json"


class Mode(StrEnum):
    """How much of a folder a restore may change."""

    REPAIR = "repair"
    """What is missing or unreadable is mended; nothing whole is touched."""
    ROLLBACK = "rollback"
    """The folder becomes the snapshot, as far as the protocol allows."""


class Action(StrEnum):
    """What happens to one file."""

    KEEP = "keep"
    """It is on disk and stays."""
    BRING_BACK = "bring-back"
    """The snapshot's comes into the folder."""
    SET_ASIDE = "set-aside"
    """It is on disk and goes to quarantine."""
    LEAVE_OUT = "leave-out"
    """The folder will not hold it."""


class RestoreReason(StrEnum):
    """Why that happens."""

    WHOLE = "whole"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    NO_COPY = "no-copy"
    """Unreadable, and the snapshot has none either."""
    UNPAIRED = "unpaired"
    """`creds.json` on disk is the new identity of a bot that could not read the old one."""
    IN_SNAPSHOT = "in-snapshot"
    NOT_IN_SNAPSHOT = "not-in-snapshot"
    SAME_ACCOUNT = "same-account"
    """`creds.json` on disk is whole and of the same account: its counters are the bot's own."""
    TRAFFIC_SINCE = "traffic-since"
    TRAFFIC_UNTOLD = "traffic-untold"
    OWN_SENDER_KEY = "own-sender-key"
    """The bot makes a new one and tells every member; an older one would be refused by all of them."""
    UNIT_BROKEN = "unit-broken"
    """The bot's own key of the group is lost or unreadable, and its memory would keep the next from members."""
    PRE_KEY_ON_DISK = "pre-key-on-disk"
    PEER_KEY_ON_DISK = "peer-key-on-disk"
    """Its sender may have made a new one since the snapshot, and told the bot only once."""
    REMOVED_BY_POLICY = "removed-by-policy"
    UNKNOWN = "unknown"
    IN_THE_WAY = "in-the-way"
    """Something that is no plain file has the name."""


class Traffic(StrEnum):
    """Whether the bot has sent or received since the snapshot."""

    NONE = "none"
    """It has been off since before the snapshot, by the word of what manages its process."""
    SINCE = "since"
    """The folder shows messages."""
    UNTOLD = "untold"
    """Nothing shows any. Treated as traffic: what is lost would have shown its own."""


class Objection(StrEnum):
    """Why a restore is refused."""

    BOT_LIVES = "bot-lives"
    OTHER_ACCOUNT = "other-account"
    PAIRED_ANEW = "paired-anew"
    ODDITIES = "oddities"


class RestoreRefusal(NamedTuple):
    """One objection in words. `can_be_forced` is false where no flag makes it sound."""

    objection: Objection
    text: str
    can_be_forced: bool


class RestoreVerdict(NamedTuple):
    """The decision on one file."""

    name: str
    kind: Kind
    action: Action
    reason: RestoreReason


@dataclass(frozen=True, slots=True)
class RestoreCost:
    """What the folder costs after the restore, in messages that are late by one resend.

    `contacts`: addresses whose session will be missing; nothing is lost where the bot writes first.
    `older_sessions`: those that come back although the folder shows messages since; at most so many are late besides,
    whoever writes. `group_senders`: (group, sender) pairs whose key will be missing. `older_keys`: those whose key
    comes back; at most so many are late besides, as a sender who has made a new one since does not send it again
    unasked. `pre_keys`: at most so many pre-keys are lost that the server offers; a new chat that gets one starts late.
    `pre_keys_untold`: nothing tells how many were, as the counters and the newest pre-keys are lost.
    """

    contacts: int = 0
    older_sessions: int = 0
    group_senders: int = 0
    older_keys: int = 0
    pre_keys: int = 0
    pre_keys_untold: bool = False


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file of the folder. `whole` is whether it is what Baileys can read, `sha256` in hex."""

    stat: FileStat
    sha256: str
    whole: bool


@dataclass(frozen=True, slots=True)
class LiveFolder:
    """What is in the folder now, this tool's own files left out.

    `files` are by key: what the bot reads, and so the `.bak` of a key where that stands alone. `parts` has the files of
    each key that has companions, in the order of removal. `account` is None for a folder that is not there.
    `quarantined` are the keys in its quarantine, `replaced` those of them that no cleanup but an earlier repair has put
    there. `bot_signs` say in words what besides the files shows that the bot runs: its API, its process; `bot_is_off`
    that one of them says that it does not, `off_since` since when (aware), as far as its process manager tells.
    `was_repaired`: what a repair has set aside is in quarantine, and with it perhaps what showed messages.
    """

    files: Mapping[str, LiveFile] = field(default_factory=dict)
    creds: Creds | CredsState = CredsState.MISSING
    account: Account | CredsState = CredsState.MISSING
    oddities: tuple[Oddity, ...] = ()
    quarantined: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    owned_by_content: Mapping[str, bool] = field(default_factory=dict)
    bot_signs: tuple[str, ...] = ()
    bot_is_off: bool = False
    off_since: datetime | None = None
    was_repaired: bool = False
    parts: Mapping[str, Mapping[str, FileStat]] = field(default_factory=dict)

    def files_of(self, keys: Iterable[str]) -> dict[str, FileStat]:
        """Given keys, return the files that they consist of, in the order of removal."""
        found: dict[str, FileStat] = {}
        for key in keys:
            found |= self.parts.get(key) or {key: self.files[key].stat}
        return found

    @property
    def every_file(self) -> dict[str, FileStat]:
        """All plain files, companions too."""
        return self.files_of({**self.files, **self.parts})


@dataclass(frozen=True, slots=True)
class SnapshotFiles:
    """What is in the snapshot. `newest_account` is that of the company's newest snapshot."""

    id: str
    taken_at: datetime
    entries: Mapping[str, Entry]
    creds: Creds
    account: Account
    newest_account: Account | None = None
    owned_by_content: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the operator chose. `pre_keys_keep` and `pre_key_guard` are the settings of cleanup."""

    mode: Mode = Mode.REPAIR
    keep_sessions: bool = False
    pre_keys_keep: int = 50
    pre_key_guard: bool = True


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore does.

    `set_aside` are the units that go to quarantine, each in the order of removal. `next_pre_key_id` is what
    returning creds are set to, None where they fit as they are. `traffic_sign` is the file or counter that
    shows traffic.
    """

    mode: Mode
    verdicts: Sequence[RestoreVerdict]
    set_aside: Sequence[tuple[str, ...]]
    next_pre_key_id: int | None
    traffic: Traffic
    traffic_sign: str
    cost: RestoreCost
    refusals: tuple[RestoreRefusal, ...] = ()
    bot_is_unseen: bool = False
    """Nothing tells whether the bot runs."""

    def named(self, action: Action) -> list[str]:
        """The files with which this happens, in order, `creds.json` last."""
        names = [verdict.name for verdict in self.verdicts if verdict.action is action]
        return sorted(names, key=lambda name: (name == CREDS, name))

    def count(self, action: Action) -> int:
        """With how many files this happens."""
        return sum(verdict.action is action for verdict in self.verdicts)

    @property
    def changes_nothing(self) -> bool:
        """Whether the folder is already as it would be."""
        return not self.count(Action.BRING_BACK) and not self.set_aside


QUIET_FOR = timedelta(minutes=2)
"""A folder that was written to more lately than this has a bot that runs."""
