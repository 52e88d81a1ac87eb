"""Each list of words in a JSON schema is the enum of the code that gives them, so that neither changes alone."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from baileys_tools.errors import ExitCode

SCHEMAS = Path(__file__).parents[2] / "docs/json"
NO_ENUM = {
    ("incidents", "missed"): "the names of three figures",
    ("status", "missed"): "the names of three figures",
    ("report", "missed"): "the names of three figures",
    ("inspect", "baileys"): "versions",
    ("reset", "status"): "whether it was done",
}
"""What has no enum in the code."""


def lists(node: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what has an `enum`, with the property that it is of."""
    if isinstance(node, list):
        for one in node:
            yield from lists(one, name)
    if isinstance(node, dict):
        if "enum" in node:
            yield name, node
        for key, value in node.items():
            is_name = key not in ("items", "properties", "propertyNames", "anyOf", "oneOf")
            yield from lists(value, key if is_name else name)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.schema.json")), ids=lambda path: path.name)
def test_a_schema_is_one(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


LISTS = [
    pytest.param(verb, name, node, id=f"{verb}-{number}-{name}")
    for path in sorted(SCHEMAS.glob("*.schema.json"))
    if (verb := path.name.removesuffix(".schema.json"))
    for number, (name, node) in enumerate(lists(json.loads(path.read_text())))
]


@pytest.mark.parametrize(("verb", "name", "node"), LISTS)
def test_a_list_of_words_is_that_of_its_enum(verb: str, name: str, node: dict[str, Any]) -> None:
    """`$comment` says which: "enum of module:Class", then what is "without" or "with"; "" and null are "nothing"."""
    if name == "exit_code":
        assert set(node["enum"]) <= set(ExitCode)
        return
    if (verb, name) in NO_ENUM:
        return
    said, *changes = node["$comment"].removeprefix("enum of ").replace(" with", "\n").split("\n")
    module, _, words = said.partition(":")
    enum = getattr(importlib.import_module(module), words)
    assert issubclass(enum, StrEnum)
    expected = {one.value for one in enum}
    for change in changes:
        how, word = change.split(" ") if change.startswith("out ") else ("with", change.strip())
        assert (word in expected) is (how == "out")
        expected ^= {word}
    assert set(node["enum"]) - {"", None} == expected - {""}
