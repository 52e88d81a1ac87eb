"""Starts `monitor-once` without typer, which would take more of every minute than the looking does.

Plain words only: whatever is not in the tables below (help, a mistake, an abbreviation) is for typer to answer. A
test holds that both ways understand the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

SWITCHES = {
    "--json": "json",
    "--nagios": "nagios",
    "--no-notify": "no_notify",
    "--quiet": "quiet",
    "-q": "quiet",
}
VALUES = {"--textfile": "textfile", "--config": "config"}
LISTS = {"--company": "company", "--sessions": "sessions"}


def quick_command(arguments: Sequence[str]) -> Callable[[], int] | None:
    """Given the words of the command line, return what runs them, or None where typer has to."""
    if not arguments or arguments[0] != "monitor-once":
        return None
    given = understood(arguments[1:])
    if given is None:
        return None
    return partial(_monitor_once, **given)


def understood(words: Sequence[str]) -> dict[str, Any] | None:
    """Given the words behind `monitor-once`, return its parameters that were given, or None."""
    given: dict[str, Any] = {}
    lists: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        if word in SWITCHES:
            given[SWITCHES[word]] = True
            continue
        if word not in VALUES and word not in LISTS:
            return None
        value = next(rest, "-")
        if value.startswith("-"):
            return None
        if word in LISTS:
            lists.setdefault(LISTS[word], []).append(value)
        else:
            given[VALUES[word]] = value
    return given | lists


def sessions_flags(sessions: Sequence[str] | None) -> dict[str, object]:
    """Given what --sessions says, return the settings that it gives: one path, or several roots."""
    if sessions and len(sessions) > 1:
        return {"sessions.roots": list(sessions)}
    return {"sessions.path": sessions[0] if sessions else None}


def _monitor_once(
    sessions: list[str] | None = None,
    company: list[str] | None = None,
    json: bool = False,
    nagios: bool = False,
    textfile: str | None = None,
    no_notify: bool = False,
    quiet: bool = False,
    config: str | None = None,
) -> int:
    from baileys_tools.watching.monitor import MonitorOptions, monitor_command

    flags = {**sessions_flags(sessions), "sessions.companies": company, "monitor.textfile": textfile}
    options = MonitorOptions(as_json=json, nagios=nagios, notify=not no_notify, quiet=quiet)
    return monitor_command(flags, config, options)
