"""Whose rows a run reads and writes: names are what people type, and what is kept is kept by the place.

A place is the real path of a session's folder (or a store's URL and tenant), so it has a `/` at its beginning or a
`://` in it; no name has. What is about all sessions below a root, and about none of them, is kept by the root's path
with a `/` at its end. A row whose name has become no place yet is one of a version that kept names alone (adoption.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Scope:
    """Who the names of one run are: `root` is the place of the root that it is about, "" while that is not known.

    `places` is asked at the first name, and returns the place of each: a quiet pass may need none.
    """

    __slots__ = ("_find", "_names", "_places", "root")

    def __init__(self, root: str = "", places: Callable[[], Mapping[str, str]] = dict) -> None:
        self.root = root
        self._find: Callable[[], Mapping[str, str]] | None = places
        self._places: dict[str, str] = {}
        self._names: dict[str, str] | None = None

    def places(self) -> Mapping[str, str]:
        if self._find is not None:
            self._places = {**self._find(), **self._places}
            self._find = None
        return self._places

    def add(self, places: Mapping[str, str]) -> None:
        """Know these names as well."""
        self._places.update(places)
        self._names = None

    def names(self) -> Mapping[str, str]:
        if self._names is None or self._find is not None:
            self._names = {place: name for name, place in self.places().items()}
        return self._names

    def key(self, name: str) -> str:
        """Given a company's name ("" for the root of this run) or its place, return by what its rows are kept."""
        if not name:
            return root_key(self.root)
        if is_place(name):
            return name
        return self.places().get(name, name)

    def name(self, key: str) -> str | None:
        """Given by what a row is kept, return whom of this run it is about, None where it is about another."""
        if key == root_key(self.root):
            return ""
        if not self.root and not self.places():
            return key  # a run that is about no root at all sees what there is
        return self.names().get(key)


def is_place(text: str) -> bool:
    """Whether a text is a place, and not a name."""
    return text.startswith("/") or "://" in text


def root_key(root: str) -> str:
    """Return by what is kept that is about a root as a whole; without one it is about the host."""
    return root + "/" if root else ""
