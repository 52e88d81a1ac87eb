"""Which quarantined files can come back without doing harm."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.keyfiles import (
    Kind,
    key_id_of,
    key_of,
    kind_of,
    parse_sender_key,
    session_user,
)
from baileys_tools.sessions.rules.senderkeys import Owner, owner_of


class UndoReason(StrEnum):
    """Why a quarantined file comes back or stays where it is."""

    BACK = "back"
    NEWER_STANDS = "newer-stands"
    """The bot has made the file anew: the newer one wins."""
    UNIT_MOVED_ON = "unit-moved-on"
    """The bot has a newer own sender-key or memory for this group. An old memory beside a new key would keep
    the key from every member (baileys `Socket/messages-send.js`: `relayMessage`)."""
    LID_TWIN = "lid-twin"
    """A session by phone number whose contact has one by LID. Baileys 7 would move the older one over that, without
    looking, at the next message of the contact (`Signal/libsignal.js`: `migrateSession`; measured: it fails)."""
    WITH_UNIT = "with-unit"
    """A memory that stays because an own key of its group could not be put back, or a companion whose key was not."""
    KEY_GONE = "key-gone"
    """A memory whose own key is gone: beside a key that the bot then makes, it would keep that from every member.
    Without it the bot tells everybody."""
    TAKEN_LATER = "taken-later"
    """A session, or the key of a member, of which a later run took a newer one: the other side has gone on from that,
    and an older session would keep from it what the bot says, where with none the bot begins anew."""
    FOREIGN = "foreign"
    """No plain file: nothing that was ever removed from here."""
    FAILED = "failed"


def plan_undo(
    quarantined: Collection[str],
    live: Collection[str],
    written_since: Collection[str],
    creds: Creds | CredsState,
    owned_by_content: Mapping[str, bool],
    lids: Mapping[str, str],
    stood_alone: Collection[str] = (),
    newer_taken: Collection[str] = (),
) -> dict[str, UndoReason]:
    """Given the names in a quarantine and in the live folder, return for each quarantined one what happens.

    `written_since` are the live ones that were written after the run: older ones never left, or came back by
    an undo that was interrupted. `lids` has the LID of users by phone number, as the folder's mappings tell.
    `stood_alone` are the memories that had no own key beside them before, where the bot has written nothing since;
    `newer_taken` are the names that runs took which were later for sure, to their quarantines or with a whole folder.
    The order is the order to work in: a memory comes after the own keys, and a companion after its key, with which it
    comes or stays.
    """
    live = {key_of(name) for name in live}
    newer = {key_of(name) for name in written_since}
    groups = {_unit_of(name, creds, owned_by_content) for name in newer}
    moved_on = groups - {None}
    later = {key_of(name) for name in newer_taken} - live
    reasons = {}
    for name in sorted(quarantined, key=lambda name: (kind_of(name) is Kind.SENDER_KEY_MEMORY, name)):
        if _unit_of(name, creds, owned_by_content) in moved_on:
            reasons[name] = UndoReason.NEWER_STANDS if key_of(name) in live else UndoReason.UNIT_MOVED_ON
        else:
            reasons[name] = UndoReason.NEWER_STANDS if key_of(name) in newer else UndoReason.BACK
            if reasons[name] is UndoReason.BACK and lid_twin(name, lids) in live:
                reasons[name] = UndoReason.LID_TWIN
            elif (
                reasons[name] is UndoReason.BACK
                and key_of(name) in later
                and _is_of_others(name, creds, owned_by_content)
            ):
                reasons[name] = UndoReason.TAKEN_LATER
    back = {name for name, reason in reasons.items() if reason is UndoReason.BACK}
    with_key = {_unit_of(name, creds, owned_by_content) for name in back if kind_of(name) is Kind.SENDER_KEY}
    with_key |= {_group_of_own(name, creds, owned_by_content) for name in live}
    # A later run, an accident or a restore may have taken the key since, and nothing tells of the latter.
    for name in back:
        unit = _unit_of(name, creds, owned_by_content)
        if (
            kind_of(name) is Kind.SENDER_KEY_MEMORY
            and unit not in with_key
            and key_of(name) not in stood_alone
        ):
            reasons[name] = UndoReason.KEY_GONE
    return reasons


def _is_of_others(name: str, creds: Creds | CredsState, owned_by_content: Mapping[str, bool]) -> bool:
    """Whether the file goes on with each message of somebody else: a session, or the sender-key of a member."""
    kind = kind_of(key_of(name))
    return kind is Kind.SESSION or (
        kind is Kind.SENDER_KEY and _unit_of(name, creds, owned_by_content) is None
    )


def _group_of_own(name: str, creds: Creds | CredsState, owned_by_content: Mapping[str, bool]) -> str | None:
    """Given a live file, return the group that the bot's own key in it is for; None for all else, and in doubt."""
    if kind_of(name) is not Kind.SENDER_KEY or not isinstance(creds, Creds):
        return None
    is_own = owner_of(name, creds, owned_by_content) is Owner.BOT
    return parse_sender_key(name).group if is_own else None


def lid_twin(name: str, lids: Mapping[str, str]) -> str | None:
    """Given a file, return the session by LID over which Baileys 7 would move it; None for any other than a session by
    phone number of a user with a LID.
    """
    name = key_of(name)
    if kind_of(name) is not Kind.SESSION or (lid := lids.get(session_user(name))) is None:
        return None
    device = name[:-5].rpartition(".")[2]
    return f"session-{lid}_1.{device}.json"


