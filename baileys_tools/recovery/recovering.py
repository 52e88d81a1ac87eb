"""`recover`: find out why a bot is away, and bring it back by the cheapest step that does. Nothing is ever removed."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.bots.asking import (
    bot_api_for,
    connections,
    process_of,
    processes,
    signs_of_a_running_bot,
)
from baileys_tools.bots.bot_facts import BotSeen, creds_fact, look_at_bot
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.bots.rules.diagnosis import Cause, Confidence, Diagnosis, diagnose
from baileys_tools.bots.stopped import Hands, LeftStopped, left_stopped
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.ending import BrokenOff
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.companies import companies_of_run, kept_looks
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.recovery.rules.bak import Proof
from baileys_tools.recovery.rules.recovery import Means, RecoveryLimits, Rung, Step, checklist, ladder
from baileys_tools.recovery.rules.recovery_report import (
    CODES,
    CompanyRecovery,
    Ending,
    RecoverReport,
    Tried,
    recovered_news,
    recovery_findings,
)
from baileys_tools.sessions.locks import Locked, company_lock, process_lock
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.units import format_duration, printable

if TYPE_CHECKING:
    from baileys_tools.bots.process import Process
    from baileys_tools.bots.rules.process import ProcessFacts
    from baileys_tools.recovery.from_bak import Bak
    from baileys_tools.state.database import State

LOCK = "recover.lock"
LOOK_EVERY = 2.0

Agrees = Callable[[Sequence[CompanyRecovery]], bool]
Note = Callable[[str, str], None]
"""Says what happened and puts it into the incident: what, and the detail."""
Say = Callable[[str], None]


def recover_command(
    flags: Mapping[str, object],
    config: str | None,
    *,
    dry_run: bool,
    yes: bool,
    verbose: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Given the command line, recover or say what would be done, print the result once, return the exit code."""
    from baileys_tools.frame.show.terminal import Style
    from baileys_tools.recovery.show.recover_text import recover_json, recover_text

    loaded = settings_in_force(flags, config)
    settings = loaded.settings
    now = datetime.now(UTC)
    may_act = not dry_run and (yes or settings.recover.auto or (sys.stdin.isatty() and not quiet))

    def agrees(companies: Sequence[CompanyRecovery]) -> bool:
        return yes or settings.recover.auto or _ask(companies)

    def say(text: str) -> None:
        if not quiet:
            # Talk: a disk that is full of it must not keep a bot stopped.
            with suppress(OSError):
                print(printable(text), file=sys.stderr, flush=True)

    # Without leave to act it only looks, and that is its whole work under cron.
    with recorded("recover", settings, now, quiet=quiet, dry_run=not may_act, is_pinged=not dry_run) as run:
        root_path = require_sessions_path(loaded)
        try:
            report = _run_with_state(
                settings, root_path, now, agrees if may_act else None, say, all_may_act=yes, dry_run=dry_run
            )
        except Locked as lock:
            run.ended(ExitCode.LOCKED)
            if not quiet:
                print(f"baileys-tools: another recover is at work: {printable(str(lock))}", file=sys.stderr)
            return ExitCode.LOCKED
        run.ended(report.exit_code, companies=len(report.companies))
    if as_json:
        print(recover_json(report))
    elif not quiet or report.exit_code is not ExitCode.DONE:
        print(recover_text(report, Style(), verbose=verbose, quiet=quiet))
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
) -> RecoverReport:
    from baileys_tools.place import make_private_folder
    from baileys_tools.state.database import open_state

    if agrees is not None:
        make_private_folder(settings.state.dir)
    with open_state(settings.state.dir, now) as state:
        job = RecoverJob(settings, state, now, say, restarts_shared=all_may_act)
        if agrees is None:
            report = run_recover(job, root_path, None, dry_run=dry_run)
        else:
            # Whoever is asked may take the night over it: nobody else has to wait for that.
            job.alone = lambda: process_lock(os.path.join(settings.state.dir, LOCK), job.clock())
            report = run_recover(job, root_path, agrees)
        # Whoever ends it by a signal does not wait for channels either: the next run finds the same.
        if not dry_run and report.broken_off is None:
            tell_recovery(settings, state, report)
    return report


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


