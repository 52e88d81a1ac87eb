"""The lines of Baileys and libsignal that tell something, and what each tells in the form that Baileys itself writes.

That is pino's JSON, one object a line with `msg` as its last key; libsignal prints plain text to the console. Every
other form is for `lines.py`.
`opened connection to WA` and the like are in `baileys/lib/Socket/socket.js`, `failed to decrypt message` in
`baileys/lib/Utils/decode-wa-message.js`, the lines of libsignal in its `src/session_cipher.js` and
`src/session_builder.js`.

Everything here works on bytes in place: of a line that tells nothing not one byte is copied. The dumps that libsignal
prints between its lines hold private keys.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from json import JSONDecoder

from baileys_tools.bots.bot_log.causes import DECRYPT, reason_of
from baileys_tools.bots.rules.log_events import LogEvent

Buffer = bytes | bytearray

OBJECT_BEGINS_WITHIN = 96
"""What may stand before a record, where that is not known."""

MESSAGES = {
    b"connected to WA": LogEvent.ATTEMPTED,
    b"opened connection to WA": LogEvent.OPENED,
    b"not logged in, attempting registration...": LogEvent.REGISTERING,
    b"pairing configured successfully, expect to restart the connection...": LogEvent.PAIRED,
    b"connection errored": LogEvent.CLOSED,
    b"stream errored out": LogEvent.STREAM_ERROR,
    b"failed to decrypt message": LogEvent.NOT_DECRYPTED,
    b"sent retry receipt": LogEvent.RETRY_ASKED,
    b"Failed to upload pre-keys to server": LogEvent.PRE_KEYS_NOT_UPLOADED,
}

# One search for all of them: after the common beginning, which is looked for as fixed text, the branches cost little.
MESSAGE = re.compile(
    rb'"msg":"(?:(' + b"|".join(map(re.escape, MESSAGES)) + rb')|(\d{1,6}) pre-keys found on server)"\}'
)

CONSOLE = {
    b"Failed to decrypt message with any known session": LogEvent.LIBSIGNAL_FAILED,
    b"Closing open session in favor of incoming prekey b": LogEvent.SESSION_REPLACED,
}

CONSOLE_STARTS = tuple(CONSOLE)
CONSOLE_BY_FIRST = {text[0]: event for text, event in CONSOLE.items()}

NEEDLES = (
    # "connected to WA", "opened connection to WA", "connection errored", and whatever a bot says of a connection.
    b"onnect",
    b"stream errored out",
    b"Stream Errored",
    b"ailed to decrypt message",
    b"sent retry receipt",
    b"attempting registration",
    b"pairing configured successfully",
    b"pre-keys found on server",
    b"pload pre-keys to server",
    b"Closing open session in favor of incoming prekey b",
    b"isBoom",
    b"QR refs attempts ended",
    b"Intentional Logout",
    b"WebSocket Error (",
    b"Timed Out",
    # What bots in Spanish, Portuguese and Indonesian say of it.
    b"onexi\xc3\xb3n",
    b"onexion",
    b"onex\xc3\xa3o",
    b"onexao",
    b"oneksi",
    b"esconectad",
)
"""One of these stands in each line that tells something, in whatever form."""

JOURNAL = b'"__REALTIME_TIMESTAMP"'
IN_NUMBERS = (b'"MESSAGE":[', b'"MESSAGE": [')
NUMBERS = (IN_NUMBERS[1], *(b",".join(b"%d" % letter for letter in needle) for needle in NEEDLES))
"""The same in a line of the journal's that holds colours: there its text is a list of numbers."""

_RECORD = b'{\\"level\\":'
DOCKER, PM2, JOURNAL_TEXT = b'{"log":', b'{"message":', b'"MESSAGE":'
DOCKER_OWN, PM2_OWN, JOURNAL_OWN = (key + b'"' + _RECORD for key in (DOCKER, PM2, JOURNAL_TEXT))
"""How Docker's json-file, PM2's JSON and the journal's begin a string that holds a record of pino."""

_STREAM_CODES = {
    b"401": LogEvent.UNAUTHORIZED,
    b"403": LogEvent.FORBIDDEN,
    b"405": LogEvent.OUTDATED,
    b"515": LogEvent.RESTART_REQUIRED,
    b"440": LogEvent.REPLACED,
    b"503": LogEvent.UNAVAILABLE,
}
_DECRYPT = {text.encode(): event for text, event in DECRYPT.items()}

