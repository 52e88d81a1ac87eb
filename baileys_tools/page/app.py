"""The addresses of the page, and what is answered there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from baileys_tools import __version__
from baileys_tools.page.actions import Actions
from baileys_tools.page.doing import do_routes
from baileys_tools.page.door import Door
from baileys_tools.page.guard import Guard, refused
from baileys_tools.page.old_api import old_routes
from baileys_tools.page.rules.access import badge_key
from baileys_tools.page.rules.board import event
from baileys_tools.page.show.badge import badge_svg
from baileys_tools.page.show.pages import asset, page
from baileys_tools.page.streams import Streams
from baileys_tools.page.watcher import Watcher
from baileys_tools.watching.show.html.head import as_script

PULSE_SECONDS = 15.0
MOST_STREAMS = 256
STEP_SECONDS = 0.5
"""Changes that come together go out together."""


class Pages:
    """What answers: the watcher's board, and who may come in."""

    def __init__(self, watcher: Watcher, door: Door, actions: Actions | None) -> None:
        self.watcher = watcher
        self.door = door
        self.actions = actions
        self.streams = Streams(MOST_STREAMS, "Too many open pages.")
        self.ending = asyncio.Event()

    def routes(self) -> list[Route]:
        return [
            Route("/", self.fleet),
            Route("/company/{key}", self.company),
            Route("/company/{key}/data.json", self.company_data),
            Route("/events", self.events),
            Route("/status.json", self.status),
            Route("/metrics", self.metrics),
            Route("/healthz", self.health),
            Route("/badge/{key}.svg", self.badge),
            Route("/enter", self.enter, methods=["GET", "POST"]),
            Route("/web/{name}", self.web),
            *old_routes(self.watcher, self.actions),
            *(do_routes(self.actions, self.ending) if self.actions is not None else ()),
        ]

    # --- pages ----------------------------------------------------------------------------------------------

    async def fleet(self, request: Request) -> Response:
        """Answer with the fleet: the page and all that it shows, so that one answer is enough."""
        document = {**self.watcher.board.document(), **self._about()}
        return HTMLResponse(
            page(
                "fleet.html",
                {"title": "Sessions", "version": __version__},
                {"page-data": as_script(document)},
            )
        )

    async def company(self, request: Request) -> Response:
        """Answer with the page of one company."""
        key = request.path_params["key"]
        self._row(key)
        header = await self._looked(key)
        row = self._row(key)
        document = {
            **self._about(),
            "start": self.watcher.board.start,
            "version": self.watcher.board.version,
            "meta": self.watcher.board.meta,
            "key": key,
            "badge": f"/badge/{key}.svg?key={badge_key(self.door.token, key)}",
            **header,
            # That of the board, which its changes follow upon.
            "row": row,
        }
        report = header.get("report") or {"companies": []}
        texts = {"version": __version__, "title": str(row[1])}
        data = {"page-data": as_script({**document, "report": None}), "report-data": as_script(report)}
        return HTMLResponse(page("company.html", texts, data))

    async def company_data(self, request: Request) -> Response:
        """Answer with what the page of one company shows."""
        key = request.path_params["key"]
        self._row(key)
        header = await self._looked(key)
        return JSONResponse({**header, "row": self._row(key)})

    async def _looked(self, key: str) -> dict[str, Any]:
        told = await self.watcher.company(self.watcher.ids[key])
        return told.header

    def _row(self, key: str) -> Any:
        row = self.watcher.board.row(key)
        if row is None or key not in self.watcher.ids:
            raise HTTPException(404, "There is no such company, or it has gone.")
        return row

    def _about(self) -> dict[str, Any]:
        return {"clock": int(time.time()), "actions": self.actions is not None}

    async def web(self, request: Request) -> Response:
        """Answer with a file of the page itself."""
        found = asset(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "There is no such file.")
        content, kind, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    # --- live -----------------------------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        """Answer with what changes, as it does, for as long as the page is open."""
        start = request.query_params.get("start", "")
        last = request.headers.get("last-event-id") or request.query_params.get("since", "")
        since = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else -1
        return self.streams.answer(self._stream(start, since))

    async def _stream(self, start: str, since: int) -> AsyncGenerator[bytes]:
        board = self.watcher.board
        yield b"retry: 3000\n\n"
        while not self.ending.is_set():
            if since != board.version or start != board.start:
                # Before anything waits: while a part goes out, the board may move on.
                parts, version = list(board.changes(start, since)), board.version
                for part in parts:
                    yield part
                start, since = board.start, version
                await asyncio.sleep(STEP_SECONDS)
                continue
            await self.watcher.news(since, PULSE_SECONDS)
            if since == board.version:
                yield event("pulse", {"clock": int(time.time()), "start": board.start})

    # --- for machines ---------------------------------------------------------------------------------------

    async def status(self, request: Request) -> Response:
        """Answer as `status --json` prints."""
        return self._document(self.watcher.status, "application/json")

    async def metrics(self, request: Request) -> Response:
        """Answer as the textfile of monitor-once has it."""
        return self._document(self.watcher.metrics, "text/plain; version=0.0.4; charset=utf-8")

    def _document(self, content: bytes, kind: str) -> Response:
        if not content:
            why = str(self.watcher.board.meta.get("trouble") or "the first look is not over")
            return refused(503, why, {"retry-after": "5"})
        return Response(content, media_type=kind)

    async def health(self, request: Request) -> Response:
        """Answer 200 while passes are fresh, else 503 with the reason."""
        trouble = self.watcher.trouble(datetime.now(UTC))
        # Who has no token learns the kind of trouble, and no path in it.
        if trouble and self.watcher.board.meta.get("trouble") and not request.state.may:
            trouble = "the last look failed; the page says why"
        return refused(503, trouble) if trouble else Response("ok\n", media_type="text/plain")

    async def badge(self, request: Request) -> Response:
        """Answer with how one company is, as a small picture."""
        row = self._row(request.path_params["key"])
        is_fresh = not self.watcher.trouble(datetime.now(UTC))
        picture = badge_svg(str(row[1]), str(row[2]) if is_fresh else "not known")
        # A page elsewhere may show it: that is what it is for.
        headers = {"cross-origin-resource-policy": "cross-origin", "cache-control": "no-cache, max-age=0"}
        return Response(picture, media_type="image/svg+xml", headers=headers)

    # --- the door -------------------------------------------------------------------------------------------

    async def enter(self, request: Request) -> Response:
        """Let in who has the link of this start, or the token."""
        if request.method == "POST":
            given = parse_qs((await request.body()).decode("latin-1")).get("token", [""])[0].strip()
            if not self.door.opens(given):
                return self._form(
                    429 if self.door.is_busy else 401, "That is not the token, or too many were tried."
                )
            return self._let_in(RedirectResponse("/", status_code=303), request)
        # What looks ahead at a link (HEAD) must not use it up.
        if request.method == "GET" and (code := request.query_params.get("code")):
            if not self.door.takes(code):
                return self._form(401, "That link has been used, or is too old.")
            # Not a redirect: a browser that came from elsewhere would not send the cookie along.
            return self._let_in(HTMLResponse(page("entered.html", {"title": "Entered"}, {})), request)
        return self._form(200, "")

    def _form(self, status: int, said: str) -> Response:
        return HTMLResponse(
            page("enter.html", {"title": "Enter", "said": said, "file": self.door.file}, {}),
            status_code=status,
        )

    def _let_in(self, response: Response, request: Request) -> Response:
        is_https = request.headers.get("x-forwarded-proto") == "https"
        response.set_cookie(
            self.door.cookie,
            self.door.value(),
            max_age=self.door.seconds,
            httponly=True,
            samesite="strict",
            secure=is_https,
        )
        return response


async def _not_so(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "text/html" in request.headers.get("accept", ""):
        texts = {"title": str(error.status_code), "said": str(error.detail)}
        return HTMLResponse(page("trouble.html", texts, {}), status_code=error.status_code)
    return refused(error.status_code, str(error.detail))


def application(pages: Pages, names: tuple[str, ...], port: int) -> Guard:
    """Return the whole application, with the guard in front."""
    app = Starlette(routes=pages.routes(), exception_handlers={HTTPException: _not_so})
    packed = GZipMiddleware(app, minimum_size=2_000, compresslevel=5)
    return Guard(packed, pages.door.token, names, port)
