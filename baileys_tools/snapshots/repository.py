"""The backup repository: a folder for each company, a file for each snapshot.

    <repository>/company_<id>/<sequence>-<time>[-<tag>]-<sha256>.tar.zst[.age]

The name says all that a listing needs, and its hash vouches for the file: any copy can be checked without
this tool and without a key. A file that failed a verification gets `.damaged` at its end. `index.json` beside them
is a memory of the last run (index.py) and may be removed at any time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO

from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.owner import as_owner_of, user_name
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.snapshot import (
    Manifest,
    Snapshot,
    SnapshotInfo,
    StoredFile,
    highest_sequence,
)
from baileys_tools.snapshots.archive import ArchiveReader, DamagedSnapshot, NotForHere, write_archive
from baileys_tools.snapshots.encryption import Identities, Recipients, WrongKey
from baileys_tools.snapshots.index import Index, read_index

COMPANY_PREFIX = "company_"
PARTIAL_PREFIX = ".partial-"
DAMAGED_SUFFIX = ".damaged"
CREDS = "creds.json"
"""No snapshot, nor anything else in a repository, has this name: where it is, a bot logs in."""
HASH_LENGTH = 32
LARGEST_SNAPSHOT = 1 << 30
"""Bytes. What a snapshot may hold, with all that is around it, comes to less (sessions/rules/snapshot.py)."""
LOCK_PATIENCE = 10.0
"""Seconds to wait for another writer of the same company: one snapshot takes far less."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 16
_LONGEST_ID = 255 - len(COMPANY_PREFIX)

_NAME = (
    r"(?P<sequence>[0-9]{8,12})-(?P<time>[0-9]{8}T[0-9]{6}Z)(?:-(?P<tag>[a-z0-9-]{1,32}))?"
    r"-(?P<sha256>[0-9a-f]{32})\.tar\.zst(?P<age>\.age)?(?P<damaged>\.damaged)?"
)


class RepositoryLocked(BaileysToolsError):
    """Another process writes snapshots of this company."""

    def __init__(self, company: str) -> None:
        super().__init__(
            f"another process is writing snapshots of company {company}", exit_code=ExitCode.LOCKED
        )


def valid_tag(text: str) -> bool:
    """Whether a text can be a tag: up to 32 small letters, digits and single dashes between them."""
    return len(text) <= 32 and re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text) is not None


def snapshot_name(sequence: int, taken_at: datetime, tag: str, sha256: str, *, encrypted: bool) -> str:
    """Return the file name of a snapshot."""
    stamp = f"{taken_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    middle = f"-{tag}" if tag else ""
    suffix = ".age" if encrypted else ""
    return f"{sequence:08d}-{stamp}{middle}-{sha256[:HASH_LENGTH]}.tar.zst{suffix}"


