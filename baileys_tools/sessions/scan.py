"""Reads a session folder: one listing, and a stat only where a rule needs it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from stat import S_ISREG

from baileys_tools.owner import refuse_roots
from baileys_tools.sessions.entries import ELSEWHERE, FAILED, GONE, LINKED, entry_oddity, look_at, open_linked
from baileys_tools.sessions.names import FOLDER_FLAGS, LOCK_NAME, OWN_FOLDER, OWN_PREFIX, READ_FLAGS
from baileys_tools.sessions.rules.creds import CREDS, Creds, CredsState, creds_copies, parse_creds
from baileys_tools.sessions.rules.folder import FileStat, FolderFacts, Oddity, WholeKey
from baileys_tools.sessions.rules.keyfiles import (
    REMOVABLE,
    REMOVED_IF_UNUSED,
    Kind,
    companions_of,
    key_of,
    kind_of,
    sort_names,
)
from baileys_tools.sessions.rules.node_json import LARGEST
from baileys_tools.sessions.rules.senderkeys import holds_private_key, untold_sender_keys

_RETRY_DELAYS = (0.01, 0.02, 0.05, 0.1, 0.1)
"""Seconds between readings of a `creds.json` that looks torn: a write by the bot takes a few milliseconds."""
_WRITTEN_NOW_NS = 2_000_000_000
FEW_PRE_KEYS = 50


def is_own(name: str) -> bool:
    """Whether a name in a session folder is one that this tool keeps there."""
    return name.startswith(OWN_PREFIX) or name == LOCK_NAME


@contextmanager
def own_folder(folder: int) -> Iterator[int | None]:
    """Yield the handle of what this tool keeps in a session folder, None when there is nothing.

    By this handle alone: in a path of two parts a link in its place would be followed. Raises OSError, also for a
    link.
    """
    with _opened(OWN_FOLDER, folder) as own:
        yield own


@contextmanager
def in_own_folder(name: str, folder: int) -> Iterator[int | None]:
    """Yield the handle of a folder in our own one, None when there is none. Raises as `own_folder`."""
    with own_folder(folder) as own:
        if own is None:
            yield None
            return
        with _opened(name, own) as inner:
            yield inner


def open_inside(name: str, folder: int) -> int:
    """Given the name of a folder of ours in another one, return its handle. Raises OSError, also for a link and for
    what root has there in somebody else's folder."""
    fd = os.open(name, FOLDER_FLAGS, dir_fd=folder)
    try:
        refuse_roots(fd, folder, name)
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextmanager
def _opened(name: str, folder: int) -> Iterator[int | None]:
    try:
        fd = open_inside(name, folder)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def exists_in_own_folder(name: str, folder: int) -> bool:
    """Whether an entry stands in our own folder of a session folder: not where a link in its place leads."""
    try:
        with own_folder(folder) as own:
            return own is not None and exists(name, own)
    except OSError:
        return False


