"""What an ended connection or an unreadable message is called, whoever printed it: one grammar of causes.

Loggers print Baileys' own lines; bots print the error that they were handed (`@hapi/boom`), through util.inspect,
JSON.stringify or in a sentence with its status. All of them come here, as text without escapes or as a record.
"""

from __future__ import annotations

import re
from typing import Any

from baileys_tools.bots.rules.log_events import LogEvent

REASONS = {
    "Connection Terminated": LogEvent.TERMINATED,
    "Connection Closed": LogEvent.TERMINATED,
    "Connection was lost": LogEvent.LOST,
    "Timed Out": LogEvent.TIMED_OUT,
    "QR refs attempts ended": LogEvent.QR_ENDED,
    "Connection Failure": LogEvent.FAILURE,
    "Intentional Logout": LogEvent.LOGGED_OUT,
    "Logged Out": LogEvent.LOGGED_OUT,
}
"""How the message of an error begins, and what it says (`baileys/lib/Socket/socket.js`)."""

CODES = {
    401: LogEvent.UNAUTHORIZED,
    403: LogEvent.FORBIDDEN,
    405: LogEvent.OUTDATED,
    408: LogEvent.TIMED_OUT,
    411: LogEvent.OTHER,
    428: LogEvent.TERMINATED,
    440: LogEvent.REPLACED,
    500: LogEvent.STREAM_ERROR,
    503: LogEvent.UNAVAILABLE,
    515: LogEvent.RESTART_REQUIRED,
}
"""`baileys/lib/Types/index.js: DisconnectReason`, and what passes through it."""

DECRYPT = {
    "No session record": LogEvent.NO_SESSION,
    "No matching sessions found": LogEvent.NO_MATCHING_SESSION,
    "Invalid PreKey ID": LogEvent.NO_PRE_KEY,
    "No session found to decrypt message": LogEvent.NO_SENDER_KEY,
    "No SenderKeyRecord found": LogEvent.NO_SENDER_KEY,
    "Received message with old counter": LogEvent.OLD_COUNTER,
    "Key used already": LogEvent.USED_KEY,
    "Bad MAC": LogEvent.BAD_MAC,
}

_IS = r"""["'`]*\s*[:=]\s*["'`]*"""
_CODE = re.compile(rf"\bcode{_IS}(\d{{3}})\b")
_REMOVED = re.compile(rf"\btype{_IS}device_removed\b")
_CONFLICT = re.compile(rf"\btag{_IS}conflict\b")
_TRACE = re.compile(rf"\btrace{_IS}(?:Error: )?([^\"\n]{{0,160}})")
_DECRYPT_ERROR = re.compile(
    rf"\berr(?:or)?(?:\.message)?{_IS}.{{0,1500}}?(" + "|".join(map(re.escape, DECRYPT)) + ")", re.DOTALL
)
_STATUS = re.compile(rf"\bstatusCode{_IS}(\d{{3}})\b")
_STREAM = re.compile(r"Stream Errored \(([\w :-]{0,40})\)")
_REASON = re.compile("|".join((*map(re.escape, REASONS), r"Stream Errored", r"WebSocket Error[^\n]{0,120}")))
_BOOM_IN_TEXT = re.compile(r"Error: (?:" + _REASON.pattern + ")")
_CLOSING = re.compile(
    r"(?i)\bconnection\s+(?:was\s+|is\s+|has\s+been\s+)?(?:closed?|lost|terminated|failed|failure|errored|ended|update)"
    r"|\bdis-?connect(?:ed|ion)?\b|\bStream Errored \(|\blogged out\b|\bsocket closed"
)
_SAID_CODE = re.compile(
    r"(?i)(?:\b(?:http\s?)?(?:status(?:[ _-]?code)?|(?:error[ _-]?)?code|disconnect[ _-]?reason|reason)\b"
    r"(?:\s+(?:is|was|code))?[\"'`]?\s*[:=#]?\s*[\"'`(\[]?\s*)(\d{3})\b"
    r"|\b(?:due to|with|because of)\W{1,3}(\d{3})\b|\((\d{3})\)"
)
OPENED_BY_BOT = re.compile(r"""\bconnection["'`]?\s*[:=]\s*["'`]open["'`]""")
"""The update that Baileys hands to the bot, as it prints it."""


def plain(text: str) -> str:
    """Return a text without the escapes of strings in strings."""
    return text.replace("\\\\", "\\").replace('\\"', '"').replace('""', '"') if '"' in text else text


