"""What the page shows at this moment, and what has changed since another: each row knows its version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_OF_EVENT = 16_000
"""Bytes of one event, about: what changes at once in a thousand companies goes out in several."""
MOST_GONE = 1_000
"""Companies that went, and are remembered for pages that have not heard of it."""

Row = Sequence[Any]


class Board:
    """The rows by key, each with the version that changed it, and what is said of all.

    `start` tells one process from the next: a version of another means nothing.
    """

    def __init__(self, start: str) -> None:
        self.start = start
        self.version = 0
        self.meta: dict[str, Any] = {}
        self._rows: dict[str, tuple[int, Row]] = {}
        self._gone: dict[str, int] = {}
        self._forgotten = 0
        """The last version of which something is not remembered."""

    @property
    def rows(self) -> list[Row]:
        """All rows, the worst first as they came."""
        return [row for _, row in self._rows.values()]

    def row(self, key: str) -> Row | None:
        """Return a company's row, None where there is no such company."""
        found = self._rows.get(key)
        return None if found is None else found[1]

    def take(self, rows: Sequence[Row], meta: Mapping[str, Any]) -> bool:
        """Show these from now on; return whether any of it is new."""
        version = self.version + 1
        before = self._rows
        self._rows = {}
        is_new = False
        for row in rows:
            known = before.get(row[0])
            same = known is not None and list(known[1]) == list(row)
            self._rows[row[0]] = known if known is not None and same else (version, row)
            is_new = is_new or not same
        for key in before.keys() - self._rows.keys():
            self._gone[key] = version
            is_new = True
        for key in self._gone.keys() & self._rows.keys():
            del self._gone[key]
        while len(self._gone) > MOST_GONE:
            self._forgotten = self._gone.pop(next(iter(self._gone)))
        is_new = is_new or dict(meta) != self.meta
        self.meta = dict(meta)
        self.version = version if is_new else self.version
        return is_new

    def say(self, **meta: Any) -> bool:
        """Say this of all from now on; return whether it is new."""
        if all(self.meta.get(name) == value for name, value in meta.items()):
            return False
        self.meta |= meta
        self.version += 1
        return True

    def document(self) -> dict[str, Any]:
        """Return all that the page shows."""
        return {"start": self.start, "version": self.version, "meta": self.meta, "rows": self.rows}

    def changes(self, start: str, since: int) -> Iterator[bytes]:
        """Given what a page has, yield the events that bring it up to date, whole where that is all that helps."""
        whole = start != self.start or since < self._forgotten or since > self.version
        rows = [row for version, row in self._rows.values() if whole or version > since]
        gone = [] if whole else [key for key, version in self._gone.items() if version > since]
        head: dict[str, Any] = {"start": self.start, "version": since, "meta": self.meta, "gone": gone}
        if whole:
            head["whole"] = True
        parts = list(_parts(rows))
        for number, part in enumerate(parts or [[]]):
            is_last = number >= len(parts) - 1
            # What breaks off between two parts must be asked for again from the first.
            document = {
                **head,
                "version": self.version if is_last else (-1 if whole else since),
                "rows": part,
            }
            yield event("rows", document, document["version"] if is_last else None)
            head = {"start": self.start}


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row))
        if part and size + length > MOST_OF_EVENT:
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def event(name: str, document: Mapping[str, Any], number: int | None = None) -> bytes:
    """Return a server-sent event. JSON has no raw line end, so nothing in it can begin another."""
    identity = f"id: {number}\n" if number is not None else ""
    return f"event: {name}\n{identity}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()