def twins_of(reasons: Mapping[str, UndoReason], lids: Mapping[str, str]) -> dict[str, str]:
    """Given what happens to each file, return the session by LID that keeps each one by phone number away."""
    kept = (name for name, reason in reasons.items() if reason is UndoReason.LID_TWIN)
    return {name: twin for name in kept if (twin := lid_twin(name, lids)) is not None}


def failed_sibling(memory: str, failed: Collection[str]) -> bool:
    """Given a memory and the files that could not be put back, return whether a key of its group is among them."""
    memory, failed = key_of(memory), {key_of(name) for name in failed}
    group = key_id_of(memory, Kind.SENDER_KEY_MEMORY)
    return any(kind_of(name) is Kind.SENDER_KEY and parse_sender_key(name).group == group for name in failed)


def _unit_of(name: str, creds: Creds | CredsState, owned_by_content: Mapping[str, bool]) -> str | None:
    """Return the group whose own key or memory this is, None for anything else; in doubt it is own."""
    name = key_of(name)
    kind = kind_of(name)
    if kind is Kind.SENDER_KEY_MEMORY:
        return key_id_of(name, kind)
    if kind is not Kind.SENDER_KEY:
        return None
    if isinstance(creds, Creds) and owner_of(name, creds, owned_by_content) is Owner.PEER:
        return None
    return parse_sender_key(name).group


class Late(NamedTuple):
    """Messages late by one resend: of contacts, none where the bot wrote first, and of members to their groups."""

    contacts: int = 0
    group_senders: int = 0


def asked_for_again(
    names: Collection[str], creds: Creds | CredsState, owned_by_content: Mapping[str, bool]
) -> tuple[list[str], list[str]]:
    """Given the names of files that are not there any more, return the sessions and the sender-keys of others among
    them: whoever writes again is late by one resend."""
    keys = sorted({key_of(name) for name in names})
    peers = [name for name in keys if kind_of(name) is Kind.SENDER_KEY]
    return (
        [name for name in keys if kind_of(name) is Kind.SESSION],
        [name for name in peers if _unit_of(name, creds, owned_by_content) is None],
    )


class WayBack(NamedTuple):
    """What is late by one resend at most once a whole folder is back that the bot has gone on without: the next message
    of each contact and of each member to its group, and new chats that begin with a pre-key made since and not used."""

    contacts: int = 0
    group_senders: int = 0
    pre_keys: int = 0


def way_back(
    written_since: Collection[str],
    live: Creds | CredsState,
    back: Creds | CredsState,
    owned_by_content: Mapping[str, bool],
) -> WayBack:
    """Given the live files that were written since a whole folder was set aside, the creds on both sides, and what the
    content of sender-keys says, return what it costs at most to have that folder back.

    What was said in its place by another pairing has changed nothing for this one.
    """
    if not isinstance(live, Creds) or not isinstance(back, Creds):
        return WayBack()
    if (live.me, live.registration_id) != (back.me, back.registration_id):
        return WayBack()
    made = sum(kind_of(name) is Kind.PRE_KEY for name in {key_of(name) for name in written_since})
    sessions, peers = asked_for_again(written_since, live, owned_by_content)
    return WayBack(len(sessions), len(peers), made)


CLEANERS = ("cleanup", "trigger", "monitor-once")
"""The commands whose work in a company is a cleanup (of the last one, by `monitor.auto_cleanup`)."""
RESET = "reset"
RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class UndoRun:
    """One run that can be undone in one company."""

    run: str
    started: datetime
    files: int
    size: int
    what: str = ""
    """The command that moved the files aside, "" where nothing tells."""
    promised: Late | None = None
    """What it costs at most, where a cleanup removed the files."""
    paid: Late | None = None
    """What of that was paid: keys that stand anew, as somebody wrote."""
    whole_folder: bool = False
    """Whether a reset or a rollback has set the whole folder aside: it comes back only when its run is named."""

    @property
    def is_reset(self) -> bool:
        """Whether a reset set the whole folder aside."""
        return self.what == RESET

    @property
    def is_cleanup(self) -> bool:
        """Whether a cleanup removed these files, as far as is known."""
        return self.what in CLEANERS or (not self.what and not self.whole_folder)

    @property
    def late(self) -> tuple[Late, Late] | None:
        """What a cleanup costs at most, and what of that was paid; None where it costs nothing, or nothing tells."""
        most, paid = self.promised, self.paid
        return (
            (most, paid) if self.is_cleanup and most is not None and paid is not None and any(most) else None
        )


@dataclass(frozen=True, slots=True)
class CompanyUndo:
    """What undo did, or can do, in one company. `reasons` and `errors` are by file name, `twins` names the session by
    LID that keeps one by phone number away; `trouble` says why nothing could be done, `refused` that its bot seems to
    live; `late` what it costs to have a whole folder back."""

    id: str
    runs: tuple[UndoRun, ...] = ()
    reasons: Mapping[str, UndoReason] | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False
    refused: bool = False
    trouble: str = ""
    late: WayBack | None = None

    def count(self, reason: UndoReason) -> int:
        """How many keys came to this."""
        return len({key_of(name) for name, found in (self.reasons or {}).items() if found is reason})
