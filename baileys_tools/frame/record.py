"""The frame in which the work of every command runs: whatever the end, it is written down that it ran.

    with recorded("cleanup", settings, now, quiet=quiet) as run:
        report = ...
        run.ended(report.exit_code, removed=3)

A quick command pays for one small file here, and not for the database: state/spool.py has the numbers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from baileys_tools.config.host import JOB_VARIABLE, STARTED_BY_VARIABLE
from baileys_tools.ending import BrokenOff, Hold, waiting
from baileys_tools.errors import BaileysToolsError, ExitCode, NothingThere
from baileys_tools.frame.pings import Pings, pings_of

if TYPE_CHECKING:
    from baileys_tools.config import Settings
    from baileys_tools.state.database import State
    from baileys_tools.state.runs import Run


class Record:
    """What a command says of its own run. Until it has `ended`, it counts as failed."""

    __slots__ = ("companies", "counts", "exit_code", "state")

    def __init__(self) -> None:
        self.exit_code = ExitCode.FAILED
        self.counts: dict[str, int] = {}
        self.companies: dict[str, int] = {}
        self.state: State | None = None
        """Set by a command that has the state open for longer than the `with`: the record goes straight there."""

    def ended(
        self, exit_code: ExitCode, by_company: Mapping[str, int] | None = None, /, **counts: int
    ) -> None:
        """Note how it ended: the exit code, what was changed in each company that was finished, and sums.

        A dry run changes nothing, so it leaves `by_company` out.
        """
        self.exit_code = exit_code
        self.companies = dict(by_company or {})
        self.counts = counts


@contextmanager
def recorded(
    command: str,
    settings: Settings,
    now: datetime,
    *,
    quiet: bool = False,
    dry_run: bool = False,
    is_pinged: bool | None = None,
) -> Iterator[Record]:
    """Run the body and record how it ended, also when it raises. What cannot be recorded fails nothing.

    A command with a dead-man's ping (`ping` in the settings) pings at both ends, but not for a dry run, unless
    `is_pinged` says otherwise.
    """
    run = Record()
    if is_pinged is None:
        is_pinged = not dry_run
    pings = pings_of(settings.ping, command) if is_pinged else Pings("")
    began = time.monotonic()
    # A signal ends the work, and not the note of it.
    with Hold() as record:
        try:
            with record.lifted():
                yield run
        except BaileysToolsError as error:
            if isinstance(error, NothingThere):
                from baileys_tools.frame.companies import tell_what_was_there

                tell_what_was_there(error, settings, now)
            run.exit_code = error.exit_code
            raise
        except BrokenOff as end:
            run.exit_code = end.exit_code
            raise
        except BaseException:
            run.exit_code = ExitCode.FAILED
            raise
        finally:
            if (came := waiting()) is not None:
                run.exit_code = came.exit_code
            _write_down(
                _as_run(command, settings, now, time.monotonic() - began, run, dry_run),
                run,
                settings,
                now,
                quiet,
            )
            pings.end(command, run.exit_code, run.counts)
            if pings.trouble and not quiet:
                # Under cron nobody needs to hear of it: the ping that is missing is what the other side reports.
                print(f"baileys-tools: the ping was not taken: {pings.trouble}", file=sys.stderr)


def _as_run(
    command: str, settings: Settings, now: datetime, seconds: float, run: Record, dry_run: bool
) -> Run:
    from baileys_tools.state.runs import Run

    companies = run.companies
    if companies:
        from baileys_tools.frame.companies import by_place

        companies = by_place(settings, companies)

    return Run(
        os.urandom(8).hex(),
        command,
        now,
        now + timedelta(seconds=seconds),
        int(run.exit_code),
        dry_run,
        run.counts,
        companies,
        JOB_VARIABLE in os.environ,
        started_by(os.environ.get(STARTED_BY_VARIABLE, "")),
    )


def started_by(said: str) -> str:
    """Given what the environment says of who started this run, return it for the record: `page 4f2a...`, else ""."""
    word, _, number = said.partition(" ")
    is_ours = word == "page" and 0 < len(number) <= 32 and number.isascii() and number.isalnum()
    return said if is_ours else ""


def _write_down(run: Run, record: Record, settings: Settings, now: datetime, quiet: bool) -> None:
    folder = settings.state.dir
    if record.state is not None:
        from baileys_tools.state import runs

        runs.record(record.state, [run])
        return
    from baileys_tools.state.spool import put, take_in

    try:
        if not put(folder, run):
            return
    except OSError as error:
        if not quiet:
            from baileys_tools.units import printable

            print(
                f"baileys-tools: the run is not recorded: {printable(folder)}: {error.strerror}",
                file=sys.stderr,
            )
        return
    from baileys_tools.state.database import open_state
    from baileys_tools.state.runs import thin_runs

    with open_state(folder, now) as state:
        take_in(state)
        thin_runs(state, now)
