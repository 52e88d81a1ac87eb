"""A week in the life of two bots, minute by minute, and what their operator is told in it.

The folders, the passes of `monitor-once`, the runs of `trigger`, the state, the webhook and the bots' API are real;
the clock is passed in, and how much disk is free is told.

    python -m tests.integration.alert_week --write

writes the golden logs anew: read their diff line by line. The second is of the same week on a host whose state cannot
be written, where a job looks every ten minutes: every run tells what is so, and why it repeats.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from baileys_tools.cleanup.triggering import alerts, run_trigger
from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.surroundings import Space
from baileys_tools.state.database import State, open_state
from baileys_tools.watching import monitor_pass
from baileys_tools.watching.monitor import run_monitor
from tests.servers import Reply, Request, answering
from tests.support import company_folder, write_key

GOLDEN = Path(__file__).parent / "alert_week.txt"
BLIND = Path(__file__).parent / "alert_week_blind.txt"
START = datetime(2026, 1, 12, tzinfo=UTC)  # a Monday
MINUTES = 7 * 24 * 60
SHOP, DESK = "1001", "1002"


def at(day: int, hour: int, minute: int = 0) -> int:
    """The minute of the week at which a day (0 is Monday) has this time."""
    return (day * 24 + hour) * 60 + minute


class Week:
    """What happens in it. `free` is the room on the disk in bytes, `connected` what the bots' API says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.free = 40_000_000_000
        self.connected = True
        self.now = START
        self.pre_key = 60
        keys = {f"session-{4_917_000_000_000 + n}.0.json": timedelta(hours=1) for n in range(64)}
        for company in (SHOP, DESK):
            pre_keys = {f"pre-key-{n}.json": timedelta(hours=2) for n in range(1, 61)}
            folder = company_folder(
                root, company, keys | pre_keys, now=START, nextPreKeyId=10_001, firstUnuploadedPreKeyId=10_001
            )
            write_key(folder, "pre-key-10000.json", timedelta(hours=1), now=START)
            self.settle(company)
        self.whole = (self.folder(DESK) / "creds.json").read_text()

    def settle(self, company: str) -> None:
        """Give the folder the time of the simulated clock."""
        then = self.now.timestamp() - 1
        os.utime(self.folder(company), (then, then))

    def folder(self, company: str) -> Path:
        return self.root / f"company_{company}"

    def new_pre_key(self, company: str) -> None:
        """The bot makes one more pre-key."""
        self.pre_key += 1
        write_key(self.folder(company), f"pre-key-{self.pre_key}.json", now=self.now)
        self.settle(company)

    def file_comes_and_goes(self, company: str) -> None:
        """One file more, or one less than a minute ago."""
        path = self.folder(company) / "session-490000.0.json"
        if path.exists():
            path.unlink()
        else:
            write_key(self.folder(company), path.name, now=self.now)
        self.settle(company)

    def write_creds(self, company: str, content: str) -> None:
        write_key(self.folder(company), "creds.json", content=content, now=self.now)
        self.settle(company)

    def live(self, minute: int) -> None:
        """Let happen what happens in this minute."""
        # Tuesday: the shop's folder grows by a file every six minutes, until trigger cleans it.
        if at(1, 6) <= minute < at(1, 11) and minute % 6 == 0:
            self.new_pre_key(SHOP)
        # Wednesday and Thursday: a connection that comes back by itself, and one that takes 20 minutes.
        self.connected = not (at(2, 10) <= minute < at(2, 10, 2) or at(3, 14) <= minute < at(3, 14, 20))
        # Friday: the desk's creds.json is emptied, and restored 40 minutes later.
        if minute == at(4, 3):
            self.write_creds(DESK, "")
        if minute == at(4, 3, 40):
            self.write_creds(DESK, self.whole)
        # Saturday: the disk fills up in the course of an hour, and is tidied at half past eight.
        if at(5, 17) <= minute < at(5, 20, 30):
            self.free = max(0, 640_000_000 - (minute - at(5, 17)) * 10_000_000)
        else:
            self.free = 40_000_000_000
        # Sunday: a folder hovers about a limit for two hours.
        if at(6, 8) <= minute < at(6, 9, 55) and minute % 5 == 0:
            self.new_pre_key(DESK)
        if at(6, 12) <= minute < at(6, 14):
            self.file_comes_and_goes(DESK)


EVENTFUL = (
    (at(0, 0), at(0, 0, 30)),
    (at(1, 5), at(1, 11, 30)),
    (at(2, 9, 30), at(2, 10, 30)),
    (at(3, 13, 30), at(3, 15)),
    (at(4, 2, 30), at(4, 4)),
    (at(5, 16, 30), at(5, 21)),
    (at(6, 7, 30), at(6, 14, 30)),
)
"""From which minute to which something happens; between them the short form of a week looks once an hour."""


