"""Every command that says how a company is says the same, and why: over random worlds of folder, process, API, log and
snapshots.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from baileys_tools import pasted
from baileys_tools.bots import asking
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.recovery.recovering import recover_command
from baileys_tools.watching.incidents import incidents_command
from baileys_tools.watching.inspect import inspect_command
from baileys_tools.watching.monitor import MonitorOptions, monitor_command
from baileys_tools.watching.report import report_command
from baileys_tools.watching.status import status_command
from tests import log_lines
from tests.support import company_folder, creds, write_key

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

KEYS = {"session-9.0.json": HOUR, "app-state-sync-key-AAAAAB12.json": DAY, "pre-key-30.json": DAY}
WHOLE = json.dumps(creds()).encode()

CREDS: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "torn": WHOLE[:40],
    "encoded": b"\xef\xbb\xbf" + WHOLE,
    "incomplete": json.dumps(creds(noiseKey=None)).encode(),
    "unpaired": json.dumps(
        {key: one for key, one in creds().items() if key not in ("me", "account")}
    ).encode(),
}
FOLDERS = (
    "whole",
    "whole",
    "whole",
    *CREDS,
    "linked",
    "linked elsewhere",
    "full",
    "memory",
    "young",
    "old",
    "twin",
)
SPOILT = ("", "", "", "empty key", "torn key", "odd key", "open to all", "counter")
APIS = ("none", "none", "connected", "disconnected", "connecting", "qr", "unknown")
PROCESSES = ("none", "none", "runs", "down")
LOGS: dict[str, Callable[[datetime], list[str]] | None] = {
    "none": None,
    "opened": lambda at: [log_lines.pino("opened connection to WA", at)],
    "silent": lambda at: [log_lines.pino("something", at)],
    "removed": lambda at: [
        log_lines.pino("opened connection to WA", at - HOUR),
        log_lines.stream_error(7, at, "401", "conflict", "device_removed"),
    ],
    "lost": lambda at: [
        log_lines.pino("opened connection to WA", at - HOUR),
        log_lines.errored("Connection was lost", at),
    ],
    "replaced": lambda at: [
        log_lines.pino("opened connection to WA", at - HOUR),
        log_lines.stream_error(7, at, "", "conflict", "replaced"),
        log_lines.stream_error(7, at, "", "conflict", "replaced"),
    ],
    "refused": lambda at: [
        log_lines.pino("opened connection to WA", at - HOUR),
        log_lines.pino("connection errored", at, trace="Error: Connection Failure"),
    ],
    "unread": lambda at: [],
}
REPOSITORIES = ("none", "not yet", "empty", "unreadable")


def chosen(seed: int) -> dict[str, Any]:
    """What a random world is made of."""
    rng = random.Random(seed)
    return {
        "folder": rng.choice(FOLDERS),
        "spoilt": rng.choice(SPOILT),
        "api": rng.choice(APIS),
        "process": rng.choice(PROCESSES),
        "log": rng.choice([*LOGS]),
        "repository": rng.choice(REPOSITORIES),
        "before": rng.random() < 0.3,
    }


@cache
def few() -> list[int]:
    """Ninety of two hundred worlds: each next one is that with most pairs of values that were not together before."""
    pairs = {seed: set(combinations(chosen(seed).items(), 2)) for seed in range(200)}
    found, seen = list[int](), set[object]()
    while len(found) < 90:
        found.append(max(pairs, key=lambda seed: len(pairs[seed] - seen)))
        seen |= pairs.pop(found[-1])
    return found


class World:
    """One random host with one company, or two."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place = place
        self.root = place / "sessions"
        self.chosen = chosen(seed)
        self.seen_before = bool(self.chosen["before"])
        self.now = datetime.now(UTC)
        self.folder = company_folder(self.root, "1001", KEYS)
        self.config = place / "config.yaml"
        self.config.write_text(json.dumps(self._settings()))

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "sessions": {"path": str(self.root)},
            "state": {"dir": str(self.place / "state")},
        }
        if self.chosen["api"] != "none":
            settings["bot_api"] = {"url": "http://127.0.0.1:9", "preset": "ai-admin"}
        if self.chosen["process"] != "none":
            pid = self.place / "pid"
            pid.write_text(str(os.getpid() if self.chosen["process"] == "runs" else 4_194_000))
            settings["process"] = {"pidfile": str(pid)}
        lines = LOGS[str(self.chosen["log"])]
        if lines is not None:
            log = self.place / "bot.log"
            if self.chosen["log"] != "unread":
                log.write_text("\n".join(lines(self.now - timedelta(minutes=20))) + "\n")
            settings["logs"] = {"files": [{"path": str(log), "company": "1001"}]}
        repository = self.place / "backups"
        if self.chosen["repository"] == "unreadable":
            repository.write_text("")
        elif self.chosen["repository"] == "empty":
            repository.mkdir(mode=0o700)
        if self.chosen["repository"] != "none":
            settings["backup"] = {"path": str(repository)}
        return settings

    def change(self) -> None:
        """What happens to the folder."""
        folder, file = str(self.chosen["folder"]), self.folder / "creds.json"
        if folder in CREDS:
            content = CREDS[folder]
            file.unlink() if content is None else file.write_bytes(content)
        elif folder.startswith("linked"):
            elsewhere = self.place / "elsewhere.json"
            file.rename(elsewhere)
            file.symlink_to("../../elsewhere.json")
            if folder == "linked elsewhere":
                os.link(elsewhere, self.place / "second name")
        elif folder == "full":
            for number in range(random.Random(0).choice((155, 172, 182, 190))):
                write_key(self.folder, f"session-{number}.0.json", DAY)
        elif folder == "memory":
            write_key(self.folder, "sender-key-memory-1@g.us.json", DAY)
        elif folder == "young":
            for entry in self.folder.iterdir():
                entry.rmdir() if entry.is_dir() else entry.unlink()
        elif folder == "twin":
            company_folder(self.root, "1002", KEYS, registrationId=117)
        if not self.seen_before:
            self.spoil()

    def spoil(self) -> None:
        """What happens to its files. None grows older than it was between two looks."""
        how = self.chosen["spoilt"]
        if how == "empty key":
            write_key(self.folder, "session-7.0.json", DAY, "")
        elif how == "torn key":
            write_key(self.folder, "session-7.0.json", DAY, '{"a":')
        elif how == "odd key":
            (self.folder / "session-800.0.json").mkdir()
        elif how == "open to all":
            write_key(self.folder, "session-7.0.json", DAY).chmod(0o666)
        elif how == "counter":
            write_key(self.folder, "pre-key-77.json", DAY)
        if self.chosen["folder"] == "old":
            for entry in self.folder.iterdir():
                os.utime(entry, (self.now.timestamp() - 20 * 86_400,) * 2)

    def connection(self, company: str) -> Connection:
        state = {"qr": ConnectionState.CONNECTING}.get(str(self.chosen["api"]))
        return Connection(
            state or ConnectionState(str(self.chosen["api"])),
            has_qr=self.chosen["api"] == "qr",
            detail="nobody answers" if self.chosen["api"] == "unknown" else "",
        )


