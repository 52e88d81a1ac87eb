"""Reads JSON that somebody else wrote, for no more memory than a key file is worth.

Whoever owns a session folder decides what stands in it, and Python makes much of little: 16 MB of `[{},{},{}...]` take
400 MB, and a few KB can be nested deeper than an interpreter goes. What is beyond the limits is refused before it is
taken apart, as a ValueError like everything else that is no JSON.
"""

import json
from typing import Any

LARGEST_JSON = 16 << 20
"""Bytes of the largest text that is read at all: the largest file that a snapshot holds."""

MOST_MEMORY = 80 << 20
"""What the values of one text may take at worst, in bytes. The largest that this tool itself writes, the journal of a
rollback of 120,000 files, takes 77 MB by the measure below; an app state of 70,000 entries is just within."""

_MOST_OF_STATE = 512 << 20

_PER_MARK = 100
"""Bytes that a `{`, `[`, `,` or `:` can stand for: measured with CPython 3.11, an object of one key takes 102 for each
of its three, a list in a list 64, a text in a list 62."""
_PER_BYTE, _PER_WIDE_BYTE = 2, 9
"""Bytes for each byte of the text, read and then taken apart; one character beyond ASCII makes all of them wide."""
_MARKS = (b"{", b"[", b",", b":")


class TooMuch(ValueError):
    """A text that would take more memory than any key file does, or is nested deeper."""


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")  # Python reads NaN and Infinity, Node does not


# json.loads would look for the encoding first, in each of 100,000 files; Baileys writes UTF-8.
_decode = json.JSONDecoder(parse_constant=_no_number).decode


def parse_json(content: bytes, most: int = MOST_MEMORY) -> Any:
    """Given the bytes of a JSON text, return its value. Raises ValueError for invalid JSON, `TooMuch` among it.

    `most` is the memory that the value may take at worst, in bytes.
    """
    if len(content) * (_PER_MARK + _PER_WIDE_BYTE) > most and memory_of(content) > most:
        raise TooMuch(f"{len(content):,} bytes hold more values than any key file")
    try:
        return _decode(content.decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise TooMuch("nested deeper than any key file") from error


def parse_state(text: object) -> Any:
    """Given a JSON value as the state keeps it, return it. Raises ValueError as `parse_json`, also for what is no text.

    The state is the caller's own, and that of 20,000 companies takes more than a key file.
    """
    if not isinstance(text, str):
        raise ValueError("no text")
    return parse_json(text.encode("utf-8", "surrogatepass"), _MOST_OF_STATE)


def memory_of(content: bytes) -> int:
    """Return the bytes that the value of a text can take at worst. Marks within strings are counted as well."""
    is_narrow = content.isascii() and b"\\u" not in content
    marks = sum(map(content.count, _MARKS))
    return marks * _PER_MARK + len(content) * (_PER_BYTE if is_narrow else _PER_WIDE_BYTE)
