"""Reads the settings file as plain text values with their lines, refusing everything a bomb is made of.

No tags, anchors, aliases or merge keys, no key twice, little depth, few values: what is left is read from
libyaml's events in one pass, without ever building what the file asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

DEEPEST = 12
MOST_VALUES = 10_000

_NULLS = ("", "~", "null", "Null", "NULL")


class Node:
    """A value of the file and its line, from 1. `value` is text, None, a list of nodes or a dict of nodes."""

    __slots__ = ("line", "value")

    def __init__(self, line: int, value: Any) -> None:
        self.line = line
        self.value = value

    def plain(self) -> Any:
        """Return the value with all nodes below it as text, None, lists and dicts."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_yaml(file: str, content: bytes) -> tuple[Node, list[str]]:
    """Given a file's name and content, return its top node and what is wrong with it, one line a problem.

    A broken file gives an empty node, so that the other sources can still be checked.
    """
    reader = _YamlReader(file)
    try:
        top = reader.document(yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        reader.problems.append(_syntax_problem(file, error, content))
        return Node(1, {}), reader.problems
    except _TooMuchError:
        return Node(1, {}), reader.problems
    if not isinstance(top.value, dict):
        if top.value is not None:
            reader.problems.append(f'{file}:{top.line}: has to hold sections, such as "cleanup:"')
        top = Node(top.line, {})
    return top, reader.problems


def _syntax_problem(file: str, error: yaml.YAMLError, content: bytes) -> str:
    # Never str(error): it quotes lines of the file, and those may hold secrets.
    mark = getattr(error, "problem_mark", None)
    where = f"{file}:{mark.line + 1}" if mark else file
    reason = getattr(error, "problem", None) or getattr(error, "reason", "unreadable")
    lines = content.splitlines()[max(0, mark.line - 1) : mark.line + 1] if mark else []
    # bot@{company}.service reads as a mapping that begins in the middle of a word.
    braces = any(b"{company}" in line for line in lines)
    return f"{where}: not valid YAML: {reason}" + (
        '; quote values with braces: "{company}"' if braces else ""
    )


class _TooMuchError(Exception):
    """The file is not worth reading further."""


class _YamlReader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[str] = []
        self.values = 0
        self.events: Iterator[Any] = iter(())

    def document(self, events: Iterator[Any]) -> Node:
        self.events = events
        top = Node(1, None)
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.refuse(event, "", "a second document is not allowed")
                    raise _TooMuchError
            elif isinstance(event, yaml.NodeEvent):
                top = self.node(event, "", 0)
        return top

    def refuse(self, event: Any, path: str, reason: str) -> None:
        where = f"{self.file}:{event.start_mark.line + 1}"
        self.problems.append(f"{path}: {reason} ({where})" if path else f"{where}: {reason}")

    def node(self, event: Any, path: str, depth: int) -> Node:
        line = event.start_mark.line + 1
        self.values += 1
        if depth > DEEPEST or self.values > MOST_VALUES:
            self.refuse(event, path, "nested too deep" if depth > DEEPEST else "too many values")
            raise _TooMuchError
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event, path, f"aliases are not allowed (*{event.anchor})")
            return Node(line, None)
        if event.anchor:
            self.refuse(event, path, f"anchors are not allowed (&{event.anchor})")
        if event.tag:
            self.refuse(event, path, f"tags are not allowed ({event.tag})")
        if isinstance(event, yaml.MappingStartEvent):
            return Node(line, self.mapping(path, depth))
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(line, self.sequence(path, depth))
        is_null = event.implicit[0] and event.value in _NULLS
        return Node(line, None if is_null else event.value)

    def sequence(self, path: str, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, f"{path}[{len(items)}]", depth + 1))
        return items

    def mapping(self, path: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key_node = self.node(event, path, depth + 1)
            key = key_node.value if isinstance(key_node.value, str) else ""
            # A key of half a megabyte over thousands of values would take seconds to repeat.
            below = f"{path}.{key[:60]}" if path else key[:60]
            if not key:
                self.refuse(event, path, "a key has to be a word")
            elif key == "<<":
                self.refuse(event, path, "merge keys (<<) are not allowed")
            elif key in entries:
                self.refuse(event, below, f"given twice, first on line {entries[key].line}")
            value = self.node(next(self.events), below, depth + 1)
            if key and key != "<<":
                entries.setdefault(key, Node(key_node.line, value.value))
        return entries
