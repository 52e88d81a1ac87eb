"""A bot's user who means harm, and root at work beside it: nothing of root's may be read, written or given away.

    with hostile_place() as place: ...

`place.bots` is the folder of the bot's user, `place.roots` one of root's with files that nobody else may touch.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support import require_root

BOT = 65533
"""The bot's user: a number without a name, as in containers."""
CANARY = "canary-of-root"


class Place(NamedTuple):
    """Two neighbours on one host."""

    roots: Path
    bots: Path

    def of_root(self) -> dict[str, tuple[int, int, int, bytes]]:
        """All that is root's: owner, group, mode and content by path."""
        found = {}
        for folder, folders, files in os.walk(self.roots):
            for name in (*folders, *files, "."):
                path = os.path.join(folder, name)
                seen = os.lstat(path)
                content = Path(path).read_bytes() if stat.S_ISREG(seen.st_mode) else b""
                found[path] = (seen.st_uid, seen.st_gid, seen.st_mode, content)
        return found

    def not_the_bots(self) -> list[str]:
        """What stands in the bot's folder and is not the bot's, links left as they are."""
        paths = [self.bots, *self.bots.rglob("*")]
        return sorted(str(path) for path in paths if path.lstat().st_uid != BOT)


@contextmanager
def hostile_place() -> Iterator[Place]:
    """Lay out a host with root's folder and that of a bot's user."""
    require_root()
    with tempfile.TemporaryDirectory(prefix="baileys-tools-hostile-", dir="/tmp") as above:
        os.chmod(above, 0o755)
        place = Place(Path(above, "roots"), Path(above, "bots"))
        for folder in place:
            folder.mkdir(mode=0o700)
        place.bots.chmod(0o755)
        for name in ("token", ".bashrc", "crontab-1", "state.sqlite3-wal", "1.run"):
            (place.roots / name).write_text(f"{CANARY}-{name}\n")
            (place.roots / name).chmod(0o600)
            os.utime(place.roots / name, (0, 0))
        give(place.bots)
        yield place


def give(*paths: Path, uid: int = BOT) -> None:
    """Make everything at and below `paths` the bot's."""
    for path in paths:
        for one in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
            os.lchown(one, uid, uid)


def as_bot(
    *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> list[str | Path]:
    """Return the words that run `words` as the bot's user."""
    return ["setpriv", f"--reuid={BOT}", f"--regid={BOT}", "--clear-groups", *words]


@contextmanager
def bot_at_work(script: str, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python script as the bot's user, over and over until the `with` ends. It may fail as it likes."""
    looping = f"import os, sys\nwhile True:\n  try:\n{_indented(script)}\n  except OSError:\n    pass\n"
    # -I -S: nothing of this project has to be readable for the bot's user.
    worker = subprocess.Popen(as_bot(sys.executable, "-I", "-S", "-c", looping, *arguments), cwd="/")
    try:
        yield worker
        assert worker.poll() is None, "the bot's user was at work until the end"
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def _indented(script: str) -> str:
    return "\n".join(f"    {line}" for line in script.strip().splitlines())
