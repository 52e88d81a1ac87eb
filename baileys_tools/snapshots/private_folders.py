"""Makes the folders of a repository, private from birth."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.kernel_lock import take_now
from baileys_tools.owner import as_owner_of, user_name
from baileys_tools.pasted import command
from baileys_tools.sessions.names import FOLDER_FLAGS
from baileys_tools.trust import NotTrusted, open_named


def lock_folder(folder: int, company: str, patience: float) -> None:
    """Lock a company's folder of the repository by its handle. Raises RepositoryLocked after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not take_now(folder):
        if time.monotonic() > deadline:
            raise RepositoryLocked(company)
        time.sleep(0.02)


def nearest_folder(path: str) -> str:
    """Return the folder itself, or the nearest one above it that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def way_to_make(path: str) -> str:
    """Return how somebody who may not make a folder gets it."""
    return command("sudo install -d -o {} -m 700 {}", user_name(os.geteuid()), path)


def way_in(path: str, error: OSError) -> str:
    """Given why somebody may not open or make a folder, return how they get there, "" where the reason says it."""
    if isinstance(error, NotTrusted):
        return ""
    if not os.path.isdir(path):
        return f"Have it made: {way_to_make(path)}"
    owner, me = user_name(os.stat(path).st_uid), user_name(os.geteuid())
    return f"It is of {owner}, and you are {me}. To have it: {command('sudo chown -R {} {}', me, path)}"


def make_private_folders(path: str) -> None:
    """Make a folder and those above it that are missing, each 0700 from birth and of the owner of the one it is in.

    Raises OSError, NotTrusted where a link of another user leads to what is there (`open_named`).
    """
    missing = []
    while not os.path.isdir(path):
        missing.append(os.path.basename(path))
        parent = os.path.dirname(path) or "."
        if parent == path:
            break
        path = parent
    folder, _ = open_named(path)
    try:
        for name in reversed(missing):
            with suppress(FileExistsError), as_owner_of(folder):
                os.mkdir(name, 0o700, dir_fd=folder)
            inner = os.open(name, FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
    finally:
        os.close(folder)


LOCK_PATIENCE = 10.0
"""Seconds to wait for another writer of the same company: one snapshot takes far less."""


class RepositoryLocked(BaileysToolsError):
    """Another process writes snapshots of this company."""

    def __init__(self, company: str) -> None:
        super().__init__(
            f"another process is writing snapshots of company {company}", exit_code=ExitCode.LOCKED
        )
