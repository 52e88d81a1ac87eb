"""What a file in a session folder is, told from its name alone.

Baileys writes one file per key: `<type>-<id>.json`, where `/` in the id became `__` and `:` became `-`
(baileys `Utils/use-multi-file-auth-state.js`: `fixFileName`). A name that does not fit the grammar of its
type is `unknown`, and unknown files are never removed. `Kind` is the table of all that is known of a kind.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Self


class Removed(StrEnum):
    """By which rule a cleanup removes a file."""

    NEVER = "never"
    """Protected: no flag, no setting and no bug may remove it."""
    KEPT = "kept"
    """No rule removes it."""
    BY_AGE = "by-age"
    IF_UNUSED = "if-unused"
    """By age where the settings give one, and first of all in an emergency; where no session of its user stands."""
    BY_NUMBER = "by-number"
    """All but the newest; what the server still offers and what the bot has not uploaded is left out."""


class Returns(StrEnum):
    """How a file comes back from a snapshot."""

    IF_LOST = "if-lost"
    """An older one is better than none."""
    IF_OFF_SINCE = "if-off-since"
    """Where the bot is known to have been off since before the snapshot; else it would use message keys twice."""
    BY_OWNER = "by-owner"
    """A peer's as IF_LOST, the bot's own never: the bot makes a new one and tells the group."""
    NEVER = "never"
    WITHIN_POLICY = "within-policy"
    """As IF_LOST, unless the next cleanup would remove it again."""
    WITH_THE_LOGIN = "with-the-login"
    """Where the folder has no login of its own, or none that is as new."""
    AS_FOUND = "as-found"
    """By a rollback alone."""


class Written(StrEnum):
    """When the bot writes a file again."""

    SELDOM = "seldom"
    OFTEN = "often"
    WITH_MESSAGES = "with-messages"


class Traits(NamedTuple):
    """What holds for all files of a kind: a row of the table.

    `grammar` is how a whole name looks, where any id will not do. `counted`: it counts for the thresholds.
    `after_login`: the bot writes it only once it is logged in (pre-keys: `uploadPreKeysToServerIfRequired`).
    `only_in_7`: Baileys 6 knows no such kind. `is_record`: stores have it as a record of its own.
    """

    removed: Removed
    returns: Returns
    written: Written = Written.SELDOM
    grammar: str = ""
    counted: bool = True
    after_login: bool = False
    only_in_7: bool = False
    is_record: bool = True


_WORD = r"[0-9A-Za-z@._+=-]"
_USER = r"[0-9A-Za-z_.-]{1,64}"
_DEVICE = r"[0-9]{1,9}+"


class Kind(StrEnum):
    """The kinds of files in a session folder (baileys `Types/Auth.d.ts`: `SignalDataTypeMap`, and creds), each with
    all that the tool knows of it. What rules, scans and texts need is derived from here.

    Names of removable kinds have a grammar, which also says how long they can be: a longer one is none of Baileys',
    and a name has to leave room for what is put before it on its way out. For the others any id will do.
    """

    traits: Traits

    def __new__(cls, name: str, traits: Traits) -> Self:
        """Given a row, return its kind."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.traits = traits
        return kind

    CREDS = (
        "creds",
        Traits(Removed.NEVER, Returns.WITH_THE_LOGIN, Written.OFTEN, r"creds\.json", is_record=False),
    )
    PRE_KEY = (
        "pre-key",
        Traits(
            Removed.BY_NUMBER,
            Returns.WITHIN_POLICY,
            grammar=r"pre-key-[1-9][0-9]{0,9}+\.json",
            after_login=True,
        ),
    )
    SESSION = (
        "session",
        Traits(
            Removed.BY_AGE,
            Returns.IF_OFF_SINCE,
            Written.WITH_MESSAGES,
            rf"session-[0-9A-Za-z_-]{{1,64}}+\.{_DEVICE}\.json",
            after_login=True,
        ),
    )
    SENDER_KEY = (
        "sender-key",
        Traits(
            Removed.BY_AGE,
            Returns.BY_OWNER,
            Written.WITH_MESSAGES,
            rf"sender-key-(?:[0-9A-Za-z@._+=]{{1,100}}+|{_WORD}{{1,100}})--{_USER}--{_DEVICE}\.json",
            after_login=True,
        ),
    )
    SENDER_KEY_MEMORY = (
        "sender-key-memory",
        Traits(
            Removed.BY_AGE,
            Returns.NEVER,
            Written.WITH_MESSAGES,
            rf"sender-key-memory-{_WORD}{{1,100}}\.json",
        ),
    )
    APP_STATE_SYNC_KEY = "app-state-sync-key", Traits(Removed.NEVER, Returns.IF_LOST, after_login=True)
    APP_STATE_SYNC_VERSION = "app-state-sync-version", Traits(Removed.NEVER, Returns.IF_LOST)
    LID_MAPPING = "lid-mapping", Traits(Removed.NEVER, Returns.IF_LOST, only_in_7=True)
    DEVICE_LIST = (
        "device-list",
        Traits(
            Removed.IF_UNUSED,
            Returns.IF_LOST,
            grammar=r"device-list-[0-9A-Za-z_-]{1,64}+\.json",
            only_in_7=True,
        ),
    )
    TCTOKEN = "tctoken", Traits(Removed.KEPT, Returns.IF_LOST)
    IDENTITY_KEY = (
        "identity-key",
        Traits(
            Removed.IF_UNUSED,
            Returns.IF_LOST,
            grammar=rf"identity-key-[0-9A-Za-z_-]{{1,64}}+\.{_DEVICE}\.json",
            only_in_7=True,
        ),
    )
    # Of whaileys, a fork: a tctoken under another name.
    CONTACTS_TC_TOKEN = "contacts-tc-token", Traits(Removed.KEPT, Returns.IF_LOST, counted=False)
    # Of a client in Rust that keeps its own store, and mirrors it beside the files of Baileys.
    BRIDGE = "bridge", Traits(Removed.KEPT, Returns.AS_FOUND, counted=False, is_record=False)
    UNKNOWN = "unknown", Traits(Removed.KEPT, Returns.AS_FOUND, is_record=False)

    # Enum's own is a Python function, and a large run looks kinds up a hundred thousand times.
    __hash__ = str.__hash__