def parse_name(company: str, file: str, size: int) -> SnapshotInfo | None:
    """Given a file name, return what it says, or None when it is no snapshot's: see `is_out_of_range` for one."""
    found = re.fullmatch(_NAME, file)
    if found is None or int(found["sequence"]) > highest_sequence(time.time()):
        return None
    try:
        taken_at = datetime.strptime(found["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return SnapshotInfo(
        company,
        file,
        int(found["sequence"]),
        taken_at,
        found["tag"] or "",
        found["sha256"],
        size,
        encrypted=found["age"] is not None,
        damaged=found["damaged"] is not None,
    )


def is_out_of_range(file: str) -> bool:
    """Whether a file has the name of a snapshot, with a sequence that none can have reached. It counts for nothing."""
    found = re.fullmatch(_NAME, file)
    return found is not None and int(found["sequence"]) > highest_sequence(time.time())


class Repository:
    """An open backup repository. Closed by `with`. Every path below it is reached by handle.

    `create` makes the folder (0700) when it is not there. Raises BaileysToolsError when it cannot be opened.
    """

    def __init__(self, path: str, *, create: bool = False) -> None:
        self.path = path
        self._has_new_folders = False
        try:
            if create:
                make_private_folders(path)
            # The operator names the repository, so here a link is followed.
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise BaileysToolsError(
                f"cannot open the backup repository {path}: {error.strerror}",
                _way_in(path)
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
        raise BaileysToolsError(
            f"no snapshot {wanted} of company {company} in {self.path}",
            f"{command('baileys-tools snapshots --company {}', company)} lists those that are there."
            if found
            else "There is no snapshot of this company. Old copies of its folder? baileys-tools backup --import DIR "
            "takes them in. None, and the session is lost? "
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
        if not company or "/" in company or "\0" in company or len(os.fsencode(company)) > _LONGEST_ID:
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
            _lock(folder, company, patience)
            writer = CompanyWriter(company, folder)
            writer.remove_partials()
            yield writer
        finally:
            os.close(folder)


class CompanyWriter:
    """Publishes, marks and removes the snapshots of one company, whose lock it has."""

    def __init__(self, company: str, folder: int) -> None:
        self.company = company
        self.folder = folder

    def snapshots(self) -> list[SnapshotInfo]:
        """As `Repository.snapshots`."""
        return list_snapshots(self.company, self.folder)

    def index(self) -> Index:
        """As `Repository.index`."""
        return read_index(self.folder)

    def has(self, file: str) -> bool:
        """As `Repository.has`."""
        return bool(file) and _is_file(file, self.folder)

    def publish(
        self,
        manifest: Manifest,
        files: Sequence[StoredFile],
        recipients: Recipients | None,
        at_least: int = 1,
    ) -> SnapshotInfo:
        """Write a snapshot and return it once it is on disk under its name and read back whole.

        Its sequence is the first free one, `at_least` at that, unless no sequence can be so high yet. Raises OSError;
        then nothing is left behind.
        """
        highest = highest_sequence(time.time())
        taken = [info.sequence + 1 for info in self.snapshots()]
        sequence = max((one for one in (*taken, at_least) if one <= highest), default=1)
        complete, archive = write_archive(replace(manifest, sequence=sequence), files)
        content = recipients.encrypt(archive) if recipients else archive
        name = snapshot_name(
            sequence,
            complete.taken_at,
            complete.tag,
            hashlib.sha256(content).hexdigest(),
            encrypted=bool(recipients),
        )
        return self.publish_file(name, [content])

    def publish_file(self, name: str, chunks: Iterable[bytes]) -> SnapshotInfo:
        """Write the file of a snapshot: temporary name, fsync, read back, rename, fsync of the folder.

        Raises DamagedSnapshot when what is on disk does not fit the hash in `name`, or OSError.
        """
        temporary = PARTIAL_PREFIX + secrets.token_hex(8)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with as_owner_of(self.folder):
            fd = os.open(temporary, flags, 0o600, dir_fd=self.folder)
        try:
            with open(fd, "r+b", buffering=0) as file:
                for chunk in chunks:
                    _write_all(fd, chunk)
                os.fsync(fd)
                info = parse_name(self.company, name, os.fstat(fd).st_size)
                if info is None:
                    raise DamagedSnapshot(name, "not the name of a snapshot")
                # What is read back comes from the disk, not from memory, wherever the kernel follows this.
                with suppress(OSError):
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                check_hash(file, info)
            os.rename(temporary, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self.folder)
            raise
        try:
            os.fsync(self.folder)
        except OSError:
            # Whether the name would outlive a power cut is unknown, so it must not be counted on.
            with suppress(OSError):
                os.unlink(name, dir_fd=self.folder)
            raise
        return info

    def mark_damaged(self, info: SnapshotInfo) -> SnapshotInfo:
        """Give a snapshot that failed its verification the name of a damaged one. Raises OSError."""
        name = info.file + DAMAGED_SUFFIX
        os.rename(info.file, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        os.fsync(self.folder)
        return replace(info, file=name, damaged=True)

    def mark_whole(self, info: SnapshotInfo) -> SnapshotInfo:
        """Give one that was marked as damaged, and was read whole after all, its name back. Raises OSError.

        It was the disk or the memory then, and not the file.
        """
        name = info.file.removesuffix(DAMAGED_SUFFIX)
        if not self.has(name):
            os.rename(info.file, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            os.fsync(self.folder)
        return replace(info, file=name, damaged=False)

    def remove(self, infos: Sequence[SnapshotInfo]) -> None:
        """Remove snapshots, the oldest first. One that is gone already is fine. Raises OSError."""
        for info in sorted(infos, key=lambda one: one.order):
            with suppress(FileNotFoundError):
                os.unlink(info.file, dir_fd=self.folder)
        if infos:
            os.fsync(self.folder)

    def remove_partials(self) -> None:
        """Remove what a writer that died has left. With the lock held, no partial file is in use."""
        for name in os.listdir(self.folder):
            if name.startswith(PARTIAL_PREFIX):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self.folder)


def list_snapshots(company: str, folder: int) -> list[SnapshotInfo]:
    """Given a company's open folder in a repository, return its snapshots, oldest first. Raises OSError."""
    found = []
    for name in os.listdir(folder):
        if not name[:1].isdigit():
            continue
        try:
            size = os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
        if info := parse_name(company, name, size):
            found.append(info)
    return sorted(found, key=lambda info: (info.order, info.file))


def check_hash(file: BinaryIO, info: SnapshotInfo) -> None:
    """Compare an open file with the hash in its name and rewind it. Raises DamagedSnapshot or OSError."""
    digest = hashlib.sha256()
    file.seek(0)
    # No more than it had: a file that grows would be read for ever.
    left = info.size
    while left >= 0 and (chunk := file.read(_CHUNK)):
        left -= len(chunk)
        digest.update(chunk)
    file.seek(0)
    if digest.hexdigest()[:HASH_LENGTH] != info.sha256:
        raise DamagedSnapshot(info.file, "its content does not fit the hash in its name")


def _checked_reader(reader: ArchiveReader, info: SnapshotInfo) -> ArchiveReader:
    manifest = reader.manifest
    if manifest.company != info.company:
        raise NotForHere(info.file, "it was taken of another company than its folder says")
    if manifest.sequence != info.sequence or manifest.tag != info.tag:
        raise NotForHere(info.file, "its name is not the one that it was written under")
    return reader


def _is_file(path: str, folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _lock(folder: int, company: str, patience: float) -> None:
    # filelock costs 30 ms to import, which a run that finds nothing changed need not pay.
    from filelock import lock_descriptor

    deadline = time.monotonic() + patience
    while not lock_descriptor(folder, blocking=False):
        if time.monotonic() > deadline:
            raise RepositoryLocked(company)
        time.sleep(0.02)


def nearest_folder(path: str) -> str:
    """Return the folder itself, or the nearest one above it that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def way_to_make(path: str) -> str:
    """Return how somebody who may not make a folder gets it."""
    return command("sudo install -d -o {} -m 700 {}", user_name(os.geteuid()), path)


def _way_in(path: str) -> str:
    if not os.path.isdir(path):
        return f"Have it made: {way_to_make(path)}"
    owner, me = user_name(os.stat(path).st_uid), user_name(os.geteuid())
    return f"It is of {owner}, and you are {me}. To have it: {command('sudo chown -R {} {}', me, path)}"


def make_private_folders(path: str) -> None:
    """Make a folder and those above it that are missing, each 0700 from birth and of the owner of the one it is in.

    Raises OSError.
    """
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        parent = os.path.dirname(path) or "."
        if parent == path:
            break
        path = parent
    for folder in reversed(missing):
        above = os.open(os.path.dirname(folder) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(FileExistsError), as_owner_of(above):
                os.mkdir(os.path.basename(folder), 0o700, dir_fd=above)
        finally:
            os.close(above)
