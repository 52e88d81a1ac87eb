"""What a restore brings back into a session folder, what it leaves alone, and why.

Pure: the facts of a folder and of a snapshot in, a plan out, with a verdict and a reason for every file. An
older key file is not always better than none: a session that is put back to an earlier state uses message
keys a second time, and the other side refuses or drops what it cannot read (measured with the real client:
after messages both ways every contact fails once). So what comes back is decided kind by kind. A peer's sender-key
only moves forward: an older one reads what its sender sends later, unless that one has made a new key since, and
then a missing one would have cost the same resend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from baileys_tools.recovery.rules.restore_signs import (
    FOREIGN,
    is_same_account,
    pre_key_ids_among,
    refusals_of,
    traffic_since,
)
from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.keyfiles import (
    ONLY_IN_7,
    REMOVABLE,
    Kind,
    Returns,
    kind_of,
    pre_key_ids,
    sort_by_kind,
)
from baileys_tools.sessions.rules.prekeys import PAIRING_BATCH, Evidence, PreKeyPool, apply_pre_key_rule
from baileys_tools.sessions.rules.restore_plan import (
    CREDS,
    Action,
    Choice,
    LiveFolder,
    Mode,
    Objection,
    RestoreCost,
    RestorePlan,
    RestoreReason,
    RestoreVerdict,
    SnapshotFiles,
    Traffic,
)
from baileys_tools.sessions.rules.senderkeys import SenderKeys, sort_by_owner
from baileys_tools.sessions.rules.snapshot import Account

_COMES_BACK = tuple(kind for kind in Kind if kind.traits.returns is Returns.IF_LOST)
"""Kinds of which an older one is better than none, and which nothing ever removes."""
_AS_FOUND = tuple(kind for kind in Kind if kind.traits.returns is Returns.AS_FOUND)
"""Kinds that a repair leaves alone."""


def plan_restore(live: LiveFolder, snapshot: SnapshotFiles, choice: Choice, now: datetime) -> RestorePlan:
    """Given a folder and a snapshot of the same company, return what the restore does at `now` (aware)."""
    traffic, sign = traffic_since(live, snapshot)
    refusals = tuple(refusals_of(live, snapshot, choice.mode, now))
    folder = _Folder(live, snapshot, choice, traffic)
    foreign = any(refusal.objection in FOREIGN for refusal in refusals)
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
        self.shows_traffic = traffic is Traffic.SINCE
        self.sessions_may_return = traffic is Traffic.NONE or choice.keep_sessions
        self.no_session_because = (
            RestoreReason.TRAFFIC_SINCE if self.shows_traffic else RestoreReason.TRAFFIC_UNTOLD
        )
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
        return [*pre_key_ids_among(self.live.files), *pre_key_ids_among(self.live.quarantined)]

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

    def is_as_in_snapshot(self, name: str) -> bool:
        entry = self.snapshot.entries.get(name)
        return entry is not None and self.is_whole(name) and self.live.files[name].sha256 == entry.sha256

    def written_at(self, name: str) -> int:
        """When it was written, in nanoseconds: the snapshot remembers that, and a torn file does not."""
        entry = self.snapshot.entries.get(name)
        return entry.mtime_ns if entry is not None else self.live.files[name].stat.st_mtime_ns

    def lack(self, name: str) -> RestoreReason:
        return RestoreReason.UNREADABLE if name in self.live.files else RestoreReason.MISSING

    def was_removed(self, name: str) -> bool:
        """Whether a cleanup has put the file in quarantine: `undo` is what brings it back.

        What an earlier repair has put there are damaged bytes, and so is all of a kind that no cleanup removes.
        """
        removed = name in self.live.quarantined - self.live.replaced and name not in self.live.files
        return removed and kind_of(name) in REMOVABLE


def _repair(folder: _Folder) -> Iterator[RestoreVerdict]:
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
    for kind in _AS_FOUND:
        for name in folder.of(kind):
            action = Action.KEEP if name in folder.live.files else Action.LEAVE_OUT
            yield RestoreVerdict(name, kind, action, RestoreReason.UNKNOWN)


def _mended(folder: _Folder, name: str, kind: Kind) -> RestoreVerdict:
    """The rule of kinds of which an older one is better than none."""
    if name in folder.blocked:
        return RestoreVerdict(name, kind, Action.KEEP, RestoreReason.IN_THE_WAY)
    if folder.is_whole(name):
        return RestoreVerdict(name, kind, Action.KEEP, RestoreReason.WHOLE)
    if name not in folder.snapshot.entries:
        return RestoreVerdict(name, kind, Action.KEEP, RestoreReason.NO_COPY)
    if folder.was_removed(name):
        return RestoreVerdict(name, kind, Action.LEAVE_OUT, RestoreReason.REMOVED_BY_POLICY)
    return RestoreVerdict(name, kind, Action.BRING_BACK, folder.lack(name))


def _repair_session(folder: _Folder, name: str) -> RestoreVerdict:
    mended = _mended(folder, name, Kind.SESSION)
    if mended.reason is RestoreReason.NO_COPY:
        return mended._replace(action=Action.SET_ASIDE)
    if mended.action is not Action.BRING_BACK or folder.sessions_may_return:
        return mended
    action = Action.SET_ASIDE if name in folder.live.files else Action.LEAVE_OUT
    return RestoreVerdict(name, Kind.SESSION, action, folder.no_session_because)


def _repair_units(folder: _Folder) -> Iterator[RestoreVerdict]:
    for unit in folder.owners.units:
        broken = _is_broken(folder, unit)
        for name in unit:
            kind = kind_of(name)
            if name in folder.blocked:
                yield RestoreVerdict(name, kind, Action.KEEP, RestoreReason.IN_THE_WAY)
            elif name not in folder.live.files:
                yield RestoreVerdict(name, kind, Action.LEAVE_OUT, RestoreReason.OWN_SENDER_KEY)
            elif not broken:
                yield RestoreVerdict(name, kind, Action.KEEP, RestoreReason.WHOLE)
            else:
                reason = RestoreReason.UNIT_BROKEN if folder.is_whole(name) else RestoreReason.UNREADABLE
                yield RestoreVerdict(name, kind, Action.SET_ASIDE, reason)


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


def _repair_pre_keys(folder: _Folder) -> Iterator[RestoreVerdict]:
    removed = _pre_keys_beyond_policy(folder)
    for name in folder.of(Kind.PRE_KEY):
        verdict = _mended(folder, name, Kind.PRE_KEY)
        if verdict.action is Action.BRING_BACK and name in removed:
            action = Action.KEEP if name in folder.live.files else Action.LEAVE_OUT
            verdict = RestoreVerdict(name, Kind.PRE_KEY, action, RestoreReason.REMOVED_BY_POLICY)
        yield verdict


def _pre_keys_beyond_policy(folder: _Folder) -> set[str]:
    """Return the pre-keys that the next cleanup would remove again: its rule on all that would be there."""
    pool = _every_pre_key(folder)
    rule = apply_pre_key_rule(pool, folder.choice.pre_keys_keep, guard=folder.choice.pre_key_guard)
    return {f"pre-key-{pre_key_id}.json" for pre_key_id in rule.removed}


def _every_pre_key(folder: _Folder) -> PreKeyPool:
    live = folder.live.creds
    creds = live if folder.same_account and isinstance(live, Creds) else folder.snapshot.creds
    ids = pre_key_ids(folder.of(Kind.PRE_KEY))
    return PreKeyPool(
        ids=ids,
        written={pre_key_id: folder.written_at(f"pre-key-{pre_key_id}.json") for pre_key_id in ids},
        next_id=creds.next_pre_key_id,
        first_unuploaded_id=creds.first_unuploaded_pre_key_id,
        topped_up_by_fives=not folder.names.keys().isdisjoint(ONLY_IN_7),
    )


def _creds_verdict(folder: _Folder, *, stays: bool) -> RestoreVerdict:
    if CREDS in folder.blocked:
        return RestoreVerdict(CREDS, Kind.CREDS, Action.KEEP, RestoreReason.IN_THE_WAY)
    if stays:
        return RestoreVerdict(CREDS, Kind.CREDS, Action.KEEP, RestoreReason.SAME_ACCOUNT)
    reason = folder.lack(CREDS)
    if folder.live.account is CredsState.UNPAIRED:
        reason = RestoreReason.UNPAIRED
    elif isinstance(folder.live.account, Account):
        reason = RestoreReason.IN_SNAPSHOT
    return RestoreVerdict(CREDS, Kind.CREDS, Action.BRING_BACK, reason)


def _rollback(folder: _Folder, *, foreign: bool) -> Iterator[RestoreVerdict]:
    """`foreign`: what is on disk belongs to another pairing, so nothing of it may stay."""
    for unit in folder.owners.units:
        for name in unit:
            yield RestoreVerdict(name, kind_of(name), Action.LEAVE_OUT, RestoreReason.OWN_SENDER_KEY)
    for name in folder.of(Kind.SESSION):
        yield _rolled_back_session(folder, name, foreign=foreign)
    for name in folder.of(Kind.PRE_KEY):
        if folder.is_whole(name) and not foreign:
            yield RestoreVerdict(name, Kind.PRE_KEY, Action.KEEP, RestoreReason.PRE_KEY_ON_DISK)
        else:
            yield _rolled_back(folder, name, Kind.PRE_KEY, carried_over=False)
    for name in folder.owners.peers:
        if folder.is_whole(name) and not foreign:
            yield RestoreVerdict(name, Kind.SENDER_KEY, Action.KEEP, RestoreReason.PEER_KEY_ON_DISK)
        else:
            yield _rolled_back(folder, name, Kind.SENDER_KEY, carried_over=False)
    for kind in _COMES_BACK:
        for name in folder.of(kind):
            yield _rolled_back(folder, name, kind, carried_over=folder.is_whole(name) and not foreign)
    for kind in _AS_FOUND:
        for name in folder.of(kind):
            yield _rolled_back(folder, name, kind, carried_over=True)
    yield _creds_verdict(folder, stays=folder.same_account and _live_creds_are_newer(folder))


def _rolled_back(folder: _Folder, name: str, kind: Kind, *, carried_over: bool) -> RestoreVerdict:
    if name in folder.snapshot.entries:
        return RestoreVerdict(name, kind, Action.BRING_BACK, RestoreReason.IN_SNAPSHOT)
    if carried_over:
        return RestoreVerdict(name, kind, Action.KEEP, RestoreReason.NOT_IN_SNAPSHOT)
    return RestoreVerdict(name, kind, Action.LEAVE_OUT, RestoreReason.NOT_IN_SNAPSHOT)


def _rolled_back_session(folder: _Folder, name: str, *, foreign: bool) -> RestoreVerdict:
    stands = folder.is_as_in_snapshot(name) and not (foreign or folder.shows_traffic)
    if name in folder.snapshot.entries and not (folder.sessions_may_return or stands):
        return RestoreVerdict(name, Kind.SESSION, Action.LEAVE_OUT, folder.no_session_because)
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


def _cost(folder: _Folder, verdicts: Iterable[RestoreVerdict]) -> RestoreCost:
    verdicts = list(verdicts)
    there = {
        verdict.name
        for verdict in verdicts
        if verdict.action is Action.BRING_BACK
        or (verdict.action is Action.KEEP and folder.is_whole(verdict.name))
    }
    # What was queued for a bot that has been off is read with what it had when it went.
    may_be_older = folder.shows_traffic or not folder.sessions_may_return
    older = [
        verdict.kind
        for verdict in verdicts
        if verdict.action is Action.BRING_BACK and not folder.is_as_in_snapshot(verdict.name)
    ]
    knows_counters = folder.same_account and isinstance(folder.live.creds, Creds)
    return RestoreCost(
        contacts=sum(name not in there for name in folder.of(Kind.SESSION)),
        older_sessions=older.count(Kind.SESSION) if folder.shows_traffic else 0,
        group_senders=sum(name not in there for name in folder.owners.peers),
        older_keys=older.count(Kind.SENDER_KEY) if may_be_older else 0,
        pre_keys=_lost_pre_keys(folder, there) + _left_out_pre_keys(folder, verdicts),
        pre_keys_untold=not knows_counters and folder.ids_may_have_come_and_gone,
    )


def _left_out_pre_keys(folder: _Folder, verdicts: Iterable[RestoreVerdict]) -> int:
    """Return how many pre-keys of the snapshot the server may still offer that the policy leaves out, at most.

    A cleanup took them and stated it, or an accident did: the folder cannot tell.
    """
    left_out = {
        verdict.name
        for verdict in verdicts
        if verdict.kind is Kind.PRE_KEY
        and verdict.action is Action.LEAVE_OUT
        and verdict.reason is RestoreReason.REMOVED_BY_POLICY
        and not folder.was_removed(verdict.name)
    }
    return Evidence(_every_pre_key(folder)).offered_among(set(pre_key_ids(left_out))).if_extended


def _lost_pre_keys(folder: _Folder, there: Iterable[str]) -> int:
    """Return how many pre-keys may be lost that the server offers: unreadable ones, and what was made since the
    snapshot and is not there.

    Never too low. One that was used is gone as well, and which were, nothing tells: the order in which the server
    hands them out is not known.
    """
    creds, then = folder.live.creds, folder.snapshot.creds.next_pre_key_id
    left = set(pre_key_ids_among(there))
    unreadable = set(pre_key_ids_among(folder.live.files)) - left
    if then is None:
        return len(unreadable)
    counted = creds.next_pre_key_id if folder.same_account and isinstance(creds, Creds) else None
    made = range(then, max([then, counted or 0, *(seen + 1 for seen in folder.ids_seen)]))
    return len(made) - sum(one in made for one in left) + sum(one not in made for one in unreadable)
