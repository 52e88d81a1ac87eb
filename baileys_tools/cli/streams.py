"""Standard output and error, as every command needs them: a reader that has gone ends the talk and never the work."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any


def open_streams() -> None:
    """Put both in place of Python's own: one that was closed at the start (`2>&-`) leads nowhere."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            fd = os.open(os.devnull, os.O_WRONLY)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
        elif not _is_file(stream, number):
            continue
        setattr(sys, name, _stream(number, stream))


def _is_file(stream: Any, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _stream(number: int, before: io.TextIOWrapper | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(number, "w", closefd=False)),
        encoding=before.encoding if before is not None else None,
        # A terminal that cannot show a character must not end a cleanup.
        errors="backslashreplace",
        line_buffering=before is None or before.line_buffering,
        write_through=before is not None and before.write_through,
    )


class _Output(io.FileIO):
    """Writes until its reader has gone (`| head`, a terminal that was closed), and then to nobody."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_terminal = self.isatty()

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            if error.errno != errno.EPIPE and not (error.errno == errno.EIO and self._is_terminal):
                raise
        fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(fd, self.fileno())
        os.close(fd)
        return super().write(content)
