"""Which open folders are working copies of a store's session: nobody asks a store about a folder that is just one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from baileys_tools.errors import BaileysToolsError, ExitCode

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from baileys_tools.sessions.stored.working import WorkingCopy

_open: dict[tuple[int, int], WorkingCopy] = {}


def working_copy(folder: int) -> WorkingCopy | None:
    """Given the handle of a session folder, return the working copy that it is, None for any other folder."""
    if not _open:
        return None
    seen = os.fstat(folder)
    return _open.get((seen.st_dev, seen.st_ino))


def held_in_store(folder: int, *, settles: bool) -> AbstractContextManager[None]:
    """Given the handle of a session folder, hold its session in the store as well, where it is of one.

    Raise exit code 13 there for a command that does not settle what it changes. Raises StoreLocked, StoreTrouble.
    """
    copy = working_copy(folder)
    if copy is None:
        return nullcontext()
    if not settles:
        raise BaileysToolsError(
            f"this command works on folders alone, and {copy.store.address} is a store: nothing was changed",
            "docs/stores.md has what works on stores, and docs/migrate.md how a session moves.",
            exit_code=ExitCode.REFUSED,
        )
    return copy.locked()


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
