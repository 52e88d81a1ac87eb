"""Faults at an exact system call, by strace: a signal, an error, a pause.

A fault is aimed at the k-th call of one name, which a traced run of the same command on an equal folder has
counted before (`traced`). Our command is traced in a fork that has it in memory, from its first word on; every such
fork goes the same way, and so does every start of another program, so the count holds.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import baileys_tools
from tests.integration.faults.forked import Waiting, can_wait, waiting
from tests.support import COMMAND, require_tool, scrubbed_environment

CHANGING = (
    "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat",
    "ftruncate", "write", "pwrite64", "fchown", "fchmod", "chmod", "fchmodat", "flock",
)  # fmt: skip
"""Calls that change what a folder holds or who holds it: between two of them the state is the same."""

ALL = (*CHANGING, "openat", "fcntl", "newfstatat", "getdents64", "read", "pread64", "close")


A_QUARTER = 4
"""A sweep of `make test` strikes at every fourth of its points; its counterpart of `make faults` at each of them."""


class Call(NamedTuple):
    """The `nth` call of `name` in a run; `text` is strace's line."""

    name: str
    nth: int
    text: str


_call_name = re.compile(r"(?:\d+ +)?(?:\d+\.\d+ )?(\w+)\(")


def parse_trace(lines: Sequence[str]) -> list[Call]:
    counts: Counter[str] = Counter()
    calls = []
    for line in lines:
        if match := _call_name.match(line):
            counts[match[1]] += 1
            calls.append(Call(match[1], counts[match[1]], line))
    return calls


def traced(
    command: Sequence[str | Path],
    *options: str,
    calls: Sequence[str] = ALL,
    env: Mapping[str, str] | None = None,
    umask: int = 0o022,
) -> tuple[subprocess.CompletedProcess[str], list[Call]]:
    """Run `command` under strace with `options`; return how it ended and the calls it made."""
    with tempfile.NamedTemporaryFile(prefix="trace-", mode="r", errors="surrogateescape") as output:
        if _is_forked(command):
            with waiting(command, env, umask=umask) as fork, _traced(fork, output.name, calls, *options):
                run = fork.wait()
            return run, parse_trace(output.read().splitlines())
        run = subprocess.run(
            strace(output.name, calls, *options, "--", *command),
            env=scrubbed_environment(env),
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
            umask=umask,
        )
        return run, parse_trace(output.read().splitlines())


def _is_forked(command: Sequence[str | Path]) -> bool:
    """Whether the command is traced in a fork, at a third of the cost: the start of Python is nothing to break into."""
    return command[0] == COMMAND and can_wait()


@contextmanager
def _traced(
    fork: Waiting, output: str, calls: Sequence[str], *options: str
) -> Iterator[subprocess.Popen[str]]:
    """Trace a fork from its first call on, while the `with` lasts; it has to end there."""
    words = [*strace(output, calls, *options, quiet="--quiet=exit,personality"), "-p", str(fork.pid)]
    tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        # From then on it comes to no call that is not traced.
        said = tracer.stderr.readline()
        assert said.endswith(f"Process {fork.pid} attached\n"), said
        fork.begin()
        yield tracer
        tracer.wait(10)
    finally:
        tracer.kill()
        tracer.wait()
        tracer.stderr.close()


def strace(output: str, calls: Sequence[str], *options: str | Path, quiet: str = "-qq") -> list[str | Path]:
    # Not with --seccomp-bpf: it drops injected signals.
    return [require_tool("strace"), quiet, "-o", output, "-e", f"trace={','.join(calls)}", *options]


def cleanup(root: Path, *options: str) -> list[str | Path]:
    return [COMMAND, "cleanup", "--sessions", root, *options]


def undo(root: Path, *options: str) -> list[str | Path]:
    return [COMMAND, "undo", "--sessions", root, *options]


def after_lock(calls: Sequence[Call]) -> list[Call]:
    """The calls from the first lock on: nothing of a session folder is touched before."""
    start = next(index for index, call in enumerate(calls) if call.name == "flock")
    return list(calls[start:])


def on_data(calls: Sequence[Call]) -> list[Call]:
    """The calls without those by which Python loads code: a disk that withholds that is another matter.

    Needs strace's `-y`, which says what a handle leads to.
    """
    code = (str(Path(baileys_tools.__file__).parent), sys.prefix, sys.base_prefix, ".so.", ".so>")
    return [call for call in calls if not any(place in call.text for place in code)]


def before_first_removal(calls: Sequence[Call]) -> Call:
    """The last call of the scan: all is planned, and no file is opened yet to be removed."""
    return calls[_first_lease(calls) - 2]


def opening_of_first_removal(calls: Sequence[Call]) -> Call:
    return calls[_first_lease(calls) - 1]


def _first_lease(calls: Sequence[Call]) -> int:
    index = next(index for index, call in enumerate(calls) if "F_SETLEASE" in call.text)
    assert calls[index - 1].name == "openat", calls[index - 3 : index + 1]
    return index


@dataclass(slots=True)
class Paused:
    """A command that is stopped, and its result once it went on."""

    pid: int
    end: Callable[[], subprocess.CompletedProcess[str]]
    """Waits for it."""
    stdout: str = ""
    stderr: str = ""
    returncode: int | None = None

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self._wait()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        done = self.end()
        self.stdout, self.stderr, self.returncode = done.stdout, done.stderr, done.returncode


@contextmanager
def paused_after(
    call: Call, command: Sequence[str | Path], env: Mapping[str, str] | None = None, umask: int = 0o022
) -> Iterator[Paused]:
    """Run `command`, stop it (SIGSTOP) right after `call`, and yield it as it stands there."""
    with tempfile.NamedTemporaryFile(prefix="trace-", mode="r", errors="surrogateescape") as output:
        inject = ("-e", f"inject={call.name}:signal=STOP:when={call.nth}")
        if _is_forked(command):
            with (
                waiting(command, env, umask=umask) as fork,
                _traced(fork, output.name, [call.name], *inject) as tracer,
            ):
                _until_stopped(call, output.name, tracer)
                yield Paused(fork.pid, fork.wait)
                fork.kill()
            return
        tracer = subprocess.Popen(
            strace(output.name, [call.name], *inject, "--", *command),
            env=scrubbed_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            umask=umask,
        )

        def end() -> subprocess.CompletedProcess[str]:
            said = tracer.communicate(timeout=60)
            return subprocess.CompletedProcess(tracer.args, tracer.returncode, *said)

        pid = 0
        try:
            _until_stopped(call, output.name, tracer)
            children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
            pid = int(children[0])
            yield Paused(pid, end)
        finally:
            if tracer.poll() is None:
                if pid:
                    os.kill(pid, signal.SIGKILL)
                tracer.kill()
                tracer.communicate(timeout=10)


def _until_stopped(call: Call, output: str, tracer: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while "--- stopped by SIGSTOP ---" not in Path(output).read_text(errors="replace"):
        if time.monotonic() > deadline or tracer.poll() is not None:
            raise AssertionError(f"never came to {call}: {tracer.args!r}")
        time.sleep(0.01)


def python(*arguments: str | Path) -> list[str | Path]:
    """A command line that runs a program of the tests without the packages of the environment."""
    return [sys.executable, "-S", "-E", *arguments]
