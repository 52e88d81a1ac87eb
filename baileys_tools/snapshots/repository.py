"""The backup repository: a folder for each company, a file for each snapshot.

    <repository>/company_<id>/<sequence>-<time>[-<tag>]-<sha256>.tar.zst[.age]

The name says all that a listing needs, and its hash vouches for the file: any copy can be checked without
this tool and without a key. A file that failed a verification gets `.damaged` at its end. `index.json` beside them
is a memory of the last run (index.py) and may be removed at any time.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.owner import as_owner_of
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.snapshot import (
    Snapshot,
    SnapshotInfo,
)
from baileys_tools.snapshots.archive import ArchiveReader, DamagedSnapshot
from baileys_tools.snapshots.company_writer import (
    _FOLDER,
    _READ,
    LARGEST_SNAPSHOT,
    CompanyWriter,
    _checked_reader,
    _is_file,
    check_hash,
    list_snapshots,
)
from baileys_tools.snapshots.encryption import Identities, WrongKey
from baileys_tools.snapshots.index import Index, read_index
from baileys_tools.snapshots.private_folders import LOCK_PATIENCE, lock_folder, make_private_folders, way_in
from baileys_tools.snapshots.rules.shelf_names import COMPANY_PREFIX, LONGEST_ID, alike, name_of
from baileys_tools.snapshots.snapshot_names import is_out_of_range
from baileys_tools.trust import open_named
from baileys_tools.units import did_you_mean

CREDS = "creds.json"
"""No snapshot, nor anything else in a repository, has this name: where it is, a bot logs in."""


class Repository:
    """An open backup repository. Closed by `with`. Every path below it is reached by handle.

    `create` makes the folder (0700) when it is not there. Raises BaileysToolsError when it cannot be opened.
    """

    def __init__(self, path: str, *, create: bool = False) -> None:
        self.path = path
        self._has_new_folders = False
        self._alike: dict[str, list[str]] | None = None
        try:
            if create:
                make_private_folders(path)
            self.fd, _ = open_named(path)
        except OSError as error:
            raise BaileysToolsError(
                f"cannot open the backup repository {path}: {error.strerror}",
                way_in(path, error)
                if isinstance(error, PermissionError)
                else "backup.path names it (BAILEYS_TOOLS_BACKUP_PATH); `baileys-tools backup` makes it.",
                exit_code=ExitCode.USAGE
                if isinstance(error, FileNotFoundError | NotADirectoryError)
                else ExitCode.FAILED,
            ) from error

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # Once for all companies of a first run; until then nothing has been called done.
            if self._has_new_folders:
                self.sync()
        finally:
            os.close(self.fd)

    def sync(self) -> None:
        """Make the folders of new companies outlive a power cut, also those that a forked process has made.

        Raises OSError; then nothing that was published into one may be called done.
        """
        os.fsync(self.fd)
        self._has_new_folders = False

    # --- reading --------------------------------------------------------------------------------------------

    def companies(self) -> list[str]:
        """Return the ids of the companies that have a folder here, sorted. Raises OSError."""
        names = [name for name in os.listdir(self.fd) if name.startswith(COMPANY_PREFIX)]
        return sorted(name.removeprefix(COMPANY_PREFIX) for name in names)

    def called_alike(self, name: str) -> list[str]:
        """Return the other shelves that a place of this name may have had before. Lists the repository once."""
        if self._alike is None:
            self._alike = {}
            for shelf in self.companies():
                self._alike.setdefault(alike(shelf), []).append(shelf)
        return [shelf for shelf in self._alike.get(alike(name), ()) if shelf != name]

    def snapshots(self, company: str) -> list[SnapshotInfo]:
        """Return the snapshots of a company, oldest first, damaged ones too. Raises OSError.

        A company without a folder has none. An id is one path component, or nothing is looked at.
        """
        try:
            folder = self._open_folder(company)
        except FileNotFoundError:
            return []
        try:
            return list_snapshots(company, folder)
        finally:
            os.close(folder)

    def find(self, company: str, wanted: str = "latest") -> SnapshotInfo:
        """Return the snapshot that `wanted` names, by sequence number or file name.

        `latest` is the newest good one, or else the newest that is not known to be damaged. Raises exit code 10,
        or 2 for a number that more than one has.
        """
        found = self.snapshots(company)
        if wanted == "latest":
            newest = max(found, key=lambda info: (info.good, not info.damaged, info.order), default=None)
            if newest is not None and not newest.damaged:
                return newest
        named = [info for info in found if wanted in (info.file, info.id, f"{info.sequence:08d}")]
        chosen = [info for info in named if not info.damaged] or named
        if len(chosen) > 1:
            # Of a host that was set up anew, and its copies from before.
            raise UsageError(
                f"{len(chosen)} snapshots of company {company} have the number {wanted}",
                "Name one by its file: " + " or ".join(info.file for info in chosen),
            )
        if chosen:
            return chosen[0]
        company = name_of(company)
        known = [] if found else self.companies()
        meant = "" if company in known else did_you_mean(company, known)
        raise BaileysToolsError(
            f"no snapshot {wanted} of company {company} in {self.path}{meant}",
            f"{command('baileys-tools snapshots --company {}', company)} lists those that are there."
            if found
            else f"{command('baileys-tools snapshots')} lists those of all companies."
            if meant
            else "There is no snapshot of this company. Old copies of its folder? "
            f"{command('baileys-tools backup --import DIR --company {}', company)} takes them in. None, and the "
            "session is lost? "
            f"{command('baileys-tools reset --company {}', company)} links it anew.",
            exit_code=ExitCode.NOT_FOUND,
        )

    @contextmanager
    def reading(self, info: SnapshotInfo, identities: Identities | None = None) -> Iterator[ArchiveReader]:
        """Open a snapshot, compare its hash with its name, and yield its reader.

        Raises DamagedSnapshot (exit 11), here or from the reader, WrongKey (exit 12), or OSError.
        """
        with self.opened(info) as file:
            check_hash(file, info)
            if not info.encrypted:
                yield _checked_reader(ArchiveReader(file, info.size, info.file), info)
                return
            if identities is None:
                raise WrongKey(info.file, no_key=True)
            with identities.decrypting(file, info.file) as source:
                yield _checked_reader(ArchiveReader(source, info.size, info.file), info)

    def read_whole(self, info: SnapshotInfo, identities: Identities | None = None) -> Snapshot:
        """Read a snapshot from its first to its last byte and return what it holds, without the contents.

        Raises as `reading` does. What is returned is whole.
        """
        with self.reading(info, identities) as reader:
            entries = tuple(file.entry for file in reader.files())
            return Snapshot(info, reader.manifest, entries)

    def verify_hash(self, info: SnapshotInfo) -> None:
        """Compare a snapshot with the hash in its name; needs no key. Raises DamagedSnapshot or OSError."""
        with self.opened(info) as file:
            check_hash(file, info)

    def verify(self, info: SnapshotInfo) -> None:
        """As `verify_hash`, and where it is not encrypted its beginning has to say what its folder and its name do.

        Raises DamagedSnapshot, NotForHere or OSError.
        """
        with self.opened(info) as file:
            check_hash(file, info)
            if not info.encrypted:
                _checked_reader(ArchiveReader(file, info.size, info.file), info)

    def out_of_range(self, company: str) -> list[str]:
        """Return the files of a company that count for nothing, as their sequence cannot be. Raises OSError."""
        try:
            folder = self._open_folder(company)
        except FileNotFoundError:
            return []
        try:
            return sorted(filter(is_out_of_range, os.listdir(folder)))
        finally:
            os.close(folder)

    def index(self, company: str) -> Index:
        """Return what is remembered of the last backup of a company. Raises OSError."""
        try:
            folder = self._open_folder(company)
        except FileNotFoundError:
            return Index()
        try:
            return read_index(folder)
        finally:
            os.close(folder)

    def sources(self, shelves: Iterable[str]) -> dict[str, str]:
        """Return where the snapshots come from on those shelves whose name other shelves have, too. Raises OSError."""
        names = Counter(map(name_of, self.companies()))
        return {one: self.index(one).source for one in shelves if names[name_of(one)] > 1}

    def foreign_entries(self) -> list[str]:
        """Return the paths in here that belong to another user than the repository. Raises OSError."""
        owner = os.fstat(self.fd).st_uid
        found = []
        for company in self.companies():
            name = COMPANY_PREFIX + company
            if os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_uid != owner:
                found.append(name)
            with suppress(OSError):
                folder = self._open_folder(company)
                try:
                    found += [
                        f"{name}/{file}"
                        for file in os.listdir(folder)
                        if os.stat(file, dir_fd=folder, follow_symlinks=False).st_uid != owner
                    ]
                finally:
                    os.close(folder)
        return found

    def has_shelf(self, shelf: str) -> bool:
        """Whether there is a folder of this name, see shelves.py. Raises OSError."""
        try:
            return stat.S_ISDIR(
                os.stat(COMPANY_PREFIX + shelf, dir_fd=self.fd, follow_symlinks=False).st_mode
            )
        except FileNotFoundError:
            return False

    def has(self, company: str, file: str) -> bool:
        """Whether a snapshot's file is there."""
        return bool(file) and _is_file(f"{COMPANY_PREFIX}{company}/{file}", self.fd)

    @contextmanager
    def opened(self, info: SnapshotInfo) -> Iterator[BinaryIO]:
        """Open the file of a snapshot for reading. Raises OSError, DamagedSnapshot for what is no file."""
        folder = self._open_folder(info.company)
        try:
            fd = os.open(info.file, _READ, dir_fd=folder)
        finally:
            os.close(folder)
        with open(fd, "rb", buffering=0) as file:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode):
                raise DamagedSnapshot(info.file, "not a regular file")
            if seen.st_size > LARGEST_SNAPSHOT:
                raise DamagedSnapshot(
                    info.file, f"larger than a snapshot can be ({LARGEST_SNAPSHOT >> 30} GiB)"
                )
            yield file

    def _open_folder(self, company: str) -> int:
        if not company or "/" in company or "\0" in company or len(os.fsencode(company)) > LONGEST_ID:
            raise FileNotFoundError(company)
        return os.open(COMPANY_PREFIX + company, _FOLDER, dir_fd=self.fd)

    # --- writing --------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, company: str, patience: float = LOCK_PATIENCE) -> Iterator[CompanyWriter]:
        """Hold the lock of a company's folder, made when it is not there, and yield its writer.

        Raises RepositoryLocked when another process holds it for longer than `patience` seconds, or OSError.
        """
        if not company or "/" in company or "\0" in company:
            raise FileNotFoundError(company)
        name = COMPANY_PREFIX + company
        with suppress(FileExistsError), as_owner_of(self.fd):
            os.mkdir(name, 0o700, dir_fd=self.fd)
            self._has_new_folders = True
        folder = self._open_folder(company)
        try:
            if _is_file(CREDS, folder):
                why = f"is a session folder, and none for snapshots: {CREDS} is in it"
                raise PermissionError(errno.EPERM, why, os.path.join(self.path, name))
            lock_folder(folder, company, patience)
            writer = CompanyWriter(company, folder)
            writer.remove_partials()
            yield writer
        finally:
            os.close(folder)
