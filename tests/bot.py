"""A stand-in for a bot: an HTTP server with the routes of the preset `ai-admin`, and the life behind them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.servers import Reply, Request, Server, answering

PREFIX = "/webhook/whatsapp/baileys"
NUMBER = "4917012345678"
QR = "2@" + "kX3bAbCdEf0123456789ZyXwVuQ1w2E3r4+/" * 6 + "=,"


@dataclass
class Bot:
    """How the bot is; a test sets it, requests change it. `connects_after` are reconnects, None for never."""

    connected: bool = False
    status: str = "disconnected"
    qrs: list[str] = field(default_factory=list)
    """QR codes to give, one a request, the last one for ever."""
    connects_after: int | None = None
    scanned_at: float | None = None
    """From this moment (monotonic) on it is connected: somebody scanned."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    connects_on_init: bool = False
    fail: int = 0
    """A status to answer everything with, 0 for none."""

    def answer(self, request: Request) -> Reply:
        method = f"{request.method} {request.path.rpartition('/')[0].removeprefix(PREFIX)}"
        self.asked.append((method, request.json))
        if self.fail:
            return Reply({"error": "canary of the server"}, self.fail)
        if self.scanned_at is not None and time.monotonic() >= self.scanned_at:
            self.connected = True
        if method == "GET /status":
            return Reply({"success": True, "status": self.facts()})
        if method == "GET /qr":
            qr = self.qrs.pop(0) if len(self.qrs) > 1 else next(iter(self.qrs), None)
            return Reply({"qr": None if self.connected else qr})
        if method in ("POST /reconnect", "POST /init"):
            if method == "POST /reconnect" and self.connects_after is not None:
                self.connects_after -= 1
                self.connected = self.connects_after <= 0
            if method == "POST /init" and self.connects_on_init:
                self.connected = True
            return Reply({"success": True})
        if request.path == f"{PREFIX}/send":
            return Reply({"success": self.connected})
        return Reply({"success": False}, 404)

    def facts(self) -> dict[str, Any]:
        return {
            "connected": self.connected,
            "status": "connected" if self.connected else self.status,
            "user": {"id": f"{NUMBER}:3@s.whatsapp.net"} if self.connected else None,
            "hasQR": bool(self.qrs) and not self.connected,
        }

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.asked)


@contextmanager
def bot_api(bot: Bot) -> Iterator[Server]:
    """Serve the API of a bot."""
    with answering(bot.answer) as server:
        yield server


def api_env(server: Server) -> dict[str, str]:
    """The environment that says where the API is."""
    return {"API_URL": server.url, "BAILEYS_TOOLS_BOT_API__PRESET": "ai-admin"}
