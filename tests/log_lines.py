"""Lines as Baileys and libsignal write them, and what each of them counts as."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from baileys_tools.bots.rules.log_events import CLOSE_REASONS

BEGIN = datetime(2026, 1, 14, 12, tzinfo=UTC)

SECRET = "d3adbeefcafe" * 5
NUMBER, MESSAGE_ID = "4917012345678", "3EB0C0FFEE15C01DBEEF"
"""Of the contact whose message cannot be read. Long, so that no digits of a time can be taken for them."""
STACK = "\n    at WebSocketClient.<anonymous> (file:///app/node_modules/baileys/lib/Socket/socket.js:700:18)"

DUMP = f"""Closing session: SessionEntry {{
  _chains: {{
    '{SECRET}': {{ chainKey: [Object], chainType: 2, messageKeys: {{}} }}
  }},
  currentRatchet: {{
    ephemeralKeyPair: {{
      pubKey: <Buffer 05 {SECRET}>,
      privKey: <Buffer {SECRET}>
    }},
    rootKey: <Buffer {SECRET}>
  }},
}}"""


def pino(msg: str, at: datetime = BEGIN, level: int = 30, millis: bool = False, **fields: Any) -> str:
    """One line of pino, with ISO time as Baileys' own logger has it, or milliseconds as a plain one has."""
    time = int(at.timestamp() * 1000) if millis else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
    entry = {
        "level": level,
        "time": time,
        "pid": 7,
        "hostname": "bot",
        "class": "baileys",
        **fields,
        "msg": msg,
    }
    return json.dumps(entry, separators=(",", ":"))


def errored(reason: str, at: datetime = BEGIN) -> str:
    return pino("connection errored", at, trace=f"Error: {reason}{STACK}")


def stream_error(version: int, at: datetime = BEGIN, code: str = "", tag: str = "", type_: str = "") -> str:
    child: list[Any] = [{"tag": tag, "attrs": {"type": type_} if type_ else {}}] if tag else []
    node = {"tag": "stream:error", "attrs": {"code": code} if code else {}, "content": child}
    fields = {"node": node} if version == 6 else {"reasonNode": (child or [None])[0], "fullErrorNode": node}
    return pino("stream errored out", at, 50, **fields)


def undecrypted(message: str, at: datetime = BEGIN) -> str:
    error = {"type": "SessionError", "message": message, "stack": f"SessionError: {message}{STACK}"}
    return pino(
        "failed to decrypt message",
        at,
        50,
        key={"remoteJid": f"{NUMBER}@s.whatsapp.net", "id": MESSAGE_ID},
        err=error,
    )


BOOM_AS_TEXT = """connection closed due to  Error: Connection Failure
    at WebSocketClient.<anonymous> (file:///app/node_modules/baileys/lib/Socket/socket.js:738:18)
    at WebSocketClient.emit (node:events:517:28) {{
  data: {{ reason: '{code}', location: 'rva' }},
  isBoom: true,
  isServer: false,
  output: {{
    statusCode: {code},
    payload: {{
      statusCode: {code},
      error: 'Unauthorized',
      message: 'Connection Failure'
    }},
    headers: {{}}
  }}
}} , reconnecting  true"""


def boom_as_json(code: int, at: datetime = BEGIN) -> str:
    message = "Connection Failure"
    payload = {"statusCode": code, "error": "Unauthorized", "message": message}
    error = {
        "type": "Error",
        "message": message,
        "stack": f"Error: {message}{STACK}",
        "data": {"reason": str(code)},
        "isBoom": True,
        "isServer": False,
        "output": {"statusCode": code, "payload": payload, "headers": {}},
    }
    return pino("connection closed", at, 40, err=error)