PID = re.compile(rb'"pid":(\d{1,7})\b')
_TRACE = re.compile(rb'"trace":"(?:Error: )?([^"\\]{0,160})')
_STREAM_CODE = re.compile(rb'"code":"?(\d{3})\b')
_DECRYPT_ERROR = re.compile(
    rb'"err":\{[^{}]{0,400}?"message":"(' + b"|".join(map(re.escape, _DECRYPT)) + b")?"
)
# 2026-01-15T12:00:00: (PM2), 2026-01-15 12:00:00.123 +01:00, 2026-01-15T12:00:00.123456789Z (containers)
_STAMP = re.compile(
    rb"(?:\d+\|[^|\n]{1,40}\| ?)?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d{1,9})? ?(Z|[+-]\d\d:?\d\d)?\b"
)


def close_reason(line: Buffer) -> LogEvent | None:
    """Given a `connection errored` line, return why; None where the line before it, a stream error, has said so."""
    found = _TRACE.search(line)
    return reason_of(found[1].decode("utf-8", "replace") if found else "")


def stream_error(line: Buffer) -> LogEvent:
    """Given a `stream errored out` line, return what the server said.

    The node is `node` in Baileys 6, `fullErrorNode` in 7 (`Utils/generics.js: getErrorCodeFromStreamError`).
    """
    if b'"type":"device_removed"' in line:
        return LogEvent.DEVICE_REMOVED
    code = _STREAM_CODE.search(line)
    if code:
        return _STREAM_CODES.get(code[1], LogEvent.STREAM_ERROR)
    return LogEvent.REPLACED if b'"tag":"conflict"' in line else LogEvent.STREAM_ERROR


def decrypt_failure(buffer: Buffer, start: int, end: int) -> LogEvent:
    """Given where a `failed to decrypt message` line starts and ends, return why the message could not be read."""
    found = _DECRYPT_ERROR.search(buffer, start, end)
    return LogEvent.NOT_DECRYPTED if found is None else _DECRYPT.get(found[1], LogEvent.NOT_DECRYPTED)


def time_of(buffer: Buffer, start: int, end: int) -> float | None:
    """Given where a line starts and ends, return the time it states, in seconds since 1970; None for none.

    pino's own `time` is a number of milliseconds, that of Baileys' default logger ISO 8601. What PM2 puts before a line
    is the host's local time.
    """
    at = buffer.find(b'"time":', start, min(end, start + 400))
    if at >= 0:
        raw = buffer[at + 7 : at + 33]
        if raw[0] != _QUOTE:
            return int(raw[:13]) / 1000 if raw[:13].isdigit() and raw[13:14] in (b",", b"}") else None
        if raw[24:26] == b'Z"' and raw[21:24].isdigit():
            # 2026-01-15T12:00:00.000Z: lines of one second come in bursts.
            return _second(bytes(raw[1:20])) + int(raw[21:24]) / 1000
        raw = bytes(buffer[at + 8 : at + 48])
        return _from_iso(raw[: raw.find(b'"')])
    found = _STAMP.match(buffer, start, min(end, start + OBJECT_BEGINS_WITHIN))
    return _from_iso(found[1] + b"T" + found[2] + (found[3] or b"")) if found else None


def kept_text(raw: bytes) -> bytes:
    """Given bytes that begin with a string of JSON, return the one line that it holds; nothing for anything else."""
    try:
        text, _ = _DECODER.raw_decode(raw.decode("utf-8", "replace"))
    except ValueError:
        return b""
    line = str(text).rstrip("\r\n")
    return b"" if "\n" in line else line.encode("utf-8", "replace")


_DECODER = JSONDecoder(strict=False)
_QUOTE = ord('"')


@lru_cache(maxsize=64)
def _second(raw: bytes) -> float:
    return _from_iso(raw + b"Z") or 0.0


def _from_iso(raw: bytes) -> float | None:
    try:
        return datetime.fromisoformat(raw.decode("ascii")).timestamp()
    except (ValueError, OverflowError):
        return None
