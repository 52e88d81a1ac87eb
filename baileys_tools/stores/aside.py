"""How a change of many records steps aside for the bots of its store: in between it waits."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

AS_LONG = 4.0
"""Of each five moments that a change of many records takes, four are the bots'."""
LONGEST_SECONDS = 2.0
"""The longest wait. A batch that took so long has waited for the server itself."""

Batch = TypeVar("Batch")


def aside(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches, each after a pause in proportion to what the one before it took."""
    took = 0.0
    for batch in batches:
        time.sleep(min(AS_LONG * took, LONGEST_SECONDS))
        began = time.monotonic()
        yield batch
        took = time.monotonic() - began
