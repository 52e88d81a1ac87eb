"""What `cron status` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from baileys_tools.frame.show.json_text import timestamp
from baileys_tools.frame.show.terminal import Style
from baileys_tools.host.rules.cron_status import JobState, JobVerdict
from baileys_tools.units import format_age, printable

_COLOURS = {
    JobVerdict.OK: "green",
    JobVerdict.WAITING: "dim",
    JobVerdict.PARTLY: "yellow",
    JobVerdict.FAILED: "red",
    JobVerdict.MISSED: "red",
}


def status_text(
    states: Sequence[JobState],
    place: str,
    notes: Sequence[str],
    said_in: str,
    check: str,
    now: datetime,
    style: Style,
) -> str:
    """Given the jobs' states, return the table, and below it what to do.

    `notes` are what is to be known of the jobs first, `said_in` is where they say what goes wrong, `check` whether
    whoever starts them does.
    """
    if not states:
        return f"no jobs of baileys-tools in {place}\ninstall them: baileys-tools cron install"
    lines = [f"jobs in {place}", *(f"  {printable(note)}" for note in notes)]
    lines += [f"  {'job':13} {'time':16} {'last run':24} verdict"]
    for state in states:
        last = "never"
        if state.last is not None:
            last = f"{format_age(now - state.last.started)} ago, exit {state.last.exit_code}"
        verdict = style.paint(state.verdict.value, _COLOURS[state.verdict])
        lines.append(f"  {state.command:13} {printable(state.time):16} {last:24} {verdict}")
    where = printable(said_in)
    if missed := [state.command for state in states if state.verdict is JobVerdict.MISSED]:
        lines += [
            f"not run when due: {', '.join(missed)}",
            *([f"  {check}"] if check else []),
            f"  did the job have something to say? {where}",
        ]
    if failed := [state.command for state in states if state.verdict is JobVerdict.FAILED]:
        lines += [f"failed: {', '.join(failed)}", f"  what they said: {where}"]
    if partly := [state.command for state in states if state.verdict is JobVerdict.PARTLY]:
        lines += [f"not for all companies: {', '.join(partly)}", f"  for which, and why: {where}"]
    return "\n".join(lines)


def status_json(states: Sequence[JobState], place: str, log: str) -> dict[str, Any]:
    """Return the same as a JSON document's own fields."""
    return {
        "place": printable(place),
        "log": printable(log) if log else None,
        "jobs": [
            {
                "command": state.command,
                "time": printable(state.time),
                "due": None if state.due is None else timestamp(state.due),
                "last_started": None if state.last is None else timestamp(state.last.started),
                "last_exit_code": None if state.last is None else state.last.exit_code,
                "verdict": state.verdict.value,
            }
            for state in states
        ],
    }
