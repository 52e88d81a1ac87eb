"""The same scenes of a bot's life in each form of log, what is read of them, and the table of docs/logs.md.

The loggers' own forms are in tests/log_forms, written by fixtures/generate/logs.mjs with the real pino, pino-pretty,
winston and bunyan; those of whoever ships or keeps their lines are made here. `python -m
tests.integration.bots.log_forms` writes the table again.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from baileys_tools.bots.bot_log.reading import LogMemory, read_log
from baileys_tools.bots.bot_logs import _facts
from baileys_tools.bots.rules.diagnosis import BotFacts, Cause, diagnose
from baileys_tools.bots.rules.log_events import DECRYPT_FAILURES, LogEvent
from baileys_tools.sessions.rules.creds import CredsState

FOLDER = Path(__file__).parents[2] / "log_forms"
DOCS = Path(__file__).parents[3] / "docs" / "logs.md"
BEGIN = datetime(2026, 1, 14, 12, tzinfo=UTC)
NOW = BEGIN + timedelta(minutes=1)

CAUSES = {
    "restart (515)": Cause.RESTARTING,
    "device removed (401)": Cause.LOGGED_OUT,
    "replaced (440)": Cause.TWO_PROCESSES,
    "unavailable (503)": Cause.NETWORK,
    "bad session (500)": Cause.NETWORK,
    "refused with 401": Cause.TEMPORARY_AUTH,
    "banned (403)": Cause.TEMPORARY_AUTH,
    "too old (405)": Cause.TEMPORARY_AUTH,
    "cut (428)": Cause.NETWORK,
    "lost (408)": Cause.NETWORK,
    "handshakes time out (408)": Cause.NETWORK,
    "not reached (408)": Cause.NETWORK,
    "Bad MAC flood": Cause.HEALTHY,
    "group without keys": Cause.HEALTHY,
    "members without the key": Cause.HEALTHY,
    "silence": Cause.HEALTHY,
}
"""What is wrong in each scene, as Baileys' own lines tell it: these do not have the code of a refused login."""

PRINTED_CAUSES = CAUSES | {
    "banned (403)": Cause.BANNED,
    "too old (405)": Cause.OUTDATED_CLIENT,
    # The bot prints ends, and no opening.
    "Bad MAC flood": Cause.UNKNOWN,
    "group without keys": Cause.UNKNOWN,
    "members without the key": Cause.UNKNOWN,
    "silence": Cause.UNKNOWN,
}
"""The same where the bot's logger is silent and it prints the error."""


def scenes_of(form: str) -> dict[str, list[str]]:
    """Return the lines of each scene in the form of a logger."""
    scenes: dict[str, list[str]] = {}
    for line in (FOLDER / f"{form}.log").read_text().splitlines():
        if line.startswith("=== "):
            scenes[line[4:]] = []
        else:
            scenes[next(reversed(scenes))].append(line)
    return scenes


def _time(number: int) -> datetime:
    return BEGIN + timedelta(milliseconds=500 * number)


def _iso(number: int) -> str:
    return f"{_time(number):%Y-%m-%dT%H:%M:%S}.{_time(number).microsecond // 1000:03}Z"


def _dumps(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))


def docker(number: int, line: str) -> str:
    return _dumps({"log": line + "\n", "stream": "stdout", "time": _iso(number)[:-1] + "123456Z"})


def journal(number: int, line: str) -> str:
    micros = str(int(_time(number).timestamp() * 1_000_000))
    # What holds a control character is a list of numbers.
    text = list(line.encode()) if "\x1b" in line else line
    return _dumps({"__REALTIME_TIMESTAMP": micros, "SYSLOG_IDENTIFIER": "node", "MESSAGE": text})


def _journal_short(number: int, line: str) -> str:
    return f"{_time(number).astimezone():%b %d %H:%M:%S} host node[41]: {line}"


def pm2_json(number: int, line: str) -> str:
    return _dumps(
        {"message": line + "\n", "timestamp": _iso(number), "type": "out", "process_id": 0, "app_name": "bot"}
    )


