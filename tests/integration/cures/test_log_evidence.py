"""Whom a bot's log names as unreadable, or as waiting for the bot's key, is read in every form that `logs` reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.config import Settings, load_settings
from baileys_tools.cures.log_evidence import evidence_in_logs, group_requests_in_logs
from baileys_tools.cures.rules.unreadable import Device
from tests.integration.bots.log_forms import BEGIN, FORMS, NOW, docker, pm2_json
from tests.log_lines import pino

UNREADABLE, WAITING = "Bad MAC flood", "members without the key"
WITHOUT_REASON = {name for name in FORMS if name.startswith("winston")}
"""What winston prints of an error is its name alone."""
PATTERN = r"session:(\w+)"


def settings_of(folder: Path, lines: list[str], **more: str) -> Settings:
    log = folder / "bot.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    os.utime(log, (NOW.timestamp(), NOW.timestamp()))
    files: list[dict[str, Any]] = [{"path": str(log), "company": "1001", **more}]
    return load_settings({"logs.files": files}, {}, home=str(folder), cwd=str(folder)).settings


written = pytest.mark.parametrize("name", [name for name, form in FORMS.items() if not form.is_printed])


@written
def test_who_cannot_be_read_is_found_in_every_form(name: str, tmp_path: Path) -> None:
    found, troubles = evidence_in_logs(settings_of(tmp_path, FORMS[name].scenes()[UNREADABLE]), "1001", NOW)
    expected = {} if name in WITHOUT_REASON else {Device(f"1000000{n}", 0): 1 for n in range(6)}
    assert {device: one.messages for device, one in found.items()} == expected
    for one in found.values():
        assert one.last is not None
        assert 0 <= one.last - BEGIN.timestamp() < 60
    assert bool(troubles) is (name in WITHOUT_REASON)


@written
def test_who_waits_for_the_key_is_found_in_every_form(name: str, tmp_path: Path) -> None:
    found = group_requests_in_logs(settings_of(tmp_path, FORMS[name].scenes()[WAITING]), "1001", NOW)
    assert [(one.group, one.device, one.message, one.given_up) for one in found] == [
        ("120363000000000001@g.us", f"1000000{n}@s.whatsapp.net", f"3EB00{n}", True) for n in range(3)
    ]
    for request in found:
        assert request.at is not None
        assert 0 <= request.at - BEGIN.timestamp() < 60


ERR = {"type": "SessionError", "message": "Bad MAC", "stack": "x"}


def failure(user: str, **more: Any) -> str:
    key = {"remoteJid": f"{user}@s.whatsapp.net", "fromMe": False}
    return pino("failed to decrypt message", BEGIN, 50, key=key, err=ERR, **more)


def users(settings: Settings) -> set[str]:
    return {device.user for device in evidence_in_logs(settings, "1001", NOW)[0]}


@pytest.mark.parametrize("wrap", [lambda _, line: line, docker, pm2_json], ids=["plain", "docker", "pm2"])
def test_a_line_of_another_session_accuses_nobody(wrap: Any, tmp_path: Path) -> None:
    lines = [
        failure("4917000001", session="1001"),
        failure("4917000002", session="1002"),
        failure("4917000003"),
    ]
    lines = [wrap(number, line) for number, line in enumerate(lines)]
    assert users(settings_of(tmp_path, lines)) == {"4917000001"}
    assert users(settings_of(tmp_path, lines[1:], session="session")) == set()
    assert users(settings_of(tmp_path, lines[1:2])) == {"4917000002"}


@pytest.mark.parametrize(("session", "form"), [("session", "WAHA"), (PATTERN, "WAHA")])
def test_the_session_of_a_shared_log_is_found_beside_the_text(
    session: str, form: str, tmp_path: Path
) -> None:
    lines = FORMS[form].scenes()[UNREADABLE]
    shop = settings_of(tmp_path, lines, session=session, company="shop")
    assert len(evidence_in_logs(shop, "shop", NOW)[0]) == 6
    other = settings_of(tmp_path, lines, session=session, company="other")
    assert not evidence_in_logs(other, "other", NOW)[0]


@pytest.mark.parametrize("name", ["pino", "pino-pretty", "PM2 JSON", "Docker json-file, pino-pretty"])
def test_every_record_of_a_long_log_is_found_once(name: str, tmp_path: Path) -> None:
    """The log is read in pieces: a record may lie across two of them."""
    lines = FORMS[name].scenes()[UNREADABLE]
    times = 3_000_000 // sum(map(len, lines)) + 1
    found, _ = evidence_in_logs(settings_of(tmp_path, lines * times), "1001", NOW)
    assert {one.messages for one in found.values()} == {times}


def test_what_a_contact_wrote_is_no_record(tmp_path: Path) -> None:
    line = failure("4917000001")
    lines = [
        json.dumps({"level": 30, "text": line, "msg": "got"}),
        json.dumps({"message": f"> {line}", "level": 30}),
    ]
    assert users(settings_of(tmp_path, lines)) == set()


def test_a_log_that_is_not_there_is_told_as_every_command_tells_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, [])
    (tmp_path / "bot.log").unlink()
    found, (trouble,) = evidence_in_logs(settings, "1001", NOW)
    assert found == {}
    assert trouble.endswith("no such file")
