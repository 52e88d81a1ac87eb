"""Root at work in a place that another owns: with the rights of that one, so that nothing of root's can be reached.

Whoever owns a folder can swap any name in it for a link at any moment. As its owner, root reaches by such a link only
what they reach themselves, and what is made belongs to them from birth: their own runs find it theirs.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from baileys_tools.owner import acting_as, user_name
from baileys_tools.pasted import command
from baileys_tools.trust import Doubt, NotTrusted, doubt_of, open_named


def place_owner(path: str) -> tuple[int, int]:
    """Given a folder, or one that is to be, return the user and group to work there as: the caller, unless it is root.

    For root it is the owner of the folder, or of the nearest one above it where it is not there yet. A folder of root's
    in whose place others can put another counts as theirs. Raises OSError.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    doubt, seen = doubt_of(path)
    if seen.st_uid == 0 and doubt is not None and doubt.uid != 0:
        return doubt.uid, doubt.gid
    return seen.st_uid, seen.st_gid


def open_place(path: str) -> int:
    """Open a folder to work in, and return its handle. Raises OSError, also where another user led root elsewhere."""
    uid, _ = place_owner(path)
    folder, _ = open_named(path)
    if os.geteuid() == 0 and os.fstat(folder).st_uid != uid:
        os.close(folder)
        raise PermissionError(errno.EPERM, f"a link of {user_name(uid)} leads to what is not theirs", path)
    return folder


def keeper_of(path: str) -> tuple[int, int]:
    """Return `place_owner` of a folder that one user keeps for itself alone.

    Raise NotTrusted for one of root's that is not, as then nobody's rights are safe to work there with.
    """
    if os.geteuid() == 0:
        doubt, seen = doubt_of(path)
        if seen.st_uid == 0 and doubt is not None:
            raise NotTrusted(f"{doubt.why}{_way_out(path, doubt)}", path)
    return place_owner(path)


def keeper_of_file(path: str) -> tuple[int, int]:
    """Given a file that is worked on by its path, with others made beside it, return the user and group to do that as.

    For root it is whoever can put another in its place: the owner of its folder, else of the file. Raise NotTrusted for
    one that a link of somebody else leads to, and for one of root's in a folder that others can write. Raises OSError.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    doubt, folder = doubt_of(path)
    if doubt is None:
        return 0, os.getegid()
    owner = (folder.st_uid, folder.st_gid) if folder.st_uid != 0 else (doubt.uid, doubt.gid)
    is_led_to = os.path.realpath(path) != os.path.normpath(path) and doubt.uid not in (0, owner[0])
    if is_led_to or owner[0] == 0:
        raise NotTrusted(doubt.why, path)
    return owner


def _way_out(path: str, doubt: Doubt) -> str:
    if doubt.uid == 0 or not path.isprintable():
        return ""
    return (
        f", but {path} is root's. Give it to them: {command('chown -hR {} {}', user_name(doubt.uid), path)}"
    )


@contextmanager
def in_place_of(path: str) -> Iterator[None]:
    """Work in a folder as the one who keeps it (`keeper_of`). Import what is needed before. Raises OSError."""
    with acting_as(*keeper_of(path)):
        yield


def make_private_folder(path: str, mode: int = 0o700) -> None:
    """Make a folder and those above it that are missing, each `mode` from birth and of the owner of the place.

    Raises OSError.
    """
    with in_place_of(path):
        _make(path, mode)


def _make(path: str, mode: int) -> None:
    above = os.path.dirname(path)
    if above and not os.path.isdir(above):
        _make(above, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
