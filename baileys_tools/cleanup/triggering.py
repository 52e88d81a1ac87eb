"""`trigger`: clean the folders that are full, but each only once in a while."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.cleanup.cleaning import (
    clean_companies,
    left_connected,
    look_and_plan,
)
from baileys_tools.cleanup.job import job_of_looking, step_aside
from baileys_tools.cleanup.observed import Observed
from baileys_tools.cleanup.rules.cleanup_report import Status
from baileys_tools.cleanup.rules.plan import CleanupPlan
from baileys_tools.cleanup.rules.trigger import Past, Rules, TriggerAction, TriggerReason, advice, decide
from baileys_tools.cleanup.rules.trigger_report import CompanyTrigger, TriggerReport
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.baselines import with_baselines
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.frame.show.progress import PatientProgress
from baileys_tools.pasted import command
from baileys_tools.sessions.interrupted import root_to_change
from baileys_tools.sessions.locks import Locked, NotALock, process_lock
from baileys_tools.sessions.quarantine import newest_run
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.fullness import HealthRules, count_findings
from baileys_tools.units import counted, printable

if TYPE_CHECKING:
    from baileys_tools.state.database import State

LOCK = "trigger.lock"
FINISHED = "trigger"
BEGUN = "trigger-begun"
"""Names of the two times that the state keeps for a company: of a cleanup that came to its end, and of one at all."""


class Told(NamedTuple):
    """What a person may want to hear: `news` of what is done, and the `findings` that last in the `companies`."""

    news: Sequence[Finding]
    findings: Sequence[Finding]
    companies: frozenset[str]


Tell = Callable[[Told], None]


def trigger_command(given: CommandLine) -> ExitCode:
    """Given the command line, clean what is full and due, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    settings = loaded.settings
    now = datetime.now(UTC)
    with recorded("trigger", settings, now, quiet=given.quiet, dry_run=settings.cleanup.dry_run) as run:
        root_path = require_sessions_path(loaded)
        try:
            with (
                _one_at_a_time(settings, now),
                PatientProgress("looking", wanted=not given.quiet) as progress,
            ):
                report = _run_with_state(settings, root_path, now, progress)
        except Locked as lock:
            from baileys_tools.frame.held_locks import look_at_process_lock

            late = look_at_process_lock(lock.holder, settings, now)
            code = ExitCode.FAILED if late else ExitCode.LOCKED
            run.ended(code)
            if late or not given.quiet:
                said = f"another trigger is at work: {lock}" + (f"; {late}" if late else "")
                print(f"baileys-tools: {printable(said)}", file=sys.stderr)
            return code
        removed = report.removed_by_company
        run.ended(report.exit_code, removed, companies=len(report.companies), removed=sum(removed.values()))
    _print(report, verbose=given.verbose, as_json=given.as_json, quiet=given.quiet)
    return report.exit_code


def _run_with_state(
    settings: Settings, root_path: str, now: datetime, progress: Callable[[int, int], None]
) -> TriggerReport:
    from baileys_tools.state.database import open_state

    with open_state(settings.state.dir, now) as state:
        tell = alerts(settings, state, now)
        return run_trigger(settings, root_path, state, now, tell=tell, progress=progress)


def alerts(settings: Settings, state: State, now: datetime) -> Tell:
    """Given the settings and an open state, return what tells people by the channels that are configured."""

    def tell(told: Told) -> None:
        from baileys_tools.alerts.rules.alerts import LookedAt
        from baileys_tools.alerts.sending import send_alerts

        looked_at = LookedAt(frozenset({"file-count"}), told.companies)
        send_alerts(state, settings, told.findings, now, looked_at, done=told.news)

    return tell


