"""A bot's user with bad intentions, and what must not happen to the folders of others."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.support import company_folder

MALLORY = 47_011
"""The user id of the hostile bot."""
ALICE = 47_012
"""That of another company's."""

OLD_RUN = "20200101T000000Z-abcdef"
"""Long over for every purge."""


def as_user(uid: int, work: Callable[[], object]) -> None:
    """Do something in a process of that user's, without any right of root's. Raises AssertionError where it fails."""
    child = os.fork()
    if child == 0:
        _become(uid, work)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the hostile user was not able to do even that"


def _become(uid: int, work: Callable[[], object]) -> None:
    code = 1
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        work()
        code = 0
    finally:
        os._exit(code)


@contextmanager
def meanwhile(uid: int, work: Callable[[], object]) -> Iterator[None]:
    """Have a user do something over and over again for the length of a `with`."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            _become(uid, lambda: _for_ever(work))
        os._exit(1)
    try:
        yield
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "the hostile user gave up"
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _for_ever(work: Callable[[], object]) -> None:
    while True:
        work()


_libc = ctypes.CDLL(None, use_errno=True)


def flip(folder: int, one: bytes, other: bytes) -> None:
    """Swap two names in a folder."""
    if _libc.renameat2(folder, one, folder, other, 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def give(path: Path, uid: int) -> None:
    for folder, _, files in os.walk(path):
        for one in (folder, *(os.path.join(folder, name) for name in files)):
            os.lchown(one, uid, uid)


class Property(NamedTuple):
    """What must stay as it is about one file or folder."""

    mode: int
    uid: int
    gid: int
    content: str
    read_at: int
    """When a file was last read, in ns."""


@dataclass(frozen=True, slots=True)
class Treasure:
    """The files and folders of somebody that nobody else has any business with, by inode."""

    place: Path
    kept: dict[int, Property]
    parents: dict[int, int]

    @classmethod
    def of(cls, place: Path, *folders: Path) -> Treasure:
        """Given a place and folders in it, remember these with all that is in them."""
        for folder in folders:
            for path in folder.rglob("*"):
                if path.is_file():
                    # Older than its last change: the next reading shows on a file system that tells readings at all.
                    os.utime(path, ns=(1, path.stat().st_mtime_ns))
        found = [one for folder in folders for one in (folder, *folder.rglob("*"))]
        return cls(
            place,
            {path.lstat().st_ino: _property(path) for path in found},
            {path.lstat().st_ino: path.parent.stat().st_ino for path in found},
        )

    def losses(self) -> list[str]:
        """What was removed, changed, read, moved to another folder or made another's."""
        there: dict[int, Path] = {}
        for folder, folders, files in os.walk(self.place):
            for name in (*folders, *files):
                path = Path(folder, name)
                there[path.lstat().st_ino] = path
        lost = []
        for inode, kept in self.kept.items():
            if inode not in there:
                lost.append(f"{kept} is gone")
                continue
            path = there[inode]
            if _property(path, read_at=path.lstat().st_atime_ns) != kept:
                lost.append(f"{path}: {kept} is {_property(path)}")
            elif path.parent.stat().st_ino != self.parents[inode]:
                lost.append(f"{path} is in another folder")
        return lost


def _property(path: Path, read_at: int | None = None) -> Property:
    seen = path.lstat()
    is_file = path.is_file()
    last = (seen.st_atime_ns if read_at is None else read_at) if is_file else 0
    content = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else ""
    if is_file:
        os.utime(path, ns=(last, seen.st_mtime_ns))
    return Property(seen.st_mode, seen.st_uid, seen.st_gid, content, last)


# --- scenes -------------------------------------------------------------------------------------------------


def company(sessions: Path, name: str, uid: int) -> Path:
    """A session folder of a user's, with a cleanup's quarantine in it that undo still reaches."""
    ages = {f"session-44770090012{n}.0.json": timedelta(hours=3) for n in range(3)}
    folder = company_folder(sessions, name, ages, now=datetime.now(UTC))
    run = f"{datetime.now(UTC) - timedelta(hours=1):%Y%m%dT%H%M%SZ}-000abc"
    waiting = folder / ".baileys-tools" / "quarantine" / run
    waiting.mkdir(parents=True)
    (waiting / "session-4477009001299.0.json").write_text(json.dumps({"of": name}))
    old = time.time() - 20 * 86_400
    os.utime(waiting / "session-4477009001299.0.json", (old, old))
    os.utime(folder / "creds.json", (time.time() - 7_200,) * 2)
    give(folder, uid)
    folder.chmod(0o700)
    return folder


def roots_own(folder: Path) -> Path:
    """A folder of root's that others may look into: with files, a session, and what this tool keeps in one."""
    company_folder(folder.parent, "x", {"session-1.0.json": timedelta(days=40)}).rename(folder)
    for name in (f"quarantine/{OLD_RUN}", f"resets/{OLD_RUN}", f"resets/.going-{OLD_RUN}", "restore"):
        for below in (folder / ".baileys-tools" / name, folder / name):
            below.mkdir(parents=True)
            (below / "session-2.0.json").write_text("root's")
    (folder / "restore.json").write_text("root's")
    (folder / "notes.txt").write_text("root's")
    folder.chmod(0o755)
    return folder


def dead_after_swap(folder: Path, uid: int) -> Path:
    """Leave what a rollback leaves that dies right after the swap; return the old folder."""
    old = folder.with_name(f".baileys-tools-restore-{folder.name}")
    folder.rename(old)
    folder.mkdir(0o700)
    for path in old.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    seen = {path.name: path.stat() for path in old.iterdir() if path.is_file()}
    forge(
        folder,
        "restore.json",
        mode="rollback",
        old=old.stat().st_ino,
        files={name: [one.st_size, one.st_mtime_ns, one.st_ino] for name, one in seen.items()},
    )
    give(folder, uid)
    return old


def forge(folder: Path, name: str, **journal: object) -> None:
    own = folder / ".baileys-tools"
    own.mkdir(0o700, exist_ok=True)
    (own / name).write_text(json.dumps({"version": 1, **journal}))
