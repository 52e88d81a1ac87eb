"""A client that writes without a pause while `cleanup` loops: no write is lost, none fails, and they take as long.

HOT_ROUNDS=5 HOT_SECONDS=30 HOT_REMOVALS=20000 python -m pytest -s -n 0 -m faults -k hot_client measures for longer, a
client alone and one beside cleanups in turns, and says how much longer its slowest writes took. HOT_EVERY=1 has a
cleanup begin each second, and not as soon as the one before it has ended.
"""

from __future__ import annotations

import json
import os
import statistics
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
ROUNDS = int(os.environ.get("HOT_ROUNDS", "1"))
EVERY = float(os.environ.get("HOT_EVERY", "0"))


def hot(preset: str, address: str, home: Path, settings: dict[str, Any] | None) -> dict[str, Any]:
    """Let the client write; with settings, clean its session over and over meanwhile."""
    words = ["--baileys", "baileys6", "--preset", preset, "--address", address]
    env = scrubbed_environment({"HOME": str(home)})
    command = [require_node(), str(HERE / "hot_client.mjs"), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
    ) as client:
        try:
            assert client.stdout is not None and client.stdin is not None
            assert client.stdout.readline() == "ready\n"
            told = {} if settings is None else cleaned(client, home, settings)
            if settings is None:
                time.sleep(SECONDS)
            client.stdin.write("stop\n")
            client.stdin.flush()
            report: dict[str, Any] = json.loads(client.stdout.read())
            assert client.wait(60) == 0
        finally:
            client.kill()  # it writes until it is told to stop
    return {**report, **told}


def cleaned(client: subprocess.Popen[str], home: Path, settings: dict[str, Any]) -> dict[str, int]:
    """Clean the session of a client over and over, and return how often and how much."""
    config = home / "config.yaml"
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    state = {"BAILEYS_TOOLS_STATE_DIR": str(home / "state")}
    passes = removed = 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or removed < REMOVALS // ROUNDS:
        assert client.poll() is None
        next_at = time.monotonic() + EVERY
        done = run_cli("cleanup", "--json", "--config", str(config), cwd=home, env=state)
        assert done.returncode in (0, 3), done.stdout + done.stderr
        passes += 1
        (company,) = json.loads(done.stdout)["companies"]
        removed += (company.get("result") or {}).get("removed", 0)
        time.sleep(max(0.0, next_at - time.monotonic()))
    return {"passes": passes, "told": removed}


@pytest.mark.parametrize("preset", ["prisma-session", "fazer", "baileys-sqlite"])
def test_no_write_of_a_hot_client_is_lost_and_none_waits(
    preset: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    kind = {"prisma-session": "postgres", "fazer": "redis"}.get(preset)
    ratios = []
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        home.mkdir()
        address = request.getfixturevalue(f"{kind}_url") if kind else f"sqlite://{home}/alone.db"
        alone = hot(preset, address, home, None)
        address = address.replace("alone.db", "beside.db")
        root = {"store": address, "preset": preset, "name": "bot"}
        beside = hot(preset, address, home, {"sessions": {"roots": [root]}, "pre_keys": {"guard": False}})
        ratios.append(beside["p99"] / alone["p99"])
        print(json.dumps({"preset": preset, "alone": alone, "beside": beside, "load": os.getloadavg()[0]}))
        for one in (alone, beside):
            assert one["lost"] == []
            assert one["errors"] == 0
        assert beside["passes"] > 1
        assert beside["removed"] == beside["told"] >= REMOVALS // ROUNDS
        assert alone["removed"] == 0
    print(f"{preset}: p99 beside a cleanup / alone, median of {ROUNDS}: {statistics.median(ratios):.2f}")
