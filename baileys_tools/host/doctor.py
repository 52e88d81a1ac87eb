"""`doctor`: can this host do the job? Each part is really tried, and each line says ok or what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.errors import BaileysToolsError, ExitCode, why
from baileys_tools.frame.places import misplaced
from baileys_tools.host import doctor_host, doctor_jobs, other_cleaners
from baileys_tools.host.rules.doctor import Check, critical, exit_code_of, note, versions_check


def doctor_command(
    flags: Mapping[str, object], config: str | None, *, send_test: bool, as_json: bool, quiet: bool
) -> ExitCode:
    """Given the command line, look at everything, print the result once, and return the worst as exit code."""
    now = datetime.now(UTC)
    loaded = load_settings(flags, os.environ, config=config)
    checks = run_doctor(loaded, now, send_test=send_test)
    code = exit_code_of(checks)
    if as_json:
        from baileys_tools.frame.show.json_text import envelope
        from baileys_tools.host.show.doctor_text import doctor_json

        print(envelope("doctor", now, code, doctor_json(checks)))
    elif not (quiet and code is ExitCode.DONE):
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.host.show.doctor_text import doctor_text

        print(doctor_text(checks, Style(), only_troubles=quiet), file=sys.stderr if quiet else sys.stdout)
    return code


def run_doctor(loaded: LoadedSettings, now: datetime, *, send_test: bool = False) -> list[Check]:
    """Return every check. One that cannot be made is a line like the others; nothing stops the rest."""
    checks = [versions_check(sys.version_info[:3], sys.executable)]
    parts: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("settings", lambda: doctor_host.settings_checks(loaded)),
        ("sessions", lambda: doctor_host.sessions_checks(loaded, now)),
        ("state", lambda: doctor_host.state_checks(loaded.settings, now)),
        ("repository", lambda: doctor_host.repository_checks(loaded.settings)),
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
        parts = parts[:2]
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
