"""What the logs of a company add up to: facts for a diagnosis, findings, and counts by hour or day."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.bots.rules.diagnosis import FLAPS, LEAST_SILENCE
from baileys_tools.bots.rules.log_events import (
    CLOSE_REASONS,
    SHOWS_LIFE_WITHIN,
    HourCount,
    LogEvent,
    LogFacts,
    Understood,
    is_overruled,
    reconnects_in,
    summed,
)
from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, Severity, exit_code_for, worst
from baileys_tools.pasted import command
from baileys_tools.units import counted, format_age, printable

GAP_DAYS = 7
LEAST_GAP_DAYS = 3
"""From so many days on that were watched, it is known how long a bot is usually silent."""

Since = tuple[datetime | None, Mapping[LogEvent, datetime]]


class LogFileRead(NamedTuple):
    """How one log was read: new bytes, or why it could not be; and how much of what it says of Baileys was understood.

    `of_others`: its lines name several sessions, and none of them is this company. `by_rule`: the settings say whose a
    line is, for every company that a line names. `names_nobody`: none of them does.
    """

    path: str
    size: int
    trouble: str = ""
    understood: Understood = Understood()
    of_others: bool = False
    by_rule: bool = False
    names_nobody: bool = False


def without_other_programs(files: Sequence[LogFileRead]) -> list[LogFileRead]:
    """Return the logs of a company; one of all companies is no trouble where another log tells of this one.

    Each program that runs several bots writes one, and a bot is in one of them.
    """
    if all(file.trouble or file.of_others or not file.understood.lines for file in files):
        return list(files)
    return [file._replace(of_others=file.of_others and not file.by_rule) for file in files]


class LogLimits(NamedTuple):
    """From where on counts are findings."""

    reconnects_per_day: int = 10
    session_bursts: int = 50
    unreadable_per_hour: int = 100


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
    found: list[Finding] = []
    show = f"{command('baileys-tools logs --company {}', company)}"
    recover = f"{command('baileys-tools recover --company {} --dry-run', company)} says what to do"
    removed = list(_removed(company, facts, now, connection, recover))
    found += removed
    replaced = facts.lately.get(LogEvent.REPLACED, 0)
    if replaced >= FLAPS:
        own = facts.lately.get(LogEvent.SECOND_SOCKET, 0)
        found.append(
            Finding(
                "two-processes",
                Severity.CRITICAL,
                company,
                f"another connection took the session over {counted(replaced, 'time')} within two hours (440)",
                "see why the bot's own code opens a second socket before it ended the first: one process did so here"
                if own
                else "find the second process that uses this session folder or a copy of it, and stop it; "
                "or the bot's own code opens a second socket",
                {"count": replaced, **({"own": own} if own else {})},
            )
        )
    found += _not_back(company, facts, now, connection, recover)
    found += unreadable_messages(company, hours, limits, now)
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
    if not removed:
        # A bot that was removed has nothing more to say.
        found += _silence(company, facts, now, recover)
    for file in files:
        if file.trouble:
            found.append(
                Finding(
                    "log-unreadable",
                    Severity.WARNING,
                    company,
                    f"the log {printable(file.path)} cannot be read{' to its end' if file.size else ''}: "
                    f"{printable(file.trouble)}",
                    "see that it is there and that this user may read it, or correct logs.files in the settings",
                )
            )
    found += _not_understood(company, files, show)
    return found


def _removed(
    company: str, facts: LogFacts, now: datetime, connection: str, recover: str
) -> Iterator[Finding]:
    at = facts.since_opened.get(LogEvent.DEVICE_REMOVED)
    if at is None or is_overruled(connection, facts, at, now):
        return
    if LogEvent.DEVICE_REMOVED in facts.unsure:
        yield Finding(
            "device-removed",
            Severity.WARNING,
            company,
            "a line without a time says that WhatsApp removed the device, and nothing after it that the bot was let in",
            recover,
        )
        return
    reset = command("baileys-tools reset --company {}", company)
    yield Finding(
        "device-removed",
        Severity.EMERGENCY,
        company,
        f"WhatsApp removed the device {format_age(now - at)} ago: this session will not work again",
        f"{recover}; the way back is {reset}, then scan the QR code",
    )


def _not_back(
    company: str, facts: LogFacts, now: datetime, connection: str, recover: str
) -> Iterator[Finding]:
    """A connection that ended, tries or none, and no opening since. What has a finding of its own is left to that."""
    ended = [event for event in CLOSE_REASONS if event in facts.since_opened and event not in facts.unsure]
    if not ended or connection or not facts.shows_connections:
        # What the API says has findings of its own.
        return
    if LogEvent.DEVICE_REMOVED in facts.since_opened:
        # What a bot tries after that is refused, and no news.
        return
    last = max(ended, key=lambda event: facts.since_opened[event])
    quiet = now - facts.since_opened[last]
    first = min(facts.since_opened[event] for event in ended)
    flaps = last is LogEvent.REPLACED and facts.lately.get(last, 0) >= FLAPS
    if last in _TOLD_ELSEWHERE or flaps or now - first <= SHOWS_LIFE_WITHIN:
        return
    tries = facts.lately.get(last, 0)
    yield Finding(
        "connection-not-back",
        Severity.WARNING,
        company,
        f"the connection ended {format_age(quiet)} ago ({last.value}), "
        + (f"{counted(tries, 'time')} within two hours, " if tries > 1 else "")
        + "and the log shows no opening since",
        recover,
        {"count": tries, "quiet_seconds": int(quiet.total_seconds())},
    )


_TOLD_ELSEWHERE = (LogEvent.QR_ENDED,)

_KINDS: Mapping[str, tuple[str, tuple[LogEvent, ...], str]] = {
    "keys": (
        "keys that do not fit (Bad MAC)",
        (LogEvent.BAD_MAC, LogEvent.NO_MATCHING_SESSION, LogEvent.OLD_COUNTER, LogEvent.USED_KEY),
        "see that one process alone uses this folder and that no old copy was put back; renew what is still broken",
    ),
    "session": (
        "no session for the contact",
        (LogEvent.NO_SESSION,),
        "see that the bot can write its folder: a session that was asked for anew has to stay there",
    ),
    "pre-key": (
        "a pre-key that is gone",
        (LogEvent.NO_PRE_KEY,),
        "restart the bot, which uploads new pre-keys; see what else deletes pre-key files",
    ),
    "group": (
        "no key of the group's member",
        (LogEvent.NO_SENDER_KEY,),
        "see that the bot sends retry receipts: each member then sends his key once more",
    ),
    "other": ("another reason", (LogEvent.NOT_DECRYPTED,), "see the bot's own log for the reason"),
}


def unreadable_messages(
    company: str, hours: Sequence[HourCount], limits: LogLimits, now: datetime
) -> Iterator[Finding]:
    """Given the counts by hour, tell of messages that could not be read, by kind, with what helps for the commonest."""
    begins = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    lately = summed(one for one in hours if one.hour >= begins)
    counts = {kind: sum(lately.get(event, 0) for event in events) for kind, (_, events, _) in _KINDS.items()}
    rate = round(sum(counts.values()) / max(1.0, (now - begins).total_seconds() / 3_600))
    if rate < limits.unreadable_per_hour:
        return
    most = max(counts, key=lambda kind: counts[kind])
    said = ", ".join(f"{number:,} {_KINDS[kind][0]}" for kind, number in counts.items() if number)
    helps = _KINDS[most][2]
    if most == "keys":
        helps += f": {command('baileys-tools renew-sessions --company {} --broken --dry-run', company)}"
    yield Finding(
        "messages-unreadable",
        Severity.CRITICAL if rate >= _FLOOD * limits.unreadable_per_hour else Severity.WARNING,
        company,
        f"{rate:,} messages an hour cannot be read, {limits.unreadable_per_hour} or more: {said}",
        helps,
        {
            "per_hour": rate,
            "limit": limits.unreadable_per_hour,
            **{kind: n for kind, n in counts.items() if n},
        },
    )


_FLOOD = 10

LEAST_NAMELESS = 5
"""From so many lines on that speak of Baileys and name nobody, it is not by chance: libsignal's name nobody."""

