"""Logs that are not named by a path: of a unit in the journal, of a container, of a process of PM2.

PM2 and Docker's json-file keep files, which are read as any other; the journal, and what Docker keeps in another way,
come as a stream behind a cursor. All of it within a time, and only what the settings name is asked for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from baileys_tools.bots.bot_log.reading import (
    MOST_AT_FIRST,
    LogMemory,
    LogPass,
    filler,
    read_log,
    read_stream,
    sample_log,
)
from baileys_tools.bots.bot_log.scanner import BUFFER
from baileys_tools.bots.bot_log.tally import Tally
from baileys_tools.bots.process import LOOK_SECONDS, ToolError, pm2_list, stream_tool
from baileys_tools.bots.rules.log_events import Understood
from baileys_tools.config.log_kinds import LogFile
from baileys_tools.trust import open_plain
from baileys_tools.units import format_size, quoted

READ_SECONDS = 60.0
MOST_LINES_AT_FIRST = 200_000
"""Of a journal or a container that was never read."""
SAMPLE_LINES = 2_000


class NoLog(OSError):
    """A log cannot be had; the text says why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class Stream(NamedTuple):
    """How a log that is no file is read: what gives what came after a cursor, and what finds the cursor in a line."""

    after: Callable[[str, int], Generator[bytes, None, None]]
    cursor_of: Callable[[bytes], str]
    nothing: str
    """What it means that it never had a line."""


def read_source(
    file: LogFile,
    memory: LogMemory,
    now: datetime,
    *,
    company: str = "",
    beginnings: Mapping[str, Tally] | None = None,
    lines: int = MOST_LINES_AT_FIRST,
    most: int = MOST_AT_FIRST,
) -> tuple[LogPass, str]:
    """Given a log, read what is new, wherever it is; return it, and why it was not read to its end ("" where it was).

    Raise OSError where it cannot be read at all.
    """
    stream = stream_of(file)
    if isinstance(stream, str):
        found = read_log(stream, memory, now, most, company=company, session=file.rule, beginnings=beginnings)
        return found, _passed_over(found.passed_over)
    return _read_stream(stream, file, memory, now, company, beginnings, lines)


def _passed_over(size: int) -> str:
    if not size:
        return ""
    return f"more came since the last look than is read at once: {format_size(size)} of it are passed over"


