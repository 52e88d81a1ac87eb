"""Files on their way into a session folder: written aside, on disk for good, then renamed; and trees that go.

A restore writes what it will do into a journal before the first rename, and the next command that works on
the folder finishes what is left of it (`interrupted.py`).
"""

import ctypes
import errno
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from stat import S_ISREG
from typing import Any, NamedTuple

from baileys_tools.owner import as_owner_of
from baileys_tools.parsing import LARGEST_JSON, TooMuch, parse_json
from baileys_tools.sessions.names import JOURNAL, OWN_FOLDER, READ_FLAGS, RESET_JOURNAL
from baileys_tools.sessions.quarantine import make_folder
from baileys_tools.sessions.rules.folder import FileStat
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.rules.snapshot import Entry
from baileys_tools.sessions.scan import own_folder

_JOURNAL_VERSION = 1

_FEW = 64


class SeenFile(NamedTuple):
    """What identifies one version of a file, out of a journal."""

    st_size: int
    st_mtime_ns: int
    st_ino: int


def seen_file(stat: FileStat) -> SeenFile:
    """Given a stat, return what identifies that version of the file."""
    return SeenFile(stat.st_size, stat.st_mtime_ns, stat.st_ino)


def look(name: str, folder: int) -> SeenFile | None:
    """Return what stands under a name, None when nothing does. Raises OSError."""
    try:
        return seen_file(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


def write_new(folder: int, entry: Entry, content: bytes, *, owner: tuple[int, int] | None = None) -> None:
    """Write a file that is not there yet, with the mode and the age of `entry`. Not yet on disk for good.

    Born 0600. It belongs to the folder's owner, or to `owner` where root says so. Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with as_owner_of(folder):
        fd = os.open(entry.name, flags, 0o600, dir_fd=folder)
    try:
        if owner is not None and os.geteuid() == 0:
            made = os.fstat(fd)
            if owner != (made.st_uid, made.st_gid):  # some file systems refuse even a change of nothing
                os.fchown(fd, *owner)
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fchmod(fd, entry.mode & 0o777)
        os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
    finally:
        os.close(fd)


def owners_for(folder: int, entries: Sequence[Entry]) -> dict[str, tuple[int, int]]:
    """Return whose the files of a snapshot are to be in a session folder: user and group by name. Raises OSError.

    Nothing where root does not ask, who alone can give a file away. Whoever has the file that stands there keeps it.
    What is missing goes to the owner of most key files, as the bot need not run as the folder's owner. Where no key
    file is left, the folder's owner gets it; or, as root's folder tells nothing, whoever had it in the snapshot.
    """
    if os.geteuid() != 0:
        return {}
    from baileys_tools.sessions.rules.owners import main_owner

    there: dict[str, os.stat_result] = {}
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if S_ISREG(seen.st_mode):
                there[name] = seen
    keys = {name: seen for name, seen in there.items() if kind_of(name) is not Kind.UNKNOWN}
    most = main_owner(keys)
    bot = next((seen for seen in keys.values() if seen.st_uid == most), os.fstat(folder))
    knows = bool(keys) or bot.st_uid != 0
    owners = {}
    for entry in entries:
        one = there.get(entry.name) or (bot if knows else None)
        owners[entry.name] = (entry.uid, entry.gid) if one is None else (one.st_uid, one.st_gid)
    return owners


def sync_files(folder: int, names: Sequence[str]) -> None:
    """Return when these files of a folder, and the folder itself, would outlive a power cut. Raises OSError.

    A few are synced one by one; with many, one call for the whole file system takes a fifth of the time.
    """
    if len(names) > _FEW and _syncfs(folder):
        return
    for name in names:
        fd = os.open(name, READ_FLAGS, dir_fd=folder)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    os.fsync(folder)


def _syncfs(folder: int) -> bool:
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return False
    if call(folder) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def write_journal(folder: int, journal: Mapping[str, Any], name: str = JOURNAL) -> None:
    """Put a journal into a folder, whole and on disk, or not at all. Raises OSError."""
    own = make_folder(OWN_FOLDER, folder)
    try:
        temporary = f"{name}.{secrets.token_hex(4)}"
        content = json.dumps({"version": _JOURNAL_VERSION, **journal}, separators=(",", ":")).encode()
        if len(content) > LARGEST_JSON:
            raise OSError(errno.EFBIG, "would be a journal larger than the next command reads", name)
        entry = Entry(temporary, len(content), 0o600, 0, 0, 0, "")
        try:
            write_new(own, entry, content)
            sync_files(own, [temporary])
            os.rename(temporary, name, src_dir_fd=own, dst_dir_fd=own)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=own)
            raise
        os.fsync(own)
    finally:
        os.close(own)
    os.fsync(folder)


def read_journal(folder: int, name: str = JOURNAL) -> dict[str, Any] | None:
    """Return the journal of a folder, None when there is none that can be read.

    Raises OSError, also for one that this version did not write.
    """
    with own_folder(folder) as own:
        if own is None:
            return None
        try:
            fd = os.open(name, READ_FLAGS, dir_fd=own)
        except FileNotFoundError:
            return None
    with open(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size > LARGEST_JSON:
            raise foreign_journal(name)
        try:
            journal = parse_json(file.read(LARGEST_JSON))
        except TooMuch as error:
            raise foreign_journal(name) from error
        except ValueError:
            return None
    if not isinstance(journal, dict):
        return None
    if journal.get("version") != _JOURNAL_VERSION:
        raise foreign_journal(name)
    return journal


def foreign_journal(name: str = JOURNAL) -> OSError:
    """Return the error for a journal of another version: what it orders, this one can only guess."""
    what = "reset" if name == RESET_JOURNAL else "restore"
    return OSError(
        errno.EINVAL,
        f"is not a journal of a {what} that this version wrote: run the version that did, or move it away",
        f"{OWN_FOLDER}/{name}",
    )


def remove_journal(folder: int, name: str = JOURNAL) -> None:
    """Take a journal away: its restore is done. What is left of our own folder goes if it is empty."""
    with own_folder(folder) as own:
        if own is not None:
            for entry in os.listdir(own):
                if entry.startswith(name):
                    os.unlink(entry, dir_fd=own)
            os.fsync(own)
    with suppress(OSError):
        os.rmdir(OWN_FOLDER, dir_fd=folder)
    os.fsync(folder)
