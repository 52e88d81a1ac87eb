"""`cleanup`: bring each session folder to its policy."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial

from baileys_tools.cleanup.job import CleanupJob, Snapshot, Verdicts, job_of_looking, step_aside
from baileys_tools.cleanup.observed import Observed
from baileys_tools.cleanup.rules.cleanup_report import CleanupReport, CompanyCleanup, Status, held_or_cleaned
from baileys_tools.cleanup.rules.cost import Cost, bundles_fetched
from baileys_tools.cleanup.rules.explaining import explain
from baileys_tools.cleanup.rules.plan import CleanupPlan, Known, Tier
from baileys_tools.cleanup.rules.policy import is_changed_by, plan_cleanup
from baileys_tools.cleanup.rules.uses import look_again, seen_again, used_before
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.frame.show.progress import PatientProgress
from baileys_tools.sessions.interrupted import finish_restore, root_to_change
from baileys_tools.sessions.locks import Locked, company_lock
from baileys_tools.sessions.names import RESETS
from baileys_tools.sessions.quarantine import (
    Purge,
    due_for_purge,
    mend,
    new_run_id,
    newest_run,
    note_alone,
    purge,
    remove_empty_folders,
)
from baileys_tools.sessions.removal import FolderRemover
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import Creds, problem_of
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, companions_of, key_id_of
from baileys_tools.sessions.rules.node_json import LARGEST
from baileys_tools.sessions.rules.removals import Removals
from baileys_tools.sessions.rules.senderkeys import STATUS_BROADCAST, devices_told, is_memory, memories_alone
from baileys_tools.sessions.scan import exists_in_own_folder
from baileys_tools.sessions.stored.copies import read_key, scanned, settle_removals
from baileys_tools.units import moment_of, parse_time


def cleanup_command(
    flags: Mapping[str, object],
    config: str | None,
    now_text: str | None,
    *,
    verbose: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Given the command line, clean or plan, print the result once, and return the exit code."""
    loaded = settings_in_force(flags, config)
    dry_run = loaded.settings.cleanup.dry_run
    now = _now(now_text, dry_run=dry_run)
    verdicts = Verdicts.ALL if verbose else Verdicts.REMOVED if as_json else Verdicts.NONE
    with recorded("cleanup", loaded.settings, now, quiet=quiet, dry_run=dry_run) as run:
        root_path = require_sessions_path(loaded)
        with PatientProgress("cleaning", wanted=not quiet) as progress:
            report = run_cleanup(loaded.settings, root_path, now, verdicts=verdicts, progress=progress)
        code = report.exit_code
        run.ended(
            code,
            report.removed_by_company,
            companies=len(report.companies),
            removed=sum(report.removed_by_company.values()),
        )
    if as_json:
        from baileys_tools.cleanup.show.cleanup_json import cleanup_json

        print(cleanup_json(report, kept_files=verbose))
        return code
    if not quiet:
        from baileys_tools.cleanup.show.cleanup_text import cleanup_text
        from baileys_tools.frame.show.terminal import Style

        print(
            cleanup_text(
                report,
                lambda company: loaded.settings.for_company(company).policy,
                Style(),
                verbose=verbose,
                undo_window=loaded.settings.cleanup.undo_window,
            )
        )
    else:
        print_troubles(report)
    return code


def print_troubles(report: CleanupReport) -> None:
    """Say on standard error what a person has to see even when all is quiet."""
    if report.exit_code is ExitCode.DONE and not report.without_undo:
        return
    from baileys_tools.cleanup.show.cleanup_text import trouble_lines

    for line in trouble_lines(report):
        print(line, file=sys.stderr)


def _now(text: str | None, *, dry_run: bool) -> datetime:
    if text is None:
        return datetime.now(UTC)
    if not dry_run:
        raise UsageError("--now goes with --dry-run only", "A real cleanup always uses the clock.")
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"--now: {error}") from error


