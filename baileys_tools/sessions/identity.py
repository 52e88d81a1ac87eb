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
        path = company.path
        if company.entry == ".":
            found[company.id] = os.path.realpath(path)
            continue
        above, name = os.path.split(path)
        if above not in real:
            real[above] = os.path.realpath(above)
        found[company.id] = os.path.join(real[above], name)
    return found
