"""How a benchmark measures: commands in alternating pairs, and rows with a limit."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import tree

COMMAND = Path(sys.executable).parent / "baileys-tools"
MIB_LIMIT = 150


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure that must not exceed its limit."""

    what: str
    figure: float
    limit: float
    unit: str
    detail: str

    @property
    def passed(self) -> bool:
        return self.figure <= self.limit


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the measured trees stand and how often to measure."""

    place: Path
    companies: int
    runs: int

    def run(self, command: Sequence[str | Path], *, exits: Sequence[int] = (0,), **settings: str) -> Run:
        """Run `command` to its end and return what it took. Raise CalledProcessError when it fails.

        `exits` are the exit codes that mean that it did its work.
        """
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "LANG": "C.UTF-8",
            "BAILEYS_TOOLS_STATE_DIR": str(self.place / "state"),
        }
        start = time.perf_counter()
        child = subprocess.Popen(
            command,
            env=environment | settings,
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in exits:
            raise subprocess.CalledProcessError(child.returncode, [str(word) for word in command])
        # Never below this process's own peak, which a child starts with: keep the benchmark itself small.
        return Run(seconds, usage.ru_maxrss / 1024)

    def cleanup(self, root: Path, *options: str, **settings: str) -> Run:
        return self.run(
            [COMMAND, "cleanup", "--quiet", *options],
            exits=(0,),
            BAILEYS_SESSIONS_PATH=str(root),
            **settings,
        )

    def tree(self) -> tree.Tree:
        """The thousand companies, built at first use."""
        root = self.place / "companies"
        if root.exists():
            return tree.Tree(root, self.companies, started)
        say(f"building {self.companies} companies of {tree.FILES_PER_COMPANY} files")
        return tree.build(root, self.companies, started)


started = time.time()


def say(what: str) -> None:
    print(f"  {what} ...", file=sys.stderr, flush=True)


def note(what: str) -> None:
    """Print something worth knowing that has no limit."""
    print(f"  {what}", flush=True)


def ratio_row(what: str, limit: float, ours: list[Run], theirs: list[Run]) -> Row:
    ratios = sorted(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))
    detail = f"{ratios[0]:.2f} to {ratios[-1]:.2f}: {_median_time(ours)} against {_median_time(theirs)}"
    return Row(what, statistics.median(ratios), limit, "x", detail)


def _median_time(runs: list[Run]) -> str:
    seconds = statistics.median(run.seconds for run in runs)
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def memory_row(what: str, runs: Sequence[Run]) -> Row:
    return Row(what, max(run.peak_mib for run in runs), MIB_LIMIT, " MiB", "peak memory")
