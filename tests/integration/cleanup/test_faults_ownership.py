"""What the tool writes is private from its first moment, and belongs to whoever owns the folder."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.integration.faults.injection import (
    CHANGING,
    Call,
    after_lock,
    before_first_removal,
    cleanup,
    paused_after,
    traced,
    undo,
)
from tests.integration.faults.places import NOBODY, give_away, place_for_everybody, run_as_nobody
from tests.support import COMMAND, company_folder, require_root, scrubbed_environment, snapshot_tree

KEYS = {f"session-{number}.0.json": timedelta(days=20) for number in range(3)}


def own_paths(folder: Path) -> list[Path]:
    return [
        *folder.glob(".cleanup.lock"),
        *folder.glob(".baileys-tools"),
        *folder.glob(".baileys-tools/**/*"),
    ]


def test_the_harness_sees_a_file_that_becomes_private_only_later(tmp_path: Path) -> None:
    program = "import os, sys; os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.chmod(sys.argv[1], 0o600)"
    _, calls = traced(
        [sys.executable, "-S", "-E", "-c", program, tmp_path / "new"], calls=("openat", "chmod")
    )
    assert births(calls) == ["0777"]
    assert [call for call in calls if call.name == "chmod"]


def births(calls: Sequence[Call]) -> list[str]:
    """The modes with which files and folders are made, as strace shows them.

    SQLite opens what stands as if to make it.
    """
    text = "\n".join(call.text for call in calls)
    born: dict[str, list[str]] = {}
    for said, name, mode in re.findall(r"((?:openat|mkdir)\w*\(.*?\"([^\"\n]+)\".*), (0\d+)\)", text):
        if "O_CREAT" in said or said.startswith("mkdir"):
            born.setdefault(name if name.startswith("/") else said, []).append(mode)
    return [modes[0] for modes in born.values()]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_files_are_0600_and_folders_0700_from_birth_under_any_umask(tmp_path: Path, umask: int) -> None:
    company_folder(tmp_path / "counted", keys=KEYS)
    holding = before_first_removal(traced(cleanup(tmp_path / "counted", "--quiet"))[1])
    folder = company_folder(tmp_path / "root", keys=KEYS)
    with paused_after(holding, cleanup(tmp_path / "root", "--quiet"), umask=umask) as holder:
        assert stat.S_IMODE((folder / ".cleanup.lock").stat().st_mode) == 0o600
        holder.go_on()
    assert holder.returncode == 0
    folders = [path for path in own_paths(folder) if path.is_dir()]
    assert len(folders) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_no_mode_is_ever_changed_afterwards(tmp_path: Path, umask: int) -> None:
    company_folder(tmp_path, keys=KEYS)
    run, calls = traced(
        cleanup(tmp_path, "--quiet"),
        calls=("openat", "mkdir", "mkdirat", "chmod", "fchmod", "fchmodat"),
        umask=umask,
    )
    assert run.returncode == 0
    made = births(calls)
    # The lock and the quarantine; then the record of the run, in a state folder that is not there yet.
    assert made[:4] == ["0600", "0700", "0700", "0700"]
    assert len(made) > 4
    assert not set(made) - {"0600", "0700"}
    assert not [call for call in calls if "chmod" in call.name]


def test_quarantine_keeps_the_mode_of_each_file(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    for number, name in enumerate(KEYS):
        (folder / name).chmod((0o600, 0o640, 0o644)[number])
    before = snapshot_tree(folder)
    assert run_cli(*cleanup(tmp_path, "--quiet")[1:]).returncode == 0
    moved = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob(".baileys-tools/*/*/*")}
    assert sorted(moved.values()) == [0o600, 0o640, 0o644]
    assert run_cli("undo", "--sessions", tmp_path, "--quiet").returncode == 0
    assert snapshot_tree(folder) == before


# --- root in somebody's folder ------------------------------------------------------------------------------


def test_what_root_makes_in_a_users_folder_is_the_users(tmp_path: Path) -> None:
    require_root()
    company_folder(tmp_path / "counted", keys=KEYS)
    holding = before_first_removal(traced(cleanup(tmp_path / "counted", "--quiet"))[1])
    with place_for_everybody() as root:
        folder = company_folder(root, keys=KEYS)
        give_away(root)
        with paused_after(holding, cleanup(root, "--quiet")) as holder:
            lock = (folder / ".cleanup.lock").stat()
            holder.go_on()
        owners = {(path.stat().st_uid, path.stat().st_gid) for path in own_paths(folder)}
        undone = run_as_nobody(undo(root))
        back = {path.name for path in folder.glob("session-*")}
    assert (lock.st_uid, lock.st_gid) == (NOBODY, NOBODY)
    assert owners == {(NOBODY, NOBODY)}
    assert undone.returncode == 0, undone.stderr
    assert back == set(KEYS)


def lockouts(points: Sequence[Call]) -> list[str]:
    """Kill a run of root at each point; return where the user's own next run could not go on."""
    failed = []
    for point in points:
        with place_for_everybody() as root:
            folder = company_folder(root, keys=KEYS)
            give_away(root)
            inject = f"inject={point.name}:signal=KILL:when={point.nth}"
            run, _ = traced(cleanup(root, "--quiet"), "-e", inject, calls=[point.name])
            # How often SQLite writes to the state, and whether it was the last to close it, differs from run to run.
            of_sqlite = point.name == "pwrite64" or "state.sqlite3" in point.text
            assert run.returncode == -9 or (run.returncode == 0 and of_sqlite), point.text
            after = run_as_nobody(cleanup(root, "--quiet"))
            if after.returncode != 0 or list(folder.glob("session-*")):
                failed.append(f"{point.text}: {after.stderr}")
    return failed


