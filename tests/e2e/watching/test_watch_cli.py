"""`baileys-tools watch` in real terminals: what is seen, how it ends, and what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.runs import runs_since
from baileys_tools.state.spool import take_in
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, company_folder, require_tool, scrubbed_environment

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
CLEAR = b"\x1b[2J"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two companies: a healthy one, and one whose creds.json was emptied."""
    company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": timedelta(days=1)})
    broken = company_folder(
        tmp_path / "sessions", "1002", {"session-4917000000001.0.json": timedelta(days=1)}
    )
    (broken / "creds.json").write_text("")
    return tmp_path / "sessions"


class Terminal:
    """A pseudo terminal with `watch` in it."""

    def __init__(self, *arguments: str | Path, columns: int = 100, lines: int = 30, **env: str) -> None:
        self._fd, self.tty = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.tty)
        environment = scrubbed_environment({"TERM": "xterm-256color", **env})
        del environment["COLUMNS"]  # a terminal knows its own size
        self.process = subprocess.Popen(
            [COMMAND, "watch", *arguments],
            stdin=self.tty,
            stdout=self.tty,
            stderr=subprocess.PIPE,
            env=environment,
            preexec_fn=self._take,
        )
        self.output = b""

    @staticmethod
    def _take() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def read(self, seconds: float = 0.05) -> bytes:
        """Read what comes for a while, and return it."""
        new = b""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._fd], [], [], left)[0]:
                break
            try:
                new += os.read(self._fd, 65_536)
            except OSError:
                break
        self.output += new
        return new

    def read_until(self, text: str, since: int = 0, patience: float = 20) -> None:
        until = time.monotonic() + patience
        while text.encode() not in self.output[since:]:
            assert time.monotonic() < until, f"{text!r} did not come: {self.output[-2000:]!r}"
            assert self.process.poll() is None or self.read(), self.process.stderr
            self.read()

    def end(self) -> int:
        code = self.process.wait(timeout=20)
        self.read(0.2)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self._fd, self.tty):
            os.close(fd)
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def open_terminal(root: Path) -> Iterator[Callable[..., Terminal]]:
    opened = []

    def start(*arguments: str, **more: int | str) -> Terminal:
        opened.append(Terminal("--sessions", root, *arguments, **more))  # type: ignore[arg-type]
        opened[-1].read_until("q ends")
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def plain(output: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output.decode())


# --- how it ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [b"q", b"Q", b"\x03", b"\x04"], ids=["q", "Q", "Ctrl-C", "Ctrl-D"])
def test_it_ends_cleanly_and_leaves_the_terminal_as_it_was(
    open_terminal: Callable[..., Terminal], keys: bytes
) -> None:
    terminal = open_terminal()
    assert termios.tcgetattr(terminal.tty) != terminal.before, "keys are read one by one"
    terminal.type(keys)
    assert terminal.end() == 0
    assert termios.tcgetattr(terminal.tty) == terminal.before
    assert terminal.output.count(ENTER) == terminal.output.count(LEAVE) == 1
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l"), "the cursor is hidden"
    assert terminal.process.stderr is not None
    assert terminal.process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda one: one.name)
def test_a_signal_ends_it_as_cleanly(open_terminal: Callable[..., Terminal], number: signal.Signals) -> None:
    terminal = open_terminal()
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert termios.tcgetattr(terminal.tty) == terminal.before
    assert LEAVE in terminal.output