def _flattened(value: object, name: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        found: dict[str, object] = {}
        for key, one in value.items():
            found |= _flattened(one, f"{name}.{key}" if name else key)
        return found
    return {name: json.dumps(value) if isinstance(value, list) else value}


def _new_relic(number: int, line: str) -> str:
    if not line.startswith("{"):
        return _dumps([{"message": line, "container_name": "/bot", "timestamp": _iso(number)}])
    flat = _flattened(json.loads(line))
    return _dumps([dict(sorted((flat | {"message": flat.pop("msg")}).items()))])


def _sorted_keys(_: int, line: str) -> str:
    return json.dumps(json.loads(line), sort_keys=True) if line.startswith("{") else line


def _logfmt(_: int, line: str) -> str:
    if not line.startswith("{"):
        return line
    fields = json.loads(line)
    return " ".join(
        f"{key}={_dumps(value) if isinstance(value, dict | list) or (' ' in str(value) and key != 'msg') else value}"
        for key, value in fields.items()
    )


def _csv(number: int, line: str) -> str:
    quoted = line.replace('"', '""')
    return f'{int(_time(number).timestamp() * 1000)},"{quoted}"'


def cloud(number: int, line: str) -> str:
    if not line.startswith("{"):
        return _dumps({"textPayload": line, "timestamp": _iso(number)})
    return _dumps({"insertId": "a1", "jsonPayload": json.loads(line), "timestamp": _iso(number)})


def _plain(text: str) -> Callable[[int, str], str]:
    return lambda number, line: text.format(
        iso=_iso(number), second=f"{_time(number).astimezone():%Y-%m-%dT%H:%M:%S}", line="{line}"
    ).replace("{line}", line)


def _loki(number: int, line: str) -> str:
    nanos = str(int(_time(number).timestamp() * 1_000) * 1_000_000)
    return _dumps({"stream": {"app": "bot"}, "values": [[nanos, line]]})


def _datadog(number: int, line: str) -> str:
    content: dict[str, object] = {"timestamp": _iso(number), "message": line, "service": "bot"}
    if line.startswith("{"):
        fields = json.loads(line)
        content = {"timestamp": _iso(number), "message": fields.pop("msg"), "attributes": fields}
    return _dumps({"id": "AQ", "content": content})


def _columns(number: int, line: str) -> str:
    quoted = line.replace('"', '""')
    return f'"{_iso(number)}","host","bot","{quoted}"'


def _syslog(number: int, line: str) -> str:
    return f"<14>{_time(number).astimezone():%b %d %H:%M:%S} host bot[41]: {line}"


class Form(NamedTuple):
    """A form of log: the logger that wrote its lines, and what was put around each."""

    logger: str
    wrap: Callable[[int, str], str] = lambda number, line: line

    @property
    def is_printed(self) -> bool:
        return self.logger.startswith("printed")

    def scenes(self) -> dict[str, list[str]]:
        """Return the lines of each scene."""
        return {
            scene: [self.wrap(number, line) for number, line in enumerate(lines)]
            for scene, lines in scenes_of(self.logger).items()
        }


FORMS: Mapping[str, Form] = {
    "pino": Form("pino"),
    "pino, milliseconds": Form("pino-milliseconds"),
    "pino, other keys": Form("pino-other-keys"),
    "pino, keys sorted": Form("pino", _sorted_keys),
    "pino-pretty": Form("pino-pretty"),
    "pino-pretty, dated": Form("pino-pretty-dated"),
    "pino-pretty, coloured": Form("pino-pretty-coloured"),
    "pino-pretty, single line": Form("pino-pretty-single-line"),
    "WAHA": Form("pino-pretty-waha"),
    "winston, JSON": Form("winston-json"),
    "winston, simple and coloured": Form("winston-simple"),
    "winston, printf": Form("winston-printf"),
    "bunyan": Form("bunyan"),
    "logfmt": Form("pino", _logfmt),
    "Docker json-file": Form("pino", docker),
    "Docker json-file, pino-pretty": Form("pino-pretty-coloured", docker),
    "Docker compose": Form("pino", _plain("bot-1  | {line}")),
    "journalctl -o json": Form("pino", journal),
    "journalctl -o json, colours": Form("pino-pretty-coloured", journal),
    "journalctl": Form("pino-pretty", _journal_short),
    "Kubernetes (CRI)": Form("pino", _plain("{iso} stdout F {line}")),
    "Heroku": Form("pino-pretty-single-line", _plain("{iso} app[web.1]: {line}")),
    "PM2 with --time": Form("pino-pretty", _plain("{second}: {line}")),
    "PM2 JSON": Form("pino", pm2_json),
    "PM2 JSON, pino-pretty": Form("pino-pretty-dated", pm2_json),
    "New Relic": Form("pino", _new_relic),
    "CloudWatch CSV": Form("pino", _csv),
    "Google Cloud": Form("pino", cloud),
    "Loki": Form("pino", _loki),
    "Datadog": Form("pino", _datadog),
    "Datadog CSV": Form("pino", _columns),
    "syslog (RFC 3164)": Form("pino", _syslog),
    "syslog (RFC 5424)": Form("pino", _plain("<14>1 {iso} host bot 41 - - {line}")),
    "Fluentd": Form(
        "pino", lambda n, line: f"{_time(n):%Y-%m-%d %H:%M:%S.%f}000 +0000 bot: " + _dumps({"log": line})
    ),
    "GELF": Form(
        "pino",
        lambda n, line: _dumps({"version": "1.1", "short_message": line, "timestamp": _time(n).timestamp()}),
    ),
    "AWS CLI (logs tail)": Form("pino", _plain("{iso} ecs/bot/41 {line}")),
    "kubectl logs --prefix": Form("pino-pretty", _plain("[pod/bot-1/bot] {line}")),
    "with the line ends of Windows": Form("pino-pretty", _plain("{line}\r")),
    "Docker around journal around pino": Form("pino", lambda n, line: docker(n, journal(n, line))),
    "printed: util.inspect": Form("printed-inspect"),
    "printed: util.inspect, Docker json-file": Form("printed-inspect", docker),
    "printed: util.inspect, PM2 with --time": Form("printed-inspect", _plain("{second}: {line}")),
    "printed: util.inspect, coloured": Form("printed-coloured"),
    "printed: util.inspect of its output": Form("printed-output"),
    "printed: JSON.stringify of its payload": Form("printed-payload"),
    "printed: a sentence in Spanish": Form("printed-spanish"),
    "printed: Evolution": Form("printed-evolution"),
    "printed: JSON.stringify": Form("printed-stringify"),
    "printed: JSON.stringify, one line": Form("printed-stringify-line"),
    "printed: a status in a sentence": Form("printed-status"),
}


class Outcome(NamedTuple):
    """What was read of a scene: events without those of printing, and the cause."""

    events: Mapping[LogEvent, int]
    cause: Cause
    unread: int


def read_scene(lines: list[str], folder: Path, rng: random.Random | None = None) -> Outcome:
    """Write a log and read it: at once, or with `rng` in pieces cut anywhere, as a monitor does."""
    path = folder / "bot.log"
    content = "".join(line + "\n" for line in lines).encode()
    ends = [len(content)]
    if rng is not None:
        ends = (
            sorted({rng.randrange(1, len(content) + 1) for _ in range(6)} | {len(content)})
            if content
            else [0]
        )
    path.write_bytes(b"")
    memory = LogMemory()
    events: dict[LogEvent, int] = {}
    begin = 0
    for end in [*ends, ends[-1]]:
        with path.open("ab") as file:
            file.write(content[begin:end])
        begin = max(begin, end)
        done = read_log(str(path), memory, NOW)
        memory = LogMemory.from_json(done.memory.to_json())
        for (_, event), number in done.hours.items():
            events[event] = events.get(event, 0) + number
    facts = _facts([memory], recent=events, lately=events, quiet=None, read=True)
    cause = diagnose(BotFacts(creds=CredsState.VALID, was_linked=True, log=facts), NOW).cause
    return Outcome(events, cause, memory.understood.not_read)


def without_kinds(events: Mapping[LogEvent, int]) -> dict[LogEvent, int]:
    """Return counts with all unreadable messages as one."""
    found: dict[LogEvent, int] = {}
    for event, number in events.items():
        event = LogEvent.NOT_DECRYPTED if event in DECRYPT_FAILURES else event
        found[event] = found.get(event, 0) + number
    return found


def judged(form: Form, scene: str, found: Outcome, own: Outcome) -> str:
    """Return in a word how a scene was read, beside the outcome of Baileys' own form."""
    if form.is_printed:
        return "cause" if found.cause is PRINTED_CAUSES[scene] else "wrong"
    if found.cause is not own.cause:
        return "not read" if found.unread else "wrong"
    if found.events == own.events:
        return "all"
    return "all but why" if without_kinds(found.events) == without_kinds(own.events) else "wrong"


def outcomes(folder: Path, rng: random.Random | None = None) -> dict[str, dict[str, str]]:
    """Read every scene in every form; return how each was read."""
    own = {scene: read_scene(lines, folder) for scene, lines in FORMS["pino"].scenes().items()}
    return {
        name: {
            scene: judged(form, scene, read_scene(lines, folder, rng), own[scene])
            for scene, lines in form.scenes().items()
        }
        for name, form in FORMS.items()
    }


def table(found: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table of docs/logs.md."""
    rows = ["| form | scenes read whole | the rest |", "|---|---|---|"]
    for name, scenes in found.items():
        whole = sum(word in ("all", "cause") for word in scenes.values())
        rest = "; ".join(f"{scene}: {word}" for scene, word in scenes.items() if word not in ("all", "cause"))
        rows.append(f"| {name} | {whole} of {len(scenes)} | {rest} |")
    return "\n".join(rows) + "\n"


MARKED = re.compile(
    r"(?<=<!-- forms, made by tests/integration/bots/log_forms.py -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL
)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        made = table(outcomes(Path(place)))
    DOCS.write_text(MARKED.sub(lambda _: made, DOCS.read_text()))
    print(made)


if __name__ == "__main__":
    main()
