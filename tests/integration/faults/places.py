"""Places where things go wrong: small file systems, read-only ones, files nobody may touch, other users."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import COMMAND, missing, require_root, require_tool, scrubbed_environment

NOBODY = 65534

RENAME_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def small_disk(where: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs with `options` (`size=1m`, `nr_inodes=100`) at `where`."""
    require_root()
    where.mkdir(parents=True)
    subprocess.run([require_tool("mount"), "-t", "tmpfs", "-o", options, "tmpfs", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make `folder` a read-only file system for the length of a `with`."""
    require_root()
    mount = require_tool("mount")
    subprocess.run([mount, "--bind", folder, folder], check=True)
    try:
        subprocess.run([mount, "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def immutable(*paths: Path) -> Iterator[None]:
    """Let nobody, not even root, move or remove `paths`."""
    require_root()
    chattr = require_tool("chattr")
    marked = subprocess.run([chattr, "+i", *paths], capture_output=True, text=True, check=False)
    if marked.returncode:
        missing(f"a file system with immutable files ({marked.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run([chattr, "-i", *paths], check=False, capture_output=True)


def run_as_nobody(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run `command` without root's rights; whoever has none runs it as it is."""
    drop: list[str] = []
    env = scrubbed_environment()
    if os.geteuid() == 0:
        env |= {"HOME": "/nonexistent", "BAILEYS_TOOLS_STATE_DIR": "/nonexistent"}
        drop = [require_tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    probe = subprocess.run([*drop, COMMAND, "--version"], capture_output=True, check=False, cwd="/", env=env)
    if probe.returncode:
        missing("an installation that other users can run")
    return subprocess.run(
        [*drop, *command], capture_output=True, text=True, check=False, cwd="/", env=env, timeout=60
    )


@contextmanager
def place_for_everybody() -> Iterator[Path]:
    """A folder that other users can reach: those of pytest are closed to them."""
    with tempfile.TemporaryDirectory(prefix="baileys-tools-test-", dir="/tmp") as place:
        os.chmod(place, 0o755)
        yield Path(place)


def give_away(root: Path) -> None:
    """Give a tree to the user that `run_as_nobody` runs as."""
    if os.geteuid() != 0:
        return
    for folder, _, files in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.lchown(path, NOBODY, NOBODY)


def exchange(one: Path, other: Path) -> None:
    """Swap two names in one step."""
    swapped = _libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), RENAME_EXCHANGE)
    if swapped != 0:
        raise OSError(ctypes.get_errno(), "renameat2", str(one))
