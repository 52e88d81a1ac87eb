"""A bot of real Baileys against an endpoint that plays WhatsApp's server: see bot.mjs and endpoint.mjs."""

from __future__ import annotations

import json
import select
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import missing, require_tool

HERE = Path(__file__).parent
GENERATE = HERE.parents[1] / "fixtures" / "generate"
PREFIX = "/webhook/whatsapp/baileys"
PATIENCE = 1_500
"""How long the bot waits for the server, in milliseconds; 20,000 in the field."""


class Program:
    """A Node program that ends when its standard input is closed."""

    def __init__(self, *arguments: str | Path, stdout: int, stderr: int) -> None:
        self.process = subprocess.Popen(
            [require_tool("node"), *arguments],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            text=True,
            bufsize=1,
        )

    def line_of(self, stream: Any, seconds: float = 60) -> str:
        ready, _, _ = select.select([stream], [], [], seconds)
        line = str(stream.readline()) if ready else ""
        assert line, f"nothing from {self.process.args!r}"
        return line

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class RealBot:
    """The running pair. `log` is what the bot prints, `folder` its session folder, `url` its API."""

    def __init__(self, package: str, folder: Path, log: Path, *, pair: bool = True) -> None:
        self.package, self.folder, self.log = package, folder, log
        self.endpoint = Program(
            HERE / "endpoint.mjs", GENERATE, package, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        found = json.loads(self.endpoint.line_of(self.endpoint.process.stdout))
        self.options = {"url": f"ws://127.0.0.1:{found['port']}", "root": found["root"], "patience": PATIENCE}
        self.start(pair=pair)

    def start(self, *, pair: bool = False) -> None:
        """Start the bot's process, and wait until its API answers."""
        with self.log.open("ab") as log:
            self.bot = Program(
                HERE / "bot.mjs",
                GENERATE,
                self.package,
                self.folder,
                json.dumps(self.options | {"pair": pair}),
                stdout=log.fileno(),
                stderr=subprocess.PIPE,
            )
        port = None
        while port is None:
            # libsignal writes there as well.
            word, _, rest = self.bot.line_of(self.bot.process.stderr).partition(" ")
            port = int(rest) if word == "port" else None
        self.url = f"http://127.0.0.1:{port}"

    def plays(self, *commands: str) -> None:
        """Tell the endpoint what to play from now on."""
        assert self.endpoint.process.stdin is not None
        for command in commands:
            self.endpoint.process.stdin.write(command + "\n")
            assert self.endpoint.line_of(self.endpoint.process.stdout) == command + "\n"

    def read(self) -> list[str]:
        """What the friend of `befriend NUMBER` has read so far."""
        assert self.endpoint.process.stdin is not None
        self.endpoint.process.stdin.write("read\n")
        found: list[str] = json.loads(self.endpoint.line_of(self.endpoint.process.stdout))
        return found

    def ask(self, method: str, route: str) -> Any:
        request = urllib.request.Request(f"{self.url}{PREFIX}/{route}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def status(self) -> str:
        return str(self.ask("GET", "status/1001")["status"]["status"])

    def until(self, what: Any, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def connects(self) -> None:
        """Bring it back to an open connection, whatever happened before."""
        self.plays("ok")
        self.ask("POST", "reconnect/1001")
        self.until(lambda: self.status() == "connected")

    def stop(self) -> None:
        self.bot.stop()
        self.endpoint.stop()


@contextmanager
def real_bot(package: str, folder: Path, log: Path, *, pair: bool = True) -> Iterator[RealBot]:
    """A bot of this Baileys, stopped at the end."""
    if not (GENERATE / "node_modules" / package).exists():
        missing("the Baileys packages (make test installs them)")
    bot = RealBot(package, folder, log, pair=pair)
    try:
        yield bot
    finally:
        bot.stop()
