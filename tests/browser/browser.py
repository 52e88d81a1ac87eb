"""Headless Chromium, as Debian packages it, and what it saw."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

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


def show(driver: webdriver.Chrome, page: Path, *, dark: bool = False, width: int = 1280) -> None:
    """Open a page from its file, in light or dark, as wide as that; what was said before is forgotten."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get("about:blank")
    driver.get_log("performance")
    driver.get_log("browser")
    driver.get(page.as_uri())


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
