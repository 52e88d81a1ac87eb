"""One request that carries an alert, repeated where the other side says when, and its answer in words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from baileys_tools.alerts.rules.message import Sent
from baileys_tools.frame.http import Answer, HttpError, Request, send
from baileys_tools.masking import masked
from baileys_tools.units import printable

MOST_READ = 65_536
"""Bytes of an answer that are read at most: nobody needs more to say yes or no."""
SHORTEST_RETRY_AFTER = timedelta(seconds=1)
LONGEST_RETRY_AFTER = timedelta(hours=6)
MOST_TRIES = 5
"""For one alert in one run: a server that is busy for longer gets it from the next run."""
LONGEST_REASON = 120

_BUSY = (429, 503)
_REFUSED = (400, 413, 415, 422)
"""What no repetition mends: it is the message that is not wanted."""
_PATIENCE = 0.5
"""Seconds that have to be left for the request after a pause."""


def post(url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> tuple[Sent, Answer | None]:
    """Post `body` within `deadline` seconds, pauses included; return what became of it and the last answer.

    It is tried again where the other side says when, 5 times at most and never within the second.
    """
    end = time.monotonic() + deadline
    tries = 0
    while True:
        tries += 1
        left = max(0.1, end - time.monotonic())
        try:
            answer = send(
                Request("POST", url, headers, body, left, MOST_READ, by_proxy=True, status_alone=True)
            )
        except HttpError as error:
            return Sent(str(error)), None
        if answer.is_success:
            return Sent(), answer
        pause = retry_after(answer) if answer.status in _BUSY else None
        left = end - time.monotonic() - _PATIENCE
        if pause is None or tries == MOST_TRIES or pause.total_seconds() > left:
            return Sent(_in_words(answer), answer.status in _REFUSED, pause), answer
        time.sleep(pause.total_seconds())


def retry_after(answer: Answer) -> timedelta | None:
    """Return how long the other side asks to be left alone: seconds or a date (RFC 9110, 10.2.3), 1 s to 6 hours."""
    return parse_retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC))


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """Given the value of a Retry-After header, return the pause; None when it says nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return _bounded(timedelta(seconds=int(text)))
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return _bounded(until - now)


def pause_of(seconds: object) -> timedelta | None:
    """Given the seconds that an answer's JSON names, return the pause; None when that is no number of seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds < 1e9:
        return None
    return _bounded(timedelta(seconds=seconds))


def _bounded(pause: timedelta) -> timedelta:
    return min(max(pause, SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER)


def reason(text: str) -> str:
    """Given what the other side says, return it as a short line without secrets."""
    line = printable(masked(" ".join(text.split())))
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 3] + "..."


def _in_words(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return f"answered with a redirect ({answer.status}), which is not followed: give the final address"
    return f"answered {answer.status}"
