"""What a restore brings back into a session folder, what it leaves alone, and why.

Pure: the facts of a folder and of a snapshot in, a plan out, with a verdict and a reason for every file. An
older key file is not always better than none: a session that is put back to an earlier state uses message
keys a second time, and the other side refuses or drops what it cannot read (measured with the real client:
after messages both ways every contact fails once). So what comes back is decided kind by kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.domain.creds import Creds, CredsProblem
from baileys_tools.domain.folder import FileStat, Oddity
from baileys_tools.domain.keyfiles import Kind, kind_of, pre_key_ids, sort_by_kind
from baileys_tools.domain.prekeys import PAIRING_BATCH, PreKeyPool, apply_pre_key_rule
from baileys_tools.domain.senderkeys import SenderKeys, sort_by_owner
from baileys_tools.domain.snapshot import Account, CredsUnfit, Entry


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


class Reason(StrEnum):
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
    """`creds.json` on disk is of the same account, and its counters are newer."""
    TRAFFIC_SINCE = "traffic-since"
    TRAFFIC_UNTOLD = "traffic-untold"
    OWN_SENDER_KEY = "own-sender-key"
    """The bot makes a new one and tells every member; an older one would be refused by all of them."""
    UNIT_BROKEN = "unit-broken"
    """The bot's own key of the group is lost or unreadable, and its memory would keep the next from members."""
    PRE_KEY_ON_DISK = "pre-key-on-disk"
    REMOVED_BY_POLICY = "removed-by-policy"
    UNKNOWN = "unknown"
    IN_THE_WAY = "in-the-way"
    """Something that is no plain file has the name."""


class Traffic(StrEnum):
    """Whether the bot has sent or received since the snapshot, as far as the folder shows."""

    NONE = "none"
    SINCE = "since"
    UNTOLD = "untold"
    """No session file of the snapshot is left that would show it. Treated as traffic."""


class Objection(StrEnum):
    """Why a restore is refused."""

    BOT_LIVES = "bot-lives"
    OTHER_ACCOUNT = "other-account"
    PAIRED_ANEW = "paired-anew"
    ODDITIES = "oddities"


class Refusal(NamedTuple):
    """One objection in words. `can_be_forced` is false where no flag makes it sound."""

    objection: Objection
    text: str
    can_be_forced: bool


class Verdict(NamedTuple):
    """The decision on one file."""

    name: str
    kind: Kind
    action: Action
    reason: Reason


