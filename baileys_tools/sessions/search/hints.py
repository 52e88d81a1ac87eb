"""Where session folders stand that the settings do not reach: what a hint, `sessions` and `config init` propose."""

import os
from collections.abc import Callable, Set
from itertools import islice
from typing import NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.layouts import SessionsPath
from baileys_tools.pasted import command
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.search.walk import folders_in, why_passed_by
from baileys_tools.sessions.search.way import Base, open_way
from baileys_tools.units import printable

MOST_LOOKED_INTO = 500
"""Folders that are looked into for a hint."""
DEEPEST = 3
MOST_ROOTS = 8
"""Roots that are looked into for a hint."""


class Proposal(NamedTuple):
    """A pattern that finds session folders below a root, and those that it finds at least, by the way to each."""

    pattern: str
    entries: tuple[str, ...]

    @property
    def number(self) -> int:
        """How many that are."""
        return len(self.entries)


def proposals(base: Base, taken: Set[str] = frozenset(), deepest: int = DEEPEST) -> list[Proposal]:
    """Return patterns of what looks like session folders below a root, the most of them first. Bounded.

    `taken` are the places that are found already.
    """
    found: dict[str, list[str]] = {}
    left = [MOST_LOOKED_INTO]
    _look(base.fd, "", deepest, left, found, lambda way: os.path.join(base.real, way) in taken)
    around: dict[str, list[str]] = {}
    for way in found:
        if way:
            around.setdefault(way.rpartition("/")[0], []).append(way)
    done = []
    for parent, ways in around.items():
        names = [name for way in ways for name in found[way]]
        # bots/a/auth and bots/b/auth are one pattern, GataJadiBot/* stays what it is.
        inner = "*" if len(ways) > 1 else ways[0].rpartition("/")[2]
        pattern = "/".join(filter(None, (parent, inner, _pattern(names))))
        done.append(Proposal(pattern, tuple(f"{way}/{name}" for way in ways for name in found[way])))
    if here := found.get(""):
        done.append(Proposal(_pattern(here), tuple(here)))
    return sorted(done, key=lambda one: (-one.number, one.pattern))


def require_none_below(folder: int) -> None:
    """Raise exit code 13 where another session folder stands within this one, which is about to go as a whole."""
    found: dict[str, list[str]] = {}
    _look(folder, "", DEEPEST, [MOST_LOOKED_INTO], found, lambda way: False)
    names = [f"{way}/{name}" if way else name for way, inner in found.items() for name in inner]
    if names:
        raise BaileysToolsError(
            f"refused: another session folder stands in this one, and would go with it: {printable(names[0])}",
            "Move that one out first, and tell its bot where it is; this folder alone is reset then.",
            exit_code=ExitCode.REFUSED,
        )


def _look(
    folder: int,
    way: str,
    deepest: int,
    left: list[int],
    found: dict[str, list[str]],
    taken: Callable[[str], bool],
) -> None:
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
        # Also within a session folder: a sub-bot may stand in a folder of its own there.
        inner.append(entry.name)
        is_found = taken(f"{way}/{entry.name}" if way else entry.name)
        if not is_found and not why_passed_by(entry.name, folder, follow_links=False):
            found.setdefault(way, []).append(entry.name)
    if deepest > 1:
        for name in inner:
            try:
                fd = open_way(folder, name)
            except OSError:
                continue
            try:
                _look(fd, f"{way}/{name}" if way else name, deepest - 1, left, found, taken)
            finally:
                os.close(fd)


def _pattern(names: list[str]) -> str:
    """Return the pattern of some names: what they begin with stays, where that is a word, and a name that all have."""
    if len(set(names)) == 1:
        return "*" if any(letter.isdigit() for letter in names[0]) else names[0]
    common = os.path.commonprefix(names)  # noqa: RUF071 - letters are meant
    cut = max(common.rfind("_"), common.rfind("-")) + 1
    return f"{common[:cut]}*" if cut > 1 else "*"


def where_they_could_be(root: Root) -> str:
    """Return the hint for a sessions path without session folders: a command that finds them, where some are near."""
    found = [
        (os.path.join(base.path, one.pattern), one.number)
        for base in root.bases[:MOST_ROOTS]
        if base.fd >= 0
        for one in proposals(base)
    ]
    if found:
        paths = [path for path, _ in found[:3]]
        more = [command(" --sessions {}", path) for path in paths[1:]]
        number = sum(number for _, number in found)
        told = "session folder stands" if number == 1 else "session folders stand"
        return (
            f"{number} {told} deeper. Name them with a pattern: "
            + "".join([command("baileys-tools status --sessions {}", paths[0]), *more])
            + "\ndocs/layouts.md has how to keep that in the settings; baileys-tools sessions tells what was found."
        )
    told = (
        command("baileys-tools sessions --sessions {}", *_typed(root))
        if len(root.bases) == 1
        else command("baileys-tools sessions")  # as this run was told of them
    )
    return (
        "Name the folder around the session folders, or a folder with a creds.json of Baileys.\n"
        f"What stands there, and why it is none: {told}"
    )


def _typed(root: Root) -> list[str]:
    path = root.path
    return [path.roots[0].path] if isinstance(path, SessionsPath) else [path]
