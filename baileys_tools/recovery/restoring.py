"""`restore`: bring a session folder back from a snapshot."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from baileys_tools.bots.asking import signs_of_a_bot
from baileys_tools.config import Settings, require_backup_path, require_sessions_path
from baileys_tools.ending import Hold
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import choose, no_such_company, place_named, the_name_of_one
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.place import make_private_folder
from baileys_tools.recovery.in_stores import signs_there, what_may_stand
from baileys_tools.recovery.keeping import keep_what_was, make_session_folder, require_room
from baileys_tools.recovery.moved import require_not_moved
from baileys_tools.recovery.restore_job import (
    FolderLook,
    RestoreJob,
    RestoreOptions,
    report_of,
    require_agreement,
    require_no_refusal,
)
from baileys_tools.recovery.rules.restore import plan_restore
from baileys_tools.recovery.rules.restore_report import RestoreReport, RestoreStatus
from baileys_tools.recovery.snapshot_to_restore import WholeSnapshot, facts_of, newest_account, read_snapshot
from baileys_tools.sessions.entries import is_link, leads_to_a_file
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.interrupted import finish_restore, root_to_change
from baileys_tools.sessions.live import read_live_folder
from baileys_tools.sessions.locks import Locked, company_lock, told_of
from baileys_tools.sessions.place import place_of
from baileys_tools.sessions.quarantine import new_run_id
from baileys_tools.sessions.repair import repair
from baileys_tools.sessions.rollback import roll_back, write_plain_folder
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.restore_plan import (
    CREDS,
    Choice,
    Mode,
)
from baileys_tools.sessions.rules.snapshot import (
    as_keys,
)
from baileys_tools.sessions.staging import read_journal
from baileys_tools.sessions.stored.whole import written_whole
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.shelves import the_one_shelf


def restore_command(given: CommandLine, options: RestoreOptions) -> ExitCode:
    """Given the command line, restore or plan it, print the result once, and return the exit code."""
    from baileys_tools.frame.show.terminal import Style, must_say_yes
    from baileys_tools.recovery.show.restore_text import restore_text, restore_troubles

    if options.mode not in set(Mode):
        raise UsageError(f"--mode {options.mode!r} is neither repair nor rollback")
    _require_bak_alone(options)
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    if not options.company:
        options = replace(options, company=the_name_of_one(loaded.settings, "restore", _typed(options)))

    shown: list[str] = []

    def agrees(report: RestoreReport) -> bool:
        if options.yes:
            return True
        shown.append(restore_text(report, Style(sys.stderr), verbose=given.verbose))
        return must_say_yes("a restore", shown[-1])

    with recorded("restore", loaded.settings, now, quiet=given.quiet, dry_run=options.dry_run) as run:
        if options.from_bak:
            root_path = require_sessions_path(loaded)
            report = run_from_bak(loaded.settings, options, root_path, now, agrees)
        elif options.target is not None:
            repository_path = require_backup_path(loaded)
            report = run_target(loaded.settings, options, options.target, repository_path, now)
        else:
            repository_path = require_backup_path(loaded)
            root_path = require_sessions_path(loaded)
            report = run_restore(loaded.settings, options, root_path, repository_path, now, agrees)
        changed = {report.company: len(report.brought_back) + len(report.set_aside)}
        in_place = report.status is RestoreStatus.RESTORED and options.target is None
        run.ended(report.exit_code, changed if in_place else {}, brought_back=len(report.brought_back))
    if given.as_json:
        from baileys_tools.recovery.show.restore_json import restore_json

        print(restore_json(report))
    elif given.quiet:
        for line in restore_troubles(report):
            print(line, file=sys.stderr)
    else:
        # Whoever has just said yes to the plan has it before them, unless the result goes elsewhere.
        plan = not (shown and sys.stdout.isatty())
        print(restore_text(report, Style(), verbose=given.verbose, plan=plan))
    return report.exit_code


def _typed(options: RestoreOptions) -> str:
    return "" if options.wanted == "latest" else options.wanted


def _require_bak_alone(options: RestoreOptions) -> None:
    """A copy of `creds.json` is one file: there is no other to name, and nothing to become."""
    elsewhere = options.target is not None or options.wanted != "latest" or options.keep_sessions
    if options.from_bak and (elsewhere or options.mode != Mode.REPAIR):
        raise UsageError(
            "--from-bak brings creds.json back from a copy of it in the folder: it goes with no snapshot, no --target, "
            "no --keep-sessions and no --mode rollback"
        )


# --- elsewhere ----------------------------------------------------------------------------------------------


def run_target(
    settings: Settings, options: RestoreOptions, target: str, repository_path: str, now: datetime
) -> RestoreReport:
    """Write a snapshot as a plain folder to `target`, which is not there yet or is empty."""
    with Repository(repository_path) as repository:
        shelf = the_one_shelf(repository, options.company, place_named(settings, options.company))
        snapshot = read_snapshot(repository, shelf, options.wanted, settings.backup.identity_file)
    report = RestoreReport(
        options.company, "", now, snapshot.info, snapshot.manifest, RestoreStatus.PLANNED, target=target
    )
    require_room(target)
    if options.dry_run:
        return report
    try:
        above = os.path.dirname(os.path.abspath(target))
        if not os.path.isdir(above):
            _make_way(target, above)
        write_plain_folder(target, list(snapshot.files.values()))
    except Locked as lock:
        raise BaileysToolsError(f"{target} is locked by {lock}", exit_code=ExitCode.LOCKED) from lock
    except OSError as error:
        raise BaileysToolsError(
            f"cannot write {target}: {say_why(error)}", "Nothing was left there."
        ) from error
    return replace(report, status=RestoreStatus.RESTORED, brought_back=sorted(snapshot.files))


def _make_way(target: str, above: str) -> None:
    try:
        make_private_folder(above)
    except FileNotFoundError as error:
        raise BaileysToolsError(
            f"--target {target}: the folder {above} cannot be made", "Name a place where folders can be made."
        ) from error


def require_no_link(folder: int, company: Company) -> None:
    """Raise exit code 13 where `creds.json` is a link: to write through it could write anywhere, and to replace it
    would leave the bot's own place for it with the old state.
    """
    if not is_link(folder, CREDS):
        return
    link, aside = os.path.join(company.path, CREDS), os.path.join(company.path, "creds.link")
    hint = "Stop the bot. Take the link away, then restore: " + command("mv {} {}", link, aside)
    if leads_to_a_file(folder, CREDS):
        hint = (
            "Stop the bot. Put the file itself in the place of the link, then restore, then link it again: "
            f"{command('mv {} {}', link, aside)}; {command('cp {} {}', aside, link)}"
        )
    raise BaileysToolsError(
        f"company {company.id}: creds.json is a symbolic link, and restore writes through none",
        hint,
        exit_code=ExitCode.REFUSED,
    )


# --- in place -----------------------------------------------------------------------------------------------


def run_restore(
    settings: Settings,
    options: RestoreOptions,
    root_path: str,
    repository_path: str,
    now: datetime,
    agrees: Callable[[RestoreReport], bool],
) -> RestoreReport:
    """Restore one company below `root_path`, or plan it. `agrees` is asked with the plan before it is done.

    Raises exit code 10 to 13 before anything is touched, 75 when the company is locked.
    """
    identity_file = settings.backup.identity_file
    opened = (
        Root(root_path, keep_lost=True) if options.dry_run else root_to_change(root_path, now, keep_lost=True)
    )
    with opened as root, Repository(repository_path) as repository:
        # Before a snapshot is looked for: where there is no such company, and can be none, nothing else is to be said.
        company, _ = where_it_goes(root, settings, options.company, repository)
        require_not_moved(settings, root, company, now, force=options.force)
        snapshot = read_snapshot(repository, options.company, options.wanted, identity_file, company.place)
        files = what_may_stand(root, company, as_keys(snapshot.files.values()))
        snapshot = replace(snapshot, files=files)
        facts = facts_of(snapshot, newest_account(repository, snapshot, identity_file))
        recipients = Recipients(settings.backup.recipients) if settings.backup.recipients else None
        pre_keys = settings.pre_keys
        signs = partial(signs_of_a_bot, settings, options.company)
        choice = Choice(Mode(options.mode), options.keep_sessions, pre_keys.keep, pre_keys.guard)
        job = RestoreJob(options, choice, snapshot, facts, repository, recipients, now, agrees, signs)
        with told_of(options.company):
            # Looked for again: to read a snapshot takes a while.
            company, is_there = where_it_goes(root, settings, options.company, repository)
            if not is_there:
                return make_session_folder(root, company, job)
            with root.open(company) as folder:
                require_no_link(folder, company)
                if options.dry_run:
                    return report_of(company.path, job, _look(folder, job).plan)
                return _restore(root, company, folder, job)


def run_from_bak(
    settings: Settings,
    options: RestoreOptions,
    root_path: str,
    now: datetime,
    agrees: Callable[[RestoreReport], bool],
) -> RestoreReport:
    """As `run_restore`, from a copy of `creds.json` in its folder. Raises exit code 13 where it is no way back."""
    from baileys_tools.recovery.from_bak import bak_of, require_bak
    from baileys_tools.state.database import open_state

    opened = (
        Root(root_path, keep_lost=True) if options.dry_run else root_to_change(root_path, now, keep_lost=True)
    )
    with opened as root, open_state(settings.state.dir, now) as state:
        company, is_there = where_it_goes(root, settings, options.company)
        if not is_there:
            raise BaileysToolsError(
                f"no company {options.company} in {root.path}",
                "Its folder is gone, and any copy of creds.json with it: restore without --from-bak.",
                exit_code=ExitCode.NOT_FOUND,
            )
        require_not_moved(settings, root, company, now, force=options.force)
        bak = require_bak(bak_of(settings, state, root, company), company.id)
        info, manifest = bak.as_snapshot(company.id)
        snapshot = WholeSnapshot(info, manifest, {CREDS: bak.file})
        pre_keys = settings.pre_keys
        choice = Choice(Mode.REPAIR, pre_keys_keep=pre_keys.keep, pre_key_guard=pre_keys.guard)
        signs = partial(signs_of_a_bot, settings, options.company)
        job = RestoreJob(options, choice, snapshot, facts_of(snapshot, None), None, None, now, agrees, signs)
        with told_of(options.company), root.open(company) as folder:
            require_no_link(folder, company)
            if options.dry_run:
                return report_of(company.path, job, _look(folder, job).plan)
            return _restore(root, company, folder, job)


def where_it_goes(
    root: Root, settings: Settings, company_id: str, repository: Repository | None = None
) -> tuple[Company, bool]:
    """Return the company to restore, and whether its folder is there. Raises exit code 10 where nothing tells."""
    from baileys_tools.sessions.search.standing import where_it_stood

    listed = root.companies(settings.sessions.multitenancy, frozenset([company_id]))
    if not listed:
        # A single folder that has lost its creds.json is not listed; its name still tells.
        listed = [one for one in root.companies(multitenancy=False) if one.id == company_id]
    found = next((company for company in listed if company.id == company_id), None)
    if found is not None:
        return found, not root.is_lost(found)
    if any(company.name == company_id for company in listed) or (
        [one.entry for one in listed] == ["."] and not root.bases[0].has_patterns
    ):
        # It says what is meant, and how.
        choose(listed, [company_id], root.path)
    source = "" if repository is None else repository.index(company_id).source
    stood = where_it_stood(root, company_id, source)
    if not stood.path or root.is_lost(stood):
        if root.trouble is not None:
            raise root.trouble
        if stood.path:
            # In another root its bot would not look for it, and there would be two of one login once this one is back.
            raise BaileysToolsError(
                f"company {company_id} stood in {root.bases[stood.base].path}, which is not there",
                "Bring that back first, such as a disk that is not mounted.",
                exit_code=ExitCode.REFUSED,
            )
        raise no_such_company(
            f"no company {company_id} in {root.path}", [company_id], [one.id for one in listed]
        )
    return stood, False


def _look(folder: int, job: RestoreJob) -> FolderLook:
    # A rollback keeps the folder as it was, so it needs all of it.
    live, contents = read_live_folder(folder, with_contents=job.choice.mode is Mode.ROLLBACK)
    signs = signs_there(folder, job.bot_signs())
    live = replace(live, bot_signs=signs.running, bot_is_off=signs.is_off, off_since=signs.off_since)
    return FolderLook(plan_restore(live, job.facts, job.choice, job.now), live, contents)


def _restore(root: Root, company: Company, folder: int, job: RestoreJob) -> RestoreReport:
    with ExitStack() as lock:
        lock.enter_context(company_lock(folder, job.now))
        earlier = finish_restore(root, company, folder)
        look = _look(folder, job)
        report = replace(report_of(company.path, job, look.plan), earlier=earlier)
        if look.plan.changes_nothing and look.plan.mode is Mode.REPAIR:
            return replace(report, status=RestoreStatus.NOTHING_TO_DO)
        report = replace(report, forced=require_no_refusal(look.plan, force=job.options.force))
        if not job.options.yes:
            # Not while somebody reads the plan: another job need not wait for that.
            lock.close()
            require_agreement(job, report)
            lock.enter_context(company_lock(folder, datetime.now(UTC)))
            finish_restore(root, company, folder)
            look = _look_again(folder, job, look)
        try:
            # Short, and half of it is for the next run to finish: a signal waits for the rest.
            with Hold(), written_whole(company.id, folder):
                if look.plan.mode is Mode.REPAIR:
                    return _repair(folder, report, look, job)
                return _roll_back(root, company, folder, report, look, job)
        except OSError as error:
            raise BaileysToolsError(
                f"company {company.id}: {say_why(error)}",
                "It had begun: the next restore or cleanup finishes it."
                if _has_begun(root, company, folder)
                else "Nothing was changed.",
            ) from error


def _has_begun(root: Root, company: Company, folder: int) -> bool:
    """Whether a restore that failed has touched the folder. A doubt is a yes."""
    try:
        return read_journal(folder) is not None or not root.still_leads_to(company, folder)
    except OSError:
        return True


def _look_again(folder: int, job: RestoreJob, before: FolderLook) -> FolderLook:
    """Somebody took the time to read the plan, and the bot may have been started meanwhile."""
    look = _look(folder, replace(job, now=datetime.now(UTC)))
    unforced = [refusal for refusal in look.plan.refusals if not job.options.force]
    if unforced or look.plan.verdicts != before.plan.verdicts:
        raise BaileysToolsError(
            "the folder changed while you were asked, and nothing was done",
            "Run the command again.",
            exit_code=ExitCode.REFUSED,
        )
    return look


def _repair(folder: int, report: RestoreReport, look: FolderLook, job: RestoreJob) -> RestoreReport:
    run = new_run_id(job.now, of_a_repair=True)
    done = repair(folder, look.plan, look.live, job.snapshot.files, run, job.snapshot.info.id)
    return replace(
        report,
        status=RestoreStatus.RESTORED,
        run=run if done.set_aside else None,
        brought_back=done.brought_back,
        set_aside=done.set_aside,
        kept=done.kept,
    )


def _roll_back(
    root: Root, company: Company, folder: int, report: RestoreReport, look: FolderLook, job: RestoreJob
) -> RestoreReport:
    with place_of(root, company, folder) as place:
        before = keep_what_was(look, company, job)
        contents = as_keys(look.contents)
        done = roll_back(place, folder, look.plan, look.live, contents, job.snapshot.files, job.now)
    return replace(
        report,
        status=RestoreStatus.RESTORED,
        brought_back=done.brought_back,
        before=before,
        old_run=done.old_run,
        in_one_step=done.swapped,
    )