@dataclass(slots=True)
class RecoverJob:
    """What one run has to work with. `restarts_shared`: also a process that other companies live in.

    `alone` keeps other runs out while steps are taken; each step looks again first.
    """

    settings: Settings
    state: State
    now: datetime
    say: Say
    restarts_shared: bool = False
    alone: Callable[[], AbstractContextManager[None]] = nullcontext
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    root: Root | None = None
    companies: Sequence[Company] = ()
    restarted: set[Process] = field(default_factory=set)
    left: dict[str, LeftStopped] = field(default_factory=dict)
    """What runs that were killed have stopped, by company."""
    living_in: Mapping[Process, int] = field(default_factory=dict)
    """By process how many companies' bots live in it."""

    @property
    def limits(self) -> RecoveryLimits:
        """How patient the steps are."""
        recover = self.settings.recover
        return RecoveryLimits(recover.tries, format_duration(recover.wait))


def run_recover(
    job: RecoverJob, root_path: str, agrees: Agrees | None, *, dry_run: bool = False
) -> RecoverReport:
    """Look at the companies that the settings choose; with `agrees`, climb the ladder of each that is away.

    `agrees` is asked once with all of them before anything is done. Raises BaileysToolsError when the sessions
    path cannot be read, or a named company is not there.
    """
    with Root(root_path) as root:
        job.root = root
        job.companies = companies_of_run(root, job.settings, job.state)
        job.left = left_stopped(job.state)
        homes = (process_of(job.settings, company.id) for company in job.companies)
        job.living_in = Counter(home for home in homes if home is not None)
        looked = _plan_all(job)
        away = [one for one in looked if one.ending is Ending.PLANNED]
        acts = bool(agrees is not None and away and agrees(away))
        broken_off = None
        if acts:
            with job.alone():
                broken_off = _climb_each(job, looked)
        code = ExitCode.DONE if dry_run else ExitCode.CRITICAL
        return RecoverReport(root.path, job.now, acts, dry_run, looked, code, broken_off)


def _failed(company: Company, why: str, first: Diagnosis | None = None) -> CompanyRecovery:
    last = Diagnosis(Cause.UNKNOWN, Confidence.POSSIBLE, (why,))
    return CompanyRecovery(company.id, first or last, last, Ending.FAILED)


class _Asked(NamedTuple):
    """What was asked once for all companies before each is looked at; None for what has to be asked anew."""

    connection: Connection | None = None
    process: ProcessFacts | None = None
    looks: Mapping[str, Any] | None = None


_NOTHING = _Asked()


def _plan_all(job: RecoverJob) -> list[CompanyRecovery]:
    assert job.root is not None
    ids = [company.id for company in job.companies]
    answers = connections(job.settings, ids)
    seen = processes(job.settings, ids)
    looks = kept_looks(job.state, job.root.path).looks
    return for_each(
        job.companies,
        lambda company: _plan(job, company, _Asked(answers.get(company.id), seen.get(company.id), looks)),
        _failed,
        workers=1,
    )


def _look(job: RecoverJob, company: Company, asked: _Asked = _NOTHING) -> tuple[BotSeen, Diagnosis, Means]:
    assert job.root is not None
    now = job.clock()
    has_snapshot = _has_snapshot(job.settings, job.root, company)
    seen = look_at_bot(
        job.settings,
        job.root,
        company,
        job.state,
        now,
        had_snapshot=has_snapshot,
        connection=asked.connection,
        process=asked.process,
        looks=asked.looks,
    )
    return seen, diagnose(seen.facts, now), _means(job, company, seen, has_snapshot=has_snapshot)


def _plan(job: RecoverJob, company: Company, asked: _Asked) -> CompanyRecovery:
    seen, diagnosis, means = _look(job, company, asked)
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


