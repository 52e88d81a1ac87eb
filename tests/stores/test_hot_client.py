"""A client that writes without a pause while `cleanup` loops: no write is lost, none fails, and they take as long.

HOT_SECONDS=600 HOT_REMOVALS=20000 python -m pytest -s -k hot_client measures for longer, and prints what it measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.real_client import HERE, require_node
from tests.integration.faults.forked import run_cli
from tests.support import scrubbed_environment

pytestmark = [
    pytest.mark.contract,
    pytest.mark.faults,
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("stores"),
]
SECONDS = int(os.environ.get("HOT_SECONDS", "15"))
REMOVALS = int(os.environ.get("HOT_REMOVALS", "1000"))


def hot(preset: str, address: str, home: Path, settings: dict[str, Any] | None) -> dict[str, Any]:
    """Let the client write; with settings, clean its session over and over meanwhile."""
    words = ["--baileys", "baileys6", "--preset", preset, "--address", address]
    env = scrubbed_environment({"HOME": str(home)})
    command = [require_node(), str(HERE / "hot_client.mjs"), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
    ) as client:
        assert client.stdout is not None and client.stdin is not None
        assert client.stdout.readline() == "ready\n"
        passes = removed = 0
        until = time.monotonic() + SECONDS
        if settings is not None:
            config = home / "config.yaml"
            config.write_text(json.dumps(settings))
            config.chmod(0o600)
            state = {"BAILEYS_TOOLS_STATE_DIR": str(home / "state")}
            while time.monotonic() < until or removed < REMOVALS:
                assert client.poll() is None
                done = run_cli("cleanup", "--json", "--config", str(config), cwd=home, env=state)
                assert done.returncode in (0, 3), done.stdout + done.stderr
                passes += 1
                (company,) = json.loads(done.stdout)["companies"]
                removed += (company.get("result") or {}).get("removed", 0)
        else:
            time.sleep(SECONDS)
        client.stdin.write("stop\n")
        client.stdin.flush()
        report: dict[str, Any] = json.loads(client.stdout.read())
    assert client.returncode == 0
    return {**report, "passes": passes, "told": removed}


@pytest.mark.parametrize("preset", ["prisma-session", "fazer", "baileys-sqlite"])
def test_no_write_of_a_hot_client_is_lost_and_none_waits(
    preset: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    kind = {"prisma-session": "postgres", "fazer": "redis"}.get(preset)
    address = request.getfixturevalue(f"{kind}_url") if kind else f"sqlite://{tmp_path}/alone.db"
    alone = hot(preset, address, tmp_path, None)
    address = address.replace("alone.db", "beside.db")
    root = {"store": address, "preset": preset, "name": "bot"}
    beside = hot(preset, address, tmp_path, {"sessions": {"roots": [root]}, "pre_keys": {"guard": False}})
    print(json.dumps({"preset": preset, "alone": alone, "beside": beside}))
    for one in (alone, beside):
        assert one["lost"] == []
        assert one["errors"] == 0
    assert beside["passes"] > 1
    assert beside["removed"] == beside["told"] >= REMOVALS
    assert alone["removed"] == 0