def exists(name: str, folder: int) -> bool:
    """Whether an entry stands in a folder, itself and not what it links to. Raises OSError where nothing tells."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return False
        raise
    return True


def scan_folder(folder: int, pre_keys_kept: int = 0, *, unused: bool = True) -> FolderFacts:
    """Given the handle of a session folder, return the facts that a plan needs. Raises OSError.

    Only files that a rule may remove are stat'ed, `creds.json`, and what Baileys did not name: the rest is
    decided by name and by what the listing says that it is. Up to `pre_keys_kept` pre-keys no rule will remove any.
    Without `unused`, none will remove what no session uses.
    """
    files, others = _list(folder)
    names, parts = sort_names(files)
    if unknown := names.get(Kind.UNKNOWN):
        names[Kind.UNKNOWN] = [name for name in unknown if not is_own(name)]
    stats: dict[str, FileStat] = {}
    device = os.fstat(folder).st_dev
    oddities = list(_what_they_are(folder, device, others))
    kinds = _LOOKED_AT if unused else _LOOKED_AT_FOR_AGE
    if len(names.get(Kind.PRE_KEY, ())) <= pre_keys_kept:  # one of which only companions stand counts as well
        kinds = tuple(kind for kind in kinds if kind is not Kind.PRE_KEY)
    # What Baileys did not name is only looked at for what it is; first, as what is set aside below becomes unknown.
    for together, into in (((Kind.UNKNOWN,), {}), (kinds, stats)):
        wanted = [*chain.from_iterable(_standing(names.get(kind), parts) for kind in together)]
        odd = look_at(folder, device, wanted, into)
        for kind in together if odd else ():
            if of_kind := {name: what for name, what in odd.items() if kind_of(name) is kind}:
                oddities += _set_aside(names, kind, of_kind)
    beside: dict[str, Mapping[str, FileStat]] = {}
    if parts:
        not_looked_at = frozenset() if unused else REMOVED_IF_UNUSED
        oddities += _look_beside(folder, device, names, parts, stats, beside, not_looked_at)
    creds = read_creds(folder)
    owned = {}
    if isinstance(creds, Creds):
        untold = untold_sender_keys(names.get(Kind.SENDER_KEY, ()), creds)
        owned = {name: has_private_signing_key(folder, name) for name in untold}
    return FolderFacts(
        names={kind: found for kind, found in names.items() if found},
        stats=stats,
        creds=creds,
        oddities=tuple(sorted(oddities)),
        owned_by_content={name: answer for name, answer in owned.items() if answer is not None},
        parts=beside,
        creds_copies=_creds_copies(names, parts),
        creds_refused=_is_refused(folder, creds),
        has_own=OWN_FOLDER in others or OWN_FOLDER in files,
    )


def scan_names(folder: int) -> FolderFacts:
    """Given the handle of a session folder, return what its names and `creds.json` tell. Raises OSError.

    Only `creds.json` is stat'ed, what Baileys did not name, and pre-keys where so many are there that their times
    decide which of them count. Any other entry that is called like a key is taken for one.
    """
    names, parts = sort_names(os.listdir(folder))
    if unknown := names.get(Kind.UNKNOWN):
        names[Kind.UNKNOWN] = [name for name in unknown if not is_own(name)]
    stats: dict[str, FileStat] = {}
    device = os.fstat(folder).st_dev
    oddities: list[Oddity] = []
    for kind, into in ((Kind.UNKNOWN, {}), (Kind.CREDS, stats), (Kind.PRE_KEY, stats)):
        wanted = [*_standing(names.get(kind), parts)]
        if kind is Kind.PRE_KEY and len(names.get(kind, ())) <= FEW_PRE_KEYS:
            continue
        if wanted and (odd := look_at(folder, device, wanted, into)):
            oddities += _set_aside(names, kind, odd)
        if kind is Kind.PRE_KEY and parts:
            # As a plan has it: one of which a companion alone stands has its time, too.
            of_kind = {key: files for key, files in parts.items() if kind_of(key) is kind}
            oddities += _look_beside(folder, device, names, of_kind, stats, {}, frozenset())
    creds = _creds_without_haste(folder)
    return FolderFacts(
        names={kind: found for kind, found in names.items() if found},
        stats=stats,
        creds=creds,
        oddities=tuple(sorted(oddities)),
        creds_copies=_creds_copies(names, parts),
        creds_refused=_is_refused(folder, creds),
    )


def _creds_copies(names: Mapping[Kind, Iterable[str]], parts: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the copies of `creds.json`, which are its companions or of no kind that is known."""
    beside = [*parts.get(CREDS, ()), *names.get(Kind.UNKNOWN, ())]
    return tuple(creds_copies(beside)) if beside else ()


