"""How a store writes the value of a record into a cell: each way back and forth, texts in and texts out."""

import json
from collections.abc import Callable
from typing import NamedTuple


class Unwrapped(ValueError):
    """A cell that is not written in its store's way."""


class Codec(NamedTuple):
    """`unwrap` gives the value's own JSON of a cell, `wrap` a cell of that JSON, where `before` is the cell that it
    replaces, None for none. `buffers` is the form in which the store's reader takes Buffers. `is_jsonb`: the column is
    of Postgres' type, which keeps no order of keys."""

    unwrap: Callable[[str], str]
    wrap: Callable[[str, str | None], str]
    buffers: str = "base64"
    is_jsonb: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether a cell is the value's own JSON, with nothing around it."""
        return self.unwrap is _same


def _same(cell: str) -> str:
    return cell


def _as_it_is(text: str, before: str | None) -> str:
    return text


def _from_string(cell: str) -> str:
    """Evolution stringifies twice: in `CacheService` and again in `RedisCache`."""
    text = _decoded(cell)
    if not isinstance(text, str):
        raise Unwrapped("no JSON text in a JSON string")
    return text


def _to_string(text: str, before: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


def _from_keyv(cell: str) -> str:
    found = _decoded(cell)
    if not isinstance(found, dict) or "value" not in found:
        raise Unwrapped('no {"value": ...}')
    value = found["value"]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _to_keyv(text: str, before: str | None) -> str:
    found = _decoded(before) if before is not None else {}
    known = found if isinstance(found, dict) else {}
    # What a store holds as an object it goes on reading as one; when it expires stays as it is.
    value = json.loads(text) if "value" in known and not isinstance(known["value"], str) else text
    return json.dumps({**known, "value": value}, ensure_ascii=False, separators=(",", ":"))


def _decoded(cell: str) -> object:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise Unwrapped("no JSON") from None


CODECS = {
    "json": Codec(_same, _as_it_is),
    "array": Codec(_same, _as_it_is, buffers="array"),
    "jsonb": Codec(_same, _as_it_is, is_jsonb=True),
    "jsonb-array": Codec(_same, _as_it_is, buffers="array", is_jsonb=True),
    "json-string": Codec(_from_string, _to_string),
    "keyv": Codec(_from_keyv, _to_keyv),
}
"""Ways to write a value, by their names in the settings."""
