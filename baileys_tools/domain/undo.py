"""Which quarantined files can come back without doing harm."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from baileys_tools.domain.creds import Creds, CredsProblem
from baileys_tools.domain.keyfiles import Kind, key_id_of, kind_of, parse_sender_key
from baileys_tools.domain.senderkeys import Owner, owner_of


class UndoReason(StrEnum):
    """Why a quarantined file comes back or stays where it is."""

    BACK = "back"
    NEWER_STANDS = "newer-stands"
    """The bot has made the file anew: the newer one wins."""
    UNIT_MOVED_ON = "unit-moved-on"
    """The bot has a newer own sender-key or memory for this group. An old memory beside a new key would keep
    the key from every member (baileys `Socket/messages-send.js`: `relayMessage`)."""


def plan_undo(
    quarantined: Collection[str],
    live: Collection[str],
    creds: Creds | CredsProblem,
    owned_by_content: Mapping[str, bool],
) -> dict[str, UndoReason]:
    """Given the names in a quarantine and in the live folder, return for each quarantined one what happens."""
    reasons = {name: UndoReason.NEWER_STANDS if name in live else UndoReason.BACK for name in quarantined}
    moved_on = {group for group in map(lambda name: _unit_of(name, creds, owned_by_content), live) if group}
    for name, reason in reasons.items():
        if reason is UndoReason.BACK and _unit_of(name, creds, owned_by_content) in moved_on:
            reasons[name] = UndoReason.UNIT_MOVED_ON
    return reasons


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


@dataclass(frozen=True, slots=True)
class UndoRun:
    """One run that can be undone in one company."""

    run: str
    started: datetime
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class CompanyUndo:
    """What undo did, or can do, in one company. `reasons` by file name; `trouble` if it could not be done."""

    id: str
    runs: tuple[UndoRun, ...] = ()
    reasons: Mapping[str, UndoReason] | None = None
    locked: bool = False
    trouble: str = ""

    def count(self, reason: UndoReason) -> int:
        """How many files came to this."""
        return sum(found is reason for found in (self.reasons or {}).values())
