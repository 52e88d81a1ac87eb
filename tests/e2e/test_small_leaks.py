"""What somebody else wrote (a creds.json, the times of a file, an address, a path) and what the command makes of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.watching.kept_incidents import add_entry, open_incident
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, missing, write_key

NUMBER = "4917012345678"

LOOKING = [
    ["doctor"],
    ["status"],
    ["status", "--json"],
    ["status", "--company", "1001"],
    ["inspect", "--company", "1001", "--verbose"],
    ["inspect", "--company", "1001", "--json"],
    ["monitor-once", "--no-notify"],
    ["cleanup", "--dry-run", "--verbose"],
    ["cleanup", "--json"],
    ["undo", "--list"],
    ["trigger"],
    ["backup"],
    ["snapshots"],
    ["restore", "--company", "1001", "--dry-run"],
    ["reset", "--company", "1001", "--dry-run"],
    ["recover", "--dry-run"],
    ["report", "--quiet"],
]


@pytest.fixture
def far_place() -> Iterator[Path]:
    """A folder on a file system that keeps times far beyond Python's calendar."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:
        probe = Path(place) / "probe"
        probe.touch()
        try:
            os.utime(probe, (10**14, 10**14))
        except OSError:
            missing("a file system with times beyond the year 9999")
        if probe.stat().st_mtime != 10**14:
            missing("a file system with times beyond the year 9999")
        yield Path(place)


@pytest.mark.parametrize("seconds", [10**14, -(10**14), -1, 253_402_300_800], ids=str)
def test_no_time_of_a_file_ends_a_command(far_place: Path, tmp_path: Path, seconds: int) -> None:
    names = [
        "session-1.0.json",
        "pre-key-1.json",
        "sender-key-1@g.us--2--3.json",
        "lid-mapping-1.json",
        "notes",
    ]
    root = far_place / "sessions"
    other = company_folder(root, "1002", dict.fromkeys(names, datetime.now(UTC) - datetime.now(UTC)))
    folder = company_folder(root)
    for name in names:
        write_key(folder, name)
    for path in (*folder.iterdir(), folder):
        os.utime(path, (seconds, seconds))
    environment = {
        "BAILEYS_SESSIONS_PATH": str(root),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
    }
    for words in LOOKING:
        done = run_cli(*words, env=environment)
        assert "internal error" not in done.stderr, words
        assert "Value too large" not in done.stdout, words
        assert done.returncode in (0, 3, 4, 5), (words, done.stdout, done.stderr)
    assert (other / "creds.json").exists()


def test_nothing_raw_from_creds_reaches_the_terminal(tmp_path: Path) -> None:
    user = "\x1b]0;owned\x07\u202e49170\n12345678\x1b[2J"
    me = {"id": f"{user}:17@s.whatsapp.net", "lid": f"{user}@lid", "name": user}
    company_folder(tmp_path, me=me)
    environment = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path.parent / "copies"),
    }
    for words in LOOKING:
        done = run_cli(*words, env=environment)
        for raw in ("\x1b", "\x07", "\u202e", "owned"):
            assert raw not in done.stdout + done.stderr, words
    long = creds(me={"id": "4" * 1_000_000 + ":17@s.whatsapp.net"})
    write_key(tmp_path / "company_1001", "creds.json", content=json.dumps(long))
    shown = run_cli("inspect", "--company", "1001", env=environment)
    assert len(shown.stdout) < 10_000
    assert "44****44:17" in shown.stdout


def test_an_incident_that_is_passed_on_has_no_phone_number(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    company_folder(tmp_path / "sessions", NUMBER)
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], now) as state:
        incident = open_incident(state, NUMBER, "logged-out", now)
        add_entry(state, incident, "seen", f"session-{NUMBER}.0.json is damaged, {NUMBER}:17 waits", now)
    filed = run_cli("incidents", "--markdown", str(incident))
    assert filed.returncode == 0
    assert NUMBER not in filed.stdout
    assert "49****78" in filed.stdout
    [one] = json.loads(run_cli("incidents", "--json").stdout)["incidents"]
    assert one["company"] == NUMBER, "by its name programs know it"
    assert NUMBER not in json.dumps(one["timeline"])


