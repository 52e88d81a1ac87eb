"""Whoever makes a folder chooses its name, and every hint of every command is pasted by somebody, often as root."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import company_folder, require_root, write_key

NAMEABLE = (
    *(
        "a$(touch hit)",
        "b`touch hit`",
        "c;touch hit",
        "d'$(touch hit)'",
        'e"$(touch hit)"',
        "f|touch hit",
        "g&touch hit",
    ),
    *(
        "h  two  spaces",
        "it's",
        "*",
        "~root",
        "-n",
        "#",
        "!!",
        "$HOME",
        "é",
        "\\",
        "(touch hit)",
        ">hit",
        "w" * 200,
    ),
)
UNSPEAKABLE = (
    "n\ntouch hit\n",
    "r\rtouch hit",
    "\x1b[2Jtouch hit",
    "\udcff;touch hit",
    "x,y",
    " z",
    "t\ttouch hit",
)
"""What --company would not mean, and what nobody can type."""
OPTION = "--company "

COMMANDS = [
    ["status", "--json"],
    ["monitor-once", "--no-notify", "--json"],
    ["doctor"],
    ["cleanup", "--dry-run", "--verbose"],
    ["trigger", "--json"],
    ["backup"],
    ["recover", "--dry-run"],
    ["recover", "--dry-run", "--json"],
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Companies of all names, in all the trouble that hints speak of."""
    root = tmp_path / "sessions"
    for number, name in enumerate((*NAMEABLE, *UNSPEAKABLE)):
        company_folder(root, name)
        spoil(root / f"company_{name}", number)
    log = tmp_path / "bot.log"
    log.write_text("")
    return {
        "BAILEYS_SESSIONS_PATH": str(root),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
        "COLUMNS": "80",
    }


def spoil(folder: Path, number: int) -> None:
    kind = number % 4
    if kind == 0:
        (folder / "creds.json").write_text("{")
    elif kind == 1:
        for one in range(200):
            write_key(folder, f"session-{one}.0.json", timedelta(days=20))
    elif kind == 2:
        (folder / "creds.json").unlink()
        write_key(folder, "session-1.0.json", timedelta(days=20))
    else:
        write_key(folder, "creds.json.bak2", content="{}")
        write_key(folder, "session-1.0.json", content="")


def hints_of(output: str, words: list[str]) -> str:
    """What was printed, as one text: the lines of a hint are joined as whoever copies them does."""
    if "--json" in words:
        return "\n".join(texts_in(json.loads(output)))
    return re.sub(r"\n +", " ", output)


def texts_in(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [text for value in document.values() for text in texts_in(value)]
    if isinstance(document, list):
        return [text for value in document for text in texts_in(value)]
    return [document] if isinstance(document, str) else []


def test_a_hint_names_its_company_as_the_shell_reads_it(environment: dict[str, str]) -> None:
    quoted = sorted(map(shlex.quote, NAMEABLE), key=len, reverse=True)
    named: set[str] = set()
    single = [
        [verb, OPTION.strip(), name, *more]
        for name in NAMEABLE[::3]
        if name != "\\"
        for verb, more in (("inspect", ["--json"]), ("reset", ["--dry-run"]), ("restore", ["--dry-run"]))
    ]
    for words in (*COMMANDS, *single):
        done = run_cli(*words, env=environment)
        assert "internal error" not in done.stderr, words
        for text in (hints_of(done.stdout, words), re.sub(r"\n +", " ", done.stderr)):
            for found in re.finditer(re.escape(OPTION), text):
                rest = text[found.end() :]
                if rest.startswith(("ID", "1001")):
                    continue
                word = next((word for word in quoted if rest.startswith(word)), None)
                assert word is not None, (words, rest[:80])
                assert re.match(r"$|[\s.,;:)]", rest[len(word) :]), (words, rest[:80])
                named.add(word)
    assert len(named) > len(NAMEABLE) // 2, "the hints of most of these were seen"


def test_a_name_that_cannot_be_typed_is_shown_escaped_with_what_to_do(environment: dict[str, str]) -> None:
    text = ""
    for words in COMMANDS:
        done = run_cli(*words, env=environment)
        text += hints_of(done.stdout, words) + done.stderr
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]", done.stdout + done.stderr), words
    assert "has a plain name (no command can have this)" in text


@pytest.mark.root
def test_a_hostile_user_gets_nothing_out_of_a_hint_that_root_pastes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    require_root()
    root = Path(environment["BAILEYS_SESSIONS_PATH"])
    for path in (root, *root.rglob("*")):
        os.chown(path, 65_534, 65_534, follow_symlinks=False)
    here = tmp_path / "here"
    here.mkdir()
    stub = tmp_path / "bin"
    stub.mkdir()
    for name in ("baileys-tools", "sudo", "chmod", "chown", "ls", "install"):
        (stub / name).write_text("#!/bin/sh\n")
        (stub / name).chmod(0o755)
    pasted = 0
    for words in COMMANDS:
        done = run_cli(*words, env=environment)
        for text in (hints_of(done.stdout, words), re.sub(r"\n +", " ", done.stderr)):
            for found in re.finditer(r"baileys-tools [a-z]+ --company ", text):
                # From the command to the end of the hint, as a hurried hand takes it.
                line = text[found.start() :].split("\n")[0]
                subprocess.run(
                    ["bash", "-c", line],
                    cwd=here,
                    env={"PATH": f"{stub}:/usr/bin:/bin", "HOME": str(here)},
                    capture_output=True,
                    check=False,
                )
                pasted += 1
    assert pasted > 50
    assert os.listdir(here) == []
    assert not list(root.rglob("hit"))