def _read_stream(
    stream: Stream,
    file: LogFile,
    memory: LogMemory,
    now: datetime,
    company: str,
    beginnings: Mapping[str, Tally] | None,
    lines: int,
) -> tuple[LogPass, str]:
    trouble = ""

    def until_trouble(pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        nonlocal trouble
        try:
            yield from pieces
        except ToolError as error:
            trouble = str(error)

    with closing(stream.after(memory.cursor, lines)) as pieces, closing(until_trouble(pieces)) as given:
        found = read_stream(
            filler(given),
            stream.cursor_of,
            memory,
            now,
            company=company,
            session=file.rule,
            beginnings=beginnings,
        )
    if not found.size and not memory.cursor:
        raise NoLog(trouble or stream.nothing)
    return found, trouble


def lines_of(stream: Stream) -> Iterator[bytes]:
    """Yield the last of what a log has that is no file, in pieces. Raise OSError where it cannot be had whole."""
    came = False
    try:
        with closing(stream.after("", MOST_LINES_AT_FIRST)) as pieces:
            for piece in pieces:
                came = True
                yield piece
    except ToolError as error:
        raise NoLog(str(error)) from None
    if not came:
        raise NoLog(stream.nothing)


def sources_of(file: LogFile, now: datetime) -> list[LogFile]:
    """Given a log of the settings, return those to read: of a process of PM2 each of its files. Raise OSError."""
    if not file.has_valid_name():
        raise NoLog(f"invalid name for {file.source}: {quoted(file.path)}")
    if file.source != "pm2":
        return [file]
    listed, trouble = _pm2_files(now)
    if trouble:
        raise NoLog(trouble)
    if file.path not in listed:
        raise NoLog(f"pm2 of this user knows no process {quoted(file.path)}")
    if not listed[file.path]:
        raise NoLog(f"pm2 keeps no log of {quoted(file.path)}")
    return [file._replace(path=path, source="") for path in listed[file.path]]


@lru_cache(maxsize=1)
def _pm2_files(now: datetime) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return the files of all processes of PM2, by name, and why they are not known. PM2 is asked once a run."""
    try:
        listed = pm2_list(LOOK_SECONDS)
    except ToolError as error:
        return {}, str(error)
    found = {}
    for name, processes in listed.items():
        environments = [one["pm2_env"] for one in processes if isinstance(one.get("pm2_env"), dict)]
        # `pm_log_path` is both together, where it is asked for.
        keys = ("pm_out_log_path", "pm_err_log_path")
        paths = [environment.get(key) for environment in environments for key in keys]
        found[name] = tuple(
            dict.fromkeys(
                path
                for path in paths
                if isinstance(path, str) and path.startswith("/") and path != os.devnull and "\0" not in path
            )
        )
    return found, ""


def stream_of(file: LogFile) -> str | Stream:
    """Given a log, return the path of its file, or how it is read where it is none. Raise OSError."""
    if not file.source:
        return file.path
    if file.source == "journal":
        return _journal(file)
    from baileys_tools.bots import docker_logs

    try:
        found = docker_logs.container(file.path)
    except ToolError as error:
        raise NoLog(str(error)) from None
    if found.log and _can_be_opened(found.log):
        return found.log
    return Stream(
        lambda cursor, lines: docker_logs.printed(found, cursor, lines, READ_SECONDS),
        docker_logs.cursor_of,
        f"the container {quoted(file.path)} has printed nothing that Docker keeps",
    )


def _can_be_opened(path: str) -> bool:
    # Only root may, and in a container of its own this tool sees another disk.
    try:
        os.close(open_plain(path))
    except OSError:
        return False
    return True


def _journal(file: LogFile) -> Stream:
    return Stream(
        lambda cursor, lines: _entries(file, cursor, lines),
        _journal_cursor,
        f"the journal has no entry of {quoted(file.path)}: see its name (systemctl status), and that this user "
        "may read the journal (group systemd-journal)",
    )


def _entries(file: LogFile, cursor: str, lines: int) -> Generator[bytes, None, None]:
    command = ["journalctl", "--quiet", "--no-pager", "--output=json", "--output-fields=MESSAGE", "--all"]
    if file.directory:
        command.append(f"--directory={file.directory}")
    command.append(f"--unit={file.path}")
    if os.geteuid() != 0:
        # Not for root: any user may call a unit of its own so.
        command.append(f"--user-unit={file.path}")
    # Not --after-cursor: until systemd 255 that passes over an entry, where the cursor's own was removed since.
    begin = [f"--cursor={cursor}"] if cursor else [f"--lines={lines}"]
    came = False
    try:
        with closing(stream_tool([*command, *begin], READ_SECONDS)) as pieces:
            for piece in _behind(cursor, pieces):
                came = True
                yield piece
        return
    except ToolError:
        if came or not cursor:
            raise
    # A journal that was removed or begun anew does not know the cursor; the cursor knows its time.
    micros = re.search(r"(?:^|;)t=([0-9a-f]{1,14})(?:;|$)", cursor)
    since = [f"--since=@{int(micros[1], 16) // 1_000_000 + 1}"] if micros else [f"--lines={lines}"]
    with closing(stream_tool([*command, *since], READ_SECONDS)) as pieces:
        yield from pieces


def _behind(cursor: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the first line, where it is the cursor's own."""
    begin = b""
    for piece in pieces:
        begin += piece
        end = begin.find(b"\n") + 1
        if end or len(begin) > BUFFER:
            yield begin[end:] if cursor and _journal_cursor(begin[:end]) == cursor else begin
            break
    yield from pieces


def _journal_cursor(line: bytes) -> str:
    try:
        document = json.loads(line)
    except ValueError:
        return ""
    cursor = document.get("__CURSOR") if isinstance(document, dict) else None
    return cursor if isinstance(cursor, str) and re.fullmatch(r"[\w=;]{1,400}", cursor) else ""


def sample_source(file: LogFile, now: datetime) -> Understood:
    """Given a log, return how much of what its end says of Baileys is understood. Raise OSError as `read_source`."""
    lines, unread = 0, dict[str, int]()
    for source in sources_of(file, now):
        stream = stream_of(source)
        found = (
            sample_log(stream, now)
            if isinstance(stream, str)
            else _read_stream(stream, source, LogMemory(), now, "", None, SAMPLE_LINES)[0].memory.understood
        )
        lines += found.lines
        for form, number in found.unread.items():
            unread[form] = unread.get(form, 0) + number
    return Understood(lines, unread)
