"""Two weeks as their bots' logs tell them, and what the operator is told: WAHA's one log for three sessions, and a bot
that WhatsApp removes and somebody pairs anew.

As in `alert_week`, folders, passes, state and webhook are real and the clock is passed in; a pass is made every
quarter of an hour. What `status` and `incidents` say at some hours stands between the alerts. A reminder is not written
out again: how many there were, and until when, stands behind the first message.

    python -m tests.integration.log_weeks --write

writes the golden logs anew: read their diff line by line.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from baileys_tools.config import LoadedSettings
from baileys_tools.frame.show.terminal import Style
from baileys_tools.state.database import State, open_state
from baileys_tools.watching.incidents import _verdicts, list_incidents
from baileys_tools.watching.monitor import run_monitor
from baileys_tools.watching.show.incidents_text import incidents_text
from baileys_tools.watching.show.status_text import status_text
from baileys_tools.watching.status import fleet_status
from tests.integration.alert_week import MINUTES, START, _disk_of, _entry, at, settings_at
from tests.log_lines import STACK
from tests.servers import Reply, Request, answering
from tests.support import company_folder, creds, write_key

WAHA = Path(__file__).parent / "alert_week_waha.txt"
ANEW = Path(__file__).parent / "alert_week_anew.txt"
EVERY, SELDOM = 15, 120
REMOVED, OUT, WELL = "shop", "desk", "farm"
"""The three sessions of WAHA: logged out on Thursday, without a network for hours on Wednesday, and well."""

REMOVAL: dict[str, Any] = {
    "reasonNode": {"tag": "conflict", "attrs": {"type": "device_removed"}},
    "fullErrorNode": {
        "tag": "stream:error",
        "attrs": {"code": "401"},
        "content": [{"tag": "conflict", "attrs": {"type": "device_removed"}}],
    },
}
Line = Callable[[float, str, str, int, str, dict[str, Any]], str]
"""Writes a line: seconds since 1970, session, who of WAHA's says it, pino's level, text, fields."""


def waha_json(seconds: float, session: str, name: str, level: int, msg: str, fields: dict[str, Any]) -> str:
    """A line of WAHA with WAHA_LOG_FORMAT=JSON."""
    record = {"level": level, "time": int(seconds * 1000), "pid": 7, "hostname": "waha", "session": session}
    return json.dumps(record | {"name": name} | fields | {"msg": msg}, separators=(",", ":"))


def waha_pretty(seconds: float, session: str, name: str, level: int, msg: str, fields: dict[str, Any]) -> str:
    """A line of WAHA as it comes: pino-pretty on one line, in colours, with a time of day alone."""
    of_day = seconds % 86_400
    stamp = f"{int(of_day // 3600):02}:{int(of_day // 60 % 60):02}:{of_day % 60:06.3f}"
    label, colour = {30: ("INFO", 32), 50: ("ERROR", 31)}[level]
    behind = json.dumps({"session": session} | fields, separators=(",", ":"))
    return (
        f"[{stamp}] \x1b[{colour}m{label}\x1b[39m ({name}/7): "
        f"\x1b[36msession:{session} - {msg}\x1b[39m \x1b[90m{behind}\x1b[39m"
    )


class Bots:
    """The bots, what they write, and the clock."""

    def __init__(self, place: Path, names: Collection[str], log: str, line: Line) -> None:
        self.root, self.log, self.line = place / "sessions", place / log, line
        self.now = START
        self.keys = 0
        self._lines: list[str] = []
        for name in names:
            keys = {f"session-{4_917_000_000_000 + n}.0.json": timedelta(hours=1) for n in range(20)}
            keys |= {f"pre-key-{n}.json": timedelta(hours=2) for n in range(1, 31)}
            company_folder(self.root, name, keys, now=START)
            self.connects(name)
        self.flush()

    def folder(self, name: str) -> Path:
        return self.root / f"company_{name}"

    def says(self, name: str, msg: str, level: int = 30, who: str = "NOWEBEngine", **fields: Any) -> None:
        seconds = self.now.timestamp() + len(self._lines) / 1000
        self._lines.append(self.line(seconds, name, who, level, msg, fields))

    def flush(self) -> None:
        """Write what was said in this minute."""
        if not self._lines:
            return
        with self.log.open("a") as file:
            file.write("".join(f"{line}\n" for line in self._lines))
        os.utime(self.log, (self.now.timestamp() + 1,) * 2)
        self._lines.clear()

    def connects(self, name: str) -> None:
        self.says(name, "connected to WA", browser=["Ubuntu", "Chrome", "22.04.4"])
        self.says(name, "logging in...", node={"passive": True})
        self.says(name, "812 pre-keys found on server")
        self.says(name, "opened connection to WA")

    def ends(self, name: str, error: str, *, comes_back: bool = True) -> None:
        self.says(name, "connection errored", trace=f"Error: {error}{STACK}")
        after = "reconnecting..." if comes_back else "do not reconnect the session."
        self.says(
            name,
            f"Connection closed due to 'Error: {error}', {after}",
            30 if comes_back else 50,
            "WhatsappSession",
        )

    def is_removed(self, name: str) -> None:
        self.says(name, "stream errored out", 50, **REMOVAL)
        self.ends(name, "Stream Errored (conflict)", comes_back=False)

    def gets_a_message(self, name: str) -> None:
        """A contact writes: his session moves on."""
        folder = self.folder(name)
        write_key(folder, "session-4917000000000.0.json", now=self.now)
        self._settle(folder)

    def is_paired(self, name: str, **login: Any) -> None:
        """Somebody scanned the QR code: another login in the same folder, and a restart as WhatsApp wants it."""
        folder = self.folder(name)
        write_key(folder, "creds.json", content=json.dumps(creds(**login)), now=self.now)
        for number in range(1, 31):
            write_key(folder, f"pre-key-{number}.json", now=self.now)
        self._settle(folder)
        self.says(name, "connected to WA", browser=["Ubuntu", "Chrome", "22.04.4"])
        self.says(name, "not logged in, attempting registration...", node={"passive": False})
        self.says(name, "pairing configured successfully, expect to restart the connection...", me={})
        restart = {"tag": "stream:error", "attrs": {"code": "515"}}
        self.says(name, "stream errored out", 50, reasonNode=None, fullErrorNode=restart)
        self.ends(name, "Stream Errored (restart required)")
        self.connects(name)

    def _settle(self, folder: Path) -> None:
        then = self.now.timestamp() - 1
        os.utime(folder, (then, then))


def live_with_waha(bots: Bots, minute: int) -> None:
    """What happens in a minute of WAHA's week."""
    is_removed = minute >= at(3, 9, 4)
    is_out = at(2, 13) <= minute < at(2, 18)
    alive = [
        one
        for one in (REMOVED, OUT, WELL)
        if not ((one == REMOVED and is_removed) or (one == OUT and is_out))
    ]
    if minute % 30 == 3:
        # WAHA ends each connection every half hour of its own accord (AUTO_RESTART_AFTER_SECONDS).
        for name in alive:
            bots.says(name, "Auto-restarting the client connection...", who="WhatsappSession")
            bots.ends(name, "auto-restart")
            bots.connects(name)
    if minute % 60 == 17:
        for name in alive:
            bots.gets_a_message(name)
    if minute == at(2, 13):
        bots.ends(OUT, "Connection was lost")
    elif is_out:
        # The proxy of this session's is down.
        bots.ends(OUT, "WebSocket Error (connect ECONNREFUSED 10.0.0.9:3128)")
    elif minute == at(2, 18):
        bots.connects(OUT)
    if minute == at(3, 9, 4):
        bots.is_removed(REMOVED)


