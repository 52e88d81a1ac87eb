"""What the bot wrote in a line, whatever those who ship and keep lines wrapped it in.

JSON inside JSON (Docker's json-file, the journal, PM2, New Relic), CSV, and plain beginnings (PM2, compose, the
journal, Heroku, Kubernetes) are taken off. Whatever a contact writes is in a string of a record, never a record's own
key.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from baileys_tools.bots.bot_log.grammar import MESSAGES, OBJECT_BEGINS_WITHIN
from baileys_tools.bots.bot_log.stamps import NO_TIME, TIME_KEYS, LineTime, moment, stamp_in
from baileys_tools.bots.rules.log_events import ASKED_AGAIN

MOST_WRAPS = 5
BEGINNING = 240
"""What may stand before a line's own text."""

MESSAGE_KEYS = ("msg", "message", "MESSAGE", "log", "@message", "text", "body", "event")
_SHIPPED = (
    "log",
    "MESSAGE",
    "line",
    "short_message",
    "full_message",
    "textPayload",
    "jsonPayload",
    "body",
    "@message",
    "_raw",
    "_msg",
    "LogEntry",
)
"""Keys under which those who keep lines have the line: any program's own words."""
_AROUND = ("content", "_source", "result", "properties")
"""Keys under which they have a record that holds it."""
_OWN = ("level", "node", "fullErrorNode", "trace", "err", "msgAttrs", "browser", "pid")
"""A record with one of these was made by a logger: its `message` is text, and no record in it is one."""
_MESSAGES = frozenset((*(text.decode() for text in MESSAGES), *ASKED_AGAIN))
SESSION_KEYS = ("session", "sessionId", "instance")

_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}m|#033\[[0-9;]{0,20}m")
_CSV = re.compile(r'"?([\w:.+-]{8,40})"?,"(.*)"\s*\Z', re.DOTALL)
"""A time, and the line in quotes."""
_COLUMN = re.compile(r'(?:\A|,)"(\{(?:[^"]|"")*+)"(?=,|\s*\Z)')
"""A record in a column of CSV, its quotes doubled."""
_SHIPPER = re.compile(
    r"(?:\d{1,4}\|[^|\n]{1,40}\| ?|[\w.-]{1,60} {1,30}\| |\[pod/[\w./-]{1,160}\] )?"
    r"(?:(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
    r"|\d\d?[-/.]\d\d?[-/.]\d{4}[, ]{1,2}\d\d?:\d\d:\d\d(?: [AP]M)?|\d\d:\d\d:\d\d(?:\.\d{1,6})?(?=: )"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)"
    r"(?:: ?| |\Z)"
    r"(?:std(?:out|err) [FP] |(?:[\w.-]{1,64} )?[\w./@-]{1,64}\[[\w.-]{1,32}\]: )?)?"
)
_PRETTY_FIELD = re.compile(r'^ {4}([\w.@-]{1,40}): ("(?:[^"\\\n]|\\.)++"|\d{1,20})$', re.MULTILINE)
_DECODER = json.JSONDecoder(strict=False)
_LOOSE = re.compile(r'\s*"[\w.@-]{1,40}"\s*:')


class Inner(NamedTuple):
    """A line without its wrapping: the bot's own text, its record where it is JSON, and what was said of it."""

    text: str
    record: dict[str, Any] | None = None
    stamp: LineTime = NO_TIME
    session: str | None = None
    is_cut: bool = False
    """It begins like a record and is none."""

    def get(self, *keys: str) -> Any:
        """Return the first of these that the record has."""
        if self.record is not None:
            for key in keys:
                if key in self.record:
                    return self.record[key]
        return None


def unwrap(raw: bytes, latest: float, session_key: str = "") -> Inner:
    """Given a physical line, return what the bot wrote. `session_key` is the field that says whose it is."""
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    stamp, session = NO_TIME, None
    is_cut = False
    record: dict[str, Any] | None = None
    for _ in range(MOST_WRAPS):
        text = without_colours(text)
        text, said = _without_beginning(text, latest)
        stamp = said if said.at is not None else stamp
        found = _document(text)
        if found is None:
            column = _COLUMN.search(text) if '{""' in text else None
            if column is not None:
                around = text[max(0, column.start() - 60) : column.start()] + " " + text[column.end() :][:60]
                said = stamp_in(around.replace(",", " ").replace('"', " "), latest)
                stamp = said if said.at is not None else stamp
                text = column[1].replace('""', '"')
                continue
            if text.endswith('"') and (csv := _CSV.match(text)) is not None:
                at = moment(csv[1])
                stamp = LineTime(at) if at is not None else stamp
                text = csv[2].replace('""', '"')
                continue
            if (behind := _behind_a_beginning(text)) is not None:
                said = stamp_in(text[: len(text) - len(behind)], latest)
                stamp = said if said.at is not None else stamp
                text = behind
                continue
            is_cut = text.startswith(("{", "[{")) and len(text) > 2
            break
        record = found
        at = _own_time(record)
        stamp = LineTime(at) if at is not None else stamp
        session = _session(record, session_key) or session
        inner = _wrapped(record)
        if inner is None:
            break
        if isinstance(inner, dict):
            text, record = json.dumps(inner, ensure_ascii=False), inner
            continue
        text, record = inner.rstrip("\r\n"), None
        if "\n" in text and not text.startswith(("{\n", "[\n")):
            # What was printed at once is several lines, each by itself.
            break
    return Inner(text, record, stamp, session, is_cut)


