"""How the files of the repository are called, and what their names say."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from baileys_tools.sessions.rules.snapshot import SnapshotInfo, highest_sequence

PARTIAL_PREFIX = ".partial-"

DAMAGED_SUFFIX = ".damaged"

_PIN = ".keep-"

HASH_LENGTH = 32

_NAME = (
    r"(?P<sequence>[0-9]{8,12})-(?P<time>[0-9]{8}T[0-9]{6}Z)(?:-(?P<tag>[a-z0-9-]{1,32}))?"
    r"-(?P<sha256>[0-9a-f]{32})\.tar\.zst(?P<age>\.age)?(?P<damaged>\.damaged)?"
)


def valid_tag(text: str) -> bool:
    """Whether a text can be a tag: up to 32 small letters, digits and single dashes between them."""
    return len(text) <= 32 and re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text) is not None


def snapshot_name(sequence: int, taken_at: datetime, tag: str, sha256: str, *, encrypted: bool) -> str:
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


def pin_name(file: str, until: datetime) -> str:
    """Return the name of the empty file that says that a snapshot stays until then, whatever the retention says."""
    return f"{file.removesuffix(DAMAGED_SUFFIX)}{_PIN}{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def parse_pin(name: str) -> tuple[str, datetime] | None:
    """Given a file name, return which snapshot it keeps and until when, or None when it is no pin's."""
    file, found, stamp = name.rpartition(_PIN)
    if not found or re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", stamp) is None:
        return None
    try:
        return file, datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def is_out_of_range(file: str) -> bool:
    """Whether a file has the name of a snapshot, with a sequence that none can have reached. It counts for nothing."""
    found = re.fullmatch(_NAME, file)
    return found is not None and int(found["sequence"]) > highest_sequence(time.time())
