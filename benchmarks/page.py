"""What the live page costs with a thousand companies: the first answer, an update, memory, the processor at rest, 50
open pages, and 10,000 connections that say nothing.
"""

from __future__ import annotations

import http.client
import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.measure import COMMAND, Bench, Row, note

FIRST_SECONDS, FIRST_KB, UPDATE_KB, MEMORY_MIB, REST_PERCENT = 1.0, 300.0, 20.0, 80.0, 2.0
OPEN_PAGES = 50
REST_SECONDS = 120
"""Two passes of monitor-once, each with the look that follows."""
SILENT = 10_000
SOON = 5.0


def rows(bench: Bench) -> Iterator[Row]:
    """Serve, and measure it from outside."""
    companies = bench.tree()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(bench.place),
        "LANG": "C.UTF-8",
        "BAILEYS_TOOLS_STATE_DIR": str(bench.place / "page-state"),
        "BAILEYS_SESSIONS_PATH": str(companies.root),
    }

    def monitor() -> None:
        subprocess.run(
            [COMMAND, "monitor-once", "--quiet"], env=environment, check=False, stdout=subprocess.DEVNULL
        )

    monitor()
    words = [str(COMMAND), "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            port = int(process.stderr.readline().rstrip().rstrip("/").rpartition(":")[2])
            token = (bench.place / "page-state" / "page" / "token").read_text().strip()
            page = _Client(port, token, process.pid)
            page.wait()
            times = []
            for _ in range(5):
                began = time.perf_counter()
                size = len(page.get("/"))
                times.append(time.perf_counter() - began)
            yield Row("page, first answer", min(times), FIRST_SECONDS, " s", f"up to {max(times):.2f} s")
            yield Row("page, first answer", size / 1e3, FIRST_KB, " kB", "as it is, not packed")
            streams = [page.follow() for _ in range(OPEN_PAGES)]
            for stream in streams:
                # All that a page without anything is sent: its last part alone has a number.
                _until(stream, b"\nid: ", 30)
            time.sleep(2)
            folder = companies.folder(0)
            (folder / "creds.json").write_bytes(b"")
            monitor()
            began = time.perf_counter()
            sizes = [_until(stream, b"creds-empty", 30) for stream in streams]
            took = time.perf_counter() - began
            yield Row("page, a pass until all of 50 have it", took, SOON, " s", "one company changed")
            yield Row("page, an update", max(sizes) / 1e3, UPDATE_KB, " kB", "the largest of 50")
            time.sleep(5)
            before, own = page.processor(), time.monotonic()
            while time.monotonic() - own < REST_SECONDS:
                monitor()
                time.sleep(60 - (time.monotonic() - own) % 60)
            percent = 100 * (page.processor() - before) / (time.monotonic() - own)
            yield Row("page at rest, 50 open, a pass a minute", percent, REST_PERCENT, " %", "with its looks")
            for stream in streams:
                stream.close()
            yield from _silent(page)
            yield Row(
                "page, peak memory", page.peak(), MEMORY_MIB, " MiB", "of the page; a look is by itself"
            )
        finally:
            process.terminate()


def _silent(page: _Client) -> Iterator[Row]:
    """Ten thousand connections that say nothing or half a line, as fast as they are taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard if hard != resource.RLIM_INFINITY else SILENT + 500, SILENT + 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    held: list[socket.socket] = []
    worst = 0.0
    for number in range(SILENT):
        with suppress(OSError):
            one = socket.create_connection(("127.0.0.1", page.port), timeout=5)
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            held.append(one)
        if number % 1_000 == 999:
            began = time.perf_counter()
            page.get("/healthz")
            worst = max(worst, time.perf_counter() - began)
    note(f"{len(held)} connections were held open")
    yield Row("page, answer among 10,000 silent ones", worst, FIRST_SECONDS, " s", "the slowest of ten")
    for one in held:
        one.close()


class _Client:
    def __init__(self, port: int, token: str, pid: int) -> None:
        self.port, self.pid = port, pid
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status not in (200, 503):
            raise SystemExit(f"{path}: {answer.status}")
        return content if answer.status == 200 else b""

    def wait(self) -> None:
        while not self.get("/status.json"):
            time.sleep(0.2)

    def follow(self) -> socket.socket:
        stream = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        lines = ["GET /events HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in self.headers.items())]
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        return stream

    def processor(self) -> float:
        """Seconds that the page and the looks that have ended took."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _until(stream: socket.socket, word: bytes, seconds: float) -> int:
    """Read until a word has come, and the event that it is in, and return how many bytes that took."""
    found, end = b"", time.monotonic() + seconds
    stream.settimeout(seconds)
    while b"\n\n" not in found.partition(word)[2]:
        if time.monotonic() > end or not (part := stream.recv(1 << 20)):
            raise SystemExit("the change never came")
        found += part
    return len(found)
