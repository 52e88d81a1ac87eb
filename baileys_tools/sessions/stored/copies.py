"""Which open folders are working copies of a store's session: nobody asks a store about a folder that is just one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from baileys_tools.sessions.names import OWN_FOLDER
from baileys_tools.sessions.scan import exists, read_regular_file, scan_folder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from baileys_tools.sessions.rules.folder import FolderFacts
    from baileys_tools.sessions.rules.removals import Removals
    from baileys_tools.sessions.stored.working import WorkingCopy

_open: dict[tuple[int, int], WorkingCopy] = {}


def working_copy(folder: int) -> WorkingCopy | None:
    """Given the handle of a session folder, return the working copy that it is, None for any other folder."""
    if not _open:
        return None
    seen = os.fstat(folder)
    return _open.get((seen.st_dev, seen.st_ino))


def held_in_store(folder: int) -> AbstractContextManager[None]:
    """Given the handle of a session folder, hold its session in the store as well, where it is of one.

    Raises StoreLocked, StoreTrouble.
    """
    copy = working_copy(folder)
    return nullcontext() if copy is None else copy.locked()


def facts_in_memory(folder: int, pre_keys_kept: int, *, unused: bool) -> FolderFacts | None:
    """Given the handle of a session folder, return what `scan_folder` would say, where its files are in memory only."""
    copy = working_copy(folder)
    facts = None if copy is None else copy.facts(pre_keys_kept, unused=unused)
    return None if facts is None else facts._replace(has_own=exists(OWN_FOLDER, folder))


def scanned(folder: int, pre_keys_kept: int = 0, *, unused: bool = True) -> FolderFacts:
    """As `scan_folder`, also where the files are in memory only."""
    in_memory = facts_in_memory(folder, pre_keys_kept, unused=unused)
    return scan_folder(folder, pre_keys_kept, unused=unused) if in_memory is None else in_memory


def weights_in_memory(folder: int) -> Mapping[str, tuple[int, int]] | None:
    """Given the handle of a session folder, return the size and the mtime (ns) of each file, where they are in memory
    only."""
    copy = working_copy(folder)
    return None if copy is None else copy.weights()


def read_key(folder: int, name: str, limit: int) -> bytes:
    """As `read_regular_file`, also where the files are in memory only."""
    copy = working_copy(folder)
    content = None if copy is None else copy.in_memory(name)
    return read_regular_file(folder, name, limit) if content is None else content[:limit]


def have_written(folder: int, names: Iterable[str] | None = None) -> None:
    """Given the handle of a session folder, have files stand in it, all of them without `names`. Raises OSError."""
    if (copy := working_copy(folder)) is not None:
        copy.write_out(folder, names)


def settle_removals(folder: int, run: str | None, units: Sequence[Sequence[str]], removals: Removals) -> None:
    """Have a store remove what was taken out of its session's folder by a run; a folder that is just one has it done.

    As `settling.settle_removals`.
    """
    if (copy := working_copy(folder)) is not None:
        from baileys_tools.sessions.stored import settling

        settling.settle_removals(copy, folder, run, units, removals)


@contextmanager
def known(folder: int, copy: WorkingCopy) -> Iterator[None]:
    """Have an open folder known as a working copy."""
    seen = os.fstat(folder)
    key = (seen.st_dev, seen.st_ino)
    _open[key] = copy
    try:
        yield
    finally:
        _open.pop(key, None)
