"""Files that people and programs pick up at any moment: whole at every moment, and nobody else's file overwritten."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from baileys_tools.owner import acting_as
from baileys_tools.place import place_owner
from baileys_tools.trust import open_plain


def write_own_file(path: str, content: bytes, mark: bytes, mode: int = 0o600) -> None:
    """Replace the file at `path` in one step, `mode` from birth. Raises OSError, also for a file that is not ours.

    `mark` is what every such content begins with, b"" for nothing to go by. The temporary name ends in `.tmp`, which no
    collector of metrics reads. In another user's folder it is that user's (place.py).
    """
    with acting_as(*place_owner(os.path.dirname(path) or ".")):
        _write(path, content, mark, mode)


def _write(path: str, content: bytes, mark: bytes, mode: int) -> None:
    if is_foreign(path, mark):
        raise FileExistsError(errno.EEXIST, "it is there already, and nothing that baileys-tools wrote", path)
    temporary = f"{path}.{os.urandom(6).hex()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(content)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def is_foreign(path: str, mark: bytes) -> bool:
    """Whether something stands at `path` that is neither empty nor begins with `mark`. A doubt is a yes."""
    try:
        fd = open_plain(path)
    except FileNotFoundError:
        return os.path.lexists(path)  # a link to nowhere
    except NotADirectoryError:
        return False
    except OSError:
        return True
    try:
        begins = os.read(fd, len(mark))
    except OSError:
        return True
    finally:
        os.close(fd)
    return begins not in (b"", mark)
