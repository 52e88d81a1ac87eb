"""Looks at every file of a session folder and reads it, while its bot may go on writing. Writes nothing."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from stat import S_ISREG, S_IWOTH, S_IXOTH
from typing import NamedTuple

from baileys_tools.sessions.entries import entry_oddity
from baileys_tools.sessions.locks import look_for_lock
from baileys_tools.sessions.names import OWN_FOLDER
from baileys_tools.sessions.rules.creds import VERSIONS
from baileys_tools.sessions.rules.folder import FolderFacts, Oddity
from baileys_tools.sessions.rules.inspected import Broken, Inspected
from baileys_tools.sessions.rules.keyfiles import Kind, is_companion, kind_of, sort_names
from baileys_tools.sessions.rules.node_json import LARGEST, Refusal, UnreadJson, read_json
from baileys_tools.sessions.rules.records import read_key_by
from baileys_tools.sessions.rules.surroundings import Space
from baileys_tools.sessions.scan import read_regular_file, scan_folder
from baileys_tools.sessions.trees import size_below

DELAYS = (0.02, 0.05, 0.1, 0.3)
"""Seconds before each further look at files that are not whole: a write by the bot takes a few milliseconds."""


def inspect_folder(folder: int, now: datetime, delays: Sequence[float] = DELAYS) -> Inspected:
    """Given the handle of a session folder, return all that can be seen of it. Raises OSError."""
    facts = scan_folder(folder)
    stats = _stat_all(folder, facts)
    # creds.json has rules of its own, what Baileys did not write need not be JSON, and a companion is read only where
    # its key is missing.
    others = {"creds.json", *facts.of(Kind.UNKNOWN), *filter(is_companion, stats)}
    broken, said = _read_keys(folder, [name for name in stats if name not in others], delays)
    return Inspected(
        folder=facts,
        stats=stats,
        open_to_all=_is_open_to_all(folder),
        space=space_at(folder),
        broken=broken,
        mappings=said.mappings,
        used_by=said.used_by,
        present=frozenset(os.listdir(folder)),
        lock=look_for_lock(folder, now),
        kept_bytes=size_below(OWN_FOLDER, folder),
        itself=os.fstat(folder),
    )


def survey_folder(folder: int, facts: FolderFacts) -> Inspected:
    """Given the handle of a session folder and its listing, return what the stats of its files tell, reading none.

    Of what stands in it that is called like a key and is no plain file, the oddities tell. Raises OSError.
    """
    stats: dict[str, os.stat_result] = {}
    known = {oddity.name for oddity in facts.oddities}
    odd = []
    itself = os.fstat(folder)
    device = itself.st_dev
    for names in facts.names.values():
        for name in names:
            if name in known:
                continue
            try:
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue
            if S_ISREG(seen.st_mode) and seen.st_nlink == 1 and seen.st_dev == device:
                stats[name] = seen
            else:
                odd.append(Oddity(name, entry_oddity(seen, device)))
    now = time.time_ns()
    unknown = {"creds.json", *facts.of(Kind.UNKNOWN)}
    empty = [
        name
        for name, seen in stats.items()
        if not seen.st_size and now - seen.st_mtime_ns > _WRITTEN_NS and name not in unknown
    ]
    if odd:
        facts = facts._replace(oddities=tuple(sorted([*facts.oddities, *odd])))
    is_open = any(seen.st_mode & S_IWOTH for seen in stats.values()) and _is_open_to_all(folder)
    return Inspected(
        facts, stats, is_open, Space(0, 0, 0, 0), dict.fromkeys(empty, Broken.EMPTY), itself=itself
    )


_WRITTEN_NS = 2_000_000_000
"""A file of 0 bytes that is younger than this is being written."""


def space_at(folder: int) -> Space:
    """Given the handle of a folder, return what room its file system has for users other than root."""
    seen = os.fstatvfs(folder)
    return Space(seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize, seen.f_files, seen.f_favail)


def _is_open_to_all(folder: int) -> bool:
    """Whether every user may search the folder and all folders above it."""
    path, seen = ".", os.fstat(folder)
    while seen.st_mode & S_IXOTH:
        path = f"{path}/.."
        try:
            above = os.stat(path, dir_fd=folder)
        except OSError:
            return False
        if (above.st_dev, above.st_ino) == (seen.st_dev, seen.st_ino):
            return True
        seen = above
    return False


def _stat_all(folder: int, facts: FolderFacts) -> dict[str, os.stat_result]:
    odd = {oddity.name for oddity in facts.oddities}
    stats = {}
    companions = [name for files in sort_names(os.listdir(folder)).parts.values() for name in files]
    for names in (*facts.names.values(), companions):
        for name in names:
            if name in odd:
                continue
            with suppress(OSError):
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if S_ISREG(seen.st_mode):
                    stats[name] = seen
    return stats


class _Said(NamedTuple):
    """What files say: each LID mapping its text, and the versions that can use a key, where one cannot."""

    mappings: dict[str, str]
    used_by: dict[str, frozenset[int]]


class _Look(NamedTuple):
    """What one reading of a file found: why it is not whole, and when it was last written."""

    broken: Broken
    mtime_ns: int


def _read_keys(folder: int, names: Sequence[str], delays: Sequence[float]) -> tuple[dict[str, Broken], _Said]:
    """Read key files; return those that are broken, and what the others say.

    Baileys truncates a file before it writes it (`Utils/use-multi-file-auth-state.js`), so one that is not whole is
    looked at again after each delay, and is called broken only if it stood still meanwhile and stayed so.
    """
    said = _Said({}, {})
    found = _look_at(folder, names, said)
    before = found
    for delay in delays:
        if not found:
            break
        time.sleep(delay)
        before, found = found, _look_at(folder, list(found), said)
    still = {name: look.broken for name, look in found.items() if look.mtime_ns == before[name].mtime_ns}
    return still, said


def _look_at(folder: int, names: Sequence[str], said: _Said) -> dict[str, _Look]:
    """Return which of these files are not whole now. What is gone is none of them."""
    found = {}
    for name in names:
        try:
            broken = _why_broken(name, read_regular_file(folder, name, LARGEST + 1), said)
            if broken is not None:
                modified = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns
                found[name] = _Look(broken, modified)
        except FileNotFoundError:
            continue
        except OSError:
            found[name] = _Look(Broken.UNREADABLE, 0)
    return found


def _why_broken(name: str, content: bytes, said: _Said) -> Broken | None:
    if not content:
        return Broken.EMPTY
    try:
        value = read_json(content)
    except UnreadJson as unread:
        # One that is too large to judge is not read to its end; its size is a finding by itself.
        return None if unread.refusal is Refusal.TOO_LARGE else Broken.TORN
    if isinstance(value, str) and name.startswith("lid-mapping-"):
        said.mappings[name] = value
    if (used_by := read_key_by(kind_of(name), value)) != VERSIONS:
        said.used_by[name] = used_by
    return Broken.TORN if value is None else None
