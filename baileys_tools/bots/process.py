"""The processes that bots run in: PM2, systemd, or a pidfile. Looked at, and restarted where that is possible.

Programs are run without a shell, within a deadline, and no more of their output is read than needed: `pm2 jlist`
prints the environment of every process, secrets and all, so nothing of it is ever repeated.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from baileys_tools.bots.rules.process import ProcessFacts
from baileys_tools.trust import open_plain
from baileys_tools.units import printable, quoted

LOOK_SECONDS = 15.0
RESTART_SECONDS = 120.0
"""systemd gives a unit 90 s to stop before it kills it (systemd-system.conf(5): DefaultTimeoutStopSec)."""
LARGEST_OUTPUT = 32 << 20

PIDFILE_SLACK = 10.0
"""Seconds. A program writes its pidfile after it has begun; the kernel tells when that was to a second or two."""

_PM2_OFF = ("stopped", "errored")
_UNIT_NAME = r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*"
_PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,MainPID,MemoryCurrent,InactiveEnterTimestampMonotonic"


class Process(NamedTuple):
    """Which process a company's bot is: `manager` is pm2, systemd or pidfile, `name` as that knows it."""

    manager: str
    name: str

    def __str__(self) -> str:
        return f"{self.manager} {printable(self.name)}"

    @property
    def can_restart(self) -> bool:
        return self.manager != "pidfile"


class ToolError(Exception):
    """A program could not be run to its good end. The text is safe to show."""


def look_at(process: Process, seconds: float = LOOK_SECONDS) -> ProcessFacts:
    """Look at a process. Never raises: what cannot be told is None, with the reason in `detail`."""
    return look_at_all([process], seconds)[process]


def look_at_all(processes: Iterable[Process], seconds: float = LOOK_SECONDS) -> dict[Process, ProcessFacts]:
    """Look at several processes, at each once, and ask PM2 once for all of its own. As `look_at` otherwise."""
    pm2 = _Pm2(seconds)
    looks = {"pm2": pm2.look_at, "systemd": _look_at_unit, "pidfile": _look_at_pidfile}
    found: dict[Process, ProcessFacts] = {}
    for process in processes:
        if process not in found:
            try:
                found[process] = looks[process.manager](process, seconds)
            except ToolError as error:
                found[process] = ProcessFacts(str(process), None, str(error))
    return found


def restart(process: Process, seconds: float = RESTART_SECONDS) -> None:
    """Have its manager restart a process, or start one that is stopped. Raises ToolError."""
    _have_it("restart", process, seconds)


def stop(process: Process, seconds: float = RESTART_SECONDS) -> None:
    """Have its manager stop a process; it stays stopped. Raises ToolError, also when it runs on."""
    _have_it("stop", process, seconds)
    if look_at(process).running is not False:
        raise ToolError(f"{process} runs on after it was stopped")


def _have_it(verb: str, process: Process, seconds: float) -> None:
    if process.manager == "pm2":
        listed = (_number(found.get("pm_id")) for found in _Pm2(LOOK_SECONDS).named(process.name))
        ids = [str(number) for number in listed if number is not None]
        if not ids:
            raise ToolError(f"pm2 knows no process {quoted(process.name)}")
        # By number: a name could be `all`, or one that PM2 takes for a number or a file.
        for number in ids:
            run_tool(["pm2", verb, number, "--silent"], seconds)
    elif process.manager == "systemd":
        run_tool(["systemctl", verb, "--", _unit(process)], seconds)
    else:
        raise ToolError(f"behind a pidfile, a process cannot be told to {verb}")


# --- PM2 ----------------------------------------------------------------------------------------------------


class _Pm2:
    """What PM2 says of all its processes at one moment: asked when first needed, and once, as it takes a second."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._listed: dict[str, list[dict[str, Any]]] | None = None
        self._trouble: ToolError | None = None

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the processes of a name. Raises ToolError, for each name once it had to."""
        if self._trouble is None and self._listed is None:
            try:
                self._listed = pm2_list(self._seconds)
            except ToolError as error:
                self._trouble = error
        if self._listed is None:
            raise ToolError(str(self._trouble))
        return self._listed.get(name, [])

    def look_at(self, process: Process, _: float) -> ProcessFacts:
        """Look at a process of PM2's. Raises ToolError."""
        return _as_pm2_says(process, self.named(process.name))


