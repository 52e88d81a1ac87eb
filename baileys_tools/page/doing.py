"""The addresses at which something is done, and looked at while it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from baileys_tools.errors import BaileysToolsError
from baileys_tools.page.actions import Actions
from baileys_tools.page.asked import json_of, status_of
from baileys_tools.page.rules.board import event
from baileys_tools.page.streams import Streams

STEP_SECONDS = 0.25
MOST_FOLLOWED = 64


def do_routes(actions: Actions, ending: asyncio.Event) -> list[Route]:
    """Given what does, return the addresses that are there only where something may be done."""
    doing = Doing(actions, ending)
    return [
        Route("/action", doing.start, methods=["POST"]),
        Route("/action/{number}", doing.one),
        Route("/action/{number}/events", doing.events),
        Route("/action/{number}/qr.png", doing.picture),
    ]


class Doing:
    """What answers there."""

    def __init__(self, actions: Actions, ending: asyncio.Event) -> None:
        self.actions = actions
        self.ending = ending
        self.followed = Streams(MOST_FOLLOWED, "Too many follow actions.")

    async def start(self, request: Request) -> Response:
        """Have something done: `{"name": ..., "company": KEY or null, "fields": {...}, "plan": NUMBER}`."""
        asked = json_of(request, await request.body())
        fields = asked.get("fields") or {}
        name, key, plan = asked.get("name"), asked.get("company"), asked.get("plan") or ""
        texts = [name, plan, *([] if key is None else [key])]
        if not isinstance(fields, dict) or not all(
            isinstance(one, str) for one in [*texts, *fields.values()]
        ):
            return _refusal(400, "That is not how an action is asked for.")
        try:
            number = await self.actions.start(str(name), key, fields, str(plan))
        except BaileysToolsError as error:
            return _refusal(status_of(error), error.message)
        return JSONResponse({"id": number}, status_code=202)

    async def one(self, request: Request) -> Response:
        """Answer with one action, and all that it has said."""
        known = self._known(request)
        text, at = self.actions.output(known["id"], 0)
        return JSONResponse({**self.actions.shown(known), "output": text, "at": at})

    async def events(self, request: Request) -> Response:
        """Answer with what it says, as it does, to its end."""
        return self.followed.answer(self._stream(self._known(request)))

    async def _stream(self, known: Mapping[str, Any]) -> AsyncIterator[bytes]:
        at, quiet = 0, 0.0
        picture = b""
        while not self.ending.is_set():
            # First whether it has ended, then what it said: nothing may come between.
            has_ended = known["ended"] is not None
            text, at = self.actions.output(known["id"], at)
            newest = self.actions.picture(known["id"]) or b""
            if text or newest != picture:
                picture, quiet = newest, 0.0
                yield event("output", {"text": text, "qr": bool(newest)})
            if has_ended:
                yield event("end", self.actions.shown(known))
                return
            await asyncio.sleep(STEP_SECONDS)
            quiet += STEP_SECONDS
            if quiet >= 15:
                quiet = 0.0
                yield b": still at work\n\n"

    async def picture(self, request: Request) -> Response:
        """Answer with the QR code of this moment."""
        content = self.actions.picture(self._known(request)["id"])
        if content is None:
            raise HTTPException(404, "There is no code now.")
        return Response(content, media_type="image/png")

    def _known(self, request: Request) -> dict[str, Any]:
        known = self.actions.known.get(request.path_params["number"])
        if known is None:
            raise HTTPException(404, "There is no such action.")
        return known


def _refusal(status: int, said: str) -> Response:
    return JSONResponse({"error": said}, status_code=status)
