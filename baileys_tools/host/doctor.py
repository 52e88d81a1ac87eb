"""`doctor`: can this host do the job? Each part is really tried, and each line says ok or what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from baileys_tools.config import LoadedSettings
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError, why
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import misplaced, settings_in_force, settings_read
from baileys_tools.host import doctor_host, doctor_jobs, other_cleaners
from baileys_tools.host.rules.doctor import Check, critical, exit_code_of, note, versions_check

if TYPE_CHECKING:
    from baileys_tools.host.rules.mending import Mended, MendPlan


def doctor_command(given: CommandLine, *, send_test: bool, fix: bool, dry_run: bool) -> ExitCode:
    """Given the command line, look at everything, print the result once, and return the worst as exit code.

    With `fix` what can be mended is mended before, or with `dry_run` only told.
    """
    now = datetime.now(UTC)
    if dry_run and not fix:
        raise UsageError("--dry-run goes with --fix: doctor alone mends nothing")
    mending = _fixed(given, now, dry_run=dry_run) if fix else None
    loaded = settings_read(given.flags, given.config)
    checks = run_doctor(loaded, now, send_test=send_test)
    code = exit_code_of(checks)
    if given.as_json:
        from baileys_tools.frame.show.json_text import envelope
        from baileys_tools.host.show.doctor_text import doctor_json

        print(envelope("doctor", now, code, doctor_json(checks, mending)))
    elif not (given.quiet and code is ExitCode.DONE):
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.host.show.doctor_text import doctor_text

        out = sys.stderr if given.quiet else sys.stdout
        print(doctor_text(checks, Style(), only_troubles=given.quiet), file=out)
        if mending is not None:
            from baileys_tools.host.show.mending_text import mending_text

            # Last, as it was asked for: all checks are more than a screen.
            print("\n" + mending_text(*mending, dry_run=dry_run), file=out)
    return code


def _fixed(given: CommandLine, now: datetime, *, dry_run: bool) -> tuple[MendPlan, list[Mended]]:
    """Mend what can be mended, or only plan it; return the plan, and how each step ended."""
    from baileys_tools.frame.record import recorded
    from baileys_tools.host.mending import mend_all, plan_mending
    from baileys_tools.host.rules.mending import Mended, MendOutcome

    loaded = settings_in_force(given.flags, given.config)
    plan = plan_mending(loaded, now)
    if dry_run:
        return plan, [Mended(mend, MendOutcome.PLANNED) for mend in plan.mends]

    def install() -> None:
        from baileys_tools.host.cron import install_command

        install_command(given._replace(quiet=True), system=False, user=None, dry_run=False)

    with recorded("doctor", loaded.settings, now, is_pinged=False) as run:
        done = mend_all(loaded, plan, now, install)
        run.ended(ExitCode.DONE, mended=sum(one.outcome is MendOutcome.DONE for one in done))
    return plan, done


def run_doctor(loaded: LoadedSettings, now: datetime, *, send_test: bool = False) -> list[Check]:
    """Return every check. One that cannot be made is a line like the others; nothing stops the rest."""
    checks = [versions_check(sys.version_info[:3], sys.executable)]
    parts: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("settings", lambda: doctor_host.settings_checks(loaded)),
        ("sessions", lambda: doctor_host.sessions_checks(loaded, now)),
        ("stores", lambda: doctor_host.stores_checks(loaded.settings)),
        ("state", lambda: doctor_host.state_checks(loaded.settings, now)),
        ("repository", lambda: doctor_host.repository_checks(loaded.settings)),
        ("repository", lambda: doctor_jobs.place_checks(loaded.settings)),
        ("copies", lambda: doctor_jobs.copies_checks(loaded.settings)),
        ("processes", lambda: doctor_jobs.process_checks(loaded.settings)),
        ("bot API", lambda: doctor_jobs.bot_api_checks(loaded.settings)),
        ("logs", lambda: doctor_jobs.logs_checks(loaded.settings, now)),
        ("cron", lambda: doctor_jobs.cron_checks(loaded, now)),
        ("other tools", lambda: other_cleaners.other_tools_checks(loaded.settings)),
        ("notifications", lambda: doctor_jobs.notification_checks(loaded.settings, now, send_test=send_test)),
    ]
    refused = bool(misplaced(loaded))
    if refused:
        # To try the others is to write there.
        parts = parts[:3]
    for name, part in parts:
        try:
            checks += part()
        except BaileysToolsError as error:
            checks.append(critical(name, error.message, error.hint))
        except OSError as error:
            checks.append(critical(name, f"cannot be looked at: {why(error)}", "See the line above."))
    if refused:
        checks.append(note("the rest", "not looked at: that would write where nothing of this tool belongs"))
    return checks
