"""`reset`: set a session that is dead aside, whole and undoably, and pair the bot anew."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from baileys_tools.bots.asking import bot_api_for
from baileys_tools.bots.rules.diagnosis import Cause
from baileys_tools.bots.signs_of_life import objections_to
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.ending import Hold, last_word, waiting
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run, company_meant
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.sessions.interrupted import finish_restore, root_to_change
from baileys_tools.sessions.live import read_live_folder
from baileys_tools.sessions.locks import company_lock, told_of
from baileys_tools.sessions.quarantine import new_run_id
from baileys_tools.sessions.reading import TooLarge
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.restore_plan import LiveFile, LiveFolder
from baileys_tools.sessions.rules.snapshot import Account, SnapshotInfo, may_be_stored
from baileys_tools.sessions.search.hints import require_none_below
from baileys_tools.units import counted, format_duration, printable

if TYPE_CHECKING:
    from baileys_tools.bots.ask_bot import Asked
    from baileys_tools.sessions.rules.snapshot import StoredFile
    from baileys_tools.state.database import State


@dataclass(frozen=True, slots=True)
class ResetOptions:
    """What the command line asked for."""

    company: str
    dry_run: bool = False
    force: bool = False
    yes: bool = False
    pair: bool = True


@dataclass(frozen=True, slots=True)
class ResetReport:
    """What a reset did, or would do. `run` names it for undo, "" in a dry run.

    `objections` are what a dry run says would be refused. `before` is the final snapshot, None where no repository is
    configured or nothing could be stored; `unsaved` says what is not in it, or why there is none; `pairing` is what
    came of pairing the bot anew, None where that was not asked for or there is no API.
    """

    company: str
    path: str
    now: datetime
    files: int
    account: str
    run: str = ""
    before: SnapshotInfo | None = None
    unsaved: str = ""
    kept_for: str = ""
    earlier: str = ""
    forced: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()
    has_api: bool = False
    pairing: Asked | None = None
    trouble: str = ""

    @property
    def exit_code(self) -> ExitCode:
        paired = self.pairing is None or self.pairing.done
        return ExitCode.DONE if paired and not self.trouble else ExitCode.FAILED


Agrees = Callable[[ResetReport], bool]
Pair = Callable[[Settings, str, datetime], "Asked"]
SettingAside = Callable[[str], AbstractContextManager[object]]
MayPair = Callable[[Settings, str], None]


def reset_command(given: CommandLine, options: ResetOptions, pair: Pair, may_pair: MayPair) -> ExitCode:
    """Given the command line and how to pair, reset or say what would be done, print it once, return the code.

    `may_pair` raises UsageError for a pairing that cannot be made: after the folder is set aside it is too late.
    """
    from baileys_tools.frame.show.terminal import must_say_yes
    from baileys_tools.recovery.show.reset_text import plan_text, reset_json, reset_text

    loaded = settings_in_force(given.flags, given.config)
    settings = loaded.settings
    options = replace(options, company=company_meant(settings, options.company, "reset"))
    now, root_path = datetime.now(UTC), require_sessions_path(loaded)

    def agrees(report: ResetReport) -> bool:
        return options.yes or must_say_yes("a reset", plan_text(report))

    with recorded("reset", settings, now, quiet=given.quiet, dry_run=options.dry_run) as run:
        if options.pair:
            may_pair(settings, options.company)
        starts = options.pair and bot_api_for(settings, options.company) is not None
        with Unstarted(settings, options.company, now, starts=starts) as unstarted:
            report = run_reset(settings, options, root_path, now, agrees, unstarted.setting_aside)
            if report.run:
                _note(settings, report)
            if options.pair and report.run:
                report = _pair(settings, report, pair, unstarted, quiet=given.quiet or given.as_json)
        run.ended(
            report.exit_code, {report.company: report.files} if report.run else None, files=report.files
        )
    if given.as_json:
        print(reset_json(report))
    elif not given.quiet or report.exit_code is not ExitCode.DONE:
        print(reset_text(report))
    return report.exit_code


def _note(settings: Settings, report: ResetReport) -> None:
    """Put the reset into the time line of the incident that it is to end, if there is one."""
    from baileys_tools.frame.companies import open_state_about
    from baileys_tools.watching.kept_incidents import add_entry, last_open

    with open_state_about(settings, report.now) as state:
        if (incident := last_open(state, report.company)) is not None:
            detail = (
                f"{counted(report.files, 'file')} set aside for {report.kept_for} "
                f"({command('undo --run {}', report.run)})"
            )
            add_entry(state, incident, "reset", detail, report.now)


def run_reset(
    settings: Settings,
    options: ResetOptions,
    root_path: str,
    now: datetime,
    agrees: Agrees,
    setting_aside: SettingAside = nullcontext,
) -> ResetReport:
    """Set the folder of one company aside, or plan it. `agrees` is asked before it is done; it is within
    `setting_aside`, which is given the run.

    Raises exit code 10 for no such company, 13 when the bot seems to live, 75 when it is locked.
    """
    with (
        Root(root_path) if options.dry_run else root_to_change(root_path, now) as root,
        told_of(options.company),
    ):
        (company,) = companies_of_run(root, settings, only=[options.company])
        with root.open(company) as folder:
            if options.dry_run:
                report, live, _ = _look(settings, company, folder, now)
                return replace(report, objections=tuple(objections_to(settings, company.id, live, now)))
            earlier, seen = "", None
            if not options.yes:
                with company_lock(folder, now):
                    earlier = finish_restore(root, company, folder)
                # No lock is held while somebody reads the plan: another job need not wait for that.
                seen = _agreed(settings, options, company, folder, now, agrees)
            with company_lock(folder, datetime.now(UTC)):
                report = _set_aside(settings, options, root, company, folder, now, seen, setting_aside)
            return replace(report, earlier=report.earlier or earlier)


def _look(
    settings: Settings, company: Company, folder: int, now: datetime
) -> tuple[ResetReport, LiveFolder, list[StoredFile]]:
    """Read the folder, with contents where a final snapshot will be taken. Raises OSError.

    One that is too large for a snapshot is set aside without: a session that is dead is to be let go of, and the
    folder itself is kept.
    """
    unsaved = ""
    try:
        live, contents = read_live_folder(folder, with_contents=settings.backup.path is not None)
    except TooLarge as error:
        unsaved = f"no last snapshot: {error.strerror}"
        live, contents = read_live_folder(folder, with_contents=False)
    if not live.files:
        raise BaileysToolsError(
            f"{company.path} is empty already: there is no session to set aside",
            f"{command('baileys-tools start-session --company {}', company.id)}, then qr, pairs the bot.",
        )
    require_none_below(folder)
    report = ResetReport(
        company.id,
        company.path,
        now,
        len(live.files),
        live.account.masked if isinstance(live.account, Account) else "",
        unsaved=unsaved,
        kept_for=format_duration(settings.reset.keep),
        has_api=bot_api_for(settings, company.id) is not None,
    )
    return report, live, contents


def _agreed(
    settings: Settings, options: ResetOptions, company: Company, folder: int, now: datetime, agrees: Agrees
) -> Mapping[str, LiveFile]:
    """Ask with the plan; return the files that it is about. Raises exit code 13 without a yes."""
    report, live, _ = _look(settings, company, folder, now)
    forced = _require_no_objection(objections_to(settings, company.id, live, now), force=options.force)
    if not agrees(replace(report, forced=forced)):
        raise BaileysToolsError("nothing was done", exit_code=ExitCode.REFUSED)
    return live.files


def _set_aside(
    settings: Settings,
    options: ResetOptions,
    root: Root,
    company: Company,
    folder: int,
    now: datetime,
    seen: Mapping[str, LiveFile] | None,
    setting_aside: SettingAside,
) -> ResetReport:
    """`seen` are the files that somebody has agreed to, None where nobody was asked."""
    from baileys_tools.sessions.resets import set_aside
    from baileys_tools.sessions.stored.whole import written_whole

    earlier = finish_restore(root, company, folder)
    report, live, contents = _look(settings, company, folder, now)
    # Somebody took the time to read the plan, and the bot may have been started meanwhile.
    objections = objections_to(settings, company.id, live, datetime.now(UTC))
    if seen is not None and live.files != seen:
        objections.append("the folder changed while you were asked")
    forced = _require_no_objection(objections, force=options.force)
    report = replace(report, earlier=earlier, forced=forced)
    before = None
    if not report.unsaved:
        before, unsaved = _final_snapshot(settings, company, live, contents, now)
        report = replace(report, unsaved=unsaved)
    with setting_aside(run := new_run_id(now)), written_whole(company.id, folder):
        set_aside(root, company, folder, run, now)
    return replace(report, run=run, before=before)


def _require_no_objection(objections: list[str], *, force: bool) -> tuple[str, ...]:
    if objections and not force:
        raise BaileysToolsError(
            "refused: " + "; ".join(objections),
            "A session that is in use is not reset. Disconnect or stop the bot first; --force goes on all the same.",
            exit_code=ExitCode.REFUSED,
        )
    return tuple(objections)


def _final_snapshot(
    settings: Settings, company: Company, live: LiveFolder, contents: list[StoredFile], now: datetime
) -> tuple[SnapshotInfo | None, str]:
    """Put the folder as it is into the repository, if there is one; return the snapshot, and what is not in it."""
    if settings.backup.path is None:
        return None, ""
    if not isinstance(live.account, Account):
        return None, f"no last snapshot: creds.json is {live.account}, and does not tell whose session it is"
    from baileys_tools.recovery.keeping import store_as_it_is
    from baileys_tools.snapshots.encryption import Recipients
    from baileys_tools.snapshots.private_folders import RepositoryLocked
    from baileys_tools.snapshots.repository import Repository

    recipients = Recipients(settings.backup.recipients) if settings.backup.recipients else None
    try:
        with Repository(settings.backup.path, create=True) as repository:
            stored = store_as_it_is(repository, recipients, company, live, contents, live.account, now)
    except RepositoryLocked as lock:
        raise BaileysToolsError(
            f"no final snapshot of company {company.id}: {lock.message}; nothing was changed",
            exit_code=ExitCode.LOCKED,
        ) from lock
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return None, f"no last snapshot: {error.strerror}"
    if stored is None:
        return None, "no last snapshot: there is nothing in the files"
    everything = len(live.every_file) + len(live.oddities)
    left_out = everything - sum(may_be_stored(file.entry.name) for file in contents)
    entries = f"{counted(left_out, 'entry', 'entries')} of the folder {'is' if left_out == 1 else 'are'}"
    return stored, f"{entries} not in it" if left_out else ""


def _pair(
    settings: Settings, report: ResetReport, pair: Pair, unstarted: Unstarted, *, quiet: bool
) -> ResetReport:
    """Start the bot's session anew and show its code. The folder is set aside by now, whatever comes of this."""
    from baileys_tools.bots.bot_api import ApiError

    api = bot_api_for(settings, report.company)
    if api is None:
        return report
    if not quiet:
        with suppress(OSError):
            print(printable(f"{unstarted.said}; starting the bot"), file=sys.stderr, flush=True)
    try:
        api.init()
    except ApiError as error:
        return replace(report, trouble=f"the bot was not started: {error}")
    unstarted.is_started()
    try:
        return replace(report, pairing=pair(settings, report.company, report.now))
    except BaileysToolsError as error:
        return replace(report, trouble=error.message)


