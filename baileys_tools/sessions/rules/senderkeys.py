"""Whose sender-key a file holds, and what belongs to it.

A bot tells the members of a group its own sender-key once and notes whom it told in `sender-key-memory`.
If the key goes and the memory stays, a new key is made that nobody is told: every member fails to read it
(baileys `Socket/messages-send.js`: `relayMessage`; measured: 100 % of members). So they are one unit.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from baileys_tools.sessions.rules.creds import Address, Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, SenderKeyName, key_id_of, parse_sender_key
from baileys_tools.sessions.rules.node_json import buffer, read_json


class Owner(Enum):
    """Who sends with a sender-key."""

    BOT = "bot"
    PEER = "peer"
    UNTOLD = "untold"
    """Neither name nor content tells; treated as the bot's own, the cautious side."""


_PHONE_DOMAINS = ("", "_128")
_LID_DOMAINS = ("", "_1", "_129")
"""Suffixes of an address (baileys `WAJIDDomains`): LID `_1`, hosted `_128` and `_129`."""


def owner_of(name: str, creds: Creds, owned_by_content: Mapping[str, bool]) -> Owner:
    """Given a sender-key file, return its owner by name, and where that does not tell, by content.

    The bot sends as `me.id`, and on Baileys 7 in LID groups as `me.lid`, always with its own device: the same
    user with another device is a peer, such as the account's phone (`messages-send.js`: `groupSenderIdentity`).
    """
    sender = parse_sender_key(name)
    if _is(sender, creds.me, _PHONE_DOMAINS) or _is(sender, creds.lid, _LID_DOMAINS):
        return Owner.BOT
    if creds.me is not None and creds.lid is not None:
        return Owner.PEER
    has_private_key = owned_by_content.get(name)
    if has_private_key is None:
        return Owner.UNTOLD
    return Owner.BOT if has_private_key else Owner.PEER


def _is(sender: SenderKeyName, address: Address | None, domains: Sequence[str]) -> bool:
    if address is None:
        return False
    users = [address.user + domain for domain in domains]
    if sender.user in users:
        return address.device is None or sender.device == address.device
    # Baileys up to 6.4 and whaileys name the bot's own with the device twice: `<user>-<device>--0`.
    user, _, device = sender.user.rpartition("-")
    return user in users and sender.device == 0 and (address.device is None or device == str(address.device))


def holds_private_key(content: bytes) -> bool | None:
    """Given a sender-key file, return whether its newest state holds a private signing key; None: cannot tell.

    Only the sender itself stores one (libsignal `sender-key-state.js`: only `setSenderKeyState` with a key pair does).
    Baileys 7 writes a peer's as an empty buffer, Baileys 6 leaves it out. The file is a buffer around a JSON text.
    """
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        record = read_json(content)
        text = buffer(record)
        states = record if text is None else read_json(text)
        private = states[-1]["senderSigningKey"].get("private")  # type: ignore[index]
        inside = buffer(private)
        return bool(private if inside is None else inside)
    return None


def untold_sender_keys(names: Sequence[str], creds: Creds) -> list[str]:
    """Given sender-key files, return those whose owner only their content can tell."""
    if creds.me is not None and creds.lid is not None:
        return []
    return [name for name in names if owner_of(name, creds, {}) is Owner.UNTOLD]


STATUS_BROADCAST = "status@broadcast"
"""Its memory is written and never read (baileys `Socket/messages-send.js`: `relayMessage`)."""


def devices_told(content: bytes) -> list[str]:
    """Given a memory file, return the devices (JIDs) that it says have the bot's key; none where it cannot be read."""
    with suppress(ValueError):
        memory = read_json(content)
        if isinstance(memory, dict):
            return [jid for jid, has_key in memory.items() if has_key]
    return []


def is_memory(name: str) -> bool:
    """Whether a file of a unit is its memory."""
    return name.startswith("sender-key-memory-")


def memories_alone(folder: FolderFacts, units: Iterable[Sequence[str]]) -> list[str]:
    """Given a folder and units of keys in it, return the memories beside which no key stands that is surely the bot's.

    Where nobody can read the creds those are all of them.
    """
    memories = [name for unit in units for name in unit if is_memory(name)]
    creds = folder.creds
    if not memories or not isinstance(creds, Creds):
        return memories
    keys = [
        name
        for name in folder.of(Kind.SENDER_KEY)
        if owner_of(name, creds, folder.owned_by_content) is Owner.BOT
    ]
    with_key = {parse_sender_key(name).group for name in keys}
    return [name for name in memories if key_id_of(name, Kind.SENDER_KEY_MEMORY) not in with_key]


class SenderKeys(NamedTuple):
    """The sender-keys of a folder: those of peers, and what the bot keeps itself, as one unit a group.

    A unit is in the order of removal, the memory first: a key without memory is harmless, a memory without
    key is not. `untold` are the keys in units that may be a peer's after all.
    """

    peers: Sequence[str]
    units: Sequence[tuple[str, ...]]
    untold: frozenset[str]


def sort_by_owner(
    sender_keys: Sequence[str], memories: Sequence[str], creds: Creds, owned_by_content: Mapping[str, bool]
) -> SenderKeys:
    units: dict[str, list[str]] = {key_id_of(memory, Kind.SENDER_KEY_MEMORY): [memory] for memory in memories}
    own_endings = _own_endings(creds)
    if own_endings:
        own = [name for name in sender_keys if name.endswith(own_endings)]
        untold = frozenset[str]()
    else:
        owners = {name: owner_of(name, creds, owned_by_content) for name in sender_keys}
        own = [name for name in sender_keys if owners[name] is not Owner.PEER]
        untold = frozenset(name for name in own if owners[name] is Owner.UNTOLD)
    for name in own:
        units.setdefault(parse_sender_key(name).group, []).append(name)
    in_units = set(own)
    return SenderKeys(
        peers=[name for name in sender_keys if name not in in_units],
        units=[tuple(unit) for unit in units.values()],
        untold=untold,
    )


def _own_endings(creds: Creds) -> tuple[str, ...]:
    """Return how names of own keys end, where creds say enough to tell by that alone; else nothing."""
    if creds.me is None or creds.lid is None or creds.me.device is None or creds.lid.device is None:
        return ()
    return tuple(
        f"--{address.user}{domain}-{ending}.json"
        for address, domains in ((creds.me, _PHONE_DOMAINS), (creds.lid, _LID_DOMAINS))
        for domain in domains
        for ending in (f"-{address.device}", f"{address.device}--0")
    )
