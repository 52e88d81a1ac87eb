"""What a run tells, by whom, and what waits: with a real state database and a real server."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from baileys_tools.alerts import kept_alerts as memory
from baileys_tools.alerts.channels_of import ChannelResult, notify_warnings
from baileys_tools.alerts.kept_silences import all_silences, begin, end, silences
from baileys_tools.alerts.rules.alerts import LookedAt, Why
from baileys_tools.alerts.rules.silences import AlertSilence
from baileys_tools.alerts.sending import AlertOutcome, send_alerts
from baileys_tools.config import LoadedSettings, Notify, Secret, Sessions, Settings, StateSettings
from baileys_tools.config.companies import Owners
from baileys_tools.findings import Finding, Severity
from baileys_tools.state.database import FILE, open_state
from baileys_tools.state.observations import Observation, observe
from baileys_tools.watching.monitor import run_monitor
from tests.servers import Reply, Request, Server, answering, free_url
from tests.support import company_folder, require_root, require_tool

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LOOKED = LookedAt(frozenset({"file-count", "creds-empty"}))
FULL = Finding("file-count", Severity.CRITICAL, "1", "176 counted files (limit 175)", "baileys-tools trigger")
EMPTY = Finding("creds-empty", Severity.EMERGENCY, "2", "creds.json is empty", "stop the bot")


class Endpoint:
    """A webhook that answers with `status`, and what it took."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.server: Server

    def answer(self, asked: Request) -> Reply:
        return Reply({}, self.status, self.headers)

    @property
    def texts(self) -> list[str]:
        return [str(asked.json["text"]) for asked in self.server.requests]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    with answering(endpoint.answer) as endpoint.server:
        yield endpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def settings_for(folder: Path, *webhooks: str, **more: Any) -> Settings:
    """Settings with a webhook; further ones go to Telegram's place."""
    first, *others = webhooks
    telegram: dict[str, Any] = (
        {"telegram_bot_token": Secret("1:a"), "telegram_chat_id": Secret("7"), "telegram_api": others[0]}
        if others
        else {}
    )
    notify = Notify(webhook=Secret(first), host="bot7", **telegram, **more)
    return Settings(state=StateSettings(dir=str(folder)), notify=notify)


def run(
    settings: Settings,
    minute: float,
    findings: Sequence[Finding] = (),
    *,
    looked: LookedAt = LOOKED,
    done: Sequence[Finding] = (),
) -> AlertOutcome:
    now = NOW + minute * MINUTE
    with open_state(settings.state.dir, now) as state:
        return send_alerts(state, settings, findings, now, looked, done=done)


def waiting(folder: Path) -> dict[str, int]:
    with open_state(str(folder), NOW) as state:
        return memory.waiting(state)


# --- one message a run --------------------------------------------------------------------------------------


def test_a_run_sends_one_message_for_all_and_an_unchanged_minute_none(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, 0, [FULL, EMPTY])
    for minute in range(1, 10):
        assert run(settings, minute, [FULL, EMPTY]) == AlertOutcome()
    run(settings, 12, [])
    first, last = endpoint.texts
    assert first == (
        "EMERGENCY: 2 findings on bot7\n\n"
        "EMERGENCY company 2: creds.json is empty\n> stop the bot\n\n"
        "CRITICAL company 1: 176 counted files (limit 175)\n> baileys-tools trigger"
    )
    assert last == (
        "OVER: 2 findings on bot7\n\n"
        "over after 12 min: company 2: creds.json is empty\n"
        "over after 12 min: company 1: 176 counted files (limit 175)"
    )
    assert [asked.json["level"] for asked in endpoint.server.requests] == ["emergency", "ok"]


def test_what_was_done_is_told_once(folder, endpoint) -> None:
    cleaned = Finding("trigger-cleaned", Severity.WARNING, "1", "cleaned: 90 files removed", "Nothing to do.")
    settings = settings_for(folder, endpoint.server.url)
    outcome = run(settings, 0, done=[cleaned])
    assert [alert.why for alert in outcome.alerts] == [Why.NEWS]
    assert run(settings, 1) == AlertOutcome()
    assert len(endpoint.texts) == 1


