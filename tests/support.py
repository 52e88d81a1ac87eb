"""What several tests need: hand-made session folders, the installed command, trees compared by the byte."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

from baileys_tools.state.database import State
from baileys_tools.state.scope import Scope
from tests import guard
from tests.canaries import PRIVATE_KEY, listen

COMMAND = Path(sys.executable).parent / "baileys-tools"
"""The command as pip installed it, beside the interpreter that runs the tests."""

OWN_FILES = (b".baileys-tools", b".cleanup.lock")
"""What the tool itself keeps in a session folder."""

FRESH = timedelta(0)

THIS_MORNING = timedelta(hours=12)
"""When the bot of a folder by hand wrote creds.json: it lives, and has not come back just now from being off."""


# --- what a test needs from the machine ---------------------------------------------------------------------


def missing(what: str) -> NoReturn:
    """Skip the test by the name of what is missing; under CI=true fail, since CI installs everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}, and under CI=true nothing may be skipped", pytrace=False)
    pytest.skip(f"needs {what}")


def require_tool(name: str) -> str:
    """Return the path of the program `name`."""
    return shutil.which(name) or missing(name)


def require_root() -> None:
    if os.geteuid() != 0:
        missing("root")


def require_leases(folder: Path) -> None:
    """Go on only where the kernel grants a write lease on a file in `folder`."""
    probe = folder / ".lease-probe"
    descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        missing(f"file leases ({error.strerror})")
    finally:
        os.close(descriptor)
        probe.unlink()


# --- the installed command ----------------------------------------------------------------------------------


def scrubbed_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a fresh account: nothing of the user's own settings, then `extra`.

    HOME is the temporary one that conftest gave this test. The guard's variables stay, and coverage's, or
    `make coverage` would not see what the command runs.
    """
    kept = ("PATH", "HOME", "BAILEYS_TOOLS_STATE_DIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    environment = {name: os.environ[name] for name in (*kept, *guard.PASSED_ON) if name in os.environ}
    return environment | {"TZ": "UTC", "LANG": "C.UTF-8", "COLUMNS": "80"} | dict(extra or {})


def run_cli(
    *arguments: str | bytes | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str | None = None,  # noqa: A002 (the name subprocess gives it)
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run the installed `baileys-tools` with `arguments`; `env` is added to a scrubbed environment.

    Output is decoded as UTF-8 with surrogateescape, so that a raw byte that reached the terminal is seen. A secret in
    it, or in what the command leaves behind, fails the test (tests/canaries.py).
    """
    environment = scrubbed_environment(env)
    done = subprocess.run(
        [COMMAND, *arguments],
        env=environment,
        cwd=cwd or os.environ["HOME"],
        input=input if input is not None else "",
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )
    listen(environment, done.stdout + done.stderr)
    return done


# --- session folders by hand --------------------------------------------------------------------------------


def at_clock(
    when: str, *command: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `command` with the clock at `when` (faketime's words: `@1970-01-05 00:00:00`, `+10y`).

    Faketime names what it shares by its process's number, and where one with that number was killed it begins nothing.
    """
    for _ in range(3):
        run = subprocess.run(
            [require_tool("faketime"), "-f", when, *command],
            env=scrubbed_environment(env),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if not run.stderr.startswith(("faketime: shm_open", "faketime: sem_open")):
            break
    assert "invalid date" not in run.stderr
    return run


def creds(**changes: Any) -> dict[str, Any]:
    """A paired creds.json as v6 and v7 write it, cut down to the facts that rules look at."""
    key_pair = {
        "private": {"type": "Buffer", "data": PRIVATE_KEY},
        "public": {"type": "Buffer", "data": "cHVibGlj"},
    }
    return {
        "noiseKey": key_pair,
        "signedIdentityKey": key_pair,
        "signedPreKey": {
            "keyPair": key_pair,
            "signature": {"type": "Buffer", "data": "c2lnbmF0dXJl"},
            "keyId": 1,
        },
        "registrationId": 117,
        "advSecretKey": "YWR2",
        "nextPreKeyId": 31,
        "firstUnuploadedPreKeyId": 31,
        "registered": False,
        "me": {"id": "919585510685:17@s.whatsapp.net", "lid": "270996591579169:17@lid", "name": "Shop"},
        "account": {"details": "ZGV0YWlscw==", "accountSignatureKey": "a2V5"},
    } | changes


def write_key(
    folder: Path,
    name: str | bytes,
    age: timedelta = FRESH,
    content: str | bytes = "{}",
    now: datetime | None = None,
) -> Path:
    """Write the file `name` into `folder`, last modified `age` before `now` (default: the real clock)."""
    path = folder / os.fsdecode(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    modified_ns = round(((now or datetime.now(UTC)) - age).timestamp() * 1_000_000_000)
    os.utime(path, ns=(modified_ns, modified_ns))
    return path


def company_folder(
    root: Path,
    company_id: str | None = "1001",
    keys: Mapping[str, timedelta] | None = None,
    *,
    now: datetime | None = None,
    **creds_changes: Any,
) -> Path:
    """Make `root/company_<id>` (`root` itself for None) with a paired creds.json and `keys` (name: age)."""
    folder = root if company_id is None else root / f"company_{company_id}"
    folder.mkdir(parents=True, exist_ok=True)
    if company_id not in (None, "1001"):
        # Each has a login of its own, as companies do.
        is_number = company_id.isdecimal()
        number = int(company_id) if is_number else zlib.crc32(os.fsencode(company_id))
        own = number % 8_190 + (1 if is_number else 8_191)
        creds_changes = {"registrationId": own} | creds_changes
    write_key(folder, "creds.json", THIS_MORNING, json.dumps(creds(**creds_changes)), now)
    for name, age in (keys or {}).items():
        write_key(folder, name, age, now=now)
    return folder


def about(state: State, root: Path, *names: str) -> State:
    """Return the state, about the companies of these names below a root (`root` itself for its own name)."""
    place = str(root.resolve())
    state.scope = Scope(place, lambda: {one: f"{place}/company_{one}" for one in names})
    return state


# --- trees --------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One path of a tree. A folder has no mtime, as that moves with what comes and goes inside."""

    kind: str
    mode: int
    mtime_ns: int
    size: int
    sha256: str


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def snapshot_tree(root: Path, ignore: Collection[bytes] = OWN_FILES) -> dict[bytes, Entry]:
    """Every path below `root`, relative and in bytes, with all that a restore must bring back.

    Follows no link and opens only regular files. Names in `ignore` are left out at every level; pass () to
    see everything.
    """
    tree: dict[bytes, Entry] = {}
    waiting = [os.fsencode(root)]
    while waiting:
        with os.scandir(waiting.pop()) as listing:
            for found in listing:
                if found.name in ignore:
                    continue
                tree[os.path.relpath(found.path, os.fsencode(root))] = _entry(found.path)
                if found.is_dir(follow_symlinks=False):
                    waiting.append(found.path)
    return tree


def _entry(path: bytes) -> Entry:
    status = os.lstat(path)
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    mode = stat.S_IMODE(status.st_mode)
    if kind == "folder":
        return Entry(kind, mode, 0, 0, "")
    content = b""
    if kind == "file":
        try:
            with open(path, "rb") as file:
                content = file.read()
        except PermissionError:
            # Of mode 000, as only root can read it: all but its content is compared.
            return Entry(kind, mode, status.st_mtime_ns, status.st_size, "not readable")
    elif kind == "link":
        content = os.readlink(path)
    return Entry(kind, mode, status.st_mtime_ns, status.st_size, hashlib.sha256(content).hexdigest())
