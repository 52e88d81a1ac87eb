"""Which runs can be undone, and what an undo of one does with each file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from baileys_tools.cleanup.rules.cost import senders_missed, sessions_missed
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.fleet import for_each
from baileys_tools.pasted import command
from baileys_tools.sessions.mappings import Mappings
from baileys_tools.sessions.names import RESETS
from baileys_tools.sessions.put_back import describe_runs
from baileys_tools.sessions.quarantine import (
    list_runs,
    open_quarantine,
    open_run,
    run_milliseconds,
    run_started,
    stood_alone,
)
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.folder import FileStat, FolderFacts, WholeKey
from baileys_tools.sessions.rules.keyfiles import Kind, key_of, kind_of, session_user, sort_by_kind
from baileys_tools.sessions.rules.senderkeys import untold_sender_keys
from baileys_tools.sessions.rules.undo import (
    RESET,
    RESTORE,
    CompanyUndo,
    Late,
    UndoReason,
    UndoRun,
    WayBack,
    asked_for_again,
    lid_twin,
    plan_undo,
    way_back,
)
from baileys_tools.sessions.scan import (
    exists,
    exists_in_own_folder,
    has_private_signing_key,
    in_own_folder,
    read_creds,
    written_since,
)
from baileys_tools.units import moment_of

COARSE_CLOCK = timedelta(milliseconds=20)
"""So far the times of files can be behind the clock: the kernel takes them from its last tick, 10 ms ago at most."""


@dataclass(frozen=True, slots=True)
class UndoReport:
    """A whole run of undo. `run` is what was undone, None for a mere list, `what` the command that had made it."""

    root: str
    now: datetime
    run: str | None
    companies: Sequence[CompanyUndo]
    what: str = ""

    @property
    def exit_code(self) -> ExitCode:
        # Somebody asked for all of them, so a locked one is not done.
        failed = sum(bool(company.trouble) for company in self.companies)
        if self.companies and all(company.locked for company in self.companies):
            return ExitCode.LOCKED
        if self.companies and all(company.refused for company in self.companies):
            return ExitCode.REFUSED
        if failed and failed == len(self.companies):
            return ExitCode.FAILED
        if failed or any(company.errors for company in self.companies):
            return ExitCode.PARTLY_FAILED
        return ExitCode.DONE


def list_undo(settings: Settings, root_path: str, now: datetime) -> UndoReport:
    """Return which runs can be undone in the companies that the settings choose."""
    with Root(root_path) as root:
        return UndoReport(
            root_path, now, None, all_runs(root, companies_of_run(root, settings), now, costs=True)
        )


def run_meant(listed: Sequence[CompanyUndo], run: str | None, root: Root, now: datetime) -> str | None:
    """Return which run is to be undone: the one that is named, else the last; None where there is none to choose.

    Raises exit code 10 for one that is not there.
    """
    known = sorted({found.run for undo in listed for found in undo.runs})
    # The bot may have been paired anew since a reset: nobody undoes that by the way.
    cleanups = sorted({found.run for undo in listed for found in undo.runs if not found.whole_folder})
    if run is None:
        return _last(cleanups, now) if cleanups else None
    if run not in known:
        raise BaileysToolsError(
            f"no run {run} to undo in {root.path}",
            "baileys-tools undo --list shows what can be undone.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return run


def _last(runs: Sequence[str], now: datetime) -> str:
    """Return the last of some runs by name. One from the future is nobody's last: who wants it names it."""
    past = [run for run in runs if (started := run_started(run)) is not None and started <= now]
    if past:
        return past[-1]
    raise BaileysToolsError(
        f"the only runs that could be undone are from the future, such as {runs[-1]}: nothing tells which was the last",
        f"Was a clock ahead? Then name it: {command('baileys-tools undo --run {}', runs[-1])}",
        exit_code=ExitCode.REFUSED,
    )


