"""`serve`: the live page, until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from baileys_tools.config import LoadedSettings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.extras import missing_of, way_to_add
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.kernel_lock import take_now
from baileys_tools.page.rules.access import Listening, address_of
from baileys_tools.place import in_place_of, make_private_folder
from baileys_tools.units import printable

if TYPE_CHECKING:
    from baileys_tools.page.app import Pages

FOLDER = "page"
LOCK = "serve.lock"


def serve_command(flags: Mapping[str, object], config: str | None) -> ExitCode:
    """Given the command line, serve the page until a signal comes. Raises BaileysToolsError when it cannot begin."""
    if module := missing_of("serve"):
        raise UsageError(f"serve needs {module}, which is not installed", f"Add it: {way_to_add('serve')}")
    loaded = settings_in_force(flags, config)
    require_sessions_path(loaded)
    settings = loaded.settings
    try:
        address = address_of(settings.serve.listen)
    except ValueError as error:
        raise UsageError(f"serve.listen: {error}", "For example: --listen 127.0.0.1:8787") from None
    now = datetime.now(UTC)
    with (
        recorded("serve", settings, now) as run,
        only_one(os.path.join(settings.state.dir, FOLDER)),
        _listening(address) as listener,
    ):
        _serve(loaded, flags, config, address._replace(port=listener.getsockname()[1]), listener)
        run.ended(ExitCode.DONE)
    return ExitCode.DONE


@contextmanager
def only_one(folder: str) -> Iterator[None]:
    """Hold the lock of the page of this state. Raises BaileysToolsError (75) while another has it."""
    make_private_folder(folder)
    with in_place_of(folder):
        fd = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not take_now(fd):
            holder = os.pread(fd, 200, 0).decode("ascii", "replace").strip()
            raise BaileysToolsError(
                f"another serve is at work on this state ({printable(holder)})",
                "One page shows all. End that one first, or give this one a state of its own (state.dir).",
                exit_code=ExitCode.LOCKED,
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(fd)


@contextmanager
def _listening(address: Listening) -> Iterator[socket.socket]:
    from baileys_tools.page.connections import Listener

    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with Listener(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, address.port))
            listener.listen()
        except OSError as error:
            raise BaileysToolsError(
                f"cannot listen on {address.text}: {error.strerror}",
                "Name another address: baileys-tools serve --listen 127.0.0.1:8788",
            ) from error
        yield listener


def _serve(
    loaded: LoadedSettings,
    flags: Mapping[str, object],
    config: str | None,
    address: Listening,
    listener: socket.socket,
) -> None:
    import uvicorn

    from baileys_tools.page.actions import Actions
    from baileys_tools.page.app import Pages, application
    from baileys_tools.page.connections import Visitor, raised_handles, room_for, settings_of_uvicorn
    from baileys_tools.page.door import Door
    from baileys_tools.page.token import token_at
    from baileys_tools.page.watcher import Watcher

    settings = loaded.settings
    file = settings.serve.token_file or os.path.join(settings.state.dir, FOLDER, "token")
    token, is_new = token_at(file)
    door = Door(token, file, address.port)
    Visitor.room = room_for(raised_handles())
    _greet(address, door.code, file, settings.serve.names, is_new=is_new)

    async def all_of_it() -> None:
        watcher = Watcher(settings, flags, config)
        actions = Actions(watcher, _where(flags, config)) if settings.serve.allow_actions else None
        if actions is not None:
            actions.take_up()
        pages = Pages(watcher, door, actions)
        app = application(pages, settings.serve.names, address.port)
        server = uvicorn.Server(uvicorn.Config(**settings_of_uvicorn(app, address.port)))
        looking = asyncio.create_task(watcher.run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        ending = asyncio.create_task(_tell_of_end(server, pages))
        try:
            # Neither is to go on without the other: a page that looks no more would lie.
            await asyncio.wait({looking, serving}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
            if looking.done():
                looking.result()
        finally:
            for task in (looking, ending):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    asyncio.run(all_of_it())


def _where(flags: Mapping[str, object], config: str | None) -> list[tuple[str, str]]:
    """Return the options by which another command is about the bots that this one is about."""
    roots = flags.get("sessions.roots") or [flags.get("sessions.path")]
    sessions = [one for one in roots if isinstance(one, str)] if isinstance(roots, list) else []
    return [*(("--sessions", one) for one in sessions), *([("--config", config)] if config else [])]


async def _tell_of_end(server: object, pages: Pages) -> None:
    """End the streams as soon as the server is to end: they never would by themselves."""
    while not getattr(server, "should_exit", False):
        await asyncio.sleep(0.1)
    pages.ending.set()
    pages.watcher.moved()


def _greet(address: Listening, code: str, file: str, names: tuple[str, ...], *, is_new: bool) -> None:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    url = f"http://{address._replace(host=everywhere.get(address.host, address.host)).text}"
    print(f"serving on {url}/", file=sys.stderr)
    print(f"open this once, within 15 minutes: {url}/enter?code={code}", file=sys.stderr)
    made = "made just now" if is_new else "as before"
    print(f"for scripts, and later: the token in {printable(file)} ({made})", file=sys.stderr)
    if not address.is_loopback:
        print(
            "baileys-tools: others reach this address, and what is sent is not encrypted: put TLS in front "
            "(docs/page.md has Caddy and nginx)",
            file=sys.stderr,
        )
        if not names:
            print(
                "baileys-tools: only IP addresses are answered to; give the page's name with --name",
                file=sys.stderr,
            )
    sys.stderr.flush()
