"""Where the session folders are."""

import errno
import os
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from baileys_tools.errors import BaileysToolsError, ExitCode, NothingThere, UsageError
from baileys_tools.layouts import roots_of
from baileys_tools.sessions.names import (
    COMPANY_PREFIX,
    FOLDER_FLAGS,
    OWN_FOLDER,
    REPLACED_PREFIX,
    STAGE_PREFIX,
    called_by,
)
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.search.way import (
    Base,
    Company,
    NotASessionFolder,
    natural_order,
    open_way,
)

__all__ = ["Base", "Company", "NotASessionFolder", "Root", "is_session_folder"]

STAMP_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

if TYPE_CHECKING:
    from baileys_tools.sessions.search.listing import Listed
    from baileys_tools.sessions.search.way import StoredSessions

_STORE_NEEDS = "What a store needs: baileys-tools help stores"
_OURS = ".baileys-tools-"
"""Before whatever this tool has beside session folders (`sessions/names.py`)."""


class Root:
    """The open sessions path, with all roots that it stands for. Closed by `with`."""

    def __init__(self, path: str, *, keep_lost: bool = False) -> None:
        """Open the sessions path. With `keep_lost`, one that is not there raises nothing: `trouble` has it."""
        self.path = path
        self.bases: list[Base] = []
        self.left: Mapping[tuple[int, str], Sequence[str]] = {}
        """What restores can have left, by base and name of the folder, as the last listing for `companies` told."""
        self.passed: list[tuple[int, str, str]] = []
        """What the last listing did not take for a session folder: base, way to it, and why."""
        self.trouble: BaileysToolsError | None = None
        """Why no root could be opened, with `keep_lost`; or why the only one, a store, could not be listed."""
        self.rules: dict[int, dict[str, str]] = {}
        """By base with patterns, and way to a folder, the rule that found it."""
        self._listed: Sequence[Company] = ()
        troubles = []
        for base in map(Base, roots_of(path)):
            self.bases.append(base)
            try:
                if base.spec.store is None:
                    base.open()
                else:
                    from baileys_tools.sessions.stored.roots import open_stored

                    earlier = [one.spec for one in self.bases[:-1]]
                    base.fd, base.stored = open_stored(base.spec, earlier)
            except OSError as error:
                is_away = base.spec.store is None and isinstance(
                    error, FileNotFoundError | NotADirectoryError
                )
                base.why = "" if is_away else error.strerror or str(error)
                troubles.append(_cannot_be_opened(base.path, error))
        if len(troubles) == len(self.bases):
            self.trouble = troubles[0]
            if not keep_lost:
                raise self.trouble

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for base in self.bases:
            if base.fd >= 0:
                os.close(base.fd)
            if base.stored is not None:
                base.stored.close()

    def companies(self, multitenancy: bool | None = None, known: Container[str] = ()) -> list[Company]:
        """Return the companies of all roots, those of each in natural order of their ids.

        `multitenancy` None finds out: a root that is a session folder is itself one, each `company_<id>` entry is one,
        and where there are none of these, each entry that holds a login. Also a folder that holds nothing by now is,
        where it was `known` by its id as one. True looks for the entries only, False takes the root and nothing else.
        Patterns of a root say it all. No place is two companies.
        """
        self.left, self.passed = {}, []
        found = [
            company
            for number in range(len(self.bases))
            for company in self._companies_of(number, multitenancy, known)
        ]
        if len(self.bases) > 1 or self.bases[0].has_patterns or self.bases[0].stored is not None:
            from baileys_tools.sessions.search.listing import told_apart

            found = told_apart(found)
        self._listed = found
        return found

    def _companies_of(self, number: int, multitenancy: bool | None, known: Container[str]) -> list[Company]:
        base = self.bases[number]
        if base.fd < 0:
            # Whoever opens it says so. One that never held a session of its own is no company.
            itself = self.itself(number)
            return [itself] if len(self.bases) > 1 or itself.id in known or itself.place in known else []
        if base.stored is not None:
            return self._stored(number, base.stored, known)
        if base.has_patterns:
            from baileys_tools.sessions.search.listing import by_patterns

            return self._noted(number, by_patterns(base, number, known))
        itself = self.itself(number)
        if multitenancy is False:
            return [itself]
        names = self._names(base)
        self._note_left(number, names)
        is_one = multitenancy is None and is_session_folder(base.fd, names)
        found = self._company_folders(number, names)
        if not found and not is_one:
            from baileys_tools.sessions.search.listing import by_content

            found = self._noted(number, by_content(base, number))
        if is_one or (
            multitenancy is None
            and not any(one.entry.startswith(COMPANY_PREFIX) for one in found)
            and itself.id in known
        ):
            found.insert(0, itself)
        return found

    def _stored(self, number: int, stored: "StoredSessions", known: Container[str]) -> list[Company]:
        try:
            found, passed = stored.companies(number, known)
        except OSError as error:
            base = self.bases[number]
            if len(self.bases) == 1:
                told = f"cannot list the sessions of {base.path}: {error}"
                self.trouble = BaileysToolsError(told, _STORE_NEEDS)
                raise self.trouble from error
            # The other roots are looked after all the same; whoever opens this one says so.
            stored.close()
            os.close(base.fd)
            base.fd, base.stored, base.why = -1, None, str(error)
            return [self.itself(number)]
        self.passed += [(number, *one) for one in passed]
        return found

    def _noted(self, number: int, listed: "Listed") -> list[Company]:
        self.passed += [(number, *one) for one in listed.passed]
        self.rules[number] = listed.rules
        self._note_left(number, listed.names)
        return listed.companies

    def itself(self, number: int) -> Company:
        base = self.bases[number]
        if base.spec.store is None:
            is_named = base.spec.name and base.spec.folders == (".",)
            name = base.spec.name if is_named else called_by(base.real)
        else:
            name = base.spec.name or "store"
        return Company(
            name.removeprefix(COMPANY_PREFIX) or name or "session", ".", base.path, number, real=base.real
        )

    def _names(self, base: Base) -> list[str]:
        try:
            return os.listdir(base.fd)
        except OSError as error:
            raise BaileysToolsError(f"cannot list the sessions path {base.path}: {error.strerror}") from error

    def _note_left(self, number: int, names: Iterable[str]) -> None:
        """Note, of the names in a root, what restores can have left there."""
        if left := _left_here([name for name in names if name.startswith(_OURS)]):
            self.left = {**self.left, **{(number, folder): found for folder, found in left.items()}}

    def _company_folders(self, number: int, names: Sequence[str]) -> list[Company]:
        base = self.bases[number]
        ids = [name[len(COMPANY_PREFIX) :] for name in names if name.startswith(COMPANY_PREFIX)]
        prefix = base.path.rstrip("/") + "/" + COMPANY_PREFIX
        real = base.real.rstrip("/") + "/" + COMPANY_PREFIX
        return [
            Company(
                company_id, COMPANY_PREFIX + company_id, prefix + company_id, number, False, real + company_id
            )
            for company_id in sorted(filter(None, ids), key=natural_order)
        ]

    def listed(self) -> Iterable[Company]:
        """Return what `companies` returned last."""
        return self._listed

    def is_lost(self, company: Company) -> bool:
        """Whether the root of a company, which is its folder, is not there."""
        return self.bases[company.base].fd < 0

    def is_read_only(self) -> bool:
        """Whether nothing can be written anywhere here."""
        return all(base.is_read_only for base in self.bases if base.fd >= 0)

    @contextmanager
    def open(self, company: Company, *, unwritten: bool = False) -> Iterator[int]:
        """Open the folder of a company and yield its handle. A link is refused unless it is meant. Raises OSError.

        `unwritten` is for what asks `sessions/stored/copies.py` before it looks for a file: that of a store has none.
        """
        base = self.bases[company.base]
        if company.missing:
            raise NotASessionFolder(company.missing)
        if base.fd < 0:
            if base.why:
                raise OSError(base.why)
            # Without a number: this is no folder that went while it was read.
            raise FileNotFoundError(f"{base.path} is not there")
        if base.stored is not None:
            with base.stored.open(company, base.fd, unwritten=unwritten) as folder:
                yield folder
            return
        if company.entry == ".":
            fd = os.open(".", FOLDER_FLAGS, dir_fd=base.fd)
        else:
            try:
                fd = self._way_to(company)
            except OSError as error:
                error.filename = None  # whoever tells of it names the company
                raise
        try:
            yield fd
        finally:
            os.close(fd)

    def _way_to(self, company: Company, flags: int = FOLDER_FLAGS) -> int:
        base = self.bases[company.base]
        return open_way(base.fd, company.entry, follow_links=company.linked, flags=flags)

    @contextmanager
    def around(self, company: Company) -> Iterator[tuple[int, str]]:
        """Yield the handle of the folder in which that of a company stands, and its name there. Raises OSError.

        To search it will do: of a company that is a root itself, this user may have no business in there.
        """
        base = self.bases[company.base]
        if base.fd < 0 or company.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if company.entry == "." or company.linked:
            with self.open(company) as folder:
                fd = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            name = os.path.basename(company.place)
        elif "/" in company.entry:
            way, _, name = company.entry.rpartition("/")
            fd = open_way(base.fd, way)
        else:
            yield base.fd, company.entry
            return
        try:
            yield fd, name
        finally:
            os.close(fd)

    def seen_from(self, company: Company) -> tuple[int, str] | None:
        """Return an open folder and the way from there to that of a company, for a look that opens nothing and is no
        proof; None where it has to be asked for `around`: of a root itself, and where a link on the way is meant."""
        base = self.bases[company.base]
        if base.fd < 0 or company.entry == "." or company.linked or company.missing:
            return None
        return base.fd, company.entry

    def stamp_handle(self, company: Company) -> int:
        """Open the folder of a company for a look at its stamp alone. Raises OSError, NotADirectoryError for a link,
        and for a session of a store, whose working copy tells nothing."""
        if self.bases[company.base].stored is not None or company.missing:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if "/" not in company.entry and not company.linked:
            return os.open(company.entry, STAMP_FLAGS, dir_fd=self.bases[company.base].fd)
        return self._way_to(company, STAMP_FLAGS)

    def stored_stamps(self, companies: Iterable[Company]) -> dict[str, str]:
        """Return by id what tells one state of a session in a store from another, where the store can tell.

        Asked before a session is read: what is written meanwhile makes another one of it.
        """
        by_base: dict[int, list[Company]] = {}
        for company in companies:
            if self.bases[company.base].stored is not None and not company.missing:
                by_base.setdefault(company.base, []).append(company)
        found: dict[str, str] = {}
        for number, of_base in by_base.items():
            if (stored := self.bases[number].stored) is not None:
                found |= stored.stamps(of_base)
        return found

    def may_have_left(self, company: Company) -> bool:
        """Whether a restore seems to have left an old folder beside that of a company, as far as names tell."""
        if (seen := self.seen_from(company)) is not None:
            root, entry = seen
            way, slash, name = entry.rpartition("/")
            if not slash:
                return (company.base, entry) in self.left
            # What is found is looked at by handle.
            return _exists(f"{way}/{STAGE_PREFIX}{name}", root) or _exists(
                f"{way}/{REPLACED_PREFIX}{name}", root
            )
        try:
            with self.around(company) as (around, name):
                return _exists(STAGE_PREFIX + name, around) or _exists(REPLACED_PREFIX + name, around)
        except OSError:
            return False

    def still_leads_to(self, company: Company, folder: int) -> bool:
        """Whether the name of a company leads to the folder that was opened by it, or to another by now."""
        base = self.bases[company.base]
        try:
            # The root itself can be a link; see `Base`.
            if company.entry == ".":
                by_name = os.stat(base.path)
            elif "/" not in company.entry and not company.linked:
                by_name = os.lstat(company.entry, dir_fd=base.fd)
            else:
                fd = self._way_to(company)
                by_name = os.fstat(fd)
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError, NotASessionFolder):
            return False
        return os.path.samestat(by_name, os.fstat(folder))