@dataclass(frozen=True, slots=True)
class Cost:
    """What the folder costs after the restore, in messages that are late by one resend.

    `contacts`: addresses whose session will be missing; nothing is lost where the bot writes first.
    `group_senders`: (group, sender) pairs whose key will be missing. `pre_keys`: at most so many pre-keys
    that were uploaded since the snapshot are lost; a new chat that gets one starts late. `pre_keys_untold`:
    nothing tells how many were, as the counters and the newest pre-keys are lost.
    """

    contacts: int = 0
    group_senders: int = 0
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

    `account` is None for a folder that is not there. `quarantined` are the names in its quarantine. `bot_signs`
    say in words what besides the files shows that the bot runs: its API, its process; `bot_is_off` that one of them
    says that it does not.
    """

    files: Mapping[str, LiveFile] = field(default_factory=dict)
    creds: Creds | CredsProblem = CredsProblem.MISSING
    account: Account | CredsUnfit = CredsUnfit.MISSING
    oddities: tuple[Oddity, ...] = ()
    quarantined: frozenset[str] = frozenset()
    owned_by_content: Mapping[str, bool] = field(default_factory=dict)
    bot_signs: tuple[str, ...] = ()
    bot_is_off: bool = False


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
    verdicts: Sequence[Verdict]
    set_aside: Sequence[tuple[str, ...]]
    next_pre_key_id: int | None
    traffic: Traffic
    traffic_sign: str
    cost: Cost
    refusals: tuple[Refusal, ...] = ()
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


CREDS = "creds.json"
QUIET_FOR = timedelta(minutes=2)
"""A folder that was written to more lately than this has a bot that runs."""

_TALK = (Kind.SESSION, Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY)
"""Kinds that messages move."""

_COMES_BACK = frozenset(
    {
        Kind.APP_STATE_SYNC_KEY,
        Kind.APP_STATE_SYNC_VERSION,
        Kind.LID_MAPPING,
        Kind.IDENTITY_KEY,
        Kind.DEVICE_LIST,
        Kind.TCTOKEN,
    }
)
"""Kinds of which an older one is better than none, and which nothing ever removes."""


def plan_restore(live: LiveFolder, snapshot: SnapshotFiles, choice: Choice, now: datetime) -> RestorePlan:
    """Given a folder and a snapshot of the same company, return what the restore does at `now` (aware)."""
    traffic, sign = traffic_since(live, snapshot)
    refusals = tuple(_refusals(live, snapshot, choice.mode, now))
    folder = _Folder(live, snapshot, choice, traffic)
    foreign = any(refusal.objection in _FOREIGN for refusal in refusals)
    verdicts = list(_repair(folder) if choice.mode is Mode.REPAIR else _rollback(folder, foreign=foreign))
    ids_after = pre_key_ids(
        verdict.name
        for verdict in verdicts
        if verdict.kind is Kind.PRE_KEY and verdict.action in (Action.KEEP, Action.BRING_BACK)
    )
    creds_come_back = any(
        verdict.name == CREDS and verdict.action is Action.BRING_BACK for verdict in verdicts
    )
    going = {verdict.name for verdict in verdicts if verdict.action is Action.SET_ASIDE}
    units = [tuple(name for name in unit if name in going) for unit in folder.owners.units]
    sessions = [(name,) for name in sorted(going) if kind_of(name) is Kind.SESSION]
    return RestorePlan(
        mode=choice.mode,
        verdicts=sorted(verdicts),
        set_aside=[*filter(None, units), *sessions],
        next_pre_key_id=fitted_counter(folder, ids_after) if creds_come_back else None,
        traffic=traffic,
        traffic_sign=sign,
        cost=_cost(folder, verdicts),
        refusals=refusals,
        bot_is_unseen=not folder.live.bot_is_off
        and not any(refusal.objection is Objection.BOT_LIVES for refusal in refusals),
    )


# --- traffic ------------------------------------------------------------------------------------------------


def traffic_since(live: LiveFolder, snapshot: SnapshotFiles) -> tuple[Traffic, str]:
    """Return whether the folder shows messages since the snapshot, and by what.

    Sessions, sender-keys and memories are written with each message. A newer or a different one is a sign; so
    are pre-keys beyond the snapshot's counter. That there was none only a session tells that stands as it
    stood: where all are gone, nobody can say.
    """
    taken_ns = _nanoseconds(snapshot.taken_at)
    witnesses = 0
    for name, file in sorted(live.files.items()):
        kind = kind_of(name)
        if kind not in _TALK:
            continue
        entry = snapshot.entries.get(name)
        since = entry.mtime_ns if entry is not None else taken_ns
        changed = entry is not None and file.whole and file.sha256 != entry.sha256
        if file.stat.st_mtime_ns > since or changed:
            return Traffic.SINCE, name
        witnesses += entry is not None and kind is Kind.SESSION
    if sign := _counters_moved(live, snapshot):
        return Traffic.SINCE, sign
    return (Traffic.NONE if witnesses else Traffic.UNTOLD), ""


def _counters_moved(live: LiveFolder, snapshot: SnapshotFiles) -> str:
    then = snapshot.creds.next_pre_key_id
    if then is None:
        return ""
    if is_same_account(live, snapshot) and isinstance(live.creds, Creds):
        after = live.creds.next_pre_key_id
        if after is not None and after > then:
            return f"nextPreKeyId of creds.json went from {then} to {after}"
    highest = max(_ids_of(live.files), default=0)
    return f"pre-key-{highest}.json" if highest >= then else ""


# --- whose folder, and does the bot run ---------------------------------------------------------------------

_FOREIGN = {Objection.OTHER_ACCOUNT, Objection.PAIRED_ANEW}


def is_same_account(live: LiveFolder, snapshot: SnapshotFiles) -> bool:
    """Whether `creds.json` on disk is of the very pairing that the snapshot has."""
    return isinstance(live.account, Account) and live.account.identity == snapshot.account.identity


def _refusals(live: LiveFolder, snapshot: SnapshotFiles, mode: Mode, now: datetime) -> Iterator[Refusal]:
    yield from _signs_of_life(live, now)
    known = live.account if isinstance(live.account, Account) else snapshot.newest_account
    # Two identities never share a folder; only a whole folder can be replaced.
    forceable = mode is Mode.ROLLBACK
    if known is not None and known.fingerprint != snapshot.account.fingerprint:
        yield Refusal(
            Objection.OTHER_ACCOUNT,
            f"the snapshot is of another account ({snapshot.account.masked}), not of {known.masked}",
            forceable,
        )
    elif known is not None and known.identity != snapshot.account.identity:
        yield Refusal(
            Objection.PAIRED_ANEW,
            f"the account ({known.masked}) was paired anew since the snapshot ({snapshot.account.masked}), "
            "and WhatsApp no longer accepts the older pairing",
            forceable,
        )
    if mode is Mode.ROLLBACK and live.oddities:
        names = ", ".join(oddity.name for oddity in live.oddities[:3])
        yield Refusal(
            Objection.ODDITIES,
            f"{len(live.oddities)} entries of the folder are no plain files, and cannot come along ({names})",
            False,
        )


def _signs_of_life(live: LiveFolder, now: datetime) -> Iterator[Refusal]:
    for sign in live.bot_signs:
        yield Refusal(Objection.BOT_LIVES, f"the bot runs: {sign}; it would write over what comes back", True)
    limit = _nanoseconds(now - QUIET_FOR)
    written = {name: file.stat.st_mtime_ns for name, file in live.files.items()}
    lately = [name for name, mtime_ns in written.items() if mtime_ns > limit]
    if lately:
        newest = max(lately, key=lambda name: (written[name], name))
        seconds = (_nanoseconds(now) - written[newest]) // 1_000_000_000
        when = f"{seconds} s ago" if seconds >= 0 else "with a date in the future"
        yield Refusal(
            Objection.BOT_LIVES,
            f"{len(lately)} file(s) were written in the last 2 minutes ({newest} {when}): "
            "the bot seems to run, and would write over what comes back",
            True,
        )


# --- the two modes ------------------------------------------------------------------------------------------


class _Folder:
    """The union of folder and snapshot by kind, with what both modes need to know."""

    def __init__(self, live: LiveFolder, snapshot: SnapshotFiles, choice: Choice, traffic: Traffic) -> None:
        self.live = live
        self.snapshot = snapshot
        self.choice = choice
        self.blocked = {oddity.name for oddity in live.oddities}
        self.names = sort_by_kind({*live.files, *snapshot.entries})
        self.same_account = is_same_account(live, snapshot)
        self.sessions_may_return = traffic is Traffic.NONE or choice.keep_sessions
        self.no_session_because = Reason.TRAFFIC_UNTOLD if traffic is Traffic.UNTOLD else Reason.TRAFFIC_SINCE
        self.owners: SenderKeys = sort_by_owner(
            self.of(Kind.SENDER_KEY),
            self.of(Kind.SENDER_KEY_MEMORY),
            self._who_is_who(),
            {**snapshot.owned_by_content, **live.owned_by_content},
        )

    def of(self, kind: Kind) -> Sequence[str]:
        return self.names.get(kind, ())

    @property
    def ids_seen(self) -> list[int]:
        """The ids of pre-keys in the folder and in its quarantine."""
        return [*_ids_of(self.live.files), *_ids_of(self.live.quarantined)]

    @property
    def ids_may_have_come_and_gone(self) -> bool:
        """Whether not even the newest pre-key that the snapshot knows is there to tell."""
        return max(self.ids_seen, default=0) < (self.snapshot.creds.next_pre_key_id or 1) - 1

    def _who_is_who(self) -> Creds:
        """Return the creds that know most of the bot's addresses: `me.lid` comes with the first login."""
        creds = self.live.creds
        known = self.same_account and isinstance(creds, Creds) and creds.lid is not None
        return creds if known and isinstance(creds, Creds) else self.snapshot.creds

    def is_whole(self, name: str) -> bool:
        file = self.live.files.get(name)
        return file is not None and file.whole

    def lack(self, name: str) -> Reason:
        return Reason.UNREADABLE if name in self.live.files else Reason.MISSING

    def was_removed(self, name: str) -> bool:
        """Whether the file is in quarantine: `undo` is what brings it back."""
        return name in self.live.quarantined and name not in self.live.files


