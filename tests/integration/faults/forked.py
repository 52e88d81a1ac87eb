"""The command in a process of its own without waiting for Python to start, as a sweep runs it often."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import baileys_tools.commands.cleanup
import baileys_tools.commands.undo
import baileys_tools.output.cleanup_text  # noqa: F401
from baileys_tools import cli
from tests.support import scrubbed_environment


def run_forked(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `command`, whose first word is the installed command, in a fork of this process."""
    arguments = [str(word) for word in command[1:]]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _become(arguments, scrubbed_environment(env), out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "surrogateescape"))
        return subprocess.CompletedProcess(arguments, os.waitstatus_to_exitcode(status), *texts)


def _become(arguments: list[str], environment: Mapping[str, str], out: int, err: int) -> NoReturn:
    code = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        # pytest put its own capture in their place.
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["baileys-tools", *arguments]
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
