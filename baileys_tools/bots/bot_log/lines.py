"""What a line of Baileys or libsignal tells, in whatever form it was written, with the lines that belong to it."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from baileys_tools.bots.bot_log import causes
from baileys_tools.bots.bot_log.grammar import CONSOLE, MESSAGES, OBJECT_BEGINS_WITHIN
from baileys_tools.bots.bot_log.stamps import NO_TIME, LineTime, moment, stamp_in
from baileys_tools.bots.bot_log.tally import LineTold
from baileys_tools.bots.bot_log.unwrap import BEGINNING, MESSAGE_KEYS, Inner
from baileys_tools.bots.rules.log_events import LogEvent

REACH = 6 << 10
MOST_LINES = 120
"""How far a record over several lines, or an error with its trace, goes on."""

TEXTS = {text.decode(): event for text, event in MESSAGES.items()}
_CONSOLE = {text.decode(): event for text, event in CONSOLE.items()}
_PRE_KEYS = re.compile(r"(\d{1,6}) pre-keys found on server")
_WORDS = re.compile("|".join((*map(re.escape, TEXTS), _PRE_KEYS.pattern)))
_CONSOLE_STARTS = tuple(_CONSOLE)
_CONSOLE_WORDS = re.compile("|".join(map(re.escape, _CONSOLE)))
_LEVEL = r"(?i:trace|debug|info|warn|warning|error|err|fatal|log|verbose|notice|silly|http)"
_HEAD = re.compile(
    r"(?:\s*+(?:"
    r"\[[^\[\]\n]{0,100}+\]:?"
    r"|\([\w@.:/ -]{1,60}+\):?"
    rf"|{_LEVEL}\b:?"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|AM|PM|GMT|UTC)\b[,:]?"
    r"|[+-]?\d[\d:.,/TZ+-]{0,40}+:?"
    r"|v\d[\w.-]{0,20}+"
    r"|[\w.@/-]{1,40}+(?:\[\d{1,9}\])?+(?::|[ ]-(?=[ ]))"
    r"|[^\w\s\"'{}\[\]()]{1,3}"
    r"))*+\s*+"
)
_FIELD = re.compile(r"(?:^|\s)(?:msg|message)=[\"'`]?\Z")
_FOLLOWS = re.compile(r"[\"'`.!]{0,3}(?:\s*\Z|[ \t]*\n|\s*[{\[(,]|\s+[\w.-]+=)")
_TIME_IN_TEXT = re.compile(r"\b(?:time|unixTime|timestamp|ts|date)[\"'`]?\s*[:=]\s*[\"'`]?([\dT:.Z+-]{8,40})")
_OWN_OPENED = re.compile(r"opened connection\W{0,3}\Z")
_INSPECTED = re.compile(
    r"\{ (?:connection|lastDisconnect|error|statusCode|qr|isNewLogin|receivedPending\w+): "
)
"""The update or the error as util.inspect prints it on one line, which is no JSON."""
_CONTINUES = (" ", "\t", "}", "]", ")")
_DETAILED = (LogEvent.STREAM_ERROR, LogEvent.CLOSED, LogEvent.NOT_DECRYPTED)

NO_FIELD = "JSON whose message is under another key"
CUT = "JSON that is cut off"
IN_A_LOGGER = "JSON in the message of another logger's record"
UNKNOWN_BEGINNING = "text behind a beginning that is not known"


class Reading(NamedTuple):
    """What a line tells, when, how many lines after it belong to it, and whether all of those were there.

    `unread`: it speaks of Baileys in this form, which is not read.
    """

    told: LineTold | None = None
    stamp: LineTime = LineTime()
    lines: int = 0
    is_whole: bool = True
    unread: str = ""


NOTHING = Reading()


def read_line(inner: Inner, following: Iterator[str | None], latest: float) -> Reading:
    """Given a line without its wrapping, return what it tells.

    `following` are the lines behind it, one or more at a time, None where there is none yet.
    """
    if inner.record is not None:
        return _record(inner)
    return _text(inner, following, latest)


def record_with(
    inner: Inner,
    following: Iterator[str | None],
    texts: Container[str],
    words: re.Pattern[str],
    latest: float,
) -> tuple[str, LineTime, int] | None:
    """Given a line without its wrapping, return the record whose message is one of these texts: itself with the lines
    that belong to it, its time, and how many lines those are. `words` finds the texts; `following` as for `read_line`.
    """
    if inner.record is not None:
        message = inner.get(*MESSAGE_KEYS)
        is_it = isinstance(message, str) and message.strip() in texts
        record = inner.record if is_it else _nested(inner.record, texts)
        return None if record is None else (json.dumps(record, ensure_ascii=False), inner.stamp, 0)
    found = words.search(inner.text)
    if found is None or not _is_own_line(inner.text, found):
        return None
    block, lines, _ = _block(inner.text, following)
    return block, _dated(inner, inner.text, found.start(), latest), lines


def _record(inner: Inner) -> Reading:
    message = inner.get(*MESSAGE_KEYS)
    if (not isinstance(message, str) or message not in TEXTS) and (
        nested := _nested(inner.record, TEXTS)
    ) is not None:
        inner = inner._replace(record=nested, text=json.dumps(nested, ensure_ascii=False))
        message = inner.get(*MESSAGE_KEYS)
    if isinstance(message, str):
        words = message.strip()
        event = TEXTS.get(words)
        if event is not None:
            pid = inner.get("pid")
            text = causes.plain(inner.text) if event in _DETAILED else ""
            told = _detailed(event, text, pid if isinstance(pid, int) else 0)
            return Reading(told, inner.stamp)
        if (event := causes.appended_cause(words)) is not None:
            return Reading(LineTold((event,)), inner.stamp)
        if (found := _PRE_KEYS.fullmatch(words)) is not None:
            return Reading(LineTold((), number=int(found[1])), inner.stamp)
        if (found := _CONSOLE_WORDS.match(words)) is not None:
            return Reading(LineTold((_CONSOLE[found[0]],)), inner.stamp)
        if causes.is_boom(words) and (cause := causes.boom_cause(causes.plain(words))):
            return Reading(LineTold((cause,), by_bot=True), inner.stamp)
    if (boom := causes.boom_in(inner.record)) is not None:
        event = causes.record_cause(boom)
        return Reading(LineTold((event,), by_bot=True), _dated(inner, inner.text)) if event else NOTHING
    if isinstance(message, str) and message.lstrip().startswith("{"):
        return Reading(unread=IN_A_LOGGER) if _WORDS.search(message) else NOTHING
    if isinstance(message, str):
        data = inner.get("data")
        is_update = message == "connection.update" and isinstance(data, dict)
        status = (inner._replace(record=data) if is_update else inner).get(
            "statusReason", "statusCode", "status", "code", "reason"
        )
        event = causes.said_cause(message[:400], status if isinstance(status, int | str) else None)
        return Reading(LineTold((event,), by_bot=True), inner.stamp) if event else NOTHING
    if (connection := inner.get("connection")) in ("open", "close"):
        end = LogEvent.OPENED if connection == "open" else LogEvent.OTHER
        return Reading(LineTold((end,), by_bot=True), inner.stamp)
    return Reading(unread=NO_FIELD) if _WORDS.search(inner.text) else NOTHING


def _nested(record: object, texts: Container[str], depth: int = 4) -> dict[str, Any] | None:
    """Return the record in a record whose message is one of these."""
    if not isinstance(record, dict) or depth == 0:
        return None
    for value in list(record.values())[:64]:
        if isinstance(value, dict):
            if any(value.get(key) in texts for key in ("msg", "message") if isinstance(value.get(key), str)):
                return value
            if (found := _nested(value, texts, depth - 1)) is not None:
                return found
    return None


def _text(inner: Inner, following: Iterator[str | None], latest: float) -> Reading:
    text = inner.text
    if text.startswith(_CONSOLE_STARTS) and (console := _CONSOLE_WORDS.match(text)) is not None:
        return Reading(LineTold((_CONSOLE[console[0]],)), inner.stamp)
    found = _WORDS.search(text)
    if found is not None and _is_own_line(text, found):
        stamp = _dated(inner, text, found.start(), latest)
        if found[1]:
            return Reading(LineTold((), number=int(found[1])), stamp)
        event = TEXTS[found[0]]
        if event not in _DETAILED:
            return Reading(LineTold((event,), pid=_pid(text, found.start())), stamp)
        if len(text) - found.end() > 8 or text[: found.start()].rstrip("\"'`").endswith("="):
            block, lines, ended = text, 0, True
            if event is LogEvent.NOT_DECRYPTED and _detailed(event, causes.plain(text)).events == (event,):
                block, lines, ended = _block(text, following)
        else:
            block, lines, ended = _block(text, following)
        told = _detailed(event, causes.plain(block))
        return Reading(told, stamp, lines, ended or _is_enough(event, block))
    if inner.is_cut and _INSPECTED.match(text) is None:
        return Reading(unread=CUT) if found is not None else NOTHING
    console = _CONSOLE_WORDS.search(text, 0, OBJECT_BEGINS_WITHIN + 60)
    if console is not None and "{" not in text[: console.start()]:
        return Reading(LineTold((_CONSOLE[console[0]],)), _dated(inner, text, console.start(), latest))
    if causes.CLOSED_BY_BOT.search(text):
        block, lines, ended = (text, 0, True) if text.rstrip().endswith("}") else _block(text, following)
        update = causes.boom_cause(causes.plain(block)) or LogEvent.OTHER
        return Reading(LineTold((update,), by_bot=True), _dated(inner, block, 120, latest), lines, ended)
    if causes.is_boom(text):
        block, lines, ended = (text, 0, True) if causes.is_whole_boom(text) else _block(text, following)
        cause = causes.boom_cause(causes.plain(block))
        if cause is None:
            return Reading(is_whole=ended, lines=lines)
        return Reading(LineTold((cause,), by_bot=True), _dated(inner, block, 120, latest), lines, ended)
    if (cause := causes.payload_cause(causes.plain(text)) or causes.said_cause(text[:600])) is not None:
        return Reading(LineTold((cause,), by_bot=True), _dated(inner, text, 120, latest))
    if text.rstrip().endswith("{") and causes.is_closing(text[:600]):
        block, lines, ended = _block(text, following)
        if (said := causes.said_cause(" ".join(causes.plain(block[:2_000]).split()))) is not None:
            return Reading(LineTold((said,), by_bot=True), _dated(inner, text, 120, latest), lines, ended)
        if lines or not ended:
            return Reading(is_whole=ended, lines=lines)
    if causes.OPENED_BY_BOT.search(text) or (
        (own := _OWN_OPENED.search(text)) and _head_ends(text, own.start())
    ):
        return Reading(LineTold((LogEvent.OPENED,), by_bot=True), _dated(inner, text, 120, latest))
    if found is None:
        return NOTHING
    return Reading(unread=UNKNOWN_BEGINNING)


def _is_own_line(text: str, found: re.Match[str]) -> bool:
    start = found.start()
    if _FOLLOWS.match(text, found.end()) is None:
        return False
    if found[0] == "stream errored out" and "stream:error" in text:
        return True
    return _head_ends(text, start) or _FIELD.search(text[max(0, start - 40) : start]) is not None


def _head_ends(text: str, at: int) -> bool:
    return at <= BEGINNING and _HEAD.fullmatch(text, 0, at) is not None


def _pid(text: str, end: int) -> int:
    found = re.search(r"\((?:[\w.@-]{1,40}/)?(\d{1,7})(?: on [\w.-]+)?\)", text[:end])
    return int(found[1]) if found else 0


def _detailed(event: LogEvent, text: str, pid: int = 0) -> LineTold:
    if event is LogEvent.STREAM_ERROR:
        return LineTold((causes.stream_cause(text),))
    if event is LogEvent.CLOSED:
        reason = causes.close_cause(text)
        return LineTold((reason, event) if reason else (event,))
    if event is LogEvent.NOT_DECRYPTED:
        return LineTold((causes.decrypt_cause(text),))
    return LineTold((event,), pid=pid)


def _block(text: str, following: Iterator[str | None]) -> tuple[str, int, bool]:
    """Return a line with those that belong to it, how many they are, and whether their end was seen."""
    parts, size, lines = [text], 0, 0
    for line in following:
        if line is None:
            return "\n".join(parts), lines, False
        if not line.startswith(_CONTINUES):
            break
        parts.append(line)
        lines += 1 + line.count("\n")
        size += len(line)
        if line.startswith("}") or "\n}" in line or size > REACH or lines >= MOST_LINES:
            break
    return "\n".join(parts), lines, True


def _is_enough(event: LogEvent, block: str) -> bool:
    """Whether a record whose end was not seen tells all that is asked of it."""
    if event is LogEvent.STREAM_ERROR:
        return 0 < block.count("{") <= block.count("}")
    return "trace" in block if event is LogEvent.CLOSED else causes.says_why(block)


def _dated(inner: Inner, text: str, head: int = 0, latest: float | None = None) -> LineTime:
    """Return the time of a line: its own before that of whoever wrapped it."""
    own = stamp_in(text[: min(head, BEGINNING)], latest) if head else LineTime()
    if own == NO_TIME and (found := _TIME_IN_TEXT.search(text)) is not None:
        own = LineTime(moment(found[1]), own.of_day)
    return own if own.at is not None or inner.stamp.at is None else inner.stamp
