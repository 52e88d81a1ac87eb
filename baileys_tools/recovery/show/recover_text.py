"""What `recover` prints, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.bots.rules.diagnosis import Diagnosis
from baileys_tools.frame.show.json_text import envelope, timestamp
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.pasted import command
from baileys_tools.recovery.rules.recovery import Rung
from baileys_tools.recovery.rules.recovery_report import CompanyRecovery, Ending, RecoverReport
from baileys_tools.units import printable
from baileys_tools.watching.show.verdict_json import verdict_facts

_WORDS = {
    Ending.WELL: ("well", "green"),
    Ending.PLANNED: ("away", "red"),
    Ending.RECOVERED: ("recovered", "green"),
    Ending.PERSON: ("needs a person", "red"),
    Ending.BROKEN_OFF: ("away, and the run was broken off by a signal", "red"),
    Ending.NOT_LINKED: ("waits for its first login", "yellow"),
    Ending.MOVED: ("was moved elsewhere", "dim"),
    Ending.UNKNOWN: ("not known whether it is away", "yellow"),
    Ending.FAILED: ("failed", "red"),
}

_AWAY = (Ending.PLANNED, Ending.PERSON, Ending.BROKEN_OFF)
_NOT_AWAY = (Ending.UNKNOWN, Ending.NOT_LINKED, Ending.MOVED, Ending.FAILED)
"""Not known to be away; a person is told what there is to do all the same."""


def recover_text(report: RecoverReport, style: Style, *, verbose: bool, quiet: bool = False) -> str:
    """Given a report, return it as text; with `quiet` only the companies that are still away."""
    left = [one for one in report.companies if one.ending in _AWAY]
    failed = [one for one in report.companies if one.ending is Ending.FAILED]
    shown = (
        [one for one in (*left, *failed) if one.id not in report.said_before] if quiet else report.companies
    )
    if quiet and not shown:
        return ""
    lines = [company_text(company, style, verbose=verbose) for company in shown]
    if left and not report.acts:
        can_step = any(step.rung is not Rung.PERSON for company in left for step in company.steps)
        how = f" {command('baileys-tools recover --yes')} takes the steps." if can_step else ""
        lines.append(f"Nothing was done.{how}")
    return "\n".join(lines)


def company_text(company: CompanyRecovery, style: Style, *, verbose: bool) -> str:
    """Given what was found at a company, return it as lines."""
    return "\n".join(_lines(company, style, verbose=verbose))


def _lines(company: CompanyRecovery, style: Style, *, verbose: bool) -> Iterator[str]:
    word, colour = _WORDS[company.ending]
    cause = "" if company.ending in (Ending.WELL, *_NOT_AWAY) else f": {_cause(company.first)}"
    yield style.paint(f"company {printable(company.id)}", "bold") + "  " + style.paint(word, colour) + cause
    verdict = company.verdict
    if verdict is not None and not verdict.is_healthy:
        reason = f": {verdict.code}: {verdict.reason.message}" if verdict.reason is not None else ""
        yield from _wrapped("state", f"{verdict.state.value}{reason}")
    if company.ending is Ending.WELL and not verbose:
        return
    for sentence in company.first.evidence:
        yield from _wrapped("because", sentence)
    if company.ending is Ending.FAILED and company.last is not company.first:
        yield from _wrapped("now", "; ".join(company.last.evidence))
    for tried in company.tried:
        yield from _wrapped("tried", f"{tried.rung.value}: {tried.result}")
    if company.tried and company.last.cause is not company.first.cause and company.ending is Ending.PERSON:
        yield from _wrapped("now", _cause(company.last))
    if company.ending is Ending.PLANNED:
        for number, step in enumerate(company.steps, start=1):
            if step.rung is not Rung.PERSON:
                yield from _wrapped(f"step {number}", step.text)
    is_hopeless = company.ending is Ending.PLANNED and company.steps[0].rung is Rung.PERSON
    if company.ending in (Ending.PERSON, *_NOT_AWAY) or is_hopeless:
        for line in company.person:
            yield from _wrapped("person", line)


def _cause(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.cause.value} ({diagnosis.confidence.value})"


def _wrapped(label: str, text: str) -> list[str]:
    head = f"  {label:8} "
    return wrapped(printable(text), WIDTH, head, " " * len(head))


def recover_json(report: RecoverReport) -> str:
    result = {
        "root": printable(report.root),
        "dry_run": report.dry_run,
        "acted": report.acts,
        "companies": [
            {
                "company": company.id,
                "status": company.ending.value,
                **verdict_facts(company.verdict),
                "cause": _diagnosis(company.first),
                "cause_now": _diagnosis(company.last),
                "steps": [{"step": step.rung.value, "text": step.text} for step in company.steps],
                "tried": [
                    {"at": timestamp(one.at), "step": one.rung.value, "result": one.result}
                    for one in company.tried
                ],
                "person": list(company.person),
            }
            for company in report.companies
        ],
    }
    return envelope("recover", report.now, report.exit_code, result)


def _diagnosis(diagnosis: Diagnosis) -> dict[str, object]:
    return {
        "cause": diagnosis.cause.value,
        "confidence": diagnosis.confidence.value,
        "evidence": list(diagnosis.evidence),
    }
