"""The installed command on a terminal of its own, what its screen shows, and a QR reader that looks at it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

from tests.support import COMMAND, require_tool, scrubbed_environment

COLUMNS, LINES = 100, 45
Pixels = list[list[bool]]


class Screen:
    """A command that runs on a terminal. `with` ends it."""

    def __init__(self, *arguments: str | Path, env: Mapping[str, str]) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._handle, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        environment = {"TERM": "xterm-256color", "COLUMNS": "80"} | dict(env)
        self.process = subprocess.Popen(
            [COMMAND, *arguments],
            env=scrubbed_environment(environment),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=os.environ["HOME"],
        )
        os.close(inner)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._handle)

    def type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, what: Callable[[Screen], object], seconds: float = 20) -> None:
        """Read what comes until `what(self)` holds; fail when it does not come to that."""
        end = time.monotonic() + seconds
        while not what(self):
            assert time.monotonic() < end, f"not seen within {seconds} s:\n{self.text}"
            if select.select([self._handle], [], [], 0.05)[0]:
                try:
                    self._stream.feed(os.read(self._handle, 65_536))
                except OSError:  # the other end is closed
                    assert what(self), self.text
                    return

    def exit_code(self, seconds: float = 20) -> int:
        """Read to the end and return how it ended: the process may be gone before its last words are read."""
        end = time.monotonic() + seconds
        while True:
            assert time.monotonic() < end, self.text
            if select.select([self._handle], [], [], 0.05)[0]:
                try:
                    self._stream.feed(os.read(self._handle, 65_536))
                except OSError:  # the other end is closed
                    return self.process.wait(5)

    def pixels(self) -> Pixels:
        """What a camera sees: two pixels a cell, true for light. The terminal is white on black."""
        rows: Pixels = []
        for y in range(LINES):
            upper, lower = [], []
            for x in range(COLUMNS):
                cell = self.screen.buffer[y][x]
                front, back = _is_light(cell.fg, default=True), _is_light(cell.bg, default=False)
                upper.append(front if cell.data in "█▀" else back)
                lower.append(front if cell.data in "█▄" else back)
            rows += [upper, lower]
        return rows


def _is_light(colour: str, *, default: bool) -> bool:
    return {"default": default, "ffffff": True, "000000": False}[colour]


def read_qr(pixels: Pixels, place: Path) -> str:
    """What a QR reader (zbar) reads in an image of these pixels; "" when it sees no code."""
    scale = 6
    image = place / "screen.pgm"
    rows = [bytes(value for light in row for value in [255 * light] * scale) * scale for row in pixels]
    image.write_bytes(b"P5 %d %d 255\n" % (len(pixels[0]) * scale, len(pixels) * scale) + b"".join(rows))
    return read_qr_image(image)


def read_qr_image(image: Path) -> str:
    done = subprocess.run(
        [require_tool("zbarimg"), "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", image],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.removesuffix("\n")
