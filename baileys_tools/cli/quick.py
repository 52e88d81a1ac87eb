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
VALUES = {"--sessions": "sessions", "--textfile": "textfile", "--config": "config"}
LISTS = {"--company": "company"}


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
    companies: list[str] = []
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
            companies.append(value)
        else:
            given[VALUES[word]] = value
    return given | ({"company": companies} if companies else {})


def _monitor_once(
    sessions: str | None = None,
    company: list[str] | None = None,
    json: bool = False,
    nagios: bool = False,
    textfile: str | None = None,
    no_notify: bool = False,
    quiet: bool = False,
    config: str | None = None,
) -> int:
    from baileys_tools.watching.monitor import MonitorOptions, monitor_command

    flags = {"sessions.path": sessions, "sessions.companies": company, "monitor.textfile": textfile}
    options = MonitorOptions(as_json=json, nagios=nagios, notify=not no_notify, quiet=quiet)
    return monitor_command(flags, config, options)
