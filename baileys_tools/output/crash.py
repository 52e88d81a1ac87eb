"""The last resort: an error nobody foresaw, in one line for the user and whole in a file for whoever mends it."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from baileys_tools import __version__
from baileys_tools.masking import masked
from baileys_tools.units import printable


def report_crash(error: BaseException) -> None:
    """Say on standard error what went wrong, and where the traceback was written (0600)."""
    print(
        f"baileys-tools: internal error: {type(error).__name__}: {printable(masked(str(error)))[:300]}",
        file=sys.stderr,
    )
    try:
        fd, path = tempfile.mkstemp(prefix="baileys-tools-crash-", suffix=".txt")
        with os.fdopen(fd, "w", errors="backslashreplace") as file:
            file.write(f"baileys-tools {__version__}, Python {sys.version}\n")
            # Code lines only: no local variable, so no key material. What an exception says may hold a secret.
            file.write(masked("".join(traceback.format_exception(error))))
    except OSError:
        return
    print(f"This is a bug. Please report it with {path}", file=sys.stderr)
