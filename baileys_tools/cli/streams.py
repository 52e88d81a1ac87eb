"""Standard output and standard error that outlive whoever reads them.

A pipe whose reader has gone (`| head`), a terminal that was closed and a full disk end what is printed. They never
end what is done: a command between stopping a bot and starting it again must not die of a `print`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from typing import Any


class _Outlasting(io.FileIO):
    """A stream of the process. What can no longer be written is dropped, and `trouble` says why."""

    trouble: OSError | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_terminal = self.isatty()

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.trouble = error
            # For the programs that this one starts as well: they write to the same place.
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes

    @property
    def has_lost_its_reader(self) -> bool:
        """Whether nobody is there any more: no reason to call what was done a failure."""
        gone = (errno.EPIPE, errno.EIO) if self._is_terminal else (errno.EPIPE,)
        return self.trouble is not None and self.trouble.errno in gone


class _Dated(io.TextIOWrapper):
    """A stream of a job: each line begins with when it was said, and by which job.

    All jobs write into one file. What belongs to a company and goes on over several lines names it on each of them.
    """

    job = ""
    _company = ""
    _is_at_start = True

    def write(self, text: str, /) -> int:
        for line in text.splitlines(keepends=True):
            super().write(self._head(line) + line.lstrip() if self._is_at_start and line.strip() else line)
            self._is_at_start = line.endswith("\n")
        return len(text)

    def _head(self, line: str) -> str:
        whose = self._company if line[:1].isspace() else ""
        if not whose:
            # A name can have spaces: it ends at a colon, or where the next column begins.
            name = line.partition(":")[0].partition("  ")[0].strip()
            self._company = f"{name}: " if name.startswith("company ") else ""
        return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {self.job}: {whose}"


def outlast_readers(job: str = "") -> None:
    """Have the standard streams of this process outlive their readers, and show any character in some way.

    One that was closed at the start (`2>&-`) leads nowhere. `job` is what each line begins with, after the time.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _lead_nowhere(number)
        elif not _is_file(stream, number):
            continue
        setattr(sys, name, _outlasting(number, stream, job))


def _lead_nowhere(number: int) -> None:
    fd = os.open(os.devnull, os.O_WRONLY)
    if fd != number:
        os.dup2(fd, number)
        os.close(fd)


def _is_file(stream: Any, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _outlasting(number: int, before: io.TextIOWrapper | None, job: str = "") -> io.TextIOWrapper:
    if before is not None:
        before.flush()
    kind = _Dated if job else io.TextIOWrapper
    found = kind(
        io.BufferedWriter(_Outlasting(number, "w", closefd=False)),
        encoding=before.encoding if before is not None else None,
        # A terminal that cannot show a character must not end a cleanup.
        errors="backslashreplace",
        line_buffering=before is None or before.line_buffering or before.write_through,
    )
    if isinstance(found, _Dated):
        found.job = job
    return found


def lost_output() -> OSError | None:
    """Write out what is left, and return why not all of the output could be written; None where its reader has gone."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Outlasting) or raw.has_lost_its_reader:
        return None
    return raw.trouble
