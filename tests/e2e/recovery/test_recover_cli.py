"""`recover` as an operator and cron meet it: against a bot that is there, a real process, real folders."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.bot import QR, Bot, api_env, bot_api
from tests.integration.faults.forked import run_cli
from tests.log_lines import as_bytes, errored, pino, stream_error, undecrypted
from tests.support import company_folder, snapshot_tree, write_key

SCHEMA = Path(__file__).parents[3] / "docs/json/recover.schema.json"
QUIET = timedelta(hours=1)
KEYS = ["session-447700900100.0.json", "pre-key-29.json", "pre-key-30.json"]
FAST = {
    "BAILEYS_TOOLS_RECOVER__WAIT": "1s",
    "BAILEYS_TOOLS_RECOVER__FIRST_DELAY": "0",
    "BAILEYS_TOOLS_RECOVER__TRIES": "3",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company folder that is whole and has been quiet for an hour."""
    folder = company_folder(tmp_path / "sessions", keys=dict.fromkeys(KEYS, QUIET * 2))
    moment = (folder / "creds.json").stat().st_mtime - 3600
    os.utime(folder / "creds.json", (moment, moment))
    return folder


def env_of(folder: Path) -> dict[str, str]:
    return FAST | {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(folder.parents[1] / "backups"),
    }


def recover(folder: Path, *options: str, env: Mapping[str, str], code: int = 0) -> Any:
    """Recover with --json, and return what is said of the one company."""
    done = run_cli("recover", "--json", *options, env=env_of(folder) | dict(env))
    assert done.returncode == code, done.stdout + done.stderr
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["exit_code"] == code
    (company,) = document["companies"]
    return company


def test_a_bot_that_is_well_is_left_alone(folder: Path) -> None:
    bot = Bot(connected=True)
    with bot_api(bot) as server:
        found = recover(folder, "--yes", env=api_env(server))
    assert (found["status"], found["tried"]) == ("well", [])
    assert bot.count("POST /reconnect") == 0


def test_a_dry_run_offers_no_steps_where_only_a_person_is_left(folder: Path) -> None:
    (folder / "creds.json").write_bytes(b"")
    said = run_cli("recover", "--dry-run", env=env_of(folder)).stdout
    assert "person" in said
    assert said.splitlines()[-1] == "Nothing was done."


@pytest.mark.parametrize("state", [None, "active"], ids=["nothing-named", "process-runs"])
def test_one_of_which_nothing_tells_is_not_called_away(
    folder: Path, systemctl: Path, state: str | None
) -> None:
    """Cron runs this on every host, also where the settings name a folder and no more."""
    from tests.servers import Reply, answering

    before = snapshot_tree(folder, ignore=())
    with answering(lambda _: Reply({})) as hook:
        env = {"NOTIFICATION_WEBHOOK": hook.url} | (unit_env(systemctl) if state else {})
        for options in ([], ["--yes"]):
            found = recover(folder, *options, env=env)
            assert (found["status"], found["steps"], found["tried"]) == ("unknown", [], [])
            assert "bot_api or logs in the settings" in found["person"][0]
        done = run_cli("recover", "--quiet", env=env_of(folder) | env)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert hook.requests == []
    text = run_cli("recover", "--dry-run", env=env_of(folder)).stdout
    assert "company 1001  not known whether it is away" in text
    assert "Nothing was done" not in text
    assert snapshot_tree(folder, ignore=()) == before


def test_one_that_reconnects_is_recovered_and_nothing_is_touched(folder: Path) -> None:
    before = snapshot_tree(folder, ignore=())
    bot = Bot(connects_after=2)
    with bot_api(bot) as server:
        found = recover(folder, "--yes", env=api_env(server))
    assert found["status"] == "recovered"
    assert found["tried"][-1]["step"] == "reconnect"
    assert "after 2 requests" in found["tried"][-1]["result"]
    assert bot.count("POST /reconnect") == 2
    assert bot.count("POST /init") == bot.count("GET /qr") == 0
    assert snapshot_tree(folder, ignore=()) == before


def test_one_that_does_not_is_asked_no_more_often_than_the_limit_and_then_a_person_is(folder: Path) -> None:
    bot = Bot()
    with bot_api(bot) as server:
        found = recover(folder, "--yes", env=api_env(server), code=5)
    assert found["status"] == "needs-person"
    assert bot.count("POST /reconnect") == 3
    assert found["person"]


