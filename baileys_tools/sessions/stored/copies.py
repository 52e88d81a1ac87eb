"""Which open folders are working copies of a store's session: nobody asks a store about a folder that is just one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

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
