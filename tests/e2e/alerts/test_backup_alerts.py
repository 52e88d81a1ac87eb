"""What a backup and a verification tell the operator's channel: a real webhook on loopback."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Server, answering
from tests.support import company_folder, creds, write_key

OLD = timedelta(hours=5)


@pytest.fixture
def server() -> Iterator[Server]:
    with answering(lambda request: Reply({})) as server:
        yield server


@pytest.fixture
def env(tmp_path: Path, server: Server) -> dict[str, str]:
    for company in ("1001", "1002"):
        folder = company_folder(tmp_path / "sessions", company, {"session-1.0.json": OLD})
        write_key(folder, "creds.json", OLD, json.dumps(creds()))
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "BAILEYS_TOOLS_NOTIFY__WEBHOOK": server.url,
    }


def told(server: Server) -> list[Any]:
    """What came in since the last call."""
    found = [request.body.decode() for request in server.requests]
    server.requests.clear()
    return found


def test_a_backup_that_went_well_tells_nobody(env, server):
    for _ in range(2):
        assert run_cli("backup", "--quiet", env=env).returncode == 0
    assert told(server) == []


def test_a_folder_that_is_no_session_is_told_once_and_so_is_its_end(env, server, tmp_path):
    (tmp_path / "sessions/company_1002/creds.json").write_bytes(b"")
    for _ in range(3):
        assert run_cli("backup", "--quiet", env=env).returncode == 3
    (message,) = told(server)
    assert "1002" in message
    assert "creds.json is empty" in message
    write_key(tmp_path / "sessions/company_1002", "creds.json", OLD, json.dumps(creds()))
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    (message,) = told(server)
    assert "1002" in message
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    assert told(server) == []


def test_copies_that_fail_are_told_and_the_exit_code_stays(env, server):
    env["BAILEYS_TOOLS_BACKUP__COPIES"] = "file:///proc/nowhere"
    assert run_cli("backup", "--quiet", env=env).returncode == 4
    (message,) = told(server)
    assert "/proc/nowhere" in message


def test_copies_that_another_run_is_sending_are_not_said_to_be_over(env, server, tmp_path):
    env["BAILEYS_TOOLS_BACKUP__COPIES"] = "file:///proc/nowhere"
    assert run_cli("backup", "--quiet", env=env).returncode == 4
    assert len(told(server)) == 1
    copying = os.open(tmp_path / "repository", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(copying, fcntl.LOCK_EX)
        done = run_cli("backup", env=env)
    finally:
        os.close(copying)
    assert (done.returncode, "another run is sending them" in done.stdout) == (0, True)
    assert told(server) == []
    env["BAILEYS_TOOLS_BACKUP__COPIES"] = f"file://{tmp_path}/disk"
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    assert len(told(server)) == 1, "now it is over"


@pytest.mark.parametrize("command", [("verify",), ("prune",)])
def test_a_damaged_snapshot_is_told_when_it_is_found_and_not_again(env, server, tmp_path, command):
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    for _ in range(2):
        assert run_cli("backup", "--quiet", "--force", env=env).returncode == 0
    newest = max((tmp_path / "repository/company_1001").glob("*.tar.zst"))
    newest.write_bytes(newest.read_bytes()[:-1])
    rules = {f"BAILEYS_TOOLS_BACKUP__KEEP_{rule}": "0" for rule in ("HOURLY", "DAILY", "WEEKLY")}
    rules |= {"BAILEYS_TOOLS_BACKUP__KEEP_LAST": "1", "BAILEYS_TOOLS_BACKUP__MINIMUM": "1"}
    assert run_cli(*command, "--quiet", env=env | rules).returncode == (11 if command[0] == "verify" else 4)
    (message,) = told(server)
    assert "1001" in message
    assert "damaged" in message
    run_cli(*command, "--quiet", env=env | rules)
    assert told(server) == []


def test_a_channel_that_is_down_changes_no_result(env, server):
    env["BAILEYS_TOOLS_NOTIFY__WEBHOOK"] = "http://127.0.0.1:9"
    env["BAILEYS_TOOLS_BACKUP__COPIES"] = "file:///proc/nowhere"
    assert run_cli("backup", "--quiet", env=env).returncode == 4
