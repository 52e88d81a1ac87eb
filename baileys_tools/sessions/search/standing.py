"""Where the folder of a company stood that is gone, and so where it is made anew."""

import os

from baileys_tools.sessions.names import COMPANY_PREFIX
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.search.listing import patterns_below


def where_it_stood(root: Root, company_id: str, source: str = "") -> Company:
    """Return a company by where its folder stood, with path "" where nothing tells.

    `source` is the path that is remembered of it, "" for none; it has to be one of the roots', also of one
    that is not there by now. Else the layout tells.
    """
    if source and (found := _of_source(root, company_id, source)):
        return found
    for number, base in enumerate(root.bases):
        itself = root.itself(number)
        if base.fd < 0:
            if itself.id == company_id:
                return itself
            continue
        entry = _entry(root, number, company_id)
        if entry:
            return _at(root, number, company_id, entry)
    return Company(company_id, "", "")


def _entry(root: Root, number: int, company_id: str) -> str:
    base = root.bases[number]
    if base.has_patterns:
        for one in patterns_below(base):
            entry = one.filled_in(company_id)
            # What is around it has to be there: of several patterns that is the one in use.
            if entry and os.path.isdir(os.path.dirname(os.path.join(base.path, entry))):
                return entry
        return ""
    plain = any(
        one.base == number and one.entry != "." and not one.entry.startswith(COMPANY_PREFIX)
        for one in root.listed()
    )
    return company_id if plain else COMPANY_PREFIX + company_id


def _of_source(root: Root, company_id: str, source: str) -> Company | None:
    for number, base in enumerate(root.bases):
        if source in (base.path, base.real):
            return root.itself(number)._replace(id=company_id)
        inside = source.removeprefix(base.path.rstrip("/") + "/").removeprefix(base.real.rstrip("/") + "/")
        parts = inside.split("/")
        if inside == source or ".." in parts:
            continue
        if base.has_patterns:
            fits = any(one._replace(has_own_name=True).names(parts) for one in patterns_below(base))
        else:
            fits = len(parts) == 1
        if fits:
            return _at(root, number, company_id, inside)
    return None


def _at(root: Root, number: int, company_id: str, entry: str) -> Company:
    base = root.bases[number]
    return Company(
        company_id, entry, os.path.join(base.path, entry), number, real=os.path.join(base.real, entry)
    )