def run_cleanup(
    settings: Settings,
    root_path: str,
    now: datetime,
    *,
    verdicts: Verdicts = Verdicts.NONE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CleanupReport:
    """Clean the companies that the settings choose below `root_path`, or plan it when they say dry run.

    One company's trouble is part of the report and never stops the others. `verdicts` says which
    files' verdicts the report is to hold. `progress` is told how many companies of how many are done. Raises
    BaileysToolsError when no company can be worked on at all.
    """
    if settings.learns:
        from baileys_tools.frame.baselines import with_baselines

        settings = with_baselines(settings, now)
    if not settings.cleanup.dry_run:
        step_aside(root_path)
    opened = Root(root_path) if settings.cleanup.dry_run else root_to_change(root_path, now)
    with opened as root:
        companies = companies_of_run(root, settings)
        return clean_companies(settings, root, companies, now, verdicts=verdicts, progress=progress)


def clean_companies(
    settings: Settings,
    root: Root,
    companies: Sequence[Company],
    now: datetime,
    *,
    verdicts: Verdicts = Verdicts.NONE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CleanupReport:
    """Clean these companies of an open root, or plan it when the settings say dry run. As `run_cleanup`."""
    dry_run = settings.cleanup.dry_run
    if not dry_run and root.is_read_only():
        # One word for all of them.
        raise BaileysToolsError(
            f"{root.path} is on a read-only file system", "Look with --dry-run, or mount it writable."
        )
    run = None if dry_run else new_run_id(now)
    with (
        _snapshots(settings, now) as snapshot,
        closing(Observed(settings, now, of=(root, companies))) as observed,
    ):
        job = job_of_looking(settings, now, observed)._replace(
            run=run, verdicts=verdicts, snapshot=snapshot, resets_kept_for=settings.reset.keep
        )
        work = plan_company if dry_run else partial(clean_company, root=root)
        connected = left_connected(settings, companies)

        def one(company: Company) -> CompanyCleanup:
            if company.id in connected:
                return CompanyCleanup(company.id, company.path, Status.CONNECTED)
            return _one(root, company, job.for_company(settings, company.id), work)

        done = _told_of_held(settings, now, for_each(companies, one, _failed, progress))
        if not dry_run:
            _remember(settings, companies, done, now)
    undoable = any(
        one.removals.undoable and settings.for_company(one.id).cleanup.undo_window
        for one in done
        if one.removals is not None
    )
    return CleanupReport(root.path, now, dry_run, run if undoable else None, done)


def _remember(
    settings: Settings, companies: Sequence[Company], done: Sequence[CompanyCleanup], now: datetime
) -> None:
    from baileys_tools.cleanup.kept_uses import remember_uses
    from baileys_tools.sessions.search.way import places_of

    places = places_of(companies)
    remember_uses(settings, done, places, now)
    if settings.gives_returners_longer:
        from baileys_tools.cleanup.returning import remember_removed

        remember_removed(settings, done, places, now)


def _told_of_held(settings: Settings, now: datetime, done: list[CompanyCleanup]) -> list[CompanyCleanup]:
    """Say of the companies that are locked which of them have been for too long."""
    locked = {one.id: one.holder for one in done if one.status is Status.LOCKED}
    if not locked:
        return done
    from baileys_tools.frame.held_locks import told_of_held

    free = (one.id for one in done if one.status in (Status.CLEANED, Status.HELD, Status.SILENT))
    found = told_of_held(settings, locked, free, now)
    return [
        one._replace(held_too_long=True, trouble=f"{found[one.id].message}. {found[one.id].action}")
        if one.id in found
        else one
        for one in done
    ]


def left_connected(settings: Settings, companies: Sequence[Company]) -> frozenset[str]:
    """Return the ids of the companies that are left alone because their bots are connected; by default none."""
    companies = [one for one in companies if settings.for_company(one.id).cleanup.when_connected == "skip"]
    if not companies:
        return frozenset()
    from baileys_tools.bots.asking import connections

    answers = connections(settings, [company.id for company in companies])
    return frozenset(company for company, answer in answers.items() if answer.is_connected)


def _snapshots(settings: Settings, now: datetime) -> AbstractContextManager[Snapshot | None]:
    """What takes a snapshot before a removal, None where nothing is removed or no repository is configured."""
    wanted = settings.cleanup.snapshot_first or settings.companies
    if settings.backup.path is None or not wanted or settings.cleanup.dry_run:
        return nullcontext()
    from baileys_tools.snapshots.backup import snapshots_before

    return snapshots_before(settings, now)


def _one(
    root: Root,
    company: Company,
    job: CleanupJob,
    work: Callable[[int, Company, CleanupJob], CompanyCleanup],
) -> CompanyCleanup:
    try:
        with root.open(company, unwritten=work is plan_company) as folder:
            return work(folder, company, job)
    except Locked as lock:
        return CompanyCleanup(company.id, company.path, Status.LOCKED, trouble=str(lock), holder=lock.holder)


def _failed(company: Company, why: str) -> CompanyCleanup:
    return CompanyCleanup(company.id, company.path, Status.FAILED, trouble=why)


def plan_company(folder: int, company: Company, job: CleanupJob) -> CompanyCleanup:
    """Given an open session folder, return what a cleanup would do there. Touches nothing."""
    facts, plan = look_and_plan(folder, company, job)
    waits = facts.has_own and not plan.is_in_doubt
    due = due_for_purge(folder, job.now, job.undo_window) if waits else Purge()
    if waits and exists_in_own_folder(RESETS, folder):
        from baileys_tools.sessions.resets import resets_due

        due.add(resets_due(folder, job.now, job.resets_kept_for, is_alive=_is_paired(facts)))
    return _report(company, facts, plan, job)._replace(purged_files=due.files, purged_bytes=due.size)


def look_and_plan(
    folder: int, company: Company, job: CleanupJob, changed: datetime | None = None
) -> tuple[FolderFacts, CleanupPlan]:
    """Given an open session folder, return what is there and what a cleanup would do about it.

    `changed` is when a file last came or went there, where we have made and taken some since.
    """
    limits = job.policy.normal
    unused = limits.device_lists is not None or limits.identity_keys is not None
    facts = scanned(folder, limits.pre_keys_keep, unused=unused)
    server = job.server_pre_keys(company) if len(facts.of(Kind.PRE_KEY)) > limits.pre_keys_keep else None
    facts = facts._replace(server=server)
    cleaned = newest_run(folder) if facts.has_own else None
    if cleaned is None and not job.undo_window:
        # Nothing tells of a cleanup that leaves no quarantine, but that files went.
        cleaned = changed or _changed(folder)
    known = Known(cleaned=cleaned)
    if job.policy.gentle.returners:
        from baileys_tools.cleanup.rules.returners import came_back

        known = known._replace(came_back=came_back(facts, job.removed_before(company)))
    if job.policy.gentle.until is not None:
        uses = seen_again(job.uses_before(company), facts, job.now)
        known = known._replace(used_before=used_before(facts, uses))
    plan = plan_cleanup(facts, job.policy, job.now, known)
    if plan.goes_by_age and (seen := job.observed(company)):
        known = known._replace(seen=seen)
        if is_changed_by(plan, facts, job.policy, seen, job.now):
            plan = plan_cleanup(facts, job.policy, job.now, known)
    if plan.tier is not Tier.NORMAL or plan.emergency_would_leave is not None:
        # Rare, so only now is looked at what the normal limits keep anyway: more pre-keys, and what no session uses.
        # Such a folder can be huge: not two of its kind in memory.
        del facts, plan
        facts = scanned(folder, job.policy.emergency.pre_keys_keep)._replace(server=server)
        plan = plan_cleanup(facts, job.policy, job.now, known)
    return facts, plan._replace(cost=_with_keys_sent_again(folder, facts, plan), came_back=known.came_back)


def _changed(folder: int) -> datetime:
    return moment_of(os.fstat(folder).st_mtime_ns)


def _with_keys_sent_again(folder: int, facts: FolderFacts, plan: CleanupPlan) -> Cost:
    """Return the cost of a plan with the devices that the memories which go have told the bot's key.

    Only those files are read, and mappings of the devices in them.
    """
    told: list[str] = []
    memories = [unit[0] for unit in plan.removals if is_memory(unit[0])]
    for memory in memories:
        if key_id_of(memory, Kind.SENDER_KEY_MEMORY) != STATUS_BROADCAST:
            # Where its .bak stands alone the bot reads that.
            for name in (memory, *companions_of(memory)):
                with suppress(OSError):
                    told += devices_told(read_key(folder, name, LARGEST + 1))
                    break
    if not told:
        return plan.cost
    from baileys_tools.sessions.mappings import Mappings

    gone = set[str]().union(*plan.removals)
    bundles = bundles_fetched(facts, gone, told, Mappings(folder, read_key).lid_of)
    return plan.cost._replace(key_messages=len(told), bundles=bundles)


def clean_company(folder: int, company: Company, job: CleanupJob, *, root: Root) -> CompanyCleanup:
    """Given an open session folder, clean it under its lock and return what was done."""
    changed = _changed(folder)
    with company_lock(folder, job.now):
        earlier_restore = finish_restore(root, company, folder)
        mended = mend(folder)
        facts, plan = look_and_plan(folder, company, job, changed)
        # A clock that cannot be trusted must not end anybody's chance to undo.
        purged = Purge() if plan.is_in_doubt else purge(folder, job.now, job.undo_window)
        if not plan.is_in_doubt and exists_in_own_folder(RESETS, folder):
            from baileys_tools.sessions.resets import purge_resets

            purged.add(purge_resets(folder, job.now, job.resets_kept_for, is_alive=_is_paired(facts)))
        trouble = job.snapshot(folder, company) if job.snapshot is not None and plan.removals else ""
        removals = carry_out(folder, plan, facts, job.run)
        return _report(company, facts, plan, job)._replace(
            status=held_or_cleaned(plan),
            removals=removals,
            purged_files=purged.files,
            purged_bytes=purged.size,
            purge_errors=purged.errors,
            mended=tuple(mended),
            snapshot_trouble=trouble,
            earlier_restore=earlier_restore,
            uses=None if plan.is_in_doubt else look_again(job.uses_before(company), facts, job.now),
        )


def _is_paired(facts: FolderFacts) -> bool:
    return isinstance(facts.creds, Creds) and facts.creds.paired


def carry_out(folder: int, plan: CleanupPlan, facts: FolderFacts, run: str | None) -> Removals:
    """Remove exactly what the plan says, each file only if it is still as the plan saw it."""
    if not plan.removals:
        return Removals()
    note_alone(folder, run, memories_alone(facts, plan.removals))
    with FolderRemover(folder, run) as remover:
        for unit in plan.removals:
            remover.remove_unit(facts.files_of(unit))
        settle_removals(folder, run, plan.removals, remover.removals)
        if run is not None and not remover.removals.undoable:
            remove_empty_folders(folder)
        return remover.removals


def _report(company: Company, facts: FolderFacts, plan: CleanupPlan, job: CleanupJob) -> CompanyCleanup:
    kinds = job.verdicts
    return CompanyCleanup(
        company.id,
        company.path,
        Status.PLANNED,
        plan=plan.in_numbers(),
        verdicts=() if kinds is Verdicts.NONE else explain(facts, plan, job.now, kept=kinds is Verdicts.ALL),
        creds_problem=problem_of(facts.creds, facts.names),
        creds_refused=facts.creds_refused,
        oddities=facts.oddities,
    )
