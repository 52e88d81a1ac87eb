"""A place for copies: a folder on a disk, an SFTP server, a bucket. No link in it is followed."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from baileys_tools.errors import BaileysToolsError, UsageError
from baileys_tools.extras import way_to_add
from baileys_tools.sessions.rules.snapshot import SnapshotInfo, may_be_stored
from baileys_tools.snapshots.company_writer import LARGEST_SNAPSHOT
from baileys_tools.snapshots.repository import CREDS, Repository
from baileys_tools.snapshots.rules.shelf_names import COMPANY_PREFIX
from baileys_tools.snapshots.snapshot_names import HASH_LENGTH, PARTIAL_PREFIX, parse_name
from baileys_tools.trust import NotTrusted, doubt_of, read_trusted

_CHUNK = 1 << 18


class ArrivedDamaged(OSError):
    """What was read back from a place is not what was sent, though it is whole here."""


class WrongFolder(OSError):
    """A company's folder in a place is none for copies."""


CUT_OFF = (TimeoutError, ConnectionError)
"""Of the system's errors those of a connection: no other file can be fetched either."""


class CopyPlace:
    """An open place of copies. `path` is the folder in it; each company has a folder of its own below."""

    def __init__(self, url: str, timeout: timedelta) -> None:
        parts = urlsplit(url)
        self.scheme = parts.scheme
        try:
            if parts.scheme == "sftp":
                _require_own("~/.ssh", "~/.ssh/config", "~/.ssh/known_hosts")
                from baileys_tools.snapshots.places.sftp import open_sftp

                self._system = open_sftp(parts.hostname or "", parts.port, parts.username, timeout)
                self.path = parts.path.rstrip("/")
            elif parts.scheme == "s3":
                self._system = _open_s3(timeout)
                self.path = f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
            else:
                from baileys_tools.snapshots.places.local_disk import LocalDisk

                self.path = parts.path.rstrip("/")
                self._system = LocalDisk(self.path)
        except ImportError as error:
            raise BaileysToolsError(
                f"{parts.scheme}:// needs a library that is not installed ({error.name})",
                f"Add it: {way_to_add(parts.scheme)}",
            ) from None

    def close(self) -> None:
        """End the connection."""
        close = getattr(self._system, "close_connection", None)
        if close is not None:
            close()

    def is_there(self) -> bool:
        """Whether its folder, or its bucket, is there: a prefix in a bucket never is by itself."""
        return bool(self._system.exists(self.path.partition("/")[0] if self.scheme == "s3" else self.path))

    def companies(self) -> list[str]:
        """Return the ids of the companies that have a folder here."""
        names = [name for name in self._entries(self.path) if name.startswith(COMPANY_PREFIX)]
        ids = [name.removeprefix(COMPANY_PREFIX) for name in names]
        return sorted(company for company in ids if company and may_be_stored(company))

    def snapshots(self, company: str, *, tidy_for: Repository | None = None) -> list[SnapshotInfo]:
        """Return the snapshots of a company here. Raises OSError, also where a session is in that folder.

        With `tidy_for`, the repository that is copied, what an upload that was cut has left is removed. Only who sends
        may do that: to anybody else it may be an upload that goes on.
        """
        folder = self._folder(company)
        entries = self._entries(folder)
        if CREDS in entries:
            raise WrongFolder(f"{folder} is a session folder: {CREDS} is in it")
        left = [name for name in entries if name.startswith(PARTIAL_PREFIX)]
        if tidy_for is not None and left:
            self.require_elsewhere(tidy_for, company)
            for name in left:
                self._system.rm_file(f"{folder}/{name}")
        found = (parse_name(company, name, size) for name, size in entries.items())
        return [info for info in found if info is not None]

    def require_elsewhere(self, repository: Repository, company: str) -> None:
        """Raise where a company's folder here is the one in the repository, by whatever way it is the same.

        Paths do not tell: it may be mounted there, or be on a server that is this host. So a file is put here, and
        looked for in the repository.
        """
        if self.scheme == "s3":
            return
        place = f"{self._folder(company)}/{PARTIAL_PREFIX}{secrets.token_hex(8)}"
        self._system.open(place, "wb").close()
        try:
            self._require_apart(repository, company, place)
        finally:
            self._system.rm_file(place)

    def _require_apart(self, repository: Repository, company: str, place: str) -> None:
        if repository.has(company, place.rpartition("/")[2]):
            raise WrongFolder(
                f"{self._folder(company)} is the folder in the backup repository: copies need a place of their own"
            )

    def send(self, repository: Repository, info: SnapshotInfo) -> None:
        """Copy a snapshot here and compare what arrived with its hash. Raises when it does not fit."""
        folder = self._folder(info.company)
        final = f"{folder}/{info.file}"
        # A key of S3 appears whole or not at all, and to rename one is to copy it.
        place = final if self.scheme == "s3" else f"{folder}/{PARTIAL_PREFIX}{secrets.token_hex(8)}"
        self._make_folder(folder)
        try:
            with repository.opened(info) as source, self._system.open(place, "wb") as sink:
                self._keep_private(place)
                if self.scheme != "s3":
                    self._require_apart(repository, info.company, place)
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                if self.scheme == "file":
                    _sync_file(sink)
            digest = hashlib.sha256()
            for chunk in self.read(place):
                digest.update(chunk)
            if digest.hexdigest()[:HASH_LENGTH] != info.sha256:
                raise ArrivedDamaged(f"snapshot {info.id} arrived damaged, and is whole here")
            if self.scheme != "s3":
                self._system.mv(place, final)
        except BaseException:
            with suppress(Exception):
                self._system.rm_file(place)
            raise

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, at most 1 GiB of it."""
        left = LARGEST_SNAPSHOT
        with self._system.open(path, "rb") as file:
            while left > 0 and (chunk := file.read(_CHUNK)):
                left -= len(chunk)
                yield chunk

    def fetch(self, info: SnapshotInfo) -> Iterator[bytes]:
        """Yield the content of a snapshot here; whoever stores it compares the hash."""
        return self.read(f"{self._folder(info.company)}/{info.file}")

    def remove(self, info: SnapshotInfo) -> None:
        self._system.rm_file(f"{self._folder(info.company)}/{info.file}")

    def _make_folder(self, folder: str) -> None:
        if self.scheme == "sftp":
            self._system.makedirs(folder, exist_ok=True, mode=0o700)
        elif self.scheme == "file":
            self._system.make_folder(folder)

    def _keep_private(self, path: str) -> None:
        """Before anything is in it, and below a folder that nobody else may enter."""
        if self.scheme == "sftp":
            self._system.ftp.chmod(path, 0o600)

    def _folder(self, company: str) -> str:
        return f"{self.path}/{COMPANY_PREFIX}{company}"

    def _entries(self, folder: str) -> dict[str, int]:
        """The names in a folder, with their sizes."""
        self._system.invalidate_cache()
        try:
            if self.scheme == "sftp" and folder != self.path:
                self._system.require_folder(folder)
            found: list[dict[str, Any]] = self._system.ls(folder, detail=True)
        except FileNotFoundError:
            return {}
        return {
            one["name"].rstrip("/").rpartition("/")[2]: one["size"] or 0
            for one in found
            if one.get("type") != "link"
        }


def _sync_file(file: Any) -> None:
    """What is read back then comes from the disk, not from memory, wherever the kernel follows this."""
    file.flush()
    os.fsync(file.fileno())
    with suppress(OSError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _require_own(*paths: str) -> None:
    """Raise UsageError for files of a login that others can have written: with `sudo -E`, ~ is not root's."""
    for path in map(os.path.expanduser, paths):
        try:
            if (doubt := doubt_of(path)[0]) is not None:
                raise NotTrusted(doubt.why, path)
            if os.path.isfile(path):
                read_trusted(path, 0)
        except OSError as error:
            raise UsageError(
                f"{path} is not used to log in: {error.strerror}",
                "Run it with a home of your own: sudo -H ...",
            ) from None


def _open_s3(timeout: timedelta) -> Any:
    """Keys and endpoint come from the usual places: AWS_* variables, ~/.aws, the host's role."""
    config = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"  # it may name programs to run
    _require_own(config, os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    import s3fs

    seconds = timeout.total_seconds()
    return s3fs.S3FileSystem(
        skip_instance_cache=True,
        use_listings_cache=False,
        default_cache_type="none",
        config_kwargs={
            "connect_timeout": seconds,
            "read_timeout": seconds,
            "retries": {"max_attempts": 2},
        },
    )
