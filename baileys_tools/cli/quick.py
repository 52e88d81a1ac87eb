"""Starts what cron runs most often without typer, which would take more of every minute than the looking does.

Plain words only: whatever is not in the tables below (help, a mistake, an abbreviation) is for typer to answer. A
test holds that both ways understand the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

Options = dict[str, tuple[str, bool | type]]

_COMMON: Options = {
    "--sessions": ("sessions", list),
    "--company": ("company", list),
    "--json": ("json", True),
    "--quiet": ("quiet", True),
    "-q": ("quiet", True),
    "--config": ("config", str),
}
OPTIONS: dict[str, Options] = {
    "monitor-once": {
        **_COMMON,
        "--nagios": ("nagios", True),
        "--no-notify": ("no_notify", True),
        "--textfile": ("textfile", str),
    },
    "cleanup": {
        **_COMMON,
        "--dry-run": ("dry_run", True),
        "--no-dry-run": ("dry_run", False),
        "--verbose": ("verbose", True),
        "-v": ("verbose", True),
        "--pre-key-guard": ("pre_key_guard", True),
        "--no-pre-key-guard": ("pre_key_guard", False),
        "--session-max-age": ("session_max_age", str),
        "--sender-key-max-age": ("sender_key_max_age", str),
        "--max-pre-keys": ("max_pre_keys", str),
        "--until": ("until", str),
        "--now": ("now", str),
    },
}
"""By command, each option with its parameter, and what it gives that: a truth, the next word, or one more word."""


def quick_command(arguments: Sequence[str]) -> Callable[[], int] | None:
    """Given the words of the command line, return what runs them, or None where typer has to."""
    if not arguments or arguments[0] not in OPTIONS:
        return None
    given = understood(arguments[0], arguments[1:])
    if given is None:
        return None
    return partial(monitor_once if arguments[0] == "monitor-once" else cleanup, **given)


def understood(command: str, words: Sequence[str]) -> dict[str, Any] | None:
    """Given a command and the words behind it, return its parameters that were given, or None."""
    given: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word not in OPTIONS[command]:
            return None
        name, gives = OPTIONS[command][word]
        if isinstance(gives, bool):
            given[name] = gives
            continue
        value = next(rest, "-")
        if value.startswith("-"):
            return None
        given[name] = [*given.get(name, ()), value] if gives is list else value
    return given


def sessions_flags(sessions: Sequence[str] | None) -> dict[str, object]:
    """Given what --sessions says, return the settings that it gives: one path, or several roots."""
    if sessions and len(sessions) > 1:
        return {"sessions.roots": list(sessions)}
    return {"sessions.path": sessions[0] if sessions else None}


def monitor_once(
    sessions: list[str] | None = None,
    company: list[str] | None = None,
    json: bool = False,
    nagios: bool = False,
    textfile: str | None = None,
    no_notify: bool = False,
    quiet: bool = False,
    config: str | None = None,
) -> int:
    """Run `monitor-once` with the parameters of its command."""
    from baileys_tools.watching.monitor import MonitorOptions, monitor_command

    flags = {
        **sessions_flags(sessions),
        "sessions.companies": company or None,
        "monitor.textfile": textfile,
    }
    options = MonitorOptions(as_json=json, nagios=nagios, notify=not no_notify, quiet=quiet)
    return monitor_command(flags, config, options)


def cleanup(
    sessions: list[str] | None = None,
    company: list[str] | None = None,
    dry_run: bool | None = None,
    verbose: bool = False,
    json: bool = False,
    quiet: bool = False,
    pre_key_guard: bool | None = None,
    session_max_age: str | None = None,
    sender_key_max_age: str | None = None,
    max_pre_keys: str | None = None,
    until: str | None = None,
    now: str | None = None,
    config: str | None = None,
) -> int:
    """Run `cleanup` with the parameters of its command."""
    from baileys_tools.cleanup.cleaning import cleanup_command

    flags = {
        **sessions_flags(sessions),
        "sessions.companies": company or None,
        "cleanup.dry_run": dry_run,
        "cleanup.session_max_age": session_max_age,
        "cleanup.sender_key_max_age": sender_key_max_age,
        "cleanup.until": until,
        "pre_keys.keep": max_pre_keys,
        "pre_keys.guard": pre_key_guard,
    }
    return cleanup_command(flags, config, now, verbose=verbose, as_json=json, quiet=quiet)
