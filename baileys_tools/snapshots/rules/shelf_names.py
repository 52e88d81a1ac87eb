"""How the folders of the repository are called, and what their names say of whose snapshots they have. Pure."""

import hashlib
import re
from collections.abc import Mapping

from baileys_tools.layouts import shared_name

COMPANY_PREFIX = "company_"

LONGEST_ID = 255 - len(COMPANY_PREFIX)

_APART = re.compile(r"(?s)(.+)~[0-9a-f]{12}")


def name_of(shelf: str) -> str:
    """Given what follows `company_` in the name of a folder of the repository, return the company's name."""
    found = _APART.fullmatch(shelf)
    return found[1] if found else shelf


def alike(name: str) -> str:
    """Return what the names of a place have in common, with and without what tells it from others of the name."""
    return shared_name(name_of(name))


def label_of(shelf: str, sources: Mapping[str, str]) -> str:
    """Return how people are told of a shelf: by its name, and where others have that by where it comes from as well.

    `sources` are those of the shelves whose name is no sign of them, see `Repository.sources`.
    """
    if shelf not in sources:
        return name_of(shelf)
    source = sources[shelf]
    return f"{name_of(shelf)} ({source.rpartition('/')[0]})" if source else shelf


def own_shelf(name: str, place: str) -> str:
    """Return the shelf of a place, of a company whose plain name another place has."""
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{_cut(name)}~{digest}"


def _cut(name: str) -> str:
    return name.encode("utf-8", "surrogateescape")[: LONGEST_ID - 13].decode("utf-8", "surrogateescape")