def _cannot_be_opened(path: str, error: OSError) -> BaileysToolsError:
    if "://" in path:
        return BaileysToolsError(f"cannot open {path}: {error.strerror}", _STORE_NEEDS)
    way_out = "Give the folder around the session folders, or a session folder itself: docs/layouts.md."
    if isinstance(error, PermissionError):
        way_out = "Run as the owner of the folder, or as root."
    message = f"cannot open the sessions path {path}: {error.strerror}"
    if went := _where_it_went(path):
        return UsageError(message, went)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NothingThere(message, way_out, exit_code=ExitCode.USAGE)
    return BaileysToolsError(message, way_out)


def _where_it_went(path: str) -> str:
    """Return what to do about a session folder whose rollback or reset died between two renames, "" for another."""
    place, name = os.path.split(os.path.realpath(path))
    old = os.path.join(place, REPLACED_PREFIX + name)
    if os.path.lexists(path) or not os.path.isdir(old):
        return ""
    return (
        f"A restore or a reset was interrupted, and the folder is {old}. "
        "The next cleanup, restore, reset or undo gives it its name back."
    )


def _left_here(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    if names:
        from baileys_tools.sessions.names import left_by_a_restore

        for name in sorted(names):
            for folder in left_by_a_restore(name):
                found.setdefault(folder, []).append(name)
    return found


def is_session_folder(folder: int, names: Collection[str]) -> bool:
    """Given the handle of a folder and the names in it, return whether it is a session folder.

    With creds.json it is one, unless another program's of that name stands there alone, and where a reset waits for its
    pairing. Where no company's folder stands in it, so it is with any other key file, or with what this tool keeps in
    session folders alone: its creds.json is away.
    """
    if "creds.json" in names:
        from baileys_tools.sessions.search.walk import holds_creds_of_another_program

        return not holds_creds_of_another_program(folder)
    if OWN_FOLDER in names:
        from baileys_tools.sessions.names import RESETS
        from baileys_tools.sessions.scan import exists_in_own_folder

        if exists_in_own_folder(RESETS, folder):
            return True
    if any(name.startswith(COMPANY_PREFIX) for name in names):
        return False
    return OWN_FOLDER in names or any(kind_of(name) is not Kind.UNKNOWN for name in names)


def _exists(name: str, dir_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:
        return False
    return True