def _print(report: TriggerReport, *, verbose: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        from baileys_tools.cleanup.show.trigger_text import trigger_json

        print(trigger_json(report))
        return
    from baileys_tools.cleanup.show.trigger_text import trigger_text, trigger_troubles

    if not quiet:
        from baileys_tools.frame.show.terminal import Style

        print(trigger_text(report, Style(), verbose=verbose))
    elif report.exit_code is not ExitCode.DONE:
        for line in trigger_troubles(report):
            print(line, file=sys.stderr)


def rules_of(settings: Settings) -> Rules:
    levels, pauses = settings.levels, settings.trigger
    return Rules(levels.trigger, levels.danger, pauses.cooldown, pauses.emergency_cooldown)


def emergency_rules_of(settings: Settings) -> Rules:
    """Given the settings, return the rules of the emergency path, which may be taken at every minute."""
    emergency_from = settings.levels.emergency
    return rules_of(settings)._replace(clean_from=None, emergency_from=emergency_from, blind=False)


def run_emergency(
    settings: Settings,
    root_path: str,
    companies: Sequence[str],
    state: State,
    now: datetime,
    *,
    tell: Tell = lambda told: None,
) -> TriggerReport | None:
    """Clean those of these companies that are at emergency level, each at most once in 30 minutes.

    For whoever watches and may clean by itself. None while a `trigger` is at work. Raises as `run_trigger`.
    """
    try:
        with _one_at_a_time(settings, now):
            return run_trigger(
                settings, root_path, state, now, rules=emergency_rules_of, only=companies, tell=tell
            )
    except Locked:
        return None


def run_trigger(
    settings: Settings,
    root_path: str,
    state: State,
    now: datetime,
    *,
    rules: Callable[[Settings], Rules] = rules_of,
    only: Sequence[str] | None = None,
    tell: Tell = lambda told: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TriggerReport:
    """Clean the companies that are full and due, or with `dry_run` in the settings say which would be.

    The process lock is the caller's. `only` are other companies than the settings choose. `tell` is called before
    something is cleaned, and at the end. One company's trouble is part of the report. Raises BaileysToolsError when no
    company can be worked on at all.
    """
    settings = with_baselines(settings, now, state)
    dry_run = settings.cleanup.dry_run
    if not dry_run:
        step_aside(root_path)
    with Root(root_path) if dry_run else root_to_change(root_path, now) as root:
        companies = companies_of_run(root, settings, state, only)
        found = _look_and_decide(settings, root, companies, state, rules, now, progress)
        found = _leave_connected(settings, companies, found)
        report = TriggerReport(root.path, now, dry_run, rules(settings), found, state_trouble=state.trouble)
        due = [
            company
            for company, one in zip(companies, found, strict=True)
            if one.decision is not None and one.decision.action is not TriggerAction.LEAVE
        ]
        if due and not dry_run:
            # What is about to be mended is news and no alarm.
            tell(Told([_beginning(one) for one in found if _is_due(one)], (), frozenset()))
            report = _clean(settings, root, due, report, state)
        if not dry_run:
            tell(_told(report, [_end(one) for one in report.companies if one.cleanup is not None]))
        return report


@contextmanager
def _one_at_a_time(settings: Settings, now: datetime) -> Iterator[None]:
    from baileys_tools.place import make_private_folder

    path = settings.trigger.lock_file or os.path.join(settings.state.dir, LOCK)
    # All have to lock the same place, so it is made first.
    with suppress(OSError):
        make_private_folder(os.path.dirname(path))
    try:
        with process_lock(path, now):
            yield
    except NotALock:
        raise UsageError(
            f"trigger.lock_file: {path} is there already, and no lock",
            "Name a file that is not there yet, or the lock of an older script.",
        ) from None


# --- looking and deciding -----------------------------------------------------------------------------------


class _TriggerLook(NamedTuple):
    """What one look at a folder showed. `quarantined` is the newest cleanup that the quarantine shows."""

    plan: CleanupPlan | None = None
    quarantined: datetime | None = None
    finding: Finding | None = None
    trouble: str = ""


def _look_and_decide(
    settings: Settings,
    root: Root,
    companies: Sequence[Company],
    state: State,
    rules_of: Callable[[Settings], Rules],
    now: datetime,
    progress: Callable[[int, int], None],
) -> list[CompanyTrigger]:
    from baileys_tools.state.cooldowns import last_done

    looks = _look_at(settings, root, companies, state, now, progress)
    found = []
    for company, look in zip(companies, looks, strict=True):
        one = CompanyTrigger(
            company.id, company.path, look.plan, count_finding=look.finding, trouble=look.trouble
        )
        if look.plan is not None:
            own = settings.for_company(company.id)
            rules = rules_of(own)
            past = Past(
                last_done(state, FINISHED, company.id),
                last_done(state, BEGUN, company.id),
                look.quarantined,
                state.is_durable,
                bool(own.cleanup.undo_window),
            )
            decision = decide(look.plan, rules, past, now)
            full = decision.why is not TriggerReason.BELOW
            limit = rules.emergency_from if rules.clean_from is None else rules.clean_from
            told = advice(look.plan, limit) if full else ""
            one = replace(one, decision=decision, advice=told, rules=rules)
        found.append(one)
    return found


def _leave_connected(
    settings: Settings, companies: Sequence[Company], found: Sequence[CompanyTrigger]
) -> list[CompanyTrigger]:
    """Put off what is due where the bot is connected, if the settings say so."""
    due = [company for company, one in zip(companies, found, strict=True) if _is_due(one)]
    connected = left_connected(settings, due)
    return [
        replace(one, decision=one.decision._replace(action=TriggerAction.LEAVE, why=TriggerReason.CONNECTED))
        if one.decision is not None and one.id in connected
        else one
        for one in found
    ]


def _look_at(
    settings: Settings,
    root: Root,
    companies: Sequence[Company],
    state: State,
    now: datetime,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[_TriggerLook]:
    job = job_of_looking(settings, now, Observed(settings, now, state))

    def look(company: Company) -> _TriggerLook:
        own = job.for_company(settings, company.id)
        policy = own.policy
        rules = HealthRules(policy.thresholds, policy.normal.pre_keys_keep, policy.pre_key_guard)
        with root.open(company, unwritten=True) as folder:
            facts, plan = look_and_plan(folder, company, own)
            findings = count_findings(company.id, facts, rules, plan.emergency_would_leave or 0)
            finding = next((one for one in findings if one.code == "file-count"), None)
            return _TriggerLook(plan.in_numbers(), newest_run(folder), finding)

    return for_each(companies, look, lambda company, why: _TriggerLook(trouble=why), progress)


# --- cleaning -----------------------------------------------------------------------------------------------


def _clean(
    settings: Settings, root: Root, due: Sequence[Company], report: TriggerReport, state: State
) -> TriggerReport:
    from baileys_tools.state.cooldowns import set_cooldown

    now = report.now
    with state.transaction():
        for company in due:
            set_cooldown(state, BEGUN, company.id, now)
    cleaned = clean_companies(settings, root, due, now)
    with state.transaction():
        # Only now, so that a run that is killed before leaves nothing that the next one would wait for.
        for one in cleaned.companies:
            if one.status is Status.CLEANED:
                set_cooldown(state, FINISHED, one.id, now)
    done = {company.id: company for company in cleaned.companies}
    after = {
        company.id: look for company, look in zip(due, _look_at(settings, root, due, state, now), strict=True)
    }
    companies = [
        replace(
            one,
            cleanup=done[one.id],
            remaining=_remaining(after[one.id]),
            count_finding=after[one.id].finding,
        )
        if one.id in done
        else one
        for one in report.companies
    ]
    return replace(report, companies=companies, run=cleaned.run)


def _remaining(look: _TriggerLook) -> int | None:
    return look.plan.counted_before if look.plan is not None else None


# --- telling ------------------------------------------------------------------------------------------------


def _is_due(one: CompanyTrigger) -> bool:
    return one.decision is not None and one.decision.action is not TriggerAction.LEAVE


def _told(report: TriggerReport, news: Sequence[Finding]) -> Told:
    seen = [one for one in report.companies if one.plan is not None]
    findings = [one.count_finding for one in seen if one.count_finding is not None]
    return Told(news, findings, frozenset(one.id for one in seen))


def _beginning(one: CompanyTrigger) -> Finding:
    rules = one.rules
    assert one.plan is not None
    assert rules is not None
    assert one.decision is not None
    is_emergency = one.decision.action is TriggerAction.EMERGENCY
    limit = rules.emergency_from if is_emergency else rules.clean_from
    what = "an emergency cleanup" if is_emergency else "a cleanup"
    return Finding(
        "trigger-begins",
        Severity.CRITICAL if is_emergency else Severity.WARNING,
        one.id,
        f"{counted(one.plan.counted_before, 'counted file')} (limit {limit}): {what} begins",
        f"{counted(one.plan.remove_count, 'file')} should go. Nothing to do.",
        {"counted_files": one.plan.counted_before, "limit": limit or 0, "to_remove": one.plan.remove_count},
    )


def _end(one: CompanyTrigger) -> Finding:
    assert one.cleanup is not None
    remaining = "" if one.remaining is None else f", {counted(one.remaining, 'counted file')} remain"
    facts = {"removed": one.removed, "remaining": one.remaining if one.remaining is not None else -1}
    if one.cleanup.status is not Status.CLEANED:
        why = printable(one.cleanup.trouble) or one.cleanup.status.value
        return Finding(
            "trigger-failed",
            Severity.CRITICAL,
            one.id,
            f"the cleanup did not run: {why}{remaining}",
            f"See why: {command('baileys-tools cleanup --company {} --dry-run', one.id)}",
            facts,
        )
    return Finding(
        "trigger-cleaned",
        Severity.WARNING,
        one.id,
        f"cleaned: {counted(one.removed, 'file')} removed{remaining}",
        one.advice or f"Nothing to do. To take it back: {command('baileys-tools undo --company {}', one.id)}",
        facts,
    )
