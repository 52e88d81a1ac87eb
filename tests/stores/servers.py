"""Real servers for sessions in databases: PostgreSQL and Redis on a port of loopback, with data of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support import missing, require_tool

_BINARIES = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _program(name: str) -> str:
    for place in _BINARIES:
        if os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    found = shutil.which(name)
    if found is None:
        missing(f"{name} (Debian: postgresql, redis-server)")
    assert found is not None
    return found


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]


@contextmanager
def postgres(password: str = "") -> Iterator[str]:
    """Yield the address of a server with one superuser `bot` on loopback, who needs no password unless one is given."""
    initdb, server = _program("initdb"), _program("postgres")
    user = _as_user()
    # Not below pytest's own folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="baileys-tools-postgres-"))
    data = folder / "data"
    data.mkdir()
    if user:
        for path in (folder, data):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    secret = folder / "secret"
    secret.write_text(password or "none")
    secret.chmod(0o644)
    made = subprocess.run(
        [
            *user,
            initdb,
            "-D",
            data,
            "-U",
            "bot",
            "-A",
            "scram-sha-256" if password else "trust",
            "--pwfile",
            str(secret),
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        ],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        cwd=folder,
        timeout=120,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    port = free_port()
    words = [*user, server, "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    words += ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=80"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=env, cwd=folder)
    address = f"postgres://bot@127.0.0.1:{port}/postgres"
    # By itself it would wait until the last client has gone, and one that failed goes with its test.
    with _answering(lambda: _connects(address), process, folder, end=signal.SIGINT):
        yield address


def _connects(address: str) -> bool:
    import psycopg

    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.Error as error:
        return "password" in str(error)
    return True


@contextmanager
def pgbouncer(url: str, pool: int) -> Iterator[str]:
    """Yield the address of a pooler in transaction mode in front of a server, with so many connections to it."""
    program, port, folder = require_tool("pgbouncer"), free_port(), Path(tempfile.mkdtemp(prefix="bouncer-"))
    server = urlsplit(url)
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host={server.hostname} port={server.port} user={server.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        f"pool_mode = transaction\ndefault_pool_size = {pool}\nlogfile = {folder}/log\n"
    )
    folder.chmod(0o777)
    command = [*_as_user(), program, "-q", str(folder / "pgbouncer.ini")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = url.replace(f":{server.port}", f":{port}", 1)
    with _answering(lambda: _connects(address), process, folder):
        yield address


@contextmanager
def redis_server(folder: Path, *words: str) -> Iterator[str]:
    """Yield the address of a Redis that keeps nothing on the disk."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    program = _program("redis-server")
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
        *words,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            # By itself the client waits for seconds before each of three more tries.
            return bool(redis.Redis(port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0)).ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    with _answering(answers, process):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _answering(
    is_answered: Callable[[], bool],
    process: subprocess.Popen[bytes],
    folder: Path | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Wait until a server answers; at the end of the `with` it is ended, and its folder gone."""
    try:
        _until(is_answered, process)
        yield
    finally:
        process.send_signal(end)
        process.wait(30)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _until(is_true: Any, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        assert process.poll() is None, "the server has ended"
        assert time.monotonic() < until, "the server does not answer"
        time.sleep(0.05)
