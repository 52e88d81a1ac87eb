"""Standard output and standard error that outlive whoever reads them.

A pipe whose reader has gone (`| head`), a terminal that was closed and a full disk end what is printed. They never
end what is done: a command between stopping a bot and starting it again must not die of a `print`.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _Outlasting(io.FileIO):
    """A stream of the process. What can no longer be written is dropped, and `trouble` says why."""

    trouble: OSError | None = None

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


def outlast_readers() -> None:
    """Have the standard streams of this process outlive their readers, and show any character in some way."""
    sys.stdout, sys.stderr = _outlasting(sys.stdout), _outlasting(sys.stderr)


def _outlasting(stream: Any) -> Any:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlasting(stream.fileno(), "w", closefd=False)),
        stream.encoding,
        # A terminal that cannot show a character must not end a cleanup.
        "backslashreplace",
        line_buffering=stream.line_buffering or stream.write_through,
    )


def lost_output() -> OSError | None:
    """Write out what is left, and return why not all of the output could be written; None where its reader has gone."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    trouble = raw.trouble if isinstance(raw, _Outlasting) else None
    return None if isinstance(trouble, BrokenPipeError) else trouble