@pytest.mark.parametrize("options", [["--dry-run"], [], ["--dry-run", "--yes"]], ids=str)
def test_without_a_yes_it_only_says_what_it_would_do(folder: Path, options: list[str]) -> None:
    before = snapshot_tree(folder, ignore=())
    bot = Bot(connects_after=1)
    with bot_api(bot) as server:
        found = recover(folder, *options, env=api_env(server), code=0 if "--dry-run" in options else 5)
    assert found["status"] == "planned"
    assert "reconnect" in [step["step"] for step in found["steps"]]
    assert {method for method, _ in bot.asked} == {"GET /status"}
    assert snapshot_tree(folder, ignore=()) == before


def test_auto_lets_cron_act_and_says_nothing_when_all_is_well_in_the_end(folder: Path) -> None:
    auto = {"BAILEYS_TOOLS_RECOVER__AUTO": "true"}
    with bot_api(Bot(connects_after=1)) as server:
        done = run_cli("recover", "--quiet", env=env_of(folder) | auto | api_env(server))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with bot_api(Bot()) as server:
        done = run_cli("recover", "--quiet", env=env_of(folder) | auto | api_env(server))
    assert done.returncode == 5
    assert "needs a person" in done.stdout


def test_each_step_is_explained_before_and_recorded_after(folder: Path) -> None:
    with bot_api(Bot(connects_after=2)) as server:
        done = run_cli("recover", "--yes", env=env_of(folder) | api_env(server))
    assert done.returncode == 0
    assert "1001: ask its API to reconnect, up to 3 times" in done.stderr
    assert "1001: it is connected again, after 2 requests" in done.stderr
    assert "company 1001  recovered" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


# --- creds that are lost ------------------------------------------------------------------------------------


def lose_creds(folder: Path, content: str = "") -> dict[bytes, Any]:
    """Take a snapshot, then leave of creds.json what a killed write leaves; return the tree before."""
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    before = snapshot_tree(folder)
    write_key(folder, "creds.json", QUIET, content)
    return before


@pytest.mark.parametrize("content", ["", '{"half'], ids=["empty", "torn"])
def test_creds_that_a_kill_has_emptied_come_back_from_the_snapshot(folder: Path, content: str) -> None:
    before = lose_creds(folder, content)
    found = recover(folder, "--yes", env={}, code=5)
    assert found["cause"]["cause"] == "creds-lost"
    assert found["tried"][0]["step"] == "restore"
    assert "1 file came back" in found["tried"][0]["result"]
    assert snapshot_tree(folder) == before
    assert "start the bot" in found["person"]


def test_after_a_repair_a_person_is_told_to_start_the_bot_and_not_to_reset_it(folder: Path) -> None:
    """The last that its log says is the new registration, until somebody starts it."""
    log, now = folder.parents[1] / "bot.log", datetime.now(UTC)
    log.write_bytes(as_bytes([pino("opened connection to WA", now - timedelta(hours=5))]))
    lose_creds(folder)
    ended = now - timedelta(minutes=20)
    lines = [
        pino("connected to WA", ended),
        pino("not logged in, attempting registration...", ended, node={}),
        errored("Connection Terminated", ended),
    ]
    with log.open("ab") as file:
        file.write(as_bytes(lines))
    found = recover(folder, "--yes", env=with_log(log), code=5)
    assert [one["step"] for one in found["tried"]] == ["restore"]
    assert found["cause_now"]["evidence"][1].startswith("creds.json is whole by now")
    for person in (found["person"], recover(folder, "--dry-run", env=with_log(log))["person"]):
        assert "and start it" in person[1]
        assert "reset" not in " ".join(person)
    with log.open("ab") as file:
        file.write(as_bytes([pino("opened connection to WA", datetime.now(UTC))]))
    assert recover(folder, env=with_log(log))["status"] == "well"


def test_while_the_bot_answers_nothing_is_restored(folder: Path) -> None:
    lose_creds(folder)
    before = snapshot_tree(folder)
    with bot_api(Bot()) as server:
        found = recover(folder, "--yes", env=api_env(server), code=5)
    assert found["status"] == "needs-person"
    assert found["tried"] == []
    assert any("stop the bot" in line for line in found["person"])
    assert snapshot_tree(folder) == before


