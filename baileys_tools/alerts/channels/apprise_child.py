"""The process in which Apprise sends one message: `python -m baileys_tools.alerts.channels.apprise_child`.

Apprise and what its services are built on (requests, smtplib, MQTT ...) know neither a deadline for the whole nor a
limit of what they read. In a process of its own they can be ended, and cannot take our memory along.
The address comes on standard input, so that no process list shows it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

MOST_MEMORY = 512 << 20
"""Bytes of address space: plenty for Apprise, too little for an answer that unpacks to gigabytes."""


def main() -> None:
    """Read what to send as JSON from standard input, send it, and write what became of it to standard output."""
    # What a service prints must not be taken for our answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    asked = json.load(sys.stdin)
    _limit_memory()
    try:
        said = send(asked)
    except MemoryError:
        said = {"trouble": "the answer was larger than may be read"}
    except Exception as error:  # noqa: BLE001 - plugins raise whatever they like; its text may hold the address
        said = {"trouble": f"Apprise failed ({type(error).__name__})"}
    answer.write(json.dumps(said))
    answer.close()


def send(asked: dict[str, str]) -> dict[str, Any]:
    """Given `url`, `title`, `body` and `level`, send it and return `trouble` and perhaps `retry_after`."""
    try:
        import apprise
    except ImportError:
        from baileys_tools.extras import way_to_add

        return {"trouble": f"Apprise is not installed: {way_to_add('apprise')}"}
    from baileys_tools.alerts.channels.answers import reason
    from baileys_tools.masking import remember_secret

    remember_secret(asked["url"])
    answers = _watch_requests()
    # Nothing on disk: by itself Apprise keeps tokens and more in a folder of the user's.
    asset = apprise.AppriseAsset(app_id="baileys-tools", storage_mode=apprise.PersistentStoreMode.MEMORY)
    service = apprise.Apprise(asset=asset)
    capture: Any = apprise.LogCapture
    with capture(level=apprise.logging.WARNING, fmt="%(message)s") as log:
        if not service.add(asked["url"]):
            return {"trouble": "Apprise does not know such an address"}
        delivered = service.notify(asked["body"], title=asked["title"], notify_type=_TYPES[asked["level"]])
        lines = log.getvalue().splitlines()
    if delivered:
        return {"trouble": ""}
    status, pause = answers[-1] if answers else (0, "")
    words = reason(lines[0]) if lines else "Apprise could not deliver it"
    if 300 <= status < 400:
        words = f"answered with a redirect ({status}), which is not followed: give the final address"
    return {"trouble": words, "retry_after": pause if status in (429, 503) else ""}


_TYPES = {
    "ok": "success",
    "notice": "info",
    "warning": "warning",
    "critical": "failure",
    "emergency": "failure",
}


def _limit_memory() -> None:
    import resource

    for limit, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _watch_requests() -> list[tuple[int, str]]:
    """Have `requests` follow no redirect, in this process; return the list to which each answer is added."""
    import requests

    answers: list[tuple[int, str]] = []

    def nowhere(session: requests.Session, response: requests.Response) -> None:
        answers.append((response.status_code, response.headers.get("Retry-After", "")))

    requests.Session.get_redirect_target = nowhere  # type: ignore[method-assign,assignment]
    return answers


if __name__ == "__main__":
    main()
