"""Whose each key of Redis is, where a record is a key: of one walk through all of them, in as little memory as will do.

As words of Python's, the names of some million keys would take hundreds of megabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_BETWEEN = b"\0"
"""Between names: in none that Baileys makes."""
_PACKED_AT = 2_048
"""Bytes that are packed together. Names are much alike: they take half of the room, and a microsecond each."""


class RecordNames:
    """The names of a session's records."""

    __slots__ = ("_packed", "_rest")

    def __init__(self) -> None:
        self._packed: tuple[bytes, ...] = ()
        self._rest = bytearray()

    def add(self, name: str) -> None:
        """Add one; it may be there already."""
        self._rest += name.encode("utf-8", "surrogateescape") + _BETWEEN
        if len(self._rest) > _PACKED_AT:
            self._packed += (zlib.compress(self._rest, 1),)
            self._rest = bytearray()

    def __iter__(self) -> Iterator[str]:
        """Yield each once."""
        parts = [*map(zlib.decompress, self._packed), bytes(self._rest)]
        names = b"".join(parts).decode("utf-8", "surrogateescape").split("\0")[:-1]
        return iter(dict.fromkeys(names))


def by_session(rests: Iterable[str], after: str, creds: str) -> dict[str, RecordNames]:
    """Given what stands behind the common beginning of each key, return the names of the records of each session.

    `after` stands between the name of a session and that of a record, and `creds` is what each session has. A session's
    name can have `after` in it: the longest that is one is meant. So keys are sorted by what stands before the first
    one, which is all of a name, most often.
    """
    ending = after + creds
    sessions: dict[str, set[str]] = {}
    by_head: dict[str, RecordNames] = {}
    for rest in rests:
        if (end := rest.find(after, 1)) < 1:
            continue
        head = rest[:end]
        if (names := by_head.get(head)) is None:
            names = by_head[head] = RecordNames()
        names.add(rest[end + len(after) :])
        if rest.endswith(ending) and len(rest) > len(ending):
            sessions.setdefault(head, set()).add(rest[: -len(ending)])
    found: dict[str, RecordNames] = {}
    for head, own in sessions.items():
        names = by_head.pop(head)
        found |= {head: names} if own == {head} else _told_apart(head, names, own, after)
    return found


def _told_apart(head: str, names: RecordNames, sessions: Iterable[str], after: str) -> dict[str, RecordNames]:
    found = {session: RecordNames() for session in sessions}
    for name in names:
        rest = head + after + name
        at = len(rest)
        while (at := rest.rfind(after, 0, at - 1 + len(after))) > 0:
            if (own := found.get(rest[:at])) is not None:
                own.add(rest[at + len(after) :])
                break
    return found
