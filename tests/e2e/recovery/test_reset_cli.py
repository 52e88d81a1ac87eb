"""`reset` from the stop check to the QR code on a screen, and undone again."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from baileys_tools.config import load_settings
from baileys_tools.recovery.resetting import ResetOptions, run_reset
from baileys_tools.recovery.show.reset_text import plan_text
from baileys_tools.sessions import live
from tests.bot import QR, Bot, api_env, bot_api
from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, company_folder, scrubbed_environment, snapshot_tree, write_key
from tests.terminal import Screen, read_qr

SCHEMA = Path(__file__).parents[3] / "docs/json/reset.schema.json"
QUIET = timedelta(hours=1)
KEYS = ["session-447700900100.0.json", "pre-key-29.json", "pre-key-30.json", "notes.txt"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A quiet company folder, each file with a content and a mode of its own, and one with something in quarantine."""
    folder = company_folder(tmp_path / "sessions", keys=dict.fromkeys(KEYS, QUIET))
    for number, name in enumerate(KEYS):
        write_key(folder, name, QUIET + timedelta(minutes=number), json.dumps({"is": name}))
        (folder / name).chmod(0o640 if number % 2 else 0o600)
    moment = (folder / "creds.json").stat().st_mtime - 3600
    os.utime(folder / "creds.json", (moment, moment))
    folder.chmod(0o750)
    return folder


def env_of(folder: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(folder.parents[1] / "backups"),
    }


def reset(folder: Path, *options: str, env: dict[str, str] | None = None, code: int = 0) -> Any:
    done = run_cli("reset", "--company", "1001", "--json", *options, env=env_of(folder) | (env or {}))
    assert done.returncode == code, done.stdout + done.stderr
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert QR not in done.stdout
    return document


def undo(folder: Path, *options: str, env: dict[str, str] | None = None) -> Any:
    return run_cli("undo", *options, env=env_of(folder) | (env or {}))