def _kinds(*removed: Removed) -> frozenset[Kind]:
    return frozenset(kind for kind in Kind if kind.traits.removed in removed)


PROTECTED = _kinds(Removed.NEVER)
"""Kinds that no flag, no setting and no bug may remove."""
REMOVED_BY_AGE = _kinds(Removed.BY_AGE)
KEYS_BY_AGE = REMOVED_BY_AGE - {Kind.SENDER_KEY_MEMORY}
"""What `cleanup.until` counts of them, and `policy try` as files: a memory is one with its key."""
REMOVED_IF_UNUSED = _kinds(Removed.IF_UNUSED)
"""Kinds that say something of a session, and go where it is gone."""
REMOVED_BY_DEFAULT = _kinds(Removed.BY_AGE, Removed.BY_NUMBER)
"""Kinds that a cleanup removes without being asked to."""
REMOVABLE = REMOVED_BY_DEFAULT | REMOVED_IF_UNUSED
"""Kinds that a rule can remove. All others are never removed, and that is asserted again where files go."""
UNCOUNTED = frozenset(kind for kind in Kind if not kind.traits.counted)
"""Kinds that do not count for the thresholds."""
AFTER_LOGIN = frozenset(kind for kind in Kind if kind.traits.after_login)
"""Kinds that are there only once the bot was logged in."""
ONLY_IN_7 = frozenset(kind for kind in Kind if kind.traits.only_in_7)
"""Kinds that only Baileys 7 writes."""
MOVED_BY_MESSAGES = frozenset(kind for kind in Kind if kind.traits.written is Written.WITH_MESSAGES)
"""Kinds that are written with each message."""
WRITTEN_AGAIN = frozenset(kind for kind in Kind if kind.traits.written is not Written.SELDOM)
"""Kinds that a living bot writes again and again."""


class SenderKeyName(NamedTuple):
    """Whose key for which group (baileys `Signal/Group/sender-key-name.js`: `group::user::device`).

    `user` carries the address domain if there is one: `270996591579169_1` for a LID.
    """

    group: str
    user: str
    device: int


