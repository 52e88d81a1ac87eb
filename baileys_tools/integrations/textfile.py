"""A file that another program picks up at any moment, and so has to be whole at every moment."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress


def write_textfile(path: str, text: str) -> None:
    """Replace the file at `path` by `text`, in one step, readable by everybody. Raises OSError.

    node_exporter runs as a user of its own, so the file is 0644 whatever the umask: nothing in it is secret. The
    temporary name does not end in `.prom`, which the collector would read.
    """
    temporary = f"{path}.{secrets.token_hex(6)}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, 0o644)
            file.write(text)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
