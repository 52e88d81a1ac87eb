"""Copies of `creds.json` beside it, whoever keeps them: the next Baileys, a bot's own code, a person."""

import re
from collections.abc import Iterable

CREDS = "creds.json"
BAK = f"{CREDS}.bak"
"""What the next Baileys rotates `creds.json` to before each save, and where some programs keep the last that parsed."""


def is_creds_copy(name: str) -> bool:
    """Whether a file is called as a copy of `creds.json`: whether it is one, and of which login, its content tells.

    Seen in public bots: `creds.json.bak`, `creds.json.backup`, `creds.json.backup.<time>`, `creds.backup.json`,
    `creds.json.tmp.<time>`; editors and people add `creds.json~`, `creds.json.1`, `creds (copy).json`.
    """
    return name[:5].lower() == "creds" and name != CREDS and not name[5:6].isalnum() and len(name) > 5


def is_form_of_its_own(name: str) -> bool:
    """Whether a copy is called as none: a bot may keep its creds there (`creds.v2.json`, `creds.json.enc`)."""
    return _ASIDE.search(name.lower()) is None


_ASIDE = re.compile(r"bak|back|old|orig|copy|save|te?mp|prev|last|good|~|\.[0-9]+$|^creds\.json$")


def creds_copies(names: Iterable[str]) -> list[str]:
    """Given the names in a folder, return the copies of `creds.json`, the likeliest first."""
    return sorted(
        filter(is_creds_copy, names), key=lambda name: (name != BAK, is_form_of_its_own(name), name)
    )