def _repair(folder: _Folder) -> Iterator[Verdict]:
    yield from _repair_units(folder)
    yield from _repair_pre_keys(folder)
    for name in folder.owners.peers:
        yield _mended(folder, name, Kind.SENDER_KEY)
    for kind in _COMES_BACK:
        for name in folder.of(kind):
            yield _mended(folder, name, kind)
    for name in folder.of(Kind.SESSION):
        yield _repair_session(folder, name)
    yield _creds_verdict(folder, stays=folder.same_account)
    for name in folder.of(Kind.UNKNOWN):
        action = Action.KEEP if name in folder.live.files else Action.LEAVE_OUT
        yield Verdict(name, Kind.UNKNOWN, action, Reason.UNKNOWN)


def _mended(folder: _Folder, name: str, kind: Kind) -> Verdict:
    """The rule of kinds of which an older one is better than none."""
    if name in folder.blocked:
        return Verdict(name, kind, Action.KEEP, Reason.IN_THE_WAY)
    if folder.is_whole(name):
        return Verdict(name, kind, Action.KEEP, Reason.WHOLE)
    if name not in folder.snapshot.entries:
        return Verdict(name, kind, Action.KEEP, Reason.NO_COPY)
    if folder.was_removed(name):
        return Verdict(name, kind, Action.LEAVE_OUT, Reason.REMOVED_BY_POLICY)
    return Verdict(name, kind, Action.BRING_BACK, folder.lack(name))