def live_anew(bots: Bots, minute: int) -> None:
    """What happens in a minute of the week of a bot that is removed on Tuesday and paired anew on Friday."""
    name = REMOVED
    is_dead = at(1, 10, 4) <= minute < at(4, 9, 4)
    if minute % (6 * 60) == 3 and not is_dead:
        bots.ends(name, "Connection was lost")
        bots.connects(name)
    if minute % 60 == 17 and not is_dead:
        bots.gets_a_message(name)
    if minute == at(1, 10, 4):
        bots.is_removed(name)
    if minute == at(4, 9, 4):
        bots.is_paired(
            name, registrationId=4_711, me={"id": "919585510685:18@s.whatsapp.net", "name": "Shop"}
        )


class Told(NamedTuple):
    """A message, and how often and until when it was told again."""

    since: datetime
    request: Request
    times: int
    until: datetime

    def is_again(self, request: Request) -> bool:
        """Whether a message is this one but for what time changes."""
        return _timeless(self.request) == _timeless(request)

    def __str__(self) -> str:
        again = f"[{self.times} reminders, the last {self.until:%a %H:%M}]\n"
        return _entry(self.since, self.request) + (again if self.times else "")


def _timeless(request: Request) -> str:
    return re.sub(r"\(for [^)]*\) |\d+(?:\.\d+)? ?(?:s|m|min|h|d)\b|\d+", "", request.json["text"])


