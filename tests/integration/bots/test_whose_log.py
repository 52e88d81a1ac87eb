"""Whose a line is in a log that several share, and when what it says of a login is over."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.bots import log_sources
from baileys_tools.bots.bot_log import reading
from baileys_tools.bots.bot_logs import CompanyLogs, read_company_logs, server_pre_keys
from baileys_tools.bots.folder_life import FolderLife
from baileys_tools.bots.rules.diagnosis import BotFacts, Cause, Confidence, diagnose
from baileys_tools.bots.rules.log_events import LogEvent
from baileys_tools.bots.rules.log_report import LogLimits, log_findings
from baileys_tools.config import Settings, load_settings
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.state.database import State, open_state
from tests.log_lines import errored, pino, stream_error, undecrypted

NOW = datetime(2026, 1, 14, 12, tzinfo=UTC)
REMOVED = "device_removed"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(str(tmp_path / "state"), NOW) as found:
        yield found


def settings_of(tmp_path: Path, logs: str) -> Settings:
    file = tmp_path / "settings.yaml"
    file.write_text(f"logs: [{logs}]\n")
    return load_settings({}, {}, config=str(file), cwd=str(tmp_path), home=str(tmp_path), euid=1000).settings


def removed(at: datetime, **fields: Any) -> str:
    node = {
        "tag": "stream:error",
        "attrs": {"code": "401"},
        "content": [{"tag": "conflict", "attrs": {"type": REMOVED}}],
    }
    return pino("stream errored out", at, 50, node=node, **fields)


def told(state: State, settings: Settings, company: str, now: datetime = NOW, **more: Any) -> CompanyLogs:
    return read_company_logs(state, settings, company, now, **more)


def codes(company: str, logs: CompanyLogs, connection: str = "") -> list[str]:
    found = log_findings(company, logs.facts, logs.files, [], LogLimits(), NOW, connection)
    return [finding.code for finding in found]


# --- a log that several share -------------------------------------------------------------------------------


def named(at: datetime, fields: dict[str, Any]) -> str:
    return pino("opened connection to WA", at, **fields)


def shared_log(path: Path, names: list[str], key: str = "session") -> None:
    """Each session opens; all but the first lose their device; lines without a name tell the worst."""
    lines = []
    rng = random.Random(1)
    for number, name in enumerate(names):
        at = NOW - timedelta(minutes=50) + timedelta(seconds=number)
        lines.append((at, named(at, {key: name})))
        if number:
            later = at + timedelta(minutes=rng.randrange(2, 20))
            lines.append((later, removed(later, **{key: name})))
    nobody = NOW - timedelta(minutes=5)
    lines += [(nobody, removed(nobody)), (nobody, undecrypted("Bad MAC", nobody))]
    path.write_text("".join(line + "\n" for _, line in sorted(lines, key=lambda one: one[0])))


@pytest.mark.parametrize(
    "entry", ["{path: LOG, session: session}", '{path: LOG, session: \'"session":"(\\w+)"\'}']
)
def test_of_100_sessions_in_one_log_none_is_told_of_another(tmp_path, state, entry):
    names = [f"bot{number}" for number in range(100)]
    log = tmp_path / "all.log"
    shared_log(log, names)
    settings = settings_of(tmp_path, entry.replace("LOG", str(log)))
    for name in names:
        found = told(state, settings, name)
        assert found.facts.opened is not None
        assert (LogEvent.DEVICE_REMOVED in found.facts.since_opened) is (name != names[0]), name
        assert found.facts.recent.get(LogEvent.BAD_MAC) is None
        assert found.facts.recent[LogEvent.OPENED] == 1
    assert codes(names[0], told(state, settings, names[0])) == []
    assert "device-removed" in codes(names[1], told(state, settings, names[1]))


def test_a_shared_log_is_read_once_a_run_and_counted_once(tmp_path, state, monkeypatch):
    names = [f"bot{number}" for number in range(20)]
    log = tmp_path / "all.log"
    shared_log(log, names)
    settings = settings_of(tmp_path, f"{{path: {log}, session: session}}")
    reads: list[str] = []

    def noted(path: str, *arguments: Any, **more: Any) -> Any:
        reads.append(path)
        return reading.read_log(path, *arguments, **more)

    monkeypatch.setattr(log_sources, "read_log", noted)
    for _ in range(2):
        for name in names:
            told(state, settings, name)
    assert len(reads) == 1
    later = NOW + timedelta(minutes=1)
    with log.open("a") as file:
        file.write(pino("opened connection to WA", later, session=names[3]) + "\n")
    for name in names:
        told(state, settings, name, later)
    assert len(reads) == 2
    after = told(state, settings, names[3], later)
    assert after.facts.recent[LogEvent.OPENED] == 2
    assert LogEvent.DEVICE_REMOVED not in after.facts.since_opened
    assert LogEvent.DEVICE_REMOVED in told(state, settings, names[4], later).facts.since_opened


def test_no_name_of_a_session_is_kept(tmp_path, state):
    log = tmp_path / "all.log"
    shared_log(log, ["shop", "verysecretname"])
    told(state, settings_of(tmp_path, f"{{path: {log}, session: session}}"), "shop")
    rows = state.rows("SELECT key, company, value FROM memory", ())
    assert "verysecretname" not in str(rows)


def prettily(line: str, form: str) -> str:
    """A record as pino-pretty writes it (its own output for such records; WAHA's form is in tests/log_forms)."""
    record = json.loads(line)
    head = f"[{datetime.fromisoformat(record.pop('time')):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " +0000] INFO (7): "
    fields = {key: value for key, value in record.items() if key not in ("level", "pid", "hostname", "msg")}
    if form == "on one line":
        return f"{head}{record['msg']} {json.dumps(fields, separators=(',', ':'))}"
    below = [f"    {key}: {json.dumps(value)}" for key, value in fields.items()]
    if form == "in colours":
        below = [line.replace("session", "\x1b[35msession\x1b[39m") for line in below]
    return "\n".join([head + record["msg"], *below])