def _repair_session(folder: _Folder, name: str) -> Verdict:
    mended = _mended(folder, name, Kind.SESSION)
    if mended.reason is Reason.NO_COPY:
        return mended._replace(action=Action.SET_ASIDE)
    if mended.action is not Action.BRING_BACK or folder.sessions_may_return:
        return mended
    action = Action.SET_ASIDE if name in folder.live.files else Action.LEAVE_OUT
    return Verdict(name, Kind.SESSION, action, folder.no_session_because)


def _repair_units(folder: _Folder) -> Iterator[Verdict]:
    for unit in folder.owners.units:
        broken = _is_broken(folder, unit)
        for name in unit:
            kind = kind_of(name)
            if name in folder.blocked:
                yield Verdict(name, kind, Action.KEEP, Reason.IN_THE_WAY)
            elif name not in folder.live.files:
                yield Verdict(name, kind, Action.LEAVE_OUT, Reason.OWN_SENDER_KEY)
            elif not broken:
                yield Verdict(name, kind, Action.KEEP, Reason.WHOLE)
            else:
                reason = Reason.UNIT_BROKEN if folder.is_whole(name) else Reason.UNREADABLE
                yield Verdict(name, kind, Action.SET_ASIDE, reason)


def _is_broken(folder: _Folder, unit: Sequence[str]) -> bool:
    """Whether what is left of a group's own keys and memory would keep the bot's messages from members.

    That is a memory beside a key that is gone: the key is made anew and nobody is told (baileys
    `Socket/messages-send.js`: `relayMessage`; measured: every member fails).
    """
    on_disk = [name for name in unit if name in folder.live.files]
    if any(not folder.is_whole(name) for name in on_disk):
        return True
    keys = [name for name in unit if kind_of(name) is Kind.SENDER_KEY]
    has_memory = any(kind_of(name) is Kind.SENDER_KEY_MEMORY for name in on_disk)
    return has_memory and (not keys or any(name not in folder.live.files for name in keys))


