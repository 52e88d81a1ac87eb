"""`migrate`: move a session between folders and stores, without a QR code, and prove it.

Copy in one step, then read both sides again: equal sets of records both ways, every value of equal meaning, and a
source that has not moved since. Only then the source's creds are set aside, so that no two owners fork the ratchet. A
run that dies has copied nothing or all of it (of two stores, perhaps the keys alone); the next goes on from there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from baileys_tools.bots.signs_of_life import objections_to
from baileys_tools.config import LoadedSettings, Settings, require_sessions_path
from baileys_tools.ending import Hold
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import the_one_company
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.frame.show.terminal import Style
from baileys_tools.recovery.moving_places import FolderTarget, StoreTarget, target_of
from baileys_tools.recovery.rules.migration import (
    FOLDER,
    REFUSALS,
    MigrationReport,
    MigrationStatus,
    There,
    cargo_of,
    code_to_change,
    proof_failed,
    way_out,
    what_is_there,
)
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.interrupted import finish_restore, root_to_change
from baileys_tools.sessions.live import read_live_folder
from baileys_tools.sessions.locks import company_lock, told_of
from baileys_tools.sessions.quarantine import make_run_folder, new_run_id, put_back
from baileys_tools.sessions.reading import ReadFolder, UnfitFolder, read_session
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.keyfiles import companions_of, sort_by_kind
from baileys_tools.sessions.rules.records import (
    CREDS,
    difference,
    file_name,
    meanings,
    session_digest,
)
from baileys_tools.sessions.rules.snapshot import Entry, StoredFile, read_account
from baileys_tools.sessions.stored.copies import working_copy
from baileys_tools.sessions.stored.rules.files import file_content, misfit_cells
from baileys_tools.sessions.stored.working import Moved, WorkingCopy
from baileys_tools.stores.cells import StoreLocked, StoreTrouble
from baileys_tools.units import printable

_MODE = 0o600
_FILLED = (There.NOTHING, There.A_PART)


@dataclass(frozen=True, slots=True)
class MigrateOptions:
    """What the command line asked for. `to` is the place as the settings say it, with what it has to leave out empty.
    `tenant` is what the session is called in a store, "" for what it is called."""

    to: Mapping[str, str]
    tenant: str = ""
    dry_run: bool = False
    leave_source: bool = False
    mend: bool = False
    yes: bool = False


def migrate_command(given: CommandLine, options: MigrateOptions) -> ExitCode:
    """Given the command line, move a session or plan it, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)

    def agrees(report: MigrationReport) -> bool:
        from baileys_tools.frame.show.terminal import must_say_yes
        from baileys_tools.recovery.show.migrate_text import migrate_text

        return options.yes or must_say_yes("a move", migrate_text(report, Style(sys.stderr)))

    with recorded("migrate", loaded.settings, now, dry_run=options.dry_run) as run:
        report = run_migrate(loaded, options, now, agrees)
        moved = {} if report.status is MigrationStatus.PLANNED else {report.company: report.records}
        run.ended(report.exit_code, moved, records=report.records)
    if given.as_json:
        from baileys_tools.recovery.show.migrate_text import migrate_json

        print(migrate_json(report))
    else:
        from baileys_tools.recovery.show.migrate_text import migrate_text

        print(migrate_text(report, Style()))
    return report.exit_code


def run_migrate(
    loaded: LoadedSettings,
    options: MigrateOptions,
    now: datetime,
    agrees: Callable[[MigrationReport], bool],
) -> MigrationReport:
    """Move the one company that the settings choose, or plan it. `agrees` is asked with the plan before it is done.

    Raises exit code 13 for what speaks against it, 75 for a lock, 1 for a copy that is not proven: then the source is
    as it was.
    """
    settings = loaded.settings
    where = require_sessions_path(loaded)
    with Root(where) if options.dry_run else root_to_change(where, now) as root:
        company = the_one_company(root, settings, "migrate")
        with told_of(company.id):
            try:
                target = target_of(
                    options.to,
                    options.tenant or company.place.partition("#")[2] or company.id,
                    settings.sessions.roots,
                    os.getcwd(),
                )
                with root.open(company) as folder:
                    if options.dry_run:
                        return _look(settings, company, folder, target, options, now).report
                    done = _migrate(settings, root, company, folder, target, options, now, agrees)
                if done.run:
                    _note_moved(settings, company, done)
                return done
            except UnfitFolder as unfit:
                raise BaileysToolsError(
                    f"company {company.id}: {unfit}, and only a whole login can move",
                    exit_code=ExitCode.REFUSED,
                ) from unfit


