"""Takes over what a version before kept by names alone: each name becomes the place of the company that it was.

A name belongs to the root that the state remembers, if that has it; else to the first root that comes with it. What
no root has come with yet keeps its name, and waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

from baileys_tools.state.memory import forget, keep, recall
from baileys_tools.state.scope import is_place, root_key

if TYPE_CHECKING:
    from baileys_tools.state.database import State

MARK = "to-adopt"
"""Under this key the state keeps the names that wait; 1 where nobody has looked for them yet."""

OF_A_ROOT = ("looks", "monitor-said", "monitor-snapshots", "monitor-trouble")
"""The keys of the memory that are about a root, and had none of its own."""

_TABLES = (
    "observations",
    "cooldowns",
    "alerts",
    "incidents",
    "memory",
    "key_uses",
    "log_hours",
    "link_days",
    "company_runs",
)


def waiting_names(state: State) -> frozenset[str] | None:
    """Return the names that wait for their place, "" among them for what is about a root; None where nothing waits."""
    mark = recall(state, MARK)
    if mark is None:
        return None
    if isinstance(mark, list):
        return frozenset(mark)
    return _look(state)


def wait_for_places(state: State) -> None:
    """Note that rows have come that are kept by a name."""
    keep(state, MARK, 1)


def adopt(state: State, waiting: Set[str], places: Mapping[str, str], root: str | None) -> None:
    """Given the names that wait, move the rows of those in `places` to their place.

    What is about a root goes to `root`, where that is the one. All in one step, and the same again is the same.
    """
    with state.transaction():
        ours = waiting & places.keys()
        for name in ours:
            _move(state, name, places[name])
        left = waiting - ours
        if root is not None:
            _move_root(state, root_key(root))
            left -= {""}
        if left:
            keep(state, MARK, sorted(left))
        else:
            forget(state, MARK)


def _look(state: State) -> frozenset[str]:
    rows = state.rows(" UNION ".join(f"SELECT company FROM {table}" for table in _TABLES))  # noqa: S608
    return frozenset(one for (one,) in rows if not is_place(one))


def _move(state: State, name: str, place: str) -> None:
    state.change(
        "INSERT INTO company_runs SELECT ?, command, at, changed FROM company_runs WHERE company = ? "
        "ON CONFLICT (company, command) DO UPDATE SET at = excluded.at, changed = excluded.changed "
        "WHERE excluded.at > at",
        (place, name),
    )
    for table in _TABLES:
        # What is kept by the place already is newer than what waited.
        state.change(f"UPDATE OR IGNORE {table} SET company = ? WHERE company = ?", (place, name))  # noqa: S608
        state.change(f"DELETE FROM {table} WHERE company = ?", (name,))  # noqa: S608
    state.change("INSERT OR IGNORE INTO places VALUES (?, ?)", (place, name))


def _move_root(state: State, key: str) -> None:
    for memory in OF_A_ROOT:
        state.change(
            "UPDATE OR IGNORE memory SET company = ? WHERE company = '' AND key = ?",
            (key, memory),
        )
    state.change("UPDATE OR IGNORE alerts SET company = ? WHERE company = ''", (key,))
