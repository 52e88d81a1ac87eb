"""`silence`: planned work alerts nobody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from baileys_tools.alerts.kept_silences import all_silences, begin, end, silences
from baileys_tools.alerts.rules.silences import LONGEST, AlertSilence
from baileys_tools.config import LoadedSettings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.finding_codes import CODES
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run, open_state_about, the_name_of_one
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.sessions.roots import Root
from baileys_tools.state.database import State
from baileys_tools.units import did_you_mean, format_duration, is_one_line, parse_duration, quoted

LONGEST_REASON = 200


class SilenceOptions(NamedTuple):
    """What the command line asks for."""

    code: str | None = None
    length: str | None = None
    because: str | None = None
    listing: bool = False
    ending: bool = False
    as_json: bool = False


def silence_command(given: CommandLine, options: SilenceOptions) -> ExitCode:
    """Given the command line, begin, end or list silences, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    code = _code(options.code)
    with open_state_about(loaded.settings, now) as state, recorded("silence", loaded.settings, now) as run:
        run.state = state
        if not options.listing and not state.is_durable:
            raise BaileysToolsError(
                f"A silence cannot be remembered: {state.trouble}", "Look with: baileys-tools doctor"
            )
        found = _done(loaded, state, code, options, now)
        run.ended(ExitCode.DONE)
    from baileys_tools.alerts.show.silence_text import silence_json, silence_text

    show = silence_json if options.as_json else silence_text
    print(show(found, now))
    return ExitCode.DONE


def _done(
    loaded: LoadedSettings, state: State, code: str, options: SilenceOptions, now: datetime
) -> Sequence[AlertSilence]:
    wanted: Sequence[str] = loaded.settings.sessions.companies
    if options.listing and options.ending:
        raise UsageError("--list and --end do not go together.", "Give one of them.")
    if options.listing:
        return [one for one in all_silences(state) if not wanted or one.company in wanted]
    try:
        wanted = wanted or [the_name_of_one(loaded.settings, "silence")]
    except UsageError as error:
        hint = f"Name it with --company; {command('baileys-tools silence --list')} shows all."
        raise UsageError(error.message, hint) from error
    if options.ending:
        ended = end(state, wanted, code, now)
        if not ended:
            raise BaileysToolsError(
                "no such silence holds",
                f"See which do: {command('baileys-tools silence --list')}",
                exit_code=ExitCode.NOT_FOUND,
            )
        return [one._replace(until=now) for one in ended]
    length, because = options.length, (options.because or "").strip()
    if length is None or not because:
        raise UsageError(
            "A silence needs a length and a reason.",
            'baileys-tools silence --company ID --for 2h --because "..."',
        )
    try:
        lasts = parse_duration(length)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    if not lasts or lasts > LONGEST:
        raise UsageError(f"--for: {length} is not within {format_duration(LONGEST)}, and longer than nothing")
    if len(because) > LONGEST_REASON or not is_one_line(because):
        raise UsageError(f"--because: one line of up to {LONGEST_REASON} characters")
    with Root(require_sessions_path(loaded)) as root:
        companies = companies_of_run(root, loaded.settings, state, wanted)
    for company in companies:
        begin(state, AlertSilence(company.id, code, now.replace(microsecond=0), now + lasts, because), now)
    named = {company.id for company in companies}
    return [one for one in silences(state, now) if one.company in named]


def _code(code: str | None) -> str:
    if code and code not in CODES:
        raise UsageError(
            f"--code: there is no finding {quoted(code)}{did_you_mean(code, CODES)}",
            "docs/findings.md lists all.",
        )
    return code or ""
