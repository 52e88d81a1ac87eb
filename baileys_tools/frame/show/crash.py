"""The last resort: an error nobody foresaw, in one line for the user and whole in a file for whoever mends it."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import time
import traceback
from contextlib import suppress

from baileys_tools import __version__
from baileys_tools.masking import masked
from baileys_tools.units import printable

_PREFIX = "baileys-tools-crash-"
_FRESH_SECONDS = 86_400


def report_crash(error: BaseException) -> None:
    """Say on standard error what went wrong, and where the traceback was written (0600)."""
    print(f"baileys-tools: internal error: {_in_one_line(error)}", file=sys.stderr)
    path = _written(error)
    if path:
        print(f"This is a bug. Please report it with {path}", file=sys.stderr)


def what_crashed(error: BaseException) -> str:
    """Return in one line what went wrong with one company of many, and where the traceback was written (0600)."""
    path = _written(error)
    return f"internal error: {_in_one_line(error)}" + (f"; please report it with {path}" if path else "")


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {printable(masked(str(error)))[:300]}"


def _written(error: BaseException) -> str:
    """Write the traceback down and return where, "" where that cannot be. The same one again is written once a day:
    a monitor comes by every minute."""
    try:
        # Code lines only: no local variable, so no key material. What an exception says may hold a secret.
        text = masked("".join(traceback.format_exception(error)))
        where = "".join(
            f"{frame.filename}:{frame.lineno}\n" for frame in traceback.extract_tb(error.__traceback__)
        )
        kind = hashlib.sha256(f"{type(error).__name__}\n{where}".encode(errors="replace")).hexdigest()[:8]
        prefix = f"{_PREFIX}{kind}-"
        if known := _known(prefix):
            return known
        fd, path = tempfile.mkstemp(prefix=prefix, suffix=".txt")
        with os.fdopen(fd, "w", errors="backslashreplace") as file:
            file.write(f"baileys-tools {__version__}, Python {sys.version}\n")
            file.write(text)
    except (OSError, MemoryError, RecursionError):
        return ""
    return path


def _known(prefix: str) -> str:
    """Return a file of the same crash that we have written within a day. The folder is everybody's."""
    folder = tempfile.gettempdir()
    for name in os.listdir(folder):
        if not name.startswith(prefix):
            continue
        with suppress(OSError):
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            is_ours = stat.S_ISREG(seen.st_mode) and seen.st_uid == os.geteuid() and seen.st_nlink == 1
            if is_ours and 0 <= time.time() - seen.st_mtime < _FRESH_SECONDS:
                return path
    return ""