class Unstarted:
    """A session that is set aside, and its bot not told yet to start anew: no signal ends the run in between.

    Used in a `with`. Where the run ends before its report, the last word names what takes it back; where the bot was
    not told to start, the incident says so, too.
    """

    def __init__(self, settings: Settings, company: str, now: datetime, *, starts: bool) -> None:
        self.said = ""
        """That the folder is set aside, and how it comes back; "" as long as it is not."""
        self._settings = settings
        self._company = company
        self._now = now
        self._starts = starts
        self._waits = starts
        what = "the bot is told to start first" if starts else "the folder is set aside first"
        self._hold = Hold(f"{what}, and then this run ends")

    @contextmanager
    def setting_aside(self, run: str) -> Iterator[None]:
        """Do the body, which sets the folder aside as `run`, with signals waiting from here on."""
        from baileys_tools.bots.stopped import own_note
        from baileys_tools.state.stopped import forget, note

        self._hold.take()
        if self._starts:
            with self._state() as state:
                note(state, self._company, own_note("reset", "its session", self._now, process=False))
        try:
            yield
        except BaseException:
            with self._state() as state:
                forget(state, self._company)
            raise
        self.said = f"{self._company}: the folder is set aside ({command('undo --run {}', run)})"

    def is_started(self) -> None:
        """Call this when the bot was told to start. Raises BrokenOff for a signal that came meanwhile."""
        from baileys_tools.state.stopped import forget

        with self._state() as state:
            forget(state, self._company)
        self._waits = False
        self._hold.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        is_broken_off = kind is not None or waiting() is not None
        if self.said and (self._waits or is_broken_off):
            self._say(self._waits)
        self._hold.drop()

    def _say(self, waits: bool) -> None:
        company = self._company
        if not waits:
            shows = command("baileys-tools qr --company {}", company)
            last_word(f"{printable(self.said)}; {shows} shows its code")
            return
        from baileys_tools.watching.kept_incidents import add_entry, open_incident

        said = f"{self.said}, and the bot was not started"
        starts = command("baileys-tools start-session --company {}", company)
        last_word(f"{printable(said)}; {starts} starts it")
        with self._state() as state:
            incident = open_incident(state, company, Cause.STOPPED.value, self._now)
            add_entry(state, incident, "left-stopped", said, self._now)

    def _state(self) -> State:
        from baileys_tools.frame.companies import open_state_about

        return open_state_about(self._settings, self._now)
