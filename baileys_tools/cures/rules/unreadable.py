"""Whose messages a bot's log calls unreadable: addresses and times, never a line of it.

Baileys writes `failed to decrypt message` with the key of the message (`Utils/decode-wa-message.js`). Of the reasons
only two speak of a session that is there and does not fit: `No matching sessions found` and `Bad MAC`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

SENT_BY = re.compile(
    r'(author|participant|remoteJid)"?[:=] ?'
    r'"([0-9]{5,20}(?::[0-9]{1,4})?@(?:s\.whatsapp\.net|lid|hosted|hosted\.lid))"'
)
_FROM_ME = re.compile(r'fromMe"?[:=] ?true')


class Device(NamedTuple):
    """One device of a contact, as the bot addresses it: by phone number or by LID."""

    user: str
    device: int


class Unreadable(NamedTuple):
    """How many messages of a device could not be read, and when the last (seconds since 1970, None where undated)."""

    messages: int = 0
    last: float | None = None


def sender_in(text: str) -> Device | None:
    """Given the record of a message that could not be read, return whose it was, None where it does not tell.

    Baileys 7 says it as `author`. In a group it is the participant. What the account's own phone has sent names only
    whom that was for.
    """
    found: dict[str, str] = {}
    for match in SENT_BY.finditer(text):
        found.setdefault(match[1], match[2])
    jid = found.get("author") or found.get("participant")
    if jid is None and not _FROM_ME.search(text):
        jid = found.get("remoteJid")
    return device_of(jid) if jid is not None else None


def device_of(jid: str) -> Device:
    """Given an address such as `4917...:12@s.whatsapp.net`, return its device."""
    user, _, device = jid.partition("@")[0].partition(":")
    return Device(user, int(device or 0))


def joined(found: Iterable[tuple[Device, float | None]]) -> dict[Device, Unreadable]:
    """Given each unreadable message, return them by device."""
    devices: dict[Device, Unreadable] = {}
    for device, at in found:
        before = devices.get(device, Unreadable())
        last = max((moment for moment in (before.last, at) if moment is not None), default=None)
        devices[device] = Unreadable(before.messages + 1, last)
    return devices


def is_over(unreadable: Unreadable, read_ms: int | None) -> bool:
    """Whether a message of the device has been read since the last that could not be.

    Where no line says when that was, nobody can tell, and the session stays.
    """
    return unreadable.last is None or (read_ms is not None and read_ms > unreadable.last * 1000)


Evidence = Mapping[Device, Unreadable]
