"""An alert message as it leaves this host, and what became of it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

OK = "ok"
"""The level of a message that only says what is over."""


class Message(NamedTuple):
    """One message. `level` is a severity or `ok`; `text` begins with the title; `facts` are for machines."""

    level: str
    title: str
    text: str
    facts: Mapping[str, Any]


class Sent(NamedTuple):
    """What became of one message at one channel.

    `trouble` is "" when it was delivered. `is_refused`: the other side understood it and does not want it, so it is not
    worth many more tries. `retry_after` is how long the other side asked to be left alone.
    """

    trouble: str = ""
    is_refused: bool = False
    retry_after: timedelta | None = None
