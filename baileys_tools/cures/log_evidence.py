"""Looks through the end of a bot's logs for devices that the bot could not read, and that could not read the bot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from baileys_tools.bots.bot_log.causes import decrypt_cause, plain
from baileys_tools.bots.bot_log.records import LogRecord, Wanted, records_of_file, records_of_stream
from baileys_tools.bots.bot_logs import logs_of, why_unread
from baileys_tools.bots.log_sources import lines_of, sources_of, stream_of
from baileys_tools.bots.rules.log_events import ASKED_AGAIN, LogEvent
from baileys_tools.cures.rules.stale_groups import ResendRequest, asked_in
from baileys_tools.cures.rules.unreadable import Device, Evidence, joined, sender_in
from baileys_tools.units import counted

if TYPE_CHECKING:
    from baileys_tools.config import Settings

Told = TypeVar("Told")

FAILED = "failed to decrypt message"
UNTOLD = Device("", 0)
"""Stands for whoever it was, where the reason is none that is read from a log."""
_OF_A_SESSION = (LogEvent.NO_MATCHING_SESSION, LogEvent.BAD_MAC)


def evidence_in_logs(settings: Settings, company: str, now: datetime) -> tuple[Evidence, list[str]]:
    """Return which devices the logs of a company name as unreadable, and what of the logs could not be read and why."""
    records, troubles = _records(settings, company, now, [FAILED], failed_session, streams=True)
    if not logs_of(settings, company):
        troubles.append("the bot's log, as logs.files names none for this company")
    devices = joined((one.told, one.at) for one in records)
    if (untold := devices.pop(UNTOLD, None)) is not None:
        troubles.append(f"from the log why the bot could not read {counted(untold.messages, 'message')}")
    return devices, troubles


def group_requests_in_logs(settings: Settings, company: str, now: datetime) -> list[ResendRequest]:
    """Return which devices asked for messages of the bot to groups again, by those logs of a company that are files.

    A journal is not read whole for every company that is looked at.
    """
    records, _ = _records(settings, company, now, ASKED_AGAIN, asked_in, streams=False)
    return [one.told._replace(at=one.at) for one in records]


def failed_session(text: str) -> Device | None:
    """Given the record of a message that could not be read, return whose session did not fit it, None where another
    thing was the reason."""
    cause = decrypt_cause(plain(text))
    if cause is LogEvent.NOT_DECRYPTED:
        return UNTOLD
    return sender_in(text) if cause in _OF_A_SESSION else None


def _records(
    settings: Settings,
    company: str,
    now: datetime,
    texts: Iterable[str],
    told_by: Callable[[str], Told | None],
    *,
    streams: bool,
) -> tuple[list[LogRecord[Told]], list[str]]:
    found: list[LogRecord[Told]] = []
    troubles = []
    for log in logs_of(settings, company):
        try:
            for source in sources_of(log, now):
                stream, wanted = stream_of(source), Wanted(*texts, session=source.rule)
                if isinstance(stream, str):
                    records = records_of_file(stream, wanted, told_by, now)
                elif streams:
                    records = records_of_stream(lines_of(stream), wanted, told_by, now)
                else:
                    continue
                found += _of_company(records, company, is_told=bool(source.session))
        except OSError as error:
            troubles.append(f"{log.label}: {why_unread(error)}")
    return found, troubles


def _of_company(records: list[LogRecord[Told]], company: str, *, is_told: bool) -> list[LogRecord[Told]]:
    """Return those of a company's own. Where lines name several sessions, or have to name one (`is_told`), one that
    names nobody accuses nobody."""
    names = {one.session for one in records if one.session is not None}
    return [one for one in records if one.session == company] if is_told or len(names) > 1 else records
