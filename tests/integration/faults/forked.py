"""The command in a process of its own without waiting for Python to start, as a sweep or a page of text runs it often.

What a start itself does (the interpreter's options, the order of imports, how long it takes) is not tested this way:
`tests.support.run_cli` is for that.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

from tests import cost, support
from tests.canaries import listen
from tests.integration.faults.nursery import BEGINS, Fork, Nursery, Run, become, load
from tests.support import COMMAND, scrubbed_environment

Result = Callable[[Run, int], subprocess.CompletedProcess[str]]
READ_AT_THE_START = ("FORCE_COLOR", "LANG", "LC_", "NO_COLOR", "PYTHON")
"""What the interpreter or a library looks at before the command has its say."""


def run_cli(
    *arguments: str | bytes | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str | None = None,  # noqa: A002 (the name subprocess gives it)
    timeout: float = 60,
    patched: bool = False,
    loaded: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Do what `tests.support.run_cli` does in a fork, `patched` and `loaded` as in `run_forked`; in a process from
    scratch where `env` needs one."""
    if any(name.startswith(READ_AT_THE_START) for name in env or ()):
        return support.run_cli(*arguments, env=env, cwd=cwd, input=input, timeout=timeout)
    where, text = cwd or Path.home(), input or ""
    done = run_forked(
        [COMMAND, *arguments], env, cwd=where, text=text, timeout=timeout, patched=patched, loaded=loaded
    )
    listen(scrubbed_environment(env), done.stdout + done.stderr)
    return done


def run_forked(
    command: Sequence[str | bytes | Path],
    env: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
    text: str = "",
    timeout: float = 600,
    patched: bool = False,
    loaded: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `command`, whose first word is the installed command, in a fork; `text` is its input.

    The fork is one of the nursery, or where it is to have what the test has `patched`, of this process. What the
    command imports only where it needs it can be `loaded` in a nursery of its own: where that takes as long as the run.
    """
    run = _run_of(command, env, cwd=cwd)
    with _streams(text) as (descriptors, result):
        nursery = _nursery(*loaded)
        if patched or nursery.owner != os.getpid():  # a fork of the tests' own may have other rights
            code = _exit_code(run, descriptors, timeout)
        else:
            code, seconds = nursery.begin(run, descriptors).wait(timeout)
            cost.elsewhere += seconds
        if code is None:
            raise subprocess.TimeoutExpired(run.arguments, timeout)
        return result(run, code)


class Waiting:
    """A run in a fork that does nothing until it is told to, so that all of it can be traced."""

    def __init__(self, fork: Fork, ended: Callable[[int], subprocess.CompletedProcess[str]]) -> None:
        self.pid, self._fork, self._ended = fork.pid, fork, ended
        self.has_ended = False

    def begin(self) -> None:
        os.kill(self.pid, BEGINS)

    def wait(self, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        code, seconds = self._fork.wait(timeout)
        self.has_ended = True
        cost.elsewhere += seconds
        if code is None:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout)
        return self._ended(code)

    def kill(self) -> None:
        """End it where it has not ended yet."""
        if not self.has_ended:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


@contextmanager
def waiting(
    command: Sequence[str | bytes | Path], env: Mapping[str, str] | None = None, *, umask: int = 0o022
) -> Iterator[Waiting]:
    """Yield `command`, as for `run_forked`, before it does anything. It is killed where it has not ended by then."""
    run = _run_of(command, env)._replace(umask=umask, waits=True)
    with _streams() as (descriptors, result):
        fork = Waiting(_nursery().begin(run, descriptors), partial(result, run))
        try:
            yield fork
        finally:
            fork.kill()


def at_once(
    command: Sequence[str | bytes | Path], times: int, env: Mapping[str, str] | None = None
) -> list[subprocess.CompletedProcess[str]]:
    """Run `command` so many times side by side: all of them are ready before the first begins."""
    with ExitStack() as stack:
        forks = [stack.enter_context(waiting(command, env)) for _ in range(times)]
        for fork in forks:
            fork.begin()
        return [fork.wait(120) for fork in forks]


def can_wait() -> bool:
    """Whether this process has a nursery: a fork of the tests' own has none."""
    return _nursery().owner == os.getpid()


def _run_of(
    command: Sequence[str | bytes | Path], env: Mapping[str, str] | None, *, cwd: Path | None = None
) -> Run:
    before = os.umask(0)
    os.umask(before)
    arguments = [os.fsdecode(word) for word in command[1:]]
    return Run(arguments, scrubbed_environment(env), None if cwd is None else str(cwd), before)


@contextmanager
def _streams(text: str = "") -> Iterator[tuple[Sequence[int], Result]]:
    """Yield the descriptors of three streams, `text` in the first, and what makes the result of a run with them."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(text.encode())
        given.seek(0)

        def result(run: Run, code: int) -> subprocess.CompletedProcess[str]:
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode("utf-8", "surrogateescape"))
            return subprocess.CompletedProcess(run.arguments, code, *texts)

        yield (given.fileno(), out.fileno(), err.fileno()), result


@cache
def _nursery(*loaded: str) -> Nursery:
    return Nursery(loaded)


def _exit_code(run: Run, streams: Sequence[int], timeout: float) -> int | None:
    load()
    child = os.fork()
    if child == 0:
        become(run, streams)
    handle = os.pidfd_open(child)
    try:
        in_time, _, _ = select.select([handle], [], [], timeout)
        if not in_time:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(status) if in_time else None
