"""Writes, marks and removes the snapshots of one company, under its lock."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from baileys_tools.owner import as_owner_of
from baileys_tools.sessions.rules.snapshot import Manifest, SnapshotInfo, StoredFile, highest_sequence
from baileys_tools.snapshots.archive import ArchiveReader, DamagedSnapshot, NotForHere, write_archive
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.snapshots.index import Index, read_index
from baileys_tools.snapshots.rules.shelf_names import name_of
from baileys_tools.snapshots.snapshot_names import (
    DAMAGED_SUFFIX,
    HASH_LENGTH,
    PARTIAL_PREFIX,
    parse_name,
    parse_pin,
    pin_name,
    snapshot_name,
)

LARGEST_SNAPSHOT = 1 << 30
"""Bytes. What a snapshot may hold, with all that is around it, comes to less (sessions/rules/snapshot.py)."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_CHUNK = 1 << 16


class CompanyWriter:
    """Publishes, marks and removes the snapshots of one company, whose lock it has."""

    def __init__(self, company: str, folder: int) -> None:
        self.company = company
        self.folder = folder

    def snapshots(self) -> list[SnapshotInfo]:
        return list_snapshots(self.company, self.folder)

    def index(self) -> Index:
        return read_index(self.folder)

    def has(self, file: str) -> bool:
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

    def keep(self, info: SnapshotInfo, until: datetime) -> SnapshotInfo:
        """Say that a snapshot stays until then, instead of any earlier word. Raises OSError."""
        name = pin_name(info.file, until)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with as_owner_of(self.folder):
            os.close(os.open(name, flags, 0o600, dir_fd=self.folder))
        os.fsync(self.folder)
        self._unpin(info, but=name)
        return replace(info, kept_until=until)

    def release(self, info: SnapshotInfo) -> SnapshotInfo:
        """Take back what `keep` has said. Raises OSError."""
        self._unpin(info)
        os.fsync(self.folder)
        return replace(info, kept_until=None)

    def _unpin(self, info: SnapshotInfo, but: str = "") -> None:
        file = info.file.removesuffix(DAMAGED_SUFFIX)
        for name in os.listdir(self.folder):
            pin = parse_pin(name) if name != but else None
            if pin is not None and pin[0] == file:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self.folder)

    def remove(self, infos: Sequence[SnapshotInfo]) -> None:
        """Remove snapshots, the oldest first. One that is gone already is fine. Raises OSError."""
        for info in sorted(infos, key=lambda one: one.order):
            with suppress(FileNotFoundError):
                os.unlink(info.file, dir_fd=self.folder)
            if info.kept_until is not None:
                self.release(info)
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
    pins: dict[str, datetime] = {}
    for name in os.listdir(folder):
        if not name[:1].isdigit():
            continue
        if (pin := parse_pin(name)) is not None:
            file, until = pin
            pins[file] = max(until, pins.get(file, until))
            continue
        try:
            size = os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
        if info := parse_name(company, name, size):
            found.append(info)
    if pins:
        found = [replace(info, kept_until=pins.get(info.file.removesuffix(DAMAGED_SUFFIX))) for info in found]
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
    if manifest.company not in (info.company, name_of(info.company)):
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
