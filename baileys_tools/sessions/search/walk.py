"""Walks from a root to the session folders that a pattern names, or that their content tells.

Everything below a root is somebody else's: each step is by handle, no link is followed unless it is meant and within
one owner, and each folder on the way costs no more than its share, however much stands in it.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from baileys_tools.sessions.names import LOCK_NAME, OWN_FOLDER, OWN_PREFIX, READ_FLAGS
from baileys_tools.sessions.rules.creds import IDENTITY_KEYS, is_creds_copy, is_of_another_program
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.rules.patterns import Part, Pattern
from baileys_tools.sessions.search.way import NotASessionFolder, step
from baileys_tools.units import printable

MOST_IN_A_ROOT = 1_000_000
MOST_ON_THE_WAY = 10_000
"""Entries of one folder below a root that are looked at: what one tenant puts there is not for all to pay."""
MOST_NAMES = 2_000
"""Names of a folder that are looked at to tell whether it is a session's."""
_CREDS_READ = 1 << 20
_CREDS = "creds.json"
_OF_BAILEYS = tuple(f'"{key}"'.encode() for key in IDENTITY_KEYS)
"""Of these keys of creds.json, two are no accident."""
_COPY = re.compile(
    r"(?i:[._ -](?:bak|backups?|old|orig|copy|copies|save|saved|tmp)[0-9._-]*$|\(copy|~$|^(?:backups?|copy)[._ -])"
    r"|^[Bb]ackup(?=[A-Z])|[a-z0-9]Backup$"
)


class Found(NamedTuple):
    """A folder that a pattern matches: the way to it, and what the pattern's stars stand for. `closed`: this user may
    not look whether it is there."""

    entry: str
    stars: tuple[str, ...]
    pattern: Pattern
    linked: bool
    closed: bool = False


class PassedBy(NamedTuple):
    """What was not taken for a session folder, and why not."""

    entry: str
    why: str


def walk(
    root: int, patterns: Sequence[Pattern], follow_links: bool, passed: list[PassedBy]
) -> Iterator[Found]:
    """Given the handle of a root, yield the folders that the patterns match. Raises OSError for the root itself."""
    listings: list[list[os.DirEntry[str]]] = []
    for one in patterns:
        if not one.parts:
            yield Found(".", (), one, False)
            continue
        yield from _below(root, "", (), False, one, 0, follow_links, passed, listings)


def _below(
    around: int,
    way: str,
    stars: tuple[str, ...],
    linked: bool,
    pattern: Pattern,
    place: int,
    follow_links: bool,
    passed: list[PassedBy],
    listings: list[list[os.DirEntry[str]]],
) -> Iterator[Found]:
    part = pattern.parts[place]
    is_last = place + 1 == len(pattern.parts)
    for name, found, is_link, is_folder in _matching(around, way, part, passed, listings):
        if name.startswith(OWN_PREFIX):
            continue
        entry = f"{way}/{name}" if way else name
        if is_link and not follow_links:
            passed.append(
                PassedBy(entry, "a link, which is not followed (follow_links: true, if it is meant)")
            )
            continue
        if not is_folder and not is_link:
            continue
        if is_last:
            yield Found(entry, stars + found, pattern, linked or is_link)
            continue
        try:
            fd = step(name, around, follow_links=follow_links)
        except OSError as error:
            passed.append(
                PassedBy(entry, str(error) if isinstance(error, NotASessionFolder) else _why(error))
            )
            rest = pattern.parts[place + 1 :]
            if isinstance(error, PermissionError) and all(inner.expression is None for inner in rest):
                below = "/".join([entry, *(inner.text for inner in rest)])
                yield Found(below, stars + found, pattern, linked or is_link, closed=True)
            continue
        try:
            yield from _below(
                fd,
                entry,
                stars + found,
                linked or is_link,
                pattern,
                place + 1,
                follow_links,
                passed,
                listings,
            )
        finally:
            os.close(fd)


def _matching(
    around: int, way: str, part: Part, passed: list[PassedBy], listings: list[list[os.DirEntry[str]]]
) -> Iterator[tuple[str, tuple[str, ...], bool, bool]]:
    """Yield the names in a folder that match a part: what its stars stand for, whether it is a link, and a folder."""
    if part.expression is None:
        yield part.text, (), *_kind_of_entry(part.text, around)
        return
    if way or not listings:
        try:
            names = folders_in(around, MOST_ON_THE_WAY if way else MOST_IN_A_ROOT)
        except OSError as error:
            if not way:
                raise
            passed.append(PassedBy(way, _why(error)))
            return
        if names.cut_off:
            passed.append(PassedBy(way or ".", f"more than {names.most} entries: the rest is not looked at"))
        if not way:
            listings.append(names.entries)
        entries = names.entries
    else:
        entries = listings[0]
    for entry in entries:
        stars = part.match(entry.name)
        if stars is not None:
            yield entry.name, stars, entry.is_symlink(), entry.is_dir(follow_symlinks=False)


class Listing(NamedTuple):
    """The folders and links in a folder, by name; `cut_off`: more than `most` entries stand there."""

    entries: "list[os.DirEntry[str]]"
    most: int
    cut_off: bool