def test_end_to_end_with_the_code_on_the_screen_and_undone(folder: Path, tmp_path: Path) -> None:
    before = snapshot_tree(folder)
    bot = Bot(qrs=[QR])
    command = ("reset", "--company", "1001", "--yes")
    with bot_api(bot) as server:
        env = env_of(folder) | api_env(server)
        with Screen(*command, env=env) as screen:
            screen.wait_for(lambda seen: "scan it" in seen.text)
            assert read_qr(screen.pixels(), tmp_path) == QR
            assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            # The phone scans, and the bot writes its new session.
            write_key(folder, "creds.json", content='{"me": "new"}')
            bot.scanned_at = time.monotonic()
            assert screen.exit_code() == 0
            assert "connected as 49****78" in screen.text
        assert bot.count("POST /init") == 1

        listed = undo(folder, "--list", env=env)
        run, by, *_ = listed.stdout.splitlines()[1].split()
        assert by == "reset,"
        assert f"undo --company 1001 --run {run}" in screen.text
        refused = undo(folder, "--run", run, env=env)
        assert refused.returncode == 13
        assert "its API says that it is connected" in refused.stderr + refused.stdout
        bot.connected, bot.scanned_at = False, None
        write_key(folder, "creds.json", QUIET, '{"me": "new"}')
        done = undo(folder, "--run", run, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot_tree(folder) == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    # What the bot wrote meanwhile waits for its turn.
    (other,) = [line.split()[0] for line in undo(folder, "--list").stdout.splitlines()[1::2]]
    assert undo(folder, "--run", other).returncode == 0
    assert (folder / "creds.json").read_text() == '{"me": "new"}'
    assert os.listdir(folder.parent) == ["company_1001"]


def test_the_final_snapshot_is_of_the_folder_and_never_the_latest(folder: Path) -> None:
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    write_key(folder, "session-447700900200.0.json", QUIET, "{}")
    document = reset(folder, "--yes", "--no-pair")
    assert (document["status"], document["files"], document["paired"]) == ("reset", 6, None)
    listed = json.loads(run_cli("snapshots", "--json", env=env_of(folder)).stdout)
    assert len(json.dumps(listed).split(document["snapshot"])) == 2
    done = run_cli("restore", "--company", "1001", "--yes", "--json", env=env_of(folder))
    assert json.loads(done.stdout)["snapshot"]["file"] != document["snapshot"]


def test_a_dry_run_touches_nothing(folder: Path) -> None:
    before = snapshot_tree(folder.parent, ignore=())
    document = reset(folder, "--dry-run")
    assert (document["status"], document["run"], document["account"] != "") == ("planned", None, True)
    assert snapshot_tree(folder.parent, ignore=()) == before
    done = run_cli("reset", "--company", "1001", "--dry-run", env=env_of(folder))
    assert "dry run: nothing was touched" in done.stdout
    assert "refused" not in done.stdout


def test_a_dry_run_says_what_would_be_refused(folder: Path) -> None:
    write_key(folder, "session-9.0.json")
    document = reset(folder, "--dry-run")
    assert document["objections"] == ["1 file was written in the last 2 minutes"]
    done = run_cli("reset", "--company", "1001", "--dry-run", env=env_of(folder))
    assert "would be refused: 1 file was written" in done.stdout
    assert run_cli("reset", "--company", "1001", "--yes", env=env_of(folder)).returncode == 13
    for path in filter(Path.is_file, folder.iterdir()):
        path.unlink()
    done = run_cli("reset", "--company", "1001", "--dry-run", env=env_of(folder))
    assert (done.returncode, "is empty already" in done.stderr) == (1, True)


def test_a_folder_that_no_snapshot_could_hold_is_set_aside_without_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        write_key(folder, f"media-{number}.bin", QUIET, bytes(15 << 20))
    before = snapshot_tree(folder)
    monkeypatch.setattr(live, "MOST_BYTES", 40 << 20, raising=False)
    now, root = datetime.now(UTC), str(folder.parent)
    settings = load_settings({}, env_of(folder)).settings
    yes = ResetOptions("1001", yes=True, pair=False)
    without = load_settings({}, {"BAILEYS_SESSIONS_PATH": root}).settings
    tracemalloc.start()
    run_reset(without, ResetOptions("1001", dry_run=True), root, now, lambda _: True)
    peak = tracemalloc.get_traced_memory()[1]
    planned = run_reset(settings, ResetOptions("1001", dry_run=True), root, now, lambda _: True)
    assert "no snapshot could hold it" in planned.unsaved
    assert planned.unsaved in " ".join(plan_text(planned).split())
    peak_with_contents = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20, "a file at a time, and not all 120 MiB"
    assert peak_with_contents < 100 << 20
    assert snapshot_tree(folder) == before
    done = run_reset(settings, yes, root, now, lambda _: True)
    assert done.run
    assert (done.before, done.unsaved) == (None, planned.unsaved)
    assert not list(folder.glob("*.bin"))
    assert undo(folder, "--run", done.run).returncode == 0
    assert snapshot_tree(folder) == before


def test_what_the_final_snapshot_leaves_out_is_said(folder: Path) -> None:
    write_key(folder, "session-4915.0.json", QUIET, "")
    (folder / "auth_info").mkdir()
    write_key(folder, "with\nline.json", QUIET)
    document = reset(folder, "--yes", "--no-pair")
    assert document["snapshot"] is not None
    assert document["unsaved"] == "2 entries of the folder are not in it"
    write_key(folder, "creds.json", QUIET, "{")
    document = reset(folder, "--yes", "--no-pair")
    assert (document["snapshot"], document["status"]) == (None, "reset")
    assert document["unsaved"].startswith("no last snapshot: creds.json is unreadable")


def test_without_a_yes_nothing_is_done(folder: Path) -> None:
    before = snapshot_tree(folder)
    done = run_cli("reset", "--company", "1001", env=env_of(folder))
    assert done.returncode == 13
    assert "--yes" in done.stderr
    assert snapshot_tree(folder) == before


def test_a_session_in_use_is_not_reset(folder: Path) -> None:
    before = snapshot_tree(folder)
    with bot_api(Bot(connected=True)) as server:
        done = run_cli("reset", "--company", "1001", "--yes", env=env_of(folder) | api_env(server))
        assert done.returncode == 13
        assert "its API says that it is connected" in done.stderr
        assert snapshot_tree(folder) == before
    write_key(folder, "session-447700900100.0.json")
    done = run_cli("reset", "--company", "1001", "--yes", env=env_of(folder))
    assert done.returncode == 13
    assert "1 file was written in the last 2 minutes" in done.stderr
    document = reset(folder, "--yes", "--force", "--no-pair")
    assert document["overridden"] == ["1 file was written in the last 2 minutes"]


@pytest.mark.parametrize("force", [False, True])
def test_a_bot_that_starts_while_the_question_waits_is_seen(folder: Path, *, force: bool) -> None:
    with Screen(
        "reset", "--company", "1001", "--no-pair", *["--force"] * force, env=env_of(folder)
    ) as screen:
        screen.wait_for(lambda seen: "Go on? [y/N]" in seen.text)
        write_key(folder, "creds.json", content=(folder / "creds.json").read_text())
        write_key(folder, "session-447700900300.0.json")
        before = snapshot_tree(folder)
        screen.type("y\n")
        assert screen.exit_code() == (0 if force else 13)
        assert "2 files were written in the last 2 minutes" in screen.text
    assert snapshot_tree(folder) == ({} if force else before)


def test_a_folder_that_changes_while_the_question_waits_is_not_reset(folder: Path) -> None:
    with Screen("reset", "--company", "1001", "--no-pair", env=env_of(folder)) as screen:
        screen.wait_for(lambda seen: "Go on? [y/N]" in seen.text)
        write_key(folder, "session-447700900300.0.json", QUIET)
        before = snapshot_tree(folder)
        screen.type("y\n")
        assert screen.exit_code() == 13
        assert "the folder changed while you were asked" in screen.text
    assert snapshot_tree(folder) == before


def test_a_process_that_runs_is_an_objection_where_no_api_could_pair(folder: Path, tmp_path: Path) -> None:
    pidfile = tmp_path / "bot.pid"
    pidfile.write_text(str(os.getpid()))
    env = {"BAILEYS_TOOLS_PROCESS__PIDFILE": str(pidfile)}
    assert run_cli("reset", "--company", "1001", "--yes", env=env_of(folder) | env).returncode == 13
    with bot_api(Bot(connects_on_init=True)) as server:
        assert reset(folder, "--yes", env=env | api_env(server))["paired"] is True


def test_a_process_that_runs_is_an_objection_where_the_api_does_not_tell_how_the_bot_is(
    folder: Path, tmp_path: Path
) -> None:
    """An API that is asked with the wrong token says nothing, and its bots may all be connected."""
    before = snapshot_tree(folder)
    pidfile = tmp_path / "bot.pid"
    pidfile.write_text(str(os.getpid()))
    env = {"BAILEYS_TOOLS_PROCESS__PIDFILE": str(pidfile)}
    with bot_api(Bot(fail=401)) as server:
        env = env_of(folder) | env | api_env(server)
        done = run_cli("reset", "--company", "1001", "--yes", env=env)
    assert done.returncode == 13
    assert "whether it is connected is not known (it answered 401" in done.stderr
    assert snapshot_tree(folder) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--pairing-code", "0151 x"], "--pairing-code is not a phone number"),
        (["--pairing-code", "4917012345678"], "bot_api has no request pairing_code"),
        (["--timeout", "soon"], "--timeout"),
        (["--png", "/no/such/folder/qr.png"], "/no/such/folder"),
    ],
    ids=["number", "no-request", "timeout", "png"],
)
def test_what_cannot_be_paired_as_told_is_not_set_aside(folder: Path, options: list[str], says: str) -> None:
    before = snapshot_tree(folder)
    bot = Bot(qrs=[QR])
    with bot_api(bot) as server:
        env = env_of(folder) | api_env(server)
        for also in (["--yes"], ["--dry-run"]):
            done = run_cli("reset", "--company", "1001", *also, *options, env=env)
            assert (done.returncode, done.stdout) == (2, "")
            assert says in done.stderr
    assert bot.asked == []
    assert snapshot_tree(folder) == before


