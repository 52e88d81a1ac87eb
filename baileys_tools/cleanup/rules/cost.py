"""What removing files costs, in messages that come late by one resend.

One removed file is one resend, with two exceptions that Baileys 7 makes; both were measured with the client.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, parse_sender_key, session_user


class Cost(NamedTuple):
    """What a plan costs, in messages that are late by one resend.

    `contacts`: session addresses whose next message needs a resend if the contact writes first (nothing is
    lost if the bot does). `group_senders`: (group, sender) pairs whose next group message does.
    `pre_keys`: removed pre-keys that the server may still hand out, at most; a new chat that gets one starts late.
    `key_messages` delay nothing: devices that the bot sends its own key again, with its next message to their group.
    `bundles`: those of them for which it has to ask the server for a pre-key first, as their session is not there.
    """

    contacts: int = 0
    group_senders: int = 0
    pre_keys: int = 0
    key_messages: int = 0
    bundles: int = 0


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


_DOMAINS = {"lid": "_1", "hosted": "_128", "hosted.lid": "_129"}
"""Servers of a JID whose users have an address domain (baileys `WAJIDDomains`)."""


def bundles_fetched(
    folder: FolderFacts, gone: Collection[str], told: Iterable[str], lid_of: Callable[[str], str | None]
) -> int:
    """Given files that are to go and the devices (JIDs) that get the bot's key again, return for how many of them the
    bot fetches a bundle: those without a session then (`Socket/messages-send.js`: `assertSessions`).

    `lid_of` returns the LID of a phone number that has a mapping, where Baileys 7 looks for the session.
    """
    mapped = set(folder.of(Kind.LID_MAPPING))
    wanted = {_session_of(jid, mapped, lid_of) for jid in told}
    return len(wanted) - len(wanted.intersection(folder.of(Kind.SESSION)).difference(gone))


def _session_of(jid: str, mapped: Collection[str], lid_of: Callable[[str], str | None]) -> str:
    who, _, server = jid.partition("@")
    user, _, device = who.partition(":")
    # Baileys 6 knows neither mappings nor domains.
    domain = _DOMAINS.get(server, "") if mapped else ""
    if not domain and f"lid-mapping-{user}.json" in mapped and (lid := lid_of(user)):
        user, domain = lid, _DOMAINS["lid"]
    return f"session-{user}{domain}.{device or 0}.json"
