"""What the page can be asked to do: for each action the command that does it. It never does more than that command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple, TypeGuard

from baileys_tools.errors import UsageError
from baileys_tools.pasted import WITH_SESSIONS, can_be_typed

PLAN_SECONDS = 15 * 60
"""So old may a plan be that somebody says yes to; the command plans anew in any case."""
LONGEST_FIELD = 200


class Deed(NamedTuple):
    """One thing that can be done.

    `words` are the command's, with `{field}` for what is typed, `{png}` for where a QR code is to go. `plan` names the
    deed that shows what this one would do, and has to have been seen. `whole` is true where it may be about all
    companies. `fields` are what has to be typed, `typed` that the company's name is one of them.
    """

    title: str
    words: Sequence[str]
    plan: str = ""
    whole: bool = False
    fields: Sequence[str] = ()
    typed: bool = False
    is_a_plan: bool = False


DEEDS: Mapping[str, Deed] = {
    "check": Deed("Check now", ("monitor-once",), whole=True),
    "backup": Deed("Back up now", ("backup",), whole=True),
    "cleanup-plan": Deed("Plan a cleanup", ("cleanup", "--dry-run", "--verbose"), is_a_plan=True),
    "cleanup": Deed("Clean up", ("cleanup",), plan="cleanup-plan"),
    "undo-plan": Deed("What can be undone", ("undo", "--list"), is_a_plan=True),
    "undo": Deed("Undo the last run", ("undo",), plan="undo-plan"),
    "reconnect": Deed("Reconnect", ("reconnect",)),
    "start-session": Deed("Start its session", ("start-session",)),
    "qr": Deed("Show the QR code", ("qr", "--png", "{png}")),
    "recover-plan": Deed("Plan a recovery", ("recover", "--dry-run", "--verbose"), is_a_plan=True),
    "recover": Deed("Recover", ("recover", "--yes"), plan="recover-plan"),
    "send-test": Deed("Send a test message", ("send-test", "--to", "{to}"), fields=("to",)),
    "silence": Deed(
        "Silence alerts",
        ("silence", "--for", "{length}", "--because", "{because}"),
        fields=("length", "because"),
    ),
    "silence-end": Deed("End the silence", ("silence", "--end")),
    "reset-plan": Deed("Plan a reset", ("reset", "--dry-run"), is_a_plan=True),
    "reset": Deed("Reset", ("reset", "--yes", "--png", "{png}"), plan="reset-plan", typed=True),
}
"""By name, as addresses and records have it."""


class Plan(NamedTuple):
    """A plan that was shown: of which deed, for which company (None: all), how long ago, and how it ended."""

    deed: str
    company: str | None
    seconds: float
    exit_code: int | None


def words_of(
    name: str,
    company: str | None,
    fields: Mapping[str, str],
    where: Sequence[tuple[str, str]],
    png: str,
    plan: Plan | None,
    shown_name: str = "",
) -> list[str]:
    """Given what somebody asks for, return the words behind `baileys-tools`. Raises UsageError for what cannot be.

    `where` are the options that say which bots (`--sessions`, `--config`); `png` is where a QR code would go.
    """
    deed = DEEDS.get(name)
    if deed is None:
        raise UsageError("There is no such action.")
    if company is None and not deed.whole:
        raise UsageError(f"{deed.title} is for one company.")
    if company is not None and not can_be_typed(company, "--company"):
        raise UsageError("This company's name cannot be given to a command: rename its folder.")
    if deed.typed and fields.get("name") != shown_name:
        raise UsageError("The name that was typed is not this company's.")
    given = {field: fields.get(field, "").strip() for field in deed.fields}
    for field, value in given.items():
        if not value or len(value) > LONGEST_FIELD or not value.isprintable() or value.startswith("-"):
            raise UsageError(f"Invalid or missing: {field}.")
    if deed.plan:
        _require_plan(deed, company, plan)
    words = [word.format(png=png, **given) if word.startswith("{") else word for word in deed.words]
    if company is not None:
        words += ["--company", company]
    for option, value in where:
        if option != "--sessions" or words[0] in WITH_SESSIONS:
            words += [option, value]
    return words


def _require_plan(deed: Deed, company: str | None, plan: Plan | None) -> None:
    title = DEEDS[deed.plan].title
    if plan is None or plan.deed != deed.plan or plan.company != company:
        raise UsageError(f"First look at what it would do: {title}.")
    if plan.exit_code is None or plan.seconds > PLAN_SECONDS:
        raise UsageError(f"That plan is too old, or not there yet: {title}, again.")


def end_of(exit_code: int) -> str:
    """Given how a process ended (a signal is below zero), return the word for it."""
    if exit_code < 0 or exit_code in (129, 130, 143):
        return "broken off"
    return "done" if exit_code in (0, 4, 5) else "failed"


_RECORD: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "name": (str,),
    "key": (str, NoneType),
    "company": (str, NoneType),
    "title": (str,),
    "started": (int,),
    "pid": (int, NoneType),
    "born": (str, NoneType),
    "ended": (int, NoneType),
    "exit_code": (int, NoneType),
    "end": (str,),
}


def is_record(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value can be the record of an action: what stands in the state may be the word of a bot's user."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(field, ...), kinds) for field, kinds in _RECORD.items())
        and all(abs(number) < 1 << 53 for number in value.values() if isinstance(number, int))
        and value["name"] in DEEDS
    )
