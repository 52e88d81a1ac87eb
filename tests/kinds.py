"""Writes what the documentation lists of kinds of files from their table (baileys_tools/sessions/rules/keyfiles.py).

    python -m tests.kinds

does the table of docs/policy.md and each list of kinds in docs/json; `tests/unit/sessions/test_kinds.py` compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from baileys_tools.sessions.rules.keyfiles import Kind

DOCS = Path(__file__).parents[1] / "docs"
TABLE = re.compile(r"(?<=<!-- kinds, made by tests/kinds.py -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL)


def table() -> str:
    """Return the table of all kinds, a line each."""
    lines = ["| kind | a cleanup removes it | a restore brings it back | counted |", "|---|---|---|---|"]
    for kind in Kind:
        traits = kind.traits
        counted = "yes" if traits.counted else "no"
        lines.append(f"| `{kind}` | {traits.removed} | {traits.returns} | {counted} |")
    return "\n".join(lines) + "\n"


def lists_of_kinds(schema: Any) -> Iterator[dict[str, Any]]:
    """Find each part of a schema whose `enum` lists kinds of files."""
    if isinstance(schema, dict):
        if isinstance(found := schema.get("enum"), list) and Kind.LID_MAPPING.value in found:
            yield schema
        for value in schema.values():
            yield from lists_of_kinds(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from lists_of_kinds(value)


def schemas() -> Iterator[tuple[Path, Any]]:
    """Return each schema of a result that lists kinds, with its content."""
    for path in sorted((DOCS / "json").glob("*.json")):
        schema = json.loads(path.read_text())
        if any(lists_of_kinds(schema)):
            yield path, schema


if __name__ == "__main__":
    policy = DOCS / "policy.md"
    policy.write_text(TABLE.sub(lambda _: table(), policy.read_text()))
    for path, schema in schemas():
        for found in lists_of_kinds(schema):
            found["enum"] = [kind.value for kind in Kind]
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
