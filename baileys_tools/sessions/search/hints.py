"""Where session folders stand that the settings do not reach: what a hint, `sessions` and `config init` propose."""

import os
from collections.abc import Callable, Iterable, Set
from itertools import islice
from typing import NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.layouts import SessionsPath
from baileys_tools.pasted import command
from baileys_tools.sessions.names import OWN_PREFIX
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.search.walk import folders_in, is_copy_by_name, why_no_session, why_passed_by
from baileys_tools.sessions.search.way import Base, open_way
from baileys_tools.units import printable

MOST_LOOKED_INTO = 1_000
"""Folders that are looked into for a hint."""
DEEPEST = 5
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
    _look(base.fd, deepest, found, lambda way: os.path.join(base.real, way) in taken)
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
    return sorted(_joined(done), key=lambda one: (-one.number, one.pattern))


def number_unfound(root: Root, companies: Iterable[Company]) -> int:
    """Given an open root and all its companies, return how many session folders stand below it that no rule finds, as
    far as a bounded look tells.
    """
    places = {company.place for company in companies}
    if not places:
        return 0
    found: set[str] = set()
    for base in root.bases:
        if base.fd >= 0 and base.stored is None:
            more = proposals(base, places | found)
            found |= {os.path.join(base.real, entry) for one in more for entry in one.entries}
    return len(found)


def require_none_below(folder: int) -> None:
    """Raise exit code 13 where another session folder stands within this one, which is about to go as a whole, or a
    folder in which a fork keeps keys of this one: no snapshot has those.
    """
    found: dict[str, list[str]] = {}
    _look(folder, DEEPEST, found, lambda way: False, parts=True)
    names = [f"{way}/{name}" if way else name for way, inner in found.items() for name in inner]
    if names:
        raise BaileysToolsError(
            "refused: another session folder stands in this one, or a folder with keys of its own, and would go with "
            f"it: {printable(names[0])}",
            "Another session: move it out first, and tell its bot where it is; this folder alone is reset then. Keys "
            "of this one: this tool knows nothing of them, so copy the whole folder, and do by hand what is due.",
            exit_code=ExitCode.REFUSED,
        )


def _look(
    folder: int,
    deepest: int,
    found: dict[str, list[str]],
    taken: Callable[[str], bool],
    *,
    parts: bool = False,
) -> None:
    """Put what looks like session folders below an open folder into `found`, by the way to the folder around each.
    With `parts`, what has key files and no creds within a session folder as well.

    Level by level, so that what stands near is found however much stands deeper in the folder beside it.
    """
    left = MOST_LOOKED_INTO
    level = [("", _is_session(folder))]
    for _ in range(deepest):
        inner = []
        for way, within in level:
            if left <= 0:
                return
            try:
                around = open_way(folder, way) if way else os.dup(folder)
            except OSError:
                continue
            try:
                for entry in islice(folders_in(around).entries, left):
                    if entry.is_symlink() or _is_of_others(entry.name):
                        continue
                    left -= 1
                    # Also within a session folder: a sub-bot may stand in a folder of its own there.
                    here = f"{way}/{entry.name}" if way else entry.name
                    is_taken = taken(here)
                    is_one = is_taken or not why_passed_by(entry.name, around, within=within and not parts)
                    inner.append((here, is_one))
                    if is_one and not is_taken:
                        found.setdefault(way, []).append(entry.name)
            except OSError:
                continue
            finally:
                os.close(around)
        level = inner


def _is_session(folder: int) -> bool:
    """Whether an open folder is a session's by its content; not where it cannot be looked into."""
    try:
        return not why_no_session(folder)
    except OSError:
        return False


def _is_of_others(name: str) -> bool:
    """Whether a folder is one of programs or of copies, in which no bot keeps its session."""
    return (
        name.startswith(OWN_PREFIX)
        or name in _OF_OTHERS
        or name.lower() in _OF_COPIES
        or is_copy_by_name(name)
    )


_OF_OTHERS = frozenset(
    (
        *("node_modules", "__pycache__", "venv", ".venv", ".git", ".github", ".cache", ".npm", ".nvm"),
        *(".yarn", ".pm2", ".vscode", ".idea", ".wwebjs_cache", ".cargo", ".pyenv"),
    )
)
# Not .wwebjs_auth: bots that moved from whatsapp-web.js to Baileys keep their session-<id> where they were.
_OF_COPIES = frozenset(("backup", "backups", "copies", "archive", "archives", "trash"))


def _joined(found: list[Proposal]) -> list[Proposal]:
    """Return these with those as one that differ on the way alone: data/a/wa/1/auth and data/b/wa/2/auth."""
    alike: dict[tuple[int, str], list[Proposal]] = {}
    for one in found:
        *way, last = one.pattern.split("/")
        key = (len(way), last) if len(way) > 1 and "*" not in last else (0, one.pattern)
        alike.setdefault(key, []).append(one)
    done = []
    for group in alike.values():
        parts = zip(*(one.pattern.split("/") for one in group), strict=True)
        pattern = "/".join(same.pop() if len(same := set(part)) == 1 else "*" for part in parts)
        done.append(Proposal(pattern, tuple(entry for one in group for entry in one.entries)))
    return done


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
        if base.fd >= 0 and base.stored is None
        for one in proposals(base)
    ]
    typed = _typed(root)
    told = (
        command("baileys-tools sessions")
        if typed is None
        else command("baileys-tools sessions --sessions {}", typed)
    )
    if found:
        named = found[:3]
        more = [command(" --sessions {}", path) for path, _ in named[1:]]
        number, of_these = (sum(number for _, number in some) for some in (found, named))
        stand = "session folder stands" if number == 1 else "session folders stand"
        some = "" if of_these == number else f", here {of_these} of them"
        return (
            f"{number} {stand} deeper. Name them with a pattern{some}: "
            + "".join([command("baileys-tools status --sessions {}", named[0][0]), *more])
            + f"\nAll that was found, and the settings that keep it: {told}"
        )
    if all(base.stored is not None for base in root.bases):
        return f"No creds stand there. What was found: {command('baileys-tools config check')}"
    return (
        "Name the folder around the session folders, or a folder with a creds.json of Baileys.\n"
        f"What stands there, and why it is not one: {told}"
    )


def _typed(root: Root) -> str | None:
    """Return the one root, None for several: a command in a hint has those as this run was told of them."""
    path = root.path
    if len(root.bases) > 1:
        return None
    return path.roots[0].path if isinstance(path, SessionsPath) else path