_GRAMMAR = {kind: kind.traits.grammar for kind in Kind if kind.traits.grammar}
_ALL_FIT = {kind: rf"(?:{name}\0)*+" for kind, name in _GRAMMAR.items()}
_PREFIXES: list[tuple[str, str, Kind]] = [
    *sorted(
        ((f"{kind}-", f"{kind}.", kind) for kind in Kind if kind not in (Kind.CREDS, Kind.UNKNOWN)),
        key=lambda line: len(line[0]),
        reverse=True,
    ),
    ("creds.json", "creds.json/", Kind.CREDS),
]
"""How the names of a kind begin, and what comes after all names that begin so ("." follows "-", and "/" follows ".").
The order matters: `sender-key-` also begins `sender-key-memory-`."""
_IN_ORDER = tuple(Kind)
_BESIDE = (".json.bak", ".json.tmp")


def key_of(name: str) -> str:
    """Given a file name, return the name of the key that it belongs to: its own, but for a companion.

    The next Baileys rotates `X.json` to `X.json.bak` and writes `X.json.tmp` before it renames that; a missing `X.json`
    is read from `X.json.bak`. So the three are one key.
    """
    return name[:-4] if name.endswith(_BESIDE) else name


def is_companion(name: str) -> bool:
    """Whether a file stands beside a key, or in its place."""
    return name.endswith(_BESIDE) and kind_of(name) is not Kind.UNKNOWN


def companions_of(key: str) -> tuple[str, ...]:
    """Given the name of a key, return what its companions are called."""
    return f"{key}.bak", f"{key}.tmp"


def kind_of(name: str) -> Kind:
    """Given a file name, return what the file is. Every name has an answer: at worst `Kind.UNKNOWN`.

    A companion is what its key is.
    """
    key = key_of(name)
    for prefix, _, kind in _PREFIXES:
        if key.startswith(prefix):
            return kind if _fits(key, kind) else Kind.UNKNOWN
    return Kind.UNKNOWN


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


def _fitting(block: list[str], kind: Kind) -> list[str]:
    return block if not block or _all_fit(block, kind) else [name for name in block if _fits(name, kind)]


class SortedNames(NamedTuple):
    """The names in a folder, by kind. A key is named once, whatever files it consists of.

    `parts` has those that are more than their own file, or less: by key the files that stand, the key's own last.
    That is the order of removal: a companion alone would be read in the place of its key.
    """

    kinds: dict[Kind, list[str]]
    parts: dict[str, tuple[str, ...]]


def sort_by_kind(names: Iterable[str]) -> dict[Kind, list[str]]:
    """Given the names in a folder, return its keys by kind, as `sort_names` does."""
    return sort_names(names).kinds


def sort_names(names: Iterable[str]) -> SortedNames:
    """Given the names in a folder, return its keys by kind, sorted, as `kind_of` would tell one by one.

    Names of one prefix stand together once they are sorted, and a whole block is checked by one match: this
    is where the time of a large run goes.
    """
    rest = sorted(names)
    kinds: dict[Kind, list[str]] = {}
    parts: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    for prefix, end, kind in _PREFIXES:
        first = bisect_left(rest, prefix)
        last = bisect_left(rest, end, first)
        if first == last:
            continue
        block = rest[first:last]
        del rest[first:last]
        if not _all_fit(block, kind):
            block, strangers = _with_companions(block, kind, parts)
            unknown += strangers
        if block:
            kinds[kind] = block
    unknown += rest
    if unknown:
        kinds[Kind.UNKNOWN] = sorted(unknown)
    return SortedNames({kind: kinds[kind] for kind in _IN_ORDER if kind in kinds}, parts)


def _with_companions(
    block: list[str], kind: Kind, parts: dict[str, tuple[str, ...]]
) -> tuple[list[str], list[str]]:
    """Given sorted names of one prefix, return the keys of the kind and what is none of them; put keys of more
    than one file, or without their own, into `parts`."""
    own = _fitting([name for name in block if name.endswith(".json")], kind)
    beside = [name for name in block if name.endswith(_BESIDE)]
    keys = set(_fitting([name[:-4] for name in beside], kind))
    beside = [name for name in beside if name[:-4] in keys]
    known = {*own, *beside}
    strangers = [name for name in block if name not in known]
    for name in beside:
        key = name[:-4]
        parts[key] = (*parts.get(key, ()), name)
    standing = keys.intersection(own)
    for key in standing:
        parts[key] = (*parts[key], key)
    if len(standing) < len(keys):
        own = sorted({*own, *keys})
    return own, strangers


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
