"""Answers that go on for as long as a page is open, and how many of them there may be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from baileys_tools.page.guard import refused


class Streams:
    """So many streams at once. A place is taken when one is asked for: of many that come together, each counts."""

    def __init__(self, most: int, too_many: str) -> None:
        self.most = most
        self.too_many = too_many
        self.open = 0

    def answer(self, events: AsyncIterator[bytes]) -> Response:
        """Given server-sent events, return the answer that sends them, or that there is no place."""
        if self.open >= self.most:
            return refused(503, self.too_many, {"retry-after": "30"})
        self.open += 1
        return _Stream(events, self._left)

    def _left(self) -> None:
        self.open -= 1


class _Stream(StreamingResponse):
    def __init__(self, events: AsyncIterator[bytes], left: Callable[[], None]) -> None:
        # A proxy in front is not to wait until there is more.
        super().__init__(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self.left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.left()
