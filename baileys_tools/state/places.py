"""How companies are called, for whoever lists what is kept by place without looking at any root."""

from __future__ import annotations

import os
from collections.abc import Iterable

from baileys_tools.state.database import State


def introduce(state: State, names: Iterable[str]) -> None:
    """Remember how these companies of the run are called."""
    known = state.scope.places()
    pairs = [(known[name], name) for name in names if name in known]
    if pairs:
        state.change_many(
            "INSERT INTO places VALUES (?, ?) "
            "ON CONFLICT (place) DO UPDATE SET name = excluded.name WHERE name <> excluded.name",
            pairs,
        )


def namesakes(state: State) -> dict[str, str]:
    """Return the places of those companies of the run whose name another place has as well, by name.

    One that is there no more is no other that could be meant.
    """
    rows = state.rows(
        "SELECT place, name FROM places "
        "WHERE name IN (SELECT name FROM places GROUP BY name HAVING count(*) > 1)"
    )
    known = state.scope.places() if rows else {}
    return {
        name: known[name]
        for place, name in rows
        if name in known and place != known[name] and ("://" in place or os.path.lexists(place))
    }


def known_places(state: State) -> dict[str, str]:
    """Return the name of each place that was introduced, by place."""
    return dict(state.rows("SELECT place, name FROM places"))
