"""Looks through the end of a bot's logs for devices whose messages could not be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from baileys_tools.bots.bot_log.files import open_log
from baileys_tools.bots.bot_log.grammar import decrypt_failure, time_of
from baileys_tools.bots.bot_logs import logs_of
from baileys_tools.bots.log_sources import sources_of, stream_of
from baileys_tools.bots.rules.log_events import LogEvent
from baileys_tools.cures.rules.unreadable import Device, Evidence, joined, sender_in
from baileys_tools.sessions.faults import say_why

if TYPE_CHECKING:
    from datetime import datetime

    from baileys_tools.config import Settings
    from baileys_tools.config.log_kinds import LogFile

MOST_READ = 64 << 20
"""Bytes of each log, from its end: what is older was most likely healed since."""

_FAILED = b"failed to decrypt message"
_OF_A_SESSION = (LogEvent.NO_MATCHING_SESSION, LogEvent.BAD_MAC)
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 16


def evidence_in_logs(settings: Settings, company: str, now: datetime) -> tuple[Evidence, list[str]]:
    """Return which devices the logs of a company name as unreadable, and which logs could not be read and why.

    At most the last 64 MiB of each are read, and a line of them at a time is in memory.
    """
    found: list[tuple[Device, float | None]] = []
    troubles = []
    for log in logs_of(settings, company):
        try:
            for source in sources_of(log, now):
                found += _failures_of(source)
        except OSError as error:
            troubles.append(f"{log.label}: {say_why(error)}")
    return joined(found), troubles


def _failures_of(source: LogFile) -> list[tuple[Device, float | None]]:
    path = stream_of(source)
    if not isinstance(path, str):
        raise OSError(f"only files are looked through for contacts, and {source.source} keeps none here")
    fd = open_log(path)
    try:
        return list(_failures(fd))
    finally:
        os.close(fd)


def failures_in(lines: bytes) -> Iterator[tuple[Device, float | None]]:
    """Given whole lines of a log, yield the device and the time of each message that its session could not read."""
    at = lines.find(_FAILED)
    while at >= 0:
        start = lines.rfind(b"\n", 0, at) + 1
        end = lines.find(b"\n", at)
        end = len(lines) if end < 0 else end
        if (
            end - start <= _LONGEST_LINE
            and decrypt_failure(lines, start, end) in _OF_A_SESSION
            and (device := sender_in(lines[start:end])) is not None
        ):
            yield device, time_of(lines, start, end)
        at = lines.find(_FAILED, end)


def _failures(fd: int) -> Iterator[tuple[Device, float | None]]:
    size = os.fstat(fd).st_size
    offset = max(0, size - MOST_READ)
    rest = b""
    while offset < size:
        chunk = os.pread(fd, min(_CHUNK, size - offset), offset)
        if not chunk:
            break
        offset += len(chunk)
        # A line without an end is given up: no message of Baileys is so long.
        whole, newline, rest = (rest[-_LONGEST_LINE:] + chunk).rpartition(b"\n")
        yield from failures_in(whole + newline)
    yield from failures_in(rest)
