"""How companies are called, for whoever lists what is kept by place without looking at any root."""

from __future__ import annotations

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


def known_places(state: State) -> dict[str, str]:
    """Return the name of each place that was introduced, by place."""
    return dict(state.rows("SELECT place, name FROM places"))