def undo_each(
    settings: Settings,
    root: Root,
    root_path: str,
    run: str | None,
    now: datetime,
    undo: Callable[[Company, UndoRun], CompanyUndo],
) -> UndoReport:
    """Do `undo`, which plans or does it, in each chosen company that has the run that is meant (None: the last one).

    Raises exit code 10 where there is no such run.
    """
    companies = companies_of_run(root, settings)
    listed = list(zip(companies, all_runs(root, companies, now), strict=True))
    run = run_meant([found for _, found in listed], run, root, now)
    if run is None:
        return UndoReport(root_path, now, None, [found for _, found in listed])
    concerned = [
        (company, found, next((one for one in found.runs if one.run == run), None))
        for company, found in listed
    ]
    return UndoReport(
        root_path,
        now,
        run,
        for_each(
            [one for one in concerned if one[1].trouble or one[2] is not None],
            lambda one: one[1] if one[2] is None else undo(one[0], one[2]),
            lambda one, why: CompanyUndo(one[0].id, trouble=why),
            workers=1,
        ),
    )


def all_runs(
    root: Root, companies: Sequence[Company], now: datetime, *, costs: bool = False
) -> list[CompanyUndo]:
    return for_each(
        companies,
        lambda company: _runs_of(root, company, now, costs=costs),
        lambda company, why: CompanyUndo(company.id, trouble=why),
        workers=1,
    )


def _runs_of(root: Root, company: Company, now: datetime, *, costs: bool) -> CompanyUndo:
    with root.open(company) as folder:
        left = _left_beside(root, company, folder, now)
        runs = [_with_cost(folder, found) if costs else found for found in describe_runs(folder)]
        return CompanyUndo(company.id, (*runs, *resets_of(folder), *left))


def _with_cost(folder: int, found: UndoRun) -> UndoRun:
    """Return a run with what its removal costs at most, and what of that was paid."""
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return found
        with open_run(quarantine, found.run) as run_folder:
            names = os.listdir(run_folder)
            creds, told = _owners(folder, run_folder, names, names)
            live = os.listdir(folder)
            anew = {key_of(name) for name in written_since(folder, live, _began(found.run))}
            # A mapping is written once: who has one since then was looked for by number.
            since = {name for name in anew if kind_of(name) is Kind.LID_MAPPING}
            kinds = sort_by_kind({*live, *names} - since)
            keys = kinds.get(Kind.SENDER_KEY, ())
            # A key whose own file is gone stands as its .bak, and is the older one of any two.
            stats = dict.fromkeys(keys, WholeKey(0, 0)) | _stats(folder, keys) | _stats(run_folder, keys)
            before = FolderFacts(kinds, stats, creds)

    def late(gone: Collection[str]) -> Late:
        sessions, peers = asked_for_again(gone, creds, told)
        return Late(sessions_missed(before, sessions), senders_missed(before, peers))

    lids = lids_of(folder, names)
    back = [name for name in names if not anew.isdisjoint((key_of(name), lid_twin(name, lids)))]
    return replace(found, promised=late(names), paid=late(back))


def _stats(folder: int, names: Collection[str]) -> dict[str, FileStat]:
    found: dict[str, FileStat] = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return found


def cost_of_whole(folder: int, run: str) -> WayBack:
    """Return what it costs at most to have the folder back that a run has set aside whole in this one."""
    with in_own_folder(RESETS, folder) as resets:
        if resets is None or not exists(run, resets):
            return WayBack()  # a rollback that died has left it beside this one, in which nobody has gone on
        with open_run(resets, run) as back:
            then = read_creds(back)
    since = written_since(folder, os.listdir(folder), _began(run))
    creds, told = _owners(folder, folder, since, ())
    return way_back(since, creds, then, told)


def resets_of(folder: int) -> Iterator[UndoRun]:
    if not exists_in_own_folder(RESETS, folder):
        return
    from baileys_tools.sessions.resets import describe_resets

    for found in describe_resets(folder):
        by = RESTORE if found.of_a_restore else RESET
        yield UndoRun(found.run, found.started, found.files, found.size, by, whole_folder=True)


