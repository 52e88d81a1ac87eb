"""When something was done last, for what must not be done again too soon, by whichever process."""

from datetime import datetime

from baileys_tools.state.database import State, from_seconds, to_seconds


def last_done(state: State, name: str, company: str) -> datetime | None:
    """Return when `name` was last done for a company, None when never."""
    rows = state.rows(
        "SELECT at FROM cooldowns WHERE name = ? AND company = ?", (name, state.scope.key(company))
    )
    return from_seconds(rows[0][0]) if rows else None


def set_cooldown(state: State, name: str, company: str, now: datetime) -> None:
    """Note that `name` is done for a company now."""
    state.change(
        "INSERT INTO cooldowns VALUES (?, ?, ?) ON CONFLICT (name, company) DO UPDATE SET at = excluded.at",
        (name, state.scope.key(company), to_seconds(now)),
    )
