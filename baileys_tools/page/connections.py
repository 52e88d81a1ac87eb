"""Connections as this page takes them: who says nothing, or says it slowly, makes room for who speaks.

uvicorn waits for ever for the head of a request. Here it has seconds, and of more connections than there is room for,
those that have not asked yet go first.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
MOST_CONNECTIONS = 512
WAITING = 2_048
"""So many wait in the kernel until they are taken: one that finds no place there only tries again after a second."""
AT_A_TURN = 32
"""So many are taken at one turn of the loop. One that has to go keeps its handle for three turns more."""
SPARED = 4 * AT_A_TURN + 64
"""Handles that are left for those, and for files and processes."""


class Visitor(H11Protocol):
    """One connection. `room` is how many there may be, for the whole process."""

    room = MOST_CONNECTIONS
    waiting: ClassVar[dict[Visitor, None]] = {}
    """Those that have asked nothing yet, or nothing since their last answer; the one that waits longest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there is no room, one that has asked nothing goes."""
        self._patience: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self.waiting[self] = None
        if len(self.connections) > self.room:
            oldest = next(iter(self.waiting))
            del self.waiting[oldest]
            # At once, as the loop tells of the loss only later: of many that come together, each makes room once.
            self.connections.discard(oldest)
            oldest.transport.abort()
        self._wait_for_head()

    @property
    def is_silent(self) -> bool:
        """Whether nothing was asked that still is to be answered."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Read on; the time for a head runs from its first byte, however many come."""
        super().data_received(data)
        if not self.is_silent:
            self.waiting.pop(self, None)
            self._stop_waiting()
        elif self._patience is None:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.is_silent and not self.transport.is_closing():
            self.waiting[self] = None
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        self.waiting.pop(self, None)
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self.is_silent and not self.transport.is_closing():
            self.transport.abort()


class Listener(socket.socket):
    """Where connections come in. asyncio takes as many at a turn as it lets wait: here these are two numbers."""

    def listen(self, backlog: int = WAITING, /) -> None:
        """Have the kernel keep more of them than whoever asks knows of."""
        super().listen(max(backlog, WAITING))


def room_for(handles: int) -> int:
    """Given how many handles this process may have, return how many connections there is room for."""
    return max(16, min(MOST_CONNECTIONS, handles - SPARED))


def raised_handles() -> int:
    """Ask the kernel for as many handles as it gives, and return how many there are."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARED
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def settings_of_uvicorn(app: Any, port: int) -> dict[str, Any]:
    """Return how uvicorn is to serve: our connections, no words of its own, no trust in what stands in front."""
    import logging

    # Whoever sends nonsense, or takes no answer, must not write into the operator's log: what we did wrong stays.
    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.ERROR)  # else each connection asks twice whether it is to be logged
    log.addFilter(lambda record: record.exc_info is not None)
    return {
        "app": app,
        "http": Visitor,
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 2,
        "h11_max_incomplete_event_size": 16_384,
        "backlog": AT_A_TURN,
        "port": port,
    }
