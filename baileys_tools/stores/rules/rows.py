"""A record as it stands in its store, and a change of one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

CREDS_TYPE = "creds"


class Cell(NamedTuple):
    """A record as it stands in its store: `text` is the cell's own, before any decoding.

    Where the store has one name for both, `type` is "" and `id` is that name without whose it is. Creds have the type
    `creds` and no id. `written_ns` is when it was last written, None where the store does not know.
    """

    type: str
    id: str
    text: str
    written_ns: int | None = None


class Change(NamedTuple):
    """One record's change: `before` is the cell's text as it has to be (None: no such record), `after` what it becomes
    (None: it goes). `written_ns` is for a record that comes back, in a store that keeps times; so is `expires_ns`, when
    the store itself will take it (ns since 1970, None for never)."""

    type: str
    id: str
    before: str | None
    after: str | None
    written_ns: int | None = None
    expires_ns: int | None = None

    @property
    def is_removal(self) -> bool:
        """Whether a record that stands is to go."""
        return self.before is not None and self.after is None


Unit = Sequence[Change]
"""Changes that are made together or not at all."""


def batches(units: Sequence[Unit], most: int) -> Iterator[list[Unit]]:
    """Yield units in order, as many at a time as have no more than `most` changes; a larger one goes by itself."""
    batch: list[Unit] = []
    for unit in units:
        if batch and sum(map(len, batch)) + len(unit) > most:
            yield batch
            batch = []
        batch.append(unit)
    if batch:
        yield batch
