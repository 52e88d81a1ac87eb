"""The ladder of recover: one step after the other, until the bot is back or no step is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from baileys_tools.bots.asking import bot_api_for, process_of, signs_of_a_running_bot
from baileys_tools.bots.bot_facts import BotSeen, creds_fact
from baileys_tools.bots.rules.diagnosis import Cause, Diagnosis
from baileys_tools.bots.stopped import Hands
from baileys_tools.ending import BrokenOff
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.fleet import for_each, what_happened
from baileys_tools.pasted import command
from baileys_tools.recovery.recovery_job import RecoverJob, failed_recovery, look_at_company
from baileys_tools.recovery.rules.recovery import Means, Rung, Step, checklist, ladder
from baileys_tools.recovery.rules.recovery_report import CompanyRecovery, Ending, Tried
from baileys_tools.sessions.locks import Locked, company_lock
from baileys_tools.sessions.roots import Company
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.units import counted, printable

LOOK_EVERY = 2.0

Note = Callable[[str, str], None]
"""Says what happened and puts it into the incident: what, and the detail."""


def climb_each(job: RecoverJob, looked: list[CompanyRecovery]) -> ExitCode | None:
    """Climb the ladder of each company that is away; put what came of it in its place in `looked`.

    Return the exit code of the signal that broke it off, None when none did.
    """

    def climb(number: int) -> CompanyRecovery:
        if looked[number].ending is Ending.PLANNED:
            _climb(job, job.companies[number], looked, number)
        return looked[number]

    def failed(number: int, why: str) -> CompanyRecovery:
        return failed_recovery(job.companies[number], why, looked[number].first)

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
        seen, diagnosis, means = look_at_company(job, company)
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
        return f"it failed: {error if isinstance(error, ToolError) else what_happened(error).rstrip('.')}"


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
            return f"it is connected again, after {counted(number, 'request')}"
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
    if _runs_unseen(*look_at_company(job, company)):
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
    from baileys_tools.recovery.restore_job import RestoreOptions
    from baileys_tools.recovery.restoring import run_from_bak, run_restore
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
        return f"it failed: {what_happened(error).rstrip('.')}{still}"
    if report.status is RestoreStatus.NOTHING_TO_DO:
        return f"the folder has nothing that the snapshot could mend{still}"
    source = printable(report.snapshot.file) if from_bak else f"the snapshot {report.snapshot.id}"
    mended = f"{counted(len(report.brought_back), 'file')} came back from {source}"
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
        _, diagnosis, _ = look_at_company(job, company)
        if diagnosis.is_healthy:
            return True
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(LOOK_EVERY, left))
