"""Arms a Python process of the tests: what leaves the test's own places raises, and is noted for the test to fail by.

Python imports a module of this name at its start; PYTHONPATH, which every child of a test has, leads here. It may
import nothing that costs time. To look for settings or jobs that are not there is harmless: the search for them ends at
/etc. Anything else is refused whether it is there or not, so that a test fails everywhere and not only where the tool
is in use.

A file opened by handle is not recognised, as the event of `open` does not say which folder the handle is of.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORBIDDEN = tuple(os.environ.get("TESTS_GUARD_FORBIDDEN", "").split(":"))
WRITABLE = tuple(os.environ.get("TESTS_GUARD_WRITABLE", "").split(":"))
BITES = os.environ.get("TESTS_GUARD_BITES", "")

SEARCHED = ("/etc/baileys-tools", "/etc/cron.d/baileys-tools")

# For each event, the arguments with a path to be written, each with that of its folder's handle.
PATHS = {
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
    "os.truncate": ((0, None),),
    "os.setxattr": ((0, None),),
    "sqlite3.connect": ((0, None),),
}
LISTINGS = ("os.listdir", "os.scandir", "os.chdir")
ADDRESSES = ("socket.connect", "socket.sendto", "socket.sendmsg")
NAMES = ("socket.getaddrinfo", "socket.gethostbyname")
HOMELESS = ("/sbin/ldconfig", "setpriv")  # what ctypes.util.find_library runs, and a user of a container
NO_HOME = "/nonexistent"  # what Debian gives a user who has none
ENVIRONMENTS = {"subprocess.Popen": 3, "os.exec": 2, "os.posix_spawn": 2, "os.system": None}


class OutOfBounds(BaseException):
    """A test left its own places. No Exception, so that no `except` in the tool hides it."""


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise OutOfBounds before something happens that must not; the audit hook."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, (str, bytes, os.PathLike)) and os.path.isabs(path):
            path = str(os.fsdecode(path))
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if within(path, FORBIDDEN) and (writes or not is_searched(path) or os.path.exists(path)):
                refuse(event, path)
            if writes and not within(path, WRITABLE) and "/__pycache__/" not in path:
                refuse(event, path)
    elif event in PATHS:
        for place, handle in PATHS[event]:
            path = full(arguments[place], -1 if handle is None else arguments[handle])
            if (
                path
                and (within(path, FORBIDDEN) or not within(path, WRITABLE))
                and "/__pycache__" not in path
            ):
                refuse(event, path)
    elif event in LISTINGS:
        path = full(arguments[0], -1)
        if path and within(path, FORBIDDEN) and (not is_searched(path) or os.path.exists(path)):
            refuse(event, path)
    elif event in ADDRESSES:
        address = arguments[-1]
        if address is not None and not is_own(address):
            refuse(event, address)
    elif event in NAMES:
        if not is_nowhere(arguments[0]):
            refuse(event, arguments[0])
    elif event in ENVIRONMENTS:
        number = ENVIRONMENTS[event]
        given = None if number is None else arguments[number]
        environment = os.environ if given is None else given
        homes = [value for name, value in environment.items() if name in ("HOME", b"HOME")]
        home = (full(homes[0], -1) if homes else "") or ""
        homeless = home == NO_HOME or (home in ("", "/") and arguments[0] in HOMELESS)
        if not homeless and not within(home, WRITABLE):
            refuse(event, f"{arguments[0]} with the home {home!r}")


def full(path: Any, handle: Any) -> str | None:
    """The whole path of an argument, None for a handle."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    name = os.fsdecode(path)
    if name.startswith("/") or not name:
        return name
    if name == ":memory:" or name.startswith("file:"):
        return None
    try:
        folder = (
            os.readlink(f"/proc/self/fd/{handle}") if isinstance(handle, int) and handle >= 0 else os.getcwd()
        )
    except OSError:
        return None
    return os.path.join(folder, name)


def within(path: str, places: tuple[str, ...]) -> bool:
    path = os.path.normpath(path)
    return any(path == place or path.startswith(place + "/") for place in places)


def is_searched(path: str) -> bool:
    """Whether the tool looks for settings or jobs here, without a word that it should."""
    return within(path, SEARCHED) or os.path.basename(path) == "config.yaml"


def is_own(address: Any) -> bool:
    """Whether a socket's address is on loopback, or a file of a test."""
    if isinstance(address, tuple):
        host = address[0]
        return isinstance(host, str) and (
            host.startswith(("127.", "::ffff:127.")) or host in ("::1", "localhost", "")
        )
    if not isinstance(address, (str, bytes)):
        return True  # netlink and the like stay on this machine
    path = os.fsdecode(address)
    return path.startswith("\0") or not path.startswith("/") or within(path, WRITABLE)


def is_nowhere(host: Any) -> bool:
    """Whether to look this name up asks nobody: a number, this machine, or a name that is reserved to be none."""
    if host is None:
        return True
    host = os.fsdecode(host) if isinstance(host, (str, bytes)) else str(host)
    return (
        host in ("", "localhost")
        or host.endswith((".invalid", ".localhost"))
        or not host.strip("0123456789.:[]abcdef")
    )


def refuse(event: str, what: object) -> None:
    said = f"{event} {what}: a test must stay in its own places"
    with open(os.environ.get("TESTS_GUARD_BITES", BITES), "a", encoding="utf-8", errors="replace") as file:
        file.write(said.replace("\n", " ") + "\n")
    raise OutOfBounds(said)


if BITES:
    sys.addaudithook(watch)
    if os.path.dirname(__file__) in sys.path:
        sys.path.remove(os.path.dirname(__file__))
