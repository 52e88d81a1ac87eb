"""What keeps the tests from the caller's own home, settings, state, crontab and network.

`enter` is called once, when pytest reads tests/conftest.py: before any test module, fixture or worker. From then on

- the environment of the run is a new one, with a home, a state folder and a `crontab` of its own. There is no other to
  come back to: not for a fixture of a module, not after `monkeypatch.undo()`, not for a child without `env`;
- every Python process of the run, this one and its children, refuses what leaves the test's own places
  (sitecustomize.py), and a test in which that happened fails, whoever swallowed the error;
- run by root, where the kernel allows it, the run has a network with nothing but loopback and sees every folder
  read-only but its own (`_leave_the_world`). That holds for children of any kind.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]

KEPT = {
    *("CI", "COLORTERM", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER"),
    *("HOT_EVERY", "HOT_REMOVALS", "HOT_ROUNDS", "HOT_SECONDS"),
    *("LIVES", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "SEED", "TREES"),
}
KEPT_PREFIXES = ("COVERAGE_", "HYPOTHESIS_", "PYTEST_")
"""All that a run takes over from the environment of whoever started it."""

PASSED_ON = ("PYTHONPATH", "TESTS_GUARD_BITES", "TESTS_GUARD_FORBIDDEN", "TESTS_GUARD_WRITABLE")
"""What carries the guard into a child."""

_CRONTAB = "#!/bin/sh\necho 'a test went for the real crontab' >&2\nexit 1\n"


def enter() -> None:
    """Leave the caller's environment and places for good. A worker of a guarded run only gets a home of its own."""
    worker = "TESTS_GUARD_BITES" in os.environ
    own = Path(tempfile.mkdtemp(prefix="baileys-tools-tests-"))
    home, programs = own / "home", own / "bin"
    for made in (home, programs):
        made.mkdir()
    crontab = programs / "crontab"
    crontab.write_text(_CRONTAB)
    crontab.chmod(0o755)
    forbidden = os.environ.get("TESTS_GUARD_FORBIDDEN") or ":".join(_places_of_installations())
    writable = [tempfile.gettempdir(), str(PROJECT), "/dev", "/proc", "/run"]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES) or name == "TESTS_GUARD_KERNEL"
    }
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(
        HOME=str(home),
        # Root's default is /var/lib, whatever HOME says.
        BAILEYS_TOOLS_STATE_DIR=str(home / "state"),
        PATH=f"{programs}:{kept.get('PATH', os.defpath)}",
        PYTHONPATH=str(HERE),
        TESTS_GUARD_BITES=str(own / "bites"),
        TESTS_GUARD_FORBIDDEN=forbidden,
        TESTS_GUARD_WRITABLE=":".join(writable),
    )
    if worker:
        return  # its interpreter has started with the hook
    os.environ["TESTS_GUARD_KERNEL"] = _leave_the_world(forbidden.split(":"), writable)
    from tests.guard import sitecustomize  # noqa: F401 - arms the hook


def but(*places: str) -> dict[str, str]:
    """The variables for a child in a mount namespace of its test, which has folders of the test at `places`."""
    forbidden = os.environ["TESTS_GUARD_FORBIDDEN"].split(":")
    return {
        "TESTS_GUARD_FORBIDDEN": ":".join(place for place in forbidden if not _within(place, places)),
        "TESTS_GUARD_WRITABLE": ":".join((os.environ["TESTS_GUARD_WRITABLE"], *places)),
    }


def scratch() -> Path:
    """The folder that this process has made for itself."""
    return Path(os.environ["TESTS_GUARD_BITES"]).parent


def bites() -> Iterator[str]:
    """Yield what the guard has refused since the last call, in this process or a child."""
    with suppress(FileNotFoundError):
        path = Path(os.environ["TESTS_GUARD_BITES"])
        yield from path.read_text().splitlines()
        path.unlink()


def has_kernel() -> bool:
    """Whether the kernel itself guards this run."""
    return os.environ["TESTS_GUARD_KERNEL"] == "yes"


def _places_of_installations() -> list[str]:
    """Where this host has settings, state and secrets: of the caller by HOME, and by the list of users."""
    homes = {os.path.realpath(os.path.expanduser("~"))}
    with suppress(KeyError):
        homes.add(os.path.realpath(pwd.getpwuid(os.geteuid()).pw_dir))
    tool = (".config/baileys-tools", ".local/state/baileys-tools", ".local/share/baileys-tools")
    own = (*tool, ".cache/baileys-tools", ".aws", ".pm2", ".ssh")
    system = ("/etc/baileys-tools", "/var/lib/baileys-tools", "/etc/cron.d/baileys-tools")
    return [*system, *(os.path.join(home, place) for home in sorted(homes) for place in own)]


# --- by the kernel ------------------------------------------------------------------------------------------

_CLONE_NEWNS, _CLONE_NEWNET = 0x0002_0000, 0x4000_0000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16_384, 1 << 18
_KEPT_FLAGS = {"nosuid": _NOSUID, "nodev": _NODEV, "noexec": _NOEXEC}
_OWN_RULES = ("/dev", "/proc", "/sys", "/run")
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def _leave_the_world(forbidden: list[str], writable: list[str]) -> str:
    """Go where only loopback is and only `writable` can be written. Return "yes", or why that cannot be."""
    if os.geteuid() != 0:
        return "not root"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())

    def mount(source: str, target: str, flags: int, kind: str | None = None) -> None:
        words = (source.encode(), target.encode(), kind.encode() if kind else None)
        if libc.mount(*words, ctypes.c_ulong(flags), None) != 0:
            raise OSError(ctypes.get_errno(), f"mount: {os.strerror(ctypes.get_errno())}", target)

    mount("none", "/", _REC | _PRIVATE)
    for place in forbidden:
        if os.path.isdir(place):
            mount("none", place, 0, "tmpfs")
        elif os.path.exists(place):
            mount("/dev/null", place, _BIND)
    # A container may have /run on its root, without a mount that keeps its own rules.
    own = [place for place in writable if not (place.startswith(_OWN_RULES) and os.path.ismount(place))]
    for place in own:
        mount(place, place, _BIND | _REC)
    for target, options in _mounts():
        if not _within(target, (*own, *_OWN_RULES, *forbidden)):
            flags = sum(flag for name, flag in _KEPT_FLAGS.items() if name in options)
            mount("none", target, _REMOUNT | _BIND | _RDONLY | flags)
    os.chdir(os.getcwd())  # else this process would stay in the folder below the new mount
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked), 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    return "yes"


def _mounts() -> list[tuple[str, list[str]]]:
    with open(
        "/proc/self/mountinfo", encoding=sys.getfilesystemencoding(), errors="surrogateescape"
    ) as table:
        rows = [line.split() for line in table]
    return [(row[4].encode().decode("unicode_escape"), row[5].split(",")) for row in rows]


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)
