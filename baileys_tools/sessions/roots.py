"""Where the session folders are."""

import os
import stat
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.names import COMPANY_PREFIX, FOLDER_FLAGS, OWN_FOLDER
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.units import did_you_mean, some_of

_OURS = ".baileys-tools-"
"""Before whatever this tool has beside session folders (`sessions/names.py`)."""


class Company(NamedTuple):
    """One tenant: `id` as people name it, `entry` the way to its folder from its root (`.` for the root itself).

    `base` is which of the roots that is, `linked` whether a link that is meant stands on the way. `real` is its place,
    where the listing knew it.
    """

    id: str
    entry: str
    path: str
    base: int = 0
    linked: bool = False
    real: str = ""

    @property
    def place(self) -> str:
        """The real path of its folder: who it is, whatever its name."""
        return self.real or os.path.realpath(self.path)


class NotASessionFolder(OSError):
    """A company's entry that is not a folder of its own: a link, a file. The text says what to do."""


class Root:
    """An open sessions path. Closed by `with`."""

    def __init__(self, path: str) -> None:
        try:
            # The operator names the root, so here a link is followed.
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise BaileysToolsError(
                f"cannot open the sessions path {path}: {error.strerror}",
                _where_it_went(path)
                or "Give the folder that holds the company_<id> folders, or a folder with a creds.json.",
                exit_code=ExitCode.USAGE
                if isinstance(error, FileNotFoundError | NotADirectoryError)
                else ExitCode.FAILED,
            ) from error
        self.path = path
        self.left: Mapping[str, Sequence[str]] = {}
        """What restores can have left here, by the name of the folder, as the last listing for `companies` told."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def companies(self, multitenancy: bool | None = None, known: Container[str] = ()) -> list[Company]:
        """Return the companies below this root, in natural order of their ids.

        `multitenancy` None finds out: each `company_<id>` entry is one, and a root that is a session folder is itself
        one. Also one that holds nothing by now is, where the root was `known` by its id as one. True looks for the
        entries only, False takes the root and nothing else.
        """
        itself = Company(self._own_id(), ".", self.path)
        if multitenancy is False:
            return [itself]
        names = self._names()
        self.left = _left_here([name for name in names if name.startswith(_OURS)])
        found = self._company_folders(names)
        if multitenancy is None and (is_session_folder(self.fd, names) or (not found and itself.id in known)):
            found.insert(0, itself)
        return found

    def _own_id(self) -> str:
        name = os.path.basename(os.path.realpath(self.path))
        return name.removeprefix(COMPANY_PREFIX) or name or "session"

    def _names(self) -> list[str]:
        try:
            return os.listdir(self.fd)
        except OSError as error:
            raise BaileysToolsError(f"cannot list the sessions path {self.path}: {error.strerror}") from error

    def _company_folders(self, names: Sequence[str]) -> list[Company]:
        ids = [name[len(COMPANY_PREFIX) :] for name in names if name.startswith(COMPANY_PREFIX)]
        return [
            Company(
                company_id, COMPANY_PREFIX + company_id, os.path.join(self.path, COMPANY_PREFIX + company_id)
            )
            for company_id in sorted(filter(None, ids), key=_natural_order)
        ]

    def company_at(self, company_id: str, path: str) -> Company:
        """Return the company of which `companies` told this id and path."""
        return Company(company_id, "." if path == self.path else os.path.basename(path), path)

    def is_read_only(self) -> bool:
        """Whether nothing can be written anywhere here."""
        return bool(os.fstatvfs(self.fd).f_flag & os.ST_RDONLY)

    @contextmanager
    def open(self, company: Company) -> Iterator[int]:
        """Open the folder of a company and yield its handle. A link is refused. Raises OSError."""
        if company.entry == ".":
            fd = os.open(".", FOLDER_FLAGS, dir_fd=self.fd)
        else:
            try:
                fd = os.open(company.entry, FOLDER_FLAGS, dir_fd=self.fd)
            except NotADirectoryError as error:
                raise NotASessionFolder(_what_it_is(company.entry, self.fd)) from error
            except OSError as error:
                error.filename = None  # whoever tells of it names the company
                raise
        try:
            yield fd
        finally:
            os.close(fd)

    def may_have_left(self, company: Company) -> bool:
        """Whether a restore seems to have left an old folder beside that of a company, as far as names tell."""
        if company.entry != ".":
            return company.entry in self.left
        from baileys_tools.sessions.names import REPLACED_PREFIX, STAGE_PREFIX

        place, name = os.path.split(os.path.realpath(self.path))
        return any(
            os.path.lexists(os.path.join(place, prefix + name)) for prefix in (STAGE_PREFIX, REPLACED_PREFIX)
        )

    def still_leads_to(self, company: Company, folder: int) -> bool:
        """Whether the name of a company leads to the folder that was opened by it, or to another by now."""
        try:
            # The root itself can be a link; see `__init__`.
            by_name = os.stat(self.path) if company.entry == "." else os.lstat(company.entry, dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return os.path.samestat(by_name, os.fstat(folder))

    def folders_with_creds(self) -> list[str]:
        """Return entries that look like session folders under other names, for the hint when none is found."""
        with os.scandir(self.fd) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return sorted(name for name in folders if self._holds_creds(name))

    def _holds_creds(self, name: str) -> bool:
        try:
            folder = os.open(name, FOLDER_FLAGS, dir_fd=self.fd)
        except OSError:
            return False
        try:
            return _exists("creds.json", folder)
        finally:
            os.close(folder)


def _where_it_went(path: str) -> str:
    """Return what to do about a session folder whose rollback or reset died between two renames, "" for another."""
    from baileys_tools.sessions.names import REPLACED_PREFIX

    place, name = os.path.split(os.path.realpath(path))
    old = os.path.join(place, REPLACED_PREFIX + name)
    if os.path.lexists(path) or not os.path.isdir(old):
        return ""
    return (
        f"A restore or a reset was interrupted, and the folder is {old}. "
        "The next cleanup, restore, reset or undo gives it its name back."
    )


def choose(companies: Sequence[Company], wanted: Sequence[str], root: str) -> list[Company]:
    """Given the companies found and the ids asked for (none: all), return those to work on.

    An id is compared with the listing and never becomes part of a path. Raises exit code 10 with the ids that
    are there when one is not found.
    """
    if not wanted:
        return list(companies)
    by_id = {company.id: company for company in companies}
    missing = [company_id for company_id in wanted if company_id not in by_id]
    if missing:
        if [company.entry for company in companies] == ["."]:
            raise BaileysToolsError(
                f"no company {', '.join(missing)} in {root}",
                f"It is a single session folder, company {companies[0].id}: leave out --company and COMPANY_ID.",
                exit_code=ExitCode.NOT_FOUND,
            )
        raise no_such_company(f"no company {', '.join(missing)} in {root}", missing, list(by_id))
    return [by_id[company_id] for company_id in dict.fromkeys(wanted)]


def no_such_company(message: str, missing: Sequence[str], known: Sequence[str]) -> BaileysToolsError:
    """Given the ids that are not there and those that are, return the error that names the latter, exit code 10."""
    return BaileysToolsError(
        message + (did_you_mean(missing[0], known) if len(missing) == 1 else ""),
        f"Companies found there: {some_of(known) or 'none'}.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _left_here(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    if names:
        from baileys_tools.sessions.names import left_by_a_restore

        for name in sorted(names):
            for folder in left_by_a_restore(name):
                found.setdefault(folder, []).append(name)
    return found


def _natural_order(company_id: str) -> tuple[int, int, str]:
    if company_id.isascii() and company_id.isdigit() and len(company_id) < 20:
        return (0, int(company_id), company_id)
    return (1, 0, company_id)


def is_session_folder(folder: int, names: Collection[str]) -> bool:
    """Given the handle of a folder and the names in it, return whether it is a session folder.

    With creds.json it is one, and where a reset waits for its pairing. Where no company's folder stands in it, so it
    is with any other key file, or with what this tool keeps in session folders alone: its creds.json is away.
    """
    if "creds.json" in names:
        return True
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


def _what_it_is(entry: str, root: int) -> str:
    mode = os.stat(entry, dir_fd=root, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return "is a symbolic link, which is not followed; name its target with --sessions instead"
    return "is not a folder"
