"""Runs on two hosts that share a server: one holder a session, and what a killed one held is free again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.stores.lines import pass_on
from tests.stores.servers import free_port
from tests.stores.shapes import SHAPES, Shape, connect
from tests.stores.test_verbs import creds_and_rows, ids
from tests.support import require_root, require_tool, scrubbed_environment

pytestmark = [pytest.mark.xdist_group("stores"), pytest.mark.faults]
PROJECT = Path(__file__).parents[2]
KINDS = [one for one in SHAPES if one.preset in ("ai-admin", "fazer")]
TENANTS, PROCESSES, ROUNDS, LEASE_MS = ("17", "18", "19", "20"), 32, 25, 4_000


class Host:
    """A network namespace with workers in it. Its only way out is a socket of the file system."""

    def __init__(self, way_out: Path, url: str) -> None:
        self.port = free_port()
        self.url = url.replace(f":{urlsplit(url).port}", f":{self.port}", 1)
        words = ["unshare", "--net", sys.executable, "-m", "tests.stores.host", "host", str(LEASE_MS)]
        self.process = subprocess.Popen(
            [*words, str(way_out), str(self.port)],
            cwd=PROJECT,
            env=scrubbed_environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, verb: str, *words: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([verb, str(LEASE_MS), self.url, *words]) + "\n")
        self.process.stdin.flush()

    def said(self) -> str:
        """A line of one of its workers."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def worker(self) -> int:
        """The first of its workers."""
        (pid, *_) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(pid)

    def end(self) -> int:
        """Let the workers come to their end, and return the worst exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(300)


@contextmanager
def two_hosts(shape: Shape, request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[Host, Host]]:
    require_root()
    require_tool("unshare")
    url = request.getfixturevalue(f"{shape.kind}_url")
    db = connect(shape, url)
    shape.make(db)
    for tenant in TENANTS:
        shape.fill(db, tenant, *creds_and_rows())
    db.close()
    parts = urlsplit(url)
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "way"))
        listener.listen(100)

        def out() -> socket.socket:
            return socket.create_connection((parts.hostname or "", parts.port or 0))

        threading.Thread(target=pass_on, args=(listener, out, over), daemon=True).start()
        hosts = Host(folder / "way", url), Host(folder / "way", url)
        try:
            yield hosts
        finally:
            for one in hosts:
                one.process.kill()
                one.process.wait()
            over.set()


@pytest.mark.parametrize("shape", KINDS, ids=ids)
def test_of_32_processes_on_two_hosts_one_holds_a_session(
    shape: Shape, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "held").mkdir()
    with two_hosts(shape, request, tmp_path) as hosts:
        for number in range(PROCESSES):
            words = (shape.preset, ",".join(TENANTS), str(ROUNDS), str(tmp_path / "held"))
            hosts[number % 2].start("compete", *words)
        assert [one.end() for one in hosts] == [0, 0], "nobody found a session held by two"
        counts = [[*map(int, line.split())] for one in hosts for line in one.process.stdout or ()]
    held, refused = (sum(numbers) for numbers in zip(*counts, strict=True))
    print(f"{shape.preset}: {len(counts)} processes held {held} times, were refused {refused} times")
    assert len(counts) == PROCESSES
    assert held + refused == PROCESSES * ROUNDS * len(TENANTS)
    assert held > PROCESSES and refused > PROCESSES, "they did meet"


@pytest.mark.parametrize("shape", KINDS, ids=ids)
def test_what_a_killed_run_held_is_free_at_once_or_after_its_lease(
    shape: Shape, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with two_hosts(shape, request, tmp_path) as (one, other):
        one.start("hold", shape.preset, TENANTS[0])
        assert one.said() == "held"
        other.start("wait", shape.preset, TENANTS[0])
        assert other.said() == "refused"
        other.start("wait", shape.preset, TENANTS[1])
        refused, _ = other.said().split()
        assert refused == "0", "another session is free meanwhile"
        os.kill(one.worker(), signal.SIGKILL)
        killed = time.monotonic()
        refused, _ = other.said().split()
        waited = time.monotonic() - killed
    print(f"{shape.preset}: free {waited:.2f} s after the kill, refused {refused} times")
    if shape.kind == "postgres":
        assert waited < LEASE_MS / 1000, "with its connection"
    else:
        # It was renewed within the last third, and nobody renews it any more.
        assert LEASE_MS / 2000 < waited < LEASE_MS / 1000 + 10
