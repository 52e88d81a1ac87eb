"""`logs`: counts of a bot's log, and not a word of it anywhere."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from tests.integration.faults.forked import run_cli
from tests.log_lines import (
    DUMP,
    MESSAGE_ID,
    NUMBER,
    SECRET,
    as_bytes,
    errored,
    mixed,
    pino,
    stream_error,
    undecrypted,
)
from tests.support import company_folder, creds, write_key

SCHEMA = Path(__file__).parents[3] / "docs/json/logs.schema.json"
HOUR = timedelta(hours=1)


@pytest.fixture
def begin() -> datetime:
    return datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - 6 * HOUR


@pytest.fixture
def log(tmp_path):
    (tmp_path / "settings.yaml").write_text("logs: [{path: bot.log, company: 1001}]")
    return tmp_path / "bot.log"


def logs(log: Path, *arguments: str):
    return run_cli("logs", "--config", log.with_name("settings.yaml"), *arguments)


def counted(log: Path, *arguments: str):
    run = logs(log, "--json", *arguments)
    document = json.loads(run.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["exit_code"] == run.returncode
    return document


def test_counts_are_added_up_over_runs_and_shown_by_hour(log, begin):
    log.write_bytes(as_bytes([pino("opened connection to WA", begin), errored("Timed Out", begin + HOUR)]))
    assert counted(log)["events"] == {"closed": 1, "opened": 1, "timed-out": 1}
    with log.open("ab") as file:
        file.write(as_bytes([pino("opened connection to WA", begin + 2 * HOUR)]))
    document = counted(log)
    assert (document["reconnects"], document["failed_attempts"]) == (2, 1)
    assert [hour["events"] for hour in document["hours"]] == [
        {"opened": 1},
        {"closed": 1, "timed-out": 1},
        {"opened": 1},
    ]
    assert document["since_opened"] == {}
    assert counted(log, "--since", "4h")["events"] == {"opened": 1}
    text = logs(log).stdout
    assert "nothing ended it since" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "day (UTC)" in logs(log, "--since", "7d").stdout


def test_a_removed_device_is_an_emergency_until_the_bot_is_paired_anew(log, begin):
    log.write_bytes(
        as_bytes(
            [
                pino("opened connection to WA", begin),
                stream_error(7, begin + HOUR, "401", "conflict", "device_removed"),
                errored("Stream Errored (conflict)", begin + HOUR),
            ]
        )
    )
    document = counted(log)
    assert [finding["code"] for finding in document["findings"]] == ["device-removed"]
    assert document["exit_code"] == 5
    assert all(len(line) <= 80 or str(log.parent) in line for line in logs(log).stdout.splitlines())
    with log.open("ab") as file:
        file.write(as_bytes([pino("opened connection to WA", begin + 2 * HOUR)]))
    assert counted(log)["findings"] == []


def test_too_many_reconnects_bursts_and_two_processes_are_findings(log, begin):
    lines = [pino("opened connection to WA", begin + timedelta(minutes=n)) for n in range(11)]
    lines += [stream_error(6, datetime.now(UTC), "", "conflict", "replaced")] * 2
    lines += ["Closing open session in favor of incoming prekey bundle"] * 50
    log.write_bytes(as_bytes(lines))
    document = counted(log)
    assert {finding["code"]: finding["facts"] for finding in document["findings"]} == {
        "two-processes": {"count": 2},
        "reconnects-many": {"count": 11, "limit": 10},
        "session-burst": {"count": 50, "limit": 50},
    }


def test_no_text_of_the_log_is_shown_or_kept(log, begin, own_home):
    blocks, _ = mixed(random.Random(2), 300, begin - 100 * HOUR)
    log.write_bytes(
        as_bytes([*blocks, DUMP, errored(SECRET), pino("failed to decrypt message", err={"message": SECRET})])
    )
    shown = [logs(log, *more) for more in ((), ("--json",), ("--since", "90d"))]
    assert all(run.returncode in (0, 4, 5) for run in shown)
    state = b"".join(path.read_bytes() for path in (own_home / "state").rglob("*") if path.is_file())
    assert b"log_hours" in state
    everything = state + "".join(run.stdout + run.stderr for run in shown).encode()
    for canary in (SECRET, SECRET[:12], "privKey", NUMBER, "WebSocketClient", MESSAGE_ID):
        assert canary.encode() not in everything


def test_a_log_that_cannot_be_read_is_an_error_that_says_what_to_do(log):
    run = logs(log)
    assert run.returncode == 1
    assert "cannot read the log" in run.stderr
    assert "no such file" in run.stderr
    assert "logs.files" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--company", "7"), "no log of company 7 is known"),
        (("--since", "soon"), "is not a duration"),
        (("--since", "100d"), "has to be between"),
    ],
)
def test_what_cannot_be_meant_is_refused(log, arguments, said):
    run = logs(log, *arguments)
    assert run.returncode == 2
    assert said in run.stderr


@pytest.mark.parametrize("of", ["path: ROOT", "roots: [ROOT]"])
def test_messages_since_a_removal_end_it_wherever_the_settings_have_the_folders(log, begin, tmp_path, of):
    log.write_bytes(as_bytes([stream_error(7, begin, "401", "conflict", "device_removed")]))
    folder = company_folder(
        tmp_path / "sessions", "1001", {"session-4917012345678.0.json": timedelta(hours=2)}
    )
    write_key(folder, "creds.json", timedelta(hours=2), json.dumps(creds()))
    log.with_name("settings.yaml").write_text(
        f"logs: [{{path: bot.log, company: 1001}}]\nsessions: {{{of.replace('ROOT', str(tmp_path / 'sessions'))}}}"
    )
    assert counted(log)["findings"] == []


def test_a_company_that_no_line_and_no_folder_has_is_told_as_that(log, begin, tmp_path):
    company_folder(tmp_path / "sessions", "1001", {"creds.json": timedelta(hours=2)})
    log.with_name("settings.yaml").write_text(
        f"logs: [{{path: bot.log, session: session}}]\nsessions: {{path: {tmp_path / 'sessions'}}}"
    )
    lines = [pino("opened connection to WA", begin, session=name) for name in ("1001", "1002")]
    log.write_bytes(as_bytes(lines))
    run = logs(log, "--company", "1010")
    assert run.returncode == 10
    assert "1001" in run.stderr


def test_of_several_logs_one_has_to_be_named(log):
    log.with_name("settings.yaml").write_text(
        "logs: [{path: a.log, company: ann}, {path: b.log, company: bob}]"
    )
    run = logs(log)
    assert run.returncode == 2
    assert "Name it with --company: ann, bob." in run.stderr


def test_what_is_read_and_what_is_not_is_said(log, begin):
    """A log in Docker's wrapping is read; one in a form of its own is said not to be, by `logs` and by `doctor`."""
    removed = stream_error(6, begin, code="401", tag="conflict", type_="device_removed")
    log.write_text(
        json.dumps({"log": removed + "\n", "stream": "stdout", "time": f"{begin:%Y-%m-%dT%H:%M:%SZ}"}) + "\n"
    )
    document = counted(log)
    assert document["events"] == {"device-removed": 1}
    assert [finding["code"] for finding in document["findings"]] == ["device-removed"]
    doctor = run_cli("doctor", "--config", log.with_name("settings.yaml"))
    assert "1 log can be read" in doctor.stdout

    log.unlink()
    log.write_text('{"when": "now", "what": "stream errored out"}\n')
    run = logs(log)
    assert (
        "1 line of Baileys in a form that is not read: JSON whose message is under another key" in run.stdout
    )
    assert (
        "in a form that is not read" in run_cli("doctor", "--config", log.with_name("settings.yaml")).stdout
    )


def test_events_without_a_time_are_said_and_in_no_count(log):
    log.write_text(
        "connection closed due to Error: Stream Errored (conflict) { isBoom: true, output: { statusCode: 440 } }\n"
    )
    document = counted(log)
    assert (document["events"], document["undated"]) == ({}, {"closed": 1, "replaced": 1})
    assert "without a time, and in no count below: 1 closed, 1 replaced" in logs(log).stdout


def test_messages_that_cannot_be_read_are_a_finding_with_what_helps(log):
    now = datetime.now(UTC) - timedelta(minutes=3)
    log.write_bytes(as_bytes([undecrypted("No session found to decrypt message", now)] * 500))
    (finding,) = counted(log)["findings"]
    assert finding["code"] == "messages-unreadable"
    assert finding["facts"]["group"] == 500
    assert "each member then sends his key once more" in finding["action"]
    log.write_bytes(as_bytes([undecrypted("Bad MAC", now)] * 2_500))
    (finding,) = counted(log)["findings"]
    assert "baileys-tools renew-sessions --company 1001 --broken --dry-run" in finding["action"]
