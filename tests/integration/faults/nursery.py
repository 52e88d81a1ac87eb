"""A process that has the command in memory and nothing else, and becomes it in a fork for each run.

A worker of pytest has seven thousand tests in memory: a fork of that costs three times as much as a fork of this.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import pickle
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import NamedTuple, NoReturn

import baileys_tools
from baileys_tools import cli

NOT_FOR_ALL = ("__main__", "apprise_child", "sftp")
"""Programs of their own, and what needs an extra."""
WHEN_NEEDED = (
    *(
        "_strptime",
        "anyio._backends._asyncio",
        "encodings.ascii",
        "encodings.unicode_escape",
        "filelock",
        "httpcore",
    ),
    *(
        "httpx",
        "jmespath",
        "pyrage",
        "segno",
        "typer._click._textwrap",
        "typer._click.decorators",
        "zstandard",
    ),
)
"""What a run imports only where it needs it, of libraries. With httpx anew each fork that asks a bot would take six
times as long."""

BEGUN, ENDED = struct.Struct("i"), struct.Struct("=id")
"""What is told of a fork: its number; its status and its processor seconds."""


class Run(NamedTuple):
    """What a fork is to become, and whether it waits for BEGINS before it does, so that all of it can be traced."""

    arguments: list[str]
    environment: dict[str, str]
    cwd: str | None
    umask: int
    waits: bool = False


BEGINS = signal.SIGUSR1
"""Blocked in the nursery, so that it cannot come too early."""
_MAY_BE_TRACED = (0x59616D61, ctypes.c_ulong(-1))
"""PR_SET_PTRACER, PR_SET_PTRACER_ANY: by others than its parents, where the kernel allows only them."""


@cache
def load(*more: str) -> None:
    """Load the command once for all forks, and `more` modules: two thirds of what each of them would otherwise do."""
    for found in pkgutil.walk_packages(baileys_tools.__path__, "baileys_tools."):
        if found.name.rpartition(".")[2] not in NOT_FOR_ALL:
            import_module(found.name)
    for name in (*WHEN_NEEDED, *more):
        with suppress(ImportError):  # of another version of a library, or of an extra
            import_module(name)
    gc.collect()
    gc.freeze()


def become(run: Run, streams: Sequence[int], says: int = -1) -> NoReturn:
    """Be the command from here on, with these descriptors as its three streams.

    A run that waits tells `says` of itself when it does: whoever traces it from then on sees all of the run and nothing
    of what was made ready for it.
    """
    code = 70
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        # pytest put its own capture in their place.
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(run.environment)
        time.tzset()
        os.umask(run.umask)
        if run.cwd is not None:
            os.chdir(run.cwd)
        sys.argv = ["baileys-tools", *run.arguments]
        if run.waits:
            ctypes.CDLL(None).prctl(*_MAY_BE_TRACED)
            _tell(says, BEGUN.pack(os.getpid()))
            signal.sigwait([BEGINS])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [BEGINS])
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


# --- the side of the tests ----------------------------------------------------------------------------------


class Nursery:
    """The process, for the one that made it and nobody that it forks."""

    def __init__(self, loaded: Sequence[str] = ()) -> None:
        self.owner = os.getpid()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno()), *loaded],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=os.path.dirname(os.path.dirname(baileys_tools.__file__)),
        )
        theirs.close()
        atexit.register(self._end)

    def _end(self) -> None:
        if os.getpid() == self.owner:
            self._orders.close()
            self._process.wait()

    def begin(self, run: Run, streams: Sequence[int]) -> Fork:
        """Have a fork become `run`."""
        said, says = os.pipe()
        order = os.memfd_create("order")
        try:
            with open(order, "wb", closefd=False) as file:
                pickle.dump(run, file)
            socket.send_fds(self._orders, [b"1"], [order, says, *streams])
        finally:
            os.close(says)
            os.close(order)
        (child,) = BEGUN.unpack(os.read(said, BEGUN.size))
        return Fork(child, said)


class Fork:
    """A run that has begun, or waits to be told so."""

    def __init__(self, pid: int, said: int) -> None:
        self.pid, self._said = pid, said

    def wait(self, timeout: float) -> tuple[int | None, float]:
        """Return its exit code, None where it had to be killed after the timeout, and its processor seconds."""
        in_time, _, _ = select.select([self._said], [], [], timeout)
        if not in_time:
            os.kill(self.pid, signal.SIGKILL)
        status, seconds = ENDED.unpack(os.read(self._said, ENDED.size))
        os.close(self._said)
        return (os.waitstatus_to_exitcode(status) if in_time else None), seconds


# --- its own side -------------------------------------------------------------------------------------------


def _serve(orders: socket.socket) -> None:
    waiting: dict[int, tuple[int, int]] = {}  # for each child's handle, its number and who waits for it
    while True:
        ready, _, _ = select.select([orders.fileno(), *waiting], [], [])
        for handle in ready:
            if handle in waiting:
                child, says = waiting.pop(handle)
                os.close(handle)
                _, status, usage = os.wait4(child, 0)
                _tell(says, ENDED.pack(status, usage.ru_utime + usage.ru_stime))
                os.close(says)
                continue
            word, descriptors, _, _ = socket.recv_fds(orders, 1, 5)
            if not word:
                return
            order, says, *streams = descriptors
            with open(order, "rb") as file:
                file.seek(0)
                run = pickle.load(file)
            child = os.fork()
            if child == 0:
                become(run, streams, says)
            for stream in streams:
                os.close(stream)
            if not run.waits:
                _tell(says, BEGUN.pack(child))
            waiting[os.pidfd_open(child)] = child, says


def _tell(pipe: int, word: bytes) -> None:
    with suppress(BrokenPipeError):  # who asked was killed
        os.write(pipe, word)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [BEGINS])
    load(*sys.argv[2:])
    _serve(socket.socket(fileno=int(sys.argv[1])))
