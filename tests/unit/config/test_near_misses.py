"""Variables that nobody reads and that look like one of ours."""

from __future__ import annotations

import pytest

from baileys_tools.config.near_misses import near_misses
from baileys_tools.config.schema import SCHEMA
from tests.integration.faults.forked import run_cli


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BAILEYS_SESSION_PATH", "BAILEYS_SESSIONS_PATH"),
        ("SESSIONS_PATH", "SESSION_PATH"),
        ("baileys_sessions_path", "BAILEYS_SESSIONS_PATH"),
        ("NOTIFICATIONS_WEBHOOK", "NOTIFICATION_WEBHOOK"),
        ("WEBHOOK_NOTIFICATION", "NOTIFICATION_WEBHOOK"),
        ("TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN"),
        ("TELEGRAM_CHATID", "TELEGRAM_CHAT_ID"),
        ("COMPANY_IDS", "COMPANY_ID"),
        ("ENABLE_MULTI_TENANCY", "ENABLE_MULTITENANCY"),
    ],
)
def test_a_mistyped_variable_is_told_with_what_was_meant(name: str, meant: str) -> None:
    told = near_misses({name: "canary-value"})
    assert told == [f"the variable {name} is not read; did you mean {meant}?"]
    assert near_misses({name: "x", meant: "y"}) == [], "somebody else's"
    assert near_misses({name: ""}) == [], "empty is not given"


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "SESSION_MANAGER",
        "SESSION_NAME",
        "SESSION_ID",
        "DESKTOP_SESSION",
        "DBUS_SESSION_BUS_ADDRESS",
        "APP_URL",
    ],
)
def test_what_others_use_is_left_alone(name: str) -> None:
    assert near_misses({name: "x"}) == []


def test_no_variable_of_ours_is_a_near_miss_of_another() -> None:
    for setting in SCHEMA.settings.values():
        for name in setting.env:
            assert near_misses({name: "x"}) == []


def test_a_near_miss_is_told_where_it_matters() -> None:
    env = {"BAILEYS_SESSION_PATH": "/srv/canary"}
    for words in (["cleanup", "--dry-run"], ["status"], ["config", "check"], ["doctor"]):
        done = run_cli(*words, env=env)
        assert done.returncode != 0
        said = " ".join((done.stdout + done.stderr).split())
        assert "BAILEYS_SESSION_PATH is not read; did you mean BAILEYS_SESSIONS_PATH?" in said, words
        assert "canary" not in said
