"""The pictures of the documentation, from the real page: `make pictures`.

With a folder as argument, the pictures of everything that a person should look at before a release go there instead:
light, dark, narrow, right to left, printed.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import struct
import sys
import tempfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

from baileys_tools.page.show.badge import badge_svg
from baileys_tools.page.show.pages import ASSETS, asset
from baileys_tools.state.database import open_state
from baileys_tools.state.observations import observe
from baileys_tools.watching.kept_incidents import add_entry, close_incident, open_incident
from tests.browser.browser import chromium, show, until
from tests.browser.live import Live, live
from tests.browser.places import a_month, environment, sessions
from tests.browser.test_live_page import ARABIC
from tests.integration.faults.forked import run_cli
from tests.support import about, company_folder

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WORD = b"Source"
FLEET, COMPANY, ENTER, REPORT = "page.png", "page-company.png", "page-enter.png", "report.png"
BADGE = "page-badge.svg"
BADGES = ("loja-joao", "healthy"), ("acme", "warning"), ("north-shop", "emergency")
"""Whose badges are in the picture of some."""


def source() -> str:
    """A digest of what draws the page: a picture of another one is an old picture."""
    web = Path(__file__).parents[2] / "baileys_tools" / "page" / "web"
    whole = hashlib.sha256()
    for name in sorted(ASSETS):
        found = asset(name)
        assert found is not None
        whole.update(found[0])
    for name in ("fleet.html", "company.html", "enter.html"):
        whole.update((web / name).read_bytes())
    return whole.hexdigest()


def badges() -> str:
    """Return some badges, one below the other."""
    shown = [badge_svg(*one).replace("<svg ", f'<svg y="{24 * at}" ', 1) for at, one in enumerate(BADGES)]
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="{24 * len(shown)}">\n{"".join(shown)}</svg>\n'


def signed(png: bytes) -> bytes:
    """Given a picture, return it with what it was made from (a tEXt chunk before its end)."""
    content = b"tEXt" + WORD + b"\0" + source().encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def made_from(path: Path) -> str:
    """Return what a picture says that it was made from, "" where it says nothing."""
    _, found, rest = path.read_bytes().partition(b"tEXt" + WORD + b"\0")
    return rest[:64].decode() if found else ""


SHOPS = {
    "north-shop": (20, 0.0),
    "loja-joao": (121, 4.0),
    "bakery-mueller": (118, 6.0),
    "acme": (70, 3.0),
    "1003": (44, 0.0),
    "1001": (40, 2.0),
    "1002": (36, 0.0),
    ARABIC: (30, 0.0),
}
"""Sessions of each, and how many come in a day."""
SHOWN = "loja-joao"
PLACE = "/srv/bot"


def shops(place: Path) -> None:
    """A fleet as one would be: most are well, one is nearly full, one lost its creds.json."""
    now = datetime.now(UTC).replace(microsecond=0)
    hour = timedelta(hours=1)
    pre_keys = {f"pre-key-{number}.json": hour for number in range(1, 31)}
    for name, (number, _) in SHOPS.items():
        company_folder(place / "sessions", name, pre_keys | sessions(number))
    backup = run_cli("backup", "--quiet", env=environment(place))
    assert backup.returncode == 0, backup.stderr
    (place / "sessions" / "company_north-shop" / "creds.json").write_bytes(b"")
    with open_state(str(place / "state"), now) as state:
        about(state, place / "sessions", *SHOPS)
        for name, (number, per_day) in SHOPS.items():
            observe(state, a_month(name, now, per_day=per_day, cleaned_at=170, ends=number + 31))
        opened = now - timedelta(days=3)
        incident = open_incident(state, SHOWN, "network", opened)
        add_entry(state, incident, "lost", "connection closed", opened)
        close_incident(state, incident, opened + 3 * hour, "network")


def put(driver: webdriver.Chrome, found: str, shown: str) -> None:
    """Put one text of the page in the place of another."""
    driver.execute_script(
        "const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
        "while (walk.nextNode()) walk.currentNode.data ="
        "  walk.currentNode.data.replaceAll(arguments[0], arguments[1])",
        found,
        shown,
    )


def clipped(driver: webdriver.Chrome, width: int, height: int) -> bytes:
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return signed(base64.b64decode(shot["data"]))


def take_report(driver: webdriver.Chrome, place: Path) -> None:
    """The report of the company that is shown, down to its first chart."""
    page = place / "report.html"
    written = run_cli("report", "-q", "--company", SHOWN, "--html", page, env=environment(place))
    assert written.returncode == 0, written.stderr
    show(driver, page, width=900)
    until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".chart[data-drawn] canvas"))
    put(driver, str(place), PLACE)
    put(driver, f"on {platform.node()}", "on bots")
    (IMAGES / REPORT).write_bytes(clipped(driver, 900, 1090))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None

    def take(world: Live, path: Path, address: str, *, dark: bool = False, width: int = 1280) -> None:
        world.open(address, dark=dark, width=width)
        world.until(lambda: world.text("#freshness").startswith("Looked"))
        if address != "/":
            drawn = "return document.querySelectorAll('.chart[data-drawn] canvas').length"
            world.until(lambda: world.driver.execute_script(drawn) >= 1)
        put(world.driver, str(world.place), PLACE)
        whole = {"captureBeyondViewport": folder is not None}
        shot = world.driver.execute_cdp_cmd("Page.captureScreenshot", whole)
        path.write_bytes(signed(base64.b64decode(shot["data"])))

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        shops(place)
        with chromium(place / "profile") as driver, live(driver, place) as world:
            if folder is None:
                take(world, IMAGES / FLEET, "/")
                take(world, IMAGES / COMPANY, f"/company/{SHOWN}")
                world.open("/enter", width=640)
                driver.execute_script(
                    "document.querySelector('code').textContent = '/var/lib/baileys-tools/page/token'"
                )
                (IMAGES / ENTER).write_bytes(clipped(driver, 640, 240))
                (IMAGES / BADGE).write_text(badges())
                take_report(driver, place)
                return
            (key,) = (row[0] for row in world.page.data()["rows"] if row[1] == ARABIC)
            for name, address in (
                ("fleet", "/"),
                ("company", f"/company/{SHOWN}"),
                ("rtl", f"/company/{key}"),
            ):
                for dark in (False, True):
                    for width in (1280, 390):
                        light = "dark" if dark else "light"
                        take(world, folder / f"{name}-{light}-{width}.png", address, dark=dark, width=width)
            world.open(f"/company/{SHOWN}")
            printed = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
            (folder / "company.pdf").write_bytes(base64.b64decode(printed["data"]))


if __name__ == "__main__":
    main()