def said(call: Callable[[], object]) -> str:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        call()
    return out.getvalue()


def verdicts(world: World) -> Iterator[tuple[str, str, str, list[dict[str, Any]]]]:
    """Yield what each command says of company 1001: its name, state, reason, findings."""
    flags: dict[str, object] = {}
    config = str(world.config)
    one = {"sessions.companies": ("1001",)}
    documents = {
        "inspect": lambda: inspect_command(CommandLine(one, config, as_json=True)),
        "status": lambda: status_command(CommandLine(flags, config, as_json=True)),
        "status --company": lambda: status_command(CommandLine(one, config, as_json=True)),
        "recover": lambda: recover_command(CommandLine(flags, config, as_json=True), dry_run=True, yes=False),
        "monitor-once": lambda: monitor_command(flags, config, MonitorOptions(as_json=True, notify=False)),
        "incidents": lambda: incidents_command(CommandLine(flags, config, as_json=True), None),
        "status again": lambda: status_command(CommandLine(flags, config, as_json=True)),
    }
    for name, call in documents.items():
        document = json.loads(said(call))
        companies = document.get("states", document.get("companies", [document]))
        for company in companies:
            if company["company"] == "1001":
                why = company["why"] or {"code": ""}
                yield name, company["state"], why["code"], company.get("findings", [])


