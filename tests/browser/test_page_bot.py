"""A bot of the real Baileys behind the page: cleaned, undone, lost, recovered, heard, removed and paired anew."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.browser import axe
from tests.browser.live import Live, live
from tests.real_bot import RealBot, real_bot
from tests.support import require_tool, scrubbed_environment, write_key

pytestmark = [pytest.mark.contract, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

FRIEND = "4917012345678"


@pytest.fixture(scope="module", params=["baileys7", pytest.param("baileys6", marks=pytest.mark.faults)])
def bot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBot]:
    place = tmp_path_factory.mktemp("bot")
    folder = place / "sessions" / "company_1001"
    folder.mkdir(parents=True)
    with real_bot(request.param, folder, place / "bot.log") as bot:
        bot.until(lambda: bot.status() == "connected")
        yield bot


@pytest.fixture(scope="module")
def world(bot: RealBot, driver: webdriver.Chrome) -> Iterator[Live]:
    place = bot.log.parent
    config = place / "config.yaml"
    settings = {
        "bot_api": {"preset": "ai-admin", "url": bot.url},
        "logs": [{"path": str(bot.log), "company": "1001"}],
        "backup": {"path": str(place / "backups")},
        "recover": {"first_delay": "1s", "wait": "10s"},
    }
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    with live(driver, place, "--config", str(config)) as world:
        yield world


def test_a_cleanup_is_planned_run_seen_after_a_reload_and_undone(world: Live, bot: RealBot) -> None:
    # One a day: else the bot would have been away for a month, and a time away makes no session old.
    for days in range(30):
        write_key(bot.folder, f"session-49171{days}.0.json", timedelta(days=days, hours=1))

    def left() -> int:
        return sum(name.startswith("session-49171") for name in os.listdir(bot.folder))

    world.open("/company/1001")
    world.press("Clean up ...")
    world.ends("Clean up ...")
    assert left() == 30, "a plan"
    world.press("Yes, clean up")
    world.ends("Clean up")
    assert left() == 14, world.text("#happening")
    assert axe(world.driver) == []
    world.driver.refresh()
    world.ends("Clean up")
    world.press("Undo ...")
    world.press("Yes, undo the last run")
    world.ends("Undo")
    assert left() == 30
    assert bot.status() == "connected"
    world.until(lambda: "cleanup" in world.text("#beside"))


def test_a_lost_connection_is_seen_and_recovered_to_the_end(world: Live, bot: RealBot) -> None:
    """After a 401 that passes Baileys does not try again by itself."""
    world.open("/company/1001")
    bot.plays("failure-401", "cut")
    bot.until(lambda: bot.status() == "disconnected" and b"Connection Failure" in bot.log.read_bytes())
    bot.plays("ok")
    world.monitor()
    world.until(lambda: "away" in world.text("#why") or "connection" in world.text("#why"))
    world.press("Recover ...")
    world.until(lambda: "ask its API to reconnect" in world.text(".run"))
    world.press("Yes, recover")
    world.ends("Recover")
    assert bot.status() == "connected"
    world.monitor()
    world.until(lambda: "away" not in world.text("#why") and "connection" not in world.text("#why"))


def test_a_message_arrives_and_its_number_is_shown_nowhere(world: Live, bot: RealBot) -> None:
    bot.plays(f"befriend {FRIEND}")
    world.open("/company/1001")
    world.press("Test message ...")
    assert axe(world.driver) == []
    world.types(FRIEND)
    world.ends("Test message ...")
    assert "sent to 49****78" in world.text(".run")
    (text,) = bot.read()
    assert text.startswith("baileys-tools: a test, ")
    assert FRIEND not in world.driver.page_source
    world.until(lambda: re.search(r"Last message out\n\d+ s ago", world.text("#more")))


def test_a_removed_device_is_paired_anew_with_the_code_on_the_page(world: Live, bot: RealBot) -> None:
    before = identity(bot)
    world.open("/company/1001")
    bot.plays("kick device-removed")
    bot.until(lambda: bot.status() == "disconnected")
    world.monitor()
    world.until(lambda: "device-removed" in world.text("#companies"))
    quiet_for_a_while(bot.folder)
    world.press("Reset ...")
    risky = ".run button.risky"
    world.until(lambda: world.driver.find_element(By.CSS_SELECTOR, risky)).send_keys(Keys.ENTER)
    world.types("1001")
    picture = world.until(lambda: world.driver.find_element(By.CSS_SELECTOR, ".run img:not([hidden])"), 60)
    code = world.until(lambda: scanned(picture))
    assert code == bot.ask("GET", "qr/1001")["qr"], "what a phone's camera sees is the bot's own code"
    bot.plays(f"scan {code}")
    world.ends("Reset")
    assert bot.status() == "connected"
    assert identity(bot) != before, "paired anew"
    assert not world.driver.find_elements(By.CSS_SELECTOR, ".run img:not([hidden])")
    assert not list((world.place / "state" / "page" / "actions").glob("*.png"))
    world.monitor()
    world.until(lambda: "device-removed" not in world.text("#why"))


def quiet_for_a_while(folder: Path) -> None:
    """A reset is refused where a bot has just written."""
    for file in folder.iterdir():
        at = file.stat().st_mtime - 600
        os.utime(file, (at, at))


def identity(bot: RealBot) -> Any:
    """The key that makes this bot this one."""
    return json.loads((bot.folder / "creds.json").read_text())["signedIdentityKey"]["public"]


def scanned(picture: Any) -> str:
    """Read the code off the screen, as a phone does."""
    screen = Path(os.environ["HOME"]) / "screen.png"
    screen.write_bytes(base64.b64decode(picture.screenshot_as_base64))
    words = [require_tool("zbarimg"), "--quiet", "--raw", str(screen)]
    run = subprocess.run(words, env=scrubbed_environment(), capture_output=True, text=True, check=False)
    return run.stdout.strip()
