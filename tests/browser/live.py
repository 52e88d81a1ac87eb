"""A page that serves a fleet, and the browser that was let in there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.browser import show, text_of, until
from tests.browser.places import environment
from tests.integration.faults.forked import run_cli
from tests.serving import Page, serving


class Live:
    """The page that serves what is in `place`, in this browser."""

    def __init__(self, driver: webdriver.Chrome, page: Page, place: Path, arguments: tuple[str, ...]) -> None:
        self.driver, self.page, self.place, self.arguments = driver, page, place, arguments

    def monitor(self) -> None:
        """Let a pass of cron come by."""
        run = run_cli("monitor-once", "--quiet", *self.arguments, env=environment(self.place))
        assert run.returncode in (0, 4, 5), run.stderr

    def open(self, path: str = "/", *, dark: bool = False, still: bool = False, width: int = 1280) -> None:
        show(self.driver, self.page.url + path, dark=dark, still=still, width=width)

    def until(self, holds: Callable[[], Any], seconds: float = 40) -> Any:
        return until(self.driver, holds, seconds)

    def text(self, selector: str) -> str:
        return text_of(self.driver, selector)

    def press(self, text: str) -> None:
        """Press a button by what is on it, by keyboard, as soon as it may be pressed."""

        def button() -> Any:
            xpath = f"//button[normalize-space()='{text}' and not(@disabled)]"
            found = self.driver.find_elements(By.XPATH, xpath)
            return found[0] if found else None

        self.until(button).send_keys(Keys.ENTER)

    def types(self, text: str) -> None:
        """Type into the first field of the dialog, and go on."""
        field = self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, "dialog input"))
        field.send_keys(text, Keys.ENTER)

    def ends(self, title: str, end: str = "Done") -> None:
        """Wait until the newest action is of this title, and has ended so."""

        def has_ended() -> bool:
            lines = self.text(".run").split("\n")
            return lines[0] == title and lines[1].startswith(end)

        self.until(has_ended)


@contextmanager
def live(driver: webdriver.Chrome, place: Path, *arguments: str) -> Iterator[Live]:
    """Serve `place` after a pass of monitor-once, and let the browser in by the link of the start."""
    with serving(place, "--allow-actions", *arguments, env=environment(place)) as page:
        live = Live(driver, page, place, arguments)
        live.monitor()
        driver.get(page.url + page.link)
        until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr"))
        yield live
