"""Dead-man's pings: who watches them notices that a job no longer runs, or no longer succeeds.

As healthchecks.io takes them (healthchecks.io/docs/http_api): `/start` behind the address when a job begins, the bare
address when it succeeded, `/fail` when it did not, each with a short text as the body.
"""

from __future__ import annotations

from baileys_tools.frame.http import HttpError, Request, send
from baileys_tools.masking import masked

START_SECONDS = 2.0
"""The job waits for it: a beginning that is not told costs only the measure of how long it took."""
END_SECONDS = 5.0
MOST_READ = 4_096


def ping_start(address: str) -> str:
    """Tell that a job begins; return what went wrong, or ""."""
    return _ping(_behind(address, "start"), "", START_SECONDS)


def ping_end(address: str, *, succeeded: bool, text: str) -> str:
    """Tell that a job has ended, with a short text; return what went wrong, or ""."""
    return _ping(address if succeeded else _behind(address, "fail"), text, END_SECONDS)


def _behind(address: str, word: str) -> str:
    path, found, query = address.partition("?")
    return f"{path.rstrip('/')}/{word}{found}{query}"


def _ping(address: str, text: str, deadline: float) -> str:
    body = masked(text).encode()
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    try:
        answer = send(
            Request("POST", address, headers, body, deadline, MOST_READ, by_proxy=True, status_alone=True)
        )
    except HttpError as error:
        return str(error)
    return "" if answer.is_success else f"answered {answer.status}"
