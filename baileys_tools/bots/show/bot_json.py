"""What `reconnect`, `start-session`, `send-test` and `qr` print with --json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baileys_tools.frame.show.json_text import envelope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any, Protocol

    from baileys_tools.bots.rules.connection import Connection
    from baileys_tools.errors import ExitCode

    class OneRequest(Protocol):
        """What came of one request to a bot."""

        @property
        def command(self) -> str: ...
        @property
        def company(self) -> str: ...
        @property
        def now(self) -> datetime: ...
        @property
        def connection(self) -> Connection: ...
        @property
        def done(self) -> bool: ...
        @property
        def said(self) -> str: ...
        @property
        def next_step(self) -> str: ...
        @property
        def facts(self) -> Mapping[str, Any] | None: ...
        @property
        def exit_code(self) -> ExitCode: ...


def asked_json(asked: OneRequest) -> str:
    """Given what came of a request, return its JSON document. No code and no whole number is in it."""
    result = {
        "company": asked.company,
        "done": asked.done,
        "message": asked.said,
        "next_step": asked.next_step,
        "connection": connection_facts(asked.connection),
        **(asked.facts or {}),
    }
    return envelope(asked.command, asked.now, asked.exit_code, result)


def connection_facts(connection: Connection) -> dict[str, Any]:
    return {
        "state": connection.state.value,
        "has_qr": connection.has_qr,
        "user": connection.user_masked,
        "detail": connection.detail,
    }
