"""What other commands make of a bot that runs: restore refuses, cleanup and trigger may wait, the monitor tells."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.bot import Bot, api_env, bot_api
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, snapshot_tree

SCHEMAS = Path(__file__).parents[3] / "docs/json"
OLD = timedelta(days=20)
SYNC_KEY = "app-state-sync-key-AAAAAAAA.json"
"""A file that a repair brings back, as it does no session while the bot may have moved on."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company folder, quiet for an hour, with old sessions."""
    keys = {f"session-4477009001{n:02}.0.json": OLD for n in range(5)} | {SYNC_KEY: OLD}
    folder = company_folder(tmp_path / "sessions", keys=keys)
    moment = (folder / "creds.json").stat().st_mtime - 3600
    os.utime(folder / "creds.json", (moment, moment))
    return folder


def env_of(folder: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(folder.parents[1] / "backups"),
    }


def damage(folder: Path) -> None:
    done = run_cli("backup", "--quiet", env=env_of(folder))
    assert done.returncode == 0, done.stderr
    (folder / SYNC_KEY).unlink()


@pytest.mark.parametrize(
    ("bot", "state"),
    [(Bot(connected=True), "connected"), (Bot(status="connecting"), "connecting")],
    ids=["connected", "connecting"],
)
def test_restore_refuses_while_the_bot_has_its_session_in_memory(folder: Path, bot: Bot, state: str) -> None:
    """What is on its way to be connected writes its creds over those that come back, too."""
    damage(folder)
    before = snapshot_tree(folder)
    restore = ("restore", "--company", "1001", "--yes")
    with bot_api(bot) as server:
        refused = run_cli(*restore, env=env_of(folder) | api_env(server))
        assert refused.returncode == 13
        assert f"the bot runs: its API says that it is {state}" in refused.stderr
        assert snapshot_tree(folder) == before
        forced = run_cli(*restore, "--force", env=env_of(folder) | api_env(server))
        assert forced.returncode == 0, forced.stderr
    assert snapshot_tree(folder) != before


def test_restore_goes_on_when_it_is_not_connected_or_nobody_knows(folder: Path) -> None:
    for bot in (Bot(), Bot(fail=500)):
        damage(folder)
        with bot_api(bot) as server:
            done = run_cli("restore", "--company", "1001", "--yes", env=env_of(folder) | api_env(server))
        assert done.returncode == 0, done.stderr


def test_restore_refuses_while_a_configured_process_runs(folder: Path, tmp_path: Path) -> None:
    damage(folder)
    pidfile = tmp_path / "bot.pid"
    env = env_of(folder) | {"BAILEYS_TOOLS_PROCESS__PIDFILE": str(pidfile)}
    pidfile.write_text(str(os.getpid()))
    refused = run_cli("restore", "--company", "1001", "--yes", env=env)
    assert refused.returncode == 13
    assert f"its process runs (pidfile {pidfile})" in refused.stderr
    pidfile.unlink()
    assert run_cli("restore", "--company", "1001", "--yes", env=env).returncode == 0


def cleanup(folder: Path, command: str, env: dict[str, str], *options: str) -> Any:
    done = run_cli(command, "--json", *options, env={"BAILEYS_SESSIONS_PATH": str(folder.parent)} | env)
    found = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{command}.schema.json").read_text())).validate(
        found
    )
    assert done.returncode == 0
    (company,) = found["companies"]
    return company


SKIP = {"BAILEYS_TOOLS_CLEANUP__WHEN_CONNECTED": "skip"}


def test_a_cleanup_under_a_connected_bot_is_allowed_or_skipped(folder: Path) -> None:
    before = snapshot_tree(folder)
    with bot_api(Bot(connected=True)) as server:
        env = api_env(server)
        assert cleanup(folder, "cleanup", env | SKIP)["status"] == "connected"
        assert cleanup(folder, "cleanup", env | SKIP, "--dry-run")["status"] == "connected"
        assert snapshot_tree(folder) == before
        text = run_cli("cleanup", env={"BAILEYS_SESSIONS_PATH": str(folder.parent)} | env | SKIP).stdout
        assert "its bot is connected (cleanup.when_connected: skip)" in text
        assert cleanup(folder, "cleanup", env)["status"] == "cleaned"
    with bot_api(Bot()) as server:
        assert cleanup(folder, "cleanup", api_env(server) | SKIP)["status"] == "cleaned"


