"""What this tool calls its own things in a session folder and beside it, but for the lock and the quarantine."""

from __future__ import annotations

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
