"""What a file in a session folder is, told from its name alone.

Baileys writes one file per key: `<type>-<id>.json`, where `/` in the id became `__` and `:` became `-`
(baileys `Utils/use-multi-file-auth-state.js`: `fixFileName`). A name that does not fit the grammar of its
type is `unknown`, and unknown files are never removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The kinds of files in a session folder (baileys `Types/Auth.d.ts`: `SignalDataTypeMap`, and creds)."""

    CREDS = "creds"
    PRE_KEY = "pre-key"
    SESSION = "session"
    SENDER_KEY = "sender-key"
    SENDER_KEY_MEMORY = "sender-key-memory"
    APP_STATE_SYNC_KEY = "app-state-sync-key"
    APP_STATE_SYNC_VERSION = "app-state-sync-version"
    LID_MAPPING = "lid-mapping"
    DEVICE_LIST = "device-list"
    TCTOKEN = "tctoken"
    IDENTITY_KEY = "identity-key"
    UNKNOWN = "unknown"


PROTECTED = frozenset(
    {Kind.CREDS, Kind.APP_STATE_SYNC_KEY, Kind.APP_STATE_SYNC_VERSION, Kind.LID_MAPPING},
)
"""Kinds that no flag, no setting and no bug may remove."""

REMOVABLE = frozenset({Kind.PRE_KEY, Kind.SESSION, Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY})
"""Kinds that a rule of the policy can remove."""


class KeyFile(NamedTuple):
    """One file of a session folder: `key_id` is the part of the name between the type and `.json`."""

    name: str
    kind: Kind
    key_id: str


class SenderKeyName(NamedTuple):
    """Whose key for which group (baileys `Signal/Group/sender-key-name.js`: `group::user::device`).

    `user` carries the address domain if there is one: `270996591579169_1` for a LID.
    """

    group: str
    user: str
    device: int


_WORD = r"[0-9A-Za-z@._+=-]+"
_session_id = re.compile(r"[0-9A-Za-z_-]+\.\d+").fullmatch
_sender_key_id = re.compile(rf"{_WORD}--[0-9A-Za-z_.-]+--\d+").fullmatch
_pre_key_number = re.compile(r"[1-9]\d*", re.ASCII).fullmatch
_word = re.compile(_WORD).fullmatch

_Grammar = tuple[str, Kind, Callable[[str], object]]


def _by_initial(grammar: list[_Grammar]) -> dict[str, tuple[_Grammar, ...]]:
    """Given the grammar, return its lines by first letter, the longest prefix first.

    The order matters: `sender-key-` also begins `sender-key-memory-`.
    """
    longest_first = sorted(grammar, key=lambda line: len(line[0]), reverse=True)
    initials = {prefix[0] for prefix, _, _ in grammar}
    return {initial: tuple(line for line in longest_first if line[0][0] == initial) for initial in initials}


_GRAMMAR = _by_initial(
    [
        ("pre-key-", Kind.PRE_KEY, _pre_key_number),
        ("session-", Kind.SESSION, _session_id),
        ("sender-key-", Kind.SENDER_KEY, _sender_key_id),
        ("sender-key-memory-", Kind.SENDER_KEY_MEMORY, _word),
        # The kinds below are never removed, so any id will do: a wide grammar is the safe side.
        ("app-state-sync-key-", Kind.APP_STATE_SYNC_KEY, bool),
        ("app-state-sync-version-", Kind.APP_STATE_SYNC_VERSION, bool),
        ("lid-mapping-", Kind.LID_MAPPING, bool),
        ("device-list-", Kind.DEVICE_LIST, bool),
        ("tctoken-", Kind.TCTOKEN, bool),
        ("identity-key-", Kind.IDENTITY_KEY, bool),
    ],
)


def parse_key_file(name: str) -> KeyFile:
    """Given a file name, return what the file is. Every name has an answer: at worst `Kind.UNKNOWN`."""
    if name[-5:] == ".json":
        for prefix, kind, fits in _GRAMMAR.get(name[0], ()):
            if name.startswith(prefix):
                key_id = name[len(prefix) : -5]
                if fits(key_id):
                    return KeyFile(name, kind, key_id)
                break
        if name == "creds.json":
            return KeyFile(name, Kind.CREDS, "")
    return KeyFile(name, Kind.UNKNOWN, name)


def parse_sender_key_id(key_id: str) -> SenderKeyName:
    """Given the id of a `sender-key` file, return group, user and device.

    Split from the right: old group ids contain a `-` of their own.
    """
    group, user, device = key_id.rsplit("--", 2)
    return SenderKeyName(group, user, int(device))
