"""Where a session folder hangs, and what may stand beside it while another one takes its place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.names import FOLDER_FLAGS, REPLACED_PREFIX, RESET_PREFIX, STAGE_PREFIX
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.staging import look


class Place(NamedTuple):
    """Where a session folder hangs: the handle of its parent and its name there."""

    parent: int
    name: str

    @property
    def stage(self) -> str:
        """The name of the folder that a rollback has waiting beside it."""
        return STAGE_PREFIX + self.name

    @property
    def reset(self) -> str:
        """The name of the folder that a reset has waiting beside it."""
        return RESET_PREFIX + self.name

    @property
    def replaced(self) -> str:
        """The name of the old folder where two names cannot be swapped."""
        return REPLACED_PREFIX + self.name


@contextmanager
def place_of(root: Root, company: Company, folder: int) -> Iterator[Place]:
    """Yield where the folder of a company hangs. Raises OSError, or BaileysToolsError where it cannot be told."""
    if company.entry != "." and not company.linked:
        with root.around(company) as (around, name):
            yield Place(around, name)
        return
    parent = os.open("..", FOLDER_FLAGS, dir_fd=folder)
    try:
        name = os.path.basename(company.place)
        seen = look(name, parent) if name else None
        if seen is None or seen.st_ino != os.fstat(folder).st_ino:
            raise BaileysToolsError(
                f"{company.path} is a mount point or has no folder around it, so it cannot be swapped in one step",
                "Use --mode repair, which works inside the folder, or --target for a plain copy elsewhere.",
                exit_code=ExitCode.REFUSED,
            )
        yield Place(parent, name)
    finally:
        os.close(parent)
