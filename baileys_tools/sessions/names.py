"""What this tool calls its own things in a session folder and beside it, but for the lock and the quarantine."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.sessions.scan import OWN_PREFIX

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