def test_when_nobody_scans_the_folder_is_set_aside_all_the_same(folder: Path) -> None:
    before = snapshot_tree(folder)
    with bot_api(Bot(qrs=[QR])) as server:
        document = reset(folder, "--yes", "--timeout", "1s", env=api_env(server), code=1)
    assert (document["status"], document["paired"]) == ("reset", False)
    assert "its QR code was not scanned" in document["trouble"]
    assert undo(folder, "--run", document["run"]).returncode == 0
    assert snapshot_tree(folder) == before


def test_when_nobody_scans_the_way_on_is_another_code_and_no_second_reset(folder: Path) -> None:
    """That would set aside what the bot has written under the code that it shows."""
    with bot_api(Bot(qrs=[QR])) as server:
        env = env_of(folder) | api_env(server)
        done = run_cli("reset", "--company", "1001", "--yes", "--timeout", "1s", env=env)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "baileys-tools qr --company 1001 shows it anew; scan it with the phone" in said
    assert "Run it again" not in said


def test_a_reset_is_in_the_time_line_of_the_incident_and_begins_none(folder: Path) -> None:
    options = ("reset", "--company", "1001", "--yes", "--no-pair", "--json")
    with bot_api(Bot()) as server:
        env = env_of(folder) | api_env(server)
        run_cli("monitor-once", "--quiet", env=env)
        run = json.loads(run_cli(*options, env=env).stdout)["run"]
        (incident,) = json.loads(run_cli("incidents", "--json", env=env).stdout)["incidents"]
        assert incident["closed"] is None
        assert [entry["what"] for entry in incident["timeline"]] == ["seen", "reset"]
        assert f"undo --run {run}" in incident["timeline"][1]["detail"]
        report = run_cli("incidents", "--markdown", str(incident["id"]), env=env).stdout
        assert "| Tried | 1 step |" in report


