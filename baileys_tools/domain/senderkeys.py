"""Whose sender-key a file holds, and what belongs to it.

A bot tells the members of a group its own sender-key once and notes whom it told in `sender-key-memory`.
If the key goes and the memory stays, a new key is made that nobody is told: every member fails to read it
(baileys `Socket/messages-send.js`: `relayMessage`; measured: 100 % of members). So they are one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from baileys_tools.domain.creds import Address, Creds
from baileys_tools.domain.folder import FolderFacts
from baileys_tools.domain.keyfiles import KeyFile, Kind, SenderKeyName, parse_sender_key_id


class Owner(Enum):
    """Who sends with a sender-key."""

    BOT = "bot"
    PEER = "peer"
    UNTOLD = "untold"
    """Neither name nor content tells; treated as the bot's own, the cautious side."""


def owner_by_name(sender: SenderKeyName, creds: Creds) -> Owner:
    """Given a sender and the account, return who it is as far as the name tells.

    The bot sends as `me.id`, and on Baileys 7 in LID groups as `me.lid`, always with its own device: the same
    user with another device is a peer, such as the account's phone (`messages-send.js`: `groupSenderIdentity`).
    """
    if _is(sender, creds.me, {"", "_128"}) or _is(sender, creds.lid, {"", "_1", "_129"}):
        return Owner.BOT
    if creds.me is None or creds.lid is None:
        return Owner.UNTOLD
    return Owner.PEER


def _is(sender: SenderKeyName, address: Address | None, domains: set[str]) -> bool:
    if address is None or not sender.user.startswith(address.user):
        return False
    if sender.user[len(address.user) :] not in domains:
        return False
    return address.device is None or sender.device == address.device


def owner_of(file: KeyFile, creds: Creds, owned_by_content: Mapping[str, bool]) -> Owner:
    """Given a sender-key file, return its owner by name, and where that does not tell, by content."""
    by_name = owner_by_name(parse_sender_key_id(file.key_id), creds)
    if by_name is not Owner.UNTOLD:
        return by_name
    has_private_key = owned_by_content.get(file.name)
    if has_private_key is None:
        return Owner.UNTOLD
    return Owner.BOT if has_private_key else Owner.PEER


def untold_sender_keys(files: Iterable[KeyFile], creds: Creds) -> list[str]:
    """Given the files of a folder, return the sender-keys whose owner only their content can tell."""
    if creds.me is not None and creds.lid is not None:
        return []
    return [
        file.name
        for file in files
        if file.kind is Kind.SENDER_KEY
        and owner_by_name(parse_sender_key_id(file.key_id), creds) is Owner.UNTOLD
    ]


def own_units(folder: FolderFacts, creds: Creds) -> tuple[dict[str, list[KeyFile]], dict[str, Owner]]:
    """Given a folder, return its units by group, and the owner of every sender-key by file name.

    A unit is what the bot keeps for one group: the memory first, then the bot's own keys. The order is the
    order of removal: a key without memory is harmless, a memory without key is not.
    """
    units: dict[str, list[KeyFile]] = {}
    owners: dict[str, Owner] = {}
    for file in folder.files:
        if file.kind is Kind.SENDER_KEY_MEMORY:
            units.setdefault(file.key_id, []).insert(0, file)
        elif file.kind is Kind.SENDER_KEY:
            owner = owners[file.name] = owner_of(file, creds, folder.owned_by_content)
            if owner is not Owner.PEER:
                units.setdefault(parse_sender_key_id(file.key_id).group, []).append(file)
    return units, owners
