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
_APPENDED = re.compile(
    r"failed to decrypt message[\s:,-]{1,3}(?:Error: )?(" + "|".join(map(re.escape, DECRYPT)) + ")"
)
_STATUS = re.compile(rf"\bstatusCode{_IS}(\d{{3}})\b")
_STREAM = re.compile(r"Stream Errored \(([\w :-]{0,40})\)")
_REASON = re.compile("|".join((*map(re.escape, REASONS), r"Stream Errored", r"WebSocket Error[^\n]{0,120}")))
_BOOM_IN_TEXT = re.compile(r"Error: (?:" + _REASON.pattern + ")")
_CLOSING = re.compile(
    r"(?i)\bconnection\s+(?:was\s+|is\s+|has\s+been\s+)?(?:closed?|lost|terminated|failed|failure|errored|ended|update)"
    r"|\bdis-?connect(?:ed|ion)?\b|lastDisconnect|DisconnectReason|\bconnection\.update\b|\bStream Errored \("
    r"|\blogged out\b|\bsocket closed"
    # The words of templates in the languages of most of their users.
    r"|\bconexi[oó]n\s+(?:fue\s+|se\s+ha\s+)?(?:cerrada|perdida|terminada|cerrado|perdido)|\bdesconectad[oa]\b"
    r"|\bconex[aã]o\s+(?:foi\s+)?(?:fechada|encerrada|perdida|caiu)|\bkoneksi\s+(?:terputus|ditutup|tertutup|hilang)"
)
_LABEL = (
    r"(?:http\s?)?(?:status(?:[ _-]?(?:code|reason))?|(?:error[ _-]?)?code|disconnect[ _-]?reason|reason"
    r"|raz[oó]n|motivo|c[oó]digo|causa|estado|kode|alasan|karena)"
)
_SAID_CODE = re.compile(
    rf"(?i)(?:\b{_LABEL}\b(?:\s+(?:is|was|code))?[\"'`]?\s*[:=#]?\s*[\"'`(\[]?\s*)(\d{{3}})\b"
    r"|\b(?:due to|with|because of|devido a|debido a)\W{1,3}(\d{3})\b|[(\[](\d{3})[)\]]"
    r"|\b(?:closed?|lost|ended|errored|failed|update|disconnect(?:ed)?)\W{1,3}(\d{3})\b(?!\s*(?:ms|s|[a-z]{3,})\b)"
)
_ANY_CODE = re.compile(r"(?<![\w.:/-])(4(?:01|03|05|08|11|28|40)|50[03]|515)(?![\w.:/%-])")
_STRONG = (
    "Stream Errored",
    "Connection Failure",
    "Connection Terminated",
    "Connection was lost",
    "QR refs",
    "Intentional",
)
"""What nobody but Baileys says, so that it needs no code beside it."""
OPENED_BY_BOT = re.compile(r"""\bconnection["'`]?\s*[:=]\s*["'`]open["'`]""")
CLOSED_BY_BOT = re.compile(r"""\bconnection["'`]?\s*[:=]\s*["'`]close["'`]""")
"""The update that Baileys hands to the bot, as it prints it."""
PAYLOAD = re.compile(
    rf"""\bstatusCode{_IS}(\d{{3}})["'`]?,\s*["'`]?error{_IS}[\w -]{{0,40}}["'`],"""
    rf"""\s*["'`]?message{_IS}([^"'`\n]{{0,160}})"""
)
"""What that error has for a browser, printed by itself (`error.output`)."""
PAYLOAD_ENDS = re.compile(rf"""\s+["'`]?message{_IS}(?:{_REASON.pattern})""")
"""Its last line, where it has several."""


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


def appended_cause(message: str) -> LogEvent | None:
    """Given the message of a record, return why a message could not be read, where that stands behind Baileys' text:
    winston appends the message of an error that it gets beside one."""
    found = _APPENDED.match(message)
    return None if found is None else DECRYPT[found[1]]


def is_boom(text: str) -> bool:
    """Whether a text holds, or begins to hold, the error that Baileys hands to a bot."""
    return "isBoom" in text or _BOOM_IN_TEXT.search(text) is not None


def payload_cause(text: str) -> LogEvent | None:
    """Given a text that holds the payload of such an error, return what it says; None for any other error's."""
    found = PAYLOAD.search(text)
    return cause_of(found[2], int(found[1]), found[2]) if found and _REASON.match(found[2]) else None


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
    if status is None and "\n" not in text and (number := _said_number(text)) is not None:
        return cause_of(found[0] if found else "", number, text)
    return cause_of(found[0] if found else "", int(status[1]) if status else None, text)


def cause_of(message: str, status: int | None, text: str = "") -> LogEvent | None:
    """Given the message and the status of an error, return what they say together.

    A conflict has two types: `replaced`, without a code, and `device_removed`, with 401.
    """
    if message.startswith("Stream Errored"):
        kind = _STREAM.search(text or message)
        if kind is not None and kind[1] == "conflict":
            return LogEvent.DEVICE_REMOVED if status == 401 else LogEvent.REPLACED
        if kind is not None and kind[1] == "restart required":
            # Baileys says so of 515 alone.
            return LogEvent.RESTART_REQUIRED
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
    payload = record.get("payload")
    if isinstance(record.get("statusCode"), int) and isinstance(payload, dict) and "message" in payload:
        return {"output": record}
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


def is_closing(text: str) -> bool:
    """Whether a sentence speaks of the end of a connection."""
    return _CLOSING.search(text) is not None


def said_cause(text: str, status: object = None) -> LogEvent | None:
    """Given a sentence of the bot about an end, with a status in it or beside it, return what it says."""
    if not is_closing(text):
        return None
    reason = _REASON.search(text)
    if isinstance(status, int | str) and str(status).isdigit():
        number: int | None = int(status)
    else:
        number = _said_number(text)
    if number not in CODES:
        strong = reason is not None and number is None and reason[0].startswith(_STRONG)
        return cause_of(reason[0], None, text) if strong and reason is not None else None
    return cause_of(reason[0] if reason else "", number, text)


def _said_number(text: str) -> int | None:
    """The status in a sentence: by its label, or beside words that are Baileys' own."""
    if (found := _SAID_CODE.search(text)) is not None:
        return int(found[1] or found[2] or found[3] or found[4])
    found = _ANY_CODE.search(text) if _REASON.search(text) else None
    return int(found[1]) if found else None
