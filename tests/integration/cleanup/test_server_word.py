"""What the server says of its pre-keys in the bot's log keeps them, for whichever command looks."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.log_lines import pino
from tests.prekey_lives import LIVES, Bot, Server
from tests.support import creds

LIFE = "long life of 7"


def lay_out(tmp_path: Path, bot: Bot) -> dict[str, str]:
    """Write the bot's folder and its log, and settings that name the log. The life ends half an hour ago."""
    folder = tmp_path / "sessions" / "company_1"
    folder.mkdir(parents=True)
    later = time.time() - 1_800 - bot.now
    (folder / "creds.json").write_text(
        json.dumps(creds(nextPreKeyId=bot.next_id, firstUnuploadedPreKeyId=bot.next_id))
    )
    (folder / "device-list-1.json").write_text('["0"]')
    for number, at in bot.written.items():
        path = folder / f"pre-key-{number}.json"
        path.write_text("{}")
        os.utime(path, (at + later, at + later))
    assert bot.said is not None
    said = bot.said._replace(
        at=bot.said.at.fromtimestamp(bot.said.at.timestamp() + later, bot.said.at.tzinfo)
    )
    log = pino(f"{said.number} pre-keys found on server", said.at)
    (tmp_path / "bot.log").write_text(f"{log}\n")
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        f"logs: [{{path: {tmp_path}/bot.log, company: '1'}}]\nstate: {{dir: {tmp_path}/state}}\n"
    )
    settings.chmod(0o600)
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_STATE_DIR": f"{tmp_path}/state",
    }


def answer(*words: str, env: dict[str, str]) -> dict[str, Any]:
    (company,) = json.loads(run_cli(*words, "--json", env=env).stdout)["companies"]
    return dict(company)


@pytest.mark.parametrize("server", [Server.RANDOM, Server.NEWEST])
def test_with_the_servers_word_nothing_offered_goes_and_all_commands_count_alike(
    tmp_path: Path, server: Server
) -> None:
    bot = LIVES[LIFE](server)
    env = lay_out(tmp_path, bot)
    folder, there = tmp_path / "sessions" / "company_1", set(bot.written)
    without = answer("cleanup", "--dry-run", env=env)["plan"]
    assert len(without["remove"]) > 100
    env["BAILEYS_TOOLS_CONFIG"] = str(tmp_path / "settings.yaml")
    plan = answer("cleanup", "--dry-run", env=env)["plan"]
    seen = answer("monitor-once", env=env)
    assert (plan["guarded_pre_keys"], plan["counted_files"]) == (
        seen["guarded_pre_keys"],
        seen["counted_files"],
    )
    inspected = json.loads(run_cli("inspect", "--json", env=env).stdout)["folder"]
    assert inspected["guarded_pre_keys"] == plan["guarded_pre_keys"] > without["guarded_pre_keys"]
    run_cli("cleanup", env=env)
    left = {int(path.stem.removeprefix("pre-key-")) for path in folder.glob("pre-key-*")}
    assert set(bot.offered) & there <= left


def test_a_new_word_is_looked_at_where_the_folder_stands_still(tmp_path: Path) -> None:
    bot = LIVES[LIFE](Server.RANDOM)
    env = lay_out(tmp_path, bot)
    env["BAILEYS_TOOLS_CONFIG"] = str(tmp_path / "settings.yaml")
    log = tmp_path / "bot.log"
    log.write_text("")
    before = answer("monitor-once", env=env)
    assert bot.said is not None
    log.write_text(pino("7 pre-keys found on server", bot.said.at) + "\n")
    assert answer("monitor-once", env=env)["guarded_pre_keys"] > before["guarded_pre_keys"]


def test_nobody_can_write_pre_keys_away_through_a_bots_log(tmp_path: Path) -> None:
    """Bots print what people write to them: such a line must never make a cleanup remove more."""
    bot = LIVES["812, 600 handed out"](Server.RANDOM)
    env = lay_out(tmp_path, bot)
    env["BAILEYS_TOOLS_CONFIG"] = str(tmp_path / "settings.yaml")
    for number in (0, 1, 5):
        assert bot.said is not None
        (tmp_path / "bot.log").write_text(pino(f"{number} pre-keys found on server", bot.said.at) + "\n")
        assert answer("cleanup", "--dry-run", env=env)["plan"]["remove"] == []


def test_what_grows_without_end_is_told_with_its_rate_and_the_servers_word(tmp_path: Path) -> None:
    bot = Bot(Server.REPLACES)
    bot.log_in()
    bot.top_up(40)
    env = lay_out(tmp_path, bot)
    env["BAILEYS_TOOLS_CONFIG"] = str(tmp_path / "settings.yaml")
    found = json.loads(run_cli("inspect", "--json", env=env).stdout)["findings"]
    (growing,) = [one for one in found if one["code"] == "pre-keys-growing"]
    # Every half hour five.
    assert growing["facts"]["per_day"] == pytest.approx(5 * 40, rel=0.05)
    assert "the server says that it has 5 (its log, " in growing["message"]
    assert "baileys-tools logs --company 1)" in growing["action"]


def test_of_files_with_equal_times_it_is_not_said_that_no_server_hands_them_out(tmp_path: Path) -> None:
    bot = Bot(Server.REPLACES)
    bot.log_in()
    bot.top_up(200)
    env = lay_out(tmp_path, bot)
    for path in tmp_path.rglob("pre-key-*.json"):
        os.utime(path, (1_790_000_000, 1_790_000_000))
    found = json.loads(run_cli("inspect", "--json", env=env).stdout)["findings"]
    (growing,) = [one for one in found if one["code"] == "pre-keys-growing"]
    assert answer("cleanup", "--dry-run", env=env)["plan"]["remove"] == []
    assert "no server" not in growing["message"]
    assert "made their times equal" in growing["message"]
    assert "keeps what a server may still hand out" in growing["action"]
