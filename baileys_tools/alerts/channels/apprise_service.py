"""Alerts by any address that Apprise knows, from a process that is ended at the deadline."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from baileys_tools.alerts.channels.answers import parse_retry_after, reason
from baileys_tools.alerts.rules.message import Message, Sent

CHILD = "baileys_tools.alerts.channels.apprise_child"
_MOST_SAID = 10_000


def send_by_apprise(url: str, message: Message, deadline: float) -> Sent:
    """Send the message to the Apprise address within `deadline` seconds, the start of the process included."""
    import subprocess
    import sys

    body = message.text.partition("\n")[2].strip() or message.text
    asked = {"url": url, "title": message.title, "body": body, "level": message.level}
    try:
        # -P: nothing is imported from the working folder.
        done = subprocess.run(
            [sys.executable, "-P", "-m", CHILD],
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Sent(f"no answer within {deadline:.0f} s")
    except OSError as error:
        return Sent(f"Apprise could not be started: {error.strerror}")
    try:
        said = json.loads(done.stdout[:_MOST_SAID])
        trouble, pause = str(said["trouble"]), str(said.get("retry_after", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Sent(f"Apprise ended without a word (exit code {done.returncode})")
    return Sent(reason(trouble), retry_after=parse_retry_after(pause, datetime.now(UTC)))
