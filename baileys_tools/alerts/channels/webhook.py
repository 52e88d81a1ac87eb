"""Alerts as JSON to any address: `text` and `level` for who shows them, the facts for who works on them."""

from __future__ import annotations

import json

from baileys_tools.alerts.channels.answers import post
from baileys_tools.alerts.rules.message import Message, Sent


def send_webhook(url: str, message: Message, deadline: float) -> Sent:
    """Post the message to `url` within `deadline` seconds. A user and a password in the address go as a header."""
    headers = {"Content-Type": "application/json"}
    document = {"text": message.text, "level": message.level, "title": message.title, **message.facts}
    sent, _ = post(url, headers, json.dumps(document).encode(), deadline)
    return sent
