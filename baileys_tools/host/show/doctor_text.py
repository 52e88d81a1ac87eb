"""What `doctor` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.host.rules.doctor import Check, CheckOutcome, summary
from baileys_tools.host.rules.mending import Mended, MendPlan
from baileys_tools.host.show.mending_text import mending_json
from baileys_tools.units import printable

_NAMES = 15
_PASTED = ("chown ", "chmod ", "sudo ")
"""What an action begins with that is a command and nothing else."""
_COLOURS = {
    CheckOutcome.OK: "green",
    CheckOutcome.NOTE: "cyan",
    CheckOutcome.WARNING: "yellow",
    CheckOutcome.CRITICAL: "red",
}


def doctor_text(checks: Sequence[Check], style: Style, *, only_troubles: bool = False) -> str:
    """Given the checks, return a line for each, with what to do below it, and a line for all."""
    lines = []
    for check in checks:
        if only_troubles and check.outcome in (CheckOutcome.OK, CheckOutcome.NOTE):
            continue
        indent = " " * (_NAMES + 10)
        first, *rest = wrapped(printable(check.message), WIDTH - len(indent)) or [""]
        outcome = style.paint(f"{check.outcome.value:8}", _COLOURS[check.outcome])
        lines.append(f"{check.name:{_NAMES}} {outcome} {first}")
        lines += [f"{indent}{line}" for line in rest]
        action = printable(check.action)
        if action.startswith(_PASTED):
            # In one line, however long: a command of two lines is two commands to a shell.
            lines.append(f"{indent[:-3]}-> {action}")
        elif action:
            lines += wrapped(action, WIDTH, f"{indent[:-3]}-> ", indent)
    return "\n".join([*lines, "", summary(checks)])


def doctor_json(
    checks: Sequence[Check], mending: tuple[MendPlan, Sequence[Mended]] | None = None
) -> dict[str, Any]:
    """Return the checks, and what was mended before, as the JSON document's own fields."""
    mended = {} if mending is None else mending_json(*mending)
    return mended | {
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome.value,
                "message": printable(check.message),
                "action": printable(check.action),
            }
            for check in checks
        ]
    }