def _means(job: RecoverJob, company: Company, seen: BotSeen, *, has_snapshot: bool) -> Means:
    settings = job.settings
    api = bot_api_for(settings, company.id)
    process = process_of(settings, company.id)
    bak = _bak(job, company, seen)
    shared = job.living_in[process] - 1 if process is not None else 0
    allowed = process is not None and process.can_restart and settings.for_company(company.id).process.restart
    # What answers, or runs by its manager's word, would write over what comes back.
    answers = seen.connection is not None and seen.connection.state is not ConnectionState.UNKNOWN
    stopped = seen.process.running is False if seen.process is not None else not answers
    return Means(
        can_see=seen.connection is not None or seen.facts.log.shows_connections,
        can_reconnect=api is not None and api.offers("reconnect"),
        can_restart=allowed and process not in job.restarted and (job.restarts_shared or not shared),
        shared_with=shared,
        has_snapshot=has_snapshot,
        stopped=stopped,
        unseen=stopped and seen.process is None,
        can_stop=allowed and not shared,
        has_creds=seen.facts.creds is CredsState.VALID,
        is_connected=seen.connection is not None and seen.connection.is_connected,
        has_bak=bak is not None,
        bak_is_proven=bak is not None and bak.proof is Proof.SAME,
    )


def _bak(job: RecoverJob, company: Company, seen: BotSeen) -> Bak | None:
    """Return the `creds.json.bak` that can come back, None where creds are whole or there is none."""
    from baileys_tools.recovery.from_bak import Bak, bak_of

    assert job.root is not None
    if seen.facts.creds in (CredsState.VALID, CredsState.UNKNOWN):
        return None
    found = bak_of(job.settings, job.state, job.root, company)
    return found if isinstance(found, Bak) and found.proof is not Proof.OTHER else None


def _has_snapshot(settings: Settings, root: Root, company: Company) -> bool:
    """Whether there is a snapshot of the session in this folder, and not of one that was reset since."""
    if settings.backup.path is None or not os.path.isdir(settings.backup.path):
        return False
    from baileys_tools.snapshots.of_session import snapshots_of_this_session
    from baileys_tools.snapshots.repository import Repository

    try:
        with Repository(settings.backup.path) as repository:
            return bool(snapshots_of_this_session(repository, root, company))
    except (BaileysToolsError, OSError):
        return False


# --- climbing -----------------------------------------------------------------------------------------------


def _climb_each(job: RecoverJob, looked: list[CompanyRecovery]) -> ExitCode | None:
    """Climb the ladder of each company that is away; put what came of it in its place in `looked`.

    Return the exit code of the signal that broke it off, None when none did.
    """

    def climb(number: int) -> CompanyRecovery:
        if looked[number].ending is Ending.PLANNED:
            _climb(job, job.companies[number], looked, number)
        return looked[number]

    def failed(number: int, why: str) -> CompanyRecovery:
        return _failed(job.companies[number], why, looked[number].first)

    try:
        looked[:] = for_each(range(len(looked)), climb, failed, workers=1)
    except BrokenOff as end:
        return end.exit_code
    return None


def _climb(job: RecoverJob, company: Company, looked: list[CompanyRecovery], number: int) -> None:
    """Take one step after the other, until the bot is back or no step is left. Raises BrokenOff."""
    from baileys_tools.watching.kept_incidents import add_entry, open_incident

    planned = looked[number]
    incident = open_incident(job.state, company.id, planned.first.cause.value, job.now)

    def note(what: str, detail: str) -> None:
        job.say(f"{company.id}: {detail}")
        add_entry(job.state, incident, what, detail, job.clock())

    if (left := job.left.get(company.id)) is not None:
        note("found-stopped", left.text)
    hands = Hands("recover", job.state, company.id, job.clock)
    tried: list[Tried] = []
    try:
        try:
            looked[number] = _climb_on(job, company, planned, incident, hands, tried, note)
        finally:
            # Whatever ended the ladder, what it has stopped is not left without a word.
            if rest := hands.see_to_the_rest(lambda: _why_not_to_start(job, company)):
                note(*rest)
            hands.drop()
    except BrokenOff as end:
        note("broken-off", f"broken off by {end}")
        looked[number] = replace(planned, ending=Ending.BROKEN_OFF, tried=tried)
        raise