@pytest.mark.parametrize("form", ["on one line", "on several", "in colours"])
@pytest.mark.parametrize("entry", ["{path: LOG, session: session}", "{path: LOG, company: shop}"])
def test_the_fields_that_pino_pretty_writes_say_whose_a_line_is(tmp_path, state, form, entry):
    log = tmp_path / "all.log"
    shared_log(log, ["shop", "desk", "farm"])
    log.write_text("".join(prettily(line, form) + "\n" for line in log.read_text().splitlines()))
    settings = settings_of(tmp_path, entry.replace("LOG", str(log)))
    found = told(state, settings, "shop")
    assert found.facts.recent == {LogEvent.OPENED: 1}
    assert codes("shop", found) == []
    if "company" not in entry:
        assert codes("desk", told(state, settings, "desk")) == ["device-removed"]


def test_whose_a_line_is_may_be_written_after_it(tmp_path, state):
    log = tmp_path / "all.log"
    settings = settings_of(tmp_path, f"{{path: {log}, session: session}}")
    text = prettily(removed(NOW - timedelta(minutes=9), session="shop"), "on several")
    log.write_text(text.partition("\n")[0] + "\n")
    assert codes("shop", told(state, settings, "shop")) == []
    log.write_text(text + "\n")
    later = NOW + timedelta(minutes=1)
    assert codes("shop", told(state, settings, "shop", later)) == ["device-removed"]


def test_a_log_no_line_of_which_says_whose_it_is_is_never_silence(tmp_path, state):
    log = tmp_path / "all.log"
    shared_log(log, ["shop", "desk", "farm"])
    settings = settings_of(tmp_path, f"{{path: {log}, session: tenant}}")
    found = told(state, settings, "desk")
    assert codes("desk", found) == ["log-not-understood"]
    (finding,) = log_findings("desk", found.facts, found.files, [], LogLimits(), NOW)
    assert "no line" in finding.message
    assert "`session`" in finding.action
    # Some lines of libsignal's, which name nobody, are no sign of that.
    log.write_text("Closing open session in favor of incoming prekey bundle\n" * 3)
    with open_state(str(tmp_path / "state2"), NOW) as second:
        assert codes("desk", told(second, settings, "desk")) == []


