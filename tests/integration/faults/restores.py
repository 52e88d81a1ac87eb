"""A damaged folder with a snapshot of it, and the question whether it is old, new or mixed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from baileys_tools.errors import ExitCode
from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import Call, after_lock, cleanup, traced
from tests.support import COMMAND, Entry, company_folder, snapshot_tree, write_key

GROUP = "120363001234567890@g.us"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
MEMORY = f"sender-key-memory-{GROUP}.json"
PEER_KEY = f"sender-key-{GROUP}--447700900123--0.json"
QUIET = timedelta(hours=1)

MOVING = (
    "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat",
    "fsync", "fchmod", "fchown", "utimensat", "syncfs",
)  # fmt: skip
EVERY = (
    *MOVING,
    "write",
    "ftruncate",
    "flock",
    "openat",
    "newfstatat",
    "getdents64",
    "fcntl",
    "read",
    "close",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A sessions root with one damaged company and a repository with a snapshot of it, whole."""

    place: Path

    @property
    def sessions(self) -> Path:
        return self.place / "sessions"

    @property
    def folder(self) -> Path:
        return self.sessions / "company_1001"

    @property
    def env(self) -> dict[str, str]:
        # Nothing is old enough for a cleanup to remove, so that its runs change nothing of their own.
        return {
            "BAILEYS_SESSIONS_PATH": str(self.sessions),
            "BAILEYS_TOOLS_BACKUP_PATH": str(self.place / "backups"),
        }

    def tree(self) -> dict[bytes, Entry]:
        return snapshot_tree(self.folder)

    def copy(self, place: Path) -> Scene:
        """All of it at another place, as it would be if it had been made there."""
        shutil.copytree(self.place, place)
        move_sources(self.place, place)
        return Scene(place)


def move_sources(old: Path, new: Path) -> None:
    """Have the snapshots in a copied place come from the folders of that place."""
    for index in new.glob("backups/company_*/index.json"):
        index.write_text(index.read_text().replace(f"{old}/", f"{new}/"))


def damaged(place: Path) -> Scene:
    """A folder of which each kind has lost something, an hour ago, and which is quiet."""
    scene = Scene(place)
    keys = {f"session-44770090012{n}.0.json": QUIET * 2 for n in range(4)}
    keys |= {f"pre-key-{n}.json": QUIET * 2 for n in range(20, 31)}
    keys |= dict.fromkeys([OWN_KEY, MEMORY, PEER_KEY, "lid-mapping-447700900123.json"], QUIET * 2)
    folder = company_folder(scene.sessions, keys=keys)
    age(folder / "creds.json", QUIET * 3)
    (folder / "session-447700900121.0.json").chmod(0o640)
    assert run_forked([COMMAND, "backup", "--quiet"], scene.env).returncode == 0
    for name in ("creds.json", "session-447700900120.0.json", "pre-key-22.json"):
        modified = (folder / name).stat().st_mtime_ns
        (folder / name).write_text('{"torn')
        os.utime(folder / name, ns=(modified, modified))
    for name in (OWN_KEY, PEER_KEY, "session-447700900121.0.json", "lid-mapping-447700900123.json"):
        (folder / name).unlink()
    write_key(folder, "notes.txt", QUIET, "the operator's own")
    return scene


def age(path: Path, since: timedelta) -> None:
    stamp = path.stat().st_mtime_ns - round(since.total_seconds()) * 1_000_000_000
    os.utime(path, ns=(stamp, stamp))


def restore(*options: str) -> list[str | Path]:
    return [COMMAND, "restore", "--company", "1001", "--yes", "--quiet", *options]


NO_SWAP = ("-e", "inject=renameat2:error=EINVAL")
"""As a file system that can neither swap two names nor rename without replacing."""


def points_of(
    scene: Scene, options: Sequence[str], calls: Sequence[str], extra: Sequence[str] = ()
) -> list[Call]:
    """The calls of an undisturbed restore of `scene` from its lock on."""
    run, made = traced(restore(*options), *extra, calls=[*calls, "flock", "renameat2"], env=scene.env)
    assert run.returncode == 0, run.stderr
    return [call for call in after_lock(made) if call.name in calls]


