"""A session as records: (type, id) and value, however a store writes them, and the files that they are in a folder.

Baileys knows a key as a type and an id (`Types/Auth.d.ts`: `SignalKeyStore`); a folder names its file after both. A
store keeps the same pair in columns or in one name, with the true id or with the one that a file name could hold. The
bytes in a value are Buffers, of which three written forms are in use; which of them a reader takes differs by version.
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.sessions.rules.creds import VERSIONS
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, kind_of
from baileys_tools.sessions.rules.node_json import UnreadJson, buffer, read_by, read_json

CREDS = "creds.json"


class RecordName(NamedTuple):
    """What Baileys calls a record: `type` as in `SignalDataTypeMap`, `id` the true one. Creds are no record."""

    type: str
    id: str


_TYPES = tuple(sorted((kind.value for kind in Kind if kind.traits.is_record), key=len, reverse=True))
"""The longest first: `sender-key` also begins `sender-key-memory`."""
_KNOWN = frozenset(_TYPES)


def fixed(name: str) -> str:
    """Given a name, return it as a file's (baileys `Utils/use-multi-file-auth-state.js`: `fixFileName`)."""
    return name.replace("/", "__").replace(":", "-") if "/" in name or ":" in name else name


def file_name(record: tuple[str, str]) -> str:
    """Given a record, return the name of its file. Ids that were fixed already come to the same."""
    type_, key_id = record
    return fixed(f"{type_}-{key_id}.json")


def record_of(name: str) -> RecordName | None:
    """Given the name of a key's file, return its record with the true id; None for creds, companions and the unknown.

    `fixFileName` cannot be turned round in general. For each type of Baileys it can: a sender-key's id is
    `group::user::device`, the id of an app-state-sync-key is base64, and no other has a `:` or a `/` in it.
    """
    kind = kind_of(name)
    if kind.value not in _TYPES or not name.endswith(".json"):
        return None
    key_id = key_id_of(name, kind)
    if kind is Kind.SENDER_KEY:
        # From the right: old group ids have a dash of their own.
        key_id = "::".join(key_id.rsplit("--", 2))
    elif kind is Kind.APP_STATE_SYNC_KEY:
        key_id = key_id.replace("__", "/")
    return RecordName(kind.value, key_id)


def split_name(text: str) -> RecordName | None:
    """Given `<type>-<id>` as a store has it, with the true id or the fixed one, return the record; None for no type."""
    for known in _TYPES:
        if text.startswith(known + "-") and len(text) > len(known) + 1:
            return record_of(file_name(RecordName(known, text[len(known) + 1 :])))
    return None


def is_type(text: str) -> bool:
    """Whether a text is a type that Baileys has records of."""
    return text in _KNOWN


def misfiled(type_: str, key_id: str) -> RecordName | None:
    """Given type and id of a row whose type nobody knows, return the record that was meant, None where nothing tells.

    A script that splits a file's name at its first dash files `pre-key-5` as (`pre`, `key-5`): no client finds that.
    """
    return None if is_type(type_) else split_name(f"{type_}-{key_id}")


# --- values ---------------------------------------------------------------------------------------------------


class Form(StrEnum):
    """How the bytes of a Buffer are written where they are written anew."""

    BASE64 = "base64"
    """`{"type": "Buffer", "data": "<base64>"}` of `BufferJSON.replacer`: both versions of Baileys read it."""
    ARRAY = "array"
    """`{"type": "Buffer", "data": [1, 2]}` of a plain `JSON.stringify`: some stores read nothing else."""


class NoValue(ValueError):
    """A text that is no value of a record: Node would refuse it, or Baileys take it for missing."""


def canonical(content: bytes) -> bytes:
    """Given a value as JSON, return it as a folder has it: Buffers in base64, nothing between the tokens.

    What is written so already comes back byte for byte. Raises NoValue.
    """
    value = _value(content)
    return content if is_canonical(content) else _dumped(_with_buffers(value, Form.BASE64))


def is_canonical(content: bytes) -> bool:
    """Whether a value is written as a folder has it, where it is one: its text tells, and it is not parsed."""
    return not _MAY_DIFFER.search(content) and not _has_space(content)


def in_form(content: bytes, form: Form) -> bytes:
    """Given a value as JSON, return it with its Buffers in a form. Raises NoValue."""
    return canonical(content) if form is Form.BASE64 else _dumped(_with_buffers(_value(content), form))


def meaning(content: bytes) -> str:
    """Given a value as JSON, return the sha256 (hex) of what it means: Buffers as bytes, keys in order, numbers as
    JavaScript tells them apart. Equal for one value however it is written. Raises NoValue."""
    plain = json.dumps(_plain_numbers(_with_buffers(_value(content), Form.BASE64)), sort_keys=True)
    return _sha256(plain.encode())


def meanings(files: Mapping[str, bytes]) -> dict[str, str]:
    """Given the files of a session by name, return what each means; of what is no JSON, the sha256 of its bytes."""
    found = {}
    for name, content in files.items():
        try:
            found[name] = meaning(content)
        except NoValue:
            found[name] = "bytes " + _sha256(content)
    return found


