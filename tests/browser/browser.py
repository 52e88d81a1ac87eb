"""Headless Chromium, as Debian packages it, and what it saw."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.support import missing, require_tool

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser of its own, told to say aloud what it asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = require_tool("chromium")
    # In a container there is no user namespace for its own sandbox, and /dev/shm is small.
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(require_tool("chromedriver"), env={**os.environ, "HOME": str(profile)})
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def show(
    driver: webdriver.Chrome,
    address: Path | str,
    *,
    dark: bool = False,
    still: bool = False,
    width: int = 1280,
) -> None:
    """Open a page, in light or dark, as wide as that; what was said before is forgotten."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = {
        "prefers-color-scheme": "dark" if dark else "light",
        "prefers-reduced-motion": "reduce" if still else "no-preference",
    }
    wanted = [{"name": name, "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    driver.get("about:blank")
    driver.get_log("performance")
    driver.get_log("browser")
    driver.get(address if isinstance(address, str) else address.as_uri())


def until(driver: webdriver.Chrome, holds: Callable[[], Any], seconds: float = 40) -> Any:
    """Wait until something holds, and return it; what a page says is looked at again and again."""
    try:
        return WebDriverWait(driver, seconds, 0.1, ignored_exceptions=(Exception,)).until(lambda _: holds())
    except TimeoutException:
        raise AssertionError(f"it never came; the page has:\n{text_of(driver, 'body')[:3_000]}") from None


def text_of(driver: webdriver.Chrome, selector: str) -> str:
    return driver.find_element(By.CSS_SELECTOR, selector).text


def assert_nothing_is_wrong(driver: webdriver.Chrome, width: int, *, dark: bool) -> None:
    """What holds for every page: silent, within its width, in the colours that were asked for, no fault of axe."""
    assert complaints(driver) == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", background)[:3])
    assert (brightness < 200) == dark
    assert axe(driver) == []


def column(driver: webdriver.Chrome, number: int) -> list[str]:
    """What the rows of the table of all companies have there, those that a filter leaves."""
    cells = driver.find_elements(By.CSS_SELECTOR, f"#fleet tbody tr:not([hidden]) > :nth-child({number})")
    return [cell.text for cell in cells]


def sort_by(driver: webdriver.Chrome, title: str) -> None:
    """Press the head of a column, by keyboard."""
    heads = driver.find_elements(By.CSS_SELECTOR, "#fleet th button")
    next(one for one in heads if one.text == title).send_keys(Keys.ENTER)


def printed(driver: webdriver.Chrome) -> int:
    """Print the page without backgrounds, and return how large that is."""
    return len(driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])


def requested(driver: webdriver.Chrome) -> list[str]:
    """Every address that the page asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the page put on the console: errors, warnings, broken policies."""
    return [entry["message"] for entry in driver.get_log("browser")]


def axe(driver: webdriver.Chrome) -> list[str]:
    """What axe-core finds wrong with the page as it is, serious faults and worse."""
    if not AXE.exists():
        missing("axe-core (make test installs it with npm)")
    # By the debugger, as the page's own policy lets no other script run.
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
    result: Any = driver.execute_cdp_cmd(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then(found => JSON.stringify(found.violations.map("
            "one => [one.impact, one.id, one.nodes.map(node => node.target.join(' ')).slice(0, 3)])))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    found = json.loads(result["result"]["value"])
    return [f"{impact} {rule} {nodes}" for impact, rule, nodes in found if impact in ("serious", "critical")]
