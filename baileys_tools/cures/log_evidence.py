"""Looks through the end of a bot's logs for devices that the bot could not read, and that could not read the bot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from baileys_tools.bots.bot_log.grammar import decrypt_failure, time_of
from baileys_tools.bots.bot_logs import logs_of
from baileys_tools.bots.log_sources import sources_of, stream_of
from baileys_tools.bots.rules.log_events import LogEvent
from baileys_tools.cures.rules.stale_groups import MESSAGES, ResendRequest, asked_in
from baileys_tools.cures.rules.unreadable import Device, Evidence, joined, sender_in
from baileys_tools.sessions.faults import say_why
from baileys_tools.trust import open_plain

if TYPE_CHECKING:
    from datetime import datetime

    from baileys_tools.config import Settings
    from baileys_tools.config.log_kinds import LogFile

Found = TypeVar("Found")

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
    found, troubles = _found_in_logs(settings, company, now, failures_in)
    return joined(found), troubles


def group_requests_in_logs(settings: Settings, company: str, now: datetime) -> list[ResendRequest]:
    """Return which devices asked for messages of the bot to groups again, by the logs of a company that can be read."""
    return _found_in_logs(settings, company, now, requests_in)[0]


def _found_in_logs(
    settings: Settings, company: str, now: datetime, found_in: Callable[[bytes], Iterable[Found]]
) -> tuple[list[Found], list[str]]:
    found: list[Found] = []
    troubles = []
    for log in logs_of(settings, company):
        try:
            for source in sources_of(log, now):
                found += _found_in(source, found_in)
        except OSError as error:
            troubles.append(f"{log.label}: {say_why(error)}")
    return found, troubles


def _found_in(source: LogFile, found_in: Callable[[bytes], Iterable[Found]]) -> list[Found]:
    path = stream_of(source)
    if not isinstance(path, str):
        raise OSError(f"only files are looked through for contacts, and {source.source} keeps none here")
    fd = open_plain(path)
    try:
        return [one for lines in _pieces(fd) for one in found_in(lines)]
    finally:
        os.close(fd)


def failures_in(lines: bytes) -> Iterator[tuple[Device, float | None]]:
    """Given whole lines of a log, yield the device and the time of each message that its session could not read."""
    for start, end in _lines_with(lines, _FAILED):
        if (
            decrypt_failure(lines, start, end) in _OF_A_SESSION
            and (device := sender_in(lines[start:end])) is not None
        ):
            yield device, time_of(lines, start, end)


def requests_in(lines: bytes) -> Iterator[ResendRequest]:
    """Given whole lines of a log, yield each request for a message of the bot to a group."""
    for text in MESSAGES:
        for start, end in _lines_with(lines, text):
            if (asked := asked_in(lines[start:end], time_of(lines, start, end))) is not None:
                yield asked


def _lines_with(lines: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each line begins and ends in which a text stands."""
    at = lines.find(text)
    while at >= 0:
        start = lines.rfind(b"\n", 0, at) + 1
        end = lines.find(b"\n", at)
        end = len(lines) if end < 0 else end
        if end - start <= _LONGEST_LINE:
            yield start, end
        at = lines.find(text, end)


def _pieces(fd: int) -> Iterator[bytes]:
    """Yield the end of a log in pieces of whole lines."""
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
        yield whole + newline
    yield rest