@pytest.mark.faults
def test_a_root_run_killed_at_any_change_never_locks_the_user_out() -> None:
    require_root()
    with place_for_everybody() as root:
        company_folder(root, keys=KEYS)
        give_away(root)
        # The first run of all makes the state folder; the calls of every later one are the same.
        run_cli(*cleanup(root, "--dry-run", "--quiet")[1:])
        points = after_lock(traced(cleanup(root, "--quiet"), calls=(*CHANGING, "openat"))[1])
    failed = lockouts(points)
    print(f"{len(points)} kills, {len(failed)} times the user was locked out")
    assert len(points) >= 10
    assert not failed, "\n".join(failed)


# --- names that lead elsewhere ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".baileys-tools", ".baileys-tools/quarantine"])
def test_a_link_in_place_of_our_own_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = company_folder(tmp_path / "root", keys=KEYS)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(outside)
    run = run_cli(*cleanup(tmp_path / "root", "--quiet")[1:])
    assert run.returncode == 1
    assert run.stderr.startswith("company 1001: ")
    assert list(outside.iterdir()) == []
    assert {path.name for path in folder.glob("session-*")} == set(KEYS)


def test_a_hard_link_in_place_of_the_lock_file_leaves_the_outside_file_alone(tmp_path: Path) -> None:
    require_root()
    outside = tmp_path / "outside"
    outside.write_text("precious")
    outside.chmod(0o644)
    folder = company_folder(tmp_path / "root", keys=KEYS)
    give_away(tmp_path / "root")
    os.link(outside, folder / ".cleanup.lock")
    run_cli(*cleanup(tmp_path / "root", "--quiet")[1:])
    assert outside.read_text() == "precious"
    assert outside.stat().st_uid == 0


# --- root's backups in somebody's repository ----------------------------------------------------------------


def words(place: Path, *more: str) -> list[str | Path]:
    return [COMMAND, *more, "--config", place / "config.yaml"]


def as_root(place: Path, *more: str) -> None:
    env = scrubbed_environment({"BAILEYS_TOOLS_STATE_DIR": f"{place}/state-of-root"})
    subprocess.run(words(place, *more), env=env, check=True, capture_output=True)


