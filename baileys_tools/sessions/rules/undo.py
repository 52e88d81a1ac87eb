"""Which quarantined files can come back without doing harm."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from baileys_tools.sessions.rules.creds import Creds, CredsProblem
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, kind_of, parse_sender_key, session_user
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
    """A memory that stays because an own key of its group could not be put back."""
    FOREIGN = "foreign"
    """No plain file: nothing that was ever removed from here."""
    FAILED = "failed"


def plan_undo(
    quarantined: Collection[str],
    live: Collection[str],
    written_since: Collection[str],
    creds: Creds | CredsProblem,
    owned_by_content: Mapping[str, bool],
    lids: Mapping[str, str],
) -> dict[str, UndoReason]:
    """Given the names in a quarantine and in the live folder, return for each quarantined one what happens.

    `written_since` are the live ones that were written after the run: older ones never left, or came back by
    an undo that was interrupted. `lids` has the LID of users by phone number, as the folder's mappings tell. The order
    is the order to work in: a memory comes after the own keys.
    """
    groups = {_unit_of(name, creds, owned_by_content) for name in written_since}
    moved_on = groups - {None}
    reasons = {}
    for name in sorted(quarantined, key=lambda name: (kind_of(name) is Kind.SENDER_KEY_MEMORY, name)):
        if _unit_of(name, creds, owned_by_content) in moved_on:
            reasons[name] = UndoReason.NEWER_STANDS if name in live else UndoReason.UNIT_MOVED_ON
        else:
            reasons[name] = UndoReason.NEWER_STANDS if name in written_since else UndoReason.BACK
            if reasons[name] is UndoReason.BACK and lid_twin(name, lids) in live:
                reasons[name] = UndoReason.LID_TWIN
    return reasons


def lid_twin(name: str, lids: Mapping[str, str]) -> str | None:
    """Given a file, return the session by LID over which Baileys 7 would move it; None for any other than a session by
    phone number of a user with a LID.
    """
    if kind_of(name) is not Kind.SESSION or (lid := lids.get(session_user(name))) is None:
        return None
    device = name[:-5].rpartition(".")[2]
    return f"session-{lid}_1.{device}.json"


def failed_sibling(memory: str, failed: Collection[str]) -> bool:
    """Given a memory and the files that could not be put back, return whether a key of its group is among them."""
    group = key_id_of(memory, Kind.SENDER_KEY_MEMORY)
    return any(kind_of(name) is Kind.SENDER_KEY and parse_sender_key(name).group == group for name in failed)


def _unit_of(name: str, creds: Creds | CredsProblem, owned_by_content: Mapping[str, bool]) -> str | None:
    """Return the group whose own key or memory this is, None for anything else; in doubt it is own."""
    kind = kind_of(name)
    if kind is Kind.SENDER_KEY_MEMORY:
        return key_id_of(name, kind)
    if kind is not Kind.SENDER_KEY:
        return None
    if isinstance(creds, Creds) and owner_of(name, creds, owned_by_content) is Owner.PEER:
        return None
    return parse_sender_key(name).group


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
    whole_folder: bool = False
    """Whether a reset or a rollback has set the whole folder aside: it comes back only when its run is named."""

    @property
    def is_reset(self) -> bool:
        """Whether a reset set the whole folder aside."""
        return self.what == RESET


@dataclass(frozen=True, slots=True)
class CompanyUndo:
    """What undo did, or can do, in one company. `reasons` and `errors` are by file name, `twins` names the session by
    LID that keeps one by phone number away; `trouble` says why nothing could be done, `refused` that its bot seems to
    live."""

    id: str
    runs: tuple[UndoRun, ...] = ()
    reasons: Mapping[str, UndoReason] | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False
    refused: bool = False
    trouble: str = ""

    def count(self, reason: UndoReason) -> int:
        """How many files came to this."""
        return sum(found is reason for found in (self.reasons or {}).values())
