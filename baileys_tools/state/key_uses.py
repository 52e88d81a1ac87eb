"""When the keys of each session folder were used, a row a key: a run writes what it found changed and no more."""

import json
from collections.abc import Iterable

from baileys_tools.parsing import parse_state
from baileys_tools.state import memory
from baileys_tools.state.database import State

LOOKS = "uses"
"""The key of the memory under which stand since when a folder's keys are known, and when they were looked at last."""

KeyRow = tuple[str, str, str, int, int, list[int]]
"""Digest, what it is, digest of its group, from when on it is known, its last use, its times without use: in minutes
since 1970."""


def uses_kept(state: State, company: str) -> tuple[object, list[KeyRow]]:
    """Return what is known of a company's looks, and its keys."""
    rows = state.rows(
        "SELECT mark, what, in_group, first, last, gaps FROM key_uses WHERE company = ?",
        (state.scope.key(company),),
    )
    return memory.recall(state, LOOKS, company), [
        (mark, what, group, first, last, _gaps(text)) for mark, what, group, first, last, text in rows
    ]


def keep_uses(
    state: State, company: str, looks: list[int], changed: Iterable[KeyRow], forgotten: Iterable[str] | None
) -> None:
    """Keep the looks of a company and the keys that changed, without those that are forgotten (None: all before)."""
    key = state.scope.key(company)
    with state.transaction():
        if forgotten is None:
            state.change("DELETE FROM key_uses WHERE company = ?", (key,))
        elif gone := [(key, mark) for mark in forgotten]:
            state.change_many("DELETE FROM key_uses WHERE company = ? AND mark = ?", gone)
        if rows := [(key, *row, json.dumps(gaps, separators=(",", ":"))) for *row, gaps in changed]:
            state.change_many("INSERT OR REPLACE INTO key_uses VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        memory.keep(state, LOOKS, looks, company)


def _gaps(text: object) -> list[int]:
    try:
        found = parse_state(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []
