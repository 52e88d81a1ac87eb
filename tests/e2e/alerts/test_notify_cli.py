"""`notify test` by the installed command."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from tests.integration.faults.forked import run_cli
from tests.servers import HOSTILE, Reply, answering, floods, free_url, speaking
from tests.support import company_folder

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/json/notify-test.schema.json").read_text())


def env_of(good: str, bad: str) -> dict[str, str]:
    return {
        "NOTIFICATION_WEBHOOK": f"{good}/hook/canary-0123456789",
        "TELEGRAM_BOT_TOKEN": "123456:AAcanary-0123456789-0123456789",
        "TELEGRAM_CHAT_ID": "-1001234567890",
        "BAILEYS_TOOLS_NOTIFY__TELEGRAM_API": bad,
        "BAILEYS_TOOLS_NOTIFY__HOST": "bot7",
    }


def test_each_channel_is_tried_and_told_of() -> None:
    with answering(lambda _: Reply({})) as server:
        env = env_of(server.url, free_url())
        done = run_cli("notify", "test", env=env)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == (
            "webhook   delivered\ntelegram  FAILED: connection refused: nothing listens there\n"
        )
        run = run_cli("notify", "test", "--json", env=env_of(server.url, server.url))
    assert run.returncode == 0
    document = json.loads(run.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert [one["delivered"] for one in document["channels"]] == [True, True]
    assert server.requests[0].json["text"] == (
        "TEST on bot7\n\nbaileys-tools can reach you. Nothing is wrong."
    )


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    with answering(lambda _: Reply({})) as server:
        (tmp_path / "webhook").write_text(f"{server.url}/canary\n")
        done = run_cli("notify", "test", env={"NOTIFICATION_WEBHOOK_FILE": str(tmp_path / "webhook")})
    assert done.returncode == 0
    assert server.requests[0].path == "/canary"


def test_without_a_channel_it_says_how_to_give_one() -> None:
    done = run_cli("notify", "test")
    assert done.returncode == 2
    for word in ("No channel for alerts", "NOTIFICATION_WEBHOOK", "TELEGRAM_BOT_TOKEN", "urls"):
        assert word in done.stderr
    assert all(len(line) <= 80 for line in done.stderr.splitlines())


def test_half_of_telegram_is_said() -> None:
    env = {"TELEGRAM_BOT_TOKEN": "123456:AAcanary-0123456789-0123456789"}
    done = run_cli("notify", "test", env=env)
    assert done.returncode == 2
    assert "notify.telegram_bot_token is given but notify.telegram_chat_id is not" in done.stderr
    check = run_cli("config", "check", env=env)
    assert check.returncode == 4
    assert "notify.telegram_chat_id is not" in check.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NOTIFICATION_WEBHOOK", "canary-no-address"),
        ("NOTIFICATION_WEBHOOK", "ftp://h/canary-x"),
        ("NOTIFICATION_WEBHOOK", "https://h:99999/canary-x"),
        ("BAILEYS_TOOLS_NOTIFY__URLS", "canary-no-address"),
        ("BAILEYS_TOOLS_PING__URL", "hc-ping.com/canary-x"),
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_it(variable: str, value: str) -> None:
    done = run_cli("notify", "test", env={variable: value})
    assert done.returncode == 2
    assert "canary" not in done.stderr
    assert variable in done.stderr


@pytest.mark.faults
@pytest.mark.parametrize("talk", [*HOSTILE, floods], ids=lambda talk: talk.__name__)
def test_no_channel_changes_the_result_of_watching_or_holds_it_for_longer_than_its_deadline(
    tmp_path: Path, talk: Callable[[socket.socket, threading.Event], None]
) -> None:
    sessions = tmp_path / "sessions"
    company_folder(sessions, "1001", {"session-1.0.json": timedelta(hours=1)})
    (sessions / "company_1001" / "creds.json").write_text("")
    alone = run_cli(
        "monitor-once", "--sessions", sessions, env={"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "a")}
    )
    with speaking(talk) as url:
        place = url.partition("://")[2]
        env = env_of(url, url) | {
            "BAILEYS_TOOLS_NOTIFY__URLS": f"json://me:canary-password@{place}/x",
            "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "b"),
        }
        started = time.monotonic()
        told = run_cli("monitor-once", "--sessions", sessions, env=env)
        took = time.monotonic() - started
    assert took < 15 + 5
    assert (told.returncode, alone.returncode) == (5, 5)
    assert told.stdout.splitlines()[0] == alone.stdout.splitlines()[0]
    assert "alert not delivered by apprise 1 (json)" in told.stderr
