"""What `policy try` found, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from baileys_tools.cleanup.rules.trying import FEWEST_DAYS, PolicyTried, RuleTried, best
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text
from baileys_tools.units import counted, printable

_NAME = 46


def policy_text(report: PolicyTried) -> str:
    """Return the table as text: a rule a line, and the settings of the one with the fewest messages late."""
    return "\n".join(_lines(report))


def _lines(report: PolicyTried) -> Iterator[str]:
    yield f"company {printable(report.company)}  {printable(report.path)}"
    if report.days:
        yield f"a cleanup a day for the last {counted(report.days, 'day')} would have cost, and kept:"
    else:
        yield "nothing is known yet of when the keys are used"
    yield ""
    yield f"  {'':{_NAME}}     late      files       next"
    yield f"  {'rule':{_NAME}} group  chat  kept  most takes"
    for rule in report.rules:
        past = rule.past
        numbers: Sequence[object] = ("-",) * 4
        if past is not None:
            numbers = (past.group_messages, past.chats, round(past.files), past.most)
        name = _name(rule) + (" *" if rule.in_force else "")
        yield f"  {name:{_NAME}}" + "".join(f" {number:>5}" for number in (*numbers, rule.removes))
    yield ""
    yield "* in force. late: messages by one resend, chats at most. kept: sessions and"
    yield "sender-keys after a cleanup, on average; most: before one. next: files that the"
    yield "next cleanup takes."
    yield from _advice(report)


def _advice(report: PolicyTried) -> Iterator[str]:
    if report.days < FEWEST_DAYS:
        yield f"Each cleanup notes what was used; {FEWEST_DAYS} days say something, 60 say more."
        return
    found = best(report.rules, report.room)
    if found is None:
        yield f"No rule keeps it below level warning, where {report.room} of these files have room."
    elif found.in_force:
        yield f"The rule in force has the fewest late of those below level warning ({report.room})."
    else:
        yield f"Fewest late below level warning ({report.room}): {_name(found)}"


def _name(rule: RuleTried) -> str:
    if rule.settings is None:
        return "as the settings say"
    said = [f"{path.removeprefix('cleanup.')}: {value}" for path, value in rule.settings.items()]
    return ", ".join(said) or "none of the gentle rules"


def policy_json(report: PolicyTried) -> str:
    """Return the table as JSON (docs/json/policy-try.schema.json)."""
    return envelope(
        "policy try",
        report.now,
        ExitCode.DONE,
        {
            "company": name_text(report.company),
            "path": name_text(report.path),
            "days": report.days,
            "room": report.room,
            "rules": [_rule(rule) for rule in report.rules],
        },
    )


def _rule(rule: RuleTried) -> Mapping[str, Any]:
    past = rule.past
    return {
        "settings": None if rule.settings is None else dict(rule.settings),
        "in_force": rule.in_force,
        "past": None
        if past is None
        else {
            "group_messages": past.group_messages,
            "chats": past.chats,
            "own_keys": past.own_keys,
            "files": round(past.files, 1),
            "most": past.most,
        },
        "next": {"remove": rule.removes, "cost": rule.cost._asdict()},
    }
