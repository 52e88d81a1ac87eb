"""The TAB key in real shells, where somebody else chose the names of the folders."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import COMMAND, company_folder, require_tool, run_cli, scrubbed_environment

PLAIN = ("1001", "1002", "shop.de_a+b@c-d")
HOSTILE = (
    *(
        "a$(touch hit)",
        "b`touch hit`",
        "c;touch hit",
        "d'$(touch hit)'",
        'e"$(touch hit)"',
        "f))';touch hit;'",
    ),
    *(
        "g\ntouch hit",
        "h*",
        "i?",
        "j[1]",
        "k{a,b}",
        "~root",
        "l<(touch hit)",
        "m\\$(touch hit)",
        "n${(e):-$(touch hit)}",
    ),
    *(
        "o:p",
        "q r",
        "s\tt",
        "u!!",
        "v\x1b]0;w\x07",
        "x\udcffy",
        "é",
        "=ls",
        "z&touch hit&",
        "-n",
        "a|touch hit",
    ),
)
START = {
    "bash": ("bash", "--noprofile", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}
PREPARE = {"bash": "PS1='> '", "zsh": "PS1='> '; autoload -Uz compinit; compinit -u -D"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "sessions"
    for name in (*PLAIN, *HOSTILE):
        company_folder(root, name)
    return root


class Shell:
    """A shell on a terminal of its own, with our completion. `with` ends it."""

    def __init__(self, name: str, root: Path, folder: Path) -> None:
        script = folder / "completion"
        shown = subprocess.run(
            [COMMAND, "--show-completion", name],
            env=scrubbed_environment({"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}),
            capture_output=True,
            check=True,
        )
        script.write_bytes(shown.stdout)
        own = {
            "TERM": "dumb",
            "BAILEYS_SESSIONS_PATH": str(root),
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        }
        self.folder = folder
        self._handle, inner = pty.openpty()
        self.process = subprocess.Popen(
            START[name],
            env=scrubbed_environment(own | {"COLUMNS": "200"}),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            start_new_session=True,
        )
        os.close(inner)
        self.say(f"{PREPARE[name]}; . {script}; echo rea''dy\n", "ready")

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._handle)

    def say(self, text: str, until: str, seconds: float = 60) -> str:
        """Type `text` and return what the shell shows up to `until`, a pattern."""
        os.write(self._handle, text.encode())
        seen = ""
        end = time.monotonic() + seconds
        while not re.search(until, seen):
            assert time.monotonic() < end, f"no {until!r} within {seconds} s: {seen!r}"
            if select.select([self._handle], [], [], 0.1)[0]:
                seen += os.read(self._handle, 65_536).decode(errors="backslashreplace")
        return seen


@pytest.mark.parametrize("shell", START)
def test_no_folder_name_runs_anything_at_the_tab_key(tmp_path: Path, root: Path, shell: str) -> None:
    require_tool(shell)
    folder = tmp_path / "here"
    folder.mkdir()
    with Shell(shell, root, folder) as typing:
        offered = typing.say("baileys-tools cleanup --company \t\t", re.escape(PLAIN[2]))
        typing.say("\x15echo do''ne\n", "done")
        # One that is typed so far that only one name is left.
        for start in ("a", "b", "d", "e", "f", "n", "10"):
            typing.say(
                f"\x15baileys-tools inspect --company {start}\t\t\x15echo d''one-{start}\n", f"done-{start}"
            )
    assert all(name in offered for name in PLAIN)
    assert "touch" not in offered
    assert not (folder / "hit").exists()
    assert not list(root.rglob("hit"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_only_plain_names_are_offered(root: Path, shell: str) -> None:
    words = "baileys-tools cleanup --company "
    asked = {
        "_BAILEYS_TOOLS_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": "3",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "BAILEYS_SESSIONS_PATH": str(root),
    }
    run = run_cli(env=asked)
    listed = re.sub(r"^_arguments '\*: :\(\(|\)\)'$|\"", "", run.stdout.strip()).split()
    assert sorted(listed) == sorted((*PLAIN, "-n"))
    assert run.stderr == ""
