"""The system's errors in words that help."""

from __future__ import annotations

import errno

from baileys_tools.sessions.search.way import NotASessionFolder

_HELP = {
    errno.EACCES: "permission denied: run as the owner of the folder, or as root",
    errno.EPERM: "not permitted: run as the owner of the folder, or look for an immutable flag (lsattr)",
    errno.ENOLCK: "the file system has no kernel locks (some network mounts): run on the host that owns it",
    errno.EROFS: "the file system is read-only: mount it writable, or look with --dry-run",
    errno.ENOTDIR: "is not a folder of its own (a link is not followed): look what it is, and move it away",
    errno.ENOENT: "vanished while it was being read",
    errno.ENOSPC: "no space left on device: make room (df -h; df -i)",
    errno.EDQUOT: "the disk quota is used up: make room (quota -s)",
    errno.EIO: "input/output error: look at the disk (dmesg)",
}


def say_why(error: OSError) -> str:
    """Given a system error, return what it means for the folder it was met in, and the way out."""
    if isinstance(error, NotASessionFolder) or error.errno is None:
        return str(error)
    text = _HELP.get(error.errno or 0) or error.strerror or str(error)
    return f"{error.filename}: {text}" if isinstance(error.filename, str) else text