def _note_moved(settings: Settings, company: Company, done: MigrationReport) -> None:
    """Remember it: to whoever finds the source without creds it is no loss, and a restore there would be a second
    owner."""
    from baileys_tools.state.database import open_state
    from baileys_tools.state.moved import Move, note

    with open_state(settings.state.dir, done.now) as state:
        note(state, company.place, Move(done.target, datetime.now(UTC)))


@dataclass(frozen=True, slots=True)
class _Looked:
    report: MigrationReport
    before: Mapping[str, str]
    wanted: Mapping[str, str]
    missing: Sequence[StoredFile]
    """Of the cargo, what does not stand there yet."""


def _look(
    settings: Settings,
    company: Company,
    folder: int,
    target: FolderTarget | StoreTarget,
    options: MigrateOptions,
    now: datetime,
) -> _Looked:
    read = read_session(folder)
    known = _mended(folder, now)
    mended = known if options.mend else {}
    cargo = cargo_of(read.files, mended, into_store=target.is_store)
    wanted = _meanings(cargo.files)
    there = target.read()
    theirs = read_account(there.get(CREDS, b"")) if there else None
    whose = theirs[0] if isinstance(theirs, tuple) else None
    state = what_is_there(wanted, meanings(there), read.account, whose, is_atomic=target.is_atomic)
    refusals = [REFUSALS[state]] if state in REFUSALS else []
    live, _ = read_live_folder(folder, with_contents=False)
    copy = working_copy(folder)
    refusals += _signs_of_life(objections_to(settings, company.id, live, now), copy)
    if owner := target.owner():
        refusals.append(f"a bot lives there: a worker holds the lease ({printable(owner[:60])})")
    refusals += _what_was_not_read(read)
    counts = {
        kind: len(names) for kind, names in sort_by_kind(file.entry.name for file in cargo.files).items()
    }
    left = dict(cargo.left)
    if copy is not None:
        left |= {
            one.row: one.why
            for one in copy.misfits
            if one.meant is None or file_name(one.meant) not in mended
        }
    report = MigrationReport(
        company.id,
        company.path,
        target.shown,
        now,
        MigrationStatus.PLANNED,
        read.account,
        counts,
        state,
        left,
        sorted(mended),
        refusals,
        options.leave_source,
        session_digest(wanted),
        code=code_to_change(target.preset if target.is_store else FOLDER, target.shown),
        mendable=len(known) - len(mended),
    )
    missing = [file for file in cargo.files if file.entry.name not in there]
    return _Looked(report, _meanings(read.files), wanted, missing)


def _signs_of_life(objections: list[str], copy: WorkingCopy | None) -> list[str]:
    found = [f"the bot lives: {sign}" for sign in objections]
    if copy is None:
        return found
    if copy.store.abilities.time == "observed" and any("written in the last" in one for one in found):
        found.append(
            "this store keeps no times, so what has moved, or was first seen from this host, in the last 2 minutes "
            "counts as just written"
        )
    if owner := copy.store.owner(copy.tenant):
        found.append(f"the bot lives: a worker holds its lease ({printable(owner[:60])})")
    return found


def _what_was_not_read(read: ReadFolder) -> list[str]:
    return [
        f"{one.name} cannot be taken along: {one.what}"
        for one in read.left_out
        if one.failed or _is_key(one.name)
    ]


def _is_key(name: str) -> bool:
    from baileys_tools.sessions.rules.keyfiles import Kind, is_companion, kind_of

    return kind_of(name) is not Kind.UNKNOWN and not is_companion(name)


def _mended(folder: int, now: datetime) -> dict[str, StoredFile]:
    """Return rows that are filed under half a type as the files they were to be, those that stand rightly left out."""
    copy = working_copy(folder)
    if copy is None:
        return {}
    found = {}
    for meant, cell in misfit_cells(copy.cells, copy.files):
        name = file_name(meant)
        content = file_content(cell, copy.mapped)
        ns = cell.written_ns or int(now.timestamp()) * 1_000_000_000
        entry = Entry(name, len(content), _MODE, ns, os.geteuid(), os.getegid(), "")
        found[name] = StoredFile(entry, content)
    return found


