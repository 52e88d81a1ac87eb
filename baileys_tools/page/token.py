"""The token that lets people and scripts in: a file of its own, 0600 from birth."""

from __future__ import annotations

import os
import secrets

from baileys_tools.errors import BaileysToolsError, UsageError, why
from baileys_tools.masking import remember_secret
from baileys_tools.page.rules.access import SHORTEST_TOKEN
from baileys_tools.pasted import command
from baileys_tools.place import in_place_of, make_private_folder
from baileys_tools.trust import read_trusted

LARGEST = 4_096


def token_at(path: str) -> tuple[str, bool]:
    """Return the token in this file, and whether it was made just now. Raises UsageError for a file that is no good."""
    try:
        is_new = _make(path)
        content = read_trusted(path, LARGEST)
        mode = os.stat(path).st_mode
    except OSError as error:
        raise BaileysToolsError(
            f"the token file {path}: {why(error)}", "Name another with --token-file, or mend that."
        ) from error
    if mode & 0o006:
        raise UsageError(
            f"the token file {path} can be read by everybody on this host",
            f"{command('chmod 600 {}', path)}, and make a new one (remove it), as it may be known by now.",
        )
    token = content.decode("ascii", "replace").strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"the token file {path} holds no token",
            f"It is one word of {SHORTEST_TOKEN} characters or more. Remove the file: the next start makes one.",
        )
    remember_secret(token)
    return token, is_new


def _make(path: str) -> bool:
    if os.path.lexists(path):
        return False
    folder = os.path.dirname(path)
    make_private_folder(folder)
    with in_place_of(folder):
        temporary = f"{path}.{os.urandom(6).hex()}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                # Two that start at once must come to one token.
                os.link(temporary, path, follow_symlinks=False)
            except FileExistsError:
                return False
        finally:
            os.unlink(temporary)
    return True