def test_without_a_snapshot_a_person_is_asked(folder: Path) -> None:
    write_key(folder, "creds.json", QUIET, "")
    assert recover(folder, "--yes", env={}, code=5)["tried"] == []


@pytest.mark.parametrize("content", [None, '{"noiseKey": {}, "registered": false}'], ids=["empty", "waits"])
def test_what_was_reset_does_not_come_back_while_the_new_code_waits_to_be_scanned(
    folder: Path, content: str | None
) -> None:
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    assert run_cli("monitor-once", "--quiet", env=env_of(folder)).returncode == 0
    done = run_cli("reset", "--company", "1001", "--yes", "--no-pair", "--quiet", env=env_of(folder))
    assert done.returncode == 0, done.stderr
    if content is not None:
        write_key(folder, "creds.json", QUIET, content)
    before = snapshot_tree(folder)
    auto = {"BAILEYS_TOOLS_RECOVER__AUTO": "true"}
    found = recover(folder, env=auto)
    assert (found["cause"]["cause"], found["tried"]) == ("not-linked-yet", [])
    assert snapshot_tree(folder) == before
    watched = json.loads(run_cli("monitor-once", "--json", env=env_of(folder)).stdout)
    codes = {finding["code"] for finding in watched["companies"][0]["findings"]}
    assert "not-linked-yet" in codes
    assert not [code for code in codes if code.startswith("creds-")]


def test_the_session_that_was_paired_after_a_reset_comes_back_like_any_other(folder: Path) -> None:
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    paired = (folder / "creds.json").read_text().replace(":17@", ":18@")
    done = run_cli("reset", "--company", "1001", "--yes", "--no-pair", "--quiet", env=env_of(folder))
    assert done.returncode == 0, done.stderr
    time.sleep(1.1)  # the names of snapshots count whole seconds
    write_key(folder, "creds.json", QUIET, paired)
    lose_creds(folder)
    found = recover(folder, "--yes", env={}, code=5)
    assert found["cause"]["cause"] == "creds-lost"
    assert "1 file came back" in found["tried"][0]["result"]
    assert ":18@s.whatsapp.net" in (folder / "creds.json").read_text()


# --- a session that WhatsApp ended --------------------------------------------------------------------------


def codes_of(folder: Path, env: Mapping[str, str]) -> set[str]:
    """The findings of a pass of `monitor-once`."""
    done = run_cli("monitor-once", "--json", env=env_of(folder) | dict(env))
    (company,) = json.loads(done.stdout)["companies"]
    return {finding["code"] for finding in company["findings"]}


def test_what_the_log_said_of_a_session_is_over_with_its_reset(folder: Path) -> None:
    log = folder.parents[1] / "bot.log"
    removed = datetime.now(UTC) - timedelta(minutes=30)
    lines = [
        pino("opened connection to WA", removed - timedelta(hours=9)),
        stream_error(7, removed, "401", "conflict", "device_removed"),
        errored("Stream Errored (conflict)", removed),
    ]
    log.write_bytes(as_bytes(lines))
    with bot_api(Bot(qrs=[QR])) as server:
        env = api_env(server) | with_log(log)
        assert "device-removed" in codes_of(folder, env)
        assert recover(folder, env=env, code=5)["cause"]["cause"] == "logged-out"
        options = ("--company", "1001", "--yes", "--timeout", "1s", "--quiet")
        run_cli("reset", *options, env=env_of(folder) | env)
        assert run_cli("logs", "--company", "1001", env=env_of(folder) | env).returncode == 0
        now = datetime.now(UTC) + timedelta(seconds=1)
        with log.open("ab") as file:
            file.write(as_bytes([pino("connected to WA", now)]))
            file.write(as_bytes([pino("not logged in, attempting registration...", now, node={})]))
        time.sleep(1.1)
        assert recover(folder, env=env)["status"] == "not-linked-yet"
        assert "device-removed" not in codes_of(folder, env)
        inspected = run_cli("inspect", "--company", "1001", "--json", env=env_of(folder) | env).stdout
        assert "device-removed" not in inspected


