"""A command in a hint is what the shell reads, whatever somebody called a folder; and no hint is made another way."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baileys_tools.cli import MODULES
from baileys_tools.cli.manpage import all_commands
from baileys_tools.frame.show.terminal import wrapped
from baileys_tools.pasted import came_with, can_be_typed, command, with_commands
from baileys_tools.units import printable

ROOT = Path(__file__).parents[2] / "baileys_tools"

TEMPLATE = "baileys-tools restore --company {} --dry-run"

names = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=30)


@given(names)
@example("a$(touch x)")
@example("a'b\"c`d`")
@example("a b")
@example("-n")
@example("a;rm -rf /")
@example("!!")
@example("~root")
@example("*")
@example("a\\")
@example("#")
def test_a_shell_reads_back_the_very_words(name: str) -> None:
    typed = command("baileys-tools --config {} -v", name)
    if name.isprintable():
        assert shlex.split(typed) == ["baileys-tools", "--config", name, "-v"]
    else:
        assert "--config" not in typed
        assert typed.isprintable()
        assert printable(name) in shlex.split(typed)[2]


@given(names)
@example("a,b")
@example(" a")
@example("company_1")
@example("\udcff")
@example("a\x1b[2Jb")
@example("a\nb")
def test_a_company_that_its_option_would_not_mean_is_in_no_command(name: str) -> None:
    typed = command(TEMPLATE, name)
    meant = name.isprintable() and [name] == [
        part.strip().removeprefix("company_") for part in name.split(",")
    ]
    if meant:
        assert shlex.split(typed) == ["baileys-tools", "restore", "--company", name, "--dry-run"]
    else:
        assert typed.startswith("baileys-tools restore, once ")
        assert "--" not in typed.replace(shlex.quote(printable(name)), "")


@pytest.mark.parametrize(
    "name",
    ["a$(touch hit)", "b`touch hit`", "c';touch hit;'", 'd";touch hit;"', "e\ntouch hit", "f&touch hit"],
)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_no_name_runs_anything_when_the_hint_is_pasted(tmp_path: Path, shell: str, name: str) -> None:
    (tmp_path / "baileys-tools").write_text("#!/bin/sh\n")
    (tmp_path / "baileys-tools").chmod(0o755)
    run = subprocess.run(
        [shell, "-c", command(TEMPLATE, name)],
        cwd=tmp_path,
        env={"HOME": os.environ["HOME"], "PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=False,
    )
    assert run.returncode == 0 or not name.isprintable()
    assert not (tmp_path / "hit").exists()


@given(st.lists(names, min_size=1, max_size=3), st.integers(20, 120))
@example(["a b  c"], 30)
@example(["it's a b'c d"], 25)
def test_no_line_break_of_ours_gets_into_a_name(some: list[str], width: int) -> None:
    commands = [command(TEMPLATE, name) for name in some]
    text = "; ".join(f"the bot's way, or the bots' own: {one}" for one in commands)
    lines = wrapped(text, width, first="  -> ", rest="     ")
    joined = " ".join(line.strip() for line in lines)
    for name, one in zip(some, commands, strict=True):
        assert one in joined
        if can_be_typed(name, "--company"):
            assert any(one in line for line in lines), "pasted line by line, it would be two commands"


def test_no_option_of_a_command_is_left_behind_on_the_next_line() -> None:
    typed = "baileys-tools resend-group-keys --company 1001 --group 120363400000000001@g.us --config /etc/tools.yaml"
    for width in range(20, 120):
        assert any(typed in line for line in wrapped(f"have the key sent: {typed}, and look", width, "  -> "))


def test_a_hint_has_just_the_options_that_its_command_takes() -> None:
    came_with({"sessions.roots": ["/srv/a", "/srv/b"], "sessions.companies": ["1001"]}, None)
    try:
        for name, made, _ in all_commands():
            if " " in name.removeprefix("baileys-tools "):
                continue
            taken = {option for parameter in made.params for option in parameter.opts}
            typed = command(f"baileys-tools {name.removeprefix('baileys-tools ')}")
            assert typed.count(" --sessions ") == 2 * ("--sessions" in taken), name
            assert typed.count(" --company ") == ("--company" in taken), name
    finally:
        came_with({}, None)


def test_several_commands_stand_in_one_text() -> None:
    text = (
        "`baileys-tools qr --company {company}` shows it, `baileys-tools logs --company {company}` says why"
    )
    assert with_commands(text, "a b") == (
        "baileys-tools qr --company 'a b' shows it, baileys-tools logs --company 'a b' says why"
    )


# --- no other way -------------------------------------------------------------------------------------------

PROGRAMS = (
    "sudo|chmod|chown|chattr|setfacl|install|kill|mv|rm|cp|mkdir|rmdir|ls|cat|du|df|docker|podman|systemctl|"
    "journalctl|crontab -[a-z]|lsattr|stat|tail|ssh|usermod|kubectl|pm2 (?:start|stop|restart|delete|logs|describe)"
)
VERBS = "|".join(verb for verbs in MODULES.values() for verb in verbs)
VALUE, COMMAND = "\0", "\1"
COMMAND_WITH_VALUE = re.compile(
    rf"(?:^|[ (:;,\n`'\"])(?:baileys-tools (?:{VERBS})|{PROGRAMS})(?: [-+\w:=~/.]+)*? ['\"]?{VALUE}"
    rf"|(?<![\w-])--(?:company|config|sessions|run)[ =]['\"]?{VALUE}"
)
ALLOWED = {"__version__"}


def hand_made_commands(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text that puts a value into a command, other than by `command`, with its line."""
    inner = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    templates = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "command"
        for argument in node.args[:1]
        for part in ast.walk(argument)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(map(_piece, node.values))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            text = "".join(map(_piece, (node.left, node.right))).replace("%s", VALUE)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inner | templates
        ):
            # A template that is filled later, by `format` or `replace`; one of `with_commands` has backquotes.
            text = re.sub(r"\{\w*\}", VALUE, re.sub(r"`[^`]*`", COMMAND, node.value))
        else:
            continue
        if found := COMMAND_WITH_VALUE.search(text):
            yield node.lineno, found[0].replace(VALUE, "{}")


