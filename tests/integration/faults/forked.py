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
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests import cost, support
from tests.canaries import listen
from tests.integration.faults.nursery import Nursery, Run, become, load
from tests.support import COMMAND, scrubbed_environment

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
    arguments = [os.fsdecode(word) for word in command[1:]]
    before = os.umask(0)
    os.umask(before)
    run = Run(arguments, scrubbed_environment(env), None if cwd is None else str(cwd), before)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(text.encode())
        given.seek(0)
        streams = (given.fileno(), out.fileno(), err.fileno())
        nursery = _nursery(*loaded)
        if patched or nursery.owner != os.getpid():  # a fork of the tests' own may have other rights
            code = _exit_code(run, streams, timeout)
        else:
            code, seconds = nursery.exit_code(run, streams, timeout)
            cost.elsewhere += seconds
        if code is None:
            raise subprocess.TimeoutExpired(arguments, timeout)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "surrogateescape"))
        return subprocess.CompletedProcess(arguments, code, *texts)


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
