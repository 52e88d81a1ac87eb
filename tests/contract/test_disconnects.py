"""Each way in which a connection ends, as real Baileys lives and logs it: what is counted, and what is made of it.

The bot runs Baileys' own socket against tests/real_bot/endpoint.mjs. One bot a version goes through all scenarios; each
begins with an open connection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from baileys_tools.commands.bot_facts import look_at_bot
from baileys_tools.config import load_settings
from baileys_tools.domain.diagnosis import BotFacts, Cause, Diagnosis, diagnose
from baileys_tools.domain.recovery import LADDERS, Rung
from baileys_tools.integrations.bot_log.reading import LogMemory, read_log
from baileys_tools.sessions.roots import Root
from baileys_tools.state.database import open_state
from tests.real_bot import RealBot, real_bot
from tests.support import run_cli, snapshot_tree

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]

LATER = timedelta(minutes=10)


class Scenario(NamedTuple):
    """`plays` is told to the endpoint, `counts` is then in the log; `later` is the cause ten minutes on."""

    plays: tuple[str, ...]
    counts: tuple[str, ...]
    cause: Cause
    later: Cause
    prints: str = "nothing"


QUIET = "upgrade-503"
"""Lets no further connection come about, and leaves no line: so the log ends with what is looked at."""

SCENARIOS = {
    "healthy": Scenario((), (), Cause.HEALTHY, Cause.HEALTHY),
    "restart required": Scenario(
        (QUIET, "kick restart"), ("restart-required",), Cause.RESTARTING, Cause.HUNG
    ),
    "unavailable": Scenario((QUIET, "kick unavailable"), ("unavailable",), Cause.NETWORK, Cause.HUNG),
    "bad session": Scenario((QUIET, "kick bad-session"), ("stream-error",), Cause.NETWORK, Cause.HUNG),
    "HTTP 503 on upgrade": Scenario((QUIET, "cut"), ("terminated",), Cause.NETWORK, Cause.HUNG),
    "silent": Scenario(("silent", "cut"), ("attempted", "timed-out"), Cause.NETWORK, Cause.NETWORK),
    "cut": Scenario(("terminated", "cut"), ("attempted", "terminated"), Cause.NETWORK, Cause.NETWORK),
    "401 stream error": Scenario(
        (QUIET, "kick stream-401"), ("unauthorized",), Cause.TEMPORARY_AUTH, Cause.TEMPORARY_AUTH
    ),
    "401 failure": Scenario(("failure-401", "cut"), ("failure",), Cause.TEMPORARY_AUTH, Cause.TEMPORARY_AUTH),
    "401 failure, as text": Scenario(
        ("failure-401", "cut"),
        ("failure", "unauthorized"),
        Cause.TEMPORARY_AUTH,
        Cause.TEMPORARY_AUTH,
        "text",
    ),
    "401 failure, as JSON": Scenario(
        ("failure-401", "cut"),
        ("failure", "unauthorized"),
        Cause.TEMPORARY_AUTH,
        Cause.TEMPORARY_AUTH,
        "json",
    ),
    "403 failure": Scenario(
        ("failure-403", "cut"), ("failure", "forbidden"), Cause.BANNED, Cause.BANNED, "json"
    ),
    "405 failure": Scenario(
        ("failure-405", "cut"), ("failure", "outdated"), Cause.OUTDATED_CLIENT, Cause.OUTDATED_CLIENT, "text"
    ),
    "device removed": Scenario(
        (QUIET, "kick device-removed"), ("device-removed",), Cause.LOGGED_OUT, Cause.LOGGED_OUT
    ),
    "replaced": Scenario((QUIET, "kick replaced"), ("replaced",), Cause.TWO_PROCESSES, Cause.TWO_PROCESSES),
    "refused": Scenario(("refuse", "cut"), ("refused",), Cause.NETWORK, Cause.NETWORK),
}


@pytest.fixture(scope="module", params=["baileys6", "baileys7"])
def bot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBot]:
    place = tmp_path_factory.mktemp(request.param)
    folder = place / "sessions" / "company_1001"
    folder.mkdir(parents=True)
    with real_bot(request.param, folder, place / "bot.log") as running:
        running.until(lambda: running.status() == "connected")
        yield running


def settings_file(bot: RealBot) -> Path:
    file = bot.log.with_name("settings.yaml")
    file.write_text(
        json.dumps(
            {
                "sessions": {"path": str(bot.folder.parent)},
                "bot_api": {"preset": "ai-admin", "url": bot.url},
                "logs": [{"path": str(bot.log), "company": "1001"}],
                "recover": {"first_delay": "1s", "wait": "10s"},
            }
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
        assert LADDERS[diagnosis.cause][0] is Rung.RESTORE
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


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_disconnect_is_counted_and_explained(bot: RealBot, name: str, tmp_path: Path) -> None:
    plays, counts, cause, later, prints = SCENARIOS[name]
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
