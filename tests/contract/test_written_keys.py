"""In which written forms a client can use its pre-keys and sender-keys: asked of both versions, judged as they do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.records import key_content_by
from tests.contract.real_client import HERE, run_script
from tests.support import scrubbed_environment

pytestmark = pytest.mark.contract

JUDGED = (Kind.PRE_KEY, Kind.SENDER_KEY)
"""The kinds at which a client throws, each time, where it reads no bytes."""
BOTH = {6, 7}
USED_BY: dict[str, tuple[set[int], set[int]]] = {
    "base64": (BOTH, BOTH),
    "a list as data": (BOTH, BOTH),
    "value": ({6}, {6}),
    "buffer": ({6}, {6}),
    "numbers by index": ({7}, {7}),
    "numbers by index, as data": (set(), set()),
    "a list": (BOTH, {7}),
    "a text": (set(), set()),
    "states": (BOTH, {6}),
    "states as text": (BOTH, BOTH),
}
"""By form the versions that use such pre-keys, and such sender-keys."""


@pytest.mark.parametrize("version", [6, 7])
def test_keys_are_used_in_the_forms_that_the_client_uses(tmp_path: Path, version: int) -> None:
    told = json.loads(run_script("written_keys.mjs", f"baileys{version}", home=tmp_path))
    assert told.keys() == USED_BY.keys()
    for form, types in told.items():
        for kind, used_by in zip(JUDGED, USED_BY[form], strict=True):
            answer = types[kind.value]
            assert (answer["said"] is None) == (version in used_by), f"{kind} in {form}: {answer['said']}"
            assert key_content_by(kind, answer["text"].encode()) == used_by, f"{kind} in {form}"
            name = f"{kind}-{form}{'--1--0' * (kind is Kind.SENDER_KEY)}.json"
            (tmp_path / name).write_text(answer["text"])
    keys = mended(tmp_path)
    for kind in JUDGED:
        in_base64 = {name for name, text in keys.items() if name.startswith(kind) and '"data":"' in text}
        assert len(in_base64) == len(USED_BY) - (1 if kind is Kind.PRE_KEY else 2), "all but texts"
        for name in in_base64:
            assert key_content_by(kind, keys[name].encode()) == BOTH, f"{name}: {keys[name][:200]}"


def mended(folder: Path) -> dict[str, str]:
    """Run what docs/findings.md says in a folder, and return its files. It changes none a second time."""
    told = (HERE.parents[1] / "docs" / "findings.md").read_text()
    (command,) = re.findall(r"^    (\(umask 077; old=.*?\}')$", told, re.MULTILINE | re.DOTALL)
    inner = folder / "session"
    inner.mkdir()
    for path in folder.glob("*-key-*.json"):
        path.rename(inner / path.name)
        os.utime(inner / path.name, (1_000_000_000, 1_000_000_000))
    found = []
    for _ in range(2):
        subprocess.run(
            ["bash", "-c", command], cwd=inner, check=True, timeout=60, env=scrubbed_environment({})
        )
        found.append({path.name: path.read_text() for path in inner.iterdir()})
    assert found[0] == found[1]
    assert {path.stat().st_mtime for path in inner.iterdir()} == {1_000_000_000}
    assert (folder / "keys-of-session.tar").stat().st_mode & 0o77 == 0
    return found[0]


def test_what_has_no_form_is_not_judged() -> None:
    for content in (b"{}", b"", b"[1", b"null"):
        assert all(key_content_by(kind, content) == BOTH for kind in Kind), content
    assert key_content_by(Kind.SESSION, b'{"_sessions": [1]}') == BOTH
    assert key_content_by(Kind.PRE_KEY, b'{"private": {}, "public": ""}') == BOTH