EXPECTED: dict[str, tuple[str, ...]] = {
    pino("connected to WA", browser=["Mac OS", "Chrome", "1"]): ("attempted",),
    pino("opened connection to WA"): ("opened",),
    pino("not logged in, attempting registration...", node={}): ("registering",),
    pino("pairing configured successfully, expect to restart the connection...", me={}): ("paired",),
    errored("Connection Terminated"): ("closed", "terminated"),
    errored("Connection Terminated by Server"): ("closed", "terminated"),
    errored("Connection was lost"): ("closed", "lost"),
    errored("Timed Out"): ("closed", "timed-out"),
    errored("QR refs attempts ended"): ("closed", "qr-ended"),
    errored("WebSocket Error (connect ECONNREFUSED 127.0.0.1:9)"): ("closed", "refused"),
    errored("WebSocket Error (getaddrinfo ENOTFOUND web.whatsapp.com)"): ("closed", "refused"),
    errored("WebSocket Error (Opening handshake has timed out)"): ("closed", "timed-out"),
    errored("WebSocket Error (Unexpected server response: 503)"): ("closed", "unavailable"),
    errored("Connection Failure"): ("closed", "failure"),
    errored("Intentional Logout"): ("closed", "logged-out"),
    errored("Stream Errored (conflict)"): ("closed",),
    errored("Multi-device beta not joined"): ("closed", "other"),
    stream_error(6, code="515"): ("restart-required",),
    stream_error(7, code="515"): ("restart-required",),
    stream_error(6, code="401", tag="conflict", type_="device_removed"): ("device-removed",),
    stream_error(7, code="401", tag="conflict", type_="device_removed"): ("device-removed",),
    stream_error(6, tag="conflict", type_="replaced"): ("replaced",),
    stream_error(7, tag="conflict", type_="replaced"): ("replaced",),
    stream_error(7, code="401"): ("unauthorized",),
    stream_error(7, code="503"): ("unavailable",),
    stream_error(6, code="500"): ("stream-error",),
    stream_error(7, tag="ack"): ("stream-error",),
    undecrypted("No session record"): ("no-session",),
    undecrypted("No matching sessions found for message"): ("no-matching-session",),
    undecrypted("Invalid PreKey ID"): ("no-pre-key",),
    undecrypted("No session found to decrypt message"): ("no-sender-key",),
    undecrypted("Received message with old counter: 1, 2"): ("old-counter",),
    undecrypted("Key used already or never filled"): ("used-key",),
    undecrypted("Bad MAC"): ("bad-mac",),
    undecrypted("anything else"): ("not-decrypted",),
    pino("sent retry receipt", msgAttrs={}, retryCount=1): ("retry-asked",),
    pino("Failed to upload pre-keys to server", level=50, count=5): ("pre-keys-not-uploaded",),
    "Failed to decrypt message with any known session...": ("libsignal-failed",),
    "Closing open session in favor of incoming prekey bundle": ("session-replaced",),
    boom_as_json(401): ("closed", "unauthorized"),
    boom_as_json(403): ("closed", "forbidden"),
    boom_as_json(405): ("closed", "outdated"),
    boom_as_json(503): ("closed", "unavailable"),
    BOOM_AS_TEXT.format(code=401): ("closed", "unauthorized"),
    BOOM_AS_TEXT.format(code=403): ("closed", "forbidden"),
    # What looks alike and tells nothing.
    DUMP: (),
    "Session error:Error: Bad MAC Error: Bad MAC": (),
    "Closing session: SessionEntry {": (),
    pino("request completed", res={"statusCode": 401}): (),
    pino("got a text", text='{"level":30,"msg":"opened connection to WA"}'): (),
    pino("user wrote: opened connection to WA"): (),
    pino("opened connection to WA, or so"): (),
    '"msg":"opened connection to WA"}': (),
    "he said: Closing open session in favor of incoming prekey bundle, " + "x" * 100: ("session-replaced",),
    pino("text", text="\nClosing open session in favor of incoming prekey bundle"): (),
    "plain words, {braces} and nothing more": (),
    "": (),
}
"""Each line (or block of lines) by itself, and the events that it counts as."""


def mixed(
    rng: random.Random, number: int, begin: datetime = BEGIN
) -> tuple[list[str], Counter[tuple[str, int]]]:
    """Return that many blocks in the order of time, and how often each event should be counted in which hour.

    Written apart from the reader: each block's events are known from its making.
    """
    blocks, counts = [], Counter[tuple[str, int]]()
    now, ended = begin, ""
    blocks.append(pino("hello", now))
    for _ in range(number):
        now += timedelta(seconds=rng.choice((0, 0.001, 1, 30, 900)))
        line, events = rng.choice(list(EXPECTED.items()))
        stamp = f"{BEGIN:%Y-%m-%dT%H:%M:%S}.000Z"
        if stamp in line:
            line = line.replace(stamp, f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z")
        else:
            blocks.append(pino("something", now))
        prefix = rng.choice(("", "", "2020-01-01T00:00:00: ", "0|bot  | "))
        blocks.append((prefix if line.startswith('{"level"') else "") + line)
        events, ended = told_once(events, ended, by_bot="isBoom" in line)
        counts.update((event, int(now.timestamp()) // 3600) for event in events)
    return blocks, counts


BEGINNINGS = {"attempted", "opened", "registering", "paired"}
ENDS = {reason.value for reason in CLOSE_REASONS}


def told_once(events: tuple[str, ...], ended: str, *, by_bot: bool) -> tuple[tuple[str, ...], str]:
    """Return what of a line's events counts, after `ended`, the end that Baileys' own lines told last.

    The error that a bot prints is of that end where it has the same cause, or the code of a refusal.
    """
    if by_bot:
        cause = events[-1]
        if cause == ended:
            return (), ""
        return (
            events[-1:]
            if ended == "failure" and cause in ("unauthorized", "forbidden", "outdated")
            else events
        ), ""
    for event in events:
        ended = "" if event in BEGINNINGS else event if event in ENDS else ended
    return events, ended


def as_bytes(blocks: Iterable[str]) -> bytes:
    return "".join(block + "\n" for block in blocks).encode()
