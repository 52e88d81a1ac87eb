"""Logs of the journal, of Docker and of PM2: the real journalctl on a journal that is made here, the Engine's API as it
is documented, the real PM2.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from baileys_tools.bots import log_sources
from baileys_tools.bots.bot_log.reading import LogMemory
from baileys_tools.bots.log_sources import NoLog, read_source, sources_of
from baileys_tools.config import load_settings
from baileys_tools.config.log_kinds import LogFile
from baileys_tools.cures.log_evidence import evidence_in_logs
from tests.integration.bots.log_forms import FORMS
from tests.integration.faults.forked import run_cli
from tests.log_lines import BEGIN, BOOM_AS_TEXT, EXPECTED, errored, pino, stream_error
from tests.support import company_folder, missing, require_tool

NOW = BEGIN + timedelta(days=20)
REMOVED = stream_error(7, code="401", tag="conflict", type_="device_removed")


class Source:
    """A log that is no path, and a reader that goes on from where it was."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.memory: dict[str, LogMemory] = {}
        self.trouble = ""

    def read(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for source in sources_of(self.file, datetime.now(UTC)):
            # Through JSON, as the state keeps it.
            memory = LogMemory.from_json(self.memory.get(source.label, LogMemory()).to_json())
            done, self.trouble = read_source(source, memory, NOW)
            self.memory[source.label] = done.memory
            counts.update({event.value: 0 for _, event in done.hours})
            for (_, event), number in done.hours.items():
                counts[event.value] += number
        return dict(counts)


# --- the journal --------------------------------------------------------------------------------------------


class Journal:
    """A journal of the real systemd, made by `systemd-journal-remote` from entries in its export format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.count = 0

    def write(self, *lines: str, unit: str = "bot.service", at: datetime = BEGIN) -> None:
        entries = b""
        for line in lines:
            self.count += 1
            micros = int(at.timestamp() * 1_000_000) + self.count
            text = line.encode()
            entries += (
                f"__REALTIME_TIMESTAMP={micros}\n__MONOTONIC_TIMESTAMP={self.count}\n"
                f"_BOOT_ID={'ab' * 16}\n_SYSTEMD_UNIT={unit}\n"
            ).encode()
            # With a line break or a control character, a field has its length in front.
            entries += b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n\n"
        program = next(
            (
                place
                for place in (
                    "/usr/lib/systemd/systemd-journal-remote",
                    "/lib/systemd/systemd-journal-remote",
                )
                if Path(place).exists()
            ),
            None,
        )
        if program is None:
            missing("systemd-journal-remote")
        subprocess.run(
            [program, f"--output={self.folder}/bot.journal", "-"],
            input=entries,
            check=True,
            capture_output=True,
        )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    require_tool("journalctl")
    return Journal(tmp_path / "journal")


def of_unit(journal: Journal, name: str = "bot.service") -> Source:
    return Source(LogFile(name, "1001", "", "journal", str(journal.folder)))


def test_a_unit_is_read_on_from_its_cursor(journal: Journal) -> None:
    source = of_unit(journal)
    journal.write(pino("opened connection to WA"), errored("Timed Out"), pino("x" * 9_000))
    journal.write(REMOVED, unit="other.service")
    assert source.read() == {"opened": 1, "closed": 1, "timed-out": 1}
    assert source.read() == {}
    journal.write(
        REMOVED, errored("Stream Errored (conflict)"), "Failed to decrypt message with any known session..."
    )
    assert source.read() == {"device-removed": 1, "closed": 1, "libsignal-failed": 1}
    assert source.read() == {}


def test_every_line_of_baileys_counts_in_the_journal_as_in_a_file(journal: Journal) -> None:
    expected: Counter[str] = Counter()
    lines = [
        line for block, events in EXPECTED.items() if "isBoom" not in block for line in block.split("\n")
    ]
    for block, events in EXPECTED.items():
        expected.update(events if "isBoom" not in block else ())
    journal.write(*(line for line in lines if line))
    assert of_unit(journal).read() == expected


def test_colours_and_records_over_several_entries_are_read(journal: Journal) -> None:
    journal.write("\x1b[32mINFO\x1b[39m (7): \x1b[36mopened connection to WA\x1b[39m")
    journal.write(*BOOM_AS_TEXT.format(code=403).split("\n"))
    assert of_unit(journal).read() == {"opened": 1, "closed": 1, "forbidden": 1}


def test_a_journal_that_was_begun_anew_is_read_from_where_the_old_one_ended(journal: Journal) -> None:
    source = of_unit(journal)
    journal.write(pino("opened connection to WA"))
    source.read()
    shutil.rmtree(journal.folder)
    journal.folder.mkdir()
    journal.write(REMOVED, at=BEGIN + timedelta(hours=1))
    assert source.read() == {"device-removed": 1}
    assert source.read() == {}


def test_a_unit_without_a_line_and_a_program_that_is_not_there_are_told(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(pino("opened connection to WA"))
    with pytest.raises(NoLog, match='no entry of "shop'):
        of_unit(journal, "shop.service").read()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoLog, match="journalctl is not found"):
        of_unit(journal).read()


def test_a_journal_that_does_not_end_is_left_at_the_deadline_with_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {
        "__CURSOR": "s=1;i=1",
        "__REALTIME_TIMESTAMP": str(int(BEGIN.timestamp() * 1e6)),
        "MESSAGE": REMOVED,
    }
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(entry)}'\nsleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(log_sources, "READ_SECONDS", 0.5)
    source = Source(LogFile("bot.service", "1001", "", "journal"))
    began = time.monotonic()
    assert source.read() == {"device-removed": 1}
    assert "did not come to its end within 0.5 s" in source.trouble
    assert time.monotonic() - began < 10
    assert next(iter(source.memory.values())).cursor == "s=1;i=1"


# --- Docker -------------------------------------------------------------------------------------------------


class Engine:
    """A stand-in for the Docker Engine: its API as documented (v1.49), on a unix socket, with one container `shop`."""

    def __init__(self, place: Path) -> None:
        self.socket = place / "docker.sock"
        self.log = place / "containers" / "ab12" / "ab12-json.log"
        self.log.parent.mkdir(parents=True)
        self.lines: list[tuple[str, str]] = []
        self.shows_file, self.has_terminal, self.body = True, False, b""
        self.asked: list[str] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                engine.answer(self)

            def address_string(self) -> str:
                return ""

            def log_message(self, *_: object) -> None:
                pass

        class Server(HTTPServer):
            address_family = socket.AF_UNIX

            def server_bind(self) -> None:
                self.socket.bind(self.server_address)
                self.server_name, self.server_port = "docker", 0

        self.server = Server(str(self.socket), Handler)  # type: ignore[arg-type]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def write(self, *lines: str, at: datetime = BEGIN, number: int = 0) -> None:
        for offset, line in enumerate(lines, number):
            stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{len(self.lines) + offset:09}Z"
            self.lines.append((stamp, line))
            with self.log.open("a") as file:
                file.write(json.dumps({"log": line + "\n", "stream": "stdout", "time": stamp}) + "\n")

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        url = urlsplit(request.path)
        if not url.path.startswith("/containers/shop/"):
            return self._send(request, 404, b'{"message":"No such container"}')
        if url.path.endswith("/json"):
            log = str(self.log) if self.shows_file else ""
            document = {"Id": "ab12", "LogPath": log, "Config": {"Tty": self.has_terminal}}
            return self._send(request, 200, self.body or json.dumps(document).encode())
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        since, _, nanos = query.get("since", "0").partition(".")
        bound = f"{datetime.fromtimestamp(int(since), UTC):%Y-%m-%dT%H:%M:%S}.{nanos or '0':0<9}Z"
        content = b""
        for stamp, line in self.lines:
            if stamp >= bound:
                piece = f"{stamp} {line}\n".encode()
                head = b"" if self.has_terminal else bytes([1, 0, 0, 0]) + len(piece).to_bytes(4, "big")
                content += head + piece
        return self._send(request, 200, content)

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    found = Engine(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{found.socket}")
    yield found
    found.server.shutdown()
    found.server.server_close()


def of_container(name: str = "shop") -> Source:
    return Source(LogFile(name, "1001", "", "docker"))


@pytest.mark.parametrize("how", ["file", "stream", "terminal"])
def test_a_container_is_read_on_from_where_the_last_run_stopped(engine: Engine, how: str) -> None:
    engine.shows_file, engine.has_terminal = how == "file", how == "terminal"
    source = of_container()
    engine.write(
        pino("opened connection to WA"), errored("Timed Out"), *BOOM_AS_TEXT.format(code=403).split("\n")
    )
    assert source.read() == {"opened": 1, "closed": 2, "timed-out": 1, "forbidden": 1}
    assert source.read() == {}
    engine.write(REMOVED, at=BEGIN + timedelta(minutes=1))
    assert source.read() == {"device-removed": 1}
    assert source.read() == {}


def test_dockers_own_rotation_loses_no_line(engine: Engine) -> None:
    source = of_container()
    engine.write(pino("opened connection to WA"))
    source.read()
    engine.write(errored("Timed Out"))
    engine.log.rename(f"{engine.log}.1")
    engine.write(REMOVED)
    assert source.read() == {"closed": 1, "timed-out": 1, "device-removed": 1}
    assert source.read() == {}


def test_a_container_that_was_made_anew_is_read_from_its_beginning(engine: Engine) -> None:
    source = of_container()
    engine.write(pino("opened connection to WA"))
    source.read()
    shutil.rmtree(engine.log.parent)
    engine.log = engine.log.parents[1] / "cd34" / "cd34-json.log"
    engine.log.parent.mkdir()
    engine.write(REMOVED)
    assert source.read() == {"device-removed": 1}


def test_what_docker_does_not_have_or_does_not_say_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(NoLog, match='Docker has no container "shoop"'):
        of_container("shoop").read()
    engine.shows_file = False
    with pytest.raises(NoLog, match="has printed nothing"):
        of_container().read()
    engine.body = b"[" * 100_000
    with pytest.raises(NoLog, match="no JSON object"):
        of_container().read()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(NoLog, match="does not answer at"):
        of_container().read()


def test_without_a_socket_the_client_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "ab12-json.log"
    log.write_text(
        json.dumps({"log": REMOVED + "\n", "stream": "stdout", "time": "2026-01-14T12:00:00Z"}) + "\n"
    )
    client = tmp_path / "docker"
    client.write_text(
        f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\necho '[{json.dumps({'LogPath': str(log)})}]'\n"
    )
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert of_container().read() == {"device-removed": 1}
    assert (tmp_path / "asked").read_text() == "inspect --type=container shop\n"


# --- PM2 ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_the_logs_of_the_real_pm2_are_found_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pm2 = require_tool("pm2")
    monkeypatch.setenv("PM2_HOME", str(tmp_path / "pm2"))
    bot = tmp_path / "bot.js"
    bot.write_text(
        f"console.log({json.dumps(pino('opened connection to WA'))})\n"
        "console.error('Failed to decrypt message with any known session...')\n"
        f"console.error({json.dumps(REMOVED)})\nsetInterval(() => {{}}, 1000)\n"
    )
    with pytest.raises(NoLog, match="pm2 does not run for this user"):
        sources_of(LogFile("shop", "1001", "", "pm2"), datetime.now(UTC))
    try:
        for arguments in (
            ["start", str(bot), "--name", "shop", "--time"],
            ["start", str(bot), "--name", "json", "--log-type", "json"],
        ):
            subprocess.run([pm2, *arguments], check=True, capture_output=True, timeout=60)
        for name in ("shop", "json"):
            source = Source(LogFile(name, "1001", "", "pm2"))
            found: Counter[str] = Counter()
            for _ in range(100):
                found.update(source.read())
                if found["device-removed"] and found["opened"]:
                    break
                time.sleep(0.1)
            assert (found["opened"], found["device-removed"]) == (1, 1), name
            assert len(source.memory) == 2
        with pytest.raises(NoLog, match='knows no process "shoop"'):
            sources_of(LogFile("shoop", "1001", "", "pm2"), datetime.now(UTC))
    finally:
        subprocess.run([pm2, "kill"], capture_output=True, timeout=60)


# --- the commands -------------------------------------------------------------------------------------------


def test_the_commands_say_what_they_read_and_what_they_cannot(engine: Engine, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("logs: [{docker: shop, company: 1001}, {docker: 'gone-{company}'}]")
    env = {"DOCKER_HOST": f"unix://{engine.socket}"}
    engine.write(pino("opened connection to WA", datetime.now(UTC)))
    run = run_cli("logs", "--company", "1001", "--config", settings, env=env)
    assert "docker:shop: " in run.stdout
    assert "1  opened" in run.stdout or "connection opened" in run.stdout
    assert "the log docker:gone-1001 cannot be read" in " ".join(run.stdout.split())
    assert "Errno" not in run.stdout
    assert run.returncode == 4
    company_folder(tmp_path / "sessions", "1001", {})
    doctor = run_cli("doctor", "--config", settings, "--sessions", tmp_path / "sessions", env=env)
    assert 'Docker has no container "gone-1001"' in " ".join(doctor.stdout.split())


# --- whom they name -----------------------------------------------------------------------------------------


def unreadable(**log: str) -> tuple[dict[str, int], list[str]]:
    settings = load_settings({"logs.files": [{"company": "1001", **log}]}, {}, home="/x", cwd="/x").settings
    found, troubles = evidence_in_logs(settings, "1001", NOW)
    assert all(one.last is not None and one.last - BEGIN.timestamp() < 60 for one in found.values())
    return {device.user: one.messages for device, one in found.items()}, troubles


@pytest.mark.parametrize("form", ["pino", "pino-pretty"])
def test_who_cannot_be_read_is_found_in_a_journal(journal: Journal, form: str) -> None:
    lines = FORMS[form].scenes()["Bad MAC flood"]
    journal.write(*lines * 30)
    journal.write(*FORMS["pino"].scenes()["group without keys"], unit="other.service")
    of_unit = {"journal": "bot.service", "directory": str(journal.folder)}
    assert unreadable(**of_unit) == ({f"1000000{n}": 30 for n in range(6)}, [])
    _, (trouble,) = unreadable(**of_unit | {"journal": "shop.service"})
    assert "has no entry of" in trouble


@pytest.mark.parametrize("has_terminal", [False, True])
def test_who_cannot_be_read_is_found_in_a_container_that_keeps_no_file(
    engine: Engine, has_terminal: bool
) -> None:
    engine.shows_file, engine.has_terminal = False, has_terminal
    engine.write(*FORMS["pino-pretty"].scenes()["Bad MAC flood"])
    assert unreadable(docker="shop") == ({f"1000000{n}": 1 for n in range(6)}, [])
    _, (trouble,) = unreadable(docker="gone")
    assert 'no container "gone"' in trouble