def _left_beside(root: Root, company: Company, folder: int, now: datetime) -> Iterator[UndoRun]:
    """What a rollback that died has left beside the folder is taken in by the undo that names it."""
    if not root.may_have_left(company):
        return
    from baileys_tools.sessions.leftovers import old_folders_beside

    for found in old_folders_beside(root, company, folder, now):
        if found.run:
            yield UndoRun(found.run, found.started, found.files, found.size, RESTORE, whole_folder=True)


def lids_of(folder: int, quarantined: Collection[str]) -> dict[str, str]:
    """Return the LIDs of those whose session by phone number is in quarantine, as mappings in the folder tell them."""
    users = {session_user(key_of(name)) for name in quarantined if kind_of(name) is Kind.SESSION}
    mappings = Mappings(folder)
    return {user: lid for user in users if (lid := mappings.lid_of(user)) is not None}


def _began(run: str) -> datetime:
    """Return from when on a file counts as written after a run: its start, to the millisecond where its name says that.

    In whole seconds, what a running bot wrote a moment before would keep everything from coming back.
    """
    started, at = run_started(run), run_milliseconds(run)
    assert started is not None
    return started if at is None else moment_of(at * 1_000_000) - COARSE_CLOCK


def plan_of(
    folder: int,
    run_folder: int,
    quarantined: Collection[str],
    run: str,
    lids: Mapping[str, str],
    now: datetime,
) -> dict[str, UndoReason]:
    live = os.listdir(folder)
    began = _began(run)
    since = written_since(folder, live, began)
    creds, told = _owners(folder, run_folder, live, quarantined)
    later = _removed_later(folder, run)
    # Of a run from the future nobody knows when it was.
    surely = {
        name
        for one, names in later.items()
        if (started := run_started(one)) is not None and started <= now
        for name in names
    }
    gone_on = _is_surely_between(folder, since, began, now)
    alone = () if gone_on else stood_alone(folder, run)
    return plan_undo(quarantined, live, since, creds, told, lids, alone, surely)


def _is_surely_between(folder: int, since: Collection[str], began: datetime, now: datetime) -> bool:
    """Whether a key file of those was written after a run began and by now, whatever the clock of files is."""
    keys = [name for name in since if kind_of(name) is not Kind.UNKNOWN]
    surely = written_since(folder, keys, began + 2 * COARSE_CLOCK)
    return bool(surely - written_since(folder, surely, now + COARSE_CLOCK))


def _owners(
    folder: int, run_folder: int, live: Collection[str], quarantined: Collection[str]
) -> tuple[Creds | CredsState, dict[str, bool]]:
    """Return the creds, and for sender-keys whose owner no name tells what their content says."""
    creds = read_creds(folder)
    owned: dict[str, bool | None] = {}
    if isinstance(creds, Creds):
        for place, names in ((folder, live), (run_folder, quarantined)):
            for name in untold_sender_keys(_sender_keys(names), creds):
                owned[name] = has_private_signing_key(place, name)
    return creds, {name: answer for name, answer in owned.items() if answer is not None}


def _removed_later(folder: int, of: str) -> dict[str, list[str]]:
    """Return by run what those that came after one have taken: to their quarantines, or with the whole folder of then.

    Names of runs sort by time.
    """
    found: dict[str, list[str]] = {}
    with in_own_folder(RESETS, folder) as resets:
        if resets is not None:
            found |= {run: files_in(resets, run) for run in os.listdir(resets) if run > of}
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return found
        for run, _ in list_runs(quarantine):
            if run > of:
                with open_run(quarantine, run) as waiting:
                    found[run] = os.listdir(waiting)
    return found


def files_in(resets: int, run: str) -> list[str]:
    """Return the files of a folder that was set aside; a run whose folder stands elsewhere has none to name."""
    try:
        fd = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=resets)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def _sender_keys(names: Collection[str]) -> list[str]:
    return [name for name in names if kind_of(name) is Kind.SENDER_KEY and key_of(name) == name]
