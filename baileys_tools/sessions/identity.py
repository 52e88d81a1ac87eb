"""Who a session is: its place, the real path of its folder. Its name is what people type, and no more."""

import os
from collections.abc import Iterable

from baileys_tools.sessions.roots import Company


def identity_of(company: Company) -> str:
    """Return the place of a company: by what is kept that is about it."""
    return identities_of([company])[company.id]


def identities_of(companies: Iterable[Company]) -> dict[str, str]:
    """Return the place of each company by its id. Asks the kernel once for each folder that holds some of them.

    A company's own folder is no link (`Root.open` refuses one), but for a root that is itself a session folder. One
    that has vanished has a place as well.
    """
    real: dict[str, str] = {}
    found = {}
    for company in companies:
        above, _, name = company.path.rpartition("/")
        if company.entry == "." or not above or not name:
            found[company.id] = os.path.realpath(company.path)
            continue
        if above not in real:
            real[above] = _real(above).rstrip("/")
        found[company.id] = f"{real[above]}/{name}"
    return found


_KNOWN: dict[tuple[str, int, int], str] = {}
"""By its name and what it leads to, where a folder really is: many companies are asked for one by one."""


def _real(folder: str) -> str:
    try:
        seen = os.stat(folder)
    except OSError:
        return os.path.realpath(folder)
    key = (folder, seen.st_dev, seen.st_ino)
    if key not in _KNOWN:
        _KNOWN.clear()
        _KNOWN[key] = os.path.realpath(folder)
    return _KNOWN[key]