def folders_in(folder: int, most: int = MOST_ON_THE_WAY) -> Listing:
    """List the folders and links in a folder, of its first `most` entries. Raises OSError."""
    with os.scandir(folder) as entries:
        found = [
            entry
            for entry in islice(entries, most)
            if entry.is_dir(follow_symlinks=False) or entry.is_symlink()
        ]
        cut_off = next(entries, None) is not None
    return Listing(sorted(found, key=lambda entry: entry.name), most, cut_off)


def _kind_of_entry(name: str, around: int) -> tuple[bool, bool]:
    """Return whether a name is a link, and whether it is a folder."""
    try:
        mode = os.stat(name, dir_fd=around, follow_symlinks=False).st_mode
    except OSError:
        return False, False
    return stat.S_ISLNK(mode), stat.S_ISDIR(mode)


def _why(error: OSError) -> str:
    return f"cannot be looked into: {error.strerror}"


# --- by content ---------------------------------------------------------------------------------------------


A_COPY = "a copy, as its name says"


def is_copy_by_name(name: str) -> bool:
    """Whether a folder is called as people call the copies that they put aside."""
    return _COPY.search(name) is not None


def why_no_session(folder: int, *, within: bool = False) -> str:
    """Given an open folder, return why it is none of a session, "" where it is one. Raises OSError.

    What stands in creds.json tells. Where that is torn, empty or gone, the other key files do; not so `within` another
    session's folder, of which a fork keeps the keys of each kind in a folder of their own.
    """
    creds = _head_of_creds(folder)
    if creds is not None and sum(key in creds for key in _OF_BAILEYS) >= 2:
        return ""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, MOST_NAMES)]
    is_part = within and creds is None
    if any(_is_ours(name) if is_part else _tells(name) for name in names):
        return ""
    if creds is not None and creds.strip(b"\0 \t\r\n"):
        return "its creds.json is not of Baileys"
    if creds is not None:
        return "its creds.json is empty, and no key file is beside it"
    if other := next((name for name in sorted(names) if _is_creds_of_a_fork(name)), ""):
        return f"no creds.json, but {printable(other)}: a form that this tool does not read"
    return _NO_CREDS if names else "empty"


_NO_CREDS = "no creds.json"


def why_of_others(folder: int) -> str:
    """Given an open folder that is called as a session's, return why all it holds is another program's, "" where it is
    not: it has something of Baileys, or waits for its first login. Raises OSError."""
    if (why := why_no_session(folder)) == _NO_CREDS:
        with os.scandir(folder) as entries:
            holds = any(not one.name.startswith(".") and one.name != "lost+found" for one in entries)
        return "no creds.json, and nothing of Baileys" if holds else ""
    return why if holds_creds_of_another_program(folder) else ""


def holds_creds_of_another_program(folder: int) -> bool:
    """Given an open folder with a creds.json, return whether that is another program's, and no key file is beside it.

    Of a file that says nothing whole, torn or empty, nobody knows whose it was: it counts as a bot's.
    """
    import json

    try:
        said = json.loads(_head_of_creds(folder) or b"")
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and is_of_another_program(said) and why_no_session(folder) != ""


def _is_creds_of_a_fork(name: str) -> bool:
    """Whether a name is one that forks give creds.json: encrypted, in capitals, with a session's name before it."""
    return (_CREDS in name.lower() or is_creds_copy(name)) and kind_of(name) is not Kind.CREDS


def _is_ours(name: str) -> bool:
    return name in (OWN_FOLDER, LOCK_NAME)


def _tells(name: str) -> bool:
    return _is_ours(name) or kind_of(name) not in (Kind.UNKNOWN, Kind.CREDS)


def _head_of_creds(folder: int) -> bytes | None:
    try:
        fd = os.open(_CREDS, READ_FLAGS, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        # In UTF-16 there is a NUL behind each letter. Torn and odd files are for others to judge.
        return os.read(fd, _CREDS_READ).replace(b"\0", b"")
    except OSError:
        return None
    finally:
        os.close(fd)


def children(root: int, passed: list[PassedBy]) -> Iterator[str]:
    """Given the handle of a root without patterns, yield the names of its folders that are sessions by content."""
    listing = folders_in(root, MOST_IN_A_ROOT)
    if len(listing.entries) > MOST_ON_THE_WAY:
        passed.append(PassedBy(".", f"more than {MOST_ON_THE_WAY} folders: the rest is not looked into"))
    for entry in listing.entries[:MOST_ON_THE_WAY]:
        name = entry.name
        if name.startswith(OWN_PREFIX):
            continue
        if entry.is_symlink():
            passed.append(
                PassedBy(name, "a link, which is not followed (follow_links: true, if it is meant)")
            )
        elif why := why_passed_by(name, root):
            passed.append(PassedBy(name, why))
        else:
            yield name


def why_passed_by(name: str, around: int, *, within: bool = False) -> str:
    """Given a folder's name, return why its content makes it no session folder, "" where it is one. `within` as for
    `why_no_session`."""
    if is_copy_by_name(name):
        return A_COPY
    try:
        fd = step(name, around)
    except OSError as error:
        return str(error) if isinstance(error, NotASessionFolder) else _why(error)
    try:
        # Whoever owns the folder around can have moved it there: what another user's folder holds is not read for that.
        if os.fstat(around).st_uid not in (0, os.fstat(fd).st_uid):
            return "it belongs to another user than the folder around it"
        return why_no_session(fd, within=within)
    except OSError as error:
        return _why(error)
    finally:
        os.close(fd)
