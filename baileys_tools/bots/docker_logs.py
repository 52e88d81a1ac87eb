"""Where Docker keeps what a container prints, and what it printed: by the Engine's API on its socket, else the client.

https://docs.docker.com/reference/api/engine/ : `GET /containers/{id}/json` and `GET /containers/{id}/logs`. Podman
speaks it, too. Nothing is asked of the Engine that changes anything.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import quote

from baileys_tools.bots.process import ToolError, is_listened_at, run_tool, stream_tool
from baileys_tools.units import printable, quoted

ASK_SECONDS = 15.0
LARGEST_ANSWER = 4 << 20
_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
_NANOSECONDS = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)(?= )")
_LARGEST_FRAME = 1 << 20


class Container(NamedTuple):
    """What Docker says of a container: the file of its log, "" for none, and whether it has a terminal."""

    name: str
    log: str
    has_terminal: bool
    socket: str | None


def container(name: str) -> Container:
    """Given the name of a container, return where its log is. Raise ToolError."""
    at = _socket()
    document = _ask(at, name) if at else _inspect(name)
    config = document.get("Config")
    log = document.get("LogPath")
    return Container(
        name,
        log if isinstance(log, str) and log.startswith("/") else "",
        isinstance(config, dict) and config.get("Tty") is True,
        at,
    )


def printed(found: Container, since: str, tail: int, seconds: float) -> Generator[bytes, None, None]:
    """Yield what a container printed after `since` (a time of Docker's own, "" for the last `tail` lines), each line
    with its time. Raise ToolError.
    """
    if found.socket is None:
        begin = [f"--since={since}"] if since else [f"--tail={tail}"]
        command = ["docker", "logs", "--timestamps", *begin, found.name]
        pieces = stream_tool(command, seconds, with_errors=True)
    else:
        pieces = _streamed(found, since, tail, seconds)
    with closing(pieces):
        yield from _after(since.encode(), pieces)


def cursor_of(line: bytes) -> str:
    """Return the time that Docker put before a line, "" for none."""
    found = _NANOSECONDS.match(line)
    return found[0].decode() if found else ""


def _after(since: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Docker gives the line of that very time once more."""
    rest = b""
    for piece in pieces:
        if not since:
            yield piece
            continue
        rest += piece
        while since and (end := rest.find(b"\n")) >= 0:
            found = _NANOSECONDS.match(rest)
            if found is None or found[0] <= since:
                rest = rest[end + 1 :]
            else:
                since = b""
        if not since or len(rest) > _LARGEST_FRAME:
            yield rest
            since = rest = b""
    yield rest if not since else b""


def _socket() -> str | None:
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        # What is far away keeps its logs there; the client knows the way.
        return host.removeprefix("unix://") if host.startswith("unix:///") else None
    places = [*_SOCKETS]
    if os.geteuid() != 0 and (runtime := os.environ.get("XDG_RUNTIME_DIR")):
        places = [os.path.join(runtime, "docker.sock"), *places, os.path.join(runtime, "podman/podman.sock")]
    return next((place for place in places if is_listened_at(place)), None)


class _Connection(HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _get(connection: _Connection, place: str, path: str, name: str) -> HTTPResponse:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
    except (OSError, HTTPException) as error:
        raise ToolError(f"Docker does not answer at {printable(place)} ({_reason(error)})") from None
    if answer.status == 404:
        raise ToolError(f"Docker has no container {quoted(name)}")
    if answer.status != 200:
        raise ToolError(f"Docker answered {answer.status} when asked for {quoted(name)}")
    return answer


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _ask(place: str, name: str) -> dict[str, object]:
    with closing(_Connection(place, ASK_SECONDS)) as connection:
        answer = _get(connection, place, f"/containers/{quote(name, safe='')}/json", name)
        try:
            return _document(answer.read(LARGEST_ANSWER))
        except (OSError, HTTPException) as error:
            raise ToolError(f"Docker broke off its answer ({_reason(error)})") from None


def _inspect(name: str) -> dict[str, object]:
    try:
        return _document(run_tool(["docker", "inspect", "--type=container", name], ASK_SECONDS))
    except ToolError as error:
        if "failed (exit" in str(error):
            raise ToolError(
                f"Docker has no container {quoted(name)}, or does not answer (docker inspect failed)"
            ) from None
        raise


def _document(raw: bytes) -> dict[str, object]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    document = document[0] if isinstance(document, list) and document else document
    if not isinstance(document, dict):
        raise ToolError("what Docker says of the container is no JSON object")
    return document


def _streamed(found: Container, since: str, tail: int, seconds: float) -> Generator[bytes, None, None]:
    begin = f"since={_seconds(since)}" if since else f"tail={tail}"
    path = f"/containers/{quote(found.name, safe='')}/logs?stdout=1&stderr=1&timestamps=1&{begin}"
    place = found.socket or ""
    end = time.monotonic() + seconds
    with closing(_Connection(place, ASK_SECONDS)) as connection:
        answer = _get(connection, place, path, found.name)
        try:
            while True:
                piece = answer.read1(1 << 16) if found.has_terminal else _frame(answer)
                if not piece:
                    return
                yield piece
                if time.monotonic() > end:
                    raise ToolError(f"Docker did not come to the end of the log within {seconds:g} s")
        except (OSError, HTTPException) as error:
            raise ToolError(f"Docker broke off the log ({_reason(error)})") from None


def _frame(answer: HTTPResponse) -> bytes:
    """Without a terminal, Docker puts 8 bytes before each piece: stdout or stderr, and how long it is."""
    head = answer.read(8)
    if not head:
        return b""
    size = int.from_bytes(head[4:8], "big")
    if len(head) < 8 or head[0] > 2 or head[1:4] != b"\0\0\0" or size > _LARGEST_FRAME:
        raise ToolError("what Docker sends of the log is not what its API documents")
    # An empty piece is no end.
    return answer.read(size) if size else _frame_after_nothing(answer)


def _frame_after_nothing(answer: HTTPResponse) -> bytes:
    for _ in range(1_000):
        head = answer.read(8)
        size = int.from_bytes(head[4:8], "big")
        if not head or size:
            return answer.read(min(size, _LARGEST_FRAME))
    raise ToolError("what Docker sends of the log is not what its API documents")


def _seconds(since: str) -> str:
    """Given a time of Docker's, return it as the API takes it: seconds since 1970, with nine decimals."""
    from datetime import datetime

    found = _NANOSECONDS.match(since.encode() + b" ")
    if found is None:
        return "0"
    whole = datetime.fromisoformat((found[1] + found[3]).decode()).timestamp()
    return f"{int(whole)}{(found[2] or b'.0').decode()}"
