"""Reads a session folder: one listing, and a stat only where a rule needs it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from baileys_tools.domain.creds import Creds, CredsProblem, parse_creds
from baileys_tools.domain.folder import FileStat, FolderFacts, Oddity
from baileys_tools.domain.keyfiles import Kind, pre_key_id_of, sort_by_kind
from baileys_tools.domain.senderkeys import untold_sender_keys

OWN_FOLDER = ".baileys-tools"
LOCK_NAME = ".cleanup.lock"
OWN_PREFIX = ".baileys-tools"
"""Every file that this tool keeps in a session folder begins so, the lock excepted."""

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_CREDS_LIMIT = 4 << 20
_RETRY_DELAYS = (0.01, 0.02, 0.05, 0.1, 0.1)
"""Seconds between readings of a `creds.json` that looks torn: a write by the bot takes a few milliseconds."""


def scan_folder(folder: int, pre_keys_kept: int = 0) -> FolderFacts:
    """Given the handle of a session folder, return the facts that a plan needs. Raises OSError.

    Only files that a rule may remove are stat'ed, `creds.json`, and what Baileys did not name: the rest is
    decided by name. `pre_keys_kept` is how many of the highest pre-keys no rule will remove.
    """
    entries = os.listdir(folder)
    names = sort_by_kind(name for name in entries if not name.startswith(OWN_PREFIX) and name != LOCK_NAME)
    stats: dict[str, FileStat] = {}
    oddities: list[Oddity] = []
    device = os.fstat(folder).st_dev
    for kind in _LOOKED_AT:
        if kind in names:
            wanted = names[kind] if kind is not Kind.PRE_KEY else _not_the_highest(names[kind], pre_keys_kept)
            odd = _look_at(folder, device, wanted, stats)
            if odd:
                oddities += _set_aside(names, kind, odd)
    creds = read_creds(folder)
    owned = {}
    if isinstance(creds, Creds):
        untold = untold_sender_keys(names.get(Kind.SENDER_KEY, ()), creds)
        owned = {name: has_private_signing_key(folder, name) for name in untold}
    return FolderFacts(
        names={kind: found for kind, found in names.items() if found},
        stats=stats,
        creds=creds,
        oddities=tuple(oddities),
        owned_by_content={name: answer for name, answer in owned.items() if answer is not None},
    )


_LOOKED_AT = (
    Kind.CREDS,
    Kind.SESSION,
    Kind.SENDER_KEY,
    Kind.SENDER_KEY_MEMORY,
    Kind.PRE_KEY,
    Kind.UNKNOWN,
)


def _not_the_highest(pre_keys: Sequence[str], kept: int) -> list[str]:
    return sorted(pre_keys, key=pre_key_id_of)[: max(0, len(pre_keys) - kept)]


def _look_at(folder: int, device: int, names: Iterable[str], stats: dict[str, FileStat]) -> dict[str, str]:
    """Stat files into `stats`; return those that are no plain file of one name, with what they are."""
    odd: dict[str, str] = {}
    look = os.stat
    for name in names:
        try:
            seen = look(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            odd[name] = _GONE
            continue
        # By index: attributes of a stat result cost twice as much, and there are 100,000 of them.
        if not stat.S_ISREG(seen[stat.ST_MODE]):
            odd[name] = _what_it_is(seen.st_mode)
        elif seen[stat.ST_NLINK] != 1:
            odd[name] = _LINKED
        elif seen[stat.ST_DEV] != device:
            odd[name] = _ELSEWHERE
        else:
            stats[name] = FileStat(seen[stat.ST_SIZE], seen.st_mtime_ns, seen[stat.ST_INO])
    return odd


_GONE = "gone"
_LINKED = "a file with other hard links"
_ELSEWHERE = "a file on another file system"


def _set_aside(names: dict[Kind, list[str]], kind: Kind, odd: Mapping[str, str]) -> Iterator[Oddity]:
    """Take odd entries out of their kind: what is still a file is counted as unknown, and so never removed."""
    names[kind] = [name for name in names[kind] if name not in odd]
    files = [name for name, what in odd.items() if what in (_LINKED, _ELSEWHERE)]
    if kind is Kind.CREDS:
        names[kind] = [*names[kind], *files]
    elif files:
        names[Kind.UNKNOWN] = sorted(names.get(Kind.UNKNOWN, []) + files)
    return (Oddity(name, what) for name, what in odd.items() if what is not _GONE)


def _what_it_is(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a block device"),
    )
    return next((what for test, what in kinds if test(mode)), "a character device")


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
