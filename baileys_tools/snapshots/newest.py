"""What the repository has of each company, for as little as will do: a folder that stands still is not listed again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.layouts import APART

if TYPE_CHECKING:
    from baileys_tools.sessions.rules.snapshot import SnapshotInfo

_COMPANY_PREFIX = "company_"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CLOCK_STEP_NS = 2_000_000_000


class Newest(NamedTuple):
    """What stands in a company's folder of the repository, as it is remembered.

    `folder_mtime` (ns) is that of the folder, 0 when it has none or has just changed. `file` is the newest good
    snapshot, of `size` bytes and taken at `taken_at` (seconds since 1970), "" when there is
    none. `stored` counts all, `damaged` the damaged ones that are newer. `failure` is why the last attempt failed.
    `shelf` is the folder's name after `company_`, "" for the plain one.
    """

    folder_mtime: int = 0
    file: str = ""
    size: int = 0
    taken_at: float = 0
    stored: int = 0
    damaged: int = 0
    failure: str = ""
    shelf: str = ""

    def info(self, company: str) -> SnapshotInfo | None:
        """Return the newest snapshot as its name tells it."""
        from baileys_tools.snapshots.snapshot_names import parse_name

        return parse_name(company, self.file, self.size)


def from_plain(plain: Any) -> Newest | None:
    """Given a remembered one as JSON has it, return it; None for anything else."""
    try:
        return Newest(*plain)
    except TypeError:
        return None


def newest_snapshots(
    path: str, companies: Iterable[str], known: Mapping[str, Newest], place_of: Callable[[str], str]
) -> tuple[dict[str, Newest], str]:
    """Given the repository and what is remembered, return what it has of each company, and why it has not ("").

    `place_of` tells where a company's session stands. A company whose folder cannot be read keeps what was known of it.
    """
    try:
        root = os.open(path, _FOLDER)
        names = os.listdir(root)
        apart = {name for name in names if "~" in name}
        twins = [name for name in names if APART in name]
    except OSError as error:
        return {}, f"{path}: {error.strerror}"
    found = {}
    try:
        for company in companies:
            before = known.get(company, Newest())
            shelf = _apart(company, place_of(company), apart) if apart else ""
            try:
                seen = os.stat(_COMPANY_PREFIX + (shelf or company), dir_fd=root, follow_symlinks=False)
                same = before.folder_mtime == seen.st_mtime_ns and before.shelf == shelf
                found[company] = (
                    before if same else _list(path, company, place_of(company), shelf, seen.st_mtime_ns)
                )
            except FileNotFoundError:
                found[company] = Newest()
                if twins or APART in company:
                    # It may have one from when it was called otherwise.
                    with suppress(OSError):
                        found[company] = _list(path, company, place_of(company), "", 0)
            except OSError:
                found[company] = before
    finally:
        os.close(root)
    return found, ""


def _apart(company: str, place: str, names: Set[str]) -> str:
    """Return the shelf that a place has for itself, "" where it has none."""
    from baileys_tools.snapshots.rules.shelf_names import own_shelf

    own = own_shelf(company, place)
    return own if _COMPANY_PREFIX + own in names else ""


def _list(path: str, company: str, place: str, looked_at: str, mtime: int) -> Newest:
    from baileys_tools.errors import BaileysToolsError
    from baileys_tools.snapshots.repository import Repository
    from baileys_tools.snapshots.shelves import shelf_at

    settled = time.time_ns() - mtime > _CLOCK_STEP_NS
    try:
        with Repository(path) as repository:
            shelf = shelf_at(repository, company, place)
            if shelf.name != (looked_at or company):
                if not shelf.known.source:
                    # Another place has the name, and this one nothing yet.
                    return Newest(mtime if settled else 0, shelf=looked_at)
                settled = False  # what is looked at is not where they stand
            listing, failure = repository.snapshots(shelf.name), shelf.known.failure
    except BaileysToolsError as error:
        raise OSError(error.message) from error
    good = [info for info in listing if info.good]
    if not good:
        damaged = sum(info.damaged for info in listing)
        return Newest(
            mtime if settled else 0, stored=len(listing), damaged=damaged, failure=failure, shelf=looked_at
        )
    newest = good[-1]
    later = sum(info.damaged and info.order > newest.order for info in listing)
    taken_at = newest.taken_at.timestamp()
    return Newest(
        mtime if settled else 0, newest.file, newest.size, taken_at, len(listing), later, failure, looked_at
    )
