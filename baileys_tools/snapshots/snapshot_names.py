"""How the files of the repository are called, and what their names say."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from baileys_tools.sessions.rules.snapshot import SnapshotInfo, highest_sequence

COMPANY_PREFIX = "company_"

PARTIAL_PREFIX = ".partial-"

DAMAGED_SUFFIX = ".damaged"

HASH_LENGTH = 32

LONGEST_ID = 255 - len(COMPANY_PREFIX)

_APART = re.compile(r"(?s)(.+)~[0-9a-f]{12}")

_NAME = (
    r"(?P<sequence>[0-9]{8,12})-(?P<time>[0-9]{8}T[0-9]{6}Z)(?:-(?P<tag>[a-z0-9-]{1,32}))?"
    r"-(?P<sha256>[0-9a-f]{32})\.tar\.zst(?P<age>\.age)?(?P<damaged>\.damaged)?"
)


def name_of(shelf: str) -> str:
    """Given what follows `company_` in the name of a folder of the repository, return the company's name."""
    found = _APART.fullmatch(shelf)
    return found[1] if found else shelf


def label_of(shelf: str, sources: Mapping[str, str]) -> str:
    """Return how people are told of a shelf: by its name, and where others have that by where it comes from as well.

    `sources` are those of the shelves whose name is no sign of them, see `Repository.sources`.
    """
    if shelf not in sources:
        return name_of(shelf)
    source = sources[shelf]
    return f"{name_of(shelf)} ({os.path.dirname(source)})" if source else shelf


def own_shelf(name: str, place: str) -> str:
    """Return the shelf of a place, of a company whose plain name another place has."""
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:12]
    return f"{os.fsdecode(os.fsencode(name)[: LONGEST_ID - 13])}~{digest}"


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
