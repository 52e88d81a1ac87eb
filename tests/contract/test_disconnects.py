"""Each way in which a connection ends, as real Baileys lives and logs it: what is counted, and what is made of it.

The bot runs Baileys' own socket against tests/real_bot/endpoint.mjs. One bot a version goes through all scenarios (of
version 6 in the long proofs); each begins with an open connection.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from baileys_tools.bots.bot_facts import look_at_bot
from baileys_tools.bots.bot_log.reading import LogMemory, read_log
from baileys_tools.bots.rules.diagnosis import BotFacts, Cause, Diagnosis, diagnose
from baileys_tools.config import load_settings
from baileys_tools.recovery.recovering import run_recover, tell_recovery
from baileys_tools.recovery.recovery_job import RecoverJob
from baileys_tools.recovery.rules.recovery import LADDERS, Rung
from baileys_tools.sessions.roots import Root
from baileys_tools.state.database import open_state
from baileys_tools.watching.monitor import run_monitor
from tests.integration.faults.forked import run_cli
from tests.real_bot import RealBot, real_bot
from tests.servers import Reply, Server, answering
from tests.support import snapshot_tree

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]

LATER = timedelta(minutes=10)


class Scenario(NamedTuple):
    """`plays` is told to the endpoint, `counts` is then in the log; `later` is the cause ten minutes on.

    `row` is the first cell of the row of docs/recovery.md. What the table says beside the causes is asserted from
    STEPS and ALERTS.
    """

    row: str
    plays: tuple[str, ...]
    counts: tuple[str, ...]
    cause: Cause
    later: Cause
    prints: str = "nothing"

    @property
    def steps(self) -> tuple[str, ...]:
        """What would be tried with an API and no process manager, in this order."""
        return STEPS[self.cause]

    @property
    def alerts(self) -> Mapping[int, tuple[str, ...]]:
        """What the webhook hears, by the minute, beside CONNECTION_LOST."""
        return (
            {0: ("device-removed emergency", "needs-person critical")}
            if self.row == DEVICE_REMOVED
            else ALERTS[self.cause]
        )


DEVICE_REMOVED = "stream error 401, `device_removed`"
STEPS = {
    Cause.HEALTHY: (),
    Cause.RESTARTING: ("wait", "reconnect", "person"),
    Cause.NETWORK: ("wait", "reconnect", "person"),
    Cause.TEMPORARY_AUTH: ("reconnect", "person"),
    Cause.BANNED: ("person",),
    Cause.OUTDATED_CLIENT: ("person",),
    Cause.LOGGED_OUT: ("person",),
    # While it runs, and nothing can stop it.
    Cause.CREDS_LOST: ("person",),
    Cause.TWO_PROCESSES: ("person",),
}
PERSON: dict[int, tuple[str, ...]] = {0: ("needs-person critical",)}
ALERTS: dict[Cause, dict[int, tuple[str, ...]]] = {
    Cause.HEALTHY: {},
    Cause.RESTARTING: {5: ("recovery-due critical",)},
    Cause.NETWORK: {5: ("recovery-due critical",)},
    Cause.TEMPORARY_AUTH: {0: ("recovery-due critical",)},
    Cause.BANNED: PERSON,
    Cause.OUTDATED_CLIENT: PERSON,
    Cause.TWO_PROCESSES: PERSON,
    Cause.CREDS_LOST: {0: ("creds-empty emergency", "needs-person critical")},
}
CONNECTION_LOST = "connection-lost critical"
GIVES_UP = (Cause.TEMPORARY_AUTH, Cause.LOGGED_OUT)
"""After a 401 a bot does not try again, and its API says disconnected; else that or connecting, as it happens."""


QUIET = "upgrade-503"
"""Lets no further connection come about, and leaves no line: so the log ends with what is looked at."""

SCENARIOS = {
    "healthy": Scenario("connected", (), (), Cause.HEALTHY, Cause.HEALTHY),
    "restart required": Scenario(
        "stream error 515", (QUIET, "kick restart"), ("restart-required",), Cause.RESTARTING, Cause.HUNG
    ),
    "unavailable": Scenario(
        "stream error 503", (QUIET, "kick unavailable"), ("unavailable",), Cause.NETWORK, Cause.HUNG
    ),
    "bad session": Scenario(
        'stream error 500, "bad session"',
        (QUIET, "kick bad-session"),
        ("stream-error",),
        Cause.NETWORK,
        Cause.HUNG,
    ),
    "HTTP 503 on upgrade": Scenario(
        "HTTP 503 when the connection is upgraded", (QUIET, "cut"), ("terminated",), Cause.NETWORK, Cause.HUNG
    ),
    "silent": Scenario(
        "server silent in the handshake",
        ("silent", "cut"),
        ("attempted", "timed-out"),
        Cause.NETWORK,
        Cause.NETWORK,
    ),
    "cut": Scenario(
        "server cuts the connection",
        ("terminated", "cut"),
        ("attempted", "terminated"),
        Cause.NETWORK,
        Cause.NETWORK,
    ),
    "401 stream error": Scenario(
        "stream error 401 without a word about the device",
        (QUIET, "kick stream-401"),
        ("unauthorized",),
        Cause.TEMPORARY_AUTH,
        Cause.TEMPORARY_AUTH,
    ),
    "401 failure": Scenario(
        "login refused with 401",
        ("failure-401", "cut"),
        ("failure",),
        Cause.TEMPORARY_AUTH,
        Cause.TEMPORARY_AUTH,
    ),
    "401 failure, as text": Scenario(
        "login refused with 401",
        ("failure-401", "cut"),
        ("failure", "unauthorized"),
        Cause.TEMPORARY_AUTH,
        Cause.TEMPORARY_AUTH,
        "text",
    ),
    "401 failure, as JSON": Scenario(
        "login refused with 401",
        ("failure-401", "cut"),
        ("failure", "unauthorized"),
        Cause.TEMPORARY_AUTH,
        Cause.TEMPORARY_AUTH,
        "json",
    ),
    "403 failure": Scenario(
        "login refused with 403, printed by the bot",
        ("failure-403", "cut"),
        ("failure", "forbidden"),
        Cause.BANNED,
        Cause.BANNED,
        "json",
    ),
    "405 failure": Scenario(
        "login refused with 405, printed by the bot",
        ("failure-405", "cut"),
        ("failure", "outdated"),
        Cause.OUTDATED_CLIENT,
        Cause.OUTDATED_CLIENT,
        "text",
    ),
    "device removed": Scenario(
        DEVICE_REMOVED,
        (QUIET, "kick device-removed"),
        ("device-removed",),
        Cause.LOGGED_OUT,
        Cause.LOGGED_OUT,
    ),
    "replaced": Scenario(
        "stream error `conflict`, `replaced` (440)",
        (QUIET, "kick replaced"),
        ("replaced",),
        Cause.TWO_PROCESSES,
        Cause.TWO_PROCESSES,
    ),
    "refused": Scenario("connection refused", ("refuse", "cut"), ("refused",), Cause.NETWORK, Cause.NETWORK),
}
CREDS_LOST = Scenario(
    "creds.json emptied, bot started again", ("kill",), ("registering",), Cause.CREDS_LOST, Cause.CREDS_LOST
)


@pytest.fixture(scope="module", params=[pytest.param("baileys6", marks=pytest.mark.faults), "baileys7"])
def bot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBot]:
    place = tmp_path_factory.mktemp(request.param)
    folder = place / "sessions" / "company_1001"
    folder.mkdir(parents=True)
    with real_bot(request.param, folder, place / "bot.log") as running:
        running.until(lambda: running.status() == "connected")
        yield running


def settings_file(bot: RealBot, **more: object) -> Path:
    file = bot.log.with_name("settings.yaml")
    file.write_text(
        json.dumps(
            {
                "sessions": {"path": str(bot.folder.parent)},
                "bot_api": {"preset": "ai-admin", "url": bot.url},
                "logs": [{"path": str(bot.log), "company": "1001"}],
                "recover": {"first_delay": "1s", "wait": "10s"},
            }
            | more
        )
    )
    return file


def look(bot: RealBot, state_dir: Path, after: timedelta = timedelta(0)) -> tuple[BotFacts, Diagnosis]:
    """Look at the bot as `recover` does, `after` from now."""
    now = datetime.now(UTC) + after
    settings = load_settings({}, {}, config=str(settings_file(bot))).settings
    with open_state(str(state_dir), now) as state, Root(str(bot.folder.parent)) as root:
        [company] = root.companies()
        facts = look_at_bot(settings, root, company, state, now, had_snapshot=True).facts
        return facts, diagnose(facts, now)


def new_events(bot: RealBot, start: LogMemory) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (_, event), number in read_log(str(bot.log), start, datetime.now(UTC)).hours.items():
        counts[event.value] += number
    return counts


def test_a_passing_401_is_healed_by_a_reconnect_and_not_a_key_is_touched(
    bot: RealBot, own_home: Path
) -> None:
    bot.connects()
    bot.plays("failure-401", "cut")
    bot.until(lambda: bot.status() == "disconnected" and b"Connection Failure" in bot.log.read_bytes())
    bot.plays("ok")
    before = snapshot_tree(bot.folder)
    run = run_cli("recover", "--yes", "--json", "--config", settings_file(bot))
    assert run.returncode == 0, run.stdout + run.stderr
    [company] = json.loads(run.stdout)["companies"]
    assert bot.status() == "connected"
    after = snapshot_tree(bot.folder)
    # Only what Baileys itself saves at a login has changed.
    changed = {path for path in before if after.get(path) != before[path]}
    assert {path for path in changed if not path.startswith((b"device-list-", b"lid-mapping-"))} <= {
        b"creds.json"
    }
    assert set(before) <= set(after)
    assert Rung.RECONNECT.value in json.dumps(company)
    assert Rung.RESTORE.value not in {step.get("step") for step in company.get("tried", [])}


def account_of(bot: RealBot) -> str:
    """The account in creds.json; Baileys truncates that file before each write."""
    creds = bot.folder / "creds.json"
    bot.until(lambda: creds.stat().st_size > 0 and creds.read_text().endswith("}"))
    return str(json.loads(creds.read_text())["me"]["id"])


def test_creds_that_a_kill_emptied_come_back_from_the_snapshot_as_the_same_account(
    bot: RealBot, tmp_path: Path
) -> None:
    bot.connects()
    account = account_of(bot)
    repository = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    backup = run_cli("backup", "--sessions", bot.folder.parent, env=repository)
    assert backup.returncode == 0, backup.stderr
    bot.bot.stop()
    (bot.folder / "creds.json").write_bytes(b"")
    try:
        bot.start()
        bot.until(lambda: bot.ask("GET", "status/1001")["status"]["hasQR"])
        facts, diagnosis = look(bot, tmp_path / "state")
        assert diagnosis.cause is Cause.CREDS_LOST, (facts, diagnosis)
        assert LADDERS[diagnosis.cause][:2] == (Rung.FROM_BAK, Rung.RESTORE)
        with answering(lambda _: Reply({})) as hook:
            more = {"backup": {"path": repository["BAILEYS_TOOLS_BACKUP_PATH"]}}
            assert_the_ladder(bot, CREDS_LOST, hook, tmp_path, **more)
            assert_the_alerts(bot, CREDS_LOST, hook, tmp_path, **more)
    finally:
        bot.bot.stop()
    restore = run_cli(
        "restore", "--company", "1001", "--yes", "--force", "--sessions", bot.folder.parent, env=repository
    )
    assert restore.returncode == 0, restore.stdout + restore.stderr
    bot.start()
    bot.until(lambda: bot.status() == "connected")
    assert account_of(bot) == account
    _, diagnosis = look(bot, tmp_path / "after")
    assert diagnosis.cause is Cause.HEALTHY


def assert_the_ladder(bot: RealBot, scenario: Scenario, hook: Server, place: Path, **more: object) -> None:
    """By the command itself, which says what would be tried and tells nobody."""
    state = {"dir": str(place / "ladder")}
    file = settings_file(bot, notify={"webhook": hook.url}, state=state, **more)
    run = run_cli("recover", "--dry-run", "--json", "--config", file)
    assert run.returncode == 0, run.stdout + run.stderr
    [company] = json.loads(run.stdout)["companies"]
    assert company["cause"]["cause"] == scenario.cause.value
    assert tuple(step["step"] for step in company["steps"]) == scenario.steps
    assert company["tried"] == []
    assert hook.requests == []


def assert_the_alerts(bot: RealBot, scenario: Scenario, hook: Server, place: Path, **more: object) -> None:
    """What cron would tell in six minutes in which nothing changes: the monitor each minute, `recover` each fifth."""
    state_dir = str(place / "alerts")
    file = settings_file(bot, notify={"webhook": hook.url}, state={"dir": state_dir}, **more)
    loaded = load_settings({}, {}, config=str(file))
    began = datetime.now(UTC)
    heard: dict[int, tuple[str, ...]] = {}
    lost: list[int] = []
    for minute in range(6):
        now = began + timedelta(minutes=minute)
        hook.requests.clear()
        with open_state(state_dir, now) as state:
            run_monitor(loaded, state, now)
            if minute % 5 == 0:
                job = RecoverJob(loaded.settings, state, now, print, clock=partial(_same, now))
                tell_recovery(loaded.settings, state, run_recover(job, str(bot.folder.parent), None))
        told = [alert for request in hook.requests for alert in request.json["alerts"]]
        codes = sorted(f"{one['code']} {one['severity']}" for one in told if one["company"])
        lost += [minute] * codes.count(CONNECTION_LOST)
        if others := tuple(code for code in codes if code != CONNECTION_LOST):
            heard[minute] = others
    assert heard == scenario.alerts
    if scenario.cause in GIVES_UP:
        assert lost == [2]
    # Three looks in a row, none of which saw it connected.
    assert len(lost) <= bool(scenario.plays)
    assert all(minute >= 2 for minute in lost)


def _same(moment: datetime) -> datetime:
    return moment


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_disconnect_is_counted_and_explained(bot: RealBot, name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    _, plays, counts, cause, later, prints = scenario
    # As after a rotation: the reconnects between the scenarios are this test's own.
    os.truncate(bot.log, 0)
    bot.connects()
    bot.ask("POST", f"prints/{prints}")
    before = read_log(str(bot.log), LogMemory(), datetime.now(UTC)).memory
    bot.plays(*plays)
    try:
        bot.until(lambda: all(new_events(bot, before)[event] for event in counts))
        if plays:
            bot.until(lambda: bot.status() != "connected")
        if "refuse" not in plays and prints == "nothing":
            assert not {"unauthorized", "forbidden", "outdated"} & set(new_events(bot, before)) - set(counts)
        _, diagnosis = look(bot, tmp_path / "now")
        assert diagnosis.cause is cause, diagnosis
        assert diagnosis.evidence
        if later is not Cause.NETWORK:
            # The others go on trying, and ten minutes on their newest line would be of then.
            _, after = look(bot, tmp_path / "later", LATER)
            assert after.cause is later, after
        with answering(lambda _: Reply({})) as hook:
            assert_the_ladder(bot, scenario, hook, tmp_path)
            assert_the_alerts(bot, scenario, hook, tmp_path)
    finally:
        if "refuse" in plays:
            bot.plays("listen")


def test_two_processes_that_push_each_other_out_are_told_even_while_one_is_connected(
    bot: RealBot, tmp_path: Path
) -> None:
    before = read_log(str(bot.log), LogMemory(), datetime.now(UTC)).memory
    bot.connects()
    bot.plays("replaced", "kick replaced")
    bot.until(lambda: new_events(bot, before)["replaced"] >= 2)
    bot.connects()
    _, diagnosis = look(bot, tmp_path)
    assert diagnosis.cause is Cause.TWO_PROCESSES
    assert LADDERS[diagnosis.cause] == ()