def test_what_a_contact_writes_names_nobody(tmp_path, state):
    log = tmp_path / "all.log"
    at = f"{NOW - timedelta(minutes=9):%Y-%m-%d %H:%M:%S}.000 +0000"
    forged = json.dumps({"text": 'x {"session":"desk"} '})
    log.write_text(
        f"[{at}] INFO (7): opened connection to WA {forged}\n"
        f'[{at}] INFO (7): connection closed, status 440 {{"session":"farm"}}\n'
        f'[{at}] INFO (7): opened connection to WA\n      session: "desk"\n'
    )
    found = told(state, settings_of(tmp_path, f"{{path: {log}, company: shop}}"), "shop")
    assert found.facts.recent[LogEvent.OPENED] == 2
    assert not found.files[0].of_others


@pytest.mark.parametrize("key", ["session", "sessionId", "instance"])
def test_a_log_that_names_several_is_no_ones_alone_though_nobody_said_so(tmp_path, state, key):
    log = tmp_path / "waha.log"
    shared_log(log, ["shop", "other"], key)
    found = told(state, settings_of(tmp_path, f"{{path: {log}, company: shop}}"), "shop")
    assert codes("shop", found) == []
    assert found.facts.opened is not None


def test_a_log_that_names_others_alone_tells_nothing_but_that(tmp_path, state):
    log = tmp_path / "waha.log"
    shared_log(log, ["one", "two"])
    found = told(state, settings_of(tmp_path, f"{{path: {log}, company: shop}}"), "shop")
    assert codes("shop", found) == ["log-not-understood"]


def test_a_bot_is_in_the_log_of_one_of_several_programs(tmp_path, state):
    for program, names in (("waha", ["shop", "one"]), ("gateway", ["two", "three"])):
        shared_log(tmp_path / f"{program}.log", names)
    settings = settings_of(
        tmp_path,
        ", ".join(f"{{path: {tmp_path}/{one}.log, session: session}}" for one in ("waha", "gateway")),
    )
    assert codes("shop", told(state, settings, "shop")) == []
    assert codes("two", told(state, settings, "two")) == []
    found = told(state, settings, "four")
    assert codes("four", found) == ["log-not-understood"] * 2
    actions = [one.action for one in log_findings("four", found.facts, found.files, [], LogLimits(), NOW)]
    assert all("`name` in sessions.roots" in one for one in actions)


def test_a_log_of_one_bot_may_call_it_by_another_name(tmp_path, state):
    log = tmp_path / "waha.log"
    at = NOW - timedelta(minutes=5)
    log.write_text(removed(at, session="default") + "\n")
    found = told(state, settings_of(tmp_path, f'{{path: {log}, company: "1001"}}'), "1001")
    assert codes("1001", found) == ["device-removed"]


# --- a removal has a subject and an end ---------------------------------------------------------------------


def one_log(tmp_path: Path, *lines: str) -> Settings:
    log = tmp_path / "bot.log"
    with log.open("a") as file:
        file.write("".join(line + "\n" for line in lines))
    return settings_of(tmp_path, f"{{path: {log}, company: shop}}")


def life(login: str, newest: datetime | None = None) -> Callable[[], FolderLife]:
    return lambda: FolderLife(login, newest)


