"""A kind of file is one row of one table: nothing that is known of kinds may lack one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.rules.keyfiles import (
    PROTECTED,
    REMOVABLE,
    REMOVED_BY_AGE,
    REMOVED_BY_DEFAULT,
    REMOVED_IF_UNUSED,
    Kind,
    companions_of,
    is_companion,
    key_of,
    kind_of,
)
from tests import oracle
from tests.unit.sessions.test_keyfiles import KNOWN

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_line_in_the_documentation(kind: Kind) -> None:
    traits = kind.traits
    line = f"| `{kind}` | {traits.removed} | {traits.returns} | {'yes' if traits.counted else 'no'} |"
    assert line in (DOCS / "policy.md").read_text().splitlines()


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_an_example_that_the_second_opinion_knows(kind: Kind) -> None:
    examples = [name for name, known, _ in KNOWN if known is kind]
    assert examples or kind is Kind.UNKNOWN
    assert {oracle.kind_of(name) for name in examples} <= {kind.value}


@pytest.mark.parametrize("kind", sorted(REMOVABLE))
def test_every_removable_kind_has_a_grammar(kind: Kind) -> None:
    """A name that only begins like one of Baileys' is never removed."""
    assert kind.traits.grammar
    assert kind_of(f"{kind}-.json") is Kind.UNKNOWN
    assert kind_of(f"{kind}-{'1' * 300}.0.json") is Kind.UNKNOWN


def test_what_may_be_removed_is_fixed() -> None:
    assert {Kind.PRE_KEY, Kind.SESSION, Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY} == REMOVED_BY_DEFAULT
    assert REMOVED_BY_DEFAULT - {Kind.PRE_KEY} == REMOVED_BY_AGE
    assert {Kind.DEVICE_LIST, Kind.IDENTITY_KEY} == REMOVED_IF_UNUSED
    assert REMOVED_BY_DEFAULT | REMOVED_IF_UNUSED == REMOVABLE
    assert not REMOVABLE & PROTECTED


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind, _ in KNOWN])
def test_a_companion_is_what_its_key_is(name: str, kind: Kind) -> None:
    for companion in companions_of(name):
        assert (kind_of(companion), key_of(companion), is_companion(companion)) == (kind, name, True)
    assert not is_companion(name)
    assert kind_of(f"{name}.old") is Kind.UNKNOWN


def test_every_schema_that_lists_kinds_lists_all() -> None:
    lists = [
        (path.name, found)
        for path in sorted((DOCS / "json").glob("*.json"))
        for found in _enums(json.loads(path.read_text()))
        if Kind.LID_MAPPING.value in found
    ]
    assert len(lists) >= 5
    for name, found in lists:
        assert found == [kind.value for kind in Kind], name


def _enums(schema: Any) -> Iterator[list[str]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield schema["enum"]
        for value in schema.values():
            yield from _enums(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _enums(value)
