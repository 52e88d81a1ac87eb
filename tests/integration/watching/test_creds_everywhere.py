"""One `creds.json`, and what every command says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bot import Bot, api_env, bot_api
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds

KEY = "session-447700900100.0.json"
WHOLE = json.dumps(creds()).encode()


def unpaired(**changes: Any) -> bytes:
    return json.dumps(creds(me=None, account=None, **changes)).encode()


LOST: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "unreadable": WHOLE[:40],
    "wrongly-encoded": b"\xef\xbb\xbf" + WHOLE,
    "incomplete": json.dumps(creds(noiseKey=None)).encode(),
    "unpaired": unpaired(),
}
CODES = {state: f"creds-{state}" for state in LOST} | {"wrongly-encoded": "creds-encoding"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = company_folder(tmp_path / "sessions")
    (folder / KEY).write_text("{}")
    return folder


@pytest.fixture
def ask(folder: Path) -> Callable[..., Any]:
    env = {"BAILEYS_SESSIONS_PATH": str(folder.parent)}

    def ask(*words: str, **more: str) -> Any:
        done = run_cli(*words, "--json", env=env | more)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return ask


def put(folder: Path, content: bytes | None) -> None:
    if content is None:
        (folder / "creds.json").unlink()
    else:
        (folder / "creds.json").write_bytes(content)


def emergencies(company: Any) -> list[str]:
    return [one["code"] for one in company["findings"] if one["severity"] == "emergency"]


@pytest.mark.parametrize("connected", [False, True], ids=["away", "still-connected"])
@pytest.mark.parametrize("state", LOST)
def test_every_command_says_the_same_of_lost_creds(
    folder: Path, ask: Callable[..., Any], state: str, connected: bool
) -> None:
    """The incident of `monitor-once` has the cause that `recover` finds."""
    put(folder, LOST[state])
    with bot_api(Bot(connected=connected)) as server:
        (watched,) = ask("monitor-once", **api_env(server))["companies"]
        (incident,) = ask("incidents")["incidents"]
        (recovered,) = ask("recover", "--dry-run", **api_env(server))["companies"]
    (shown,) = ask("status")["companies"]
    inspected = ask("inspect", "--company", "1001")
    assert {watched["creds"], shown["creds"], inspected["folder"]["creds"]} == {state}
    codes = [CODES[state]]
    assert emergencies(watched) == emergencies(shown) == emergencies(inspected) == codes
    assert incident["cause"] == recovered["cause"]["cause"] == "creds-lost"


def test_a_new_identity_over_a_session_that_has_snapshots_is_a_loss_everywhere(
    folder: Path, ask: Callable[..., Any], tmp_path: Path
) -> None:
    """A container came back with an empty volume and a fresh state: the repository alone knows the session."""
    backup = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    ask("backup", **backup)
    (folder / KEY).unlink()
    put(folder, unpaired(nextPreKeyId=1, firstUnuploadedPreKeyId=1))
    fresh = backup | {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "fresh")}
    (recovered,) = ask("recover", "--dry-run", **fresh)["companies"]
    (watched,) = ask("monitor-once", **fresh)["companies"]
    (shown,) = ask("status", **fresh)["companies"]
    inspected = ask("inspect", "--company", "1001", **fresh)
    assert recovered["cause"]["cause"] == "creds-lost"
    assert emergencies(watched) == emergencies(shown) == emergencies(inspected) == ["creds-unpaired"]


def test_the_first_snapshot_tells_also_of_a_folder_that_stood_still_since_an_earlier_look(
    folder: Path, ask: Callable[..., Any], tmp_path: Path
) -> None:
    backup = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    ask("backup", **backup)
    (folder / KEY).unlink()
    put(folder, unpaired())
    (before,) = ask("monitor-once")["companies"]
    assert emergencies(before) == []
    (after,) = ask("monitor-once", **backup)["companies"]
    assert emergencies(after) == ["creds-unpaired"]
