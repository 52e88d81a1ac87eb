"""What this host keeps of a store, beside the working copies of its sessions: each thing a small file of our own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from baileys_tools import __version__
from baileys_tools.sessions.scan import read_regular_file

LARGEST = 64 << 20
_LISTED = "listed"


def read_beside(around: int, name: str) -> str:
    """Return what is kept under a name, "" where nothing is."""
    with suppress(OSError, UnicodeDecodeError):
        return read_regular_file(around, name, LARGEST).decode(errors="surrogateescape")
    return ""


def write_beside(around: int, name: str, text: str) -> None:
    """Keep a text under a name, of which one process at a time is to write. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(f"{name}.tmp", flags, 0o600, dir_fd=around)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.rename(f"{name}.tmp", name, src_dir_fd=around, dst_dir_fd=around)


def listed_before(around: int) -> dict[str, str]:
    """Return what the last listing of the store has found out, in the store's own words; nothing of another version."""
    try:
        plain = json.loads(read_beside(around, _LISTED))
        if plain["version"] != __version__:
            return {}
        return {str(name): str(told) for name, told in plain["found"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}  # all is listed as for the first time


def keep_listed(around: int, found: Mapping[str, str]) -> None:
    """Keep what a listing has found out for the next one. Raises OSError."""
    write_beside(around, _LISTED, json.dumps({"version": __version__, "found": found}, separators=(",", ":")))
