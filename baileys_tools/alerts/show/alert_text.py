"""Alerts as one message that a phone shows well: the worst first, what is over last, and never too long.

An entry says which company, what is so with value and limit, and what to do next. Neither a secret nor a whole phone
number leaves in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from baileys_tools.alerts.rules.alerts import Alert, Why, worst_first
from baileys_tools.alerts.rules.message import OK, Message
from baileys_tools.findings import Severity
from baileys_tools.frame.show.json_text import timestamp
from baileys_tools.masking import masked, masked_number
from baileys_tools.units import counted, printable

MOST_ENTRIES = 10
MOST_CHARACTERS = 3_500
"""Telegram takes 4,096; other services cut earlier without a word."""
MOST_FACTS = 100
LONGEST_LINE = 300
ALIKE_FROM = 4
"""From so many companies with the same trouble on, they are one entry."""

_NUMBER = r"(?<![0-9A-Za-z.])\+?[0-9]{10,15}(?![0-9A-Za-z])"
"""A phone number or a LID, as 10 to 15 digits."""


def alert_message(
    alerts: Sequence[Alert],
    host: str,
    now: datetime,
    *,
    late_by: Sequence[Alert] | None = None,
    dropped: int = 0,
    note: str = "",
) -> Message:
    """Given the alerts of one run, return the message that tells them all.

    `late_by` are alerts that could not be sent in their time, given in place of `alerts`, oldest first;
    `dropped` counts those that were too many to keep; `note` is a last line about the message itself.
    """
    is_late = late_by is not None
    told = worst_first(alerts) if late_by is None else list(late_by)
    level = _level(told)
    title = masked(f"{_heading(told, level, late=is_late)} on {printable(host)}")
    entries = list(_late_entries(told) if is_late else _entries(told))
    text = _within_limits(title, entries, dropped)
    if note:
        text += f"\n\n({_safe(note, '')})"
    facts = {
        "host": printable(host),
        "at": timestamp(now),
        "late": is_late,
        "dropped": dropped,
        "alerts": [_facts(alert) for alert in told[:MOST_FACTS]],
        "more": max(0, len(told) - MOST_FACTS),
    }
    return Message(level, title, text, facts)


def spoken(duration: timedelta) -> str:
    """Given a duration, return it in words as a person says it: `2 h 10 min`, `3 d 4 h`, `20 min`, `40 s`."""
    seconds = max(0, int(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    units = ((86_400, "d"), (3_600, "h"), (60, "min"))
    first = next(number for number, (size, _) in enumerate(units) if seconds >= size)
    parts = []
    for size, unit in units[first : first + 2]:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def without_numbers(text: str, company: str = "") -> str:
    """Given text, return it with phone numbers masked (`49****89`); a company's own id stays, commands need it."""

    if company:
        return company.join(without_numbers(part) for part in text.split(company))
    return re.sub(_NUMBER, lambda found: masked_number(found[0]), text)


def _safe(text: str, company: str) -> str:
    line = without_numbers(masked(printable(text)), company)
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."


def _level(alerts: Sequence[Alert]) -> str:
    lasting = [alert.severity for alert in alerts if alert.why is not Why.OVER]
    return max(lasting, key=lambda one: one.rank).value if lasting else OK


def _heading(alerts: Sequence[Alert], level: str, *, late: bool) -> str:
    over = sum(alert.why is Why.OVER for alert in alerts)
    word = "OVER" if level == OK else level.upper()
    if late:
        return f"{word}: {counted(len(alerts), 'late alert')}"
    lasting = len(alerts) - over
    if lasting and over:
        return f"{word}: {counted(lasting, 'finding')}, {over} over"
    return word if len(alerts) == 1 else f"{word}: {len(alerts)} findings"


# --- entries ------------------------------------------------------------------------------------------------


Entry = tuple[str, int]
"""The lines of an entry, and how many alerts they tell."""


