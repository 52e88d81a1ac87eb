"""A line to a real server that breaks, hangs or drags on at a set place of what the server says."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Line:
    """A proxy on loopback. `fault(n, reply)` is asked with each piece that the server sends, counted over all
    connections: what it returns is passed on, None hangs the connection, and CUT after a piece ends it."""

    port: int
    server: tuple[str, int]
    fault: Callable[[int, bytes], bytes | None] = field(default=lambda _, reply: reply)
    replies: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def to(self, url: str) -> str:
        """Return a store's address by way of this line."""
        return url.replace(f":{self.server[1]}", f":{self.port}", 1)


class Drops(bytes):
    """What goes out byte by byte, four of them a second: no single one is long in coming."""


class Cut(Exception):
    """Raised by a fault: the connection ends after the bytes given."""

    def __init__(self, after: bytes = b"") -> None:
        super().__init__()
        self.after = after


@contextmanager
def line_to(url: str) -> Iterator[Line]:
    """Yield a line to the server of a store's address."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    line = Line(listener.getsockname()[1], (parts.hostname, parts.port))

    def accept() -> None:
        while not line.over.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                threading.Thread(target=_carry, args=(line, client), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.over.set()
        thread.join()
        listener.close()


def pass_on(listener: socket.socket, connect: Callable[[], socket.socket], over: threading.Event) -> None:
    """Pass all that comes to a listener on to what `connect` opens, until it is over."""
    listener.settimeout(0.05)

    def carry(client: socket.socket) -> None:
        with client, suppress(OSError), connect() as server:
            while not over.is_set():
                for one in select.select([client, server], [], [], 0.5)[0]:
                    piece = one.recv(65_536)
                    if not piece:
                        return
                    (server if one is client else client).sendall(piece)

    while not over.is_set():
        with suppress(TimeoutError):
            client, _ = listener.accept()
            client.settimeout(None)
            threading.Thread(target=carry, args=(client,), daemon=True).start()


def _carry(line: Line, client: socket.socket) -> None:
    with client, suppress(OSError), socket.create_connection(line.server) as server:
        while not line.over.is_set():
            for one in select.select([client, server], [], [], 0.05)[0]:
                piece = one.recv(65_536)
                if not piece:
                    return
                if one is client:
                    server.sendall(piece)
                    continue
                line.replies += 1
                try:
                    passed = line.fault(line.replies, piece)
                except Cut as cut:
                    client.sendall(cut.after)
                    return
                if passed is None:
                    line.over.wait(600)
                    return
                if not isinstance(passed, Drops):
                    client.sendall(passed)
                    continue
                for byte in passed:
                    client.sendall(bytes([byte]))
                    if line.over.wait(0.25):
                        return


def hangs_at(place: int) -> Callable[[int, bytes], bytes | None]:
    """From that piece on nothing comes any more, and nothing ends."""
    return lambda number, reply: reply if number < place else None


def drips_from(place: int) -> Callable[[int, bytes], bytes | None]:
    """From that piece on each comes byte by byte."""
    return lambda number, reply: reply if number < place else Drops(reply)


def cut_at(place: int) -> Callable[[int, bytes], bytes | None]:
    """That piece comes half, and the connection ends; later ones are whole, as after a server's restart."""

    def fault(number: int, reply: bytes) -> bytes:
        if number == place:
            raise Cut(reply[: len(reply) // 2])
        return reply

    return fault


def slow(seconds: float) -> Callable[[int, bytes], bytes | None]:
    """Each piece takes its time."""

    def fault(number: int, reply: bytes) -> bytes:
        time.sleep(seconds)
        return reply

    return fault
