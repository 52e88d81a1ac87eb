"""Looks whenever a command has ended, and puts what is new on the board.

Every command leaves a record in the spool of the state; whoever sees one come need not ask the database, nor each
folder. Passes are those of cron: this process alerts nobody and remembers nothing for the next pass.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from baileys_tools.config import Settings
from baileys_tools.page.passes import last_pass, late
from baileys_tools.page.rules.board import Board
from baileys_tools.state.spool import FOLDER, waiting_runs

BEAT = 1.0
POLL_SECONDS = 0.2
LOOK_ANYWAY = 300.0
"""Ages and disks change without any command."""
LONGEST_LOOK = 120.0
SHORTEST_GAP = 1.0
REST = 2.0
"""Times the processor seconds of a look that pass before the next one: looking never takes more than a third of a core.
What it waits for others is not counted: on a busy machine a change would wait three times.
"""
LARGEST_HEADER = 1 << 26
MOST_COMPANY_LOOKS = 2
"""Looks at single companies at a time: each is a process."""
COMPANY_FRESH = 5.0
"""Seconds for which one look at a company serves all who ask."""


class Looked(NamedTuple):
    """What a look said: its header, the texts behind it, and how many seconds of processor it took."""

    header: dict[str, Any]
    texts: Sequence[bytes] = ()
    cost: float = 0.0


class Watcher:
    """The looks, and all that came of them. One event loop, no thread, and no lock that another command waits for."""

    def __init__(self, settings: Settings, flags: Mapping[str, object], config: str | None) -> None:
        self.settings = settings
        self.flags = dict(flags)
        self.config = config
        self.board = Board(os.urandom(6).hex())
        self.status = b""
        self.metrics = b""
        self.ids: dict[str, str] = {}
        """By key: the company's id."""
        self.by_page: dict[str, int] = {}
        """By number of an action: how the run of it ended that is on record."""
        self.looked: float | None = None
        """When the last look that saw something ended, by the clock that only goes forward."""
        self.passed: int | None = None
        self._moved = asyncio.Event()
        self._asked = asyncio.Event()
        self._few = asyncio.Semaphore(MOST_COMPANY_LOOKS)
        self._companies: dict[str, tuple[float, asyncio.Task[Looked]]] = {}

    # --- the board ------------------------------------------------------------------------------------------

    async def news(self, since: int, seconds: float) -> None:
        """Wait until the board has moved on from this version, but no longer than that."""
        if self.board.version != since:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    def moved(self) -> None:
        """Have whoever waits for news wake up."""
        self._moved.set()
        self._moved = asyncio.Event()

    def look_soon(self) -> None:
        """Something has changed of which no record tells: look at the next moment."""
        self._asked.set()

    def say(self, **meta: Any) -> None:
        """Say this of all from now on."""
        if self.board.say(**meta):
            self.moved()

    def trouble(self, now: datetime) -> str:
        """Why what is shown may be old or wrong, "" when it is as good as the last pass."""
        if said := self.board.meta.get("trouble"):
            return str(said)
        if self.looked is None:
            return "the first look is not over"
        if time.monotonic() - self.looked > LOOK_ANYWAY + LONGEST_LOOK + 60:
            return "the page itself has stopped looking"
        return late(self.settings.cron.monitor, self.passed, now.astimezone())

    # --- looking --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look, again and again, until cancelled."""
        seen: frozenset[str] = frozenset()
        next_time = 0.0
        while True:
            names = self._names()
            now = time.monotonic()
            is_old = self.looked is None or now - self.looked > LOOK_ANYWAY
            if names != seen:
                self._note_passes()
            if now >= next_time and (names != seen or is_old or self._asked.is_set()):
                self._asked.clear()
                cost = await self.look()
                after = self._names()
                # What has come meanwhile is for the next look; what has gone was taken in by this one.
                seen = after - (after - names)
                next_time = time.monotonic() + max(SHORTEST_GAP, REST * cost)
            self.say(late=self._late())
            await self._until_something(seen, next_time)

    async def _until_something(self, seen: frozenset[str], next_time: float) -> None:
        """Wait for a beat, but no longer than until there is something to look at that may be looked at."""
        end = time.monotonic() + BEAT
        while time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
            if time.monotonic() >= next_time and (self._asked.is_set() or self._names() != seen):
                return

    def _late(self) -> str:
        return late(self.settings.cron.monitor, self.passed, datetime.now(UTC).astimezone())

    def _names(self) -> frozenset[str]:
        try:
            names = os.listdir(os.path.join(self.settings.state.dir, FOLDER))
        except OSError:
            return frozenset()
        return frozenset(name for name in names if not name.startswith("."))

    def _note_passes(self) -> None:
        passed = last_pass(waiting_runs(self.settings.state.dir))
        if passed is not None and passed > (self.passed or 0):
            self.passed = passed
            self.say(passed=passed)

    async def look(self) -> float:
        """Look at the fleet once, and put what was seen on the board; return how many seconds of processor it took."""
        told = await self._ask({"flags": self.flags, "config": self.config}, self._show)
        if told.texts:
            self.status, self.metrics = told.texts
        return told.cost

    def _show(self, header: Mapping[str, Any]) -> None:
        if trouble := header.get("trouble"):
            self.say(trouble=trouble, hint=header.get("hint", ""))
            return
        self.looked = time.monotonic()
        self.ids = header["ids"]
        self.by_page = header["by_page"]
        self.passed = max(filter(None, (self.passed, header["passed"])), default=None)
        meta = {
            **self.board.meta,
            "trouble": "",
            "hint": "",
            "now": header["now"],
            "root": header["root"],
            "host": header["host"],
            "state_trouble": header["state_trouble"],
            "passed": self.passed,
            "late": self._late(),
        }
        # What was seen of single companies is older than this.
        self._companies.clear()
        if self.board.take(header["rows"], meta):
            self.moved()

    async def company(self, company: str) -> Looked:
        """Look at one company (its id). Whoever asks within five seconds gets the same look."""
        now = time.monotonic()
        for known, (at, task) in [*self._companies.items()]:
            if task.done() and now - at > COMPANY_FRESH:
                del self._companies[known]
        if company not in self._companies:
            task = asyncio.create_task(self._look_at(company))
            self._companies[company] = (now, task)
        # One who goes away must not end the look of the others.
        return await asyncio.shield(self._companies[company][1])

    def forget_company(self, company: str) -> None:
        """Something was done there: the next one who asks gets a new look."""
        self._companies.pop(company, None)

    async def _look_at(self, company: str) -> Looked:
        async with self._few:
            return await self._ask({"flags": self.flags, "config": self.config, "company": company})

    async def _ask(
        self, asked: Mapping[str, Any], show: Callable[[Mapping[str, Any]], None] = lambda header: None
    ) -> Looked:
        """Have a process look, show its header as soon as it is there, and return all that it said."""
        # -P: no module of the working folder, which may be anybody's, is loaded.
        words = [sys.executable, "-P", "-m", "baileys_tools.page.look"]
        pipe = asyncio.subprocess.PIPE
        try:
            child = await asyncio.create_subprocess_exec(
                *words, stdin=pipe, stdout=pipe, limit=LARGEST_HEADER
            )
        except OSError as error:
            return _failed(f"no process can be started: {error.strerror}", show)
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            async with asyncio.timeout(LONGEST_LOOK):
                child.stdin.write(json.dumps(asked).encode())
                child.stdin.close()
                header = json.loads(await child.stdout.readline())
                show(header)
                *texts, cost = (await child.stdout.read()).split(b"\0")
                await child.wait()
                return Looked(header, texts, float(cost))
        except TimeoutError:
            return _failed(f"a look took longer than {LONGEST_LOOK:.0f} s", show)
        except (ValueError, OSError):
            return _failed("a look ended early; standard error says why", show)
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()


def _failed(why: str, show: Callable[[Mapping[str, Any]], None]) -> Looked:
    header = {"trouble": why}
    show(header)
    return Looked(header)
