"""What the logs of a company add up to: facts for a diagnosis, findings, and counts by hour or day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.bots.rules.diagnosis import FLAPS, LEAST_SILENCE, is_overruled
from baileys_tools.bots.rules.log_events import HourCount, LogEvent, LogFacts, reconnects_in, summed
from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, Severity, exit_code_for, worst
from baileys_tools.pasted import command
from baileys_tools.units import counted, format_age, printable

GAP_DAYS = 7
LEAST_GAP_DAYS = 3
"""From so many days on that were watched, it is known how long a bot is usually silent."""

Since = tuple[datetime | None, Mapping[LogEvent, datetime]]


class LogFileRead(NamedTuple):
    """How one log was read: new bytes, or why it could not be."""

    path: str
    size: int
    trouble: str = ""


class LogLimits(NamedTuple):
    """From where on counts are findings."""

    reconnects_per_day: int = 10
    session_bursts: int = 50


class LogReport(NamedTuple):
    """The counts of a company's logs since a moment, by hour, and what they mean."""

    company: str
    since: datetime
    now: datetime
    files: Sequence[LogFileRead]
    hours: Sequence[HourCount]
    facts: LogFacts
    findings: Sequence[Finding]

    @property
    def sums(self) -> dict[LogEvent, int]:
        """All counts of the time."""
        return summed(self.hours)

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code."""
        return exit_code_for(worst(self.findings))


def joined_facts(
    logs: Iterable[Since],
    *,
    last_line: datetime | None,
    recent: Mapping[LogEvent, int],
    lately: Mapping[LogEvent, int],
    quiet: timedelta | None,
    read: bool,
) -> LogFacts:
    """Given of each log of a company when it last showed an opening and what came after, return them as one.

    The log with the newest opening tells its order by itself; of the others only what is later counts.
    """
    logs = list(logs)
    opened = max((moment for moment, _ in logs if moment is not None), default=None)
    since: dict[LogEvent, datetime] = {}
    for moment, events in logs:
        for event, at in events.items():
            if (opened is None or moment == opened or at > opened) and (
                event not in since or at > since[event]
            ):
                since[event] = at
    return LogFacts(read, last_line, opened, since, recent, quiet, lately)


def known_gaps(
    gaps: dict[str, float], before: datetime | None, after: datetime | None, now: datetime
) -> None:
    """Note how long a log was silent between two passes: the longest of each day, in seconds, for a week."""
    if before is not None and after is not None and after >= before:
        day = f"{after:%Y-%m-%d}"
        gaps[day] = max(gaps.get(day, 0.0), (after - before).total_seconds())
    oldest = f"{now - timedelta(days=GAP_DAYS):%Y-%m-%d}"
    for day in [day for day in gaps if day < oldest]:
        del gaps[day]


def longest_quiet(gaps: Mapping[str, float], now: datetime) -> timedelta | None:
    """Return the longest silence of the days before, None while fewer than three are known."""
    today = f"{now:%Y-%m-%d}"
    whole = [seconds for day, seconds in gaps.items() if day != today]
    return timedelta(seconds=max(whole)) if len(whole) >= LEAST_GAP_DAYS else None


def log_findings(
    company: str,
    facts: LogFacts,
    files: Sequence[LogFileRead],
    hours: Sequence[HourCount],
    limits: LogLimits,
    now: datetime,
    connection: str = "",
) -> list[Finding]:
    """Given what the logs say and the counts of the last 24 hours, return what a person should know of it.

    `connection` is what the bot's API says, "" where it was not asked.
    """
    found = []
    show = f"{command('baileys-tools logs --company {}', company)}"
    recover = f"{command('baileys-tools recover --company {} --dry-run', company)} says what to do"
    at = facts.since_opened.get(LogEvent.DEVICE_REMOVED)
    if at is not None and not is_overruled(connection, facts):
        found.append(
            Finding(
                "device-removed",
                Severity.EMERGENCY,
                company,
                f"WhatsApp removed the device {format_age(now - at)} ago: this session will not work again",
                f"{command('baileys-tools reset --company {}', company)}, then scan the QR code",
            )
        )
    replaced = facts.lately.get(LogEvent.REPLACED, 0)
    if replaced >= FLAPS:
        found.append(
            Finding(
                "two-processes",
                Severity.CRITICAL,
                company,
                f"another process took the session over {counted(replaced, 'time')} within two hours (440)",
                "find the second process that uses this session folder or a copy of it, and stop it",
                {"count": replaced},
            )
        )
    reconnects = reconnects_in(facts.recent)
    if reconnects > limits.reconnects_per_day:
        found.append(
            Finding(
                "reconnects-many",
                Severity.WARNING,
                company,
                f"{reconnects} reconnects in 24 hours, more than {limits.reconnects_per_day}",
                f"{show} shows why the connections ended",
                {"count": reconnects, "limit": limits.reconnects_per_day},
            )
        )
    found += _burst(company, hours, limits)
    found += _silence(company, facts, now, recover)
    for file in files:
        if file.trouble:
            found.append(
                Finding(
                    "log-unreadable",
                    Severity.WARNING,
                    company,
                    f"the log {printable(file.path)} cannot be read: {printable(file.trouble)}",
                    "let this user read it, or correct logs.files in the settings",
                )
            )
    return found


def _burst(company: str, hours: Sequence[HourCount], limits: LogLimits) -> list[Finding]:
    most = max((one.number for one in hours if one.event is LogEvent.SESSION_REPLACED), default=0)
    if most < limits.session_bursts:
        return []
    return [
        Finding(
            "session-burst",
            Severity.WARNING,
            company,
            f"{most} sessions were closed for new ones within an hour, {limits.session_bursts} or more",
            "look whether an old copy of the folder was put back, or two processes use it",
            {"count": most, "limit": limits.session_bursts},
        )
    ]


def _silence(company: str, facts: LogFacts, now: datetime, action: str) -> list[Finding]:
    if facts.last_line is None or facts.longest_quiet is None:
        return []
    quiet = now - facts.last_line
    if quiet <= max(LEAST_SILENCE, 3 * facts.longest_quiet):
        return []
    return [
        Finding(
            "log-silent",
            Severity.WARNING,
            company,
            f"no line in the log for {format_age(quiet)}; never over {format_age(facts.longest_quiet)} in days before",
            action,
            {"quiet_seconds": int(quiet.total_seconds())},
        )
    ]
