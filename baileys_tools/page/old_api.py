"""`/api/whatsapp/persistent-session`, for pages and scripts that were written for it.

One session behind one address, told apart by `action`; here each company has its own, by its key in the path, and the
plain address is that of the only company. `initialize` is `start-session`, `health-check` a look, `send-test-message`
is `send-test`, and `clear` is a `reset` that `undo` takes back: there it deleted the session.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from baileys_tools.errors import BaileysToolsError
from baileys_tools.page.actions import Actions
from baileys_tools.page.asked import json_of, status_of
from baileys_tools.page.watcher import Watcher

PATH = "/api/whatsapp/persistent-session"
LONGEST_WAIT = 60.0
"""Seconds that an answer waits for the command behind it; it goes on after that."""


def old_routes(watcher: Watcher, actions: Actions | None) -> list[Route]:
    api = OldApi(watcher, actions)
    methods = ["GET", "POST"]
    return [Route(PATH, api.answer, methods=methods), Route(PATH + "/{key}", api.answer, methods=methods)]


class OldApi:
    """What answers there."""

    def __init__(self, watcher: Watcher, actions: Actions | None) -> None:
        self.watcher = watcher
        self.actions = actions

    async def answer(self, request: Request) -> Response:
        """Answer in that API's form: `success` in each, and `error` where it is false."""
        key = self._key(request)
        if key is None:
            said = "Name the company: " + PATH + "/ID" if self.watcher.ids else "There is no company."
            return _answer({"success": False, "error": said}, 404)
        if request.method == "GET":
            return _answer({"success": True, **self._state(key)})
        asked = json_of(request, await request.body())
        action = asked.get("action")
        if action == "health-check":
            return _answer({"success": True, "action": action, **await self._health(key)})
        if action not in ("initialize", "send-test-message", "clear"):
            said = "action is one of initialize, clear, health-check and send-test-message"
            return _answer({"success": False, "error": said}, 400)
        if self.actions is None:
            said = "serve runs without --allow-actions"
            return _answer({"success": False, "action": action, "error": said}, 403)
        return await self._do(self.actions, str(action), key, asked)

    def _key(self, request: Request) -> str | None:
        key = request.path_params.get("key")
        if key is None and len(self.watcher.ids) == 1:
            return next(iter(self.watcher.ids))
        return key if key in self.watcher.ids and self.watcher.board.row(key) is not None else None

    def _state(self, key: str) -> dict[str, Any]:
        row = self.watcher.board.row(key)
        assert row is not None
        is_linked = row[8] == "ok"
        connected = {"connected": True, "disconnected": False, "connecting": False}.get(str(row[9]))
        word = str(row[9]) or ("unknown" if is_linked else "disconnected")
        return {
            "companyId": key,
            "connected": connected if is_linked else False,
            "status": word,
            "hasSession": is_linked,
            "health": row[2],
            "reason": row[5] or None,
            "files": row[6],
            "lastActivity": _iso(row[10]),
            "lastBackup": _iso(row[12]),
            "checkedAt": _iso(self.watcher.board.meta.get("now")),
        }

    async def _health(self, key: str) -> dict[str, Any]:
        await self.watcher.look()
        if self.watcher.board.row(key) is None:
            return {"healthy": False, "status": "gone"}
        state = self._state(key)
        return {"healthy": state["health"] == "healthy", **state}

    async def _do(self, actions: Actions, action: str, key: str, asked: Mapping[str, Any]) -> Response:
        try:
            number = await self._begin(actions, action, key, asked)
        except BaileysToolsError as error:
            return _answer({"success": False, "action": action, "error": error.message}, status_of(error))
        one = await _end_of(actions, number)
        text, _ = actions.output(number, 0)
        done = one["end"] == "done"
        document = {"success": done if one["ended"] else True, "action": action, "message": text.strip()}
        document |= {"id": number, "companyId": key}
        if one["ended"] and not done:
            document["error"] = text.strip() or one["end"]
        return _answer(document, 200 if document["success"] else 502)

    async def _begin(self, actions: Actions, action: str, key: str, asked: Mapping[str, Any]) -> str:
        if action == "initialize":
            return await actions.start("start-session", key, {}, "")
        if action == "send-test-message":
            number = str(asked.get("phoneNumber") or asked.get("to") or "")
            return await actions.start("send-test", key, {"to": number}, "")
        plan = await actions.start("reset-plan", key, {}, "")
        await _end_of(actions, plan)
        row = self.watcher.board.row(key)
        return await actions.start("reset", key, {"name": str(row[1]) if row else ""}, plan)


async def _end_of(actions: Actions, number: str) -> dict[str, Any]:
    one = actions.known[number]
    until = time.monotonic() + LONGEST_WAIT
    while one["ended"] is None and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return one


def _iso(seconds: Any) -> str | None:
    from datetime import UTC, datetime

    from baileys_tools.frame.show.json_text import timestamp

    return None if seconds is None else timestamp(datetime.fromtimestamp(seconds, UTC))


def _answer(document: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(document, status_code=status)
