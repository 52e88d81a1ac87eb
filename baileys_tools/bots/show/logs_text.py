"""The result of `logs` for people: what happened by hour or day, and what each line means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from baileys_tools.bots.rules.log_events import (
    CLOSE_REASONS,
    DECRYPT_FAILURES,
    LogEvent,
    failed_attempts_in,
    reconnects_in,
    summed,
)
from baileys_tools.bots.rules.log_report import LogReport
from baileys_tools.findings import Severity
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.units import counted, format_age, format_duration, format_size, printable

MEANING = {
    LogEvent.RESTART_REQUIRED: "restart required (515): normal after a pairing",
    LogEvent.DEVICE_REMOVED: "device removed (401): only a new pairing helps",
    LogEvent.LOGGED_OUT: "logged out, by the bot's own code or in as many words",
    LogEvent.UNAUTHORIZED: "401: often lets the same session in again later",
    LogEvent.FORBIDDEN: "403: the account is banned",
    LogEvent.OUTDATED: "405: the client is too old, update Baileys",
    LogEvent.REPLACED: "replaced (440): a second process uses the session",
    LogEvent.UNAVAILABLE: "503: the server is unavailable, wait",
    LogEvent.STREAM_ERROR: "stream error (500): no proof of a bad session",
    LogEvent.FAILURE: "login refused; the log has no code (401, 403, 405 ...)",
    LogEvent.REFUSED: "server not reached: refused, no route or no name",
    LogEvent.TERMINATED: "connection cut (428)",
    LogEvent.LOST: "ping without an answer (408)",
    LogEvent.TIMED_OUT: "no answer in time (408)",
    LogEvent.QR_ENDED: "nobody scanned the QR code (408)",
    LogEvent.OTHER: "another error",
    LogEvent.NO_SESSION: "no session for a message: asked for again",
    LogEvent.NO_MATCHING_SESSION: "the session does not fit: an old copy was put back?",
    LogEvent.NO_PRE_KEY: "a pre-key that is gone",
    LogEvent.NO_SENDER_KEY: "no sender-key for a group message: asked for again",
    LogEvent.OLD_COUNTER: "a message key used twice: an old copy was put back?",
    LogEvent.USED_KEY: "a message read before, or keys rolled back",
    LogEvent.BAD_MAC: "keys that do not fit the message",
    LogEvent.NOT_DECRYPTED: "unreadable for another reason",
    LogEvent.LIBSIGNAL_FAILED: "libsignal's own line about the same messages",
    LogEvent.SESSION_REPLACED: "sessions that contacts began anew",
    LogEvent.RETRY_ASKED: "times a message was asked for again",
    LogEvent.PRE_KEYS_NOT_UPLOADED: "uploads of pre-keys that failed",
    LogEvent.SECOND_SOCKET: "one process opened a second connection (440)",
    LogEvent.REGISTERING: "starts without an account: a QR code waits",
    LogEvent.PAIRED: "pairings",
}
_COLUMNS = ("reconnects", "failed", "undecrypted", "sessions new", "retries")
_COLOURS = {Severity.WARNING: "yellow", Severity.CRITICAL: "red", Severity.EMERGENCY: "magenta"}


def logs_text(report: LogReport, style: Style) -> str:
    """Given the counts of a company's logs, return them as text, 80 columns wide at most."""
    window = format_duration(report.now - report.since)
    lines = [style.paint(f"logs of company {printable(report.company)}, the last {window}", "bold")]
    lines += _files(report)
    lines += _now(report)
    lines += ["", *_table(report, style)] if report.hours else ["", "  no event in this time"]
    lines += _events(report, style)
    for finding in report.findings:
        colour = _COLOURS.get(finding.severity, "dim")
        severity = finding.severity.value
        first, *others = wrapped(finding.message, WIDTH, f"  {severity}  ", "    ")
        lines += ["", first.replace(severity, style.paint(severity, colour), 1), *others]
        lines += wrapped(finding.action, WIDTH, "    ")
    return "\n".join(lines)


def _files(report: LogReport) -> Iterator[str]:
    for file in report.files:
        state = printable(file.trouble) if file.trouble else f"{format_size(file.size)} new"
        yield f"  {printable(file.path)}: {state}"
        for form, number in sorted(file.understood.unread.items()):
            yield f"    {counted(number, 'line')} of Baileys in a form that is not read: {form}"
        if file.names_nobody:
            yield "    no line of it says whose it is"
        elif file.of_others:
            yield "    its lines name several sessions, and none of them is this company"
        elif not file.trouble and not file.understood.lines and not file.understood.unread:
            yield "    no line in it speaks of Baileys"


def _now(report: LogReport) -> Iterator[str]:
    facts = report.facts
    if facts.undated:
        said = ", ".join(f"{number} {event.value}" for event, number in sorted(facts.undated.items()))
        yield f"  without a time, and in no count below: {said}"
    if (server := facts.server_pre_keys) is not None:
        yield f"  the server had {server.number} pre-keys {format_age(report.now - server.at)} ago"
    if facts.last_line is not None:
        yield f"  last line {format_age(report.now - facts.last_line)} ago"
    if facts.opened is None:
        yield "  no connection was opened in what was read"
        return
    ended = [event for event in CLOSE_REASONS if event in facts.since_opened]
    opened = f"{format_age(report.now - facts.opened)} ago"
    if not ended:
        yield f"  connection opened {opened}, and nothing ended it since"
        return
    last = max(ended, key=lambda event: facts.since_opened[event])
    ago = format_age(report.now - facts.since_opened[last])
    yield from wrapped(
        f"connection opened {opened}; since then: {MEANING[last]}, {ago} ago", WIDTH, "  ", "    "
    )


def _table(report: LogReport, style: Style) -> Iterator[str]:
    by_day = report.now - report.since > timedelta(hours=48)
    rows: dict[str, list[Mapping[LogEvent, int]]] = {}
    for one in report.hours:
        row = f"{one.hour:%Y-%m-%d}" if by_day else f"{one.hour:%Y-%m-%d %H}h"
        rows.setdefault(row, []).append({one.event: one.number})
    heads = " ".join(f"{name:>12}" for name in _COLUMNS)
    yield style.paint(f"  {'day (UTC)' if by_day else 'hour (UTC)':14}{heads}", "bold")
    for name, parts in rows.items():
        yield f"  {name:14}" + " ".join(f"{number:>12,}" for number in _row(_merged(parts)))
    yield f"  {'sum':14}" + " ".join(f"{number:>12,}" for number in _row(report.sums))


def _merged(parts: list[Mapping[LogEvent, int]]) -> dict[LogEvent, int]:
    merged: dict[LogEvent, int] = {}
    for part in parts:
        for event, count in part.items():
            merged[event] = merged.get(event, 0) + count
    return merged


def _row(counts: Mapping[LogEvent, int]) -> tuple[int, ...]:
    return (
        reconnects_in(counts),
        failed_attempts_in(counts),
        sum(counts.get(event, 0) for event in DECRYPT_FAILURES),
        counts.get(LogEvent.SESSION_REPLACED, 0),
        counts.get(LogEvent.RETRY_ASKED, 0),
    )


def _events(report: LogReport, style: Style) -> Iterator[str]:
    sums = summed(report.hours)
    shown = [event for event in MEANING if sums.get(event)]
    if shown:
        yield ""
    for event in shown:
        yield f"  {sums[event]:>8,}  {event.value:<22}{style.paint(MEANING[event], 'dim')}"