def _entries(alerts: Sequence[Alert]) -> Iterator[Entry]:
    alike: dict[tuple[bool, str, Severity], list[Alert]] = {}
    for alert in alerts:
        alike.setdefault((alert.why is Why.OVER, alert.code, alert.severity), []).append(alert)
    done = set()
    for alert in alerts:
        key = (alert.why is Why.OVER, alert.code, alert.severity)
        group = alike[key] if len(alike[key]) >= ALIKE_FROM and alert.why is not Why.NEWS else [alert]
        if len(group) > 1:
            if key in done:
                continue
            done.add(key)
        yield _entry(group), len(group)


def _entry(group: Sequence[Alert]) -> str:
    alert = group[0]
    who = _company(alert) if len(group) == 1 else _companies(group)
    if alert.why is Why.OVER:
        longest = max(one.lasted for one in group)
        # What it meant is of no interest any more.
        what = alert.message.partition(": ")[0]
        return f"over after {spoken(longest)}: {who}: {_safe(what, alert.company)}"
    lines = [
        f"{_severity(alert)} {who}: {_safe(alert.message, alert.company)}{_forecast(alert)}",
        *([f"> {_safe(alert.action, alert.company)}"] if alert.action else []),
    ]
    return "\n".join(lines)


def _late_entries(alerts: Sequence[Alert]) -> Iterator[Entry]:
    for alert in alerts:
        yield f"{alert.at:%b %d %H:%M} UTC {_entry([alert])}", 1


def _severity(alert: Alert) -> str:
    word = alert.severity.upper()
    if alert.why is Why.REPEATED:
        return f"{word} (for {spoken(alert.lasted)})"
    if alert.why is Why.AGAIN:
        return f"{word} (again)" if alert.times < 3 else f"{word} (the {_ordinal(alert.times)} time)"
    return f"{word} (worse)" if alert.why is Why.ESCALATED else word


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _company(alert: Alert) -> str:
    return f"company {_name(alert)}" if alert.company else "this host"


def _name(alert: Alert) -> str:
    """How the company is called: where another has its name, with the folder around it."""
    around = f" ({alert.path.rpartition('/')[0]})" if alert.path else ""
    return _safe(alert.company + around, alert.company)


def _companies(group: Sequence[Alert]) -> str:
    named = ", ".join(_name(alert) if alert.company else "this host" for alert in group[:3])
    more = f" and {len(group) - 3} more" if len(group) > 3 else ""
    return f"{len(group)} companies ({named}{more})"


def _forecast(alert: Alert) -> str:
    forecast = alert.facts.get("forecast")
    words = _safe(forecast, alert.company) if isinstance(forecast, str) else ""
    return f", {words}" if words and words not in alert.message else ""


def _within_limits(title: str, entries: Sequence[Entry], dropped: int) -> str:
    text, left = title, sum(alerts for _, alerts in entries)
    for shown, (entry, alerts) in enumerate(entries):
        if shown >= MOST_ENTRIES or len(text) + len(entry) > MOST_CHARACTERS:
            break
        # What is over is one line, and those lines stand together.
        gap = (
            "\n"
            if shown and entry.startswith("over ") and entries[shown - 1][0].startswith("over ")
            else "\n\n"
        )
        text += gap + entry
        left -= alerts
    if left:
        text += f"\n\nand {left:,} more: baileys-tools status"
    if dropped:
        text += f"\n\n{dropped:,} older messages were dropped: too many waited"
    return text


def _facts(alert: Alert) -> dict[str, Any]:
    def safe(text: str) -> str:
        return _safe(text, alert.company)

    return {
        "why": alert.why.value,
        "at": timestamp(alert.at),
        "company": printable(alert.company),
        **({"path": safe(alert.path)} if alert.path else {}),
        "code": alert.code,
        "severity": alert.severity.value,
        "message": safe(alert.message),
        "action": safe(alert.action),
        "facts": {
            name: safe(value) if isinstance(value, str) else value for name, value in alert.facts.items()
        },
        "lasted_seconds": int(alert.lasted.total_seconds()),
    }
