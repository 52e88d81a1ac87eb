"""The way in: a link that lets one browser in once, and the token for everything else."""

from __future__ import annotations

import secrets
import time

from baileys_tools.page.rules.access import (
    COOKIE_SECONDS,
    LINK_SECONDS,
    Bucket,
    cookie_name,
    cookie_value,
    same,
)


class Door:
    """Given the token, where it is kept (for people), and the page's port."""

    seconds = COOKIE_SECONDS

    def __init__(self, token: str, file: str, port: int) -> None:
        self.token = token
        self.file = file
        self.cookie = cookie_name(port)
        self._code = secrets.token_urlsafe(24)
        self._until = time.monotonic() + LINK_SECONDS
        self._wrong = Bucket(10, 0.2)
        self.is_busy = False

    @property
    def code(self) -> str:
        """What stands in the link of this start."""
        return self._code

    def takes(self, code: str) -> bool:
        """Whether this code lets somebody in: once, and soon after the start."""
        if not self._code or time.monotonic() > self._until or not same(code, self._code):
            return False
        self._code = ""
        return True

    def opens(self, token: str) -> bool:
        """Whether this is the token. Who has it never waits for those who guess."""
        if same(token, self.token):
            return True
        self.is_busy = not self._wrong.takes(time.monotonic())
        return False

    def value(self) -> str:
        """Return the value of the cookie for a browser that is let in."""
        return cookie_value(self.token, time.time(), secrets.token_hex(8))
