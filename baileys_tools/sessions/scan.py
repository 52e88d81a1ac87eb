"""Reads a session folder: one listing, and a stat only where a rule needs it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence

from baileys_tools.domain.creds import Creds, CredsProblem, parse_creds
from baileys_tools.domain.folder import FileStat, FolderFacts, Oddity
from baileys_tools.domain.keyfiles import REMOVABLE, KeyFile, Kind, parse_key_file
from baileys_tools.domain.senderkeys import untold_sender_keys

OWN_FOLDER = ".baileys-tools"
LOCK_NAME = ".cleanup.lock"
OWN_PREFIX = ".baileys-tools"
"""Every file that this tool keeps in a session folder begins so, the lock excepted."""

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_CREDS_LIMIT = 4 << 20
_RETRY_DELAYS = (0.01, 0.02, 0.05, 0.1, 0.1)
"""Seconds between readings of a `creds.json` that looks torn: a write by the bot takes a few milliseconds."""


def scan_folder(folder: int) -> FolderFacts:
    """Given the handle of a session folder, return the facts that a plan needs. Raises OSError.

    Only entries that a rule may remove are stat'ed (and `creds.json`): the rest is decided by name.
    """
    files: list[KeyFile] = []
    stats: dict[str, FileStat] = {}
    oddities: list[Oddity] = []
    device = os.fstat(folder).st_dev
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(OWN_PREFIX) or name == LOCK_NAME:
                continue
            if not entry.is_file(follow_symlinks=False):
                oddities.append(Oddity(name, _describe(entry)))
                continue
            file = parse_key_file(name)
            if file.kind in REMOVABLE:
                try:
                    seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if seen.st_nlink != 1 or seen.st_dev != device:
                    what = "a file with other hard links" if seen.st_nlink != 1 else "on another file system"
                    oddities.append(Oddity(name, what))
                    file = KeyFile(name, Kind.UNKNOWN, name)
                else:
                    stats[name] = FileStat(seen.st_size, seen.st_mtime_ns, seen.st_ino)
            files.append(file)
    creds = read_creds(folder)
    if isinstance(creds, Creds):
        _add_creds_stat(folder, stats)
        owned = {name: has_private_signing_key(folder, name) for name in untold_sender_keys(files, creds)}
    else:
        owned = {}
    return FolderFacts(
        files=files,
        stats=stats,
        creds=creds,
        oddities=tuple(oddities),
        owned_by_content={name: answer for name, answer in owned.items() if answer is not None},
    )


def _add_creds_stat(folder: int, stats: dict[str, FileStat]) -> None:
    try:
        seen = os.stat("creds.json", dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    stats["creds.json"] = FileStat(seen.st_size, seen.st_mtime_ns, seen.st_ino)


def read_creds(folder: int, delays: Sequence[float] = _RETRY_DELAYS) -> Creds | CredsProblem:
    """Given a folder handle, return what `creds.json` says. A torn reading is repeated after each delay.

    Baileys truncates, then writes: an outside reader sees an empty file (measured under a tight loop of saves:
    half to nine tenths of all readings).
    """
    found = _read_creds_once(folder)
    for delay in delays:
        if isinstance(found, Creds) or found is CredsProblem.MISSING:
            break
        time.sleep(delay)
        found = _read_creds_once(folder)
    return found


def _read_creds_once(folder: int) -> Creds | CredsProblem:
    try:
        content = read_regular_file(folder, "creds.json", _CREDS_LIMIT)
    except FileNotFoundError:
        return CredsProblem.MISSING
    except OSError:
        return CredsProblem.UNREADABLE
    return parse_creds(content)


def read_regular_file(folder: int, name: str, limit: int) -> bytes:
    """Given a folder handle and a name, return the content of that regular file, at most `limit` bytes.

    Never follows a link and never waits on a FIFO. Raises OSError, also for what is no regular file.
    """
    fd = os.open(name, READ_FLAGS, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{name} is not a regular file")
        chunks = []
        while limit > 0 and (chunk := os.read(fd, min(limit, 1 << 16))):
            chunks.append(chunk)
            limit -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(fd)


def has_private_signing_key(folder: int, name: str) -> bool | None:
    """Given a sender-key file, return whether its newest state holds a private signing key; None: cannot tell.

    Only the sender itself stores one (libsignal `sender-key-state.js`: only `setSenderKeyState` with a key
    pair does). The file is BufferJSON around a JSON text.
    """
    import base64
    import json

    try:
        outer = json.loads(read_regular_file(folder, name, 1 << 20))
        data = outer.get("data") if isinstance(outer, dict) else None
        states = json.loads(base64.b64decode(data, validate=True)) if isinstance(data, str) else outer
        signing_key = states[-1]["senderSigningKey"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return bool(signing_key.get("private")) if isinstance(signing_key, dict) else None


def _describe(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "a symbolic link"
    if entry.is_dir(follow_symlinks=False):
        return "a folder"
    mode = entry.stat(follow_symlinks=False).st_mode
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISBLK, "a block device"))
    return next((what for test, what in kinds if test(mode)), "a character device")
