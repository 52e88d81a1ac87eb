"""How old the records of a store are that keeps no times: as old as this host has seen them unchanged."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from baileys_tools.stores.rules.rows import Cell

_REMEMBERED_NS = 60 * 86_400 * 1_000_000_000


@dataclass(frozen=True)
class FirstSeen:
    """When what a store's records hold was first seen so (ns since 1970), by keyed hashes: names are numbers of people.

    The key is this host's own and no secret elsewhere. `whole` is a keyed hash of all records at once as they were last
    looked at, and `since` are their times by the order of their names: most sessions stand still between two looks, and
    then nothing else is looked at. `rest` is the text of `seen` until somebody asks.
    """

    key: bytes
    whole: str = ""
    since: Sequence[int] = ()
    rest: str = "{}"

    @cached_property
    def seen(self) -> Mapping[str, tuple[str, int]]:
        """By the hash of a name, the hash of what it held and since when."""
        try:
            return {str(name): (str(one[0]), int(one[1])) for name, one in json.loads(self.rest).items()}
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError):
            return {}

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Given what `text` made, return it. Raises ValueError, TypeError, KeyError, AttributeError for anything else.

        An older one is a line with `seen` in it.
        """
        first, _, rest = text.partition("\n")
        told: dict[str, Any] = json.loads(first)
        key = bytes.fromhex(told["key"])
        if "seen" in told:
            return cls(key, rest=_line(told["seen"]))
        return cls(key, str(told["whole"]), tuple(map(int, told["since"])), rest)

    def text(self) -> str:
        """Return it in two lines of JSON."""
        return f"{_line({'key': self.key.hex(), 'whole': self.whole, 'since': self.since})}\n{self.rest}"

    def with_seen(self, seen: Mapping[str, tuple[str, int]]) -> Self:
        """Return it as it is when only this was seen, record by record."""
        return replace(self, whole="", since=(), rest=_line(seen))


def _line(plain: object) -> str:
    return json.dumps(plain, separators=(",", ":"))


def short_hash(key: bytes) -> Callable[[str], str]:
    """Return what makes eight bytes of a keyed hash of a text, in hex."""
    keyed = hashlib.blake2b(key=key, digest_size=8)

    def hashed(text: str) -> str:
        one = keyed.copy()
        one.update(text.encode("utf-8", "surrogateescape"))
        return one.hexdigest()

    return hashed


def ages(cells: Mapping[str, Cell], known: FirstSeen, now_ns: int) -> tuple[dict[str, int], FirstSeen]:
    """Given records by the names of their files and what was seen before, return when each was last written (ns since
    1970), and what is to be remembered: `known` itself where that is all.

    Always too young and never too old: what the store says, else when we first saw it so, else now.
    """
    times = {
        name: min(cell.written_ns, now_ns) for name, cell in cells.items() if cell.written_ns is not None
    }
    names = sorted(cells.keys() - times.keys())
    whole = _whole(cells, names, known.key)
    if whole == known.whole and len(names) == len(known.since) and max(known.since, default=0) <= now_ns:
        return times | dict(zip(names, known.since, strict=True)), known
    before, seen = known.seen, dict[str, tuple[str, int]]()
    hashed = short_hash(known.key)
    for name in names:
        called, holds = hashed(name), hashed(cells[name].text)
        held, since = before.get(called, ("", 0))
        times[name] = since if held == holds and since <= now_ns else now_ns
        seen[called] = holds, times[name]
    # What has gone may come back by an undo, and is as old as it was.
    gone = {
        called: one
        for called, one in before.items()
        if called not in seen and 0 <= now_ns - one[1] < _REMEMBERED_NS
    }
    return times, FirstSeen(known.key, whole, [times[name] for name in names], _line(gone | seen))


def _whole(cells: Mapping[str, Cell], names: Sequence[str], key: bytes) -> str:
    if not names:
        return ""  # as of a store that keeps times, of which nothing is remembered
    # No name has a NUL in it, and a text is as long as is said before it: no two sessions are written alike.
    parts = (f"{name}\0{len(cells[name].text)} {cells[name].text}" for name in names)
    return hashlib.blake2b(
        "".join(parts).encode("utf-8", "surrogateescape"), key=key, digest_size=16
    ).hexdigest()
