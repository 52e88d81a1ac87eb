"""What a session folder says against a removal that a log tells of: another login, or keys that were written since."""

from __future__ import annotations

import os
from datetime import datetime
from typing import NamedTuple

from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.scan import read_creds
from baileys_tools.units import moment_of

MOST_FILES = 20_000
_OF_MESSAGES = ("session-", "sender-key-")
_NOT_OF_MESSAGES = "sender-key-memory-"


class FolderLife(NamedTuple):
    """The linked device that creds.json belongs to, "" for none, and when a message last changed a key."""

    login: str = ""
    newest_key: datetime | None = None


def folder_life(root: Root, company: Company, now: datetime) -> FolderLife:
    """Return what a company's folder says. What cannot be looked at says nothing."""
    try:
        with root.open(company) as folder:
            return life_in(folder, now)
    except OSError:
        return FolderLife()


def life_in(folder: int, now: datetime) -> FolderLife:
    """Given a folder handle, return what the folder says."""
    newest, latest = 0, int(now.timestamp() * 1_000_000_000)
    try:
        creds = read_creds(folder)
        with os.scandir(folder) as listing:
            for number, entry in enumerate(listing):
                if number >= MOST_FILES:
                    break
                if entry.name.startswith(_OF_MESSAGES) and not entry.name.startswith(_NOT_OF_MESSAGES):
                    written = entry.stat(follow_symlinks=False).st_mtime_ns
                    # What was written tomorrow tells of a clock, not of a message.
                    newest = max(newest, written) if written <= latest else newest
    except OSError:
        return FolderLife()
    login = creds.login if isinstance(creds, Creds) else ""
    return FolderLife(login, moment_of(newest) if newest else None)
