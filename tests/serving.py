"""A running `baileys-tools serve`, and a client that says exactly what it is told to."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import COMMAND, scrubbed_environment


class Answer(NamedTuple):
    """What came back. Header names are in lower case; of several of one name the last."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Page:
    """A page that serves: where, its token, and its process."""

    def __init__(self, process: subprocess.Popen[str], place: Path, said: list[str]) -> None:
        self.process = process
        self.said = said
        self.place = place
        line = next(one for one in said if one.startswith("serving on "))
        found = re.fullmatch(r"serving on http://127\.0\.0\.1:(\d+)/\n", line)
        assert found, said
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.place / "state" / "page" / "token").read_text().strip()

    @property
    def link(self) -> str:
        (found,) = re.findall(r"/enter\?code=\S+", "".join(self.said))
        return str(found)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        by_token: bool = True,
    ) -> Answer:
        """Ask one thing on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            own = {"Authorization": f"Bearer {self.token}"} if by_token else {}
            connection.request(method, path, body, {**own, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            connection.close()

    def post(self, path: str, document: Any, **more: Any) -> Answer:
        """Post JSON as a script does, with the token."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return self.ask(path, method="POST", body=json.dumps(document), headers=headers, **more)

    def until(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        """Wait until something holds, and return it."""
        end = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < end, "it never came"
            assert self.process.poll() is None, "the page has ended"
            time.sleep(0.1)
        return found

    def looked(self, seconds: float = 60) -> Page:
        """Wait for the first look."""
        self.until(lambda: self.ask("/status.json").status == 200, seconds)
        return self

    def data(self, path: str = "/") -> Any:
        """What a page has in it for its script."""
        text = self.ask(path).text
        found = re.search(r'id="page-data">(.*?)</script>', text, re.DOTALL)
        assert found, text
        return json.loads(found[1])


def environment(place: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(place / "sessions"),
        "BAILEYS_TOOLS_STATE_DIR": str(place / "state"),
        **(more or {}),
    }


@contextmanager
def serving(
    place: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    kill: bool = False,
    command: Sequence[str | Path] = (COMMAND,),
) -> Iterator[Page]:
    """Serve the sessions and the state in `place` for as long as the `with` lasts."""
    words = [*map(str, command), "serve", "--listen", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(
        words,
        env=scrubbed_environment(environment(place, env)),
        cwd=os.environ["HOME"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("for scripts"):
                break
        assert said and said[-1].startswith("for scripts"), said
        yield Page(process, place, said)
    finally:
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        assert process.stderr is not None
        said += process.stderr.readlines()
        process.stderr.close()