def _as_pm2_says(process: Process, found: Sequence[Mapping[str, Any]]) -> ProcessFacts:
    if not found:
        return ProcessFacts(str(process), None, "pm2 of this user knows no process of that name")
    environments = [one["pm2_env"] for one in found if isinstance(one.get("pm2_env"), dict)]
    if len(environments) < len(found):
        raise ToolError("pm2 jlist does not say how it is")
    monitored = [one["monit"] if isinstance(one.get("monit"), dict) else {} for one in found]
    states = [str(environment.get("status", "")) for environment in environments]
    running = [number for number, state in enumerate(states) if state not in _PM2_OFF]
    chosen = running[0] if running else 0
    started = environments[chosen].get("pm_uptime")
    return ProcessFacts(
        str(process),
        bool(running),
        "" if running else f"pm2 says {printable(states[0])[:20]}",
        pid=_number(found[chosen].get("pid")) or None,
        restarts=sum(_number(environment.get("restart_time")) or 0 for environment in environments),
        memory=sum(_number(monitored[one].get("memory")) or 0 for one in running),
        started=_moment(started, 1000) if running and isinstance(started, int | float) else None,
        instances=len(running),
    )


def pm2_list(seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Return what `pm2 jlist` says, by the names of the processes. Raises ToolError."""
    home = os.environ.get("PM2_HOME") or os.path.join(os.path.expanduser("~"), ".pm2")
    if not is_listened_at(os.path.join(home, "rpc.sock")):
        # `pm2 jlist` would start a daemon of its own, for this user. One that was killed leaves its socket behind.
        raise ToolError(
            f"pm2 does not run for this user (nothing listens at {printable(home)}/rpc.sock; PM2_HOME says another)"
        )
    output = run_tool(["pm2", "jlist", "--silent"], seconds)
    # A warning about versions can stand before the list.
    begin = 0 if output.startswith(b"[") else output.find(b"\n[") + 1
    named: dict[str, list[dict[str, Any]]] = {}
    try:
        for one in json.loads(output[begin:]):
            if isinstance(one, dict) and isinstance(name := one.get("name"), str):
                named.setdefault(name, []).append(one)
    except (ValueError, TypeError, RecursionError):
        raise ToolError("pm2 jlist did not print a list") from None
    return named


def is_listened_at(path: str) -> bool:
    """Return whether a program takes connections at a Unix socket. Its file alone says nothing: it outlives a kill."""
    import socket

    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(path)
        except OSError:
            return False
    return True


# --- systemd ------------------------------------------------------------------------------------------------


def _look_at_unit(process: Process, seconds: float) -> ProcessFacts:
    output = run_tool(
        ["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", _unit(process)], seconds
    )
    said = dict(line.split("=", 1) for line in output.decode(errors="replace").splitlines() if "=" in line)
    loaded, state = said.get("LoadState", ""), said.get("ActiveState", "")
    running = state in ("active", "activating", "reloading", "deactivating")
    # A unit whose file was removed or broken runs on: what it is tells before whether its file can be read.
    if loaded != "loaded" and not running:
        what = "has no such unit" if loaded in ("not-found", "") else "cannot start the unit"
        return ProcessFacts(str(process), None, f"systemd {what} ({printable(loaded)})")
    pid = _number(said.get("MainPID")) or None
    memory = _number(said.get("MemoryCurrent"))
    return ProcessFacts(
        str(process),
        running,
        "" if running else f"systemd says {printable(state)} ({printable(said.get('SubState', ''))})",
        pid=pid,
        restarts=_number(said.get("NRestarts")),
        # Without memory accounting systemd says [not set], or the largest number there is.
        memory=memory if memory is not None and memory < 1 << 60 else _memory_of(pid),
        started=_started(pid),
        stopped=None if running else _ended(_number(said.get("InactiveEnterTimestampMonotonic"))),
    )


def _ended(microseconds: int | None) -> datetime | None:
    """Given a time on the clock that begins at boot, return when that was; 0 is never."""
    if not microseconds:
        return None
    ago = time.monotonic() - microseconds / 1_000_000
    return datetime.now(UTC) - timedelta(seconds=ago) if 0 <= ago <= time.monotonic() else None


def _unit(process: Process) -> str:
    # Anything else would be an option, or a pattern that means other units.
    if not re.fullmatch(_UNIT_NAME, process.name):
        raise ToolError(f"{quoted(process.name)} is not the name of a systemd unit")
    return process.name


# --- pidfile ------------------------------------------------------------------------------------------------


def _look_at_pidfile(process: Process, seconds: float) -> ProcessFacts:
    try:
        fd = open_plain(process.name)
        try:
            text = os.read(fd, 64).strip()
            written = os.fstat(fd).st_mtime
        finally:
            os.close(fd)
    except FileNotFoundError:
        return ProcessFacts(str(process), False, "there is no such file")
    except OSError as error:
        raise ToolError(f"the pidfile cannot be read: {error.strerror}") from None
    if not (text.isdigit() and 0 < int(text) < 1 << 31):
        raise ToolError("the pidfile holds no process id")
    pid = int(text)
    started = _started(pid)
    if started is None:
        return ProcessFacts(str(process), False, f"no process has the id {pid}", pid=pid)
    if started.timestamp() > written + PIDFILE_SLACK:
        # Not "stopped": where the clock was set since, this is the bot all the same.
        raise ToolError(f"process {pid} began after the pidfile was written, so it may be another one")
    return ProcessFacts(str(process), True, pid=pid, memory=_memory_of(pid), started=started)


# --- the system ---------------------------------------------------------------------------------------------


def run_tool(command: Sequence[str], seconds: float, limit: int = LARGEST_OUTPUT) -> bytes:
    """Run a program, without a shell, and return what it printed. Raises ToolError, also when it takes too long."""
    output = bytearray()
    with closing(stream_tool(command, seconds)) as pieces:
        for piece in pieces:
            output += piece
            if len(output) > limit:
                raise ToolError(f"{command[0]} printed more than {limit >> 20} MiB")
    return bytes(output)


def stream_tool(
    command: Sequence[str], seconds: float, *, with_errors: bool = False
) -> Generator[bytes, None, None]:
    """Run a program, without a shell, and yield what it prints. Raises ToolError, also when it takes too long.

    It is killed at the deadline, or where nobody wants more of it, with all that it has started. `with_errors`: what
    it prints to stderr is among it.
    """
    import select
    import signal
    import subprocess

    name = command[0]
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is not found (PATH is {printable(os.environ.get('PATH', ''))})")
    end = time.monotonic() + seconds
    try:
        child = subprocess.Popen(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        # No such file is its interpreter: `env node` that is gone, say.
        raise ToolError(f"{printable(path)} cannot be run: {error.strerror}") from None
    assert child.stdout is not None
    try:
        while (left := end - time.monotonic()) > 0:
            if not select.select([child.stdout], [], [], left)[0]:
                continue
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                break
            yield piece
        try:
            code = child.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ToolError(f"{name} did not come to its end within {seconds:g} s") from None
    finally:
        child.stdout.close()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if code != 0:
        raise ToolError(f"{name} {printable(command[1])} failed (exit {code})")


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 21:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _moment(time: float, a_second: int = 1) -> datetime | None:
    try:
        return datetime.fromtimestamp(time / a_second, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _started(pid: int | None) -> datetime | None:
    """Return when a process was started, None when there is none of that id (proc(5): stat, field 22)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything; the last one ends it. Dead and waited for is gone.
            fields = file.read(4096).rpartition(b")")[2].split()
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
    except (OSError, StopIteration):
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return _moment(booted + int(fields[19]) / os.sysconf("SC_CLK_TCK"))


def _memory_of(pid: int | None) -> int | None:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read(4096).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None