def test_control_z_does_not_leave_a_shell_on_the_wrong_screen(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    terminal.type(b"\x1a")
    terminal.read(0.3)
    state = Path(f"/proc/{terminal.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    assert state != "T"
    terminal.type(b"q")
    assert terminal.end() == 0


def test_its_run_is_recorded_once_it_is_over(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    terminal.type(b"q")
    terminal.end()
    now = datetime.now(UTC)
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], now) as state:
        take_in(state)
        assert [run.exit_code for run in runs_since(state, now - timedelta(hours=1), "watch")] == [0]


# --- what it shows ------------------------------------------------------------------------------------------


def test_all_companies_and_what_matters_are_on_the_screen(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    shown = plain(terminal.output)
    for part in ("COMPANY", "1001", "1002", "EMPTY", "creds-empty", "every 15s", "last runs: none"):
        assert part in shown
    assert terminal.output.count(CLEAR) <= 1, "a screen that is cleared flickers"


def test_space_looks_again_at_once(open_terminal: Callable[..., Terminal], root: Path) -> None:
    terminal = open_terminal("--interval", "1h")
    seen = len(terminal.output)
    company_folder(root, "1003")
    terminal.type(b" ")
    terminal.read_until("1003", since=seen)


def test_it_looks_again_by_itself_without_clearing_the_screen(
    open_terminal: Callable[..., Terminal], root: Path
) -> None:
    terminal = open_terminal("--interval", "1s")
    seen = len(terminal.output)
    (root / "company_1001" / "creds.json").write_text("")
    terminal.read_until("2 companies", since=seen)
    company_folder(root, "1004")
    terminal.read_until("1004", since=seen)
    assert terminal.output.count(CLEAR) <= 1
    assert terminal.output.count(ENTER) == 1


def test_a_new_size_is_filled_at_once(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("--interval", "1h", columns=80, lines=12)
    terminal.read(0.2)
    seen = len(terminal.output)
    terminal.resize(140, 40)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.read_until("KINDS", since=seen)  # a column that only a wide terminal has room for


def test_a_root_that_vanishes_is_said_and_outlived(
    open_terminal: Callable[..., Terminal], root: Path
) -> None:
    terminal = open_terminal("--interval", "1h")
    seen = len(terminal.output)
    root.rename(root.with_name("elsewhere"))
    terminal.type(b" ")
    terminal.read_until("not looked at again", since=seen)
    seen = len(terminal.output)
    root.with_name("elsewhere").rename(root)
    terminal.type(b" ")
    terminal.read_until("last runs", since=seen)
    terminal.type(b"q")
    assert terminal.end() == 0


def test_without_colour_there_is_none(open_terminal: Callable[..., Terminal]) -> None:
    painted = re.compile(rb"\x1b\[[0-9;]+m")
    assert painted.search(open_terminal().output)
    assert not painted.search(open_terminal(NO_COLOR="1").output)


@contextmanager
def tmux(name: str, *command: str | Path, env: dict[str, str]) -> Iterator[Callable[..., str]]:
    """Run a command in a window of tmux, 80 x 16, and yield what speaks to tmux about it."""
    program = require_tool("tmux")

    def tell(*words: str) -> str:
        done = subprocess.run(
            [program, "-L", name, *words], capture_output=True, encoding="utf-8", env=env, check=False
        )
        return done.stdout

    words = [str(word) for word in command]
    tell("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "16", *words)
    try:
        yield tell
    finally:
        tell("kill-server")


def wait_for(look: Callable[[], str], text: str) -> str:
    until = time.monotonic() + 20
    while text not in (seen := look()):
        assert time.monotonic() < until, seen
        time.sleep(0.05)
    return seen


def test_a_person_in_a_real_terminal_sees_a_whole_screen_and_then_their_own_again(
    root: Path, tmp_path: Path
) -> None:
    for number in range(40):
        company_folder(root, f"2{number:03}", {"pre-key-30.json": timedelta(days=1)})
    env = scrubbed_environment({"TERM": "xterm", "TMUX_TMPDIR": str(tmp_path), "SHELL": "/bin/sh"})
    del env["COLUMNS"]
    script = f"echo my own screen; {COMMAND} watch --sessions {root}; echo ended with $?; sleep 60"
    with tmux(f"t{os.getpid()}", "sh", "-c", script, env=env) as tell:
        first = wait_for(lambda: tell("capture-pane", "-p"), "q ends").splitlines()
        assert len(first) == 16
        assert first[0].startswith("baileys-tools")
        assert first[0].rstrip().endswith("UTC")
        assert first[2].startswith("COMPANY")
        assert first[3].startswith("1002"), "the worst is first"
        assert any(re.fullmatch(r"and 3\d more companies", line.rstrip()) for line in first)
        assert any(line.startswith("emergency  1002  creds-empty") for line in first)
        assert "q ends" in first[15]
        tell("resize-window", "-x", "80", "-y", "60")
        large = wait_for(lambda: tell("capture-pane", "-p"), "2039").splitlines()
        assert "more companies" not in "".join(large)
        assert "q ends" in large[59]
        tell("send-keys", "q")
        after = wait_for(lambda: tell("capture-pane", "-p"), "ended with 0")
        assert after.startswith("my own screen\nended with 0")


# --- where it cannot ----------------------------------------------------------------------------------------


def test_without_a_terminal_it_refuses_and_says_what_to_take_instead(root: Path) -> None:
    refused = run_cli("watch", "--sessions", root)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "needs a terminal" in refused.stderr
    assert "baileys-tools status" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--interval", "15"), "--interval 15s"),
        (("--interval", "0"), "less than a second"),
        (("--company", "7"), "no company 7"),
    ],
)
def test_what_cannot_be_meant_is_said_before_the_terminal_is_taken(
    root: Path, arguments: tuple[str, ...], said: str
) -> None:
    terminal = Terminal("--sessions", root, *arguments)
    try:
        assert terminal.end() in (2, 10)
        assert ENTER not in terminal.output
        assert terminal.process.stderr is not None
        assert said in terminal.process.stderr.read().decode()
    finally:
        terminal.close()


def test_a_dumb_terminal_is_refused(root: Path) -> None:
    terminal = Terminal("--sessions", root, TERM="dumb")
    try:
        assert terminal.end() == 2
    finally:
        terminal.close()