def session_digest(found: Mapping[str, str]) -> str:
    """Given what each file of a session means, return one digest of all, equal in a folder and in any store."""
    lines = "".join(f"{what} {name}\n" for name, what in sorted(found.items()))
    return _sha256(lines.encode("utf-8", "surrogateescape"))


def _sha256(content: bytes) -> str:
    import hashlib  # a pass judges forms alone

    return hashlib.sha256(content).hexdigest()


class Apart(NamedTuple):
    """What tells two sessions apart, by the names of files: only here, only there, and of another meaning."""

    missing: tuple[str, ...]
    added: tuple[str, ...]
    altered: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.added or self.altered)


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Apart:
    """Given what the files of two sessions mean, return what tells them apart: sets both ways, and every value."""
    both = before.keys() & after.keys()
    return Apart(
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(name for name in both if before[name] != after[name])),
    )


def _value(content: bytes) -> object:
    try:
        value = read_json(content)
    except UnreadJson as unread:
        raise NoValue(unread.refusal.value) from None
    if value is None:
        raise NoValue("null")  # in every store the same as missing
    return value


_MAY_DIFFER = re.compile(rb'"data":\s*\[|"value":|"buffer":|"0":')
"""What the other forms of a Buffer have in their text."""


def _has_space(content: bytes) -> bool:
    """Whether there is space between tokens, as jsonb writes it. In a string it does no harm to be found."""
    return b'": ' in content or b", " in content or content[:1].isspace() or content[-1:].isspace()


def _with_buffers(value: object, form: Form) -> object:
    if isinstance(value, list):
        return [_with_buffers(one, form) for one in value]
    if not isinstance(value, dict):
        return value
    if (found := _bytes(value)) is not None:
        import base64

        data = base64.b64encode(found).decode() if form is Form.BASE64 else [*found]
        return {"type": "Buffer", "data": data}
    return {key: _with_buffers(one, form) for key, one in value.items()}


def _bytes(value: Mapping[str, object]) -> bytes | None:
    """Return the bytes of a Buffer in any of its forms. An index map is one only with each index in its place."""
    if value.get("type") == "Buffer":
        return buffer(value)
    if value and all(type(one) is int and 0 <= one < 256 for one in value.values()):
        indexes = {str(number) for number in range(len(value))}
        if value.keys() == indexes:
            return bytes(value[str(number)] for number in range(len(value)))  # type: ignore[misc]
    return None


def _plain_numbers(value: object) -> object:
    if isinstance(value, list):
        return [_plain_numbers(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain_numbers(one) for key, one in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 53:
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dumped(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    # Pairs were joined when it was read; a lone half has no UTF-8, and JavaScript writes it as an escape.
    return _LONE.sub(lambda found: f"\\u{ord(found.group()):04x}", text).encode()


_LONE = re.compile("[\ud800-\udfff]")


# --- which versions of Baileys can use what a file has -----------------------------------------------------------
# Measured with the real clients (`tests/contract/test_written_keys.py`). A session and an app-state-sync-key are
# plain texts, and have no form.

_ONLY_6, _ONLY_7, _NONE = frozenset((6,)), frozenset((7,)), frozenset[int]()


def read_key_by(kind: Kind, value: object) -> frozenset[int]:
    """Given the value of a key file, return the versions that can use it; all of them where no form is at fault."""
    if kind is Kind.PRE_KEY:
        pair = value if isinstance(value, dict) else {}
        parts = [pair[half] for half in ("private", "public") if pair.get(half)]
        return frozenset(VERSIONS.intersection(*map(_used_by, parts)))
    return _sender_key_by(value) if kind is Kind.SENDER_KEY and value else VERSIONS


def key_content_by(kind: Kind, content: bytes) -> frozenset[int]:
    """Given the bytes of a key file, return the same; of what is no JSON its form says nothing."""
    try:
        return read_key_by(kind, read_json(content))
    except UnreadJson:
        return VERSIONS


def _used_by(part: object) -> frozenset[int]:
    """Both versions hand what their reviver left to `Buffer.from` (`Signal/libsignal.js: loadPreKey`), which takes a
    list of numbers and what a plain `JSON.stringify` makes of a buffer."""
    data = part.get("data") if isinstance(part, dict) and part.get("type") == "Buffer" else part
    return VERSIONS if _is_numbers(data) else read_by(part)


def _sender_key_by(value: object) -> frozenset[int]:
    """`Signal/Group/sender-key-record.js: deserialize`: 6 takes bytes, a text, or the states as older ones wrote them;
    7 makes bytes of whatever there is. A text is their JSON."""
    if isinstance(value, str):
        try:
            return VERSIONS if isinstance(read_json(value.encode()), list) else _NONE
        except (UnreadJson, UnicodeEncodeError):
            return _NONE
    if isinstance(value, list):
        return _ONLY_7 if _is_numbers(value) else _ONLY_6
    return _used_by(value)


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int for one in value)