def test_a_removal_is_over_when_the_folder_has_another_login(tmp_path, state):
    at = NOW - timedelta(hours=2)
    settings = one_log(tmp_path, removed(at))
    assert codes("shop", told(state, settings, "shop", life=life("1:17:5"))) == ["device-removed"]
    assert codes("shop", told(state, settings, "shop", life=life(""))) == ["device-removed"]
    assert codes("shop", told(state, settings, "shop", life=life("1:17:5"))) == ["device-removed"]
    assert codes("shop", told(state, settings, "shop", life=life("1:23:9"))) == []
    # And stays so, whoever asks.
    assert codes("shop", told(state, settings, "shop")) == []
    # The next one is of the new login.
    again = NOW - timedelta(minutes=20)
    one_log(tmp_path, removed(again))
    assert codes("shop", told(state, settings, "shop", life=life("1:23:9"))) == ["device-removed"]


@pytest.mark.parametrize(
    ("newest", "is_over"),
    [(timedelta(minutes=-30), False), (timedelta(minutes=1), False), (timedelta(hours=1), True)],
)
def test_keys_that_messages_changed_since_belie_a_removal(tmp_path, state, newest, is_over):
    at = NOW - timedelta(hours=2)
    settings = one_log(tmp_path, removed(at))
    found = told(state, settings, "shop", life=life("1:17:5", at + newest))
    assert (codes("shop", found) == []) is is_over


@pytest.mark.parametrize(
    "line",
    [
        lambda at: pino("opened connection to WA", at),
        lambda at: pino("pairing configured successfully, expect to restart the connection...", at),
        lambda at: pino("30 pre-keys found on server", at),
        lambda at: undecrypted("No session record", at),
        lambda at: json.dumps({"log": undecrypted("No session record", at) + "\n", "time": f"{at:%FT%TZ}"}),
    ],
)
def test_later_lines_that_show_a_life_end_a_removal(tmp_path, state, line):
    settings = one_log(tmp_path, removed(NOW - timedelta(hours=3)), line(NOW - timedelta(minutes=20)))
    assert codes("shop", told(state, settings, "shop")) == []


def test_a_message_of_before_does_not(tmp_path, state):
    settings = one_log(
        tmp_path,
        undecrypted("No session record", NOW - timedelta(hours=3)),
        removed(NOW - timedelta(minutes=9)),
    )
    assert codes("shop", told(state, settings, "shop")) == ["device-removed"]


@pytest.mark.parametrize(("minutes", "healthy"), [(60 * 24, True), (1, False)])
def test_an_api_that_says_connected_goes_before_a_line_of_yesterday(tmp_path, state, minutes, healthy):
    opened = pino("opened connection to WA", NOW - timedelta(days=3))
    settings = one_log(tmp_path, opened, removed(NOW - timedelta(minutes=minutes)))
    found = told(state, settings, "shop", connection="connected")
    assert ("device-removed" not in codes("shop", found, "connected")) is healthy
    facts = BotFacts("connected", creds=CredsState.VALID, log=found.facts)
    diagnosis = diagnose(facts, NOW)
    assert (diagnosis.cause is Cause.HEALTHY) is healthy
    assert diagnosis.confidence is not Confidence.CERTAIN or healthy


def test_a_removal_without_a_time_is_possible_and_no_emergency(tmp_path, state):
    boom = "connection closed due to Error: Stream Errored (conflict) { isBoom: true, output: { statusCode: 401 } }"
    settings = one_log(tmp_path, boom)
    os.utime(tmp_path / "bot.log", (NOW.timestamp() - 600,) * 2)
    found = told(state, settings, "shop")
    assert found.facts.undated == {LogEvent.CLOSED: 1, LogEvent.DEVICE_REMOVED: 1}
    (finding,) = log_findings("shop", found.facts, found.files, [], LogLimits(), NOW)
    assert (finding.code, finding.severity.value) == ("device-removed", "warning")
    assert diagnose(BotFacts(log=found.facts), NOW)[:2] == (Cause.LOGGED_OUT, Confidence.POSSIBLE)


