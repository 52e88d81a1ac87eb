"""`cron run`: the jobs of `cron install` in the foreground, for containers, where cron would need root and a log.

One process that starts each minute what is due, with its own standard streams: `docker logs` shows what the jobs
have to say. A job that still runs is not started a second time. SIGTERM ends the jobs in good order, then this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import FrameType

from baileys_tools.config import load_settings, require_sessions_path
from baileys_tools.config.host import JOB_VARIABLE
from baileys_tools.ending import SIGNALS
from baileys_tools.errors import ExitCode
from baileys_tools.frame.places import settings_in_force
from baileys_tools.host.cron_setup import ALIVE, carried_settings, entries_for, note_installation
from baileys_tools.host.rules.cron import CronEntry, due_at
from baileys_tools.place import in_place_of, make_private_folder
from baileys_tools.units import printable

PATIENCE = 25.0
"""Seconds that jobs have to end after SIGTERM; container engines kill after 30, or 10."""


def run_command(flags: Mapping[str, object], config: str | None) -> ExitCode:
    """Given the command line, run the jobs until a signal says to stop."""
    loaded = settings_in_force(flags, config)
    require_sessions_path(loaded)
    entries = entries_for(loaded)
    # The jobs have the environment of this process, secrets and all; only what a flag says is carried along.
    variables = {JOB_VARIABLE: "1"} | carried_settings(
        loaded, load_settings({}, os.environ, config=loaded.config_file)
    )
    print(f"{len(entries)} jobs:", file=sys.stderr)
    for entry in entries:
        print(f"  {entry.time:16} {printable(' '.join(entry.words[1:]))}", file=sys.stderr)
    alive = os.path.join(loaded.settings.state.dir, ALIVE)
    note_installation(loaded.settings.state.dir)
    return Scheduler(entries, {**os.environ, **variables}, alive).run()


class Scheduler:
    """Starts jobs when they are due, and ends them when it is told to stop."""

    def __init__(self, entries: Sequence[CronEntry], environ: Mapping[str, str], alive: str) -> None:
        self._entries = entries
        self._environ = environ
        self._alive = alive
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped = False

    def run(self) -> ExitCode:
        """Run until a signal. Raises OSError when the state folder cannot be written."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        make_private_folder(os.path.dirname(self._alive))
        last = _minute()
        self._touch()
        while not self._stopped:
            # In steps: a signal ends the wait, and a clock that was set does not stretch it.
            time.sleep(min(1.0, 60 - time.time() % 60))
            self._reap()
            # Minutes that passed unseen (a suspended host, a clock set ahead) are not made up for.
            if not self._stopped and (now := _minute()) != last:
                last = now
                self._touch()
                self._start(now)
        return self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True

    def _touch(self) -> None:
        with in_place_of(os.path.dirname(self._alive)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            os.close(os.open(self._alive, flags, 0o600))
            os.utime(self._alive, follow_symlinks=False)

    def _start(self, now: datetime) -> None:
        for entry in due_at(self._entries, now):
            name = entry.job.setting
            if name in self._running:
                print(f"{entry.job.command} still runs and is not started again", file=sys.stderr)
                continue
            try:
                self._running[name] = subprocess.Popen(
                    entry.words, env=self._environ, stdin=subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                print(f"{entry.job.command} cannot be started: {error.strerror}", file=sys.stderr)

    def _reap(self) -> None:
        self._running = {name: job for name, job in self._running.items() if job.poll() is None}

    def _end(self) -> ExitCode:
        for job in self._running.values():
            job.terminate()
        end = time.monotonic() + PATIENCE
        for job in self._running.values():
            try:
                job.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                job.kill()
        return ExitCode.DONE


def _minute() -> datetime:
    return datetime.now(UTC).astimezone().replace(second=0, microsecond=0)
