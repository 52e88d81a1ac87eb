"""`recover`: find out why a bot is away, and bring it back by the cheapest step that does. Nothing is ever removed."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from baileys_tools.bots.asking import process_of
from baileys_tools.bots.bot_facts import creds_fact
from baileys_tools.bots.rules.diagnosis import Cause, Diagnosis
from baileys_tools.bots.stopped import LeftStopped, left_stopped
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run, kept_looks
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.recovery.climbing import climb_each
from baileys_tools.recovery.recovery_job import AskedBefore, RecoverJob, Say, failed_recovery, look_at_company
from baileys_tools.recovery.rules.recovery import checklist, ladder
from baileys_tools.recovery.rules.recovery_report import (
    CODES,
    CompanyRecovery,
    Ending,
    RecoverReport,
    recovered_news,
    recovery_findings,
)
from baileys_tools.sessions.locks import Locked, process_lock
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.units import printable
from baileys_tools.watching.monitor_pass import Pass, look_over

if TYPE_CHECKING:
    from baileys_tools.state.database import State

LOCK = "recover.lock"
SAID = "recover-said"
SAY_AGAIN = timedelta(days=1)
"""How often a job that runs every few minutes prints the same of a company."""

Agrees = Callable[[Sequence[CompanyRecovery]], bool]


def recover_command(given: CommandLine, *, dry_run: bool, yes: bool) -> ExitCode:
    """Given the command line, recover or say what would be done, print the result once, return the exit code."""
    from baileys_tools.frame.show.terminal import Style
    from baileys_tools.recovery.show.recover_text import recover_json, recover_text

    loaded = settings_in_force(given.flags, given.config)
    settings = loaded.settings
    now = datetime.now(UTC)
    may_act = not dry_run and (yes or settings.recover.auto or (sys.stdin.isatty() and not given.quiet))

    def agrees(companies: Sequence[CompanyRecovery]) -> bool:
        return yes or settings.recover.auto or _ask(companies)

    def say(text: str) -> None:
        if not given.quiet:
            # Talk: a disk that is full of it must not keep a bot stopped.
            with suppress(OSError):
                print(printable(text), file=sys.stderr, flush=True)

    # Without leave to act it only looks, and that is its whole work under cron.
    with recorded(
        "recover", settings, now, quiet=given.quiet, dry_run=not may_act, is_pinged=not dry_run
    ) as run:
        root_path = require_sessions_path(loaded)
        try:
            report = _run_with_state(
                settings,
                root_path,
                now,
                agrees if may_act else None,
                say,
                all_may_act=yes,
                dry_run=dry_run,
                is_job=given.quiet,
            )
        except Locked as lock:
            run.ended(ExitCode.LOCKED)
            if not given.quiet:
                print(f"baileys-tools: another recover is at work: {printable(str(lock))}", file=sys.stderr)
            return ExitCode.LOCKED
        run.ended(report.exit_code, companies=len(report.companies))
    if given.as_json:
        print(recover_json(report))
    elif text := recover_text(report, Style(), verbose=given.verbose, quiet=given.quiet):
        print(text)
    return report.exit_code


def _run_with_state(
    settings: Settings,
    root_path: str,
    now: datetime,
    agrees: Agrees | None,
    say: Say,
    *,
    all_may_act: bool,
    dry_run: bool,
    is_job: bool = False,
) -> RecoverReport:
    from baileys_tools.place import make_private_folder
    from baileys_tools.state.database import open_state

    if agrees is not None:
        make_private_folder(settings.state.dir)
    with open_state(settings.state.dir, now) as state:
        job = RecoverJob(settings, state, now, say, restarts_shared=all_may_act)

        def alone() -> AbstractContextManager[None]:
            return process_lock(os.path.join(settings.state.dir, LOCK), job.clock())

        if agrees is None:
            report = run_recover(job, root_path, None, dry_run=dry_run)
        elif all_may_act or settings.recover.auto:
            # Nobody is asked, so two such runs are one from their first look on.
            with alone():
                report = run_recover(job, root_path, agrees)
        else:
            # Whoever is asked may take the night over it: nobody else has to wait for that.
            job.alone = alone
            report = run_recover(job, root_path, agrees)
        # Whoever ends it by a signal does not wait for channels either: the next run finds the same.
        if not dry_run and report.broken_off is None:
            tell_recovery(settings, state, report)
        if is_job:
            report = _with_news(report, state)
    return report


def _with_news(report: RecoverReport, state: State) -> RecoverReport:
    """Return the report of a job with the companies of which it has not said the same within a day."""
    from baileys_tools.state import memory
    from baileys_tools.state.database import to_seconds

    if not state.is_durable:
        return report
    kept = memory.recall(state, SAID)
    before = kept if isinstance(kept, dict) else {}
    now = to_seconds(report.now)
    said, silent = {}, set()
    for one in report.companies:
        what = [one.ending.value, one.last.cause.value, *(step.rung.value for step in one.steps)]
        old = before.get(one.id)
        if old and old[1:] == what and not one.tried and 0 <= now - old[0] < SAY_AGAIN.total_seconds():
            silent.add(one.id)
            said[one.id] = old
        else:
            said[one.id] = [now, *what]
    if said != before:
        memory.keep(state, SAID, said)
    return replace(report, said_before=frozenset(silent))


def tell_recovery(settings: Settings, state: State, report: RecoverReport) -> None:
    """Given a run's report, alert whoever is to be told by now. Never raises."""
    from baileys_tools.alerts.rules.alerts import LookedAt
    from baileys_tools.alerts.sending import send_alerts

    looked_at = LookedAt(CODES, frozenset(company.id for company in report.companies))
    done = list(recovered_news(report))
    send_alerts(state, settings, list(recovery_findings(report)), report.now, looked_at, done=done)


