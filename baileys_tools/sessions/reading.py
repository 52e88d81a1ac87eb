"""Reads a whole live session folder while its bot goes on writing.

Baileys truncates a file and then writes it, so an outside reader sees empty files (measured under a tight loop
of saves: half to nine tenths of all readings). A reading counts only when the kernel vouched for it by a read
lease, or the file stood still meanwhile, and its JSON is whole.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from stat import S_IMODE, S_ISREG

from baileys_tools.sessions.entries import entry_oddity, open_linked
from baileys_tools.sessions.names import READ_FLAGS
from baileys_tools.sessions.removal import NO_LEASES, ignore_lease_breaks
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.keyfiles import Kind, companions_of, key_of, sort_by_kind
from baileys_tools.sessions.rules.node_json import Refusal, UnreadJson, read_json
from baileys_tools.sessions.rules.snapshot import (
    LARGEST_FILE,
    MOST_BYTES,
    MOST_FILES,
    Account,
    Counters,
    Entry,
    StoredFile,
    may_be_stored,
    read_account,
)
from baileys_tools.sessions.scan import is_own, read_all
from baileys_tools.sessions.stored.copies import working_copy

CREDS = "creds.json"

_DELAYS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15)
"""Seconds between readings of a file that is being written: a write takes milliseconds."""
_ROUNDS = 4
"""How often a folder is read again because `creds.json` moved meanwhile."""
_STANDS_STILL_NS = 10_000_000_000
_CLOCK_STEP_NS = 2_000_000_000
"""The coarsest clock of the file systems that sessions live on."""
_TORN = "not whole: empty, cut off or no JSON"
_ALL_BITS = (1 << 64) - 1

_SET_LEASE: int | None = getattr(fcntl, "F_SETLEASE", None)
_GET_LEASE: int = getattr(fcntl, "F_GETLEASE", 0)


class UnfitFolder(Exception):
    """The folder holds no session that is worth a snapshot. `reason` says why."""

    def __init__(self, reason: CredsState, why: str = "") -> None:
        super().__init__(why or f"creds.json is {reason}")
        self.reason = reason


class TooLarge(OSError):
    """The folder holds more than a snapshot may."""


@dataclass(frozen=True, slots=True)
class FolderStamp:
    """What tells one state of a folder from another without opening a file: names, sizes, mtimes, inodes.

    `is_settled` is false while the youngest mtime is so near that another write could fall on the same step
    of the file system's clock: then the stamp proves nothing.
    """

    digest: str
    files: int
    is_settled: bool


@dataclass(frozen=True, slots=True)
class ReadFolder:
    """A folder as it was read. `left_out` are entries that are no plain files or could not be read whole."""

    account: Account
    counters: Counters
    files: Sequence[StoredFile]
    counts: Mapping[Kind, int]
    left_out: tuple[Oddity, ...]


def stamp_folder(folder: int) -> FolderStamp:
    """Given the handle of a session folder, return its stamp; of a working copy that of its store, where one was asked
    for, else one that proves nothing. Raises OSError."""
    if (copy := working_copy(folder)) is not None:
        return FolderStamp(copy.stamp, len(copy.files.content), bool(copy.stamp))
    names = sorted(name for name in os.listdir(folder) if not is_own(name))
    look = os.stat
    numbers = array("Q")
    newest = 0
    for name in names:
        try:
            seen = look(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            numbers.append(_ALL_BITS)
            continue
        modified = seen.st_mtime_ns
        if modified > newest:
            newest = modified
        # A time before 1970 or after 2262 does not fit 64 bits with its sign.
        numbers.extend((seen[6], modified & _ALL_BITS, seen[1], seen[0]))
    digest = hashlib.sha256(numbers.tobytes())
    digest.update("\0".join(names).encode("utf-8", "surrogateescape"))
    return FolderStamp(digest.hexdigest(), len(names), time.time_ns() - newest > _CLOCK_STEP_NS)


def read_session(folder: int) -> ReadFolder:
    """Given the handle of a session folder, return everything in it that a snapshot keeps.

    `creds.json` is read first and last, and the rest again as long as it moved in between. Raises UnfitFolder,
    TooLarge or OSError.
    """
    if (copy := working_copy(folder)) is not None and (weights := copy.weights()) is not None:
        return _read_in_memory(copy.files.content, weights)
    ignore_lease_breaks()
    reader = _Reader(folder)
    creds = reader.creds()
    for _ in range(_ROUNDS):
        reader.read_all(creds.entry.size)
        before, creds = creds, reader.creds()
        if creds.entry.sha256 == before.entry.sha256:
            break
    return _as_read([*reader.files.values(), creds], reader.left_out.values())


def _read_in_memory(contents: Mapping[str, bytes], weights: Mapping[str, tuple[int, int]]) -> ReadFolder:
    """As `read_session`, of a session in a store, of which each record was read at one moment."""
    if CREDS not in contents:
        raise UnfitFolder(CredsState.MISSING)
    mine = (os.geteuid(), os.getegid())
    files, left_out, total = [], [], 0
    for name in [*sorted(contents.keys() - {CREDS}), CREDS]:
        content = contents[name]
        total += len(content)
        if total > MOST_BYTES:
            raise TooLarge(errno.EFBIG, f"more than {MOST_BYTES >> 20} MiB of records")
        if name != CREDS and _why_no_json(content):
            left_out.append(Oddity(name, _TORN))
            continue
        written_ns = max(0, weights[name][1])
        digest = hashlib.sha256(content).hexdigest()
        files.append(StoredFile(Entry(name, len(content), 0o600, written_ns, *mine, digest), content))
    return _as_read(files, left_out)


def _as_read(files: Sequence[StoredFile], left_out: Iterable[Oddity]) -> ReadFolder:
    """Given what was read, creds last, return what there is to say of it. Raises UnfitFolder."""
    found = read_account(files[-1].content)
    if isinstance(found, CredsState):
        raise UnfitFolder(found)
    kinds = sort_by_kind(file.entry.name for file in files)
    counts = {kind: len(names) for kind, names in kinds.items()}
    return ReadFolder(*found, files, counts, tuple(left_out))


class _Reader:
    """Holds what was read so far, so that another round reads only what moved."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._device = os.fstat(folder).st_dev
        self._leases = _SET_LEASE is not None
        self.files: dict[str, StoredFile] = {}
        self.left_out: dict[str, Oddity] = {}

    def creds(self) -> StoredFile:
        """Read `creds.json` until it is whole and paired. Raises UnfitFolder."""
        reason, why = CredsState.MISSING, ""
        for delay in (0.0, *_DELAYS):
            if delay:
                time.sleep(delay)
            try:
                found = self._read(CREDS, lease=delay != _DELAYS[-1])
            except FileNotFoundError:
                # Also for a moment while a bot replaces it by rename of another kind.
                reason, why = CredsState.MISSING, ""
                continue
            except OSError as error:
                raise UnfitFolder(CredsState.UNREADABLE, f"creds.json: {error.strerror}") from error
            if isinstance(found, str):
                raise UnfitFolder(CredsState.UNREADABLE, f"creds.json is {found}")
            if found is None:
                reason = CredsState.UNREADABLE
                continue
            facts = read_account(found.content)
            if not isinstance(facts, CredsState):
                return found
            reason = facts
            if reason not in (CredsState.EMPTY, CredsState.UNREADABLE):
                break  # no torn reading, so waiting does not mend it
        raise UnfitFolder(reason, why)

    def read_all(self, total: int) -> None:
        """Read what is new or has moved since the last round, and forget what has gone.

        `total` is the size of `creds.json`, which counts too. Raises TooLarge.
        """
        listed = {name for name in os.listdir(self._folder) if not is_own(name)}
        # The next Baileys may be replacing a key of which only companions stand.
        names = sorted((listed | {key_of(name) for name in listed}) - {CREDS})
        if 1 + len(names) > MOST_FILES:
            raise TooLarge(errno.EFBIG, f"more than {MOST_FILES:,} files: no session folder is that large")
        self.left_out = {}
        known, self.files = self.files, {}
        for name in names:
            kept = self._unmoved(known.get(name)) or self._read_patiently(name)
            if isinstance(kept, Oddity):
                self.left_out[name] = kept
            elif kept is not None:
                self.files[name] = kept
                total += kept.entry.size
                if total > MOST_BYTES:
                    raise TooLarge(errno.EFBIG, f"more than {MOST_BYTES >> 20} MiB of files")

    def _unmoved(self, file: StoredFile | None) -> StoredFile | None:
        if file is None:
            return None
        try:
            seen = os.stat(file.entry.name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return None
        same = S_ISREG(seen.st_mode) and (seen.st_size, seen.st_mtime_ns) == (
            file.entry.size,
            file.entry.mtime_ns,
        )
        # A file that was written a moment ago can have been written again within one step of the clock.
        return file if same and _stands_still(seen.st_mtime_ns) else None

    def _read_patiently(self, name: str) -> StoredFile | Oddity | None:
        if not may_be_stored(name):
            return Oddity(name, "a name that Baileys does not write")
        is_json = name.endswith(".json")
        for delay in (*_DELAYS, None):
            try:
                found = self._read(name, lease=delay is not None)
            except FileNotFoundError:
                if delay is None or not self._is_being_replaced(name):
                    return None
                found = None
            except OSError as error:
                if error.errno != errno.EWOULDBLOCK or delay is None:
                    return Oddity(name, f"not readable ({error.strerror})", failed=True)
                found = None
            if isinstance(found, str):
                return Oddity(name, found)
            why = _TORN if found is None else _why_no_json(found.content) if is_json else ""
            if found is not None and not why:
                return found
            if delay is None or (found is not None and _stands_still(found.entry.mtime_ns)):
                break
            time.sleep(delay)
        return Oddity(name, why, failed=why != _TORN)

    def _is_being_replaced(self, name: str) -> bool:
        """Whether the next Baileys has rotated a key away a moment ago, and will bring the new one by rename."""
        for beside in companions_of(name):
            with suppress(OSError):
                seen = os.stat(beside, dir_fd=self._folder, follow_symlinks=False)
                if not _stands_still(seen.st_ctime_ns):
                    return True
        return False

    def _read(self, name: str, *, lease: bool) -> StoredFile | str | None:
        """Read a file once. Return it, None when it was being written, or what it is if it is no plain file.

        Without a `lease`, as a last try on a file that somebody holds open, only the parse will tell whether
        it is whole. Raises OSError.
        """
        try:
            fd = os.open(name, READ_FLAGS, dir_fd=self._folder)
        except OSError as error:
            if error.errno == errno.ELOOP and name == CREDS:
                return self._read_linked()
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
                return "a symbolic link" if error.errno == errno.ELOOP else "a socket or a device"
            raise
        return self._read_open(name, fd, lease=lease)

    def _read_linked(self) -> StoredFile | str | None:
        """Read `creds.json` through a link that stays with its owner."""

        try:
            fd = open_linked(self._folder, CREDS)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return error.strerror or "a symbolic link"
            raise
        return self._read_open(CREDS, fd, lease=False, device=os.fstat(fd).st_dev)

    def _read_open(
        self, name: str, fd: int, *, lease: bool, device: int | None = None
    ) -> StoredFile | str | None:
        """As `_read`, of a file that is open; closes it."""
        device = self._device if device is None else device
        try:
            before = os.fstat(fd)
            if before.st_nlink != 1 or before.st_dev != device or not S_ISREG(before.st_mode):
                if S_ISREG(before.st_mode) and before.st_nlink == 0:
                    raise FileNotFoundError(errno.ENOENT, "vanished", name)
                return entry_oddity(before, device)
            if before.st_size > LARGEST_FILE:
                return f"larger than {LARGEST_FILE >> 20} MiB"
            leased = self._lease(fd) if lease else False
            if leased is None:
                return None
            content = read_all(fd, before.st_size, LARGEST_FILE + 1)
            after = os.fstat(fd)
            if leased and fcntl.fcntl(fd, _GET_LEASE) != fcntl.F_RDLCK:
                return None
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                return None
            if len(content) != after.st_size:
                return None
        finally:
            os.close(fd)  # ends the lease: a bot that waits goes on
        return as_stored(name, content, after)

    def _lease(self, fd: int) -> bool | None:
        """Take a read lease; return whether it is held, False where there is none, None while it is written."""
        if not self._leases or _SET_LEASE is None:
            return False
        try:
            fcntl.fcntl(fd, _SET_LEASE, fcntl.F_RDLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                # A bot that has it open to write has truncated it, so its age is new. NFS 4 says the same of any file
                # without a delegation (Linux `fs/nfs/nfs4proc.c`: `nfs4_add_lease`); parse and stat remain.
                return False if _stands_still(os.fstat(fd).st_mtime_ns) else None
            if error.errno in NO_LEASES:
                # The same for every file of the folder, as far as one owner goes; parse and stat remain.
                self._leases = error.errno in (errno.EACCES, errno.EPERM)
                return False
            raise
        return True


def _why_no_json(content: bytes) -> str:
    """Return why bytes are not what the bot can read, "" where they are, as far as that can be judged."""
    try:
        read_json(content)
    except UnreadJson as unread:
        return "" if unread.refusal is Refusal.TOO_LARGE else _TORN
    return ""


def _stands_still(mtime_ns: int) -> bool:
    """Whether a file was last written so long ago that nobody is writing it now."""
    return time.time_ns() - mtime_ns > _STANDS_STILL_NS


def as_stored(name: str, content: bytes, seen: os.stat_result) -> StoredFile:
    """Given what was read of a file, and what was seen of it then, return it as a snapshot keeps it."""
    mode, mtime_ns = S_IMODE(seen.st_mode) & 0o777, max(0, seen.st_mtime_ns)
    digest = hashlib.sha256(content).hexdigest()
    return StoredFile(Entry(name, len(content), mode, mtime_ns, seen.st_uid, seen.st_gid, digest), content)