def _meanings(files: Iterable[StoredFile]) -> dict[str, str]:
    return meanings({file.entry.name: file.content for file in files})


def _migrate(
    settings: Settings,
    root: Root,
    company: Company,
    folder: int,
    target: FolderTarget | StoreTarget,
    options: MigrateOptions,
    now: datetime,
    agrees: Callable[[MigrationReport], bool],
) -> MigrationReport:
    with company_lock(folder, now), _held(target):
        finish_restore(root, company, folder)
        looked = _look(settings, company, folder, target, options, now)
        if looked.report.refusals:
            raise BaileysToolsError(
                "refused: " + "; ".join(looked.report.refusals),
                way_out(looked.report, is_store=target.is_store),
                exit_code=ExitCode.REFUSED,
            )
        if not agrees(looked.report):
            raise BaileysToolsError("nothing was done", exit_code=ExitCode.REFUSED)
        with Hold(), _claimed(folder, target):
            if looked.report.there in _FILLED:
                target.fill(looked.missing)
            _prove(folder, target, looked)
            target.require_held()
            run = ""
            if not options.leave_source:
                run = new_run_id(datetime.now(UTC), of_a_repair=True)
                _set_creds_aside(folder, run)
        return replace(looked.report, status=MigrationStatus.MOVED, run=run)


@contextmanager
def _held(target: FolderTarget | StoreTarget) -> Iterator[None]:
    if isinstance(target, StoreTarget):
        with target.held():
            yield
    else:
        yield


@contextmanager
def _claimed(folder: int, target: FolderTarget | StoreTarget) -> Iterator[None]:
    """Keep workers of the bot's program away from both ends. Raises exit code 75 where one has come meanwhile."""
    copy = working_copy(folder)
    with ExitStack() as claims:
        try:
            if copy is not None:
                claims.enter_context(copy.store.claimed(copy.tenant))
            if isinstance(target, StoreTarget):
                claims.enter_context(target.claimed())
        except StoreLocked as lock:
            raise BaileysToolsError(
                f"{target.shown} or its source was taken by {lock} meanwhile, and nothing was changed",
                "Stop the bot, and run it again.",
                exit_code=ExitCode.LOCKED,
            ) from None
        yield


def _prove(folder: int, target: FolderTarget | StoreTarget, looked: _Looked) -> None:
    """Read both sides again. Raise for a copy that is not the source as it is now; what was written is taken back."""
    copied = target.read()
    source = _meanings(read_session(folder).files)
    wrong = _moved(folder) or proof_failed(
        difference(looked.before, source), difference(looked.wanted, meanings(copied))
    )
    if not wrong:
        return
    kept = "The target is empty again, the source as it was."
    if looked.report.there in _FILLED:
        try:
            target.empty(copied)
        except OSError as error:
            kept = f"The copy still stands there ({say_why(error)}): remove it before anything reads it."
    raise BaileysToolsError(f"not proven: {wrong}", f"{kept} Stop the bot, and run it again.")


def _moved(folder: int) -> str:
    """Return in words that a store no longer holds what was copied from it, "" where it does, or for a folder."""
    copy = working_copy(folder)
    if copy is None:
        return ""
    try:
        copy.require_unmoved()
    except Moved as moved:
        return str(moved)
    return ""


def _set_creds_aside(folder: int, run: str) -> None:
    """Move creds.json and its companions into the quarantine of a run, creds.json first. Raises OSError."""
    into = make_run_folder(folder, run)
    try:
        for name in (*companions_of(CREDS), CREDS):
            # A companion would be read in its place by the next Baileys.
            if _stands(name, folder):
                put_back(name, folder, name, into)
        os.fsync(into)
        os.fsync(folder)
    finally:
        os.close(into)
    copy = working_copy(folder)
    if copy is not None:
        settled = copy.settle(whole=True)
        if CREDS not in settled.made:
            raise StoreTrouble("the source's creds have changed meanwhile, and still stand there")


def _stands(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
