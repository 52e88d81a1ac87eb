"""Twelve kinds of secrets, and none of them in anything that the tool prints, logs, writes or starts.

`run_cli` itself listens for secrets in every test of the suite (tests/canaries.py). Here every command runs with all
of them at once, against a server that throws back whatever it is sent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.canaries import PRIVATE_KEY, SecretLeaked, leaks, listen, secrets_of
from tests.integration.faults import forked
from tests.servers import Reply, Request, Server, answering, hangs, speaking
from tests.support import COMMAND, company_folder, run_cli, scrubbed_environment, write_key

OLD = timedelta(days=20)


class Setting(NamedTuple):
    """An installation with all twelve kinds: the environment of a command, its secrets by kind, and its folders."""

    env: dict[str, str]
    secrets: dict[str, str]
    folder: Path

    @property
    def texts(self) -> set[str]:
        return {*self.secrets.values()} | secrets_of(self.env)


@pytest.fixture(scope="module")
def reflecting() -> Iterator[Server]:
    """A server that fails, and quotes in its answer all that it was asked: address, headers and body."""

    def answer(asked: Request) -> Reply:
        said = f"{asked.path} {asked.headers} {asked.body.decode(errors='replace')}"
        return Reply({"description": said, "error": said, "message": said}, 500, {"X-Said": asked.path})

    with answering(answer) as server:
        yield server


@pytest.fixture
def setting(tmp_path: Path, reflecting: Server) -> Setting:
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    pre_key = b64encode(b"canary-of-a-pre-key!").decode()
    secrets = {
        "webhook": "canary-webhook-0123456789",
        "telegram token": "123456:AAcanary-telegram-0123456789abcdef",
        "telegram chat": "-100987654321",
        "apprise password": "canary-apprise-password",
        "ping": "canary-ping-0123456789",
        "proxy password": "canary-proxy-password",
        "bot API header": "canary-bot-api-header",
        "bot API token": "canary-bot-api-token",
        "age identity": str(identity),
        "S3 key": "canaryS3secretKey0123456789",
        "sftp password": "canary-sftp-password",
        "creds.json": PRIVATE_KEY,
        "pre-key": pre_key,
    }
    key = json.dumps({"private": {"type": "Buffer", "data": pre_key}})
    for company in ("1001", "1002"):
        folder = company_folder(tmp_path / "sessions", company)
        for number in range(1, 31):
            write_key(folder, f"pre-key-{number}.json", OLD, key)
        for number in range(150):
            write_key(folder, f"session-49170000{number:05}.0.json", OLD, key)
    write_key(tmp_path / "sessions/company_1002", "creds.json", timedelta(minutes=1), key[:-9])
    (tmp_path / "identity.txt").write_text(f"{identity}\n")
    (tmp_path / "temporary").mkdir()
    url = reflecting.url
    place = url.partition("://")[2]
    file = tmp_path / "settings.yaml"
    file.touch(mode=0o600)
    file.write_text(
        "bot_api:\n  status: GET /status/{company}\n  reconnect: POST /reconnect\n"
        "  qr: {request: GET /qr, code: code}\n  timeout: 3s\n"
        f"  headers: 'X-Api-Key: {secrets['bot API header']}'\n"
    )
    env = {
        "BAILEYS_TOOLS_CONFIG": str(file),
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
        "BAILEYS_TOOLS_BACKUP__IDENTITY_FILE": str(tmp_path / "identity.txt"),
        "BAILEYS_TOOLS_BACKUP__RECIPIENTS": str(identity.to_public()),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "TMPDIR": str(tmp_path / "temporary"),
        "NOTIFICATION_WEBHOOK": f"{url}/hook/{secrets['webhook']}",
        "TELEGRAM_BOT_TOKEN": secrets["telegram token"],
        "TELEGRAM_CHAT_ID": secrets["telegram chat"],
        "BAILEYS_TOOLS_NOTIFY__TELEGRAM_API": url,
        "BAILEYS_TOOLS_NOTIFY__URLS": f"json://me:{secrets['apprise password']}@{place}/x",
        "BAILEYS_TOOLS_PING__URL": f"{url}/{secrets['ping']}/{{command}}",
        "BAILEYS_TOOLS_BOT_API__URL": url,
        "BAILEYS_TOOLS_BOT_API__TOKEN": secrets["bot API token"],
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": secrets["S3 key"],
        "https_proxy": f"http://me:{secrets['proxy password']}@{place}",
        "http_proxy": f"http://me:{secrets['proxy password']}@{place}",
    }
    return Setting(env, secrets, tmp_path)


COMMANDS = [
    ["cleanup", "--dry-run", "--verbose"],
    ["cleanup"],
    ["undo", "--json"],
    ["backup", "--json", "--force"],
    ["snapshots", "--json"],
    ["verify", "--deep", "--json"],
    ["prune"],
    ["restore", "--company", "1002", "--dry-run"],
    ["restore", "--company", "1002", "--yes", "--force", "--json"],
    ["monitor-once", "--textfile", "TEXTFILE"],
    ["monitor-once", "--json"],
    ["monitor-once", "--nagios"],
    ["trigger", "--verbose"],
    ["inspect", "--company", "1002", "--verbose"],
    ["inspect", "--company", "1001", "--json"],
    ["status"],
    ["status", "--json"],
    ["notify", "test"],
    ["notify", "test", "--json"],
    ["reconnect", "--company", "1001"],
    ["qr", "--company", "1001"],
    ["config", "show"],
    ["config", "show", "--json"],
    ["config", "check"],
    ["doctor"],
    ["doctor", "--json"],
]


def test_no_command_tells_a_secret(setting: Setting) -> None:
    refused = []
    for command in COMMANDS:
        words = [str(setting.folder / "metrics.prom") if word == "TEXTFILE" else word for word in command]
        done = forked.run_cli(*words, env=setting.env, cwd=setting.folder, timeout=90)
        output = done.stdout + done.stderr
        told = [kind for kind, secret in setting.secrets.items() if secret in output]
        assert told == [], (command, output)
        assert "Traceback" not in output
        assert "internal error" not in output, output
        refused += [(command, output[-300:])] * (done.returncode == 2 and "--nagios" not in command)
    assert not refused, refused
    assert (setting.folder / "metrics.prom").exists()
    for place in ("state", "temporary", "metrics.prom"):
        assert [*leaks(setting.folder / place, setting.texts)] == []
    assert [*leaks(setting.folder / "backups", setting.texts)] == [], "they are encrypted"
    assert setting.secrets["webhook"] not in (setting.folder / "metrics.prom").read_text()


def test_a_password_in_a_place_for_copies_is_refused_unread(setting: Setting) -> None:
    secret = setting.secrets["sftp password"]
    env = setting.env | {"BAILEYS_TOOLS_BACKUP__COPIES": f"sftp://me:{secret}@127.0.0.1:1/x"}
    for command in (["backup"], ["config", "check"], ["config", "show", "--json"]):
        done = run_cli(*command, env=env)
        assert done.returncode == 2
        assert secret not in done.stdout + done.stderr


def test_the_keys_of_an_s3_place_are_not_told(setting: Setting) -> None:
    pytest.importorskip("s3fs")
    env = {name: value for name, value in setting.env.items() if "proxy" not in name}
    env |= {"BAILEYS_TOOLS_BACKUP__COPIES": "s3://vault/bots", "BAILEYS_TOOLS_COPIES__TIMEOUT": "3s"}
    env |= {"AWS_ENDPOINT_URL": setting.env["BAILEYS_TOOLS_BOT_API__URL"]}
    done = run_cli("backup", "--json", env=env)
    assert json.loads(done.stdout)["copies"][0]["trouble"]
    assert not [secret for secret in setting.texts if secret in done.stdout + done.stderr]


def test_a_process_list_shows_no_secret_while_alerts_are_sent(setting: Setting) -> None:
    with speaking(hangs) as url:
        place = url.partition("://")[2]
        env = setting.env | {
            "NOTIFICATION_WEBHOOK": f"{url}/hook/{setting.secrets['webhook']}",
            "BAILEYS_TOOLS_NOTIFY__TELEGRAM_API": url,
            "BAILEYS_TOOLS_NOTIFY__URLS": f"json://me:{setting.secrets['apprise password']}@{place}/x",
        }
        env = {name: value for name, value in env.items() if "proxy" not in name and "PING" not in name}
        command = subprocess.Popen(
            [COMMAND, "notify", "test"],
            env=scrubbed_environment(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            seen = b""
            end = time.monotonic() + 20
            while b"apprise_child" not in seen and time.monotonic() < end:
                seen = command_lines_of(command.pid)
            assert b"apprise_child" in seen, "the process with the address in it was looked at"
            assert not [secret for secret in setting.texts if secret.encode() in seen]
        finally:
            os.killpg(command.pid, signal.SIGKILL)
            command.wait()


def command_lines_of(session: int) -> bytes:
    """The command lines of all processes of a session, as `ps` shows them."""
    lines = b""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == session:
                    lines += (entry / "cmdline").read_bytes() + b"\n"
            except OSError:
                continue
    return lines


CRASH = """
import baileys_tools.alerts.try_channels as notify
from baileys_tools.cli import main

