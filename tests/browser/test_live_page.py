"""The live page in headless Chromium: what changes is there by itself, and what is done is done from it."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import segno
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.browser import axe, chromium, complaints, requested
from tests.browser.places import environment as fleet_environment
from tests.browser.places import fleet, sessions
from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Request, answering
from tests.serving import Page, serving
from tests.support import company_folder

pytestmark = pytest.mark.xdist_group("browser")

ARABIC, RUSSIAN = (
    "\u0645\u062a\u062c\u0631 \u0627\u0644\u0634\u0627\u0645",
    "\u041c\u0430\u0433\u0430\u0437\u0438\u043d \u0421\u0435\u0432\u0435\u0440",
)
NAMES = (ARABIC, RUSSIAN, "B\u00e4ckerei M\u00fcller", "Padaria S\u00e3o Jo\u00e3o")
CODE = "2@aGVsbG8gd29ybGQ,aaaabbbbcccc,dddd"


class Bot:
    """The API of a bot: connected or not, with a code or without."""

    def __init__(self) -> None:
        self.connected = True
        self.code = ""
        self.sent: list[Any] = []
        self.lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        with self.lock:
            if request.path == "/status":
                return Reply({"connected": self.connected, "hasQR": bool(self.code)})
            if request.path == "/qr":
                return Reply({"code": self.code})
            if request.path == "/reconnect":
                self.connected = True
            if request.path == "/send":
                self.sent.append(request.json)
            return Reply({"success": True})


API = {
    "status": {
        "request": "GET /status",
        "connected": "connected == `true`",
        "disconnected": "connected == `false`",
        "has_qr": "hasQR",
    },
    "qr": {"request": "GET /qr", "code": "code"},
    "reconnect": {"request": "POST /reconnect"},
    "init": {"request": "POST /init"},
    "send": {
        "request": "POST /send",
        "body": {"to": "{number}", "text": "{message}"},
        "ok": "success == `true`",
    },
}


class World:
    def __init__(self, place: Path, page: Page, bot: Bot, config: Path) -> None:
        self.place, self.page, self.bot, self.config = place, page, bot, config

    def monitor(self) -> None:
        run = run_cli("monitor-once", "--quiet", "--config", self.config, env=fleet_environment(self.place))
        assert run.returncode in (0, 4, 5), run.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place, bot = tmp_path_factory.mktemp("live"), Bot()
    fleet(place)
    for name in NAMES:
        company_folder(place / "sessions", name, sessions(12))
    company_folder(
        place / "sessions", "3001", {f"session-49171{one}.0.json": timedelta(days=30) for one in range(25)}
    )
    with answering(bot.answer) as server:
        config = place / "config.yaml"
        config.write_text(json.dumps({"companies": {"3001": {"bot_api": {"url": server.url, **API}}}}))
        config.chmod(0o600)
        with serving(place, "--allow-actions", "--config", str(config), env=fleet_environment(place)) as page:
            world = World(place, page, bot, config)
            world.monitor()
            page.looked()
            yield world


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        driver.get(world.page.url + world.page.link)
        WebDriverWait(driver, 20).until(lambda _: driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr"))
        yield driver


def open_page(
    driver: webdriver.Chrome, world: World, path: str = "/", *, dark: bool = False, width: int = 1280
) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get("about:blank")
    driver.get_log("performance")
    driver.get_log("browser")
    driver.get(world.page.url + path)


def until(driver: webdriver.Chrome, holds: Any, seconds: float = 40) -> Any:
    try:
        return WebDriverWait(driver, seconds, ignored_exceptions=(Exception,)).until(lambda _: holds())
    except TimeoutException:
        raise AssertionError(f"it never came; the page has:\n{text_of(driver, 'body')[:3_000]}") from None


def text_of(driver: webdriver.Chrome, selector: str) -> str:
    return driver.find_element(By.CSS_SELECTOR, selector).text


def press(driver: webdriver.Chrome, text: str) -> None:
    """Press a button by what is on it, as soon as it may be pressed."""

    def button() -> Any:
        found = driver.find_elements(By.XPATH, f"//button[normalize-space()='{text}' and not(@disabled)]")
        return found[0] if found else None

    until(driver, button).send_keys(Keys.ENTER)


def newest(driver: webdriver.Chrome) -> str:
    return text_of(driver, ".run")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/", "/company/1001"])
def test_it_is_drawn_without_a_word_a_request_or_a_fault(
    driver: webdriver.Chrome, world: World, path: str, dark: bool, width: int
) -> None:
    open_page(driver, world, path, dark=dark, width=width)
    until(driver, lambda: text_of(driver, "#freshness").startswith("Looked"))
    assert complaints(driver) == []
    assert {address.split("/")[2] for address in requested(driver) if "://" in address} == {
        world.page.url.split("/")[2]
    }
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", background)[:3])
    assert (brightness < 200) == dark
    assert axe(driver) == []


def test_names_are_text_and_run_their_own_way(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world)
    shown = [one.text for one in driver.find_elements(By.CSS_SELECTOR, "#fleet tbody th bdi")]
    assert set(NAMES) <= set(shown)
    assert '<img src=x onerror="alert(1)">' in shown
    link = driver.find_element(By.XPATH, f"//bdi[.='{ARABIC}']")
    assert driver.execute_script("return getComputedStyle(arguments[0]).unicodeBidi", link) == "isolate"
    assert driver.execute_script("return arguments[0].matches(':dir(rtl)')", link) is True
    link.find_element(By.XPATH, "..").click()
    until(driver, lambda: text_of(driver, "#name") == ARABIC)


def test_what_changes_is_there_by_itself(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world)
    creds = world.place / "sessions" / "company_1001" / "creds.json"
    whole = creds.read_bytes()
    creds.write_bytes(b"")
    world.monitor()
    row = "#fleet tr[data-key='1001']"
    until(driver, lambda: "creds-empty" in text_of(driver, row))
    first = [
        one.get_attribute("data-key") for one in driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr")
    ][:2]
    assert "1001" in first, "the worst first"
    creds.write_bytes(whole)
    world.monitor()
    until(driver, lambda: "creds-empty" not in text_of(driver, row))
    assert driver.execute_script("return performance.getEntriesByType('navigation').length") == 1


def test_it_is_filtered_sorted_and_gone_by_keyboard(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world)
    keys = webdriver.ActionChains(driver)
    keys.send_keys(Keys.TAB).perform()
    assert driver.execute_script("return document.activeElement.textContent") == "To the table"
    keys.send_keys(Keys.ENTER).send_keys(Keys.TAB).send_keys("1002").perform()
    visible = "#fleet tbody tr:not([hidden])"
    until(driver, lambda: len(driver.find_elements(By.CSS_SELECTOR, visible)) == 1)
    assert re.fullmatch(r"1 of \d+ companies", text_of(driver, "#filtered"))
    driver.find_element(By.ID, "filter").clear()
    driver.find_element(By.ID, "filter").send_keys(" ")
    driver.find_element(By.ID, "problems").send_keys(Keys.SPACE)
    states = [one.text for one in driver.find_elements(By.CSS_SELECTOR, f"{visible} td:nth-child(2)")]
    assert "healthy" not in states
    assert states
    next(
        one for one in driver.find_elements(By.CSS_SELECTOR, "#fleet th button") if one.text == "Counted"
    ).send_keys(Keys.ENTER)
    counts = [
        int(one.text.split()[0].replace(",", ""))
        for one in driver.find_elements(By.CSS_SELECTOR, f"{visible} td:nth-child(4)")
    ]
    assert counts == sorted(counts, reverse=True)


def test_a_silent_server_is_said_loudly(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world)
    # As time would have it.
    driver.execute_script(
        "const real = performance.now.bind(performance); performance.now = () => real() + 60000"
    )
    until(driver, lambda: "hears nothing from its server" in text_of(driver, "#loud"))


def test_a_cleanup_is_planned_run_seen_after_a_reload_and_undone(
    driver: webdriver.Chrome, world: World
) -> None:
    folder = world.place / "sessions" / "company_3001"

    def left() -> int:
        return sum(name.startswith("session-") for name in os.listdir(folder))

    open_page(driver, world, "/company/3001")
    press(driver, "Clean up ...")
    press(driver, "Yes, clean up")
    until(driver, lambda: left() == 0)
    until(driver, lambda: newest(driver).split("\n")[:2][0] == "Clean up" and "Done" in newest(driver))
    assert axe(driver) == []
    driver.refresh()
    until(driver, lambda: "Clean up" in newest(driver) and "Done" in newest(driver))
    press(driver, "Undo ...")
    press(driver, "Yes, undo the last run")
    until(driver, lambda: left() == 25)
    until(driver, lambda: "cleanup" in text_of(driver, "#beside"))


def test_a_lost_connection_is_seen_and_mended_from_the_page(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world, "/company/3001")
    world.bot.connected = False
    world.monitor()
    until(
        driver, lambda: "connection-lost" in text_of(driver, "#why") or "bot-away" in text_of(driver, "#why")
    )
    press(driver, "Recover ...")
    until(driver, lambda: "ask its API to reconnect" in newest(driver))
    # Its first step is to wait for a minute; the second by itself is a button too.
    press(driver, "No")
    press(driver, "Reconnect")
    until(driver, lambda: world.bot.connected)
    until(driver, lambda: "3001: connected" in newest(driver) and "Done" in newest(driver))
    world.monitor()
    until(driver, lambda: "connection-lost" not in text_of(driver, "#why"))


def test_a_message_is_sent_and_the_number_is_shown_nowhere(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world, "/company/3001")
    world.bot.connected = True
    press(driver, "Test message ...")
    field = until(driver, lambda: driver.find_element(By.CSS_SELECTOR, "dialog input"))
    assert axe(driver) == []
    field.send_keys("4917012345678", Keys.ENTER)
    until(driver, lambda: "sent to 49****78" in newest(driver))
    assert world.bot.sent[-1]["to"] == "4917012345678"
    assert "4917012345678" not in driver.page_source


def test_a_code_is_shown_until_it_is_scanned(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world, "/company/3001")
    world.bot.connected, world.bot.code = False, CODE
    press(driver, "QR code")
    picture = until(driver, lambda: driver.find_element(By.CSS_SELECTOR, ".run img:not([hidden])"))
    until(driver, lambda: driver.execute_script("return arguments[0].naturalWidth", picture) > 100)
    assert modules_on_screen(driver, picture) == [
        [bool(one) for one in row] for row in segno.make_qr(CODE, error="l", boost_error=False).matrix
    ], "what a phone's camera sees is the bot's own code"
    world.bot.connected, world.bot.code = True, ""
    until(driver, lambda: "Done" in newest(driver))
    assert not driver.find_elements(By.CSS_SELECTOR, ".run img:not([hidden])")
    assert not list((world.place / "state" / "page" / "actions").glob("*.png"))


def modules_on_screen(driver: webdriver.Chrome, picture: Any) -> list[list[bool]]:
    """Read the code off the picture as it is drawn."""
    from baileys_tools.bots.rules.qr import modules_of_picture, picture_of

    data = driver.execute_script(
        "const canvas = document.createElement('canvas'), image = arguments[0];"
        "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
        "canvas.getContext('2d').drawImage(image, 0, 0); return canvas.toDataURL('image/png')",
        picture,
    )
    found = picture_of(data)
    assert found is not None
    return [[bool(one) for one in row] for row in modules_of_picture(found)]


def test_a_reset_needs_the_name(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world, "/company/1003")
    press(driver, "Reset ...")
    risky = until(driver, lambda: driver.find_element(By.CSS_SELECTOR, ".run button.risky"))
    risky.send_keys(Keys.ENTER)
    until(driver, lambda: driver.find_element(By.CSS_SELECTOR, "dialog input")).send_keys("1002", Keys.ENTER)
    until(driver, lambda: "The name that was typed is not this company's." in text_of(driver, "#happening"))
    assert (world.place / "sessions" / "company_1003" / "creds.json").exists()


def test_it_prints_and_holds_still_for_who_asks(driver: webdriver.Chrome, world: World) -> None:
    open_page(driver, world, "/company/1001", dark=True)
    until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".chart[data-drawn] canvas"))
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    assert len(printed["data"]) > 20_000
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
    open_page_features = driver.execute_script(
        "const row = document.createElement('tr'); row.className = 'changed'; document.body.append(row);"
        "const name = getComputedStyle(row).animationName; row.remove(); return name"
    )
    assert open_page_features == "none"