def _piece(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    value = node.value if isinstance(node, ast.FormattedValue) else node
    if isinstance(value, ast.Name) and value.id in ALLOWED:
        return "0"
    is_command = isinstance(value, ast.Call) and getattr(value.func, "id", "") in ("command", "quote")
    return COMMAND if is_command else VALUE


def test_no_text_puts_a_value_into_a_command_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in sorted(ROOT.rglob("*.py"))
        for line, what in hand_made_commands(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'f"baileys-tools qr --company {company}"',
        'f"see: baileys-tools logs --company {word(company)} -v"',
        'f"chmod o-w {path}"',
        'f"sudo chown -R {owner} {path}"',
        '"baileys-tools qr --company {company}".replace("{company}", name)',
        '"baileys-tools qr --company %s" % name',
        '"baileys-tools qr --company " + name',
        'f"undo: baileys-tools undo --run {run}"',
        'f"kill {pid}"',
        'f"systemctl restart {unit}"',
        'f"(try: mv {old} elsewhere)"',
    ],
)
def test_the_search_finds_one_made_by_hand(source: str) -> None:
    assert list(hand_made_commands(ast.parse(dedent(source))))


@pytest.mark.parametrize(
    "source",
    [
        "f\"see {command('baileys-tools logs --company {}', company)} for more\"",
        'f"baileys-tools {__version__}"',
        '"`baileys-tools qr --company {company}` shows it"',
        'f"{path} is there already, and nothing that baileys-tools writes"',
    ],
)
def test_the_search_leaves_alone_what_is_no_command(source: str) -> None:
    assert not list(hand_made_commands(ast.parse(dedent(source))))
