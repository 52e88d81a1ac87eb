"""What bots print of an end in their own words: templates of several languages, `error.output`, updates, shippers."""

from __future__ import annotations

import json
import os
from datetime import timedelta

from baileys_tools.bots.bot_log.reading import LogMemory, read_log
from tests.log_lines import BEGIN, pino, stream_error

NOW = BEGIN + timedelta(days=1)
STAMP = "2026-01-14T12:00:00.000Z"
REMOVED = stream_error(7, code="401", tag="conflict", type_="device_removed")
FIELDS = json.loads(REMOVED)
PAYLOAD = """connection closed
{
  statusCode: 440,
  payload: {
    statusCode: 440,
    error: 'Unknown',
    message: 'Stream Errored (conflict)'
  },
  headers: {}
}"""

SAID = {
    "Connection closed due to 440, reconnecting: true": "replaced",
    "connection closed due to Error: Connection Failure, statusCode 403": "forbidden",
    "WhatsApp disconnected! Reason code 515": "restart-required",
    "[440] Connection closed": "replaced",
    "Connection closed - 428": "terminated",
    "lastDisconnect.error.output.statusCode: 403": "forbidden",
    "DisconnectReason: 405": "outdated",
    "connection.update close 401 Stream Errored (conflict)": "device-removed",
    "Connection closed: Stream Errored (restart required)": "restart-required",
    "Connection closed: Connection was lost": "lost",
    "\u274c Conexi\u00f3n cerrada, raz\u00f3n: 440": "replaced",
    "Conex\u00e3o encerrada. Motivo: 515": "restart-required",
    "Koneksi terputus karena: 428": "terminated",
    "{ connection: 'close', lastDisconnect: [Object] }": "other",
    "{ connection: 'open' }": "opened",
    "{ statusCode: 403, error: 'Forbidden', message: 'Connection Failure' }": "forbidden",
    PAYLOAD: "replaced",
    json.dumps({"event": "connection.update", "data": {"state": "close", "statusReason": 403}}): "forbidden",
    json.dumps({"connection": "close", "qr": None}): "other",
    json.dumps({"labels": {"app": "bot"}, "line": REMOVED, "timestamp": STAMP}): "device-removed",
    json.dumps({"_index": "x", "_source": {"@timestamp": STAMP, "message": REMOVED}}): "device-removed",
    json.dumps({"TimeGenerated": STAMP, "LogEntry": REMOVED}): "device-removed",
    json.dumps({"preview": False, "result": {"_raw": REMOVED}}): "device-removed",
    json.dumps({"message": "stream errored out", "attributes": FIELDS, "timestamp": STAMP}): "device-removed",
    "[0] bot: [[1768392000.0, {}], " + json.dumps({"log": REMOVED}) + "]": "device-removed",
    "[Nest] 7  - 01/14/2026, 12:00:00 PM   ERROR [Baileys] connection errored": "closed",
}
SAYS_NOTHING = (
    "MySQL connection lost after 515 ms",
    "Redis connection closed, 500 keys flushed",
    "client disconnected 440 seconds ago",
    "the socket is connected to 10.0.0.1:440",
    '{"level":30,"msg":"user wrote","text":"connection closed due to 440"}',
    "Connection closed",
    "{ statusCode: 500, error: 'Internal Server Error', message: 'no such user' }",
)


def events_of(path, text: str) -> dict[str, int]:
    path.write_text(f"{pino('before')}\n{text}\n{pino('after')}\n")
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    return {event.value: number for (_, event), number in read_log(str(path), LogMemory(), NOW).hours.items()}


def test_an_end_is_read_in_whatever_words_it_was_printed(tmp_path):
    for text, event in SAID.items():
        found = events_of(tmp_path / "bot.log", text)
        assert found.pop(event, 0) == 1, (text, found)
        assert set(found) <= {"closed", "other"}, (text, found)


def test_what_speaks_of_other_connections_tells_nothing(tmp_path):
    for text in SAYS_NOTHING:
        assert events_of(tmp_path / "bot.log", text) == {}, text


def test_text_in_utf_16_is_told_of(tmp_path):
    path = tmp_path / "bot.log"
    path.write_bytes(f"\ufeff{REMOVED}\n".encode("utf-16-le"))
    understood = read_log(str(path), LogMemory(), NOW).memory.understood
    assert (understood.lines, understood.unread) == (0, {"UTF-16, as PowerShell writes it": 1})
