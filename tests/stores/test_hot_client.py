"""A client that writes without a pause while `cleanup` loops: no write is lost, none fails, and they take as long.

HOT_ROUNDS=5 HOT_SECONDS=30 HOT_REMOVALS=20000 python -m pytest -s -n 0 -m faults -k hot_client measures for longer, a
client alone, one beside dry runs and one beside cleanups in turns, and says how much longer its slowest writes took. A
dry run holds nothing that a bot could wait for: what it costs is the processor. HOT_EVERY=1 has a run begin each
second, and not as soon as the one before it has ended.
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
from tests.support import run_cli, scrubbed_environment

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
TURNS = {"alone": (), "dry runs": ("cleanup", "--dry-run"), "cleanups": ("cleanup",)}


def hot(
    preset: str, address: str, home: Path, settings: dict[str, Any] | None, *words: str
) -> dict[str, Any]:
    """Let the client write; with settings, run `words` over and over meanwhile."""
    options = ["--baileys", "baileys6", "--preset", preset, "--address", address]
    env = scrubbed_environment({"HOME": str(home)})
    command = [require_node(), str(HERE / "hot_client.mjs"), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
    ) as client:
        try:
            assert client.stdout is not None and client.stdin is not None
            assert client.stdout.readline() == "ready\n"
            told = {} if settings is None else looped(client, home, settings, *words)
            if settings is None:
                time.sleep(SECONDS)
            client.stdin.write("stop\n")
            client.stdin.flush()
            report: dict[str, Any] = json.loads(client.stdout.read())
            assert client.wait(60) == 0
        finally:
            client.kill()  # it writes until it is told to stop
    return {**report, **told}


def looped(
    client: subprocess.Popen[str], home: Path, settings: dict[str, Any], *words: str
) -> dict[str, int]:
    """Run a command for the session of a client over and over, and return how often and how much it removed."""
    config = home / "config.yaml"
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    state = {"BAILEYS_TOOLS_STATE_DIR": str(home / "state")}
    passes = removed = 0
    until = time.monotonic() + SECONDS
    wanted = 0 if "--dry-run" in words else REMOVALS // ROUNDS
    while time.monotonic() < until or removed < wanted:
        assert client.poll() is None
        next_at = time.monotonic() + EVERY
        done = run_cli(*words, "--json", "--config", str(config), cwd=home, env=state)
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
    ratios: dict[str, list[float]] = {"dry runs": [], "cleanups": []}
    for number in range(ROUNDS):
        turns: dict[str, dict[str, Any]] = {}
        for turn, words in TURNS.items():
            home = tmp_path / f"{number} {turn}"
            home.mkdir()
            address = request.getfixturevalue(f"{kind}_url") if kind else f"sqlite://{home}/auth.db"
            root = {"store": address, "preset": preset, "name": "bot"}
            settings = {"sessions": {"roots": [root]}, "pre_keys": {"guard": False}}
            turns[turn] = hot(preset, address, home, settings if words else None, *words)
            assert turns[turn]["lost"] == []
            assert turns[turn]["errors"] == 0
        for turn, found in ratios.items():
            found.append(turns[turn]["p99"] / turns["alone"]["p99"])
        print(json.dumps({"preset": preset, **turns, "load": os.getloadavg()[0]}))
        beside = turns["cleanups"]
        assert beside["passes"] > 1
        assert beside["removed"] == beside["told"] >= REMOVALS // ROUNDS
        assert turns["alone"]["removed"] == turns["dry runs"]["removed"] == 0
    told = ", ".join(f"{turn} {statistics.median(found):.2f}" for turn, found in ratios.items())
    print(f"{preset}: p99 beside / alone, median of {ROUNDS}: {told}")
