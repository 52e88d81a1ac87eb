"""What a file in a session folder is, told from its name alone.

Baileys writes one file per key: `<type>-<id>.json`, where `/` in the id became `__` and `:` became `-`
(baileys `Utils/use-multi-file-auth-state.js`: `fixFileName`). A name that does not fit the grammar of its
type is `unknown`, and unknown files are never removed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
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


class SenderKeyName(NamedTuple):
    """Whose key for which group (baileys `Signal/Group/sender-key-name.js`: `group::user::device`).

    `user` carries the address domain if there is one: `270996591579169_1` for a LID.
    """

    group: str
    user: str
    device: int


_WORD = r"[0-9A-Za-z@._+=-]+"
_ANY = r"[^\0]+"
"""For kinds that are never removed any id will do: a wide grammar is the safe side."""

_IDS = {
    Kind.PRE_KEY: r"[1-9][0-9]*",
    Kind.SESSION: r"[0-9A-Za-z_-]+\.[0-9]+",
    Kind.SENDER_KEY: rf"{_WORD}--[0-9A-Za-z_.-]+--[0-9]+",
    Kind.SENDER_KEY_MEMORY: _WORD,
    Kind.APP_STATE_SYNC_KEY: _ANY,
    Kind.APP_STATE_SYNC_VERSION: _ANY,
    Kind.LID_MAPPING: _ANY,
    Kind.DEVICE_LIST: _ANY,
    Kind.TCTOKEN: _ANY,
    Kind.IDENTITY_KEY: _ANY,
}


class _Grammar(NamedTuple):
    """How the names of one kind look: `fits` takes one name, `all_fit` many with a NUL behind each."""

    prefix: str
    kind: Kind
    fits: re.Pattern[str]
    all_fit: re.Pattern[str]


def _grammar(kind: Kind, key_id: str) -> _Grammar:
    name = rf"{kind}-{key_id}\.json"
    return _Grammar(f"{kind}-", kind, re.compile(name), re.compile(rf"(?:{name}\0)*"))


_LONGEST_FIRST = sorted(
    (_grammar(kind, key_id) for kind, key_id in _IDS.items()), key=lambda line: len(line.prefix), reverse=True
)
"""The order matters: `sender-key-` also begins `sender-key-memory-`."""


def kind_of(name: str) -> Kind:
    """Given a file name, return what the file is. Every name has an answer: at worst `Kind.UNKNOWN`."""
    for prefix, kind, fits, _ in _LONGEST_FIRST:
        if name.startswith(prefix):
            return kind if fits.fullmatch(name) else Kind.UNKNOWN
    return Kind.CREDS if name == "creds.json" else Kind.UNKNOWN


def sort_by_kind(names: Iterable[str]) -> dict[Kind, list[str]]:
    """Given the names in a folder, return them by kind, sorted, as `kind_of` would tell one by one.

    Names of one prefix stand together once they are sorted, and a whole block is checked by one match: this
    is where the time of a large run goes.
    """
    rest = sorted(names)
    kinds: dict[Kind, list[str]] = {}
    unknown: list[str] = []
    for prefix, kind, fits, all_fit in _LONGEST_FIRST:
        first = bisect_left(rest, prefix)
        last = bisect_left(rest, prefix[:-1] + ".", first)  # "." is what follows "-"
        if first == last:
            continue
        block = rest[first:last]
        del rest[first:last]
        if not all_fit.fullmatch("\0".join(block) + "\0"):
            unknown += [name for name in block if not fits.fullmatch(name)]
            block = [name for name in block if fits.fullmatch(name)]
        if block:
            kinds[kind] = block
    if "creds.json" in rest:
        rest.remove("creds.json")
        kinds[Kind.CREDS] = ["creds.json"]
    unknown += rest
    if unknown:
        kinds[Kind.UNKNOWN] = sorted(unknown)
    return {kind: kinds[kind] for kind in Kind if kind in kinds}


def key_id_of(name: str, kind: Kind) -> str:
    """Given a file name and its kind, return the id between the type and `.json`."""
    return name[len(kind) + 1 : -len(".json")]


def pre_key_id_of(name: str) -> int:
    """Given the name of a `pre-key` file, return its numeric id."""
    return int(name[8:-5])


def parse_sender_key(name: str) -> SenderKeyName:
    """Given the name of a `sender-key` file, return group, user and device.

    Split from the right: old group ids contain a `-` of their own.
    """
    group, user, device = key_id_of(name, Kind.SENDER_KEY).rsplit("--", 2)
    return SenderKeyName(group, user, int(device))
