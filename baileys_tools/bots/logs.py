"""`logs`: what a bot's logs say, as counts by hour or day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from baileys_tools.bots.bot_logs import (
    DAY,
    companies_with_logs,
    log_limits,
    logs_of,
    read_company_logs,
)
from baileys_tools.bots.log_hours import KEPT_FOR, hours_since
from baileys_tools.bots.rules.log_report import LogReport, log_findings
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import (
    add_missing,
    companies_of_run,
    ids_here,
    is_single,
    look_from_settings,
    require_known,
    the_name_of_one,
)
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.interrupted import last_reset_of
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.state.database import State, open_state
from baileys_tools.units import did_you_mean, parse_duration, printable, some_of

T = TypeVar("T")


def logs_command(given: CommandLine, since: str) -> ExitCode:
    """Given the command line, read what is new in a company's logs, print all counts, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    settings = loaded.settings
    try:
        window = parse_duration(since)
    except ValueError as error:
        raise UsageError(f"--since: {error}") from None
    if not window or window > KEPT_FOR:
        raise UsageError(f"--since: has to be between 1m and {KEPT_FOR.days}d: counts are kept that long")
    with open_state(settings.state.dir, now) as state, recorded("logs", settings, now) as run:
        run.state = state
        look_from_settings(state, settings)
        add_missing(state, [_the_one(settings)])
        report = run_logs(settings, _the_one(settings), now - window, now, state)
        run.ended(report.exit_code, findings=len(report.findings))
    if given.as_json:
        from baileys_tools.bots.show.logs_json import logs_json

        print(logs_json(report))
    else:
        from baileys_tools.bots.show.logs_text import logs_text
        from baileys_tools.frame.show.terminal import Style

        print(logs_text(report, Style()))
    return report.exit_code


def run_logs(settings: Settings, company: str, since: datetime, now: datetime, state: State) -> LogReport:
    """Read what is new in a company's logs, and return all counts since a moment with what they mean."""
    if not logs_of(settings, company):
        require_known(settings, [company])
        named = [file.company for file in settings.logs.files if file.company]
        raise UsageError(
            f"no log of company {printable(company)} is known{did_you_mean(company, named)}",
            f"Name it in the settings file:\n  logs: [{{path: /path/to/bot.log, company: {printable(company)}}}]",
        )
    from baileys_tools.bots.folder_life import FolderLife, folder_life

    logs = read_company_logs(
        state,
        settings,
        company,
        now,
        reset=_of_folder(settings, company, last_reset_of, None),
        life=lambda: _of_folder(
            settings, company, lambda root, found: folder_life(root, found, now), FolderLife()
        ),
    )
    if all(file.trouble and not file.size for file in logs.files):
        first = logs.files[0]
        raise BaileysToolsError(
            f"cannot read the log {printable(first.path)}: {printable(first.trouble)}",
            "See that it is there and that this user may read it, or correct logs.files in the settings.",
        )
    if all(file.of_others for file in logs.files):
        require_known(settings, [company])
    limits = log_limits(settings.for_company(company))
    day = hours_since(state, company, now - DAY)
    findings = log_findings(company, logs.facts, logs.files, day, limits, now)
    return LogReport(
        company, since, now, logs.files, hours_since(state, company, since), logs.facts, findings
    )


def _of_folder(settings: Settings, company: str, ask: Callable[[Root, Company], T], unknown: T) -> T:
    """Return what is asked of the company's folder, `unknown` where no folder is known: a log is enough here."""
    if settings.sessions.where is None:
        return unknown
    try:
        with Root(settings.sessions.where) as root:
            (found,) = companies_of_run(root, settings, only=[company])
            return ask(root, found)
    except BaileysToolsError:
        return unknown


def _the_one(settings: Settings) -> str:
    chosen = list(settings.sessions.companies) or companies_with_logs(settings)
    if len(chosen) == 1:
        return chosen[0]
    here = ids_here(settings)
    if len(here) == 1 and (not chosen or here[0] in chosen):
        # Of a single session folder there is nothing to choose.
        return here[0]
    if not chosen and is_single(settings):
        return the_name_of_one(settings, "logs")
    if not chosen:
        raise UsageError("whose logs?", "Give --company ID.")
    raise UsageError(
        f"logs is about one company, and there are logs of {len(chosen)}",
        f"Name it with --company: {some_of(chosen)}.",
    )
