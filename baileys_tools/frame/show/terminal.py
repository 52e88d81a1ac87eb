"""Text that is safe on a terminal: nothing raw from a file name, colour only where it is wanted."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TextIO

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.units import counted, printable, some_of

__all__ = ["WIDTH", "Style", "block_character", "companies_named", "counted", "printable_lines", "together"]

WIDTH = 80
"""Columns of a result for people."""

_COLOURS = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}


class Style:
    """Paints words, or leaves them plain. NO_COLOR and TERM=dumb are honoured, and so is FORCE_COLOR."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = sys.stdout if stream is None else stream
        forced = bool(os.environ.get("FORCE_COLOR"))
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._on = forced or (wanted and stream.isatty())

    def paint(self, text: str, *colours: str) -> str:
        """Given text and names of colours, return it painted, or as it is where colour is off."""
        if not self._on or not text:
            return text
        return f"\x1b[{';'.join(_COLOURS[colour] for colour in colours)}m{text}\x1b[0m"


def block_character() -> str:
    """Return what bars are made of: a full block where standard output can show one, else #."""
    try:
        "\u2588".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "\u2588"


def companies_named(ids: Sequence[str]) -> str:
    """Given ids, return "company 1001", or "companies 1001, 1002 and 3 more"."""
    return f"{'company' if len(ids) == 1 else 'companies'} {some_of(ids)}"


def together(troubles: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Given companies with their trouble ("" for none), return the companies that have each, in order.

    One and the same thing (the wrong user, a full disk) is said once.
    """
    found: dict[str, list[str]] = {}
    for company, trouble in troubles:
        if trouble:
            found.setdefault(trouble, []).append(company)
    return found


# As `pasted.command` quotes them, at the start of a word; an apostrophe of a sentence stands elsewhere.
_QUOTED = r"""(?<![^\s(])'[^']*'(?:"'"'[^']*')*"""
_WITH_VALUE = "company|config|for|group|id|import|interval|mode|most|preset|run|sessions|since|target|to|user"
_OF_US = rf"baileys-tools [a-z-]+(?: --(?:{_WITH_VALUE}) [^ ]+| --?[a-z][a-z-]*| [A-Z]{{2,}}(?![^ ,.;]))*"
_GLUE = "\ufdd0"
"""A character that Unicode keeps for use within a program."""


def wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Given text, return it as lines of `width` columns, as far as that can be, behind `first` and then `rest`.

    Nothing that has to be whole to be pasted is parted, however long: no path, no quoted name, no command. The first
    line of a command in two would be one of its own, without the --dry-run or the --config of the second.
    """
    rest = first if rest is None else rest
    glued = text
    for whole in (_QUOTED, _OF_US):
        glued = re.sub(whole, lambda found: found[0].replace(" ", _GLUE), glued)
    return [
        line.replace(_GLUE, " ")
        for line in wrap(
            glued,
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def printable_lines(text: str) -> str:
    """Given text of several lines, return it with each line made printable."""
    return "\n".join(map(printable, text.split("\n")))


def says_yes(plan: str) -> bool:
    """Show a plan to whoever sits at the terminal, and return whether they say yes to it."""
    print(plan, file=sys.stderr)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def must_say_yes(verb: str, plan: str) -> bool:
    """Ask as `says_yes`, for a verb such as "a reset". Raises exit code 13 where nobody can answer."""
    if not sys.stdin.isatty():
        raise BaileysToolsError(
            f"{verb} wants a yes, and nobody is there to give it",
            "Look at the plan with --dry-run, then give --yes.",
            exit_code=ExitCode.REFUSED,
        )
    return says_yes(plan)
