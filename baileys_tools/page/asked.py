"""What is asked in JSON, and how the answer to it begins."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from baileys_tools.errors import BaileysToolsError, ExitCode


def json_of(request: Request, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request. Raises HTTPException for anything else.

    A form of another page could never have this content type without asking first.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Only application/json is read here.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "That is not JSON.") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "That is not a JSON object.")
    return found


def status_of(error: BaileysToolsError) -> int:
    """Given why something is not done, return the status of the answer."""
    return {ExitCode.LOCKED: 409, ExitCode.NOT_FOUND: 404, ExitCode.USAGE: 400}.get(error.exit_code, 500)