def _ask(companies: Sequence[CompanyRecovery]) -> bool:
    from baileys_tools.frame.show.terminal import Style, says_yes
    from baileys_tools.recovery.show.recover_text import company_text

    return says_yes(
        "\n".join(company_text(company, Style(sys.stderr), verbose=True) for company in companies)
    )


def run_recover(
    job: RecoverJob, root_path: str, agrees: Agrees | None, *, dry_run: bool = False
) -> RecoverReport:
    """Look at the companies that the settings choose; with `agrees`, climb the ladder of each that is away.

    `agrees` is asked once with all of them before anything is done. Raises BaileysToolsError when the sessions
    path cannot be read, or a named company is not there.
    """
    with Root(root_path, keep_lost=True) as root:
        job.root = root
        job.companies = companies_of_run(root, job.settings, job.state)
        job.left = left_stopped(job.state)
        homes = (process_of(job.settings, company.id) for company in job.companies)
        job.living_in = Counter(home for home in homes if home is not None)
        seen = look_over(job.settings, root, job.state, job.now)
        looked = _plan_all(job, seen)
        away = [one for one in looked if one.ending is Ending.PLANNED]
        acts = bool(agrees is not None and away and agrees(away))
        broken_off = None
        if acts:
            with job.alone():
                broken_off = climb_each(job, looked)
            seen = look_over(job.settings, root, job.state, job.clock())
        verdicts = {one.id: one.verdict for one in seen.companies}
        looked = [replace(one, verdict=verdicts.get(one.id)) for one in looked]
        code = ExitCode.DONE if dry_run else ExitCode.CRITICAL
        return RecoverReport(root.path, job.now, acts, dry_run, looked, code, broken_off)


def _plan_all(job: RecoverJob, seen: Pass) -> list[CompanyRecovery]:
    assert job.root is not None
    answers, processes = seen.asked.connections, seen.asked.processes
    looks = kept_looks(job.state, job.root.path).looks
    return for_each(
        job.companies,
        lambda company: _plan(
            job, company, AskedBefore(answers.get(company.id), processes.get(company.id), looks)
        ),
        failed_recovery,
        workers=1,
    )


def _plan(job: RecoverJob, company: Company, asked: AskedBefore) -> CompanyRecovery:
    if (moved := _moved(job, company)) is not None:
        return moved
    seen, diagnosis, means = look_at_company(job, company, asked)
    if (left := job.left.get(company.id)) is not None:
        diagnosis = _with_what_is_left(job, company, diagnosis, left, runs=seen.facts.running)
    if diagnosis.is_healthy:
        return CompanyRecovery(company.id, diagnosis, diagnosis, Ending.WELL)
    person = checklist(diagnosis, means, (), company.id)
    if diagnosis.cause in (Cause.UNKNOWN, Cause.RESTARTING) and not means.can_see:
        return CompanyRecovery(company.id, diagnosis, diagnosis, Ending.UNKNOWN, person=person)
    if diagnosis.cause is Cause.NOT_LINKED:
        return CompanyRecovery(company.id, diagnosis, diagnosis, Ending.NOT_LINKED, person=person)
    steps = ladder(diagnosis, means, job.limits)
    return CompanyRecovery(company.id, diagnosis, diagnosis, Ending.PLANNED, steps, person=person)


def _moved(job: RecoverJob, company: Company) -> CompanyRecovery | None:
    """Return what there is to say of a session that `migrate` has moved, None for any other."""
    from baileys_tools.bots.rules.diagnosis import Confidence
    from baileys_tools.recovery.moved import where_it_is

    assert job.root is not None
    if (moved := where_it_is(job.state, job.root, company)) is None:
        return None
    told = f"`migrate` has moved it to {printable(moved.to)}, and nothing logs in from here any more"
    diagnosis = Diagnosis(Cause.NOT_LINKED, Confidence.CERTAIN, (told,))
    person = ("look after it there, and take it away here once all is well",)
    return CompanyRecovery(company.id, diagnosis, diagnosis, Ending.MOVED, person=person)


def _with_what_is_left(
    job: RecoverJob, company: Company, diagnosis: Diagnosis, left: LeftStopped, *, runs: bool | None
) -> Diagnosis:
    """Return the diagnosis with what an earlier run did to the bot, as long as that lasts."""
    from baileys_tools.state.stopped import forget

    assert job.root is not None
    if runs if left.stopped.process else creds_fact(job.root, company) is CredsState.VALID:
        forget(job.state, company.id)
        del job.left[company.id]
        return diagnosis
    return diagnosis._replace(evidence=(*diagnosis.evidence, left.text))


# --- climbing -----------------------------------------------------------------------------------------------
