"""What differs between two states of a session folder: by kind and by key, never what is in a key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.rules.node_json import UnreadJson, read_json, whole_number

COUNTERS = ("nextPreKeyId", "firstUnuploadedPreKeyId", "accountSyncCounter")
"""Fields of creds.json whose value is no secret."""

MOST_FIELDS = 60
"""Baileys has some 20 fields."""


class Side(NamedTuple):
    """One of the two: a snapshot by its number, or the live folder (None). `files` has a digest by name."""

    sequence: int | None
    taken_at: datetime
    files: Mapping[str, str]
    login: str = ""
    creds: bytes = b""


class KindDifference(NamedTuple):
    """What differs of one kind."""

    kind: Kind
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: int = 0


class Difference(NamedTuple):
    """What differs between two sides. `same_login` is None where one of them has no login that can be read."""

    before: Side
    after: Side
    kinds: tuple[KindDifference, ...]
    creds: tuple[str, ...] = ()

    @property
    def same_login(self) -> bool | None:
        """Whether both are of one pairing."""
        if not self.before.login or not self.after.login:
            return None
        return self.before.login == self.after.login


def difference(before: Side, after: Side) -> Difference:
    """Given two sides, return what differs, by kind in the table's order."""
    names: dict[Kind, list[str]] = {}
    for name in sorted(before.files.keys() | after.files.keys()):
        names.setdefault(kind_of(name), []).append(name)
    kinds = tuple(_of_kind(kind, names[kind], before, after) for kind in Kind if kind in names)
    return Difference(before, after, kinds, _fields(before.creds, after.creds))


def _of_kind(kind: Kind, names: list[str], before: Side, after: Side) -> KindDifference:
    one, other = before.files, after.files
    changed = tuple(name for name in names if name in one and name in other and one[name] != other[name])
    return KindDifference(
        kind,
        tuple(name for name in names if name not in other),
        tuple(name for name in names if name not in one),
        changed,
        sum(name in one and name in other for name in names) - len(changed),
    )


def _fields(before: bytes, after: bytes) -> tuple[str, ...]:
    """Return which fields of creds.json differ: counters with both values, all others by name alone."""
    one, other = _read(before), _read(after)
    if one is None or other is None:
        return ()
    found = []
    for field in sorted(one.keys() | other.keys()):
        if one.get(field) == other.get(field):
            continue
        numbers = whole_number(one.get(field)), whole_number(other.get(field))
        found.append(
            f"{field} {numbers[0]} -> {numbers[1]}" if field in COUNTERS and None not in numbers else field
        )
    return tuple(found[:MOST_FIELDS])


def _read(content: bytes) -> dict[str, object] | None:
    try:
        found = read_json(content)
    except UnreadJson:
        return None
    return {str(field): value for field, value in found.items()} if isinstance(found, dict) else None


class DiffReport(NamedTuple):
    """What differs in one company."""

    company: str
    repository: str
    now: datetime
    found: Difference