def test_a_removal_that_the_api_has_overruled_is_over_in_a_log_of_errors_alone(folder: Path) -> None:
    """Paired anew two days ago, which left no line; then the network goes."""
    log, now = folder.parents[1] / "bot.log", datetime.now(UTC)
    removed = stream_error(7, now - timedelta(days=3), "401", "conflict", "device_removed")
    log.write_bytes(as_bytes([removed, undecrypted("No session record", now)]))
    bot = Bot(connected=True)
    with bot_api(bot) as server:
        env = api_env(server) | with_log(log)
        assert "device-removed" not in codes_of(folder, env)
        bot.connected = False
        with log.open("ab") as file:
            file.write(as_bytes([stream_error(7, datetime.now(UTC), "503")]))
        assert recover(folder, "--dry-run", env=env)["cause"]["cause"] == "network"
        assert "device-removed" not in codes_of(folder, env)


def test_a_removal_of_a_moment_ago_outlives_an_old_word_of_the_api(folder: Path) -> None:
    log = folder.parents[1] / "bot.log"
    removed = stream_error(7, datetime.now(UTC), "401", "conflict", "device_removed")
    log.write_bytes(as_bytes([removed]))
    bot = Bot(connected=True)
    with bot_api(bot) as server:
        env = api_env(server) | with_log(log)
        codes_of(folder, env)
        bot.connected = False
        assert recover(folder, "--dry-run", env=env)["cause"]["cause"] == "logged-out"


# --- processes ----------------------------------------------------------------------------------------------


@pytest.fixture
def systemctl(tmp_path: Path) -> Path:
    """A `systemctl` first in PATH, of a unit that has a state: what recover tells it is what happens."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "state").write_text("active")
    script = tools / "systemctl"
    script.write_text(
        f"""#!/bin/sh
echo "$@" >> {tools}/asked
case "$1" in
  show) printf 'LoadState=loaded\\nActiveState=%s\\nSubState=x\\nNRestarts=0\\n' "$(cat {tools}/state)";;
  stop) echo inactive > {tools}/state;;
  restart) echo active > {tools}/state; touch {tools}/restarted;;