def _repair_pre_keys(folder: _Folder) -> Iterator[Verdict]:
    removed = _pre_keys_beyond_policy(folder)
    for name in folder.of(Kind.PRE_KEY):
        verdict = _mended(folder, name, Kind.PRE_KEY)
        if verdict.action is Action.BRING_BACK and name in removed:
            action = Action.KEEP if name in folder.live.files else Action.LEAVE_OUT
            verdict = Verdict(name, Kind.PRE_KEY, action, Reason.REMOVED_BY_POLICY)
        yield verdict


def _pre_keys_beyond_policy(folder: _Folder) -> set[str]:
    """Return the pre-keys that the next cleanup would remove again: its rule on all that would be there."""
    live = folder.live.creds
    creds = live if folder.same_account and isinstance(live, Creds) else folder.snapshot.creds
    pool = PreKeyPool(
        ids=pre_key_ids(folder.of(Kind.PRE_KEY)),
        next_id=creds.next_pre_key_id,
        first_unuploaded_id=creds.first_unuploaded_pre_key_id,
        topped_up_by_fives=not folder.names.keys().isdisjoint(_WRITTEN_BY_7),
    )
    rule = apply_pre_key_rule(pool, folder.choice.pre_keys_keep, guard=folder.choice.pre_key_guard)
    return {f"pre-key-{pre_key_id}.json" for pre_key_id in rule.removed}


_WRITTEN_BY_7 = frozenset({Kind.LID_MAPPING, Kind.DEVICE_LIST, Kind.IDENTITY_KEY})


def _creds_verdict(folder: _Folder, *, stays: bool) -> Verdict:
    if CREDS in folder.blocked:
        return Verdict(CREDS, Kind.CREDS, Action.KEEP, Reason.IN_THE_WAY)
    if stays:
        return Verdict(CREDS, Kind.CREDS, Action.KEEP, Reason.SAME_ACCOUNT)
    reason = folder.lack(CREDS)
    if folder.live.account is CredsUnfit.UNPAIRED:
        reason = Reason.UNPAIRED
    elif isinstance(folder.live.account, Account):
        reason = Reason.IN_SNAPSHOT
    return Verdict(CREDS, Kind.CREDS, Action.BRING_BACK, reason)


def _rollback(folder: _Folder, *, foreign: bool) -> Iterator[Verdict]:
    """`foreign`: what is on disk belongs to another pairing, so nothing of it may stay."""
    for unit in folder.owners.units:
        for name in unit:
            yield Verdict(name, kind_of(name), Action.LEAVE_OUT, Reason.OWN_SENDER_KEY)
    for name in folder.of(Kind.SESSION):
        yield _rolled_back_session(folder, name)
    for name in folder.of(Kind.PRE_KEY):
        if folder.is_whole(name) and not foreign:
            yield Verdict(name, Kind.PRE_KEY, Action.KEEP, Reason.PRE_KEY_ON_DISK)
        else:
            yield _rolled_back(folder, name, Kind.PRE_KEY, carried_over=False)
    for name in folder.owners.peers:
        yield _rolled_back(folder, name, Kind.SENDER_KEY, carried_over=folder.is_whole(name) and not foreign)
    for kind in _COMES_BACK:
        for name in folder.of(kind):
            yield _rolled_back(folder, name, kind, carried_over=folder.is_whole(name) and not foreign)
    for name in folder.of(Kind.UNKNOWN):
        yield _rolled_back(folder, name, Kind.UNKNOWN, carried_over=True)
    yield _creds_verdict(folder, stays=folder.same_account and _live_creds_are_newer(folder))


def _rolled_back(folder: _Folder, name: str, kind: Kind, *, carried_over: bool) -> Verdict:
    if name in folder.snapshot.entries:
        return Verdict(name, kind, Action.BRING_BACK, Reason.IN_SNAPSHOT)
    if carried_over:
        return Verdict(name, kind, Action.KEEP, Reason.NOT_IN_SNAPSHOT)
    return Verdict(name, kind, Action.LEAVE_OUT, Reason.NOT_IN_SNAPSHOT)


