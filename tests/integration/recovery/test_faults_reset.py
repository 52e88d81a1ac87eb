"""Killed at any instant, a reset or its undo leaves the old folder or the new one, and no file is ever gone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import after_lock, cleanup, traced
from tests.integration.faults.restores import MOVING, NO_SWAP, age, move_sources
from tests.support import COMMAND, Entry, company_folder, snapshot_tree, write_key

QUIET = timedelta(hours=1)
CHANGING = (*MOVING, "write", "ftruncate", "flock", "pwrite64")
"""Between two of these calls nothing changes, so a kill there is a kill at the next one."""
Tree = Mapping[bytes, Entry]


@dataclass(frozen=True, slots=True)
class Scene:
    """A sessions root with one company."""

    place: Path

    @property
    def sessions(self) -> Path:
        return self.place / "sessions"

    @property
    def folder(self) -> Path:
        return self.sessions / "company_1001"

    @property
    def env(self) -> dict[str, str]:
        return {
            "BAILEYS_SESSIONS_PATH": str(self.sessions),
            "BAILEYS_TOOLS_BACKUP_PATH": str(self.place / "backups"),
            "BAILEYS_TOOLS_STATE_DIR": str(self.place / "state"),
        }

    def tree(self) -> Tree:
        return snapshot_tree(self.folder) if self.folder.exists() else {b"no folder": Entry("", 0, 0, 0, "")}

    def copy(self, place: Path) -> Scene:
        shutil.copytree(self.place, place)
        move_sources(self.place, place)
        return Scene(place)

    def resets(self) -> list[str]:
        """The runs of reset that can be undone."""
        listed = run_forked([COMMAND, "undo", "--list", "--json"], self.env)
        (company,) = json.loads(listed.stdout)["companies"]
        return [run["run"] for run in company["runs"] if run["reset"]]


def quiet(place: Path) -> Scene:
    scene = Scene(place)
    keys = {f"session-44770090012{n}.0.json": QUIET for n in range(3)} | {"pre-key-30.json": QUIET}
    folder = company_folder(scene.sessions, keys=keys)
    for number, name in enumerate(keys):
        write_key(folder, name, QUIET * (number + 1), json.dumps({"is": name}))
    age(folder / "creds.json", QUIET * 2)
    (folder / "pre-key-30.json").chmod(0o640)
    return scene


RESET: list[str | Path] = [COMMAND, "reset", "--company", "1001", "--yes", "--quiet"]


@dataclass(slots=True)
class Swept:
    """What a sweep found."""

    points: int = 0
    hits: int = 0
    old: int = 0
    new: int = 0
    troubles: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ends = f"{self.old} old, {self.new} new, {len(self.troubles)} troubles"
        return f"{self.hits} faults at {self.points} points: {ends}"


def sweep(
    first: Scene,
    command: Sequence[str | Path],
    old: Tree,
    new: Tree,
    calls: Sequence[str],
    *,
    fault: str = "signal=KILL",
    extra: Sequence[str] = (),
) -> Swept:
    """Put a fault at each call of `command`, which takes the folder from `old` to `new`; look, and look again."""
    counted = first.copy(first.place.parent / "counted")
    run, made = traced(command, *extra, calls=[*calls, "flock", "renameat2"], env=counted.env)
    assert run.returncode == 0, run.stderr
    assert counted.tree() == new
    shutil.rmtree(counted.place)
    points = [call for call in after_lock(made) if call.name in calls]
    result = Swept(points=len(points))
    for point in points:
        scene = first.copy(first.place.parent / f"{point.name}-{point.nth}")
        inject = f"inject={point.name}:{fault}:when={point.nth}"
        run, _ = traced(command, "-e", inject, *extra, calls=[point.name, "renameat2"], env=scene.env)
        result.hits += run.returncode == -9 or "KILL" not in fault
        troubles = ["internal error"] if "internal error" in run.stderr else []
        troubles += _judge(scene, old, new, result, may_be_missing=bool(extra))
        where = f"{point.name} {point.nth} ({point.text[:90]}), exit {run.returncode}"
        result.troubles += [f"{where}: {trouble}" for trouble in troubles]
        shutil.rmtree(scene.place)
    print(result)
    return result


def _judge(scene: Scene, old: Tree, new: Tree, result: Swept, *, may_be_missing: bool) -> list[str]:
    troubles = []
    if scene.tree() not in (old, new) and not (may_be_missing and not scene.folder.exists()):
        troubles.append("the folder is neither old nor new")
    run_forked(cleanup(scene.sessions, "--quiet"), scene.env)
    after = scene.tree()
    result.old += after == old
    result.new += after == new
    if after not in (old, new):
        return [*troubles, f"after the next command it is neither old nor new: {sorted(after)}"]
    if os.listdir(scene.sessions) != ["company_1001"]:
        troubles.append(f"{sorted(os.listdir(scene.sessions))} stand in the root")
    if after == old and not new:
        # A reset that did not happen has nothing to undo.
        return troubles + [f"{run} could be undone" for run in scene.resets()]
    return troubles + _can_become(scene, new if after == old else old)


def _can_become(scene: Scene, wanted: Tree) -> list[str]:
    """Whether undo brings the folder back that waits."""
    runs = scene.resets()
    if len(runs) != 1:
        return [f"{len(runs)} resets can be undone"]
    done = run_forked([COMMAND, "undo", "--run", runs[0]], scene.env)
    if done.returncode != 0:
        return [f"undo: exit {done.returncode} {done.stdout} {done.stderr}"]
    if scene.tree() != wanted:
        return ["undo does not bring the folder back as it was"]
    if os.listdir(scene.sessions) != ["company_1001"]:
        return [f"after undo {sorted(os.listdir(scene.sessions))} stand in the root"]
    return []


def sweep_reset(place: Path, calls: Sequence[str], **how: object) -> Swept:
    first = quiet(place / "first")
    # The final snapshot has a sweep of its own; here the folder's.
    return sweep(first, RESET, first.tree(), {}, calls, **how)  # type: ignore[arg-type]


def sweep_undo(place: Path, calls: Sequence[str], **how: object) -> Swept:
    first = quiet(place / "first")
    old = first.tree()
    assert run_forked(RESET, first.env).returncode == 0
    write_key(first.folder, "creds.json", QUIET, '{"me": "paired anew"}')
    new = first.tree()
    (run,) = first.resets()
    return sweep(first, [COMMAND, "undo", "--run", run], new, old, calls, **how)  # type: ignore[arg-type]


SWEEPS = pytest.mark.parametrize("sweeps", [sweep_reset, sweep_undo], ids=["reset", "undo"])


def assert_sound(found: Swept, points: int) -> None:
    assert not found.troubles, "\n".join(found.troubles)
    assert found.old + found.new == found.points >= points
    # What comes after the work (what the run is remembered by) takes a call more or less from run to run.
    assert found.hits >= found.points * 0.6
    assert found.old
    assert found.new


def test_the_judgement_catches_a_folder_that_is_moved_file_by_file(tmp_path: Path) -> None:
    """The harness proves itself: half a folder is neither old nor new."""
    scene = quiet(tmp_path / "first")
    old = scene.tree()
    (scene.folder / "creds.json").rename(tmp_path / "creds.json")
    result = Swept()
    assert _judge(scene, old, {}, result, may_be_missing=False)
    assert not result.old + result.new


@SWEEPS
def test_killed_at_any_step_it_is_finished_or_given_up(tmp_path: Path, sweeps) -> None:
    assert_sound(sweeps(tmp_path, ("rename", "renameat", "renameat2")), 3)


@pytest.mark.faults
@SWEEPS
def test_where_names_cannot_be_swapped_it_holds_as_well(tmp_path: Path, sweeps) -> None:
    assert_sound(sweeps(tmp_path, ("rename", "renameat", "mkdir", "mkdirat"), extra=NO_SWAP), 4)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@SWEEPS
def test_killed_before_any_change_it_is_old_or_new(tmp_path: Path, sweeps) -> None:
    assert_sound(sweeps(tmp_path, CHANGING), 30)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@SWEEPS
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EACCES"])
def test_an_error_of_any_call_leaves_the_old_or_the_new_folder(tmp_path: Path, sweeps, error: str) -> None:
    found = sweeps(tmp_path, MOVING, fault=f"error={error}")
    assert not found.troubles, "\n".join(found.troubles)
    assert found.old + found.new == found.points >= 10


RESET_IT = ["reset", "--company", "bot", "--yes", "--no-pair", "--quiet"]
ROLL_BACK = ["restore", "--company", "bot", "--yes", "--mode", "rollback", "--force", "--quiet"]


@pytest.mark.parametrize(
    ("begun", "then"),
    [
        (RESET_IT, ["cleanup", "--json"]),
        (RESET_IT, RESET_IT),
        (RESET_IT, ["restore", "--company", "bot", "--yes", "--json"]),
        (RESET_IT, ["undo"]),
        (ROLL_BACK, ["cleanup", "--json"]),
    ],
    ids=["reset-cleanup", "reset-reset", "reset-restore", "reset-undo", "rollback-cleanup"],
)
def test_killed_between_two_renames_the_sessions_path_itself_gets_its_name_back(
    tmp_path: Path, begun: list[str], then: list[str]
) -> None:
    """Where names cannot be swapped and the path is the session folder, nothing is left to be opened by its name."""
    place = tmp_path / "place"
    quiet(place).folder.rename(place / "bot")
    (place / "sessions").rmdir()
    env = {
        "BAILEYS_SESSIONS_PATH": str(place / "bot"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }
    assert run_forked([COMMAND, "backup", "--quiet"], env).returncode == 0
    before = snapshot_tree(place / "bot")
    counted = shutil.copytree(place, tmp_path / "counted")
    shutil.copytree(tmp_path / "backups", counted / "backups")
    move_sources(place, counted)
    at_copy = env | {
        "BAILEYS_SESSIONS_PATH": str(counted / "bot"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(counted / "backups"),
    }
    run, made = traced([COMMAND, *begun], *NO_SWAP, calls=["renameat", "renameat2"], env=at_copy)
    assert run.returncode == 0, run.stderr
    renames = [call for call in made if call.name == "renameat"]
    going = next(n for n, call in enumerate(renames) if "-replaced-bot" in call.text)
    killed = f"inject=renameat:signal=KILL:when={renames[going + 1].nth}"
    traced([COMMAND, *begun], "-e", killed, *NO_SWAP, calls=["renameat", "renameat2"], env=env)
    left = sorted(os.listdir(place))
    assert left[0] == ".baileys-tools-replaced-bot", left
    assert len(left) == 2

    looked = run_forked([COMMAND, "status"], env)
    assert str(place / ".baileys-tools-replaced-bot") in looked.stdout + looked.stderr
    assert "gives it its name back" in " ".join((looked.stdout + looked.stderr).split())
    done = run_forked([COMMAND, *then], env)
    assert done.returncode == 0, done.stdout + done.stderr
    if "--json" in then:
        assert "had changed nothing yet and was given up" in done.stdout
    assert os.listdir(place) == ["bot"]
    assert snapshot_tree(place / "bot") == ({} if then == RESET_IT else before)
