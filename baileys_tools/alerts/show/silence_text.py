"""Silences in words and as JSON (docs/json/silence.schema.json)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from baileys_tools.alerts.rules.silences import AlertSilence
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.units import printable


def silence_line(silence: AlertSilence, now: datetime) -> str:
    word = "silenced until" if silence.until > now else "was silenced until"
    until = f"{silence.until:%Y-%m-%d %H:%M} UTC ({silence.code or 'all alerts'})"
    return f"company {printable(silence.company)}: {word} {until}: {printable(silence.because)}"


def silence_text(found: Sequence[AlertSilence], now: datetime) -> str:
    """Given silences, return a line for each."""
    return "\n".join(silence_line(one, now) for one in found) or "No silence holds."


def silence_json(found: Sequence[AlertSilence], now: datetime) -> str:
    return envelope("silence", now, ExitCode.DONE, {"silences": silences_json(found, now)})


def silences_json(found: Sequence[AlertSilence], now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "company": name_text(one.company),
            "code": one.code,
            "since": timestamp(one.since),
            "until": timestamp(one.until),
            "because": name_text(one.because),
            "holds": one.is_on(now),
        }
        for one in found
    ]