def _looks(minute: int, eventful: bool) -> bool:
    return not eventful or minute % 60 == 0 or any(begin <= minute < end for begin, end in EVENTFUL)


def alert_week(folder: Path, *, eventful: bool = False) -> str:
    """Live through the week in `folder`, or what is eventful of it, and return the log of what was told, one entry a
    message."""
    told: list[Request] = []

    def answer(asked: Request) -> Reply:
        if asked.method == "GET":
            return Reply({"connected": week.connected})
        told.append(asked)
        return Reply({})

    week = Week(folder / "sessions")
    log: list[str] = []
    with (
        answering(answer) as server,
        _disk_of(lambda: week.free),
        open_state(str(folder / "state"), START) as state,
    ):
        status = "{request: GET /status, connected: connected, disconnected: '!connected'}"
        plain = settings_at(folder, server.url)
        asking = settings_at(folder, server.url, f"bot_api:\n  url: {server.url}\n  status: {status}\n")
        for minute in range(MINUTES):
            week.now = now = START + timedelta(minutes=minute)
            week.live(minute)
            if not _looks(minute, eventful):
                continue
            # The API is asked on the two days on which it has something to say: a request costs more than a pass.
            run_monitor(asking if _is_asked(minute) else plain, state, now)
            if minute % 30 == 0:
                _trigger(plain, state, now)
            log += [_entry(now, asked) for asked in told]
            told.clear()
    return "\n".join(log)


def blind_week(folder: Path, *, eventful: bool = False) -> str:
    """As `alert_week`, where nothing can be remembered, seen by a job of every ten minutes. Messages that are alike
    but for numbers, one after another, are one entry.
    """
    told: list[Request] = []

    def answer(asked: Request) -> Reply:
        told.append(asked)
        return Reply({})

    week = Week(folder / "sessions")
    (folder / "state").write_text("a file is in the way")
    entries: list[tuple[datetime, Request, int]] = []
    with answering(answer) as server, _disk_of(lambda: week.free):
        settings = settings_at(folder, server.url)
        for minute in range(MINUTES):
            week.now = now = START + timedelta(minutes=minute)
            week.live(minute)
            if minute % 10 != 7 or not _looks(minute - 7, eventful):
                continue
            with open_state(settings.settings.state.dir, now) as state:
                run_monitor(settings, state, now)
            for asked in told:
                before = entries[-1] if entries else None
                if before is not None and _alike(before[1]) == _alike(asked):
                    entries[-1] = (before[0], before[1], before[2] + 1)
                else:
                    entries.append((now, asked, 1))
            told.clear()
    log = [_entry(since, asked) + f"\n[told by {times} runs]\n" for since, asked, times in entries]
    return "\n".join(log).replace(str(folder), "<place>")


def _alike(asked: Request) -> str:
    return re.sub(r"\d+", "#", asked.json["text"])


def _is_asked(minute: int) -> bool:
    return at(2, 9, 45) <= minute < at(2, 10, 30) or at(3, 13, 45) <= minute < at(3, 15)


def settings_at(folder: Path, url: str, text: str = "") -> LoadedSettings:
    """The settings of a week that is lived in `folder`, whose webhook is at `url`, with `text` as their file."""
    environ = {
        "BAILEYS_SESSIONS_PATH": str(folder / "sessions"),
        "BAILEYS_TOOLS_STATE_DIR": str(folder / "state"),
        "NOTIFICATION_WEBHOOK": f"{url}/hook",
        "BAILEYS_TOOLS_NOTIFY__HOST": "bot7",
        "HOME": str(folder),
    }
    if text:
        file = folder / "settings.yaml"
        file.write_text(text)
        environ["BAILEYS_TOOLS_CONFIG"] = str(file)
    return load_settings({}, environ, cwd=str(folder), home=str(folder), system_config="/nonexistent")


def _trigger(loaded: LoadedSettings, state: State, now: datetime) -> None:
    path = loaded.settings.sessions.path
    assert path is not None
    run_trigger(loaded.settings, path, state, now, tell=alerts(loaded.settings, state, now))


@contextmanager
def _disk_of(free: Callable[[], int]) -> Iterator[None]:
    """Tell the passes how much room there is: a disk of 50 GB, which no test machine has to have."""

    def space(root: Root) -> Space:
        return Space(50_000_000_000, free(), 3_000_000, 2_900_000)

    real = monitor_pass._space
    monitor_pass._space = space
    try:
        yield
    finally:
        monitor_pass._space = real


def _entry(now: datetime, asked: Request) -> str:
    head = f"--- {now:%a %H:%M} [{asked.json['level']}] "
    return head.ljust(60, "-") + "\n" + str(asked.json["text"]) + "\n"


if __name__ == "__main__":
    for golden, live in ((GOLDEN, alert_week), (BLIND, blind_week)):
        with tempfile.TemporaryDirectory() as scratch:
            written = live(Path(scratch))
        if "--write" in sys.argv:
            golden.write_text(written)
        print(written)