@pytest.fixture
def shared() -> Iterator[Path]:
    """Sessions and a repository of nobody's, below a place that root and nobody reach."""
    require_root()
    with place_for_everybody() as place:
        company_folder(place / "sessions", keys=KEYS)
        for name in ("backups", "state"):
            (place / name).mkdir(mode=0o700)
        for name in ("sessions", "backups", "state"):
            give_away(place / name)
        settings = {"sessions": {"path": "sessions"}, "backup": {"path": "backups"}}
        (place / "config.yaml").write_text(json.dumps(settings))
        yield place


@pytest.mark.root
def test_what_root_backs_up_belongs_to_the_owner_of_the_repository(shared: Path) -> None:
    as_root(shared, "backup", "--quiet")
    owners = {path: path.stat().st_uid for path in (shared / "backups").rglob("*")}
    assert len(owners) == 3
    assert set(owners.values()) == {NOBODY}
    for command in (["verify"], ["restore", "--company", "1001", "--dry-run"]):
        run = run_as_nobody(words(shared, *command))
        assert run.returncode == 0, run


@pytest.mark.root
def test_a_repository_that_root_makes_belongs_to_the_owner_of_the_place(shared: Path) -> None:
    (shared / "backups").rmdir()
    os.chown(shared, NOBODY, NOBODY)
    # By the environment: root takes no settings from a file that lies in another user's folder.
    places = {"BAILEYS_SESSIONS_PATH": "sessions", "BAILEYS_TOOLS_BACKUP_PATH": "backups"}
    env = {variable: f"{shared}/{name}" for variable, name in places.items()}
    env["BAILEYS_TOOLS_STATE_DIR"] = f"{shared}/state-of-root"
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    assert {path.stat().st_uid for path in (shared / "backups").rglob("*")} == {NOBODY}
    assert (shared / "backups").stat().st_uid == NOBODY


@pytest.mark.root
def test_a_snapshot_that_cannot_be_read_names_one_that_can(shared: Path) -> None:
    as_root(shared, "backup", "--quiet")
    as_root(shared, "backup", "--quiet", "--force")
    first, second = sorted((shared / "backups" / "company_1001").glob("0*"))
    os.chown(second, 0, 0)
    run = run_as_nobody(words(shared, "restore", "--company", "1001", "--dry-run"))
    assert run.returncode == 1
    assert "cannot read the snapshot" in run.stderr
    assert "baileys-tools restore --company 1001 1 --dry-run" in run.stderr
    assert run_as_nobody(words(shared, "restore", "--company", "1001", "1", "--dry-run")).returncode == 0
    os.chown(first, 0, 0)
    assert "baileys-tools doctor" in run_as_nobody(words(shared, "restore", "--company", "1001")).stderr


@pytest.mark.root
def test_the_doctor_sees_snapshots_of_another_user_than_the_repository(shared: Path) -> None:
    as_root(shared, "backup", "--quiet")
    for path in (shared / "backups").rglob("0*"):
        os.chown(path, 0, 0)
    checks = json.loads(run_as_nobody(words(shared, "doctor", "--json")).stdout)["checks"]
    (found,) = [one for one in checks if one["name"] == "repository" and one["outcome"] == "critical"]
    assert "1 entry in" in found["message"]
    assert found["action"].endswith(f"sudo chown -R nobody {shared}/backups")


@pytest.mark.root
def test_a_repository_that_one_may_not_make_or_enter_comes_with_the_line_to_type(shared: Path) -> None:
    (shared / "backups").rmdir()
    line = f"sudo install -d -o nobody -m 700 {shared}/backups"
    checks = json.loads(run_as_nobody(words(shared, "doctor", "--json")).stdout)["checks"]
    (found,) = [one for one in checks if one["name"] == "repository"]
    assert (found["outcome"], found["action"]) == ("critical", line)
    backup = words(shared, "backup")
    assert line in run_as_nobody(backup).stderr
    (shared / "backups").mkdir(mode=0o700)
    entered = run_as_nobody(backup)
    assert entered.returncode == 1
    assert (
        f"It is of root, and you are nobody. To have it: sudo chown -R nobody {shared}/backups"
        in entered.stderr
    )