def _climb_on(
    job: RecoverJob,
    company: Company,
    planned: CompanyRecovery,
    incident: int,
    hands: Hands,
    tried: list[Tried],
    note: Note,
) -> CompanyRecovery:
    """Look, take the cheapest step that is left, add it to `tried`, and so on."""
    from baileys_tools.watching.kept_incidents import add_entry, close_incident

    if finished := _finish_interrupted(job, company):
        note("recover-restore", finished)
    while True:
        seen, diagnosis, means = _look(job, company)
        steps = ladder(diagnosis, means, job.limits, [one.rung for one in tried])
        if not steps or (tried and _runs_unseen(seen, diagnosis, means)):
            close_incident(job.state, incident, job.clock(), planned.first.cause.value)
            return CompanyRecovery(company.id, planned.first, diagnosis, Ending.RECOVERED, tried=tried)
        step = steps[0]
        job.say(f"{company.id}: {step.text}")
        if step.rung is Rung.PERSON:
            person = checklist(diagnosis, means, [one.rung for one in tried], company.id)
            add_entry(job.state, incident, "needs-person", diagnosis.cause.value, job.clock())
            return CompanyRecovery(
                company.id, planned.first, diagnosis, Ending.PERSON, steps, tried, person=person
            )
        broken_off = None
        try:
            result = _take(job, company, step, hands)
        except BrokenOff as end:
            broken_off, result = end, "; ".join(filter(None, [hands.said, f"broken off by {end}"]))
        tried.append(Tried(job.clock(), step.rung, result))
        note(f"recover-{step.rung.value}", result)
        hands.drop()
        if broken_off is not None:
            raise broken_off


def _why_not_to_start(job: RecoverJob, company: Company) -> str:
    """Why a bot that this run has stopped must not be started as its folder is, "" for no reason."""
    assert job.root is not None
    if creds_fact(job.root, company) is CredsState.VALID:
        return ""
    return "its creds.json is not whole, and without it the bot would make itself a new identity"


def _finish_interrupted(job: RecoverJob, company: Company) -> str:
    """Finish what a restore left that died, before a bot is started on it; return what was done, "" for nothing.

    Not under a bot that runs. Raises nothing: the next command that has the folder's lock sees to it.
    """
    from baileys_tools.sessions.interrupted import finish_restore, is_interrupted

    assert job.root is not None
    try:
        with job.root.open(company) as folder:
            if not is_interrupted(job.root, company, folder):
                return ""
            if signs_of_a_running_bot(job.settings, company.id):
                return ""
            with company_lock(folder, job.clock()):
                return finish_restore(job.root, company, folder)
    except FileNotFoundError:
        return ""
    except (Locked, BaileysToolsError, OSError, ValueError) as error:
        return f"what an earlier restore left could not be finished: {getattr(error, 'message', error)}"


def _take(job: RecoverJob, company: Company, step: Step, hands: Hands) -> str:
    """Take one step and return what came of it in words. Raises nothing that a step can meet."""
    takes: dict[Rung, Callable[[RecoverJob, Company, Hands], str]] = {
        Rung.WAIT: _wait,
        Rung.RECONNECT: _reconnect,
        Rung.RESTART: _restart,
        Rung.FROM_BAK: partial(_restore, from_bak=True),
        Rung.RESTORE: _restore,
    }
    from baileys_tools.bots.process import ToolError

    try:
        return takes[step.rung](job, company, hands)
    except (BaileysToolsError, ToolError, OSError) as error:
        return f"it failed: {getattr(error, 'message', error)}"


def _wait(job: RecoverJob, company: Company, hands: Hands) -> str:
    seconds = job.settings.recover.wait.total_seconds()
    began = time.monotonic()
    if _is_back_within(job, company, seconds):
        return f"it came back by itself after {time.monotonic() - began:.0f} s"
    return f"it did not come back within {job.limits.wait}"


def _reconnect(job: RecoverJob, company: Company, hands: Hands) -> str:
    from baileys_tools.bots.bot_api import ApiError

    api = bot_api_for(job.settings, company.id)
    if api is None:
        raise UsageError("there is no API to ask")
    delay = job.settings.recover.first_delay.total_seconds()
    refused = ""
    for number in range(1, job.settings.recover.tries + 1):
        try:
            api.reconnect()
            refused = ""
        except ApiError as error:
            refused = str(error)
        if _is_back_within(job, company, delay):
            return f"it is connected again, after {number} request(s)"
        delay *= 2
    return f"{job.settings.recover.tries} requests did not bring it back" + (
        f": {refused}" if refused else ""
    )