def fail(every):
    settings = every.notify
    secrets = [settings.webhook, settings.telegram_bot_token, settings.telegram_chat_id, *settings.urls]
    try:
        raise ValueError(", ".join(secret.reveal() for secret in secrets))
    except ValueError as error:
        raise RuntimeError("cannot reach " + settings.webhook.reveal().partition("/hook")[2]) from error

notify.Routes = fail
main()
"""


def test_a_crash_file_tells_no_secret(setting: Setting) -> None:
    env = scrubbed_environment(setting.env)
    done = subprocess.run(
        [sys.executable, "-c", CRASH, "notify", "test"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (crash,) = (setting.folder / "temporary").glob("baileys-tools-crash-*")
    assert "RuntimeError: cannot reach /***" in crash.read_text() or "cannot reach ***" in crash.read_text()
    assert crash.stat().st_mode & 0o077 == 0
    listen(env, done.stdout + done.stderr)


# --- the listener itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output",
    [
        "POST https://h/services/canary-webhook-0123456789 failed",
        "user me:canary-proxy-password",
        "Proxy-Authorization: Basic bWU6Y2FuYXJ5LXByb3h5LXBhc3N3b3Jk",
        "123456:AAcanary-telegram-0123456789abcdef",
        f'"private": "{PRIVATE_KEY}"',
    ],
)
def test_the_listener_hears_a_secret(output: str, tmp_path: Path) -> None:
    environment = {
        "NOTIFICATION_WEBHOOK": "https://h/services/canary-webhook-0123456789",
        "TELEGRAM_BOT_TOKEN": "123456:AAcanary-telegram-0123456789abcdef",
        "https_proxy": "http://me:canary-proxy-password@127.0.0.1:1",
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path),
    }
    listen(environment, "all is well")
    with pytest.raises(SecretLeaked):
        listen(environment, output)
    (tmp_path / "log").write_text(output)
    with pytest.raises(SecretLeaked):
        listen(environment, "")
