"""Reads JSON as the bot does: Node's `JSON.parse(readFile(path, 'utf-8'), BufferJSON.reviver)`.

What Node refuses, Baileys takes for missing (`Utils/use-multi-file-auth-state.js`: `readData`), and for `creds.json`
that means a new identity. Python's own `json.loads(bytes)` differs on nearly every doubt: it accepts a byte order mark,
UTF-16 and NaN, and refuses what is no UTF-8, deep nesting and long numbers. So whether a bot's file is whole is asked
here, and nowhere else. `tests/integration/sessions/test_node_json.py` compares the answers with Node's.
"""

import binascii
import codecs
import json
import re
import sys
from enum import StrEnum
from typing import NoReturn

from baileys_tools.parsing import memory_of

LARGEST = 16 << 20
"""Bytes of the largest file that is judged. Node has no such limit; a company's file must not cost all memory."""

MOST_MEMORY = 104 << 20
"""Bytes that the values of the largest file that is judged may take at worst. A creds.json of 16 MiB that a bot wrote,
full of `processedHistoryMessages`, takes 100."""

DEEPEST = 2_683
"""Levels of nesting that Node reads with a reviver on its usual stack of 984 KiB. `InternalizeJSONProperty` recurses:
measured with node 20 and Baileys' own `useMultiFileAuthState`, 2,683 levels of objects are read and 2,684 are not."""


class Refusal(StrEnum):
    """Why there is no value. Of all but the last, Node would say the same."""

    EMPTY = "empty"
    """No bytes, or nothing but white space and NULs, as a crash leaves it."""
    ENCODING = "encoding"
    """A byte order mark or UTF-16, as editors and shells of Windows write it."""
    NOT_JSON = "not-json"
    """Cut off, overwritten, or nested too deeply for Node's stack."""
    TOO_LARGE = "too-large"
    """Too large to be judged here. The bot may well read it."""


class UnreadJson(ValueError):
    """These bytes have no value. `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


def read_json(content: bytes) -> object:
    """Given the bytes of a bot's file, return their value as Node has it. Raise UnreadJson where it has none.

    Bytes that are no UTF-8 become U+FFFD, a later key replaces an earlier one of the same name, and a lone surrogate
    stays. Numbers come as they are written: `whole_number` reads one as JavaScript does. Buffers come as they are
    written too: `buffer` reads one.
    """
    if _is_too_large(content):
        raise UnreadJson(Refusal.TOO_LARGE)
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadJson(Refusal.ENCODING)
    text = content.decode("utf-8", "replace")
    try:
        value = _decode(text)
    except (ValueError, RecursionError):
        raise UnreadJson(Refusal.NOT_JSON if content.strip(_BLANK) else Refusal.EMPTY) from None
    if content.count(b"[") + content.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise UnreadJson(Refusal.NOT_JSON)
    return value


def _is_too_large(content: bytes) -> bool:
    if len(content) > LARGEST:
        return True
    # Below the first limit nothing can reach the second.
    return len(content) > MOST_MEMORY // 110 and memory_of(content) > MOST_MEMORY


def _decode(text: str) -> object:
    try:
        return _quick(text)
    except RecursionError:
        # Python 3.11 counts levels of JSON as frames, and allows 1,000; later versions allow 10,000.
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(usual + DEEPEST)
        try:
            return _exact(text)
        finally:
            sys.setrecursionlimit(usual)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _exact(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _integer(digits: str) -> int | float:
    # Python refuses to convert more than 4,300 digits; JavaScript has Infinity from the 310th on.
    return int(digits) if len(digits) < 310 else float(digits)


_quick = json.JSONDecoder(parse_constant=_refuse).decode
_exact = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer).decode


def _depth(value: object) -> int:
    """Return how deeply lists and objects are nested, level by level."""
    depth = 0
    level = [value]
    while level := [found for found in level if isinstance(found, list | dict)]:
        depth += 1
        level = [child for found in level for child in (found.values() if isinstance(found, dict) else found)]
    return depth


_BLANK = b" \t\r\n\0"


def whole_number(value: object) -> int | None:
    """Given a value, return the whole number from 0 on that JavaScript has in its place, else None.

    JavaScript tells no `31.0` or `3.1e1` from `31`. Beyond 2**53 it no longer counts one by one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value < 1 << 54:
        return None
    number = float(value)
    return int(number) if number.is_integer() and number <= 1 << 53 else None


def buffer(value: object) -> bytes | None:
    """Given a value, return the bytes of the buffer that it is written for, None where it is no buffer.

    Baileys writes `{"type": "Buffer", "data": "<base64>"}`, older versions a list of bytes as `data`, and a buffer that
    went through plain JSON is an object of numbers by index (baileys `Utils/generics.js`: `BufferJSON.reviver`).
    """
    if not isinstance(value, dict):
        return None
    data = value.get("data")
    if value.get("type") != "Buffer":
        data = list(value.values()) if value and all(key.isdigit() for key in value) else None
    if isinstance(data, str):
        return _from_base64(data)
    if isinstance(data, list):
        try:
            return bytes(data)  # nearly always, and in a tenth of the time
        except (ValueError, TypeError):
            if all(isinstance(byte, int) for byte in data):
                return bytes(byte & 0xFF for byte in data)
    return None


def read_by(value: object) -> frozenset[int]:
    """Given a value, return the versions of Baileys that find bytes in it: 6, 7, both or none.

    Both read base64 (`Utils/generics.js`: `BufferJSON.reviver`). 6 reads a list too, and what says `"buffer": true`;
    it leaves an object of numbers as it is. 7 reads that, and leaves the others.
    """
    if not isinstance(value, dict):
        return frozenset()
    data, versions = value.get("data"), set()
    is_buffer = value.get("type") == "Buffer"
    if is_buffer or value.get("buffer") is True:
        inside = data or value.get("value")
        if _from_base64(inside) if isinstance(inside, str) else isinstance(inside, list) and inside:
            versions.add(6)
    if (is_buffer and isinstance(data, str) and _from_base64(data)) or _is_index(value):
        versions.add(7)
    return frozenset(versions)


def _is_index(value: dict[str, object]) -> bool:
    numbers = all(type(one) in (int, float) for one in value.values())
    return bool(value) and numbers and all(key.isdigit() for key in value)


def _from_base64(text: str) -> bytes:
    """Node's decoder takes both alphabets, passes over what is in neither, ends at `=` and needs no padding."""
    digits = re.sub(_NO_BASE64, "", text.partition("=")[0].replace("-", "+").replace("_", "/"))
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))


_NO_BASE64 = r"[^A-Za-z0-9+/]"