def _rolled_back_session(folder: _Folder, name: str) -> Verdict:
    if not folder.sessions_may_return:
        return Verdict(name, Kind.SESSION, Action.LEAVE_OUT, folder.no_session_because)
    return _rolled_back(folder, name, Kind.SESSION, carried_over=False)


def _live_creds_are_newer(folder: _Folder) -> bool:
    live, then = folder.live.creds, folder.snapshot.creds.next_pre_key_id
    return isinstance(live, Creds) and (live.next_pre_key_id or 0) >= (then or 0)


# --- counters and cost --------------------------------------------------------------------------------------


def fitted_counter(folder: _Folder, ids_after: Iterable[int]) -> int | None:
    """Return the `nextPreKeyId` that returning creds need, None when theirs will do.

    An id that is used twice breaks every new chat that gets the older key from the server, so the counter
    goes past each id on disk. Where not even the newest pre-key that the snapshot knows is on disk, ids may
    have come and gone that nothing tells of: then past a whole upload as well. Ids are no scarce good, and
    Baileys does not mind a gap.
    """
    needed = max(
        [folder.snapshot.creds.next_pre_key_id or 1, *(pre_key_id + 1 for pre_key_id in ids_after)]
        + [pre_key_id + 1 for pre_key_id in folder.ids_seen]
    )
    if folder.ids_may_have_come_and_gone:
        needed += PAIRING_BATCH
    return None if needed == folder.snapshot.creds.next_pre_key_id else needed


def fitted_creds(content: bytes, next_pre_key_id: int) -> bytes:
    """Given the bytes of `creds.json`, return them with both pre-key counters at `next_pre_key_id`.

    Nothing else changes, not even the spelling, where the counters are written as Baileys writes them.
    """
    creds = json.loads(content)
    creds |= dict.fromkeys(_COUNTERS, next_pre_key_id)
    fitted = content
    for counter in _COUNTERS:
        pattern = rb'("%s"\s*:\s*)\d+' % counter.encode()
        fitted = re.sub(pattern, rb"\g<1>%d" % next_pre_key_id, fitted)
    if json.loads(fitted) == creds:
        return fitted
    return json.dumps(creds, separators=(",", ":")).encode()


_COUNTERS = ("nextPreKeyId", "firstUnuploadedPreKeyId")


def _ids_of(names: Iterable[str]) -> list[int]:
    return pre_key_ids(name for name in names if kind_of(name) is Kind.PRE_KEY)


def _cost(folder: _Folder, verdicts: Iterable[Verdict]) -> Cost:
    contacts = group_senders = 0
    there = {
        verdict.name
        for verdict in verdicts
        if verdict.action is Action.BRING_BACK
        or (verdict.action is Action.KEEP and folder.is_whole(verdict.name))
    }
    contacts = sum(name not in there for name in folder.of(Kind.SESSION))
    group_senders = sum(name not in there for name in folder.owners.peers)
    knows_counters = folder.same_account and isinstance(folder.live.creds, Creds)
    untold = not knows_counters and folder.ids_may_have_come_and_gone
    return Cost(contacts, group_senders, _lost_pre_keys(folder, there), untold)


def _lost_pre_keys(folder: _Folder, there: Iterable[str]) -> int:
    """Return how many ids that creds have given out since the snapshot lie beyond all that are left."""
    creds, then = folder.live.creds, folder.snapshot.creds.next_pre_key_id
    if not folder.same_account or not isinstance(creds, Creds):
        return 0
    if then is None or creds.next_pre_key_id is None:
        return 0
    beyond = max([then - 1, *_ids_of(there)])
    return max(0, creds.next_pre_key_id - 1 - beyond)


def _nanoseconds(moment: datetime) -> int:
    length = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (length.days * 86_400 + length.seconds) * 1_000_000_000 + length.microseconds * 1_000
