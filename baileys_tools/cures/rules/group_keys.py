"""Which groups get the bot's key again: those whose `sender-key-memory` goes.

The memory says which devices have the bot's own key of a group. Whoever lost the key, or got it in a message that could
not be read, waits for ever ("Waiting for this message") while it says so. Without it the bot sends its key to all of
them with its next message there, and the key itself stays as it is (baileys `Socket/messages-send.js`: `relayMessage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cures.rules.asides import Aside, AsideReason, CurePlan
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, parse_sender_key
from baileys_tools.sessions.rules.senderkeys import STATUS_BROADCAST, Owner, owner_of

GROUP_SERVER = "@g.us"


def memories_of(facts: FolderFacts) -> dict[str, str]:
    """Return the memories of a folder by group. That of the status is written and never read: it is none."""
    found = {key_id_of(name, Kind.SENDER_KEY_MEMORY): name for name in facts.of(Kind.SENDER_KEY_MEMORY)}
    return {group: name for group, name in found.items() if group != STATUS_BROADCAST}


def group_named(text: str) -> str:
    """Given what an operator typed, return the group as names have it: its server may be left out, and the name of a
    memory's file names its group."""
    group = text.strip().removeprefix(f"{Kind.SENDER_KEY_MEMORY}-").removesuffix(".json")
    return group if "@" in group or not group else group + GROUP_SERVER


def groups_with_own_key(facts: FolderFacts) -> set[str]:
    """Return the groups that the bot has a key of its own for. In doubt a key is its own."""
    names = facts.of(Kind.SENDER_KEY)
    if not isinstance(facts.creds, Creds):
        return {parse_sender_key(name).group for name in names}
    creds = facts.creds
    return {
        parse_sender_key(name).group
        for name in names
        if owner_of(name, creds, facts.owned_by_content) is not Owner.PEER
    }


def plan_group_keys(facts: FolderFacts, groups: Iterable[str], told: Mapping[str, int]) -> CurePlan:
    """Given a folder, the groups that are meant and how many devices each memory names, return what is set aside."""
    memories = memories_of(facts)
    with_key = groups_with_own_key(facts)
    asides = tuple(
        Aside(
            group,
            AsideReason.ASKED if group in with_key else AsideReason.KEY_GONE,
            (memories[group],),
            told.get(group, 0),
            facts.stats[memories[group]].st_mtime_ns,
        )
        for group in sorted(set(groups))
        if group in memories
    )
    return CurePlan(asides, Cost(key_messages=sum(one.told for one in asides)))
