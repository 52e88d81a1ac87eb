"""Patterns of session folders: what a name matches, and what the company is called.

Whoever makes a folder chooses its name: matching takes time in proportion to its length, whatever the pattern.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

WILD = frozenset("*?[")
_WORD = re.compile(r"\*+|\?|\[[!^]?\]?[^\]]*\]|[^*?\[]+|\[")
_STAR_NUMBER = re.compile(r"\{(\d{1,2})\}")


class Part(NamedTuple):
    """One folder of a pattern: its plain text, or the expression that its name has to match."""

    text: str
    expression: "re.Pattern[str] | None" = None
    is_of_stars: bool = True
    """Whether what its stars stand for is all that differs: it has no other wild letter."""

    def match(self, name: str) -> tuple[str, ...] | None:
        """Return what the stars stand for in a name, None where it does not match. A star means no hidden name."""
        if self.expression is None:
            return () if name == self.text else None
        if name.startswith(".") and not self.text.startswith("."):
            return None
        found = self.expression.fullmatch(name)
        return None if found is None else found.groups()


class Pattern(NamedTuple):
    """A pattern in parts. `name` has `{1}` for what the first star stands for, "" for all of them.

    `has_own_name`: the last part has a text of its own, so that whatever matches is a session folder; else its content
    has to tell.
    """

    text: str
    parts: tuple[Part, ...]
    name: str
    has_own_name: bool

    @property
    def is_wild(self) -> bool:
        """Whether it stands for more than one folder: one without a wild letter names its folder by itself."""
        return any(part.expression is not None for part in self.parts)

    def names(self, way: Sequence[str]) -> bool:
        """Whether a way from the root is to a session folder by its name alone."""
        return (
            self.has_own_name
            and len(way) == len(self.parts) > 0
            and all(part.match(name) is not None for part, name in zip(self.parts, way, strict=True))
        )

    def company(self, stars: Sequence[str], entry: str) -> str:
        """Given what the stars stand for and the way to the folder, return what the company is called."""
        last = entry.rpartition("/")[2]
        if self.name:
            called = _STAR_NUMBER.sub(
                lambda found: stars[int(found[1]) - 1] if 0 < int(found[1]) <= len(stars) else "", self.name
            )
        else:
            called = "-".join(self._what_differs(stars, entry)) or last
        called = called.replace("/", "-").strip().removeprefix("company_")
        return called if called not in ("", ".", "..") else last.removeprefix("company_") or last

    def _what_differs(self, stars: Sequence[str], entry: str) -> Iterator[str]:
        if all(part.is_of_stars for part in self.parts):
            yield from filter(None, stars)
            return
        for part, name in zip(self.parts, entry.split("/"), strict=True):
            if part.is_of_stars:
                yield from filter(None, part.match(name) or ())
            else:
                yield name

    def filled_in(self, company: str) -> str:
        """Return where the folder of a company would stand, "" where the pattern does not tell."""
        if sum(part.text.count("*") for part in self.parts) != 1 or (self.name and self.name != "{1}"):
            return ""
        filled = self.text.replace("*", company)
        return filled if WILD.isdisjoint(filled) else ""


def patterns_of(folders: Sequence[tuple[str, str]], name: str = "") -> list[Pattern]:
    """Given texts of patterns with what a company of each is called, return the patterns; `name` is for all of them."""
    return [pattern(text, name or own) for text, own in folders]


def pattern(text: str, name: str = "") -> Pattern:
    """Given the text of a pattern, return it in parts. Raise ValueError for one that cannot be meant."""
    parts = tuple(_part(part) for part in text.split("/") if part not in ("", "."))
    return Pattern(text, parts, name, not parts or bool(parts[-1].text.strip("*?")))


def stars_not_there(patterns: Sequence[Pattern]) -> list[str]:
    """Return what names of a root's patterns have as `{2}` where none of these has a second star: it means nothing."""
    stars = [
        sum(part.expression.groups for part in one.parts if part.expression is not None) for one in patterns
    ]
    named = dict.fromkeys(found for one in patterns for found in _STAR_NUMBER.findall(one.name))
    return [f"{{{number}}}" for number in named if not 0 < int(number) <= max(stars)]


def _part(text: str) -> Part:
    if WILD.isdisjoint(text):
        return Part(text)
    pieces: list[str] = []
    before: list[str] = []
    star = False
    for word in _WORD.findall(text):
        if word.startswith("*"):
            pieces.append(_piece(before, behind_star=star, last=False))
            before, star = [], True
        else:
            before.append(_expression(word))
    pieces.append(_piece(before, behind_star=star, last=True))
    try:
        return Part(text, re.compile("".join(pieces), re.DOTALL), WILD.intersection(text) == {"*"})
    except re.error:
        raise ValueError(f"invalid pattern {text!r}") from None


def _piece(plain: Sequence[str], *, behind_star: bool, last: bool) -> str:
    """Return the expression of a star and the text behind it. What has matched is not tried anew: time stays linear."""
    text = "".join(plain)
    if not behind_star:
        return text
    return f"(.*){text}" if last else f"(?>(.*?){text})"


def _expression(word: str) -> str:
    if word == "?":
        return "."
    if len(word) > 1 and word[0] == "[":
        inside = word[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        inside = "^" + inside[1:] if inside.startswith("!") else inside
        return f"[{inside}]"
    return re.escape(word)
