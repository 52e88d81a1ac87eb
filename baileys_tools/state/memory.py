"""Small values that a command wants to find again at its next run: folder stamps, log offsets, counters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from baileys_tools.parsing import parse_state
from baileys_tools.state.database import State


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
