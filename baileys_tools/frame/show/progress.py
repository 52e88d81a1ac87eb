"""A progress bar for people who wait: on a terminal, and only when it takes over a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class PatientProgress:
    """Told how much of how much is done; draws on standard error after the first second. Closed by `with`."""

    def __init__(self, what: str, *, wanted: bool) -> None:
        self._what = what
        self._wanted = wanted and sys.stderr.isatty()
        self._started = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> PatientProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Say that `done` of `total` are done."""
        if not self._wanted or (self._bar is None and time.monotonic() - self._started < 1):
            return
        if self._bar is None:
            # 45 ms that only somebody who already waits pays.
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(self._what, total=total)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)
