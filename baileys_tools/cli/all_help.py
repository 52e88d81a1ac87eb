"""The help of every command, for `help`: made from the command tree when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import typer

from baileys_tools.cli.app import app
from baileys_tools.cli.groups import every_command


def command_helps() -> Mapping[str, Callable[[], str]]:
    """Return for each command and group ("cron", "cron install") what makes its help. All are loaded already."""
    found: dict[str, Callable[[], str]] = {}

    def add(command: Any, context: typer.Context, path: tuple[str, ...]) -> None:
        if path:
            found[" ".join(path)] = partial(command.get_help, context)
        for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
            below = command.get_command(context, name)
            add(below, typer.Context(below, info_name=name, parent=context), (*path, name))

    root = typer.main.get_command(app)
    settings: Any = root.context_settings
    add(root, typer.Context(root, info_name="baileys-tools", **settings), ())
    return found


def listed() -> str:
    """Return all commands by group, a line each."""
    root: Any = typer.main.get_command(app)
    return "\n".join(every_command(partial(root.shown, typer.Context(root, info_name="baileys-tools"))))
