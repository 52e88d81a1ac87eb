"""What a company's folder in the repository remembers of the last run, so that "unchanged" costs one small read.

Only a memory: without it the next backup reads the folder once more and compares what it read. It holds
nothing that the names of the snapshots do not tell already, but for the path of the session folder, so an
encrypted repository stays one.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass

from baileys_tools.owner import as_owner_of
from baileys_tools.parsing import parse_json

INDEX = "index.json"
_LARGEST = 1 << 16
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Index:
    """The state of a session folder when it was last backed up, and how that went.

    `stamp` is the folder's stamp, empty when it proves nothing; `files_sha256` the digest of the last
    snapshot's checksums and `last` its file. `sequence` is the highest ever used. `failure` says why the last
    attempt failed, with `failed_at` (ISO 8601); both are empty after a good one. `source` is the place of the
    session, and `identity` a digest that tells whose it is from every other (`Account`), and nothing of whom.
    """

    stamp: str = ""
    files_sha256: str = ""
    last: str = ""
    sequence: int = 0
    failure: str = ""
    failed_at: str = ""
    source: str = ""
    identity: str = ""


def read_index(folder: int) -> Index:
    """Given a company's open folder in the repository, return its index, an empty one when there is none."""
    try:
        fd = os.open(INDEX, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return Index()
    try:
        document = parse_json(os.read(fd, _LARGEST))
        if document.pop("version") != _VERSION:
            return Index()
        index = Index(**document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Index()
    finally:
        os.close(fd)
    texts = (
        index.stamp,
        index.files_sha256,
        index.last,
        index.failure,
        index.failed_at,
        index.source,
        index.identity,
    )
    whole = all(isinstance(text, str) for text in texts) and isinstance(index.sequence, int)
    return index if whole and 0 <= index.sequence < 1 << 40 else Index()


def write_index(folder: int, index: Index) -> None:
    """Replace the index of a company, whose lock is held. Losing it in a power cut is harmless: no fsync."""
    temporary = f".partial-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with as_owner_of(folder):
        fd = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        try:
            os.write(fd, json.dumps({"version": _VERSION, **asdict(index)}).encode())
        finally:
            os.close(fd)
        os.rename(temporary, INDEX, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
