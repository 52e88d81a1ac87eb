"""The live page in headless Chromium: what changes is there by itself, and whoever looks can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.browser import assert_nothing_is_wrong, column, printed, requested, sort_by
from tests.browser.live import Live, live
from tests.browser.places import fleet, sessions
from tests.support import company_folder

pytestmark = pytest.mark.xdist_group("browser")

ARABIC, RUSSIAN = (
    "\u0645\u062a\u062c\u0631 \u0627\u0644\u0634\u0627\u0645",
    "\u041c\u0430\u0433\u0430\u0437\u0438\u043d \u0421\u0435\u0432\u0435\u0440",
)
NAMES = (ARABIC, RUSSIAN, "B\u00e4ckerei M\u00fcller", "Padaria S\u00e3o Jo\u00e3o")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, driver: webdriver.Chrome) -> Iterator[Live]:
    place = fleet(tmp_path_factory.mktemp("live"))
    for name in NAMES:
        company_folder(place / "sessions", name, sessions(12))
    with live(driver, place) as world:
        yield world


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/", "/company/1001"])
def test_it_is_drawn_without_a_word_a_request_or_a_fault(
    world: Live, path: str, dark: bool, width: int
) -> None:
    world.open(path, dark=dark, width=width)
    world.until(lambda: world.text("#freshness").startswith("Looked"))
    asked = {address.split("/")[2] for address in requested(world.driver) if "://" in address}
    assert asked == {world.page.url.split("/")[2]}
    assert_nothing_is_wrong(world.driver, width, dark=dark)


def test_names_are_text_and_run_their_own_way(world: Live) -> None:
    world.open()
    shown = [one.text for one in world.driver.find_elements(By.CSS_SELECTOR, "#fleet tbody th bdi")]
    assert set(NAMES) <= set(shown)
    assert '<img src=x onerror="alert(1)">' in shown
    link = world.driver.find_element(By.XPATH, f"//bdi[.='{ARABIC}']")
    assert world.driver.execute_script("return getComputedStyle(arguments[0]).unicodeBidi", link) == "isolate"
    assert world.driver.execute_script("return arguments[0].matches(':dir(rtl)')", link) is True
    link.find_element(By.XPATH, "..").click()
    world.until(lambda: world.text("#name") == ARABIC)


def test_what_changes_is_there_by_itself(world: Live) -> None:
    world.open()
    creds = world.place / "sessions" / "company_1001" / "creds.json"
    whole = creds.read_bytes()
    creds.write_bytes(b"")
    world.monitor()
    row = "#fleet tr[data-key='1001']"
    world.until(lambda: "creds-empty" in world.text(row))
    assert "1001" in column(world.driver, 1)[:2], "the worst first"
    said = world.driver.find_element(By.ID, "news")
    assert said.get_attribute("role") == "status"
    assert said.get_attribute("textContent") == "1001 is emergency now."
    creds.write_bytes(whole)
    world.monitor()
    world.until(lambda: "creds-empty" not in world.text(row))
    loaded = "return performance.getEntriesByType('navigation').length"
    assert world.driver.execute_script(loaded) == 1


def test_it_is_filtered_sorted_and_gone_by_keyboard(world: Live) -> None:
    world.open()
    keys = webdriver.ActionChains(world.driver)
    keys.send_keys(Keys.TAB).perform()
    assert world.driver.execute_script("return document.activeElement.textContent") == "To the table"
    keys.send_keys(Keys.ENTER).send_keys(Keys.TAB).send_keys("1002").perform()
    world.until(lambda: column(world.driver, 1) == ["1002"])
    assert re.fullmatch(r"1 of \d+ companies", world.text("#filtered"))
    world.driver.find_element(By.ID, "filter").clear()
    world.driver.find_element(By.ID, "filter").send_keys(" ")
    world.driver.find_element(By.ID, "problems").send_keys(Keys.SPACE)
    states = column(world.driver, 2)
    assert "healthy" not in states
    assert states
    sort_by(world.driver, "Counted")
    counts = [int(text.split()[0].replace(",", "")) for text in column(world.driver, 4)]
    assert counts == sorted(counts, reverse=True)


def test_a_silent_server_is_said_loudly(world: Live) -> None:
    world.open()
    # As time would have it.
    world.driver.execute_script(
        "const real = performance.now.bind(performance); performance.now = () => real() + 60000"
    )
    world.until(lambda: "hears nothing from its server" in world.text("#loud"))


def test_a_reset_needs_the_name(world: Live) -> None:
    world.open("/company/1003")
    world.press("Reset ...")
    risky = world.until(lambda: world.driver.find_element(By.CSS_SELECTOR, ".run button.risky"))
    risky.send_keys(Keys.ENTER)
    world.types("1002")
    world.until(lambda: "The name that was typed is not this company's." in world.text("#happening"))
    assert (world.place / "sessions" / "company_1003" / "creds.json").exists()


def test_it_prints_and_holds_still_for_who_asks(world: Live) -> None:
    world.open("/company/1001", dark=True, still=True)
    world.until(lambda: world.driver.find_elements(By.CSS_SELECTOR, ".chart[data-drawn] canvas"))
    assert printed(world.driver) > 20_000
    moves = world.driver.execute_script(
        "const row = document.createElement('tr'); row.className = 'changed'; document.body.append(row);"
        "const name = getComputedStyle(row).animationName; row.remove(); return name"
    )
    assert moves == "none"
