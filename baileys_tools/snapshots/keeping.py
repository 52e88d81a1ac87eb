"""`keep`: pin a snapshot, so that no retention removes it before a time, or release it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from baileys_tools.config import LoadedSettings, require_backup_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import company_meant, place_meant
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.faults import say_why
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.prune_report import KeepReport
from baileys_tools.snapshots.shelves import shelf_meant
from baileys_tools.units import parse_duration


def keep_command(
    given: CommandLine, company: str, wanted: str, kept_for: str | None, *, release: bool
) -> ExitCode:
    """Given the command line, pin a snapshot or release it, say so once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    if release == (kept_for is not None):
        raise UsageError("until when?", "Give --for DURATION (90d, 52w), or --release to take it back.")
    duration = _duration(kept_for) if kept_for is not None else None
    now = datetime.now(UTC)
    with recorded("keep", loaded.settings, now, quiet=given.quiet) as run:
        report = run_keep(loaded, company, wanted, duration, now)
        run.ended(ExitCode.DONE, kept=int(not release))
    if given.as_json:
        from baileys_tools.snapshots.show.backup_json import keep_json

        print(keep_json(report))
    elif not given.quiet:
        from baileys_tools.snapshots.show.backup_text import keep_text

        print(keep_text(report))
    return ExitCode.DONE


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from None
    if not duration:
        raise UsageError("--for: has to be longer than nothing", "--release takes a pin back.")
    return duration


def run_keep(
    loaded: LoadedSettings, company: str, wanted: str, kept_for: timedelta | None, now: datetime
) -> KeepReport:
    """Pin a snapshot for a time from now on, or release it (None). Raises exit code 10 for none, 75 for a lock."""
    path = require_backup_path(loaded)
    company = company_meant(loaded.settings, company, "keep")
    place = place_meant(loaded.settings, company)
    with Repository(path) as repository:
        try:
            shelf = shelf_meant(repository, company, place)
            repository.find(shelf, wanted)
            with repository.writing(shelf) as writer:
                # Again: a prune may have been at work until now.
                info = repository.find(shelf, wanted)
                info = writer.release(info) if kept_for is None else writer.keep(info, now + kept_for)
        except OSError as error:
            raise BaileysToolsError(f"company {company} in {path}: {say_why(error)}") from error
    return KeepReport(path, now, info)
