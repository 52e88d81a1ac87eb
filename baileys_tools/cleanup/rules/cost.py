"""What removing files costs, in messages that come late by one resend.

One removed file is one resend, with two exceptions that Baileys 7 makes; both were measured with the client.
"""

from collections.abc import Sequence
from typing import NamedTuple

from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, parse_sender_key, session_user


class Cost(NamedTuple):
    """What a plan costs, in messages that are late by one resend.

    `contacts`: session addresses whose next message needs a resend if the contact writes first (nothing is
    lost if the bot does). `group_senders`: (group, sender) pairs whose next group message does.
    `pre_keys`: removed pre-keys that the server may still hand out, at most; a new chat that gets one starts late.
    `key_messages` delay nothing: devices that the bot sends its own key again, with its next message to their group.
    """

    contacts: int = 0
    group_senders: int = 0
    pre_keys: int = 0
    key_messages: int = 0


def sessions_missed(folder: FolderFacts, sessions: Sequence[str]) -> int:
    """Given sessions that are to go, return how many contacts will miss theirs.

    Baileys 7 looks a session up by LID where it knows one (`Signal/libsignal.js`: `resolveLIDSignalAddress`). Then one
    by phone number is used only where a device list makes Baileys move it to the LID (`migrateSession`).
    """
    mapped = set(folder.of(Kind.LID_MAPPING))
    device_lists = set(folder.of(Kind.DEVICE_LIST))
    return sum(
        f"lid-mapping-{(user := session_user(name))}.json" not in mapped
        or f"device-list-{user}.json" in device_lists
        for name in sessions
    )


def senders_missed(folder: FolderFacts, peers: Sequence[str]) -> int:
    """Given peers' sender-keys that are to go, return how many (group, sender) pairs will miss theirs.

    In a group that has moved to LID addresses nobody sends by phone number any more: a key by number there is
    a leftover. A group has moved when its newest key is one by LID.
    """
    sender_keys = folder.of(Kind.SENDER_KEY)
    if not folder.of(Kind.LID_MAPPING) or not [name for name in sender_keys if "_" in name]:
        return len(peers)
    newest: dict[str, tuple[int, bool]] = {}
    for name in sender_keys:
        sender = parse_sender_key(name)
        candidate = (folder.stats[name].st_mtime_ns, "_" in sender.user)
        newest[sender.group] = max(newest.get(sender.group, candidate), candidate)
    return sum(
        "_" in (sender := parse_sender_key(name)).user or not newest[sender.group][1] for name in peers
    )
