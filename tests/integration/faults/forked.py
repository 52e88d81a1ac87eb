"""The command in a process of its own without waiting for Python to start, as a sweep or a page of text runs it often.

What a start itself does (the interpreter's options, the order of imports, how long it takes) is not tested this way:
`tests.support.run_cli` is for that.
"""

from __future__ import annotations

import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import baileys_tools
from baileys_tools import cli
from tests import support
from tests.canaries import listen
from tests.support import COMMAND, scrubbed_environment

NOT_FOR_ALL = ("__main__", "apprise_child", "sftp")
"""Programs of their own, and what needs an extra."""

# Loaded once for all forks: two thirds of what each of them would otherwise do.
for found in pkgutil.walk_packages(baileys_tools.__path__, "baileys_tools."):
    if found.name.rpartition(".")[2] not in NOT_FOR_ALL:
        import_module(found.name)

READ_AT_THE_START = ("FORCE_COLOR", "LANG", "LC_", "NO_COLOR", "PYTHON")
"""What the interpreter or a library looks at before the command has its say."""


def run_cli(
    *arguments: str | bytes | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str | None = None,  # noqa: A002 (the name subprocess gives it)
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Do what `tests.support.run_cli` does in a fork; in a process from scratch where `env` needs one."""
    if any(name.startswith(READ_AT_THE_START) for name in env or ()):
        return support.run_cli(*arguments, env=env, cwd=cwd, input=input, timeout=timeout)
    done = run_forked([COMMAND, *arguments], env, cwd=cwd or Path.home(), text=input or "", timeout=timeout)
    listen(scrubbed_environment(env), done.stdout + done.stderr)
    return done


def run_forked(
    command: Sequence[str | bytes | Path],
    env: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
    text: str = "",
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run `command`, whose first word is the installed command, in a fork of this process; `text` is its input."""
    arguments = [os.fsdecode(word) for word in command[1:]]
    environment = scrubbed_environment(env)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(text.encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            _become(arguments, environment, cwd, (given.fileno(), out.fileno(), err.fileno()))
        code = _exit_code(child, arguments, timeout)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "surrogateescape"))
        return subprocess.CompletedProcess(arguments, code, *texts)


def _exit_code(child: int, arguments: Sequence[str], timeout: float) -> int:
    handle = os.pidfd_open(child)
    try:
        in_time, _, _ = select.select([handle], [], [], timeout)
        if not in_time:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(handle)
    if not in_time:
        raise subprocess.TimeoutExpired(list(arguments), timeout)
    return os.waitstatus_to_exitcode(status)


def _become(
    arguments: list[str], environment: Mapping[str, str], cwd: Path | None, streams: Sequence[int]
) -> NoReturn:
    code = 70
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        # pytest put its own capture in their place.
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        if cwd is not None:
            os.chdir(cwd)
        sys.argv = ["baileys-tools", *arguments]
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
