"""Where session folders stand that the settings do not reach: what a hint, `sessions` and `config init` propose."""

import os
from itertools import islice
from typing import NamedTuple

from baileys_tools.layouts import SessionsPath
from baileys_tools.pasted import command
from baileys_tools.sessions.roots import Base, Root, open_way
from baileys_tools.sessions.search.walk import folders_in, why_passed_by

MOST_LOOKED_INTO = 500
"""Folders that are looked into for a hint."""
DEEPEST = 3


class Proposal(NamedTuple):
    """A pattern that finds session folders below a root: an example of them, and how many it finds at least."""

    pattern: str
    example: str
    number: int


def proposals(base: Base, deepest: int = DEEPEST) -> list[Proposal]:
    """Return patterns of what looks like session folders below a root, the most of them first. Bounded."""
    found: dict[str, list[str]] = {}
    left = [MOST_LOOKED_INTO]
    _look(base.fd, "", deepest, left, found)
    patterns = [Proposal(_pattern(where, names), names[0], len(names)) for where, names in found.items()]
    merged: dict[str, list[Proposal]] = {}
    for one in patterns:
        merged.setdefault(_widened(one.pattern), []).append(one)
    # bots/a/auth and bots/b/auth are one pattern, GataJadiBot/* stays what it is.
    done = [
        Proposal(wide, same[0].example, sum(one.number for one in same)) if len(same) > 1 else same[0]
        for wide, same in merged.items()
    ]
    return sorted(done, key=lambda one: (-one.number, one.pattern))


def _look(folder: int, way: str, deepest: int, left: list[int], found: dict[str, list[str]]) -> None:
    try:
        entries = folders_in(folder).entries
    except OSError:
        return
    inner = []
    for entry in islice(entries, MOST_LOOKED_INTO):
        if entry.is_symlink() or entry.name.startswith(".") or entry.name == "node_modules":
            continue
        if left[0] <= 0:
            return
        left[0] -= 1
        if why_passed_by(entry.name, folder, follow_links=False):
            inner.append(entry.name)
        else:
            found.setdefault(way, []).append(entry.name)
            # A sub-bot stands in a folder of its own inside.
            inner.append(entry.name)
    if deepest > 1:
        for name in inner:
            try:
                fd = open_way(folder, name)
            except OSError:
                continue
            try:
                _look(fd, f"{way}/{name}" if way else name, deepest - 1, left, found)
            finally:
                os.close(fd)


def _pattern(way: str, names: list[str]) -> str:
    """Return the pattern of some names in one folder: what they begin with stays, where that is a word."""
    common = os.path.commonprefix(names) if len(names) > 1 else ""  # noqa: RUF071 - letters are meant
    cut = max(common.rfind("_"), common.rfind("-")) + 1
    last = f"{common[:cut]}*" if cut > 1 else (names[0] if len(names) == 1 else "*")
    return f"{way}/{last}" if way else last


def _widened(pattern: str) -> str:
    """Return the pattern with a star in the place of the one folder that can differ: the last but one, if any."""
    parts = pattern.split("/")
    if len(parts) > 1:
        parts[-2] = "*"
    return "/".join(parts)


def where_they_could_be(root: Root) -> str:
    """Return the hint for a sessions path without session folders: a command that finds them, where some are near."""
    base = root.bases[0]
    if base.fd >= 0 and (found := proposals(base)):
        paths = [os.path.join(base.path, one.pattern) for one in found[:3]]
        number = sum(one.number for one in found)
        told = "session folder stands" if number == 1 else "session folders stand"
        return (
            f"{number} {told} deeper. Name them with a pattern: "
            + command("baileys-tools status" + " --sessions {}" * len(paths), *paths)
            + "\ndocs/layouts.md has how to keep that in the settings; baileys-tools sessions tells what was found."
        )
    told = command("baileys-tools sessions --sessions {}", *_typed(root))
    return (
        "Name the folder around the session folders, or a folder with a creds.json of Baileys.\n"
        f"What stands there, and why it is none: {told}"
    )


def _typed(root: Root) -> list[str]:
    path = root.path
    return [path.roots[0].path] if isinstance(path, SessionsPath) else [path]
