"""Files, folders and disks that refuse: what cannot be done is said, the rest is done."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.quarantine import newest_run, open_quarantine
from tests.integration.faults.forked import run_cli
from tests.integration.faults.injection import Call, after_lock, cleanup, opening_of_first_removal, traced
from tests.integration.faults.kills import forget_state
from tests.integration.faults.places import (
    give_away,
    immutable,
    place_for_everybody,
    read_only,
    run_as_nobody,
    small_disk,
)
from tests.support import COMMAND, company_folder, require_leases, snapshot_tree, write_key

OLD = timedelta(days=20)
KEYS = {f"session-{number}.0.json": OLD for number in range(4)}
RUN = "20260101T000000Z-0a1b2c"


def clean(root: Path, *options: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    run = run_cli(*cleanup(root, "--json", *options)[1:], env=env)
    assert run.stderr == ""
    return run.returncode, json.loads(run.stdout)


def live_sessions(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("session-*")}


# --- one file that refuses ----------------------------------------------------------------------------------


def test_an_immutable_file_is_reported_and_the_rest_goes(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    with immutable(folder / "session-1.0.json"):
        code, report = clean(tmp_path)
        assert code == 3
        assert live_sessions(folder) == {"session-1.0.json"}
        result = report["companies"][0]["result"]
        assert result["removed"] == 3
        assert result["not_removed"] == [
            {"file": "session-1.0.json", "outcome": "failed", "error": "Operation not permitted"}
        ]
        loud = run_cli(*cleanup(tmp_path)[1:])
        assert "session-1.0.json: Operation not permitted" in loud.stdout
        quiet = run_cli(*cleanup(tmp_path, "--quiet")[1:])
        assert "session-1.0.json was not removed: Operation not permitted" in quiet.stderr


def calls_of_first_removal(place: Path) -> list[Call]:
    """What a cleanup does to the first file: open, lease, fstat, mkdir, rename and so on."""
    company_folder(place / "counted", keys=KEYS)
    forget_state()
    calls = after_lock(traced(cleanup(place / "counted", "--quiet"))[1])
    forget_state()
    return calls[calls.index(opening_of_first_removal(calls)) :]


@pytest.mark.parametrize("error", ["EIO", "EACCES", "EPERM"])
@pytest.mark.parametrize("call", ["openat", "renameat"])
def test_a_file_that_cannot_be_opened_or_moved_is_skipped_and_the_rest_goes(
    tmp_path: Path, call: str, error: str
) -> None:
    first = next(each for each in calls_of_first_removal(tmp_path) if each.name == call)
    root = tmp_path / "root"
    folder = company_folder(root, keys=KEYS)
    inject = f"inject={call}:error={error}:when={first.nth}"
    run, _ = traced(cleanup(root, "--json"), "-e", inject, calls=[call])
    result = json.loads(run.stdout)["companies"][0]["result"]
    assert run.returncode == 3
    assert (result["removed"], result["failed"]) == (3, 1)
    assert live_sessions(folder) == {result["not_removed"][0]["file"]}
    assert clean(root)[0] == 0
    assert live_sessions(folder) == set()


def test_a_file_reported_as_failed_is_still_in_its_place(tmp_path: Path) -> None:
    calls = calls_of_first_removal(tmp_path)
    moved = next(index for index, each in enumerate(calls) if each.name == "renameat")
    look = next(each for each in calls[moved:] if each.name == "newfstatat")
    root = tmp_path / "root"
    folder = company_folder(root, keys=KEYS)
    inject = f"inject=newfstatat:error=EIO:when={look.nth}"
    run, _ = traced(cleanup(root, "--json"), "-e", inject, calls=["newfstatat"])
    result = json.loads(run.stdout)["companies"][0]["result"]
    assert live_sessions(folder) == {each["file"] for each in result["not_removed"]}


def test_a_file_that_cannot_be_looked_at_is_kept_and_the_rest_goes(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    run, calls = traced(
        cleanup(tmp_path, "--json"),
        *("-P", "session-1.0.json", "-e", "inject=newfstatat:error=EIO"),
        calls=["newfstatat"],
    )
    assert [call for call in calls if "INJECTED" in call.text]
    assert run.returncode == 3
    assert live_sessions(folder) == {"session-1.0.json"}
    report = json.loads(run.stdout)["companies"][0]
    assert "session-1.0.json" in {each["name"] for each in report["not_files"]}


def test_undo_of_an_immutable_file_is_reported_and_loses_nothing(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    before = snapshot_tree(folder)
    code, report = clean(tmp_path)
    assert code == 0
    with immutable(folder / ".baileys-tools" / "quarantine" / report["run"] / "session-1.0.json"):
        run = run_cli("undo", "--sessions", tmp_path)
        assert run.returncode in (1, 3)
        assert "not permitted" in run.stdout
    assert run_cli("undo", "--sessions", tmp_path).returncode == 0
    assert snapshot_tree(folder) == before


def test_undo_brings_the_others_back_when_one_file_refuses(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    _, report = clean(tmp_path)
    with immutable(folder / ".baileys-tools" / "quarantine" / report["run"] / "session-1.0.json"):
        run = run_cli("undo", "--sessions", tmp_path)
    assert live_sessions(folder) == set(KEYS) - {"session-1.0.json"}
    assert run.returncode == 3


def test_a_quarantined_file_that_cannot_be_purged_stops_no_cleaning(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    expired = folder / ".baileys-tools" / "quarantine" / RUN
    expired.mkdir(parents=True)
    for name in ("session-8.0.json", "session-9.0.json"):
        (expired / name).write_text("{}")
        os.utime(expired / name, (0, 0))
    with immutable(expired / "session-8.0.json"):
        code, _ = clean(tmp_path)
    assert live_sessions(folder) == set()
    assert not (expired / "session-9.0.json").exists()
    assert code == 3


# --- folders that refuse ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o500], ids=["nothing", "no listing", "no writing"])
def test_a_folder_that_may_not_be_used_is_reported_and_the_others_are_done(mode: int) -> None:
    with place_for_everybody() as root:
        one, other = (company_folder(root, company, keys=KEYS) for company in ("1", "2"))
        give_away(root)
        one.chmod(mode)
        run = run_as_nobody(cleanup(root, "--quiet"))
        one.chmod(0o755)
        left = [live_sessions(folder) for folder in (one, other)]
    assert run.returncode == 3
    assert run.stderr.startswith("company 1: ")
    assert "permission denied: run as the owner of the folder" in run.stderr
    assert left == [set(KEYS), set()]


def test_a_cleanup_without_root_works_in_the_users_own_folder() -> None:
    with place_for_everybody() as root:
        folder = company_folder(root, keys=KEYS)
        give_away(root)
        run = run_as_nobody(cleanup(root, "--json"))
        left = live_sessions(folder)
    assert run.returncode == 0
    assert json.loads(run.stdout)["companies"][0]["result"]["write_leases"] is True
    assert left == set()


PROBE = ".baileys-tools-lease"


def as_on_nfs_4(counted: Sequence[Call], leases: int) -> list[str]:
    """Given the calls of an equal run, return the options by which so many leases are answered as NFS 4 does it.

    Without a delegation it says of any file that it is in use.
    """
    first = next(call.nth for call in counted if "F_SETLEASE" in call.text)
    return ["-e", f"inject=fcntl:error=EAGAIN:when={first}..{first + leases - 1}"]


def test_where_no_file_gets_a_lease_they_are_removed_all_the_same(tmp_path: Path) -> None:
    company_folder(tmp_path / "counted", "1", keys=KEYS)
    forget_state()
    _, made = traced(cleanup(tmp_path / "counted", "--json"), calls=["fcntl"])
    forget_state()
    folder = company_folder(tmp_path / "root", "1", keys=KEYS)
    run, _ = traced(cleanup(tmp_path / "root", "--json"), *as_on_nfs_4(made, 2), calls=["fcntl"])
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)["companies"][0]["result"]
    assert (result["removed"], result["write_leases"]) == (len(KEYS), False)
    assert live_sessions(folder) == set()
    assert not (folder / PROBE).exists()


def test_a_file_that_is_in_use_stays_where_others_get_a_lease(tmp_path: Path) -> None:
    require_leases(tmp_path)
    folder = company_folder(tmp_path / "root", "1", keys=KEYS)
    for name in sorted(KEYS)[:2]:
        held = os.open(folder / name, os.O_RDONLY)
        try:
            run = run_cli(*cleanup(tmp_path / "root", "--json")[1:])
        finally:
            os.close(held)
        assert json.loads(run.stdout)["companies"][0]["result"]["write_leases"] is True
        assert live_sessions(folder) == {name}
        assert not (folder / PROBE).exists()
        company_folder(tmp_path / "root", "1", keys=KEYS)


def test_what_a_kill_leaves_of_the_look_for_leases_goes_with_the_next_run(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, "1", keys=KEYS)
    write_key(folder, PROBE, content="")
    before = json.loads(run_cli(*cleanup(tmp_path, "--json", "--dry-run")[1:]).stdout)
    assert before["companies"][0]["plan"]["files"] == len(KEYS) + 1, "it is no file of the session"
    assert run_cli(*cleanup(tmp_path, "--quiet")[1:]).returncode == 0
    assert not (folder / PROBE).exists()


def test_a_backup_does_not_wait_for_leases_that_no_file_gets(tmp_path: Path) -> None:
    names = {f"session-49170000000{number}.0.json": timedelta(days=1) for number in range(10)}
    folder = company_folder(tmp_path / "root", "1", keys=names)
    write_key(folder, "creds.json", timedelta(hours=1), (folder / "creds.json").read_bytes())
    # The kernel refuses a lease on what somebody has open to write; NFS 4 refuses it on any file without a delegation.
    held = [os.open(path, os.O_RDWR) for path in folder.iterdir()]
    try:
        command: list[str | Path] = [COMMAND, "backup", "--sessions", tmp_path / "root", "--json"]
        env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
        run, made = traced(command, calls=["fcntl"], env=env)
    finally:
        for handle in held:
            os.close(handle)
    assert run.returncode == 0, run.stdout + run.stderr
    asked = [call.text for call in made if "F_SETLEASE, F_RDLCK" in call.text]
    assert len([text for text in asked if "EAGAIN" in text]) == len(asked) == len(names) + 2
    assert json.loads(run.stdout)["companies"][0]["left_out"] == []


# --- read-only file systems ---------------------------------------------------------------------------------


def test_a_read_only_file_system_is_one_clear_line(tmp_path: Path) -> None:
    root = tmp_path / "root"
    folder = company_folder(root, "1", keys=KEYS)
    company_folder(root, "2", keys=KEYS)
    with read_only(root):
        run = run_cli(*cleanup(root, "--quiet")[1:])
        dry = run_cli(*cleanup(root, "--dry-run", "--quiet")[1:])
    assert run.returncode == 1
    assert run.stderr.splitlines()[0] == f"baileys-tools: {root} is on a read-only file system"
    assert len(run.stderr.splitlines()) == 2
    assert (dry.returncode, dry.stderr) == (0, "")
    assert live_sessions(folder) == set(KEYS)


def test_undo_on_a_read_only_file_system_says_so_and_fails(tmp_path: Path) -> None:
    root = tmp_path / "root"
    company_folder(root, keys=KEYS)
    assert clean(root)[0] == 0
    with read_only(root):
        run = run_cli("undo", "--sessions", root, "--quiet")
    assert run.returncode == 1
    assert "ead-only file system" in run.stderr


def test_one_read_only_company_does_not_stop_the_others(tmp_path: Path) -> None:
    folders = [company_folder(tmp_path, company, keys=KEYS) for company in ("1", "2", "3")]
    with read_only(folders[1]):
        run = run_cli(*cleanup(tmp_path, "--quiet")[1:])
    assert [bool(live_sessions(folder)) for folder in folders] == [False, True, False]
    assert run.returncode == 3


# --- full disks ---------------------------------------------------------------------------------------------


def fill(disk: Path) -> None:
    """Leave neither a byte nor an inode."""
    try:
        with open(disk / "ballast", "wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1 << 16))
    except OSError:
        pass
    number = 0
    while True:
        try:
            (disk / f"ballast-{number}").touch()
        except OSError:
            return
        number += 1


@pytest.mark.parametrize(
    "options", ["size=512k,nr_inodes=300", "size=4m,nr_inodes=40"], ids=["bytes", "inodes"]
)
def test_cleanup_still_works_on_a_full_disk(tmp_path: Path, options: str) -> None:
    with small_disk(tmp_path / "disk", options) as disk:
        folder = company_folder(disk / "root", keys=KEYS | {"session-9.0.json": timedelta(days=1)})
        fill(disk)
        with pytest.raises(OSError, match="No space"):
            os.mkdir(disk / "one more")
        code, report = clean(disk / "root")
        result = report["companies"][0]["result"]
        assert (code, result["removed"], result["failed"]) == (0, 4, 0)
        assert live_sessions(folder) == {"session-9.0.json"}
        own = [name for name in os.listdir(folder) if name.startswith(".")]
        assert not [name for name in own if "removing" in name or "lock" in name]
        assert clean(disk / "root")[0] == 0
        # Whatever could be moved instead of unlinked comes back.
        kept = 4 - result["without_undo"]
        assert run_cli("undo", "--sessions", disk / "root").returncode == 0
        assert len(live_sessions(folder)) == 1 + kept


def test_no_room_for_a_quarantine_is_said(tmp_path: Path) -> None:
    company_folder(tmp_path, keys=KEYS)
    run, _ = traced(cleanup(tmp_path), "-e", "inject=mkdirat:error=ENOSPC", calls=["mkdirat"])
    assert run.returncode == 0
    assert "4 files removed without undo: the disk is full" in run.stdout


def test_no_room_for_a_quarantine_is_said_under_quiet_too(tmp_path: Path) -> None:
    company_folder(tmp_path, keys=KEYS)
    run, _ = traced(cleanup(tmp_path, "--quiet"), "-e", "inject=mkdirat:error=ENOSPC", calls=["mkdirat"])
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr == "company 1001: 4 files removed without undo: the disk is full\n"


def test_no_undo_is_offered_when_nothing_is_in_quarantine(tmp_path: Path) -> None:
    company_folder(tmp_path, keys=KEYS)
    run, _ = traced(cleanup(tmp_path), "-e", "inject=mkdirat:error=ENOSPC", calls=["mkdirat"])
    assert "baileys-tools undo --run" not in run.stdout


def test_what_stays_on_a_full_disk_is_not_counted_as_removed_without_undo(tmp_path: Path) -> None:
    full = ("-e", "inject=mkdirat:error=ENOSPC")
    company_folder(tmp_path / "counted", keys=KEYS)
    _, made = traced(cleanup(tmp_path / "counted"), *full, calls=["mkdirat", "renameat"])
    moved = [call for call in made if "session-" in call.text]
    assert len(moved) == 4
    company_folder(tmp_path / "root", keys=KEYS)
    refuses = ("-e", f"inject=renameat:error=EIO:when={moved[0].nth}")
    run, _ = traced(cleanup(tmp_path / "root", "--json"), *full, *refuses, calls=["mkdirat", "renameat"])
    result = json.loads(run.stdout)["companies"][0]["result"]
    assert (result["removed"], result["failed"], result["without_undo"]) == (3, 1, 3)


# --- what stands in the place of the quarantine -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_quarantine_that_is_no_folder_costs_no_file_handle(tmp_path: Path, kind: str) -> None:
    place = tmp_path / ".baileys-tools" / "quarantine"
    place.parent.mkdir()
    place.touch() if kind == "file" else place.symlink_to(tmp_path)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        before = os.listdir("/proc/self/fd")
        for _ in range(5):
            with pytest.raises(NotADirectoryError), open_quarantine(folder):
                pass
            assert newest_run(folder) is None
        assert os.listdir("/proc/self/fd") == before
    finally:
        os.close(folder)


def test_a_name_that_finds_no_room_in_the_quarantine_goes_without_undo(tmp_path: Path) -> None:
    """ext4 needs a block for a folder's first entry, and for each that does not fit into the last one."""
    company_folder(tmp_path / "counted", keys=KEYS)
    _, made = traced(cleanup(tmp_path / "counted"), calls=["renameat"])
    moved = [call for call in made if "session-" in call.text]
    assert len(moved) == 4
    folder = company_folder(tmp_path / "root", keys=KEYS)
    full = ("-e", f"inject=renameat:error=ENOSPC:when={moved[1].nth}")
    run, _ = traced(cleanup(tmp_path / "root"), *full, calls=["renameat"])
    assert run.returncode == 0, run.stderr
    assert "4 files removed" in run.stdout
    assert "1 file removed without undo: the disk is full" in run.stdout
    assert "3 files moved aside" in run.stdout
    assert live_sessions(folder) == set()
    assert run_cli("undo", "--sessions", tmp_path / "root").returncode == 0
    assert len(live_sessions(folder)) == 3
