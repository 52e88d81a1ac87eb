"""Alerts to a Telegram chat, by the Bot API's `sendMessage` (core.telegram.org/bots/api#sendmessage).

Plain text without a parse mode: nothing in a message can be taken for markup, or make the API refuse it.
"""

from __future__ import annotations

import json
from datetime import timedelta

from baileys_tools.alerts.channels.answers import pause_of, post, reason
from baileys_tools.alerts.rules.message import OK, Message, Sent
from baileys_tools.frame.http import Answer

LONGEST_TEXT = 4096
"""Characters that `sendMessage` takes, in UTF-16 units."""


def send_telegram(api: str, token: str, chat: str, message: Message, deadline: float) -> Sent:
    """Send the message as the bot `token` to `chat` within `deadline` seconds."""
    from urllib.parse import quote

    body = {
        "chat_id": chat,
        "text": _fitting(message.text),
        "link_preview_options": {"is_disabled": True},
        # What is over need not wake anybody.
        "disable_notification": message.level == OK,
    }
    url = f"{api}/bot{quote(token, safe=':')}/sendMessage"
    sent, answer = post(url, {"Content-Type": "application/json"}, json.dumps(body).encode(), deadline)
    if answer is None or not sent.trouble:
        return sent
    said = _said(answer)
    description = said.get("description")
    words = f": {reason(description)}" if isinstance(description, str) else ""
    return sent._replace(trouble=sent.trouble + words, retry_after=sent.retry_after or _retry_after(said))


def _fitting(text: str) -> str:
    units = text.encode("utf-16-le", "replace")
    if len(units) <= 2 * LONGEST_TEXT:
        return text
    return units[: 2 * (LONGEST_TEXT - 4)].decode("utf-16-le", "ignore") + "\n..."


def _said(answer: Answer) -> dict[str, object]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(said: dict[str, object]) -> timedelta | None:
    parameters = said.get("parameters")
    return pause_of(parameters.get("retry_after")) if isinstance(parameters, dict) else None
