"""What a restore or a reset that died has left beside a session folder: whose it is, and what is in it.

A name proves nothing where somebody else could have given it, and what a journal orders only binds the folders of
whoever owns the journal. So each folder found beside another is judged by its owner, by what is in it, and by a
journal that names the very folder it was to replace. What is not proven to be ours is left as it is, and told.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum
from stat import S_ISREG, S_ISVTX, S_IWGRP, S_IWOTH
from typing import Any

from baileys_tools.errors import BaileysToolsError
from baileys_tools.sessions.locks import look_for_lock
from baileys_tools.sessions.names import (
    FOLDER_FLAGS,
    JOURNAL,
    LOCK_NAME,
    OWN_FOLDER,
    REPLACED_PREFIX,
    RESET_JOURNAL,
    RESETS,
    STAGE,
    STAGE_PREFIX,
    left_by_a_restore,
)
from baileys_tools.sessions.place import Place, place_of
from baileys_tools.sessions.quarantine import QUARANTINE, run_name
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.rules.surroundings import OldFolder
from baileys_tools.sessions.scan import exists, exists_in_own_folder, is_own, own_folder
from baileys_tools.sessions.staging import read_journal

_FILLED_BY_COMMANDS = (QUARANTINE, RESETS, STAGE)


class Left(Enum):
    """What a folder is that stands beside a session folder under a name of ours."""

    NOTHING = "nothing"
    """Nothing is in it but our own lock and journal."""
    STAGE = "stage"
    """Copies out of a snapshot that never came into their place, as the journal in it says."""
    SESSION = "session"
    """A session, or what cleanups and resets have removed from one: it has to stay within reach of undo."""
    FOREIGN = "foreign"
    """Somebody else's, or nothing tells whose."""


def new_folder(name: str, parent: int) -> int:
    """Make a folder beside a session folder, mode 0700, and return its handle. Raises OSError.

    Whoever owns the parent can put another one in its place before it is opened, so an empty one of this user's own
    is what counts.
    """
    os.mkdir(name, 0o700, dir_fd=parent)
    made = os.open(name, FOLDER_FLAGS, dir_fd=parent)
    if os.fstat(made).st_uid != os.geteuid() or os.listdir(made):
        os.close(made)
        raise OSError(errno.EAGAIN, "was changed for another folder as it was made", name)
    return made


