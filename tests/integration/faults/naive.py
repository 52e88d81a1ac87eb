"""What cleanup scripts usually do, so that the harness can show that it would notice.

python naive.py unlink|copy|key-first|by-path|shared-lock FOLDER

unlink       removes each old file for good
copy         copies it to a quarantine, then removes it: content comes back, age and mode do not
key-first    moves it to a quarantine, the bot's own sender-key before the memory that belongs to it
by-path      looks at the age and unlinks by path, wherever that path leads by then
shared-lock  takes a lock that does not exclude anybody, and counts what others removed as its own
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time

MAX_AGE_SECONDS = {"session-": 14 * 86400, "sender-key-": 3 * 86400}


def is_old(path: str) -> bool:
    for prefix, seconds in MAX_AGE_SECONDS.items():
        if os.path.basename(path).startswith(prefix):
            return time.time() - os.lstat(path).st_mtime > seconds
    return False


def old_files(folder: str) -> list[str]:
    names = sorted(os.listdir(folder))
    return [path for path in (os.path.join(folder, name) for name in names) if is_old(path)]


def copy(source: str, target: str) -> None:
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(old.read())


def main(how: str, folder: str) -> None:
    quarantine = os.path.join(folder, ".baileys-tools", "quarantine", "20260101T000000Z-abcdef")
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH if how == "shared-lock" else fcntl.LOCK_EX)
    removed = []
    old = old_files(folder)
    if how == "shared-lock":
        time.sleep(0.2)
    if how in ("copy", "key-first"):
        os.makedirs(quarantine, mode=0o700)
    for path in old:
        target = os.path.join(quarantine, os.path.basename(path))
        if how == "key-first":
            os.rename(path, target)
            continue
        if how == "copy":
            copy(path, target)
        try:
            os.unlink(path)
        except FileNotFoundError:
            if how == "unlink":
                raise
        removed.append(os.path.basename(path))
    print("\n".join(removed))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(".cleanup.lock", dir_fd=lock)


main(*sys.argv[1:])
