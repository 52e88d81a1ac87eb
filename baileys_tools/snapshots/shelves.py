"""Whose snapshots stand where: each session's own folder in the repository, its shelf, by the place of the session.

    company_<id>                the first place of this name
    company_<id>~<digest>       another place of the same name, the digest being of the place

A place keeps its shelf when the listing calls it 1001@a instead of 1001, as another of the name has come, or back.

A shelf is named by what follows `company_`. Its index says where its snapshots come from; the archives in it have the
plain name, so a shelf of a repository made before stays as it is.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.pasted import command
from baileys_tools.sessions.names import FOLDER_FLAGS
from baileys_tools.sessions.rules.snapshot import LARGEST_FILE, Account, read_account
from baileys_tools.snapshots.index import Index
from baileys_tools.snapshots.rules.shelf_names import name_of, own_shelf
from baileys_tools.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baileys_tools.sessions.roots import Company
    from baileys_tools.snapshots.repository import Repository


class Shelf(NamedTuple):
    """Where the snapshots of a place are, and what its index knows.

    `beside` is the place that has the plain name, where this one has a shelf of its own because of it.
    """

    name: str
    known: Index = Index()
    beside: str = ""


def shelf_of(repository: Repository, company: Company) -> Shelf:
    """Return the shelf that has the snapshots of a company: also one whose place is gone, as a bot may have moved.

    Raises OSError.
    """
    return shelf_at(repository, company.id, company.place)


def shelf_at(repository: Repository, name: str, place: str, *, is_strict: bool = False) -> Shelf:
    """As `shelf_of`, by name and place. A strict one is for what is written: a place that is gone keeps its own."""
    index = repository.index(name)
    if is_from(index, place):
        return Shelf(name, index)
    own = own_shelf(name, place)
    if repository.has_shelf(own):
        its = repository.index(own)
        if not its.source or is_from(its, place):
            return Shelf(own, its, index.source)
    for other in repository.called_alike(name):
        # As it was called before a second one of its name came, or went.
        if is_from(its := repository.index(other), place):
            return Shelf(other, its)
    if not index.source or not (is_strict or os.path.lexists(index.source)):
        return Shelf(name, index)
    return Shelf(own, beside=index.source)


def shelf_to_fill(repository: Repository, name: str, place: str, account: Account, *, force: bool) -> Shelf:
    """Return the shelf for a new snapshot of a session.

    A bot that has moved takes its shelf along: its session is no longer where the snapshots come from, and is the same.
    Where the same session still stands there as well, `force` says that it has moved. Raises OSError.
    """
    strict = shelf_at(repository, name, place, is_strict=True)
    if not strict.beside or repository.has_shelf(strict.name):
        return strict
    if _is_one_folder(strict.beside, place):
        return Shelf(name, repository.index(name))
    there = _account_at(strict.beside)
    if there is not None and not (force and there.identity == account.identity):
        return strict
    if there is None and os.path.lexists(strict.beside) and not force:
        return strict  # one that has lost its creds.json is in need of its snapshots
    plain = Shelf(name, repository.index(name))
    was = plain.known.identity or _identity_of_newest(repository, name)
    return plain if was in ("", account.identity) else strict


def is_from(index: Index, place: str) -> bool:
    """Whether the snapshots beside an index come from this place."""
    return bool(index.source) and (index.source == place or os.path.realpath(index.source) == place)


def _is_one_folder(one: str, other: str) -> bool:
    """Whether two places are one folder, mounted twice."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _account_at(place: str) -> Account | None:
    """Return whose session stands at a place, None where none does."""
    from baileys_tools.sessions.scan import read_regular_file

    with suppress(OSError, ValueError):
        folder = os.open(place, FOLDER_FLAGS)
        try:
            found = read_account(read_regular_file(folder, "creds.json", LARGEST_FILE + 1))
        finally:
            os.close(folder)
        return found[0] if isinstance(found, tuple) else None
    return None


def _identity_of_newest(repository: Repository, shelf: str) -> str:
    """Return whose session the newest snapshot is of, "" where that cannot be told: one that is encrypted, say."""
    for info in reversed([info for info in repository.snapshots(shelf) if info.good]):
        with suppress(BaileysToolsError, OSError), repository.reading(info) as reader:
            return reader.manifest.account.identity
        break
    return ""


def the_one_shelf(repository: Repository, wanted: str, place: str = "") -> str:
    """Return the shelf of a company by its name, for what is read without its folder. Raises UsageError for several."""
    found = [shelf for shelf in repository.companies() if wanted in (shelf, name_of(shelf))]
    if wanted in found and name_of(wanted) != wanted:
        return wanted
    if place and repository.has_shelf(own := shelf_at(repository, wanted, place).name):
        return own
    if len(found) > 1:
        raise several_places(repository, wanted, found)
    return found[0] if found else wanted


def several_places(repository: Repository, name: str, shelves: Sequence[str]) -> UsageError:
    """Return the error of a name that several shelves have, which lists them."""
    told = "; ".join(
        f"{shelf} ({repository.index(shelf).source or 'nobody knows from where'})" for shelf in shelves
    )
    return UsageError(
        f"{counted(len(shelves), 'place has', 'places have')} snapshots under the name {name}",
        f"Name one of them: {told}",
    )


def shelf_meant(repository: Repository, wanted: str, place: str) -> str:
    """Return the shelf of a company by its name and the place of its folder, or by the shelf's own name.

    Where no folder stands at the place, it is the one shelf of that name. Raises exit code 10 where the snapshots of
    that name are of another place that still stands, and UsageError for several.
    """
    if name_of(wanted) != wanted and repository.has_shelf(wanted):
        return wanted
    if not place or not os.path.lexists(place):
        return the_one_shelf(repository, wanted, place)
    own = shelf_at(repository, wanted, place)
    if own.beside and not repository.has_shelf(own.name):
        raise of_another_place(repository, wanted, place, own.beside)
    return own.name


def of_another_place(repository: Repository, name: str, place: str, other: str) -> BaileysToolsError:
    """Return the error of a place without snapshots, where another that still stands has some of the same name."""
    return BaileysToolsError(
        f"no snapshot of {place} in {repository.path}: those of company {name} there are of {other}, "
        "which still stands",
        "Look at them in a folder of their own: "
        f"{command('baileys-tools restore --company {} --target DIR', name)}\n"
        "If the bot has moved, take its old folder away: then these snapshots are its own.",
        exit_code=ExitCode.NOT_FOUND,
    )
