"""What a finding tells people to type can be typed: the command is there, and so is every option."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from baileys_tools.cli import MODULES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "baileys_tools"
TAKES_A_VALUE = {
    "--company",
    "--group",
    "--import",
    "--run",
    "--sessions",
    "--interval",
    "--since",
    "--to",
    "--preset",
}


def commands_in(text: str) -> Iterator[tuple[str, ...]]:
    """Given prose, yield the words of each `baileys-tools` command in it."""
    for found in re.finditer(r"baileys-tools ((?:[^\s`]+ ?)+)", text):
        words = [word.rstrip(".,;:)'\"") for word in found[1].split()]
        taken = words[:1]
        for word in words[1:]:
            begins_with_verb = len(taken) == 1 and word in SUBCOMMANDS.get(taken[0], ())
            if not (word.startswith("-") or taken[-1] in TAKES_A_VALUE or begins_with_verb):
                break
            taken.append(word)
        yield tuple(taken)


def texts_of(node: ast.expr) -> list[str]:
    """What a text that is put together can be, with ID for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Call(func=ast.Name(id="command"), args=[ast.Constant(value=str(template)), *_]):
            return [template.replace("{}", "ID")]
        case ast.JoinedStr(values=parts):
            return [
                "".join(
                    texts_of(part.value if isinstance(part, ast.FormattedValue) else part)[0]
                    for part in parts
                )
            ]
        case ast.BinOp(left=left, right=right):
            return [first + second for first in texts_of(left) for second in texts_of(right)]
        case ast.IfExp(body=body, orelse=other):
            return texts_of(body) + texts_of(other)
        case ast.BoolOp(values=values):
            return [text for value in values for text in texts_of(value)]
    return ["ID"]


def actions() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "Finding(" in text else ():
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "Finding"
                and len(node.args) > 4
            ):
                yield from texts_of(node.args[4])


SUBCOMMANDS = {
    "config": ("show", "check", "init"),
    "notify": ("test",),
    "copies": ("check",),
    "cron": ("show", "status", "install", "remove"),
}
TOLD = sorted(
    {
        *((words, "docs/findings.md") for words in commands_in((ROOT / "docs/findings.md").read_text())),
        *((words, "the code") for action in actions() for words in commands_in(action)),
    }
)


@pytest.mark.parametrize(("words", "where"), TOLD, ids=[" ".join(words) for words, _ in TOLD])
def test_a_command_that_is_told_can_be_typed(words: tuple[str, ...], where: str) -> None:
    from baileys_tools.cli import load_commands
    from baileys_tools.cli.app import app

    assert any(words[0] in commands for commands in MODULES.values()), f"{where} tells of {words[0]}"
    load_commands("")
    parse(typer.main.get_command(app), words)


def parse(command: Any, words: tuple[str, ...]) -> None:
    """Have a command check its words without running anything; raises for what is not there."""
    if hasattr(command, "commands"):
        parse(command.commands[words[0]], words[1:])
    else:
        command.make_context(command.name, list(words))


def test_commands_are_found_in_prose() -> None:
    text = "Do: baileys-tools restore --company ID --dry-run. Or `baileys-tools config show`, baileys-tools backup"
    assert list(commands_in(text)) == [
        ("restore", "--company", "ID", "--dry-run"),
        ("config", "show"),
        ("backup",),
    ]
    assert {words[0] for words, where in TOLD if where == "the code"} >= {
        "restore",
        "cleanup",
        "inspect",
        "backup",
    }
