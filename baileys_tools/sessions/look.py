"""Looks at a session folder for as little as will do: by its stamp, by its names, and now and then by every file."""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from stat import S_ISREG, S_IWOTH
from typing import NamedTuple

from baileys_tools.sessions.roots import Company, NotASessionFolder, Root
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.looks import Look, Stamp
from baileys_tools.sessions.scan import FEW_PRE_KEYS, scan_names
from baileys_tools.sessions.stored.copies import facts_in_memory, weights_in_memory

CLOCK_STEP_NS = 2_000_000_000
"""The coarsest clock of the file systems that sessions live on: within one step a second change shows nowhere."""

CREDS = "creds.json"
FEW_FILES = 20
"""Files that are asked whose they are, before all are."""


def stamp_of(root: Root, company: Company) -> Stamp | None:
    """Given the open sessions path, return the stamp of a company's folder.

    None when it is no folder of its own: opening it will say why. Raises OSError.
    """
    try:
        fd = root.stamp_handle(company)
    except (NotADirectoryError, NotASessionFolder):
        return None
    try:
        folder = os.fstat(fd)
        creds = os.stat(CREDS, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return Stamp(folder.st_mtime_ns, folder.st_ino, 0, 0, 0, 0)
    finally:
        os.close(fd)
    return Stamp(
        folder.st_mtime_ns, folder.st_ino, creds.st_mtime_ns, creds.st_size, creds.st_ino, creds.st_ctime_ns
    )


def list_folder(folder: int, stamp: Stamp) -> tuple[FolderFacts, bool]:
    """Given a folder's handle and a stamp from before, list it. Raises OSError.

    Return the facts, and whether a change that came after the listing would show in the stamp.
    """
    looked_at = time.time_ns()
    newest = max(stamp.folder_mtime, stamp.creds_mtime)
    facts = facts_in_memory(folder, FEW_PRE_KEYS, unused=False)
    return scan_names(folder) if facts is None else facts, looked_at - newest > CLOCK_STEP_NS


def foreign_creds(folder: int, facts: FolderFacts) -> dict[str, os.stat_result]:
    """Given a folder's handle and listing, return the stats of all its key files if creds.json is another user's.

    Nothing where it is not. Of the other files a few are asked first, and only where creds.json is not the folder
    owner's: a bot may well run as somebody else than who made its folder. Raises OSError.
    """
    creds = facts.stats.get(CREDS)
    if not isinstance(creds, os.stat_result) or creds.st_uid == os.fstat(folder).st_uid:
        return {}
    names = [name for kind in facts.names if kind is not Kind.UNKNOWN for name in facts.of(kind)]
    few = _stat_all(folder, names[:FEW_FILES]).values()
    if sum(one.st_uid != creds.st_uid for one in few) * 2 <= len(few):
        return {}
    return _stat_all(folder, names)


def _stat_all(folder: int, names: Iterable[str]) -> dict[str, os.stat_result]:
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return found


class Weight(NamedTuple):
    """What the stats of all files tell: their size (bytes) and when the newest was written (ns).

    `is_odd`: one is worth a closer look, as it is empty, writable for all, not of the folder's owner, or no plain file.
    `sessions` and `sender_keys` are those with their mtimes (ns).
    """

    size: int
    newest: int
    is_odd: bool
    sessions: list[tuple[int, str]]
    sender_keys: list[tuple[int, str]]


def weigh(folder: int, facts: FolderFacts) -> Weight:
    """Given a folder's handle and listing, look at all files. One that has gone meanwhile weighs nothing. Raises
    OSError.
    """
    if (in_memory := weights_in_memory(folder)) is not None:
        return _weigh_in_memory(in_memory, facts)
    size = newest = 0
    owner = os.fstat(folder).st_uid
    is_odd = False
    look = os.stat
    heard: dict[Kind, list[tuple[int, str]]] = {Kind.SESSION: [], Kind.SENDER_KEY: []}
    for kind, names in facts.names.items():
        times = heard.get(kind)
        for name in names:
            try:
                seen = look(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not S_ISREG(seen[0]):
                is_odd = True
                continue
            if times is not None:
                times.append((seen.st_mtime_ns, name))
            size += seen.st_size
            if seen.st_mtime_ns > newest:
                newest = seen.st_mtime_ns
            # Mode, links and owner by index: attributes of a stat result cost twice as much, times 100,000.
            if not seen[6] or seen[0] & S_IWOTH or seen[3] != 1 or seen[4] != owner:
                is_odd = True
    return Weight(size, newest, is_odd, heard[Kind.SESSION], heard[Kind.SENDER_KEY])


def _weigh_in_memory(files: Mapping[str, tuple[int, int]], facts: FolderFacts) -> Weight:
    sessions, sender_keys = (
        [(files[name][1], name) for name in facts.of(kind)] for kind in (Kind.SESSION, Kind.SENDER_KEY)
    )
    sizes = [size for size, _ in files.values()]
    newest = max([mtime for _, mtime in files.values()], default=0)
    return Weight(sum(sizes), newest, not all(sizes), sessions, sender_keys)


LOOKS = "looks"


def was_linked_at(look: Look | None, folder: int, newest: datetime | None = None) -> bool:
    """Given the handle of a folder, return whether that has held a linked session before.

    An earlier look tells, and a snapshot of it: `newest` is when the newest good one was taken. The empty folder that
    a reset puts in the place of one has held none. Raises OSError.
    """
    was_seen = look is not None and look.was_linked
    if look is not None and was_seen and os.fstat(folder).st_ino == look.stamp.folder_inode:
        return True
    if not was_seen and newest is None:
        return False
    from baileys_tools.sessions.resets import last_reset

    since = last_reset(folder)
    return since is None or (newest is not None and newest > since)
