"""What a file in a session folder is, told from its name alone.

Baileys writes one file per key: `<type>-<id>.json`, where `/` in the id became `__` and `:` became `-`
(baileys `Utils/use-multi-file-auth-state.js`: `fixFileName`). A name that does not fit the grammar of its
type is `unknown`, and unknown files are never removed.
"""

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

    # Enum's own is a Python function, and a large run looks kinds up a hundred thousand times.
    __hash__ = str.__hash__


PROTECTED = frozenset(
    {Kind.CREDS, Kind.APP_STATE_SYNC_KEY, Kind.APP_STATE_SYNC_VERSION, Kind.LID_MAPPING},
)
"""Kinds that no flag, no setting and no bug may remove."""


REMOVABLE = frozenset({Kind.PRE_KEY, Kind.SESSION, Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY})
"""Kinds that a rule can remove."""


class SenderKeyName(NamedTuple):
    """Whose key for which group (baileys `Signal/Group/sender-key-name.js`: `group::user::device`).

    `user` carries the address domain if there is one: `270996591579169_1` for a LID.
    """

    group: str
    user: str
    device: int


_WORD = r"[0-9A-Za-z@._+=-]"
_USER = r"[0-9A-Za-z_.-]{1,64}"
_DEVICE = r"[0-9]{1,9}+"

_GRAMMAR = {
    Kind.SENDER_KEY_MEMORY: rf"sender-key-memory-{_WORD}{{1,100}}\.json",
    Kind.SENDER_KEY: rf"sender-key-(?:[0-9A-Za-z@._+=]{{1,100}}+|{_WORD}{{1,100}})--{_USER}--{_DEVICE}\.json",
    Kind.SESSION: rf"session-[0-9A-Za-z_-]{{1,64}}+\.{_DEVICE}\.json",
    Kind.PRE_KEY: r"pre-key-[1-9][0-9]{0,9}+\.json",
}
"""How the names of removable kinds look, and how long they can be: a longer one is none of Baileys', and a
name has to leave room for what is put before it on its way out. Other kinds are never removed, so for them any
id will do."""

_ALL_FIT = {kind: rf"(?:{name}\0)*+" for kind, name in _GRAMMAR.items()}

_LONGEST_FIRST = sorted(
    ((f"{kind}-", kind) for kind in Kind if kind not in (Kind.CREDS, Kind.UNKNOWN)),
    key=lambda line: len(line[0]),
    reverse=True,
)
"""The order matters: `sender-key-` also begins `sender-key-memory-`."""


_IN_ORDER = tuple(Kind)


def kind_of(name: str) -> Kind:
    """Given a file name, return what the file is. Every name has an answer: at worst `Kind.UNKNOWN`."""
    for prefix, kind in _LONGEST_FIRST:
        if name.startswith(prefix):
            return kind if _fits(name, kind) else Kind.UNKNOWN
    return Kind.CREDS if name == "creds.json" else Kind.UNKNOWN


def _fits(name: str, kind: Kind) -> bool:
    if kind in _GRAMMAR:
        return re.fullmatch(_GRAMMAR[kind], name) is not None
    return name.endswith(".json")


def _all_fit(block: list[str], kind: Kind) -> bool:
    """Tell for many names at once: no name holds a NUL, so one match over all of them joined will do."""
    joined = "\0".join(block) + "\0"
    if kind in _GRAMMAR:
        return re.fullmatch(_ALL_FIT[kind], joined) is not None
    return joined.count(".json\0") == len(block)


def sort_by_kind(names: Iterable[str]) -> dict[Kind, list[str]]:
    """Given the names in a folder, return them by kind, sorted, as `kind_of` would tell one by one.

    Names of one prefix stand together once they are sorted, and a whole block is checked by one match: this
    is where the time of a large run goes.
    """
    rest = sorted(names)
    kinds: dict[Kind, list[str]] = {}
    unknown: list[str] = []
    for prefix, kind in _LONGEST_FIRST:
        first = bisect_left(rest, prefix)
        last = bisect_left(rest, prefix[:-1] + ".", first)  # "." is what follows "-"
        if first == last:
            continue
        block = rest[first:last]
        del rest[first:last]
        if not _all_fit(block, kind):
            unknown += [name for name in block if not _fits(name, kind)]
            block = [name for name in block if _fits(name, kind)]
        if block:
            kinds[kind] = block
    if "creds.json" in rest:
        rest.remove("creds.json")
        kinds[Kind.CREDS] = ["creds.json"]
    unknown += rest
    if unknown:
        kinds[Kind.UNKNOWN] = sorted(unknown)
    return {kind: kinds[kind] for kind in _IN_ORDER if kind in kinds}


def key_id_of(name: str, kind: Kind) -> str:
    """Given a file name and its kind, return the id between the type and `.json`."""
    return name[len(kind) + 1 : -len(".json")]


def pre_key_ids(names: Iterable[str]) -> list[int]:
    """Given names of `pre-key` files, return their numeric ids in the same order."""
    return [int(name[8:-5]) for name in names]


def session_user(name: str) -> str:
    """Given the name of a `session` file, return its user with the address domain if there is one."""
    return name[8:-5].rpartition(".")[0]


def parse_sender_key(name: str) -> SenderKeyName:
    """Given the name of a `sender-key` file, return group, user and device.

    Split from the right: old group ids contain a `-` of their own.
    """
    group, user, device = name[11:-5].rsplit("--", 2)
    return SenderKeyName(group, user, int(device))


AFTER_LOGIN = (Kind.SESSION, Kind.SENDER_KEY, Kind.APP_STATE_SYNC_KEY, Kind.PRE_KEY)
"""Baileys writes these only once it is logged in (pre-keys: `uploadPreKeysToServerIfRequired`)."""