esac
"""
    )
    script.chmod(0o755)
    return tools


def unit_env(tools: Path) -> dict[str, str]:
    return {"PATH": f"{tools}:{os.environ['PATH']}", "BAILEYS_TOOLS_PROCESS__SYSTEMD": "bot@{company}"}


def with_log(log: Path) -> dict[str, str]:
    """The environment that names a settings file, and that a log."""
    settings = log.with_name("settings.yaml")
    settings.write_text(f"logs: [{{path: {log}, company: 1001}}]")
    return {"BAILEYS_TOOLS_CONFIG": str(settings)}


def told(tools: Path) -> list[str]:
    lines = (tools / "asked").read_text().splitlines()
    return [line for line in lines if not line.startswith("show")]


def test_a_process_that_is_down_is_started_and_that_it_runs_is_enough_where_nothing_tells_more(
    folder: Path, systemctl: Path
) -> None:
    (systemctl / "state").write_text("failed")
    found = recover(folder, "--yes", env=unit_env(systemctl))
    assert (found["cause"]["cause"], found["status"]) == ("stopped", "recovered")
    assert [one["step"] for one in found["tried"]] == ["restart"]
    assert "whether the bot is connected, nothing tells" in found["tried"][0]["result"]
    assert told(systemctl) == ["restart -- bot@1001"]


def test_one_that_does_not_stay_up_needs_a_person(folder: Path, systemctl: Path) -> None:
    (systemctl / "state").write_text("failed")
    script = systemctl / "systemctl"
    script.write_text(script.read_text().replace("echo active >", "echo failed >"))
    found = recover(folder, "--yes", env=unit_env(systemctl), code=5)
    assert (found["cause_now"]["cause"], found["status"]) == ("stopped", "needs-person")


def test_whoever_scans_the_first_code_is_not_disturbed_and_nobody_alerted(tmp_path: Path) -> None:
    """Each reconnect would show another code."""
    folder = tmp_path / "sessions" / "company_1001"
    folder.mkdir(parents=True)
    for content in (None, '{"noiseKey": {}, "registered": false}'):
        if content is not None:
            write_key(folder, "creds.json", content=content)
        bot = Bot(qrs=[QR])
        with bot_api(bot) as server:
            env = api_env(server) | {"BAILEYS_TOOLS_RECOVER__AUTO": "true"}
            found = recover(folder, env=env)
            quiet = run_cli("recover", "--quiet", env=env_of(folder) | env)
        assert (found["status"], found["tried"]) == ("not-linked-yet", [])
        assert any("qr --company 1001" in line for line in found["person"])
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
        assert bot.count("POST /reconnect") == 0


def test_keys_that_only_a_login_brings_tell_a_loss_from_a_beginning(folder: Path) -> None:
    (folder / "creds.json").unlink()
    with bot_api(Bot(qrs=[QR])) as server:
        found = recover(folder, env=api_env(server), code=5)
    assert found["cause"]["cause"] == "creds-lost"


@pytest.mark.parametrize("lines", ["bot: order 77 answered", "503"], ids=["silent", "errors-alone"])
def test_a_bot_whose_log_shows_no_connection_is_not_restarted_for_that(
    folder: Path, systemctl: Path, lines: str
) -> None:
    """A bot of the level `silent` or `error` works for days without a line about its connection."""
    log = folder.parents[1] / "bot.log"
    at = datetime.now(UTC) - timedelta(hours=1)
    log.write_text((stream_error(7, at, "503") if lines == "503" else lines) + "\n")
    env = unit_env(systemctl) | with_log(log)
    for options in ([], ["--yes"]):
        found = recover(folder, *options, env=env | {"BAILEYS_TOOLS_RECOVER__AUTO": "true"})
        assert (found["status"], found["steps"], found["tried"]) == ("unknown", [], [])
        assert "level info" in found["person"][0]
    assert told(systemctl) == []
    # One that is down is started all the same, and that it runs is all that can be seen.
    (systemctl / "state").write_text("failed")
    assert recover(folder, "--yes", env=env)["status"] == "recovered"


@pytest.mark.parametrize(("minutes", "status"), [(200, "well"), (1, "needs-person")])
def test_one_whose_api_says_connected_is_neither_reconnected_nor_restarted_for_an_end_in_the_log(
    folder: Path, systemctl: Path, minutes: int, status: str
) -> None:
    """The opening after it may be in a file that was rotated away."""
    log, ended = folder.parents[1] / "bot.log", datetime.now(UTC) - timedelta(minutes=minutes)
    opened = pino("opened connection to WA", ended - timedelta(hours=1))
    log.write_bytes(as_bytes([opened, errored("Connection was lost", ended)]))
    bot = Bot(connected=True)
    with bot_api(bot) as server:
        env = api_env(server) | unit_env(systemctl) | with_log(log)
        found = recover(folder, "--yes", env=env, code=0 if status == "well" else 5)
    assert found["status"] == status
    assert [one["step"] for one in found["tried"]] == ([] if status == "well" else ["wait"])
    assert {method for method, _ in bot.asked} == {"GET /status"}
    assert told(systemctl) == []


def test_a_bot_that_was_killed_after_an_opening_is_not_called_well(folder: Path) -> None:
    """Its API was in it, and a bot that is killed leaves no line."""
    log = folder.parents[1] / "bot.log"
    log.write_bytes(as_bytes([pino("opened connection to WA", datetime.now(UTC) - timedelta(hours=6))]))
    with bot_api(Bot(connected=True)) as server:
        env = api_env(server) | with_log(log)
        assert recover(folder, env=env)["status"] == "well"
    found = recover(folder, "--dry-run", env=env)
    assert (found["status"], found["cause"]["cause"]) == ("planned", "unknown")
    assert "refused" in found["cause"]["evidence"][-1]
    run_cli("monitor-once", "--quiet", env=env_of(folder) | env)
    time.sleep(1.1)
    run_cli("monitor-once", "--quiet", env=env_of(folder) | env)
    listed = json.loads(run_cli("incidents", "--json", env=env_of(folder) | env).stdout)
    assert listed["services"] == [], "it is not known to be up"


def test_one_whose_process_is_down_is_in_an_incident_whatever_its_log_said_last(folder: Path) -> None:
    log = folder.parents[1] / "bot.log"
    log.write_bytes(as_bytes([pino("opened connection to WA", datetime.now(UTC) - timedelta(hours=6))]))
    env = with_log(log) | {"BAILEYS_TOOLS_PROCESS__PIDFILE": str(log.with_name("bot.pid"))}
    run_cli("monitor-once", "--quiet", env=env_of(folder) | env)
    (incident,) = json.loads(run_cli("incidents", "--json", env=env_of(folder) | env).stdout)["incidents"]
    assert (incident["cause"], incident["closed"]) == ("stopped", None)


def test_where_restarts_are_not_allowed_none_is_made(folder: Path, systemctl: Path) -> None:
    (systemctl / "state").write_text("failed")
    env = unit_env(systemctl) | {"BAILEYS_TOOLS_PROCESS__RESTART": "no"}
    found = recover(folder, "--yes", env=env, code=5)
    assert found["tried"] == []
    assert told(systemctl) == []


def test_a_running_bot_with_lost_creds_is_stopped_mended_and_started(folder: Path, systemctl: Path) -> None:
    before = lose_creds(folder)
    # It wrote a moment ago, as a bot that runs does.
    write_key(folder, "session-447700900100.0.json", timedelta(), "{}")
    before = {**before, b"session-447700900100.0.json": snapshot_tree(folder)[b"session-447700900100.0.json"]}
    found = recover(folder, "--yes", env=unit_env(systemctl))
    assert [one["step"] for one in found["tried"]][:2] == ["restore", "restart"]
    assert told(systemctl) == ["stop -- bot@1001", "restart -- bot@1001"]
    assert snapshot_tree(folder) == before


def test_a_bot_is_neither_stopped_nor_started_for_a_snapshot_that_is_damaged(
    folder: Path, systemctl: Path
) -> None:
    """It may have its creds in memory, and without them it would start as a new identity."""
    lose_creds(folder)
    (archive,) = (folder.parents[1] / "backups").rglob("*.tar.zst")
    archive.write_bytes(archive.read_bytes()[:-1])
    before = snapshot_tree(folder)
    found = recover(folder, "--yes", env=unit_env(systemctl), code=5)
    assert [one["step"] for one in found["tried"]] == ["restore"]
    assert "damaged" in found["tried"][0]["result"]
    assert told(systemctl) == []
    assert snapshot_tree(folder) == before


def test_a_process_that_companies_share_is_restarted_once_and_by_a_yes_alone(
    folder: Path, systemctl: Path
) -> None:
    shutil.copytree(folder, folder.parent / "company_1002")
    (systemctl / "state").write_text("failed")
    env = env_of(folder) | unit_env(systemctl) | {"BAILEYS_TOOLS_PROCESS__SYSTEMD": "bots"}
    auto = {"BAILEYS_TOOLS_RECOVER__AUTO": "true"}
    assert run_cli("recover", "--quiet", env=env | auto).returncode == 5
    assert told(systemctl) == []
    assert run_cli("recover", "--quiet", "--yes", env=env).returncode == 5
    assert told(systemctl) == ["restart -- bots"]


# --- what happens beside ------------------------------------------------------------------------------------


def test_two_at_a_time_are_one(folder: Path) -> None:
    import fcntl

    state = Path(os.environ["BAILEYS_TOOLS_STATE_DIR"])
    state.mkdir(mode=0o700, parents=True)
    with open(state / "recover.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_cli("recover", "--yes", env=env_of(folder))
        assert done.returncode == 75
        assert run_cli("recover", "--dry-run", env=env_of(folder)).returncode == 0


def test_an_alert_goes_out_once_and_an_end_of_it(folder: Path) -> None:
    from tests.servers import Reply, answering

    with answering(lambda _: Reply({})) as hook:
        env = {"NOTIFICATION_WEBHOOK": hook.url}
        with bot_api(Bot()) as server:
            recover(folder, env=api_env(server) | env, code=5)
            recover(folder, env=api_env(server) | env, code=5)
        (told_first,) = hook.requests
        assert "recovery-due" in told_first.body.decode()
        with bot_api(Bot(connects_after=1)) as server:
            recover(folder, "--yes", env=api_env(server) | env)
        assert len(hook.requests) == 2
        assert b"recovered" in hook.requests[1].body


def test_a_process_that_runs_is_no_sign_of_a_bot_that_is_away(folder: Path) -> None:
    pidfile = folder.parents[1] / "bot.pid"
    pidfile.write_text(f"{os.getpid()}\n")
    found = recover(folder, "--yes", env={"BAILEYS_TOOLS_PROCESS__PIDFILE": str(pidfile)})
    assert (found["status"], found["steps"]) == ("unknown", [])
