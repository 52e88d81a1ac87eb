"""Connections to Redis that do not wait for ever, and the driver that makes them."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from baileys_tools.stores.cells import no_driver
from baileys_tools.units import quoted

SECONDS = 10
"""The longest silence of a server."""
ANSWER_SECONDS = 40
"""The longest wait for a whole answer, for a server that says a byte now and then."""
LARGEST_ANSWER = 64 << 20
"""Bytes of one answer, at most a whole session: it is in memory before anybody looks at it."""


class AnswerTooLarge(Exception):
    """An answer that no session has."""


def redis_driver() -> Any:
    """Return redis-py. Raises BaileysToolsError where it is not installed."""
    try:
        import redis
    except ImportError:
        raise no_driver("Redis", "redis-py", "redis") from None
    return redis


def patient(kind: Any) -> Any:
    """Return a class of redis-py's connections with an end to its patience for the answer to what it has sent."""

    class BoundedConnection(kind):  # type: ignore[misc]
        patient_until = 0.0
        answered = 0

        def send_packed_command(self, *words: Any, **named: Any) -> None:
            self.patient_until = time.monotonic() + ANSWER_SECONDS
            self.answered = 0
            super().send_packed_command(*words, **named)

        def _connect(self) -> Any:
            return _Bounded(super()._connect(), self)

    return BoundedConnection


class _Bounded:
    """A socket that reads as long as its connection has patience: each byte would begin a new timeout."""

    def __init__(self, inner: Any, connection: Any) -> None:
        self._inner = inner
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def recv(self, *words: Any) -> Any:
        self._require_patience()
        piece = self._inner.recv(*words)
        self._count(len(piece))
        return piece

    def recv_into(self, *words: Any) -> Any:
        self._require_patience()
        size: int = self._inner.recv_into(*words)
        self._count(size)
        return size

    def _count(self, size: int) -> None:
        self._connection.answered += size
        if self._connection.answered > LARGEST_ANSWER:
            raise AnswerTooLarge

    def _require_patience(self) -> None:
        if time.monotonic() > self._connection.patient_until:
            raise TimeoutError


def begin(connection: Any) -> None:
    """Begin a connection, under our name where this user may have one."""
    from redis.exceptions import ResponseError

    connection.on_connect()
    connection.send_command("CLIENT", "SETNAME", "baileys-tools")
    with suppress(ResponseError):
        connection.read_response()


def require_database(url: str) -> None:
    """Raise ValueError for an address whose database is no number: redis-py would take that of the number 0."""
    parts = urlsplit(url)
    named = [*parse_qs(parts.query).get("db", ()), parts.path.strip("/") if parts.scheme != "unix" else ""]
    for one in filter(None, named):
        if not one.isdecimal():
            raise ValueError(f"{quoted(one)} is no number of a database")


def require_options(pool: Any) -> None:
    """Given a pool of redis-py's, raise ValueError for an option of the address that nobody knows, or whose file cannot
    be read. redis-py says so where it connects, and of a file not which one it is."""
    try:
        pool.make_connection()
    except TypeError as error:
        found = re.search(r"argument '(\w+)'", str(error))
        name = found.group(1) if found else str(error)
        is_plain = name.startswith("ssl_") and not issubclass(
            pool.connection_class, redis_driver().SSLConnection
        )
        raise ValueError(f"{quoted(name)} is no option of it{', but of rediss://' * is_plain}") from None
    for name in _FILES:
        if path := pool.connection_kwargs.get(name):
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            except OSError as error:
                raise ValueError(f"{name}: {path}: {error.strerror}") from None


_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def never_again() -> Any:
    """Return redis-py's rule to try nothing twice."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 0)