@contextmanager
def opened_beside(name: str, parent: int) -> Iterator[int | None]:
    """Yield the handle of a folder beside a session folder, None where no folder has that name. Raises OSError."""
    try:
        left = os.open(name, FOLDER_FLAGS, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield left
    finally:
        os.close(left)


def what_is_left(left: int, place: Place, folder: int | None) -> Left:
    """Given the handle of what stands beside `place`, and that of the folder in its place, if any, say what it is.

    Raises OSError.
    """
    seen = os.fstat(left)
    is_same_owner = folder is None or seen.st_uid == os.fstat(folder).st_uid
    if not os.listdir(left):
        return Left.NOTHING
    if not is_same_owner:
        return Left.FOREIGN
    if is_bare(left):
        return Left.NOTHING
    holds_removed = any(exists_in_own_folder(name, left) for name in (QUARANTINE, RESETS))
    if not holds_removed and _was_to_replace(read_journal(left) or {}, place, folder):
        return Left.STAGE
    is_session = holds_removed or any(kind_of(name) is not Kind.UNKNOWN for name in os.listdir(left))
    return Left.SESSION if is_session and _names_count(place.parent, seen) else Left.FOREIGN


def is_bare(folder: int) -> bool:
    """Whether nothing is in a folder but what this tool keeps there while it works: a lock, a journal."""
    if not set(os.listdir(folder)) <= {LOCK_NAME, OWN_FOLDER}:
        return False
    with own_folder(folder) as own:
        if own is None:
            return True
        for name in os.listdir(own):
            if name in _FILLED_BY_COMMANDS:
                with opened_beside(name, own) as inner:
                    if inner is None or os.listdir(inner):
                        return False
            elif not name.startswith((JOURNAL, RESET_JOURNAL)):
                return False
    return True


def _was_to_replace(journal: dict[str, Any], place: Place, folder: int | None) -> bool:
    if journal.get("mode") == "new":
        return journal.get("name") == place.name
    return (
        journal.get("mode") == "rollback"
        and folder is not None
        and journal.get("old") == os.fstat(folder).st_ino
    )


def _names_count(parent: int, seen: os.stat_result) -> bool:
    """Whether nobody but root and the owner of a folder can have given it its name."""
    around = os.fstat(parent)
    is_open = around.st_mode & (S_IWGRP | S_IWOTH) and not around.st_mode & S_ISVTX
    return around.st_uid in (0, seen.st_uid) and not is_open


# --- what is told -------------------------------------------------------------------------------------------


def run_of(left: int) -> str:
    """Return the run as which undo knows a folder that waits for being taken in: always the same one.

    It counts from when the folder got its name.
    """
    seen = os.fstat(left)
    return run_name(_moved_at(seen), f"{seen.st_ino & 0xFFF:03x}", of_a_repair=True)


def _moved_at(seen: os.stat_result) -> datetime:
    return datetime.fromtimestamp(seen.st_ctime_ns // 1_000_000 / 1_000, UTC)


def names_beside(root: Root, company: Company) -> list[str]:
    """Return under which names a restore can have left a folder beside that of a company, as the listing tells."""
    if company.entry == "." or company.linked or "/" in company.entry:
        own = os.path.basename(company.place)
        return [prefix + own for prefix in (STAGE_PREFIX, REPLACED_PREFIX)]
    around = root.bases[company.base].fd
    left = root.left.get((company.base, company.entry), ())
    return [name for name in left if _is_of(name, company.entry, around)]


def _is_of(name: str, entry: str, around: int) -> bool:
    """Of two folders that something can have been left of, it is that of the one whose name it has whole."""
    return next(left_by_a_restore(name)) == entry or not any(
        exists(other, around) for other in left_by_a_restore(name) if other != entry
    )


def old_folders_beside(root: Root, company: Company, folder: int, now: datetime) -> list[OldFolder]:
    """Return what a restore has left beside the folder of a company. One that is at work is none of it.

    Touches nothing. What this user may not look at is not told.
    """
    names = names_beside(root, company)
    found: list[OldFolder] = []
    if not names:
        return found
    # Who may look at a folder need not have any business in the one around it.
    with suppress(OSError, BaileysToolsError), place_of(root, company, folder) as place:
        for name in names:
            found += _told(name, place, folder, now)
    return found


def old_folders_without_company(root: Root, companies: Sequence[Company], now: datetime) -> list[OldFolder]:
    """Return what restores have left here of folders that are gone themselves. As `old_folders_beside`."""
    entries = {(company.base, company.entry) for company in companies}
    names = {(base, name) for (base, _), left in root.left.items() for name in left}
    found: list[OldFolder] = []
    for base, name in sorted(names):
        folders = list(left_by_a_restore(name))
        if not entries.intersection((base, folder) for folder in folders):
            found += _told(name, Place(root.bases[base].fd, folders[0]), None, now)
    return found


def _told(name: str, place: Place, folder: int | None, now: datetime) -> Iterator[OldFolder]:
    with suppress(OSError), opened_beside(name, place.parent) as left:
        if left is None or look_for_lock(left, now):
            return
        what = what_is_left(left, place, folder)
        if what in (Left.SESSION, Left.FOREIGN) or (folder is None and what is Left.STAGE):
            run = run_of(left) if what is Left.SESSION and folder is not None else ""
            yield OldFolder(run, name, _moved_at(os.fstat(left)), *files_in(left))


def files_in(folder: int) -> tuple[int, int]:
    """Return how many files are in a folder, ours left out, and their size."""
    stats = [
        os.stat(name, dir_fd=folder, follow_symlinks=False) for name in os.listdir(folder) if not is_own(name)
    ]
    plain = [one.st_size for one in stats if S_ISREG(one.st_mode)]
    return len(plain), sum(plain)