def test_a_trigger_waits_for_a_connected_bot_if_it_is_told_to(tmp_path: Path) -> None:
    keys = {f"session-44770090{n:04}.0.json": OLD for n in range(190)}
    folder = company_folder(tmp_path / "sessions", keys=keys)
    before = snapshot_tree(folder)
    with bot_api(Bot(connected=True)) as server:
        waits = cleanup(folder, "trigger", api_env(server) | SKIP)
        assert (waits["status"], waits["reason"]) == ("waits", "connected")
        assert snapshot_tree(folder) == before
        text = run_cli(
            "trigger", env={"BAILEYS_SESSIONS_PATH": str(folder.parent)} | api_env(server) | SKIP
        ).stdout
        assert "its bot is connected" in text
    with bot_api(Bot()) as server:
        cleanup(folder, "trigger", api_env(server) | SKIP)
    assert len(snapshot_tree(folder)) < 10


def test_the_monitor_tells_of_a_lost_connection_and_a_dead_process(folder: Path, tmp_path: Path) -> None:
    env = {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_PROCESS__PIDFILE": str(tmp_path / "no.pid"),
    }

    def codes(bot: Bot) -> set[str]:
        with bot_api(bot) as server:
            found = json.loads(run_cli("monitor-once", "--json", env=env | api_env(server)).stdout)
        (company,) = found["companies"]
        return {finding["code"] for finding in company["findings"]}

    assert {"connection-lost", "process-down"} <= codes(Bot())
    assert not {"connection-lost", "connection-unknown"} & codes(Bot(connected=True))
    assert "connection-unknown" in codes(Bot(fail=503))


def test_a_folder_whose_name_is_no_utf8_stops_nobody(folder: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    company_folder(folder.parent, odd)
    env = {"BAILEYS_SESSIONS_PATH": str(folder.parent)} | SKIP
    with bot_api(Bot(connected=True)) as server:
        env |= api_env(server)
        for command in (["monitor-once"], ["recover"], ["cleanup"], ["reconnect", "--company", odd]):
            done = run_cli(*command, env=env)
            assert "internal error" not in done.stderr
            assert done.returncode in (0, 4), (command, done.stderr)
    assert {asked.path.rpartition("/")[2] for asked in server.requests} == {"1001", "%FF%FE"}


def test_a_fleet_is_asked_side_by_side_within_its_time(tmp_path: Path) -> None:
    import time

    from baileys_tools.bots.asking import connections
    from baileys_tools.bots.rules.connection import ConnectionState
    from baileys_tools.config import load_settings
    from tests.servers import Reply, Request, answering, hangs, speaking

    def slow(request: Request) -> Reply:
        time.sleep(0.5)
        return Reply(Bot(connected=True).answer(request).content)

    ids = [str(number) for number in range(24)]
    with answering(slow) as server:
        settings = load_settings({}, api_env(server), home=str(tmp_path), cwd=str(tmp_path)).settings
        started = time.monotonic()
        found = connections(settings, ids)
        assert time.monotonic() - started < 24 * 0.5 / 2
    assert {answer.state for answer in found.values()} == {ConnectionState.CONNECTED}
    assert list(found) == ids
    with speaking(hangs) as url:
        settings = load_settings({}, {"API_URL": url, "BAILEYS_TOOLS_BOT_API__PRESET": "waha"}).settings
        started = time.monotonic()
        found = connections(settings, [*ids, *(f"more-{one}" for one in ids)], within=0.5)
        assert time.monotonic() - started < 10
    assert {answer.state for answer in found.values()} == {ConnectionState.UNKNOWN}
    assert any("no time was left" in answer.detail for answer in found.values())