def stream_cause(text: str) -> LogEvent:
    """Given the text of a `stream errored out`, return what the server said."""
    if _REMOVED.search(text):
        return LogEvent.DEVICE_REMOVED
    code = _CODE.search(text)
    if code is not None:
        return {
            401: LogEvent.UNAUTHORIZED,
            403: LogEvent.FORBIDDEN,
            405: LogEvent.OUTDATED,
            440: LogEvent.REPLACED,
            503: LogEvent.UNAVAILABLE,
            515: LogEvent.RESTART_REQUIRED,
        }.get(int(code[1]), LogEvent.STREAM_ERROR)
    return LogEvent.REPLACED if _CONFLICT.search(text) else LogEvent.STREAM_ERROR


def close_cause(text: str) -> LogEvent | None:
    """Given the text of a `connection errored`, return why; None where a stream error before it has said so."""
    found = _TRACE.search(text)
    return reason_of(found[1] if found else "")


def reason_of(message: str) -> LogEvent | None:
    """Given the message of Baileys' error, return what it says; None for a stream error."""
    if message.startswith("Stream Errored"):
        return None
    if message.startswith("WebSocket Error"):
        if "Unexpected server response: 5" in message:
            return LogEvent.UNAVAILABLE
        return LogEvent.TIMED_OUT if "timed out" in message or "ETIMEDOUT" in message else LogEvent.REFUSED
    return next((event for start, event in REASONS.items() if message.startswith(start)), LogEvent.OTHER)


def decrypt_cause(text: str) -> LogEvent:
    """Given the text of a `failed to decrypt message`, return why."""
    found = _DECRYPT_ERROR.search(text)
    return LogEvent.NOT_DECRYPTED if found is None else DECRYPT[found[1]]


def is_boom(text: str) -> bool:
    """Whether a text holds, or begins to hold, the error that Baileys hands to a bot."""
    return "isBoom" in text or _BOOM_IN_TEXT.search(text) is not None


def is_whole_boom(text: str) -> bool:
    """Whether the code and the words of such an error stand in it already."""
    return _STATUS.search(text) is not None and _REASON.search(text) is not None


def says_why(text: str) -> bool:
    """Whether the reason of an unreadable message stands in it already."""
    return _DECRYPT_ERROR.search(text) is not None


def boom_cause(text: str) -> LogEvent | None:
    """Given an error of Baileys as a bot printed it, return what it says; None where it says nothing."""
    status = _STATUS.search(text)
    if _REMOVED.search(text):
        return LogEvent.DEVICE_REMOVED
    found = _REASON.search(text)
    if status is None and found is None:
        return None
    return cause_of(found[0] if found else "", int(status[1]) if status else None, text)


def cause_of(message: str, status: int | None, text: str = "") -> LogEvent | None:
    """Given the message and the status of an error, return what they say together.

    A conflict has two types: `replaced`, without a code, and `device_removed`, with 401.
    """
    if message.startswith("Stream Errored"):
        kind = _STREAM.search(text or message)
        if kind is not None and kind[1] == "conflict":
            return LogEvent.DEVICE_REMOVED if status == 401 else LogEvent.REPLACED
        return CODES.get(status, LogEvent.STREAM_ERROR) if status else LogEvent.STREAM_ERROR
    said = reason_of(message) if message else None
    if said not in (None, LogEvent.FAILURE, LogEvent.OTHER):
        # A refused socket has 408 and a handshake that failed 428: the words say more than the code.
        return said
    return CODES.get(status, said or LogEvent.OTHER) if status else said


def boom_in(record: Any, depth: int = 5) -> dict[str, Any] | None:
    """Given a record, return the error of Baileys in it."""
    if not isinstance(record, dict) or depth == 0:
        return None
    if record.get("isBoom") is True:
        return record
    for value in list(record.values())[:64]:
        if isinstance(value, dict) and (found := boom_in(value, depth - 1)) is not None:
            return found
    return None


def record_cause(boom: dict[str, Any]) -> LogEvent | None:
    """Given that error as a record, return what it says."""
    output = boom.get("output")
    payload = output.get("payload") if isinstance(output, dict) else None
    status = output.get("statusCode") if isinstance(output, dict) else None
    message = boom.get("message") or (payload.get("message") if isinstance(payload, dict) else "")
    if _REMOVED.search(str(boom.get("data"))[:4096]):
        return LogEvent.DEVICE_REMOVED
    message = message if isinstance(message, str) else ""
    return cause_of(message, status if isinstance(status, int) else None, message)


def said_cause(text: str, status: object = None) -> LogEvent | None:
    """Given a sentence of the bot about an end, with a status in it or beside it, return what it says."""
    if _CLOSING.search(text) is None:
        return None
    number: int | None = None
    if isinstance(status, int | str) and str(status).isdigit():
        number = int(status)
    elif (found := _SAID_CODE.search(text)) is not None:
        number = int(found[1] or found[2] or found[3])
    if number not in CODES:
        return None
    reason = _REASON.search(text)
    return cause_of(reason[0] if reason else "", number, text)