def _creds_without_haste(folder: int) -> Creds | CredsState:
    """Return what `creds.json` says; wait for a better reading only if it is being written at this moment."""
    creds = read_creds(folder, ())
    if isinstance(creds, Creds) or (creds is CredsState.MISSING and not _is_being_replaced(folder)):
        return creds
    try:
        written_ns = os.stat("creds.json", dir_fd=folder, follow_symlinks=False).st_mtime_ns
    except OSError:
        return read_creds(folder)
    return read_creds(folder) if abs(time.time_ns() - written_ns) < _WRITTEN_NOW_NS else creds


def _list(folder: int) -> tuple[list[str], list[str]]:
    """Return the names of plain files and of other entries: the listing itself tells, on most file systems."""
    others: list[str] = []
    with os.scandir(folder) as entries:
        files = [
            entry.name
            for entry in entries
            if entry.is_file(follow_symlinks=False) or others.append(entry.name)  # type: ignore[func-returns-value]
        ]
    return files, others


def _what_they_are(folder: int, device: int, names: Iterable[str]) -> Iterator[Oddity]:
    for name in names:
        if is_own(name):
            continue
        with suppress(FileNotFoundError):
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            yield Oddity(name, entry_oddity(seen, device))


_LOOKED_AT = (Kind.CREDS, *(kind for kind in Kind if kind in REMOVABLE))
_LOOKED_AT_FOR_AGE = tuple(kind for kind in _LOOKED_AT if kind not in REMOVED_IF_UNUSED)


def _standing(keys: Sequence[str] | None, parts: Mapping[str, tuple[str, ...]]) -> Sequence[str]:
    """Return the keys of which their own file stands."""
    if not keys or not parts:
        return keys or ()
    return [key for key in keys if key not in parts or parts[key][-1] == key]


def _look_beside(
    folder: int,
    device: int,
    names: dict[Kind, list[str]],
    parts: Mapping[str, tuple[str, ...]],
    stats: dict[str, FileStat],
    found: dict[str, Mapping[str, FileStat]],
    left_out: Set[Kind],
) -> Iterator[Oddity]:
    """Stat the companions of keys that were looked at; put the files of each into `found`, and what they are together
    into `stats`. A key of which no plain file stands any more goes out of `names`.
    """
    wanted = REMOVABLE - left_out
    alone = {key for key, files in parts.items() if files[-1] != key and kind_of(key) in wanted}
    looked_at = [key for key in parts if (key in stats and key != CREDS) or key in alone]
    seen: dict[str, FileStat] = {}
    odd = look_at(folder, device, [name for key in looked_at for name in parts[key] if name != key], seen)
    for key in looked_at:
        files = {name: seen[name] for name in parts[key] if name in seen}
        if key not in alone:
            files[key] = stats[key]
        if files:
            found[key] = files
            stats[key] = WholeKey(
                sum(one.st_size for one in files.values()), max(one.st_mtime_ns for one in files.values())
            )
        else:
            names[kind_of(key)].remove(key)
    left = [name for name, what in odd.items() if key_of(name) in alone and what is not GONE]
    if left:
        names[Kind.UNKNOWN] = sorted([*names.get(Kind.UNKNOWN, []), *left])
    return (
        Oddity(name, what, failed=what.startswith(FAILED)) for name, what in odd.items() if what is not GONE
    )


def _set_aside(names: dict[Kind, list[str]], kind: Kind, odd: Mapping[str, str]) -> Iterator[Oddity]:
    """Take odd entries out of their kind: what is still a file is counted as unknown, and so never removed."""
    names[kind] = [name for name in names[kind] if name not in odd]
    files = [name for name, what in odd.items() if what in (LINKED, ELSEWHERE) or what.startswith(FAILED)]
    if kind is Kind.CREDS:
        names[kind] = [*names[kind], *files]
    elif files:
        names[Kind.UNKNOWN] = sorted(names.get(Kind.UNKNOWN, []) + files)
    return (
        Oddity(name, what, failed=what.startswith(FAILED)) for name, what in odd.items() if what is not GONE
    )