def _own_time(record: dict[str, Any]) -> float | None:
    for key in TIME_KEYS:
        if key in record and (at := moment(record[key])) is not None:
            return at
    return None


def without_colours(text: str) -> str:
    """Return a text without the codes that colour it in a terminal, as they are or as syslog writes them."""
    return _ANSI.sub("", text) if "\x1b[" in text or "#033[" in text else text


def _session(record: dict[str, Any], session_key: str) -> str | None:
    for key in (session_key,) if session_key else SESSION_KEYS:
        value = record.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def session_behind(text: str, session_key: str) -> str | None:
    """Return the session that the record behind a line's text names: pino-pretty's fields on one line (WAHA).

    It reaches to the end of the line: what a contact wrote stands before it, or in one of its strings.
    """
    at = text.find(' {"')
    for _ in range(3):
        if at < 0:
            return None
        if isinstance(record := _parsed(text[at + 1 :].rstrip(), whole=True), dict):
            return _session(record, session_key)
        at = text.find(' {"', at + 3)
    return None


def session_in_fields(lines: str, session_key: str) -> str | None:
    """Return the session that pino-pretty's fields name, each on a line of its own behind the text, without colours."""
    found: dict[str, str] = {}
    for field in _PRETTY_FIELD.finditer(lines):
        found.setdefault(field[1], field[2])
    values = (found.get(key) for key in ((session_key,) if session_key else SESSION_KEYS))
    value = next((one for one in values if one), None)
    return value if value is None or value.isdecimal() else _parsed(value)


def _without_beginning(text: str, latest: float) -> tuple[str, LineTime]:
    found = _SHIPPER.match(text) if text[:1] != "{" else None
    if found is None or found.end() == 0:
        return text, NO_TIME
    return text[found.end() :], stamp_in(found["stamp"], latest) if found["stamp"] else NO_TIME


def _behind_a_beginning(text: str) -> str | None:
    """Return the record or the string that stands behind words which are not known, or in quotes of its own."""
    if text.startswith('"{') and isinstance(inner := _parsed(text), str):
        return inner
    at = 0
    for _ in range(3):
        at = text.find("{", at + 1, OBJECT_BEGINS_WITHIN)
        if at < 0 or '"' in text[:at]:
            return None
        record = _document(text[at:])
        if record is not None and any(key in record for key in ("msg", *_SHIPPED)):
            return text[at:]
    return None


def _document(text: str) -> dict[str, Any] | None:
    start = text[:1]
    if start == "[" and text[1:2] == "{":
        document = _parsed(text)
        document = document[0] if isinstance(document, list) and document else document
    elif start == "{":
        document = _parsed(text)
    elif start == '"' and _LOOSE.match(text):
        # A record without its braces: what a dashboard copies.
        document = _parsed("{" + text.rstrip().rstrip(",") + "}", whole=True)
    else:
        return None
    return document if isinstance(document, dict) else None


def _parsed(text: str, *, whole: bool = False) -> Any:
    try:
        # Some append words to the record.
        return json.loads(text) if whole else _DECODER.raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _wrapped(record: dict[str, Any]) -> str | dict[str, Any] | None:
    """Return the line that a record wraps, None where it is the innermost."""
    for key in _SHIPPED:
        if key not in record:
            continue
        value = record[key]
        if isinstance(value, str) and "msg" not in record:
            return value
        if isinstance(value, list) and key == "MESSAGE" and value and all(isinstance(n, int) for n in value):
            # The journal has whatever holds control characters (colours) as numbers.
            return bytes(n & 255 for n in value).decode("utf-8", "replace")
        if isinstance(value, dict) and any(k in value for k in MESSAGE_KEYS):
            return value
    for key in _AROUND:
        value = record.get(key)
        if isinstance(value, dict) and any(k in value for k in (*MESSAGE_KEYS, *_SHIPPED)):
            return value
    value = record.get("message")
    if (
        isinstance(value, str)
        and "msg" not in record
        and not any(key in record for key in _OWN)
        and value.strip() not in _MESSAGES
    ):
        return value
    if isinstance(value, dict) and any(k in value for k in MESSAGE_KEYS):
        return value
    return _of_loki(record.get("values")) if "stream" in record else None


def _of_loki(values: object) -> str | None:
    """Return the lines that Loki's API gives of a stream: pairs of a time in nanoseconds and a line."""
    pairs = values if isinstance(values, list) else ()
    lines = [
        f"{pair[0]} {pair[1].rstrip()}"
        for pair in pairs
        if isinstance(pair, list) and len(pair) > 1 and isinstance(pair[1], str)
    ]
    return "\n".join(lines) or None