def test_without_a_channel_nothing_happens_and_nothing_is_remembered(folder) -> None:
    settings = Settings(state=StateSettings(dir=str(folder)))
    assert run(settings, 0, [EMPTY]) == AlertOutcome()
    with open_state(str(folder), NOW) as state:
        assert memory.remembered(state) == {}


def test_an_unchanged_minute_writes_nothing_and_loads_no_network(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, 0, [FULL])
    with open_state(str(folder), NOW) as state:
        (before,) = state.rows("PRAGMA data_version")
        with open_state(str(folder), NOW) as other:
            assert send_alerts(other, settings, [FULL], NOW + MINUTE, LOOKED) == AlertOutcome()
        assert state.rows("PRAGMA data_version") == [before]


# --- what cannot be delivered -------------------------------------------------------------------------------


def test_what_could_not_be_sent_goes_with_the_next_run_before_what_is_new(folder, endpoint, capsys) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 500
    failed = run(settings, 0, [FULL])
    assert failed.channels == (ChannelResult("webhook", "answered 500", 1),)
    assert [finding.code for finding in failed.findings] == ["alerts-undelivered"]
    assert failed.findings[0].severity is Severity.NOTICE
    assert capsys.readouterr().err == (
        "baileys-tools: alert not delivered by webhook: answered 500; 1 message waits for the next run\n"
    )
    endpoint.status = 200
    assert run(settings, 3, [FULL, EMPTY]).findings == ()
    _, late, fresh = endpoint.texts
    assert late == (
        "CRITICAL: 1 late alert on bot7\n\n"
        "Jan 15 12:00 UTC CRITICAL company 1: 176 counted files (limit 175)\n> baileys-tools trigger"
    )
    assert fresh == "EMERGENCY on bot7\n\nEMERGENCY company 2: creds.json is empty\n> stop the bot"
    assert [asked.json["late"] for asked in endpoint.server.requests] == [False, True, False]
    assert waiting(folder) == {}


def test_a_run_with_nothing_new_sends_what_waits(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 500
    run(settings, 0, [FULL])
    endpoint.status = 200
    run(settings, 1, [FULL])
    run(settings, 2, [FULL])
    assert len(endpoint.texts) == 2


def test_a_channel_that_works_is_not_told_again_for_one_that_does_not(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url, free_url())
    for minute in range(5):
        outcome = run(settings, minute, [FULL])
    assert [(one.name, one.waiting) for one in outcome.channels] == [("telegram", 1)]
    assert len(endpoint.texts) == 1
    assert waiting(folder) == {"telegram": 1}


def test_standard_error_says_once_an_hour_that_a_channel_fails(folder, capsys) -> None:
    settings = settings_for(folder, free_url())
    for minute in range(70):
        run(settings, minute, [FULL])
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[2].partition(";")[0] for line in lines] == [
        " alert not delivered by webhook: connection refused: nothing listens there",
        " alert not delivered by webhook (for 1 h): connection refused: nothing listens there",
    ]


