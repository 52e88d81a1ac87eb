"""Runs what the page is asked to do, each as the command of that name, in a process of its own.

<state.dir>/page/actions/ID.json    what was asked, and how it ended
<state.dir>/page/actions/ID.out     what the command said, as it says it
<state.dir>/page/actions/ID.png     the QR code of the moment

The process has a session of its own and writes into a file: it goes on when this one is killed. What was asked is on
the disk before it starts, and its own record of runs has the number of the action, so that the next start can say of
each how it ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from baileys_tools.bots.ask_bot import PAGE_PICTURES
from baileys_tools.config.host import STARTED_BY_VARIABLE
from baileys_tools.errors import BaileysToolsError, ExitCode, why
from baileys_tools.frame.show.json_text import shown_text
from baileys_tools.page.rules.actions import DEEDS, Plan, end_of, is_record, words_of
from baileys_tools.page.watcher import Watcher
from baileys_tools.parsing import parse_json
from baileys_tools.place import in_place_of, make_private_folder
from baileys_tools.trust import open_plain

FOLDER = PAGE_PICTURES
MOST_AT_ONCE = 4
KEPT = 200
SHOWN = 8
LONGEST_OUTPUT = 200_000
"""Bytes of a command's words that the page shows."""
_QR = frozenset("\u2580\u2584\u2588 ")
"""A code as a terminal shows it: the page has the picture."""


class Busy(BaileysToolsError):
    """Something is being done there already."""


