"""What can go wrong, as one exception type and the exit codes a caller can rely on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes of every command."""

    DONE = 0
    """Done, nothing to do, or a dry run."""
    FAILED = 1
    USAGE = 2
    """Wrong options or configuration."""
    PARTLY_FAILED = 3
    """Some companies or files failed, the others are done."""
    WARNING = 4
    """A finding at warning level."""
    CRITICAL = 5
    """A finding at critical level or worse."""
    NOT_FOUND = 10
    """No such company or snapshot."""
    DAMAGED = 11
    """The snapshot is damaged."""
    WRONG_KEY = 12
    """The key is wrong or missing."""
    REFUSED = 13
    """Refused by a safety check."""
    LOCKED = 75
    """Another process holds the lock (EX_TEMPFAIL)."""
    HUNG_UP = 129
    """Ended by SIGHUP, at a point where it could: its terminal has gone."""
    INTERRUPTED = 130
    """Ended by SIGINT (Ctrl-C)."""
    TERMINATED = 143
    """Ended by SIGTERM."""


def why(error: Exception) -> str:
    """Given what went wrong, return it in words; of the system's errors what is wrong, and with which path."""
    if isinstance(error, OSError) and error.strerror:
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        return f"{path}: {error.strerror}" if path and path not in error.strerror else error.strerror
    return str(error)


class BaileysToolsError(Exception):
    """The command cannot go on. Shown to the user as one message, never as a traceback.

    `message` says what is wrong and where, `hint` what to do next.
    """

    def __init__(self, message: str, hint: str = "", *, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class NothingThere(BaileysToolsError):
    """No session folder stands where the settings say, or none of the `wanted` names. Whether one was there before,
    `frame/record.py` asks."""

    wanted: Sequence[str] = ()


class UsageError(BaileysToolsError):
    """Options or configuration that cannot be meant."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, exit_code=ExitCode.USAGE)
