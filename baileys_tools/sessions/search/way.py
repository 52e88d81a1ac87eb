"""A company and the way to its folder: by handle, component by component, no link followed unless it is meant."""

import os
import stat
from collections.abc import Container, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from baileys_tools.layouts import RootSpec, shown
from baileys_tools.sessions.names import FOLDER_FLAGS
from baileys_tools.trust import open_named, read_link


class Company(NamedTuple):
    """One tenant: `id` as people name it, `entry` the way to its folder from its root (`.` for the root itself).

    `base` is which of the roots that is, `linked` whether a link that is meant stands on the way. `real` is its place,
    where the listing knew it. `name` is the name that it shares with others, where it does: `id` tells them apart.
    `missing` says why a company that was asked for is not there; then it cannot be opened.
    """

    id: str
    entry: str
    path: str
    base: int = 0
    linked: bool = False
    real: str = ""
    name: str = ""
    missing: str = ""

    @property
    def place(self) -> str:
        """The real path of its folder: who it is, whatever its name."""
        return self.real or os.path.realpath(self.path)


def places_of(companies: Iterable[Company]) -> dict[str, str]:
    """Return by the id of each company who it is: its place, by which all is kept that is about it.

    A name is what people type, and no more. One that has vanished has a place as well.
    """
    return {company.id: company.place for company in companies}


class NotASessionFolder(OSError):
    """A company's entry that is not a folder of its own: a link, a file. The text says what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


class StoredSessions(Protocol):
    """The sessions of a root that is a store (`sessions/stored/roots.py`)."""

    def companies(self, number: int, known: Container[str]) -> tuple[list[Company], list[tuple[str, str]]]:
        """Return them as companies of that root, and what is called as no company can be, with why. One that has lost
        its creds is one still where it was `known` by its id."""

    def open(self, company: Company, around: int, *, unwritten: bool = False) -> AbstractContextManager[int]:
        """Yield the handle of a session's working copy below the open folder `around`; `unwritten`, its files are in
        memory only (`sessions/stored/copies.py`). Raises OSError."""

    def stamps(self, companies: Iterable[Company]) -> dict[str, str]:
        """Return by id what tells one state of a session from another, of those where the store can tell."""

    def dangers(self) -> list[str]:
        """Return what endangers all sessions of the store, in words."""

    def doubled(self) -> str:
        """Return in words which sessions are there twice, "" for none."""

    def nameless(self) -> str:
        """Return in words which sessions are called as no company can be, "" for none."""

    def told(self) -> str:
        """Return what the store is and can do, in words."""

    def close(self) -> None:
        """Give the connection back."""


class Base:
    """One open root of a run. `fd` is -1 where it is not there. `stored` has the sessions of one that is a store,
    and `why` says why it cannot be opened though it is there."""

    __slots__ = ("fd", "path", "real", "spec", "stored", "why")

    def __init__(self, spec: RootSpec) -> None:
        self.spec = spec
        self.path = spec.path if spec.store is None else shown(spec)
        self.real = os.path.realpath(spec.path) if spec.store is None else self.path
        self.fd = -1
        self.stored: StoredSessions | None = None
        self.why = ""

    def open(self) -> None:
        """Open it, through links: the operator names the root. Raises OSError."""
        self.fd, self.real = open_named(self.spec.path)

    @property
    def has_patterns(self) -> bool:
        """Whether its settings say how its session folders are found, if only that links on the way are meant."""
        return bool(self.spec.folders or self.spec.layout or self.spec.follow_links)

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written here."""
        return bool(os.fstatvfs(self.fd).f_flag & os.ST_RDONLY)


def open_way(root: int, entry: str, *, follow_links: bool = False, flags: int = FOLDER_FLAGS) -> int:
    """Open a folder below an open one, component by component. As `step`."""
    if "/" not in entry:
        return step(entry, root, follow_links=follow_links, flags=flags)
    *way, last = entry.split("/")
    around = root
    try:
        for name in way:
            inner = step(name, around, follow_links=follow_links)
            if around != root:
                os.close(around)
            around = inner
        return step(last, around, follow_links=follow_links, flags=flags)
    finally:
        if around != root:
            os.close(around)


def step(name: str, around: int, *, follow_links: bool = False, flags: int = FOLDER_FLAGS) -> int:
    """Open a folder in an open one. A link is followed where that is meant, and it belongs to whoever owns the folder
    that it leads to. Raises OSError."""
    try:
        return os.open(name, flags, dir_fd=around)
    except NotADirectoryError as error:
        seen = os.stat(name, dir_fd=around, follow_symlinks=False)
        if not stat.S_ISLNK(seen.st_mode) or not follow_links:
            raise NotASessionFolder(_what_it_is(seen.st_mode)) from error
    seen, target = read_link(name, around)
    fd = os.open(target, flags & ~os.O_NOFOLLOW, dir_fd=around)
    if os.fstat(fd).st_uid != seen.st_uid:
        os.close(fd)
        raise NotASessionFolder(
            "is a symbolic link of one user to a folder of another, which is not followed; name its target "
            "with --sessions instead"
        )
    return fd


def natural_order(company_id: str) -> tuple[int, int, str]:
    if company_id.isascii() and company_id.isdigit() and len(company_id) < 20:
        return (0, int(company_id), company_id)
    return (1, 0, company_id)


def _what_it_is(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return (
            "is a symbolic link, which is not followed; name its target with --sessions instead, or give its root "
            "follow_links: true"
        )
    return "is not a folder"
