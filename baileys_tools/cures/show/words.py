"""Groups, contacts and files as people are shown them: numbers masked, unless they were asked for."""

from __future__ import annotations

import re

from baileys_tools.cures.rules.asides import AsideReason
from baileys_tools.masking import masked_number
from baileys_tools.sessions.rules.keyfiles import (
    Kind,
    is_companion,
    key_id_of,
    key_of,
    kind_of,
    parse_sender_key,
)
from baileys_tools.units import printable

GROUP_BEGINS = "120363"
"""With this begin the ids of all but old groups."""

WHY = {
    AsideReason.ASKED: "",
    AsideReason.KEY_GONE: "the key that it speaks of is gone: all members wait",
    AsideReason.TORN: "not readable: the bot takes it for missing",
    AsideReason.NO_SESSION: "broken: no session is in it",
    AsideReason.NO_OPEN_SESSION: "broken: all sessions in it are closed",
    AsideReason.UNREADABLE: "broken: the log says that messages cannot be read",
}
"""Why a file is set aside, or would be."""


def user_shown(user: str, show_numbers: bool) -> str:
    """Return a phone number or a LID as it is shown, "-" for none."""
    if not user:
        return "-"
    return printable(user) if show_numbers else masked_number(user)


def address_shown(address: str, show_numbers: bool) -> str:
    """Return the address of a session such as `270996591579169_1.0` as it is shown."""
    user, rest = re.split(r"(?=[_.])", address, maxsplit=1) if re.search(r"[_.]", address) else (address, "")
    return user_shown(user, show_numbers) + printable(rest)


def group_shown(group: str, show_numbers: bool) -> str:
    """Return a group as it is shown. Older ones begin with the number of whoever made them."""
    if show_numbers or group.startswith(GROUP_BEGINS):
        return printable(group)
    return re.sub(r"[0-9]{5,}", _masked, printable(group), count=1)


def file_shown(name: str, show_numbers: bool) -> str:
    """Return the name of a session, sender-key or memory file as it is shown."""
    key = key_of(name)
    kind = kind_of(name)
    beside = name[len(key) :] if is_companion(name) else ""
    if kind is Kind.SESSION:
        return f"session-{address_shown(key[8:-5], show_numbers)}.json{beside}"
    if kind is Kind.SENDER_KEY_MEMORY:
        return f"{kind}-{group_shown(key_id_of(key, kind), show_numbers)}.json{beside}"
    if kind is Kind.SENDER_KEY:
        sender = parse_sender_key(key)
        who = address_shown(sender.user, show_numbers)
        return f"{kind}-{group_shown(sender.group, show_numbers)}--{who}--{sender.device}.json{beside}"
    if kind in (Kind.PRE_KEY, Kind.CREDS, Kind.APP_STATE_SYNC_KEY, Kind.APP_STATE_SYNC_VERSION):
        return printable(name)
    return printable(name) if show_numbers else re.sub(r"[0-9]{5,}", _masked, printable(name))


def _masked(found: re.Match[str]) -> str:
    return masked_number(found[0])
