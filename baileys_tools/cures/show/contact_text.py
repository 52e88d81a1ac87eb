"""What a folder holds of one contact, for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from baileys_tools.cures.rules.contact import ContactReport, HeldSession, Identity
from baileys_tools.cures.show.words import WHY, address_shown, user_shown
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.pasted import command
from baileys_tools.units import counted, duration_of, format_age, printable


def contact_text(report: ContactReport, *, show_numbers: bool) -> str:
    return "\n".join(_lines(report, show_numbers))


def _lines(report: ContactReport, show_numbers: bool) -> Iterator[str]:
    held = report.held
    who = held.identity
    yield Style().paint(f"company {printable(report.company)}", "bold") + f"  {printable(report.path)}"
    yield _row("contact", f"{user_shown(who.pn, show_numbers)}  LID {user_shown(who.lid, show_numbers)}")
    yield _row("mapping", _mapping(who))
    yield _row("sessions", str(len(held.sessions)))
    for session in held.sessions:
        yield from wrapped(
            _session(session, report.now), WIDTH, "    " + _address(session, show_numbers), " " * 28
        )
    yield _row("identities", str(held.identity_keys))
    listed = held.listed_devices
    yield _row("devices", "no list" if listed is None else f"{counted(listed, 'device')} listed")
    yield _row("tokens", str(held.tokens))
    keys = f"{held.sender_keys}"
    if held.sender_keys:
        age = format_age(duration_of(_ns(report.now) - held.sender_key_written_ns))
        keys += f" in {counted(held.groups, 'group')}, the last used {age} ago"
    yield _row("group keys", keys)
    if held.unreadable.messages:
        last = held.unreadable.last
        when = "" if last is None else f", the last {format_age(report.now - _moment(last))} ago"
        yield _row("log", f"{counted(held.unreadable.messages, 'message')} not readable{when}")
    for trouble in report.log_troubles:
        yield from wrapped(f"not read: {printable(trouble)}", WIDTH, "  ", "    ")
    if any(session.why is not None for session in held.sessions):
        yield "  to renew what is broken" + ("" if show_numbers else ", with the same number or LID") + ":"
        number = (who.pn or f"{who.lid}@lid") if show_numbers else "NUMBER"
        yield f"  {command('baileys-tools contact --company {} --renew {}', report.company, number)}"


def _row(label: str, text: str) -> str:
    return f"  {label:12}{text}"


def _address(session: HeldSession, show_numbers: bool) -> str:
    return f"{address_shown(session.address, show_numbers):23} "


def _mapping(who: Identity) -> str:
    ways = [way for way, is_so in (("number to LID", who.to_lid), ("LID to number", who.to_pn)) if is_so]
    return " and ".join(ways) or "none"


def _session(session: HeldSession, now: datetime) -> str:
    words = [f"written {format_age(duration_of(_ns(now) - session.written_ns))} ago"]
    if session.used_ms is not None:
        words.append(f"last message read {format_age(now - _moment(session.used_ms / 1000))} ago")
    if session.why is not None:
        words.append(WHY[session.why])
    return ", ".join(words)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _moment(seconds: float) -> datetime:
    """Whoever owns a file chooses the times in it."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC) + timedelta()
