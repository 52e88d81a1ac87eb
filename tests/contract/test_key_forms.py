"""In which written forms a client reads the keys of `creds.json`: asked of both versions, and judged as they do."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.rules.creds import Creds, parse_creds
from tests.contract.real_client import run_script

pytestmark = pytest.mark.contract

PARTS = (
    ("noiseKey", "private"),
    ("noiseKey", "public"),
    ("signedIdentityKey", "private"),
    ("signedIdentityKey", "public"),
    ("signedPreKey", "keyPair", "private"),
    ("signedPreKey", "keyPair", "public"),
    ("signedPreKey", "signature"),
)


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


FORMS: dict[str, tuple[Callable[[bytes], Any], set[int]]] = {
    "base64": (lambda data: {"type": "Buffer", "data": text_of(data)}, {6, 7}),
    "a list as data": (lambda data: {"type": "Buffer", "data": [*data]}, {6}),
    "value": (lambda data: {"type": "Buffer", "value": text_of(data)}, {6}),
    "buffer": (lambda data: {"buffer": True, "data": text_of(data)}, {6}),
    "numbers by index": (lambda data: {str(i): byte for i, byte in enumerate(data)}, {7}),
    "numbers by index, as data": (
        lambda data: {"type": "Buffer", "data": {str(i): byte for i, byte in enumerate(data)}},
        set(),
    ),
    "a list": (lambda data: [*data], set()),
    "a text": (text_of, set()),
    "digits": (lambda data: data.hex(), set()),
    "data alone": (lambda data: {"data": text_of(data)}, set()),
    "a list as data alone": (lambda data: {"data": [*data]}, set()),
    "another type": (lambda data: {"type": "Uint8Array", "data": [*data]}, set()),
}


def with_parts(creds: dict[str, Any], form: Callable[[bytes], Any], parts: Any) -> dict[str, Any]:
    changed = copy.deepcopy(creds)
    for *way, last in parts:
        around = changed
        for name in way:
            around = around[name]
        around[last] = form(base64.b64decode(around[last]["data"]))
    return changed


def written(creds: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Creds in each form by name: all keys in it, as a script writes them, and one alone."""
    for name, (form, _) in FORMS.items():
        yield name, json.dumps(with_parts(creds, form, PARTS))
        for part in PARTS:
            yield f"{name}, {'.'.join(part)}", json.dumps(with_parts(creds, form, [part]))


@pytest.mark.parametrize("version", [6, 7])
def test_keys_are_read_in_the_forms_that_the_client_reads(tmp_path: Path, version: int) -> None:
    script = ("key_forms.mjs", f"baileys{version}", str(tmp_path))
    run_script(*script, home=tmp_path)
    texts = dict(written(json.loads((tmp_path / "made.json").read_text())))
    (tmp_path / "texts.json").write_text(json.dumps([*texts.values()]))
    works = dict(zip(texts, json.loads(run_script(*script, home=tmp_path)), strict=True))
    assert {name for name in FORMS if works[name]} == {name for name in FORMS if version in FORMS[name][1]}
    for name, text in texts.items():
        creds = parse_creds(text.encode())
        assert isinstance(creds, Creds)
        assert creds.state == ("valid" if creds.versions else "incomplete")
        # libsignal takes some private keys as they are: one alone that is called unread may be read, not vice versa.
        assert works[name] if version in creds.versions else not (works[name] and name in FORMS), name
    assert sum(works.values()) > len(PARTS)
