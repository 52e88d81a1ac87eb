"""Standard output and standard error that outlive whoever reads them.

A pipe whose reader has gone (`| head`), a terminal that was closed and a full disk end what is printed. They never
end what is done: a command between stopping a bot and starting it again must not die of a `print`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
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


def outlast_readers() -> None:
    """Have the standard streams of this process outlive their readers, and show any character in some way.

    One that was closed at the start (`2>&-`) leads nowhere.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _lead_nowhere(number)
        elif not _is_file(stream, number):
            continue
        setattr(sys, name, _outlasting(number, stream))


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


def _outlasting(number: int, before: io.TextIOWrapper | None) -> io.TextIOWrapper:
    if before is not None:
        before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlasting(number, "w", closefd=False)),
        encoding=before.encoding if before is not None else None,
        # A terminal that cannot show a character must not end a cleanup.
        errors="backslashreplace",
        line_buffering=before is None or before.line_buffering or before.write_through,
    )


def lost_output() -> OSError | None:
    """Write out what is left, and return why not all of the output could be written; None where its reader has gone."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Outlasting) or raw.has_lost_its_reader:
        return None
    return raw.trouble