def test_whoever_interrupts_the_pairing_is_told_the_way_back(folder: Path) -> None:
    before = snapshot_tree(folder)
    with bot_api(Bot(qrs=[QR])) as server:
        waiting = subprocess.Popen(
            [COMMAND, "reset", "--company", "1001", "--yes", "--json"],
            env=scrubbed_environment(env_of(folder) | api_env(server)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert waiting.stderr is not None
            assert any("scan it" in line for line in waiting.stderr)
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=20)
        finally:
            waiting.kill()
            waiting.wait()
    assert waiting.returncode == 130
    (run,) = re.findall(r"1001: the folder is set aside \(undo --run (\S+)\)", said)
    assert undo(folder, "--run", run).returncode == 0
    assert snapshot_tree(folder) == before


def test_when_the_bot_does_not_start_it_says_so(folder: Path) -> None:
    with bot_api(Bot(fail=500)) as server:
        document = reset(folder, "--yes", env=api_env(server), code=1)
    assert "the bot was not started: it answered 500" in document["trouble"]


def test_without_an_api_it_says_what_to_do(folder: Path) -> None:
    done = run_cli("reset", "--company", "1001", "--yes", env=env_of(folder))
    assert done.returncode == 0
    assert "start the bot, and scan the QR code" in done.stdout


def test_undo_of_the_last_cleanup_never_undoes_a_reset(folder: Path) -> None:
    reset(folder, "--yes", "--no-pair")
    after = snapshot_tree(folder, ignore=())
    done = undo(folder)
    assert "nothing to undo" in done.stdout
    assert snapshot_tree(folder, ignore=()) == after


def test_an_undone_reset_says_what_it_costs_where_the_same_login_has_gone_on(folder: Path) -> None:
    run = reset(folder, "--yes", "--no-pair")["run"]
    resets, then = folder / ".baileys-tools" / "resets", datetime.now(UTC) - timedelta(hours=1)
    earlier = f"{then:%Y%m%dT%H%M%SZ}-{run[-6:]}"
    (resets / run).rename(resets / earlier)
    shutil.copy2(resets / earlier / "creds.json", folder)
    write_key(folder, "session-4917000000009.0.json", timedelta(minutes=30))
    write_key(folder, "pre-key-900.json", timedelta(minutes=30))
    said = "its bot has gone on since: late at most 1 chat, 0 group messages, 1 new chat"
    assert said in undo(folder, "--run", earlier, "--dry-run").stdout
    document = checked_json(undo(folder, "--run", earlier, "--json").stdout, "undo")
    assert document["companies"][0]["late"] == {"contacts": 1, "group_senders": 0, "pre_keys": 1}


def test_a_reset_is_not_undone_under_a_bot_that_writes(folder: Path) -> None:
    run = reset(folder, "--yes", "--no-pair")["run"]
    write_key(folder, "creds.json")
    before = snapshot_tree(folder)
    done = undo(folder, "--run", run)
    assert done.returncode == 13, done.stdout + done.stderr
    assert "1 file was written in the last 2 minutes" in done.stdout
    assert "stop the bot, and try again in two minutes" in done.stdout
    assert snapshot_tree(folder) == before
    write_key(folder, "creds.json", QUIET)
    assert undo(folder, "--run", run).returncode == 0


def test_undo_of_a_reset_that_nothing_came_after_leaves_nothing_behind(folder: Path) -> None:
    before = snapshot_tree(folder.parent, ignore=())
    document = reset(folder, "--yes", "--no-pair")
    assert undo(folder, "--run", document["run"]).returncode == 0
    (folder / ".cleanup.lock").unlink(missing_ok=True)
    assert snapshot_tree(folder.parent, ignore=()) == before


def test_each_of_two_resets_is_undone_by_its_own_run(folder: Path) -> None:
    first = snapshot_tree(folder)
    one = reset(folder, "--yes", "--no-pair")["run"]
    # The phone was not at hand, and the bot began a new identity meanwhile.
    write_key(folder, "creds.json", QUIET, '{"me": "new"}')
    second = snapshot_tree(folder)
    two = reset(folder, "--yes", "--no-pair")["run"]
    listed = undo(folder, "--list").stdout
    assert (one in listed, two in listed) == (True, True), listed
    assert undo(folder, "--run", one).returncode == 0
    assert snapshot_tree(folder) == first
    assert undo(folder, "--run", two).returncode == 0
    assert snapshot_tree(folder) == second


def test_a_rollback_leaves_a_reset_within_reach_of_undo(folder: Path) -> None:
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    before = snapshot_tree(folder)
    creds = (folder / "creds.json").read_text()
    run = reset(folder, "--yes", "--no-pair")["run"]
    write_key(folder, "creds.json", QUIET, creds)
    done = run_cli("restore", "--company", "1001", "--mode", "rollback", "--yes", env=env_of(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    undone = undo(folder, "--run", run)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert snapshot_tree(folder) == before


def test_an_empty_folder_and_a_company_that_is_not_there_are_refused(folder: Path) -> None:
    reset(folder, "--yes", "--no-pair")
    done = run_cli("reset", "--company", "1001", "--yes", env=env_of(folder))
    assert done.returncode == 1
    assert "is empty already" in done.stderr
    assert run_cli("reset", "--company", "77", "--yes", env=env_of(folder)).returncode == 10


def test_a_folder_that_is_the_sessions_path_itself_is_reset_and_undone(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "bot", None, dict.fromkeys(KEYS, QUIET))
    moment = (folder / "creds.json").stat().st_mtime - 3600
    os.utime(folder / "creds.json", (moment, moment))
    before = snapshot_tree(folder)
    env = {"BAILEYS_SESSIONS_PATH": str(folder)}
    done = run_cli("reset", "--company", "bot", "--yes", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert snapshot_tree(folder) == {}
    undone = run_cli("undo", "--run", json.loads(done.stdout)["run"], env=env)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert snapshot_tree(folder) == before
    assert os.listdir(tmp_path) == ["bot"]


def test_the_journal_of_a_reset_by_another_version_is_left_to_that(folder: Path) -> None:
    (folder / ".baileys-tools").mkdir()
    orders = {
        "version": 2,
        "in": folder.stat().st_ino,
        "out": 1,
        "run": "20260115T030000Z-a1b2c3",
        "from": "",
    }
    journal = folder / ".baileys-tools" / "reset.json"
    journal.write_text(json.dumps(orders))
    done = run_cli("cleanup", "--quiet", env=env_of(folder))
    assert (done.returncode, "is not a journal of a reset that this version wrote" in done.stderr) == (
        1,
        True,
    )
    assert json.loads(journal.read_text()) == orders


def test_a_reset_waits_for_thirty_days_and_then_a_cleanup_removes_it(folder: Path) -> None:
    document = reset(folder, "--yes", "--no-pair")
    company_folder(folder.parent)  # paired anew
    resets = folder / ".baileys-tools" / "resets"
    assert run_cli("cleanup", "--quiet", env=env_of(folder)).returncode == 0
    assert [path.name for path in resets.iterdir()] == [document["run"]]
    old = resets / ("20200101T000000Z-" + document["run"][-6:])
    (resets / document["run"]).rename(old)
    for options, says in ((["--dry-run"], "5 to purge"), ([], "5 purged")):
        done = run_cli("cleanup", *options, env=env_of(folder))
        assert done.returncode == 0, done.stderr
        assert says in done.stdout
    assert not resets.exists()
    assert (folder / "creds.json").exists()


def test_what_was_set_aside_stays_until_a_pairing_has_succeeded(folder: Path) -> None:
    """WhatsApp refuses new devices for hours at times: until then it is all that there is."""
    run = reset(folder, "--yes", "--no-pair")["run"]
    resets = folder / ".baileys-tools" / "resets"
    (resets / run).rename(resets / f"{datetime.now(UTC) - timedelta(days=31):%Y%m%dT%H%M%SZ}{run[-7:]}")
    done = run_cli("cleanup", "--json", env=env_of(folder))
    (company,) = json.loads(done.stdout)["companies"]
    assert company["purged"]["files"] == 0
    assert len(list(resets.iterdir())) == 1
    company_folder(folder.parent, folder.name.removeprefix("company_"), registrationId=4_711)
    done = run_cli("cleanup", "--json", env=env_of(folder))
    (company,) = json.loads(done.stdout)["companies"]
    assert company["purged"]["files"] == 5
    assert not resets.exists()


def test_root_makes_the_new_folder_for_its_owner(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for path in (folder, *folder.iterdir()):
        os.chown(path, 4242, 4343)
    reset(folder, "--yes", "--no-pair")
    for path in (folder, folder / ".baileys-tools", folder / ".baileys-tools" / "resets"):
        assert (path.stat().st_uid, path.stat().st_gid) == (4242, 4343), path
