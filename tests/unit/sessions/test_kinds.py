"""A kind of file is one row of one table: nothing that is known of kinds may lack one."""

from __future__ import annotations

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
from baileys_tools.sessions.rules.records import record_of
from tests import kinds, oracle
from tests.unit.sessions.test_keyfiles import KNOWN


def test_the_table_of_kinds_in_the_documentation_is_that_of_the_code() -> None:
    assert kinds.TABLE.findall((kinds.DOCS / "policy.md").read_text()) == [kinds.table()], "run: make docs"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_an_example_that_the_second_opinion_knows(kind: Kind) -> None:
    examples = [name for name, known, _ in KNOWN if known is kind]
    assert examples or kind is Kind.UNKNOWN, f"add a name of {kind} to KNOWN"
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
    lists = {path.name: kinds.lists_of_kinds(schema) for path, schema in kinds.schemas()}
    assert len(lists) >= 5
    for name, found in lists.items():
        for one in found:
            assert one["enum"] == [kind.value for kind in Kind], f"{name}: run: make docs"


def test_every_record_of_baileys_is_told_from_its_name() -> None:
    for name, kind, _ in KNOWN:
        assert (record_of(name) is not None) is kind.traits.is_record