@dataclass(slots=True)
class Killed:
    """What a sweep of kills found."""

    points: int = 0
    hits: int = 0
    mixed: int = 0
    old: int = 0
    new: int = 0
    said: int = 0
    """New but for files that the command itself named, with exit 3: a file that cannot be moved away."""
    troubles: list[str] | None = None

    def __str__(self) -> str:
        return (
            f"{self.hits} faults at {self.points} points: right after {self.mixed} folders neither old nor new; "
            f"after the next command {self.old} old, {self.new} new, {self.said} new but for what was said, "
            f"{len(self.troubles or [])} troubles"
        )


def kill_at_each(
    place: Path,
    options: Sequence[str],
    calls: Sequence[str],
    fault: str = "signal=KILL",
    extra: Sequence[str] = (),
    every: int = 1,
) -> Killed:
    """Kill a restore at each point, or each of so many; then run one other command, and look what the folder is.

    `extra` are options of strace for each run. In two steps a folder may be missing for a moment.
    The next command is a cleanup, which knows nothing of the restore but its journal.
    """
    first = damaged(place / "first")
    done = first.copy(place / "done")
    run = run_forked(restore(*options), done.env)
    assert run.returncode == 0, run.stderr
    new, old = done.tree(), first.tree()
    points = points_of(first.copy(place / "counted"), options, calls, extra)[::every]
    result = Killed(points=len(points), troubles=[])
    for point in points:
        scene = first.copy(place / f"{point.name}-{point.nth}")
        inject = f"inject={point.name}:{fault}:when={point.nth}"
        run, _ = traced(
            restore(*options), "-e", inject, *extra, calls=[point.name, "renameat2"], env=scene.env
        )
        result.hits += run.returncode == -9 or "KILL" not in fault
        if run.returncode == ExitCode.PARTLY_FAILED:
            trouble = _judge_partly(scene, old, new, result, options, run.stderr)
        else:
            trouble = _judge(scene, old, new, result, atomic="rollback" in options)
        if "internal error" in run.stderr:
            trouble.append(run.stderr)
        result.troubles = (result.troubles or []) + [f"{point}: {what}" for what in trouble]
        shutil.rmtree(scene.place)
    print(result)
    return result


def _judge_partly(
    scene: Scene,
    old: Mapping[bytes, Entry],
    new: Mapping[bytes, Entry],
    result: Killed,
    options: Sequence[str],
    said: str,
) -> list[str]:
    """What is wrong after a restore that called itself partly failed, with the fault gone at the next try."""
    after = scene.tree()
    other = [name for name in old.keys() | new.keys() | after.keys() if after.get(name) != new.get(name)]
    trouble = [
        f"{name!r} is not as it was, or was not named: {said}"
        for name in other
        if after.get(name) != old.get(name) or os.fsdecode(name) not in said
    ]
    result.said += bool(other) and not trouble
    again = run_forked(restore(*options), scene.env)
    if again.returncode != 0 or scene.tree() != new:
        trouble.append(f"the same command again, exit {again.returncode}, did not finish it: {again.stderr}")
    return trouble


def _judge(
    scene: Scene, old: Mapping[bytes, Entry], new: Mapping[bytes, Entry], result: Killed, *, atomic: bool
) -> list[str]:
    trouble = []
    right_after = scene.tree() if scene.folder.exists() else {}
    if scene.folder.exists() and right_after not in (old, new):
        result.mixed += 1
        if atomic:
            trouble.append("the folder is mixed")
        # Not even in between is a file anything but its old or its new self.
        for name, entry in right_after.items():
            if entry not in (old.get(name), new.get(name)):
                trouble.append(f"{name!r} is neither old nor new")
    next_run = run_forked(cleanup(scene.sessions, "--quiet"), scene.env)
    after = scene.tree() if scene.folder.exists() else {}
    result.old += after == old
    result.new += after == new
    if after not in (old, new):
        names = {
            name for name in old.keys() | new.keys() | after.keys() if after.get(name) not in (old.get(name),)
        }
        trouble.append(f"after the next command it is neither old nor new: {sorted(names)} {next_run.stderr}")
    trouble += [
        f"{entry} is left beside the folder"
        for entry in os.listdir(scene.sessions)
        if entry != "company_1001"
    ]
    own = scene.folder / ".baileys-tools"
    trouble += [
        f"{entry} is left" for entry in (os.listdir(own) if own.exists() else []) if entry != "quarantine"
    ]
    again = run_forked(restore(), scene.env)
    if again.returncode != 0:
        trouble.append(f"the same command again: exit {again.returncode} {again.stderr}")
    return trouble
