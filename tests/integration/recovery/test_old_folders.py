"""What a rollback that died leaves: told, listed by undo, brought back by it, and gone after `reset.keep`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.cleanup import cleaning as cleanup
from baileys_tools.cleanup import undo_runs
from baileys_tools.cleanup import undoing as undo
from baileys_tools.cleanup.rules.cleanup_report import Status
from baileys_tools.config import Settings, load_settings
from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, Severity
from baileys_tools.recovery.resetting import ResetOptions, run_reset
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.undo import UndoRun
from baileys_tools.sessions.trees import empty_folder
from baileys_tools.state.database import open_state
from baileys_tools.watching.inspect import run_inspect
from baileys_tools.watching.monitor_pass import look_once
from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import traced
from tests.integration.faults.restores import NO_SWAP, Scene, damaged, restore
from tests.support import COMMAND, company_folder, creds, snapshot_tree

NOW = datetime.now(UTC)
SESSION = "session-4917000000001.0.json"
CODE = "old-folder-left"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    own = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
    return load_settings({}, own, home=str(tmp_path), cwd=str(tmp_path)).settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = company_folder(tmp_path / "sessions", "1001", {SESSION: timedelta(hours=3)}, now=NOW)
    made.parent.chmod(0o755)  # a root that a group can write to is nobody's word, whatever the caller's umask
    return made


def told(settings: Settings, root: Path, tmp_path: Path) -> list[Finding]:
    """What the two commands that look at health say of old folders: it has to be the same."""
    with open_state(str(tmp_path / "state"), NOW) as state, Root(str(root)) as opened:
        report, _ = look_once(settings, opened, state, NOW)
    seen = [finding for finding in report.findings if finding.code == CODE]
    with open_state(str(tmp_path / "state"), NOW) as state:
        inspected = run_inspect(settings, str(root), NOW, state).findings
    assert [one for one in inspected if one.code == CODE and one.severity is Severity.WARNING] == seen
    return [one for one in inspected if one.code == CODE]


def whole_folders(settings: Settings, root: Path) -> list[UndoRun]:
    (company,) = undo_runs.list_undo(settings, str(root), NOW).companies
    return [run for run in company.runs if run.whole_folder]


def wiped(folder: Path, name: str) -> Path:
    """The bot begins anew in an empty folder, while the old one stands beside it under one of our names."""
    old = folder.rename(folder.with_name(name))
    folder.mkdir()
    (folder / "creds.json").write_text(json.dumps(creds(me=None)))
    os.utime(folder / "creds.json", (NOW.timestamp() - 3600,) * 2)
    return old


LEFT = [
    ".baileys-tools-replaced-company_1001",
    ".baileys-tools-replaced-company_1001-0a1b2c",
    ".baileys-tools-restore-company_1001",
]


@pytest.mark.parametrize("name", LEFT)
def test_an_old_folder_beside_a_session_is_told_and_listed_and_nothing_is_touched(
    settings: Settings, folder: Path, tmp_path: Path, name: str
) -> None:
    assert told(settings, folder.parent, tmp_path) == []
    wiped(folder, name)
    before = snapshot_tree(folder.parent, ignore=())
    (finding,) = told(settings, folder.parent, tmp_path)
    assert finding.severity is Severity.WARNING
    assert name in finding.message
    assert finding.facts["folders"] == 1
    (run,) = whole_folders(settings, folder.parent)
    assert run.run in finding.action
    assert (run.files, run.what) == (2, "restore")
    assert snapshot_tree(folder.parent, ignore=()) == before


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize("cleaned_before", [False, True])
def test_the_run_that_was_listed_brings_it_back(
    settings: Settings, folder: Path, tmp_path: Path, name: str, cleaned_before: bool
) -> None:
    before = snapshot_tree(folder)
    wiped(folder, name)
    (run,) = whole_folders(settings, folder.parent)
    if cleaned_before:
        report = cleanup.run_cleanup(settings, str(folder.parent), NOW)
        assert [company.status for company in report.companies] == [Status.CLEANED]
        assert run.run in report.companies[0].earlier_restore
        (finding,) = told(settings, folder.parent, tmp_path)
        assert finding.severity is Severity.NOTICE
        assert run.run in finding.action
    done = undo.run_undo(settings, str(folder.parent), NOW, run=run.run)
    assert done.exit_code is ExitCode.DONE
    assert snapshot_tree(folder) == before
    assert os.listdir(folder.parent) == ["company_1001"]


def test_it_is_never_undone_by_the_way(settings: Settings, folder: Path) -> None:
    wiped(folder, LEFT[0])
    before = snapshot_tree(folder)
    assert undo.run_undo(settings, str(folder.parent), NOW).run is None
    assert snapshot_tree(folder) == before
    assert len(whole_folders(settings, folder.parent)) == 1


def test_it_is_purged_after_reset_keep_and_not_before(settings: Settings, folder: Path) -> None:
    wiped(folder, LEFT[0])
    (folder / "creds.json").write_text(json.dumps(creds()))
    keep = settings.reset.keep
    start = datetime.now(UTC)  # what waits is counted from the moment that found it
    for now, there in (
        (start, True),
        (start + keep - timedelta(minutes=1), True),
        (start + keep + timedelta(minutes=1), False),
    ):
        os.utime(folder / "creds.json", (now.timestamp(), now.timestamp()))
        report = cleanup.run_cleanup(settings, str(folder.parent), now)
        assert report.exit_code is ExitCode.DONE
        assert bool(list(folder.parent.rglob(SESSION))) is there, now
    assert not (folder / ".baileys-tools").exists()


def test_the_reset_that_an_old_folder_holds_can_still_be_undone(settings: Settings, folder: Path) -> None:
    """A rollback dies right after its swap, and the bot wipes its folder with the journal in it."""
    before = snapshot_tree(folder)
    options = ResetOptions("1001", force=True, yes=True, pair=False)
    run = run_reset(settings, options, str(folder.parent), NOW, lambda report: True).run
    wiped(folder, LEFT[2])
    report = cleanup.run_cleanup(settings, str(folder.parent), NOW)
    assert report.exit_code is ExitCode.DONE
    assert run in [one.run for one in whole_folders(settings, folder.parent)]
    done = undo.run_undo(settings, str(folder.parent), NOW, run=run)
    assert done.exit_code is ExitCode.DONE, done
    assert snapshot_tree(folder) == before


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize("files", [["notes.txt"], ["sub/creds.json"]])
def test_what_nothing_proves_to_be_ours_is_told_and_left_where_it_is(
    settings: Settings, folder: Path, tmp_path: Path, name: str, files: Sequence[str]
) -> None:
    theirs = folder.with_name(name)
    for file in files:
        (theirs / file).parent.mkdir(parents=True, exist_ok=True)
        (theirs / file).write_text("theirs")
    before = snapshot_tree(theirs)
    (finding,) = told(settings, folder.parent, tmp_path)
    assert "move it away" in finding.action
    assert not whole_folders(settings, folder.parent)
    report = cleanup.run_cleanup(settings, str(folder.parent), NOW + timedelta(days=90))
    assert report.companies[0].earlier_restore == ""
    assert snapshot_tree(theirs) == before


def test_a_rollback_is_refused_while_something_unknown_has_the_name_it_needs(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "scene")
    theirs = scene.sessions / LEFT[2]
    theirs.mkdir()
    (theirs / "notes.txt").write_text("theirs")
    before = scene.tree()
    run = run_forked(restore("--mode", "rollback"), scene.env)
    assert run.returncode == ExitCode.FAILED
    assert LEFT[2] in run.stderr
    assert "move it away" in " ".join(run.stderr.split())
    assert (theirs / "notes.txt").read_text() == "theirs"
    assert scene.tree() == before


def test_an_old_folder_whose_company_is_gone_is_told_of_the_host(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    company_folder(folder.parent, "2", {}, now=NOW)
    folder.rename(folder.with_name(LEFT[0]))
    with open_state(str(tmp_path / "state"), NOW) as state, Root(str(folder.parent)) as opened:
        report, _ = look_once(settings, opened, state, NOW)
    (finding,) = [one for one in report.findings if one.code == CODE]
    assert finding.company == ""
    assert LEFT[0] in finding.message
    cleanup.run_cleanup(settings, str(folder.parent), NOW)
    assert (folder.with_name(LEFT[0]) / SESSION).exists()


# --- the real thing, killed ---------------------------------------------------------------------------------


def killed_rollback(scene: Scene, after: str, *extra: str) -> None:
    """Kill a rollback before the first rename that follows the one with `after` in it."""
    counted = scene.copy(scene.place.with_name("counted"))
    calls = ["renameat", "renameat2", "unlinkat"]
    run, made = traced(restore("--mode", "rollback"), *extra, calls=calls, env=counted.env)
    assert run.returncode == 0, run.stderr
    shutil.rmtree(counted.place)
    index = next(n for n, call in enumerate(made) if after in call.text and call.name != "unlinkat")
    point = next(call for call in made[index + 1 :] if call.name == ("renameat" if extra else "unlinkat"))
    inject = f"inject={point.name}:signal=KILL:when={point.nth}"
    run, _ = traced(restore("--mode", "rollback"), "-e", inject, *extra, calls=calls, env=scene.env)
    assert run.returncode == -9, run.stderr


def listed(scene: Scene) -> list[str]:
    done = run_forked([COMMAND, "undo", "--list", "--json"], scene.env)
    (company,) = json.loads(done.stdout)["companies"]
    return [run["run"] for run in company["runs"] if run["whole_folder"]]


def test_killed_after_the_swap_an_old_folder_that_something_wrote_into_waits_for_undo(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "scene")
    killed_rollback(scene, "RENAME_EXCHANGE")
    old = scene.sessions / LEFT[2]
    (old / "session-447700900199.0.json").write_text('{"written": "meanwhile"}')
    before = snapshot_tree(old)
    new = scene.tree()
    cleaned = run_forked([COMMAND, "cleanup"], scene.env)
    assert cleaned.returncode == 0, cleaned.stderr
    assert "waits for undo as run" in " ".join(cleaned.stdout.split())
    assert os.listdir(scene.sessions) == ["company_1001"]
    assert scene.tree() == new
    (run,) = listed(scene)
    done = run_forked([COMMAND, "undo", "--run", run], scene.env)
    assert done.returncode == 0, done.stderr
    assert scene.tree() == before


def test_killed_between_two_renames_the_old_folder_comes_back_although_the_bot_began_anew(
    tmp_path: Path,
) -> None:
    scene = damaged(tmp_path / "scene")
    before = scene.tree()
    killed_rollback(scene, "-replaced-company_1001", *NO_SWAP)
    assert not scene.folder.exists()
    scene.folder.mkdir()
    assert run_forked([COMMAND, "cleanup", "--quiet"], scene.env).returncode == 0
    assert os.listdir(scene.sessions) == ["company_1001"]
    runs = listed(scene)
    assert len(runs) >= 1
    trees = []
    for run in runs:
        assert run_forked([COMMAND, "undo", "--run", run], scene.env).returncode == 0
        trees.append(scene.tree())
    assert before in trees


# --- trees that go ------------------------------------------------------------------------------------------


def test_a_tree_of_any_depth_goes_without_recursion_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "beside").write_text("stays")
    (tmp_path / "tree" / "link").symlink_to(tmp_path)
    here = os.open(tmp_path / "tree", os.O_RDONLY)
    top = os.dup(here)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    empty_folder(top)
    os.close(top)
    assert os.listdir(tmp_path / "tree") == []
    assert (tmp_path / "beside").read_text() == "stays"
