"""What `doctor --fix` prints of its work, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baileys_tools.frame.show.json_text import name_text
from baileys_tools.frame.show.terminal import WIDTH, wrapped
from baileys_tools.host.rules.mending import Mended, MendOutcome, MendPlan
from baileys_tools.units import counted, printable

_WORDS = {MendOutcome.PLANNED: "would mend", MendOutcome.DONE: "mended", MendOutcome.FAILED: "not mended"}
_MOST = 10
"""Steps of one kind that are told one by one; --json has all."""


def mending_text(plan: MendPlan, done: Sequence[Mended], *, dry_run: bool) -> str:
    """Given the plan and how its steps ended, return them, each with how it is taken back, and what is left."""
    lines: list[str] = []
    told: dict[tuple[str, str], int] = {}
    for one in done:
        key = (one.mend.kind.value, one.outcome.value)
        told[key] = told.get(key, 0) + 1
        if told[key] > _MOST and one.outcome is not MendOutcome.FAILED:
            continue
        why = f" ({printable(one.why)})" if one.why else ""
        lines += wrapped(
            f"{_WORDS[one.outcome]}  {printable(one.mend.path)}: {one.mend.what}{why}", WIDTH, "", "    "
        )
        if one.mend.back and one.outcome is MendOutcome.DONE:
            lines.append(f"    back: {one.mend.back}")
    for (kind, _), number in told.items():
        if number > _MOST:
            lines.append(f"and {counted(number - _MOST, 'more step')} of the kind {kind} (--json has all)")
    for left in plan.left:
        lines += wrapped(f"left  {printable(left.path)}: {printable(left.why)}", WIDTH, "", "    ")
        lines.append(f"    -> {printable(left.action)}")
    if not lines:
        return "nothing to mend"
    if dry_run:
        lines.append("Dry run: nothing was changed.")
    return "\n".join(lines)


def mending_json(plan: MendPlan, done: Sequence[Mended]) -> dict[str, Any]:
    return {
        "mended": [
            {
                "kind": one.mend.kind.value,
                "path": name_text(one.mend.path),
                "what": one.mend.what,
                "outcome": one.outcome.value,
                "why": name_text(one.why),
                "back": name_text(one.mend.back),
            }
            for one in done
        ],
        "left": [
            {"path": name_text(left.path), "why": name_text(left.why), "action": name_text(left.action)}
            for left in plan.left
        ],
    }
