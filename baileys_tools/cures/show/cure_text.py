"""The plan and the result of a cure, for people."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.cures.rules.asides import Aside, CureReport, may_be_in_memory
from baileys_tools.cures.show.words import WHY, address_shown, group_shown
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.removals import Outcome
from baileys_tools.units import counted, duration_of, format_age, format_duration, printable

GROUPS = "resend-group-keys"
MOST_SHOWN = 30

_OUTCOMES = {
    Outcome.REMOVED: "set aside",
    Outcome.ALREADY_GONE: "was gone already",
    Outcome.CHANGED: "stays: the bot has just written it",
    Outcome.IN_USE: "stays: the bot has it open",
    Outcome.WITH_UNIT: "stays with its twin",
    Outcome.FAILED: "stays",
}


def cure_plan_text(report: CureReport, *, show_numbers: bool) -> str:
    """Return what is to be done, and what it costs."""
    return "\n".join(_plan(report, show_numbers))


def cure_text(report: CureReport, *, show_numbers: bool) -> str:
    """Return what was done, or in a dry run what would be."""
    lines = [*_plan(report, show_numbers), *_result(report)]
    for trouble in report.log_troubles:
        lines += wrapped(f"not read: {printable(trouble)}", WIDTH, "  ", "    ")
    return "\n".join(lines)


def _plan(report: CureReport, show_numbers: bool) -> Iterator[str]:
    head = f"company {printable(report.company)}"
    yield Style().paint(head, "bold") + f"  {printable(report.path)}"
    asides = report.plan.asides
    if not asides:
        yield from _nothing(report)
        return
    shown = [_about(report, aside, show_numbers) for aside in asides[:MOST_SHOWN]]
    width = max(map(len, shown))
    for aside, about in zip(asides, shown, strict=False):
        outcome = report.outcome_of(aside)
        words = [
            counted(aside.told, "device") if report.command == GROUPS else "",
            f"written {format_age(duration_of(_now_ns(report) - aside.written_ns))} ago",
            WHY[aside.why],
            _OUTCOMES[outcome] if outcome is not None else "",
        ]
        yield from wrapped("; ".join(filter(None, words)), WIDTH, f"  {about:{width}}  ", " " * (width + 4))
    if len(asides) > MOST_SHOWN:
        yield f"  and {len(asides) - MOST_SHOWN:,} more"
    if report.plan.left:
        yield f"  {counted(report.plan.left, 'device')} more in a next run (--most)"
    for text in _cost(report):
        yield from wrapped(text, WIDTH, "  ", "    ")
    if may_be_in_memory(asides, _now_ns(report)):
        for text in _cached(report):
            yield from wrapped(text, WIDTH, "  ", "    ")


def _now_ns(report: CureReport) -> int:
    return int(report.now.timestamp()) * 1_000_000_000


def _about(report: CureReport, aside: Aside, show_numbers: bool) -> str:
    if report.command == GROUPS:
        return group_shown(aside.about, show_numbers)
    return address_shown(aside.about, show_numbers)


def _nothing(report: CureReport) -> Iterator[str]:
    if report.command == GROUPS:
        said = "nothing to set aside: no memory says that anybody has the key, so the next message brings it"
    else:
        said = "nothing broken: each session can be read, and no log names one"
        if report.log_troubles:
            said = "nothing broken as far as the files tell: each session can be read"
        if report.command == "contact":
            said += ". To renew them all the same: --renew --all-sessions"
    yield from wrapped(said, WIDTH, "  ")


def _cost(report: CureReport) -> Iterator[str]:
    cost = report.plan.cost
    if report.command == GROUPS:
        yield (
            f"cost: no message comes late. The bot sends its key to {counted(cost.key_messages, 'device')} at most, "
            "with its next message to each group"
        )
        return
    yield (
        f"cost: none where the bot writes first, which is best. Of {counted(cost.contacts, 'device')} the first "
        "message comes late by one resend, if the contact writes first"
    )


def _cached(report: CureReport) -> Iterator[str]:
    if report.has_api:
        again = command("baileys-tools reconnect --company {}", report.company)
        way = f"from its next connection on, if the bot makes its key cache there: {again}; else from its next start on"
    else:
        way = "from the bot's next start on"
    seen = "some of it was written less than 5 minutes ago. " if report.command == GROUPS else ""
    yield (
        f"{seen}A running bot that caches its keys (makeCacheableSignalKeyStore) has what it used in the last 5 "
        "minutes in memory, and writes it back at its next use: then nothing is mended. It is for certain "
        f"{way}. A bot without that cache needs nothing"
    )


def _result(report: CureReport) -> Iterator[str]:
    if report.earlier:
        yield from wrapped(f"mended: {printable(report.earlier)}", WIDTH, "  ", "    ")
    for name, error in report.errors.items():
        yield from wrapped(f"failed: {printable(error)}", WIDTH, "  ", "    ") if name else ()
    if report.declined:
        yield "  nothing was touched"
    elif report.outcomes is None:
        if report.plan.asides:
            yield "  dry run: nothing was touched"
    elif report.run is not None:
        kept = (
            f"for {format_duration(report.undo_window)}" if report.undo_window else "until the next cleanup"
        )
        yield f"  {counted(report.done, 'file')} set aside, kept {kept}. To have them back:"
        # Not wrapped: it is there to be copied.
        yield f"  {command('baileys-tools undo --company {} --run {}', report.company, report.run)}"
    else:
        yield "  nothing was set aside"
