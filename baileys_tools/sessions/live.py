"""Reads a whole session folder, content and all, as a restore needs to know it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from stat import S_ISREG

from baileys_tools.sessions.entries import entry_oddity
from baileys_tools.sessions.quarantine import is_of_a_repair, list_runs, open_quarantine, open_run
from baileys_tools.sessions.reading import TooLarge, as_stored
from baileys_tools.sessions.rules.creds import Creds, CredsState, parse_creds, state_of
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.keyfiles import Kind, key_of, kind_of, sort_names
from baileys_tools.sessions.rules.node_json import Refusal, UnreadJson, read_json
from baileys_tools.sessions.rules.restore_plan import CREDS, LiveFile, LiveFolder
from baileys_tools.sessions.rules.senderkeys import holds_private_key
from baileys_tools.sessions.rules.snapshot import (
    LARGEST_FILE,
    MOST_BYTES,
    MOST_FILES,
    Account,
    StoredFile,
    read_account,
)
from baileys_tools.sessions.scan import is_own, read_regular_file
from baileys_tools.sessions.staging import SeenFile, seen_file

_TOO_LARGE = "too large to judge"
BROKEN_DISK = {errno.EIO, errno.EUCLEAN}
"""A file that cannot be read for such a reason is lost; for any other, somebody has to look first."""


def read_live_folder(folder: int, *, with_contents: bool = True) -> tuple[LiveFolder, list[StoredFile]]:
    """Given the handle of a session folder, return what is in it, and its files. Raises OSError.

    Without contents no files are returned: there may be 100,000 of them. With them, a folder beyond the limits of a
    snapshot is TooLarge.

    Every key file is read and has to parse, as Baileys takes what does not parse for missing
    (`Utils/use-multi-file-auth-state.js`: `readData`). The files are there whole or not: what a folder held
    before a rollback is kept as it was.
    """
    files: dict[str, LiveFile] = {}
    contents: dict[str, StoredFile] = {}
    oddities: list[Oddity] = []
    owned: dict[str, bool] = {}
    held = 0
    device = os.fstat(folder).st_dev
    for name in sorted(os.listdir(folder)):
        if is_own(name):
            continue
        with suppress(FileNotFoundError):
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if seen.st_nlink != 1 or seen.st_dev != device or not S_ISREG(seen.st_mode):
                oddities.append(Oddity(name, entry_oddity(seen, device)))
                continue
            is_key = kind_of(name) is not Kind.UNKNOWN
            too_large = seen.st_size > LARGEST_FILE
            stored = None if too_large else _read(folder, name, seen)
            # What Baileys did not write need not be JSON.
            whole = stored is not None and (not is_key or is_whole(stored.content))
            if is_key and (too_large or whole is None):
                # The bot may well read it, so nothing may take its place.
                oddities.append(Oddity(name, _TOO_LARGE))
                continue
            if stored is None and not is_key:
                oddities.append(Oddity(name, "too large or not readable, and not written by Baileys"))
                continue
            if stored is not None and kind_of(name) is Kind.SENDER_KEY:
                owned |= owned_by_content({name: stored.content})
            if stored is not None and (with_contents or name == CREDS):
                contents[name] = stored
                held += stored.entry.size
                _require_room(held, len(contents))
            files[name] = LiveFile(
                seen_file(seen), stored.entry.sha256 if stored is not None else "", bool(whole)
            )
    facts = _creds(contents.get(CREDS), files, oddities)
    parts = _parted(files, owned)
    by_cleanups, by_repairs = _quarantined(folder)
    live = LiveFolder(
        files=files,
        creds=facts,
        account=_account(contents.get(CREDS), facts),
        oddities=tuple(oddities),
        quarantined=frozenset(by_cleanups | by_repairs),
        replaced=frozenset(by_repairs - by_cleanups),
        owned_by_content=owned,
        parts=parts,
        was_repaired=bool(by_repairs),
    )
    return live, list(contents.values()) if with_contents else []


def _parted(files: dict[str, LiveFile], owned: dict[str, bool]) -> dict[str, dict[str, SeenFile]]:
    """Take the companions out of `files` and return the files of each key that has some.

    Where a key has only its `.bak`, that stands for it: the next Baileys reads it. Not for `creds.json`, of which it
    has to be proven whose it is.
    """
    parts = {}
    for key, names in sort_names(files).parts.items():
        parts[key] = {name: seen_file(files[name].stat) for name in names}
        beside = {name: files.pop(name) for name in names if name != key}
        bak = f"{key}.bak"
        if key not in files and bak in beside and key != CREDS:
            files[key] = beside[bak]
            if bak in owned:
                owned[key] = owned[bak]
    return parts


def _require_room(size: int, count: int) -> None:
    if size > MOST_BYTES or count > MOST_FILES:
        raise TooLarge(
            errno.EFBIG,
            f"more than {MOST_BYTES >> 20} MiB or {MOST_FILES:,} files, so that no snapshot could hold it: "
            "move what does not belong to the session elsewhere",
        )


def _read(folder: int, name: str, seen: os.stat_result) -> StoredFile | None:
    try:
        content = read_regular_file(folder, name, LARGEST_FILE)
    except OSError as error:
        if error.errno in BROKEN_DISK:
            return None
        raise
    return as_stored(name, content, seen)


def is_whole(content: bytes) -> bool | None:
    """Whether Baileys would take these bytes for a key: JSON, and not null. None: too large to judge."""
    try:
        return read_json(content) is not None
    except UnreadJson as unread:
        return None if unread.refusal is Refusal.TOO_LARGE else False


def _creds(
    creds: StoredFile | None, files: Mapping[str, LiveFile], oddities: Sequence[Oddity]
) -> Creds | CredsState:
    if creds is not None:
        return parse_creds(creds.content)
    if any(odd == Oddity(CREDS, _TOO_LARGE) for odd in oddities):
        return CredsState.TOO_LARGE
    if Oddity(CREDS, "a symbolic link") in oddities:
        return CredsState.LINKED
    is_there = CREDS in files or any(odd.name == CREDS for odd in oddities)
    return CredsState.UNREADABLE if is_there else CredsState.MISSING


def _account(creds: StoredFile | None, facts: Creds | CredsState) -> Account | CredsState:
    found = read_account(creds.content) if creds is not None else state_of(facts)
    return found if isinstance(found, CredsState) else found[0]


def _quarantined(folder: int) -> tuple[set[str], set[str]]:
    """Return the names that cleanups have put into the quarantine, and those that repairs have put there."""
    by_cleanups: set[str] = set()
    by_repairs: set[str] = set()
    with open_quarantine(folder) as quarantine:
        if quarantine is not None:
            for run, _ in list_runs(quarantine):
                with open_run(quarantine, run) as fd:
                    keys = map(key_of, os.listdir(fd))
                    (by_repairs if is_of_a_repair(run) else by_cleanups).update(keys)
    return by_cleanups, by_repairs


def owned_by_content(contents: Mapping[str, bytes]) -> dict[str, bool]:
    """Given sender-keys, return for each whether it holds a private signing key, where that can be told."""
    answers = {name: holds_private_key(content) for name, content in contents.items()}
    return {name: answer for name, answer in answers.items() if answer is not None}
