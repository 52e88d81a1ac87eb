"""Groups whose members ask for what the bot sent again and again: they lack its key, by the word of its log.

Baileys writes `recv retry request` at level debug, and `will not send message again, as sent too many times` at level
info, which is what its own logger writes (`Socket/messages-recv.js`: `handleReceipt`; the same in 6 and 7). One request
is normal: it is answered, and the memory of the group goes with it. What no answer helped is asked for anew, message
after message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.bots.rules.log_events import ASKED_AGAIN
from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.units import counted

WITHIN = timedelta(days=1)
MESSAGES_OF_ONE = 3
"""From so many messages on that one device asks for, no answer has helped it."""
MOST_NAMED = 3

_GROUP = re.compile(r'\bfrom"?[:=] ?"([0-9]{5,20}(?:-[0-9]{5,20})?@g\.us)"')
_MESSAGE = re.compile(r'\bid"?[:=] ?"([0-9A-Za-z.-]{4,64})"')
_DEVICE = re.compile(r'\bparticipant"?[:=] ?"([0-9]{5,20}(?::[0-9]{1,4})?@[a-z.]{3,20})"')


class ResendRequest(NamedTuple):
    """One request for a message of the bot to a group: by which device, when (seconds since 1970), and whether the bot
    has given up on it."""

    group: str
    device: str
    message: str
    at: float | None
    given_up: bool


class StaleGroup(NamedTuple):
    """A group in which so many devices wait for the bot's key, and how many messages they asked for."""

    group: str
    devices: int
    messages: int


def asked_in(text: str) -> ResendRequest | None:
    """Given the record of a request, return it without its time; None where it is about no group."""
    found = [pattern.search(text) for pattern in (_GROUP, _DEVICE, _MESSAGE)]
    group, device, message = (one[1] if one else "" for one in found)
    if not (group and device and message):
        return None
    return ResendRequest(group, device, message, None, ASKED_AGAIN[1] in text)


def stale_groups(asked: Iterable[ResendRequest], groups: Collection[str], now: datetime) -> list[StaleGroup]:
    """Given requests, the groups that the bot remembers having given its key to, and the time (aware), return those in
    which a device lacks it, the one with the most devices first.

    What has no time, or is older than a day, proves nothing of now.
    """
    since, until = (now - WITHIN).timestamp(), now.timestamp()
    messages: dict[tuple[str, str], set[str]] = {}
    given_up = set()
    for one in asked:
        if one.group not in groups or one.at is None or not since < one.at <= until:
            continue
        messages.setdefault((one.group, one.device), set()).add(one.message)
        if one.given_up:
            given_up.add((one.group, one.device))
    lacking = [who for who, ids in messages.items() if who in given_up or len(ids) >= MESSAGES_OF_ONE]
    found = [
        StaleGroup(
            group,
            sum(who[0] == group for who in lacking),
            len(set().union(*(messages[who] for who in lacking if who[0] == group))),
        )
        for group in {group for group, _ in lacking}
    ]
    return sorted(found, key=lambda one: (-one.devices, one.group))


def stale_group_findings(company: str, stale: Sequence[StaleGroup]) -> list[Finding]:
    """Return what is to be said of such groups: one finding with the command that sends the key again."""
    if not stale:
        return []
    devices = sum(one.devices for one in stale)
    messages = sum(one.messages for one in stale)
    return [
        Finding(
            "group-keys-stale",
            Severity.WARNING,
            company,
            f"{counted(devices, 'device')} of members in {counted(len(stale), 'group')} asked in the last 24 hours for "
            f"{counted(messages, 'message')} of the bot again and again: they wait for its key",
            f"have the bot send its key again: {resend_command(company, [one.group for one in stale])}",
            {"devices": devices, "groups": len(stale), "messages": messages},
        )
    ]


def resend_command(company: str, groups: Sequence[str]) -> str:
    """Return the command that has the bot send its key again to these groups; to all, where they are many."""
    # The id of an old group begins with the number of whoever made it.
    named = groups if len(groups) <= MOST_NAMED and not any("-" in group for group in groups) else ()
    each = ["--group {}"] * len(named) or ["--all"]
    return command(" ".join(["baileys-tools resend-group-keys --company {}", *each]), company, *named)
