"""Real HTTP servers on loopback: one that answers as told, and hostile ones that speak raw bytes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """What a server was asked. `path` is as it stood on the wire; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


class Reply(NamedTuple):
    """What it says. `content` is sent as JSON unless it is bytes."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


class Server(NamedTuple):
    """A running server: its address and every request that came, in order."""

    url: str
    requests: list[Request]


@contextmanager
def answering(answer: Callable[[Request], Reply]) -> Iterator[Server]:
    """Serve `answer` on loopback for as long as the `with` lasts."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            requests.append(request)
            reply = answer(request)
            body = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = serve  # noqa: N815 - the names http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.server_port}", requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def speaking(talk: Callable[[socket.socket, threading.Event], object]) -> Iterator[str]:
    """Serve raw bytes: `talk(connection, over)` for each connection; `over` is set at the end. Yield the URL."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            talk(connection, over)

    def accept() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        listener.close()


def free_url() -> str:
    """An address on loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


# --- the hostile ones ---------------------------------------------------------------------------------------


def hangs(connection: socket.socket, over: threading.Event) -> None:
    """Take the request and never answer."""
    over.wait(20)


def drips_headers(connection: socket.socket, over: threading.Event) -> None:
    """Send a header byte by byte, each in time, and never come to its end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.02):
        connection.sendall(b"a")


def drips_body(connection: socket.socket, over: threading.Event) -> None:
    """Send an endless body byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not over.wait(0.02):
        connection.sendall(b"a")


def floods(connection: socket.socket, over: threading.Event) -> None:
    """Send a gigabyte, as fast as it is taken."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"a" * 65_536)


def talks_nonsense(connection: socket.socket, over: threading.Event) -> None:
    """Answer in another protocol."""
    connection.sendall(b"220 mail.example.org ESMTP canary-of-the-server\r\n")


def hangs_up(connection: socket.socket, over: threading.Event) -> None:
    """Close after the first half of an answer."""
    connection.recv(65_536)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status"')


HOSTILE = (hangs, drips_headers, drips_body, talks_nonsense, hangs_up)
"""All that must end in an error, within the deadline."""
