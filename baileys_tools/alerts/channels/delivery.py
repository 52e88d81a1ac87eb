"""Sends messages by several channels at once, each in its own time, all within one deadline."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from baileys_tools.alerts.rules.message import Message, Sent
from baileys_tools.ending import start_aside

ALERT_SECONDS = 15.0
RUN_SECONDS = 30.0


class Channel(NamedTuple):
    """A way to send: its name, which holds no secret, and what sends one message within so many seconds."""

    name: str
    send: Callable[[Message, float], Sent]


def deliver(
    work: Sequence[tuple[Channel, Sequence[Message]]],
    *,
    alert_seconds: float = ALERT_SECONDS,
    run_seconds: float = RUN_SECONDS,
) -> list[list[Sent]]:
    """Given messages for each channel, in order, return what became of them; what was not tried is left out.

    A channel stops at its first message that could not be delivered, unless that one was refused for itself.
    None waits for another, and none goes on after `run_seconds`.
    """
    end = time.monotonic() + run_seconds
    results: list[list[Sent]] = [[] for _ in work]
    threads = [
        start_aside(partial(_send_all, channel, messages, result, alert_seconds, end))
        for (channel, messages), result in zip(work, results, strict=True)
        if messages
    ]
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()) + 1)
    # Copies: a thread that is late must not add to what was read already.
    return [
        list(result) or ([Sent("no answer in time")] if messages else [])
        for (_, messages), result in zip(work, results, strict=True)
    ]


def _send_all(
    channel: Channel, messages: Sequence[Message], results: list[Sent], alert_seconds: float, end: float
) -> None:
    for message in messages:
        left = end - time.monotonic()
        if left <= 0:
            return
        try:
            sent = channel.send(message, min(alert_seconds, left))
        except Exception as error:  # noqa: BLE001 - what one channel does must not reach the others or the job
            sent = Sent(f"failed ({type(error).__name__})")
        results.append(sent)
        if sent.trouble and not sent.is_refused:
            return
