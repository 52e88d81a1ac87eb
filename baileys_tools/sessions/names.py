"""What this tool calls its own things in a session folder and beside it, but for the lock and the quarantine."""

from __future__ import annotations

import os
from collections.abc import Iterator

COMPANY_PREFIX = "company_"
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OWN_FOLDER = ".baileys-tools"
LOCK_NAME = ".cleanup.lock"
OWN_PREFIX = ".baileys-tools"
"""Every file that this tool keeps in a session folder begins so, the lock excepted."""
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
JOURNAL = "restore.json"
"""Below `.baileys-tools` of the folder that a restore works on."""
STAGE = "restore"
"""Beside it: the files that a repair is to bring back."""
STAGE_PREFIX = f"{OWN_PREFIX}-restore-"
"""Before the folder's name: the new folder of a rollback until the swap, the old one after it."""
REPLACED_PREFIX = f"{OWN_PREFIX}-replaced-"
"""Before the folder's name: the old folder, where the file system cannot swap."""
RESET_JOURNAL = "reset.json"
RESETS = "resets"
"""Below `.baileys-tools`: the journal of a reset, and the folders that resets have set aside."""
RESET_PREFIX = f"{OWN_PREFIX}-reset-"
"""Before the folder's name: what comes in its place, until the swap, and what went out after it."""

VOLUME = "_data"
"""What Docker and Podman call the folder of each volume: `volumes/<name>/_data`."""


def called_by(path: str) -> str:
    """Given the path of a session folder, return what its company is called: by its name, a volume's folder by that."""
    around, name = os.path.split(path)
    return os.path.basename(around) or name if name == VOLUME else name


_HEXADECIMAL = frozenset("0123456789abcdef")


def left_by_a_restore(name: str) -> Iterator[str]:
    """Given a name that stands beside session folders, yield those of the folders that a restore can have left it of.

    More than one where a name ends as those did that earlier versions gave.
    """
    for prefix in (STAGE_PREFIX, REPLACED_PREFIX):
        if name.startswith(prefix):
            folder = name.removeprefix(prefix)
            yield folder
            short, dash, ending = folder.rpartition("-")
            if prefix == REPLACED_PREFIX and dash and len(ending) == 6 and set(ending) <= _HEXADECIMAL:
                yield short