@pytest.mark.parametrize("ending", ["\n* * * * * touch /tmp/hit", "\r* * * * * touch /tmp/hit"])
@pytest.mark.parametrize(
    "variable",
    [
        "BAILEYS_TOOLS_STATE_DIR",
        "BAILEYS_SESSIONS_PATH",
        "BAILEYS_TOOLS_BACKUP_PATH",
        "BAILEYS_TOOLS_CRON__LOG",
        "BAILEYS_TOOLS_MONITOR__TEXTFILE",
        "BAILEYS_TOOLS_CONFIG",
        "PM2_HOME",
        "HOME",
    ],
)
@pytest.mark.parametrize("option", ["", "--systemd"])
def test_no_line_break_of_a_setting_reaches_a_crontab_or_a_unit(
    tmp_path: Path, variable: str, ending: str, option: str
) -> None:
    company_folder(tmp_path / "sessions")
    place = tmp_path / f"place{ending.replace('/', '_')}"
    place.mkdir()
    value = place
    if variable == "BAILEYS_SESSIONS_PATH":
        company_folder(place)
    if variable == "BAILEYS_TOOLS_CONFIG":
        value = place / "settings.yaml"
        value.write_text("{}")
    environment = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_PROCESS__PM2": "shop",
        variable: str(value),
    }
    if variable == "HOME" and os.geteuid() != 0:
        environment["BAILEYS_TOOLS_STATE_DIR"] = ""  # root's default is /var/lib, whatever HOME says
    done = run_cli("cron", "show", *filter(None, [option]), env=environment)
    # Nothing of it may begin a line, as cron (\n) and systemd (\r as well) have lines.
    assert not [
        line for line in done.stdout.replace("\r", "\n").split("\n") if line.startswith("* * * * * touch")
    ]
    assert "internal error" not in done.stderr


ADDRESSES = {
    "in the path": "https://bots.example.org/api/hunter2hunter2x9",
    "long and in the path": "https://bots.example.org/hQzJtRbLmWxKpVnYhunter",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("name", ["BAILEYS_TOOLS_BOT_API__URL", "BAILEYS_TOOLS_NOTIFY__TELEGRAM_API"])
def test_a_token_in_an_address_is_shown_nowhere(tmp_path: Path, name: str, address: str) -> None:
    company_folder(tmp_path)
    environment = {"BAILEYS_SESSIONS_PATH": str(tmp_path), name: address}
    for words in (["config", "show"], ["config", "show", "--json"], ["cron", "show"], ["doctor"], ["status"]):
        done = run_cli(*words, env=environment)
        assert "hunter" not in done.stdout + done.stderr, words
        if words == ["config", "show"]:
            assert "https://bots.example.org/" in done.stdout, "enough of it to know it by"
    # A file of mode 0600 has it whole.
    made = tmp_path / "made.yaml"
    assert run_cli("config", "init", str(made), env=environment).returncode == 0
    assert address in made.read_text()


@pytest.mark.parametrize(
    "address",
    [
        "https://me:hunter2@bots.example.org",
        "https://bots.example.org/x?key=hunter2",
        "https://me:hunter2@bots.example.org:port/",
        "bots.example.org?hunter2",
    ],
)
def test_a_refused_address_is_not_quoted_with_its_secret(tmp_path: Path, address: str) -> None:
    done = run_cli("config", "show", env={"BAILEYS_TOOLS_BOT_API__URL": address})
    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr


def test_a_token_in_the_path_of_a_request_is_not_shown(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        json.dumps(
            {
                "bot_api": {
                    "url": "http://127.0.0.1:9",
                    "status": {
                        "request": "POST /v1/{company}?key=hunter2",
                        "body": {"apikey": "hunter2hunter2x9", "company": "{company}"},
                        "connected": "ok",
                    },
                }
            }
        )
    )
    for words in (["config", "show"], ["config", "show", "--json"]):
        done = run_cli(*words, "--config", settings)
        assert done.returncode == 0, done.stderr
        assert "hunter2" not in done.stdout
        assert "/v1/{company}?key=***" in done.stdout