class Actions:
    """All that was asked of the page of this state, the newest last."""

    def __init__(self, watcher: Watcher, where: Sequence[tuple[str, str]]) -> None:
        self.watcher = watcher
        self.where = list(where)
        self.folder = os.path.join(watcher.settings.state.dir, FOLDER)
        self.known: dict[str, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- asking ---------------------------------------------------------------------------------------------

    async def start(self, name: str, key: str | None, fields: Mapping[str, str], plan: str) -> str:
        """Have something done, and return the number of the action. Raises BaileysToolsError when it cannot be."""
        company = None
        shown_name = ""
        if key is not None:
            row = self.watcher.board.row(key)
            if row is None or key not in self.watcher.ids:
                raise BaileysToolsError("There is no such company.", exit_code=ExitCode.NOT_FOUND)
            company, shown_name = self.watcher.ids[key], str(row[1])
        number = f"{int(time.time()):010x}{os.urandom(5).hex()}"
        png = os.path.join(self.folder, f"{number}.png")
        words = words_of(name, company, fields, self.where, png, self._plan(plan), shown_name)
        running = [one for one in self.known.values() if one["ended"] is None]
        if any(one["key"] == key for one in running):
            raise Busy("Something is being done here already: wait for its end.", exit_code=ExitCode.LOCKED)
        if len(running) >= MOST_AT_ONCE:
            raise Busy("Too much is being done at once: wait for an end.", exit_code=ExitCode.LOCKED)
        one: dict[str, Any] = {
            "id": number,
            "name": name,
            "key": key,
            "company": company,
            "title": DEEDS[name].title,
            "started": int(time.time()),
            "pid": None,
            "born": None,
            "ended": None,
            "exit_code": None,
            "end": "",
        }
        for old in [*self.known][: max(0, len(self.known) - KEPT)]:
            if self.known[old]["ended"] is not None:
                del self.known[old]
                with in_place_of(self.folder):
                    self._remove(old)
        # From here on, and before anything waits, nobody else can begin here.
        self.known[number] = one
        try:
            self._write(one)
            child = await self._run(number, words)
        except OSError as error:
            self._end(one, None, "failed")
            raise BaileysToolsError(f"It cannot be started: {why(error)}") from error
        one["pid"], one["born"] = child.pid, _born(child.pid)
        self._write(one)
        self._follow(self._wait(one, child))
        self.tell()
        return number

    def _plan(self, number: str) -> Plan | None:
        one = self.known.get(number)
        if one is None:
            return None
        return Plan(one["name"], one["company"], time.time() - one["started"], one["exit_code"])

    async def _run(self, number: str, words: Sequence[str]) -> asyncio.subprocess.Process:
        environment = {
            **os.environ,
            STARTED_BY_VARIABLE: f"page {number}",
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with in_place_of(self.folder):
            out = os.open(self._path(number, "out"), flags, 0o600)
        try:
            # -P: no module of the working folder, which may be anybody's, is loaded.
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "baileys_tools", *words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(out)

    async def _wait(self, one: dict[str, Any], child: asyncio.subprocess.Process) -> None:
        code = await child.wait()
        self._end(one, code, end_of(code))

    # --- ends -----------------------------------------------------------------------------------------------

    def take_up(self) -> None:
        """Read what earlier processes of the page have left; what still runs is waited for."""
        make_private_folder(self.folder)
        with in_place_of(self.folder):
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(".json"))
            for name in names[:-KEPT]:
                self._remove(name.removesuffix(".json"))
        for name in names[-KEPT:]:
            one = self._read(name)
            if one is None:
                continue
            self.known[one["id"]] = one
            if one["ended"] is None:
                self._follow(self._settle(one))
        self.tell()

    async def _settle(self, one: dict[str, Any]) -> None:
        """Wait until what an earlier page began has ended, and find out how."""
        if one["pid"] is None and (pid := _process_of(one["id"])) is not None:
            one["pid"], one["born"] = pid, _born(pid)
        while one["pid"] is not None and one["born"] is not None and _born(one["pid"]) == one["born"]:
            await asyncio.sleep(0.5)
        # The record of its run is there by now, if there ever is to be one: a look takes it in.
        await self.watcher.look()
        code = self.watcher.by_page.get(one["id"])
        self._end(one, code, "broken off" if code is None else end_of(code))

    def _end(self, one: dict[str, Any], code: int | None, end: str) -> None:
        one["ended"], one["exit_code"], one["end"] = int(time.time()), code, end
        with suppress(OSError):
            self._write(one)
        with suppress(OSError), in_place_of(self.folder):
            os.unlink(self._path(one["id"], "png"))
        if one["company"] is not None:
            self.watcher.forget_company(one["company"])
        self.watcher.look_soon()
        self.tell()

    def _follow(self, wait: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(wait)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell(self) -> None:
        """Have every page know what is being done, and what was lately."""
        newest = [*self.known.values()][-SHOWN:]
        running = [one for one in self.known.values() if one["ended"] is None and one not in newest]
        self.watcher.say(actions=[self.shown(one) for one in [*running, *newest]])

    @staticmethod
    def shown(one: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a page may know of an action."""
        fields = ("id", "name", "key", "title", "started", "ended", "exit_code", "end")
        return {
            **{field: one[field] for field in fields},
            "company": None if one["company"] is None else shown_text(one["company"]),
        }

    # --- what was said --------------------------------------------------------------------------------------

    def output(self, number: str, since: int) -> tuple[str, int]:
        """Given where a page is, return what the command has said since, in whole lines, and where it is then."""
        one = self.known[number]
        if since >= LONGEST_OUTPUT:
            return "", since
        try:
            with self._open(self._path(number, "out")) as file:
                file.seek(since)
                content = file.read(LONGEST_OUTPUT - since)
        except OSError:
            return "", since
        if one["ended"] is None:
            content = content[: content.rfind(b"\n") + 1]
        lines = content.decode("utf-8", "replace").splitlines(keepends=True)
        kept = "".join(line for line in lines if line.strip() == "" or not set(line.rstrip("\n")) <= _QR)
        cut = "...\n" if since + len(content) >= LONGEST_OUTPUT else ""
        return shown_text(kept) + cut, since + len(content)

    def picture(self, number: str) -> bytes | None:
        """Return the QR code of this moment, None where there is none."""
        try:
            with self._open(self._path(number, "png")) as file:
                return file.read(1 << 20)
        except OSError:
            return None

    # --- files ----------------------------------------------------------------------------------------------

    def _path(self, number: str, kind: str) -> str:
        return os.path.join(self.folder, f"{number}.{kind}")

    def _write(self, one: Mapping[str, Any]) -> None:
        path = self._path(one["id"], "json")
        with in_place_of(self.folder):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(f"{path}.tmp", flags, 0o600)
            with open(fd, "w") as file:
                json.dump(one, file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(f"{path}.tmp", path)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with self._open(os.path.join(self.folder, name)) as file:
                one = parse_json(file.read(65_536))
        except (OSError, ValueError):
            return None
        return one if is_record(one) and name == f"{one['id']}.json" else None

    def _open(self, path: str) -> BinaryIO:
        """Open a file of the folder with the rights of whoever keeps it. A pipe in its place is not waited for."""
        with in_place_of(self.folder):
            return os.fdopen(open_plain(path), "rb")

    def _remove(self, number: str) -> None:
        for kind in ("out", "png", "json"):
            with suppress(OSError):
                os.unlink(self._path(number, kind))


def _born(pid: int) -> str | None:
    """Return when a process began, as the kernel tells it apart from another of its number; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
        return None if words[0] == b"Z" else words[19].decode()
    except (OSError, IndexError):
        return None


def _process_of(number: str) -> int | None:
    """Return the process of an action that was begun and never written down, as it was killed right then."""
    said = f"{STARTED_BY_VARIABLE}=page {number}".encode()
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit():
                with open(f"/proc/{name}/environ", "rb") as file:
                    if said in file.read().split(b"\0"):
                        return int(name)
    return None
