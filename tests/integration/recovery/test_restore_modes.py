"""Whose the files of a restore are, and who could ever read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from baileys_tools.sessions.rollback import write_plain_folder
from baileys_tools.sessions.rules.snapshot import Entry, StoredFile
from baileys_tools.sessions.staging import owners_for
from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import traced
from tests.integration.faults.places import NOBODY, give_away
from tests.integration.faults.restores import damaged, restore
from tests.support import COMMAND, creds, require_root, require_tool, scrubbed_environment

MODES = pytest.mark.parametrize("options", [[], ["--mode", "rollback"]], ids=["repair", "rollback"])


@MODES
def test_nothing_is_ever_open_to_others_not_even_for_a_moment(tmp_path: Path, options: list[str]) -> None:
    scene = damaged(tmp_path / "scene")
    calls = ["openat", "mkdirat", "mkdir", "fchmod"]
    run, made = traced(restore(*options), calls=calls, env=scene.env, umask=0)
    assert run.returncode == 0, run.stderr
    born = [call.text for call in made if "O_CREAT" in call.text and "/dev/" not in call.text]
    folders = [call.text for call in made if call.name.startswith("mkdir") and "= 0" in call.text]
    assert len(born) >= 5
    assert [text for text in born if not re.search(r", 0600\) += ", text)] == []
    assert [text for text in folders if ", 0700)" not in text] == []


@MODES
def test_what_root_restores_belongs_to_the_owner_of_the_folder(tmp_path: Path, options: list[str]) -> None:
    require_root()
    scene = damaged(tmp_path / "scene")
    give_away(scene.folder)
    run = run_forked(restore(*options), scene.env)
    assert run.returncode == 0, run.stderr
    found = [scene.folder, *scene.folder.rglob("*")]
    assert len(found) > 10
    assert {(os.lstat(path).st_uid, os.lstat(path).st_gid) for path in found} == {(NOBODY, NOBODY)}


@MODES
def test_what_root_restores_belongs_to_the_bot_in_a_folder_of_somebody_else(
    tmp_path: Path, options: list[str]
) -> None:
    require_root()
    scene = damaged(tmp_path / "scene")  # the snapshot knows root as the owner of all, as on another host
    for path in scene.folder.iterdir():
        os.lchown(path, NOBODY, NOBODY)
    os.lchown(scene.folder / "pre-key-22.json", 4321, 4321)
    scene.folder.chmod(0o777)
    run = run_forked(restore(*options, "--keep-sessions"), scene.env)
    assert run.returncode == 0, run.stderr
    names = {path.name for path in scene.folder.iterdir() if path.suffix == ".json"}
    assert {"creds.json", "session-447700900121.0.json", "pre-key-22.json"} < names
    owners = {name: (scene.folder / name).stat() for name in names}
    assert {owners.pop("pre-key-22.json").st_uid} == {4321}, "whoever had it"
    assert {(one.st_uid, one.st_gid) for one in owners.values()} == {(NOBODY, NOBODY)}


def test_a_session_that_is_all_lost_comes_back_as_whose_it_was(tmp_path: Path) -> None:
    require_root()
    scene = damaged(tmp_path / "scene")
    entry = Entry("session-1.0.json", 2, 0o600, 1_000_000_007, NOBODY, NOBODY, "")
    for path in scene.folder.iterdir():
        path.unlink()
    folder = os.open(scene.folder, os.O_RDONLY)
    try:
        assert owners_for(folder, [entry]) == {entry.name: (NOBODY, NOBODY)}
        os.fchown(folder, 4321, 4322)
        assert owners_for(folder, [entry]) == {entry.name: (4321, 4322)}
    finally:
        os.close(folder)


def test_a_folder_made_elsewhere_keeps_modes_and_owners(tmp_path: Path) -> None:
    require_root()
    entry = Entry("session-1.0.json", 2, 0o640, 1_000_000_007, NOBODY, NOBODY, "")
    write_plain_folder(str(tmp_path / "target"), [StoredFile(entry, b"{}")])
    found = (tmp_path / "target" / entry.name).stat()
    assert (found.st_uid, found.st_gid, found.st_mtime_ns) == (NOBODY, NOBODY, 1_000_000_007)
    assert found.st_mode & 0o777 == 0o640
    folder = (tmp_path / "target").stat()
    assert (folder.st_uid, folder.st_gid, folder.st_mode & 0o777) == (NOBODY, NOBODY, 0o700), (
        "a bot can enter it"
    )


@pytest.mark.parametrize(
    ("whose_root", "whose_bot", "elsewhere", "whose_folder"),
    [
        pytest.param(0, NOBODY, False, NOBODY, id="roots"),
        pytest.param(4321, NOBODY, False, NOBODY, id="somebodys"),
        pytest.param(4321, 0, False, 4321, id="somebodys, with a snapshot of what was root's"),
        pytest.param(0, NOBODY, True, NOBODY, id="roots on another host"),
        pytest.param(4321, NOBODY, True, 4321, id="somebodys on another host"),
    ],
)
def test_a_folder_that_is_gone_comes_back_as_somebodys_who_can_run_the_bot(
    tmp_path: Path, whose_root: int, whose_bot: int, elsewhere: bool, whose_folder: int
) -> None:
    require_root()
    scene = damaged(tmp_path / "scene")
    for path in (scene.folder, *scene.folder.iterdir()):
        os.lchown(path, whose_bot, whose_bot)
    backup = [str(COMMAND), "backup", "--force", "--quiet"]
    (scene.folder / "creds.json").write_text(json.dumps(creds()))
    assert subprocess.run(backup, env=scrubbed_environment(scene.env), check=False).returncode == 0
    shutil.rmtree(scene.folder)
    os.chown(scene.sessions, whose_root, whose_root)
    command = [str(word) for word in restore()]
    if elsewhere:
        rename = 'echo another-host > /proc/sys/kernel/hostname && exec "$@"'
        command = [require_tool("unshare"), "--uts", "sh", "-c", rename, "sh", *command]
    run = subprocess.run(
        command, env=scrubbed_environment(scene.env), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found = [scene.folder, *scene.folder.rglob("*")]
    assert {(os.lstat(path).st_uid, os.lstat(path).st_gid) for path in found} == {(whose_folder,) * 2}
