"""The result of `trigger` for people, and as JSON (docs/json/trigger.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from baileys_tools.cleanup.rules.cleanup_report import Status
from baileys_tools.cleanup.rules.plan import Tier
from baileys_tools.cleanup.rules.trigger import TriggerAction, TriggerReason
from baileys_tools.cleanup.rules.trigger_report import CompanyTrigger, TriggerEnding, TriggerReport
from baileys_tools.cleanup.show.cleanup_text import LEVEL_COLOURS
from baileys_tools.frame.show.json_text import envelope, known_timestamp, name_text
from baileys_tools.frame.show.terminal import WIDTH, Style, companies_named, together, wrapped
from baileys_tools.pasted import command
from baileys_tools.units import counted, format_duration, printable

_INDENT = "  "

_WORDS = {
    TriggerEnding.BELOW: ("below the limit", "dim"),
    TriggerEnding.WAITS: ("waits", "yellow"),
    TriggerEnding.CANNOT_HELP: ("nothing to remove", "yellow"),
    TriggerEnding.WOULD_CLEAN: ("would be cleaned", "cyan"),
    TriggerEnding.CLEANED: ("cleaned", "green"),
    TriggerEnding.HELD: ("held", "red"),
    TriggerEnding.LOCKED: ("locked", "yellow"),
    TriggerEnding.FAILED: ("failed", "red"),
}


def trigger_text(report: TriggerReport, style: Style, *, verbose: bool) -> str:
    """Given a report, return it as text: a block for each company that is full, all with `verbose`; then the sums."""
    lines: list[str] = []
    unread = [one for one in report.companies if one.ending is TriggerEnding.FAILED and one.plan is None]
    stopped = together((company.id, _why_not(company)) for company in unread)
    for company in report.companies:
        if company in unread:
            ids = stopped[_why_not(company)]
            if company.id == ids[0]:
                lines += _company(company, report, style, companies_named(ids))
        elif verbose or company.ending is not TriggerEnding.BELOW:
            lines += _company(company, report, style)
    if report.state_trouble:
        lines += wrapped(printable(report.state_trouble), WIDTH)
    counts = [f"{len(ended):,} {_WORDS[one][0]}" for one in TriggerEnding if (ended := report.ended(one))]
    lines.append(f"{counted(len(report.companies), 'company', 'companies')}: {', '.join(counts)}")
    if report.dry_run:
        lines.append("Dry run: nothing was touched.")
    if report.run is not None:
        lines.append(f"undo: {command('baileys-tools undo --run {}', report.run)}")
    return "\n".join(lines)


def _has_failed(company: CompanyTrigger) -> bool:
    is_held = company.cleanup is not None and company.cleanup.held_too_long
    return is_held or company.ending in (TriggerEnding.FAILED, TriggerEnding.HELD)


def trigger_troubles(report: TriggerReport) -> list[str]:
    """Given a report, return one line for each thing that a person has to see even when all is quiet."""
    stopped = together(
        (company.id, _why_not(company) if _has_failed(company) else "") for company in report.companies
    )
    lines = [f"{companies_named(ids)}: {why}" for why, ids in stopped.items()]
    for company in report.companies:
        who = f"company {printable(company.id)}"
        cleanup = company.cleanup
        if cleanup is not None:
            if cleanup.failed_files:
                lines.append(
                    f"{who}: {counted(cleanup.failed_files, 'file')} could not be looked at or removed"
                )
            if cleanup.snapshot_trouble:
                lines.append(f"{who}: no snapshot before the cleanup: {printable(cleanup.snapshot_trouble)}")
    return lines


def _company(company: CompanyTrigger, report: TriggerReport, style: Style, who: str = "") -> Iterator[str]:
    word, colour = _WORDS[company.ending]
    yield f"{style.paint(who or companies_named([company.id]), 'bold')}: {style.paint(word, colour)}"
    plan, decision = company.plan, company.decision
    if plan is not None:
        level = style.paint(plan.level_before, *LEVEL_COLOURS[plan.level_before])
        guarded = (
            f", {counted(plan.guarded_pre_keys, 'guarded pre-key')} left out" if plan.guarded_pre_keys else ""
        )
        yield f"{_INDENT}{counted(plan.counted_before, 'counted file')} of {plan.files:,}{guarded}; level {level}"
    if company.ending is TriggerEnding.CLEANED and company.cleanup is not None:
        cleaned = company.cleanup.plan
        limits = ", emergency limits" if cleaned is not None and cleaned.tier is Tier.EMERGENCY else ""
        yield (
            f"{_INDENT}{counted(company.removed, 'file')} removed{limits}; "
            f"{_number(company.remaining)} counted files remain"
        )
        if company.cleanup.failed_files:
            yield f"{_INDENT}{counted(company.cleanup.failed_files, 'file')} could not be looked at or removed"
    elif company.ending is TriggerEnding.WOULD_CLEAN and plan is not None:
        limits = ", emergency limits" if plan.tier is Tier.EMERGENCY else ""
        yield f"{_INDENT}{counted(plan.remove_count, 'file')} would go{limits}; {plan.counted_after:,} would remain"
    elif company.ending is not TriggerEnding.BELOW:
        yield from wrapped(_why_not(company), WIDTH, _INDENT)
    if decision is not None and decision.doubt:
        yield from wrapped(decision.doubt, WIDTH, _INDENT)
    if decision is not None and decision.action is TriggerAction.EMERGENCY:
        rules = company.rules or report.rules
        yield from wrapped(
            f"emergency: {rules.emergency_from} counted files or more, so the cooldown of "
            f"{format_duration(rules.cooldown)} does not count",
            WIDTH,
            _INDENT,
        )
    if company.advice:
        yield from wrapped(company.advice, WIDTH, _INDENT)


_BOT_IS_OFF = (
    "its bot is off (nothing written for longer than cleanup.silence), and what waits for it needs every key"
)


def _why_not(company: CompanyTrigger) -> str:
    if company.trouble:
        return printable(company.trouble)
    if company.cleanup is not None and company.cleanup.status is Status.SILENT:
        return _BOT_IS_OFF
    if company.cleanup is not None:
        return printable(company.cleanup.trouble) or "the session is not whole or the clock is in doubt"
    assert company.decision is not None
    why, last, again = company.decision.why, company.decision.last, company.decision.again
    if why is TriggerReason.COOLING_DOWN and last is not None and again is not None:
        return f"last cleaned {_time(last)}; again from {_time(again)} on"
    texts = {
        TriggerReason.NOT_REMEMBERED: (
            "nothing tells when it was last cleaned, as neither the state nor a quarantine remembers it: only an "
            "emergency is cleaned"
        ),
        TriggerReason.HELD: (
            "creds.json is not whole or the clock is in doubt, so the policy removes nothing: see "
            "baileys-tools cleanup --dry-run"
        ),
        TriggerReason.SILENT: _BOT_IS_OFF,
        TriggerReason.CONNECTED: "its bot is connected (cleanup.when_connected: skip)",
        TriggerReason.NOTHING_TO_REMOVE: "a cleanup would remove nothing",
    }
    return texts.get(why, why.value)


def _number(count: int | None) -> str:
    return "an unknown number of" if count is None else f"{count:,}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def trigger_json(report: TriggerReport) -> str:
    return envelope(
        "trigger",
        report.now,
        report.exit_code,
        {
            "sessions_path": name_text(report.root),
            "dry_run": report.dry_run,
            "run": report.run,
            "clean_from": report.rules.clean_from,
            "emergency_from": report.rules.emergency_from,
            "cooldown_seconds": int(report.rules.cooldown.total_seconds()),
            "emergency_cooldown_seconds": int(report.rules.emergency_cooldown.total_seconds()),
            "state_trouble": name_text(report.state_trouble),
            "companies": [_document(company) for company in report.companies],
            "totals": {
                "companies": len(report.companies),
                "cleaned": len(report.ended(TriggerEnding.CLEANED)),
                "removed": sum(company.removed for company in report.companies),
            },
        },
    )


def _document(company: CompanyTrigger) -> dict[str, Any]:
    plan, decision = company.plan, company.decision
    return {
        "company": name_text(company.id),
        "path": name_text(company.path),
        "status": company.ending.value,
        "action": decision.action.value if decision is not None else None,
        "reason": decision.why.value if decision is not None else None,
        "trouble": name_text(company.trouble or (company.cleanup.trouble if company.cleanup else "")),
        "files": plan.files if plan is not None else None,
        "counted_files": plan.counted_before if plan is not None else None,
        "guarded_pre_keys": plan.guarded_pre_keys if plan is not None else None,
        "level": plan.level_before.value if plan is not None else None,
        "to_remove": plan.remove_count if plan is not None else None,
        "removed": company.removed,
        "failed_files": company.cleanup.failed_files if company.cleanup is not None else 0,
        "remaining": company.remaining,
        "last_cleaned": known_timestamp(decision.last if decision is not None else None),
        "cooldown_until": known_timestamp(decision.again if decision is not None else None),
        "doubt": decision.doubt if decision is not None else "",
        "advice": company.advice,
        "snapshot_trouble": name_text(company.cleanup.snapshot_trouble) if company.cleanup else "",
    }
