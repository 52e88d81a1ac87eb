"""A session whose creds a kill has emptied: recovered from its snapshot, and the real Baileys takes it for the same."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fixtures.lay import lay
from tests.bot import Bot, api_env, bot_api
from tests.contract.real_client import GENERATE, require_node
from tests.integration.faults.forked import run_cli
from tests.support import snapshot_tree, write_key

LOAD = """
const { useMultiFileAuthState } = await import(process.argv[2])
const { state } = await useMultiFileAuthState(process.argv[1])
const { me, noiseKey, registrationId, nextPreKeyId } = state.creds
const pre = await state.keys.get('pre-key', [String(nextPreKeyId - 1)])
console.log(JSON.stringify({ me, noise: noiseKey.public.toString('base64'), registrationId, pre: Object.keys(pre) }))
"""


def load(folder: Path, baileys: str) -> Any:
    """What the real Baileys reads in a session folder, as a bot at its start does."""
    package = GENERATE / "node_modules" / baileys
    entry = package / json.loads((package / "package.json").read_text())["main"]
    done = subprocess.run(
        [require_node(), "--input-type=module", "-e", LOAD, folder, entry],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["baileys6", "baileys7"])
def bot(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A folder that the real Baileys has written, with a snapshot of it."""
    require_node()
    names = {"baileys6": "healthy-v6", "baileys7": "long-lived-v7"}
    root = lay(names[request.param], tmp_path / "sessions", datetime.now(UTC))
    folder = next(path for path in sorted(root.iterdir()) if (path / "creds.json").exists())
    return folder, request.param


def env_of(folder: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(folder.parents[1] / "backups"),
        "BAILEYS_TOOLS_RECOVER__WAIT": "1s",
        "BAILEYS_TOOLS_RECOVER__FIRST_DELAY": "0",
    }


def recover(folder: Path, env: dict[str, str]) -> Any:
    company = folder.name.removeprefix("company_")
    done = run_cli("recover", "--company", company, "--yes", "--json", env=env_of(folder) | env)
    assert done.stdout, done.stderr
    (found,) = json.loads(done.stdout)["companies"]
    return found


@pytest.mark.contract
def test_emptied_creds_come_back_as_the_same_account(bot: tuple[Path, str]) -> None:
    folder, baileys = bot
    before, tree = load(folder, baileys), snapshot_tree(folder)
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    modified = (folder / "creds.json").stat().st_mtime
    write_key(folder, "creds.json", datetime.now(UTC) - datetime.fromtimestamp(modified, UTC), "")
    lost = load(folder, baileys)
    assert lost.get("me") is None, "a bot that starts now would make a new identity"
    assert lost["noise"] != before["noise"]
    found = recover(folder, {})
    assert found["cause"]["cause"] == "creds-lost"
    assert [one["step"] for one in found["tried"]] == ["restore"]
    assert load(folder, baileys) == before
    assert {name: entry for name, entry in snapshot_tree(folder).items() if name != b"creds.json"} == {
        name: entry for name, entry in tree.items() if name != b"creds.json"
    }


@pytest.mark.contract
def test_a_passing_refusal_is_recovered_by_reconnecting_with_nothing_touched(bot: tuple[Path, str]) -> None:
    folder, baileys = bot
    before, tree = load(folder, baileys), snapshot_tree(folder, ignore=())
    log = folder.parents[1] / "bot.log"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    lines = [
        {"level": 30, "time": now, "class": "baileys", "msg": "connected to WA"},
        {"level": 30, "time": now, "class": "baileys", "msg": "logging in..."},
        {
            "level": 30,
            "time": now,
            "class": "baileys",
            "trace": "Error: Connection Failure\n    at WebSocket",
            "msg": "connection errored",
        },
    ]
    log.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    config = folder.parents[1] / "c.yaml"
    config.write_text(f"logs: [{{path: {log}, company: {folder.name.removeprefix('company_')}}}]\n")
    here = Bot(connects_after=2)
    with bot_api(here) as server:
        found = recover(folder, api_env(server) | {"BAILEYS_TOOLS_CONFIG": str(config)})
    assert found["cause"]["cause"] == "temporary-auth-failure"
    assert (found["status"], [one["step"] for one in found["tried"]]) == ("recovered", ["reconnect"])
    assert here.count("POST /init") == here.count("GET /qr") == 0
    assert snapshot_tree(folder, ignore=()) == tree
    assert load(folder, baileys) == before