def texts(world: World) -> dict[str, str]:
    flags: dict[str, object] = {}
    config = str(world.config)
    return {
        "status": said(lambda: status_command(CommandLine(flags, config))),
        "report": said(lambda: report_command(CommandLine(flags, config), html=None, since="7d")),
        "page": said(lambda: report_command(CommandLine(flags, config), html="-", since="7d")),
        "monitor-once": said(lambda: monitor_command(flags, config, MonitorOptions(notify=False))),
        "nagios": said(lambda: monitor_command(flags, config, MonitorOptions(nagios=True, notify=False))),
    }


def look_from_all_sides(place: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(place, seed)

    def connections(settings: Any, companies: Any, **_: Any) -> dict[str, Connection]:
        asked = world.chosen["api"] != "none"
        return {company: world.connection(company) for company in companies} if asked else {}

    monkeypatch.setattr(asking, "connections", connections)
    # The flags of these runs are nothing to the tests that come after.
    monkeypatch.setattr(pasted, "_here", {})
    monkeypatch.delenv("BAILEYS_TOOLS_STATE_DIR", raising=False)
    if world.seen_before:
        # What the stats of all files tell, `monitor-once` asks for about once an hour.
        world.spoil()
        said(lambda: monitor_command({}, str(world.config), MonitorOptions(notify=False)))
    world.change()
    heard = list(verdicts(world))
    named = {(state, code) for _, state, code, _ in heard}
    assert len(named) == 1, (seed, world.chosen, [(name, state, code) for name, state, code, _ in heard])
    ((state, code),) = named
    for name, _, _, findings in heard:
        worst = [
            one["code"] for one in findings if one["severity"] != "notice" and one.get("company", "1001")
        ]
        assert not (state == "healthy" and worst), (seed, name, worst)
    if seed % 2:
        return
    shown = texts(world)
    row = next(line.split() for line in shown["status"].splitlines() if line.startswith("1001"))
    assert row[1:3] == [state, code or "-"], (seed, row)
    assert f" {state}" in next(line for line in shown["report"].splitlines() if line.startswith("1001"))
    assert f'"state":"{state}"' in shown["page"].replace('": "', '":"'), seed
    line = next((one for one in shown["monitor-once"].splitlines() if one.startswith("company 1001:")), "")
    assert bool(line) == (state != "healthy"), (seed, shown["monitor-once"])
    told = "company 1001: " in shown["nagios"] and f"[{state}]" in shown["nagios"]
    assert told == (state != "healthy"), (seed, shown["nagios"])


@pytest.mark.parametrize("part", range(10))
def test_every_command_names_the_same_state_and_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    for seed in few()[part::10]:
        (tmp_path / str(seed)).mkdir()
        look_from_all_sides(tmp_path / str(seed), seed, monkeypatch)


@pytest.mark.faults
@pytest.mark.parametrize("part", range(20))
def test_every_command_names_the_same_state_and_reason_in_two_thousand_worlds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    for seed in range(10_000 + part * 100, 10_100 + part * 100):
        (tmp_path / str(seed)).mkdir()
        look_from_all_sides(tmp_path / str(seed), seed, monkeypatch)