def test_a_removal_is_all_that_is_told_of_a_removed_bot(tmp_path, state):
    at = NOW - timedelta(hours=30)
    said = "Connection closed due to 'Error: Stream Errored (conflict)', do not reconnect the session."
    again = [
        errored("Connection Failure", at + timedelta(hours=hour, minutes=n))
        for hour in (1, 29)
        for n in range(9)
    ]
    settings = one_log(
        tmp_path,
        pino("opened connection to WA", at - timedelta(hours=1)),
        removed(at),
        errored("Stream Errored (conflict)", at),
        pino(said, at, 50),
        *again,
    )
    found = told(state, settings, "shop")
    assert LogEvent.REPLACED not in found.facts.since_opened
    silent = found.facts._replace(longest_quiet=timedelta(minutes=1), last_line=at)
    assert [one.code for one in log_findings("shop", silent, (), [], LogLimits(), NOW)] == ["device-removed"]
    alive = silent._replace(since_opened={})
    assert [one.code for one in log_findings("shop", alive, (), [], LogLimits(), NOW)] == ["log-silent"]


# --- what else a log knows ----------------------------------------------------------------------------------


def test_what_the_server_said_of_its_pre_keys_is_kept_with_its_time(tmp_path, state):
    at = NOW - timedelta(minutes=30)
    settings = one_log(
        tmp_path,
        pino("812 pre-keys found on server", at - timedelta(days=1)),
        pino("30 pre-keys found on server", at),
    )
    assert (
        server_pre_keys(None, settings, "shop", NOW)
        == server_pre_keys(state, settings, "shop", NOW)
        == (30, at)
    )
    assert told(state, settings, "shop").facts.server_pre_keys == (30, at)
    assert server_pre_keys(state, settings, "shop", NOW) == (30, at)
    with (tmp_path / "bot.log").open("a") as log:
        log.write(pino("29 pre-keys found on server", at + timedelta(minutes=1)) + "\n")
    # What came since the last pass is read, and left for the next one to count.
    assert server_pre_keys(state, settings, "shop", NOW) == (29, at + timedelta(minutes=1))
    assert told(state, settings, "shop").files[0].size > 0
    (tmp_path / "bot.log").unlink()
    assert server_pre_keys(state, settings, "shop", NOW) == (29, at + timedelta(minutes=1))
    assert server_pre_keys(None, settings, "shop", NOW) is None


def test_a_second_socket_in_one_process_is_told_from_a_second_process(tmp_path, state):
    def opened(seconds: float, pid: int) -> str:
        line = pino("opened connection to WA", NOW - timedelta(minutes=9) + timedelta(seconds=seconds))
        return line.replace('"pid":7', f'"pid":{pid}')

    def replaced(seconds: float) -> str:
        return stream_error(
            7, NOW - timedelta(minutes=9) + timedelta(seconds=seconds), tag="conflict", type_="replaced"
        )

    own = one_log(
        tmp_path, opened(0, 7), opened(30, 7), replaced(31), opened(60, 7), opened(90, 7), replaced(91)
    )
    found = told(state, own, "shop").facts
    assert (found.lately[LogEvent.REPLACED], found.lately[LogEvent.SECOND_SOCKET]) == (2, 2)
    assert "second socket" in " ".join(diagnose(BotFacts(log=found), NOW).evidence)
    (tmp_path / "bot.log").unlink()
    other = one_log(
        tmp_path, opened(0, 7), replaced(31), opened(60, 7), replaced(91), opened(120, 8), replaced(121)
    )
    with open_state(str(tmp_path / "state2"), NOW) as second:
        assert LogEvent.SECOND_SOCKET not in told(second, other, "shop").facts.lately


def test_lines_of_a_form_that_is_not_read_are_a_finding_from_a_share_on(tmp_path, state):
    odd = json.dumps({"when": "x", "what": "stream errored out"})
    settings = one_log(tmp_path, *[pino("connected to WA", NOW)] * 9, odd)
    assert codes("shop", told(state, settings, "shop")) == []
    one_log(tmp_path, odd, odd, odd)
    found = told(state, settings, "shop")
    assert codes("shop", found) == ["log-not-understood"]
    assert sum(file.understood.not_read for file in found.files) == 4
