"""Small values that a command wants to find again at its next run: folder stamps, log offsets, counters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from baileys_tools.parsing import parse_state
from baileys_tools.state.database import State

PART = 250
"""Values in a row of `keep_parts`: some hundred kilobytes."""
MOST_PARTS = 999_999


def recall(state: State, key: str, company: str = "") -> Any:
    """Return the value that was kept under `key` for a company ("" is the host), None when there is none."""
    rows = state.rows("SELECT value FROM memory WHERE key = ? AND company = ?", (key, _key(state, company)))
    return _value(rows[0][0]) if rows else None


def recall_all(state: State, key: str) -> dict[str, Any]:
    """Return the values that were kept under `key` for the companies of this run, by company."""
    rows = state.rows("SELECT company, value FROM memory WHERE key = ?", (key,))
    found = ((state.scope.name(company), text) for company, text in rows)
    return {name: _value(text) for name, text in found if name}


def keep(state: State, key: str, value: Any, company: str = "") -> None:
    """Keep a JSON value under `key`. The same value again is not written again."""
    keep_of_each(state, key, {company: value})


def keep_of_each(state: State, key: str, values: Mapping[str, Any]) -> None:
    """Keep the JSON values of several companies under `key`, as `keep` does one."""
    rows = [
        (key, _key(state, company), json.dumps(value, separators=(",", ":")))
        for company, value in values.items()
    ]
    if rows:
        state.change_many(
            "INSERT INTO memory VALUES (?, ?, ?) "
            "ON CONFLICT (key, company) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
            rows,
        )


def keep_parts(state: State, key: str, values: Iterable[tuple[str, Any]], company: str) -> None:
    """Keep very many named values beside what is kept under `key`, some in a row: neither is all of it one text in
    memory, nor is all written again for one that has changed."""
    rest = iter(values)
    number = 0
    while part := dict(islice(rest, PART)):
        keep(state, _part(key, number), part, company)
        number += 1
    first, last = _part(key, number), _part(key, MOST_PARTS)
    state.change(
        "DELETE FROM memory WHERE company = ? AND key BETWEEN ? AND ?", (_key(state, company), first, last)
    )


def recall_with_parts(state: State, key: str, company: str) -> tuple[Any, dict[str, Any]]:
    """Return what was kept under `key`, None when there is nothing, and what `keep_parts` kept beside it."""
    rows = state.rows(
        # One question, as another process may write between two.
        "SELECT key, value FROM memory WHERE company = ? AND key BETWEEN ? AND ? ORDER BY key DESC",
        (_key(state, company), key, _part(key, MOST_PARTS)),
    )
    found: dict[str, Any] = {}
    whole = None
    while rows:
        name, text = rows.pop()
        value = _value(text)
        if name == key:
            whole = value
        elif isinstance(value, dict):
            found |= value
    return whole, found


def _part(key: str, number: int) -> str:
    return f"{key} {number:06}"


def forget(state: State, key: str, company: str = "") -> None:
    """Forget what was kept under `key` for a company."""
    state.change("DELETE FROM memory WHERE key = ? AND company = ?", (key, _key(state, company)))


def _key(state: State, company: str) -> str:
    return state.scope.key(company) if company else ""


def _value(text: object) -> Any:
    try:
        return parse_state(text)
    except ValueError:
        return None
