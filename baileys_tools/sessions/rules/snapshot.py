"""What a snapshot of a session folder says about itself, and what may be in one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from baileys_tools.masking import masked_number
from baileys_tools.sessions.rules.creds import Creds, CredsState, parse_creds, public_key, state_of
from baileys_tools.sessions.rules.keyfiles import Kind, is_companion, key_of
from baileys_tools.sessions.rules.node_json import LARGEST, read_json, whole_number

FORMAT = 1
"""The version of the archive's layout; a reader refuses a later one."""

LARGEST_FILE = LARGEST
MOST_FILES = 120_000
MOST_BYTES = 256 << 20
"""Limits of one snapshot, for the writer and for the reader: a folder beyond them is no session folder."""

FEWEST_POSSIBLE = 10_000_000
"""A sequence up to this one is believed at any time: a snapshot a minute for 19 years."""

IMPORT_TAG = "import"
"""The tag of a snapshot made from an old copy. It is older than all others, whenever it was taken in."""

BEFORE_TAG = "pre-restore"
"""The tag of a snapshot that keeps a folder as it was before a rollback or a reset, a session or not."""

_BEGAN = 1_577_836_800  # 2020-01-01, before there was a snapshot


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a snapshot: a name without any folder, and what a restore gives it. `sha256` is in hex."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An entry with its content."""

    entry: Entry
    content: bytes


def as_keys(files: Iterable[StoredFile]) -> dict[str, StoredFile]:
    """Given the files of a folder, return its keys as the bot reads them, and all that is none, by name.

    A companion that comes back brings an older state of its key back as soon as the key goes (measured: every message
    fails that meets it), so companions stay out. The next Baileys reads the `.bak` of a key that is missing: then that
    is the key. Not of `creds.json`, of which it has to be proven whose it is.
    """
    beside = {file.entry.name: file for file in files}
    keys = {name: file for name, file in beside.items() if not is_companion(name)}
    for name in beside.keys() - keys.keys():
        key = key_of(name)
        if key not in keys and name.endswith(".bak") and key != "creds.json":
            keys[key] = replace(beside[name], entry=replace(beside[name].entry, name=key))
    return keys


@dataclass(frozen=True, slots=True)
class Account:
    """Whose session it is.

    `masked` is for people. `fingerprint` is the sha256 of the account's user, and `identity` that of `me.id`
    with the public identity key: another `identity` under the same `fingerprint` has been paired anew.
    """

    masked: str
    fingerprint: str
    identity: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What `creds.json` counted when the snapshot was taken; None where it does not say."""

    next_pre_key_id: int | None = None
    first_unuploaded_pre_key_id: int | None = None
    account_sync_counter: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says about itself.

    `counts` are its files by kind. `files_sha256` is the sha256 of the archive's list of checksums: equal in
    two snapshots of equal content.
    """

    tool: str
    host: str
    company: str
    account: Account
    taken_at: datetime
    sequence: int
    tag: str
    counts: Mapping[Kind, int]
    counters: Counters
    files: int
    bytes: int
    files_sha256: str
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """One snapshot as its file's name and size tell it, without opening it.

    `sha256` is the beginning of the hash of the whole file, in hex. `damaged` is true once a verification
    failed. `kept_until`: an operator has said that it stays until then, whatever the retention says.
    """

    company: str
    file: str
    sequence: int
    taken_at: datetime
    tag: str
    sha256: str
    size: int
    encrypted: bool
    damaged: bool = False
    kept_until: datetime | None = None

    @property
    def imported(self) -> bool:
        """Made from an old copy, and so older than all snapshots that this tool took itself."""
        return self.tag == IMPORT_TAG

    @property
    def good(self) -> bool:
        """Whether it can be relied on to hold a session: a backup took it, and no verification has failed."""
        return not self.damaged and self.tag != BEFORE_TAG

    @property
    def order(self) -> tuple[bool, int]:
        """Sorts snapshots of one company from old to new: by sequence, never by the clock."""
        return not self.imported, self.sequence

    @property
    def id(self) -> str:
        """What people name it by."""
        return str(self.sequence)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was read from its first to its last byte and is whole."""

    info: SnapshotInfo
    manifest: Manifest
    entries: Sequence[Entry] = field(default_factory=tuple)


def highest_sequence(now: float) -> int:
    """Given the time (seconds since 1970), return the highest sequence that a snapshot can have reached by then.

    That is one a second since 2020. A higher one was not counted up to, and would leave no number to go on with.
    """
    return max(FEWEST_POSSIBLE, int(now) - _BEGAN)


def may_be_stored(name: str) -> bool:
    """Whether a file name can stand in a snapshot: one printable path component of at most 255 bytes.

    Baileys writes plain names. One with a control character, a backslash, a leading dash or bytes that are no
    UTF-8 is somebody else's, and is left out.
    """
    if not name or name in (".", "..") or name[0] in "-~" or not name.isprintable():
        return False
    if "/" in name or "\\" in name:
        return False
    try:
        return len(name.encode()) <= 255
    except UnicodeEncodeError:
        return False


def read_account(content: bytes) -> tuple[Account, Counters] | CredsState:
    """Given the bytes of `creds.json`, return whose session it is, or why it is not worth a snapshot.

    All keys of an identity have to be there (baileys `Utils/auth-utils.js`: `initAuthCreds` makes them at
    once) and `me.id` with its device and `account`, which pairing adds.
    """
    facts = parse_creds(content)
    if (state := state_of(facts)) is not CredsState.VALID:
        return state
    creds = read_json(content)
    assert isinstance(facts, Creds) and facts.me is not None and isinstance(creds, dict)  # they are valid
    jid, public = creds["me"]["id"], public_key(creds["signedIdentityKey"])
    account = Account(
        masked=mask_account(facts),
        fingerprint=hashlib.sha256(facts.me.user.encode(errors="replace")).hexdigest(),
        identity=hashlib.sha256(f"{jid}\0{public}".encode(errors="replace")).hexdigest(),
    )
    counters = Counters(
        facts.next_pre_key_id,
        facts.first_unuploaded_pre_key_id,
        whole_number(creds.get("accountSyncCounter")),
    )
    return account, counters


def mask_account(creds: Creds) -> str:
    """Given creds, return the account as `91****85:17`: enough for its owner, too little for others."""
    if creds.me is None:
        return ""
    shown = masked_number(creds.me.user)
    return shown if creds.me.device is None else f"{shown}:{creds.me.device}"
