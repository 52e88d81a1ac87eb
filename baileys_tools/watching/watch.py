"""`watch`: `status` again and again, in the terminal of whoever is logged in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.ending import BrokenOff
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError, why
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.state.database import open_state
from baileys_tools.units import parse_duration
from baileys_tools.watching.show.watch_text import LastRun, View, watch_lines
from baileys_tools.watching.status import fleet_status

SHORTEST = timedelta(seconds=1)
SHOWN_RUNS = ("monitor-once", "trigger", "cleanup", "backup", "recover", "verify")
"""The commands that cron runs, by how much they matter."""


def watch_command(flags: Mapping[str, object], config: str | None, interval: str) -> ExitCode:
    """Given the command line, show how all are until the person at the terminal has seen enough."""
    loaded = settings_in_force(flags, config)
    root_path = require_sessions_path(loaded)
    every = _interval(interval)
    _require_terminal()
    settings = loaded.settings
    now = datetime.now(UTC)
    with recorded("watch", settings, now, quiet=True) as run:
        # Before the terminal is taken: what is wrong from the start is said as ever.
        view = look(settings, root_path, every, now)
        watch(view, lambda before, moment: look_again(before, settings, root_path, moment))
        run.ended(ExitCode.DONE)
    return ExitCode.DONE


def watch(view: View, again: Callable[[View, datetime], View]) -> None:
    """Show a view, and another one after each interval, until the person at the terminal quits."""
    from baileys_tools.frame.show.terminal import Style
    from baileys_tools.watching.show.live_screen import Event, LiveScreen

    style = Style()
    try:
        with LiveScreen() as screen:
            due = time.monotonic() + view.interval.total_seconds()
            while True:
                columns, lines = screen.size
                screen.show(watch_lines(view, style, columns, lines))
                event = screen.wait(due - time.monotonic())
                if event is Event.QUIT:
                    return
                if event is not Event.RESIZED:
                    view = again(view, datetime.now(UTC))
                    due = time.monotonic() + view.interval.total_seconds()
    except BrokenOff:
        # The way out for whoever watches.
        return


def look(settings: Settings, root_path: str, interval: timedelta, now: datetime) -> View:
    """Return how all are now. Raises BaileysToolsError when no company can be looked at at all."""
    from baileys_tools.state.runs import last_runs

    # Opened for each look: a watch that stays on for days must not keep the state from being mended.
    with open_state(settings.state.dir, now) as state:
        status = fleet_status(settings, root_path, state, now)
        runs = last_runs(state)
    shown = [LastRun(name, runs[name].started, runs[name].exit_code) for name in SHOWN_RUNS if name in runs]
    return View(status, shown, now, interval)


def look_again(before: View, settings: Settings, root_path: str, now: datetime) -> View:
    """Return how all are now, or, where that cannot be told, the view from before with the reason."""
    try:
        return look(settings, root_path, before.interval, now)
    except BaileysToolsError as error:
        return before._replace(now=now, trouble=error.message)
    except OSError as error:
        return before._replace(now=now, trouble=why(error))


def _interval(text: str) -> timedelta:
    if text.isdecimal() and int(text[:9]):
        raise UsageError(
            f"--interval: {text} of what?", f"Seconds: --interval {text}s, minutes: --interval {text}m"
        )
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--interval: {error}") from error
    if found < SHORTEST:
        raise UsageError("--interval: less than a second", "Looking more often than that shows nothing new.")
    return found


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(
            "watch needs a terminal that can be drawn on",
            "For a script, a pipe or a log: baileys-tools status, or status --json.",
        )