def _note(seen: list[Told | str], now: datetime, request: Request) -> None:
    """Add a message; one that was told since somebody last looked is told again."""
    for number in range(len(seen) - 1, -1, -1):
        before = seen[number]
        if isinstance(before, str):
            break
        if before.is_again(request):
            seen[number] = before._replace(times=before.times + 1, until=now)
            return
    seen.append(Told(now, request, 0, now))


class LogWeek(NamedTuple):
    """A week: who lives in it, what happens, its log in the settings, when somebody looks, and from which minute to
    which something happens: elsewhere the short form of a week makes a pass once in two hours."""

    names: tuple[str, ...]
    log: str
    live: Callable[[Bots, int], None]
    setting: str
    looks: tuple[int, ...]
    eventful: tuple[tuple[int, int], ...]

    def told(self, place: Path, line: Line, *, eventful: bool = False) -> str:
        """Live through the week in `place`, or what is eventful of it, and return the log of what was told, and seen by
        those who looked."""
        asked: list[Request] = []

        def answer(request: Request) -> Reply:
            asked.append(request)
            return Reply({})

        bots = Bots(place, self.names, self.log, line)
        seen: list[Told | str] = []
        with (
            answering(answer) as server,
            _disk_of(lambda: 40_000_000_000),
            open_state(str(place / "state"), START) as state,
        ):
            log = f"{{path: {bots.log}, {self.setting}}}"
            # 48 of its reconnects a day are WAHA's own.
            settings = settings_at(place, server.url, f"logs: {{files: [{log}], reconnects_per_day: 60}}\n")
            for minute in range(MINUTES):
                bots.now = START + timedelta(minutes=minute)
                self.live(bots, minute)
                bots.flush()
                if minute % EVERY == 7 and (not eventful or self._is_eventful(minute)):
                    run_monitor(settings, state, bots.now)
                    for request in asked:
                        _note(seen, bots.now, request)
                    asked.clear()
                if minute in self.looks:
                    seen.append(_looked(settings, state, bots))
        return "\n".join(map(str, seen)).replace(str(place), "<place>")

    def _is_eventful(self, minute: int) -> bool:
        return minute % SELDOM < EVERY or any(begin <= minute < end for begin, end in self.eventful)


WAHA_WEEK = LogWeek(
    (REMOVED, OUT, WELL),
    "waha.log",
    live_with_waha,
    "session: session",
    (at(2, 15), at(3, 12), at(6, 23, 55)),
    ((0, at(0, 2)), (at(2, 12), at(2, 20)), (at(3, 8), at(3, 13))),
)
WEEK_ANEW = LogWeek(
    (REMOVED,),
    "bot.log",
    live_anew,
    f"company: {REMOVED}",
    (at(2, 12), at(4, 12), at(6, 23, 55)),
    ((0, at(0, 2)), (at(1, 9), at(1, 12)), (at(2, 11), at(2, 13)), (at(4, 8), at(4, 13))),
)


def _looked(settings: LoadedSettings, state: State, bots: Bots) -> str:
    """What `status` and `incidents` print now."""
    found = fleet_status(settings.settings, str(bots.root), state, bots.now)
    report = list_incidents(state, (), bots.now, settings.settings)
    verdicts = _verdicts(settings.settings, report, state, bots.now)
    lists = incidents_text(report.now, report.incidents, report.services, Style(), verdicts)
    head = f"=== {bots.now:%a %H:%M} somebody looks ".ljust(60, "=")
    text = f"{head}\n{status_text(found, Style(), 110)}\n\n{lists}\n"
    return "\n".join(line.rstrip() for line in text.split("\n"))


if __name__ == "__main__":
    for golden, week in ((WAHA, WAHA_WEEK), (ANEW, WEEK_ANEW)):
        with tempfile.TemporaryDirectory() as scratch:
            written = week.told(Path(scratch), waha_json)
        if "--write" in sys.argv:
            golden.write_text(written)
        print(written)
