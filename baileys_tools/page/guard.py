"""What stands in front of every answer: names, origins, tokens, limits, and the headers that keep a browser in.

A plain ASGI layer, so that a stream is passed on as it comes. What it lets through is a request of somebody who may.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from baileys_tools.page.rules.access import (
    Bucket,
    badge_key,
    bearer_of,
    cookie_holds,
    cookie_name,
    cookies_of,
    is_asked_by_us,
    is_same_origin,
    knows_host,
    same,
)

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
LARGEST_BODY = 16_384
BODY_SECONDS = 10.0
SEND_SECONDS = 20.0
"""Who takes nothing for so long is gone, or means harm."""
OPEN_TO_ALL = ("/healthz", "/enter", "/web/")
"""What tells nothing of any bot: whether passes are fresh, the door, and files that everybody has."""


class Guard:
    """Given the application, the token and the names of the page, let through who may."""

    def __init__(self, app: ASGIApp, token: str, names: Collection[str], port: int) -> None:
        self.app = app
        self.token = token
        self.names = names
        self.cookie = cookie_name(port)
        self.posts = Bucket(20, 1.0)
        self.wrong = Bucket(10, 0.2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST":
            body = await self._body(Headers(scope=scope), receive)
            if isinstance(body, Response):
                refusal = body
            else:
                receive = _again(body, receive)
        try:
            if refusal is not None:
                # What is left of its body is not read.
                refusal.headers["connection"] = "close"
                await refusal(scope, receive, send_on)
                return
            await self.app(scope, receive, send_on)
        except TimeoutError:
            return  # nobody takes it

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or not knows_host(headers["host"], self.names):
            return refused(421, "This page does not go by that name: see serve.names in the settings.")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return refused(405, "GET, HEAD and POST are all there is.", {"allow": "GET, HEAD, POST"})
        path: str = scope["path"]
        by_token = same(bearer_of(headers.get("authorization", "")), self.token)
        site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
        # A cookie knows no port: for a page of another one this browser would bring it along.
        by_cookie = not by_token and is_asked_by_us(site, mode) and self._has_cookie(headers)
        scope["state"]["may"] = by_token or by_cookie
        if scope["method"] == "POST":
            if not is_same_origin(headers.get("origin"), site, headers["host"], by_cookie=not by_token):
                return refused(403, "This was asked from another page.")
            # Who may not come in takes nothing away from who may; at the door there is a limit of its own.
            if (by_token or by_cookie) and not self.posts.takes(time.monotonic()):
                return refused(429, "Too many requests at once.", {"retry-after": "5"})
        if by_token or by_cookie or path.startswith(OPEN_TO_ALL) or self._sees_badge(scope, path):
            return None
        if headers.get("authorization") and not self.wrong.takes(time.monotonic()):
            return refused(429, "Too many wrong tokens.", {"retry-after": "30"})
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return Response(status_code=303, headers={"location": "/enter"})
        return refused(401, "A token is needed.", {"www-authenticate": "Bearer"})

    def _has_cookie(self, headers: Headers) -> bool:
        given = cookies_of(headers.get("cookie", ""), self.cookie)
        return any(cookie_holds(self.token, one, time.time()) for one in given)

    def _sees_badge(self, scope: Scope, path: str) -> bool:
        if not path.startswith("/badge/") or not path.endswith(".svg"):
            return False
        company = path.removeprefix("/badge/").removesuffix(".svg")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        return same(given, badge_key(self.token, company))

    async def _body(self, headers: Headers, receive: Receive) -> bytes | Response:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return refused(413, f"More than {LARGEST_BODY} bytes.")
        body: bytes = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > LARGEST_BODY:
                        return refused(413, f"More than {LARGEST_BODY} bytes.")
                    if not message.get("more_body", False):
                        return body
        except TimeoutError:
            return refused(408, "That took too long.")


def refused(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that says in one line why there is no other."""
    return PlainTextResponse(text + "\n", status_code=status, headers=headers)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then what else comes: that the other side is gone."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
