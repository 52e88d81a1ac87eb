"""Reads what `lid-mapping` files say, one at a time: each is a number in quotes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from baileys_tools.sessions.rules.node_json import UnreadJson, read_json
from baileys_tools.sessions.scan import read_regular_file

LARGEST_MAPPING = 1 << 10
"""Bytes. Baileys writes a user in quotes."""

_USER = re.compile(r"[0-9]{5,20}")


class Mappings:
    """The mappings of an open session folder, each read once. A file that says nothing usable says nothing."""

    def __init__(self, folder: int, read: Callable[[int, str, int], bytes] = read_regular_file) -> None:
        self._folder = folder
        self._file = read
        self._read: dict[str, str | None] = {}

    def lid_of(self, pn: str) -> str | None:
        """Given a phone number, return its LID."""
        return self.said(f"lid-mapping-{pn}.json")

    def pn_of(self, lid: str) -> str | None:
        """Given a LID, return its phone number."""
        return self.said(f"lid-mapping-{lid}_reverse.json")

    def twin(self, user: str) -> str | None:
        """Given a user by the one, return it by the other."""
        return self.lid_of(user) or self.pn_of(user)

    def said(self, name: str) -> str | None:
        if name not in self._read:
            self._read[name] = None
            with suppress(OSError, UnreadJson):
                found = read_json(self._file(self._folder, name, LARGEST_MAPPING))
                if isinstance(found, str) and _USER.fullmatch(found):
                    self._read[name] = found
        return self._read[name]
