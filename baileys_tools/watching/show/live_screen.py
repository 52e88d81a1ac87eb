"""The whole terminal for the length of a `with`, and left as it was found whatever happens."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from enum import Enum
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console, ConsoleDimensions
from rich.live import Live
from rich.text import Text


class Event(Enum):
    """What ended a wait."""

    TIMEOUT = "timeout"
    RESIZED = "resized"
    LOOK_AGAIN = "look again"
    QUIT = "quit"


class LiveScreen:
    """The terminal of standard input and output: shows lines, and tells what the person at it wants.

    Ctrl-Z does nothing: a shell would get back a terminal without echo, on the other screen.
    """

    def __init__(self) -> None:
        self._keyboard = sys.stdin.fileno()
        self._display = sys.stdout.fileno()
        self._undo = ExitStack()
        self._console = Console(highlight=False)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines, as they are now."""
        return os.get_terminal_size(self._display)

    def __enter__(self) -> Self:
        with self._undo:
            self._listen_to_signals()
            self._take_keyboard()
            self._live.start()
            self._undo.callback(self._leave_screen)
            self._undo = self._undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def show(self, lines: Sequence[str]) -> None:
        """Show lines from the top, painted or not; what does not fit is cut off. One write, so nothing flickers."""
        columns, rows = self.size
        self._console.size = ConsoleDimensions(columns, rows)
        text = Text.from_ansi("\n".join(lines[:rows]), no_wrap=True, overflow="crop")
        self._live.update(text, refresh=True)

    def wait(self, seconds: float) -> Event:
        """Wait for a key, for another size of the terminal, or until `seconds` are over."""
        ready, _, _ = select.select([self._keyboard, self._wake], [], [], max(0.0, seconds))
        if self._wake in ready:
            os.read(self._wake, 4096)
            return Event.RESIZED
        if self._keyboard not in ready:
            return Event.TIMEOUT
        keys = os.read(self._keyboard, 1024)
        # Nothing at all is the end of the terminal, \4 is Ctrl-D.
        if not keys or keys[:1] in (b"q", b"Q", b"\4"):
            return Event.QUIT
        return Event.LOOK_AGAIN if keys[:1] in (b" ", b"r", b"\r", b"\n") else Event.RESIZED

    def _listen_to_signals(self) -> None:
        self._wake, wake = os.pipe()
        self._undo.callback(os.close, self._wake)
        self._undo.callback(os.close, wake)
        os.set_blocking(wake, False)
        self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(wake, warn_on_full_buffer=False))
        self._undo.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, _ignore))

    def _take_keyboard(self) -> None:
        before = termios.tcgetattr(self._keyboard)
        self._undo.callback(_set_terminal, self._keyboard, before)
        tty.setcbreak(self._keyboard)
        now = termios.tcgetattr(self._keyboard)
        now[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._keyboard, termios.TCSADRAIN, now)

    def _leave_screen(self) -> None:
        with suppress(OSError):  # a terminal that has gone needs no tidying
            self._live.stop()


def _set_terminal(fd: int, attributes: list[int | list[bytes | int]]) -> None:
    with suppress(termios.error):
        # What was typed for this screen is not for the shell.
        termios.tcsetattr(fd, termios.TCSAFLUSH, attributes)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The pipe is told; that is all."""
