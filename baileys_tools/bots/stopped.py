"""What a run stops, it starts again, whatever comes; where it cannot, its last word and the incident say so.

From the moment before the process is told to stop until it has been started again no signal ends the run, which only
SIGKILL and a power cut can overrule. For those it is noted in the state: the next `monitor-once` and the next `recover`
find it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.ending import Hold, last_word
from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.state.stopped import Stopped, forget, note, noted
from baileys_tools.units import printable

if TYPE_CHECKING:
    from baileys_tools.bots.process import Process
    from baileys_tools.state.database import State


class Hands:
    """What one run has in hand of one company: a process that it stops or restarts."""

    def __init__(self, command: str, state: "State", company: str, clock: Callable[[], datetime]) -> None:
        self.process: Process | None = None
        """What was told to stop or to restart, and does not run again yet as far as we know."""
        self.is_stopped_by_us = False
        self.said = ""
        self._told_to_stop = False
        self._command = command
        self._state = state
        self._company = company
        self._clock = clock
        self._hold = Hold()

    def take(self, process: "Process", *, ran: bool | None, to_stop: bool = False) -> None:
        """Call this before the process is told to stop or to restart; `ran` is whether it runs now."""
        self._hold.why = f"{process} is started again first, and then this run ends"
        self._hold.take()
        if self.process is None:
            self.is_stopped_by_us = ran is not False
            self.process = process
        self._told_to_stop = to_stop
        if self.is_stopped_by_us:
            note(self._state, self._company, own_note(self._command, str(process), self._clock()))

    def hold(self) -> None:
        """From here on a signal waits for `drop` or `let_go`."""
        self._hold.take()

    def drop(self) -> None:
        """Meet the signal that came meanwhile, unless a process is in hand. Raises BrokenOff."""
        if self.process is None:
            self._hold.drop()

    def let_go(self) -> None:
        """Call this when the process runs again. Raises BrokenOff for a signal that came meanwhile."""
        self._runs_again()
        self._hold.drop()

    def see_to_the_rest(self, may_not_start: Callable[[], str]) -> tuple[str, str] | None:
        """Start what is in hand still, or say that it does not run; None for nothing in hand.

        Return what came of it, as an incident has it: `started-again` or `left-stopped`, and the detail.
        `may_not_start` returns why it must not be started, "" where nothing speaks against it. `let_go` afterwards.
        """
        if (process := self.process) is None:
            return None
        from baileys_tools.bots.process import ToolError, look_at, restart

        runs = look_at(process).running
        if runs and self._told_to_stop:
            said = f"{process} was told to stop, and runs on; if it ends yet, it stays stopped"
            return self._left(said, process)
        if runs or not self.is_stopped_by_us:
            self._runs_again()
            return None
        if not (why := may_not_start()):
            try:
                restart(process)
                self._runs_again()
                return "started-again", f"{process} was started again"
            except ToolError as error:
                why = str(error)
        state = f"{process} does not run" if runs is False else f"nobody can say whether {process} runs"
        told = "told it to stop" if self._told_to_stop else "restarted it"
        return self._left(f"{state}: this run {told}, and has not started it again: {why}", process)

    def _runs_again(self) -> None:
        if self.process is not None:
            self.said = f"{self.process} runs again"
            self.process = None
            forget(self._state, self._company)

    def _left(self, said: str, process: "Process") -> tuple[str, str]:
        self.process = None
        last_word(f"{printable(self._company)}: {said}{_start_it(process)}")
        return "left-stopped", said


def own_note(command: str, what: str, now: datetime, *, process: bool = True) -> Stopped:
    """Return a note that says what this process has stopped."""
    return Stopped(command, what, now, os.getpid(), _ticks(os.getpid()), process)


def _start_it(process: "Process") -> str:
    if printable(process.name) != process.name:
        return ""
    command = {"pm2": "pm2 start", "systemd": "systemctl start --"}[process.manager]
    return f"; to start it: {command} {quote(process.name)}"


# --- what runs that were killed have left -------------------------------------------------------------------


class LeftStopped(NamedTuple):
    """What a run that is no more had stopped, and in words when and how."""

    stopped: Stopped
    text: str


def left_stopped(state: "State") -> dict[str, LeftStopped]:
    """Return by company what runs have stopped that did not live to start it again."""
    return {
        company: LeftStopped(
            one, f"{one.command} stopped it at {one.at:%Y-%m-%d %H:%M} UTC, and has not started it again"
        )
        for company, one in noted(state).items()
        if _ticks(one.pid) != one.ticks
    }


def left_findings(
    state: "State", running: Mapping[str, bool | None], whole: Callable[[str], bool]
) -> Iterator[Finding]:
    """Yield what is stopped yet, and forget what runs again.

    `running` is by company whether its process runs, `whole` whether its folder holds a session (again).
    """
    for company, left in left_stopped(state).items():
        one = left.stopped
        if running.get(company) if one.process else whole(company):
            forget(state, company)
            continue
        yield Finding(
            "left-stopped",
            Severity.CRITICAL,
            company,
            f"the bot is stopped: {one.what}: {left.text}",
            f"{command('baileys-tools recover --company {} --yes', company)} starts it again"
            if one.process
            else f"{command('baileys-tools start-session --company {}', company)}, then qr, pairs the bot",
            {"command": one.command, "stopped": int(one.at.timestamp())},
        )


def _ticks(pid: int) -> int:
    """Return when a process began, in ticks since the host did; 0 when there is none of that id."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read(4096).rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