def written_since(folder: int, names: Iterable[str], moment: datetime) -> frozenset[str]:
    """Given names in a folder, return those last written at `moment` or later."""
    limit = int(moment.timestamp() * 1_000) * 1_000_000
    found = set()
    for name in names:
        with suppress(FileNotFoundError):
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns >= limit:
                found.add(name)
    return frozenset(found)


def read_creds(folder: int, delays: Sequence[float] = _RETRY_DELAYS) -> Creds | CredsState:
    """Given a folder handle, return what `creds.json` says. A torn reading is repeated after each delay.

    Baileys truncates, then writes: an outside reader sees an empty file (measured under a tight loop of saves:
    half to nine tenths of all readings). Raises PermissionError when this user may not read it and is not the one
    that the folder belongs to.
    """
    found = _read_creds_once(folder)
    for delay in delays:
        if isinstance(found, Creds) or found in (CredsState.TOO_LARGE, CredsState.LINKED):
            break
        if found is CredsState.MISSING and not _is_being_replaced(folder):
            break
        time.sleep(delay)
        found = _read_creds_once(folder)
    return found


def _is_being_replaced(folder: int) -> bool:
    """Whether the next Baileys may be writing `creds.json` anew: it rotates the old one away first."""
    return any(exists(name, folder) for name in companions_of(CREDS))


def _read_creds_once(folder: int) -> Creds | CredsState:
    try:
        content = read_creds_file(folder, LARGEST + 1)
    except FileNotFoundError:
        return CredsState.MISSING
    except PermissionError:
        # That a third user may not read them says nothing about the bot.
        if os.geteuid() != os.fstat(folder).st_uid:
            raise
        return CredsState.UNREADABLE
    except OSError as error:
        return CredsState.LINKED if error.errno == errno.ELOOP else CredsState.UNREADABLE
    return parse_creds(content)


def _is_refused(folder: int, creds: Creds | CredsState) -> bool:
    """Whether the system, and not what it holds, is why `creds.json` cannot be read."""
    if creds is not CredsState.UNREADABLE:
        return False
    try:
        read_creds_file(folder, 1)
    except OSError:
        return True
    return False


def read_creds_file(folder: int, limit: int) -> bytes:
    """Given a folder handle, return the content of `creds.json`, at most `limit` bytes, through a link that stays with
    its owner. Raises OSError, with ELOOP for any other link.
    """
    try:
        return read_regular_file(folder, CREDS, limit)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise

    fd = open_linked(folder, CREDS)
    try:
        return read_all(fd, os.fstat(fd).st_size, limit)
    finally:
        os.close(fd)


def read_regular_file(folder: int, name: str, limit: int) -> bytes:
    """Given a folder handle and a name, return the content of that regular file, at most `limit` bytes.

    Never follows a link and never waits on a FIFO. Raises OSError, also for what is no regular file.
    """
    fd = os.open(name, READ_FLAGS, dir_fd=folder)
    try:
        seen = os.fstat(fd)
        if not S_ISREG(seen.st_mode):
            raise OSError(f"{name} is not a regular file")
        return read_all(fd, seen.st_size, limit)
    finally:
        os.close(fd)


def read_all(fd: int, size: int, limit: int) -> bytes:
    """Given an open file and its size, return its content, at most `limit` bytes. Raises OSError.

    In one piece, as a large file would stand in memory twice for the joining; a file that grows meanwhile is read on.
    """
    content = os.read(fd, min(size + 1, limit))
    while 0 < len(content) < limit and len(content) > size:
        chunk = os.read(fd, min(limit - len(content), 1 << 16))
        if not chunk:
            break
        content += chunk
    return content


def has_private_signing_key(folder: int, name: str) -> bool | None:
    """Given a sender-key file, return whether its newest state holds a private signing key; None: cannot tell."""
    try:
        return holds_private_key(read_regular_file(folder, name, LARGEST + 1))
    except OSError:
        return None