UNREAD_SHARE = 0.2
"""From this share on of the lines that speak of Baileys, what is not read may be what matters."""


def _not_understood(company: str, files: Sequence[LogFileRead], show: str) -> Iterator[Finding]:
    for file in files:
        unread, lines = file.understood.not_read, file.understood.lines
        if file.of_others:
            yield Finding(
                "log-not-understood",
                Severity.WARNING,
                company,
                f"no line of {printable(file.path)} says whose it is: nothing is known of any bot in it"
                if file.names_nobody
                else f"the lines of {printable(file.path)} name several sessions, and none of them is this company",
                "correct `session` for this log in the settings: a field, or a pattern for text (docs/logs.md)"
                if file.names_nobody
                else "call the company as the log does (`name` in sessions.roots), or name a log of its own "
                "(docs/logs.md)"
                if file.by_rule
                else "give `session` for this log in the settings (docs/logs.md), or a log of its own to each bot",
            )
        elif unread and unread >= UNREAD_SHARE * (unread + lines):
            form = max(file.understood.unread, key=lambda one: file.understood.unread[one])
            yield Finding(
                "log-not-understood",
                Severity.WARNING,
                company,
                f"{counted(unread, 'line')} of {printable(file.path)} speak of Baileys in a form that is not read: "
                f"{form}",
                f"have the bot write pino's JSON, or one of the forms of docs/logs.md; {show} shows what is read",
                {"lines": unread, "read": lines},
            )


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