def _restart(job: RecoverJob, company: Company, hands: Hands) -> str:
    from baileys_tools.bots.process import look_at, restart

    process = process_of(job.settings, company.id)
    assert process is not None
    job.restarted.add(process)
    # A restart is a stop, too.
    hands.take(process, ran=hands.process is not None or look_at(process).running)
    restart(process)
    hands.let_go()
    if _is_back_within(job, company, job.settings.recover.wait.total_seconds()):
        return f"{process} was restarted, and the bot is connected"
    if _runs_unseen(*_look(job, company)):
        return f"{process} was restarted and runs; whether the bot is connected, nothing tells (docs/recovery.md)"
    return f"{process} was restarted, but the bot is not connected after {job.limits.wait}"


def _runs_unseen(seen: BotSeen, diagnosis: Diagnosis, means: Means) -> bool:
    """Whether its process runs, nothing else tells how the bot is, and nothing is known to be wrong."""
    is_quiet = diagnosis.cause in (Cause.UNKNOWN, Cause.RESTARTING)
    return is_quiet and seen.facts.running is True and not means.can_see


def _restore(job: RecoverJob, company: Company, hands: Hands, *, from_bak: bool = False) -> str:
    """Repair the folder from the newest good snapshot, or creds.json from its .bak, with the bot stopped: by us, if it
    runs."""
    from baileys_tools.bots.process import ToolError, look_at, stop
    from baileys_tools.recovery.restoring import RestoreOptions, run_from_bak, run_restore
    from baileys_tools.recovery.rules.restore_report import RestoreReport, RestoreStatus
    from baileys_tools.sessions.rules.restore_plan import Objection

    assert job.root is not None
    root_path, backup_path = job.root.path, job.settings.backup.path

    def restore(*, dry_run: bool = False, force: bool = False) -> RestoreReport:
        options = RestoreOptions(company.id, dry_run=dry_run, force=force, yes=True, from_bak=from_bak)
        if from_bak:
            return run_from_bak(job.settings, options, root_path, job.clock(), lambda _: True)
        assert backup_path is not None
        return run_restore(job.settings, options, root_path, backup_path, job.clock(), lambda _: True)

    # A bot that runs may have its creds in memory yet: it is not stopped for a snapshot that is of no use.
    plan = restore(dry_run=True).plan
    unfit = [one.text for one in plan.refusals if one.objection is not Objection.BOT_LIVES] if plan else []
    if unfit:
        return f"nothing was restored: {'; '.join(unfit)}"
    process = process_of(job.settings, company.id)
    stopped_by_us = process is not None and look_at(process).running is True
    if process is not None and stopped_by_us:
        if process.can_restart:
            hands.take(process, ran=True, to_stop=True)
        try:
            stop(process)
        except ToolError as error:
            return f"nothing was restored: {error}; if it ends yet, it stays stopped until somebody starts it"
    still = "; the bot is still stopped" if stopped_by_us else ""
    if signs := signs_of_a_running_bot(job.settings, company.id):
        return f"nothing was restored, because {' and '.join(signs)}{still}"
    # What comes back comes back whole, and is in the incident.
    hands.hold()
    try:
        # What it wrote a moment ago is no sign of life any more once we have seen it stop.
        report = restore(force=stopped_by_us)
    except BaileysToolsError as error:
        return f"it failed: {error.message}{still}"
    if report.status is RestoreStatus.NOTHING_TO_DO:
        return f"the folder has nothing that the snapshot could mend{still}"
    source = "creds.json.bak" if from_bak else f"the snapshot {report.snapshot.id}"
    mended = f"{len(report.brought_back)} file(s) came back from {source}"
    undo = (
        f"; {command('baileys-tools undo --run {}', report.run)} undoes what was set aside"
        if report.run
        else ""
    )
    return mended + undo + still


def _is_back_within(job: RecoverJob, company: Company, seconds: float) -> bool:
    """Look again and again whether the bot is well, for so many seconds."""
    end = time.monotonic() + seconds
    while True:
        _, diagnosis, _ = _look(job, company)
        if diagnosis.is_healthy:
            return True
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(LOOK_EVERY, left))