def test_a_night_of_failures_comes_as_one_message_without_repetitions(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 503
    for minute in range(0, 200, 5):
        run(settings, minute, [EMPTY] if minute < 100 else [])
    endpoint.status = 200
    before = len(endpoint.texts)
    run(settings, 205)
    assert endpoint.texts[before:] == [
        "OVER: 1 late alert on bot7\n\nJan 15 13:40 UTC over after 1 h 40 min: company 2: creds.json is empty"
    ]


def test_no_more_than_the_cap_waits_and_the_message_says_how_many_went(folder, endpoint, monkeypatch) -> None:
    monkeypatch.setattr(memory, "MOST_WAITING", 3)
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 500
    for minute in range(5):
        run(settings, minute, done=[FULL])
    assert waiting(folder) == {"webhook": 3}
    endpoint.status = 200
    run(settings, 6)
    (text,) = endpoint.texts[5:]
    assert "3 late alerts" in text
    assert text.endswith("\n\n2 older messages were dropped: too many waited")
    endpoint.status = 500
    run(settings, 7, done=[FULL])
    endpoint.status = 200
    run(settings, 8)
    assert "dropped" not in endpoint.texts[-1]


def test_a_message_that_is_refused_does_not_stop_the_next_and_is_given_up(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 400
    for minute in range(3):
        run(settings, minute, [FULL])
    assert waiting(folder) == {}
    endpoint.status = 200
    run(settings, 3, [FULL, EMPTY])
    assert "creds.json" in endpoint.texts[-1]


def test_a_pause_that_was_asked_for_is_kept(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status, endpoint.headers = 429, {"Retry-After": "600"}
    run(settings, 0, [FULL])
    endpoint.status = 200
    for minute in range(1, 10):
        outcome = run(settings, minute, [FULL])
        assert outcome.channels == (ChannelResult("webhook", "left alone for a while", 1),)
    assert len(endpoint.texts) == 1
    run(settings, 10, [FULL])
    assert len(endpoint.texts) == 2


def test_a_channel_that_is_down_for_long_is_tried_every_five_minutes(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 500
    tried = []
    for minute in range(31):
        before = len(endpoint.texts)
        run(settings, minute, [FULL])
        tried += [minute] * (len(endpoint.texts) > before)
    assert tried == [*range(11), 15, 20, 25, 30]


def test_a_pause_from_a_clock_that_was_ahead_is_not_kept(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status, endpoint.headers = 429, {"Retry-After": "600"}
    run(settings, 60 * 24 * 365, [FULL])
    endpoint.status = 200
    run(settings, 0, [FULL])
    assert len(endpoint.texts) == 2


def test_what_waits_for_a_channel_that_is_gone_is_forgotten(folder, endpoint) -> None:
    run(settings_for(folder, endpoint.server.url, free_url()), 0, [FULL])
    assert waiting(folder) == {"telegram": 1}
    run(settings_for(folder, endpoint.server.url), 1, [FULL])
    assert waiting(folder) == {}


# --- killed, twice, and without a memory --------------------------------------------------------------------


def never(_: Request) -> Reply:
    time.sleep(20)
    return Reply()


def test_a_run_that_is_killed_while_it_sends_leaves_it_to_the_next(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    with answering(never) as slow:
        stuck = settings_for(folder, slow.url)
        child = multiprocessing.get_context("fork").Process(target=run, args=(stuck, 0, [FULL]))
        child.start()
        while not slow.requests:
            time.sleep(0.02)
        child.kill()
        child.join()
    run(settings, 0.5, [FULL])
    assert endpoint.texts == [], "the killed run may still be sending, for all we know"
    run(settings, 2, [FULL])
    assert len(endpoint.texts) == 1
    assert "late" in endpoint.texts[0]


def test_of_eight_runs_at_once_one_tells(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, -100)
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=run, args=(settings, 0, [FULL])) for _ in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert len(endpoint.texts) == 1


def from_the_future(folder: Path) -> None:
    """Make the state one that cannot be used: a newer version of this tool wrote it."""
    import sqlite3

    folder.mkdir(mode=0o700, exist_ok=True)
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("PRAGMA user_version = 999")


def test_without_a_memory_it_is_told_once_a_window_and_what_is_over_not_at_all(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, -1)  # while there was room
    from_the_future(folder)
    told = []
    for minute in range(46):
        before = len(endpoint.texts)
        run(settings, minute, [EMPTY] if minute < 40 else [])
        told += [minute] * (len(endpoint.texts) - before)
    assert told == [0, 15, 30]


def test_without_a_memory_what_is_worse_is_told_at_once(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, -1)
    from_the_future(folder)
    for minute in range(4):
        run(settings, minute, [FULL] if minute < 2 else [FULL, EMPTY])
    assert [text.partition("\n")[0] for text in endpoint.texts] == [
        "CRITICAL on bot7",
        "EMERGENCY: 2 findings on bot7",
    ]


def test_without_any_place_to_note_it_every_run_tells_and_says_why_it_repeats(endpoint, tmp_path) -> None:
    (tmp_path / "file").touch()
    settings = settings_for(tmp_path / "file" / "state", endpoint.server.url)
    told = []
    for minute in range(7, 28, 10):
        before = len(endpoint.texts)
        run(settings, minute, [EMPTY])
        told += [minute] * (len(endpoint.texts) - before)
    assert told == [7, 17, 27], "a job of every ten minutes is no less loud than one of every minute"
    assert all("every run tells this anew" in text for text in endpoint.texts)


def test_what_is_over_is_told_once_the_memory_is_back(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, 0, [FULL])
    os.rename(folder / FILE, folder / "kept")
    from_the_future(folder)
    run(settings, 1)
    os.rename(folder / "kept", folder / FILE)
    for minute in range(2, 5):
        run(settings, minute)
    assert [asked.json["level"] for asked in endpoint.server.requests] == ["critical", "ok"]


def test_trouble_in_here_never_reaches_the_command(folder, endpoint, monkeypatch, capsys) -> None:
    monkeypatch.setattr(memory, "remembered", lambda state: 1 / 0)
    outcome = run(settings_for(folder, endpoint.server.url), 0, [FULL])
    assert [finding.code for finding in outcome.findings] == ["alerts-undelivered"]
    assert capsys.readouterr().err == "baileys-tools: the alerts failed (ZeroDivisionError)\n"


# --- what goes into the database, and what config check says ------------------------------------------------


def test_no_secret_is_written_to_the_state(folder, endpoint) -> None:
    url = endpoint.server.url.replace("://", "://me:canary-1@") + "/canary-2-0123456789"
    urls = (Secret("json://me:canary-3@127.0.0.1:1/canary-4-0123456789"),)
    settings = settings_for(folder, url, urls=urls)
    endpoint.status = 500
    run(settings, 0, [FULL])
    found = [path.name for path in folder.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert found == []
    assert waiting(folder) == {"webhook": 1, "apprise 1 (json)": 1}


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        (Notify(), []),
        (Notify(webhook=Secret("https://h/x")), []),
        (Notify(webhook=Secret("http://127.0.0.1/x")), []),
        (Notify(webhook=Secret("http://h/x")), ["notify.webhook is not encrypted"]),
        (Notify(telegram_bot_token=Secret("1:a")), ["notify.telegram_chat_id is not"]),
        (Notify(telegram_chat_id=Secret("7")), ["notify.telegram_bot_token is not"]),
        (Notify(telegram_chat_id=Secret("7"), telegram_bot_token=Secret("1:a")), []),
    ],
)
def test_config_check_says_what_cannot_be_meant(notify: Notify, said: list[str]) -> None:
    warnings = notify_warnings(notify)
    assert len(warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, warnings, strict=True))


def test_the_facts_of_a_message_are_for_machines(folder, endpoint) -> None:
    finding = FULL.__class__(
        "file-count", Severity.WARNING, "1", "m", "a", {"counted": 150, "forecast": "soon"}
    )
    run(settings_for(folder, endpoint.server.url), 0, [finding])
    (asked,) = endpoint.server.requests
    assert asked.json["alerts"] == [
        {
            "why": "appeared",
            "at": "2026-01-15T12:00:00Z",
            "company": "1",
            "code": "file-count",
            "severity": "warning",
            "message": "m",
            "action": "a",
            "facts": {"counted": 150, "forecast": "soon"},
            "lasted_seconds": 0,
        }
    ]
    assert "WARNING company 1: m, soon\n> a" in asked.json["text"]


def test_every_message_fits_the_schema_of_the_webhook(folder, endpoint) -> None:
    schema = json.loads((Path(__file__).parents[3] / "docs/json/alert.schema.json").read_text())
    settings = settings_for(folder, endpoint.server.url)
    endpoint.status = 500
    run(settings, 0, [FULL])
    endpoint.status = 200
    run(settings, 1, [FULL, EMPTY], done=[FULL])
    run(settings, 40)
    assert len(endpoint.texts) == 4
    for asked in endpoint.server.requests:
        jsonschema.Draft202012Validator(schema).validate(asked.json)


def test_a_full_folder_is_told_with_when_the_next_level_begins(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    with open_state(str(folder), NOW) as state:
        for hour in range(72):
            at, files = NOW - timedelta(hours=72 - hour), 80 + hour
            observe(state, [Observation("1", at, files, files, {}, None, "healthy", "valid", None, "")])
    full = Finding("file-count", Severity.WARNING, "1", "152 counted files", "a", {"counted_files": 152})
    run(settings, 0, [full])
    assert "152 counted files, reaches 170 in 18 hours" in endpoint.texts[0]
    assert endpoint.server.requests[0].json["alerts"][0]["facts"]["forecast"] == "reaches 170 in 18 hours"


def test_a_full_disk_neither_silences_nor_storms(endpoint, tmp_path) -> None:
    require_root()
    place = tmp_path / "small"
    place.mkdir()
    mount = [require_tool("mount"), "-t", "tmpfs", "-o", "size=600k", "none", str(place)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("needs mounts")
    try:
        settings = settings_for(place, endpoint.server.url)
        run(settings, -60, [FULL])
        filler = (place / "filler").open("wb", buffering=0)
        with pytest.raises(OSError, match="No space"):
            while True:
                filler.write(b"x" * 4096)
        told = []
        for minute in range(40):
            before = len(endpoint.texts)
            run(settings, minute, [EMPTY])
            told += [minute] * (len(endpoint.texts) - before)
        assert told == [0, 15, 30]
        filler.close()
        os.unlink(place / "filler")
        for minute in range(40, 43):
            run(settings, minute)
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    assert [asked.json["level"] for asked in endpoint.server.requests][1:] == [
        "emergency",
        "emergency",
        "emergency",
        "ok",
    ]


# --- with the real watching ---------------------------------------------------------------------------------


def watch(root: Path, settings: Settings, minute: int) -> None:
    now = datetime.now(UTC) + minute * MINUTE
    sessions = Sessions(path=str(root))
    given = Settings(sessions=sessions, state=settings.state, notify=settings.notify)
    with open_state(settings.state.dir, now) as state:
        run_monitor(LoadedSettings(given, {}, None, {}), state, now)


def test_a_disk_that_is_not_mounted_calls_nothing_over(folder, endpoint, tmp_path) -> None:
    root = tmp_path / "sessions"
    session = company_folder(root, "1", {"session-1.0.json": timedelta(hours=1)})
    (session / "creds.json").write_text("")
    os.utime(session / "creds.json", (time.time() - 3_600,) * 2)
    settings = settings_for(folder, endpoint.server.url)
    watch(root, settings, 0)
    os.rename(root, tmp_path / "elsewhere")
    watch(root, settings, 1)
    root.mkdir()
    watch(root, settings, 2)
    root.rmdir()
    os.rename(tmp_path / "elsewhere", root)
    watch(root, settings, 3)
    told = [
        [(alert["why"], alert["code"]) for alert in asked.json["alerts"]]
        for asked in endpoint.server.requests
    ]
    assert told == [
        [("appeared", "creds-empty")],
        [("appeared", "no-companies")],
        [("over", "no-companies")],
    ]


# --- channels and windows of single companies, silences ------------------------------------------------------


def own_channel(folder: Path, server: Server) -> Settings:
    """Company 2, and each shop, has a channel of its own; the others share that of all."""
    settings = settings_for(folder, f"{server.url}/all")
    own = {"notify.webhook": Secret(f"{server.url}/own"), "notify.warning_every": 5 * MINUTE}
    return settings._replace(
        companies=Owners({"shop-*": dict(own), "2": dict(own), "3": {"cleanup.until": 60}})
    )


def test_a_company_has_its_own_channel_and_companies_with_the_same_one_share_it(folder, endpoint) -> None:
    settings = own_channel(folder, endpoint.server)
    shop = FULL._replace(company="shop-1")
    others = [FULL, FULL._replace(company="3"), FULL._replace(company="", code="creds-empty")]
    outcome = run(settings, 0, [*others, EMPTY, shop])
    assert sorted(one.name for one in outcome.channels) == ["webhook", "webhook of shop-*"]
    told = {asked.path: str(asked.json["text"]) for asked in endpoint.server.requests}
    assert len(endpoint.server.requests) == len(told) == 2
    assert all(word in told["/own"] for word in ("company 2", "company shop-1"))
    assert "company 1" in told["/all"]
    assert "company 3" in told["/all"]
    assert "company 2" not in told["/all"]
    assert "company 1:" not in told["/own"]


def test_what_cannot_be_delivered_waits_for_its_own_channel(folder, endpoint) -> None:
    settings = own_channel(folder, endpoint.server)
    endpoint.status = 500
    run(settings, 0, [FULL, EMPTY])
    assert waiting(folder) == {"webhook": 1, "webhook of shop-*": 1}
    endpoint.status = 200
    run(settings, 1, [FULL, EMPTY])
    assert waiting(folder) == {}


def test_a_lasting_finding_is_told_again_after_the_window_of_its_company(folder, endpoint) -> None:
    settings = own_channel(folder, endpoint.server)
    mild = [FULL._replace(company=company, severity=Severity.WARNING) for company in ("1", "2")]
    run(settings, 0, mild)
    run(settings, 6, mild)
    assert [asked.path for asked in endpoint.server.requests].count("/own") == 2
    assert [asked.path for asked in endpoint.server.requests].count("/all") == 1


def silence(settings: Settings, minute: float, company: str, code: str = "", length: float = 60) -> None:
    now = NOW + minute * MINUTE
    with open_state(settings.state.dir, now) as state:
        begin(state, AlertSilence(company, code, now, now + length * MINUTE, "planned"), now)


def test_a_silence_tells_nobody_ends_by_itself_and_what_lasts_is_told_then(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    silence(settings, 0, "1")
    for minute in range(1, 60, 10):
        assert run(settings, minute, [FULL], done=[FULL]).alerts == ()
    assert endpoint.texts == []
    run(settings, 60, [FULL])
    assert "company 1" in endpoint.texts[0]


def test_a_silence_is_about_one_code_or_all_of_one_company(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    silence(settings, 0, "1", "creds-empty")
    silence(settings, 0, "2")
    findings = [FULL, EMPTY, EMPTY._replace(company="1"), FULL._replace(company="3")]
    outcome = run(settings, 1, findings)
    assert {(one.company, one.code) for one in outcome.alerts} == {("1", "file-count"), ("3", "file-count")}


def test_what_ends_within_a_silence_is_over_after_it(folder, endpoint) -> None:
    settings = settings_for(folder, endpoint.server.url)
    run(settings, 0, [FULL])
    silence(settings, 1, "1")
    assert run(settings, 2, []).alerts == ()
    assert [one.why for one in run(settings, 62, []).alerts] == [Why.OVER]


def test_a_silence_is_ended_replaced_and_kept_for_the_report(folder) -> None:
    settings = settings_for(folder, "https://h/x")
    silence(settings, 0, "1", length=60)
    silence(settings, 10, "1", length=5)
    now = NOW + 11 * MINUTE
    with open_state(settings.state.dir, now) as state:
        (one,) = silences(state, now)
        assert one.until == NOW + 15 * MINUTE
        assert end(state, ["2"], "", now) == []
        assert end(state, [], "creds-empty", now) == []
        assert end(state, [], "", now) == [one]
        assert silences(state, now) == []
        assert [found.until for found in all_silences(state)] == [now]
        assert silences(state, NOW - 5 * MINUTE) == [], "a clock that was set back begins none"
        later = now + timedelta(days=41)
        begin(state, AlertSilence("1", "", later, later + MINUTE, "new"), later)
        assert len(all_silences(state)) == 1
